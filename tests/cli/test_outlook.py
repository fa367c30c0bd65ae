"""An Outlook account from the command line: from the login to contacts on both sides."""

from __future__ import annotations

import json
import logging

import pytest

from contactsync import log
from tests.cli.conftest import ADA, Cli
from tests.connectors.test_outlook import server
from tests.simulators.entra import CLIENT
from tests.simulators.graph import Graph

__all__ = ["server"]
pytestmark = pytest.mark.usefixtures("browser")
CHESS = ADA.replace(b"Friends", b"Chess")


def words(server: Graph, *more: str) -> tuple[str, ...]:
    authority = f"{server.root.removesuffix('/v1.0')}/common"
    found = ("account", "add", "outlook", "ol", "--client-id", CLIENT, "--authority", authority)
    return (*found, "--endpoint", server.root, *more)


def test_an_account_is_added_and_synchronised(cli: Cli, server: Graph, browser: list[str]) -> None:
    server.mailbox.create("contacts", {"givenName": "Grace", "surname": "Hopper"})
    cli.ok("contact", "put", stdin=CHESS)
    result = cli(*words(server))
    assert result.code == 0 and "enter the code ABCD1234" in result.err and not browser
    assert "ol: logged in as ada@outlook.example at" in result.out
    assert "send 1 contact and fetch 1" in result.out
    cli.ok("sync")
    assert len(server.mailbox.items) == 2
    shown = cli.json("contact", "list")["contacts"]
    assert {row["name"] for row in shown} == {"Ada Lovelace", "Grace Hopper"}
    ada = next(i for i in server.mailbox.items.values() if i.values["givenName"] == "Ada")
    assert ada.values["categories"] == ["Chess"]
    assert cli.json("sync")["accounts"][0]["state"] == "ok"
    assert "ol" in cli.ok("doctor")


def test_an_account_is_imported_once(cli: Cli, server: Graph) -> None:
    values = {
        "givenName": "Grace",
        "surname": "Hopper",
        "displayName": "Grace Hopper",
        "categories": ["Navy"],
    }
    server.mailbox.create("contacts", values)
    cli.ok(*words(server))
    assert cli.json("import", "ol")["new"] == 1
    (row,) = cli.json("contact", "list", "--group", "Navy")["contacts"]
    assert (row["name"], row["accounts"]) == ("Grace Hopper", [])
    assert cli.json("import", "ol")["equal"] == 1


def test_where_each_value_is(cli: Cli, server: Graph) -> None:
    """Three addresses have a slot there; the fourth is here only, and is shown so."""
    more = b"".join(b"EMAIL:%d@x.example\r\n" % n for n in range(3))
    cli.ok("contact", "put", stdin=CHESS.replace(b"CATEGORIES", more + b"CATEGORIES"))
    cli.ok(*words(server))
    cli.ok("sync")
    values = cli.json("contact", "show", "Ada", "--where")["values"]
    rows = {row["value"]: row for row in values}
    there = {text: row["accounts"] for text, row in rows.items() if "@x.example" in text}
    assert sum(accounts == ["ol"] for accounts in there.values()) == 3
    assert sum(accounts == [] for accounts in there.values()) == 1


def test_with_a_display_the_page_is_opened(
    cli: Cli, server: Graph, browser: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    cli.ok(*words(server))
    assert len(browser) == 1 and "code_challenge_method=S256" in browser[0]
    assert any("nonce" in asked.query for asked in server.entra.requests)
    cli.ok("account", "login", "ol", "--device-code")
    assert len(browser) == 1
    cli.ok("account", "login", "ol", "--interactive")
    assert len(browser) == 2
    cli.ok("sync")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("authorization_declined", "Access was declined on the page."),
        ("expired_token", "Nobody entered the code in time."),
    ],
)
def test_a_code_that_comes_to_nothing(cli: Cli, server: Graph, outcome: str, told: str) -> None:
    server.entra.pending, server.entra.outcome = 1, outcome
    result = cli(*words(server))
    assert result.code == 6 and told in result.err
    assert not cli.config.exists()


def test_a_page_that_is_declined(cli: Cli, server: Graph, browser: list[str]) -> None:
    server.entra.outcome = "access_denied"
    result = cli(*words(server, "--interactive"))
    assert result.code == 6 and "declined" in result.err and len(browser) == 1
    assert not cli.config.exists()


def test_no_mailbox_and_no_permission_have_words_of_their_own(cli: Cli, server: Graph) -> None:
    server.fail(404, "MailboxNotEnabledForRESTAPI", times=9)
    result = cli(*words(server))
    assert result.code == 1 and "no mailbox at Exchange Online" in result.err
    server.faults.clear()
    server.fail(403, "ErrorAccessDenied", times=9)
    result = cli(*words(server))
    assert result.code == 1 and "does not let this app at the contacts" in result.err
    assert not cli.config.exists()


def test_a_login_that_ended_is_told_and_made_anew(cli: Cli, server: Graph) -> None:
    cli.ok(*words(server))
    server.entra.end_login()
    server.access_tokens.clear()
    result = cli("sync")
    assert result.code == 6 and "contactsync account login ol" in result.err
    cli.ok("account", "login", "ol")
    cli.ok("sync")


def test_there_is_no_password_to_give(cli: Cli, server: Graph) -> None:
    cli.ok(*words(server))
    for more in (("login",), ("set",)):
        result = cli("account", *more, "ol", "--password-stdin", stdin=b"x\n")
        assert result.code == 2 and "has no password: you log in on a page of Microsoft" in result.err
    cli.ok("account", "set", "ol", "--mode", "pull")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "--client-id"),
        (("--client-id", "no-such-app"), "does not know this app"),
        (("--client-id", CLIENT, "--authority", "http://far.example/common"), "http"),
    ],
)
def test_what_is_needed_is_asked_for(cli: Cli, server: Graph, more: tuple[str, ...], told: str) -> None:
    at_home = ("--authority", f"{server.root.removesuffix('/v1.0')}/common")
    given = more if "--authority" in more else (*more, *at_home)
    result = cli("account", "add", "outlook", "ol", *given, "--endpoint", server.root)
    assert result.code in (2, 6) and told in result.err
    assert not cli.config.exists()


def test_tokens_are_in_the_secret_store_and_nowhere_else(
    cli: Cli, server: Graph, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is what else could be used to log in: not in files, logs, or what is printed."""
    caplog.set_level(logging.DEBUG)
    cli.ok("contact", "put", stdin=CHESS)
    said = [cli.ok(*words(server, "--interactive"))]
    server.access_tokens.clear()
    for more in (("-v", "-v", "sync"), ("account", "show", "ol"), ("status",), ("doctor",)):
        result = cli(*more)
        assert result.code == 0, result
        said += [result.out, result.err]
    transcript = cli.folder / "transcript"
    server.mailbox.create("contacts", {"givenName": "New"})
    cli.ok("sync", "--transcript", str(transcript))
    log.set_run(None)
    shown = transcript.read_text()
    assert '"New"' not in shown and "deltatoken" in shown
    secrets = {*server.entra.tokens, "code-0", "code-1"}
    assert len(server.entra.tokens) >= 4, "of the login, and of a renewal"
    vault = cli.data / "vault.json"
    for path in cli.folder.rglob("*"):
        if path.is_file() and path != vault:
            content = path.read_bytes()
            assert not [s for s in secrets if s.encode() in content], path
    assert server.entra.tokens[-1] in vault.read_text()
    told = "\n".join([*said, *(record.getMessage() for record in caplog.records)])
    assert not [secret for secret in secrets if secret in told]


def test_another_cloud_has_another_graph(cli: Cli, server: Graph) -> None:
    from contactsync.connectors.outlook.clouds import root_of

    assert root_of("common") == "https://graph.microsoft.com/v1.0"
    assert root_of("https://login.microsoftonline.us/common") == "https://graph.microsoft.us/v1.0"
    cli.ok(*words(server))
    (account,) = cli.json("account", "list")["accounts"]
    assert account["url"] == server.root
    assert json.dumps(account).count("secret") == 0
