"""What each book of an account takes (L26), and where new contacts go (L37): the filters and groups of the
configuration, applied to what the device has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contactsync.config import AccountConfig, BookConfig
from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.fields import fold
from contactsync.store.links import ALIVE
from contactsync.store.store import Store
from contactsync.store.values import Book, StoredGroup, StoredLink
from contactsync.sync.plan import Rules
from contactsync.sync.selection import EVERYBODY, Selection
from contactsync.sync.types import Mode, Policy


def rules_of(account: AccountConfig, book: Book, dead_groups: frozenset[str] = frozenset()) -> Rules:
    """Policy and mode of one book; a book without write privilege is pull (L26)."""
    special = account.for_book(book.name, book.href)
    mode = Mode(special.mode)
    if not book.writable and mode.outwards:
        mode = Mode.PULL
    return Rules(Policy(special.conflicts), mode, dead_groups)


def is_own(book: Book) -> bool:
    """May new contacts be made there?"""
    return book.selected and book.writable and not book.shared and book.gone_at is None


def home_of(account: AccountConfig, books: Iterable[Book]) -> Book | None:
    """L37: the default book: the configured one, else the server's, else the first writable own one; one
    whose cards are members of a group only where it is named."""
    wanted = account.default_book
    own = [book for book in books if is_own(book)]
    if wanted:
        return next((b for b in own if wanted in (b.name, b.href)), None)
    own = [book for book in own if not account.for_book(book.name, book.href).group]
    own.sort(key=lambda b: (not b.default, b.href))
    return own[0] if own else None


def selection_of(config: BookConfig, groups: Iterable[StoredGroup]) -> Selection:
    """The filter of a book; a group that there is not has no members."""
    if not config.selects:
        return EVERYBODY
    named = {fold(name) for name in config.only_groups}
    ids = frozenset(g.id for g in groups if g.deleted_at is None and fold(g.name) in named)
    return Selection.of(ids if config.only_groups else None, config.only_with, config.only_query)


@frozen
class Place:
    """One book: what it takes, and the id of the group that its cards are members of."""

    book: Book
    selection: Selection
    group: str


class Places:
    """The books of an account. ``groups`` are those of the device, and any that are about to be."""

    def __init__(self, account: AccountConfig, books: Iterable[Book], groups: Iterable[StoredGroup]) -> None:
        known = list(groups)
        self._account = account
        self._books = list(books)
        self._home = home_of(account, self._books)
        self._live_names = {group.id: group.name for group in known if group.deleted_at is None}
        self._ids = {fold(group.name): group.id for group in known}
        self._places = {book.id: self._place(book, known) for book in self._books}

    def _place(self, book: Book, groups: Iterable[StoredGroup]) -> Place:
        config = self._account.for_book(book.name, book.href)
        group = self._ids.get(fold(config.group), "") if config.group else ""
        return Place(book, selection_of(config, groups), group)

    def of(self, book: Book) -> Place:
        return self._places[book.id]

    def home_for(self, contact: Contact) -> Book | None:
        """Where this contact is made if it has no card in the account: the first book that stands for one of
        its groups, else the default one, as far as they take it."""
        standing = (p for p in self._places.values() if p.group in contact.groups and is_own(p.book))
        place = next(standing, self._places.get(self._home.id) if self._home else None)
        if place is None or not place.selection.takes(contact):
            return None
        return place.book if rules_of(self._account, place.book).mode.outwards else None

    def waiting(self, store: Store, account_id: int) -> set[int]:
        """Contacts that are to be made in the account."""
        homeless = store.links.homeless(account_id)
        if not homeless or not self._books:
            return set()
        if all(p.selection.takes_all and not p.group for p in self._places.values()):
            # without any home they go on waiting for one, and a person is told
            return homeless if self._home is None or self.home_for(Contact()) else set()
        found = store.contacts.many(homeless)
        return {i for i, stored in found.items() if self.home_for(stored.contact) is not None}

    def renamed(self, store: Store) -> Iterator[str]:
        """Live groups that a book knows by another name."""
        for book in self._books:
            for group_id, base in store.groups.base_names(book.id).items():
                if self._live_names.get(group_id, base) != base:
                    yield group_id

    def moving(self, store: Store) -> Iterator[int]:
        """Contacts that left the filter of a book, or came back into it."""
        for place in self._places.values():
            if not place.selection.takes_all:
                yield from leaving(store, place.book, place.selection)
                yield from (link.contact_id for link in returning(store, place.book, place.selection))


def pending(store: Store, account: AccountConfig) -> int:
    """How many contacts and groups wait on the device for a round of this account."""
    books = store.books.of_account(account.name)
    account_id = store.books.account_id(account.name)
    places = Places(account, books, store.groups.all())
    waiting = store.links.out_of_step(book.id for book in books) | set(places.moving(store))
    if account_id is not None and books:
        waiting |= places.waiting(store, account_id)
    elif account_id is not None:  # nobody knows yet what books there are
        waiting |= store.links.homeless(account_id)
    return len(waiting) + len(set(places.renamed(store)))


def leaving(store: Store, book: Book, selection: Selection) -> set[int]:
    """Live contacts with a card in the book that its filter does not take any more."""
    found = store.contacts.many(store.links.contacts_in(book.id, *ALIVE))
    return {i for i, stored in found.items() if not stored.deleted and not selection.takes(stored.contact)}


def returning(store: Store, book: Book, selection: Selection) -> list[StoredLink]:
    """Links that were let go of by the filter, and whose contacts it takes again."""
    links = store.links.left_outside(book.id)
    people = store.contacts.many({link.contact_id for link in links})
    return [
        link
        for link in links
        if (stored := people.get(link.contact_id)) and not stored.deleted and selection.takes(stored.contact)
    ]
