"""Edits of the device database by a person: put, delete, purge, groups.

Each is one transaction with its journal rows, so that it has a history, can be undone
(`contactsync.engine.undo`), and crosses to the remotes with the next round. Nothing here talks to a remote.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from contactsync.engine.groupnames import GroupNames
from contactsync.engine.steps import set_group
from contactsync.errors import UsageError
from contactsync.model.contact import Contact
from contactsync.model.fields import flatten, path_text, unit_text
from contactsync.store.store import Store
from contactsync.store.values import StoredContact, StoredGroup
from contactsync.sync.diff import aligned, differs


@dataclass(slots=True)
class Step:
    """A run that is being written: what it will say of itself is put into ``report``."""

    run: int
    at: datetime
    report: dict[str, Any] = field(default_factory=dict)


class HubEdits:
    """The person's hand on the device database. Raises `UsageError` with what to do instead."""

    def __init__(self, store: Store, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self.store = store
        self.now = now
        self.new_id = new_id

    @contextlib.contextmanager
    def edit(self, kind: str) -> Iterator[Step]:
        """One edit: a transaction and a run, of which nothing is left when nothing happened."""
        with self.store.transaction():
            at = self.now()
            step = Step(self.store.journal.start_run(kind, at), at)
            yield step
            if not self.store.journal.drop_run(step.run):
                self.store.journal.end_run(step.run, step.at, "ok", step.report)

    def find(self, name: str, *, deleted: bool = False) -> StoredContact:
        """One contact by uid, prefix or exact name; live ones unless ``deleted``."""
        found = self.store.contacts.find(name, deleted=deleted)
        if not found:
            where, shown = ("in the trash", "trash") if deleted else ("on this device", "list")
            raise UsageError(
                f"No contact {name!r} {where}.",
                hint=f"It takes a UID, the beginning of one, or the exact name: contactsync contact {shown}",
            )
        if len(found) > 1:
            few = ", ".join(f"{c.contact.display} ({c.uid[:8]})" for c in found[:5])
            raise UsageError(f"{name!r} fits several contacts: {few}.", hint="Give more of the UID.")
        return found[0]

    def put(self, contacts: Sequence[Contact], kind: str = "edit") -> list[str]:
        """Create or replace by UID; ``groups`` are names. The UIDs, in order."""
        with self.edit(kind) as step:
            names = self.group_names()
            uids = [self._put(step.run, step.at, names, contact) for contact in contacts]
            self.keep_groups(step.run, step.at, names)
            step.report["contacts"] = len(uids)
        return uids

    def _put(self, run: int, at: datetime, names: GroupNames, contact: Contact) -> str:
        named = names.to_ids(replace(contact, uid=contact.uid or self.new_id(), updated=None))
        stored = self.store.contacts.by_uid(named.uid)
        if stored is None:
            self.add(run, at, named)
            return named.uid
        self.change(run, at, stored, replace(named, uid=stored.uid))
        return stored.uid

    def add(
        self,
        run: int,
        at: datetime,
        contact: Contact,
        *,
        held: str = "",
        held_for: str = "",
        note: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> int:
        """Insert a contact inside the caller's transaction; its id."""
        times = {path_text(path): at for path in differs(Contact(), contact)}
        contact_id = self.store.contacts.add(contact, at, held=held, held_for=held_for, times=times)
        self.store.journal.note(
            run, "create", at, contact_id=contact_id, before=None, after=contact, note=note, detail=detail
        )
        self._revive_groups(run, at, contact.groups)
        return contact_id

    def change(
        self,
        run: int,
        at: datetime,
        stored: StoredContact,
        contact: Contact,
        note: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> bool:
        """Replace a contact inside the caller's transaction; False when nothing differs. One that comes back
        is not in groups any more that were deleted meanwhile (L39)."""
        if stored.deleted:
            contact = self._without_dead_groups(contact, stored.contact.groups)
        edits = differs(stored.contact, contact)
        if not stored.deleted and contact == stored.contact:
            return False
        times = {**stored.times, **{path_text(path): at for path in edits}}
        self.store.contacts.save(stored.id, contact, at, times=times)
        if stored.deleted:
            self._take_up_again(stored)
        action = "revive" if stored.deleted else "update"
        before = None if stored.deleted else stored.contact
        self.store.journal.note(
            run, action, at, contact_id=stored.id, before=before, after=contact, note=note, detail=detail
        )
        self._revive_groups(run, at, contact.groups - stored.contact.groups)
        return True

    def _without_dead_groups(self, contact: Contact, former: frozenset[str]) -> Contact:
        dead = {group.id for group in self.store.groups.all() if group.deleted_at is not None}
        gone = contact.groups & former & dead
        return replace(contact, groups=contact.groups - gone) if gone else contact

    def _take_up_again(self, stored: StoredContact) -> None:
        """Cards that were let go of when the contact was deleted here only are linked again."""
        for link in self.store.links.of_contact(stored.id):
            if link.state == "left":
                self.store.links.update(link.id, state="recheck")

    def delete(self, names: Iterable[str], *, here_only: bool = False) -> list[StoredContact]:
        """Into the trash; the next round deletes the cards, unless ``here_only``: then they stay at
        the remotes, let go of and remembered as left (L26)."""
        found = [self.find(name) for name in names]
        with self.edit("delete") as step:
            for stored in found:
                self.drop(step.run, step.at, stored)
                for link in self.store.links.of_contact(stored.id) if here_only else ():
                    self.store.links.update(link.id, state="left")
            step.report["contacts"] = len(found)
        return found

    def drop(
        self,
        run: int,
        at: datetime,
        stored: StoredContact,
        note: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Into the trash, inside the caller's transaction."""
        self.store.contacts.bury(stored.id, at)
        self.store.journal.note(
            run,
            "delete",
            at,
            contact_id=stored.id,
            before=stored.contact,
            after=None,
            note=note,
            detail=detail,
        )

    def purge(self, names: Iterable[str]) -> list[StoredContact]:
        """Forget deleted contacts for good (L41); only when they are gone everywhere."""
        found = [self.find(name, deleted=True) for name in names]
        everyone = {stored.id: (*self.store.contacts.merged_into(stored.id), stored.id) for stored in found}
        for stored in found:
            links = self.store.links.of_contacts(everyone[stored.id]).values()
            states = [link.state for some in links for link in some]
            linked = sum(state != "deleted" for state in states)
            if linked:
                raise UsageError(
                    f"{stored.contact.display} still has a card at {linked} remote(s).",
                    hint="Run contactsync sync first, so that the deletion arrives there.",
                )
            if states:  # a list that lags would bring back whom nobody knows any more (L22)
                raise UsageError(
                    f"{stored.contact.display} may still be listed at {len(states)} remote(s).",
                    hint="Run contactsync sync once more, so that it is seen that the card is gone.",
                )
        with self.store.transaction():
            for stored in found:
                for contact_id in everyone[stored.id]:
                    self._forget(contact_id)
            self.store.contacts.sweep_media()
        return found

    def _forget(self, contact_id: int) -> None:
        self.store.journal.forget_contact(contact_id)
        for link in self.store.links.of_contact(contact_id):
            self.store.links.remove(link.id)
        self.store.contacts.forget(contact_id)

    def groups(self) -> list[StoredGroup]:
        """Live groups with the number of their members."""
        counts: dict[str, int] = {}
        for stored in self.store.contacts.live():
            for group_id in stored.contact.groups:
                counts[group_id] = counts.get(group_id, 0) + 1
        live = (g for g in self.store.groups.all() if g.deleted_at is None)
        return [replace(g, members=counts.get(g.id, 0)) for g in live]

    def group(self, name: str) -> StoredGroup:
        for group in self.groups():
            if name in (group.name, group.id):
                return group
        raise UsageError(f"No group {name!r}.", hint="contactsync group list shows all.")

    def rename_group(self, old: str, new: str) -> StoredGroup:
        """P8: one edit of the group; membership is untouched."""
        group = self.group(old)
        if not new.strip():
            raise UsageError("A group needs a name.")
        if any(g.name == new for g in self.groups()):
            raise UsageError(f"There is a group {new!r} already.", hint="Choose another name.")
        with self.edit("group") as step:
            set_group(self.store, step.run, step.at, group.id, new)
        return replace(group, name=new)

    def delete_group(self, name: str) -> StoredGroup:
        """The group goes; its members stay, without it (L39)."""
        group = self.group(name)
        with self.edit("group") as step:
            set_group(self.store, step.run, step.at, group.id, group.name, live=False)
            for stored in self.store.contacts.in_group(group.id):
                left = replace(stored.contact, groups=stored.contact.groups - {group.id})
                self.change(step.run, step.at, stored, left, note=f"group {group.name} deleted")
        return group

    def group_names(self) -> GroupNames:
        return GroupNames(self.store.groups.all(), {}, self.new_id)

    def keep_groups(self, run: int, at: datetime, names: GroupNames) -> None:
        """Store the groups that names turned out to be new for."""
        for group_id, name in names.new.items():
            if self.store.groups.get(group_id) is None:
                set_group(self.store, run, at, group_id, name)

    def with_names(self, contact: Contact) -> Contact:
        """A hub contact with group names instead of ids, for people and files."""
        return self.group_names().to_names(contact)

    def _revive_groups(self, run: int, at: datetime, group_ids: Iterable[str]) -> None:
        for group_id in sorted(group_ids):
            group = self.store.groups.get(group_id)
            if group is not None and group.deleted_at is not None:
                set_group(self.store, run, at, group_id, group.name)


def describe(before: Contact | None, after: Contact | None) -> Mapping[str, tuple[str, str]]:
    """What changed between two states, for people: path -> (old, new)."""
    old = flatten(before or Contact())
    new = aligned(after or Contact(), old)
    paths = [*old.values, *(p for p in new.values if p not in old.values)]
    texts = {path_text(p): (unit_text(p, old.values.get(p)), unit_text(p, new.values.get(p))) for p in paths}
    return {path: pair for path, pair in texts.items() if pair[0] != pair[1]}
