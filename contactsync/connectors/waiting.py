"""Calls into code of others that may never come back, made in a thread of their own.

Who waits for a call gives it up after a while; what blocks for ever blocks only that thread, and as a daemon
it does not keep the process from ending. Meanwhile the call can ask for something that only the caller may
make (`Worker.ask`): that is made in the caller's thread, and may lead to further calls, one inside the other.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from contactsync.frozen import frozen

#: Seconds until a signal is noticed at the latest: one that comes just as a wait begins does not end it.
LOOK_UP = 0.5


class NoAnswer(Exception):
    """A call was given up, this one or one before it."""


class WrongThread(Exception):
    """Something was asked for in another thread than that of the call."""


class _Left(BaseException):
    """Unwinds a call that nobody waits for; no `Exception`, so that the code of others lets it through."""


@frozen
class Done:
    value: Any


@frozen
class Raised:
    """What the call itself raised; what its caller raised meanwhile comes as an exception."""

    error: BaseException


@frozen
class _Question:
    make: Callable[[], Any]


@dataclass(slots=True, eq=False)
class _Call:
    work: Callable[[], Any]
    news: SimpleQueue[Done | Raised | _Question] = field(default_factory=SimpleQueue)


_END = object()


class _Desk:
    """What the thread knows: calls come in, and answers to its questions, each to the question asked last.
    It knows nothing of the `Worker`, so that one that is forgotten ends its thread."""

    def __init__(self) -> None:
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self.thread = 0
        self._running: _Call | None = None

    def run(self) -> None:
        self.thread = threading.get_ident()
        while (call := self.inbox.get()) is not _END:
            self._do(call)
            del call  # an idle thread keeps nothing alive

    def _do(self, call: _Call) -> None:
        outer, self._running = self._running, call
        call.news.put(_outcome(call.work))
        self._running = outer

    def ask(self, make: Callable[[], Any]) -> Any:
        """Until the answer is there, calls that the caller makes on the way to it are done here."""
        call = self._running
        if call is None or threading.get_ident() != self.thread:
            raise WrongThread
        call.news.put(_Question(make))
        while isinstance(message := self.inbox.get(), _Call):
            self._do(message)
        if isinstance(message, Done):
            return message.value
        if message is _END:
            self.inbox.put(_END)
        raise _Left


def _outcome(work: Callable[[], Any]) -> Done | Raised:
    try:
        return Done(work())
    except BaseException as error:
        return Raised(error)


class Worker:
    """One thread, made at the first call. After a call that took too long, and after one whose caller was
    interrupted, no other is made."""

    def __init__(self, name: str) -> None:
        self.usable = True
        self._name = name
        self._desk = _Desk()
        self._thread: threading.Thread | None = None
        self._ended = False
        weakref.finalize(self, self._desk.inbox.put, _END).atexit = False

    def call(self, work: Callable[[], Any], seconds: float) -> Done | Raised:
        """What ``work`` gives or raises within ``seconds``, not counting what it asks for. Raises `NoAnswer`,
        and whatever answering its questions raises: then its end is not waited for. After `end`, it is done
        right here."""
        if not self.usable:
            raise NoAnswer
        if self._ended:
            return _outcome(work)
        call = self._post(work)
        while True:
            news = self._news(call, seconds)
            if not isinstance(news, _Question):
                return news
            try:
                answer = news.make()
            except BaseException as error:
                self._desk.inbox.put(Raised(error))
                self.usable = self.usable and isinstance(error, Exception)
                raise
            self._desk.inbox.put(Done(answer))

    def ask(self, make: Callable[[], Any]) -> Any:
        """For the work of a call: what ``make`` gives in the thread that waits for the call. Raises
        `WrongThread` anywhere else."""
        return self._desk.ask(make)

    def post(self, work: Callable[[], Any]) -> None:
        """Have something done before the next call; what comes of it does not matter."""
        if self.usable and not self._ended:
            self._post(work)

    def end(self) -> None:
        """The thread ends when its work is done."""
        self._ended = True
        self._desk.inbox.put(_END)

    def _post(self, work: Callable[[], Any]) -> _Call:
        if self._thread is None:
            self._thread = threading.Thread(target=self._desk.run, name=self._name, daemon=True)
            self._thread.start()
        call = _Call(work)
        self._desk.inbox.put(call)
        return call

    def _news(self, call: _Call, seconds: float) -> Done | Raised | _Question:
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                with suppress(Empty):
                    return call.news.get(timeout=min(left, LOOK_UP))
            raise NoAnswer
        except BaseException:
            self.usable = False
            raise
