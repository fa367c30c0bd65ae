"""Accounts, their address books, cursors, and what pulls have staged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from contactsync.store import tables
from contactsync.store.database import Database, table
from contactsync.store.values import AccountState, Book, StagedChange

ACCOUNT = table(tables.Account)
COLLECTION = table(tables.Collection)
STAGED = table(tables.Staged)
JOURNAL = table(tables.Journal)
OUTSIDE = table(tables.Outside)

_ACCOUNTS = sa.select(*(ACCOUNT.c[name] for name in AccountState._fields)).order_by(ACCOUNT.c.name)
_ACCOUNT_ID = sa.select(ACCOUNT.c.id).where(ACCOUNT.c.name == sa.bindparam("name"))
_OF_ACCOUNT = (
    sa.select(COLLECTION, ACCOUNT.c.name.label("account"))
    .join(ACCOUNT)
    .where(ACCOUNT.c.name == sa.bindparam("name"))
    .order_by(COLLECTION.c.href)
)
_STAGED = sa.select(STAGED).where(STAGED.c.collection_id == sa.bindparam("book")).order_by(STAGED.c.href)

_OUTSIDE = sa.select(OUTSIDE).where(OUTSIDE.c.collection_id == sa.bindparam("book"))


class Books:
    """Named queries over accounts and books."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def account_id(self, name: str) -> int | None:
        row = self._db.row(_ACCOUNT_ID, {"name": name})
        return row[0] if row else None

    def ensure_account(self, name: str, connector: str) -> int:
        found = self.account_id(name)
        return found if found is not None else self._db.insert(ACCOUNT, name=name, connector=connector)

    def accounts(self) -> list[AccountState]:
        return [AccountState(*row) for row in self._db.rows(_ACCOUNTS)]

    def note_account(self, name: str, **values: Any) -> None:
        self._db.execute(sa.update(ACCOUNT).where(ACCOUNT.c.name == name).values(**values))

    def remove_account(self, name: str) -> None:
        """Forget the account with its books and links; contacts stay."""
        for book in self.of_account(name, selected_only=False):
            self.remove(book.id)
        self._db.execute(sa.delete(ACCOUNT).where(ACCOUNT.c.name == name))

    def of_account(self, name: str, *, selected_only: bool = True) -> list[Book]:
        books = [_book(row) for row in self._db.rows(_OF_ACCOUNT, {"name": name})]
        return [book for book in books if book.selected or not selected_only]

    def get(self, collection_id: int) -> Book | None:
        statement = sa.select(COLLECTION, ACCOUNT.c.name.label("account")).join(ACCOUNT)
        row = self._db.row(statement.where(COLLECTION.c.id == collection_id))
        return _book(row) if row else None

    def add(self, account_id: int, href: str, **values: Any) -> int:
        return self._db.insert(COLLECTION, account_id=account_id, href=href, **values)

    def update(self, collection_id: int, **values: Any) -> None:
        self._db.execute(sa.update(COLLECTION).where(COLLECTION.c.id == collection_id).values(**values))

    def remove(self, collection_id: int) -> None:
        """Forget the book with its links; steps that wait for it are nobody's any more."""
        waiting = sa.and_(JOURNAL.c.collection_id == collection_id, JOURNAL.c.state.in_(("queued", "sent")))
        dropped = {"state": "dropped", "note": "the address book was removed here", "payload": None}
        self._db.execute(sa.update(JOURNAL).where(waiting).values(**dropped))
        self._db.execute(sa.delete(COLLECTION).where(COLLECTION.c.id == collection_id))

    def stage(self, collection_id: int, changes: Iterable[StagedChange]) -> None:
        """Remember what a page brought; a later word on the same card replaces an earlier one."""
        rows = {c.href: c for c in changes}
        if not rows:
            return
        self.unstage(collection_id, rows)
        self._db.put(
            STAGED,
            [
                {
                    "collection_id": collection_id,
                    "href": c.href,
                    "etag": c.etag,
                    "payload": c.payload,
                    "gone": c.gone,
                    "modified_at": c.modified_at,
                }
                for c in rows.values()
            ],
        )

    def staged(self, collection_id: int) -> list[StagedChange]:
        rows = self._db.rows(_STAGED, {"book": collection_id})
        return [StagedChange(r.collection_id, r.href, r.etag, r.payload, r.gone, r.modified_at) for r in rows]

    def unstage(self, collection_id: int, hrefs: Iterable[str]) -> None:
        where = sa.and_(STAGED.c.collection_id == collection_id, STAGED.c.href == sa.bindparam("one"))
        if rows := [{"one": href} for href in hrefs]:
            self._db.execute(sa.delete(STAGED).where(where), rows)

    def clear_staged(self, collection_id: int) -> None:
        self._db.execute(sa.delete(STAGED).where(STAGED.c.collection_id == collection_id))

    def outside(self, collection_id: int) -> dict[str, tuple[str | None, bytes]]:
        """Cards that the filter of a book leaves out: href -> (etag, payload)."""
        rows = self._db.rows(_OUTSIDE, {"book": collection_id})
        return {row.href: (row.etag, row.payload) for row in rows}

    def leave_outside(self, collection_id: int, cards: Mapping[str, tuple[str | None, bytes]]) -> None:
        """Remember these cards as left out."""
        self.let_in(collection_id, cards)
        rows = [{"href": href, "etag": etag, "payload": data} for href, (etag, data) in cards.items()]
        self._db.put(OUTSIDE, [{"collection_id": collection_id, **row} for row in rows])

    def let_in(self, collection_id: int, hrefs: Iterable[str]) -> None:
        """These cards are not left out any more, or are gone."""
        where = sa.and_(OUTSIDE.c.collection_id == collection_id, OUTSIDE.c.href == sa.bindparam("one"))
        if rows := [{"one": href} for href in hrefs]:
            self._db.execute(sa.delete(OUTSIDE).where(where), rows)


def _book(row: Any) -> Book:
    return Book(
        id=row.id,
        account=row.account,
        href=row.href,
        name=row.name,
        writable=row.writable,
        shared=row.shared,
        default=row.is_default,
        selected=row.selected,
        cursor=row.cursor,
        cursor_at=row.cursor_at,
        backed_up_at=row.backed_up_at,
        gone_at=row.gone_at,
    )
