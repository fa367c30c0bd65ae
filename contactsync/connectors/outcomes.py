"""What becomes of steps that go out together: an answer for each, and what an error means for those that
have none."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from contactsync.connectors.base import Outcome, Refused, Step, Stored, Unknown
from contactsync.connectors.http import Unreachable
from contactsync.errors import Recovery, RemoteError, TransientError

_AnyStep = TypeVar("_AnyStep", bound=Step)
P = ParamSpec("P")
R = TypeVar("R")


def before_anything_is_sent(work: Callable[P, R]) -> Callable[P, R]:
    """Trouble in what only prepares a write leaves nobody in doubt."""

    @functools.wraps(work)
    def prepared(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except TransientError as error:
            raise Unreachable(error.message, hint=error.hint, status=error.status) from error

    return prepared


def is_in_doubt(error: RemoteError) -> bool:
    """May the remote have done it? Not where it could not be reached, or wants fewer requests."""
    return isinstance(error, TransientError) and not isinstance(error, Unreachable) and error.status != 429


#: What goes after the rest, where there are pictures (`Capabilities.written_apart`).
PICTURE = frozenset({"media"})


@dataclass(slots=True)
class Outcomes:
    """Those ``known`` so far, by key of the step; ``stop`` ends all writing."""

    known: dict[int, Outcome] = field(default_factory=dict)
    stop: RemoteError | None = None

    def open(self, steps: Iterable[_AnyStep]) -> list[_AnyStep]:
        """Those of which nothing is known yet; none when all writing ends."""
        return [] if self.stop else [step for step in steps if step.key not in self.known]

    def fail(self, steps: Iterable[Step], error: RemoteError) -> None:
        """What an error means for steps of which no other outcome is known."""
        if error.recovery in (Recovery.STOP_ACCOUNT, Recovery.STOP):
            self.stop = error
        for step in steps:
            self.known.setdefault(step.key, (Unknown if is_in_doubt(error) else Refused)(step.key, error))

    def without_picture(self, done: Stored, error: RemoteError) -> None:
        """The rest of the card is written, and its picture was not, or nobody knows. It is sent again, unless
        the remote does not want it."""
        refused = error.recovery is Recovery.SKIP_CARD
        unwritten = frozenset() if refused else PICTURE
        self.known[done.key] = Stored(done.key, done.href, done.etag, unwritten=unwritten)
        if error.recovery in (Recovery.STOP_ACCOUNT, Recovery.STOP):
            self.stop = error

    @contextmanager
    def answering(self, *steps: Step) -> Iterator[None]:
        """An error of what is done inside is the outcome of these steps."""
        try:
            yield
        except RemoteError as error:
            self.fail(steps, error)
