"""The calendar on real servers, read back by an independent reader and by plain requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from contactsync.config import CalendarConfig
from tests.calendar.places import DENTIST, Device, by_summary, day, days_of, person, put, server_calendar
from tests.servers import Server

ADA = person("ada", "Ada Lovelace", day(year=1815), day("wedding", 7, 8, 1835))
NOBODY = person("noyear", "No Year", day(month=4, day=12, year=None))
LEAP = person("leap", "Leap Day", day(month=2, day=29, year=2000))
OpenDevice = Callable[..., Device]


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
