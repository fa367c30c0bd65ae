"""Contacts of the hub: documents, tombstones, aliases, photos."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.model.fields import fold
from contactsync.model.searching import search_form, search_text
from contactsync.store import tables
from contactsync.store.database import Database, one_of, table
from contactsync.store.values import StoredContact

CONTACT = table(tables.Contact)
ALIAS = table(tables.Alias)
BLOB = table(tables.Blob)
LINK = table(tables.Link)
APART = table(tables.Apart)

_UPDATE = sa.update(CONTACT).where(CONTACT.c.id == sa.bindparam("contact"))
_IDS = sa.select(CONTACT.c.uid, CONTACT.c.id).where(CONTACT.c.uid.in_(one_of("uids")))
SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class NewContact:
    """Somebody whom the device did not know. ``held`` and ``held_for`` are those of `StoredContact`."""

    contact: Contact
    held: str = ""
    held_for: str = ""
    times: Mapping[str, datetime] = field(default_factory=dict)


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

    def find(self, name: str, *, deleted: bool | None = None) -> list[StoredContact]:
        """By uid, exact name, or unambiguous prefix of the uid; several when it is ambiguous. ``deleted``:
        only those in the trash, or only those that are not; otherwise names of live ones come first."""
        exact = self._one(CONTACT.c.uid == name) if deleted else self.by_uid(name)
        if exact is not None and deleted in (None, exact.deleted):
            return [exact]
        gone = CONTACT.c.deleted_at.is_not(None)
        wanted = {None: sa.true(), True: gone, False: sa.not_(gone)}[deleted]
        by_name = self._all(sa.and_(CONTACT.c.display == name, wanted))
        found = [c for c in by_name if not c.deleted] or by_name
        return found or self._all(sa.and_(CONTACT.c.uid.startswith(name, autoescape=True), wanted))

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
        self,
        contact: Contact,
        at: datetime,
        *,
        held: str = "",
        held_for: str = "",
        times: Mapping[str, datetime] | None = None,
    ) -> int:
        """Insert a new contact; its id. The uid must be free."""
        return self._db.insert(CONTACT, **self._row(NewContact(contact, held, held_for, times or {}), at))

    def add_all(self, contacts: Iterable[NewContact], at: datetime) -> list[int]:
        """Insert many at once; their ids, in the same order."""
        rows = [self._row(new, at) for new in contacts]
        self._db.put(CONTACT, rows)
        uids = [row["uid"] for row in rows]
        ids = {row.uid: row.id for some in chunks(uids) for row in self._db.rows(_IDS, {"uids": some})}
        return [ids[uid] for uid in uids]

    def _row(self, new: NewContact, at: datetime) -> dict[str, Any]:
        self.keep_media(new.contact)
        return {
            "uid": new.contact.uid,
            "created_at": at,
            "updated_at": at,
            "held": new.held,
            "held_for": new.held_for,
            **_derived(new.contact, new.times),
        }

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
        values = {"updated_at": at, "deleted_at": deleted_at, **_derived(contact, times)}
        self._db.execute(_UPDATE, {"contact": contact_id, **values})

    def hold(self, contact_id: int, reason: str, held_for: str = "") -> None:
        """Held contacts are created at no other remote (L27); an empty reason releases."""
        self._db.execute(_UPDATE, {"contact": contact_id, "held": reason, "held_for": held_for})

    def bury(self, contact_id: int, at: datetime) -> None:
        """Into the trash: a tombstone with its whole content (L22)."""
        self._db.execute(_UPDATE, {"contact": contact_id, "deleted_at": at, "updated_at": at})

    def forget(self, contact_id: int) -> None:
        """Remove the row for good; everything that points at it must be gone or cascade."""
        self._db.execute(sa.delete(CONTACT).where(CONTACT.c.id == contact_id))

    def merge_into(self, contact_id: int, survivor_id: int, uid: str) -> None:
        """The tombstone of a contact that was merged away: its uid becomes free for an alias (L40)."""
        values = {"uid": uid, "merged_into": survivor_id}
        self._db.execute(sa.update(CONTACT).where(CONTACT.c.id == contact_id).values(**values))

    def merged_into(self, contact_id: int) -> list[int]:
        """The tombstones of those that are part of this contact now."""
        rows = self._db.rows(sa.select(CONTACT.c.id).where(CONTACT.c.merged_into == contact_id))
        return sorted(row[0] for row in rows)

    def hand_merged(self, contact_ids: Sequence[int], survivor_id: int) -> None:
        """These tombstones are part of another contact from now on."""
        for some in chunks(contact_ids):
            where = CONTACT.c.id.in_(some)
            self._db.execute(sa.update(CONTACT).where(where).values(merged_into=survivor_id))

    def part(self, contact_id: int, uid: str) -> None:
        """The tombstone is its own again, under this uid; its aliases are given back by `give_aliases`."""
        self._db.execute(sa.delete(ALIAS).where(ALIAS.c.uid == uid))
        values = {"uid": uid, "merged_into": None}
        self._db.execute(sa.update(CONTACT).where(CONTACT.c.id == contact_id).values(**values))

    def aliases_of(self, contact_id: int) -> list[str]:
        rows = self._db.rows(sa.select(ALIAS.c.uid).where(ALIAS.c.contact_id == contact_id))
        return sorted(row[0] for row in rows)

    def keep_apart(self, one: int, other: int) -> None:
        """A person said that these two are not the same."""
        first, second = sorted((one, other))
        self.let_meet(one, other)
        self._db.put(APART, [{"contact_id": first, "other_id": second}])

    def let_meet(self, one: int, other: int) -> None:
        """Nobody said so, or it was taken back."""
        first, second = sorted((one, other))
        where = sa.and_(APART.c.contact_id == first, APART.c.other_id == second)
        self._db.execute(sa.delete(APART).where(where))

    def apart(self) -> set[frozenset[str]]:
        """Pairs of UIDs that a person said are not the same; of those that were merged away, the UID of
        the one that lives on."""
        one, other = CONTACT.alias(), CONTACT.alias()
        first, second = CONTACT.alias(), CONTACT.alias()
        statement = (
            sa.select(first.c.uid, second.c.uid)
            .select_from(APART)
            .join(one, one.c.id == APART.c.contact_id)
            .join(other, other.c.id == APART.c.other_id)
            .join(first, first.c.id == sa.func.coalesce(one.c.merged_into, one.c.id))
            .join(second, second.c.id == sa.func.coalesce(other.c.merged_into, other.c.id))
        )
        return {frozenset(row) for row in self._db.rows(statement)}

    def add_alias(self, uid: str, contact_id: int) -> None:
        """This uid now means that contact, whatever it meant before."""
        self._db.execute(sa.delete(ALIAS).where(ALIAS.c.uid == uid))
        self._db.put(ALIAS, [{"uid": uid, "contact_id": contact_id}])

    def give_aliases(self, uids: Iterable[str], contact_id: int) -> None:
        """A contact that is merged away takes its own aliases along, and back when it parts (L40)."""
        for some in chunks(sorted(uids)):
            self._db.execute(sa.update(ALIAS).where(ALIAS.c.uid.in_(some)).values(contact_id=contact_id))

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
        contact=jsonform.loads(row.doc, uid=row.uid),
        hash=row.hash,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        held=row.held,
        held_for=row.held_for,
        merged_into=row.merged_into,
        times={path: datetime.fromisoformat(at) for path, at in json.loads(row.times).items()},
    )
