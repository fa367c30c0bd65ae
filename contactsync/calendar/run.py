"""One run of one calendar: look at it, decide, write; again where an event moved on meanwhile, at most three
times. A run that is killed is completed by the next one: what it wrote is found under its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from contactsync.calendar import ics, state
from contactsync.calendar.events import SUMMARIES, Event, Wishes, events
from contactsync.calendar.plan import Known, Plan, is_settled, plan, to_look_at
from contactsync.calendar.target import Held, Look, Target, Write
from contactsync.calendar.texts import alarm_of
from contactsync.config import CalendarConfig
from contactsync.engine.report import CalendarReport, CardError, PlannedChange
from contactsync.errors import (
    CodecError,
    ContactSyncError,
    PermissionDenied,
    PreconditionFailed,
    RemoteError,
    SafetyStop,
    StoreError,
)
from contactsync.model.contact import Contact
from contactsync.sync.brakes import Limits

ATTEMPTS = 3
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Run:
    """What one run works with. ``contacts`` are asked for when they are needed; ``step`` is called where the
    process may die, ``stopping`` says that no further write is to begin."""

    calendar: CalendarConfig
    place: str
    data_dir: Path
    open: Callable[[], Target]
    contacts: Callable[[], Iterable[Contact]]
    limits: Limits
    now: Callable[[], datetime]
    dry_run: bool = False
    restore: bool = False
    step: Callable[[str], None] = lambda name: None
    progress: Progress = lambda what, done, of: None
    stopping: Callable[[], bool] = lambda: False
    memory: state.Memory = field(default_factory=state.Memory)


def wishes_of(calendar: CalendarConfig) -> Wishes:
    return Wishes(
        calendar.kinds,
        {**SUMMARIES, **calendar.summary},
        calendar.description,
        alarm_of(calendar.alarm) if calendar.alarm else None,
    )


def run_calendar(run: Run) -> CalendarReport:
    """What goes wrong ends up in the report; nothing is raised but bugs."""
    report = CalendarReport(run.calendar.name, run.place)
    run.memory = state.load(run.data_dir, run.calendar.name, run.place)
    try:
        wanted, skipped = events(run.contacts(), wishes_of(run.calendar))
        report.skipped = [one.to_json() for one in skipped]
        target = run.open()
        try:
            _attempts(run, target, wanted, report)
        finally:
            report.requests = target.requests()
            target.close()
    except ContactSyncError as error:
        report.fail(error)
    report.events, report.declined = run.memory.events_there, run.memory.events_away
    try:
        _remember_outcome(run, report)
    except StoreError as error:
        report.fail(error)
    return report


def _attempts(run: Run, target: Target, wanted: Mapping[str, Event], report: CalendarReport) -> None:
    look = target.look()
    settled = look.tag == run.memory.tag and is_settled(wanted, run.memory.events)
    if look.tag and settled and not run.restore:
        return
    for _ in range(ATTEMPTS):
        report.errors.clear()
        again = _attempt(run, target, wanted, look, report)
        if run.dry_run:
            return
        if not again:
            break
        look = target.look()
    _save(run)


def _attempt(
    run: Run, target: Target, wanted: Mapping[str, Event], look: Look, report: CalendarReport
) -> bool:
    """Look, decide and write once; whether something moved on meanwhile."""
    known = run.memory.events
    there = () if look.fresh else target.uids()
    held = target.read(to_look_at(wanted, known, there))
    seen = {uid: ics.read_marks(one.payload, uid) for uid, one in held.items()}
    accident = Limits(0, None) if look.fresh else Limits()
    found = plan(wanted, known, there, seen, accident, restore=run.restore)
    _check(run, found, look)
    report.again = found.again
    if run.dry_run:
        report.plan += _shown(found, known)
        return False
    _take_note(run, found, report)
    if not found.writes:
        run.memory.tag = look.tag
        return False
    again = _write(run, target, found, held, report)
    # Read after our own writes: what others do from now on moves it.
    run.memory.tag = "" if again else target.look().tag
    return again


def _check(run: Run, found: Plan, look: Look) -> None:
    """The brake: a slip in a filter must not empty a calendar. And that it may be written at all."""
    if found.writes and not look.writable:
        raise PermissionDenied(
            f"The calendar {run.calendar.name!r} is read-only for this login. Nothing was written to it.",
            hint="Ask whoever owns it, or choose another calendar. Nothing was lost; it is tried again.",
        )
    of = run.memory.events_there
    if run.limits.trips(len(found.delete), of):
        names = tuple(sorted(run.memory.events[uid].name for uid in found.delete)[:3])
        raise SafetyStop(
            f"Calendar {run.calendar.name!r}: this run would remove {len(found.delete)} of {of} events, "
            f"among them {', '.join(names)}. Nothing was written.",
            kind="mass-delete",
            side="remote",
            would=len(found.delete),
            of=of,
            examples=names,
            hint=f"If that is what you want: contactsync calendar sync {run.calendar.name} "
            f"--max-delete {len(found.delete)}",
        )


def _take_note(run: Run, found: Plan, report: CalendarReport) -> None:
    run.memory.events |= found.remember
    for uid in found.forget:
        run.memory.events.pop(uid, None)
    for event in found.taken:
        reason = "The calendar has an event under its name that contactsync did not write."
        report.errors.append(CardError(event.contact, event.uid, event.name, reason))
    for event in found.unread:
        reason = "The calendar lists its event and does not show it; it is looked at again in the next run."
        report.errors.append(CardError(event.contact, event.uid, event.name, reason))


def _write(run: Run, target: Target, found: Plan, held: Mapping[str, Held], report: CalendarReport) -> bool:
    wanted = {event.uid: event for event in (*found.create, *(event for event, _ in found.update))}
    writes = [*_writes(run, found, held, report)]
    again = False
    try:
        for done, (write, error) in enumerate(target.write(writes), 1):
            if error is None:
                _note(run, wanted.get(write.uid), write, report)
            else:
                again = again or type(error) is PreconditionFailed
                report.errors.append(_error(run, wanted.get(write.uid), write, error))
            run.progress("Writing events", done, len(writes))
            run.step("event written")
            if run.stopping():
                break
    finally:
        _save(run)
    return again


def _writes(run: Run, found: Plan, held: Mapping[str, Held], report: CalendarReport) -> Iterable[Write]:
    now = run.now()
    for event in found.create:
        yield Write(event.uid, ics.compose(event, now), None)
    for event, parts in found.update:
        one = held[event.uid]
        try:
            yield Write(event.uid, ics.change(one.payload, event, parts, now), one)
        except CodecError as error:
            report.errors.append(CardError(event.contact, event.uid, event.name, str(error)))
    for uid in found.delete:
        yield Write(uid, None, held[uid])


def _note(run: Run, event: Event | None, write: Write, report: CalendarReport) -> None:
    if event is None:
        run.memory.events.pop(write.uid, None)
        report.written.deleted += 1
        return
    run.memory.events[event.uid] = Known(event.marks, event.name)
    if write.held is None:
        report.written.created += 1
    else:
        report.written.updated += 1


def _error(run: Run, event: Event | None, write: Write, error: RemoteError) -> CardError:
    known = run.memory.events.get(write.uid)
    contact, name = (event.contact, event.name) if event is not None else ("", known.name if known else "")
    return CardError(contact, write.uid, name, str(error))


def _shown(found: Plan, known: Mapping[str, Known]) -> Sequence[PlannedChange]:
    lines = [("create", e.contact, e.summary) for e in found.create]
    lines += [("update", e.contact, e.summary) for e, _ in found.update]
    lines += [("delete", "", known[uid].name) for uid in found.delete]
    return [PlannedChange("", contact, text, "remote", action) for action, contact, text in lines]


def _save(run: Run) -> None:
    state.save(run.data_dir, run.calendar.name, run.memory)


def _remember_outcome(run: Run, report: CalendarReport) -> None:
    """Only where it is another one: a quiet run writes nothing."""
    memory = run.memory
    if run.dry_run or (memory.state, memory.message) == (report.state, report.message):
        return
    memory.state, memory.message = report.state, report.message
    _save(run)
