"""What one round of one account works with: nothing in the engine reaches for a clock, a random
number or a setting in any other way."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from contactsync.config import AccountConfig
from contactsync.connectors.base import Connector
from contactsync.engine.groupnames import GroupNames
from contactsync.engine.report import AccountReport, BookReport
from contactsync.engine.selecting import Places, home_of, rules_of
from contactsync.store.store import Store
from contactsync.store.values import Book, StoredGroup
from contactsync.sync.brakes import Limits
from contactsync.sync.plan import Rules


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return uuid.uuid4().hex


def no_step(name: str) -> None:
    """The production value of `Round.step`: nothing happens at a named boundary."""


@dataclass(slots=True)
class Round:
    """One round of one account.

    ``step`` is called with a name at every boundary where the process may die (section 9 of the
    laws): tests kill it there. ``progress`` takes (what, done, of). Once ``stopping`` is true, no further
    write is begun. With ``rules_changed``, modes and filters are others than in the last round, so that every
    contact is looked at.
    """

    store: Store
    connector: Connector
    account: AccountConfig
    account_id: int
    run_id: int
    report: AccountReport
    backups: Path
    limits: Limits = field(default_factory=Limits)
    now: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = new_id
    step: Callable[[str], None] = no_step
    progress: Callable[[str, int, int], None] = lambda what, done, of: None
    stopping: Callable[[], bool] = lambda: False
    dry_run: bool = False
    rules_changed: bool = False

    def rules(self, book: Book, dead_groups: frozenset[str] = frozenset()) -> Rules:
        """Policy and mode of one book."""
        return rules_of(self.account, book, dead_groups)

    def home_of(self, books: Iterable[Book]) -> Book | None:
        """L37: the default book."""
        return home_of(self.account, books)

    def places(self, books: Iterable[Book], fresh: Iterable[StoredGroup] = ()) -> Places:
        """What these books take, with the groups of the device and ``fresh`` ones."""
        return Places(self.account, books, [*self.store.groups.all(), *fresh])

    def group_names(self, book: Book, fresh: Iterable[StoredGroup] = ()) -> GroupNames:
        """What the book calls the groups of the device and ``fresh`` ones, and which it stands for."""
        store = self.store
        groups, base = store.groups.all(), store.groups.base_names(book.id)
        renamed = {g.id: base[g.id] for g in groups if base.get(g.id, g.name) != g.name}
        former = store.journal.former_names(renamed) if renamed else {}
        names = GroupNames([*groups, *fresh], base, self.new_id, former=former)
        if standing := self.account.for_book(book.name, book.href).group:
            names.standing = frozenset({names.id_of(standing)})
        return names

    def book_report(self, book: Book) -> BookReport:
        return self.report.book(book.name, book.href)
