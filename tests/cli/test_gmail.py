"""A Gmail account from the command line: from the client file to contacts on both sides."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from contactsync import log
from tests.cli.conftest import ADA, Cli
from tests.simulators.__main__ import client_file
from tests.simulators.google import Google, google

pytestmark = pytest.mark.usefixtures("browser")


@pytest.fixture
def server() -> Iterator[Google]:
    with google() as found:
        yield found


def add(cli: Cli, server: Google, *more: str) -> str:
    words = ("account", "add", "gmail", "gm", "--client-file", str(client_file(server, cli.folder)))
    return cli.ok(*words, "--endpoint", server.root, *more)


def test_an_account_is_added_and_synchronised(cli: Cli, server: Google, browser: list[str]) -> None:
    server.account.create({"names": [{"givenName": "Grace", "familyName": "Hopper"}]})
    cli.ok("contact", "put", stdin=ADA.replace(b"Friends", b"Chess"))
    out = add(cli, server)
    assert "gm: logged in as a Google account" in out and "send 1 contact and fetch 1" in out
    assert len(browser) == 1
    cli.ok("sync")
    assert len(server.account.alive()) == 2
    shown = cli.json("contact", "list")["contacts"]
    assert {row["name"] for row in shown} == {"Ada Lovelace", "Grace Hopper"}
    assert [g.name for g in server.account.groups.values() if not g.is_system] == ["Chess"]
    assert cli.json("sync")["accounts"][0]["state"] == "ok"
    facts = cli.ok("doctor")
    assert "gm" in facts


def test_an_account_is_imported_once_with_labels_and_photos(cli: Cli, server: Google) -> None:
    made = server.account.create({"names": [{"givenName": "Grace"}], "genders": [{"value": "female"}]})
    label = server.account.create_group("Navy")
    server.account.modify_members(label.resource_name, [made.resource_name], [])
    server.account.set_photo(made.resource_name, b"\x89PNG" + b"p" * 60)
    add(cli, server)
    cli.ok("import", "gm")
    (row,) = cli.json("contact", "list", "--group", "Navy")["contacts"]
    assert (row["name"], row["accounts"]) == ("Grace", [])
    shown = cli.ok("contact", "show", "Grace")
    assert "image/jpeg" in shown and "GENDER:F" in shown
    before = cli.ok("contact", "list")
    cli.ok("import", "gm")
    assert cli.ok("contact", "list") == before
    cli.ok("sync")
    assert len(cli.json("contact", "list")["contacts"]) == 1 == len(server.account.alive())


def test_a_name_that_google_keeps_for_itself_is_told_once_and_stays_here(cli: Cli, server: Google) -> None:
    cli.ok("contact", "put", stdin=ADA)
    add(cli, server)
    result = cli("sync")
    assert result.code == 3 and "Google keeps the name 'Friends' for itself" in result.err
    assert len(server.account.alive()) == 1, "the contact itself is there"
    for _ in range(2):
        cli.ok("sync")
    assert cli.json("contact", "list", "--group", "Friends")["contacts"]


def test_without_a_browser_the_page_is_only_shown(cli: Cli, server: Google, browser: list[str]) -> None:
    """Nobody goes there: it ends by itself, and nothing is saved."""
    server.declines = "access_denied"
    words = ("account", "add", "gmail", "gm", "--client-file", str(client_file(server, cli.folder)))
    result = cli(*words, "--endpoint", server.root)
    assert result.code == 6 and "access was denied" in result.err and "Agree on this page:" in result.err
    assert not cli.config.exists()


def test_a_login_that_ended_is_told_and_made_anew(cli: Cli, server: Google, browser: list[str]) -> None:
    add(cli, server)
    server.refresh_tokens.clear()
    server.access_tokens.clear()
    result = cli("sync")
    assert result.code == 6 and "contactsync account login gm" in result.err
    cli.ok("account", "login", "gm")
    assert len(browser) == 2
    cli.ok("sync")


def test_there_is_no_password_to_give(cli: Cli, server: Google) -> None:
    add(cli, server)
    for words in (("login",), ("set",)):
        result = cli("account", *words, "gm", "--password-stdin", stdin=b"x\n")
        assert result.code == 2 and "has no password" in result.err
    cli.ok("account", "set", "gm", "--mode", "pull")


def test_a_wrong_client_file_is_told(cli: Cli, server: Google) -> None:
    path = cli.file("client.json", b'{"web": {}}')
    result = cli("account", "add", "gmail", "gm", "--client-file", path)
    assert result.code == 2 and "Desktop app" in result.err


def test_tokens_are_in_the_secret_store_and_nowhere_else(
    cli: Cli, server: Google, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is what else could be used to log in: not in files, logs, or what is printed."""
    caplog.set_level(logging.DEBUG)
    cli.ok("contact", "put", stdin=ADA.replace(b"Friends", b"Chess"))
    out = add(cli, server)
    said = [out]
    for words in (("-v", "-v", "sync"), ("account", "show", "gm"), ("status",), ("doctor",)):
        result = cli(*words)
        assert result.code == 0, result
        said += [result.out, result.err]
    transcript = cli.folder / "transcript"
    server.account.create({"names": [{"givenName": "New"}]})
    cli.ok("sync", "--transcript", str(transcript))
    log.set_run(None)
    shown = transcript.read_text()
    assert '"givenName": "xxx"' in shown and '"New"' not in shown
    assert '"resourceName": "people/c' in shown and "nextSyncToken" in shown
    secrets = {*server.access_tokens, *server.refresh_tokens, server.client[1]} - {"access-1", "refresh-1"}
    assert len(secrets) == 3, "an access token, a refresh token and the client's secret"
    codes = {f"code-{n}" for n in range(1, 4)}
    vault = cli.data / "vault.json"
    for path in cli.folder.rglob("*"):
        if path.is_file() and path not in (vault, cli.folder / "client_secret.json"):
            content = path.read_bytes()
            assert not [s for s in secrets | codes if s.encode() in content], path
    assert all(secret in vault.read_text() for secret in secrets)
    told = "\n".join([*said, *(record.getMessage() for record in caplog.records)])
    assert not [secret for secret in secrets | codes if secret in told]
