"""Laws that show themselves over several rounds only: edits during a push, remotes that rewrite, open
questions, deletions against edits, one-way books, doubles, merges and undo."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contactsync.api import Hooks
from contactsync.connectors.memory import Habits, MemoryServer
from contactsync.model.contact import Contact, Email, Media, Note, Phone, Title
from contactsync.store.values import StoredConflict
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import Device, calm, card, cards, path_of, person, read_all, uids
from tests.servers import Server

BOOK = "/contacts/"


def titled(text: str) -> Callable[[Contact], Contact]:
    return lambda contact: replace(contact, titles=(Title(text),))


def numbered(text: str) -> Callable[[Contact], Contact]:
    return lambda contact: replace(contact, phones=(replace(contact.phones[0], number=text),))


def change_card(server: MemoryServer | Server, path: str, old: str, new: str) -> None:
    """An edit by another client, which touches one text only."""
    payload = server.get(path) or b""
    assert old.encode() in payload, payload
    server.put(path, payload.replace(old.encode(), new.encode()))


def title_of(server: MemoryServer, uid: str) -> str:
    view = {view.uid: view for _, view in read_all(server, BOOK)}[uid]
    return view.titles[0].name if view.titles else ""


# --- edits during a round (L11) ---


@pytest.mark.law("L11", "P1")
@pytest.mark.parametrize("step", ["page-staged", "committed", "before-sent", "sent", "answered", "recorded"])
@pytest.mark.parametrize("action", ["create", "update"])
def test_an_edit_on_the_device_during_a_round_stays_an_edit(
    memory: MemoryServer, open_device: OpenDevice, step: str, action: str
) -> None:
    done: list[str] = []
    wanted = {"step": ""}

    def meanwhile(name: str) -> None:
        if name == wanted["step"] and not done:
            done.append(name)
            other = device.open()
            contact = other.contact("uid-001").contact
            other.put([replace(contact, titles=(Title("Edited meanwhile"),))])
            other.close()

    memory.put(BOOK + "other.vcf", card("other"))
    device = open_device("phone", memory, hooks=Hooks(step=meanwhile))
    device.engine.put([person(1), person(2)])
    if action == "update":
        device.sync()
        device.edit("uid-001", lambda c: replace(c, notes=(Note("the edit that is sent"),)))
        device.edit("uid-002", lambda c: replace(c, notes=(Note("another one"),)))
        memory.put(BOOK + "other.vcf", card("other", "Other", "TITLE:Edited there"))
    wanted["step"] = step
    device.sync()
    assert done == [step]
    device.sync()
    assert device.contact("uid-001").titles == (Title("Edited meanwhile"),)
    assert title_of(memory, "uid-001") == "Edited meanwhile"
    if action == "update":
        assert device.contact("uid-001").notes == (Note("the edit that is sent"),)
    calm(device)


@pytest.mark.law("L11", "L23", "P1")
@pytest.mark.parametrize("step", ["committed", "sent", "recorded"])
def test_a_deletion_on_the_device_during_a_round_is_carried_out_in_the_next(
    memory: MemoryServer, open_device: OpenDevice, step: str
) -> None:
    done: list[str] = []

    def meanwhile(name: str) -> None:
        if name == step and not done:
            done.append(name)
            other = device.open()
            other.delete(["uid-001"])
            other.close()

    device = open_device("phone", memory, hooks=Hooks(step=meanwhile))
    device.engine.put([person(1), person(2)])
    for _ in range(3):
        device.sync()
    assert done == [step]
    assert uids(memory, BOOK) == ["uid-002"]
    assert sorted(device.everyone()) == ["uid-002"]
    calm(device)


@pytest.mark.law("L32", "P1")
@pytest.mark.parametrize("step", ["committed", "before-sent", "sent", "answered", "recorded", "read-back"])
@pytest.mark.parametrize("conditional", [True, False])
def test_an_edit_at_the_server_during_a_round_is_never_written_over(
    memory: MemoryServer, open_device: OpenDevice, step: str, conditional: bool
) -> None:
    memory.habits.conditional = conditional
    done: list[str] = []

    def meanwhile(name: str) -> None:
        if armed and name == step and not done:
            done.append(name)
            for uid in ("uid-001", "uid-002"):
                path = path_of(memory, BOOK, uid)
                change_card(memory, path, "END:VCARD", "NOTE:written there meanwhile\r\nEND:VCARD")

    armed = False
    device = open_device("phone", memory, hooks=Hooks(step=meanwhile))
    device.engine.put([person(1), person(2)])
    device.sync()
    device.sync()
    armed = True
    for uid in ("uid-001", "uid-002"):
        device.edit(uid, titled("Edited here"))
    device.sync()
    assert done == [step]
    device.sync()
    for uid in ("uid-001", "uid-002"):
        assert device.contact(uid).notes == (Note("written there meanwhile"),)
        assert device.contact(uid).titles == (Title("Edited here"),)
        assert b"NOTE:written there meanwhile" in (memory.get(path_of(memory, BOOK, uid)) or b"")
        assert title_of(memory, uid) == "Edited here"
    assert device.engine.conflicts() == []
    calm(device)


# --- remotes that rewrite what they get (L11, L12) ---


def cut_notes(payload: bytes) -> bytes:
    return re.sub(rb"(?m)^NOTE:(.{10}).*?\r$", rb"NOTE:\1\r", payload)


def drop_titles(payload: bytes) -> bytes:
    return re.sub(rb"(?m)^TITLE:.*\r\n", b"", payload)


def shout(payload: bytes) -> bytes:
    return re.sub(rb"(?m)^TITLE:(.*)\r$", lambda found: b"TITLE:" + found[1].upper() + b"!\r", payload)


def reformat_phones(payload: bytes) -> bytes:
    return re.sub(
        rb"(?m)^(TEL[^:]*):(.*)\r$", lambda f: f[1] + b":" + f[2].replace(b" ", b"-") + b"\r", payload
    )


REWRITES: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    "cuts notes": (cut_notes, True),
    "drops titles": (drop_titles, True),
    "writes phone numbers otherwise": (reformat_phones, False),
}


@pytest.mark.law("L11", "L12", "P4", "P1")
@pytest.mark.parametrize("proof", [True, False])
@pytest.mark.parametrize("habit", REWRITES)
def test_a_server_that_rewrites_costs_no_value_and_no_further_write(
    open_device: OpenDevice, habit: str, proof: bool
) -> None:
    on_store, loses = REWRITES[habit]
    server = MemoryServer(Habits(on_store=on_store, etag_on_write=proof))
    device = open_device("phone", server)
    whole = replace(person(1), notes=(Note("a note that is longer than ten letters"),))
    device.engine.put([whole])
    device.sync()
    etags = server.etags(BOOK)
    for _ in range(3):
        assert device.sync().pushed.created == 0
        assert server.etags(BOOK) == etags
        assert device.contact("uid-001") == whole
    calm(device)
    assert server.etags(BOOK) == etags
    assert device.engine.conflicts() == []
    assert device.engine.status()["lost_at_remotes"] == int(loses)

    # edits of other units still cross, in both directions, and the value at home stays whole
    device.edit("uid-001", lambda c: replace(c, emails=(*c.emails, Email("new@example.org"))))
    device.sync()
    (path,) = server.etags(BOOK)
    assert b"new@example.org" in (server.get(path) or b"")
    change_card(server, path, "END:VCARD", "X-THERE:1\r\nEND:VCARD")
    for _ in range(2):
        device.sync()
    calm(device)
    after = device.contact("uid-001")
    assert (after.notes, after.titles, after.phones) == (whole.notes, whole.titles, whole.phones)
    assert [extra.name for extra in after.extra] == ["X-THERE"]


@pytest.mark.law("L12", "P1", "P4")
@pytest.mark.parametrize("proof", [True, False])
def test_a_server_that_makes_another_value_costs_one_more_write_at_most_and_both_values_are_kept(
    open_device: OpenDevice, proof: bool
) -> None:
    server = MemoryServer(Habits(on_store=shout, etag_on_write=proof))
    device = open_device("phone", server)
    device.engine.put([person(1)])
    writes = 0
    for _ in range(6):
        book = device.sync()
        writes += book.pushed.created + book.pushed.updated
    assert writes <= 2
    calm(device)
    shown = device.contact("uid-001").titles[0].name
    kept = {shown} | {
        value["name"] for c in device.engine.conflicts() for value in (c.local, c.remote) if value
    }
    assert "Title 1" in kept


@pytest.mark.law("L12", "P1", "P4")
def test_a_photo_that_radicale_cuts_stays_whole_on_the_device(
    radicale: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    """vobject takes the semicolon of a data URI in a vCard 4.0 for the end of the value."""
    book = new_book(radicale)
    radicale.put(book + "four.vcf", card("four", "Vera", "TEL;TYPE=cell:+49 30 1", version="4.0"))
    device = open_device("phone", radicale, book)
    device.sync()
    data = base64.b64decode(_PIXEL)
    device.edit("four", lambda c: replace(c, media=(_photo(data),)))
    device.sync()
    etags = radicale.etags(book)
    for _ in range(3):
        device.sync()
        assert radicale.etags(book) == etags
        (photo,) = device.engine.export_form(device.engine.contact("four").contact).media
        assert photo.data == data
    calm(device)
    fresh = open_device("laptop", radicale, book)
    fresh.sync()
    for _ in range(2):
        device.sync()
        fresh.sync()
    (photo,) = device.engine.export_form(device.engine.contact("four").contact).media
    assert photo.data == data
    calm(device, fresh)


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def _photo(data: bytes) -> Media:
    import hashlib

    return Media(media_type="image/png", sha256=hashlib.sha256(data).hexdigest(), data=data)


# --- open questions (L18) ---


@pytest.fixture(params=["etags on write", "no etags on write", "cards stored otherwise", "lost replies"])
def asking(request: pytest.FixtureRequest, memory: MemoryServer, open_device: OpenDevice) -> Device:
    """Both sides gave one title of one contact another value, and the person wants to be asked."""
    habits = memory.habits
    habits.etag_on_write = request.param != "no etags on write"
    if request.param == "cards stored otherwise":
        habits.on_store = reformat_phones
    device = open_device("phone", memory, conflicts="ask")
    device.engine.put([person(1), person(2)])
    device.sync()
    device.edit("uid-001", titled("Mine"))
    change_card(memory, path_of(memory, BOOK, "uid-001"), "TITLE:Title 1", "TITLE:Theirs")
    device.report()
    if request.param == "lost replies":
        habits.lose_replies = 3
    return device


def question(device: Device) -> StoredConflict:
    (found,) = device.engine.conflicts(only_open=True)
    return found


@pytest.mark.law("L18", "P4")
def test_an_open_question_leaves_both_values_and_blocks_nothing_else(
    memory: MemoryServer, asking: Device
) -> None:
    for number in range(5):
        report = asking.run()
        assert report.exit_code() == 4
        assert report.open_conflicts == 1
        assert asking.contact("uid-001").titles == (Title("Mine"),)
        assert title_of(memory, "uid-001") == "Theirs"
        found = question(asking)
        assert (found.local["name"], found.remote["name"]) == ("Mine", "Theirs")
        asking.edit("uid-001", numbered(f"+49 30 111 {number}"))
        path = path_of(memory, BOOK, "uid-001")
        payload = re.sub(rb"NOTE:.*\r\n", b"", memory.get(path) or b"")
        memory.put(path, payload.replace(b"END:VCARD", b"NOTE:note %d\r\nEND:VCARD" % number))
        asking.run()
        assert asking.contact("uid-001").notes == (Note(f"note {number}"),)
        there = (memory.get(path) or b"").replace(b"-", b" ")
        assert f"+49 30 111 {number}".encode() in there
    asking.run()
    before = asking.dump()
    etags = memory.etags(BOOK)
    asking.run()
    assert (asking.dump(), memory.etags(BOOK)) == (before, etags)


@pytest.mark.law("L18")
def test_later_edits_of_the_same_unit_go_into_the_same_question(memory: MemoryServer, asking: Device) -> None:
    asking.edit("uid-001", titled("Mine, again"))
    asking.run()
    change_card(memory, path_of(memory, BOOK, "uid-001"), "TITLE:Theirs", "TITLE:Theirs, again")
    for _ in range(2):
        asking.run()
    found = question(asking)
    assert (found.local["name"], found.remote["name"]) == ("Mine, again", "Theirs, again")
    assert asking.contact("uid-001").titles == (Title("Mine, again"),)
    assert title_of(memory, "uid-001") == "Theirs, again"


@pytest.mark.law("L18", "P3", "P4")
@pytest.mark.parametrize(
    ("take", "value", "rounds_before"),
    [("device", "Mine", 0), ("device", "Mine", 3), ("remote", "Theirs", 3)],
)
def test_the_answer_to_a_question_reaches_both_sides(
    memory: MemoryServer, asking: Device, take: str, value: str, rounds_before: int
) -> None:
    for _ in range(rounds_before):
        asking.run()
    asking.engine.resolve(question(asking).id, take)
    for _ in range(2):
        asking.sync()
    assert asking.contact("uid-001").titles == (Title(value),)
    assert title_of(memory, "uid-001") == value
    assert asking.engine.conflicts(only_open=True) == []
    assert asking.run().exit_code() == 0
    calm(asking)


@pytest.mark.law("L18")
@pytest.mark.parametrize("side", ["device", "remote"])
def test_a_question_that_both_sides_came_to_agree_about_is_none_any_more(
    memory: MemoryServer, asking: Device, side: str
) -> None:
    if side == "device":
        asking.edit("uid-001", titled("Theirs"))
    else:
        change_card(memory, path_of(memory, BOOK, "uid-001"), "TITLE:Theirs", "TITLE:Mine")
    for _ in range(2):
        asking.run()
    assert asking.engine.conflicts(only_open=True) == []
    assert asking.run().exit_code() == 0
    calm(asking)


# --- deletions (L20 to L23) ---


@pytest.fixture
def pair(memory: MemoryServer, open_device: OpenDevice) -> Device:
    """A device with five contacts that are all at the server."""
    device = open_device("phone", memory)
    device.engine.put([person(n) for n in range(5)])
    for _ in range(2):
        device.sync()
    return device


@pytest.mark.law("L23", "P1")
def test_an_edit_at_the_server_beats_a_deletion_on_the_device(memory: MemoryServer, pair: Device) -> None:
    pair.engine.delete(["uid-001"])
    change_card(memory, path_of(memory, BOOK, "uid-001"), "TITLE:Title 1", "TITLE:Edited there")
    pair.sync()
    expected = replace(person(1), titles=(Title("Edited there"),))
    assert pair.contact("uid-001") == expected
    assert title_of(memory, "uid-001") == "Edited there"
    assert [c.path for c in pair.engine.conflicts()] == ["contact"]
    calm(pair)


@pytest.mark.law("L23", "P1")
def test_an_edit_on_the_device_beats_a_deletion_at_the_server(memory: MemoryServer, pair: Device) -> None:
    memory.delete(path_of(memory, BOOK, "uid-001"))
    pair.edit("uid-001", titled("Edited here"))
    pair.sync()
    assert pair.contact("uid-001") == replace(person(1), titles=(Title("Edited here"),))
    assert title_of(memory, "uid-001") == "Edited here"
    assert b"+49 30 555 0001" in (memory.get(path_of(memory, BOOK, "uid-001")) or b"")
    assert [c.path for c in pair.engine.conflicts()] == ["contact"]
    assert uids(memory, BOOK) == sorted(person(n).uid for n in range(5))
    calm(pair)


@pytest.mark.law("L22", "L23")
@pytest.mark.parametrize("where", ["the same href", "another href"])
@pytest.mark.parametrize("content", ["the same", "edited"])
def test_a_card_that_comes_back_under_its_uid_revives_the_contact(
    memory: MemoryServer, pair: Device, where: str, content: str
) -> None:
    old = path_of(memory, BOOK, "uid-001")
    payload = memory.get(old) or b""
    memory.delete(old)
    for _ in range(2):
        pair.sync()
    contact_id = pair.engine.store.contacts.by_uid("uid-001").id  # type: ignore[union-attr]
    assert "uid-001" not in pair.everyone()
    if content == "edited":
        payload = payload.replace(b"TITLE:Title 1", b"TITLE:Back again")
    memory.put(old if where == "the same href" else BOOK + "back.vcf", payload)
    for _ in range(2):
        pair.sync()
    revived = pair.engine.store.contacts.by_uid("uid-001")
    assert revived is not None and not revived.deleted and revived.id == contact_id
    back = pair.contact("uid-001")
    # what it was then and what came back are united, as at a first meeting (L28): nothing is lost
    assert back == person(1) if content == "the same" else Title("Back again") in back.titles
    assert back.phones == person(1).phones
    assert len(pair.everyone()) == 5
    assert len(cards(memory, BOOK)) == 5
    calm(pair)


@pytest.mark.law("L22", "L23")
def test_a_contact_taken_out_of_the_trash_is_at_the_server_again(memory: MemoryServer, pair: Device) -> None:
    for rounds in (0, 1, 3):
        pair.engine.delete(["uid-001"])
        for _ in range(rounds):
            pair.sync()
        pair.engine.restore(["uid-001"])
        for _ in range(2):
            pair.sync()
        assert uids(memory, BOOK) == sorted(person(n).uid for n in range(5))
        assert pair.contact("uid-001") == person(1)
        calm(pair)


@pytest.mark.law("L20", "L22")
def test_a_deletion_crosses_in_either_direction_and_stays_in_the_trash_with_its_content(
    memory: MemoryServer, pair: Device
) -> None:
    pair.engine.delete(["uid-001"])
    memory.delete(path_of(memory, BOOK, "uid-002"))
    pair.sync()
    assert uids(memory, BOOK) == ["uid-000", "uid-003", "uid-004"]
    assert sorted(pair.everyone()) == ["uid-000", "uid-003", "uid-004"]
    assert {s.uid: s.contact for s in pair.engine.trash()} == {person(n).uid: person(n) for n in (1, 2)}
    assert pair.engine.conflicts() == []
    calm(pair)


# --- one way (L26) ---


def changes_on_both_sides(device: Device, server: MemoryServer) -> None:
    device.edit("uid-000", titled("Edited here"))
    change_card(server, path_of(server, BOOK, "uid-001"), "TITLE:Title 1", "TITLE:Edited there")
    device.engine.delete(["uid-002"])
    server.delete(path_of(server, BOOK, "uid-003"))
    device.engine.put([person(7)])
    server.put(BOOK + "new.vcf", card("new", "New", "TITLE:New there"))


def titles(device: Device) -> dict[str, str]:
    return {uid: c.titles[0].name for uid, c in device.everyone().items()}


def server_titles(server: MemoryServer) -> dict[str, str]:
    return {view.uid: view.titles[0].name for _, view in read_all(server, BOOK)}


ONE_WAY: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "two-way": (
        {"uid-000": "Edited here", "uid-001": "Edited there", "uid-007": "Title 7", "new": "New there"},
        {"uid-000": "Edited here", "uid-001": "Edited there", "uid-007": "Title 7", "new": "New there"},
    ),
    "pull": (
        {"uid-000": "Edited here", "uid-001": "Edited there", "uid-007": "Title 7", "new": "New there"},
        {"uid-000": "Title 0", "uid-001": "Edited there", "uid-002": "Title 2", "new": "New there"},
    ),
    "push": (
        {"uid-000": "Edited here", "uid-001": "Title 1", "uid-003": "Title 3", "uid-007": "Title 7"},
        {"uid-000": "Edited here", "uid-001": "Edited there", "uid-007": "Title 7", "new": "New there"},
    ),
    "mirror-pull": (
        {"uid-000": "Title 0", "uid-001": "Edited there", "uid-002": "Title 2", "new": "New there"},
        {"uid-000": "Title 0", "uid-001": "Edited there", "uid-002": "Title 2", "new": "New there"},
    ),
    "mirror-push": (
        {"uid-000": "Edited here", "uid-001": "Title 1", "uid-003": "Title 3", "uid-007": "Title 7"},
        {"uid-000": "Edited here", "uid-001": "Title 1", "uid-003": "Title 3", "uid-007": "Title 7"},
    ),
}


@pytest.mark.law("L26", "P4")
@pytest.mark.parametrize("mode", ONE_WAY)
def test_in_a_mode_edits_cross_its_way_only(memory: MemoryServer, open_device: OpenDevice, mode: str) -> None:
    setup = open_device("phone", memory)
    setup.engine.put([person(n) for n in range(4)])
    setup.sync()
    setup.sync()
    setup.close()
    device = open_device("phone", memory, mode=mode)
    device.sync()
    changes_on_both_sides(device, memory)
    for _ in range(3):
        device.sync()
    here, there = ONE_WAY[mode]
    # what a mirror does with what is there on its own only, no law says
    found_here, found_there = titles(device), server_titles(memory)
    if mode.startswith("mirror"):
        found_here = {uid: text for uid, text in found_here.items() if uid in here}
        found_there = {uid: text for uid, text in found_there.items() if uid in there}
    assert (found_here, found_there) == (here, there)
    calm(device)


@pytest.mark.law("L7", "L26", "P1")
@pytest.mark.parametrize("proof", [True, False])
def test_what_stays_at_the_server_of_a_push_book_is_not_written_over_by_other_edits(
    open_device: OpenDevice, proof: bool
) -> None:
    memory = MemoryServer(Habits(etag_on_write=proof))
    device = open_device("phone", memory, mode="push")
    device.engine.put([person(1)])
    device.sync()
    path = path_of(memory, BOOK, "uid-001")
    change_card(memory, path, "TITLE:Title 1", "TITLE:Stays there")
    change_card(memory, path, "END:VCARD", "NOTE:stays there\r\nEND:VCARD")
    device.sync()
    for number in ("+49 1", "+49 2", "+49 3"):
        device.edit("uid-001", numbered(number))
        for _ in range(2):
            device.sync()
        payload = memory.get(path) or b""
        assert b"TITLE:Stays there" in payload and b"NOTE:stays there" in payload
        assert number.encode() in payload
    after = device.contact("uid-001")
    assert (after.titles, after.notes) == ((Title("Title 1"),), ())
    calm(device)


@pytest.mark.law("L7", "L26", "P1")
def test_what_stays_on_the_device_of_a_pull_book_is_not_lost_to_other_edits(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    memory.put(BOOK + "a.vcf", card("a", "Ada", "TITLE:Title", "TEL:+49 0"))
    device = open_device("phone", memory, mode="pull")
    device.sync()
    device.edit("a", lambda c: replace(c, titles=(Title("Stays here"),), notes=(Note("stays here"),)))
    for number in ("+49 1", "+49 2", "+49 3"):
        memory.put(BOOK + "a.vcf", card("a", "Ada", "TITLE:Title", f"TEL:{number}"))
        for _ in range(2):
            device.sync()
        after = device.contact("a")
        assert (after.titles, after.notes) == ((Title("Stays here"),), (Note("stays here"),))
        assert after.phones == (Phone(number),)
    assert memory.get(BOOK + "a.vcf") == card("a", "Ada", "TITLE:Title", "TEL:+49 3")
    calm(device)


# --- doubles (L29), one home and no second create (L33) ---


@pytest.mark.law("L29", "P2")
@pytest.mark.parametrize("when", ["at the first round", "later"])
def test_two_cards_with_one_uid_in_a_book_stay_two_and_nothing_is_merged_or_deleted(
    memory: MemoryServer, open_device: OpenDevice, when: str
) -> None:
    device = open_device("phone", memory)
    first = card("same", "Sam", "EMAIL:sam@example.org", "TITLE:One")
    second = card("same", "Sam", "EMAIL:sam@example.org", "TITLE:Two")
    memory.put(BOOK + "a.vcf", first)
    if when == "later":
        device.sync()
    memory.put(BOOK + "b.vcf", second)
    for _ in range(3):
        device.sync()
    assert cards(memory, BOOK) == {BOOK + "a.vcf": first, BOOK + "b.vcf": second}
    everyone = device.everyone()
    assert sorted(c.titles[0].name for c in everyone.values()) == ["One", "Two"]
    assert "same" in everyone and len(everyone) == 2
    assert device.engine.status()["held"] == 1
    if when == "later":
        assert everyone["same"].titles == (Title("One"),)

    for uid, contact in everyone.items():
        device.edit(uid, titled(contact.titles[0].name + ", edited"))
    device.sync()
    assert b"TITLE:One\\, edited" in (memory.get(BOOK + "a.vcf") or b"")
    assert b"TITLE:Two\\, edited" in (memory.get(BOOK + "b.vcf") or b"")
    assert all(b"UID:same" in payload for payload in cards(memory, BOOK).values())
    calm(device)


@pytest.mark.law("L33", "P2", "P5")
@pytest.mark.parametrize("names_href", [True, False])
@pytest.mark.parametrize("lost", [1, 2, 5])
def test_a_create_whose_answer_got_lost_makes_no_second_card(
    open_device: OpenDevice, names_href: bool, lost: int
) -> None:
    server = MemoryServer(Habits(lose_replies=lost, names_href=names_href))
    device = open_device("phone", server)
    device.engine.put([person(n) for n in range(3)])
    for _ in range(3):
        device.report()
        assert len(cards(server, BOOK)) == 3
    assert uids(server, BOOK) == [person(n).uid for n in range(3)]
    assert len(device.everyone()) == 3
    assert device.engine.status()["in_doubt"] == 0
    calm(device)


# --- looking changes nothing (L36) ---


@pytest.mark.law("L36", "P4")
def test_a_dry_run_changes_nothing_and_tells_what_a_run_would_do(memory: MemoryServer, pair: Device) -> None:
    pair.edit("uid-000", titled("Edited here"))
    change_card(memory, path_of(memory, BOOK, "uid-001"), "TITLE:Title 1", "TITLE:Edited there")
    pair.engine.delete(["uid-002"])
    memory.delete(path_of(memory, BOOK, "uid-003"))
    pair.engine.put([person(7)])
    memory.put(BOOK + "new.vcf", card("new", "New"))
    before, there = pair.dump(), memory.etags(BOOK)
    plans = []
    for _ in range(2):
        report = pair.report(dry_run=True)
        assert report.state == "ok"
        plans.append(sorted((line.side, line.action, line.uid) for line in report.plan))
        after = pair.dump()
        assert {name for name in before if name != "staged" and after[name] != before[name]} == set()
        assert memory.etags(BOOK) == there
    assert plans[0] == plans[1]
    assert plans[0] == [
        ("device", "create", "new"),
        ("device", "delete", "uid-003"),
        ("device", "update", "uid-001"),
        ("remote", "create", "uid-007"),
        ("remote", "delete", "uid-002"),
        ("remote", "update", "uid-000"),
    ]
    book = pair.sync()
    assert (book.pulled.created, book.pulled.updated, book.pulled.deleted) == (1, 1, 1)
    assert (book.pushed.created, book.pushed.updated, book.pushed.deleted) == (1, 1, 1)


@pytest.mark.law("L36")
def test_a_preview_of_the_first_round_changes_nothing(memory: MemoryServer, open_device: OpenDevice) -> None:
    memory.put(BOOK + "a.vcf", card("a", "Ada"))
    device = open_device("phone", memory)
    device.engine.put([person(1), person(2)])
    contacts = device.dump()["contact"]
    assert device.engine.first_sync("home") == (2, 1)
    assert device.dump()["contact"] == contacts
    assert device.dump()["link"] == []
    assert uids(memory, BOOK) == ["a"]
    assert not list((device.folder).glob("backups/*"))


@pytest.mark.law("L1", "L36", "P4")
def test_a_card_that_is_stored_again_without_a_change_moves_no_contact(
    memory: MemoryServer, pair: Device
) -> None:
    path = path_of(memory, BOOK, "uid-001")
    payload = memory.get(path) or b""
    before = pair.dump()
    memory.put(path, payload)
    book = pair.sync()
    assert not book.pulled and not book.pushed
    lines = payload.split(b"\r\n")
    memory.put(path, b"\r\n".join([*lines[:2], *reversed(lines[2:-2]), *lines[-2:]]))
    book = pair.sync()
    assert not book.pulled and not book.pushed
    assert pair.dump()["contact"] == before["contact"]
    assert pair.dump()["journal"] == before["journal"]


# --- merging two contacts (L40) ---


@pytest.fixture
def twins(memory: MemoryServer, open_device: OpenDevice) -> Device:
    device = open_device("phone", memory)
    one = replace(person(1), uid="one", notes=(Note("from one"),))
    two = replace(person(2), uid="two", emails=(Email("two@example.org"),), notes=())
    device.engine.put([one, two, person(3)])
    for _ in range(2):
        device.sync()
    return device


@pytest.mark.law("L40", "P1")
def test_merging_keeps_all_values_and_deletes_the_other_card(memory: MemoryServer, twins: Device) -> None:
    one, two = twins.contact("one"), twins.contact("two")
    twins.engine.merge("one", "two")
    for _ in range(2):
        twins.sync()
    assert uids(memory, BOOK) == ["one", "uid-003"]
    merged = twins.contact("one")
    assert set(merged.emails) == {*one.emails, *two.emails}
    assert set(merged.phones) == {*one.phones, *two.phones}
    assert merged.notes == one.notes
    assert {e.address for e in _card_view(memory, "one").emails} == {e.address for e in merged.emails}
    assert sorted(twins.everyone()) == ["one", "uid-003"]
    calm(twins)


@pytest.mark.law("L40", "L23", "P1")
@pytest.mark.parametrize("when", ["before the deletion arrives", "after it, under the old uid"])
def test_a_later_edit_of_the_other_card_is_an_edit_of_the_survivor(
    memory: MemoryServer, twins: Device, when: str
) -> None:
    path = path_of(memory, BOOK, "two")
    edited = (memory.get(path) or b"").replace(b"END:VCARD", b"TEL:+49 40 4711\r\nEND:VCARD")
    twins.engine.merge("one", "two")
    if when.startswith("after"):
        for _ in range(2):
            twins.sync()
    memory.put(path, edited)
    for _ in range(3):
        twins.sync()
    assert "+49 40 4711" in {phone.number for phone in twins.contact("one").phones}
    assert sorted(twins.everyone()) == ["one", "uid-003"]
    assert uids(memory, BOOK) == ["one", "uid-003"]
    assert "+49 40 4711" in {phone.number for phone in _card_view(memory, "one").phones}
    calm(twins)


@pytest.mark.law("L40", "L25")
def test_many_merges_are_no_mass_deletion(memory: MemoryServer, open_device: OpenDevice) -> None:
    device = open_device("phone", memory)
    device.engine.put([person(n) for n in range(30)])
    for _ in range(2):
        device.sync()
    for n in range(0, 30, 2):
        device.engine.merge(person(n).uid, person(n + 1).uid)
    for _ in range(2):
        device.sync()
    assert uids(memory, BOOK) == [person(n).uid for n in range(0, 30, 2)]
    calm(device)


def _card_view(server: MemoryServer, uid: str) -> Contact:
    (view,) = (view for _, view in read_all(server, BOOK) if view.uid == uid)
    return view


# --- cards of version 4.0 (L7) ---


@pytest.mark.law("L7", "L8")
def test_an_edit_of_a_card_of_version_4_touches_its_own_line_only(
    xandikos: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    book = new_book(xandikos)
    lines = (
        'TEL;VALUE=uri;TYPE="voice,cell";PREF=1:tel:+49-30-555-1',
        "EMAIL;PID=1.1;TYPE=work:vera@example.org",
        "RELATED;TYPE=spouse:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "ANNIVERSARY:20010405",
        'X-ODD;P="a:b":kept; as\\, it is',
        "CLIENTPIDMAP:1;urn:uuid:53e374d9-337e-4727-8803-a1e9c14e0556",
        "TITLE:Pilot",
    )
    xandikos.put(book + "four.vcf", card("four", "Vera", *lines, version="4.0"))
    stored = xandikos.get(book + "four.vcf") or b""
    device = open_device("phone", xandikos, book)
    device.sync()
    device.edit("four", titled("Captain"))
    device.sync()
    after = xandikos.get(book + "four.vcf") or b""
    assert after == stored.replace(b"TITLE:Pilot", b"TITLE:Captain")
    calm(device)


# --- undo (P7) ---


@pytest.mark.law("P7")
def test_undoing_a_round_takes_back_what_it_changed_here_and_nothing_that_was_edited_since(
    memory: MemoryServer, pair: Device
) -> None:
    change_card(memory, path_of(memory, BOOK, "uid-000"), "TITLE:Title 0", "TITLE:Edited there")
    change_card(memory, path_of(memory, BOOK, "uid-001"), "TITLE:Title 1", "TITLE:Edited there")
    memory.delete(path_of(memory, BOOK, "uid-002"))
    memory.put(BOOK + "new.vcf", card("new", "New", "TITLE:New there"))
    run = pair.run().run
    pair.edit("uid-001", titled("Edited since"))
    pair.sync()
    undone = pair.engine.undo(run)
    assert undone.restored == 2
    assert any("Person001" in left.name for left in undone.left)
    assert any("New" in left.name for left in undone.left)
    for _ in range(2):
        pair.sync()
    expected = {
        "new": "New there",
        "uid-000": "Title 0",
        "uid-001": "Edited since",
        "uid-002": "Title 2",
        "uid-003": "Title 3",
        "uid-004": "Title 4",
    }
    assert titles(pair) == expected
    assert server_titles(memory) == expected
    calm(pair)


@pytest.mark.law("P7")
def test_an_undo_can_be_undone(memory: MemoryServer, pair: Device) -> None:
    change_card(memory, path_of(memory, BOOK, "uid-000"), "TITLE:Title 0", "TITLE:Edited there")
    run = pair.run().run
    pair.engine.undo(run)
    undo = next(found.id for found in pair.engine.runs() if found.kind == "undo")
    pair.sync()
    assert title_of(memory, "uid-000") == "Title 0"
    pair.engine.undo(undo)
    for _ in range(2):
        pair.sync()
    assert title_of(memory, "uid-000") == "Edited there"
    assert pair.contact("uid-000").titles == (Title("Edited there"),)
    calm(pair)


# --- edits of lists on both sides (L14 to L17) ---


CROSSINGS: dict[str, tuple[Callable[[Contact], Contact], tuple[str, str], Callable[[Contact], Any], Any]] = {
    "two new numbers": (
        lambda c: replace(c, phones=(*c.phones, Phone("+49 1"))),
        ("END:VCARD", "TEL:+49 2\r\nEND:VCARD"),
        lambda c: {p.number for p in c.phones},
        {"+49 30 555 0001", "+49 1", "+49 2"},
    ),
    "a new label here and a corrected number there": (
        lambda c: replace(c, phones=(replace(c.phones[0], contexts=frozenset({"work"})),)),
        ("+49 30 555 0001", "+49 30 555 9999"),
        lambda c: [(p.number, sorted(p.contexts)) for p in c.phones],
        [("+49 30 555 9999", ["work"])],
    ),
    "removed here and changed there": (
        lambda c: replace(c, phones=()),
        ("+49 30 555 0001", "+49 30 555 9999"),
        lambda c: [p.number for p in c.phones],
        ["+49 30 555 9999"],
    ),
    "the same edit on both sides": (
        titled("Same"),
        ("TITLE:Title 1", "TITLE:Same"),
        lambda c: ([t.name for t in c.titles]),
        ["Same"],
    ),
}


@pytest.mark.law("L3", "L4", "L14", "L15", "L17", "P3")
@pytest.mark.parametrize("what", CROSSINGS)
def test_edits_of_both_sides_cross(memory: MemoryServer, pair: Device, what: str) -> None:
    mine, theirs, look, expected = CROSSINGS[what]
    pair.edit("uid-001", mine)
    change_card(memory, path_of(memory, BOOK, "uid-001"), *theirs)
    for _ in range(2):
        pair.sync()
    assert look(pair.contact("uid-001")) == expected
    assert look(_card_view(memory, "uid-001")) == expected
    calm(pair)


@pytest.mark.law("L37", "L39", "P1")
@pytest.mark.parametrize("first", [True, False])
def test_a_group_that_one_book_brings_reaches_the_copy_in_the_other(
    memory: MemoryServer, open_device: OpenDevice, first: bool
) -> None:
    paths = [memory.make_book("archive") + "ada.vcf", BOOK + "ada.vcf"]
    for path in paths:
        memory.put(path, card("ada"))
    device = open_device("phone", memory)
    for _ in range(2):
        device.sync()
    change_card(memory, paths[0] if first else paths[1], "END:VCARD", "CATEGORIES:Chess\r\nEND:VCARD")
    for _ in range(3):
        device.sync()
    assert [b"CATEGORIES:Chess" in (memory.get(path) or b"") for path in paths] == [True, True]
    assert [group.name for group in device.engine.groups()] == ["Chess"]
