"""Import memory (L30) and cards that were set aside (L35)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from contactsync.frozen import frozen
from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.store.contacts import chunks
from contactsync.store.database import Database
from contactsync.store.times import moment
from contactsync.store.values import Quarantined

# Of a contact that was merged away, the one that lives on (L40).
_REMEMBERED = """
    SELECT imported.key, imported.hash, coalesce(contact.merged_into, contact.id) AS contact_id, imported.doc
    FROM imported JOIN contact ON contact.id = imported.contact_id
    WHERE imported.source = :source
"""
_RELEASE = """
    DELETE FROM quarantine
    WHERE collection_id IS :book AND href IN :hrefs AND contact_id IS :contact
"""
_KNOWN = f"SELECT key, hash, contact_id FROM ({_REMEMBERED})"


@frozen
class Remembered:
    """What a card of a source said when it was imported, and the contact it became."""

    hash: str
    contact_id: int
    base: Contact


class Keepsakes:
    """Named queries over import memory and quarantine."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def remembered(self, source: str) -> dict[str, Remembered]:
        rows = self._db.rows(_REMEMBERED, {"source": source})
        return {row["key"]: _remembered(row) for row in rows}

    def known(self, source: str) -> dict[str, tuple[str, int]]:
        """Key -> (hash, contact) of every card of a source, without what the cards said."""
        rows = self._db.rows(_KNOWN, {"source": source})
        return {key: (card_hash, contact_id) for key, card_hash, contact_id in rows}

    def recall(self, source: str, key: str) -> Remembered | None:
        """One card of a source."""
        row = self._db.row(f"{_REMEMBERED} AND imported.key = :key", {"source": source, "key": key})
        return _remembered(row) if row else None

    def remember(self, source: str, key: str, card_hash: str, contact_id: int, base: Contact) -> None:
        which = {"source": source, "key": key}
        self._db.execute("DELETE FROM imported WHERE source = :source AND key = :key", which)
        row = {**which, "hash": card_hash, "contact_id": contact_id}
        self._db.put("imported", [{**row, "doc": jsonform.dumps(base, remote=True)}])

    def set_aside(self, *, payload: bytes, name: str, reason: str, at: datetime, **where: Any) -> None:
        """Keep a card that could not be used, once.

        ``where``: collection_id, href, contact_id, source, etag, hash.
        """
        same = {"collection_id": None, "source": "", "href": "", "contact_id": None}
        if not where.get("href") and where.get("contact_id") is None:
            same["hash"] = ""  # a card of a file has no other name
        params = {column: where.get(column, empty) for column, empty in same.items()}
        condition = " AND ".join(f"{column} IS :{column}" for column in same)
        self._db.execute(f"DELETE FROM quarantine WHERE {condition}", params)
        card = {"source": "", "href": "", "hash": "", **where}
        self._db.insert("quarantine", payload=payload, name=name, reason=reason, at=at, **card)

    def release(
        self, collection_id: int | None, hrefs: Iterable[str], *, contact_id: int | None = None
    ) -> None:
        """The card can be used now, or is gone."""
        for some in chunks(sorted(set(hrefs))):
            params = {"book": collection_id, "hrefs": some, "contact": contact_id}
            self._db.execute(_RELEASE, params)

    def release_from(self, source: str, keep: Iterable[str]) -> None:
        """Of a file that was read to its end, only the cards with these hashes are still set aside."""
        kept = set(keep)
        for held in self.quarantined():
            if held.source == source and held.collection_id is None and held.hash not in kept:
                self._db.execute("DELETE FROM quarantine WHERE id = :id", {"id": held.id})

    def quarantined(self, collection_id: int | None = None) -> list[Quarantined]:
        where = "" if collection_id is None else " WHERE collection_id = :book"
        rows = self._db.rows(f"SELECT * FROM quarantine{where} ORDER BY id", {"book": collection_id})
        return [_quarantined(row) for row in rows]


def _remembered(row: sqlite3.Row) -> Remembered:
    return Remembered(row["hash"], row["contact_id"], jsonform.loads(row["doc"]))


def _quarantined(row: sqlite3.Row) -> Quarantined:
    return Quarantined(
        id=row["id"],
        collection_id=row["collection_id"],
        source=row["source"],
        href=row["href"],
        contact_id=row["contact_id"],
        etag=row["etag"],
        hash=row["hash"],
        payload=row["payload"],
        name=row["name"],
        reason=row["reason"],
        at=moment(row["at"]),
    )
