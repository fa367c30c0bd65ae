"""Whether the replicas of the demo agree, and whether every value is still somewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, Kind, flatten, fold, path_text
from contactsync.store.values import StoredConflict
from contactsync.sync.diff import differs

Value = tuple[str, str]
"""A field and the class of a value in it."""

Cards = Mapping[str, Contact]
"""Contacts by the href of their card."""


def values_of(contact: Contact) -> dict[Value, str]:
    """All values of a contact, each with its text for people."""
    found: dict[Value, str] = {}
    for path, value in flatten(contact).values.items():
        row = FIELD[path[0]]
        if len(path) > 2:
            continue  # labels and the like go with their values
        if row.kind is Kind.SET:
            found[path[0], path[1]] = path[1]
        elif path[0] == "name":
            found["name", fold(contact.display)] = contact.display
        else:
            found[path[0], row.value_class(value)] = row.text(value)
    return found


def disagreements(ours: str, mine: Cards, theirs_name: str, theirs: Cards) -> list[str]:
    """What two replicas do not have in common, in words."""
    found = [
        f"{mine[href].display} is missing: {theirs_name}" for href in sorted(mine.keys() - theirs.keys())
    ]
    found += [f"{theirs[href].display} is missing: {ours}" for href in sorted(theirs.keys() - mine.keys())]
    for href in sorted(mine.keys() & theirs.keys()):
        edits = differs(mine[href], theirs[href])
        if edits:
            paths = ", ".join(path_text(path) for path in list(edits)[:3])
            found.append(f"{mine[href].display} differs between {ours} and {theirs_name}: {paths}")
    return found


@dataclass(slots=True)
class Ledger:
    """Every value that somebody set, besides those that a person replaced or deleted on purpose."""

    values: dict[Value, str] = field(default_factory=dict)

    def add(self, contact: Contact) -> None:
        self.values.update(values_of(contact))

    def edit(self, before: Contact, after: Contact) -> None:
        """A person changed a contact: what it does not say any more may go."""
        old, new = values_of(before), values_of(after)
        for value in old.keys() - new.keys():
            self.values.pop(value, None)
        self.values.update({value: new[value] for value in new.keys() - old.keys()})

    def lost(self, replicas: Iterable[Contact], conflicts: Iterable[StoredConflict]) -> list[str]:
        """The values that are in no replica and in no conflict record."""
        there = {value for contact in replicas for value in values_of(contact)}
        record = json.dumps([[c.base, c.local, c.remote] for c in conflicts], ensure_ascii=False)
        missing = (text for value, text in self.values.items() if value not in there)
        return sorted(text for text in missing if json.dumps(text, ensure_ascii=False)[1:-1] not in record)
