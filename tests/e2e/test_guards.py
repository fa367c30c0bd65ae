"""What would empty a device or a server is stopped, said, and stopped again until a person decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from contactsync.api import Hooks
from contactsync.connectors.base import AccountSettings
from contactsync.connectors.memory import Habits, MemoryConnector, MemoryServer
from contactsync.engine.report import RunReport
from contactsync.model.contact import Note, Phone, Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import ANYTHING, AnyServer, Device, card, cards, fill, person, uids
from tests.proxy import Proxy, Reply, proxy
from tests.servers import Server

MANY = 150


def crowd(count: int = MANY) -> list[bytes]:
    return [card(f"c{n:03d}", f"Crowd {n:03d}", f"TEL:+49 40 8{n:04d}") for n in range(count)]


def empty(server: AnyServer, book: str) -> None:
    """What another client does when it thinks that all contacts are gone."""
    for path in server.etags(book):
        server.delete(path)


def stopped(device: Device, *, kind: str, side: str, would: int, of: int) -> RunReport:
    """A round that the brake stops, and that says so."""
    report = device.run()
    (account,) = report.accounts
    assert account.state == "guard", account.message
    assert report.exit_code() == 7
    guard = account.guard
    assert guard is not None
    assert (guard.kind, guard.side, guard.would, guard.of) == (kind, side, would, of)
    assert f"{would} of {of}" in account.message
    assert "--allow-mass-delete" in account.message
    return report


def rest(device: Device) -> int:
    return len(device.everyone())


@pytest.mark.law("L20", "L21", "L25", "L38")
def test_a_book_of_150_that_another_client_empties_stays_on_the_device_until_a_person_agrees(
    radicale: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    book = new_book(radicale)
    fill(radicale, book, crowd())
    device = open_device("phone", radicale, book)
    device.sync()
    device.edit("c001", lambda c: replace(c, titles=(Title("Edited here"),)))
    device.sync()
    (backup,) = (device.folder / "backups").glob("*.vcf")
    assert backup.read_bytes().count(b"BEGIN:VCARD") == MANY
    empty(radicale, book)
    for _ in range(3):
        report = stopped(device, kind="mass-delete", side="device", would=MANY, of=MANY)
        assert "Crowd 000" in report.accounts[0].message
        assert rest(device) == MANY
    assert backup.read_bytes().count(b"BEGIN:VCARD") == MANY

    assert device.sync(limits=ANYTHING).pulled.deleted == MANY
    assert rest(device) == 0
    assert len(device.engine.trash()) == MANY
    assert device.quiet()


@pytest.mark.law("L25")
def test_nothing_of_a_stopped_book_is_written_on_either_side_and_other_books_go_on(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    other = memory.make_book("other")
    fill(memory, "/contacts/", crowd(30))
    memory.put(other + "o.vcf", card("o", "Otto"))
    device = open_device("phone", memory, default_book="other")
    device.sync()
    empty(memory, "/contacts/")
    memory.put("/contacts/new.vcf", card("new", "New"))
    memory.put(other + "o.vcf", card("o", "Otto", "TITLE:Edited there"))
    device.edit("c001", lambda c: replace(c, titles=(Title("Edited here"),)))
    for _ in range(2):
        stopped(device, kind="mass-delete", side="device", would=29, of=30)
        assert rest(device) == 31
        assert uids(memory, "/contacts/") == ["new"]
        assert device.contact("o").titles == (Title("Edited there"),)
    device.sync(limits=ANYTHING)
    # an edit beats a deletion (L23), also one that a person let through
    assert sorted(device.everyone()) == ["c001", "new", "o"]
    assert sorted(uids(memory, "/contacts/") + uids(memory, other)) == ["c001", "new", "o"]


@pytest.mark.law("L25")
def test_the_brake_lets_go_by_itself_when_the_cause_is_gone(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    fill(memory, "/contacts/", crowd(30))
    device = open_device("phone", memory)
    device.sync()
    kept = cards(memory, "/contacts/")
    empty(memory, "/contacts/")
    stopped(device, kind="mass-delete", side="device", would=30, of=30)
    for path, payload in kept.items():
        memory.put(path, payload)
    device.sync()
    assert rest(device) == 30
    assert device.quiet()


@pytest.mark.law("L25")
@pytest.mark.parametrize(("count", "gone", "stops"), [(30, 11, True), (30, 10, False), (60, 11, False)])
def test_it_takes_more_than_ten_and_more_than_a_fifth(
    memory: MemoryServer, open_device: OpenDevice, count: int, gone: int, stops: bool
) -> None:
    fill(memory, "/contacts/", crowd(count))
    device = open_device("phone", memory)
    device.sync()
    for path in sorted(memory.etags("/contacts/"))[:gone]:
        memory.delete(path)
    assert (device.run().exit_code() == 7) is stops
    assert rest(device) == (count if stops else count - gone)


@pytest.mark.law("L25")
@pytest.mark.parametrize(("count", "stops"), [(3, False), (4, True)])
def test_all_of_a_small_book_is_a_mass_as_well(
    memory: MemoryServer, open_device: OpenDevice, count: int, stops: bool
) -> None:
    fill(memory, "/contacts/", crowd(count))
    device = open_device("phone", memory)
    device.sync()
    empty(memory, "/contacts/")
    assert (device.run().exit_code() == 7) is stops
    assert rest(device) == (count if stops else 0)


@pytest.mark.law("L25")
def test_a_mass_deletion_on_the_device_stays_off_the_server(
    radicale: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    book = new_book(radicale)
    fill(radicale, book, crowd())
    device = open_device("phone", radicale, book)
    device.sync()
    device.engine.delete(sorted(device.everyone()))
    for _ in range(2):
        stopped(device, kind="mass-delete", side="remote", would=MANY, of=MANY)
        assert len(radicale.etags(book)) == MANY
    device.engine.restore([stored.uid for stored in device.engine.trash()])
    device.sync()
    assert (rest(device), len(radicale.etags(book))) == (MANY, MANY)


@pytest.mark.law("L25")
def test_a_mass_deletion_on_the_device_goes_through_when_a_person_says_so(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    fill(memory, "/contacts/", crowd())
    device = open_device("phone", memory)
    device.sync()
    device.engine.delete(sorted(device.everyone()))
    stopped(device, kind="mass-delete", side="remote", would=MANY, of=MANY)
    assert device.sync(limits=ANYTHING).pushed.deleted == MANY
    assert cards(memory, "/contacts/") == {}


@pytest.mark.law("L25")
@pytest.mark.parametrize("side", ["device", "remote"])
def test_a_field_that_is_emptied_all_over_is_stopped_on_either_side(
    memory: MemoryServer, open_device: OpenDevice, side: str
) -> None:
    fill(memory, "/contacts/", crowd(60))
    device = open_device("phone", memory)
    device.sync()
    if side == "device":
        for path, payload in cards(memory, "/contacts/").items():
            memory.put(path, re.sub(rb"TEL:.*\r\n", b"", payload))
    else:
        device.engine.put([replace(c, phones=()) for c in device.everyone().values()])
    for _ in range(2):
        report = stopped(device, kind="mass-removal", side=side, would=60, of=60)
        assert "phones" in report.accounts[0].message
    assert sum(bool(c.phones) for c in device.everyone().values()) == (60 if side == "device" else 0)
    with_phone = sum(b"TEL:" in payload for payload in cards(memory, "/contacts/").values())
    assert with_phone == (0 if side == "device" else 60)
    device.sync(limits=ANYTHING)
    assert not any(c.phones for c in device.everyone().values())
    assert not any(b"TEL:" in payload for payload in cards(memory, "/contacts/").values())


@pytest.mark.law("L25")
def test_a_value_that_changes_all_over_is_no_removal(memory: MemoryServer, open_device: OpenDevice) -> None:
    fill(memory, "/contacts/", crowd(60))
    device = open_device("phone", memory)
    device.sync()
    device.engine.put([replace(c, phones=(Phone("+1 555"),)) for c in device.everyone().values()])
    device.sync()
    assert all(b"+1 555" in payload for payload in cards(memory, "/contacts/").values())


@pytest.mark.law("L25")
def test_the_loop_brake_stops_copies_of_what_the_book_holds_already(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    """Another program copies the contacts of this device under new UIDs, and would be copied in turn."""
    device = open_device("phone", memory)
    people = [person(n) for n in range(25)]
    device.engine.put(people)
    device.sync()
    device.engine.put([replace(one, uid=f"copy-{one.uid}") for one in people])
    for _ in range(2):
        report = device.run()
        assert report.exit_code() == 7
        guard = report.accounts[0].guard
        assert guard is not None and (guard.kind, guard.would) == ("loop", 25)
        assert len(cards(memory, "/contacts/")) == 25
    device.sync(limits=ANYTHING)
    assert len(cards(memory, "/contacts/")) == 50


# --- what is no evidence of a deletion at all ---


@pytest.fixture
def front(radicale: Server) -> Iterator[tuple[Proxy, Server]]:
    with proxy(radicale.base_url) as found:
        yield found, replace(radicale, base_url=found.url)


@pytest.fixture
def full(
    radicale: Server, front: tuple[Proxy, Server], new_book: NewBook, open_device: OpenDevice
) -> tuple[Device, Proxy, str]:
    """A device with the twelve contacts of a book, behind a proxy."""
    book = new_book(radicale)
    fill(radicale, book, crowd(12))
    device = open_device("phone", front[1], book)
    for _ in range(2):
        device.sync()
    front[0].forget()
    return device, front[0], book


@pytest.mark.law("L21")
def test_a_book_that_was_deleted_is_named_and_its_150_contacts_stay(
    radicale: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    book = new_book(radicale)
    fill(radicale, book, crowd())
    device = open_device("phone", radicale, book)
    device.sync()
    radicale.delete_book(book)
    for _ in range(3):
        report = device.run()
        assert report.exit_code() == 1
        (account,) = report.accounts
        assert account.state == "failed"
        assert repr(book.strip("/").rpartition("/")[2]) in account.message
        assert "150 contacts stay" in account.message
        assert "contactsync account books home" in account.message
        assert rest(device) == MANY
    assert device.engine.trash() == []


@pytest.mark.law("L21")
def test_a_book_that_was_deleted_and_made_again_brings_no_deletions(
    radicale: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    book = new_book(radicale)
    fill(radicale, book, crowd(20))
    device = open_device("phone", radicale, book)
    device.sync()
    radicale.delete_book(book)
    radicale.make_book(book.strip("/").rpartition("/")[2])
    for _ in range(2):
        stopped(device, kind="mass-delete", side="device", would=20, of=20)
        assert rest(device) == 20
    fill(radicale, book, crowd(20))
    device.sync()
    assert rest(device) == 20


Break = Callable[[Proxy], None]
BREAKS: dict[str, tuple[Break, set[int], str]] = {
    "a login page": (lambda p: p.login_page(), {1}, "web page"),
    "a cut answer": (lambda p: p.cut("REPORT", "PROPFIND"), {1, 5}, "broke off"),
    "an answer that ends in the middle": (lambda p: p.shorten("REPORT", "PROPFIND"), {1, 5}, ""),
    "an empty answer": (lambda p: p.shorten("REPORT", "PROPFIND", at=0), {1, 5}, ""),
    "a server in trouble": (lambda p: p.fail(500, times=1000), {5}, "Try again later"),
    "a lost login": (lambda p: p.fail(401, times=1000), {6}, "password"),
    "a closed door": (lambda p: p.fail(403, times=1000), {1}, ""),
    "a redirect": (lambda p: p.fail(302, times=1000), {1}, ""),
}


@pytest.mark.law("L21")
@pytest.mark.parametrize("what", BREAKS)
def test_no_answer_that_is_broken_deletes_anything(full: tuple[Device, Proxy, str], what: str) -> None:
    """Neither in a listing of changes nor in one of everything."""
    device, through, book = full
    how, codes, words = BREAKS[what]
    how(through)
    before = device.dump()
    for attempt in range(4):
        if attempt == 2:
            _forget_cursor(device)
        report = device.run()
        assert report.exit_code() in codes, report.to_json()
        assert words in report.accounts[0].message
        assert report.accounts[0].message
        assert rest(device) == 12
    changed = {name for name, rows in device.dump().items() if rows != before[name]}
    assert changed <= {"account"}
    through.forget()
    device.sync()
    assert rest(device) == 12
    assert len(device.server.etags(book)) == 12


def _forget_cursor(device: Device) -> None:
    store = device.engine.store
    with store.transaction():
        for book in store.books.of_account("home"):
            store.books.update(book.id, cursor=None)


@pytest.mark.law("L20", "L21")
def test_a_deletion_made_while_the_token_was_dead_arrives_by_a_whole_listing_and_a_direct_read(
    full: tuple[Device, Proxy, str],
) -> None:
    device, through, book = full
    device.server.delete(f"{book}c007.vcf")
    store = device.engine.store
    with store.transaction():
        store.books.update(store.books.of_account("home")[0].id, cursor="sync:http://radicale.org/ns/sync/0")
    through.forget()
    assert device.sync().pulled.deleted == 1
    assert "c007" not in device.everyone()
    assert rest(device) == 11
    asked = [seen for seen in through.seen if b"c007" in seen.body or "c007" in seen.path]
    # the row of the report is not believed alone
    assert [seen.method for seen in asked] == ["REPORT", "GET"]
    assert device.quiet()


@pytest.mark.law("L20")
def test_a_card_that_a_whole_listing_leaves_out_but_that_can_be_read_is_not_deleted(
    full: tuple[Device, Proxy, str],
) -> None:
    device, through, book = full
    _forget_cursor(device)
    path = f"{book}c007.vcf"
    row = re.compile(rb"<response><href>[^<]*c007\.vcf</href>.*?</response>", re.DOTALL)
    found: list[int] = []

    def leave_out(reply: Reply) -> Reply:
        body, count = row.subn(b"", reply.body)
        found.append(count)
        return replace(reply, body=body)

    through.change(leave_out, "REPORT", times=1)
    device.sync()
    assert found == [1], "the listing did not name the card as this test thinks"
    assert rest(device) == 12
    through.forget()
    device.sync()
    assert path in device.server.etags(book)
    assert rest(device) == 12


@pytest.mark.law("L20", "L25")
def test_the_brake_is_asked_before_the_confirming_reads_are_spent(full: tuple[Device, Proxy, str]) -> None:
    device, through, book = full
    _forget_cursor(device)
    empty(device.server, book)
    through.forget()
    stopped(device, kind="mass-delete", side="device", would=12, of=12)
    assert not any(b"multiget" in seen.body or seen.method == "GET" for seen in through.seen)


@pytest.mark.law("L22", "L34")
@pytest.mark.parametrize("carry_payload", [False, True])
def test_a_card_of_ours_that_a_lagging_listing_still_shows_after_its_deletion_is_no_new_card(
    open_device: OpenDevice, carry_payload: bool
) -> None:
    server = MemoryServer(Habits(carry_payload=carry_payload))
    device = open_device("phone", server)
    device.engine.put([person(n) for n in range(3)])
    for _ in range(2):
        device.sync()
    server.habits.lag = 1
    device.engine.delete(["uid-001"])
    for _ in range(3):
        device.sync()
        _forget_cursor(device)
        assert sorted(device.everyone()) == ["uid-000", "uid-002"]
        assert uids(server, "/contacts/") == ["uid-000", "uid-002"]
    server.habits.lag = 0
    for _ in range(2):
        device.sync()
    assert device.quiet()
    assert sorted(device.everyone()) == ["uid-000", "uid-002"]
    assert len(device.engine.store.links.etags(device.engine.books("home", refresh=False)[0].id)) == 2


def connect_to(server: MemoryServer) -> Hooks:
    """A remote that says of itself that its listings may be an hour old."""

    def connect(settings: AccountSettings) -> MemoryConnector:
        connector = MemoryConnector(server, VCardCodec())
        connector.capabilities = replace(connector.capabilities, settles_after=timedelta(hours=1))
        return connector

    return Hooks(connect=connect)


@pytest.mark.law("L20", "L34")
@pytest.mark.parametrize("carry_payload", [False, True])
def test_a_listing_that_lags_behind_our_own_writes_deletes_nothing_and_takes_nothing_back(
    open_device: OpenDevice, carry_payload: bool
) -> None:
    server = MemoryServer(Habits(lag=3, carry_payload=carry_payload))
    device = open_device("phone", server, hooks=connect_to(server))
    device.engine.put([person(n) for n in range(3)])
    for _ in range(4):
        device.sync()
        assert rest(device) == 3
        assert len(cards(server, "/contacts/")) == 3
    for number in range(3):
        server.habits.lag = number
        device.edit("uid-001", lambda c, n=number: replace(c, notes=(Note(f"later {n}"),)))
        for _ in range(4):
            device.sync()
            _forget_cursor(device)
            assert device.contact("uid-001").notes == (Note(f"later {number}"),)
        assert f"NOTE:later {number}".encode() in (server.get("/contacts/uid-001.vcf") or b"")
    assert len(cards(server, "/contacts/")) == 3


@pytest.mark.law("L20", "L24")
def test_a_card_with_a_new_id_that_a_lagging_listing_does_not_tell_yet_is_not_made_again(
    open_device: OpenDevice,
) -> None:
    server = MemoryServer(Habits(names_href=False))
    device = open_device("phone", server, hooks=connect_to(server))
    device.engine.put([person(1)])
    for _ in range(2):
        device.sync()
    ((old, payload),) = cards(server, "/contacts/").items()
    server.delete(old)
    server.put("/contacts/renamed.vcf", payload)
    server.habits.lag = 2
    device.edit("uid-001", lambda c: replace(c, notes=(Note("edited meanwhile"),)))
    device.sync()
    assert list(cards(server, "/contacts/")) == ["/contacts/renamed.vcf"]
    server.habits.lag = 0
    for _ in range(2):
        device.sync()
    assert rest(device) == 1
    ((_, payload),) = cards(server, "/contacts/").items()
    assert b"NOTE:edited meanwhile" in payload
