"""Two devices and one server: the main job, on every server that the tests can start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.model.contact import Contact, Email, Extra, Note, Phone, Title
from tests.e2e.devices import Device, account_for, calm, card, person
from tests.each_server import each_server
from tests.servers import Server

SERVERS = each_server("radicale", "radicale31", "xandikos")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def book(server: Server) -> Iterator[str]:
    path = server.make_book("scenario")
    yield path
    server.delete_book(path)


@pytest.fixture
def devices(tmp_path: Path, server: Server, book: str) -> Iterator[tuple[Device, Device]]:
    account = account_for(server, book)
    pair = (Device(tmp_path / "phone", server, account), Device(tmp_path / "laptop", server, account))
    yield pair
    for device in pair:
        device.close()


def forty() -> list[Contact]:
    people = [person(n) for n in range(40)]
    people[0] = replace(people[0], groups=frozenset({"Friends", "Chess"}))
    people[1] = replace(people[1], groups=frozenset({"Friends"}))
    people[2] = replace(people[2], extra=(Extra("X-SHOE-SIZE", "43"),))
    people[3] = replace(people[3], notes=(Note("first line\nsecond line, with a comma; and more"),))
    return people


@pytest.mark.law("P1", "P2", "P3", "P4", "P8", "L14", "L16", "L23")
def test_forty_contacts_on_two_devices_stay_the_same(
    devices: tuple[Device, Device], server: Server, book: str
) -> None:
    phone, laptop = devices
    phone.engine.put(forty())
    assert phone.sync().pushed.created == 40
    assert laptop.sync().pulled.created == 40
    calm(phone, laptop)
    assert phone.everyone() == laptop.everyone()
    assert laptop.contact("uid-002").extra == (Extra("X-SHOE-SIZE", "43"),)

    phone.edit("uid-010", lambda c: replace(c, titles=(Title("Captain"),)))
    laptop.edit("uid-010", lambda c: replace(c, phones=(replace(c.phones[0], number="+49 30 999"),)))
    phone.edit("uid-011", lambda c: replace(c, titles=(Title("From the phone"),)))
    laptop.edit("uid-011", lambda c: replace(c, titles=(Title("From the laptop"),)))
    phone.engine.delete(["uid-012"])
    laptop.edit("uid-012", lambda c: replace(c, emails=(*c.emails, Email("new@example.org"))))
    phone.engine.delete(["uid-013"])
    laptop.engine.rename_group("Friends", "Best friends")
    for device in (phone, laptop, phone, laptop):
        device.sync()
    calm(phone, laptop)

    both = phone.contact("uid-010")
    assert both.titles == (Title("Captain"),) and both.phones[0].number == "+49 30 999"
    winner = phone.contact("uid-011").titles[0].name
    losers = {"From the phone", "From the laptop"} - {winner}
    conflicts = [*laptop.engine.conflicts(), *phone.engine.conflicts()]
    recorded = [value for c in conflicts if c.path.startswith("titles/") for value in (c.local, c.remote)]
    assert losers <= {value["name"] for value in recorded if isinstance(value, dict)}
    assert Email("new@example.org") in phone.contact("uid-012").emails
    assert phone.engine.store.contacts.by_uid("uid-013").deleted  # type: ignore[union-attr]
    assert laptop.engine.store.contacts.by_uid("uid-013").deleted  # type: ignore[union-attr]
    assert phone.contact("uid-000").groups == frozenset({"Best friends", "Chess"})
    assert {g.name for g in phone.engine.groups()} == {"Best friends", "Chess"}
    assert phone.everyone() == laptop.everyone()
    assert len(server.etags(book)) == 39


@pytest.mark.law("L7")
def test_what_no_one_edited_stays_byte_for_byte(
    devices: tuple[Device, Device], server: Server, book: str
) -> None:
    phone, _ = devices
    card = (
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:foreign\r\nFN:Grace Hopper\r\nN:Hopper;Grace;;;\r\n"
        b"TEL;TYPE=CELL:+1 555 0100\r\nX-RANK;LEVEL=high:Rear admiral\r\nitem1.URL:https://example.org/\r\n"
        b"item1.X-ABLABEL:_$!<HomePage>!$_\r\nEND:VCARD\r\n"
    )
    server.put(book + "foreign.vcf", card)
    stored = server.get(book + "foreign.vcf") or b""
    phone.sync()
    phone.edit("foreign", lambda c: replace(c, phones=(Phone("+1 555 0199", features=frozenset({"cell"})),)))
    phone.sync()
    after = server.get(book + "foreign.vcf") or b""
    before_lines = set(stored.replace(b"\r\n", b"\n").split(b"\n"))
    after_lines = set(after.replace(b"\r\n", b"\n").split(b"\n"))
    assert list(after_lines - before_lines) == [b"TEL;TYPE=CELL:+1 555 0199"]
    assert len(before_lines - after_lines) == 1
    assert phone.quiet() or phone.quiet()


@pytest.mark.law("P2", "L27")
def test_two_devices_that_had_the_same_people_meet_without_doubles(
    devices: tuple[Device, Device], server: Server, book: str
) -> None:
    phone, laptop = devices
    phone.engine.put([person(n) for n in range(10)])
    laptop.engine.put([replace(person(n), uid=f"other-{n}") for n in range(10)])
    for device in (phone, laptop, phone, laptop):
        device.sync()
    calm(phone, laptop)
    assert len(server.etags(book)) == 10
    assert len(phone.everyone()) == len(laptop.everyone()) == 10


@pytest.mark.law("L29", "P2")
def test_two_cards_with_one_uid_stay_two_where_the_server_allows_them(
    server: Server, book: str, devices: tuple[Device, Device]
) -> None:
    phone, _ = devices
    server.put(book + "a.vcf", card("same", "Sam", "TITLE:One"))
    second = card("same", "Sam", "TITLE:Two")
    answer = server.request("PUT", book + "b.vcf", data=second, headers={"Content-Type": "text/vcard"})
    phone.sync()
    expected = ["One", "Two"] if answer.ok else ["One"]
    assert sorted(c.titles[0].name for c in phone.everyone().values()) == expected
    assert len(server.etags(book)) == len(expected)
    calm(phone)
