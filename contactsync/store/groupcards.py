"""Groups that are cards of their own, one row for each book that has one (L39)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from contactsync.model.group import EMPTY, GroupCard, member_uid
from contactsync.store import tables
from contactsync.store.database import Database, table

ROW = table(tables.GroupCard)
LINK = table(tables.Link)
CONTACT = table(tables.Contact)

_OF_BOOK = sa.select(ROW).where(ROW.c.collection_id == sa.bindparam("book")).order_by(ROW.c.href)


@dataclass(frozen=True, slots=True)
class StoredGroupCard:
    """``base`` is what both sides agreed on, ``shown`` what the card says. ``original`` is empty until
    the card is there; ``lost`` are members that the remote did not keep; ``refused`` is the target that
    it did not take."""

    group_id: str
    collection_id: int
    href: str
    uid: str
    etag: str | None = None
    base: GroupCard = EMPTY
    shown: GroupCard = EMPTY
    lost: frozenset[str] = frozenset()
    refused: str = ""
    original: bytes = field(default=b"", repr=False)

    def is_of(self, href: str, uid: str) -> bool:
        """Is it the row of this card? By its place; while its create is in doubt, by the UID (L33)."""
        return self.href == href if self.original else self.uid == uid


class GroupCards:
    """Named queries over group cards."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of_book(self, collection_id: int) -> list[StoredGroupCard]:
        return [_stored(row) for row in self._db.rows(_OF_BOOK, {"book": collection_id})]

    def etags(self, collection_id: int) -> dict[str, tuple[str | None, str]]:
        """href -> (etag, "ok") of those that are there, beside those of the links."""
        return {card.href: (card.etag, "ok") for card in self.of_book(collection_id) if card.original}

    def hrefs(self, collection_id: int) -> dict[str, str]:
        """Group -> href of its card, of those that are there."""
        return {card.group_id: card.href for card in self.of_book(collection_id) if card.original}

    def put(self, card: StoredGroupCard) -> None:
        """Add or replace the row of a group in a book."""
        self.remove(card.group_id, card.collection_id)
        values = {
            "group_id": card.group_id,
            "collection_id": card.collection_id,
            "href": card.href,
            "uid": card.uid,
            "etag": card.etag,
            "base": dumps(card.base),
            "shown": dumps(card.shown),
            "lost": json.dumps(sorted(card.lost)),
            "refused": card.refused,
            "original": card.original,
        }
        self._db.put(ROW, [values])

    def remove(self, group_id: str, collection_id: int) -> None:
        where = sa.and_(ROW.c.group_id == group_id, ROW.c.collection_id == collection_id)
        self._db.execute(sa.delete(ROW).where(where))

    def cards_of(self, collection_id: int) -> dict[str, tuple[int, str]]:
        """UID of a card, as groups refer to it -> (contact, state of the link)."""
        statement = sa.select(LINK.c.card_uid, LINK.c.contact_id, LINK.c.state).where(
            LINK.c.collection_id == collection_id, LINK.c.state != "deleted"
        )
        rows = self._db.rows(statement)
        return {member_uid(uid): (contact, state) for uid, contact, state in rows}

    def members(self, group_ids: Iterable[str]) -> dict[str, set[int]]:
        """Group -> live contacts in it."""
        wanted = set(group_ids)
        found: dict[str, set[int]] = {group_id: set() for group_id in wanted}
        condition = sa.and_(CONTACT.c.deleted_at.is_(None), CONTACT.c.doc.contains('"groups":['))
        for contact_id, doc in self._db.rows(sa.select(CONTACT.c.id, CONTACT.c.doc).where(condition)):
            for group_id in wanted.intersection(json.loads(doc).get("groups", ())):
                found[group_id].add(contact_id)
        return found


def dumps(card: GroupCard) -> str:
    return json.dumps({"name": card.name, "members": sorted(card.members)}, ensure_ascii=False)


def _loads(text: str) -> GroupCard:
    said = json.loads(text)
    return GroupCard(said["name"], frozenset(said["members"]))


def _stored(row: sa.Row[tuple[object, ...]]) -> StoredGroupCard:
    return StoredGroupCard(
        group_id=row.group_id,
        collection_id=row.collection_id,
        href=row.href,
        uid=row.uid,
        etag=row.etag,
        base=_loads(row.base),
        shown=_loads(row.shown),
        lost=frozenset(json.loads(row.lost)),
        refused=row.refused,
        original=row.original,
    )
