"""Two that may be the same person: found, held back, merged or told apart, and taken back (L27, L29, L40)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.connectors.memory import MemoryServer
from contactsync.engine.duplicates import Candidate
from contactsync.errors import UsageError
from contactsync.exchange.importer import import_sources
from contactsync.model.contact import Contact, Email, Note
from contactsync.vcard.codec import VCardCodec
from tests.e2e.devices import Device, calm, person, uids

OpenDevice = Callable[..., Device]


@pytest.fixture
def phone(memory: MemoryServer, open_device: OpenDevice) -> Device:
    device = open_device("phone", memory)
    device.engine.put([person(n) for n in range(3)])
    calm(device)
    return device


def namesake(number: int, uid: str = "other") -> Contact:
    """Has the name of somebody, and another address."""
    return replace(
        person(number), uid=uid, emails=(Email(f"{uid}@x.example"),), phones=(), notes=(Note(uid),)
    )


def load(device: Device, folder: Path, *contacts: Contact) -> None:
    file = folder / "people.vcf"
    file.write_bytes(b"".join(VCardCodec().write(contact, None) for contact in contacts))
    import_sources(device.engine, [str(file)])


def pairs(device: Device) -> list[tuple[str, str | None]]:
    return [(c.one.uid, c.other.uid if c.other else None) for c in device.engine.duplicates()]


def only(device: Device) -> Candidate:
    (found,) = device.engine.duplicates()
    return found


@pytest.fixture
def held(phone: Device, tmp_path: Path, memory: MemoryServer, book: str) -> Device:
    """Somebody who is held back, as there is a contact of that name."""
    load(phone, tmp_path, namesake(1))
    calm(phone)
    assert uids(memory, book) == ["uid-000", "uid-001", "uid-002"]
    return phone


@pytest.mark.law("L27")
def test_who_is_held_back_is_listed_first_with_whom_it_may_be(held: Device) -> None:
    held.engine.put([replace(person(0), uid="copy", notes=(Note("same"),))])
    first, second = held.engine.duplicates()
    assert first.other is not None and second.other is not None
    assert (first.one.uid, first.other.uid, first.held) == ("uid-001", "other", True)
    assert (second.one.uid, second.other.uid, second.held) == ("uid-000", "copy", False)
    assert second.sure and second.score > first.score


@pytest.mark.law("L27")
def test_that_two_are_not_the_same_is_remembered_and_lets_go(
    held: Device, memory: MemoryServer, book: str
) -> None:
    run = held.engine.not_the_same("uid-001", "other")
    assert pairs(held) == []
    calm(held)
    assert uids(memory, book) == ["other", "uid-000", "uid-001", "uid-002"]
    assert [row.action for row in held.engine.run(run)[1]] == ["not-the-same", "release"]
    held.engine.undo(run)
    assert pairs(held) == [("uid-001", "other")] and only(held).held


@pytest.mark.law("L27", "L40")
def test_that_two_are_the_same_makes_one_of_them(held: Device, memory: MemoryServer, book: str) -> None:
    held.engine.merge("uid-001", "other")
    calm(held)
    assert pairs(held) == [] and uids(memory, book) == ["uid-000", "uid-001", "uid-002"]
    assert Email("other@x.example") in held.contact("uid-001").emails
    held.engine.undo(next(run.id for run in held.engine.runs() if run.kind == "merge"))
    assert only(held).held and held.contact("other") == namesake(1)
    calm(held)
    assert uids(memory, book) == ["uid-000", "uid-001", "uid-002"]


@pytest.mark.law("L27")
def test_the_one_that_others_have_already_can_be_merged_into_the_one_held_back(
    held: Device, memory: MemoryServer, book: str
) -> None:
    held.engine.merge("other", "uid-001")
    calm(held)
    assert uids(memory, book) == ["other", "uid-000", "uid-002"]
    assert not held.engine.contact("other").held


@pytest.mark.law("L27")
def test_two_who_are_held_back_for_a_third_stay_so_when_they_become_one(
    held: Device, tmp_path: Path, memory: MemoryServer, book: str
) -> None:
    load(held, tmp_path, namesake(1, "third"))
    assert sorted(pairs(held)) == [("other", "third"), ("uid-001", "other"), ("uid-001", "third")]
    held.engine.merge("other", "third")
    assert pairs(held) == [("uid-001", "other")] and only(held).held
    held.engine.not_the_same("other", "uid-001")
    calm(held)
    assert pairs(held) == [] and uids(memory, book) == ["other", "uid-000", "uid-001", "uid-002"]


@pytest.mark.law("L29")
def test_a_second_card_with_the_uid_of_another_person_is_listed_though_nothing_is_alike(
    phone: Device, memory: MemoryServer, book: str
) -> None:
    stranger = Contact(uid="uid-000", emails=(Email("q@q.example"),), notes=(Note("q"),))
    memory.put(f"{book}second.vcf", VCardCodec().write(stranger, None))
    calm(phone)
    found = only(phone)
    assert found.held and found.other is not None and found.one.uid == "uid-000"
    assert "a second card with the UID of" in found.reasons[0]
    phone.engine.not_the_same("uid-000", found.other.uid)
    calm(phone)
    assert pairs(phone) == [] and not phone.engine.status()["held"]


@pytest.mark.law("L27")
def test_who_is_held_back_for_somebody_who_is_gone_is_let_go_by_a_word(
    held: Device, memory: MemoryServer, book: str
) -> None:
    held.engine.delete(["uid-001"])
    calm(held)
    assert pairs(held) == [("other", None)] and only(held).held
    run = held.engine.release("other")
    calm(held)
    assert pairs(held) == [] and uids(memory, book) == ["other", "uid-000", "uid-002"]
    with pytest.raises(UsageError, match="not held back"):
        held.engine.release("other")
    held.engine.undo(run)
    assert only(held).held


@pytest.mark.law("L40")
def test_who_is_not_the_same_as_one_of_two_is_not_the_same_as_both_made_one(held: Device) -> None:
    held.engine.put([replace(person(1), uid="copy", notes=(Note("same"),))])
    held.engine.not_the_same("uid-001", "other")
    held.engine.not_the_same("copy", "other")
    held.engine.merge("copy", "uid-001")
    assert pairs(held) == []


def test_one_contact_is_no_pair(held: Device) -> None:
    for act in (held.engine.merge, held.engine.not_the_same):
        with pytest.raises(UsageError, match="the same contact already"):
            act("other", "other")
