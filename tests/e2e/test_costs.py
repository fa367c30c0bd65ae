"""What a round costs, counted without a clock: requests, bytes, statements, cards read, contacts planned.

Two books that differ only in size tell what is flat and what grows with what changed. The numbers of
statements are what they came to: where one gets smaller, the limit here follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from contactsync.engine import decide
from contactsync.model.contact import Title
from contactsync.store.database import Database
from contactsync.vcard.codec import VCardCodec
from tests.bench.books import fill, new_book
from tests.bench.cards import card, cards, uid
from tests.e2e.devices import Device, account_for, person
from tests.proxy import Proxy, proxy
from tests.servers import Server

SMALL, LARGE = 100, 1000
#: The end of a transaction is not counted, its beginning is.
ENDS = ("COMMIT", "RELEASE part")
#: Statements of a round without news; those of any other round, and for each contact that it works on.
QUIET, ROUND, CHANGED, FETCHED, SENT = 44, 90, 5.85, 0.2, 6.3


@dataclass(frozen=True)
class Costs:
    """``requests`` are of the book, as the proxy saw them."""

    requests: int
    sent: int
    received: int
    statements: int
    parsed: int
    planned: int


class Counter:
    """Counts what the process does while a device makes a round."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.parsed = self.planned = self.statements = 0
        read, plan = VCardCodec.read, decide.plan
        run, run_many = Database._run, Database.execute_many

        def counted_read(codec: VCardCodec, payload: bytes) -> Any:
            self.parsed += 1
            return read(codec, payload)

        def counted_plan(*args: Any, **kwargs: Any) -> Any:
            self.planned += 1
            return plan(*args, **kwargs)

        def counted_run(database: Database, sql: str, *args: Any) -> Any:
            self.statements += sql not in ENDS
            return run(database, sql, *args)

        def counted_run_many(database: Database, *args: Any) -> None:
            self.statements += 1
            run_many(database, *args)

        patch.setattr(VCardCodec, "read", counted_read)
        patch.setattr(decide, "plan", counted_plan)
        patch.setattr(Database, "_run", counted_run)
        patch.setattr(Database, "execute_many", counted_run_many)

    def round(self, device: Device, front: Proxy) -> Costs:
        front.seen.clear()
        self.parsed = self.planned = self.statements = 0
        report = device.sync()
        asked = sum(seen.path.startswith(report.href) for seen in front.seen)
        assert asked == report.requests
        sent, received = report.bytes_sent, report.bytes_received
        return Costs(asked, sent, received, self.statements, self.parsed, self.planned)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(monkeypatch)


@dataclass
class Place:
    """A device with its book, through a proxy that counts, and what its first download cost."""

    device: Device
    server: Server
    book: str
    front: Proxy
    download: Costs


@pytest.fixture(scope="module")
def places(radicale: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Place]]:
    """One small and one large, at rest after their first download and their first write, before which the
    whole book is saved."""
    found = {}
    with proxy(radicale.base_url) as front, pytest.MonkeyPatch.context() as patch:
        counter = Counter(patch)
        for n in (SMALL, LARGE):
            book = new_book(radicale)
            fill(radicale, book, cards(n))
            through = replace(radicale, base_url=front.url)
            device = Device(tmp_path_factory.mktemp("device"), through, account_for(through, book.path))
            device.engine.books("home")
            download = counter.round(device, front)
            device.edit(uid(n - 1), lambda c: replace(c, titles=(Title("here"),)))
            for _ in range(3):
                device.sync()
            found[n] = Place(device, radicale, book.path, front, download)
        patch.undo()
        yield found
    for place in found.values():
        place.device.close()
        radicale.delete_book(place.book)


@pytest.mark.law("P4", "L36")
def test_a_round_without_news_costs_the_same_at_any_size(places: dict[int, Place], counter: Counter) -> None:
    small, large = (counter.round(places[n].device, places[n].front) for n in (SMALL, LARGE))
    assert small == large
    assert large.requests == 1 and large.sent + large.received < 2000
    assert large.parsed == large.planned == 0
    assert large.statements <= QUIET


@pytest.mark.parametrize("changed", [1, 10])
def test_changes_on_both_sides_cost_what_changed_and_not_what_is_there(
    places: dict[int, Place], counter: Counter, changed: int
) -> None:
    found = {}
    for n, place in places.items():
        here, there = range(changed), range(changed, 2 * changed)
        for number in here:
            place.device.edit(uid(number), lambda c: replace(c, titles=(Title(f"here {changed}"),)))
        for number in there:
            place.server.put(f"{place.book}{uid(number)}.vcf", card(number, mark=f"there{changed}"))
        found[n] = counter.round(place.device, place.front)
        for _ in range(2):
            place.device.sync()
    small, large = found[SMALL], found[LARGE]
    assert small == large
    assert (
        large.requests <= changed + 3
    )  # a look, one read of theirs, a write of each of ours, one reading back
    assert large.planned == 2 * changed
    assert large.parsed <= 3 * changed
    assert large.statements <= ROUND + CHANGED * 2 * changed


def test_a_first_download_reads_each_card_once_and_asks_for_hundreds_at_a_time(
    places: dict[int, Place],
) -> None:
    for n, place in places.items():
        costs = place.download
        assert costs.requests <= 4 + n / 200  # fifty at first, more as long as the answers are quick
        assert costs.parsed == n and costs.planned == 0
        assert costs.statements <= ROUND + FETCHED * n


def test_a_first_upload_sends_each_card_once_and_reads_it_back_with_all_others(
    radicale: Server, tmp_path: Path, counter: Counter
) -> None:
    n = 40
    book = new_book(radicale)
    with proxy(radicale.base_url) as front:
        through = replace(radicale, base_url=front.url)
        device = Device(tmp_path, through, account_for(through, book.path))
        device.engine.books("home")
        device.engine.put([person(number) for number in range(n)])
        costs = counter.round(device, front)
        puts = [seen for seen in front.seen if seen.method == "PUT"]
        assert len(puts) == len({seen.path for seen in puts}) == n
        assert costs.requests <= n + 3
        assert costs.parsed <= n and costs.planned == 0
        assert costs.statements <= ROUND + SENT * n
        assert costs.sent < 2.7 * sum(len(seen.body) for seen in puts)
        device.close()
    radicale.delete_book(book.path)
