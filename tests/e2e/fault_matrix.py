"""Every request of a first sync and of a round of edits, broken in every way: ``make fault-matrix``.

After a broken round and one clean round both sides must agree, and nobody is there twice or missing.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from contactsync.model.contact import Contact, Nickname, Title
from contactsync.vcard import VCardCodec
from tests import servers
from tests.e2e.devices import Device, account_for, person
from tests.proxy import Proxy, Reply, proxy
from tests.servers import Server

HERE, SAME, THERE = range(4), range(4, 6), range(6, 10)
_names = count(1)
_CODEC = VCardCodec("3.0")


def _later(proxied: Proxy, skip: int) -> None:
    def wait(reply: Reply) -> Reply:
        time.sleep(0.05)
        return reply

    proxied.change(wait, skip=skip, times=1)


FAULTS: dict[str, Callable[[Proxy, int], None]] = {
    "the request is lost": lambda p, n: p.lose_request(skip=n),
    "the answer is lost": lambda p, n: p.lose_reply(skip=n),
    "the answer is cut": lambda p, n: p.cut(skip=n, times=1),
    "the answer is cut to fit": lambda p, n: p.shorten(skip=n, times=1),
    "garbage": lambda p, n: p.change(lambda r: Reply(r.status, (), b"\xff\x00<x"), skip=n, times=1),
    "500": lambda p, n: p.fail(500, skip=n),
    "503": lambda p, n: p.fail(503, retry_after="0", skip=n),
    "a web page": lambda p, n: p.answer(
        Reply(200, (("Content-Type", "text/html"),), b"<html>Log in</html>"), skip=n, times=1
    ),
    "late": _later,
}


@dataclass(frozen=True)
class Case:
    """One broken request: the ``number``-th of this kind of round."""

    edits: bool
    fault: str
    number: int

    def __str__(self) -> str:
        return f"{'edits' if self.edits else 'first sync'}, request {self.number}: {self.fault}"


class Field:
    """A server behind a proxy, on which each case gets a book and a device of its own."""

    def __init__(self, server: Server, front: Proxy, folder: Path) -> None:
        self.server, self.front, self._folder = server, front, folder

    def requests(self, *, edits: bool) -> int:
        """How many requests such a round makes when nothing is broken."""
        with self._scene(edits=edits) as (device, book):
            self.front.forget()
            device.run()
            made = self.front.counts.total()
            self._judge(device, book, edits=edits)
        return made

    def play(self, case: Case) -> str:
        """What went wrong in the end; empty when nothing did."""
        with self._scene(edits=case.edits) as (device, book):
            self.front.forget()
            FAULTS[case.fault](self.front, case.number)
            device.run()
            self.front.forget()
            try:
                device.sync()
                self._judge(device, book, edits=case.edits)
            except AssertionError as error:
                return str(error) or "a clean round did not go well"
        return ""

    @contextmanager
    def _scene(self, *, edits: bool) -> Iterator[tuple[Device, str]]:
        self.front.forget()
        name = f"fault{next(_names)}"
        book = self.server.make_book(name)
        account = replace(account_for(self.server, book), url=self.front.url + self.server.principal)
        device = Device(self._folder / name, self.server, account)
        device.engine.put([person(number) for number in (*HERE, *SAME)])
        for number in (*SAME, *THERE):
            self._put(book, person(number))
        if edits:
            device.sync()
            device.sync()
            for number in (0, 1, 5):
                device.edit(person(number).uid, _titled("here"))
            device.engine.delete([person(2).uid])
            for number in (6, 7, 5):
                path, view = self._find(book, person(number).uid)
                self.server.put(path, _CODEC.write(_noted(view), self.server.get(path)))
            self.server.delete(self._find(book, person(8).uid)[0])
        try:
            yield device, book
        finally:
            device.close()
            self.front.forget()
            self.server.delete_book(book)

    def _put(self, book: str, contact: Contact) -> None:
        self.server.put(f"{book}{contact.uid}.vcf", _CODEC.write(contact, None))

    def _find(self, book: str, uid: str) -> tuple[str, Contact]:
        for path in self.server.etags(book):
            view = _CODEC.read(self.server.get(path) or b"")
            if view.uid == uid:
                return path, view
        raise AssertionError(f"{uid} is not there")

    def _judge(self, device: Device, book: str, *, edits: bool) -> None:
        there = [_CODEC.read(self.server.get(path) or b"") for path in self.server.etags(book)]
        here = list(device.everyone().values())
        gone = {2, 8} if edits else set()
        wanted = Counter(person(n).uid for n in (*HERE, *SAME, *THERE) if n not in gone)
        for side, views in (("device", here), ("server", there)):
            found = Counter(view.uid for view in views)
            assert found == wanted, f"{side}: {found - wanted} too many, {wanted - found} missing"
            if edits:
                self._edited(side, {view.uid: view for view in views})

    def _edited(self, side: str, views: dict[str, Contact]) -> None:
        for number in (0, 1, 5):
            assert Title("here") in views[person(number).uid].titles, f"{side}: the edit of {number}"
        for number in (5, 6, 7):
            assert views[person(number).uid].nicknames, f"{side}: the edit there of {number}"


def _titled(word: str) -> Callable[[Contact], Contact]:
    return lambda contact: replace(contact, titles=(Title(word),))


def _noted(view: Contact) -> Contact:
    return replace(view, nicknames=(Nickname("there"),))


@contextmanager
def field(server: Server, folder: Path) -> Iterator[Field]:
    with proxy(server.base_url) as front:
        yield Field(server, front, folder)


def cases(place: Field) -> list[Case]:
    return [
        Case(edits, fault, number)
        for edits in (False, True)
        for number in range(place.requests(edits=edits))
        for fault in FAULTS
    ]


def some(place: Field, number: int, seed: int) -> list[Case]:
    """A share of all, for the everyday tests."""
    return random.Random(seed).sample(cases(place), number)


def main(kinds: Iterable[str] = ("radicale", "xandikos")) -> int:
    broken = 0
    print(f"{'server':<10} {'round':<11} {'fault':<24} requests broken / not made good")
    for kind in kinds:
        start = getattr(servers, kind)
        with start() as server, tempfile.TemporaryDirectory() as folder, field(server, Path(folder)) as place:
            broken += _table(place)
    return broken


def _table(place: Field) -> int:
    table: dict[tuple[str, str], list[int]] = {}
    for case in cases(place):
        row = table.setdefault(("edits" if case.edits else "first sync", case.fault), [0, 0])
        row[0] += 1
        if problem := place.play(case):
            row[1] += 1
            print(f"{place.server.name}, {case}: {problem}", flush=True)
    for (round_, fault), (tried, failed) in table.items():
        print(f"{place.server.name:<10} {round_:<11} {fault:<24} {tried} / {failed}", flush=True)
    return sum(failed for _, failed in table.values())


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
