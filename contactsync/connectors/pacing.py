"""How many requests a server bears: writes under way at once, and requests in a minute."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from contactsync.errors import RemoteError
from contactsync.frozen import frozen

S = TypeVar("S")
R = TypeVar("R")

MINUTE = 60.0
#: Requests that may wait for each other at a server: with fewer the window grows, with more it shrinks.
FEW_WAIT, MANY_WAIT = 3.0, 6.0
#: Of how many answers the usual time is that of.
SMOOTH = 8


@dataclass(slots=True)
class Window:
    """How many may be under way at once; pure.

    Twice as many after each full window of successes until something speaks against it, then one more.
    Half as many after a push-back (423, 429, 5xx: Xandikos answers 423 to parallel writes, others take
    them). One less where answers take longer because requests wait for each other: of ``size`` under way,
    that many wait as the time of an answer is longer than the least that was seen, in proportion
    (as in TCP Vegas). ``seconds`` is the time of one answer.
    """

    cap: int
    size: int = 2
    successes: int = 0
    wary: bool = False
    least: float = math.inf
    usual: float = 0.0

    def __post_init__(self) -> None:
        self.size = max(1, min(self.size, self.cap))

    def succeeded(self, seconds: float = 0.0) -> None:
        self.least = min(self.least, seconds)
        self.usual += (seconds - self.usual) / (SMOOTH if self.usual else 1)
        waiting = self.size * (1 - self.least / self.usual) if self.usual else 0.0
        self.wary = self.wary or waiting > FEW_WAIT
        self.successes += 1
        if self.successes < (self.size if self.wary else 1):
            return
        self.successes = 0
        if waiting <= FEW_WAIT:
            self.size = min(self.size + 1, self.cap)
        elif waiting > MANY_WAIT:
            self.size -= 1

    def pushed_back(self) -> None:
        self.size = max(1, self.size // 2)
        self.successes = 0
        self.wary = True


@frozen
class Done(Generic[R]):
    """A result with what it says about pace; ``stop`` ends the pulling of further steps."""

    result: R
    pushed_back: bool = False
    stop: bool = False


class _Gate:
    """Lets through as many at once as the window allows, and tells it how they fared."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._inside = 0
        self._shut = False
        self._change = threading.Condition()

    def through(self, work: Callable[[S], Done[R]], step: S) -> Done[R]:
        with self._change:
            while self._inside >= self._window.size and not self._shut:
                self._change.wait()
            if self._shut:
                raise CancelledError
            self._inside += 1
        began = time.monotonic()
        pushed_back = True
        try:
            done = work(step)
            pushed_back = done.pushed_back
            return done
        finally:
            self._leave(time.monotonic() - began, pushed_back)

    def _leave(self, seconds: float, pushed_back: bool) -> None:
        with self._change:
            self._inside -= 1
            if pushed_back:
                self._window.pushed_back()
            else:
                self._window.succeeded(seconds)
            self._change.notify(2)  # one for the place, and one where the window grew

    def shut(self) -> None:
        """Nobody gets in any more."""
        with self._change:
            self._shut = True
            self._change.notify_all()


def run_steps(steps: Iterable[S], work: Callable[[S], Done[R]], window: Window) -> Iterator[R]:
    """Do ``work`` for each step in a pool of threads; results come as they complete.

    Steps are pulled in the caller's thread, and never more than the window's cap are without a result. What
    the window does not allow yet waits for its turn, so that the remote has work while the caller writes
    results down. After a ``stop`` nothing more is pulled; when the caller leaves, what did not begin never
    does, and what is under way is waited for.
    """
    source = iter(steps)
    gate = _Gate(window)
    running: set[Future[Done[R]]] = set()
    finished: list[Done[R]] = []
    more = True
    with ThreadPoolExecutor(window.cap, thread_name_prefix="write") as pool:
        try:
            while more or running:
                while more and len(running) < window.cap:
                    try:
                        step = next(source)
                    except StopIteration:
                        more = False
                    else:
                        running.add(pool.submit(gate.through, work, step))
                yield from (done.result for done in finished)
                complete, running = wait(running, return_when=FIRST_COMPLETED)
                finished = [future.result() for future in complete]
                more = more and not any(done.stop for done in finished)
            yield from (done.result for done in finished)
        finally:
            gate.shut()


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
