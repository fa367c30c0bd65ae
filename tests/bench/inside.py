"""Works without a server: reading and writing cards, planning, starting."""

from __future__ import annotations

import gc
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from contactsync.connectors.memory import MemoryServer
from contactsync.model import jsonform
from contactsync.model.contact import Title
from contactsync.vcard import reading
from contactsync.vcard.codec import VCardCodec
from contactsync.vcard.lines import parse_lines
from tests.bench.books import Book, fill, new_book
from tests.bench.cards import card, cards, uid
from tests.bench.peers import ContactSync
from tests.bench.results import Cell, Results
from tests.corpus.speed import seconds
from tests.e2e.devices import Device, account_for
from tests.servers import Server

Say = Callable[[str], None]


def codec(results: Results, runs: int, n: int = 1000) -> None:
    """CPU time of ``n`` generated cards: bytes to lines, to a contact, and back; beside vobject."""
    import vobject

    logging.disable(logging.CRITICAL)
    data = [payload for _, payload in cards(n)]
    texts = [payload.decode() for payload in data]
    ours = VCardCodec()
    theirs, contacts = [vobject.readOne(text) for text in texts], [ours.read(payload) for payload in data]
    works: dict[tuple[str, str], Callable[[], object]] = {
        ("read", "vobject"): lambda: [vobject.readOne(text) for text in texts],
        ("read", "contactsync"): lambda: [reading.Card(payload).contact for payload in data],
        ("wire", "vobject"): lambda: [vobject.readOne(text) for text in texts],
        ("wire", "contactsync"): lambda: [parse_lines(payload) for payload in data],
        ("write", "vobject"): lambda: [component.serialize() for component in theirs],
        ("write", "contactsync"): lambda: [ours.write(contact, None) for contact in contacts],
    }
    for run in range(runs):
        for (what, who), work in works.items():
            spent = seconds(work)
            results.add(Cell("codec", what, n, 0), run, who, wall=spent, cpu=spent)
    logging.disable(logging.NOTSET)


def plan(results: Results, runs: int, sizes: list[int], say: Say) -> None:
    """``plan`` with one contact in a hundred of the greatest size changed, in books of all sizes: a remote in
    memory answers at once, so that what is measured is what we do."""
    changed = max(sizes) // 100
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            memory = MemoryServer()
            (book,) = memory.books
            for name, payload in cards(n):
                memory.put(f"{book}{name}", payload)
            device = Device(Path(folder), memory, account_for(memory, book))
            for _ in range(3):
                device.sync()
            for i in range(changed // 2):
                memory.put(f"{book}{uid(i)}.vcf", card(i, mark="there"))
            for i in range(changed // 2, changed):
                device.edit(uid(i), lambda contact: replace(contact, titles=(Title("here"),)))
            device.sync(dry_run=True)  # code is loaded, and pages of the database are read
            for run in range(runs):
                _forget()
                gc.collect()
                began, cpu = time.perf_counter(), time.process_time()
                device.sync(dry_run=True)
                wall, cpu = time.perf_counter() - began, time.process_time() - cpu
                results.add(Cell("plan", "memory", n, 0), run, "contactsync", wall=wall, cpu=cpu)
            say(f"plan, {n:,} contacts, {changed} changed: {wall * 1000:.0f} ms")
            device.close()


def _forget() -> None:
    """What the plan before left in memory: one by itself finds nothing there."""
    jsonform.kept.cache_clear()
    reading.kept.cache_clear()


def start(results: Results, runs: int, server: Server, folder: Path, n: int = 1000) -> None:
    """What a command costs before it does anything, with a device of ``n`` contacts that is at rest."""
    peer, _ = _at_rest(server, folder, n)
    for run in range(runs):
        for name, words in (("help", "--help"), ("status", "status"), ("nochange", "sync")):
            peer.command(words)
            results.add(Cell("start", name, n, 0), run, "contactsync", **peer.costs)
    _watching(results, runs, server, peer, n)


def _watching(results: Results, runs: int, server: Server, peer: ContactSync, n: int) -> None:
    """Rounds without news within one process, as ``watch`` makes them."""
    from contactsync.api import Engine
    from contactsync.config import load

    with Engine(load(peer.folder / "config.toml"), peer.folder / "data") as engine:
        assert engine.idle_round() is not None
        for run in range(runs):
            rounds = 20
            began, cpu = time.perf_counter(), time.process_time()
            for _ in range(rounds):
                assert engine.idle_round() is not None
            wall, cpu = (time.perf_counter() - began) / rounds, (time.process_time() - cpu) / rounds
            results.add(Cell("start", "watch", n, 0), run, "contactsync", wall=wall, cpu=cpu)


def searching(results: Results, runs: int, server: Server, folder: Path, n: int, say: Say) -> None:
    """``contact list --query`` on a device of ``n`` contacts, cold."""
    peer, _ = _at_rest(server, folder, n)
    for run in range(runs):
        peer.command("contact", "list", "--query", f"{n - 7:07d}")
        results.add(Cell("query", "device", n, 0), run, "contactsync", **peer.costs)
    say(f"contact list --query, {n:,} contacts: {peer.costs['wall'] * 1000:.0f} ms")


def _at_rest(server: Server, folder: Path, n: int) -> tuple[ContactSync, Book]:
    book = new_book(server)
    fill(server, book, cards(n))
    peer = ContactSync(Path(tempfile.mkdtemp(dir=folder)), book)
    for _ in range(3):
        peer.work("download")
    return peer, book
