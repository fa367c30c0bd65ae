"""What to do to a calendar: from the events that it should have, what this device knows of it, and what is
there; pure.

A part of an event is written where the *contact* changed it, which is where it differs from what this device
wanted last. What somebody changed in the calendar stays until then. An event that somebody deleted in the
calendar stays away until its day changes; but where so many are gone at once that the brake would trip,
nobody meant each of them, and they are written again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from contactsync.calendar.events import PARTS, Event
from contactsync.frozen import frozen
from contactsync.sync.brakes import Limits

Marks = Mapping[str, str]


@frozen
class Known:
    """What this device last wanted of an event, by its marks. ``declined``: somebody deleted it there."""

    marks: Marks
    name: str = ""
    declined: bool = False


@dataclass(slots=True)
class Plan:
    """``update`` has the parts to write; ``remember`` is what is known from now on without a write, and
    ``forget`` what is not any more."""

    create: list[Event] = field(default_factory=list)
    update: list[tuple[Event, frozenset[str]]] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    remember: dict[str, Known] = field(default_factory=dict)
    forget: list[str] = field(default_factory=list)
    taken: list[Event] = field(default_factory=list)
    """Events in whose place there is one of somebody else."""
    unread: list[Event] = field(default_factory=list)
    """Events that are listed and could not be read."""
    again: int = 0
    """How many are written again because they vanished all at once."""

    @property
    def writes(self) -> bool:
        return bool(self.create or self.update or self.delete)


def is_settled(wanted: Mapping[str, Event], known: Mapping[str, Known]) -> bool:
    """Nothing changed on this device since the calendar was last seen to."""
    if known.keys() != wanted.keys():
        return False
    return all(
        _same_day(event, known[uid]) if known[uid].declined else known[uid].marks == event.marks
        for uid, event in wanted.items()
    )


def to_look_at(wanted: Mapping[str, Event], known: Mapping[str, Known], there: Collection[str]) -> list[str]:
    """Of which events the content decides: who is new here or changed, and who is to go."""
    changed = [u for u, event in wanted.items() if u not in known or known[u].marks != event.marks]
    return [uid for uid in (*changed, *(u for u in known if u not in wanted)) if uid in there]


def plan(
    wanted: Mapping[str, Event],
    known: Mapping[str, Known],
    there: Collection[str],
    seen: Mapping[str, Marks | None],
    limits: Limits,
    *,
    restore: bool = False,
) -> Plan:
    """``there`` are the UIDs in the calendar that look like ours, ``seen`` the marks of those of
    `to_look_at`, None for one that is not ours. With ``restore`` nothing stays away."""
    found = Plan()
    _absent(found, wanted, known, there, limits, restore)
    for uid, event in wanted.items():
        if uid in there:
            _present(found, event, known.get(uid), seen)
    for uid in (uid for uid in known if uid not in wanted):
        if uid not in there or seen.get(uid, {}) is None:
            found.forget.append(uid)
        elif uid in seen:
            found.delete.append(uid)
    return found


def _absent(
    found: Plan,
    wanted: Mapping[str, Event],
    known: Mapping[str, Known],
    there: Collection[str],
    limits: Limits,
    restore: bool,
) -> None:
    vanished: list[Event] = []
    for uid, event in wanted.items():
        before = known.get(uid)
        if uid in there:
            continue
        if before is None or restore or not _same_day(event, before):
            found.create.append(event)
        elif before.declined:
            found.remember[uid] = before
        else:
            vanished.append(event)
    if limits.trips(len(vanished), sum(not one.declined for one in known.values())):
        found.create += vanished
        found.again = len(vanished)
    else:
        found.remember |= {e.uid: Known(known[e.uid].marks, e.name, declined=True) for e in vanished}


def _present(found: Plan, event: Event, before: Known | None, seen: Mapping[str, Marks | None]) -> None:
    if before is not None and before.marks == event.marks:
        found.remember[event.uid] = Known(event.marks, event.name)
        return
    if event.uid not in seen:
        found.unread.append(event)
        return
    there = seen[event.uid]
    if there is None:
        found.taken.append(event)
        return
    base = before.marks if before is not None else there
    parts = frozenset(p for p in PARTS if event.marks.get(p) not in (base.get(p), there.get(p)))
    if parts:
        found.update.append((event, parts))
    else:
        found.remember[event.uid] = Known(event.marks, event.name)


def _same_day(event: Event, before: Known) -> bool:
    return event.marks.get("date") == before.marks.get("date")
