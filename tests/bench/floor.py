"""The raw floor: the fewest plain requests that do the work, over the best number of connections.

No card is read and nothing is kept on disk. What a program takes beyond it is its own.
"""

from __future__ import annotations

import gzip
import http.client
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.bench.books import Book

CONNECTIONS = (1, 2, 4, 8, 16)
DAV, CARDDAV = "{DAV:}", "{urn:ietf:params:xml:ns:carddav}"
_XML = {"Content-Type": "application/xml; charset=utf-8", "Depth": "1"}
_VCARD = {"Content-Type": "text/vcard; charset=utf-8"}
_LOCKED = 423


@dataclass(frozen=True)
class Job:
    """One request."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Client:
    """One kept connection."""

    def __init__(self, book: Book) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", book.port, timeout=900)
        self._headers = {"Accept-Encoding": "gzip"}
        if book.user:
            login = b64encode(f"{book.user}:{book.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"

    def do(self, job: Job) -> bytes:
        """The answer's body. Asks again while a server says that somebody else is writing (Xandikos)."""
        gives_up = time.monotonic() + 60
        while True:
            self._http.request(job.method, job.path, job.body, {**self._headers, **job.headers})
            answer = self._http.getresponse()
            body = answer.read()
            if 200 <= answer.status < 300:
                return gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
            if answer.status != _LOCKED or time.monotonic() > gives_up:
                raise RuntimeError(f"{job.method} {job.path}: {answer.status} {body[:200]!r}")
            time.sleep(0.01)

    def close(self) -> None:
        self._http.close()


def parallel(book: Book, connections: int, jobs: Sequence[Job]) -> list[bytes]:
    """Do the jobs over so many connections; the answers in their order."""
    answers, troubles = [b""] * len(jobs), list[Exception]()
    todo, lock = iter(enumerate(jobs)), threading.Lock()

    def work() -> None:
        client = Client(book)
        try:
            while not troubles:
                with lock:
                    at, job = next(todo, (0, None))
                if job is None:
                    break
                answers[at] = client.do(job)
        except Exception as trouble:
            troubles.append(trouble)
        finally:
            client.close()

    threads = [threading.Thread(target=work) for _ in range(min(connections, len(jobs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise troubles[0]
    return answers


def fastest(work: Callable[[int], object]) -> int:
    """The number of connections that does some work in the least time, of those that the server stands:
    Radicale closes some of 16 with large cards on them."""
    took = {}
    for connections in CONNECTIONS:
        began = time.perf_counter()
        try:
            work(connections)
        except (OSError, http.client.HTTPException):
            if not took:
                raise
            break
        took[connections] = time.perf_counter() - began
    return min(took, key=lambda connections: took[connections])


# ---- the requests ------------------------------------------------------------------------------------------


def put(book: Book, name: str, card: bytes, etag: str = "") -> Job:
    """A new card, or one over the card with this etag."""
    condition = {"If-Match": etag} if etag else {"If-None-Match": "*"}
    return Job("PUT", book.path + name, card, {**_VCARD, **condition})


def listing(book: Book, token: str = "") -> Job:
    text = (
        '<?xml version="1.0"?><D:sync-collection xmlns:D="DAV:">'
        f"<D:sync-token>{escape(token)}</D:sync-token><D:sync-level>1</D:sync-level>"
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    return Job("REPORT", book.path, text.encode(), _XML)


def listed(body: bytes) -> tuple[str, dict[str, str]]:
    """The token, and etags by path."""
    tree = ElementTree.fromstring(body)
    rows = {
        row.findtext(f"{DAV}href") or "": row.findtext(f".//{DAV}getetag") or ""
        for row in tree.iter(f"{DAV}response")
    }
    return tree.findtext(f"{DAV}sync-token") or "", {path: etag for path, etag in rows.items() if etag}


def reading(book: Book, paths: Sequence[str]) -> Job:
    text = (
        '<?xml version="1.0"?>'
        '<C:addressbook-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'
        "<D:prop><D:getetag/><C:address-data/></D:prop>"
        + "".join(f"<D:href>{escape(path)}</D:href>" for path in paths)
        + "</C:addressbook-multiget>"
    )
    return Job("REPORT", book.path, text.encode(), _XML)


def read(body: bytes) -> dict[str, str]:
    """Cards by file name."""
    rows = ElementTree.fromstring(body).iter(f"{DAV}response")
    found = ((row.findtext(f"{DAV}href"), row.findtext(f".//{CARDDAV}address-data")) for row in rows)
    return {unquote(path).rpartition("/")[2]: text for path, text in found if path and text}


def list_book(book: Book, token: str = "") -> tuple[str, dict[str, str]]:
    (body,) = parallel(book, 1, [listing(book, token)])
    return listed(body)


def read_all(book: Book, paths: Sequence[str], connections: int) -> list[bytes]:
    """All these cards, a part over each connection."""
    size = max(1, -(-len(paths) // connections))
    jobs = [reading(book, paths[at : at + size]) for at in range(0, len(paths), size)]
    return parallel(book, connections, jobs)
