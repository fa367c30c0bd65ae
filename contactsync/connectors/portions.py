"""Reading many cards: how many in one request, and the next requests under way while an answer is used."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from contactsync.connectors.base import Change

#: Two keep a server and a line busy while an answer is used here: more made Radicale and Xandikos no faster.
UNDER_WAY = 2
_Part = TypeVar("_Part")
FIRST, MOST = 50, 400
BYTES, SECONDS = 2_000_000, 2.0


@dataclass(slots=True)
class Portion:
    """How many cards the next request asks for; pure.

    Twice as many after each answer, as long as one is neither large nor slow: cards with photos, or a small
    server, are asked for a few at a time.
    """

    size: int = FIRST

    def learn(self, cards: int, size: int, seconds: float) -> None:
        """What an answer for so many cards came to, in bytes and seconds."""
        strain = max(size / BYTES, seconds / SECONDS, 1 / 2)
        self.size = max(1, min(self.size * 2, round(cards / strain), MOST))


def read_ahead(
    hrefs: Sequence[str], read: Callable[[Sequence[str]], list[Change]]
) -> Generator[Change, None, None]:
    """What ``read`` says of these cards, in their order.

    It is called in other threads, for the portions to come, the first of which are under way once this
    returns; what it raises is raised where its cards would have come.
    """
    portions = _Portions(hrefs, read)
    portions.begin()
    return portions.changes()


class _Portions:
    def __init__(self, hrefs: Sequence[str], read: Callable[[Sequence[str]], list[Change]]) -> None:
        self._hrefs = hrefs
        self._read = read
        self._at = 0
        self._portion = Portion()
        self._pool = ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="read")
        self._waiting: deque[Future[tuple[list[Change], float]]] = deque()

    def begin(self) -> None:
        while self._at < len(self._hrefs) and len(self._waiting) < UNDER_WAY:
            wanted = self._hrefs[self._at : self._at + self._portion.size]
            self._waiting.append(self._pool.submit(self._timed, wanted))
            self._at += len(wanted)

    def _timed(self, wanted: Sequence[str]) -> tuple[list[Change], float]:
        began = time.monotonic()
        return self._read(wanted), time.monotonic() - began

    def changes(self) -> Generator[Change, None, None]:
        try:
            while self._waiting:
                changes, seconds = self._waiting.popleft().result()
                size = sum(len(change.payload or b"") for change in changes)
                self._portion.learn(len(changes), size, seconds)
                self.begin()
                yield from changes
        finally:
            self._pool.shutdown(cancel_futures=True)


def ahead(pages: Iterator[_Part]) -> Generator[_Part, None, None]:
    """The same pages, the next of which is asked for while one is used.

    That happens in another thread, one page at a time; what it raises is raised where the page would have
    come.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="read")
    try:
        page = pool.submit(next, pages, None).result()
        while page is not None:
            following = pool.submit(next, pages, None)
            yield page
            page = following.result()
    finally:
        pool.shutdown(cancel_futures=True)
