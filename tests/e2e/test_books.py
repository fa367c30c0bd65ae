"""Accounts with two address books: a contact has one home, moves with its card, and is never doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from contactsync.connectors.memory import MemoryServer
from contactsync.model.contact import Contact, Phone, Title
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import AnyServer, calm, card, cards, path_of, person, uids
from tests.servers import Server

SERVERS = ["radicale", "radicale31", "xandikos"]
TWO_SERVERS = pytest.mark.parametrize("server", ["radicale", "xandikos"], indirect=True)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def books(server: Server, new_book: NewBook) -> tuple[str, str]:
    """Two empty books, in the order in which they are synchronised."""
    first, second = sorted((new_book(server), new_book(server)))
    return first, second


def move_by_copy(server: Server, old: str, new: str) -> None:
    """What most clients do; the original goes first, so that a server with unique UIDs is content."""
    payload = server.get(old) or b""
    server.delete(old)
    server.put(new, payload)


def move_by_method(server: Server, old: str, new: str) -> None:
    server.request("MOVE", old, headers={"Destination": server.base_url + new}).raise_for_status()


@pytest.mark.law("L37", "P3", "P4")
@pytest.mark.parametrize("default", ["second", "none"])
def test_each_contact_stays_in_its_book_and_a_new_one_goes_to_the_default_book_only(
    server: Server, books: tuple[str, str], open_device: OpenDevice, default: str
) -> None:
    first, second = books
    wanted = {"second": second, "none": ""}[default]
    server.put(first + "a.vcf", card("a", "Ada", "TITLE:Countess"))
    server.put(second + "b.vcf", card("b", "Bob", "TITLE:Builder"))
    phone = open_device("phone", server, *books, default_book=wanted)
    laptop = open_device("laptop", server, *books, default_book=wanted)
    phone.engine.put([person(1)])
    phone.sync()
    laptop.sync()

    home, other = (second, first) if default == "second" else (first, second)
    assert "uid-001" in uids(server, home)
    assert "uid-001" not in uids(server, other)
    for uid in ("a", "b", "uid-001"):
        laptop.edit(uid, lambda c: _with_title(c, "Edited"))
    for device in (laptop, phone):
        device.sync()
    calm(phone, laptop)

    assert uids(server, first) == sorted(["a", *(["uid-001"] if home == first else [])])
    assert uids(server, second) == sorted(["b", *(["uid-001"] if home == second else [])])
    assert all(b"TITLE:Edited" in payload for book in books for payload in cards(server, book).values())
    assert phone.everyone() == laptop.everyone()
    assert len(phone.everyone()) == 3


@pytest.mark.law("L24", "L37", "P1", "P2")
@pytest.mark.parametrize(("move", "there"), [(move_by_copy, "forwards"), (move_by_method, "backwards")])
def test_a_contact_that_another_client_moves_between_books_is_moved_and_not_doubled(
    server: Server,
    books: tuple[str, str],
    open_device: OpenDevice,
    move: Callable[[Server, str, str], None],
    there: str,
) -> None:
    old, new = books if there == "forwards" else tuple(reversed(books))
    server.put(old + "moving.vcf", card("moving", "Mo", "TITLE:Mover", "X-KEEP;P=1:as it is"))
    server.put(old + "stays.vcf", card("stays", "Stay"))
    phone, laptop = (open_device(name, server, *books, default_book=books[0]) for name in ("phone", "laptop"))
    phone.sync()
    laptop.sync()
    laptop.edit("moving", lambda c: _with_title(c, "Edited before the laptop heard of it"))

    move(server, old + "moving.vcf", new + "other-name.vcf")
    phone.sync()
    (link,) = phone.links("moving")
    assert (link.href, link.base.remote.titles[0].name) == (new + "other-name.vcf", "Mover")
    assert link.original == (server.get(new + "other-name.vcf") or b"")
    for device in (laptop, phone):
        device.sync()
    calm(phone, laptop)

    assert uids(server, old) == ["stays"]
    assert uids(server, new) == ["moving"]
    assert b"TITLE:Edited before the laptop heard of it" in (server.get(new + "other-name.vcf") or b"")
    assert b"X-KEEP;P=1:as it is" in (server.get(new + "other-name.vcf") or b"")
    for device in (phone, laptop):
        assert sorted(device.everyone()) == ["moving", "stays"]
        assert device.engine.conflicts() == []
        assert [one.href for one in device.links("moving")] == [new + "other-name.vcf"]


@pytest.mark.law("L24", "L37", "P2", "P3")
@TWO_SERVERS
def test_a_card_copied_into_the_second_book_is_linked_and_not_doubled(
    server: Server, books: tuple[str, str], open_device: OpenDevice
) -> None:
    first, second = books
    server.put(first + "x.vcf", card("copied", "Cora", "TEL;TYPE=CELL:+49 30 1"))
    phone, laptop = (open_device(name, server, *books) for name in ("phone", "laptop"))
    phone.sync()
    laptop.sync()
    server.put(second + "y.vcf", server.get(first + "x.vcf") or b"")
    phone.sync()
    laptop.sync()
    calm(phone, laptop)
    assert {link.href for link in phone.links("copied")} == {first + "x.vcf", second + "y.vcf"}
    fresh = open_device("fresh", server, *books)
    fresh.sync()
    for device in (phone, laptop, fresh):
        assert sorted(device.everyone()) == ["copied"]

    phone.edit("copied", lambda c: _with_title(c, "Everywhere"))
    phone.sync()
    assert all(b"TITLE:Everywhere" in p for book in books for p in cards(server, book).values())
    server.delete(first + "x.vcf")
    for device in (laptop, fresh, phone):
        device.sync()
        assert [link.href for link in device.links("copied")] == [second + "y.vcf"]
        assert sorted(device.everyone()) == ["copied"]
    calm(phone, laptop, fresh)
    assert uids(server, first) == []
    assert uids(server, second) == ["copied"]


@pytest.mark.law("L27", "L28", "L37", "P2")
@TWO_SERVERS
def test_copies_that_are_there_before_the_first_round_are_one_contact_whatever_their_uids(
    server: Server, books: tuple[str, str], open_device: OpenDevice
) -> None:
    first, second = books
    ada = ("Ada Lovelace", "EMAIL:ada@example.org", "TEL;TYPE=CELL:+44 20 7946 0101")
    server.put(first + "u.vcf", card("same-uid", "Uma", "TITLE:Only in the first"))
    server.put(second + "u.vcf", card("same-uid", "Uma", "TEL;TYPE=HOME:+49 30 12345"))
    server.put(first + "c.vcf", card("ada-1", *ada))
    server.put(second + "c.vcf", card("ada-2", *ada))
    server.put(first + "n.vcf", card("1", "Nina", "EMAIL:nina@example.org"))
    server.put(second + "n.vcf", card("1", "Otto", "EMAIL:otto@example.org"))
    device = open_device("phone", server, *books)
    device.sync()
    calm(device)
    assert sorted(c.display for c in device.everyone().values()) == ["Ada Lovelace", "Nina", "Otto", "Uma"]
    for book in books:
        assert len(cards(server, book)) == 3
        assert b"TITLE:Only in the first" in (server.get(book + "u.vcf") or b"")
        assert b"+49 30 12345" in (server.get(book + "u.vcf") or b"")


@pytest.mark.law("L37", "P6")
@TWO_SERVERS
def test_an_edit_of_one_copy_reaches_the_other_one_in_either_order_of_the_books(
    server: Server, books: tuple[str, str], open_device: OpenDevice
) -> None:
    for book in books:
        server.put(book + "two.vcf", card("two", "Tove", "TEL;TYPE=CELL:+49 30 1", "TITLE:Old"))
    device = open_device("phone", server, *books)
    device.sync()
    assert sorted(device.everyone()) == ["two"]
    for edited, other in (books, reversed(books)):
        text = f"TITLE:Edited in {edited.strip('/').rpartition('/')[2]}"
        server.put(edited + "two.vcf", card("two", "Tove", "TEL;TYPE=CELL:+49 30 1", text))
        device.sync()
        assert text.encode() in (server.get(other + "two.vcf") or b"")
    calm(device)


@pytest.mark.law("L37", "P6")
@TWO_SERVERS
def test_different_edits_of_the_two_copies_end_in_one_state_and_a_record(
    server: Server, books: tuple[str, str], open_device: OpenDevice
) -> None:
    for book in books:
        server.put(book + "two.vcf", card("two", "Tove", "TITLE:Old", "NOTE:old"))
    device = open_device("phone", server, *books)
    device.sync()
    server.put(books[0] + "two.vcf", card("two", "Tove", "TITLE:First", "NOTE:old", "TEL:+49 30 1"))
    server.put(books[1] + "two.vcf", card("two", "Tove", "TITLE:Second", "NOTE:old", "TEL:+49 30 2"))
    device.sync()
    calm(device)
    merged = device.contact("two")
    assert {phone.number for phone in merged.phones} == {"+49 30 1", "+49 30 2"}
    shown = {merged.titles[0].name}
    recorded = {
        value["name"]
        for conflict in device.engine.conflicts()
        for value in (conflict.local, conflict.remote)
        if conflict.path.startswith("titles")
    }
    assert shown | recorded == {"First", "Second"}
    for book in books:
        payload = cards(server, book)[book + "two.vcf"]
        assert f"TITLE:{merged.titles[0].name}".encode() in payload
        assert b"+49 30 1" in payload and b"+49 30 2" in payload


@pytest.mark.law("L26", "L37")
def test_a_read_only_book_is_pulled_and_never_written(memory: MemoryServer, open_device: OpenDevice) -> None:
    shared = memory.make_book("a-shared", writable=False)
    memory.put(shared + "boss.vcf", card("boss", "Boss", "TITLE:Chief"))
    memory.put("/contacts/own.vcf", card("own", "Own"))
    device = open_device("phone", memory)
    device.engine.put([person(1)])
    device.sync()
    device.edit("boss", lambda c: _with_title(c, "Mine only"))
    for _ in range(3):
        device.sync()
    assert cards(memory, shared) == {shared + "boss.vcf": card("boss", "Boss", "TITLE:Chief")}
    assert uids(memory, "/contacts/") == ["own", "uid-001"]
    assert device.contact("boss").titles == (Title("Mine only"),)

    memory.put(shared + "boss.vcf", card("boss", "Boss", "TITLE:Chief", "TEL:+49 30 7"))
    device.sync()
    assert device.contact("boss").phones == (Phone("+49 30 7"),)
    assert device.contact("boss").titles == (Title("Mine only"),)
    calm(device)


@pytest.mark.law("L26", "L37")
@pytest.mark.parametrize("name", ["read-only", "shared"])
def test_a_book_of_others_gets_no_new_contact_and_edits_only_where_that_is_allowed(
    radicale: Server, open_device: OpenDevice, name: str
) -> None:
    """On a real server, whose answer tells the rights; the device names a book of its own beside it."""
    team = radicale.as_team()
    book = team.make_book(name)
    team.put(f"{book}boss.vcf", card("boss", "Boss", "TITLE:Chief"))
    device = open_device("phone", replace(radicale, principal=book), book)
    device.engine.put([person(1)])
    for _ in range(2):
        device.sync()
    device.edit("boss", lambda c: _with_title(c, "Mine"))
    calm(device)
    assert uids(team, book) == ["boss"]
    (payload,) = cards(team, book).values()
    assert (b"TITLE:Mine" in payload) is (name == "shared")
    assert device.contact("boss").titles == (Title("Mine"),)
    team.put(f"{book}boss.vcf", card("boss", "Boss", "TITLE:Chief", "TEL:+49 30 7"))
    device.sync()
    assert device.contact("boss").phones == (Phone("+49 30 7"),)
    team.delete(f"{book}boss.vcf")
    device.sync()
    kept = {"boss"} if name == "read-only" else set()
    assert set(device.everyone()) == {person(1).uid} | kept, "an edit that is only here stays (L23)"
    team.delete_book(book)


@pytest.mark.law("L37")
def test_a_configured_default_book_that_is_read_only_gets_nothing_and_nothing_goes_elsewhere(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    shared = memory.make_book("shared", writable=False)
    device = open_device("phone", memory, default_book="shared")
    device.engine.put([person(1)])
    device.sync()
    assert cards(memory, shared) == {}
    assert cards(memory, "/contacts/") == {}
    assert device.engine.status()["accounts"][0]["pending"] == 1


@pytest.mark.law("P6")
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_the_order_of_the_books_does_not_change_the_outcome(
    memory: MemoryServer, open_device: OpenDevice, names: tuple[str, str]
) -> None:
    """The same story in a pair of books whose names sort the other way round."""
    left, right = (memory.make_book(name) for name in names)
    home = left
    fill_story(memory, left, right)
    device = open_device("phone", memory, left, right, default_book=home)
    device.engine.put([person(1)])
    device.sync()
    memory.delete(left + "moves.vcf")
    memory.put(right + "moved.vcf", card("moves", "Mo", "TITLE:Moved"))
    memory.put(left + "l.vcf", card("l", "Left", "TITLE:Left, edited"))
    memory.put(right + "both.vcf", card("both", "Both", "TITLE:Both", "TEL:+49 30 2"))
    device.edit("r", lambda c: _with_title(c, "Right, edited"))
    device.sync()
    calm(device)
    assert uids(memory, left) == ["both", "l", "uid-001"]
    assert uids(memory, right) == ["both", "moves", "r"]
    assert {uid: [t.name for t in c.titles] for uid, c in device.everyone().items()} == {
        "both": ["Both"],
        "l": ["Left, edited"],
        "moves": ["Moved"],
        "r": ["Right, edited"],
        "uid-001": ["Title 1"],
    }
    assert b"+49 30 2" in (memory.get(left + "both.vcf") or b"")
    assert path_of(memory, right, "moves") == right + "moved.vcf"


def fill_story(server: AnyServer, left: str, right: str) -> None:
    server.put(left + "l.vcf", card("l", "Left", "TITLE:Left"))
    server.put(left + "moves.vcf", card("moves", "Mo", "TITLE:Moves"))
    server.put(left + "both.vcf", card("both", "Both", "TITLE:Both"))
    server.put(right + "both.vcf", card("both", "Both", "TITLE:Both"))
    server.put(right + "r.vcf", card("r", "Right", "TITLE:Right"))


def _with_title(contact: Contact, text: str) -> Contact:
    return replace(contact, titles=(Title(text),))
