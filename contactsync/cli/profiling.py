"""``--profile``: where the time of one invocation goes, fit to be shown to strangers.

Requests are timed one by one. For all else, a thread looks every few milliseconds at what the working one is
doing, and adds up: this needs no marks in the engine, and slows it down by next to nothing.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from contactsync import __version__
from contactsync.errors import UsageError

if TYPE_CHECKING:
    from contactsync.connectors.base import Exchange

HEAD = f"""\
contactsync {__version__} on Python {sys.version.split()[0]}, {sys.platform}: where the time went.
Here are no contacts, names, logins or hosts: of a path its shape stays.

 at ms  server  request                                              status    sent  received     ms
"""
EVERY = 0.005

#: The first row that fits any module between the command and the work says what stage of a round it is.
STAGES = (
    ("contactsync.engine.idle", "look for news"),
    ("contactsync.engine.pull", "pull"),
    ("contactsync.engine.backup", "back up"),
    ("contactsync.engine.decide", "decide"),
    ("contactsync.engine.apply", "store what was decided"),
    ("contactsync.engine.push", "push"),
    ("contactsync.engine.groupcards", "push"),
    ("contactsync.calendar", "calendar"),
    ("contactsync.exchange", "files"),
    ("contactsync.engine.connect", "connect"),
)
#: The first row that fits a module on the way back says what kind of work it is.
WORK = (
    ("importlib", "loading code"),
    ("contactsync.connectors", "network"),
    ("contactsync.store", "database"),
    ("contactsync.vcard", "cards"),
    ("contactsync.jscontact", "cards"),
    ("contactsync.sync", "comparing"),
    ("contactsync.model", "comparing"),
)
_OPEN = frozenset(
    [
        "v1",
        "v1.0",
        "me",
        "people",
        "connections",
        "contactGroups",
        "members",
        "contacts",
        "contactFolders",
        "childFolders",
        "delta",
        "photo",
        "$value",
        "$batch",
        "token",
        ".well-known",
        "carddav",
        "caldav",
        "dav",
        "remote.php",
        "addressbooks",
        "calendars",
        "principals",
    ]
)
_VERB = re.compile(r":[A-Za-z]+\Z")
_KIND = re.compile(rb"<(?:[\w.-]+:)?([a-z-]+)[\s/>]")


class Profile:
    """A file for the owner only; a line for each request as it ends, and the sums when it is closed."""

    def __init__(self, path: Path) -> None:
        """Raises `UsageError`."""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
        os.fchmod(self._file, 0o600)
        self._began = time.perf_counter()
        self._lock = threading.Lock()
        self._servers: dict[str, int] = {}
        self._spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._requests = 0
        self._waited = 0.0
        self._worker = threading.get_ident()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="profile", daemon=True)
        os.write(self._file, HEAD.encode())

    def __enter__(self) -> Profile:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watcher.join()
        os.write(self._file, "\n".join(["", *self._sums(), ""]).encode())
        os.close(self._file)

    def __call__(self, exchange: Exchange) -> None:
        """A witness of exchanges (`contactsync.connectors.base.AccountSettings.witness`)."""
        host = urlsplit(exchange.url).netloc
        with self._lock:
            server = self._servers.setdefault(host, len(self._servers) + 1)
            self._requests += 1
            self._waited += exchange.seconds
            at = (time.perf_counter() - self._began - exchange.seconds) * 1000
            sizes = f"{len(exchange.sent):>7} {len(exchange.body):>9}"
            line = f"{at:>6.0f} {server:>7}  {shape(exchange):52} {exchange.status or '-':>6} {sizes}"
            os.write(self._file, f"{line} {exchange.seconds * 1000:>6.0f}\n".encode())

    def _watch(self) -> None:
        last = time.perf_counter()
        while not self._ended.wait(EVERY):
            frame = sys._current_frames().get(self._worker)
            now = time.perf_counter()
            if frame is not None:
                self._spent[kind_of(modules_of(frame))] += now - last
            last = now

    def _sums(self) -> Iterable[str]:
        wall, cpu = time.perf_counter() - self._began, time.process_time()
        yield f"{wall * 1000:.0f} ms in all, {cpu * 1000:.0f} ms of CPU with the start of Python"
        yield f"{self._requests} requests, {self._waited * 1000:.0f} ms between them, also where some overlap"
        yield ""
        yield "    ms  stage                     work"
        for (stage, work), seconds in sorted(self._spent.items(), key=lambda item: -item[1]):
            yield f"{seconds * 1000:>6.0f}  {stage:24}  {work}"


def modules_of(frame: FrameType | None) -> list[str]:
    """The modules on the stack, from the command to the work."""
    found = []
    while frame is not None:
        found.append(str(frame.f_globals.get("__name__", "")))
        frame = frame.f_back
    return found[::-1]


def kind_of(modules: Iterable[str]) -> tuple[str, str]:
    """Stage of the round, and kind of work. What a module does while it is loaded is loading."""
    way = list(modules)
    loading = next((at for at, name in enumerate(way) if name.startswith("importlib")), None)
    if loading is not None:
        way = way[: loading + 1]
    stages = (word for part, word in STAGES if any(name.startswith(part) for name in way))
    return next(stages, "before and after"), _first(way[::-1], WORK, "all else")


def _first(modules: Iterable[str], rows: Iterable[tuple[str, str]], otherwise: str) -> str:
    return next((word for name in modules for part, word in rows if name.startswith(part)), otherwise)


def shape(exchange: Exchange) -> str:
    """``REPORT /*/*/ sync-collection``: the method, the path without what somebody named, what is asked."""
    parts = urlsplit(exchange.url).path.split("/")
    path = "/".join(_shown(part) for part in parts)
    kind = _KIND.search(exchange.sent[:400]) if exchange.sent[:1] == b"<" else None
    return " ".join([exchange.method, path, *([kind[1].decode()] if kind else [])])


def _shown(part: str) -> str:
    if not part or part in _OPEN:
        return part
    verb = _VERB.search(part)
    name = part[: verb.start()] if verb else part
    suffix = next((suffix for suffix in (".vcf", ".ics") if name.endswith(suffix)), "")
    return f"{name if name in _OPEN else '*' + suffix}{verb[0] if verb else ''}"
