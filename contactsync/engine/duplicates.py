"""Contacts on this device that may be the same person (L27, L29): finding them, and what a person says.

Two that are the same are merged (`contactsync.engine.merging`). That two are not the same is remembered, and
lets go of the one that was held back for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from contactsync.engine.hub import HubEdits
from contactsync.engine.steps import keep_apart, set_held
from contactsync.errors import UsageError
from contactsync.frozen import frozen
from contactsync.store.store import Store
from contactsync.store.values import StoredContact

if TYPE_CHECKING:
    from contactsync.sync.match import Pair


@frozen
class Candidate:
    """Two that may be the same: ``one`` is the one to keep. ``other`` is None where the one that ``one`` is
    held back for is gone. ``score`` is from 0 to 1; ``sure`` ones differ in nothing that matters."""

    one: StoredContact
    other: StoredContact | None
    score: float
    reasons: tuple[str, ...]
    sure: bool

    @property
    def held(self) -> bool:
        """Does somebody wait for the answer?"""
        return bool(self.one.held or (self.other is not None and self.other.held))


def candidates(store: Store, region: str = "") -> list[Candidate]:
    """All pairs above the review threshold of which nobody said anything yet, and everybody who is held
    back; those who wait come first, then the likeliest."""
    from contactsync.sync.match import Pair, doubles, score

    people = {stored.uid: stored for stored in store.contacts.live()}
    accounts = {i: len(names) for i, names in store.links.accounts_of().items()}
    apart = store.contacts.apart()
    pairs = doubles([(uid, s.contact) for uid, s in people.items()], region=region, apart=apart)
    found = {frozenset((p.card, p.contact)): _candidate(people, accounts, p) for p in pairs}
    likes = store.contacts.by_uids(stored.held_for for stored in people.values() if stored.held)
    for stored in people.values():
        if (like := _held_for(stored, likes)) is not None:
            ids = frozenset((stored.uid, like.uid))
            if ids not in found and ids not in apart:
                verdict = score(stored.contact, like.contact, region)
                pair = Pair(stored.uid, like.uid, verdict.score, (stored.held, *verdict.reasons), False)
                found[ids] = _candidate(people, accounts, pair)
    waiting = {uid for ids in found for uid in ids}
    alone = [s for s in people.values() if s.held and s.uid not in waiting]
    everybody = [*found.values(), *(Candidate(s, None, 0.0, (s.held,), False) for s in alone)]
    return sorted(everybody, key=lambda c: (not c.held, -c.score, c.one.uid, c.other.uid if c.other else ""))


def _held_for(stored: StoredContact, likes: Mapping[str, StoredContact]) -> StoredContact | None:
    """For whom somebody is held back, as long as that is another one who is still there."""
    like = likes.get(stored.held_for) if stored.held else None
    return like if like is not None and not like.deleted and like.id != stored.id else None


def _candidate(people: Mapping[str, StoredContact], accounts: Mapping[int, int], pair: Pair) -> Candidate:
    """To keep is the one that is not held back, then the one that more accounts have, then the older."""
    both = (people[pair.card], people[pair.contact])
    one, other = sorted(both, key=lambda s: (bool(s.held), -accounts.get(s.id, 0), s.id))
    return Candidate(one, other, pair.score, pair.reasons, pair.sure)


def still_there(store: Store, candidate: Candidate) -> Candidate | None:
    """The pair as it is now; None where it was decided meanwhile, or one of the two is gone."""
    one = store.contacts.get(candidate.one.id)
    if one is None or one.deleted:
        return None
    if candidate.other is None:
        return replace(candidate, one=one) if one.held else None
    other = store.contacts.get(candidate.other.id)
    if other is None or other.deleted or frozenset((one.uid, other.uid)) in store.contacts.apart():
        return None
    return replace(candidate, one=one, other=other)


def not_the_same(hub: HubEdits, one: str, other: str) -> int:
    """Remember that these are two people, and let go of one that was held back for the other; the run."""
    with hub.edit("review") as step:
        first, second = hub.find(one), hub.find(other)
        if first.id == second.id:
            raise UsageError("These are the same contact already.", hint="Name two different ones.")
        keep_apart(hub.store, step.run, step.at, first, second)
        for held, like in ((first, second), (second, first)):
            if held.held and _is_for(hub.store, held, like):
                set_held(hub.store, step.run, step.at, held)
    return step.run


def _is_for(store: Store, held: StoredContact, like: StoredContact) -> bool:
    """Is it held back for this one, or for nobody who is still there?"""
    other = _held_for(held, store.contacts.by_uids([held.held_for]))
    return other is None or other.id == like.id


def release(hub: HubEdits, name: str) -> int:
    """A contact that is held back is a person of its own: the accounts get it with the next round."""
    with hub.edit("review") as step:
        stored = hub.find(name)
        if not stored.held:
            raise UsageError(f"{stored.contact.display} is not held back.", hint="contactsync duplicates")
        set_held(hub.store, step.run, step.at, stored)
    return step.run
