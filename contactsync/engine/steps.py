"""What an edit does beside the content of a contact, as steps of their own that can be taken back.

A step says it in its ``detail``, a JSON object with one of these names:

- ``group``: [id, name before, name after]; None where there is no such group
- ``held``: [[reason, UID of whom] before, the same after] (L27)
- ``apart``: [UID, UID, was it said before]: two that are not the same
- ``merged``, ``parted``: what `contactsync.engine.merging` moved from one contact to another (L40)
- ``conflict``: what `contactsync.engine.resolving` settled (L16, L18)
"""

from __future__ import annotations

from datetime import datetime

from contactsync.store.store import Store
from contactsync.store.values import StoredContact


def set_group(
    store: Store,
    run: int,
    at: datetime,
    group_id: str,
    name: str,
    *,
    live: bool = True,
    collection_id: int | None = None,
    note: str = "",
) -> None:
    """Make, rename, delete or bring back a group (L39); nothing where it is so already. ``note`` stands
    in for the words that say what was done."""
    group = store.groups.get(group_id)
    before = group.name if group is not None and group.deleted_at is None else None
    after = name if live else None
    if before == after and group is not None:
        return
    if group is None:
        action = "create-group"
        store.groups.add(group_id, name, at)
    else:
        action = "delete-group" if after is None else "revive-group" if before is None else "rename-group"
        store.groups.update(group_id, at, name=name, deleted_at=None if live else at)
        if before is not None and after is not None:
            since = [old for old in store.journal.former_names({group_id: name})[group_id] if old != name]
            store.groups.doubt_name(group_id, name, since[-1] if since else before)
    words = note or (f"{before} -> {after}" if action == "rename-group" else name)
    _note(store, run, at, action, words, {"group": [group_id, before, after]}, collection_id=collection_id)


def set_held(
    store: Store, run: int, at: datetime, stored: StoredContact, reason: str = "", held_for: str = ""
) -> None:
    """Hold a contact back, or release it (L27)."""
    before, after = [stored.held, stored.held_for], [reason, held_for]
    if before == after:
        return
    store.contacts.hold(stored.id, reason, held_for)
    action = "hold" if reason else "release"
    words = f"{stored.contact.display}: {reason}" if reason else stored.contact.display
    _note(store, run, at, action, words, {"held": [before, after]}, contact_id=stored.id)


def keep_apart(
    store: Store, run: int, at: datetime, one: StoredContact, other: StoredContact, *, apart: bool = True
) -> None:
    """Remember that a person said that these two are not the same, or, without ``apart``, forget it."""
    if (frozenset((one.uid, other.uid)) in store.contacts.apart()) == apart:
        return
    (store.contacts.keep_apart if apart else store.contacts.let_meet)(one.id, other.id)
    words = f"{one.contact.display} and {other.contact.display}"
    action = "not-the-same" if apart else "maybe-the-same"
    _note(store, run, at, action, words, {"apart": [one.uid, other.uid, not apart]}, contact_id=one.id)


def _note(
    store: Store,
    run: int,
    at: datetime,
    action: str,
    note: str,
    detail: dict[str, object],
    *,
    contact_id: int | None = None,
    collection_id: int | None = None,
) -> None:
    store.journal.note(
        run,
        action,
        at,
        contact_id=contact_id,
        before=None,
        after=None,
        collection_id=collection_id,
        note=note,
        detail=detail,
    )
