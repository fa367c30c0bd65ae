"""Ending on a signal: the write that is under way is finished, the next is not begun.

A round can be left at any point without harm (P5); where it is left decides only how much the next one has
to find out. So the first signal lets the round go on to the end of a page, or to the answers of the writes
that are out (`Hooks.stopping`), and only where that takes too long is it left where it is.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

from contactsync.errors import Stopped

GRACE_SECONDS = 6.0


class Stop:
    """Whether the process was told to end, or to look at once; `listen` to signals makes it so."""

    def __init__(self, grace: float = GRACE_SECONDS) -> None:
        self.asked = False
        self.hurried = False
        self._grace = grace
        self._woken = threading.Event()

    def listen(self) -> Callable[[], None]:
        """From now on SIGTERM and SIGINT end the work, and SIGHUP hurries it; the way back to how it was."""
        handlers = {"SIGTERM": self._end, "SIGINT": self._end, "SIGHUP": self._hurry, "SIGALRM": self._leave}
        # Not every platform has all of them.
        known = {
            getattr(signal, name): handler for name, handler in handlers.items() if hasattr(signal, name)
        }
        before = {number: signal.signal(number, handler) for number, handler in known.items()}

        def restore() -> None:
            self._set_alarm(0)
            for number, handler in before.items():
                signal.signal(number, handler)

        return restore

    def wait(self, seconds: float) -> None:
        """Pause, until a signal comes."""
        self._woken.wait(seconds)
        if not self.asked:
            self._woken.clear()

    def end(self) -> None:
        self.asked = True
        self._woken.set()

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise Stopped  # a second signal is impatient
        self.end()
        self._set_alarm(self._grace)

    def _hurry(self, number: int, frame: FrameType | None) -> None:
        self.hurried = True
        self._woken.set()

    def _leave(self, number: int, frame: FrameType | None) -> None:
        raise Stopped

    def _set_alarm(self, seconds: float) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, seconds)
