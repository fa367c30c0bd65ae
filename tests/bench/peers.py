"""The programs that do the work, one class each; the raw floor is one of them.

A peer is made anew for each measurement, with an empty device in a folder of its own. What is measured is one
normal round of the program, started cold, between two looks at the clock; all else is not.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from tests.bench import floor
from tests.bench.books import Book
from tests.bench.cards import uid

ROOT = Path(__file__).resolve().parents[2]
COSTS = Path(__file__).with_name("costs.py")
BYTECODE = ROOT / ".bench" / "bytecode"
LIMIT = 1800.0
Cards = Mapping[str, bytes]


class Failed(Exception):
    """A program ended with an error, or did not do the work."""


class Process:
    """A program in a folder, and what its last command cost."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self.folder = folder
        self._command = list(command)
        self.costs = {"wall": 0.0, "cpu": 0.0, "rss": 0.0}

    def run(self, *words: str, stdin: bytes = b"") -> bytes:
        """Its output. Raises `Failed`."""
        costs = self.folder / "costs"
        costs.unlink(missing_ok=True)
        measured = [sys.executable, "-S", "-I", str(COSTS), str(costs), *self._command, *words]
        done = subprocess.run(
            measured, input=stdin, capture_output=True, env=self._env(), cwd=self.folder, timeout=LIMIT
        )
        if not costs.exists():
            raise Failed(f"{words} did not run: {done.stderr[-600:].decode()}")
        self.costs = json.loads(costs.read_text())
        if self.costs.pop("code"):
            said = (done.stderr + done.stdout).decode(errors="replace")
            raise Failed(f"{' '.join(words)[:200]}: {said[-600:]}")
        return done.stdout

    def _env(self) -> dict[str, str]:
        """A home of its own, and bytecode kept as that of an installed program is: by default this
        tree, or an environment that forbids it, would be compiled at each start."""
        env = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        home = {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "xdg")}
        return {**env, **home, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(BYTECODE)}


class Peer:
    """What the bench asks of each. ``costs`` are of the last round: seconds of ``wall`` and ``cpu``, and
    megabytes of memory (``rss``)."""

    name = ""

    def __init__(self, folder: Path, book: Book) -> None:
        self.folder = folder
        self.book = book
        self.costs: Mapping[str, float] = {}

    def add(self, cards: Cards) -> None:
        """Bring cards onto the device, or edit those that are there."""
        raise NotImplementedError

    def work(self, what: str) -> None:
        """One round: ``upload``, ``download``, ``nochange`` or ``change``."""
        raise NotImplementedError

    def count(self) -> int:
        """How many cards are on the device."""
        raise NotImplementedError

    def shows(self, number: int, mark: str) -> bool:
        """Is this card on the device with this mark?"""
        raise NotImplementedError


class Floor(Peer):
    """``connections`` are the best ones for each work, found out beforehand."""

    name = "floor"
    connections: dict[str, int] = {}  # noqa: RUF012

    def __init__(self, folder: Path, book: Book) -> None:
        super().__init__(folder, book)
        self._cards: dict[str, bytes] = {}
        self._edits: dict[str, bytes] = {}
        self._etags: dict[str, str] = {}
        self._token = ""
        self._read: dict[str, str] = {}

    def add(self, cards: Cards) -> None:
        (self._edits if self._cards else self._cards).update(cards)

    def work(self, what: str) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        connections = self.connections.get(what, 1)
        bodies: list[bytes] = []
        if what == "upload":
            floor.parallel(
                self.book, connections, [floor.put(self.book, *one) for one in self._cards.items()]
            )
        elif what == "download":
            self._token, self._etags = floor.list_book(self.book)
            bodies = floor.read_all(self.book, list(self._etags), connections)
        else:
            _, news = floor.list_book(self.book, self._token)
            if news:
                bodies = floor.read_all(self.book, list(news), 1)
            jobs = [
                floor.put(self.book, name, card, self._etags[self.book.path + name])
                for name, card in self._edits.items()
            ]
            if jobs:
                floor.parallel(self.book, connections, jobs)
        self.costs = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}
        for body in bodies:
            found = floor.read(body)
            self._read |= found
            self._cards |= dict.fromkeys(found, b"")

    def count(self) -> int:
        return len(self._cards)

    def shows(self, number: int, mark: str) -> bool:
        name = f"{uid(number)}.vcf"
        return mark in self._read.get(name, "") or mark.encode() in self._edits.get(name, b"")


class Vdirsyncer(Peer):
    """A folder of files and CardDAV; it moves cards as they are, and reads none."""

    name = "vdirsyncer"
    command: Sequence[str] = ()

    def __init__(self, folder: Path, book: Book) -> None:
        super().__init__(folder, book)
        self._process = Process(folder, self.command)
        self._device = folder / "device"
        self._device.mkdir()
        text = json.dumps
        lines = [
            "[general]",
            f"status_path = {text(str(folder / 'status'))}",
            "[pair bench]",
            'a = "device"',
            'b = "server"',
            "collections = null",
            'conflict_resolution = "b wins"',
            "[storage device]",
            'type = "filesystem"',
            f"path = {text(str(self._device))}",
            'fileext = ".vcf"',
            "[storage server]",
            'type = "carddav"',
            f"url = {text(book.root + book.path)}",
        ]
        if book.user:
            lines += [f"username = {text(book.user)}", f"password = {text(book.password)}"]
        (folder / "config").write_text("\n".join([*lines, ""]))
        self._process.run("-c", "config", "discover")

    def add(self, cards: Cards) -> None:
        for name, payload in cards.items():
            (self._device / name).write_bytes(payload)

    def work(self, what: str) -> None:
        self._process.run("-c", "config", "-v", "WARNING", "sync")
        self.costs = self._process.costs

    def count(self) -> int:
        return sum(1 for _ in self._device.glob("*.vcf"))

    def shows(self, number: int, mark: str) -> bool:
        return mark.encode() in (self._device / f"{uid(number)}.vcf").read_bytes()


class ContactSync(Peer):
    """By its command line, with a configuration file as a person writes it."""

    name = "contactsync"

    def __init__(self, folder: Path, book: Book, account: str = "") -> None:
        super().__init__(folder, book)
        words = [sys.executable, "-m", "contactsync", "--config", "config.toml", "--data-dir", "data"]
        self._process = Process(folder, words)
        password = folder / "password"
        password.write_text(f"{book.password or 'none'}\n")
        password.chmod(0o600)
        account = account or (
            f'connector = "carddav"\nurl = "{book.root}{book.principal}"\nusername = "{book.user}"\n'
            f'books = ["{quote(book.path)}"]\n'
        )
        text = f'[account.bench]\n{account}password = {{ file = "{password}" }}\n'
        (folder / "config.toml").write_text(text)
        (folder / "config.toml").chmod(0o600)

    def add(self, cards: Cards) -> None:
        if (self.folder / "data").exists():
            self._process.run("contact", "put", "-", stdin=b"".join(cards.values()))
            return
        source = self.folder / "import"
        source.mkdir()
        for name, payload in cards.items():
            (source / name).write_bytes(payload)
        self._process.run("import", "--match", "never", "import")
        shutil.rmtree(source)

    def command(self, *words: str) -> bytes:
        """One command, measured."""
        found = self._process.run(*words)
        self.costs = self._process.costs
        return found

    def work(self, what: str) -> None:
        report = json.loads(self.command("--json", "sync"))
        troubles = [account for account in report["accounts"] if account["state"] != "ok"]
        if troubles or not report["ok"]:
            raise Failed(f"sync: {json.dumps(report)[:600]}")

    def count(self) -> int:
        with closing(sqlite3.connect(self.folder / "data" / "contacts.db")) as database:
            found: int = database.execute("SELECT count(*) FROM contact WHERE deleted_at IS NULL").fetchone()[
                0
            ]
        return found

    def shows(self, number: int, mark: str) -> bool:
        return mark.encode() in self._process.run("--json", "contact", "show", uid(number))
