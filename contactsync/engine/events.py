"""What the engine tells while it works, to whoever subscribed (`contactsync.api.Engine.subscribe`)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from contactsync.engine.report import AccountReport
from contactsync.frozen import frozen

log = logging.getLogger(__name__)


@frozen
class RoundStarted:
    """A round of this account begins, in the run of this number."""

    account: str
    run: int


@frozen
class Progress:
    """Some work got to ``done`` of ``of``; ``of`` 0 means that nobody knows how much there is."""

    what: str
    done: int = 0
    of: int = 0


@frozen
class RoundEnded:
    """A round of an account is over, well or not. Where the account has a second turn in a run, the report is
    the same one, of both."""

    run: int
    report: AccountReport


Event = RoundStarted | Progress | RoundEnded
Listener = Callable[[Event], None]


class Events:
    """The listeners, called one after the other in the thread that does the work."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """From now on ``listener`` gets each event; what is returned ends that."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def tell(self, event: Event) -> None:
        """A listener that fails is in the log, and never stops the work."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("A listener failed at %s.", type(event).__name__)
