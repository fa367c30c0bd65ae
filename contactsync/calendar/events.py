"""From contacts to the events that a calendar should have; pure.

A day without a year, or before 1970, begins in 1970 (29 February in 1972): many programs show nothing, or the
wrong day, for earlier ones, and the birthday calendar of Nextcloud does the same
(``apps/dav/lib/CalDAV/BirthdayService.php``). The year is in the text instead. No age is: one text stands for
all years.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import date, timedelta

from contactsync.calendar.texts import KINDS, fill
from contactsync.frozen import frozen
from contactsync.model.contact import Anniversary, Contact, PartialDate
from contactsync.model.fields import fold

PREFIX = "contactsync-"
FIRST_YEAR = 1970
FIRST_LEAP_YEAR = 1972
YEARLY = "FREQ=YEARLY"
#: 29 February, and the last day of February in other years.
LEAP_DAY = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"
PARTS = ("date", "summary", "description", "alarm")

SUMMARIES: Mapping[str, str] = {
    "birth": "🎂 {name}[ (*{year})]",
    "wedding": "⚭ {name}[ ({year})]",
    "death": "† {name}[ ({year})]",
    "other": "[{label}: ]{name}[ ({year})]",
}
LABELS = {"birth": "Birthday", "wedding": "Anniversary", "death": "Death", "other": ""}

_NAMESPACE = uuid.UUID("6d9a2c0e-3f63-5b1e-9c55-2f0f6a7f4a11")
# as the model has them after reading; a contact made by another program may still have these
_NO_YEAR = (0, 1604)


@frozen
class Wishes:
    """What a person wants of a calendar; ``alarm`` counts from the beginning of the day."""

    kinds: tuple[str, ...] = ("birth", "wedding", "other")
    summaries: Mapping[str, str] = field(default_factory=lambda: SUMMARIES)
    description: str = ""
    alarm: timedelta | None = None


@frozen
class Event:
    """One day in every year. ``year`` is the year of the day itself, None where nobody knows it; ``contact``
    is the UID of whom it belongs to, ``name`` their name."""

    uid: str
    kind: str
    contact: str
    name: str
    month: int
    day: int
    year: int | None
    summary: str
    description: str = ""
    alarm: timedelta | None = None

    @property
    def start(self) -> date:
        """The day on which it begins. 29 February in a year without one is the day before March."""
        if (self.month, self.day) != (2, 29):
            return date(max(self.year or 0, FIRST_YEAR), self.month, self.day)
        year = self.year if self.year is not None and self.year >= FIRST_YEAR else FIRST_LEAP_YEAR
        return date(year, 3, 1) - timedelta(days=1)

    @property
    def rule(self) -> str:
        return LEAP_DAY if (self.month, self.day) == (2, 29) else YEARLY

    @property
    def marks(self) -> Mapping[str, str]:
        """A short hash of each part, by which an edit of the contact is told from an edit in the calendar."""
        values = (f"{self.start} {self.rule}", self.summary, self.description, str(self.alarm or ""))
        return {name: _hash(value) for name, value in zip(PARTS, values, strict=True) if value}


@frozen
class Skipped:
    """A day that no event can be made of, and why."""

    contact: str
    name: str
    reason: str

    def to_json(self) -> dict[str, str]:
        return {"uid": self.contact, "name": self.name, "reason": self.reason}


def events(contacts: Iterable[Contact], wishes: Wishes) -> tuple[dict[str, Event], list[Skipped]]:
    """The events by their UIDs, and the days that make none."""
    found: dict[str, Event] = {}
    skipped: list[Skipped] = []
    for contact in contacts:
        for uid, entry in _named(contact, wishes.kinds):
            reason = _why_not(entry.date)
            if reason:
                what = entry.label or LABELS[entry.kind] or "day"
                skipped.append(Skipped(contact.uid, contact.display, f"{what}: {reason}"))
            else:
                found[uid] = _event(uid, contact, entry, wishes)
    return found, skipped


def uid_of(contact_uid: str, kind: str, label: str = "", number: int = 0) -> str:
    """The same on every device: from the contact, the kind of day, its label, and which one of several it is
    by date. ``urn:uuid:`` before a UID and upper case in it are spellings."""
    spelling = contact_uid.lower().removeprefix("urn:uuid:")
    return PREFIX + str(uuid.uuid5(_NAMESPACE, "\n".join((spelling, kind, fold(label), str(number)))))


def _named(contact: Contact, kinds: Iterable[str]) -> Iterator[tuple[str, Anniversary]]:
    """The days of a contact with their UIDs. The order of entries means nothing (L5): dates give it, and
    those that make no event come last."""
    alike: dict[tuple[str, str], list[Anniversary]] = defaultdict(list)
    for entry in contact.anniversaries:
        kind = entry.kind if entry.kind in KINDS else "other"
        if kind in kinds:
            alike[kind, fold(entry.label) if kind == "other" else ""].append(entry)
    for (kind, label), entries in alike.items():
        days = {_place(entry.date): entry for entry in entries}
        for number, place in enumerate(sorted(days)):
            entry = days[place]
            yield uid_of(contact.uid, kind, label, number), Anniversary(kind, entry.date, entry.label)


def _place(day: PartialDate) -> tuple[bool, int, int, int, str]:
    return bool(_why_not(day)), day.month or 0, day.day or 0, day.year or 0, day.text


def _why_not(day: PartialDate) -> str:
    if day.text:
        return f"{day.text!r} is no date"
    if day.month is None or day.day is None:
        return "the day is not known"
    try:
        date(FIRST_LEAP_YEAR, day.month, day.day)
    except ValueError:
        return f"there is no day {day.day} in month {day.month}"
    return "" if day.year is None or day.year <= 9999 else f"the year {day.year} is too far away"


def _event(uid: str, contact: Contact, entry: Anniversary, wishes: Wishes) -> Event:
    day = entry.date
    assert day.month is not None and day.day is not None
    year = None if day.year in _NO_YEAR else day.year
    values = {
        "name": contact.display,
        "given": contact.name.part("given"),
        "surname": contact.name.part("surname"),
        "nickname": contact.nicknames[0].name if contact.nicknames else "",
        "organization": contact.organizations[0].name if contact.organizations else "",
        "label": entry.label or LABELS[entry.kind],
        "year": str(year) if year is not None else "",
    }
    summary = fill(wishes.summaries.get(entry.kind, SUMMARIES[entry.kind]), values)
    return Event(
        uid=uid,
        kind=entry.kind,
        contact=contact.uid,
        name=contact.display,
        month=day.month,
        day=day.day,
        year=year,
        summary=summary or contact.display,
        description=fill(wishes.description, values),
        alarm=wishes.alarm,
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
