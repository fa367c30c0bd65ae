"""The first reading of a book into a device on which nobody else is: whoever comes is a contact at once.

There is nobody with whom a card might have to be compared, so that it need not wait for the rest of its book:
the next cards are under way while these are stored, and no more of them are in memory. Each part is a
transaction of its own, and the cursor moves at the end: a reading that dies goes on where it was (L31).
"""

from __future__ import annotations

from collections.abc import Sequence

from contactsync.connectors.base import Change
from contactsync.engine.apply import take_strangers
from contactsync.engine.cards import BookState, Card
from contactsync.engine.context import Round
from contactsync.engine.decide import Outcome, Spoke
from contactsync.engine.pull import Pulled
from contactsync.errors import CodecError
from contactsync.model.contact import Contact
from contactsync.store.values import Book
from contactsync.sync.plan import new_card
from contactsync.sync.types import Hub


class Arrivals:
    """Takes in the plain cards of a book. What needs a decision is left for it: group cards, a card that
    cannot be read, one with the UID of another, one that names labels, which have to be known first."""

    def __init__(self, round_: Round, book: Book) -> None:
        self._round = round_
        self._book = book

    @classmethod
    def of(cls, round_: Round, book: Book) -> Arrivals | None:
        """None where something has to be compared or chosen: the device has others, the book was read to its
        end before, its filter or mode leaves cards out."""
        if book.cursor_at is not None or round_.dry_run or round_.rules_changed:
            return None
        takes_all = round_.places([book]).of(book).selection.takes_all
        if not takes_all or not round_.rules(book).mode.inwards:
            return None
        if not round_.store.links.holds_everybody(book.id):
            return None
        return cls(round_, book)

    def take(self, changes: Sequence[Change]) -> list[Change]:
        """Make contacts of the plain ones; the rest. Call inside a transaction."""
        store = self._round.store
        if store.journal.newest_run() != self._round.run_id:
            return list(changes)  # somebody edits the device meanwhile: there may be others now
        views = {c.href: view for c in changes if (view := self._plain(c)) is not None}
        taken = store.contacts.by_uids(view.uid for view in views.values()).keys()
        known = store.links.at(self._book.id, views).keys()
        seen, came, rest = set(taken), [], []
        names = self._round.group_names(self._book)
        state = BookState(
            self._book,
            Pulled(self._book, None, self._round.now()),
            self._round.rules(self._book, names.dead),
            names,
            frozenset({self._book.id}),
        )
        for change in changes:
            view = views.get(change.href)
            if view is None or change.href in known or view.uid in seen:
                rest.append(change)
                continue
            uid = view.uid or self._round.new_id()
            seen.add(uid)
            payload = change.payload or b""
            card = Card(change.href, change.etag, payload, names.to_ids(view), change.modified_at)
            came.append(_stranger(state, card, uid))
        take_strangers(self._round, state, came)
        return rest

    def _plain(self, change: Change) -> Contact | None:
        connector = self._round.connector
        if change.payload is None or change.gone or change.error is not None:
            return None
        try:
            view = connector.codec.read(change.payload)
        except CodecError:
            return None
        return None if view.kind == "group" or (view.groups and connector.capabilities.labels) else view


def _stranger(state: BookState, card: Card, uid: str) -> Outcome:
    save, rebase = new_card(card.live(), uid)
    return Outcome(None, Hub(save.contact), [Spoke(state, None, card, actions=[save, rebase])])
