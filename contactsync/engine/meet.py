"""Cards without a link meet contacts without one: link before create (L24, L27, L29, L37)."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import field, replace
from typing import Any

from contactsync.engine.cards import BookState, Card
from contactsync.engine.context import Round
from contactsync.engine.merging import twin_inside
from contactsync.frozen import frozen
from contactsync.store.links import ALIVE, LET_GO
from contactsync.store.values import StoredContact, StoredLink
from contactsync.sync import match
from contactsync.sync.diff import differs
from contactsync.sync.union import strong_values, taken_over


@frozen
class Meeting:
    """What an unlinked card turned out to be.

    ``contact`` None: a new one, with ``uid``, and the ``copies`` of it in other books (L37); ``moved``
    is the link that it had elsewhere in the account; ``absorbed`` is the card of a twin that was merged
    into the contact, and ``parted`` how the contact was merged into the one that it parts from (L40);
    ``held`` says why a new contact stays in its own book (L27), and ``held_for`` is the UID of whom it may
    be the same as.
    """

    state: BookState
    card: Card
    contact: StoredContact | None = None
    moved: StoredLink | None = None
    uid: str = ""
    absorbed: bool = False
    parted: dict[str, Any] | None = None
    held: str = ""
    held_for: str = ""
    copies: list[tuple[BookState, Card]] = field(default_factory=list)

    def is_in(self, state: BookState) -> bool:
        return any(one is state for one in (self.state, *(copy for copy, _ in self.copies)))


def meet(round_: Round, states: Iterable[BookState], adopted: Container[str] = ()) -> list[Meeting]:
    """Pair every unlinked card of these books, in an order that does not depend on arrival (P6).

    ``adopted`` are hrefs of cards that our own creates in doubt turned out to have made.
    """
    books = list(states)
    strangers = sorted(
        ((state, card) for state in books for card in state.strangers()),
        key=lambda p: (p[0].book.href, p[1].href),
    )
    if not strangers:
        return []
    gone = frozenset(link_id for state in books for link_id in state.gone_links)
    return _Meetings(round_, books, strangers, adopted, gone).all()


class _Meetings:
    def __init__(
        self,
        round_: Round,
        books: list[BookState],
        strangers: list[tuple[BookState, Card]],
        adopted: Container[str],
        gone: frozenset[int],
    ) -> None:
        self._round = round_
        self._adopted = adopted
        self._gone = gone
        self._strangers = strangers
        self._by_uid = round_.store.contacts.by_uids(card.view.uid for _, card in strangers)
        self._links = round_.store.links.of_contacts(c.id for c in self._by_uid.values())
        self._states = {state.book.id: state for state in books}
        self._came = self._from_other_books()
        self._taken: dict[tuple[int, int], str] = {}
        self._moved: set[int] = set()
        self._new: dict[str, Meeting] = {}
        self._found: list[Meeting] = []

    def all(self) -> list[Meeting]:
        # the card with a contact's own UID comes before that of a twin which was merged into it, and where
        # several may be the one that moved, the one that is as it was comes before the others
        strangers = sorted(
            self._strangers, key=lambda pair: (self._is_twin(pair[1]), not self._is_as_it_was(pair[1]))
        )
        rest = [
            (state, card)
            for state, card in strangers
            if not self._same_card(state, card) and not self._same_uid(state, card)
        ]
        for state in self._states.values():
            cards = [card for s, card in rest if s is state]
            if cards:
                self._by_content(state, cards)
        return self._found

    def _from_other_books(self) -> dict[str, tuple[StoredLink, StoredContact]]:
        """An href names one card of the account: links by that of a stranger, in other books or away."""
        store, hrefs = self._round.store, [card.href for _, card in self._strangers]
        books = set().union(*(state.account_books for state in self._states.values()))
        links = [link for book in sorted(books) for link in store.links.at(book, hrefs).values()]
        people = store.contacts.many({link.contact_id for link in links})
        return {
            link.href: (link, people[link.contact_id])
            for link in links
            if link.contact_id in people and link.state not in ("deleted", "left")
        }

    def _same_card(self, state: BookState, card: Card) -> bool:
        """It moved, though its former book may not say so yet, or is back (L24)."""
        if card.href not in self._came:
            return False
        link, contact = self._came[card.href]
        self._moved.add(link.id)
        self._found.append(Meeting(state, card, contact, moved=link))
        return True

    def _is_twin(self, card: Card) -> bool:
        contact = self._by_uid.get(card.view.uid)
        return contact is not None and contact.uid != card.view.uid

    def _is_as_it_was(self, card: Card) -> bool:
        contact = self._by_uid.get(card.view.uid)
        links = self._links.get(contact.id, []) if contact else []
        return any(one.id in self._gone and not differs(one.base.remote, card.view) for one in links)

    def _same_uid(self, state: BookState, card: Card) -> bool:
        contact = self._by_uid.get(card.view.uid) if card.view.uid else None
        if contact is None:
            return False
        own = [link for link in self._links.get(contact.id, []) if link.collection_id in state.account_books]
        twin = self._is_twin(card)
        if twin and self._parts(state, card, contact, own):
            return True
        there = self._card_uid(state, contact, own)
        same = [link for link in own if self._is_its(card, link)]
        moved = next((link for link in same if link.id in self._gone), None)
        if moved is None and there is None:
            moved = next((link for link in same if link.state == "away"), None)
        inside = self._moved_inside(state, card, contact) if twin else None
        known = moved is not None or inside is not None or card.href in self._adopted
        if not known and match.same_person_contradicted(card.view, contact.contact):
            return False
        if inside is not None:
            self._moved.add(inside.id)
            self._found.append(Meeting(state, card, contact, moved=inside, absorbed=True))
        elif moved is not None and moved.id not in self._moved:
            self._moved.add(moved.id)
            self._found.append(Meeting(state, card, contact, moved=moved))
        elif there is None:
            self._taken[state.book.id, contact.id] = card.view.uid
            self._found.append(Meeting(state, card, contact))
        elif twin or self._is_alias(there, contact):
            self._found.append(Meeting(state, card, contact, absorbed=True))
        else:
            self._add_new(
                state, card, f"a second card with the UID of {contact.contact.display}", contact.uid
            )
        return True

    def _moved_inside(self, state: BookState, card: Card, contact: StoredContact) -> StoredLink | None:
        """The link of who was merged into the contact, whose card this is, under another name (L24, L40)."""
        found = twin_inside(self._round.store, contact, card.view.uid)
        links = self._round.store.links.of_contact(found[0].id) if found else []
        return next((one for one in links if one.id in self._gone - self._moved), None)

    def _parts(self, state: BookState, card: Card, contact: StoredContact, own: Iterable[StoredLink]) -> bool:
        """Was the merge taken back elsewhere (L40)? Then the card is the twin's own."""
        found = twin_inside(self._round.store, contact, card.view.uid)
        twin, merged = found or (None, None)
        strong = strong_values(card.view)
        given_up = (
            twin and strong & strong_values(twin.contact) and not strong & strong_values(contact.contact)
        )
        if not given_up and not self._gives_up(card, own) and not self._is_left(card, contact, own):
            return False
        if twin is None:
            self._add_new(state, card, "", "")
        else:
            back = replace(twin, contact=replace(twin.contact, uid=card.view.uid))
            self._found.append(Meeting(state, card, back, parted=merged))
        return True

    def _gives_up(self, card: Card, own: Iterable[StoredLink]) -> bool:
        """Do cards of the one that remains give up what this card has, in this very pull?"""
        for link in own:
            state = self._states.get(link.collection_id)
            now = state.cards.get(link.href) if state and link.state in ALIVE else None
            if now is not None and taken_over(card.view, now.view, link.base.remote):
                return True
        return False

    def _is_left(self, card: Card, contact: StoredContact, own: Iterable[StoredLink]) -> bool:
        """Is the one that remains gone there, where this card is? It is not if it was edited here and is made
        again (L23), nor if another contact takes over in this very pull what the card has."""
        cards = [link for link in own if link.state in ALIVE]
        gone = [
            link for link in cards if link.id in self._gone - self._moved and not self._is_its(card, link)
        ]
        edited = not contact.deleted and any(differs(link.base.local, contact.contact) for link in gone)
        return bool(cards) and gone == cards and not edited and not self._has_heir(card, gone)

    def _has_heir(self, card: Card, gone: Iterable[StoredLink]) -> bool:
        """Does some other card of these books take over what this one has?"""
        for state in {link.collection_id: self._states[link.collection_id] for link in gone}.values():
            for href, link in state.links.items():
                now = state.cards.get(href) if link.state in ALIVE else None
                if now is not None and taken_over(card.view, link.base.remote, now.view):
                    return True
        return False

    def _is_its(self, card: Card, link: StoredLink) -> bool:
        """May a new card with a UID of the contact be the one of this link? Who was merged into the contact
        has a card with another UID."""
        return not self._is_twin(card) or link.card_uid == card.view.uid

    def _card_uid(self, state: BookState, contact: StoredContact, own: list[StoredLink]) -> str | None:
        """The UID of the card that the contact has in this book already."""
        here = (
            link.card_uid for link in own if link.collection_id == state.book.id and link.state not in LET_GO
        )
        return self._taken.get((state.book.id, contact.id), next(here, None))

    def _is_alias(self, uid: str, contact: StoredContact) -> bool:
        """Is it the UID of a contact that was merged into this one?"""
        found = self._round.store.contacts.by_uids([uid]).get(uid)
        return found is not None and found.id == contact.id and uid != contact.uid

    def _by_content(self, state: BookState, cards: list[Card]) -> None:
        """By score, among contacts that have no card in this book, or whose card is gone in this very pull,
        as it was made anew (L24); doubles of those that have one."""
        cards = [card for card in cards if not self._copy_of_new(state, card)]
        store = self._round.store
        new = {m.uid: m for m in self._new.values() if not m.is_in(state)}
        alive = store.links.in_state(state.book.id, *ALIVE)
        gone = {link.contact_id: link for link in alive if link.id in self._gone - self._moved}
        linked = {link.contact_id for link in alive} - gone.keys()
        people = {c.uid: c for c in store.contacts.live()}
        paired = {contact_id for book_id, contact_id in self._taken if book_id == state.book.id}
        free = [(c.uid, c.contact) for c in people.values() if c.id not in linked and c.id not in paired]
        free += [(uid, meeting.card.view) for uid, meeting in new.items()]
        others = [(c.uid, c.contact) for c in people.values() if c.id in linked or c.id in paired]
        known = dict([*free, *others])
        by_href = {card.href: card for card in cards}
        views = [(card.href, card.view) for card in cards]
        found = match.match(views, free, region=self._round.account.region)
        sure = {pair.card: pair.contact for pair in found.sure}
        unsure = {pair.card: pair.contact for pair in found.unsure if pair.card not in sure}
        rest = [(href, view) for href, view in views if href not in sure]
        doubles = match.match(rest, others, region=self._round.account.region)
        for pair in (*doubles.unsure, *doubles.sure):
            unsure.setdefault(pair.card, pair.contact)
        for href in sorted(by_href):
            if sure.get(href) in new:
                new[sure[href]].copies.append((state, by_href[href]))
            elif href in sure:
                contact = people[sure[href]]
                self._taken[state.book.id, contact.id] = by_href[href].view.uid
                self._moved |= {gone[contact.id].id} if contact.id in gone else set()
                self._found.append(Meeting(state, by_href[href], contact, moved=gone.get(contact.id)))
            else:
                uid = unsure.get(href, "")
                held = f"may be the same as {known[uid].display}" if uid else ""
                self._add_new(state, by_href[href], held, uid)

    def _copy_of_new(self, state: BookState, card: Card) -> bool:
        """A copy, in another book, of a card that is new in this very round (L37)."""
        first = self._first_of_uid(card)
        if first is None or first.is_in(state):
            return False
        first.copies.append((state, card))
        return True

    def _first_of_uid(self, card: Card) -> Meeting | None:
        first = self._new.get(card.view.uid)
        contradicted = first and match.same_person_contradicted(card.view, first.card.view)
        return None if contradicted else first

    def _add_new(self, state: BookState, card: Card, held: str, held_for: str) -> None:
        first = self._first_of_uid(card)
        if first is not None and not held:
            held, held_for = f"a second card with the UID of {first.card.view.display}", first.uid
        uid = card.view.uid
        if not uid or uid in self._by_uid or uid in self._new:
            uid = self._round.new_id()
        self._new[uid] = Meeting(state, card, uid=uid, held=held, held_for=held_for)
        self._found.append(self._new[uid])
