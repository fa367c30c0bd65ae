"""Contacts of the hub: documents, tombstones, aliases, photos."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.model.fields import fold
from contactsync.model.searching import search_form, search_text
from contactsync.store import tables
from contactsync.store.database import Database, table
from contactsync.store.values import StoredContact

CONTACT = table(tables.Contact)
ALIAS = table(tables.Alias)
BLOB = table(tables.Blob)
LINK = table(tables.Link)

SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


class Contacts:
    """Named queries over contacts."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, contact_id: int) -> StoredContact | None:
        return self._one(CONTACT.c.id == contact_id)

    def by_uid(self, uid: str) -> StoredContact | None:
        """The contact of this uid, or the one it was merged into (L40)."""
        found = self._one(CONTACT.c.uid == uid)
        if found is not None:
            return found
        alias = self._db.row(sa.select(ALIAS.c.contact_id).where(ALIAS.c.uid == uid))
        return self.get(alias[0]) if alias else None

    def find(self, name: str) -> list[StoredContact]:
        """By uid, unambiguous prefix of it, or exact name; several when it is ambiguous."""
        exact = self.by_uid(name)
        if exact is not None:
            return [exact]
        by_name = self._all(sa.and_(CONTACT.c.display == name, CONTACT.c.deleted_at.is_(None)))
        return by_name or self._all(CONTACT.c.uid.startswith(name, autoescape=True))

    def many(self, ids: Iterable[int]) -> dict[int, StoredContact]:
        found = {}
        for some in chunks(sorted(set(ids))):
            found.update({c.id: c for c in self._all(CONTACT.c.id.in_(some))})
        return found

    def by_uids(self, uids: Iterable[str]) -> dict[str, StoredContact]:
        """The contacts of these uids, aliases included."""
        wanted = sorted({uid for uid in uids if uid})
        found: dict[str, StoredContact] = {}
        for some in chunks(wanted):
            found.update({c.uid: c for c in self._all(CONTACT.c.uid.in_(some))})
            aliases = self._db.rows(sa.select(ALIAS.c.uid, ALIAS.c.contact_id).where(ALIAS.c.uid.in_(some)))
            survivors = self.many(contact_id for _, contact_id in aliases)
            found.update({uid: survivors[contact_id] for uid, contact_id in aliases})
        return found

    def live(self, query: str = "", group: str = "") -> list[StoredContact]:
        """Live contacts in the order of their names; ``query`` words must all occur; ``group`` an id."""
        condition: list[Any] = [CONTACT.c.deleted_at.is_(None)]
        condition += [CONTACT.c.search.contains(word, autoescape=True) for word in search_form(query).split()]
        if group:
            condition.append(CONTACT.c.doc.contains(json.dumps(group), autoescape=True))
        found = self._all(sa.and_(*condition), CONTACT.c.sort_key, CONTACT.c.uid)
        return [c for c in found if not group or group in c.contact.groups]

    def live_besides(self, known: Container[int]) -> Iterator[StoredContact]:
        """Live contacts but for these, a few at a time: there may be very many."""
        rows = self._db.rows(sa.select(CONTACT.c.id).where(CONTACT.c.deleted_at.is_(None)))
        for some in chunks([row[0] for row in rows if row[0] not in known]):
            yield from self.many(some).values()

    def deleted(self) -> list[StoredContact]:
        return self._all(CONTACT.c.deleted_at.is_not(None), CONTACT.c.deleted_at.desc())

    def count(self) -> int:
        row = self._db.row(sa.select(sa.func.count()).where(CONTACT.c.deleted_at.is_(None)))
        return int(row[0]) if row else 0

    def in_group(self, group: str) -> list[StoredContact]:
        return self.live(group=group)

    def add(
        self, contact: Contact, at: datetime, *, held: str = "", times: Mapping[str, datetime] | None = None
    ) -> int:
        """Insert a new contact; its id. The uid must be free."""
        self.keep_media(contact)
        return self._db.insert(
            CONTACT,
            uid=contact.uid,
            created_at=at,
            updated_at=at,
            held=held,
            **_derived(contact, times or {}),
        )

    def save(
        self,
        contact_id: int,
        contact: Contact,
        at: datetime,
        *,
        times: Mapping[str, datetime],
        deleted_at: datetime | None = None,
    ) -> None:
        """Replace the document (and, with ``deleted_at`` None, bring a tombstone back)."""
        self.keep_media(contact)
        self._db.execute(
            sa.update(CONTACT)
            .where(CONTACT.c.id == contact_id)
            .values(updated_at=at, deleted_at=deleted_at, **_derived(contact, times))
        )

    def hold(self, contact_id: int, reason: str) -> None:
        """Held contacts are created at no other remote (L27); an empty reason releases."""
        self._db.execute(sa.update(CONTACT).where(CONTACT.c.id == contact_id).values(held=reason))

    def bury(self, contact_id: int, at: datetime) -> None:
        """Into the trash: a tombstone with its whole content (L22)."""
        self._db.execute(
            sa.update(CONTACT).where(CONTACT.c.id == contact_id).values(deleted_at=at, updated_at=at)
        )

    def forget(self, contact_id: int) -> None:
        """Remove the row for good; everything that points at it must be gone or cascade."""
        self._db.execute(sa.delete(CONTACT).where(CONTACT.c.id == contact_id))

    def merge_into(self, contact_id: int, survivor_id: int, uid: str) -> None:
        """The tombstone of a contact that was merged away: its uid becomes free for an alias (L40)."""
        values = {"uid": uid, "merged_into": survivor_id}
        self._db.execute(sa.update(CONTACT).where(CONTACT.c.id == contact_id).values(**values))

    def add_alias(self, uid: str, contact_id: int) -> None:
        """This uid now means that contact, whatever it meant before."""
        self._db.execute(sa.delete(ALIAS).where(ALIAS.c.uid == uid))
        self._db.put(ALIAS, [{"uid": uid, "contact_id": contact_id}])

    def move_aliases(self, contact_id: int, survivor_id: int) -> None:
        """A contact that is merged away takes its own aliases along (L40)."""
        moved = sa.update(ALIAS).where(ALIAS.c.contact_id == contact_id)
        self._db.execute(moved.values(contact_id=survivor_id))

    def keep_media(self, contact: Contact) -> None:
        """Store the photo bytes that the contact carries, each once."""
        for media in contact.media:
            if media.data is None or not media.sha256:
                continue
            if self._db.row(sa.select(BLOB.c.sha256).where(BLOB.c.sha256 == media.sha256)) is None:
                row = {"sha256": media.sha256, "media_type": media.media_type, "data": media.data}
                self._db.put(BLOB, [row])

    def with_media(self, contact: Contact) -> Contact:
        """The contact with its photo bytes, for a codec or an export."""
        if not any(m.sha256 and m.data is None for m in contact.media):
            return contact
        return replace(contact, media=tuple(self._filled(m) for m in contact.media))

    def _filled(self, media: Any) -> Any:
        if media.data is not None or not media.sha256:
            return media
        row = self._db.row(sa.select(BLOB.c.data).where(BLOB.c.sha256 == media.sha256))
        return replace(media, data=row[0]) if row else media

    def sweep_media(self) -> None:
        """Drop photo bytes that no document mentions any more."""
        unused = {row[0] for row in self._db.rows(sa.select(BLOB.c.sha256))}
        for column in _documents():
            if not unused:
                return
            for (text,) in self._db.rows(sa.select(column).where(column.contains('"sha256"'))):
                unused.difference_update(SHA256.findall(text))
        for some in chunks(sorted(unused)):
            self._db.execute(sa.delete(BLOB).where(BLOB.c.sha256.in_(some)))

    def _one(self, condition: Any) -> StoredContact | None:
        row = self._db.row(sa.select(CONTACT).where(condition))
        return _stored(row) if row else None

    def _all(self, condition: Any, *order: Any) -> list[StoredContact]:
        return [_stored(row) for row in self._db.rows(sa.select(CONTACT).where(condition).order_by(*order))]


def _documents() -> tuple[sa.Column[str], ...]:
    """Every column that may mention a photo: also what an undo or a decision would bring back."""
    journal, conflict, imported = table(tables.Journal), table(tables.Conflict), table(tables.Imported)
    return (
        CONTACT.c.doc,
        *(LINK.c.base_local, LINK.c.base_remote),
        *(journal.c.before, journal.c.after, journal.c.sent_local),
        *(conflict.c.base, conflict.c.local, conflict.c.remote),
        imported.c.doc,
    )


def chunks(values: Sequence[Any], size: int = 500) -> Iterable[Sequence[Any]]:
    """Parts that fit into the parameters of one statement."""
    return (values[start : start + size] for start in range(0, len(values), size))


def _derived(contact: Contact, times: Mapping[str, datetime]) -> dict[str, Any]:
    doc = jsonform.dumps(contact)
    surname = contact.name.part("surname") or contact.display
    return {
        "doc": doc,
        "hash": jsonform.text_hash(doc),
        "display": contact.display,
        "sort_key": fold(f"{surname} {contact.name.part('given')}"),
        "search": search_text(contact),
        "times": json.dumps({path: at.isoformat() for path, at in times.items()}),
    }


def _stored(row: Any) -> StoredContact:
    return StoredContact(
        id=row.id,
        contact=replace(jsonform.loads(row.doc), uid=row.uid),
        hash=row.hash,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        held=row.held,
        merged_into=row.merged_into,
        times={path: datetime.fromisoformat(at) for path, at in json.loads(row.times).items()},
    )
