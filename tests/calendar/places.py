"""A device with contacts, calendars on real servers and in files, and eyes on them that are not ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import icalendar
import recurring_ical_events

from contactsync.api import Engine, Hooks
from contactsync.config import CalendarConfig, Config
from contactsync.engine.report import CalendarReport
from contactsync.model.contact import Anniversary, Contact, Name, PartialDate
from tests.servers import Server

MKCALENDAR = (
    '<?xml version="1.0"?><C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set>'
    '<D:prop><D:displayname>{name}</D:displayname><C:supported-calendar-component-set><C:comp name="VEVENT"/>'
    "</C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>"
)
DENTIST = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//somebody//else//EN\r\nBEGIN:VEVENT\r\nUID:dentist-1\r\n"
    b"DTSTAMP:20260101T100000Z\r\nDTSTART:20260302T100000Z\r\nDTEND:20260302T110000Z\r\nSUMMARY:Dentist\r\n"
    b'X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE="Main\\nStreet":geo:1.5\\,2.5\r\nEND:VEVENT\r\n'
    b"END:VCALENDAR\r\n"
)
_numbers = count(1)
_made: list[tuple[Server, str]] = []


def day(
    kind: str = "birth",
    month: int | None = 12,
    day: int | None = 10,
    year: int | None = 1985,
    label: str = "",
) -> Anniversary:
    return Anniversary(kind, PartialDate(year, month, day), label)


def person(uid: str, name: str, *days: Anniversary, **more: Any) -> Contact:
    return Contact(uid=uid, name=Name(full=name), anniversaries=days, **more)


def server_calendar(server: Server, name: str = "calendar", **more: Any) -> CalendarConfig:
    """A new calendar on the server, with the login in its own keys."""
    home = "/alice/calendars/" if server.name == "xandikos" else server.principal
    path = f"{home}{name}-{next(_numbers)}/"
    make_calendar(server, path, MKCALENDAR.format(name="Days"))
    _made.append((server, path))
    return CalendarConfig("days", url=server.base_url + path, username=server.user, **more)


def make_calendar(server: Server, path: str, body: str) -> None:
    answer = server.request(
        "MKCALENDAR", path, data=body.encode(), headers={"Content-Type": "application/xml; charset=utf-8"}
    )
    answer.raise_for_status()


def remove_calendars() -> None:
    """The servers are shared with tests that count what is there."""
    while _made:
        server, path = _made.pop()
        server.request("DELETE", path)


def put(server: Server, path: str, payload: bytes) -> None:
    """Store an event as another program does, whatever is there."""
    answer = server.request(
        "PUT", path, data=payload, headers={"Content-Type": "text/calendar; charset=utf-8"}
    )
    answer.raise_for_status()


@dataclass
class Device:
    """An engine with contacts and one calendar."""

    folder: Path
    calendar: CalendarConfig
    password: str = ""
    hooks: Hooks = field(default_factory=Hooks)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        hooks = replace(self.hooks, password=lambda account: self.password)
        config = Config(self.folder / "config.toml", calendars=(self.calendar,))
        self.engine = Engine(config, self.folder, hooks=hooks)

    def wants(self, **changes: Any) -> None:
        """Change the calendar's settings."""
        self.calendar = replace(self.calendar, **changes)
        self.engine.config = replace(self.engine.config, calendars=(self.calendar,))

    def put(self, *contacts: Contact) -> None:
        self.engine.put(contacts)

    def run(self, **options: Any) -> CalendarReport:
        return self.engine.sync_calendars(**options)[0]

    def sync(self, **options: Any) -> tuple[int, int, int]:
        """A run that must go well; how many events it made, changed and removed."""
        report = self.run(**options)
        assert (report.state, report.message, report.errors) == ("ok", "", [])
        return report.written.created, report.written.updated, report.written.deleted

    def opened_again(self) -> Device:
        """The same device, for another thread."""
        return Device(self.folder, self.calendar, self.password, self.hooks)

    def close(self) -> None:
        self.engine.close()


def events(payloads: Iterable[bytes]) -> list[icalendar.Event]:
    """All events as an independent reader has them."""
    return [
        event
        for payload in payloads
        for calendar in icalendar.Calendar.from_ical(payload, multiple=True)
        for event in calendar.walk("VEVENT")
    ]


def by_summary(payloads: Iterable[bytes]) -> dict[str, icalendar.Event]:
    return {str(event["SUMMARY"]): event for event in events(payloads)}


def days_of(payload: bytes, *years: int) -> list[date]:
    """The days on which the events of a calendar show in these years, by an independent reader of rules."""
    calendar = icalendar.Calendar.from_ical(payload)
    found = recurring_ical_events.of(calendar)
    return [e["DTSTART"].dt for year in years for e in found.between((year, 1, 1), (year + 1, 1, 1))]
