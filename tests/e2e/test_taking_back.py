"""Taking back what was decided: undo, restore, purge, merge, and questions that a person answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contactsync.api import Hooks
from contactsync.connectors.memory import MemoryServer
from contactsync.errors import UsageError
from contactsync.model.contact import Contact, Email, Note, Phone, Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.devices import Device, calm, cards, path_of, person, read_all

OpenDevice = Callable[..., Device]


def edit_there(server: MemoryServer, book: str, uid: str, change: Callable[[Contact], Contact]) -> None:
    """Another client edits a card."""
    codec, path = VCardCodec(), path_of(server, book, uid)
    payload = server.get(path)
    assert payload is not None
    server.put(path, codec.write(change(codec.read(payload)), payload))


def people(server: MemoryServer, book: str) -> dict[str, Contact]:
    """What the server holds, by UID."""
    return {view.uid: view for _, view in read_all(server, book)}


@pytest.fixture
def phone(memory: MemoryServer, open_device: OpenDevice) -> Device:
    device = open_device("phone", memory)
    device.engine.put([person(n) for n in range(4)])
    calm(device)
    return device


def titled(name: str) -> Callable[[Contact], Contact]:
    return lambda c: replace(c, titles=(Title(name),))


@pytest.mark.law("P7")
def test_undo_of_an_edit_restores_what_no_one_changed_since_and_undo_of_undo_works(
    phone: Device, memory: MemoryServer, book: str
) -> None:
    before = phone.contact("uid-001")
    changed = replace(before, titles=(Title("New"),), emails=(*before.emails, Email("more@x.example")))
    phone.engine.put([changed])
    run = phone.engine.runs()[0].id
    phone.edit("uid-001", lambda c: replace(c, titles=(Title("Newer"),)))
    undone = phone.engine.undo(run)
    assert undone.restored == 1 and any("title was changed" in str(left) for left in undone.left)
    assert phone.contact("uid-001").emails == before.emails
    assert phone.contact("uid-001").titles == (Title("Newer"),)
    phone.engine.undo(phone.engine.runs()[0].id)
    assert phone.contact("uid-001").emails == changed.emails
    calm(phone)
    there = people(memory, book)["uid-001"]
    assert there.titles == (Title("Newer"),) and there.emails == changed.emails


@pytest.mark.law("P7")
def test_undo_of_an_edit_brings_nothing_back_that_somebody_removed_since(phone: Device) -> None:
    labelled = (Email("more@x.example", label="Old"),)
    phone.edit("uid-001", lambda c: replace(c, titles=(Title("Old"),), emails=labelled))
    changed = replace(phone.contact("uid-001"), titles=(Title("New"),))
    phone.engine.put([replace(changed, emails=(replace(labelled[0], label="New"),))])
    run = phone.engine.runs()[0].id
    phone.edit("uid-001", lambda c: replace(c, titles=(), emails=(replace(labelled[0], label=""),)))
    before = phone.contact("uid-001")
    undone = phone.engine.undo(run)
    assert undone.restored == 0 and any("title was changed" in str(left) for left in undone.left)
    assert phone.contact("uid-001") == before


@pytest.mark.law("P7")
def test_undo_of_a_deletion_brings_it_back_everywhere(phone: Device, memory: MemoryServer, book: str) -> None:
    before = phone.contact("uid-002")
    phone.engine.delete(["uid-002"])
    run = phone.engine.runs()[0].id
    calm(phone)
    assert len(cards(memory, book)) == 3
    phone.engine.undo(run)
    calm(phone)
    assert people(memory, book)["uid-002"] == before == phone.contact("uid-002")


@pytest.mark.law("P7", "L26")
def test_undo_of_a_first_pull_deletes_nothing_at_the_remote_and_names_the_way(
    memory: MemoryServer, book: str, phone: Device, open_device: OpenDevice
) -> None:
    laptop = open_device("laptop", memory)
    laptop.sync()
    run = next(r.id for r in laptop.engine.runs() if r.kind == "sync")
    undone = laptop.engine.undo(run)
    assert undone.restored == 0 and len(undone.left) == 4
    assert all(left.command[:3] == ("contact", "delete", "--here-only") for left in undone.left)
    laptop.engine.delete(["uid-000"], here_only=True)
    calm(laptop)
    assert "uid-000" not in laptop.everyone() and len(cards(memory, book)) == 4
    laptop.engine.restore(["uid-000"])
    edit_there(memory, book, "uid-000", titled("From there"))
    calm(laptop)
    assert laptop.contact("uid-000").titles == (Title("From there"),)


@pytest.mark.law("L22", "L41")
def test_a_purge_forgets_for_good_and_only_what_is_gone_everywhere(
    phone: Device, memory: MemoryServer, book: str
) -> None:
    phone.engine.delete(["uid-003"])
    with pytest.raises(UsageError, match="sync"):
        phone.engine.purge(["uid-003"])
    calm(phone)
    phone.engine.purge(["uid-003"])
    assert not phone.engine.trash()
    assert "uid-003" not in str(phone.dump())
    assert phone.quiet() and len(cards(memory, book)) == 3


@pytest.mark.law("L40")
def test_a_merged_contact_keeps_all_values_and_the_twins_card_goes(
    phone: Device, memory: MemoryServer, book: str
) -> None:
    survivor = phone.engine.merge("uid-000", "uid-001").contact
    assert [e.address for e in survivor.emails] == ["person000@example.org", "person001@example.org"]
    assert {row.action for row in phone.engine.history("uid-000")} >= {"create", "update", "delete"}
    calm(phone)
    assert sorted(people(memory, book)) == ["uid-000", "uid-002", "uid-003"]
    assert phone.engine.contact("uid-001").uid == "uid-000"


@pytest.mark.law("L40")
def test_an_edit_of_the_twins_card_is_an_edit_of_the_survivor(
    phone: Device, memory: MemoryServer, book: str
) -> None:
    phone.engine.merge("uid-000", "uid-001")
    edit_there(memory, book, "uid-001", lambda c: replace(c, phones=(*c.phones, Phone("+1 555 777"))))
    calm(phone)
    assert Phone("+1 555 777") in phone.contact("uid-000").phones
    assert sorted(phone.everyone()) == ["uid-000", "uid-002", "uid-003"]
    assert sorted(people(memory, book)) == ["uid-000", "uid-002", "uid-003"]


@pytest.mark.law("L18")
@pytest.mark.parametrize(("take", "wanted"), [("device", "Here"), ("remote", "There")])
def test_an_open_question_holds_one_unit_until_a_person_answers(
    memory: MemoryServer, book: str, phone: Device, open_device: OpenDevice, take: str, wanted: str
) -> None:
    asking = open_device("asking", memory, conflicts="ask")
    calm(asking)
    asking.edit("uid-001", titled("Here"))
    edit_there(memory, book, "uid-001", titled("There"))
    for number in range(5):
        note = f"note {number}"
        edit_there(memory, book, "uid-001", lambda c, note=note: replace(c, notes=(Note(note),)))  # type: ignore[misc]
        report = asking.run()
        assert report.exit_code() == 4
        assert asking.contact("uid-001").titles == (Title("Here"),)
        assert people(memory, book)["uid-001"].titles == (Title("There"),)
        assert asking.contact("uid-001").notes == (Note(note),)
    (question,) = asking.engine.conflicts(only_open=True)
    asking.engine.resolve(question.id, take)
    calm(asking)
    assert asking.contact("uid-001").titles == (Title(wanted),)
    assert people(memory, book)["uid-001"].titles == (Title(wanted),)
    assert asking.run().exit_code() == 0


@pytest.mark.law("L16")
def test_the_losing_value_can_be_taken_back(memory: MemoryServer, book: str, phone: Device) -> None:
    phone.edit("uid-001", titled("Here"))
    edit_there(memory, book, "uid-001", titled("There"))
    calm(phone)
    (conflict,) = phone.engine.conflicts()
    assert (conflict.status, conflict.winner) == ("decided", "remote")
    assert phone.contact("uid-001").titles == (Title("There"),)
    phone.engine.resolve(conflict.id, "device")
    calm(phone)
    assert people(memory, book)["uid-001"].titles == (Title("Here"),)


@pytest.mark.law("L16", "L18")
@pytest.mark.parametrize("policy", ["device", "remote", "ask"])
@pytest.mark.parametrize("later", ["Here", "There"])
def test_the_newest_of_both_values_can_be_taken_whatever_the_policy_chose(
    open_device: OpenDevice, policy: str, later: str
) -> None:
    now = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    memory = MemoryServer(clock=lambda: now[0])
    book = next(iter(memory.books))
    device = open_device("phone", memory, hooks=Hooks(now=lambda: now[0]), conflicts=policy)
    device.engine.put([person(1)])
    calm(device)
    edits = {
        "Here": lambda: device.edit("uid-001", titled("Here")),
        "There": lambda: edit_there(memory, book, "uid-001", titled("There")),
    }
    for name in sorted(edits, key=lambda name: name == later):
        now[0] += timedelta(hours=1)
        edits[name]()
    device.run()
    (conflict,) = device.engine.conflicts()
    assert conflict.local_at is not None and conflict.remote_at is not None
    assert (conflict.remote_at > conflict.local_at) == (later == "There")
    device.engine.resolve(conflict.id, "newest")
    now[0] += timedelta(hours=1)
    calm(device)
    assert device.contact("uid-001").titles == people(memory, book)["uid-001"].titles == (Title(later),)


@pytest.mark.law("L12", "L11")
def test_what_a_server_cuts_stays_whole_on_the_device_and_is_not_sent_again(
    open_device: OpenDevice, tmp_path: Path
) -> None:
    server = MemoryServer()
    server.habits.on_store = lambda payload: payload.replace(b"NOTE:one\\ntwo", b"NOTE:one")
    device = open_device("cut", server)
    device.engine.put([person(0, notes=(Note("one\ntwo"),))])
    assert device.sync().pushed.created == 1
    assert all(device.quiet() for _ in range(3))
    assert device.contact("uid-000").notes == (Note("one\ntwo"),)
    assert device.engine.status()["lost_at_remotes"] == 1
    (where,) = [w for w in device.engine.where("uid-000") if w.path.startswith("notes")]
    assert where.accounts == ()


@pytest.mark.law("L36")
def test_a_dry_run_leaves_device_and_remote_as_they_are(
    phone: Device, memory: MemoryServer, book: str
) -> None:
    phone.edit("uid-001", titled("Here"))
    edit_there(memory, book, "uid-002", titled("There"))
    tables = ("contact", "link", "contact_group", "group_link", "conflict", "journal", "blob")
    before, there = phone.dump(), cards(memory, book)
    report = phone.report(dry_run=True)
    after = phone.dump()
    assert {name: after[name] for name in tables} == {name: before[name] for name in tables}
    assert cards(memory, book) == there
    assert {(line.side, line.action) for line in report.plan} == {("remote", "update"), ("device", "update")}
