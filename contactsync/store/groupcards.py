"""Groups that are cards of their own, one row for each book that has one (L39)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import field

from contactsync.frozen import frozen
from contactsync.model.group import EMPTY, GroupCard, member_uid
from contactsync.store.database import Database

_OF_BOOK = "SELECT * FROM group_card WHERE collection_id = :book ORDER BY href"
_CARDS_OF = "SELECT card_uid, contact_id, state FROM link WHERE collection_id = :book AND state != 'deleted'"
_IN_GROUPS = """
    SELECT id, doc FROM contact WHERE deleted_at IS NULL AND instr(doc, '"groups":[')
"""


@frozen
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
        self._db.put("group_card", [values])

    def remove(self, group_id: str, collection_id: int) -> None:
        self._db.execute(
            "DELETE FROM group_card WHERE group_id = :group AND collection_id = :book",
            {"group": group_id, "book": collection_id},
        )

    def cards_of(self, collection_id: int) -> dict[str, tuple[int, str]]:
        """UID of a card, as groups refer to it -> (contact, state of the link)."""
        rows = self._db.rows(_CARDS_OF, {"book": collection_id})
        return {member_uid(uid): (contact, state) for uid, contact, state in rows}

    def members(self, group_ids: Iterable[str]) -> dict[str, set[int]]:
        """Group -> live contacts in it."""
        wanted = set(group_ids)
        found: dict[str, set[int]] = {group_id: set() for group_id in wanted}
        for contact_id, doc in self._db.rows(_IN_GROUPS):
            for group_id in wanted.intersection(json.loads(doc).get("groups", ())):
                found[group_id].add(contact_id)
        return found


def dumps(card: GroupCard) -> str:
    return json.dumps({"name": card.name, "members": sorted(card.members)}, ensure_ascii=False)


def _loads(text: str) -> GroupCard:
    said = json.loads(text)
    return GroupCard(said["name"], frozenset(said["members"]))


def _stored(row: sqlite3.Row) -> StoredGroupCard:
    return StoredGroupCard(
        group_id=row["group_id"],
        collection_id=row["collection_id"],
        href=row["href"],
        uid=row["uid"],
        etag=row["etag"],
        base=_loads(row["base"]),
        shown=_loads(row["shown"]),
        lost=frozenset(json.loads(row["lost"])),
        refused=row["refused"],
        original=row["original"],
    )
