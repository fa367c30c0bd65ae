"""What is left of a contact that was merged into another one (L40)."""

from __future__ import annotations

from contactsync.store.store import Store
from contactsync.store.values import StoredContact


def become_one(store: Store, gone: StoredContact, survivor: StoredContact, new_uid: str) -> None:
    """History, conflicts and uid of a buried contact are those of another one from now on. Its tombstone
    is called ``new_uid``, and its cards stay with it until they are deleted."""
    store.contacts.move_aliases(gone.id, survivor.id)
    store.keepsakes.hand_over(gone.id, survivor.id)
    store.journal.hand_over(gone.id, survivor.id)
    store.contacts.merge_into(gone.id, survivor.id, new_uid)
    store.contacts.add_alias(gone.uid, survivor.id)
