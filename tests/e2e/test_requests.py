"""What a round costs, counted by a proxy between the device and the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contactsync.api import Hooks
from contactsync.engine.report import AccountReport
from contactsync.model.contact import Title
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import Device, card, fill, person
from tests.proxy import Proxy, Reply, Rule, Seen, proxy
from tests.servers import Server

NO_SUCH_REPORT = Reply(
    403,
    (("Content-Type", "application/xml"),),
    b'<?xml version="1.0"?><D:error xmlns:D="DAV:"><D:supported-report/></D:error>',
)


class Clock:
    """It ticks whenever somebody looks; a day passes when a test says so."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time


@pytest.fixture(params=["radicale", "xandikos"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def front(server: Server) -> Iterator[Proxy]:
    with proxy(server.base_url) as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def device(server: Server, front: Proxy, clock: Clock, new_book: NewBook, open_device: OpenDevice) -> Device:
    """A device with two books of three contacts each, after the rounds that bring it to rest."""
    books = [new_book(server), new_book(server)]
    for number, book in enumerate(books):
        fill(server, book, (card(f"b{number}c{n}", f"B{number}C{n}") for n in range(3)))
    through = replace(server, base_url=front.url)
    found = open_device("phone", through, *books, hooks=Hooks(now=clock))
    for _ in range(3):
        found.sync()
    front.forget()
    return found


def counted(device: Device, front: Proxy) -> tuple[list[Seen], AccountReport]:
    """What one round asked; our own figures agree with the proxy's."""
    front.seen.clear()
    report = device.report()
    assert report.state == "ok", report.message
    by_path = {book.href: 0 for book in report.books}
    for seen in front.seen:
        for href in by_path:
            by_path[href] += seen.path.startswith(href)
    assert {book.href: book.requests for book in report.books} == by_path
    return list(front.seen), report


def kinds(seen: list[Seen]) -> list[str]:
    """The requests of one book in words."""
    words = []
    for one in seen:
        kind = next((k for k in ("sync-collection", "multiget") if k.encode() in one.body), "")
        words.append(f"{one.method} {kind}".strip())
    return sorted(words)


@pytest.mark.law("P4", "L36")
@pytest.mark.parametrize("server", ["radicale", "radicale31", "xandikos"], indirect=True)
def test_a_round_without_changes_costs_one_request_a_book(device: Device, front: Proxy, clock: Clock) -> None:
    for _ in range(3):
        clock.time += timedelta(minutes=15)
        seen, report = counted(device, front)
        assert not report.worked
        assert sorted(one.path for one in seen) == sorted(device.account.books)
        assert kinds(seen) == ["REPORT sync-collection"] * 2


def test_the_list_of_books_is_read_once_a_day_and_counted_apart(
    device: Device, front: Proxy, clock: Clock
) -> None:
    clock.time += timedelta(days=1)
    seen, report = counted(device, front)
    assert sum(book.requests for book in report.books) == 2
    looks = [one for one in seen if one.path not in device.account.books]
    assert 1 <= len(looks) <= 4
    assert {one.method for one in looks} <= {"PROPFIND", "OPTIONS"}
    clock.time += timedelta(hours=23)
    assert len(counted(device, front)[0]) == 2


def test_without_sync_collection_a_round_without_changes_costs_two_requests_a_book_at_most(
    server: Server, front: Proxy, clock: Clock, new_book: NewBook, open_device: OpenDevice
) -> None:
    front.rules.append(Rule(lambda seen: b"sync-collection" in seen.body, before=lambda _: NO_SUCH_REPORT))
    book = new_book(server)
    fill(server, book, (card(f"c{n}", f"C{n}") for n in range(3)))
    device = open_device("phone", replace(server, base_url=front.url), book, hooks=Hooks(now=clock))
    for _ in range(3):
        device.sync()
    for _ in range(3):
        clock.time += timedelta(minutes=15)
        seen, report = counted(device, front)
        assert not report.worked
        assert 1 <= len(seen) <= 2
        assert {one.path for one in seen} == {book}
    server.put(book + "c1.vcf", card("c1", "C1", "TITLE:Edited there"))
    server.delete(book + "c2.vcf")
    assert device.sync().pulled.updated == 1
    assert device.contact("c1").titles == (Title("Edited there"),)
    assert sorted(device.everyone()) == ["c0", "c1"]


@pytest.mark.parametrize("edits", [1, 5])
def test_edits_cost_a_put_each_and_one_look_before_and_after(
    device: Device, front: Proxy, server: Server, edits: int
) -> None:
    home = sorted(device.account.books)[0]
    device.engine.put([person(n) for n in range(5)])
    for _ in range(3):
        device.sync()
    for n in range(edits):
        device.edit(person(n).uid, lambda c: replace(c, titles=(Title("Edited"),)))
    seen, report = counted(device, front)
    assert next(book for book in report.books if book.href == home).pushed.updated == edits
    puts = [one for one in seen if one.method == "PUT"]
    assert {one.headers.get("If-Match", "") != "" for one in puts} == {True}
    rest = [one for one in seen if one.method != "PUT"]
    # what was written is read back by one report; Xandikos may ask for a write to be repeated
    assert kinds(rest) == sorted(["REPORT sync-collection"] * 2 + ["REPORT multiget"])
    assert len({one.path for one in puts}) == edits
    if server.name != "xandikos":
        assert len(puts) == edits
    # the listing after it shows our own writes, and nothing of it is read again
    assert kinds(counted(device, front)[0]) == ["REPORT sync-collection"] * 2
    assert kinds(counted(device, front)[0]) == ["REPORT sync-collection"] * 2


def test_an_edit_at_the_server_costs_the_look_and_one_read(
    device: Device, front: Proxy, server: Server
) -> None:
    for uid in ("b0c0", "b0c1"):
        server.put(f"{device.account.books[0]}{uid}.vcf", card(uid, uid.upper(), "TITLE:Edited there"))
    seen, report = counted(device, front)
    assert kinds(seen) == sorted(["REPORT sync-collection"] * 2 + ["REPORT multiget"])
    assert sum(book.pulled.updated for book in report.books) == 2


def test_a_first_download_of_250_cards_costs_one_listing_and_four_reads(
    radicale: Server, new_book: NewBook, open_device: OpenDevice, clock: Clock
) -> None:
    book = new_book(radicale)
    fill(radicale, book, (card(f"c{n:03d}", f"C{n:03d}") for n in range(250)))
    with proxy(radicale.base_url) as front:
        device = open_device("phone", replace(radicale, base_url=front.url), book, hooks=Hooks(now=clock))
        device.engine.books("home")
        seen, report = counted(device, front)
        assert report.books[0].pulled.created == 250
        assert kinds(seen) == sorted(["PROPFIND", "REPORT sync-collection"] + ["REPORT multiget"] * 4)
        assert len(counted(device, front)[0]) == 1
