"""Several writes under way at once, without threads: around a connector that does one step after the other.

A request is sent, done by the server and answered at three different moments, and what comes between is
drawn: the server does the requests in another order than they came, and answers come in another one again.
The same draws give the same order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any, TypeVar

from contactsync.connectors.base import Change, Connector, Outcome, Page, Refused, Step, Unknown
from contactsync.errors import AuthError, TransientError

T = TypeVar("T")
Request = list[Step]

FAULTS: dict[str, Callable[[int], Outcome]] = {
    "lose-request": lambda key: Unknown(key, TransientError("The request did not arrive.")),
    "push-back": lambda key: Refused(key, TransientError("Too many requests.", status=503)),
    "lock-out": lambda key: Refused(key, AuthError("The login is not valid any more.")),
}
"""What may happen to a request that the server does not do. After ``lock-out`` nothing more is sent."""


def nothing(moment: str) -> None:
    """Nobody does anything in between."""


class UnderWay:
    """Up to ``parallel`` requests under way at once, of up to ``batch`` steps each.

    ``between`` is called with ``under-way`` whenever a request was sent, done or answered, and with
    ``reading`` before each page and each card that is read: whatever it does there happens in the midst of
    the writes, and what it raises ends the process. `died` has to be told of that. ``faults`` counts those
    that are still to strike, by a key of `FAULTS`. Where the answer to one step of a request is lost, that to
    the whole request is.
    """

    def __init__(
        self,
        inner: Connector,
        draws: Random,
        *,
        parallel: int = 8,
        batch: int = 1,
        between: Callable[[str], None] = nothing,
        faults: Counter[str] | None = None,
    ) -> None:
        self.inner = inner
        self.capabilities = replace(inner.capabilities, parallel_writes=parallel, batch_size=batch)
        self.faults = Counter[str]() if faults is None else faults
        self.most = 0
        self.open: list[Request] = []
        self._draws = draws
        self._between = between
        self._stopped = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    # ---- reading ---------------------------------------------------------------------------------

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        yield from self._each(self.inner.changes(collection, cursor))

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        """In any order: which card is which is said by its href."""
        mixed = self._draws.sample(hrefs, len(hrefs))
        yield from self._each(self.inner.fetch(collection, mixed))

    def _each(self, found: Iterator[T]) -> Iterator[T]:
        for one in found:
            yield one
            self._between("reading")

    # ---- writing ---------------------------------------------------------------------------------

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        source, more = iter(steps), True
        answers: list[Outcome] = []
        self.open, self._stopped = [], False
        self._collection = collection
        try:
            while True:
                if more and not self._stopped and self._sends_next(answers):
                    request = list(islice(source, self.capabilities.batch_size))
                    more = len(request) == self.capabilities.batch_size
                    if request:
                        self.open.append(request)
                        self.most = max(self.most, sum(map(len, self.open)))
                elif self.open and (not answers or self._draws.random() < 0.5):
                    answers += self._answered(self._taken(self.open))
                elif answers:
                    yield self._taken(answers)
                else:
                    return
                self._between("under-way")
        except GeneratorExit:
            while self.open:  # the caller wants to hear no more: what was sent is done all the same
                self._done(self._taken(self.open))
            raise

    def died(self, done: int | None = None) -> int:
        """The process is gone: of the steps under way, some are done, or exactly ``done``; how many."""
        left = [step for request in self.open for step in request]
        self.open = []
        done = self._draws.randint(0, len(left)) if done is None else min(done, len(left))
        self._done(self._draws.sample(left, done))
        return done

    def _sends_next(self, answers: Sequence[Outcome]) -> bool:
        """Is there room, and is a request sent before anything else happens? Most of the time."""
        can = self.capabilities
        full = len(self.open) >= can.parallel_writes or len(answers) > can.parallel_writes * can.batch_size
        return not full and (not self.open or self._draws.random() < 0.9)

    def _taken(self, some: list[T]) -> T:
        return some.pop(self._draws.randrange(len(some)))

    def _answered(self, request: Request) -> list[Outcome]:
        fault = next(iter(+self.faults), "")
        if fault:
            self.faults[fault] -= 1
            self._stopped = self._stopped or fault == "lock-out"
            return [FAULTS[fault](step.key) for step in request]
        outcomes = self._done(request)
        lost = next((one.error for one in outcomes if isinstance(one, Unknown)), None)
        return [Unknown(one.key, lost) for one in outcomes] if lost else outcomes

    def _done(self, request: Request) -> list[Outcome]:
        mixed = self._draws.sample(request, len(request))
        return [one for step in mixed for one in self.inner.write(self._collection, [step])]
