"""What a round did, as numbers and reasons; formatting is the command line's business."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contactsync.errors import AuthError, SafetyStop, TransientError
from contactsync.frozen import frozen


@dataclass(slots=True)
class Counts:
    created: int = 0
    updated: int = 0
    deleted: int = 0

    def to_json(self) -> dict[str, int]:
        return {"created": self.created, "updated": self.updated, "deleted": self.deleted}

    def __bool__(self) -> bool:
        return bool(self.created or self.updated or self.deleted)


@frozen
class CardError:
    """One card or contact that was set aside (L35)."""

    uid: str
    remote_ref: str
    name: str
    reason: str

    def to_json(self) -> dict[str, str]:
        return {"uid": self.uid, "remote_ref": self.remote_ref, "name": self.name, "reason": self.reason}


@dataclass(slots=True)
class BookReport:
    """One book in one round. ``error`` is set when the book as a whole could not be synchronised;
    ``released`` contacts left its filter, and ``outside`` cards are left out by it (L26)."""

    name: str
    href: str
    pulled: Counts = field(default_factory=Counts)
    pushed: Counts = field(default_factory=Counts)
    conflicts: int = 0
    duplicates_for_review: int = 0
    errors: list[CardError] = field(default_factory=list)
    guard: SafetyStop | None = None
    error: str = ""
    released: int = 0
    outside: int = 0
    requests: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        found = {
            "name": self.name,
            "href": self.href,
            "pulled": self.pulled.to_json(),
            "pushed": self.pushed.to_json(),
            "conflicts": self.conflicts,
            "duplicates_for_review": self.duplicates_for_review,
            "errors": [error.to_json() for error in self.errors],
            "requests": self.requests,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
            "seconds": round(self.seconds, 3),
        }
        more = {"error": self.error, "released": self.released, "outside": self.outside}
        return found | {name: value for name, value in more.items() if value}


@frozen
class PlannedChange:
    """One line of a plan for people: who, where, what, and the units that would change."""

    book: str
    uid: str
    name: str
    side: str
    action: str
    changes: tuple[tuple[str, str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        changes = [{"field": path, "old": old, "new": new} for path, old, new in self.changes]
        return {
            "book": self.book,
            "uid": self.uid,
            "name": self.name,
            "side": self.side,
            "action": self.action,
            "changes": changes,
        }


@dataclass(slots=True)
class AccountReport:
    """One account in one round; ``state`` is ok, temporary, login-needed, guard or failed."""

    name: str
    type: str
    state: str = "ok"
    message: str = ""
    retry_after: float | None = None
    books: list[BookReport] = field(default_factory=list)
    plan: list[PlannedChange] = field(default_factory=list)
    in_doubt: int = 0

    def book(self, name: str, href: str) -> BookReport:
        for book in self.books:
            if book.href == href:
                return book
        self.books.append(BookReport(name, href))
        return self.books[-1]

    def fail(self, error: Exception) -> None:
        """Remember why the account stopped, in the words of the contract."""
        self.message, self.state = str(error), state_after(error)
        if isinstance(error, TransientError):
            self.retry_after = error.retry_after.total_seconds() if error.retry_after else None

    @property
    def guard(self) -> SafetyStop | None:
        return next((book.guard for book in self.books if book.guard), None)

    @property
    def worked(self) -> bool:
        """Did anything change anywhere?"""
        return any(
            book.pulled or book.pushed or book.conflicts or book.errors or book.released
            for book in self.books
        )

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name, "type": self.type, "state": self.state}
        if self.message:
            found["message"] = self.message
        if self.retry_after is not None:
            found["retry_after"] = self.retry_after
        if self.guard is not None:
            found["guard"] = guard_json(self.guard)
        found["books"] = [book.to_json() for book in self.books]
        if self.plan:
            found["plan"] = [change.to_json() for change in self.plan]
        return found


@dataclass(slots=True)
class CalendarReport:
    """One calendar of birthdays in one run; ``state`` is as that of an account. ``skipped`` are days that no
    event can be made of, ``declined`` events that somebody deleted in the calendar and that stay away,
    ``again`` those that had vanished all at once."""

    name: str
    place: str
    state: str = "ok"
    message: str = ""
    retry_after: float | None = None
    written: Counts = field(default_factory=Counts)
    events: int = 0
    declined: int = 0
    again: int = 0
    skipped: list[dict[str, str]] = field(default_factory=list)
    errors: list[CardError] = field(default_factory=list)
    plan: list[PlannedChange] = field(default_factory=list)
    guard: SafetyStop | None = None
    requests: int = 0

    def fail(self, error: Exception) -> None:
        """Remember why the calendar stopped, in the words of the contract."""
        self.message, self.state = str(error), state_after(error)
        if isinstance(error, SafetyStop):
            self.guard = error
        if isinstance(error, TransientError):
            self.retry_after = error.retry_after.total_seconds() if error.retry_after else None

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name, "place": self.place, "state": self.state}
        if self.message:
            found["message"] = self.message
        if self.guard is not None:
            found["guard"] = guard_json(self.guard)
        found |= {
            "written": self.written.to_json(),
            "events": self.events,
            "declined": self.declined,
            "again": self.again,
            "skipped": self.skipped,
            "errors": [error.to_json() for error in self.errors],
            "requests": self.requests,
        }
        if self.plan:
            found["plan"] = [change.to_json() for change in self.plan]
        return found


def state_after(error: Exception) -> str:
    """The word of the contract for what stopped an account or a calendar."""
    if isinstance(error, AuthError):
        return "login-needed"
    if isinstance(error, TransientError):
        return "temporary"
    return "guard" if isinstance(error, SafetyStop) else "failed"


def guard_json(guard: SafetyStop) -> dict[str, Any]:
    return {"kind": guard.kind, "would_delete": guard.would, "of": guard.of, "side": guard.side}


@dataclass(slots=True)
class RunReport:
    """One round over several accounts. ``stopped``: it was asked to end before it was through, and the next
    one goes on."""

    run: int = 0
    accounts: list[AccountReport] = field(default_factory=list)
    calendars: list[CalendarReport] = field(default_factory=list)
    open_conflicts: int = 0
    stopped: bool = False

    @property
    def ok(self) -> bool:
        return (
            not self.stopped
            and all(
                account.state == "ok" and not any(b.error for b in account.books) for account in self.accounts
            )
            and all(calendar.state == "ok" for calendar in self.calendars)
        )

    def exit_code(self) -> int:
        """`cli.md`: of several that apply, the first of 130, 7, 6, 1, 5, 3, 4."""
        states = {a.state for a in self.accounts} | {c.state for c in self.calendars}
        failed_items = any(book.errors for account in self.accounts for book in account.books)
        failed_items = failed_items or any(calendar.errors for calendar in self.calendars)
        applying = (
            (130, self.stopped),
            (7, "guard" in states),
            (6, "login-needed" in states),
            (1, "failed" in states or any(b.error for a in self.accounts for b in a.books)),
            (5, "temporary" in states),
            (3, failed_items),
            (4, self.open_conflicts > 0),
        )
        return next((code for code, applies in applying if applies), 0)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"run": self.run, "ok": self.ok}
        if self.stopped:
            found["stopped"] = True
        found["accounts"] = [account.to_json() for account in self.accounts]
        if self.calendars:
            found["calendars"] = [calendar.to_json() for calendar in self.calendars]
        return found
