"""The memory connector under the contract, plain and with the habits of other remotes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import ClassVar

import pytest

from contactsync.connectors.base import Capabilities, Change, Create, Unknown, Update
from contactsync.connectors.memory import Habits, MemoryConnector, MemoryServer
from contactsync.errors import AlreadyExists, BookGone, PermissionDenied, SyncTokenExpired
from contactsync.testing.faults import Crash, Fault, FaultyConnector
from contactsync.testing.suite import ConnectorSuite, Rig, held_to_contract
from contactsync.vcard.codec import VCardCodec
from tests.under_way import UnderWay


def connector(habits: Habits | None = None) -> MemoryConnector:
    return MemoryConnector(MemoryServer(habits), VCardCodec())


class TestMemory(ConnectorSuite):
    habits: ClassVar[dict[str, object]] = {}

    def make(self) -> Rig:
        made = connector(Habits(**self.habits))  # type: ignore[arg-type]
        return Rig(made, "/contacts/", made.server)


class TestPages(TestMemory):
    habits: ClassVar[dict[str, object]] = {"page_size": 2, "repeat_rows": True}


class TestPoorRemote(TestMemory):
    """Like an address book behind a foreign API: nothing is ours to name, everything is listed."""

    habits: ClassVar[dict[str, object]] = {
        "names_href": False,
        "carries_uid": False,
        "incremental": False,
        "etag_on_write": False,
    }


class TestPayloads(TestMemory):
    habits: ClassVar[dict[str, object]] = {"carry_payload": True, "show_stored": True, "unique_uids": True}


class TestUnderWay(TestMemory):
    """Eight writes under way at once, done and answered in another order; reads come in the one asked for."""

    can: ClassVar[dict[str, int]] = {"parallel": 8}

    def make(self) -> Rig:
        made = connector()
        self.under_way = _InOrder(made, Random(7), **self.can)
        return Rig(held_to_contract(self.under_way), "/contacts/", made.server)

    def login_that_ends(self) -> tuple[Rig, Callable[[], object]]:
        rig = self.make()
        return rig, lambda: self.under_way.faults.update({"lock-out": 1})

    def test_it_is_what_it_says(self) -> None:
        rig = self.make()
        steps = [Create(n, f"c{n}", f"u{n}", self.card(f"C {n}", f"c{n}")) for n in range(40)]
        answered = [outcome.key for outcome in rig.connector.write(rig.book, steps)]
        done = [int(href[11:-4]) for href, _ in self.under_way.inner.server.books[rig.book].log]
        assert sorted(done) == sorted(answered) == [*range(40)]
        assert [*range(40)] != done != answered != [*range(40)]
        assert self.under_way.most == min(
            40, rig.connector.capabilities.parallel_writes * self.can.get("batch", 1)
        )


class TestBatches(TestUnderWay):
    can: ClassVar[dict[str, int]] = {"parallel": 4, "batch": 20}


class _InOrder(UnderWay):
    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        return self.inner.fetch(collection, hrefs)


class TestFaultless(TestMemory):
    """The wrapper changes nothing while no fault is planned."""

    def make(self) -> Rig:
        inner = connector()
        return Rig(FaultyConnector(inner), "/contacts/", inner.server)


def test_cursors_can_expire() -> None:
    made = connector()
    (page,) = made.changes("/contacts/", None)
    made.server.expire_cursors("/contacts/")
    with pytest.raises(SyncTokenExpired):
        made.changes("/contacts/", page.cursor)


def test_a_book_made_anew_knows_no_old_cursor() -> None:
    made = connector()
    (page,) = made.changes("/contacts/", None)
    made.server.delete_book("/contacts/")
    with pytest.raises(BookGone):
        made.changes("/contacts/", page.cursor)
    made.server.make_book("contacts")
    with pytest.raises(SyncTokenExpired):
        made.changes("/contacts/", page.cursor)


def test_a_lost_reply_means_done_but_unknown() -> None:
    made = connector(Habits(lose_replies=1))
    (outcome,) = made.write("/contacts/", [Create(1, "a", "u", b"UID:u\r\n")])
    assert isinstance(outcome, Unknown)
    assert made.server.get("/contacts/a.vcf")


def test_listings_lag_and_direct_reads_do_not() -> None:
    made = connector(Habits(lag=1))
    made.server.put("/contacts/a.vcf", b"a")
    made.server.put("/contacts/b.vcf", b"b")
    (page,) = made.changes("/contacts/", None)
    assert [change.href for change in page.changes] == ["/contacts/a.vcf"]
    (read,) = made.fetch("/contacts/", ["/contacts/b.vcf"])
    assert read.payload == b"b"
    made.server.put("/contacts/c.vcf", b"c")
    (page,) = made.changes("/contacts/", page.cursor)
    assert [change.href for change in page.changes] == ["/contacts/b.vcf"]


def test_a_uid_is_there_once_where_the_server_wants_it() -> None:
    made = connector(Habits(unique_uids=True))
    made.server.put("/contacts/a.vcf", b"BEGIN:VCARD\r\nUID:u\r\nEND:VCARD\r\n")
    (outcome,) = made.write("/contacts/", [Create(1, "b", "u", b"BEGIN:VCARD\r\nUID:u\r\nEND:VCARD\r\n")])
    assert isinstance(outcome.error, AlreadyExists)  # type: ignore[union-attr]
    assert outcome.error.href == "/contacts/a.vcf"  # type: ignore[union-attr]


def test_a_read_only_book_takes_nothing() -> None:
    made = connector()
    book = made.server.make_book("staff", writable=False)
    (outcome,) = made.write(book, [Create(1, "b", "u", b"")])
    assert isinstance(outcome.error, PermissionDenied)  # type: ignore[union-attr]


def test_cards_can_be_changed_on_store() -> None:
    made = connector(Habits(on_store=lambda card: card.replace(b"NOTE:x\r\n", b"")))
    made.server.put("/contacts/a.vcf", b"UID:u\r\nNOTE:x\r\n")
    assert made.server.get("/contacts/a.vcf") == b"UID:u\r\n"


def test_capabilities_follow_habits() -> None:
    assert connector().capabilities == Capabilities()
    assert not connector(Habits(conditional=False)).capabilities.conditional_update


def test_planned_faults_hit_the_planned_step() -> None:
    inner = connector()
    faulty = FaultyConnector(inner)
    for fault in (Fault.NONE, Fault.REFUSED, Fault.LOST_REQUEST, Fault.LOST_REPLY):
        faulty.on_step(fault)
    steps = [Create(n, f"c{n}", f"u{n}", b"") for n in range(5)]
    kinds = [type(outcome).__name__ for outcome in faulty.write("/contacts/", steps)]
    assert kinds == ["Stored", "Refused", "Unknown", "Unknown", "Stored"]
    assert sorted(inner.server.etags("/contacts/")) == [f"/contacts/c{n}.vcf" for n in (0, 3, 4)]
    assert faulty.steps == steps


@pytest.mark.parametrize(("fault", "stored"), [(Fault.CRASH_BEFORE, 0), (Fault.CRASH_AFTER, 1)])
def test_a_planned_crash_ends_everything(fault: Fault, stored: int) -> None:
    inner = connector()
    faulty = FaultyConnector(inner)
    faulty.on_step(fault)
    with pytest.raises(Crash):
        list(faulty.write("/contacts/", [Create(1, "a", "u", b""), Update(2, "x", None, b"")]))
    assert len(inner.server.etags("/contacts/")) == stored


def test_a_listing_can_break_off_between_pages() -> None:
    inner = connector(Habits(page_size=1))
    for name in "abc":
        inner.server.put(f"/contacts/{name}.vcf", b"")
    faulty = FaultyConnector(inner)
    faulty.break_off("changes", OSError("cut"), after=2)
    pages = faulty.changes("/contacts/", None)
    assert [next(pages).last, next(pages).last] == [False, False]
    with pytest.raises(OSError, match="cut"):
        next(pages)
    assert len(list(faulty.changes("/contacts/", None))) == 3
