"""What is old enough to be forgotten, and forgetting it (L22, L41)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contactsync.store.contacts import chunks
from contactsync.store.database import Database

_FORGOTTEN = """
    SELECT id FROM contact
    WHERE deleted_at < :before
    AND NOT EXISTS (SELECT 1 FROM link WHERE link.contact_id = contact.id)
    AND (
        merged_into IS NOT NULL
        OR NOT EXISTS (SELECT 1 FROM imported WHERE imported.contact_id = contact.id)
    )
    AND NOT EXISTS (
        SELECT 1 FROM journal WHERE journal.contact_id = contact.id AND journal.state IN ('queued', 'sent')
    )
    AND NOT EXISTS (
        SELECT 1 FROM conflict WHERE conflict.contact_id = contact.id AND conflict.status = 'open'
    )
"""
_FINISHED = "SELECT id FROM journal WHERE at < :before AND state NOT IN ('queued', 'sent') LIMIT 1"
_HAND_OVER = """
    UPDATE {table} SET contact_id = (SELECT merged_into FROM contact WHERE contact.id = {table}.contact_id)
    WHERE contact_id IN (SELECT id FROM contact WHERE id IN :ids AND merged_into IS NOT NULL)
"""


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
            self._db.execute("UPDATE journal SET contact_id = NULL WHERE contact_id IN :ids", {"ids": some})
            self._db.execute("DELETE FROM contact WHERE id IN :ids", {"ids": some})

    def _hand_over(self, contact_ids: Sequence[int]) -> None:
        for table in ("journal", "conflict", "imported"):
            self._db.execute(_HAND_OVER.format(table=table), {"ids": contact_ids})

    def has_steps(self, before: datetime) -> bool:
        """Whether finished steps are older than that."""
        return self._db.row(_FINISHED, {"before": before}) is not None
