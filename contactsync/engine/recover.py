"""Writes in doubt after a crash or a lost answer (section 9 of the laws, L12, L13, L33)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from contactsync.engine.cards import BookState, Card
from contactsync.engine.context import Round
from contactsync.model.contact import Contact
from contactsync.model.fields import Path
from contactsync.store.values import OutboxRow, StoredLink
from contactsync.sync.echo import holding_back, put_off, settle, with_untaken, without_absent
from contactsync.sync.types import NO_BASE, Base


@dataclass(slots=True)
class Recovered:
    """What reading the truth told about writes in doubt.

    ``done`` and ``dropped`` are journal rows; ``bases`` the shadows to plan with, by link;
    ``adopted`` those of creates that turned out to have landed, by href; ``in_doubt`` contacts that
    must not be created again yet; ``names`` the hrefs that a repeated create must use again;
    ``rewritten`` are units that a remote stored otherwise than sent, without proof (L12).
    """

    done: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    bases: dict[int, Base] = field(default_factory=dict)
    adopted: dict[str, Base] = field(default_factory=dict)
    in_doubt: set[int] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    rewritten: list[tuple[int, int, Path, Any, Any]] = field(default_factory=list)


def recover(round_: Round, states: Iterable[BookState]) -> Recovered:
    """Settle every row in state ``sent`` that this pull can settle; call before planning."""
    found = Recovered()
    books = list(states)
    for state in books:
        for row in round_.store.journal.outbox(state.book.id, "sent"):
            if row.action == "create":
                _create(round_, state, books, row, found)
            else:
                _change(round_, state, books, row, found)
    return found


def _create(
    round_: Round, state: BookState, books: Sequence[BookState], row: OutboxRow, found: Recovered
) -> None:
    """L33: adopt the card if it is there, or was moved to another book of the account since (L24); repeat
    only under the same name, or after a listing that is new enough to prove that it is not. A card that
    vanished between the listing and its reading may be it (under our name, where we chose one), and have
    another href now: then nothing is proven yet."""
    place, card = _ours(sorted(books, key=lambda book: book is not state), row)
    capabilities = round_.connector.capabilities
    if card is not None:
        settled = settle(Contact(), row.target, card.view, holds=place.holds(round_.store))
        local = without_absent(row.sent_local, row.target, card.view)
        found.adopted[card.href] = Base(local, settled.remote)
        found.done.append(row.id)
        # it may be another client's card of the same person: what it says otherwise is on record (L12)
        found.rewritten += [(row.contact_id, row.collection_id, *unit) for unit in settled.rewritten]
    elif any(not capabilities.names_href or row.href in href for href in state.pulled.vanished):
        found.in_doubt.add(row.contact_id)
    elif row.sent_at is not None and state.pulled.began_at >= row.sent_at + capabilities.settles_after:
        found.dropped.append(row.id)
        if capabilities.names_href:
            found.names[row.contact_id] = row.href
    else:
        found.in_doubt.add(row.contact_id)


def _ours(books: Sequence[BookState], row: OutboxRow) -> tuple[BookState, Card | None]:
    """The card of a create, and the book that it is in, which is the first of these if it is in none."""
    for book in books:
        for card in book.strangers():
            if row.target.uid and card.view.uid == row.target.uid:
                return book, card
    return books[0], None


def _change(
    round_: Round, state: BookState, books: Sequence[BookState], row: OutboxRow, found: Recovered
) -> None:
    """An update or delete: what the direct read of the card shows decides, also under the name that it has
    now (L24)."""
    link = next((link for link in state.links.values() if link.id == row.link_id), None)
    if link is None:
        return  # the card was not read in this pull: the doubt stays
    card = state.cards.get(link.href)
    if row.action == "delete" and link.href in state.gone:
        found.done.append(row.id)
        found.bases[link.id] = NO_BASE  # that it is gone tells nothing of who was brought back here since
        return
    if card is None and link.card_uid:
        moved = [card for book in books for card in book.strangers() if card.view.uid == link.card_uid]
        card = moved[0] if len(moved) == 1 else None
    if row.action == "delete" or card is None:
        found.dropped.append(row.id)
        return
    holds = state.holds(round_.store)
    settled = settle(row.before, row.target, card.view, holds=holds)
    if not settled.landed:
        found.dropped.append(row.id)
        return
    found.done.append(row.id)
    apart = round_.connector.capabilities.written_apart
    missing = [name for name in apart if getattr(card.view, name) == getattr(row.before, name)]
    local = with_untaken(row.sent_local, link.base.local, row.before, row.target, settled.untaken)
    local = put_off(local, link.base.local, missing)
    shadow = put_off(holding_back(settled.remote, row.before, link.base.remote), row.before, missing)
    found.bases[link.id] = Base(local, replace(shadow, uid=link.base.remote.uid))
    found.rewritten += [(row.contact_id, row.collection_id, *unit) for unit in settled.rewritten]


def read_back_base(round_: Round, state: BookState, link: StoredLink, card: Card) -> Base:
    """The shadows of a card that we wrote and that is read only now: under the etag that the write
    returned, what is seen is the shadow (L11); else what differs is judged by L12."""
    before, sent = round_.store.journal.last_update(link.id) or (Contact(), link.base.remote)
    shadow = card.view
    if link.etag is None or link.etag != card.etag:
        shadow = settle(before, sent, card.view, holds=state.holds(round_.store), confirmed=True).remote
    shadow = holding_back(shadow, sent, link.base.remote)
    return Base(link.base.local, replace(shadow, uid=card.view.uid))
