"""The cards of one book as staged by a pull, read and with group names resolved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from contactsync.connectors.base import Codec
from contactsync.engine.context import Round
from contactsync.engine.groupnames import GroupNames, believed_renames
from contactsync.engine.pull import Pulled
from contactsync.engine.selecting import Places
from contactsync.errors import CodecError
from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD
from contactsync.store.links import ALIVE, LET_GO, OUTSIDE
from contactsync.store.store import Store
from contactsync.store.values import Book, StagedChange, StoredContact, StoredGroup, StoredLink
from contactsync.sync.merge import Project
from contactsync.sync.plan import Rules
from contactsync.sync.selection import EVERYBODY, Selection
from contactsync.sync.types import Base, Live


@frozen
class Card:
    """A card that is there: its bytes and its meaning, with group ids."""

    href: str
    etag: str | None
    payload: bytes
    view: Contact
    modified_at: datetime | None

    def live(self, base: Contact | None = None) -> Live:
        """The view with the remote's time: REV if it moved with the edit, else its own (L18)."""
        rev = self.view.updated
        moved = rev is not None and (base is None or rev != base.updated)
        return Live(self.view, rev if moved else self.modified_at)


@frozen
class BadCard:
    """A card that cannot be read (L35)."""

    change: StagedChange
    reason: str


@dataclass(slots=True)
class BookState:
    """One book in this round: what was pulled, by href, and the links of those cards.

    ``unsure`` are hrefs of cards to be read again: they name labels that are not known yet.
    ``refused`` are (contact, hash of its document) that the book did not take (L35); ``tried``
    (contact, name) of creates that came to nothing, once they were looked up. ``selection`` is what the book
    takes (L26), ``returning`` are links that it takes again, and ``outside`` the cards that it leaves out.
    ``joined`` are groups that are gone from it, into which somebody was put here since.
    """

    book: Book
    pulled: Pulled
    rules: Rules
    names: GroupNames
    account_books: frozenset[int]
    cards: dict[str, Card] = field(default_factory=dict)
    group_cards: dict[str, Card] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    bad: list[BadCard] = field(default_factory=list)
    links: Mapping[str, StoredLink] = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)
    gone_links: frozenset[int] = frozenset()
    unsure: frozenset[str] = frozenset()
    refused: frozenset[tuple[int, str]] = frozenset()
    tried: set[tuple[int, str]] | None = None
    selection: Selection = EVERYBODY
    returning: frozenset[int] = frozenset()
    outside: dict[str, Card] = field(default_factory=dict)
    joined: frozenset[str] = frozenset()

    def strangers(self) -> Iterable[Card]:
        """Cards that no link knows (a link of our own deletion knows nothing any more, L22), and those that
        are back."""
        for href, card in self.cards.items():
            link = self.links.get(href)
            if link is None or link.state in LET_GO:
                yield card

    def project(self, codec: Codec) -> Project:
        """What this book shows of a contact: not those groups that are cards of their own in it."""
        carded, standing = self.names.carded, self.names.standing
        if not carded and not standing:
            return codec.project

        def project(contact: Contact) -> Contact:
            shown = codec.project(replace(contact, groups=contact.groups - carded - standing))
            return replace(shown, groups=shown.groups | standing)

        return project

    def without_ended(self, base: Base) -> Base:
        """Shadows that know nothing of labels that are gone: their members were not edited by that."""
        ended = self.names.carded
        if self.names.labels is None or not ended & (base.local.groups | base.remote.groups):
            return base
        local, remote = (replace(one, groups=one.groups - ended) for one in (base.local, base.remote))
        return Base(local, remote)

    def holds(self, store: Store) -> set[str]:
        """Fields that this remote was seen to hold: some card of the book shows a value (L12)."""
        now = {path for card in self.cards.values() for path in FIELD if getattr(card.view, path)}
        return now | store.links.fields_shown(self.book.id)

    def is_gone(self, link: StoredLink) -> bool:
        return link.id in self.gone_links


def read_books(round_: Round, pulled: Iterable[Pulled]) -> list[BookState]:
    """Read the staged cards of all books of the account; a group that one of them brings is the same
    group for all."""
    parts = list(pulled)
    account_books = frozenset(part.book.id for part in parts)
    fresh: list[StoredGroup] = []
    states = []
    for part in parts:
        states.append(_read_book(round_, part, account_books, fresh))
        fresh += [StoredGroup(group_id, name, None) for group_id, name in states[-1].names.new.items()]
    places = round_.places([part.book for part in parts], fresh)
    for state in states:
        state.names.learn(fresh)
        state.selection = places.of(state.book).selection
        state.joined = frozenset(_joined_here(round_, state, places))
        if not state.selection.takes_all or round_.rules_changed:
            waits = bool(places.waiting(round_.store, round_.account_id))
            _look_outside(round_, state, known=waits)
    return states


def _look_outside(round_: Round, state: BookState, *, known: bool) -> None:
    """Who comes back into the filter; and where somebody is to be made in the book, ``known`` cards that it
    leaves out: one of them may be the same person."""
    links = {
        link.id: link for link in state.links.values() if link.reason == OUTSIDE and link.state == "left"
    }
    people = round_.store.contacts.many({link.contact_id for link in links.values()})
    takes = state.selection.takes
    state.returning = frozenset(
        link.id
        for link in links.values()
        if (card := state.cards.get(link.href)) and (takes(card.view) or _is_taken(people, link, state))
    )
    if not known:
        return
    for href, (etag, payload) in round_.store.books.outside(state.book.id).items():
        if href not in state.cards and href not in state.gone:
            view = state.names.to_ids(round_.connector.codec.read(payload))
            state.cards[href] = Card(href, etag, payload, view, None)


def _joined_here(round_: Round, state: BookState, places: Places) -> Iterator[str]:
    """Groups that are gone from a book, with a member of whom no card there was ever seen to be in them: who
    deleted them there did not know (L23). Where a group has a card, that one tells of all but newcomers."""
    store, book = round_.store, state.book
    rows = store.group_cards.of_book(book.id)
    gone = {row.group_id for row in rows if row.original and row.href in state.gone}
    if not gone:
        return
    members = store.group_cards.members(gone)
    waiting = places.waiting(store, round_.account_id)
    for group_id, inside in members.items():
        newcomers = store.contacts.many(inside & waiting).values()
        homes = (places.home_for(stored.contact) for stored in newcomers)
        if any(home is not None and home.id == book.id for home in homes):
            yield group_id
    if state.names.labels is not None:
        for link in store.links.in_state(book.id, *ALIVE):
            told = link.base.local.groups | link.base.remote.groups
            yield from (g for g in gone - told if link.contact_id in members[g])


def _is_taken(people: Mapping[int, StoredContact], link: StoredLink, state: BookState) -> bool:
    stored = people.get(link.contact_id)
    return stored is not None and not stored.deleted and state.selection.takes(stored.contact)


def _read_book(
    round_: Round, pulled: Pulled, account_books: frozenset[int], fresh: Iterable[StoredGroup]
) -> BookState:
    """One book; unreadable cards are set aside, not raised."""
    store, book = round_.store, pulled.book
    names = round_.group_names(book, fresh)
    staged = store.books.staged(book.id)
    links = store.links.at(book.id, (change.href for change in staged))
    state = BookState(book, pulled, round_.rules(book, names.dead), names, account_books, links=links)
    views: dict[str, Contact] = {}
    for change in staged:
        if change.gone:
            state.gone.add(change.href)
        elif change.payload is not None:
            try:
                views[change.href] = round_.connector.codec.read(change.payload)
            except CodecError as error:
                state.bad.append(BadCard(change, error.message))
    by_href = {change.href: change for change in staged}
    _set_groups_apart(state, views, by_href)
    _believe_renames(round_, state, views)
    _know_cards(round_, state)
    if round_.connector.capabilities.labels:
        _know_labels(round_, state, views)
    state.unsure = frozenset(href for href, view in views.items() if state.names.unknown(view))
    for href, view in views.items():
        change = by_href[href]
        resolved = state.names.to_ids(view, _groups_before(state, href))
        state.cards[href] = Card(href, change.etag, change.payload or b"", resolved, change.modified_at)
    state.refused = frozenset(
        (q.contact_id, q.hash) for q in store.keepsakes.quarantined(book.id) if q.contact_id is not None
    )
    state.gone_links = frozenset(
        link.id for href, link in links.items() if href in state.gone and link.state in ALIVE
    )
    return state


def _set_groups_apart(
    state: BookState, views: dict[str, Contact], staged: Mapping[str, StagedChange]
) -> None:
    """A group card is never read as a person (L39); a person's card that became one still is theirs."""
    for href, view in list(views.items()):
        link = state.links.get(href)
        if view.kind == "group" and (link is None or link.state == "deleted"):
            change = staged[href]
            card = Card(href, change.etag, change.payload or b"", view, change.modified_at)
            state.group_cards[href] = card
            del views[href]


def _know_cards(round_: Round, state: BookState) -> None:
    """Which groups are cards of their own in this book: where it has any, all that it does not know as
    categories."""
    if not round_.connector.capabilities.group_cards:
        return
    rows = round_.store.group_cards.of_book(state.book.id)
    ids = {row.group_id for row in rows}
    for href, card in state.group_cards.items():
        if not any(row.is_of(href, card.view.uid) for row in rows):
            ids.add(state.names.id_of(card.view.name.full))
    if ids:
        carded = ids | (state.names.ids() - state.names.base.keys())
        state.names.carded = frozenset(carded - state.names.standing)


def _know_labels(round_: Round, state: BookState, views: Mapping[str, Contact]) -> None:
    """What the cards of a book with labels call its groups. That a label is gone, here or there, says
    nothing of its members: they are cards that no one edited (L39). But where somebody was put into it
    without knowing of the deletion here, it is not gone (L23)."""
    rows = [row for row in round_.store.group_cards.of_book(state.book.id) if row.original]
    labels = {row.group_id: row.href for row in rows if row.href not in state.gone}
    ended = {row.group_id for row in rows if row.href in state.gone} | state.names.dead
    known = set(labels.values())
    for href, card in sorted(state.group_cards.items()):
        group_id = "" if href in known else state.names.id_of(card.view.name.full)
        if group_id and group_id not in labels:
            labels[group_id] = href
            ended.discard(group_id)
    state.names.labels = labels
    joined = _joined(state, views) if state.rules.mode.inwards else frozenset()
    state.names.carded = frozenset(g for g in ended if labels.get(g) not in joined)


def _joined(state: BookState, views: Mapping[str, Contact]) -> frozenset[str]:
    """Labels that some card has now and had not when it was read last."""
    assert state.names.labels is not None
    found: set[str] = set()
    for href, view in views.items():
        link = state.links.get(href)
        before = link.base.remote.groups if link is not None and link.state in ALIVE else frozenset()
        found |= view.groups - {state.names.labels.get(group, "") for group in before}
    return frozenset(found)


def _groups_before(state: BookState, href: str) -> frozenset[str]:
    """In which groups a card was when it was read last."""
    link = state.links.get(href)
    return link.base.remote.groups if link is not None and link.state != "deleted" else frozenset()


def _names_before(state: BookState, href: str) -> frozenset[str]:
    """What it called them."""
    groups, names = _groups_before(state, href), state.names
    return frozenset(map(names.called_there, groups - names.standing))


def _believe_renames(round_: Round, state: BookState, views: Mapping[str, Contact]) -> None:
    """Recognise a rename before names become ids, so that it is one edit of the group (P8)."""
    base = state.names.base
    if round_.connector.capabilities.labels:
        return
    before = {href: _names_before(state, href) for href in views}
    if not any(before[href] - view.groups and view.groups - before[href] for href, view in views.items()):
        return
    for row in round_.store.journal.outbox(state.book.id, "sent"):
        if row.href in before:  # what our own write in doubt took away, nobody has given another name
            left = row.before.groups - row.target.groups
            before[row.href] -= set(map(state.names.called_there, left))
    changes = [(before[href], view.groups) for href, view in views.items()]
    members = round_.store.links.group_members(state.book.id)
    counts = Counter(map(state.names.called_there, members))
    for old, new in believed_renames(changes, counts).items():
        group_id = state.names.id_of(old)
        if state.names.knows(new) or group_id in state.names.dead:
            continue  # of a group that was deleted here, these are edits of memberships (L23)
        state.renames[group_id] = new
    if state.renames:
        groups = [replace(g, name=state.renames.get(g.id, g.name)) for g in state.names.groups]
        names = {**base, **state.renames}
        standing, former = state.names.standing, state.names.former
        state.names = GroupNames(groups, names, round_.new_id, standing=standing, former=former)
