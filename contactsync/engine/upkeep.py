"""Retention: tombstones whose time has passed (L22) and the journal's past (L41)."""

from __future__ import annotations

from datetime import datetime, timedelta

from contactsync.store.aging import Aging
from contactsync.store.store import Store


def tidy(store: Store, now: datetime, trash: timedelta, journal: timedelta) -> None:
    """Forget what is due; where nothing is due, nothing is written (L36).

    A tombstone goes when every link has let go and it is older than ``trash``; steps go when they
    are older than ``journal``. Photos go with the last document that mentions them.
    """
    aging = Aging(store.db)
    tombstones, steps = aging.tombstones(now - trash), aging.has_steps(now - journal)
    if not tombstones and not steps:
        return
    with store.transaction():
        aging.forget(tombstones)
        if steps:
            store.journal.prune(now - journal)
        store.contacts.sweep_media()
