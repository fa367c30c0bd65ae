"""How many writes are under way at once: as many as the server bears."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")
R = TypeVar("R")


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
