"""Events as iCalendar (RFC 5545), and what of an event in a calendar is ours.

A new event is built with vobject. One that is there is changed line by line: vobject, and programs like it,
write what they do not know in another way or not at all (a ``geo:`` in a property of Apple's loses its second
half), and what a person added to our event must stay as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from contactsync.calendar.events import PARTS, PREFIX, Event
from contactsync.errors import CodecError
from contactsync.frozen import frozen

PRODUCT = "-//contactsync//contactsync//EN"
#: What we last wrote of each part, as hashes. Only an event with it is ours.
MARK = "X-CONTACTSYNC-WROTE"
ALARM_MARK = "X-CONTACTSYNC-ALARM"
CATEGORY = {"birth": "BIRTHDAY", "wedding": "ANNIVERSARY", "death": "ANNIVERSARY", "other": "ANNIVERSARY"}

_PROPERTIES = {
    "date": ("DTSTART", "DTEND", "DURATION", "RRULE"),
    "summary": ("SUMMARY",),
    "description": ("DESCRIPTION",),
}
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|\Z)(?:[ \t][^\r\n]*(?:\r\n|\n|\r|\Z))*")
_FOLD = re.compile(rb"(?:\r\n|\n|\r)[ \t]")
_DAY = timedelta(days=1)


@frozen
class Line:
    """One content line (RFC 5545 section 3.1) as its bytes, folds and line end included."""

    raw: bytes

    @property
    def text(self) -> str:
        return _FOLD.sub(b"", self.raw).decode("utf-8", "replace").strip("\r\n").removeprefix("\ufeff")

    @property
    def name(self) -> str:
        return re.split("[;:]", self.text, maxsplit=1)[0].upper()

    @property
    def value(self) -> str:
        """What stands after the first colon; of the properties that are read here none has a quoted one."""
        return self.text.partition(":")[2].strip()


def lines(payload: bytes) -> list[Line]:
    return [Line(found[0]) for found in _LINE.finditer(payload) if found[0]]


# --- reading ---


@frozen
class Block:
    """The lines of a component from its BEGIN to its END, by their numbers in the whole."""

    first: int
    end: int
    own: tuple[int, ...]
    """Numbers of its own lines, without those of components in it, its BEGIN and its END."""


def blocks(found: Sequence[Line], kind: str) -> Iterator[Block]:
    """All components of a kind, such as VEVENT. Raises `CodecError` where BEGIN and END do not match."""
    stack: list[tuple[str, int, list[int]]] = []
    for number, line in enumerate(found):
        name = line.name
        if name == "BEGIN":
            stack.append((line.value.upper(), number, []))
        elif name == "END":
            if not stack or stack[-1][0] != line.value.upper():
                raise CodecError("This is not iCalendar: BEGIN and END do not match.")
            inner, first, own = stack.pop()
            if inner == kind:
                yield Block(first, number + 1, tuple(own))
        elif stack:
            stack[-1][2].append(number)
    if stack:
        raise CodecError("This is not iCalendar: it ends in the middle.")


def value(found: Sequence[Line], block: Block, name: str) -> str:
    return next((found[i].value for i in block.own if found[i].name == name), "")


def events_of(payload: bytes) -> bytes:
    """Only the VEVENT components of a calendar."""
    found = lines(payload)
    return b"".join(line.raw for block in blocks(found, "VEVENT") for line in found[block.first : block.end])


def is_our_uid(uid: str) -> bool:
    return uid.startswith(PREFIX)


def read_marks(payload: bytes, uid: str) -> Mapping[str, str] | None:
    """What we last wrote into the event of that UID; None where it is not ours, whatever its UID."""
    try:
        found = lines(payload)
        block = _master(found, uid)
    except CodecError:
        return None
    text = value(found, block, MARK) if block is not None else ""
    marks = dict(word.split("=", 1) for word in text.split() if "=" in word)
    return {name: mark for name, mark in marks.items() if name in PARTS} or None


def _master(found: Sequence[Line], uid: str) -> Block | None:
    """The event itself, not one of its days that somebody moved (RECURRENCE-ID)."""
    for block in blocks(found, "VEVENT"):
        if value(found, block, "UID") == uid and not value(found, block, "RECURRENCE-ID"):
            return block
    return None


# --- writing ---


def compose(event: Event, now: datetime, marks: Mapping[str, str] | None = None) -> bytes:
    """A new calendar with this event and nothing else; ``marks`` are the event's unless given."""
    import vobject

    calendar = vobject.iCalendar()
    calendar.add("prodid").value = PRODUCT
    entry: Any = calendar.add("vevent")
    entry.add("uid").value = event.uid
    entry.add("dtstamp").value = now.astimezone(UTC).replace(tzinfo=vobject.icalendar.utc, microsecond=0)
    entry.add("dtstart").value = event.start
    entry.add("dtend").value = event.start + _DAY
    entry.add("rrule").value = event.rule
    entry.add("summary").value = event.summary
    if event.description:
        entry.add("description").value = event.description
    entry.add("transp").value = "TRANSPARENT"
    entry.add("categories").value = [CATEGORY[event.kind]]
    marks = event.marks if marks is None else marks
    entry.add(MARK.lower()).value = " ".join(f"{name}={mark}" for name, mark in marks.items())
    if event.alarm is not None:
        _add_alarm(entry, event)
    text: str = calendar.serialize()
    return _alarms_last(text.encode())


def _add_alarm(entry: Any, event: Event) -> None:
    alarm = entry.add("valarm")
    alarm.add("action").value = "DISPLAY"
    alarm.add("trigger").value = event.alarm
    alarm.add("description").value = event.summary
    alarm.add(ALARM_MARK.lower()).value = "1"


def _alarms_last(payload: bytes) -> bytes:
    """RFC 5545 section 3.6.1 has components after all properties; vobject goes by the alphabet."""
    found = lines(payload)
    event = next(blocks(found, "VEVENT"))
    inside = [i for alarm in blocks(found, "VALARM") for i in range(alarm.first, alarm.end)]
    kept = [i for i in range(len(found)) if i not in inside]
    at = kept.index(event.end - 1)
    return b"".join(found[i].raw for i in (*kept[:at], *inside, *kept[at:]))


def change(payload: bytes, event: Event, parts: Iterable[str], now: datetime) -> bytes:
    """The event that is there with only these parts and their marks anew. Raises `CodecError` where it cannot
    be read."""
    parts = set(parts)
    found = lines(payload)
    block = _master(found, event.uid)
    if block is None:
        raise CodecError(f"There is no event {event.uid} in what the calendar has under its name.")
    marks = {n: m for n, m in (read_marks(payload, event.uid) or {}).items() if n not in parts}
    marks |= {n: m for n, m in event.marks.items() if n in parts}
    fresh = lines(compose(event, now, marks))
    new = next(blocks(fresh, "VEVENT"))
    names = {"DTSTAMP", MARK, *(name for part in parts for name in _PROPERTIES.get(part, ()))}
    gone = {i for i in block.own if found[i].name in names}
    ours = [a for a in _inside(found, block) if value(found, a, ALARM_MARK)]
    # Its text is the event's; but an alarm that a person took away does not come back with it.
    alarm_too = "alarm" in parts or ("summary" in parts and bool(ours))
    if alarm_too:
        gone |= {i for a in ours for i in range(a.first, a.end)}
    properties = [fresh[i].raw for i in new.own if fresh[i].name in names]
    alarms = (
        [line.raw for a in blocks(fresh, "VALARM") for line in fresh[a.first : a.end]] if alarm_too else []
    )
    # Components come after properties.
    middle = min((a.first for a in _inside(found, block)), default=block.end - 1)
    end = b"\r\n" if found[block.first].raw.endswith(b"\r\n") else b"\n"
    pieces = [b"" if i in gone else line.raw for i, line in enumerate(found)]
    pieces[block.end - 1 : block.end - 1] = [raw.replace(b"\r\n", end) for raw in alarms]
    pieces[middle:middle] = [raw.replace(b"\r\n", end) for raw in properties]
    return b"".join(pieces)


def _inside(found: Sequence[Line], event: Block) -> Iterator[Block]:
    """The alarms of an event."""
    return (a for a in blocks(found, "VALARM") if event.first < a.first and a.end < event.end)
