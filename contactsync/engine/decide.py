"""The second stage: what to do, for every contact that something happened to, in one transaction.

Planning is pure (`contactsync.sync.plan`); this module gathers what it needs, folds the books of
an account into one outcome per contact, asks the brakes, and hands the outcome to `apply`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from contactsync.engine.cards import BookState, Card, read_books
from contactsync.engine.context import Round
from contactsync.engine.groupcards import memberships_lost
from contactsync.engine.meet import Meeting, meet
from contactsync.engine.pull import Pulled
from contactsync.engine.recover import Recovered, read_back_base, recover
from contactsync.engine.selecting import leaving
from contactsync.errors import CodecError, SafetyStop
from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, Path, path_text
from contactsync.store.links import ALIVE
from contactsync.store.values import StoredContact, StoredGroup, StoredLink
from contactsync.sync import brakes
from contactsync.sync.diff import differs
from contactsync.sync.match import copies
from contactsync.sync.plan import first_meeting, new_card, plan
from contactsync.sync.types import (
    NO_BASE,
    Action,
    Base,
    CreateRemote,
    DeleteRemote,
    DropLocal,
    Hub,
    Live,
    NoteConflict,
    Rebase,
    SaveLocal,
    Seen,
    Unlink,
    UpdateRemote,
)
from contactsync.sync.union import left_behind, taken_over, unite


@dataclass(slots=True)
class Spoke:
    """One card of a contact (or the place where it will be created) and what to do about it.

    ``absorbed``: the card of a contact that was merged into this one; its edits come in, and it is
    deleted (L40). ``present`` is what a card means that was not read in this round, ``last`` the base of the
    card in whose place this new one is: we deleted that one.
    """

    state: BookState
    link: StoredLink | None
    card: Card | None
    base: Base = NO_BASE
    last: Base = NO_BASE
    gone: bool = False
    moved: bool = False
    absorbed: bool = False
    present: Contact | None = None
    actions: list[Action] = field(default_factory=list)

    @property
    def view(self) -> Contact:
        """What the card shows now: other than the shadow where that was held back (L18, L26)."""
        return self.card.view if self.card else self.present or self.base.remote


@dataclass(slots=True)
class Outcome:
    """One contact in this round: as it was, as it will be, and its spokes.

    ``elsewhere``: it has a card in a book of the account that could not be read this time;
    ``survivor`` is the contact that it was made part of at the remote, ``parted`` how it was merged into the
    one that it parts from (L40); ``leaves``: a filter does not take it any more (L26).
    """

    stored: StoredContact | None
    hub: Hub
    spokes: list[Spoke]
    held: str = ""
    held_for: str = ""
    elsewhere: bool = False
    dropped: bool = False
    survivor: StoredContact | None = None
    parted: Mapping[str, Any] | None = None
    leaves: bool = False

    @property
    def saved(self) -> bool:
        return self.stored is None or any(isinstance(a, SaveLocal) for s in self.spokes for a in s.actions)


@dataclass(slots=True)
class Decision:
    """Everything that one round decided; `apply` carries it out."""

    states: list[BookState]
    outcomes: list[Outcome]
    recovered: Recovered
    stopped: dict[int, SafetyStop] = field(default_factory=dict)


def decide(round_: Round, pulled: Iterable[Pulled]) -> Decision:
    """Decide for all books of the account; call inside a transaction. Writes nothing."""
    states = read_books(round_, pulled)
    stopped: dict[int, SafetyStop] = {}
    while True:
        active = [state for state in states if state.book.id not in stopped]
        decision = _Planner(round_, active).decide()
        tripped = _brakes(round_, active, decision.outcomes)
        if not tripped:
            decision.stopped = stopped
            return decision
        stopped.update(tripped)


class _Planner:
    """Gathers contacts and their spokes, and plans each."""

    def __init__(self, round_: Round, states: list[BookState]) -> None:
        self._round = round_
        self._states = {state.book.id: state for state in states}
        for state in states:
            state.outside = {}
        self._store = round_.store
        self._recovered = recover(round_, states)
        books = round_.store.books.of_account(round_.account.name, selected_only=False)
        fresh = {group_id: name for state in states for group_id, name in state.names.new.items()}
        groups = [StoredGroup(group_id, name, None) for group_id, name in fresh.items()]
        self._places = round_.places([state.book for state in states], groups)
        self._unread = {book.id for book in books} - self._states.keys()

    def decide(self) -> Decision:
        meetings = meet(self._round, self._states.values(), self._recovered.adopted)
        met = {m.contact.id: m.contact for m in meetings if m.contact}
        ids = self._touched() | set(met)
        homeless = self._homeless() - set(met)
        awaited = self._awaited(meetings)
        contacts = self._store.contacts.many(ids | homeless)
        contacts |= {m.contact.id: m.contact for m in meetings if m.contact and m.parted}
        links = self._store.links.of_contacts(ids)
        absorbed = self._absorbed(contacts, links)
        missing = absorbed.keys() - ids
        contacts |= self._store.contacts.many(missing)
        links |= self._store.links.of_contacts(missing)
        by_contact: dict[int, list[Meeting]] = {}
        for meeting in meetings:
            if meeting.moved and meeting.absorbed:
                links[meeting.moved.contact_id].remove(meeting.moved)
            if meeting.contact is not None:
                by_contact.setdefault(meeting.contact.id, []).append(meeting)
        outcomes = [
            self._known(contacts[i], links.get(i, []), by_contact.get(i, []), absorbed.get(i, []))
            for i in sorted(ids | missing)
            if i in contacts
        ]
        # who parts has gone before the one that remains goes into a third with all its twins
        outcomes.sort(key=lambda one: one.parted is None)
        outcomes += [self._stranger(meeting) for meeting in meetings if meeting.contact is None]
        outcomes += [
            self._at_home(contacts[i], home)
            for i in sorted(homeless)
            if i in contacts
            and contacts[i].uid not in awaited
            and (home := self._home_for(contacts[i])) is not None
            and not self._refused(home, contacts[i])
        ]
        outcomes = [outcome for outcome in outcomes if outcome.spokes]
        self._merged_there(outcomes)
        return Decision(list(self._states.values()), outcomes, self._recovered)

    def _touched(self) -> set[int]:
        """Linked contacts of which either side may have changed."""
        ids = self._store.links.out_of_step(self._states)
        for state in self._states.values():
            ids |= {
                link.contact_id
                for link in state.links.values()
                if link.state != "left" or link.id in state.returning
            }
            if self._round.rules_changed:
                ids |= self._store.links.contacts_in(state.book.id, *ALIVE)
            if not state.selection.takes_all:
                ids |= leaving(self._store, state.book, state.selection)
            if pending := state.names.pending():
                for group_id in pending:
                    ids |= {contact.id for contact in self._store.contacts.in_group(group_id)}
        return ids

    def _homeless(self) -> set[int]:
        waiting = self._places.waiting(self._store, self._round.account_id)
        return waiting - self._recovered.in_doubt

    def _awaited(self, meetings: Iterable[Meeting]) -> set[str]:
        """UIDs of whom a card that comes in now may be the same as, if only by way of others that are held:
        none of them gets another card here until a person decided (L27)."""
        coming = {m.uid: m.held_for for m in meetings if m.held}
        known = {m.contact.uid: m.contact.held_for for m in meetings if m.contact and m.contact.held}
        found: set[str] = set()
        fresh = {*coming.values(), *known.values()}
        while fresh:
            found |= fresh
            stored = self._store.contacts.by_uids(fresh).values()
            fresh = {c.held_for for c in stored if c.held} | {coming[uid] for uid in fresh & coming.keys()}
            fresh -= {*found, ""}
        return found

    def _home_for(self, stored: StoredContact) -> BookState | None:
        """L37: where a contact without a card in this account is created."""
        book = self._places.home_for(stored.contact)
        return self._states.get(book.id) if book else None

    def _absorbed(
        self, contacts: dict[int, StoredContact], links: dict[int, list[StoredLink]]
    ) -> dict[int, list[Spoke]]:
        """Edited cards of contacts that were merged away, by survivor; taken out of ``links``."""
        found: dict[int, list[Spoke]] = {}
        for contact in contacts.values():
            if contact.merged_into is None or not contact.deleted:
                continue
            for link in list(links.get(contact.id, [])):
                spoke = self._spoke(link, None) if self._in_play(link) else None
                if spoke and spoke.card and differs(spoke.base.remote, spoke.card.view):
                    spoke.absorbed = True
                    found.setdefault(contact.merged_into, []).append(spoke)
                    links[contact.id].remove(link)
        return found

    def _known(
        self,
        stored: StoredContact,
        links: list[StoredLink],
        meetings: list[Meeting],
        absorbed: list[Spoke],
    ) -> Outcome:
        moved = {m.moved.id: m for m in meetings if m.moved}
        in_play = [link for link in links if link.id in moved or self._in_play(link)]
        spokes = [self._spoke(link, moved.get(link.id)) for link in in_play]
        spokes += [self._spoke(m.moved, m) for m in meetings if m.moved and m.absorbed]
        spokes += [
            Spoke(
                m.state,
                None,
                m.card,
                self._recovered.adopted.get(m.card.href) or _base_of_copy(stored, m, links),
                m.state.without_ended(_last_base(m, links)),
                absorbed=m.absorbed,
            )
            for m in meetings
            if not m.moved and (m.absorbed or self._let_in(m.state, m.card, stored.contact))
        ]
        hub = Hub(stored.contact, stored.deleted, stored.times)
        spokes = [s for s in spokes if s.card or s.gone or not self._refused(s.state, stored)]
        elsewhere = any(link.collection_id in self._unread and link.state in ALIVE for link in links)
        parted = next((m.parted for m in meetings if m.parted), None)
        outcome = Outcome(stored, hub, [*spokes, *absorbed], elsewhere=elsewhere, parted=parted)
        self._fold(outcome)
        return outcome

    def _let_in(self, state: BookState, card: Card, *contacts: Contact) -> bool:
        """Does the filter of its book take a card without a link, or who it would belong to (L26)?"""
        taken = any(map(state.selection.takes, (card.view, *contacts)))
        if not taken:
            state.outside[card.href] = card
        return taken

    def _in_play(self, link: StoredLink) -> bool:
        state = self._states.get(link.collection_id)
        return state is not None and (link.state in ALIVE or link.id in state.returning)

    def _spoke(self, link: StoredLink, move: Meeting | None) -> Spoke:
        state = move.state if move else self._states[link.collection_id]
        card = move.card if move else state.cards.get(link.href)
        base = self._recovered.bases.get(link.id, link.base)
        if move is not None and base is NO_BASE:
            base = link.base  # our deletion found nothing, since the card had moved
        if card is not None and link.state == "written":
            base = read_back_base(self._round, state, link, card)
        if move is not None:
            return Spoke(state, link, card, base, moved=True, absorbed=move.absorbed)
        return Spoke(state, link, card, state.without_ended(base), gone=state.is_gone(link))

    def _fold(self, outcome: Outcome) -> None:
        """Edits inwards first, over all books; then, from the common result, outwards (P6)."""
        for spoke in outcome.spokes:
            if spoke.absorbed:
                writes = spoke.state.rules.mode.outwards
                kept = SaveLocal | NoteConflict if writes else SaveLocal | NoteConflict | Rebase
                spoke.actions = [a for a in self._plan(outcome, spoke) if isinstance(a, kept)]
                self._take(outcome, spoke)
                spoke.actions += [DeleteRemote()] if writes else []
        live = [s for s in outcome.spokes if not s.gone and not s.absorbed]
        gone = [s for s in outcome.spokes if s.gone]
        for spoke in [*live, *gone]:
            if spoke.gone and (live or outcome.elsewhere):
                spoke.actions = [Unlink()]  # alive in another book of the account: no deletion (L37)
                continue
            if spoke.gone and spoke.link and spoke.link.href in spoke.state.pulled.elsewhere:
                spoke.actions = [Unlink(away=True)]  # in one that is not read: no deletion either (L21)
                continue
            spoke.actions = self._plan(outcome, spoke)
            self._take(outcome, spoke)
        if len(live) > 1:
            for spoke in live:
                inward = [a for a in spoke.actions if isinstance(a, SaveLocal | NoteConflict)]
                again = [a for a in self._plan(outcome, spoke) if not isinstance(a, SaveLocal | NoteConflict)]
                spoke.actions = inward + again
        for spoke in live if not outcome.hub.deleted else ():
            if not spoke.state.selection.takes(outcome.hub.contact):
                outcome.leaves = True
                if not any(isinstance(action, UpdateRemote) for action in spoke.actions):
                    spoke.actions.append(Unlink(outside=True))

    def _plan(self, outcome: Outcome, spoke: Spoke) -> list[Action]:
        rules = spoke.state.rules
        project = spoke.state.project(self._round.connector.codec)
        if spoke.gone:
            return plan(spoke.base, outcome.hub, Seen.GONE, project=project, rules=rules)
        if spoke.card is None and outcome.hub.deleted:
            return plan(spoke.base, outcome.hub, Seen.UNCHANGED, project=project, rules=rules)
        if spoke.card is None:
            spoke.present = self._as_read_last(spoke)
            return plan(spoke.base, outcome.hub, Live(spoke.view), project=project, rules=rules)
        remote = spoke.card.live(spoke.base.remote)
        if spoke.base is NO_BASE:
            return first_meeting(outcome.hub, remote, project=project, rules=rules, last=spoke.last)
        return plan(spoke.base, outcome.hub, remote, project=project, rules=rules)

    def _as_read_last(self, spoke: Spoke) -> Contact | None:
        """A card that no one changed shows what its bytes say; the shadow may say less."""
        assert spoke.link is not None
        try:
            view = self._round.connector.codec.read(spoke.link.original)
        except CodecError:
            return None
        return spoke.state.names.to_ids(view, spoke.link.base.remote.groups)

    def _take(self, outcome: Outcome, spoke: Spoke) -> None:
        at = spoke.card.live(spoke.base.remote).at if spoke.card else None
        for action in spoke.actions:
            if isinstance(action, SaveLocal):
                times = stamped(outcome.hub.times, action.taken, at)
                outcome.hub = Hub(action.contact, False, times)
            elif isinstance(action, DropLocal):
                outcome.dropped = True
                outcome.hub = replace(outcome.hub, deleted=True)

    def _stranger(self, meeting: Meeting) -> Outcome:
        """A new contact is what its card says, united with its copies in other books (L28, L37)."""
        both = [(meeting.state, meeting.card), *meeting.copies]
        found = [(state, card) for state, card in both if self._let_in(state, card)]
        if not found:
            return Outcome(None, Hub(meeting.card.view), [])
        cards = [(state, card) for state, card in found if state.rules.mode.inwards] or found[:1]
        state, card = cards[0]
        save, rebase = new_card(card.live(), meeting.uid)
        spokes = [Spoke(s, None, c) for s, c in cards]
        outcome = Outcome(None, Hub(save.contact), spokes, meeting.held, meeting.held_for)
        if len(cards) > 1:
            self._fold(outcome)
        elif state.rules.mode.inwards:
            outcome.spokes[0].actions = [save, rebase]
        return outcome

    def _merged_there(self, outcomes: list[Outcome]) -> None:
        """L40: a deletion that comes with a change by which another contact takes over e-mail addresses or
        phones is a merge. What the remote could not hold of the one that is gone goes with them."""
        gone = [o for o in outcomes if o.dropped and o.stored and any(s.gone for s in o.spokes)]
        for one in gone:
            assert one.stored is not None, "only a contact of the device can be dropped"
            for spoke in (s for s in one.spokes if s.gone):
                heirs = [
                    (len(taken), str(o.stored.uid), o)
                    for o in outcomes
                    if o.stored and not o.hub.deleted and (taken := _inherited(spoke, o))
                ]
                if not heirs:
                    continue
                heir = max(heirs, key=lambda found: found[:2])[2]
                rest = left_behind(one.stored.contact, spoke.state.project(self._round.connector.codec))
                united, clashes = unite(heir.hub.contact, rest)
                heir.hub = replace(heir.hub, contact=united)
                heir.spokes[0].actions[:0] = [SaveLocal(united), *map(NoteConflict, clashes)]
                one.survivor = heir.stored
                break

    def _refused(self, state: BookState, stored: StoredContact) -> bool:
        """L35: what a book refused waits there until it changes."""
        return (stored.id, stored.hash) in state.refused

    def _at_home(self, stored: StoredContact, home: BookState) -> Outcome:
        spoke = Spoke(home, None, None, actions=[CreateRemote(stored.contact)])
        return Outcome(stored, Hub(stored.contact, False, stored.times), [spoke])


def _base_of_copy(stored: StoredContact, meeting: Meeting, links: Iterable[StoredLink]) -> Base:
    """A card that says what another card of the contact in this account said is a copy of it, and has
    its base; so nothing comes back by it that was removed since (L37)."""
    own = (link for link in links if link.collection_id in meeting.state.account_books)
    same = (link.base for link in own if not differs(link.base.remote, meeting.card.view))
    return NO_BASE if stored.deleted else next(same, NO_BASE)


def _last_base(meeting: Meeting, links: Iterable[StoredLink]) -> Base:
    """Of the card with this UID that we deleted from the account, until the link lets go (L22)."""
    own = (link for link in links if link.collection_id in meeting.state.account_books)
    same = (k.base for k in own if k.state == "deleted" and k.card_uid == meeting.card.view.uid)
    return next(same, NO_BASE)


def _inherited(gone: Spoke, heir: Outcome) -> frozenset[str]:
    """What a card of the same book took over of one that is gone. Who parts has no card yet, and had its own
    values before."""
    own = heir.stored.contact if heir.stored and heir.parted else None
    cards = (s for s in heir.spokes if s.state is gone.state and not s.absorbed and (s.link or own))
    return frozenset().union(
        *(taken_over(gone.base.remote, own or s.base.remote, s.card.view) for s in cards if s.card)
    )


def stamped(times: Mapping[str, datetime], paths: Iterable[Path], at: datetime | None) -> dict[str, datetime]:
    """The times of the units' origins (L18) after these units changed at ``at`` (None: unknown)."""
    kept = dict(times)
    for path in paths:
        if at is None:
            kept.pop(path_text(path), None)
        else:
            kept[path_text(path)] = at
    return kept


def _brakes(round_: Round, states: list[BookState], outcomes: list[Outcome]) -> dict[int, SafetyStop]:
    """L25 for each book."""
    stopped: dict[int, SafetyStop] = {}
    for state in states:
        harm = brakes.Harm(state.book.name, round_.store.links.count(state.book.id))
        creates: list[Contact] = []
        for outcome in outcomes:
            for spoke in outcome.spokes:
                if spoke.state is state:
                    _add_harm(harm, outcome, spoke, creates)
        harm.emptied["device"]["groups"] += memberships_lost(round_, state)
        if len(creates) > brakes.LOOP:
            harm.copies = _copies(round_, state, creates)
        try:
            brakes.check(harm, round_.limits)
        except SafetyStop as stop:
            stopped[state.book.id] = stop
    return stopped


def _add_harm(harm: brakes.Harm, outcome: Outcome, spoke: Spoke, creates: list[Contact]) -> None:
    name = outcome.hub.contact.display
    dead = spoke.state.names.dead
    for action in spoke.actions:
        if isinstance(action, DropLocal):
            harm.deleted["device"].append(name)
        elif isinstance(action, DeleteRemote):
            if not spoke.absorbed and not (outcome.stored and outcome.stored.merged_into):
                harm.deleted["remote"].append(name)
        elif isinstance(action, SaveLocal) and outcome.stored is not None:
            harm.emptied["device"].update(_emptied(outcome.stored.contact, action.contact, dead))
        elif isinstance(action, UpdateRemote):
            harm.emptied["remote"].update(_emptied(spoke.view, action.target, dead))
        elif isinstance(action, CreateRemote):
            creates.append(action.contact)


def _emptied(before: Contact, after: Contact, dead_groups: frozenset[str]) -> list[str]:
    """Fields of which every value goes; what follows from a deleted group does not count (L39)."""
    gone = [path for path in FIELD if getattr(before, path) and not getattr(after, path)]
    return [path for path in gone if path != "groups" or not before.groups <= dead_groups]


def _copies(round_: Round, state: BookState, creates: list[Contact]) -> list[str]:
    """Contacts to be created that are surely the same as one which the book holds (the loop brake)."""
    there = round_.store.links.local_shadows(state.book.id)
    named = _numbered(creates)
    again = copies(named, _numbered(there), region=round_.account.region)
    return [contact.display for name, contact in named if name in again]


def _numbered(contacts: Iterable[Contact]) -> list[tuple[str, Contact]]:
    return [(str(place), contact) for place, contact in enumerate(contacts)]
