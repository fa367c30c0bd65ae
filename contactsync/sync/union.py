"""Two contacts that are one (L40): what the one that remains takes over, wherever they were merged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from contactsync.model.contact import Contact, Note
from contactsync.model.fields import FIELD, Kind, build, email_class, flatten, note_form, phone_class
from contactsync.sync.diff import aligned, apply
from contactsync.sync.merge import Project, merge
from contactsync.sync.types import NO_BASE, Clash, Hub, Live, Policy


def unite(first: Contact, second: Contact) -> tuple[Contact, tuple[Clash, ...]]:
    """``first`` with everything of ``second``, and what they contradict each other in; notes become one."""
    merged = merge(NO_BASE, Hub(first), Live(second), project=lambda contact: contact, policy=Policy.DEVICE)
    clashes = [clash for clash in merged.clashes if not FIELD[clash.path[0]].by_lines]
    if len(clashes) == len(merged.clashes):
        return merged.local, merged.clashes
    notes = (_joined(first.notes, second.notes), *merged.local.notes[1:])
    return replace(merged.local, notes=notes), tuple(clashes)


def _joined(first: Iterable[Note], second: Iterable[Note]) -> Note:
    one, two = (next(iter(notes)) for notes in (first, second))
    lines = note_form(one.text).split("\n")
    new = [line for line in note_form(two.text).split("\n") if line not in lines]
    return replace(one, text="\n".join([*lines, *new]))


def left_behind(contact: Contact, project: Project) -> Contact:
    """The entries of a contact that a remote has no place for."""
    units = flatten(contact)
    shown = aligned(project(contact), units)
    gone = {
        path: None
        for path in units.values
        if FIELD[path[0]].kind is not Kind.KEYED or path[:2] in shown.values
    }
    return build(apply(units, gone, units), contact.uid)


def strong_values(contact: Contact) -> frozenset[str]:
    """What a person is reached by."""
    emails = (f"e-mail {email_class(email)}" for email in contact.emails)
    return frozenset([*emails, *(f"phone {phone_class(phone)}" for phone in contact.phones)])


def taken_over(gone: Contact, before: Contact, after: Contact) -> frozenset[str]:
    """Strong values of a card that is gone which another card had not, and has now."""
    return strong_values(gone) & (strong_values(after) - strong_values(before))
