"""Links: which card of which book is which contact, and the shadows of both sides."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from contactsync.frozen import frozen
from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.store.contacts import chunks
from contactsync.store.database import Database
from contactsync.store.times import moment
from contactsync.store.values import StoredLink
from contactsync.sync.types import Base

ALIVE = ("ok", "written", "recheck", "refused")
#: Of a card that we deleted, and of one that is not in the book any more though it was not deleted.
LET_GO = ("deleted", "away")

#: Why a card was left (state ``left``): the filter of the book does not take its contact.
OUTSIDE = "outside the filter"

#: Bytes of a card beyond which nearly all of it is a photo.
LONG = 2**15

_COLUMNS = """
    id, contact_id, collection_id, href, etag, state, card_uid, base_hash, written_at, deleted_at, reason,
    lost, base_local, base_remote, original
"""
_LINKS = f"SELECT {_COLUMNS} FROM link"
_ALIVE = f"state IN {ALIVE}"
_IN_STATE = "collection_id = :book AND state IN :states"
_ETAGS = "SELECT href, etag, state FROM link WHERE collection_id = :book"
_WRITTEN = f"""
    SELECT link.href FROM link JOIN collection ON collection.id = link.collection_id
    WHERE link.collection_id = :book AND link.{_ALIVE} AND link.written_at >= collection.cursor_at
"""
_MISSING = f"""
    SELECT href FROM link WHERE collection_id = :book AND {_ALIVE}
    AND href IN (SELECT href FROM staged WHERE collection_id = :book AND gone)
"""
# The + turns SQLite from the contacts' rows to their index in the order of hashes.
_OUT_OF_STEP = f"""
    SELECT contact_id FROM link
    WHERE collection_id IN :books AND {_ALIVE}
    AND NOT EXISTS (
        SELECT 1 FROM contact
        WHERE contact.deleted_at IS NULL AND contact.hash = link.base_hash AND +contact.id = link.contact_id
    )
"""
_IN_ACCOUNT = """
    SELECT link.contact_id FROM link JOIN collection ON collection.id = link.collection_id
    WHERE collection.account_id = :account AND link.state != 'deleted'
"""
_SETTLED = """
    UPDATE link SET state = 'ok' WHERE collection_id = :book AND state = 'written' AND href IN :hrefs
"""
_ELSEWHERE = f"""
    SELECT id FROM contact
    WHERE id NOT IN (SELECT contact_id FROM link WHERE collection_id = :book AND {_ALIVE}) LIMIT 1
"""
_HOMELESS = f"""
    SELECT id FROM contact WHERE deleted_at IS NULL AND held = '' AND id NOT IN ({_IN_ACCOUNT})
"""
_AWAITED = f"""
    WITH RECURSIVE awaited (uid) AS (
        SELECT held_for FROM contact
        WHERE deleted_at IS NULL AND held != '' AND id IN ({_IN_ACCOUNT})
        UNION
        SELECT contact.held_for FROM contact JOIN awaited ON awaited.uid = contact.uid
        WHERE contact.deleted_at IS NULL AND contact.held != ''
    )
    SELECT contact.id FROM contact JOIN awaited ON awaited.uid = contact.uid
    WHERE NOT EXISTS (
        SELECT 1 FROM journal JOIN collection ON collection.id = journal.collection_id
        WHERE collection.account_id = :account AND journal.contact_id = contact.id
        AND journal.side = 'remote' AND journal.action = 'create' AND journal.state IN ('queued', 'sent')
    )
"""
_ACCOUNTS_OF = f"""
    SELECT DISTINCT link.contact_id, account.name
    FROM link
    JOIN collection ON collection.id = link.collection_id
    JOIN account ON account.id = collection.account_id
    WHERE link.{_ALIVE}{{which}}
    ORDER BY account.name
"""


@frozen
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
        found = self._all("id = :id", id=link_id)
        return found[0] if found else None

    def at(self, collection_id: int, hrefs: Iterable[str]) -> dict[str, StoredLink]:
        """Links of these cards, in any state, by href."""
        found: dict[str, StoredLink] = {}
        for some in chunks(sorted(set(hrefs))):
            links = self._all("collection_id = :book AND href IN :hrefs", book=collection_id, hrefs=some)
            found.update({link.href: link for link in links})
        return found

    def of_contacts(self, ids: Iterable[int]) -> dict[int, list[StoredLink]]:
        found: dict[int, list[StoredLink]] = {}
        for some in chunks(sorted(set(ids))):
            for link in self._all("contact_id IN :ids", ids=some):
                found.setdefault(link.contact_id, []).append(link)
        return found

    def of_contact(self, contact_id: int) -> list[StoredLink]:
        return self._all("contact_id = :id", id=contact_id)

    def etags(self, collection_id: int) -> dict[str, tuple[str | None, str]]:
        """href -> (etag, state) of every link in the book; cheap, for comparing with a listing."""
        rows = self._db.rows(_ETAGS, {"book": collection_id})
        return {href: (etag, state) for href, etag, state in rows}

    def etags_of(self, collection_id: int, hrefs: Iterable[str]) -> dict[str, tuple[str | None, str]]:
        """The same of these cards only, and of those that we deleted."""
        rows = self._db.rows(f"{_ETAGS} AND state = 'deleted'", {"book": collection_id})
        for some in chunks(sorted(set(hrefs))):
            rows += self._db.rows(f"{_ETAGS} AND href IN :hrefs", {"book": collection_id, "hrefs": some})
        return {href: (etag, state) for href, etag, state in rows}

    def in_state(self, collection_id: int, *states: str) -> list[StoredLink]:
        return self._all(_IN_STATE, book=collection_id, states=states)

    def written_since_listed(self, collection_id: int) -> list[str]:
        """The hrefs of cards that we wrote since the listing that the book's cursor stands for."""
        return [row[0] for row in self._db.rows(_WRITTEN, {"book": collection_id})]

    def contacts_in(self, collection_id: int, *states: str) -> set[int]:
        """Contacts with a card in the book whose link is in one of these states."""
        params = {"book": collection_id, "states": states}
        return {row[0] for row in self._db.rows(f"SELECT contact_id FROM link WHERE {_IN_STATE}", params)}

    def left_outside(self, collection_id: int) -> list[StoredLink]:
        """Links of cards that the filter of the book left out."""
        where = "collection_id = :book AND state = 'left' AND reason = :reason"
        return self._all(where, book=collection_id, reason=OUTSIDE)

    def missing(self, collection_id: int) -> set[str]:
        """The hrefs of cards that were read as gone in a pull that is not decided yet."""
        return {row[0] for row in self._db.rows(_MISSING, {"book": collection_id})}

    def holds_everybody(self, collection_id: int) -> bool:
        """Has every contact, deleted ones too, a card that is in this book?"""
        return self._db.row(_ELSEWHERE, {"book": collection_id}) is None

    def count(self, collection_id: int) -> int:
        return int(self._in_book("count(*)", collection_id)[0][0])

    def out_of_step(self, collection_ids: Iterable[int]) -> set[int]:
        """Contacts whose hub state is not what one of these books last agreed to."""
        return {row[0] for row in self._db.rows(_OUT_OF_STEP, {"books": list(collection_ids)})}

    def homeless(self, account_id: int) -> set[int]:
        """Live contacts that are not held, have no link of any kind in this account (L37), and of whom none
        that is held there may be the same (L27); but those whose card was decided on before it was so."""
        found = {row[0] for row in self._db.rows(_HOMELESS, {"account": account_id})}
        return found - self._awaited(account_id) if found else found

    def _awaited(self, account_id: int) -> set[int]:
        """Of whom somebody held in this account may be the same, if only by way of others that are held. A
        card that a round decided to make and did not get to is still to be made (P5)."""
        return {row[0] for row in self._db.rows(_AWAITED, {"account": account_id})}

    def accounts_of(self, contact_ids: Iterable[int] | None = None) -> dict[int, list[str]]:
        """Contact id -> names of the accounts that hold it, of these contacts or of all."""
        if contact_ids is None:
            rows = self._db.rows(_ACCOUNTS_OF.format(which=""))
        else:
            these = _ACCOUNTS_OF.format(which=" AND link.contact_id IN :ids")
            rows = [row for ids in chunks(sorted(contact_ids)) for row in self._db.rows(these, {"ids": ids})]
        found: dict[int, list[str]] = {}
        for contact_id, name in rows:
            found.setdefault(contact_id, []).append(name)
        return found

    def local_shadows(self, collection_id: int) -> list[Contact]:
        """What the hub's contacts of a book were when the book last agreed with them."""
        return [jsonform.loads(text) for (text,) in self._in_book("base_local", collection_id)]

    def fields_shown(self, collection_id: int) -> set[str]:
        """Fields of which some card of the book was read with a value: what this remote can hold."""
        shown = "SELECT base_remote FROM link WHERE collection_id = :book AND state = 'ok'"
        documents = self._db.rows(shown, {"book": collection_id})
        return {field for (text,) in documents for field in json.loads(text)}

    def group_members(self, collection_id: int) -> list[str]:
        """The group ids on the cards of a book as last read, one for each membership."""
        documents = self._in_book("base_remote", collection_id, """ AND instr(base_remote, '"groups":[')""")
        return [group for (text,) in documents for group in json.loads(text).get("groups", ())]

    def add(self, link: NewLink) -> int:
        return self._db.insert("link", **_row(link))

    def add_all(self, links: Iterable[NewLink]) -> None:
        """Many at once, where no id is wanted."""
        self._db.put("link", map(_row, links))

    def rebase(self, link_id: int, base: Base, **values: Any) -> None:
        """Move both shadows; ``values`` are further columns (etag, state, written_at, ...)."""
        self.update(link_id, **_shadows(base), **values)

    def update(self, link_id: int, **values: Any) -> None:
        if "original" in values:
            values["original"] = pack(values["original"])
        self._db.update("link", link_id, **values)

    def settled(self, collection_id: int, hrefs: Sequence[str]) -> None:
        """These cards were read back, and are as they were written."""
        for some in chunks(hrefs):
            self._db.execute(_SETTLED, {"book": collection_id, "hrefs": some})

    def remove(self, link_id: int) -> None:
        self._db.execute("DELETE FROM link WHERE id = :id", {"id": link_id})

    def move(self, link_id: int, collection_id: int, href: str, etag: str | None) -> None:
        """L24: the card came up in another book, or under another href."""
        self.update(link_id, collection_id=collection_id, href=href, etag=etag, state="recheck")

    def hand_to(self, link_id: int, contact_id: int) -> None:
        """The card belongs to another contact from now on (L40)."""
        self.update(link_id, contact_id=contact_id)

    def with_losses(self) -> list[tuple[int, int, str]]:
        """(contact, collection, paths) of values that a remote did not keep by itself (L12)."""
        rows = self._db.rows("SELECT contact_id, collection_id, lost FROM link WHERE lost != ''")
        return [(row[0], row[1], row[2]) for row in rows]

    def _in_book(self, what: str, collection_id: int, condition: str = "") -> list[sqlite3.Row]:
        """Of the links of a book that are in use."""
        where = f"collection_id = :book AND {_ALIVE}{condition}"
        return self._db.rows(f"SELECT {what} FROM link WHERE {where}", {"book": collection_id})

    def _all(self, where: str, **params: Any) -> list[StoredLink]:
        return [_stored(row) for row in self._db.rows(f"{_LINKS} WHERE {where} ORDER BY id", params)]


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


def _stored(row: sqlite3.Row) -> StoredLink:
    card_uid = row["card_uid"]
    return StoredLink(
        id=row["id"],
        contact_id=row["contact_id"],
        collection_id=row["collection_id"],
        href=row["href"],
        etag=row["etag"],
        card_uid=card_uid,
        base=Base(jsonform.loads(row["base_local"]), jsonform.loads(row["base_remote"], uid=card_uid)),
        base_hash=row["base_hash"],
        original=zlib.decompress(row["original"]),
        state=row["state"],
        reason=row["reason"],
        lost=row["lost"],
        written_at=moment(row["written_at"]),
        deleted_at=moment(row["deleted_at"]),
    )
