"""Rounds of all peers with one server, size and delay, taking turns; each outcome is checked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench import floor
from tests.bench.books import Book, fill, new_book, port_of
from tests.bench.cards import card, cards, uid
from tests.bench.delay import Delay, delayed
from tests.bench.peers import Failed, Floor, Peer
from tests.bench.results import Cell, Results
from tests.servers import Server

SAMPLE, FEW = 60, 16
SEEN = ("requests", "up", "down", "in_flight")


@dataclass
class Stage:
    """Where the peers take turns. ``say`` tells a person how it goes; ``due`` is false once time is up."""

    server: Server
    folder: Path
    kinds: Sequence[type[Peer]]
    results: Results
    runs: int
    say: Callable[[str], None]
    due: Callable[[], bool]

    def uploads(self, n: int, delay: float, photo: int = 0) -> None:
        """The device has ``n`` contacts, and the book is empty."""
        cell = Cell("photos" if photo else "upload", self.server.name, n, delay)
        deck = dict(cards(n, photo))
        with delayed(port_of(self.server), delay) as front:
            if not self._all_there([cell]):
                some = dict(list(deck.items())[:SAMPLE])
                Floor.connections["upload"] = floor.fastest(lambda k: self._upload(front, some, k))

            def turn(kind: type[Peer], run: int) -> None:
                book = new_book(self.server)
                try:
                    peer = self._device(kind, book, front)
                    peer.add(deck)
                    self._measure(cell, run, peer, front, "upload")
                    self._check(peer, book, n)
                finally:
                    with suppress(OSError):  # it would hide what went wrong before
                        self.server.delete_book(book.path)

            self._turns([cell], turn)

    def _upload(self, front: Delay, deck: dict[str, bytes], connections: int) -> None:
        book = new_book(self.server)
        through = book.through(front.port)
        floor.parallel(through, connections, [floor.put(through, *one) for one in deck.items()])
        self.server.delete_book(book.path)

    def downloads(self, n: int, delays: Sequence[float], works: Sequence[str]) -> None:
        """The book has ``n`` cards and the device none; then a round without news; then one with changes of
        one contact in a hundred on either side. The book is the same for all peers."""
        cells = [[Cell(work, self.server.name, n, delay) for work in works] for delay in delays]
        if all(self._all_there(row) for row in cells):
            return
        self.say(f"{self.server.name}: {n:,} cards go into its storage")
        book = new_book(self.server)
        fill(self.server, book, cards(n))
        _, etags = floor.list_book(book)
        floor.read_all(book, list(etags), 4)  # the server's own caches are filled by this
        marks = iter(range(1_000_000))
        for delay, row in zip(delays, cells, strict=True):
            with delayed(port_of(self.server), delay) as front:
                self._tune(book.through(front.port), list(etags), row)

                def turn(kind: type[Peer], run: int, front: Delay = front, row: Sequence[Cell] = row) -> None:
                    self._chain(kind, run, front, row, book, next(marks))

                self._turns(row, turn)
        self.server.delete_book(book.path)

    def _tune(self, through: Book, paths: Sequence[str], row: Sequence[Cell]) -> None:
        if not self._all_there(row):
            some = paths[: max(SAMPLE, min(len(paths), 2000))]
            best = floor.fastest(lambda k: floor.read_all(through, some, k))
            Floor.connections["download"] = best
            if any(cell.work == "change" for cell in row):
                Floor.connections["change"] = floor.fastest(lambda k: self._edit(through, len(paths), k))

    def _edit(self, through: Book, n: int, connections: int) -> None:
        """A few cards written over: a server may take new ones side by side, and not these."""
        _, etags = floor.list_book(through)
        names = {i: f"{uid(i)}.vcf" for i in range(min(n, FEW))}
        jobs = [
            floor.put(through, name, card(i, mark=f"try{connections}"), etags[through.path + name])
            for i, name in names.items()
        ]
        floor.parallel(through, connections, jobs)

    def _chain(
        self, kind: type[Peer], run: int, front: Delay, row: Sequence[Cell], book: Book, turn: int
    ) -> None:
        """A new device: download, nothing new, changes."""
        by_work = {cell.work: cell for cell in row}
        n = row[0].n
        peer = self._device(kind, book, front)
        self._measure(by_work.get("download"), run, peer, front, "download")
        self._check(peer, book, n)
        if "nochange" in by_work:
            peer.work("nochange")  # some look once more after what they wrote down
            self._measure(by_work["nochange"], run, peer, front, "nochange")
        if "change" not in by_work:
            return
        some, mark = max(1, n // 100), f"mark{turn}x"
        here, there = range(some), range(some, 2 * some)
        peer.add({f"{uid(i)}.vcf": card(i, mark=f"here{mark}") for i in here})
        _, etags = floor.list_book(book)
        names = {i: f"{uid(i)}.vcf" for i in there}
        edits = [
            floor.put(book, name, card(i, mark=f"there{mark}"), etags[book.path + name])
            for i, name in names.items()
        ]
        floor.parallel(book, 1, edits)
        self._measure(by_work["change"], run, peer, front, "change")
        self._check(peer, book, n)
        for i in (here[0], here[-1], there[0], there[-1]):
            wanted = f"{'here' if i in here else 'there'}{mark}"
            served = self.server.get(f"{book.path}{uid(i)}.vcf") or b""
            if not peer.shows(i, wanted) or wanted.encode() not in served:
                raise Failed(f"the edit of {uid(i)} is not on both sides")

    def _device(self, kind: type[Peer], book: Book, front: Delay) -> Peer:
        return kind(Path(tempfile.mkdtemp(dir=self.folder)), book.through(front.port))

    def _measure(self, cell: Cell | None, run: int, peer: Peer, front: Delay, what: str) -> None:
        front.counts()
        peer.work(what)
        seen = front.counts()
        if cell is not None:
            self.results.add(cell, run, peer.name, **peer.costs, **{name: seen[name] for name in SEEN})
            took = f"{peer.costs['wall']:.2f} s, {seen['requests']} requests"
            self.say(f"{_place(cell)}, run {run + 1}: {peer.name} {took}")

    def _check(self, peer: Peer, book: Book, n: int) -> None:
        _, etags = floor.list_book(book)
        if not peer.count() == len(etags) == n:
            raise Failed(f"{peer.count()} on the device and {len(etags)} in the book, not {n}")

    def _all_there(self, row: Sequence[Cell]) -> bool:
        return all(
            self.results.has(cell, run, kind.name)
            for cell in row
            for run in range(self.runs)
            for kind in self.kinds
        )

    def _turns(self, row: Sequence[Cell], turn: Callable[[type[Peer], int], None]) -> None:
        """Each run has all peers, another one first each time. A run that was broken off is made
        anew, as ratios count inside a run."""
        for run in range(self.runs):
            if all(self.results.has(cell, run, kind.name) for cell in row for kind in self.kinds):
                continue
            for cell in row:
                self.results.forget(cell, run)
            for at in range(len(self.kinds)):
                kind = self.kinds[(at + run) % len(self.kinds)]
                if not self.due():
                    self.results.note(f"{_place(row[0])}, run {run + 1}, {kind.name}: time was up")
                    continue
                try:
                    turn(kind, run)
                except (Failed, RuntimeError, OSError) as error:
                    self.results.fail(f"{_place(row[0])}, run {run + 1}, {kind.name}: {error}")
                    self.say(self.results.failed[-1])


def _place(cell: Cell) -> str:
    return f"{cell.work}, {cell.server}, {cell.n:,}, {cell.delay:g} ms"
