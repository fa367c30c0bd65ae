"""Which account shows which value of a contact, and why another does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from contactsync.config import AccountConfig
from contactsync.connectors.base import Codec
from contactsync.engine.selecting import Places
from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, Kind, Path, Units, flatten, path_text, same_unit, unit_text
from contactsync.store.links import ALIVE, OUTSIDE
from contactsync.store.store import Store
from contactsync.store.values import Book, StoredContact, StoredLink
from contactsync.sync.diff import aligned
from contactsync.sync.types import Mode

#: The codec of an account; None where it cannot be had, as when its package is not installed.
CodecOf = Callable[[AccountConfig], Codec | None]


@frozen
class Where:
    """One value of a contact and the accounts that show it. ``missing`` have the contact without it, or do
    not have the contact; ``why`` says the reason of each."""

    path: str
    text: str
    accounts: tuple[str, ...]
    missing: tuple[str, ...] = ()
    why: Mapping[str, str] = field(default_factory=dict)


def where(
    store: Store, accounts: Iterable[AccountConfig], codec_of: CodecOf, stored: StoredContact
) -> list[Where]:
    """Each unit of a contact. Nothing is asked of a remote: it is what was read last that counts."""
    units = flatten(stored.contact)
    answers = {account.name: _answers(store, account, codec_of, stored, units) for account in accounts}
    names = {group.id: group.name for group in store.groups.all()}
    found = []
    for path, value in units.values.items():
        why = {account: answer[path] for account, answer in answers.items() if answer[path]}
        there = tuple(account for account, answer in answers.items() if answer[path] == "")
        named = path if FIELD[path[0]].kind is not Kind.SET else (path[0], names.get(path[1], path[1]))
        found.append(Where(path_text(named), unit_text(named, value), there, tuple(why), why))
    return found


def _answers(
    store: Store, account: AccountConfig, codec_of: CodecOf, stored: StoredContact, units: Units
) -> dict[Path, str]:
    """For each unit, why the account does not show it; empty where it does."""
    books = {book.id: book for book in store.books.of_account(account.name, selected_only=False)}
    own = [link for link in store.links.of_contact(stored.id) if link.collection_id in books]
    links = [link for link in own if link.state in ALIVE]
    if not links:
        reason = _no_card(store, account, stored, own)
        return dict.fromkeys(units.values, reason)
    codec = codec_of(account)
    shown = aligned(codec.project(stored.contact), units) if codec is not None else None
    asked = {c.path for c in store.journal.conflicts(contact_id=stored.id) if c.status == "open"}
    cards = [_Card(stored, link, units, shown, asked, Mode(account.mode).outwards) for link in links]
    return {
        path: min((card.why(path, value) for card in cards), key=len) for path, value in units.values.items()
    }


def _no_card(store: Store, account: AccountConfig, stored: StoredContact, links: Sequence[StoredLink]) -> str:
    if stored.held:
        return "held back until you decide"
    if any(link.state == "left" for link in links):
        return "its filter leaves it out" if any(link.reason == OUTSIDE for link in links) else "let go of"
    if account.paused:
        return "is paused"
    if not Mode(account.mode).outwards:
        return "is only read"
    refused = [q for q in store.keepsakes.quarantined() if q.contact_id == stored.id]
    books = store.books.of_account(account.name)
    if any(q.collection_id in {book.id for book in books} for q in refused):
        return "refused it; see contactsync doctor"
    if books and Places(account, books, store.groups.all()).home_for(stored.contact) is None:
        return "no book takes it"
    return "with the next round"


class _Card:
    """What one card shows of a contact."""

    def __init__(
        self,
        stored: StoredContact,
        link: StoredLink,
        units: Units,
        shown: Units | None,
        asked: set[str],
        outwards: bool,
    ) -> None:
        self._there = aligned(link.base.remote, units)
        self._before = aligned(link.base.local, units)
        self._lost = set(link.lost.split("\n"))
        self._names = _names(stored.contact, units, link.base.local)
        self._shown, self._asked, self._outwards = shown, asked, outwards

    def why(self, path: Path, value: Any) -> str:
        """Empty where the card shows the value."""
        there = self._there.values.get(path)
        if same_unit(path, value, there):
            return ""
        name = path_text((*self._names.get(path[:2], path[:2]), *path[2:]))
        if name in self._asked:
            return "waits for your answer: contactsync conflict review"
        if name in self._lost:
            return "did not keep it"
        projected = self._shown.values.get(path) if self._shown is not None else value
        if projected is None:
            return "has no place for it"
        if there is not None and same_unit(path, projected, there):
            return f"shows {unit_text(path, there)!r}"
        if not self._outwards:
            return "is only read"
        if not same_unit(path, value, self._before.values.get(path)):
            return "with the next round"
        return f"shows {unit_text(path, there)!r}" if there is not None else "does not show it"


def _names(contact: Contact, units: Units, base: Contact) -> dict[Path, Path]:
    """The entries by what the last agreement calls them: so do records of conflicts and of losses."""
    named = aligned(contact, flatten(base))
    return {
        (field, key): (field, name)
        for field, keys in units.order.items()
        for key, name in zip(keys, named.order.get(field, ()), strict=True)
    }


def losses(store: Store) -> list[dict[str, Any]]:
    """What remotes did not keep by themselves (L12): account, uid, name and fields of each contact."""
    books: dict[int, Book | None] = {}
    found = []
    rows = store.links.with_losses()
    contacts = store.contacts.many(contact_id for contact_id, _, _ in rows)
    for contact_id, book_id, paths in rows:
        stored = contacts.get(contact_id)
        if book_id not in books:
            books[book_id] = store.books.get(book_id)
        book = books[book_id]
        if stored is not None and book is not None:
            contact = stored.contact
            fields = sorted({path.split("/")[0] for path in paths.split("\n")} & FIELD.keys())
            row = {"account": book.account, "uid": contact.uid, "name": contact.display, "fields": fields}
            found.append(row)
    return found
