"""Import memory (L30) and cards that were set aside (L35)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.store import tables
from contactsync.store.contacts import chunks
from contactsync.store.database import Database, table
from contactsync.store.values import Quarantined

IMPORTED = table(tables.Imported)
CONTACT = table(tables.Contact)
QUARANTINE = table(tables.Quarantine)

# Of a contact that was merged away, the one that lives on (L40).
_REMEMBERED = sa.select(
    IMPORTED.c.key,
    IMPORTED.c.hash,
    sa.func.coalesce(CONTACT.c.merged_into, CONTACT.c.id).label("contact_id"),
    IMPORTED.c.doc,
).join(CONTACT, CONTACT.c.id == IMPORTED.c.contact_id)
_QUARANTINED = sa.select(QUARANTINE).order_by(QUARANTINE.c.id)
_QUARANTINED_IN = _QUARANTINED.where(QUARANTINE.c.collection_id == sa.bindparam("book"))


@dataclass(frozen=True, slots=True)
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
        rows = self._db.rows(_REMEMBERED.where(IMPORTED.c.source == source))
        return {row.key: Remembered(row.hash, row.contact_id, jsonform.loads(row.doc)) for row in rows}

    def known(self, source: str) -> dict[str, tuple[str, int]]:
        """Key -> (hash, contact) of every card of a source, without what the cards said."""
        columns = _REMEMBERED.selected_columns
        statement = _REMEMBERED.with_only_columns(columns.key, columns.hash, columns.contact_id)
        rows = self._db.rows(statement.where(IMPORTED.c.source == source))
        return {key: (card_hash, contact_id) for key, card_hash, contact_id in rows}

    def recall(self, source: str, key: str) -> Remembered | None:
        """One card of a source."""
        where = sa.and_(IMPORTED.c.source == source, IMPORTED.c.key == key)
        row = self._db.row(_REMEMBERED.where(where))
        return Remembered(row.hash, row.contact_id, jsonform.loads(row.doc)) if row else None

    def remember(self, source: str, key: str, card_hash: str, contact_id: int, base: Contact) -> None:
        where = sa.and_(IMPORTED.c.source == source, IMPORTED.c.key == key)
        self._db.execute(sa.delete(IMPORTED).where(where))
        row = {"source": source, "key": key, "hash": card_hash, "contact_id": contact_id}
        self._db.put(IMPORTED, [{**row, "doc": jsonform.dumps(base, remote=True)}])

    def set_aside(self, *, payload: bytes, name: str, reason: str, at: datetime, **where: Any) -> None:
        """Keep a card that could not be used, once.

        ``where``: collection_id, href, contact_id, source, etag, hash.
        """
        same = {"collection_id": None, "source": "", "href": "", "contact_id": None}
        if not where.get("href") and where.get("contact_id") is None:
            same["hash"] = ""  # a card of a file has no other name
        condition = [QUARANTINE.c[name] == where.get(name, empty) for name, empty in same.items()]
        self._db.execute(sa.delete(QUARANTINE).where(*condition))
        self._db.insert(QUARANTINE, payload=payload, name=name, reason=reason, at=at, **where)

    def release(
        self, collection_id: int | None, hrefs: Iterable[str], *, contact_id: int | None = None
    ) -> None:
        """The card can be used now, or is gone."""
        for some in chunks(sorted(set(hrefs))):
            condition = sa.and_(
                QUARANTINE.c.collection_id == collection_id,
                QUARANTINE.c.href.in_(some),
                QUARANTINE.c.contact_id == contact_id,
            )
            self._db.execute(sa.delete(QUARANTINE).where(condition))

    def release_from(self, source: str, keep: Iterable[str]) -> None:
        """Of a file that was read to its end, only the cards with these hashes are still set aside."""
        kept = set(keep)
        for held in self.quarantined():
            if held.source == source and held.collection_id is None and held.hash not in kept:
                self._db.execute(sa.delete(QUARANTINE).where(QUARANTINE.c.id == held.id))

    def quarantined(self, collection_id: int | None = None) -> list[Quarantined]:
        statement = _QUARANTINED if collection_id is None else _QUARANTINED_IN
        params = {} if collection_id is None else {"book": collection_id}
        return [
            Quarantined(
                id=row.id,
                collection_id=row.collection_id,
                source=row.source,
                href=row.href,
                contact_id=row.contact_id,
                etag=row.etag,
                hash=row.hash,
                payload=row.payload,
                name=row.name,
                reason=row.reason,
                at=row.at,
            )
            for row in self._db.rows(statement, params)
        ]
