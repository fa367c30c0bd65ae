"""A connector by others on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contactsync.config import load
from contactsync.connectors.memory import MemoryServer
from tests.cli.conftest import ADA, Cli
from tests.e2e.devices import card, uids
from tests.plugins.conftest import Install

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("odd.py").read_text(encoding="utf-8")
BOOK = "/contacts/"


@pytest.fixture
def server(tmp_path: Path) -> MemoryServer:
    """That of the account whose url is the path of this test."""
    return MemoryServer.named(str(tmp_path))


def test_it_is_added_by_its_name_with_options_of_its_own(
    cli: Cli, install: Install, server: MemoryServer, tmp_path: Path
) -> None:
    install(SOURCE)
    server.put(f"{BOOK}eve.vcf", card("eve"))
    words = ("account", "add", "odd", "mine", "--url", str(tmp_path), "--option", "depth=3")
    added = cli.json(*words, "--option", "place=", "--option", "path=/a b", "--option", 'id="3"')
    assert added["login"] == "memory" and added["first_sync"] == {"send": 0, "fetch": 1}
    (account,) = load(cli.config).accounts
    assert account.connector == "odd"
    assert account.options == {"depth": 3, "place": "", "path": "/a b", "id": "3"}
    cli.ok("account", "set", "mine", "--option", "depth=4")
    assert load(cli.config).account("mine").options == {**account.options, "depth": 4}
    cli.ok("sync")
    assert cli.json("account", "list")["accounts"][0]["distribution"] == "contactsync-odd 1.0"
    assert "odd (contactsync-odd 1.0)" in cli.ok("account", "list")
    assert "contactsync-odd 1.0" in cli.ok("account", "show", "mine")
    assert "Its connector odd is that of contactsync-odd 1.0." in cli.ok("doctor", "mine")


LOGIN = """
    from contactsync.connectors.memory import MemoryConnector, MemoryServer
    from contactsync.errors import AuthError
    from contactsync.vcard.codec import VCardCodec

    CONTRACT = 1

    class Private(MemoryConnector):
        def check(self):
            if (self.settings.username, self.settings.password()) != ("ada", "enchantress"):
                raise AuthError("The login was refused.")
            return self.settings.username

    def factory(settings):
        made = Private(MemoryServer(), VCardCodec())
        made.settings = settings
        return made
"""


def test_its_login_is_tried_before_it_is_saved(cli: Cli, install: Install) -> None:
    install(LOGIN)
    words = ("account", "add", "odd", "mine", "--username", "ada")
    result = cli(*words, "--password-file", cli.file("wrong", b"guessed"))
    assert result.code == 6 and "The login was refused." in result.err and not cli.config.exists()
    assert cli.json(*words, "--password-file", cli.file("right", b"enchantress"))["login"] == "ada"
    result = cli(*words[:3], "other", *words[4:])
    assert result.code == 2 and "nobody is there to ask" in result.err


def test_the_help_names_it_and_loads_nothing_of_it(cli: Cli, install: Install) -> None:
    module = install("raise AssertionError('loaded')")
    assert "odd " in cli.ok("account", "add", "--help")
    assert "account add odd [OPTIONS]" in cli.ok("account", "add", "odd", "--help")
    assert module not in sys.modules
    assert "No such command 'odder'" in cli("account", "add", "odder", "x").err


def test_a_kind_that_nobody_knows_is_told_which_there_are(cli: Cli, install: Install) -> None:
    install("raise AssertionError('loaded')")
    said = cli("account", "add", "nextcloud", "home").err
    assert "Kinds are: carddav, gmail, outlook, vdir, odd." in said
    assert "contactsync account add carddav NAME --url URL" in said


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("import no_such_package", 2, "cannot be loaded: ModuleNotFoundError"),
        ("CONTRACT = 0\nfactory = print", 2, "contactsync-odd 1.0 was written for contract 0"),
        ("CONTRACT = 1\nfactory = len", 1, "'odd' (contactsync-odd 1.0) broke its contract"),
    ],
)
def test_one_that_cannot_be_used_is_not_added(
    cli: Cli, install: Install, source: str, code: int, said: str
) -> None:
    install(source)
    result = cli("account", "add", "odd", "mine")
    assert result.code == code and said in result.err and "Traceback" not in result.err
    assert not cli.config.exists()


@pytest.mark.parametrize("source", ["import no_such_package", "CONTRACT = 9\nfactory = print", ""])
def test_an_account_of_one_that_cannot_be_used_any_more_is_shown_and_examined(
    cli: Cli, install: Install, source: str
) -> None:
    if source:
        install(source)
    cli.config.write_text('[account.mine]\nconnector = "odd"\n')
    assert "odd" in cli.ok("account", "list") and "odd" in cli.ok("account", "show", "mine")
    said = "contactsync-odd" if source else "there is no connector 'odd'"
    result = cli("doctor", "mine")
    assert result.code == 1 and said in result.out
    result = cli("sync")
    assert result.code == 1 and said in result.err


@pytest.mark.parametrize("word", ["depth", "=3"])
def test_an_option_is_a_key_and_a_value(cli: Cli, install: Install, word: str) -> None:
    install(SOURCE)
    result = cli("account", "add", "odd", "mine", "--option", word)
    assert result.code == 2 and "KEY=VALUE" in result.err


def test_a_round_with_one_that_broke_says_so_and_does_the_rest(
    cli: Cli, install: Install, server: MemoryServer, tmp_path: Path
) -> None:
    install(SOURCE)
    folder = tmp_path / "cards"
    folder.mkdir()
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("account", "add", "odd", "mine", "--url", str(tmp_path))
    cli.ok("account", "add", "vdir", "folder", "--path", str(folder))
    cli.ok("account", "set", "mine", "--option", "place=traffic", "--option", "kind=raise")
    result = cli("sync")
    assert result.code == 1 and "mine" in result.err and "KeyError: 'boom'" in result.err
    assert "folder/cards: sent 1 new" in result.out
    (path,) = folder.iterdir()
    assert b"FN:Ada Lovelace" in path.read_bytes()
    assert "broke its contract" in cli.json("status")["accounts"][0]["message"]
    result = cli("account", "set", "mine", "--option", "place=check")
    assert result.code == 1 and "check raised KeyError" in result.err, "it is tried first"
    cli.config.write_text(cli.config.read_text().replace("traffic", "check"))
    assert "check raised KeyError" in cli("doctor", "mine").out
    cli.ok("account", "set", "mine", "--option", "place=")
    cli.ok("sync")
    assert uids(server, BOOK) == ["ada"]


def test_doctor_names_what_is_offered_in_vain(cli: Cli, install: Install) -> None:
    install(SOURCE, connector="carddav", name="taker", version="6.6")
    result = cli("doctor")
    assert "taker 6.6 offers a connector 'carddav', which stays that of contactsync." in result.out


def test_a_process_with_one_that_blocks_for_ever_ends(cli: Cli, install: Install, tmp_path: Path) -> None:
    install(SOURCE)
    cli.config.write_text(
        f'[account.mine]\nconnector = "odd"\nurl = "{tmp_path}"\ngive_up_after = 1\n'
        '[account.mine.options]\nplace = "changes"\nkind = "hang"\n'
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])}
    words = ["--config", str(cli.config), "--data-dir", str(cli.data), "sync"]
    command = [sys.executable, "-m", "contactsync", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 5
    assert "The connector 'odd' (contactsync-odd 1.0) gave no answer for 1 second." in done.stderr
