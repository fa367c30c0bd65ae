"""Undo in the worlds (P7): of any run, at once and after others, and the undo of the undo.

What a device was before and after a run is kept as facts, so that nothing of the journal takes part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from contactsync.api import Engine
from tests.simulation import facts
from tests.simulation.facts import Facts
from tests.simulation.oracle import Violation

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

SINGLE = ("surname", "title", "photo", "birthday")


@dataclass(frozen=True)
class Picture:
    """What a person sees of a device: contacts by UID, those held back, and the names of groups by id;
    ``inside`` says by which UIDs others went before they were made part of a contact;
    ``carded`` are groups that somebody made something of their own at a remote: what our own writing made
    there of a group that came from elsewhere goes with it. ``media`` are hashes of pictures: what a remote
    made of one shows the same, and where nobody knows that it was the remote, it is an edit (L12)."""

    contacts: Mapping[str, Facts]
    inside: Mapping[str, Sequence[str]]
    held: frozenset[str]
    groups: Mapping[str, str]
    carded: frozenset[str]
    media: Mapping[str, Sequence[str]]

    def __sub__(self, other: Picture) -> str:
        """How this one differs from another, for people; empty when it does not."""
        lines = []
        for uid in sorted(self.contacts.keys() | other.contacts.keys()):
            mine, theirs = self.contacts.get(uid), other.contacts.get(uid)
            if mine is None or theirs is None:
                lines.append(f"{uid} is {'missing' if mine is None else 'there'}")
            elif mine != theirs:
                lines.append(f"{uid}: {facts.difference(theirs, mine)}")
        if self.held != other.held:
            lines.append(f"held {sorted(self.held ^ other.held)}")
        if differing := {*self.groups.values()} ^ {*other.groups.values()}:
            lines.append(f"groups {sorted(differing)}")
        return "; ".join(lines)


@dataclass(frozen=True)
class Remembered:
    """A run of a device and what it made of it; ``pulled`` when contacts may have come in by it."""

    run: int
    before: Picture
    after: Picture
    pulled: bool


def picture(stage: Stage, who: str) -> Picture:
    engine = stage.devices[who]
    names = engine.hub.group_names()
    live = engine.contacts()
    seen = {}
    for stored in live:
        named = names.to_names(stored.contact)
        seen[stored.uid] = facts.of_contact(named, named.groups, stage.album)
    inside = {stored.uid: engine.store.contacts.aliases_of(stored.id) for stored in live}
    held = frozenset(stored.uid for stored in live if stored.held)
    groups = {group.id: group.name for group in engine.groups()}
    books = [book for account in engine.config.accounts for book in engine.books(account.name, refresh=False)]
    there = frozenset().union(*(engine.store.group_cards.hrefs(book.id) for book in books))
    labels = {name for _, name in stage.labels}
    carded = frozenset(group_id for group_id in there if groups.get(group_id) in labels)
    media = {stored.uid: [medium.sha256 for medium in stored.contact.media] for stored in live}
    return Picture(seen, inside, held, groups, carded, media)


def check_undo(stage: Stage, who: str, known: Remembered) -> None:
    """P7: undone at once, everything is as before the run; undone twice, as after it."""
    engine = stage.devices[who]
    undone = engine.undo(known.run)
    wanted = _as_before(known)
    if told := picture(stage, who) - wanted:
        raise Violation("P7", f"undo of run {known.run} of {who} ({_kind(engine, known.run)}): {told}")
    stage.reached[f"undone {_kind(engine, known.run)}"] += 1
    if undone.run is None:
        return
    engine.undo(undone.run)
    if told := picture(stage, who) - known.after:
        raise Violation("P7", f"undo of the undo of run {known.run} of {who}: {told}")
    stage.reached["undone undo"] += 1


def _as_before(known: Remembered) -> Picture:
    """Who came in from a remote stays, and so do the groups that they are in, and those that are something
    of their own there; a group that the run gave another name is called as before."""
    if not known.pulled:
        return known.before
    came = {uid: now for uid, now in known.after.contacts.items() if uid not in known.before.contacts}
    inside = frozenset().union(*(now["group"] for now in came.values()))
    held = (known.before.held - came.keys()) | (known.after.held & came.keys())
    stays = known.after.carded | {i for i, name in known.after.groups.items() if name in inside}
    groups = {i: name for i, name in known.after.groups.items() if i in stays} | known.before.groups
    former = {name: groups.get(i, name) for i, name in known.after.groups.items()}
    named = {u: {**now, "group": frozenset(map(former.__getitem__, now["group"]))} for u, now in came.items()}
    return replace(known.before, contacts={**known.before.contacts, **named}, held=held, groups=groups)


def check_undone_later(known: Remembered, now: Picture, then: Picture) -> None:
    """P7: what the run changed and nobody changed since has its former value; all else stays as it is. What
    it changed of one who was made part of another since is there at the other (L40)."""
    both = known.before.contacts.keys() & known.after.contacts.keys()
    if lost := both & now.contacts.keys() - then.contacts.keys():
        raise Violation("P7", f"undo of run {known.run} took {', '.join(sorted(lost))} away")
    for uid in sorted(now.contacts.keys() & then.contacts.keys()):
        for unit in SINGLE:
            wanted = now.contacts[uid][unit]
            for one in sorted(both & {uid, *now.inside[uid]}):
                before, after = known.before.contacts[one][unit], known.after.contacts[one][unit]
                if unit != "photo" or known.after.media[one] == now.media[uid]:
                    wanted = _without_it(unit, before, after, wanted)
            if (right := then.contacts[uid][unit]) != wanted:
                told = f"{sorted(right)}, not {sorted(wanted)}"
                raise Violation("P7", f"undo of run {known.run} left {unit} of {uid} at {told}")


def _without_it(
    unit: str, before: frozenset[str], after: frozenset[str], left: frozenset[str]
) -> frozenset[str]:
    """What a unit is without what a run made of it. Of several titles those go that it brought, if they are
    still there, those come back that it took away, and the others stay."""
    if left == after:
        return before
    brought = after - before
    still = brought <= left and (brought or unit == "title")
    return left - brought | before - after if still else left


def _kind(engine: Engine, run: int) -> str:
    return engine.run(run)[0].kind
