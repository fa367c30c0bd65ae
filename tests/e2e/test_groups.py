"""Groups on a book with group cards and on one with categories, from one device to another (L39, P8)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import count

import pytest

from contactsync.connectors.memory import Habits, MemoryServer
from contactsync.engine.report import RunReport
from contactsync.model.contact import Contact
from contactsync.sync.brakes import Limits
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import Device, calm, card, person
from tests.each_server import each_server
from tests.servers import Server

PEOPLE = [person(number) for number in range(4)]
UIDS = [contact.uid for contact in PEOPLE]


def group_card(name: str, members: Iterable[str], uid: str = "group-1") -> bytes:
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"N:{name};;;;", f"FN:{name}"]
    lines += ["X-ADDRESSBOOKSERVER-KIND:group", "X-PHASE:moon"]
    lines += [f"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:{member}" for member in members]
    return "\r\n".join([*lines, "END:VCARD", ""]).encode()


def cards(server: Server, book: str) -> dict[str, bytes]:
    return {path: server.get(path) or b"" for path in server.etags(book)}


def groups_there(server: Server, book: str) -> dict[str, set[str]]:
    """Name and members of each group card."""
    found = {}
    for there in cards(server, book).values():
        text = there.decode().replace("\r\n ", "")
        if "X-ADDRESSBOOKSERVER-KIND:group" in text:
            name = re.search(r"^FN:(.*?)\r?$", text, re.MULTILINE)
            assert name
            members = re.findall(r"^X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:(.*?)\r?$", text, re.MULTILINE)
            found[name[1]] = set(members)
    return found


def members(device: Device, name: str) -> set[str]:
    return {uid for uid, contact in device.everyone().items() if name in contact.groups}


def put_group(server: Server, book: str, name: str, uids: Iterable[str], uid: str = "group-1") -> None:
    server.put(f"{book}{uid}.vcf", group_card(name, uids, uid))


SERVERS = each_server("radicale")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["cards", "categories"])
def setting(
    request: pytest.FixtureRequest, server: Server, new_book: NewBook, open_device: OpenDevice
) -> tuple[Server, str, Device, Device]:
    """Two devices on a book that has one group, Friends, with the first two of four people."""
    book = new_book(server)
    phone, laptop = (open_device(name, server, book) for name in ("phone", "laptop"))
    phone.engine.put(PEOPLE)
    if request.param == "cards":
        phone.sync()
        put_group(server, book, "Friends", UIDS[:2])
    else:
        for contact in PEOPLE[:2]:
            phone.edit(contact.uid, lambda c: _with(c, "Friends"))
    calm(phone, laptop)
    return server, book, phone, laptop


def _with(contact: Contact, *names: str) -> Contact:
    return replace(contact, groups=frozenset(names))


def everybody_is_a_person(*devices: Device) -> None:
    for device in devices:
        assert sorted(device.everyone()) == UIDS


Setting = tuple[Server, str, Device, Device]


@pytest.mark.law("L39", "P3", "P4")
def test_a_group_and_its_members_arrive(setting: Setting) -> None:
    _, _, phone, laptop = setting
    for device in (phone, laptop):
        assert [g.name for g in device.engine.groups()] == ["Friends"]
        assert members(device, "Friends") == set(UIDS[:2])
    everybody_is_a_person(phone, laptop)
    assert phone.quiet() and laptop.quiet()


@pytest.mark.law("L39", "P8")
def test_a_rename_is_one_edit_of_the_group(setting: Setting) -> None:
    server, book, phone, laptop = setting
    phone.engine.rename_group("Friends", "Old friends")
    calm(phone, laptop)
    assert [g.name for g in laptop.engine.groups()] == ["Old friends"]
    assert members(laptop, "Old friends") == set(UIDS[:2])
    text = b"".join(cards(server, book).values())
    assert b"Old friends" in text and b"FN:Friends" not in text and b"CATEGORIES:Friends" not in text
    everybody_is_a_person(phone, laptop)


@pytest.mark.law("L39")
def test_memberships_cross_both_ways(setting: Setting) -> None:
    _, _, phone, laptop = setting
    phone.edit(UIDS[2], lambda c: _with(c, "Friends"))
    laptop.edit(UIDS[0], lambda c: _with(c))
    calm(phone, laptop)
    for device in (phone, laptop):
        assert members(device, "Friends") == {UIDS[1], UIDS[2]}


@pytest.mark.law("L39", "L25", "L23")
def test_a_deleted_group_leaves_its_members_alone(setting: Setting) -> None:
    server, book, phone, laptop = setting
    phone.engine.delete_group("Friends")
    calm(phone, laptop)
    assert members(laptop, "Friends") == set()
    assert b"Friends" not in b"".join(cards(server, book).values())
    everybody_is_a_person(phone, laptop)


@pytest.mark.law("L39")
def test_a_group_without_members_lives_on(setting: Setting) -> None:
    _, _, phone, laptop = setting
    for uid in UIDS[:2]:
        phone.edit(uid, lambda c: _with(c))
    calm(phone, laptop)
    assert [g.name for g in laptop.engine.groups()] == ["Friends"]
    laptop.edit(UIDS[3], lambda c: _with(c, "Friends"))
    calm(phone, laptop)
    assert members(phone, "Friends") == {UIDS[3]}


# ---- what other clients do with group cards ------------------------------------------------------


@pytest.fixture
def carded(server: Server, new_book: NewBook, open_device: OpenDevice) -> Setting:
    book = new_book(server)
    phone, laptop = (open_device(name, server, book) for name in ("phone", "laptop"))
    phone.engine.put(PEOPLE)
    phone.sync()
    put_group(server, book, "Friends", [*UIDS[:2], "somebody-else"])
    calm(phone, laptop)
    return server, book, phone, laptop


@pytest.mark.law("L39", "L7")
def test_a_membership_edit_writes_the_group_card_and_no_member(carded: Setting) -> None:
    server, book, phone, _ = carded
    before = cards(server, book)
    phone.edit(UIDS[2], lambda c: _with(c, "Friends"))
    phone.sync()
    after = cards(server, book)
    assert [path for path in after if after[path] != before[path]] == [f"{book}group-1.vcf"]
    assert groups_there(server, book) == {"Friends": {*UIDS[:3], "somebody-else"}}
    assert b"X-PHASE:moon" in after[f"{book}group-1.vcf"]


@pytest.mark.law("L39")
def test_a_member_that_comes_later_is_a_member_then(carded: Setting) -> None:
    server, book, phone, laptop = carded
    newcomer = person(9, uid="somebody-else")
    laptop.engine.put([newcomer])
    calm(laptop, phone)
    for device in (phone, laptop):
        assert members(device, "Friends") == {*UIDS[:2], "somebody-else"}
    assert groups_there(server, book) == {"Friends": {*UIDS[:2], "somebody-else"}}


@pytest.mark.law("L39")
def test_a_member_that_is_deleted_leaves_the_card(carded: Setting) -> None:
    server, book, phone, laptop = carded
    phone.engine.delete([UIDS[0]])
    calm(phone, laptop)
    assert groups_there(server, book) == {"Friends": {UIDS[1], "somebody-else"}}


@pytest.mark.law("L39")
def test_a_new_group_becomes_a_card_where_the_book_has_group_cards(carded: Setting) -> None:
    server, book, phone, laptop = carded
    phone.edit(UIDS[3], lambda c: _with(c, "Chess"))
    calm(phone, laptop)
    assert groups_there(server, book)["Chess"] == {UIDS[3]}
    assert b"CATEGORIES" not in b"".join(cards(server, book).values())
    assert members(laptop, "Chess") == {UIDS[3]}


@pytest.mark.law("L39", "L23")
def test_a_rename_there_and_memberships_here_are_united(carded: Setting) -> None:
    server, book, phone, laptop = carded
    put_group(server, book, "Chums", [UIDS[1], UIDS[3]])
    phone.edit(UIDS[2], lambda c: _with(c, "Friends"))
    calm(phone, laptop)
    assert groups_there(server, book) == {"Chums": set(UIDS[1:])}
    for device in (phone, laptop):
        assert members(device, "Chums") == set(UIDS[1:])


@pytest.mark.law("L39", "L22")
def test_a_group_card_that_is_deleted_there_deletes_the_group(carded: Setting) -> None:
    server, book, phone, laptop = carded
    server.delete(f"{book}group-1.vcf")
    calm(phone, laptop)
    for device in (phone, laptop):
        assert device.engine.groups() == []
        assert members(device, "Friends") == set()
    everybody_is_a_person(phone, laptop)


@pytest.mark.law("L23", "L39")
def test_an_edit_of_a_group_beats_its_deletion_on_either_side(carded: Setting) -> None:
    server, book, phone, laptop = carded
    server.delete(f"{book}group-1.vcf")
    phone.edit(UIDS[2], lambda c: _with(c, "Friends"))
    calm(phone, laptop)
    assert groups_there(server, book) == {"Friends": set(UIDS[:3])}
    phone.engine.delete_group("Friends")
    laptop.edit(UIDS[3], lambda c: _with(c, "Friends"))
    laptop.sync()
    calm(phone, laptop)
    assert groups_there(server, book) == {"Friends": set(UIDS)}
    assert members(phone, "Friends") == set(UIDS)


@pytest.mark.law("L23", "L39")
def test_a_newcomer_in_a_group_beats_its_deletion_there(carded: Setting) -> None:
    server, book, phone, laptop = carded
    server.delete(f"{book}group-1.vcf")
    phone.engine.put([person(4, groups=frozenset({"Friends"}))])
    calm(phone, laptop)
    assert groups_there(server, book) == {"Friends": {*UIDS[:2], "uid-004"}}
    assert members(laptop, "Friends") == {*UIDS[:2], "uid-004"}


@pytest.mark.law("L26", "L39")
def test_a_book_that_is_only_read_has_its_group_cards_read(
    server: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    book = new_book(server)
    writer = open_device("writer", server, book)
    writer.engine.put(PEOPLE)
    writer.sync()
    put_group(server, book, "Friends", UIDS[:2])
    reader = open_device("reader", server, book, mode="pull")
    calm(reader)
    assert members(reader, "Friends") == set(UIDS[:2])
    reader.edit(UIDS[2], lambda c: _with(c, "Friends"))
    reader.engine.rename_group("Friends", "Chums")
    calm(reader)
    assert groups_there(server, book) == {"Friends": set(UIDS[:2])}
    put_group(server, book, "Friends", UIDS[1:2])
    calm(reader)
    assert members(reader, "Chums") == {UIDS[1], UIDS[2]}


@pytest.mark.law("L35", "L39")
def test_a_second_group_of_one_name_is_set_aside(carded: Setting) -> None:
    server, book, phone, _ = carded
    put_group(server, book, "Friends", [UIDS[3]], "group-2")
    report = phone.report()
    (error,) = report.books[0].errors
    assert error.name == "Friends" and "second group" in error.reason
    assert members(phone, "Friends") == set(UIDS[:2])
    put_group(server, book, "Chess", [UIDS[3]], "group-2")
    calm(phone)
    assert members(phone, "Chess") == {UIDS[3]}


@pytest.mark.law("L39")
def test_a_new_group_by_a_name_that_became_free_is_a_group_of_its_own(carded: Setting) -> None:
    server, book, phone, laptop = carded
    put_group(server, book, "Old friends", UIDS[:2])
    put_group(server, book, "Friends", [UIDS[3]], "group-2")
    assert not phone.report().books[0].errors
    calm(phone, laptop)
    for device in (phone, laptop):
        assert members(device, "Old friends") == set(UIDS[:2])
        assert members(device, "Friends") == {UIDS[3]}
    everybody_is_a_person(phone, laptop)


@pytest.mark.law("L25", "L39")
def test_a_group_card_that_lost_its_members_all_at_once_is_held_by_the_brake(
    server: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    book = new_book(server)
    phone = open_device("phone", server, book)
    many = [person(number) for number in range(30)]
    phone.engine.put(many)
    phone.sync()
    put_group(server, book, "Friends", [contact.uid for contact in many])
    calm(phone)
    put_group(server, book, "Friends", [])
    report = phone.report()
    assert report.guard is not None and report.guard.kind == "mass-removal"
    assert len(members(phone, "Friends")) == 30
    phone.sync(limits=Limits(enabled=False))
    calm(phone)
    assert members(phone, "Friends") == set()


@pytest.mark.law("L36", "L39")
def test_a_dry_run_tells_what_would_become_of_groups(carded: Setting) -> None:
    server, book, phone, _ = carded
    put_group(server, book, "Chums", [UIDS[0]])
    phone.edit(UIDS[2], lambda c: _with(c, "Friends"))
    before, there = phone.dump(), cards(server, book)
    report: RunReport = phone.run(dry_run=True)
    plan = {(line.side, line.action, line.name) for line in report.accounts[0].plan}
    assert ("device", "update", "Chums") in plan and ("remote", "update", "Chums") in plan
    after = phone.dump()
    assert {t: rows for t, rows in after.items() if t != "staged"} == {
        t: rows for t, rows in before.items() if t != "staged"
    }
    assert cards(server, book) == there


@pytest.mark.law("P5", "L33")
@pytest.mark.parametrize("step", ["decided", "committed", "groups-journaled", "group-answered"])
def test_a_round_that_died_over_group_cards_ends_like_one_that_did_not(carded: Setting, step: str) -> None:
    server, book, phone, laptop = carded
    phone.edit(UIDS[2], lambda c: _with(c, "Friends", "Chess"))
    _die_at(phone, step)
    calm(phone, laptop)
    assert groups_there(server, book) == {
        "Friends": {*UIDS[:3], "somebody-else"},
        "Chess": {UIDS[2]},
    }
    assert members(laptop, "Friends") == set(UIDS[:3])


class _Dead(BaseException):
    pass


def _die_at(device: Device, name: str) -> None:
    hooks = device.hooks

    def step(reached: str) -> None:
        if reached == name:
            raise _Dead

    device.close()
    device.hooks = replace(hooks, step=step)
    device.engine = device.open()
    with pytest.raises(_Dead):
        device.run()
    device.close()
    device.hooks = hooks
    device.engine = device.open()


def all_in_one_group(
    open_device: OpenDevice, name: str, *, etags: bool = True
) -> tuple[MemoryServer, str, Device]:
    """A server in memory, its book, and a device; both are at rest."""
    memory = MemoryServer(Habits(etag_on_write=etags))
    (book,) = memory.books
    phone = open_device("phone", memory, book)
    phone.engine.put([replace(contact, groups=frozenset({name})) for contact in PEOPLE])
    calm(phone)
    return memory, book, phone


@pytest.mark.law("L39")
@pytest.mark.parametrize("etags", [True, False], ids=["etags", "no-etags"])
@pytest.mark.parametrize("last", ["rename", "delete"])
def test_a_name_that_cards_still_have_is_that_of_the_group(
    open_device: OpenDevice, *, etags: bool, last: str
) -> None:
    """The book is told of a second name, and of no third before the next round reads the cards again."""
    memory, book, phone = all_in_one_group(open_device, "Freinds", etags=etags)
    phone.engine.rename_group("Freinds", "Friends")
    phone.sync()
    phone.engine.rename_group("Friends", "Mates")
    if last == "delete":
        phone.engine.delete_group("Mates")
    calm(phone)
    names = {name for href in memory.etags(book) for name in categories(memory.get(href) or b"")}
    assert names == ({"Mates"} if last == "rename" else set())
    assert {group.name for group in phone.engine.groups()} == names
    # a name that nobody uses any more is free
    href, payload = next((href, memory.get(href) or b"") for href in memory.etags(book))
    memory.put(href, payload.replace(b"END:VCARD", b"CATEGORIES:Friends\r\nEND:VCARD"))
    calm(phone)
    assert {group.name for group in phone.engine.groups()} == {*names, "Friends"}


@pytest.mark.law("L39")
def test_a_group_that_is_renamed_while_its_new_name_is_sent_stays_one(open_device: OpenDevice) -> None:
    memory, book, phone = all_in_one_group(open_device, "Freinds")
    phone.engine.rename_group("Freinds", "Friends")
    others = [phone.open()]

    def once(name: str) -> None:
        if name == "answered" and others:
            other = others.pop()
            other.rename_group("Friends", "Mates")
            other.close()

    phone.engine.hooks.step = once
    phone.sync()
    calm(phone)
    assert {group.name for group in phone.engine.groups()} == {"Mates"}
    assert {name for href in memory.etags(book) for name in categories(memory.get(href) or b"")} == {"Mates"}


@pytest.mark.law("L39")
@pytest.mark.parametrize("back", ["undone", "renamed", "by-way-of-another"])
def test_a_group_that_has_its_former_name_again_has_it_on_all_cards(
    open_device: OpenDevice, *, back: str
) -> None:
    """The book is told of the other name, and no round has looked at its cards since."""
    memory, book, phone = all_in_one_group(open_device, "Friends")
    phone.engine.rename_group("Friends", "Mates")
    run = phone.engine.runs(1)[0].id
    phone.sync()
    last = "Mates"
    if back == "by-way-of-another":
        last = "Chums"
        phone.engine.rename_group("Mates", last)
    if back == "undone":
        phone.engine.undo(run)
    else:
        phone.engine.rename_group(last, "Friends")
    href = next(iter(memory.etags(book)))
    memory.put(href, memory.get(href) or b"")  # it is read again, with the name that nobody uses any more
    calm(phone)
    assert [categories(memory.get(href) or b"") for href in memory.etags(book)] == [{"Friends"}] * len(PEOPLE)
    assert {group.name for group in phone.engine.groups()} == {"Friends"}


@pytest.mark.law("L39", "P5")
@pytest.mark.parametrize("step", [1, -1], ids=["older-id-first", "newer-id-first"])
@pytest.mark.parametrize("end", ["dies", "stops"])
def test_a_name_that_another_group_has_by_now_is_that_of_the_first_on_a_card_of_before(
    open_device: OpenDevice, *, end: str, step: int
) -> None:
    """The round ends when the second group is told of, and not yet the new name of the first."""
    memory = MemoryServer()
    (book,) = memory.books
    phone = open_device("phone", memory, book)
    second, first = PEOPLE[:2]
    places = [f"{book}{contact.uid}.vcf" for contact in (second, first)]

    def there() -> list[set[str]]:
        return [categories(memory.get(place) or b"") for place in places]

    ids = count(5, step)
    phone.engine.hub.new_id = lambda: f"id-{next(ids)}"
    phone.engine.put([second, replace(first, groups=frozenset({"Friends"}))])
    calm(phone)
    phone.engine.rename_group("Friends", "Mates")
    phone.edit(second.uid, lambda c: replace(c, groups=frozenset({"Friends"})))
    if end == "dies":
        _die_at(phone, "answered")
    else:
        phone.engine.hooks.stopping = lambda: there()[0] == {"Friends"}
        phone.run()
        phone.engine.hooks.stopping = lambda: False
    assert there() == [{"Friends"}, {"Friends"}]
    calm(phone)
    assert there() == [{"Friends"}, {"Mates"}]
    assert (members(phone, "Friends"), members(phone, "Mates")) == ({second.uid}, {first.uid})


def categories(card: bytes) -> set[str]:
    return set(re.findall(r"^CATEGORIES:(.*?)\r?$", card.decode(), re.MULTILINE))


@pytest.mark.law("L39")
def test_a_group_card_is_read_where_a_connector_does_not_promise_any(open_device: OpenDevice) -> None:
    memory = MemoryServer()
    (book,) = memory.books
    memory.put(f"{book}a.vcf", card("uid-000", "Ann"))
    memory.put(f"{book}g.vcf", group_card("Chess", ["uid-000"]))
    phone = open_device("phone", memory, book)
    calm(phone)
    assert members(phone, "Chess") == {"uid-000"}
    phone.engine.rename_group("Chess", "Go")
    calm(phone)
    assert b"FN:Go" in (memory.get(f"{book}g.vcf") or b"")
