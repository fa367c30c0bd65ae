"""Calendars by the command line: adding, writing, looking, letting go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from contactsync.config import load
from tests.calendar.places import DENTIST, by_summary, remove_calendars, server_calendar
from tests.cli.conftest import Cli, Home, card
from tests.servers import Server

ADA = card("ada", "Ada", "BDAY:1815-12-10")
BOB = card("bob", "Bob", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-01", "ANNIVERSARY:2010-05-06")


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    yield
    remove_calendars()


@pytest.fixture
def file(cli: Cli) -> Iterator[str]:
    yield str(cli.folder / "days.ics")


def fill(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA + BOB)


def secret(cli: Cli, server: Server) -> str:
    return cli.file("secret", server.password.encode())


def test_a_file_is_added_written_listed_and_let_go_of(cli: Cli, file: str) -> None:
    fill(cli)
    added = cli.json("calendar", "add", "days", "--file", file, "--alarm", "9:00", "--kind", "birth")
    assert added["calendar"] == {"name": "days", "file": file, "kinds": ["birth"], "alarm": "9:00"}
    assert [one["name"] for one in added["first_sync"]["plan"]] == ["🎂 Ada (*1815)", "🎂 Bob"]
    assert not Path(file).exists()
    assert cli.json("calendar", "list")["calendars"][0]["state"] == "new"
    (report,) = cli.json("calendar", "sync", "--dry-run")["calendars"]
    assert len(report["plan"]) == 2 and not Path(file).exists()
    assert "Calendar days: wrote 2 new" in cli.ok("calendar", "sync")
    assert "Calendar days: nothing to do" in cli.ok("calendar", "sync", "days")
    (row,) = cli.json("calendar", "list")["calendars"]
    assert (row["state"], row["events"], row["place"]) == ("ok", 2, file)
    assert cli.json("calendar", "remove", "days") == {"name": "days", "removed": True, "deleted": 0}
    assert len(by_summary([Path(file).read_bytes()])) == 2 and load(cli.config).calendars == ()
    assert cli.json("calendar", "list") == {"calendars": []}


def test_letting_go_can_take_the_events_away_and_leaves_those_of_others(cli: Cli, file: str) -> None:
    Path(file).write_bytes(DENTIST)
    fill(cli)
    cli.ok("calendar", "add", "days", "--file", file)
    cli.ok("calendar", "sync")
    assert cli.json("calendar", "remove", "days", "--delete-events")["deleted"] == 3
    assert Path(file).read_bytes() == DENTIST


def test_a_calendar_is_made_on_the_server_of_an_account_and_a_round_writes_it(cli: Cli, home: Home) -> None:
    fill(cli)
    name = f"Days {uuid4().hex[:6]}"
    cli.ok("calendar", "add", "days", "--account", "home", "--create", "--calendar", name)
    (calendar,) = load(cli.config).calendars
    assert calendar.account == "home" and calendar.href == f"/alice/{name.lower().replace(' ', '-')}/"
    result = cli.json("sync")
    assert result["ok"] and result["calendars"][0]["written"]["created"] == 3
    assert len(home.server.etags(calendar.href)) == 3
    again = cli.json("sync")["calendars"][0]
    assert (again["written"], again["requests"]) == ({"created": 0, "updated": 0, "deleted": 0}, 1)
    refused = cli("calendar", "add", "more", "--account", "home", "--create", "--calendar", name)
    assert refused.code == 2 and "Leave out --create" in refused.err
    refused = cli("account", "remove", "home")
    assert refused.code == 2 and "contactsync calendar remove days" in refused.err
    assert cli.json("calendar", "remove", "days", "--delete-events")["deleted"] == 3
    home.server.request("DELETE", calendar.href)


def test_a_calendar_at_a_url_has_a_login_of_its_own(cli: Cli, radicale: Server) -> None:
    fill(cli)
    there = server_calendar(radicale)
    words = ("calendar", "add", "days", "--username", radicale.user)
    cli.ok(*words, "--url", there.url, "--password-stdin", stdin=radicale.password.encode())
    path = "/" + there.url.split("/", 3)[3]
    assert load(cli.config).calendar("days").href == path
    cli.ok("calendar", "sync")
    assert len(radicale.etags(path)) == 3
    wrong = cli("calendar", "login", "days", "--password-stdin", stdin=b"wrong")
    assert wrong.code == 6 and "refuses the login" in wrong.err
    cli.ok("calendar", "login", "days", "--password-stdin", stdin=radicale.password.encode())
    cli.ok("calendar", "remove", "days")
    assert (
        not (cli.data / "vault.json").exists() or "calendar:days" not in (cli.data / "vault.json").read_text()
    )


def test_which_calendar_is_meant_must_be_said(cli: Cli, radicale: Server) -> None:
    href = "/" + server_calendar(radicale).url.split("/", 3)[3]
    words = ("calendar", "add", "days", "--url", radicale.base_url, "--username", radicale.user)
    words = (*words, "--password-file", secret(cli, radicale))
    asked = cli(*words)
    assert asked.code == 2 and f"Days ({href})" in asked.err and "--create" in asked.err
    unknown = cli(*words, "--calendar", "Tasks")
    assert unknown.code == 2 and "There is no 'Tasks'" in unknown.err
    cli.ok(*words, "--calendar", href)
    assert load(cli.config).calendar("days").href == href


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Give one of --file, --account and --url"),
        (("--file", "x.ics", "--url", "https://x.example"), "A calendar is in one place"),
        (("--file", "x.ics", "--create"), "Leave out --calendar, --create"),
        (("--file", "x.ics", "--username", "ada"), "Only a calendar at a --url"),
        (("--file", "x.ics", "--summary", "{age}"), "{age} is no field"),
        (("--file", "x.ics", "--alarm", "noon"), 'must be like "9:00"'),
        (("--file", "x.ics", "--kind", "party"), "'party' is no kind of day"),
        (("--account", "nobody"), "there is no account 'nobody'"),
        (("--file", "/not/there/x.ics"), "There is no folder /not/there"),
        (("--file", "x.ics", "--group", "Nobody"), "No group 'Nobody'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(cli: Cli, words: tuple[str, ...], said: str) -> None:
    result = cli("calendar", "add", "days", *words)
    assert result.code == 2 and said in result.err
    assert not cli.config.exists()


def test_names_are_checked(cli: Cli, file: str) -> None:
    assert "cannot be a name" in cli("calendar", "add", "a b", "--file", file).err
    cli.ok("calendar", "add", "days", "--file", file)
    assert "There is a calendar 'days' already" in cli("calendar", "add", "days", "--file", file).err
    assert cli("calendar", "sync", "dyas").err.startswith("Error: There is no calendar 'dyas'.\nDid you mean")
    assert cli("calendar", "login", "days").code == 2


def test_a_calendar_in_trouble_does_not_hold_up_the_contacts(cli: Cli, home: Home, file: str) -> None:
    fill(cli)
    there = server_calendar(home.server)
    path = "/" + there.url.split("/", 3)[3]
    cli.ok("calendar", "add", "gone", "--account", "home", "--calendar", path)
    cli.ok("calendar", "add", "days", "--file", file)
    home.server.request("DELETE", path)
    result = cli("sync")
    assert result.code == 1
    assert f"home/{home.name}: sent 2 new" in result.out and "Calendar days: wrote 3 new" in result.out
    assert f"Calendar gone: There is no calendar {path}" in result.err
    document = cli.json("calendar", "sync", code=1)
    assert [one["state"] for one in document["calendars"]] == ["failed", "ok"] and not document["ok"]
    assert cli.json("calendar", "list")["calendars"][0]["state"] == "failed"
    assert not cli.json("status")["well"]
    assert f"Calendar gone: There is no calendar {path}" in cli.ok("status")
    cli.ok("account", "pause", "home")
    assert [one["name"] for one in cli.json("calendar", "sync")["calendars"]] == ["days"]


def test_the_brake_names_the_command_that_lets_it_through(cli: Cli, file: str) -> None:
    people = b"".join(card(f"p{i:02}", f"P{i:02}", f"BDAY:1990-01-{i + 1:02}") for i in range(20))
    cli.ok("contact", "put", stdin=people)
    cli.ok("calendar", "add", "days", "--file", file)
    cli.ok("calendar", "sync")
    cli.ok("contact", "delete", *(f"p{i:02}" for i in range(12)))
    document = cli.json("calendar", "sync", code=7)
    assert document["calendars"][0]["guard"] == {
        "kind": "mass-delete",
        "would_delete": 12,
        "of": 20,
        "side": "remote",
    }
    assert "contactsync calendar sync days --max-delete 12" in cli("calendar", "sync").err
    assert "12 removed" in cli.ok("calendar", "sync", "days", "--max-delete", "12")


def test_days_without_an_event_are_named(cli: Cli, file: str) -> None:
    cli.ok("contact", "put", stdin=card("ada", "Ada", "BDAY;VALUE=text:circa 1800").replace(b"3.0", b"4.0"))
    cli.ok("calendar", "add", "days", "--file", file)
    result = cli("calendar", "sync")
    assert "1 day without an event" in result.out and "Ada: no event (Birthday: 'circa 1800'" in result.err


def test_an_event_that_was_deleted_stays_away_until_it_is_wanted_back(cli: Cli, radicale: Server) -> None:
    cli.ok("contact", "put", stdin=ADA)
    there = server_calendar(radicale)
    words = ("--url", there.url, "--username", radicale.user, "--password-file", secret(cli, radicale))
    cli.ok("calendar", "add", "days", *words)
    cli.ok("calendar", "sync")
    path = "/" + there.url.split("/", 3)[3]
    (href,) = radicale.etags(path)
    radicale.delete(href)
    assert "1 event kept away, as deleted there" in cli.ok("calendar", "sync")
    assert "wrote 1 new" in cli.ok("calendar", "sync", "--restore")
