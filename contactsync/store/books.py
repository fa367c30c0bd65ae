"""Accounts, their address books, cursors, and what pulls have staged."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contactsync.store.contacts import chunks
from contactsync.store.database import Database, assigned
from contactsync.store.times import moment
from contactsync.store.values import AccountState, Book, StagedChange

_ACCOUNTS = f"SELECT {', '.join(AccountState._fields)} FROM account ORDER BY name"
_ACCOUNT_ID = "SELECT id FROM account WHERE name = :name"
_BOOKS = """
    SELECT collection.*, account.name AS account
    FROM collection JOIN account ON account.id = collection.account_id
"""
_OF_ACCOUNT = f"{_BOOKS} WHERE account.name = :name ORDER BY collection.href"
#: What an account, and a book, is until somebody says otherwise.
_NEW_ACCOUNT = {"failures": 0, "state": "new", "message": "", "rules": ""}
_NEW_BOOK = {"writable": True, "shared": False, "is_default": False, "selected": True}
_DROP_WAITING = """
    UPDATE journal SET state = 'dropped', note = 'the address book was removed here', payload = NULL
    WHERE collection_id = :book AND state IN ('queued', 'sent')
"""
_STAGED = """
    SELECT collection_id, href, etag, payload, gone, modified_at
    FROM staged WHERE collection_id = :book ORDER BY href
"""
_UNSTAGE = "DELETE FROM staged WHERE collection_id = :book AND href = :href"
_OUTSIDE = "SELECT href, etag, payload FROM outside WHERE collection_id = :book"
#: Where the bytes of a book's cards are, what was read last first, and whether they are compressed there.
_CARDS = (
    ("staged", "payload", "payload IS NOT NULL", False),
    ("quarantine", "payload", "contact_id IS NULL AND payload != x''", False),
    ("group_card", "original", "original != x''", False),
    ("link", "original", "state NOT IN ('deleted', 'away')", True),
    ("outside", "payload", "true", False),
)
_LET_IN = "DELETE FROM outside WHERE collection_id = :book AND href = :href"


class Books:
    """Named queries over accounts and books."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def account_id(self, name: str) -> int | None:
        row = self._db.row(_ACCOUNT_ID, {"name": name})
        return row[0] if row else None

    def ensure_account(self, name: str, connector: str) -> int:
        found = self.account_id(name)
        return (
            found
            if found is not None
            else self._db.insert("account", name=name, connector=connector, **_NEW_ACCOUNT)
        )

    def accounts(self) -> list[AccountState]:
        return [_account(row) for row in self._db.rows(_ACCOUNTS)]

    def note_account(self, name: str, **values: Any) -> None:
        self._db.execute(
            f"UPDATE account SET {assigned(values)} WHERE name = :account_name",
            {**values, "account_name": name},
        )

    def wake_others(self, name: str) -> None:
        """Something came in from this account, of which the others are to be told: none is quiet any more."""
        self._db.execute("UPDATE account SET quiet_run = NULL WHERE name <> :name", {"name": name})

    def remove_account(self, name: str) -> None:
        """Forget the account with its books and links; contacts stay."""
        for book in self.of_account(name, selected_only=False):
            self.remove(book.id)
        self._db.execute("DELETE FROM account WHERE name = :name", {"name": name})

    def of_account(self, name: str, *, selected_only: bool = True) -> list[Book]:
        books = [_book(row) for row in self._db.rows(_OF_ACCOUNT, {"name": name})]
        return [book for book in books if book.selected or not selected_only]

    def get(self, collection_id: int) -> Book | None:
        row = self._db.row(f"{_BOOKS} WHERE collection.id = :book", {"book": collection_id})
        return _book(row) if row else None

    def add(self, account_id: int, href: str, **values: Any) -> int:
        return self._db.insert("collection", account_id=account_id, href=href, **{**_NEW_BOOK, **values})

    def update(self, collection_id: int, **values: Any) -> None:
        self._db.update("collection", collection_id, **values)

    def remove(self, collection_id: int) -> None:
        """Forget the book with its links; steps that wait for it are nobody's any more."""
        self._db.execute(_DROP_WAITING, {"book": collection_id})
        self._db.execute("DELETE FROM collection WHERE id = :book", {"book": collection_id})

    def stage(self, collection_id: int, changes: Iterable[StagedChange]) -> None:
        """Remember what a page brought; a later word on the same card replaces an earlier one."""
        rows = {c.href: c for c in changes}
        if not rows:
            return
        self.unstage(collection_id, rows)
        self._db.put(
            "staged",
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
        return [
            StagedChange(book, href, etag, payload, bool(gone), moment(modified_at))
            for book, href, etag, payload, gone, modified_at in self._db.rows(
                _STAGED, {"book": collection_id}
            )
        ]

    def unstage(self, collection_id: int, hrefs: Iterable[str]) -> None:
        if rows := [{"book": collection_id, "href": href} for href in hrefs]:
            self._db.execute_many(_UNSTAGE, rows)

    def cards(self, collection_id: int) -> Iterator[bytes]:
        """The bytes of every card that was in the book when it was read last, a few at a time: with photos
        they are large."""
        seen: set[str] = set()
        for table, column, condition, packed in _CARDS:
            listed = f"SELECT rowid, href FROM {table} WHERE collection_id = :book AND {condition}"
            found = {href: row_id for row_id, href in self._db.rows(listed, {"book": collection_id})}
            ids = sorted(row_id for href, row_id in found.items() if href not in seen)
            seen |= found.keys()
            for some in chunks(ids, 50):
                wanted = f"SELECT {column} FROM {table} WHERE rowid IN :ids ORDER BY rowid"
                for (payload,) in self._db.rows(wanted, {"ids": some}):
                    yield zlib.decompress(payload) if packed else payload

    def clear_staged(self, collection_id: int) -> None:
        self._db.execute("DELETE FROM staged WHERE collection_id = :book", {"book": collection_id})

    def outside(self, collection_id: int) -> dict[str, tuple[str | None, bytes]]:
        """Cards that the filter of a book leaves out: href -> (etag, payload)."""
        rows = self._db.rows(_OUTSIDE, {"book": collection_id})
        return {href: (etag, payload) for href, etag, payload in rows}

    def leave_outside(self, collection_id: int, cards: Mapping[str, tuple[str | None, bytes]]) -> None:
        """Remember these cards as left out."""
        self.let_in(collection_id, cards)
        rows = [{"href": href, "etag": etag, "payload": data} for href, (etag, data) in cards.items()]
        self._db.put("outside", [{"collection_id": collection_id, **row} for row in rows])

    def let_in(self, collection_id: int, hrefs: Iterable[str]) -> None:
        """These cards are not left out any more, or are gone."""
        if rows := [{"book": collection_id, "href": href} for href in hrefs]:
            self._db.execute_many(_LET_IN, rows)


def _account(row: sqlite3.Row) -> AccountState:
    times = {name: moment(row[name]) for name in ("ran_at", "books_read_at", "next_due")}
    return AccountState(*row)._replace(**times)


def _book(row: sqlite3.Row) -> Book:
    return Book(
        id=row["id"],
        account=row["account"],
        href=row["href"],
        name=row["name"],
        writable=bool(row["writable"]),
        shared=bool(row["shared"]),
        default=bool(row["is_default"]),
        selected=bool(row["selected"]),
        cursor=row["cursor"],
        cursor_at=moment(row["cursor_at"]),
        backed_up_at=moment(row["backed_up_at"]),
        gone_at=moment(row["gone_at"]),
    )
