"""What takes longer, on every server that can be had: ``make test-servers`` (marker ``servers``)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from contactsync.errors import CodecError
from contactsync.vcard import VCardCodec, split_cards
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.crashing import Crasher, crasher
from tests.e2e.devices import Device, calm, person
from tests.each_server import each_server
from tests.servers import Server

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "vcards"
KILLS = 25
TWICE = ("answered", "recorded")
OFTEN = ("decided", "committed", "before-sent", "sent", *TWICE)
PEOPLE = 120
LATEST = 0.006


SERVERS = each_server()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


def put_person(server: Server, book: str, number: int) -> None:
    contact = person(number)
    server.put(f"{book}{contact.uid}.vcf", VCardCodec("3.0").write(contact, None))


@pytest.mark.servers
@pytest.mark.law("P5", "P2", "L33")
def test_a_first_sync_that_is_killed_again_and_again_comes_to_the_same_end(
    server: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    """Sixty people on each side; some of each are the same. It dies at any moment after a boundary. A fast
    server may be done before all kills are: then there is another first sync."""
    chance = random.Random(server.name)
    kills = number = 0
    with crasher() as killer:
        while kills < KILLS:
            number += 1
            book = new_book(server)
            phone, laptop = (open_device(f"{name}{number}", server, book) for name in ("phone", "laptop"))
            phone.engine.put([person(number) for number in range(PEOPLE // 2 + 10)])
            for other in range(PEOPLE // 2 - 10, PEOPLE):
                put_person(server, book, other)
            kills += _killed(killer, phone, chance, KILLS - kills)
            calm(phone, laptop)
            everyone = {person(number).uid for number in range(PEOPLE)}
            assert set(phone.everyone()) == set(laptop.everyone()) == everyone
            assert len(server.etags(book)) == PEOPLE
    assert number < KILLS / 5, "most kills came too late to harm anything"


def _killed(killer: Crasher, device: Device, chance: random.Random, most: int) -> int:
    """How often a round died before one was whole."""
    for kills in range(most):
        step = chance.choice(OFTEN) if kills else "page-staged"
        count = chance.randint(1, 2) if step in TWICE else 1
        if not killer.round(device, step, count, chance.uniform(0, LATEST)).killed:
            return kills
    return most


def readable() -> list[bytes]:
    """Cards of the fixtures that a codec reads, with a UID, each UID once."""
    codec, found = VCardCodec(), {}
    for path in sorted(FIXTURES.rglob("*.vcf")):
        for raw in split_cards(path.read_bytes()):
            try:
                view = codec.read(raw.data)
            except CodecError:
                continue
            if view.uid and view.kind != "group":
                found.setdefault(view.uid, raw.data)
    return list(found.values())


@pytest.mark.servers
@pytest.mark.law("P4", "L1", "L12")
def test_real_cards_come_to_rest_after_the_first_round(
    server: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    """Those that the server takes: each refuses others."""
    book = new_book(server)
    for number, card in enumerate(readable()):
        path = f"{book}real-{number}.vcf"
        server.request("PUT", path, data=card, headers={"Content-Type": "text/vcard; charset=utf-8"})
    taken = len(server.etags(book))
    device = open_device("phone", server, book)
    first = device.report()
    pulled = first.books[0].pulled
    assert pulled is not None and taken > 20
    assert pulled.created + len(first.books[0].errors) >= taken - 1
    _rest(device, server, book)


def _rest(device: Device, server: Server, book: str) -> None:
    etags, rows = server.etags(book), device.dump()
    for _ in range(3):
        (report,) = device.report().books
        assert not report.pulled and not report.pushed
    assert server.etags(book) == etags
    assert device.dump() == rows
