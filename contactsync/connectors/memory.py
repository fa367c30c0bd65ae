"""The reference connector: address books in this process, with every odd habit as a switch.

`MemoryServer` is the remote, shared by any number of connectors; `Habits` are what real remotes were
seen to do. The engine's tests run on it, and it is the shortest whole example of a connector.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

from contactsync.connectors.base import (
    AccountSettings,
    Capabilities,
    Change,
    Codec,
    Collection,
    Connector,
    Create,
    Delete,
    Outcome,
    Page,
    Payload,
    Refused,
    Removed,
    Step,
    Stored,
    Traffic,
    Unknown,
    Update,
)
from contactsync.errors import (
    AlreadyExists,
    BookGone,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteError,
    SyncTokenExpired,
    TransientError,
)
from contactsync.frozen import frozen

_UID = re.compile(rb"(?im)^UID[:;].*?(?:\r?\n(?![ \t]))")


def _same(given: Any) -> Any:
    return given


@dataclass(slots=True)
class Habits:
    """How this server behaves.

    page_size        cards of one page; 0 lists all in one
    lag              listings are this many commits old (Google, Graph)
    settles_after    listings are this old, and the capabilities say so
    repeat_rows      each row comes twice (Graph)
    arrange          the order in which rows come
    whole_again      a cursor is answered with the whole list
    etag_on_write    the answer to a write names the etag
    show_stored      the answer to a write shows the card as stored
    carry_payload    listings carry the cards
    incremental      listings can start at a cursor
    names_href       the client names new cards; else the server does
    carries_uid      cards keep the client's uid; else they get the server's
    conditional      writes honour etags
    unique_uids      a uid may be there once (Radicale)
    on_store         what becomes of a card when it is stored: lost fields, other order
    lose_replies     so many writes are carried out without their answer arriving
    refuse           so many conditions are refused for no reason
    break_off        so many listings fail before their last page
    """

    page_size: int = 0
    lag: int = 0
    settles_after: timedelta = timedelta(0)
    repeat_rows: bool = False
    arrange: Callable[[list[Change]], list[Change]] = _same
    whole_again: bool = False
    etag_on_write: bool = True
    show_stored: bool = False
    carry_payload: bool = False
    incremental: bool = True
    names_href: bool = True
    carries_uid: bool = True
    conditional: bool = True
    unique_uids: bool = False
    on_store: Callable[[Payload], Payload] = _same
    lose_replies: int = 0
    refuse: int = 0
    break_off: int = 0


@frozen
class _Card:
    etag: str
    payload: Payload
    modified_at: datetime


@dataclass(slots=True)
class _Book:
    """``log`` has one entry for each commit; a cursor of another ``era`` has expired."""

    name: str
    era: int
    writable: bool = True
    cards: dict[str, _Card] = field(default_factory=dict)
    log: list[tuple[str, _Card | None]] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)

    def commit(self, href: str, card: _Card | None, at: datetime) -> None:
        if card is None:
            self.cards.pop(href, None)
        else:
            self.cards[href] = card
        self.log.append((href, card))
        self.times.append(at)


class MemoryServer:
    """A remote of its own. The methods are those of another client, unconditional and at once."""

    _named: ClassVar[dict[str, MemoryServer]] = {}

    def __init__(self, habits: Habits | None = None, clock: Callable[[], datetime] | None = None) -> None:
        self.habits = habits or Habits()
        self.books: dict[str, _Book] = {}
        self._clock = clock or (lambda: datetime.now(UTC))
        self._etags = count(1)
        self._names = count(1)
        self._eras = count(1)
        self._lock = threading.RLock()
        self.make_book("contacts")

    @classmethod
    def named(cls, name: str) -> MemoryServer:
        """The same server for the same name, as long as the process lives."""
        return cls._named.setdefault(name, cls())

    def make_book(self, name: str, *, writable: bool = True) -> str:
        """A new, empty book; its href. One of the same name is replaced, as a re-created one."""
        href = f"/{name}/"
        self.books[href] = _Book(name, next(self._eras), writable)
        return href

    def delete_book(self, href: str) -> None:
        del self.books[href]

    def expire_cursors(self, href: str) -> None:
        """From now on each cursor given so far is refused."""
        self.books[href].era = next(self._eras)

    def put(self, path: str, payload: Payload) -> str:
        """Store a card, whatever is there; its etag."""
        with self._lock:
            card = _Card(f'"{next(self._etags)}"', self.habits.on_store(payload), self._clock())
            self.book(_parent(path)).commit(path, card, card.modified_at)
            return card.etag

    def get(self, path: str) -> Payload | None:
        card = self.book(_parent(path)).cards.get(path)
        return card.payload if card else None

    def delete(self, path: str) -> None:
        with self._lock:
            self.book(_parent(path)).commit(path, None, self._clock())

    def etags(self, book: str) -> dict[str, str]:
        """Href and etag of every card."""
        return {href: card.etag for href, card in self.book(book).cards.items()}

    def book(self, href: str) -> _Book:
        try:
            return self.books[href]
        except KeyError:
            raise BookGone(f"There is no book {href}.", href=href) from None

    # ---- what the connector asks -----------------------------------------------------------------

    def pages(self, href: str, cursor: str | None) -> Iterator[Page]:
        with self._lock:
            book = self.book(href)
            settled = bisect_right(book.times, self._clock() - self.habits.settles_after)
            shown = max(0, min(settled, len(book.log) - self.habits.lag))
            since = self._since(book, href, cursor)
            full = cursor is None or self.habits.whole_again
            rows = self._rows(book.log[0 if full else since : shown], full=full)
            return self._paged(rows, f"{book.era}:{max(since, shown)}", full=full)

    def _since(self, book: _Book, href: str, cursor: str | None) -> int:
        if cursor is None:
            return 0
        era, _, position = cursor.partition(":")
        if era != str(book.era) or not position.isdecimal() or int(position) > len(book.log):
            raise SyncTokenExpired("This cursor has expired.", href=href)
        return int(position)

    def _rows(self, log: Sequence[tuple[str, _Card | None]], *, full: bool) -> list[Change]:
        last = dict(log)
        rows = self.habits.arrange([self.change(h, card) for h, card in last.items() if card or not full])
        return [row for row in rows for _ in range(2)] if self.habits.repeat_rows else rows

    def change(self, href: str, card: _Card | None, *, payload: bool = False) -> Change:
        if card is None:
            return Change(href, gone=True)
        shown = card.payload if payload or self.habits.carry_payload else None
        return Change(href, card.etag, shown, modified_at=card.modified_at)

    def _paged(self, rows: list[Change], cursor: str, *, full: bool) -> Iterator[Page]:
        """Until the last page there is no cursor: a listing that breaks off starts anew."""
        size = self.habits.page_size or max(1, len(rows))
        starts = range(0, len(rows), size) or range(1)
        for start in starts:
            last = start == starts[-1]
            if last and self.habits.break_off > 0:
                self.habits.break_off -= 1
                raise TransientError("The listing broke off.")
            after = cursor if last and self.habits.incremental else None
            yield Page(tuple(rows[start : start + size]), after, full, last)

    def carry_out(self, book_href: str, step: Step) -> Stored | Removed:
        with self._lock:
            book = self.book(book_href)
            if not book.writable:
                raise PermissionDenied("This book is read-only.", href=book_href)
            if isinstance(step, Create):
                return self._create(book, book_href, step)
            card = book.cards.get(step.href)
            if card is None:
                return self._missing(step)
            if self.habits.conditional and (card.etag != step.etag or self._refuses()):
                raise PreconditionFailed("The card changed since it was read.", href=step.href)
            if isinstance(step, Delete):
                book.commit(step.href, None, self._clock())
                return Removed(step.key, step.href)
            return self._store(book, step, step.href)

    def _refuses(self) -> bool:
        """A condition refused for no reason, as long as any is left."""
        left = self.habits.refuse
        self.habits.refuse = max(0, left - 1)
        return left > 0

    def _missing(self, step: Update | Delete) -> Removed:
        if isinstance(step, Delete):
            return Removed(step.key, step.href)
        raise NotFound("That card is not there.", href=step.href)

    def _create(self, book: _Book, book_href: str, step: Create) -> Stored:
        name = step.href_hint if self.habits.names_href else f"server-{next(self._names)}"
        href = f"{book_href}{name}.vcf"
        if href in book.cards:
            raise AlreadyExists("There is a card of this name.", href=href)
        if self.habits.unique_uids:
            taken = next(
                (h for h, card in book.cards.items() if _uid(card.payload) == _uid(step.payload)), None
            )
            if taken:
                raise AlreadyExists("There is a card with this UID.", href=taken)
        return self._store(book, step, href)

    def _store(self, book: _Book, step: Create | Update, href: str) -> Stored:
        payload = step.payload if self.habits.carries_uid else self._own_uid(step.payload, href)
        etag = self.put(href, payload)
        shown = book.cards[href].payload if self.habits.show_stored else None
        return Stored(step.key, href, etag if self.habits.etag_on_write else None, shown)

    def _own_uid(self, payload: Payload, href: str) -> Payload:
        return _UID.sub(f"UID:{href.rpartition('/')[2]}\r\n".encode(), payload)


def _parent(path: str) -> str:
    return path[: path.rindex("/") + 1]


def _uid(payload: Payload) -> bytes:
    found = _UID.search(payload)
    return found.group().strip() if found else b""


class MemoryConnector:
    """A login at a `MemoryServer`; its capabilities follow from the server's habits at the start."""

    def __init__(self, server: MemoryServer, codec: Codec, capabilities: Capabilities | None = None) -> None:
        self.server = server
        self.codec = codec
        self.capabilities = capabilities or _capabilities(server.habits)
        self._requests = 0

    def check(self) -> str:
        return "memory"

    def collections(self) -> Sequence[Collection]:
        return [Collection(href, book.name, book.writable) for href, book in self.server.books.items()]

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        self._requests += 1
        return self.server.pages(collection, cursor)

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        """Direct reads: without the lag of listings."""
        self._requests += 1
        for href in hrefs:
            yield self.server.change(href, self.server.book(collection).cards.get(href), payload=True)

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        for step in steps:
            yield self._do(collection, step)

    def _do(self, collection: str, step: Step) -> Outcome:
        self._requests += 1
        try:
            outcome = self.server.carry_out(collection, step)
        except RemoteError as error:
            return Refused(step.key, error)
        if self.server.habits.lose_replies > 0:
            self.server.habits.lose_replies -= 1
            return Unknown(step.key, TransientError("The answer did not arrive."))
        return outcome

    def traffic(self) -> Traffic:
        """One request for each listing, batch of reads and write; no bytes."""
        return Traffic(self._requests)

    def close(self) -> None:
        """Nothing to free; the server lives on."""


def _capabilities(habits: Habits) -> Capabilities:
    return Capabilities(
        incremental=habits.incremental,
        changes_carry_payload=habits.carry_payload,
        names_href=habits.names_href,
        carries_uid=habits.carries_uid,
        conditional_update=habits.conditional,
        conditional_delete=habits.conditional,
        etag_on_write=habits.etag_on_write,
        payload_on_write=habits.show_stored,
        settles_after=habits.settles_after,
    )


def factory(settings: AccountSettings) -> Connector:
    """What the entry point ``memory`` names; the url names the server."""
    from contactsync.vcard.codec import VCardCodec

    return MemoryConnector(MemoryServer.named(settings.url), VCardCodec())
