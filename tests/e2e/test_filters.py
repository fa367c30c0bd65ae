"""What a book takes part in (L26): filters by group, field and words, and books that stand for a group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from contactsync.api import Hooks
from contactsync.config import BookConfig
from contactsync.connectors.memory import Habits, MemoryServer
from contactsync.engine.idle import idle_round
from contactsync.model.contact import Contact, Email, Note, Phone, Title
from contactsync.testing.faults import Crash
from contactsync.vcard.codec import VCardCodec
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import Device, calm, card, person
from tests.servers import Server

BOOK = "/contacts/"
FAMILY = frozenset({"Family"})
ONLY_FAMILY = (BookConfig("contacts", only_groups=("Family",)),)


def member(number: int, **more: object) -> Contact:
    return person(number, groups=FAMILY, **more)


def grouped(*names: str) -> Callable[[Contact], Contact]:
    return lambda contact: replace(contact, groups=frozenset(names))


def titled(text: str) -> Callable[[Contact], Contact]:
    return lambda contact: replace(contact, titles=(Title(text),))


def views(server: MemoryServer, book: str = BOOK) -> dict[str, Contact]:
    found = (VCardCodec().read(server.get(href) or b"") for href in server.etags(book))
    return {view.uid: view for view in found}


def path_of(server: MemoryServer, uid: str) -> str:
    (path,) = (h for h in server.etags(BOOK) if f"UID:{uid}".encode() in (server.get(h) or b""))
    return path


def change(server: MemoryServer, uid: str, old: str, new: str) -> None:
    path = path_of(server, uid)
    payload = server.get(path) or b""
    assert old.encode() in payload
    server.put(path, payload.replace(old.encode(), new.encode()))


@pytest.fixture(params=["tokens", "whole lists"])
def server(request: pytest.FixtureRequest) -> MemoryServer:
    return MemoryServer(Habits(incremental=request.param == "tokens"))


@pytest.fixture
def phone(server: MemoryServer, open_device: OpenDevice) -> Device:
    return open_device("phone", server, book=ONLY_FAMILY)


def test_only_who_is_in_the_group_goes_out_and_comes_in(server: MemoryServer, phone: Device) -> None:
    server.put(BOOK + "a.vcf", card("ada", "Ada", "CATEGORIES:Family"))
    server.put(BOOK + "b.vcf", card("bob", "Bob"))
    phone.engine.put([member(1), person(2)])
    report = phone.sync()
    assert (report.pulled.created, report.pushed.created, report.outside) == (1, 1, 1)
    assert set(phone.everyone()) == {"ada", "uid-001", "uid-002"}
    assert set(views(server)) == {"ada", "bob", "uid-001"}
    calm(phone)
    assert phone.engine.pending("home") == 0


@pytest.mark.law("L26", "P4")
def test_what_is_left_out_costs_nothing_while_it_stays_as_it_is(server: MemoryServer, phone: Device) -> None:
    for number in range(30):
        server.put(BOOK + f"{number}.vcf", card(f"x{number}", f"X {number}"))
    phone.sync()
    calm(phone)
    assert not phone.everyone()
    assert phone.sync().outside == 0, "it is looked at only when something changed"


@pytest.mark.law("L26")
def test_the_edit_that_leads_out_is_carried_and_nothing_is_deleted(
    server: MemoryServer, phone: Device
) -> None:
    phone.engine.put([member(1), member(2)])
    phone.sync()
    phone.edit("uid-001", lambda c: replace(c, groups=frozenset(), titles=(Title("Last word"),)))
    report = phone.sync()
    assert report.released == 1 and report.pushed.updated == 1
    assert views(server)["uid-001"].titles == (Title("Last word"),)
    assert not views(server)["uid-001"].groups
    calm(phone)
    phone.edit("uid-001", titled("Stays here"))
    change(server, "uid-001", "Last word", "Stays there")
    for _ in range(2):
        phone.sync()
    assert phone.contact("uid-001").titles == (Title("Stays here"),)
    assert views(server)["uid-001"].titles == (Title("Stays there"),)
    calm(phone)


@pytest.mark.law("L26", "P1")
@pytest.mark.parametrize("side", ["device", "remote"])
def test_leaving_and_coming_back_loses_nothing_and_doubles_nothing(
    server: MemoryServer, phone: Device, side: str
) -> None:
    phone.engine.put([member(1)])
    phone.sync()
    phone.edit("uid-001", grouped())
    phone.sync()
    phone.edit("uid-001", titled("From here"))
    change(server, "uid-001", "END:VCARD", "NOTE:from there\r\nEND:VCARD")
    phone.sync()
    if side == "device":
        phone.edit("uid-001", grouped("Family"))
    else:
        change(server, "uid-001", "END:VCARD", "CATEGORIES:Family\r\nEND:VCARD")
    for _ in range(2):
        phone.sync()
    (uid,) = views(server)
    there, here = views(server)[uid], phone.contact("uid-001")
    assert (uid, len(phone.everyone())) == ("uid-001", 1)
    for one in (there, here):
        assert one.titles == (Title("From here"),)
        assert [note.text for note in one.notes] == ["from there"]
        assert one.groups == FAMILY
    calm(phone)


@pytest.mark.law("L26", "L20")
def test_a_card_that_somebody_deleted_while_it_was_left_is_no_deletion_here(
    server: MemoryServer, phone: Device
) -> None:
    phone.engine.put([member(1)])
    phone.sync()
    phone.edit("uid-001", grouped())
    phone.sync()
    server.delete(path_of(server, "uid-001"))
    for _ in range(2):
        phone.sync()
    assert "uid-001" in phone.everyone()
    phone.edit("uid-001", grouped("Family"))
    for _ in range(2):
        phone.sync()
    assert set(views(server)) == {"uid-001"} and views(server)["uid-001"].groups == FAMILY
    calm(phone)


@pytest.mark.law("L27", "L37")
@pytest.mark.parametrize("same", ["uid", "content"])
def test_who_comes_into_the_filter_meets_the_card_that_was_left_out(
    server: MemoryServer, phone: Device, same: str
) -> None:
    uid = "uid-001" if same == "uid" else "other"
    lines = ("EMAIL:person001@example.org", "TEL:+49 30 555 0001", "NOTE:theirs")
    server.put(BOOK + "theirs.vcf", card(uid, "Person001 Tester", *lines))
    phone.engine.put([person(1)])
    phone.sync()
    assert len(views(server)) == 1
    phone.edit("uid-001", grouped("Family"))
    for _ in range(2):
        phone.sync()
    assert len(views(server)) == 1 and len(phone.everyone()) == 1
    assert views(server)[uid].groups == FAMILY
    assert [note.text for note in phone.contact("uid-001").notes] == ["theirs"]
    calm(phone)


@pytest.mark.law("L26")
def test_a_card_that_is_edited_into_the_filter_comes_in(server: MemoryServer, phone: Device) -> None:
    server.put(BOOK + "b.vcf", card("bob", "Bob"))
    phone.sync()
    change(server, "bob", "END:VCARD", "CATEGORIES:Family\r\nEND:VCARD")
    assert phone.sync().pulled.created == 1
    assert phone.contact("bob").groups == FAMILY
    calm(phone)


@pytest.mark.law("L26", "P1")
def test_a_remote_edit_out_of_the_filter_comes_in_with_all_that_it_changed(
    server: MemoryServer, phone: Device
) -> None:
    phone.engine.put([member(1)])
    phone.sync()
    change(server, "uid-001", "CATEGORIES:Family", "NOTE:farewell")
    report = phone.sync()
    assert report.released == 1
    found = phone.contact("uid-001")
    assert not found.groups and [note.text for note in found.notes] == ["farewell"]
    calm(phone)


def test_a_deletion_is_carried_like_any_edit(server: MemoryServer, phone: Device) -> None:
    phone.engine.put([member(n) for n in range(4)])
    phone.sync()
    phone.engine.delete(["uid-001"])
    server.delete(path_of(server, "uid-002"))
    for _ in range(2):
        phone.sync()
    assert set(views(server)) == set(phone.everyone()) == {"uid-000", "uid-003"}
    calm(phone)


FILTERS: dict[str, tuple[BookConfig, Contact, Contact]] = {
    "a field": (
        BookConfig("contacts", only_with=("phones",)),
        Contact(uid="in", emails=(Email("in@x.example"),), phones=(Phone("+49 1"),)),
        Contact(uid="out", emails=(Email("out@x.example"),)),
    ),
    "words": (
        BookConfig("contacts", only_query="ACMÉ paris"),
        Contact(uid="in", emails=(Email("paris@acme.example"),)),
        Contact(uid="out", emails=(Email("rome@acme.example"),)),
    ),
    "all of it": (
        BookConfig(
            "contacts", only_groups=("Work", "Family"), only_with=("emails", "phones"), only_query="x"
        ),
        Contact(uid="in", emails=(Email("in@x.example"),), groups=FAMILY),
        Contact(uid="out", emails=(Email("out@x.example"),), groups=frozenset({"Chess"})),
    ),
}


@pytest.mark.parametrize("kind", FILTERS)
def test_every_kind_of_filter_takes_and_leaves(
    server: MemoryServer, open_device: OpenDevice, kind: str
) -> None:
    config, inside, outside = FILTERS[kind]
    device = open_device("phone", server, book=(config,))
    device.engine.put([inside, outside])
    device.sync()
    assert set(views(server)) == {"in"}
    calm(device)


@pytest.mark.law("L26", "L36")
def test_a_changed_filter_shows_in_a_plan_what_leaves_and_what_stays_before_it_counts(
    server: MemoryServer, open_device: OpenDevice
) -> None:
    everybody = open_device("phone", server)
    everybody.engine.put([member(1), person(2), person(3)])
    for _ in range(2):
        everybody.sync()
    assert everybody.quiet()
    everybody.close()
    device = open_device("phone", server, book=ONLY_FAMILY)
    before = device.dump()
    plan = device.report(dry_run=True)
    assert device.dump() == before
    assert sorted((line.action, line.uid) for line in plan.plan) == [
        ("release", "uid-002"),
        ("release", "uid-003"),
    ]
    report = device.sync()
    assert report.released == 2
    assert len(views(server)) == len(device.everyone()) == 3
    calm(device)
    device.close()
    again = open_device("phone", server)
    again.sync()
    again.edit("uid-002", titled("Back"))
    again.sync()
    assert views(server)["uid-002"].titles == (Title("Back"),)
    assert len(views(server)) == 3
    calm(again)


@pytest.mark.law("L26")
def test_a_mode_that_changed_is_taken_up_without_an_edit(
    server: MemoryServer, open_device: OpenDevice
) -> None:
    push = open_device("phone", server, mode="push")
    push.engine.put([person(1)])
    for _ in range(2):
        push.sync()
    change(server, "uid-001", "Title 1", "Held back")
    server.put(BOOK + "n.vcf", card("new", "New"))
    for _ in range(2):
        push.sync()
    assert push.contact("uid-001").titles == (Title("Title 1"),)
    push.close()
    both = open_device("phone", server)
    path = both.folder / "contacts.db"
    assert idle_round(path, [both.account], lambda account: both.engine.connect(account)) is None
    for _ in range(2):
        both.sync()
    assert both.contact("uid-001").titles == (Title("Held back"),)
    assert "new" in both.everyone()
    calm(both)


@pytest.mark.law("L26")
def test_a_filter_for_a_group_that_is_not_there_takes_nobody_and_deletes_nobody(
    server: MemoryServer, open_device: OpenDevice
) -> None:
    everybody = open_device("phone", server)
    everybody.engine.put([person(n) for n in range(5)])
    for _ in range(2):
        everybody.sync()
    everybody.close()
    device = open_device("phone", server, book=(BookConfig("contacts", only_groups=("Famly",)),))
    device.sync()
    assert len(views(server)) == len(device.everyone()) == 5
    calm(device)


# ---- a book that stands for a group ----------------------------------------------------------------------


@pytest.fixture
def two_books(server: MemoryServer, open_device: OpenDevice) -> Device:
    server.make_book("family")
    return open_device("phone", server, book=(BookConfig("family", group="Family"),))


@pytest.mark.law("L26", "L37", "L39")
def test_new_contacts_go_to_the_book_of_their_group_and_its_cards_are_members(
    server: MemoryServer, two_books: Device
) -> None:
    two_books.engine.put([member(1), person(2)])
    server.put("/family/a.vcf", card("ada", "Ada"))
    for _ in range(2):
        two_books.sync()
    assert set(views(server, "/family/")) == {"ada", "uid-001"}
    assert set(views(server, BOOK)) == {"uid-002"}
    assert two_books.contact("ada").groups == FAMILY
    assert not views(server, "/family/")["uid-001"].groups, "the book says it, not the card"
    calm(two_books)


@pytest.mark.law("L24", "L39")
def test_a_card_that_moves_out_of_the_book_of_a_group_leaves_the_group(
    server: MemoryServer, two_books: Device
) -> None:
    two_books.engine.put([member(1), member(2)])
    two_books.sync()
    (path,) = (h for h in server.etags("/family/") if b"UID:uid-001" in (server.get(h) or b""))
    payload = server.get(path) or b""
    server.delete(path)
    server.put(BOOK + "moved.vcf", payload)
    for _ in range(2):
        two_books.sync()
    assert two_books.contact("uid-001").groups == frozenset()
    assert two_books.contact("uid-002").groups == FAMILY
    assert len(two_books.everyone()) == 2
    calm(two_books)


@pytest.mark.law("L6", "L7")
def test_who_leaves_the_group_on_the_device_keeps_the_card_and_goes_on_being_the_same(
    server: MemoryServer, two_books: Device
) -> None:
    two_books.engine.put([member(1)])
    two_books.sync()
    two_books.edit("uid-001", grouped())
    for _ in range(2):
        two_books.sync()
    two_books.edit("uid-001", titled("Still sent"))
    two_books.sync()
    assert views(server, "/family/")["uid-001"].titles == (Title("Still sent"),)
    assert not two_books.contact("uid-001").groups
    calm(two_books)


@pytest.mark.law("L25", "L39")
def test_an_edit_of_every_card_of_the_book_is_no_new_name_of_its_group(
    server: MemoryServer, two_books: Device
) -> None:
    two_books.engine.put([member(1), member(2)])
    two_books.sync()
    for href in list(server.etags("/family/")):
        payload = server.get(href) or b""
        server.put(href, payload.replace(b"END:VCARD", b"CATEGORIES:Chess\r\nEND:VCARD"))
    for _ in range(2):
        two_books.sync()
    assert {group.name for group in two_books.engine.groups()} == {"Family", "Chess"}
    assert two_books.contact("uid-001").groups == {"Family", "Chess"}
    calm(two_books)


@pytest.mark.law("L26", "P3", "P4")
def test_filters_hold_at_a_real_server(radicale: Server, open_device: OpenDevice, new_book: NewBook) -> None:
    book = new_book(radicale)
    phone = open_device("phone", radicale, book, book=(BookConfig(book, only_groups=("Family",)),))
    laptop = open_device("laptop", radicale, book)
    phone.engine.put([member(1), person(2)])
    laptop.engine.put([member(3), person(4)])
    for _ in range(2):
        phone.sync()
        laptop.sync()
    assert set(phone.everyone()) == {"uid-001", "uid-002", "uid-003"}
    assert set(laptop.everyone()) == {"uid-001", "uid-003", "uid-004"}
    phone.edit("uid-002", grouped("Family"))
    laptop.edit("uid-003", lambda c: replace(c, groups=frozenset(), titles=(Title("Bye"),)))
    for _ in range(2):
        phone.sync()
        laptop.sync()
    assert "uid-002" in laptop.everyone()
    assert phone.contact("uid-003").titles == (Title("Bye"),)
    calm(phone, laptop)


# ---- found by the random worlds --------------------------------------------------------------------------


@pytest.mark.law("L12", "L33", "P1")
def test_a_card_of_another_client_that_is_taken_for_our_lost_create_leaves_both_values_on_record(
    server: MemoryServer, open_device: OpenDevice
) -> None:
    died: list[str] = []

    def step(name: str) -> None:
        if name == "sent" and not died:
            died.append(name)
            raise Crash

    device = open_device("phone", server, hooks=Hooks(step=step))
    device.engine.put([person(1, notes=(Note("ours"),))])
    with pytest.raises(Crash):
        device.run()
    device.close()
    device.engine = device.open()
    server.put(BOOK + "theirs.vcf", card("uid-001", "Person001 Tester", "NOTE:theirs"))
    for _ in range(2):
        device.sync()
    values = repr([(c.local, c.remote) for c in device.engine.conflicts()])
    notes = {note.text for note in device.contact("uid-001").notes}
    assert all(text in notes or text in values for text in ("ours", "theirs"))
    assert len(server.etags(BOOK)) == len(device.everyone()) == 1
    calm(device)
