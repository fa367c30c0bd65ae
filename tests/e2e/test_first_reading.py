"""A book that is read for the first time: cards become contacts as they come, and the device is as if all
had come at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from contactsync.connectors.memory import Habits, MemoryServer
from contactsync.model.contact import Contact, Email, Name, NameComponent
from contactsync.store.values import StoredLink
from tests.e2e.conftest import OpenDevice
from tests.e2e.devices import Device, calm, card, fill, person

MANY = 250
MEMBER = "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:p007"
#: Beside the plain ones: twice the same UID, no UID (two of them alike), a group card, two that cannot be
#: read, and somebody in a group of that name.
ODD = {
    "a.vcf": card("twice", "Twice", "EMAIL:a@example.org"),
    "z.vcf": card("twice", "Twice", "EMAIL:a@example.org", "EMAIL:z@example.org"),
    "b.vcf": card("", "Nameless One", "EMAIL:same@example.org").replace(b"UID:\r\n", b""),
    "y.vcf": card("", "Nameless One", "EMAIL:same@example.org").replace(b"UID:\r\n", b""),
    "c.vcf": card("chess", "Chess", "X-ADDRESSBOOKSERVER-KIND:group", MEMBER),
    "d.vcf": b"this is no card\r\n",
    "e.vcf": card("player", "Player", "CATEGORIES:Chess,Family"),
    "x.vcf": b"BEGIN:VCARD\r\nEND:VTODO\r\n",
}


def plain(many: int = MANY) -> Iterable[bytes]:
    return (card(f"p{n:03d}", f"P {n}", f"EMAIL:p{n}@example.org") for n in range(many))


def odd(memory: MemoryServer, book: str) -> None:
    fill(memory, book, plain())
    for name, payload in ODD.items():
        memory.put(book + name, payload)


def people(device: Device) -> list[Contact]:
    """Everybody, without the names that the device made up."""
    made_up = {link.contact_id for link in _links(device) if not link.card_uid}
    found = device.engine.contacts()
    groups = {group.id: group.name for group in device.engine.store.groups.all()}
    return sorted(
        (
            replace(
                s.contact,
                uid="" if s.id in made_up or s.held else s.uid,
                groups=frozenset(groups[g] for g in s.contact.groups),
            )
            for s in found
        ),
        key=repr,
    )


def _links(device: Device) -> list[StoredLink]:
    (book,) = device.engine.store.books.of_account("home")
    return device.engine.store.links.in_state(book.id, "ok", "written", "recheck")


@pytest.mark.law("L31")
def test_who_came_is_there_before_the_rest_is_read(
    open_device: OpenDevice, memory: MemoryServer, book: str
) -> None:
    fill(memory, book, plain())
    device = open_device("phone", memory)
    seen: list[int] = []
    device.engine.hooks.step = lambda name: seen.append(device.engine.store.contacts.count())
    assert device.sync().pulled.created == MANY
    assert seen[:3] == [100, 200, 250]
    assert device.quiet()


@pytest.mark.law("P6", "L27", "L35", "L39")
def test_the_device_is_as_if_all_had_come_at_once(
    open_device: OpenDevice, memory: MemoryServer, book: str
) -> None:
    odd(memory, book)
    device, other = open_device("phone", memory), open_device("tablet", memory)
    somebody = person(1)
    other.engine.put([somebody])  # somebody is there: everything waits for the end of the book
    device.run()
    other.run()
    assert other.engine.store.contacts.count() == device.engine.store.contacts.count() + 1
    everybody = [contact for contact in people(other) if contact.display != somebody.display]
    assert people(device) == everybody
    held = [sorted(s.contact.display for s in d.engine.contacts() if s.held) for d in (device, other)]
    assert held[0] == held[1] == ["Twice"]
    aside = [sorted(q.href for q in d.engine.store.keepsakes.quarantined()) for d in (device, other)]
    assert aside[0] == aside[1] != []
    assert not other.engine.store.books.staged(1) and not device.engine.store.books.staged(1)


@pytest.mark.law("L31")
def test_a_reading_that_is_broken_off_ends_as_if_it_had_not_been(
    open_device: OpenDevice, memory: MemoryServer, book: str
) -> None:
    odd(memory, book)
    device, other = open_device("phone", memory), open_device("tablet", memory)
    other.run()
    seen: list[str] = []
    device.engine.hooks.step = seen.append
    for _ in range(2):
        seen.clear()
        device.engine.hooks.stopping = lambda: bool(seen)
        assert device.run().stopped
    assert 0 < device.engine.store.contacts.count() < other.engine.store.contacts.count()
    device.engine.hooks.stopping = lambda: False
    device.run()
    assert people(device) == people(other)
    assert sum(bool(s.held) for s in device.engine.contacts()) == 1


@pytest.mark.law("L24", "L28")
def test_whoever_is_entered_on_the_device_meanwhile_meets_their_card(
    open_device: OpenDevice, memory: MemoryServer, book: str
) -> None:
    fill(memory, book, plain())
    device = open_device("phone", memory)
    entered = Contact(
        uid="mine",
        name=Name((NameComponent("surname", "P 240"),), "P 240"),
        emails=(Email("p240@example.org"),),
    )
    added: list[str] = []

    def step(name: str) -> None:
        if not added:
            added.append(name)
            with device.open() as other:
                other.put([entered])

    device.engine.hooks.step = step
    device.run()
    device.engine.hooks.step = lambda name: None
    calm(device)
    assert device.engine.store.contacts.count() == MANY
    assert [link.card_uid for link in device.links("mine")] == ["p240"]


@pytest.mark.law("L27")
def test_who_comes_after_the_first_reading_is_compared_with_those_who_are_there(
    open_device: OpenDevice,
) -> None:
    memory = MemoryServer(Habits(incremental=False))
    (book,) = memory.books
    fill(memory, book, plain(20))
    device = open_device("phone", memory)
    device.sync()
    memory.put(f"{book}double.vcf", card("double", "P 7", "EMAIL:p7@example.org"))
    device.sync()
    assert [s.contact.display for s in device.engine.contacts() if s.held] == ["P 7"]
