"""Cards by direct reads, whole: what a remote tells only one by one is fetched as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import cast

from contactsync.connectors.base import Change, Completing, Payload
from contactsync.engine.context import Round
from contactsync.store.values import Book

BATCH = 100


def read_cards(round_: Round, book: Book, hrefs: Sequence[str]) -> Iterator[Change]:
    """What `Connector.fetch` gives for these hrefs, with nothing left out."""
    return completed(round_, book, round_.connector.fetch(book.href, hrefs))


def completed(round_: Round, book: Book, changes: Iterable[Change]) -> Iterator[Change]:
    """The changes in batches as they come; ``partial`` ones are made whole, from what is stored where
    that is still right."""
    source = iter(changes)
    while batch := list(islice(source, BATCH)):
        yield from (change for change in batch if not change.partial)
        partial = [change for change in batch if change.partial]
        if partial:
            known = _stored(round_, book, partial)
            connector = cast(Completing, round_.connector)
            yield from connector.complete((change, known.get(change.href)) for change in partial)


def _stored(round_: Round, book: Book, changes: Iterable[Change]) -> dict[str, Payload]:
    links = round_.store.links.at(book.id, [change.href for change in changes])
    return {href: link.original for href, link in links.items() if link.original}
