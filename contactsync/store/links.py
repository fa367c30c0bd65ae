"""Links: which card of which book is which contact, and the shadows of both sides."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.store import tables
from contactsync.store.contacts import chunks
from contactsync.store.database import Database, one_of, table
from contactsync.store.values import StoredLink
from contactsync.sync.types import Base

LINK = table(tables.Link)
CONTACT = table(tables.Contact)
COLLECTION = table(tables.Collection)
GROUP = table(tables.Group)
GROUP_LINK = table(tables.GroupLink)

ALIVE = ("ok", "written", "recheck", "refused")
#: Of a card that we deleted, and of one that is not in the book any more though it was not deleted.
LET_GO = ("deleted", "away")

#: Why a card was left (state ``left``): the filter of the book does not take its contact.
OUTSIDE = "outside the filter"

#: Bytes of a card beyond which nearly all of it is a photo.
LONG = 2**15

_IN_STATE = (
    sa.select(LINK)
    .where(LINK.c.collection_id == sa.bindparam("book"), LINK.c.state.in_(one_of("states")))
    .order_by(LINK.c.id)
)
_ETAGS = sa.select(LINK.c.href, LINK.c.etag, LINK.c.state).where(LINK.c.collection_id == sa.bindparam("book"))
_ETAGS_OF = _ETAGS.where(LINK.c.href.in_(one_of("hrefs"))).union(_ETAGS.where(LINK.c.state == "deleted"))
_OUT_OF_STEP = (
    sa.select(LINK.c.contact_id)
    .join(CONTACT, CONTACT.c.id == LINK.c.contact_id)
    .where(
        LINK.c.collection_id.in_(one_of("books")),
        LINK.c.state.in_(ALIVE),
        sa.or_(LINK.c.base_hash != CONTACT.c.hash, CONTACT.c.deleted_at.is_not(None)),
    )
)
_IN_ACCOUNT = (
    sa.select(LINK.c.contact_id)
    .join(COLLECTION, COLLECTION.c.id == LINK.c.collection_id)
    .where(COLLECTION.c.account_id == sa.bindparam("account"), LINK.c.state != "deleted")
)
_HOMELESS = sa.select(CONTACT.c.id).where(
    CONTACT.c.deleted_at.is_(None), CONTACT.c.held == "", CONTACT.c.id.not_in(_IN_ACCOUNT)
)
_IS_HELD = sa.and_(CONTACT.c.deleted_at.is_(None), CONTACT.c.held != "")
_HELD_FOR = sa.select(CONTACT.c.held_for).where(_IS_HELD, CONTACT.c.id.in_(_IN_ACCOUNT)).cte(recursive=True)
_HELD_FOR = _HELD_FOR.union(
    sa.select(CONTACT.c.held_for).join(_HELD_FOR, _HELD_FOR.c.held_for == CONTACT.c.uid).where(_IS_HELD)
)
_AWAITED = sa.select(CONTACT.c.id).join(_HELD_FOR, _HELD_FOR.c.held_for == CONTACT.c.uid)


_UPDATE = sa.update(LINK).where(LINK.c.id == sa.bindparam("link"))


@dataclass(frozen=True, slots=True)
class NewLink:
    """A card that is linked with a contact from now on; ``original`` are its bytes."""

    contact_id: int
    collection_id: int
    href: str
    etag: str | None
    base: Base
    original: bytes
    state: str = "ok"
    written_at: datetime | None = None


class Links:
    """Named queries over links."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, link_id: int) -> StoredLink | None:
        found = self._all(LINK.c.id == link_id)
        return found[0] if found else None

    def at(self, collection_id: int, hrefs: Iterable[str]) -> dict[str, StoredLink]:
        """Links of these cards, in any state, by href."""
        found: dict[str, StoredLink] = {}
        for some in chunks(sorted(set(hrefs))):
            condition = sa.and_(LINK.c.collection_id == collection_id, LINK.c.href.in_(some))
            found.update({link.href: link for link in self._all(condition)})
        return found

    def of_contacts(self, ids: Iterable[int]) -> dict[int, list[StoredLink]]:
        found: dict[int, list[StoredLink]] = {}
        for some in chunks(sorted(set(ids))):
            for link in self._all(LINK.c.contact_id.in_(some)):
                found.setdefault(link.contact_id, []).append(link)
        return found

    def of_contact(self, contact_id: int) -> list[StoredLink]:
        return self._all(LINK.c.contact_id == contact_id)

    def etags(self, collection_id: int) -> dict[str, tuple[str | None, str]]:
        """href -> (etag, state) of every link in the book; cheap, for comparing with a listing."""
        return {row.href: (row.etag, row.state) for row in self._db.rows(_ETAGS, {"book": collection_id})}

    def etags_of(self, collection_id: int, hrefs: Iterable[str]) -> dict[str, tuple[str | None, str]]:
        """The same of these cards only, and of those that we deleted."""
        found: dict[str, tuple[str | None, str]] = {}
        for some in [(), *chunks(sorted(set(hrefs)))]:
            rows = self._db.rows(_ETAGS_OF, {"book": collection_id, "hrefs": some})
            found.update({row.href: (row.etag, row.state) for row in rows})
        return found

    def in_state(self, collection_id: int, *states: str) -> list[StoredLink]:
        params = {"book": collection_id, "states": states}
        return [_stored(row) for row in self._db.rows(_IN_STATE, params)]

    def written_since_listed(self, collection_id: int) -> list[str]:
        """The hrefs of cards that we wrote since the listing that the book's cursor stands for."""
        where = sa.and_(
            LINK.c.collection_id == collection_id,
            LINK.c.state.in_(ALIVE),
            LINK.c.written_at >= COLLECTION.c.cursor_at,
        )
        joined = LINK.join(COLLECTION, COLLECTION.c.id == LINK.c.collection_id)
        return [row[0] for row in self._db.rows(sa.select(LINK.c.href).select_from(joined).where(where))]

    def contacts_in(self, collection_id: int, *states: str) -> set[int]:
        """Contacts with a card in the book whose link is in one of these states."""
        where = sa.and_(LINK.c.collection_id == collection_id, LINK.c.state.in_(states))
        return {row[0] for row in self._db.rows(sa.select(LINK.c.contact_id).where(where))}

    def left_outside(self, collection_id: int) -> list[StoredLink]:
        """Links of cards that the filter of the book left out."""
        where = (LINK.c.collection_id == collection_id, LINK.c.state == "left", LINK.c.reason == OUTSIDE)
        return self._all(sa.and_(*where))

    def count(self, collection_id: int) -> int:
        condition = sa.and_(LINK.c.collection_id == collection_id, LINK.c.state.in_(ALIVE))
        row = self._db.row(sa.select(sa.func.count()).select_from(LINK).where(condition))
        return int(row[0]) if row else 0

    def out_of_step(self, collection_ids: Iterable[int]) -> set[int]:
        """Contacts whose hub state is not what one of these books last agreed to."""
        return {row[0] for row in self._db.rows(_OUT_OF_STEP, {"books": list(collection_ids)})}

    def homeless(self, account_id: int) -> set[int]:
        """Live contacts that are not held, have no link of any kind in this account (L37), and of whom none
        that is held there may be the same (L27)."""
        found = {row[0] for row in self._db.rows(_HOMELESS, {"account": account_id})}
        return found - self._awaited(account_id) if found else found

    def _awaited(self, account_id: int) -> set[int]:
        """Of whom somebody held in this account may be the same, if only by way of others that are held."""
        return {row[0] for row in self._db.rows(_AWAITED, {"account": account_id})}

    def accounts_of(self) -> dict[int, list[str]]:
        """Contact id -> names of the accounts that hold it."""
        account = table(tables.Account)
        statement = (
            sa.select(LINK.c.contact_id, account.c.name)
            .join(COLLECTION, COLLECTION.c.id == LINK.c.collection_id)
            .join(account, account.c.id == COLLECTION.c.account_id)
            .where(LINK.c.state.in_(ALIVE))
            .distinct()
            .order_by(account.c.name)
        )
        found: dict[int, list[str]] = {}
        for contact_id, name in self._db.rows(statement):
            found.setdefault(contact_id, []).append(name)
        return found

    def local_shadows(self, collection_id: int) -> list[Contact]:
        """What the hub's contacts of a book were when the book last agreed with them."""
        where = sa.and_(LINK.c.collection_id == collection_id, LINK.c.state.in_(ALIVE))
        return [jsonform.loads(text) for (text,) in self._db.rows(sa.select(LINK.c.base_local).where(where))]

    def fields_shown(self, collection_id: int) -> set[str]:
        """Fields of which some card of the book was read with a value: what this remote can hold."""
        where = sa.and_(LINK.c.collection_id == collection_id, LINK.c.state == "ok")
        documents = self._db.rows(sa.select(LINK.c.base_remote).where(where))
        return {field for (text,) in documents for field in json.loads(text)}

    def group_members(self, collection_id: int) -> list[str]:
        """The group ids on the cards of a book as last read, one for each membership."""
        where = sa.and_(
            LINK.c.collection_id == collection_id,
            LINK.c.state.in_(ALIVE),
            LINK.c.base_remote.contains('"groups":['),
        )
        documents = self._db.rows(sa.select(LINK.c.base_remote).where(where))
        return [group for (text,) in documents for group in json.loads(text).get("groups", ())]

    def add(self, link: NewLink) -> int:
        return self._db.insert(LINK, **_row(link))

    def add_all(self, links: Iterable[NewLink]) -> None:
        """Many at once, where no id is wanted."""
        self._db.put(LINK, map(_row, links))

    def rebase(self, link_id: int, base: Base, **values: Any) -> None:
        """Move both shadows; ``values`` are further columns (etag, state, written_at, ...)."""
        self.update(link_id, **_shadows(base), **values)

    def update(self, link_id: int, **values: Any) -> None:
        if "original" in values:
            values["original"] = pack(values["original"])
        self._db.execute(_UPDATE, {"link": link_id, **values})

    def settled(self, collection_id: int, hrefs: Sequence[str]) -> None:
        """These cards were read back, and are as they were written."""
        for some in chunks(hrefs):
            where = (LINK.c.collection_id == collection_id, LINK.c.state == "written", LINK.c.href.in_(some))
            self._db.execute(sa.update(LINK).where(*where).values(state="ok"))

    def remove(self, link_id: int) -> None:
        self._db.execute(sa.delete(LINK).where(LINK.c.id == link_id))

    def move(self, link_id: int, collection_id: int, href: str, etag: str | None) -> None:
        """L24: the card came up in another book, or under another href."""
        self.update(link_id, collection_id=collection_id, href=href, etag=etag, state="recheck")

    def hand_to(self, link_id: int, contact_id: int) -> None:
        """The card belongs to another contact from now on (L40)."""
        self.update(link_id, contact_id=contact_id)

    def with_losses(self) -> list[tuple[int, int, str]]:
        """(contact, collection, paths) of values that a remote did not keep by itself (L12)."""
        statement = sa.select(LINK.c.contact_id, LINK.c.collection_id, LINK.c.lost).where(LINK.c.lost != "")
        return [(row[0], row[1], row[2]) for row in self._db.rows(statement)]

    def _all(self, condition: Any) -> list[StoredLink]:
        return [_stored(row) for row in self._db.rows(sa.select(LINK).where(condition).order_by(LINK.c.id))]


def _row(link: NewLink) -> dict[str, Any]:
    return {
        "contact_id": link.contact_id,
        "collection_id": link.collection_id,
        "href": link.href,
        "etag": link.etag,
        "state": link.state,
        "lost": "",
        "reason": "",
        "written_at": link.written_at,
        "original": pack(link.original),
        **_shadows(link.base),
    }


def pack(payload: bytes) -> bytes:
    """Cards are stored compressed; level 1 costs microseconds. A long one is a photo, in which a search for
    what comes again takes three times as long and finds nothing."""
    strategy = zlib.Z_HUFFMAN_ONLY if len(payload) > LONG else zlib.Z_DEFAULT_STRATEGY
    packer = zlib.compressobj(1, strategy=strategy)
    return packer.compress(payload) + packer.flush()


def _shadows(base: Base) -> Mapping[str, Any]:
    local = jsonform.dumps(base.local)
    return {
        "base_local": local,
        "base_hash": jsonform.text_hash(local),
        "base_remote": jsonform.dumps(base.remote, remote=True),
        "card_uid": base.remote.uid,
    }


def _stored(row: Any) -> StoredLink:
    return StoredLink(
        id=row.id,
        contact_id=row.contact_id,
        collection_id=row.collection_id,
        href=row.href,
        etag=row.etag,
        card_uid=row.card_uid,
        base=Base(jsonform.loads(row.base_local), jsonform.loads(row.base_remote, uid=row.card_uid)),
        base_hash=row.base_hash,
        original=zlib.decompress(row.original),
        state=row.state,
        reason=row.reason,
        lost=row.lost,
        written_at=row.written_at,
        deleted_at=row.deleted_at,
    )
