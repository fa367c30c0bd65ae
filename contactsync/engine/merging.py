"""One contact made of two, and two of one again (L40).

What the one that is merged away had stays with its tombstone; its history, its conflicts and what imports
remember of it are found through ``merged_into``, so that they go back with it when the two part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from contactsync.engine.hub import HubEdits
from contactsync.engine.steps import set_held
from contactsync.errors import UsageError
from contactsync.model.contact import Contact
from contactsync.store.store import Store
from contactsync.store.values import StoredContact
from contactsync.sync.diff import differs
from contactsync.sync.union import unite


def merge(hub: HubEdits, survivor: str, other: str) -> StoredContact:
    """One contact with all values and both histories; the other's uid becomes an alias.

    The other's cards stay with its tombstone and are deleted; where it alone had one, the next round
    creates one for the survivor: a card that other devices know by its UID as the other person
    must not become this one.
    """
    with hub.edit("merge") as step:
        first, second = hub.find(survivor), hub.find(other)
        if first.id == second.id:
            raise UsageError("These are the same contact already.", hint="Name two different ones.")
        merge_two(hub, step.run, step.at, first, second)
    return hub.find(first.uid)


def merge_all(hub: HubEdits, pairs: Iterable[tuple[str, str]]) -> int | None:
    """Merge the second of each pair of UIDs into the first, as one run; a pair of which one is gone, or of
    which both are one contact by then, is left out. The run, None where nothing was left to merge."""
    with hub.edit("merge") as step:
        for survivor, other in pairs:
            first, second = hub.store.contacts.by_uid(survivor), hub.store.contacts.by_uid(other)
            if first is None or second is None or first.deleted or second.deleted or first.id == second.id:
                continue
            merge_two(hub, step.run, step.at, first, second)
    return step.run if hub.store.journal.run(step.run) is not None else None


def merge_two(hub: HubEdits, run: int, at: datetime, first: StoredContact, second: StoredContact) -> None:
    """Merge ``second`` into ``first`` inside the caller's transaction. Where both have another value of
    one unit, the first one's stays, and the other's is on record (L16)."""
    store = hub.store
    both, clashes = unite(first.contact, second.contact)
    hub.change(run, at, first, both, note=f"merged with {second.contact.display} ({second.uid})")
    for clash in clashes:
        store.journal.note_clash(first.id, None, clash, run, at)
    end_hold(store, run, at, first, second)
    bury_into(hub, run, at, first, second)


def end_hold(store: Store, run: int, at: datetime, survivor: StoredContact, other: StoredContact) -> None:
    """Who takes another one in is held no longer, but where both are, and it for a third (L27)."""
    if not (survivor.held and other.held) or survivor.held_for in ("", other.uid):
        set_held(store, run, at, survivor)


def bury_into(hub: HubEdits, run: int, at: datetime, first: StoredContact, second: StoredContact) -> None:
    """``second`` is part of ``first`` from now on, inside the caller's transaction; what ``first`` takes over
    of its content is not this one's business."""
    store = hub.store
    books = {link.collection_id for link in store.links.of_contact(first.id)}
    links = [
        link.id
        for link in store.links.of_contact(second.id)
        if link.state in ("left", "away") and link.collection_id not in books
    ]
    for link_id in links:
        store.links.hand_to(link_id, first.id)
    merged = become_one(store, second, first, hub.new_id())
    hub.drop(
        run,
        at,
        second,
        note=f"merged into {first.contact.display} ({first.uid})",
        detail={"merged": {**merged, "links": links}},
    )


def become_one(store: Store, gone: StoredContact, survivor: StoredContact, new_uid: str) -> dict[str, Any]:
    """The uid of a contact that goes means another one from now on. Its tombstone is called ``new_uid``,
    and its cards stay with it until they are deleted. Returns what `part` needs to take this back."""
    aliases, twins = store.contacts.aliases_of(gone.id), store.contacts.merged_into(gone.id)
    store.contacts.give_aliases(aliases, survivor.id)
    store.contacts.hand_merged(twins, survivor.id)
    store.contacts.merge_into(gone.id, survivor.id, new_uid)
    store.contacts.add_alias(gone.uid, survivor.id)
    held = [gone.held, gone.held_for]
    who = {"twin": gone.id, "into": survivor.id, "uid": gone.uid}
    return {**who, "aliases": aliases, "twins": twins, "held": held}


def part(hub: HubEdits, run: int, at: datetime, twin: StoredContact, merged: Mapping[str, Any]) -> None:
    """Bring back one that was merged into another, under its own uid and with its own history, inside the
    caller's transaction. What the other took over of it is not this one's business."""
    detail = become_two(hub.store, twin, merged)
    content = replace(twin.contact, uid=merged["uid"])
    back = replace(twin, contact=content, merged_into=None)
    hub.change(run, at, back, content, note="parted", detail=detail)


def part_anew(hub: HubEdits, run: int, at: datetime, content: Contact, merged: Mapping[str, Any]) -> int:
    """The same for one whose tombstone is forgotten; the id of the contact that is made for it."""
    survivor = hub.store.contacts.by_uid(merged["uid"])
    survivor_id = survivor.id if survivor is not None else None
    detail = {"parted": {"from": survivor_id}}
    new = replace(content, uid=hub.new_id())
    contact_id = hub.add(run, at, new, note="parted", detail=detail)
    twin = hub.store.contacts.get(contact_id)
    assert twin is not None, "it was added right now"
    become_two(hub.store, replace(twin, merged_into=survivor_id), merged)
    return contact_id


def change_inside(
    hub: HubEdits, run: int, at: datetime, twin: StoredContact, contact: Contact, note: str
) -> None:
    """What a contact that is part of another one has of its own, for when they part."""
    if not differs(twin.contact, contact):
        return
    hub.store.contacts.save(twin.id, contact, at, times=twin.times, deleted_at=twin.deleted_at)
    hub.store.journal.note(
        run, "update", at, contact_id=twin.id, before=twin.contact, after=contact, note=note
    )


def become_two(store: Store, twin: StoredContact, merged: Mapping[str, Any]) -> dict[str, Any]:
    """The tombstone of one that was merged into another is its own again, under its own uid, with what it
    had brought along. Returns the detail of the step that brings it back."""
    survivor_id = twin.merged_into
    own = {*store.contacts.aliases_of(survivor_id)} if survivor_id is not None else set()
    inside = {*store.contacts.merged_into(survivor_id)} if survivor_id is not None else set()
    store.contacts.part(twin.id, merged["uid"])
    store.contacts.give_aliases(own & {*merged["aliases"]}, twin.id)
    store.contacts.hand_merged(sorted(inside & {*merged["twins"]}), twin.id)
    for link in store.links.of_contact(survivor_id) if survivor_id is not None else ():
        if link.id in merged.get("links", ()) and link.state in ("left", "away"):
            store.links.hand_to(link.id, twin.id)
    store.contacts.hold(twin.id, *merged["held"])
    return {"parted": {"from": survivor_id}}


def twin_inside(
    store: Store, survivor: StoredContact, uid: str
) -> tuple[StoredContact, dict[str, Any]] | None:
    """Who was called ``uid`` before they were made part of this contact, and how that was done; None where
    that is forgotten."""
    for twin in store.contacts.many(store.contacts.merged_into(survivor.id)).values():
        for row in store.journal.of_contact(twin.id):
            merged: dict[str, Any] = row.detail.get("merged", {})
            if merged.get("twin") == twin.id and merged["uid"] == uid:
                return twin, merged
    return None


def without_merge(twin: StoredContact) -> Mapping[str, Any]:
    """What `part` needs where nobody knows any more how the merge was made."""
    return {"uid": twin.uid, "aliases": [], "twins": [], "held": ["", ""]}
