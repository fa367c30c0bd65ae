"""Which account shows which value of a contact, and why another does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.connectors.memory import MemoryServer
from contactsync.model.contact import Email, Note, Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.devices import Device, path_of, person
from tests.e2e.test_outlook import open_device as open_at_outlook
from tests.simulators.graph import graph

OpenDevice = Callable[..., Device]
NEXT, HOME = "with the next round", ("home",)


def why(device: Device, field: str, uid: str = "uid-000") -> list[str]:
    """For each value of a field its reason, empty where the account shows it."""
    values = [value for value in device.engine.where(uid) if value.path.count("/") < 2]
    found = [value for value in values if value.path.split("/")[0] == field]
    assert all((value.accounts == ()) == bool(value.why) for value in found)
    return [value.why.get("home", "") for value in found]


@pytest.fixture
def phone(memory: MemoryServer, open_device: OpenDevice) -> Device:
    device = open_device("phone", memory)
    device.engine.put([person(0)])
    return device


def test_what_was_not_sent_yet_goes_with_the_next_round(phone: Device) -> None:
    assert why(phone, "titles") == why(phone, "phones") == [NEXT]
    phone.sync()
    assert why(phone, "titles") == why(phone, "name") == [""]
    phone.edit("uid-000", lambda c: replace(c, titles=(Title("New"),)))
    assert (why(phone, "titles"), why(phone, "phones")) == ([NEXT], [""])


def test_numbers_in_another_form_and_other_labels_are_no_difference(
    phone: Device, memory: MemoryServer
) -> None:
    phone.sync()
    book = next(iter(memory.books))
    path = path_of(memory, book, "uid-000")
    memory.put(path, (memory.get(path) or b"").replace(b"+49 30 555 0000", b"+49-30-5550000"))
    phone.sync()
    assert why(phone, "phones") == [""]


@pytest.mark.law("L12")
def test_what_an_account_did_not_keep_is_said_and_named_in_the_status(
    phone: Device, memory: MemoryServer
) -> None:
    memory.habits.on_store = lambda payload: payload.replace(b"TITLE:Title 0\r\n", b"")
    phone.sync()
    phone.sync()
    assert (why(phone, "titles"), why(phone, "phones")) == (["did not keep it"], [""])
    name = "Person000 Tester"
    loss = {"account": "home", "uid": "uid-000", "name": name, "fields": ["titles"]}
    assert phone.engine.status()["losses"] == [loss]


@pytest.mark.law("L18")
def test_an_open_question_waits_for_an_answer(memory: MemoryServer, open_device: OpenDevice) -> None:
    device = open_device("asking", memory, conflicts="ask")
    device.engine.put([person(0)])
    device.sync()
    book, codec = next(iter(memory.books)), VCardCodec()
    path = path_of(memory, book, "uid-000")
    payload = memory.get(path) or b""
    memory.put(path, codec.write(replace(codec.read(payload), titles=(Title("There"),)), payload))
    device.edit("uid-000", lambda c: replace(c, titles=(Title("Here"),)))
    device.run()
    assert "waits for your answer" in why(device, "titles")[0] and why(device, "emails") == [""]


@pytest.mark.law("L26")
@pytest.mark.parametrize(
    ("setting", "reason"), [({"mode": "pull"}, "is only read"), ({"paused": True}, "is paused")]
)
def test_an_account_that_gets_nothing_says_so(
    memory: MemoryServer, open_device: OpenDevice, setting: dict[str, object], reason: str
) -> None:
    device = open_device("odd", memory, **setting)
    device.engine.put([person(0)])
    device.run()
    assert why(device, "titles") == [reason]


@pytest.mark.law("L27")
def test_who_is_held_back_waits_for_a_decision(phone: Device) -> None:
    phone.sync()
    stored = phone.engine.store.contacts.by_uid("uid-000")
    assert stored is not None
    phone.engine.put([replace(person(0), uid="twin", notes=(Note("another"),))])
    twin = phone.engine.store.contacts.by_uid("twin")
    assert twin is not None
    with phone.engine.store.transaction():
        phone.engine.store.contacts.hold(twin.id, "may be the same as Person000 Tester", "uid-000")
    phone.sync()
    assert why(phone, "notes", "twin") == ["held back until you decide"]


@pytest.fixture
def outlook(tmp_path: Path) -> Iterator[Device]:
    with graph() as server:
        device = open_at_outlook(tmp_path, server)
        yield device
        device.close()


@pytest.mark.law("L10")
def test_what_a_remote_has_no_place_for_stays_here(outlook: Device) -> None:
    emails = tuple(Email(f"e{number}@x.example") for number in range(4))
    outlook.engine.put([replace(person(0), emails=emails)])
    outlook.sync()
    found = {value.path: value for value in outlook.engine.where("uid-000")}
    reasons = [list(found[f"emails/{email.address}"].why.values()) for email in emails]
    assert reasons == [[], [], [], ["has no place for it"]]
