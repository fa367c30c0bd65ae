"""A connector that fails where a test says so, around any other connector."""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, cast

from contactsync.connectors.base import (
    Change,
    Collection,
    Completing,
    Connector,
    Outcome,
    Page,
    Payload,
    Refused,
    Step,
    Traffic,
    Unknown,
)
from contactsync.errors import RemoteError, TransientError

T = TypeVar("T")
_PLANNED = TransientError("A planned fault.")


class Crash(BaseException):
    """The process dies here, for the test; nothing may catch it."""


class Fault(enum.Enum):
    """What happens to one step of a write."""

    NONE = "none"
    REFUSED = "refused"
    LOST_REQUEST = "lost-request"
    LOST_REPLY = "lost-reply"
    CRASH_BEFORE = "crash-before"
    CRASH_AFTER = "crash-after"


@dataclass(frozen=True, slots=True)
class _Break:
    after: int
    error: BaseException


class FaultyConnector:
    """Passes everything on, until a planned fault is due; ``calls`` counts by method."""

    def __init__(self, inner: Connector) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities
        self.codec = inner.codec
        self.calls: Counter[str] = Counter()
        self.steps: list[Step] = []
        self._breaks: dict[str, deque[_Break]] = {}
        self._faults: deque[tuple[Fault, RemoteError]] = deque()

    def break_off(self, method: str, error: BaseException, *, after: int = 0) -> None:
        """The next call of ``method`` raises ``error`` after so many pages, cards or outcomes."""
        self._breaks.setdefault(method, deque()).append(_Break(after, error))

    def on_step(self, fault: Fault, error: RemoteError | None = None) -> None:
        """What happens to the next step that has no fault planned yet."""
        self._faults.append((fault, error or _PLANNED))

    def check(self) -> str:
        self._now("check")
        return self.inner.check()

    def collections(self) -> Sequence[Collection]:
        self._now("collections")
        return self.inner.collections()

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        self.calls["changes"] += 1
        return self._until_break("changes", self.inner.changes(collection, cursor))

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        self.calls["fetch"] += 1
        return self._until_break("fetch", self.inner.fetch(collection, hrefs))

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        """One step after the other, so that a fault hits the one it was planned for."""
        self.calls["write"] += 1
        return self._until_break("write", self._written(collection, steps))

    def complete(self, changes: Iterable[tuple[Change, Payload | None]]) -> Iterator[Change]:
        return self._until_break("complete", cast(Completing, self.inner).complete(changes))

    def traffic(self) -> Traffic:
        return self.inner.traffic()

    def close(self) -> None:
        self.calls["close"] += 1
        self.inner.close()

    def _written(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        for step in steps:
            self.steps.append(step)
            fault, error = self._faults.popleft() if self._faults else (Fault.NONE, _PLANNED)
            if fault is Fault.CRASH_BEFORE:
                raise Crash
            reached = fault in (Fault.NONE, Fault.LOST_REPLY, Fault.CRASH_AFTER)
            outcomes = list(self.inner.write(collection, [step])) if reached else []
            if fault is Fault.CRASH_AFTER:
                raise Crash
            if fault is Fault.REFUSED:
                yield Refused(step.key, error)
            elif fault is Fault.NONE:
                yield from outcomes
            else:
                yield Unknown(step.key, error)

    def _now(self, method: str) -> None:
        self.calls[method] += 1
        if self._breaks.get(method):
            raise self._breaks[method].popleft().error

    def _until_break(self, method: str, source: Iterator[T]) -> Iterator[T]:
        planned = self._breaks.get(method)
        if not planned:
            yield from source
            return
        due = planned.popleft()
        yield from islice(source, due.after)
        raise due.error
