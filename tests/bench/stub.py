"""A CardDAV server with its cards in memory: ``python -m tests.bench.stub PORT``.

Real servers take longer for each card the more there are, and hours for 10,000 one by one. With this one a
request costs what is asked for, so that what grows with the size of a book is the program's own. It says
what RFC 6352 and RFC 6578 want of a server that keeps cards as they are, for one login, and no more.
"""

from __future__ import annotations

import itertools
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape, unescape

from tests.servers import Server, free_port, running, temporary_folder

PRINCIPAL, FIRST = "/me/", "/me/contacts/"
_HREF = re.compile(r"<(?:\w+:)?href>([^<]*)</(?:\w+:)?href>")
_TOKEN = re.compile(r"<(?:\w+:)?sync-token>([^<]*)</(?:\w+:)?sync-token>")
_HEAD = '<?xml version="1.0"?><multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'
_HOME = (
    "<resourcetype><collection/>{type}</resourcetype><displayname>{path}</displayname>"
    f"<current-user-principal><href>{PRINCIPAL}</href></current-user-principal>"
    f"<C:addressbook-home-set><href>{PRINCIPAL}</href></C:addressbook-home-set>"
    "<supported-report-set><supported-report><report><sync-collection/></report></supported-report>"
    "</supported-report-set>"
)


class _Book:
    """Cards by href with their etags, and who changed when."""

    def __init__(self) -> None:
        self.cards: dict[str, tuple[str, bytes]] = {}
        self.changes: list[str] = []

    def put(self, href: str, card: bytes) -> str:
        self.changes.append(href)
        etag = f'"{len(self.changes)}"'
        self.cards[href] = etag, card
        return etag

    def delete(self, href: str) -> None:
        self.changes.append(href)
        del self.cards[href]

    def since(self, token: str) -> Iterable[str]:
        """Who is there, or what changed after a token (RFC 6578 section 3.4)."""
        return dict.fromkeys(self.changes[int(token) :]) if token else self.cards


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    books: dict[str, _Book] = {FIRST: _Book()}  # noqa: RUF012
    turn = threading.Lock()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it would be what takes longest."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.turn:
            status, fields, out = getattr(self, f"_{self.command.lower()}")(body)
        self.send_response(status)
        for name, text in {**fields, "Content-Length": str(len(out))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(out)

    do_OPTIONS = do_PROPFIND = do_REPORT = do_MKCOL = do_PUT = do_GET = do_DELETE = _answer

    # -- one card ------------------------------------------------------------------------------------

    @property
    def _book(self) -> _Book:
        return self.books.get(self.path[: self.path.rindex("/") + 1], _Book())

    def _refused(self) -> bool:
        """Is there a condition that does not hold (RFC 9110 section 13.1)?"""
        etag = self._book.cards.get(self.path, ("", b""))[0]
        wanted = self.headers.get("If-Match")
        return (self.headers.get("If-None-Match") == "*" and bool(etag)) or wanted not in (None, etag)

    def _put(self, body: bytes) -> _Said:
        if self._refused():
            return HTTPStatus.PRECONDITION_FAILED, {}, b""
        return HTTPStatus.CREATED, {"ETag": self._book.put(self.path, body)}, b""

    def _get(self, body: bytes) -> _Said:
        etag, card = self._book.cards.get(self.path, ("", b""))
        return (HTTPStatus.OK if etag else HTTPStatus.NOT_FOUND), {"ETag": etag}, card

    def _delete(self, body: bytes) -> _Said:
        if self.path in self.books:
            del self.books[self.path]
        elif self._refused():
            return HTTPStatus.PRECONDITION_FAILED, {}, b""
        elif self.path not in self._book.cards:
            return HTTPStatus.NOT_FOUND, {}, b""
        else:
            self._book.delete(self.path)
        return HTTPStatus.NO_CONTENT, {}, b""

    # -- a book ----------------------------------------------------------------------------------------

    def _options(self, body: bytes) -> _Said:
        return HTTPStatus.OK, {"DAV": "1, 3, addressbook"}, b""

    def _mkcol(self, body: bytes) -> _Said:
        self.books[self.path] = _Book()
        return HTTPStatus.CREATED, {}, b""

    def _propfind(self, body: bytes) -> _Said:
        book, rows = self.books.get(self.path), []
        deep = self.headers.get("Depth") != "0"
        for path in [self.path, *(self.books if deep and book is None else ())]:
            kind = "<C:addressbook/>" if path in self.books else ""
            rows.append(_row(path, _HOME.format(type=kind, path=path)))
        if book is not None and deep:
            rows += [_row(href, _etag(etag)) for href, (etag, _) in book.cards.items()]
        return _multistatus(rows)

    def _report(self, body: bytes) -> _Said:
        text, book = body.decode(), self.books[self.path]
        if "multiget" in text[:200]:
            return _multistatus(self._read(book, href) for href in map(unescape, _HREF.findall(text)))
        token = _TOKEN.search(text)
        rows = []
        for href in book.since(token[1] if token else ""):
            held = book.cards.get(href)
            rows.append(_row(href, _etag(held[0])) if held else _gone(href))
        return _multistatus([*rows, f"<sync-token>{len(book.changes)}</sync-token>"])

    def _read(self, book: _Book, href: str) -> str:
        if href not in book.cards:
            return _gone(href)
        etag, card = book.cards[href]
        data = escape(card.decode()).replace("\r", "&#13;")
        return _row(href, f"{_etag(etag)}<C:address-data>{data}</C:address-data>")


_Said = tuple[HTTPStatus, dict[str, str], bytes]


def _etag(etag: str) -> str:
    return f"<getetag>{etag}</getetag><getcontenttype>text/vcard</getcontenttype>"


def _row(href: str, props: str) -> str:
    status = "<status>HTTP/1.1 200 OK</status>"
    return f"<response><href>{href}</href><propstat><prop>{props}</prop>{status}</propstat></response>"


def _gone(href: str) -> str:
    return f"<response><href>{href}</href><status>HTTP/1.1 404 Not Found</status></response>"


def _multistatus(rows: Iterable[str]) -> _Said:
    out = "".join(itertools.chain([_HEAD], rows, ["</multistatus>"])).encode()
    return HTTPStatus.MULTI_STATUS, {"Content-Type": "application/xml; charset=utf-8"}, out


@contextmanager
def stub() -> Iterator[Server]:
    """In a process of its own."""
    with temporary_folder() as folder, free_port() as port:
        base = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "tests.bench.stub", str(port)]
        with running(command, folder, f"{base}/", {"PYTHONPATH": ":".join(sys.path)}) as process:
            yield Server("stub", base, PRINCIPAL, FIRST, "", "", folder, process)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
