"""How a push uses the time of the network, and its memory."""

from __future__ import annotations

import hashlib
import re
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.connectors.base import Change
from contactsync.connectors.memory import Habits, MemoryConnector, MemoryServer
from contactsync.engine.push import READ_BACK_BYTES, WINDOW
from contactsync.engine.reading import BATCH
from contactsync.errors import TransientError
from contactsync.model.contact import Contact, Media
from tests.bench.books import new_book
from tests.e2e.devices import Device, account_for, person
from tests.proxy import Reply, proxy
from tests.servers import Server

PHOTO = re.compile(rb"PHOTO.*?\r\n(?! )", re.DOTALL)


def with_photo(number: int, size: int) -> Contact:
    """Each photo is another one, and cannot be packed."""
    data = b"\xff\xd8\xff" + hashlib.shake_128(str(number).encode()).digest(size)
    media = Media("photo", "image/jpeg", "", hashlib.sha256(data).hexdigest(), data)
    return replace(person(number), media=(media,))


def in_memory(folder: Path, server: MemoryServer | None = None) -> Device:
    server = server or MemoryServer()
    (book,) = server.books
    return Device(folder, server, account_for(server, book))


def test_what_was_written_is_read_back_while_the_rest_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for as soon as it is worth a request, and taken in when the next one is."""
    device = in_memory(tmp_path)
    device.engine.put([person(n) for n in range(2 * BATCH + 20)])
    steps: list[str] = []
    device.engine.hooks.step = steps.append
    fetch = MemoryConnector.fetch

    def noted(self: MemoryConnector, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        steps.append(f"asked for {len(hrefs)}")
        return fetch(self, collection, hrefs)

    monkeypatch.setattr(MemoryConnector, "fetch", noted)
    device.sync()
    told = [step for step in steps if step.startswith(("asked", "read-back"))]
    once = f"asked for {BATCH}"
    assert told == [once, "read-back", once, "read-back", "asked for 20", "read-back"]
    assert BATCH <= steps[: steps.index(once)].count("answered") < 2 * BATCH
    assert 2 * BATCH <= steps[: steps.index("read-back")].count("answered") < 2 * BATCH + 20
    assert device.quiet()


@pytest.mark.law("L11", "L31")
def test_where_reading_back_fails_the_writes_go_on_and_the_next_round_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = in_memory(tmp_path)
    device.engine.put([person(n) for n in range(BATCH + 20)])
    asked: list[int] = []

    def fetch(self: MemoryConnector, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        asked.append(len(hrefs))
        raise TransientError("The line is down.")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryConnector, "fetch", fetch)
        report = device.report()
    assert (report.state, report.message) == ("temporary", "The line is down.")
    assert report.books[0].pushed.created == BATCH + 20 and device.engine.store.journal.in_doubt() == 0
    assert asked == [BATCH, BATCH + 20], "once meanwhile, and once in the end"
    assert device.sync().pushed.created == 0
    assert device.quiet()


@pytest.mark.law("L33")
def test_what_was_not_handed_out_when_a_round_ends_is_not_in_doubt(tmp_path: Path) -> None:
    device = in_memory(tmp_path)
    device.engine.put([person(n) for n in range(WINDOW + 5)])
    steps: list[str] = []
    device.engine.hooks.step = steps.append
    device.engine.hooks.stopping = lambda: steps.count("answered") >= 3
    assert device.run().stopped
    assert steps.count("answered") == steps.count("recorded") == 3
    assert device.engine.store.journal.in_doubt() == 0
    device.engine.hooks.stopping = lambda: False
    assert device.sync().pushed.created == WINDOW + 2
    assert device.quiet()


def test_memory_does_not_grow_with_the_photos_that_are_sent(tmp_path: Path) -> None:
    """The server forgets them, as it is in the same process."""
    size, peaks = 100_000, []
    for n in (2 * WINDOW, 4 * WINDOW):
        habits = Habits(on_store=lambda payload: PHOTO.sub(b"", payload))
        device = in_memory(tmp_path / str(n), MemoryServer(habits))
        for number in range(n):
            device.engine.put([with_photo(number, size)])
        tracemalloc.start()
        assert device.sync().pushed.created == n
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        device.close()
    small, large = peaks
    assert large - small < 2 * WINDOW * size / 3


def test_photos_are_sent_once_and_read_back_a_few_at_a_time(radicale: Server, tmp_path: Path) -> None:
    n, size = 30, 200_000
    book = new_book(radicale)
    answers: list[int] = []

    def note(reply: Reply) -> Reply:
        answers.append(len(reply.body))
        return reply

    with proxy(radicale.base_url) as front:
        through = replace(radicale, base_url=front.url)
        device = Device(tmp_path, through, account_for(through, book.path))
        device.engine.put([with_photo(number, size) for number in range(n)])
        front.change(note, "REPORT")
        device.sync()
        puts = [seen for seen in front.seen if seen.method == "PUT"]
        assert len(puts) == n
        assert sum(answers) > n * size, "all of them were read back"
        assert max(answers) < 2 * READ_BACK_BYTES
        asked = [s.headers["Accept-Encoding"] for s in front.seen if b"addressbook-multiget" in s.body]
        assert "gzip" in asked[0] and set(asked[1:]) == {"identity"}, "packing a photo takes longer"
        assert device.quiet()
        photos = {
            media.sha256 for n in range(3) for media in device.engine.contact(person(n).uid).contact.media
        }
        assert photos == {with_photo(n, size).media[0].sha256 for n in range(3)}
        device.close()
    radicale.delete_book(book.path)
