"""A folder behind its real connector, and other programs in it, which do not always write a file at once."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from contactsync.connectors.base import (
    AccountSettings,
    Change,
    Connector,
    Delete,
    Outcome,
    Page,
    Step,
    Update,
)
from contactsync.connectors.memory import Habits
from contactsync.connectors.vdir import VdirConnector
from contactsync.engine.report import CardError
from contactsync.vcard.codec import VCardCodec
from tests.simulation.in_process import Counting
from tests.simulation.remotes import Kind, Remote

FOLDER = Kind("vdir-folder", Habits)
#: Of so many files that somebody writes, one is left unfinished for a while.
HALF = 3
#: No file is so young that it must be read again: the edits of people have times of their own.
LATER = 3_600_000_000_000
_MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


class _Files:
    """The folder as the other programs see it: hrefs are paths; ``half`` are files that one of them is
    still writing, and what they will be."""

    def __init__(self, books: int, clock: Callable[[], datetime]) -> None:
        self.habits = FOLDER.habits()
        self.root = Path(tempfile.mkdtemp(prefix="world-folder-", dir=_MEMORY))
        self.books = {f"{name}/": self for name in ("friends", "work")[:books]}
        for book in self.books:
            (self.root / book).mkdir()
        self.half: dict[Path, bytes] = {}
        self.once_half: set[str] = set()
        self._puts = 0
        self._clock = clock

    def at(self, href: str) -> Path:
        return self.root / unquote(href)

    def cards(self) -> list[tuple[str, bytes]]:
        return sorted(
            (str(path.relative_to(self.root)), self._whole(path)) for path in self.root.glob("*/*.vcf")
        )

    def _whole(self, path: Path) -> bytes:
        return self.half[path] if path in self.half else path.read_bytes()

    def get(self, href: str) -> bytes | None:
        path = self.at(href)
        return self._whole(path) if path.exists() else None

    def put(self, href: str, payload: bytes) -> None:
        """Each third file is begun only: emptied, or a part of it, or a part and zeros."""
        path = self.at(href)
        self._puts += 1
        if self._puts % HALF:
            self.half.pop(path, None)
            self._write(path, payload)
            return
        self.half[path] = payload
        self.once_half.add(href)
        cut = len(payload) * (self._puts // HALF % 3) // 3
        path.write_bytes(payload[:cut] + b"\0" * (len(payload) - cut if self._puts % 2 else 0))
        now = time.time_ns() + LATER
        os.utime(path, ns=(now, now))  # it is being written just now

    def _write(self, path: Path, payload: bytes) -> None:
        """With the time that the world has: the clock of a file system ticks too slowly for it."""
        path.write_bytes(payload)
        self._date(path)

    def touch(self, href: str) -> None:
        self._puts += 1
        self._date(self.at(href))

    def _date(self, path: Path) -> None:
        at = self._clock().timestamp() + self._puts * 1e-3
        for one in (path, path.parent):
            if one.exists():
                os.utime(one, (at, at))

    def finish(self) -> None:
        """Whoever is in the midst of a file writes the rest."""
        while self.half:
            path, payload = self.half.popitem()
            self._puts += 1
            self._write(path, payload)

    def delete(self, href: str) -> None:
        self.half.pop(self.at(href), None)
        self.at(href).unlink()
        self.touch(href)

    def move(self, href: str, new: str) -> bool:
        old, path = self.at(href), self.at(new)
        if path.exists():
            return False
        old.rename(path)
        if old in self.half:
            self.half[path] = self.half.pop(old)
            self.once_half.add(new)
        return True

    def expire_cursors(self, book: str) -> None:
        """A folder gives none."""

    def mark(self) -> int:
        """Another one as soon as anything in the folder is different."""
        digest = hashlib.sha256()
        for path in sorted(self.root.rglob("*")):
            stat = path.stat()
            digest.update(repr((str(path), stat.st_mtime_ns, stat.st_ino)).encode())
            digest.update(path.read_bytes() if path.is_file() else b"")
        return int.from_bytes(digest.digest()[:7], "big")


class _Disturbed:
    """The connector, while the disk goes away for a moment (``break_off``), or a program touches the file
    that is about to be written (``refuse``)."""

    def __init__(self, inner: VdirConnector, files: _Files) -> None:
        self._inner = inner
        self._files = files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        with self._away():
            pages = list(self._inner.changes(collection, cursor))
        yield from pages

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        for href in hrefs:
            with self._away():
                found = list(self._inner.fetch(collection, [href]))
            yield from found

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        for step in steps:
            habits = self._files.habits
            if habits.refuse and isinstance(step, Update | Delete) and self._files.get(step.href):
                habits.refuse -= 1
                self._files.touch(step.href)
            with self._away():
                outcomes = list(self._inner.write(collection, [step]))
            yield from outcomes

    @contextmanager
    def _away(self) -> Iterator[None]:
        habits, root = self._files.habits, self._files.root
        if not habits.break_off:
            yield
            return
        habits.break_off -= 1
        away = root.with_name(f"{root.name}-away")
        root.rename(away)
        try:
            yield
        finally:
            away.rename(root)


class FolderRemote(Remote):
    """A folder with one or two address books; the connector is the real one."""

    def __init__(self, name: str, books: int, clock: Callable[[], datetime]) -> None:
        super().__init__(name, "faithful", 1, clock)
        self.kind = FOLDER
        self.files = _Files(books, clock)
        self.server = self.files  # type: ignore[assignment]

    @property
    def books(self) -> list[str]:
        return sorted(self.files.books)

    def cards(self) -> list[tuple[str, bytes]]:
        return self.files.cards()

    def commits(self) -> int:
        return self.files.mark()

    def connect(self, settings: AccountSettings) -> Connector:
        made = VdirConnector(self.files.root, lambda: VCardCodec("3.0"), lambda: time.time_ns() + LATER)
        return Counting(_Disturbed(made, self.files), self)  # type: ignore[return-value]

    def move(self, href: str, new: str, payload: bytes) -> bool:
        return self.files.move(href, new)

    def half_written(self) -> list[bytes]:
        return list(self.files.half.values())

    def settle(self) -> None:
        self.files.finish()

    def explains(self, error: CardError) -> bool:
        if error.remote_ref in self.files.once_half and "is half written" in error.reason:
            return True
        return bool(self.files.once_half) and "It is missing while" in error.reason

    def close(self) -> None:
        left = [path for path in self.files.root.rglob("*") if path.is_file() and path.suffix != ".vcf"]
        shutil.rmtree(self.files.root)
        assert not left, left
