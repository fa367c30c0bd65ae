"""Edits of the device database by a person: put, delete, restore, merge, groups, undo, resolve.

Each is one transaction with its journal rows, so that it has a history, can be undone, and crosses
to the remotes with the next round. Nothing here talks to a remote.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from contactsync.engine.groupnames import GroupNames
from contactsync.engine.merging import become_one
from contactsync.errors import UsageError
from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, Kind, Path, build, flatten, parse_path, path_text, unit_text
from contactsync.store.store import Store
from contactsync.store.values import JournalRow, StoredContact, StoredGroup
from contactsync.sync.diff import aligned, apply, differs
from contactsync.sync.merge import merge
from contactsync.sync.types import Base, Hub, Live, Policy
from contactsync.sync.union import unite


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did: edits taken back, and what it left with the reason and the way out."""

    restored: int
    left: tuple[str, ...]


class HubEdits:
    """The person's hand on the device database. Raises `UsageError` with what to do instead."""

    def __init__(self, store: Store, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id

    def find(self, name: str, *, deleted: bool = False) -> StoredContact:
        """One contact by uid, prefix or exact name; live ones unless ``deleted``."""
        found = [c for c in self._store.contacts.find(name) if c.deleted == deleted]
        if not found:
            where = "in the trash" if deleted else "on this device"
            raise UsageError(f"No contact {name!r} {where}.", hint="contactsync contact list shows all.")
        if len(found) > 1:
            few = ", ".join(f"{c.contact.display} ({c.uid[:8]})" for c in found[:5])
            raise UsageError(f"{name!r} fits several contacts: {few}.", hint="Give more of the UID.")
        return found[0]

    def put(self, contacts: Sequence[Contact], kind: str = "edit") -> list[str]:
        """Create or replace by UID; ``groups`` are names. The UIDs, in order."""
        with self._store.transaction():
            at = self._now()
            run = self._store.journal.start_run(kind, at)
            names = self.group_names()
            uids = [self._put(run, at, names, contact) for contact in contacts]
            self.keep_groups(names, at)
            self._store.journal.end_run(run, at, "ok", {"contacts": len(uids)})
        return uids

    def _put(self, run: int, at: datetime, names: GroupNames, contact: Contact) -> str:
        named = names.to_ids(replace(contact, uid=contact.uid or self._new_id(), updated=None))
        stored = self._store.contacts.by_uid(named.uid)
        if stored is None:
            self.add(run, at, named)
            return named.uid
        self.change(run, at, stored, replace(named, uid=stored.uid))
        return stored.uid

    def add(self, run: int, at: datetime, contact: Contact, held: str = "", note: str = "") -> int:
        """Insert a contact inside the caller's transaction; its id."""
        times = {path_text(path): at for path in differs(Contact(), contact)}
        contact_id = self._store.contacts.add(contact, at, held=held, times=times)
        self._store.journal.note(
            run, "create", at, contact_id=contact_id, before=None, after=contact, note=note
        )
        self._revive_groups(contact.groups, at)
        return contact_id

    def change(self, run: int, at: datetime, stored: StoredContact, contact: Contact, note: str = "") -> bool:
        """Replace a contact inside the caller's transaction; False when nothing differs."""
        edits = differs(stored.contact, contact)
        if not stored.deleted and contact == stored.contact:
            return False
        times = {**stored.times, **{path_text(path): at for path in edits}}
        self._store.contacts.save(stored.id, contact, at, times=times)
        if stored.deleted:
            self._take_up_again(stored)
        action = "revive" if stored.deleted else "update"
        before = None if stored.deleted else stored.contact
        self._store.journal.note(
            run, action, at, contact_id=stored.id, before=before, after=contact, note=note
        )
        self._revive_groups(contact.groups - stored.contact.groups, at)
        return True

    def _take_up_again(self, stored: StoredContact) -> None:
        """Cards that were let go of when the contact was deleted here only are linked again."""
        for link in self._store.links.of_contact(stored.id):
            if link.state == "left":
                self._store.links.update(link.id, state="recheck")

    def delete(self, names: Iterable[str], *, here_only: bool = False) -> list[StoredContact]:
        """Into the trash; the next round deletes the cards, unless ``here_only``: then they stay at
        the remotes, let go of and remembered as left (L26)."""
        found = [self.find(name) for name in names]
        with self._store.transaction():
            at = self._now()
            run = self._store.journal.start_run("delete", at)
            for stored in found:
                self.drop(run, at, stored)
                for link in self._store.links.of_contact(stored.id) if here_only else ():
                    self._store.links.update(link.id, state="left")
            self._store.journal.end_run(run, at, "ok", {"contacts": len(found)})
        return found

    def drop(self, run: int, at: datetime, stored: StoredContact, note: str = "") -> None:
        self._store.contacts.bury(stored.id, at)
        self._store.journal.note(
            run, "delete", at, contact_id=stored.id, before=stored.contact, after=None, note=note
        )

    def restore(self, names: Iterable[str]) -> list[StoredContact]:
        """Out of the trash, with the last full content, also at the remotes."""
        found = [self.find(name, deleted=True) for name in names]
        with self._store.transaction():
            at = self._now()
            run = self._store.journal.start_run("restore", at)
            for stored in found:
                self.change(run, at, stored, stored.contact)
            self._store.journal.end_run(run, at, "ok", {"contacts": len(found)})
        return found

    def purge(self, names: Iterable[str]) -> list[StoredContact]:
        """Forget deleted contacts for good (L41); only when they are gone everywhere."""
        found = [self.find(name, deleted=True) for name in names]
        for stored in found:
            linked = [link for link in self._store.links.of_contact(stored.id) if link.state != "deleted"]
            if linked:
                raise UsageError(
                    f"{stored.contact.display} still has a card at {len(linked)} remote(s).",
                    hint="Run contactsync sync first, so that the deletion arrives there.",
                )
        with self._store.transaction():
            for stored in found:
                self._store.journal.forget_contact(stored.id)
                for link in self._store.links.of_contact(stored.id):
                    self._store.links.remove(link.id)
                self._store.contacts.forget(stored.id)
            self._store.contacts.sweep_media()
        return found

    def merge(self, survivor: str, other: str) -> StoredContact:
        """L40: one contact with all values and both histories; the other's uid becomes an alias.

        The other's cards stay with its tombstone and are deleted; where it alone had one, the next round
        creates one for the survivor: a card that other devices know by its UID as the other person
        must not become this one.
        """
        first, second = self.find(survivor), self.find(other)
        if first.id == second.id:
            raise UsageError("These are the same contact already.")
        both, _ = unite(first.contact, second.contact)
        with self._store.transaction():
            at = self._now()
            run = self._store.journal.start_run("merge", at)
            self.change(run, at, first, both, note=f"merged with {second.uid}")
            self._store.contacts.hold(first.id, "")
            books = {link.collection_id for link in self._store.links.of_contact(first.id)}
            for link in self._store.links.of_contact(second.id):
                if link.state in ("left", "away") and link.collection_id not in books:
                    self._store.links.hand_to(link.id, first.id)
            self.drop(run, at, second, note=f"merged into {first.uid}")
            become_one(self._store, second, first, self._new_id())
            self._store.journal.end_run(run, at, "ok", {"contacts": 2})
        return self.find(first.uid)

    def groups(self) -> list[StoredGroup]:
        """Live groups with the number of their members."""
        counts: dict[str, int] = {}
        for stored in self._store.contacts.live():
            for group_id in stored.contact.groups:
                counts[group_id] = counts.get(group_id, 0) + 1
        live = (g for g in self._store.groups.all() if g.deleted_at is None)
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
        with self._store.transaction():
            at = self._now()
            run = self._store.journal.start_run("group", at)
            self._store.groups.update(group.id, at, name=new)
            self._store.journal.note(
                run, "rename-group", at, contact_id=None, before=None, after=None, note=f"{old} -> {new}"
            )
            self._store.journal.end_run(run, at, "ok", {})
        return replace(group, name=new)

    def delete_group(self, name: str) -> StoredGroup:
        """The group goes; its members stay, without it (L39)."""
        group = self.group(name)
        with self._store.transaction():
            at = self._now()
            run = self._store.journal.start_run("group", at)
            self._store.groups.update(group.id, at, name=group.name, deleted_at=at)
            for stored in self._store.contacts.in_group(group.id):
                left = replace(stored.contact, groups=stored.contact.groups - {group.id})
                self.change(run, at, stored, left, note=f"group {group.name} deleted")
            self._store.journal.end_run(run, at, "ok", {})
        return group

    def group_names(self) -> GroupNames:
        return GroupNames(self._store.groups.all(), {}, self._new_id)

    def keep_groups(self, names: GroupNames, at: datetime) -> None:
        """Store the groups that names turned out to be new for."""
        for group_id, name in names.new.items():
            if not any(g.id == group_id for g in self._store.groups.all()):
                self._store.groups.add(group_id, name, at)

    def with_names(self, contact: Contact) -> Contact:
        """A hub contact with group names instead of ids, for people and files."""
        return self.group_names().to_names(contact)

    def _revive_groups(self, group_ids: Iterable[str], at: datetime) -> None:
        wanted = set(group_ids)
        for group in self._store.groups.all():
            if group.id in wanted and group.deleted_at is not None:
                self._store.groups.update(group.id, at, name=group.name)

    def undo(self, run_id: int) -> Undone:
        """P7: each hub unit that the run changed and no one changed since gets its value back."""
        rows = [row for row in self._store.journal.of_run(run_id) if row.side == "local"]
        if not rows:
            raise UsageError(f"Run {run_id} changed nothing on this device.", hint="contactsync run list")
        left: list[str] = []
        restored = 0
        with self._store.transaction():
            at = self._now()
            run = self._store.journal.start_run("undo", at)
            for row in reversed(rows):
                restored += self._undo_row(run, at, row, left)
            self._store.journal.end_run(run, at, "ok", {"undoes": run_id})
        return Undone(restored, tuple(left))

    def _undo_row(self, run: int, at: datetime, row: JournalRow, left: list[str]) -> int:
        stored = self._store.contacts.get(row.contact_id) if row.contact_id is not None else None
        if stored is None:
            left.append(f"{row.action}: nothing to take back on a contact any more")
            return 0
        name = stored.contact.display
        if row.before is None and row.after is not None:
            return self._undo_arrival(run, at, row, stored, left)
        if row.after is None and row.before is not None:
            if not stored.deleted:
                left.append(f"{name}: lives again already")
                return 0
            return int(self.change(run, at, stored, replace(row.before, uid=stored.uid), note="undo"))
        assert row.before is not None and row.after is not None
        contact = _taken_back(stored.contact, row.before, row.after, left)
        return int(self.change(run, at, stored, contact, note="undo")) if not stored.deleted else 0

    def _undo_arrival(
        self, run: int, at: datetime, row: JournalRow, stored: StoredContact, left: list[str]
    ) -> int:
        if stored.deleted:
            return 0
        if row.collection_id is not None:
            left.append(
                f"{stored.contact.display}: came from a remote and stays there. "
                f"To take it off this device only: contactsync contact delete --here-only {stored.uid}"
            )
            return 0
        self.drop(run, at, stored, note="undo")
        return 1

    def resolve(self, conflict_id: int, take: str) -> bool:
        """Settle a conflict by an edit of the hub; False when the contact shows that value already.

        ``take``: device, remote, both, newest.
        """
        found = self._store.journal.conflicts(conflict_id=conflict_id)
        if not found:
            raise UsageError(f"No conflict {conflict_id}.", hint="contactsync conflict list")
        conflict = found[0]
        stored = self._store.contacts.get(conflict.contact_id)
        if stored is None:
            raise UsageError(f"The contact of conflict {conflict_id} is gone for good.")
        contact = _resolved(stored, conflict.path, self._wanted(conflict, stored, take))
        with self._store.transaction():
            at = self._now()
            run = self._store.journal.start_run("resolve", at)
            changed = self._carry_resolution(run, at, stored, contact)
            self._move_shadows(conflict.collection_id, stored, conflict.path, conflict.status, take)
            self._store.journal.close_conflict(conflict_id, winner=take)
            self._store.journal.end_run(run, at, "ok", {"conflict": conflict_id})
        return changed

    def _wanted(self, conflict: Any, stored: StoredContact, take: str) -> Any:
        values = {"device": conflict.local, "remote": conflict.remote}
        if take == "newest":
            take = conflict.winner or "device"
        if take == "both":
            return _both(conflict.path, conflict.local, conflict.remote)
        return values[take]

    def _carry_resolution(
        self, run: int, at: datetime, stored: StoredContact, contact: Contact | None
    ) -> bool:
        if contact is None:
            if stored.deleted:
                return False
            self.drop(run, at, stored, note="resolve")
            return True
        return self.change(run, at, stored, contact, note="resolve")

    def _move_shadows(
        self, collection_id: int | None, stored: StoredContact, path: str, status: str, take: str
    ) -> None:
        """An open question held the shadows of its unit back (L18); the answer lets them move: the
        remote's present value becomes the base, so that only the answer is an edit."""
        if status != "open" or collection_id is None:
            return
        conflicts = {
            c.path: c for c in self._store.journal.conflicts(contact_id=stored.id) if c.status == "open"
        }
        remote = _value(parse_path(path), conflicts[path].remote) if path in conflicts else None
        for link in self._store.links.of_contact(stored.id):
            if link.collection_id == collection_id:
                local = _with_unit(link.base.local, parse_path(path), remote)
                far = _with_unit(link.base.remote, parse_path(path), remote)
                base = replace(link.base, local=local, remote=replace(far, uid=link.card_uid))
                self._store.links.rebase(link.id, base, state="recheck" if take != "remote" else link.state)


def _taken_back(now: Contact, before: Contact, after: Contact, left: list[str]) -> Contact:
    """``now`` without the edits between ``before`` and ``after``, where no one edited since."""
    result = merge(
        base=Base(after, after), hub=Hub(now), remote=Live(before), project=lambda c: c, policy=Policy.DEVICE
    )
    left += [f"{now.display}: {path_text(clash.path)} was changed again since" for clash in result.clashes]
    return replace(result.local, uid=now.uid)


def _value(path: Path, content: Any) -> Any:
    """A unit's value from the JSON form that a conflict row keeps."""
    if content is None or not isinstance(content, dict):
        return content
    if path == ("contact",):
        return jsonform.from_json(Contact, content)
    hint = typing.get_type_hints(Contact)[path[0]]
    kind = typing.get_args(hint)[0] if FIELD[path[0]].kind is Kind.KEYED else hint
    return jsonform.from_json(kind, content)


def _with_unit(contact: Contact, path: Path, value: Any) -> Contact:
    units = flatten(contact)
    return build(apply(units, {path: value}, units), contact.uid)


def _resolved(stored: StoredContact, path_name: str, content: Any) -> Contact | None:
    path = parse_path(path_name)
    value = _value(path, content)
    if path == ("contact",):
        return replace(value, uid=stored.uid) if value is not None else None
    return _with_unit(stored.contact, _present_path(stored.contact, path, value), value)


def _present_path(contact: Contact, path: Path, value: Any) -> Path:
    """The path under which the unit stands in the contact now: its entry may have been edited, so
    that the key of the record is not its key any more."""
    units = flatten(contact)
    if len(path) != 2 or path in units.values or FIELD[path[0]].kind is not Kind.KEYED:
        return path
    bucket = FIELD[path[0]].bucket
    keys = units.order.get(path[0], ())
    same = [key for key in keys if value is not None and bucket(units.values[path[0], key]) == bucket(value)]
    return (path[0], same[0]) if len(same) == 1 else path


def _both(path_name: str, local: Any, remote: Any) -> Any:
    """Both values where the unit can hold them: texts by lines."""
    path = parse_path(path_name)
    if len(path) == 2 and FIELD[path[0]].by_lines and local and remote:
        return {**local, "text": f"{local['text']}\n{remote['text']}"}
    raise UsageError(
        f"{path_name} can hold one value only.",
        hint="Take one: contactsync conflict resolve ID --take device|remote",
    )


def describe(before: Contact | None, after: Contact | None) -> Mapping[str, tuple[str, str]]:
    """What changed between two states, for people: path -> (old, new)."""
    old = flatten(before or Contact())
    new = aligned(after or Contact(), old)
    paths = [*old.values, *(p for p in new.values if p not in old.values)]
    texts = {path_text(p): (unit_text(p, old.values.get(p)), unit_text(p, new.values.get(p))) for p in paths}
    return {path: pair for path, pair in texts.items() if pair[0] != pair[1]}
