"""The engine inside another program: the example of the page, events, ending a round, and misuse."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

import contactsync.api as api
from contactsync.api import (
    AccountConfig,
    Config,
    Engine,
    Event,
    Hooks,
    Progress,
    RoundEnded,
    RoundStarted,
)
from contactsync.connectors.base import AccountSettings, Connector
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.engine.lock import sync_lock
from contactsync.errors import LockedError, StoreError, UsageError
from contactsync.model.contact import Contact, Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.conftest import OpenDevice
from tests.e2e.devices import card, fill, person
from tests.servers import radicale

T = TypeVar("T")
DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "embed.py"


def titled(text: str) -> Callable[[Contact], Contact]:
    return lambda contact: replace(contact, titles=(Title(text),))


def elsewhere(work: Callable[[], T]) -> T:
    """The same in another thread."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


@pytest.fixture
def engine(open_device: OpenDevice, memory: MemoryServer) -> Engine:
    return open_device("phone", memory).engine


# --- the page -------------------------------------------------------------------------------------


def test_the_example_program_makes_two_rounds_with_a_real_server(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60
    with radicale() as server:
        words = [server.base_url, server.user, server.password, str(tmp_path / "mail")]
        done = subprocess.run(
            [sys.executable, str(EXAMPLE), *words], capture_output=True, text=True, timeout=60, check=False
        )
        (path,) = server.etags()
        card = server.get(path) or b""
    assert (done.returncode, done.stderr) == (0, "")
    assert "home: ok" in done.stdout and "writing" in done.stdout
    assert "Ada Lovelace ['ada@x.example']" in done.stdout
    assert b"TITLE:Countess" in card
    assert (tmp_path / "mail" / "mail-contacts.db").is_file()


def test_each_stable_name_is_there() -> None:
    text = (DOCS / "embedding.md").read_text(encoding="utf-8")
    section = text.partition("## Stable names")[2]
    for module, names in re.findall(r"^\| `(contactsync[\w.]+)` \| (.*) \|$", section, re.MULTILINE):
        found = __import__(module, fromlist=["x"])
        for name in re.findall(r"`([A-Za-z]\w*)`", names):
            assert hasattr(found, name) or name == "Engine", (module, name)
    assert all(hasattr(api, name) for name in api.__all__)


def test_only_an_engine_that_is_told_so_looks_into_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTSYNC_DATABASE", f"sqlite:///{tmp_path / 'other.db'}")
    with Engine(Config(), tmp_path / "mine") as engine:
        engine.put([person(1)])
    assert (tmp_path / "mine" / "contacts.db").is_file()
    assert not (tmp_path / "other.db").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file/data cannot be made"):
        Engine(Config(), tmp_path / "file" / "data")


# --- events ---------------------------------------------------------------------------------------


def test_a_listener_hears_of_the_beginning_the_progress_and_the_end(engine: Engine) -> None:
    heard: list[Event] = []
    end = engine.subscribe(heard.append)
    engine.put([person(1)])
    report = engine.sync()
    assert heard[0] == RoundStarted("home", report.run)
    assert heard[-1] == RoundEnded(report.run, report.accounts[0])
    assert Progress("writing contacts", 1, 1) in heard
    end()
    end()
    count = len(heard)
    engine.sync()
    assert len(heard) == count


def test_a_round_that_fails_ends_for_its_listeners_too(tmp_path: Path) -> None:
    nowhere = AccountConfig("home", "carddav", url="http://127.0.0.1:9/", username="a")
    heard: list[Event] = []
    with Engine(Config(accounts=(nowhere,)), tmp_path, hooks=Hooks(password=lambda a: "x")) as engine:
        engine.subscribe(heard.append)
        engine.sync()
    assert isinstance(heard[-1], RoundEnded) and heard[-1].report.state == "temporary"


def test_a_listener_that_raises_is_in_the_log_and_stops_nothing(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Event) -> None:
        raise KeyError("a mistake of the program")

    heard: list[Event] = []
    engine.subscribe(broken)
    engine.subscribe(heard.append)
    engine.put([person(1)])
    with caplog.at_level(logging.ERROR, "contactsync"):
        assert engine.sync().ok
    assert "A listener failed at RoundStarted." in caplog.text
    assert isinstance(heard[-1], RoundEnded)


def test_changes_are_told_once_whoever_made_them(open_device: OpenDevice, memory: MemoryServer) -> None:
    one, other = open_device("one", memory), open_device("other", memory)
    seen, changed = one.engine.changed_since()
    assert (seen, changed) == (0, [])
    one.engine.put([person(1), person(2)])
    seen, changed = one.engine.changed_since(seen)
    assert changed == ["uid-001", "uid-002"]
    one.sync()
    assert one.engine.changed_since(seen) == (seen, [])
    other.sync()
    other.engine.change("uid-002", titled("Dr."))
    other.engine.delete(["uid-001"])
    other.sync()
    one.sync()
    with one.open() as second:  # as of another process
        second.put([person(3)])
    seen, changed = one.engine.changed_since(seen)
    assert sorted(changed) == ["uid-001", "uid-002", "uid-003"]


def test_a_step_that_was_forgotten_hides_no_later_one(engine: Engine) -> None:
    """The number of the newest step is not used again when the step goes."""
    engine.put([person(1)])
    engine.delete(["uid-001"])
    seen, _ = engine.changed_since()
    engine.purge(["uid-001"])
    engine.put([person(2)])
    assert engine.changed_since(seen)[1] == ["uid-002"]


def test_an_edit_keeps_what_changed_meanwhile(engine: Engine) -> None:
    engine.put([person(1)])

    def slowly(contact: Contact) -> Contact:
        engine.put([replace(contact, titles=(Title("meanwhile"),))])
        return replace(contact, phones=())

    assert engine.change("uid-001", slowly)
    now = engine.contact("uid-001").contact
    assert (now.titles, now.phones) == ((Title("meanwhile"),), ())
    assert not engine.change("uid-001", lambda contact: contact)


# --- ending a round -------------------------------------------------------------------------------


def test_a_round_that_is_cancelled_while_it_reads_goes_on_later(
    open_device: OpenDevice, memory: MemoryServer, book: str
) -> None:
    fill(memory, book, (card(f"{n:03d}", f"P {n}") for n in range(250)))
    device = open_device("phone", memory)
    seen: list[str] = []
    device.engine.hooks.step = seen.append
    device.engine.hooks.stopping = lambda: "page-staged" in seen
    report = device.run()
    assert report.stopped and not report.ok and report.exit_code() == 130
    assert report.to_json()["stopped"] is True
    assert seen.count("page-staged") == 1
    assert len(device.engine.contacts()) == 100  # whoever came is there, and the cursor has not moved
    device.engine.hooks.stopping = lambda: False
    assert device.run().ok
    assert len(device.engine.contacts()) == 250
    assert device.quiet()


def test_a_cancelled_round_begins_no_other_account(tmp_path: Path) -> None:
    servers = {"one": MemoryServer(), "two": MemoryServer()}
    accounts = tuple(AccountConfig(name, "memory") for name in servers)
    asked: list[str] = []

    def connect(settings: AccountSettings) -> Connector:
        asked.append(settings.name)
        return MemoryConnector(servers[settings.name], VCardCodec())

    hooks = Hooks(connect=connect, stopping=lambda: bool(asked))
    with Engine(Config(accounts=accounts), tmp_path, hooks=hooks) as engine:
        report = engine.sync()
        assert report.stopped and asked == ["one"]
        hooks.stopping = lambda: False
        assert engine.sync().ok
        assert asked == ["one", "one", "two"]


# --- misuse ---------------------------------------------------------------------------------------


def test_another_thread_is_told_to_open_its_own(engine: Engine) -> None:
    engine.put([person(1)])
    for use in (engine.contacts, lambda: engine.put([person(2)]), engine.sync, engine.close):
        with pytest.raises(UsageError, match=r"opened by another thread\. Open an Engine in each thread"):
            elsewhere(use)
    assert [stored.uid for stored in engine.contacts()] == ["uid-001"]
    assert engine.sync().ok


def test_two_threads_with_an_engine_each_edit_and_sync_the_same_data(
    open_device: OpenDevice, memory: MemoryServer
) -> None:
    device = open_device("phone", memory)

    def edits() -> None:
        with device.open() as own:
            for n in range(1, 31):
                own.put([person(n)])

    with ThreadPoolExecutor(max_workers=1) as thread:
        running = thread.submit(edits)
        while not running.done():
            assert device.run().ok
        running.result()
    device.sync()
    assert len(device.engine.contacts()) == 30
    assert len(next(iter(memory.books.values())).cards) == 30
    assert device.quiet()


def test_a_closed_engine_says_so(engine: Engine) -> None:
    engine.close()
    engine.close()
    for use in (engine.contacts, lambda: engine.put([person(1)]), engine.sync):
        with pytest.raises(UsageError, match=r"was closed\. Open a new Engine"):
            use()


def test_another_process_in_a_round_is_waited_for_and_then_named(engine: Engine) -> None:
    with sync_lock(engine.data_dir), pytest.raises(LockedError):
        elsewhere(lambda: _round_of_another_process(engine.data_dir))
    assert engine.sync().ok


def _round_of_another_process(folder: Path) -> None:
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from contactsync.api import Config, Engine
        from contactsync.errors import LockedError
        with Engine(Config(), Path(sys.argv[1])) as engine:
            engine.contacts()
            try:
                engine.sync(wait_seconds=0)
            except LockedError as error:
                sys.exit(8)
        """
    )
    done = subprocess.run([sys.executable, "-c", code, os.fspath(folder)], timeout=60, check=False)
    if done.returncode == 8:
        raise LockedError("as the other process was told")


def test_a_renewed_secret_goes_to_who_gave_it(tmp_path: Path) -> None:
    kept: dict[str, str] = {}

    def connect(settings: AccountSettings) -> Connector:
        settings.renew(settings.password() + " renewed")
        return MemoryConnector(MemoryServer(), VCardCodec())

    hooks = Hooks(
        connect=connect,
        password=lambda account: "secret",
        renew=lambda account, secret: kept.update({account.name: secret}),
    )
    with Engine(Config(accounts=(AccountConfig("home", "memory"),)), tmp_path, hooks=hooks) as engine:
        assert engine.sync().ok
    assert kept == {"home": "secret renewed"}
