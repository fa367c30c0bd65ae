"""Taking back: a run, a deletion, or one edit that was sent (P7).

Each is an ordinary edit: it has a history, the next round carries it, and it can be taken back as well.
What somebody changed since stays as it is, and is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from contactsync.engine.hub import HubEdits, Step
from contactsync.engine.merging import bury_into, change_inside, part, part_anew, without_merge
from contactsync.engine.resolving import reopen
from contactsync.engine.steps import keep_apart, set_group, set_held
from contactsync.errors import UsageError
from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.fields import path_title
from contactsync.store.values import JournalRow, StoredContact
from contactsync.sync.diff import differs
from contactsync.sync.merge import Merged, merge
from contactsync.sync.types import Base, Hub, Live, Policy


@frozen
class Left:
    """What an undo leaves as it is: whose, and why. ``command`` are the words after ``contactsync`` that
    do it all the same, where there are any."""

    name: str
    reason: str
    command: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@frozen
class Undone:
    """What an undo did. ``run`` is the run that it is, None when there was nothing to do; ``restored`` and
    ``groups`` count contacts and groups; ``sent`` are the steps of edits that the undone run sent: their
    former values come back by `take_sent`, one by one."""

    run: int | None
    restored: int
    groups: int
    left: tuple[Left, ...]
    sent: tuple[JournalRow, ...] = ()


def undo(hub: HubEdits, run_id: int) -> Undone:
    """P7: each unit that the run changed and no one changed since gets its value back. Raises `UsageError`
    where nothing is known of such a run any more."""
    journal = hub.store.journal
    if journal.run(run_id) is None:
        raise UsageError(f"No run {run_id}.", hint="contactsync run list shows those that are remembered.")
    rows = journal.of_run(run_id)
    local = [row for row in rows if row.side == "local"]
    sent = [row for row in rows if _is_sent(row)]
    if not local and not sent:
        raise UsageError(
            f"Nothing of run {run_id} can be taken back: it changed nothing here, or that is forgotten.",
            hint=f"contactsync run show {run_id} says what it did, contactsync run list shows the others.",
        )
    with hub.edit("undo") as step:
        undoing = _Undoing(hub, step)
        undoing.rows(local)
        step.report["undoes"] = run_id
        # what only carried on an edit that came in by the run is as before already
        offered = tuple(row for row in sent if undoing.is_in_force(row))
    return undoing.told(offered)


def _is_sent(row: JournalRow) -> bool:
    return row.side == "remote" and row.action == "update" and row.state == "done"


def restore(hub: HubEdits, names: Iterable[str]) -> list[StoredContact]:
    """Out of the trash, with the last full content, also at the remotes. One that was made part of
    another contact parts from it, and the other gives back what it took over."""
    found = [hub.find(name, deleted=True) for name in names]
    with hub.edit("restore") as step:
        undoing = _Undoing(hub, step)
        for stored in found:
            if stored.merged_into is None:
                hub.change(step.run, step.at, stored, stored.contact)
            elif steps := _merge_of(hub, stored):
                undoing.rows(steps)
            else:
                part(hub, step.run, step.at, stored, without_merge(stored))
        step.report["contacts"] = len(found)
    return [stored for stored in map(hub.store.contacts.get, [c.id for c in found]) if stored is not None]


def _merge_of(hub: HubEdits, twin: StoredContact) -> Sequence[JournalRow]:
    """The steps by which a contact was made part of another one; none where they are forgotten."""
    own = [row for row in hub.store.journal.of_contact(twin.id) if "merged" in row.detail]
    if not own:
        return []
    into = own[-1].detail["merged"]["into"]
    return [
        row
        for row in hub.store.journal.of_run(own[-1].run_id)
        if row.id == own[-1].id or (row.contact_id == into and row.side == "local")
    ]


def take_sent(hub: HubEdits, step_id: int, run_id: int) -> Undone:
    """The values that a remote had before a run sent an edit there, where nobody changed them since."""
    row = hub.store.journal.step(step_id)
    if row is None or row.run_id != run_id or not _is_sent(row) or row.before is None or row.after is None:
        raise UsageError(
            f"Run {run_id} sent no edit {step_id}.",
            hint=f"contactsync run undo {run_id} names those it sent.",
        )
    with hub.edit("undo") as step:
        undoing = _Undoing(hub, step)
        undoing.content(row.contact_id, row.before, row.after)
        step.report["undoes"] = row.run_id
    return undoing.told()


@dataclass(slots=True)
class _Undoing:
    """One undo under way. ``done`` are the contacts (ids) and groups (texts) that it changed."""

    hub: HubEdits
    step: Step
    left: list[Left] = field(default_factory=list)
    done: set[int | str] = field(default_factory=set)

    def told(self, sent: tuple[JournalRow, ...] = ()) -> Undone:
        people = sum(isinstance(one, int) for one in self.done)
        run = self.step.run if self.done else None
        return Undone(run, people, len(self.done) - people, tuple(self.left), sent)

    def rows(self, rows: Sequence[JournalRow]) -> None:
        """Groups that went, what was done beside contents, contents, and the groups that came."""
        groups = [row for row in reversed(rows) if "group" in row.detail]
        for row in groups:
            if row.detail["group"][1] is not None:
                self._group(row.collection_id, *row.detail["group"])
        plain = [row for row in rows if not row.detail]
        for row in reversed(rows):
            if row.detail and "group" not in row.detail:
                self._beside(row)
        for change in reversed(_changes(plain)):
            self._contact(change)
        for row in groups:
            if row.detail["group"][1] is None:
                self._group(row.collection_id, *row.detail["group"])

    def _beside(self, row: JournalRow) -> None:
        match row.detail:
            case {"conflict": settled}:
                self._conflict(settled)
            case {"apart": [one, other, before]}:
                self._apart(one, other, apart=before)
            case {"held": [before, after]}:
                self._held(row, before, after)
            case {"merged": merged}:
                self._merged(row, merged)
            case {"parted": parted}:
                self._parted(row, parted["from"])
            case _:
                raise AssertionError(f"a step with a detail that nobody takes back: {row.detail}")

    # --- contacts ---

    def _contact(self, change: _Change) -> None:
        if change.before is None and change.after is not None:
            self._arrival(change, change.after)
        elif change.after is None and change.before is not None:
            self._removal(change.contact_id, change.before)
        elif change.before is not None and change.after is not None:
            self.content(change.contact_id, change.before, change.after)

    def content(self, contact_id: int | None, before: Contact, after: Contact) -> None:
        """Take the edits between two states back, where no one edited since."""
        stored = self._living(contact_id)
        if stored is None:
            self.left.append(Left(after.display, "is forgotten for good"))
        elif stored.deleted:
            self.left.append(
                Left(stored.contact.display, "is in the trash", ("contact", "restore", stored.uid))
            )
        else:
            contact = self._taken_back(stored, before, after)
            if self.hub.change(self.step.run, self.step.at, stored, contact, note="undo"):
                self.done.add(stored.id)
        inside = self._stored(contact_id)
        if inside is not None and inside.merged_into is not None:
            own = replace(_without(inside.contact, before, after).local, uid=inside.uid)
            change_inside(self.hub, self.step.run, self.step.at, inside, own, note="undo")

    def is_in_force(self, row: JournalRow) -> bool:
        """Has the contact a value that this step brought, and nobody changed since?"""
        stored = self._living(row.contact_id)
        if stored is None or stored.deleted or row.before is None or row.after is None:
            return False
        return bool(differs(stored.contact, _without(stored.contact, row.before, row.after).local))

    def _taken_back(self, stored: StoredContact, before: Contact, after: Contact) -> Contact:
        result = _without(stored.contact, before, after)
        name = stored.contact.display
        self.left += [Left(name, f"{path_title(c.path)} was changed again since") for c in result.clashes]
        return replace(result.local, uid=stored.uid)

    def _arrival(self, change: _Change, after: Contact) -> None:
        """A contact that was made, came in or was brought back by the run."""
        stored = self._stored(change.contact_id)
        if stored is None or stored.deleted:
            if stored is not None and stored.merged_into is not None:
                self.left.append(Left(after.display, "is part of another contact by now"))
        elif change.came_in:
            here_only = ("contact", "delete", "--here-only", stored.uid)
            reason = "came from a remote and stays there; it can be taken off this device only"
            self.left.append(Left(stored.contact.display, reason, here_only))
        elif differs(after, stored.contact):
            delete = ("contact", "delete", stored.uid)
            self.left.append(Left(stored.contact.display, "was changed since", delete))
        else:
            self.hub.drop(self.step.run, self.step.at, stored, note="undo")
            self.done.add(stored.id)

    def _removal(self, contact_id: int | None, before: Contact) -> None:
        stored = self._stored(contact_id)
        if stored is None:
            self._made_anew(before)
        elif not stored.deleted:
            self.left.append(Left(stored.contact.display, "is not in the trash any more"))
        elif stored.merged_into is not None:
            self.left.append(Left(before.display, "is part of another contact by now"))
        else:
            contact = replace(before, uid=stored.uid)
            self.hub.change(self.step.run, self.step.at, stored, contact, note="undo")
            self.done.add(stored.id)

    def _made_anew(self, before: Contact) -> None:
        """Its tombstone is forgotten; its content is still in the journal."""
        uid = before.uid
        if not uid or self.hub.store.contacts.by_uid(uid) is not None:
            uid = self.hub.new_id()
        contact = replace(before, uid=uid)
        self.done.add(self.hub.add(self.step.run, self.step.at, contact, note="undo"))

    # --- what is beside contents ---

    def _merged(self, row: JournalRow, merged: dict[str, Any]) -> None:
        run, at = self.step.run, self.step.at
        # with a tombstone that is forgotten, its steps went to the one that it was part of
        twin = self._stored(merged["twin"])
        named = self.hub.store.contacts.by_uid(merged["uid"])
        if twin is not None and twin.deleted:
            known = merged if twin.merged_into is not None else without_merge(twin)
            part(self.hub, run, at, twin, known)
            self.done.add(twin.id)
        elif row.before is not None and (named is None or named.uid != merged["uid"]):
            self.done.add(part_anew(self.hub, run, at, row.before, merged))
        else:
            self.left.append(Left(named.contact.display if named else "", "is its own again already"))

    def _parted(self, row: JournalRow, survivor_id: int | None) -> None:
        """An undone merge is made again."""
        twin = self._stored(row.contact_id)
        survivor = self._living(survivor_id)
        if twin is None or twin.deleted or survivor is None or survivor.id == twin.id:
            name = row.after.display if row.after else ""
            self.left.append(Left(name, "cannot be merged again, as one of the two is gone"))
            return
        bury_into(self.hub, self.step.run, self.step.at, survivor, twin)
        self.done.add(twin.id)

    def _group(self, book: int | None, group_id: str, before: str | None, after: str | None) -> None:
        store = self.hub.store
        group = store.groups.get(group_id)
        now = group.name if group is not None and group.deleted_at is None else None
        taken = {g.name for g in store.groups.all() if g.deleted_at is None and g.id != group_id}
        name = before or after or ""
        if now == before:
            return
        if now != after:
            self.left.append(Left(f"Group {now or name}", "was changed again since"))
        elif before in taken:
            self.left.append(Left(f"Group {now}", f"another group is called {before} by now"))
        elif before is None and store.contacts.in_group(group_id):
            self.left.append(Left(f"Group {now}", "has members", ("group", "delete", name)))
        elif before is None and book is not None and group_id in store.group_cards.hrefs(book):
            reason = "came from a remote and stays there; to delete it here deletes it there as well"
            self.left.append(Left(f"Group {now}", reason, ("group", "delete", name)))
        else:
            live = before is not None
            set_group(store, self.step.run, self.step.at, group_id, name, live=live)
            self.done.add(group_id)

    def _held(self, row: JournalRow, before: list[str], after: list[str]) -> None:
        stored = self._stored(row.contact_id)
        if stored is not None and [stored.held, stored.held_for] == after:
            set_held(self.hub.store, self.step.run, self.step.at, stored, *before)
            self.done.add(stored.id)

    def _apart(self, one: str, other: str, *, apart: bool) -> None:
        store = self.hub.store
        first, second = store.contacts.by_uid(one), store.contacts.by_uid(other)
        if first is not None and second is not None and first.id != second.id:
            keep_apart(store, self.step.run, self.step.at, first, second, apart=apart)
            self.done.add(first.id)

    def _conflict(self, settled: dict[str, Any]) -> None:
        left = reopen(self.hub, self.step.run, self.step.at, settled)
        if left:
            number = str(settled["id"])
            self.left.append(Left(f"Conflict {number}", left, ("conflict", "show", number)))

    # --- who is meant ---

    def _stored(self, contact_id: int | None) -> StoredContact | None:
        return self.hub.store.contacts.get(contact_id) if contact_id is not None else None

    def _living(self, contact_id: int | None) -> StoredContact | None:
        """Who holds the values of a contact by now: it, or the one that it was made part of."""
        stored = self._stored(contact_id)
        if stored is not None and stored.merged_into is not None:
            return self.hub.store.contacts.get(stored.merged_into)
        return stored


def _without(now: Contact, before: Contact, after: Contact) -> Merged:
    """``now`` without the edits between ``before`` and ``after``; what was changed or removed since clashes,
    and stays so."""
    return merge(
        base=Base(after, after),
        hub=Hub(now),
        remote=Live(before),
        project=lambda contact: contact,
        policy=Policy.DEVICE,
        stays=True,
    )


@frozen
class _Change:
    """All that a run did to the content of one contact; None where it is not there, or in the trash.
    ``came_in`` says that a remote had its part in it."""

    contact_id: int | None
    before: Contact | None
    after: Contact | None
    came_in: bool


def _changes(rows: Iterable[JournalRow]) -> list[_Change]:
    """Steps of one contact that follow each other are one change. Others stand for themselves: those of
    somebody whose tombstone is forgotten, which are nobody's by now, or of who took them over (L40)."""
    found: list[_Change] = []
    places: dict[int, list[int]] = {}
    for row in rows:
        before = None if row.action == "revive" else row.before
        came_in = row.collection_id is not None
        own = places.setdefault(row.contact_id, []) if row.contact_id is not None else []
        place = next((place for place in own if found[place].after == before), None)
        if place is None:
            own.append(len(found))
            found.append(_Change(row.contact_id, before, row.after, came_in))
        else:
            known = found[place]
            found[place] = replace(known, after=row.after, came_in=known.came_in or came_in)
    return found
