"""The calendar on real servers, read back by an independent reader and by plain requests."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from contactsync.api import Hooks
from contactsync.calendar.server import find_calendars, make_calendar
from contactsync.config import CalendarConfig
from contactsync.connectors.base import AccountSettings
from contactsync.errors import RemoteError
from tests.calendar import places
from tests.calendar.places import (
    DENTIST,
    MKCALENDAR,
    Device,
    by_summary,
    day,
    days_of,
    person,
    put,
    remove_calendars,
    server_calendar,
)
from tests.proxy import LOGIN_PAGE, Proxy, Reply, Rule, proxy
from tests.servers import Server

ADA = person("ada", "Ada Lovelace", day(year=1815), day("wedding", 7, 8, 1835))
NOBODY = person("noyear", "No Year", day(month=4, day=12, year=None))
LEAP = person("leap", "Leap Day", day(month=2, day=29, year=2000))
OpenDevice = Callable[..., Device]


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    yield
    remove_calendars()


@pytest.fixture(params=["radicale", "xandikos"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def open_device(tmp_path: Path, server: Server) -> Iterator[OpenDevice]:
    opened: list[Device] = []

    def open_(calendar: CalendarConfig, name: str = "phone", **more: object) -> Device:
        opened.append(Device(tmp_path / name, calendar, server.password, **more))  # type: ignore[arg-type]
        return opened[-1]

    yield open_
    for device in opened:
        device.close()


def path_of(calendar: CalendarConfig) -> str:
    return "/" + calendar.url.split("/", 3)[3]


@contextmanager
def through_proxy(
    calendar: CalendarConfig, server: Server, open_device: OpenDevice
) -> Iterator[tuple[Device, Proxy]]:
    """A device that reaches its calendar by way of the proxy."""
    with proxy(server.base_url) as between:
        yield open_device(replace(calendar, url=between.url + path_of(calendar))), between


def payloads(server: Server, calendar: CalendarConfig) -> dict[str, bytes]:
    path = path_of(calendar)
    return {href: server.get(href) or b"" for href in server.etags(path)}


def ours(server: Server, calendar: CalendarConfig) -> dict[str, bytes]:
    return {href: data for href, data in payloads(server, calendar).items() if "contactsync-" in href}


def test_birthdays_are_made_changed_and_removed_and_a_second_run_is_quiet(
    server: Server, open_device: OpenDevice
) -> None:
    calendar = server_calendar(server, alarm="9:00")
    foreign = path_of(calendar) + "dentist.ics"
    put(server, foreign, DENTIST)
    stored, etag = server.get(foreign), server.etags(path_of(calendar))[foreign]
    phone = open_device(calendar)
    phone.put(ADA, NOBODY, LEAP)

    assert phone.sync() == (4, 0, 0)
    found = by_summary(ours(server, calendar).values())
    assert {name: event["DTSTART"].dt for name, event in found.items()} == {
        "🎂 Ada Lovelace (*1815)": date(1970, 12, 10),
        "⚭ Ada Lovelace (1835)": date(1970, 7, 8),
        "🎂 No Year": date(1970, 4, 12),
        "🎂 Leap Day (*2000)": date(2000, 2, 29),
    }
    leap = next(data for data in ours(server, calendar).values() if b"Leap" in data)
    assert days_of(leap, 2024, 2025, 2028) == [date(2024, 2, 29), date(2025, 2, 28), date(2028, 2, 29)]
    assert all(event.walk("VALARM") for event in found.values())

    before = server.etags(path_of(calendar))
    report = phone.run()
    assert (report.state, report.requests) == ("ok", 1) and not report.written
    assert server.etags(path_of(calendar)) == before

    phone.put(person("ada", "Ada King", day(year=1815)))
    phone.engine.delete(["noyear"])
    assert phone.sync() == (0, 1, 2)
    assert set(by_summary(ours(server, calendar).values())) == {"🎂 Ada King (*1815)", "🎂 Leap Day (*2000)"}
    assert phone.run().requests == 1
    assert server.get(foreign) == stored
    assert server.etags(path_of(calendar))[foreign] == etag


@pytest.fixture
def phone(server: Server, open_device: OpenDevice) -> Device:
    device = open_device(server_calendar(server))
    device.put(ADA, NOBODY, LEAP)
    return device


def test_what_a_person_added_on_the_server_stays_and_a_race_is_seen(
    server: Server, open_device: OpenDevice
) -> None:
    calendar = server_calendar(server)
    with through_proxy(calendar, server, open_device) as (phone, between):
        phone.put(NOBODY)
        phone.sync()
        (href,) = ours(server, calendar)
        colour = (server.get(href) or b"").replace(b"END:VEVENT", b"COLOR:red\r\nEND:VEVENT")
        put(server, href, colour)
        assert phone.sync() == (0, 0, 0)

        def note(reply: Reply) -> Reply:
            """Somebody saves the event after it was read."""
            put(server, href, colour.replace(b"COLOR:red", b"COMMENT:call her\r\nCOLOR:blue"))
            return reply

        phone.put(person("noyear", "Nora", day(month=4, day=12, year=None)))
        between.change(note, "REPORT", times=1)
        assert phone.sync() == (0, 1, 0)
    (event,) = by_summary(ours(server, calendar).values()).values()
    assert (event["SUMMARY"], event["COLOR"], event["COMMENT"]) == ("🎂 Nora", "blue", "call her")


def test_an_event_whose_answer_was_lost_is_found_and_not_made_twice(
    server: Server, open_device: OpenDevice
) -> None:
    calendar = server_calendar(server)
    with through_proxy(calendar, server, open_device) as (phone, between):
        phone.put(ADA, LEAP)
        between.lose_reply("PUT", skip=1)
        report = phone.run()
        assert (report.state, report.written.created) == ("temporary", 1)
        between.forget()
        assert phone.sync() == (1, 0, 0)
        assert between.counts["PUT"] == 1
        assert phone.run().requests == 1
    assert len(ours(server, calendar)) == 3


@pytest.mark.parametrize("server", ["radicale"], indirect=True)
def test_a_run_that_is_killed_in_the_middle_is_completed(server: Server, open_device: OpenDevice) -> None:
    calendar = server_calendar(server)
    steps = iter((None, KeyboardInterrupt()))

    def dies(name: str) -> None:
        if (error := next(steps)) is not None:
            raise error

    dying = open_device(calendar, hooks=Hooks(step=dies))
    dying.put(ADA, LEAP)
    with pytest.raises(KeyboardInterrupt):
        dying.run()
    assert len(ours(server, calendar)) == 2
    again = open_device(calendar)
    assert again.sync() == (1, 0, 0)
    assert len(ours(server, calendar)) == 3


def test_two_devices_that_write_at_the_same_moment_make_no_doubles(
    server: Server, open_device: OpenDevice
) -> None:
    calendar = server_calendar(server)
    second = open_device(calendar, "tablet")
    second.put(ADA, LEAP)
    with through_proxy(calendar, server, open_device) as (first, between):
        first.put(ADA, LEAP)
        done: list[tuple[int, int, int]] = []

        def meanwhile(reply: Reply) -> Reply:
            """After the first device has seen an empty calendar."""
            if len(between.seen) == 2:
                with contextlib.closing(second.opened_again()) as here:
                    done.append(here.sync())
            return reply

        between.change(meanwhile, "PROPFIND")
        assert first.sync() == (0, 0, 0) and done == [(3, 0, 0)]
        assert between.counts["PUT"] == 3
        between.forget()
        assert first.sync() == second.sync() == (0, 0, 0)
    assert len(ours(server, calendar)) == 3


def test_a_deleted_event_stays_away_and_comes_back_on_demand(server: Server, phone: Device) -> None:
    phone.sync()
    href = next(href for href, data in ours(server, phone.calendar).items() if b"No Year" in data)
    server.delete(href)
    report = phone.run()
    assert not report.written and report.declined == 1
    assert phone.run().requests == 1
    assert phone.sync(restore=True) == (1, 0, 0)
    assert href in ours(server, phone.calendar)


def test_a_calendar_that_vanished_is_told_and_nothing_is_made(server: Server, phone: Device) -> None:
    phone.sync()
    path = path_of(phone.calendar)
    server.request("DELETE", path).raise_for_status()
    report = phone.run()
    assert report.state == "failed" and f"There is no calendar {path}" in report.message
    assert "contactsync calendar remove days" in report.message
    assert server.get(path) is None


def test_only_our_own_events_are_asked_for(server: Server, open_device: OpenDevice) -> None:
    calendar = server_calendar(server)
    put(server, path_of(calendar) + "dentist.ics", DENTIST)
    with through_proxy(calendar, server, open_device) as (phone, between):
        phone.put(ADA)
        phone.sync()
        put(server, path_of(calendar) + "dentist.ics", DENTIST.replace(b"Dentist", b"Doctor"))
        phone.put(person("ada", "Ada King", day(year=1815)))
        assert phone.sync() == (0, 1, 1)
        asked = [one for one in between.seen if b"dentist" in one.body or "dentist" in one.path]
        assert asked == [] and "GET" not in between.counts
        writes = [one for one in between.seen if one.method in ("PUT", "DELETE")]
        assert all({"If-Match", "If-None-Match"} & one.headers.keys() for one in writes) and len(writes) == 4


@pytest.mark.parametrize("server", ["radicale"], indirect=True)
def test_a_version_that_cannot_be_relied_on_is_not_overwritten(
    server: Server, open_device: OpenDevice
) -> None:
    calendar = server_calendar(server)

    def weak(reply: Reply) -> Reply:
        body = re.sub(rb"(getetag[^<>]*>)(&quot;|\")", rb"\1W/\2", reply.body)
        return replace(reply, body=body)

    with through_proxy(calendar, server, open_device) as (phone, between):
        phone.put(NOBODY)
        phone.sync()
        before = ours(server, calendar)
        between.change(weak, "REPORT")
        phone.put(person("noyear", "Nora", day(month=4, day=12, year=None)))
        report = phone.run()
        assert [error.name for error in report.errors] == ["Nora"] and not report.written
    assert ours(server, calendar) == before


@pytest.mark.parametrize("server", ["radicale"], indirect=True)
@pytest.mark.parametrize(
    ("status", "state"), [(401, "login-needed"), (503, "temporary"), (403, "failed"), (507, "failed")]
)
def test_what_is_refused_ends_the_run_with_its_reason_and_the_next_one_goes_on(
    server: Server, open_device: OpenDevice, status: int, state: str
) -> None:
    calendar = server_calendar(server)
    with through_proxy(calendar, server, open_device) as (phone, between):
        phone.put(ADA)
        between.fail(status, "PUT", times=100)
        report = phone.run()
        assert report.state == state and report.message and not report.written
        between.forget()
        assert phone.sync() == (2, 0, 0)


@pytest.mark.parametrize("server", ["radicale"], indirect=True)
def test_one_event_that_the_server_refuses_does_not_hold_up_the_others(
    server: Server, open_device: OpenDevice
) -> None:
    calendar = server_calendar(server)
    with through_proxy(calendar, server, open_device) as (phone, between):
        phone.put(ADA, LEAP)
        between.fail(415, "PUT", times=1)
        report = phone.run()
        assert (report.state, report.written.created, len(report.errors)) == ("ok", 2, 1)
        assert report.errors[0].reason == "The server does not take this kind of event."
        assert phone.sync() == (1, 0, 0)


@pytest.mark.parametrize("server", ["radicale"], indirect=True)
def test_a_full_server_says_that_it_is_full(server: Server, open_device: OpenDevice) -> None:
    with through_proxy(server_calendar(server), server, open_device) as (phone, between):
        phone.put(ADA)
        between.fail(507, "PUT")
        assert "There is no room left on the server" in phone.run().message
        between.fail(403, "PUT")
        assert "This login may not write to the calendar" in phone.run().message


@pytest.mark.parametrize("server", ["radicale"], indirect=True)
def test_a_login_page_is_no_calendar(server: Server, open_device: OpenDevice) -> None:
    calendar = server_calendar(server)
    with through_proxy(calendar, server, open_device) as (phone, between):
        phone.put(ADA)
        between.answer(Reply(200, (("Content-Type", "text/html"),), LOGIN_PAGE), "PUT")
        report = phone.run()
        assert report.state == "failed" and "web page" in report.message and not report.written


@pytest.mark.parametrize("server", ["radicale"], indirect=True)
def test_an_address_book_is_no_calendar(server: Server, open_device: OpenDevice) -> None:
    phone = open_device(CalendarConfig("days", url=server.base_url + server.book, username=server.user))
    phone.put(ADA)
    report = phone.run()
    assert report.state == "failed" and "is no calendar for events" in report.message


def test_a_calendar_that_is_read_only_is_told_and_left_alone(radicale: Server, tmp_path: Path) -> None:
    path = "/team/read-only/"
    radicale.as_team().request("DELETE", path)
    theirs = radicale.as_team().request("MKCALENDAR", path)
    theirs.raise_for_status()
    calendar = CalendarConfig("days", url=radicale.base_url + path, username=radicale.user)
    phone = Device(tmp_path / "phone", calendar, radicale.password)
    try:
        assert phone.sync() == (0, 0, 0)
        phone.put(ADA)
        report = phone.run()
        assert report.state == "failed"
        assert "The calendar 'days' is read-only for this login. Nothing was written to it." in report.message
        assert radicale.as_team().etags(path) == {}
    finally:
        phone.close()
        radicale.as_team().request("DELETE", path)


def test_a_login_over_tls_is_taken_as_for_address_books(xandikos_tls: Server, tmp_path: Path) -> None:
    server = replace(xandikos_tls, name="xandikos")
    calendar = server_calendar(server, ca_file=server.ca_file)
    phone = Device(tmp_path / "phone", calendar, server.password)
    stranger = Device(tmp_path / "stranger", calendar, "wrong")
    try:
        phone.put(ADA)
        assert phone.sync() == (2, 0, 0)
        assert stranger.run().state == "login-needed"
        phone.wants(ca_file="")
        assert "certificate" in phone.run().message
    finally:
        phone.close()
        stranger.close()


# --- which calendars there are ---


def settings_for(server: Server, url: str) -> AccountSettings:
    return AccountSettings("days", "caldav", url, username=server.user, password=lambda: server.password)


def test_calendars_are_found_and_made_and_task_lists_and_books_are_none(server: Server) -> None:
    there = path_of(server_calendar(server))
    settings = settings_for(server, server.base_url + server.principal)
    tasks = there.rstrip("/") + "-tasks/"
    body = MKCALENDAR.format(name="Tasks").replace("VEVENT", "VTODO")
    places.make_calendar(server, tasks, body)
    made = make_calendar(settings, "Büro & Familie")
    again = make_calendar(settings, "Büro & Familie")
    try:
        assert again.startswith(made.rstrip("/"))
        login, found, origin = find_calendars(settings)
        named = {one.href: one.name for one in found}
        assert named[there] == "Days" and named[made] == "Büro & Familie" and origin == server.base_url
        assert tasks not in named and server.book not in named and all(one.writable for one in found)
        assert login.collection == ""
    finally:
        for path in (made, again, tasks):
            server.request("DELETE", path)


@pytest.mark.parametrize("server", ["radicale"], indirect=True)
def test_calendars_are_found_by_the_well_known_path_from_anywhere(server: Server) -> None:
    there = path_of(server_calendar(server))
    with proxy(server.base_url) as between:
        between.rules.append(Rule(lambda seen: seen.path == "/carddav/", before=lambda seen: Reply(404)))
        _, found, _ = find_calendars(settings_for(server, f"{between.url}/carddav/"))
        assert there in [one.href for one in found]
        assert "/.well-known/caldav" in [one.path for one in between.seen]


@pytest.mark.parametrize("server", ["radicale"], indirect=True)
def test_the_login_is_not_sent_to_another_host_that_the_server_names(server: Server) -> None:
    with proxy(server.base_url) as between, proxy() as elsewhere:
        foreign = b"<href>" + elsewhere.url.replace("127.0.0.1", "localhost").encode() + b"/alice/"
        between.change(lambda reply: replace(reply, body=reply.body.replace(b"<href>/alice/", foreign)))
        with pytest.raises(RemoteError, match="The calendars are on another server, localhost"):
            find_calendars(settings_for(server, between.url))
        assert elsewhere.seen == []


def test_a_server_without_calendars_says_so(radicale: Server) -> None:
    with proxy(radicale.base_url) as between:
        between.change(
            lambda reply: replace(reply, body=reply.body.replace(b"calendar-home-set", b"nothing"))
        )
        with pytest.raises(RemoteError, match="no calendars for this login"):
            find_calendars(settings_for(radicale, between.url))


@pytest.mark.parametrize("name", ["ada@example.org", "ada%40b", "my%20b%C3%BCro", "a+b&c"])
def test_the_path_of_a_calendar_stays_as_the_server_spells_it(
    server: Server, open_device: OpenDevice, name: str
) -> None:
    calendar = server_calendar(server, name)
    phone = open_device(calendar)
    phone.put(NOBODY)
    assert phone.sync() == (1, 0, 0)
    assert phone.run().requests == 1 and len(ours(server, calendar)) == 1
    phone.put(person("noyear", "Nora", day(month=4, day=12, year=None)))
    assert phone.sync() == (0, 1, 0)
    phone.engine.delete(["noyear"])
    assert phone.sync() == (0, 0, 1)
    assert ours(server, calendar) == {}


_SHOWN_ON = (
    '<?xml version="1.0"?><C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop>'
    '<D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
    '<C:time-range start="{day}T000001Z" end="{day}T235959Z"/></C:comp-filter></C:comp-filter></C:filter>'
    "</C:calendar-query>"
)


def test_servers_show_29_february_on_the_last_day_of_february(server: Server, phone: Device) -> None:
    phone.put(person("ada", "Ada Lovelace"), person("noyear", "No Year"))
    phone.sync()
    (href,) = ours(server, phone.calendar)

    def shown(day: str) -> bool:
        headers = {"Depth": "1", "Content-Type": "application/xml"}
        query = _SHOWN_ON.format(day=day)
        answer = server.request("REPORT", path_of(phone.calendar), data=query, headers=headers)
        return href in answer.text

    days = ("20250228", "20240229", "20280229", "20250227", "20250301", "20240228")
    assert [shown(day) for day in days] == [True, True, True, False, False, False]
