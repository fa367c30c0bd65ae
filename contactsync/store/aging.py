"""What is old enough to be forgotten, and forgetting it (L22, L41)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from contactsync.store import tables
from contactsync.store.contacts import chunks
from contactsync.store.database import Database, table

CONTACT = table(tables.Contact)
LINK = table(tables.Link)
JOURNAL = table(tables.Journal)
CONFLICT = table(tables.Conflict)
IMPORTED = table(tables.Imported)

_WAITING = sa.and_(JOURNAL.c.contact_id == CONTACT.c.id, JOURNAL.c.state.in_(("queued", "sent")))
_ASKED = sa.and_(CONFLICT.c.contact_id == CONTACT.c.id, CONFLICT.c.status == "open")
_FORGOTTEN = sa.select(CONTACT.c.id).where(
    CONTACT.c.deleted_at < sa.bindparam("before"),
    ~sa.exists().where(LINK.c.contact_id == CONTACT.c.id),
    sa.or_(CONTACT.c.merged_into.is_not(None), ~sa.exists().where(IMPORTED.c.contact_id == CONTACT.c.id)),
    ~sa.exists().where(_WAITING),
    ~sa.exists().where(_ASKED),
)
_FINISHED = (
    sa.select(JOURNAL.c.id)
    .where(JOURNAL.c.at < sa.bindparam("before"), JOURNAL.c.state.not_in(("queued", "sent")))
    .limit(1)
)


class Aging:
    """Named queries over what retention is about."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def tombstones(self, before: datetime) -> list[int]:
        """Contacts deleted before then that nothing needs any more.

        Every link has let go, no step waits, and no question is open. A tombstone that an import
        remembers stays: without it the next import of that file would bring the contact back (L30).
        """
        return [row[0] for row in self._db.rows(_FORGOTTEN, {"before": before})]

    def forget(self, contact_ids: Sequence[int]) -> None:
        """The contacts go for good. Their steps stay as long as the journal is kept: with whom they were
        made part of (L40), together with all else that is known of them, else nobody's now."""
        for some in chunks(sorted(contact_ids)):
            self._hand_over(some)
        for some in chunks(sorted(contact_ids)):
            mine = JOURNAL.c.contact_id.in_(some)
            self._db.execute(sa.update(JOURNAL).where(mine).values(contact_id=None))
            self._db.execute(sa.delete(CONTACT).where(CONTACT.c.id.in_(some)))

    def _hand_over(self, contact_ids: Sequence[int]) -> None:
        merged = sa.and_(CONTACT.c.id.in_(contact_ids), CONTACT.c.merged_into.is_not(None))
        twins = sa.select(CONTACT.c.id).where(merged)
        for rows in (JOURNAL, CONFLICT, IMPORTED):
            mine = rows.c.contact_id
            heir = sa.select(CONTACT.c.merged_into).where(CONTACT.c.id == mine).scalar_subquery()
            self._db.execute(sa.update(rows).where(mine.in_(twins)).values(contact_id=heir))

    def has_steps(self, before: datetime) -> bool:
        """Whether finished steps are older than that."""
        return self._db.row(_FINISHED, {"before": before}) is not None
