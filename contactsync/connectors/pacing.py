"""How many requests a server bears: writes under way at once, and requests in a minute."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from contactsync.errors import RemoteError

S = TypeVar("S")
R = TypeVar("R")

MINUTE = 60.0


@dataclass(slots=True)
class Window:
    """Additive increase, multiplicative decrease; pure.

    One more after each full window of successes, half as many after a push-back (423, 429, 503):
    Xandikos answers 423 to parallel writes, others take eight at once.
    """

    cap: int
    size: int = 2
    successes: int = 0

    def __post_init__(self) -> None:
        self.size = max(1, min(self.size, self.cap))

    def succeeded(self) -> None:
        self.successes += 1
        if self.successes >= self.size:
            self.size = min(self.size + 1, self.cap)
            self.successes = 0

    def pushed_back(self) -> None:
        self.size = max(1, self.size // 2)
        self.successes = 0


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """A result with what it says about pace; ``stop`` ends the pulling of further steps."""

    result: R
    pushed_back: bool = False
    stop: bool = False


def run_steps(steps: Iterable[S], work: Callable[[S], Done[R]], window: Window) -> Iterator[R]:
    """Do ``work`` for each step in a pool of threads; results come as they complete.

    A step is pulled in the caller's thread and only when it is sent next, which is before the caller
    sees the results that made room for it: the remote works while the caller writes them down. After a
    ``stop`` nothing more is pulled, and what is under way is waited for.
    """
    source = iter(steps)
    running: set[Future[Done[R]]] = set()
    finished: list[Done[R]] = []
    more = True
    with ThreadPoolExecutor(window.cap, thread_name_prefix="write") as pool:
        while more or running:
            while more and len(running) < window.size:
                try:
                    step = next(source)
                except StopIteration:
                    more = False
                else:
                    running.add(pool.submit(work, step))
            yield from (done.result for done in finished)
            complete, running = wait(running, return_when=FIRST_COMPLETED)
            finished = [future.result() for future in complete]
            for done in finished:
                more = more and not done.stop
                (window.pushed_back if done.pushed_back else window.succeeded)()
        yield from (done.result for done in finished)


def several(steps: Iterable[S], work: Callable[[S], R], at_once: int) -> Iterator[R]:
    """What ``work`` gives for each step, so many of them ``at_once``, as they complete. After a `RemoteError`
    nothing more is begun; what is under way is waited for, and then it is raised."""

    def tried(step: S) -> Done[R | RemoteError]:
        try:
            return Done(work(step))
        except RemoteError as error:
            return Done(error, stop=True)

    for result in run_steps(steps, tried, Window(at_once, at_once)):
        if isinstance(result, RemoteError):
            raise result
        yield result


class Quota:
    """At most so many requests in any minute, counted for each kind of request; a wait where one more
    would be too many."""

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._pause = pause
        self._sent: dict[str, deque[float]] = {}

    def wait(self, kind: str) -> None:
        """Return when one more may be sent, and count it."""
        sent = self._sent.setdefault(kind, deque())
        while sent and sent[0] <= self._clock() - MINUTE:
            sent.popleft()
        if len(sent) >= self._per_minute:
            self._pause(sent.popleft() + MINUTE - self._clock())
        sent.append(self._clock())
