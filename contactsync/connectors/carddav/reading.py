"""What changed in a book, and its cards (RFC 6578, RFC 6352 section 8.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from contactsync.connectors import dav
from contactsync.connectors.base import Change, Page
from contactsync.connectors.davlogin import Transport
from contactsync.connectors.discovery import CARDDAV
from contactsync.connectors.http import classify, is_html, web_page
from contactsync.connectors.portions import read_ahead
from contactsync.errors import (
    AuthError,
    BookGone,
    NotFound,
    ProtocolError,
    Recovery,
    RemoteError,
    SyncTokenExpired,
    TransientError,
)

_SYNC = "sync:"
_CTAG = "ctag:"
_VERSION_4 = re.compile(rb"(?im)^VERSION:4\.0\s*$")
_ROW = (dav.ETAG, dav.RESOURCETYPE)
_LISTING = dav.propfind(*_ROW)
_KIND = dav.propfind(dav.RESOURCETYPE, dav.REPORTS)
_STATE = dav.propfind(dav.RESOURCETYPE, dav.CTAG)
#: Bytes of a card beyond which nearly all of it is a photo: packed, three quarters of that are left, and a
#: small server takes longer to pack it than the line for the rest (Radicale 11 ms for 200 kB, on a good one).
_LONG = 2**15
_NO_SUCH_REPORT = frozenset({400, 403, 405, 415, 422, 501})
_BAD_TOKEN = frozenset({400, 409, 410, 412})


class Reader:
    """The reading half of the connector, over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._has_reports = True
        self._converts = True
        self._packed = True

    def changes(self, book: str, cursor: str | None) -> Iterator[Page]:
        """The cursor tells which way its book is listed, so nothing is asked twice (one request)."""
        if cursor is None:
            return self._everything(book)
        if cursor.startswith(_SYNC):
            return self._since(book, cursor.removeprefix(_SYNC))
        if cursor.startswith(_CTAG):
            return self._unless_same(book, cursor.removeprefix(_CTAG))
        raise SyncTokenExpired("The saved place in this book's list is of an unknown kind.", href=book)

    # ---- sync-collection (RFC 6578) ------------------------------------------------------------

    def _everything(self, book: str) -> Iterator[Page]:
        """The ctag is asked for where it is needed: Radicale looks at every card for it."""
        kind = self._state(book, _KIND)
        if dav.DAV + "sync-collection" in kind.tags(dav.REPORTS) or dav.REPORTS not in kind.props:
            pages = self._sync_pages(book, "", full=True)
            try:
                first = next(pages)
            except (AuthError, BookGone, TransientError):
                raise
            except RemoteError as error:
                if error.status not in _NO_SUCH_REPORT:
                    raise
            else:
                yield first
                yield from pages
                return
        ctag = self._state(book).text(dav.CTAG) or ""
        self._transport.saw("no-tokens" if ctag else "no-ctag")
        yield self._listing(book, ctag)

    def _since(self, book: str, token: str) -> Iterator[Page]:
        """A token is as good as expired where the server does not list by tokens any more."""
        try:
            yield from self._sync_pages(book, token, full=False)
        except (AuthError, BookGone, TransientError):
            raise
        except RemoteError as error:
            no_such_report = isinstance(error, ProtocolError) and error.status in _NO_SUCH_REPORT
            if isinstance(error, SyncTokenExpired) or no_such_report or error.status in _BAD_TOKEN:
                raise SyncTokenExpired(
                    "The server does not know our place in its list any more.", status=error.status, href=book
                ) from error
            raise

    def _sync_pages(self, book: str, token: str, *, full: bool) -> Iterator[Page]:
        """One page for each answer; a row of status 507 says that there are more (section 3.6)."""
        while True:
            answer = self._about_book("REPORT", book, dav.sync_collection(token, *_ROW))
            if answer.sync_token is None:
                # status 400: as if it had refused the report, so that a first listing goes by etags
                raise ProtocolError("The server's list of changes has no sync token.", status=400, href=book)
            more = any(item.status == 507 for item in answer.items)
            if more:
                self._transport.saw("pages")
            if full and any(item.gone for item in answer.items):
                self._transport.saw("dead-rows")
            if more and answer.sync_token == token:
                raise ProtocolError("The server's list of changes does not come to an end.", href=book)
            token = answer.sync_token
            yield Page(_rows(answer, book, full=full), _SYNC + token, full=full, last=not more)
            if not more:
                return

    # ---- ctag and a listing of etags -------------------------------------------------------------

    def _unless_same(self, book: str, ctag: str) -> Iterator[Page]:
        """For sabre/dav 1.8 and its like. Without a ctag each round lists everything."""
        now = self._state(book).text(dav.CTAG) or ""
        if now and now == ctag:
            yield Page((), _CTAG + now, full=False, last=True)
        else:
            yield self._listing(book, now)

    def _listing(self, book: str, ctag: str) -> Page:
        """The ctag was read before the listing: what changes in between is seen next time."""
        answer = self._about_book("PROPFIND", book, _LISTING, depth=1)
        if not any(dav.same_path(dav.resolve(item.href, book), book) for item in answer.items):
            raise ProtocolError("The server's listing does not name the book itself.", href=book)
        return Page(_rows(answer, book, full=True), _CTAG + ctag, full=True, last=True)

    def _state(self, book: str, asked: bytes = _STATE) -> dav.Item:
        answer = self._about_book("PROPFIND", book, asked)
        item = next((i for i in answer.items if dav.same_path(dav.resolve(i.href, book), book)), None)
        if item is None:
            raise ProtocolError("The server answers about something else than this book.", href=book)
        if item.gone:
            raise _book_gone(book, item.status)
        if not CARDDAV.is_one(item):
            raise ProtocolError(
                f"{book} is not an address book.", hint="Choose one that the account lists.", href=book
            )
        return item

    def _about_book(self, method: str, book: str, body: bytes, depth: int = 0) -> dav.Multistatus:
        try:
            return self._transport.multistatus(method, book, body, depth)
        except NotFound as error:
            raise _book_gone(book, error.status) from error

    # ---- cards -----------------------------------------------------------------------------------

    def fetch(self, book: str, hrefs: Sequence[str]) -> Iterator[Change]:
        """In portions by multiget; what an answer leaves open is decided by a GET of that card."""
        return read_ahead(hrefs, lambda wanted: self._read(book, wanted))

    def _read(self, book: str, hrefs: Sequence[str]) -> list[Change]:
        found = self._multiget(book, hrefs) if self._has_reports else {}
        return [found.get(href) or self._get(href) for href in hrefs]

    def _multiget(self, book: str, hrefs: Sequence[str]) -> dict[str, Change]:
        """The whole cards of the answer. A report that fails as a whole says nothing of any card:
        sabre/dav 1.8 answers 404 when one is missing, and a control character in one card makes
        Xandikos' XML malformed."""
        try:
            asked_for = dav.multiget(hrefs)
            answer = self._transport.multistatus("REPORT", book, asked_for, packed=self._packed)
        except (AuthError, TransientError) as error:
            if isinstance(error, AuthError) or error.status is None:
                raise
            return {}
        except RemoteError as error:
            self._has_reports = error.status not in _NO_SUCH_REPORT
            self._transport.saw("report-fails")
            return {}
        asked = {dav.path_key(href): href for href in hrefs}
        found: dict[str, Change] = {}
        for item in answer.items:
            href = asked.get(dav.path_key(dav.resolve(item.href, book)))
            card = _card(item)
            if href is not None and card is not None:
                if self._converts and _is_converted(item, card):
                    card = self._as_stored(href) or card
                found[href] = Change(href, item.text(dav.ETAG), card, modified_at=item.modified)
        self._packed = sum(len(change.payload or b"") for change in found.values()) <= len(found) * _LONG
        return found

    def _as_stored(self, href: str) -> bytes | None:
        """A card of version 4.0 that the server made 3.0 of, as it is: Cyrus loses a photo on the way,
        and what is written back must not be less than what was there."""
        answer = self._transport.request("GET", href, headers={"Accept": "text/vcard; version=4.0"})
        card = dav.card_bytes(answer.body)
        self._converts = answer.ok and dav.is_whole_card(card) and _VERSION_4.search(card) is not None
        if self._converts:
            self._transport.saw("converts")
        return card if self._converts else None

    def _get(self, href: str) -> Change:
        answer = self._transport.request(
            "GET", href, headers={"Accept": "text/vcard, text/x-vcard;q=0.8, */*;q=0.1"}
        )
        if answer.status in (404, 410):
            return Change(href, gone=True)
        if not answer.ok:
            return _unreadable(href, classify(answer.status, answer.headers, answer.body, href))
        if is_html(answer.headers, answer.body):
            raise web_page(answer.status, href)
        modified = dav.http_date(answer.headers.get("Last-Modified", ""))
        return Change(href, answer.etag, dav.card_bytes(answer.body), modified_at=modified)


def _unreadable(href: str, error: RemoteError) -> Change:
    """A card that the server cannot or will not show is its own trouble; all else is the server's.

    Xandikos answers 500 for a card that it cannot parse, however often it is asked.
    """
    if error.recovery is Recovery.SKIP_CARD or error.status == 500:
        return Change(href, error=error)
    raise error


def _card(item: dav.Item) -> bytes | None:
    value = item.props.get(dav.ADDRESS_DATA)
    if value is None or item.status >= 300:
        return None
    data = dav.card_bytes(value.text.encode())
    return data if dav.is_whole_card(data) else None


def _is_converted(item: dav.Item, card: bytes) -> bool:
    """Is what the report shows another card than the one that is stored? Their lengths tell."""
    length = item.text(dav.LENGTH) or ""
    return length.isdecimal() and int(length) != len(card) and _VERSION_4.search(card) is None


def _rows(answer: dav.Multistatus, book: str, *, full: bool) -> tuple[Change, ...]:
    """The cards of a listing, each once; in a full one Radicale also names those deleted long ago."""
    found: dict[bytes, Change] = {}
    for item in answer.items:
        path = dav.resolve(item.href, book)
        if (
            dav.same_path(path, book)
            or path.endswith("/")
            or dav.DAV + "collection" in item.tags(dav.RESOURCETYPE)
        ):
            continue
        if item.gone and full:
            continue
        found[dav.path_key(path)] = Change(path, None if item.gone else item.text(dav.ETAG), gone=item.gone)
    return tuple(found.values())


def _book_gone(book: str, status: int | None) -> BookGone:
    return BookGone(
        f"The address book {book} is not on the server any more.",
        hint="If it moved, choose another book for this account.",
        status=status,
        href=book,
    )
