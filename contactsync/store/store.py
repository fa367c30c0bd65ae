"""The device database as one object: transactions, and named queries by subject."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import TracebackType

from contactsync.store.books import Books
from contactsync.store.contacts import Contacts
from contactsync.store.database import Database
from contactsync.store.groupcards import GroupCards
from contactsync.store.groups import Groups
from contactsync.store.journal import Journal
from contactsync.store.keepsakes import Keepsakes
from contactsync.store.links import Links


class _TakenBack(Exception):
    """Ends a trial."""


class Store:
    """Open a device database (SQLAlchemy URL). Raises `contactsync.errors.StoreError`."""

    def __init__(self, url: str) -> None:
        self.db = Database(url)
        self.contacts = Contacts(self.db)
        self.books = Books(self.db)
        self.links = Links(self.db)
        self.journal = Journal(self.db)
        self.groups = Groups(self.db)
        self.group_cards = GroupCards(self.db)
        self.keepsakes = Keepsakes(self.db)

    def transaction(self, *, durable: bool = False) -> AbstractContextManager[None]:
        """See `Database.transaction`."""
        return self.db.transaction(durable=durable)

    @contextmanager
    def trial(self) -> Iterator[None]:
        """A transaction that is taken back in the end, so that what would be done can be shown (L36)."""
        with suppress(_TakenBack), self.transaction():
            yield
            raise _TakenBack

    def close(self) -> None:
        self.db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
