"""Logging in by a web page: the person agrees there, and their browser comes back to this machine (RFC 8252
section 7.3)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from datetime import timedelta
from html import escape
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

from contactsync.errors import AuthError
from contactsync.frozen import frozen

PATIENCE = timedelta(minutes=5)
_PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>contactsync</title>
<p>{text} You can close this page.</p></html>"""


@frozen
class Login:
    """``secret`` is what is kept; ``notes`` are for the person."""

    secret: str = field(repr=False)
    notes: tuple[str, ...] = ()


@frozen
class Ways:
    """How the person gets to the page and back: ``show`` tells them its URL, ``open`` opens a browser
    (None: there is none), ``paste`` waits for the URL that the browser was sent to (None: nobody is there).
    """

    show: Callable[[str], object]
    open: Callable[[str], object] | None = None
    paste: Callable[[], str] | None = None
    patience: timedelta = PATIENCE


@frozen
class Page:
    """Where the person is sent; the answer must have the same ``state``."""

    url: str
    state: str


def ask(ways: Ways, remote: str, page_for: Callable[[int], Page]) -> Mapping[str, str]:
    """Send the person to the page for the answer at this port of this machine; the query that they came back
    with. Raises `AuthError`."""
    with _listening() as (port, answers):
        page = page_for(port)
        ways.show(page.url)
        if ways.open is not None:
            ways.open(page.url)
        if ways.paste is not None:
            threading.Thread(target=_pasted, args=(ways.paste, answers), daemon=True).start()
        return _answer(answers, page.state, ways.patience, remote)


@contextmanager
def _listening() -> Iterator[tuple[int, queue.Queue[str]]]:
    """A server on this machine for the one request that the browser is sent to it with."""
    answers: queue.Queue[str] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            known = "state" in query
            agreed = "contactsync has what it needs." if "code" in query else "contactsync was not let in."
            page = _PAGE.format(text=escape(agreed)) if known else ""
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page.encode())))
            self.end_headers()
            self.wfile.write(page.encode())
            if known:
                answers.put(self.path)

        def log_message(self, format: str, *args: object) -> None:
            """The code must not be in any log."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        yield server.server_address[1], answers
        server.shutdown()


def _pasted(paste: Callable[[], str], answers: queue.Queue[str]) -> None:
    while line := paste():
        answers.put(line.strip())


def _answer(answers: queue.Queue[str], state: str, patience: timedelta, remote: str) -> Mapping[str, str]:
    try:
        query = dict(parse_qsl(urlsplit(answers.get(timeout=patience.total_seconds())).query))
    except queue.Empty:
        raise AuthError(f"Nobody came back from {remote}'s page in time.", hint="Start again.") from None
    if query.get("state") != state:
        raise AuthError("That answer does not belong to this login.", hint="Start again, with one page only.")
    return query
