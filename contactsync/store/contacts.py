"""Contacts of the hub: documents, tombstones, aliases, photos."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from contactsync.frozen import frozen
from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.model.fields import fold
from contactsync.model.searching import search_form, search_text
from contactsync.store.database import Database, containing, starting
from contactsync.store.times import moment
from contactsync.store.values import StoredContact

_COLUMNS = "id, uid, hash, updated_at, deleted_at, held, held_for, merged_into, times, doc"
_CONTACTS = f"SELECT {_COLUMNS} FROM contact"
_IDS = "SELECT uid, id FROM contact WHERE uid IN :uids"
# Of a contact that was merged away, the one that lives on (L40).
_APART = """
    SELECT first.uid, second.uid
    FROM apart
    JOIN contact AS one ON one.id = apart.contact_id
    JOIN contact AS other ON other.id = apart.other_id
    JOIN contact AS first ON first.id = coalesce(one.merged_into, one.id)
    JOIN contact AS second ON second.id = coalesce(other.merged_into, other.id)
"""
#: Every column that may mention a photo: also what an undo or a decision would bring back.
_DOCUMENTS = (
    ("contact", "doc"),
    *(("link", column) for column in ("base_local", "base_remote")),
    *(("journal", column) for column in ("before", "after", "sent_local")),
    *(("conflict", column) for column in ("base", "local", "remote")),
    ("imported", "doc"),
)
SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


@frozen
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
        return self._one("id = :id", id=contact_id)

    def by_uid(self, uid: str) -> StoredContact | None:
        """The contact of this uid, or the one it was merged into (L40)."""
        found = self._one("uid = :uid", uid=uid)
        if found is not None:
            return found
        alias = self._db.row("SELECT contact_id FROM alias WHERE uid = :uid", {"uid": uid})
        return self.get(alias[0]) if alias else None

    def find(self, name: str, *, deleted: bool | None = None) -> list[StoredContact]:
        """By uid, exact name, or unambiguous prefix of the uid; several when it is ambiguous. ``deleted``:
        only those in the trash, or only those that are not; otherwise names of live ones come first."""
        exact = self._one("uid = :uid", uid=name) if deleted else self.by_uid(name)
        if exact is not None and deleted in (None, exact.deleted):
            return [exact]
        wanted = {None: "", True: " AND deleted_at IS NOT NULL", False: " AND deleted_at IS NULL"}[deleted]
        by_name = self._all(f"display = :name{wanted}", name=name)
        found = [c for c in by_name if not c.deleted] or by_name
        return found or self._all(f"uid LIKE :uid ESCAPE '/'{wanted}", uid=starting(name))

    def many(self, ids: Iterable[int]) -> dict[int, StoredContact]:
        found = {}
        for some in chunks(sorted(set(ids))):
            found.update({c.id: c for c in self._all("id IN :ids", ids=some)})
        return found

    def by_uids(self, uids: Iterable[str]) -> dict[str, StoredContact]:
        """The contacts of these uids, aliases included."""
        wanted = sorted({uid for uid in uids if uid})
        found: dict[str, StoredContact] = {}
        for some in chunks(wanted):
            found.update({c.uid: c for c in self._all("uid IN :uids", uids=some)})
            aliases = self._db.rows("SELECT uid, contact_id FROM alias WHERE uid IN :uids", {"uids": some})
            survivors = self.many(contact_id for _, contact_id in aliases)
            found.update({uid: survivors[contact_id] for uid, contact_id in aliases})
        return found

    def live(self, query: str = "", group: str = "") -> list[StoredContact]:
        """Live contacts in the order of their names; ``query`` words must all occur; ``group`` an id."""
        words = {f"word{n}": containing(word) for n, word in enumerate(search_form(query).split())}
        where = ["deleted_at IS NULL", *(f"search LIKE :{name} ESCAPE '/'" for name in words)]
        if group:
            where.append("doc LIKE :group ESCAPE '/'")
            words["group"] = containing(json.dumps(group))
        found = self._all(f"{' AND '.join(where)} ORDER BY sort_key, uid", **words)
        return [c for c in found if not group or group in c.contact.groups]

    def live_besides(self, known: Container[int]) -> Iterator[StoredContact]:
        """Live contacts but for these, a few at a time: there may be very many."""
        rows = self._db.rows("SELECT id FROM contact WHERE deleted_at IS NULL")
        for some in chunks([row[0] for row in rows if row[0] not in known]):
            yield from self.many(some).values()

    def deleted(self) -> list[StoredContact]:
        return self._all("deleted_at IS NOT NULL ORDER BY deleted_at DESC")

    def count(self) -> int:
        row = self._db.row("SELECT count(*) FROM contact WHERE deleted_at IS NULL")
        return int(row[0]) if row else 0

    def count_held(self) -> int:
        """Live contacts that are created nowhere else (L27)."""
        row = self._db.row("SELECT count(*) FROM contact WHERE deleted_at IS NULL AND held != ''")
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
        return self._db.insert("contact", **self._row(NewContact(contact, held, held_for, times or {}), at))

    def add_all(self, contacts: Iterable[NewContact], at: datetime) -> list[int]:
        """Insert many at once; their ids, in the same order."""
        rows = [self._row(new, at) for new in contacts]
        self._db.put("contact", rows)
        uids = [row["uid"] for row in rows]
        ids = dict(tuple(row) for some in chunks(uids) for row in self._db.rows(_IDS, {"uids": some}))
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
        self._db.update(
            "contact", contact_id, updated_at=at, deleted_at=deleted_at, **_derived(contact, times)
        )

    def hold(self, contact_id: int, reason: str, held_for: str = "") -> None:
        """Held contacts are created at no other remote (L27); an empty reason releases."""
        self._db.update("contact", contact_id, held=reason, held_for=held_for)

    def bury(self, contact_id: int, at: datetime) -> None:
        """Into the trash: a tombstone with its whole content (L22)."""
        self._db.update("contact", contact_id, deleted_at=at, updated_at=at)

    def forget(self, contact_id: int) -> None:
        """Remove the row for good; everything that points at it must be gone or cascade."""
        self._db.execute("DELETE FROM contact WHERE id = :id", {"id": contact_id})

    def merge_into(self, contact_id: int, survivor_id: int, uid: str) -> None:
        """The tombstone of a contact that was merged away: its uid becomes free for an alias (L40)."""
        self._db.update("contact", contact_id, uid=uid, merged_into=survivor_id)

    def merged_into(self, contact_id: int) -> list[int]:
        """The tombstones of those that are part of this contact now."""
        rows = self._db.rows("SELECT id FROM contact WHERE merged_into = :id", {"id": contact_id})
        return sorted(row[0] for row in rows)

    def hand_merged(self, contact_ids: Sequence[int], survivor_id: int) -> None:
        """These tombstones are part of another contact from now on."""
        for some in chunks(contact_ids):
            self._db.execute(
                "UPDATE contact SET merged_into = :survivor WHERE id IN :ids",
                {"survivor": survivor_id, "ids": some},
            )

    def part(self, contact_id: int, uid: str) -> None:
        """The tombstone is its own again, under this uid; its aliases are given back by `give_aliases`."""
        self._db.execute("DELETE FROM alias WHERE uid = :uid", {"uid": uid})
        self._db.update("contact", contact_id, uid=uid, merged_into=None)

    def aliases_of(self, contact_id: int) -> list[str]:
        rows = self._db.rows("SELECT uid FROM alias WHERE contact_id = :id", {"id": contact_id})
        return sorted(row[0] for row in rows)

    def keep_apart(self, one: int, other: int) -> None:
        """A person said that these two are not the same."""
        first, second = sorted((one, other))
        self.let_meet(one, other)
        self._db.put("apart", [{"contact_id": first, "other_id": second}])

    def let_meet(self, one: int, other: int) -> None:
        """Nobody said so, or it was taken back."""
        first, second = sorted((one, other))
        self._db.execute(
            "DELETE FROM apart WHERE contact_id = :first AND other_id = :second",
            {"first": first, "second": second},
        )

    def apart(self) -> set[frozenset[str]]:
        """Pairs of UIDs that a person said are not the same; of those that were merged away, the UID of
        the one that lives on."""
        return {frozenset(row) for row in self._db.rows(_APART)}

    def add_alias(self, uid: str, contact_id: int) -> None:
        """This uid now means that contact, whatever it meant before."""
        self._db.execute("DELETE FROM alias WHERE uid = :uid", {"uid": uid})
        self._db.put("alias", [{"uid": uid, "contact_id": contact_id}])

    def give_aliases(self, uids: Iterable[str], contact_id: int) -> None:
        """A contact that is merged away takes its own aliases along, and back when it parts (L40)."""
        for some in chunks(sorted(uids)):
            self._db.execute(
                "UPDATE alias SET contact_id = :id WHERE uid IN :uids", {"id": contact_id, "uids": some}
            )

    def keep_media(self, contact: Contact) -> None:
        """Store the photo bytes that the contact carries, each once."""
        for media in contact.media:
            if media.data is None or not media.sha256:
                continue
            if self._db.row("SELECT 1 FROM blob WHERE sha256 = :hash", {"hash": media.sha256}) is None:
                row = {"sha256": media.sha256, "media_type": media.media_type, "data": media.data}
                self._db.put("blob", [row])

    def with_media(self, contact: Contact) -> Contact:
        """The contact with its photo bytes, for a codec or an export."""
        if not any(m.sha256 and m.data is None for m in contact.media):
            return contact
        return replace(contact, media=tuple(self._filled(m) for m in contact.media))

    def _filled(self, media: Any) -> Any:
        if media.data is not None or not media.sha256:
            return media
        row = self._db.row("SELECT data FROM blob WHERE sha256 = :hash", {"hash": media.sha256})
        return replace(media, data=row[0]) if row else media

    def sweep_media(self) -> None:
        """Drop photo bytes that no document mentions any more."""
        unused = {row[0] for row in self._db.rows("SELECT sha256 FROM blob")}
        for table, column in _DOCUMENTS:
            if not unused:
                return
            mentions = f"SELECT {column} FROM {table} WHERE instr({column}, '\"sha256\"')"
            for (text,) in self._db.rows(mentions):
                unused.difference_update(SHA256.findall(text))
        for some in chunks(sorted(unused)):
            self._db.execute("DELETE FROM blob WHERE sha256 IN :hashes", {"hashes": some})

    def _one(self, where: str, **params: Any) -> StoredContact | None:
        found = self._all(where, **params)
        return found[0] if found else None

    def _all(self, where: str, **params: Any) -> list[StoredContact]:
        return [_stored(row) for row in self._db.rows(f"{_CONTACTS} WHERE {where}", params)]


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


def _stored(row: sqlite3.Row) -> StoredContact:
    return StoredContact(
        id=row["id"],
        contact=jsonform.loads(row["doc"], uid=row["uid"]),
        hash=row["hash"],
        updated_at=moment(row["updated_at"]),
        deleted_at=moment(row["deleted_at"]),
        held=row["held"],
        held_for=row["held_for"],
        merged_into=row["merged_into"],
        times={path: datetime.fromisoformat(at) for path, at in json.loads(row["times"]).items()},
    )
