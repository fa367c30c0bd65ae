"""A folder as an account: through the engine, and with bad files in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Hooks
from contactsync.config import AccountConfig
from contactsync.connectors.memory import MemoryServer
from contactsync.connectors.vdir import factory
from contactsync.model.contact import Contact, Title
from tests.e2e.devices import ANYTHING, Device, card, person


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "contacts"
    made.mkdir()
    return made


@pytest.fixture
def device(tmp_path: Path, folder: Path) -> Iterator[Device]:
    account = AccountConfig("home", "vdir", url=str(folder))
    made = Device(tmp_path / "phone", MemoryServer(), account, Hooks(connect=factory))
    yield made
    made.close()


def put(folder: Path, uid: str, *lines: str, name: str = "") -> Path:
    path = folder / f"{uid}.vcf"
    path.write_bytes(card(uid, name, *lines))
    return path


def titled(text: str) -> Callable[[Contact], Contact]:
    return lambda contact: replace(contact, titles=(Title(text),))


def test_edits_cross_both_ways_and_the_rest_of_a_file_keeps_its_bytes(device: Device, folder: Path) -> None:
    own = ('X-PHONETIC-ODD;X="1":kept', "NOTE:a", "item1.TEL;type=CELL:1")
    path = put(folder, "ada", *own, name="Ada")
    device.sync()
    assert device.engine.put([person(1)]) is not None
    device.edit("ada", titled("Countess"))
    device.sync()
    before = card("ada", "Ada", *own).splitlines()
    assert [line for line in path.read_bytes().splitlines() if line in before] == before
    assert b"TITLE:Countess" in path.read_bytes()
    assert len([*folder.glob("*.vcf")]) == 2
    path.write_bytes(path.read_bytes().replace(b"Countess", b"Programmer"))
    device.sync()
    assert device.contact("ada").titles == (Title("Programmer"),)
    path.unlink()
    assert device.sync().pulled.deleted == 1
    assert device.quiet()


@pytest.mark.law("L20", "L35")
def test_a_half_written_file_is_no_edit_and_no_deletion_and_stops_no_other(
    device: Device, folder: Path
) -> None:
    half, fine = put(folder, "half", "TEL:1"), put(folder, "fine")
    device.sync()
    known = device.contact("half")
    half.write_bytes(card("half", "", "TEL:2")[:-20])
    put(folder, "fine", "TEL:3")
    device.edit("half", titled("Edited here"))
    for _ in range(2):
        (book,) = device.report().books
        assert ["half.vcf is half written" in error.reason for error in book.errors] == [True]
    assert device.contact("fine").phones and device.contact("half").phones == known.phones
    assert half.read_bytes() == card("half", "", "TEL:2")[:-20]
    half.write_bytes(card("half", "", "TEL:2"))
    device.sync()
    assert device.contact("half").phones[0].number == "2"
    assert b"TITLE:Edited here" in half.read_bytes() and fine.exists()
    device.sync()
    assert device.quiet()


@pytest.mark.law("L29")
def test_two_files_with_one_uid_are_two_contacts(device: Device, folder: Path) -> None:
    first, second = put(folder, "same", "TEL:1", name="Ada"), folder / "copy.vcf"
    device.sync()
    second.write_bytes(card("same", "Eve", "TEL:2"))
    device.sync()
    device.sync()
    assert sorted(c.display for c in device.everyone().values()) == ["Ada", "Eve"]
    assert first.read_bytes() == card("same", "Ada", "TEL:1")
    assert second.read_bytes() == card("same", "Eve", "TEL:2")
    assert device.quiet()


@pytest.mark.law("L35")
def test_a_file_that_is_no_card_is_set_aside_and_the_rest_goes_on(device: Device, folder: Path) -> None:
    (folder / "letter.vcf").write_bytes(b"Dear Ada,\n")
    (folder / "both.vcf").write_bytes(card("one") + card("two"))
    put(folder, "fine")
    (book,) = device.report().books
    assert len(book.errors) == 2
    assert [*device.everyone()] == ["fine"]
    assert device.quiet()
    (folder / "letter.vcf").write_bytes(card("letter"))
    device.report()
    assert sorted(device.everyone()) == ["fine", "letter"]
    assert (folder / "both.vcf").read_bytes() == card("one") + card("two")


@pytest.mark.law("L24", "L27")
def test_files_that_another_program_renames_stay_the_same_contacts(device: Device, folder: Path) -> None:
    """All of them, so that no name of before is there; one is edited there, one here, one is in a group."""
    for n in range(6):
        put(folder, f"c{n}", f"TEL:+49{n}", *(["CATEGORIES:Family"] if n == 0 else []))
    device.sync()
    before = {uid: stored.id for uid in device.everyone() if (stored := device.engine.contact(uid))}
    device.edit("c1", titled("Edited here"))
    for n in range(6):
        (folder / f"c{n}.vcf").rename(folder / f"{n}-new.vcf")
    (folder / "2-new.vcf").write_bytes(card("c2", "", "TEL:+492", "TITLE:Edited there"))
    for _ in range(3):
        assert not device.sync().pulled.deleted
    assert {uid: device.engine.contact(uid).id for uid in device.everyone()} == before
    assert device.contact("c0").groups == {"Family"} and not device.engine.trash()
    assert device.contact("c2").titles == (Title("Edited there"),)
    assert sorted(path.name for path in folder.iterdir()) == [f"{n}-new.vcf" for n in range(6)]
    assert b"TITLE:Edited here" in (folder / "1-new.vcf").read_bytes()
    assert [len(device.links(uid)) for uid in before] == [1] * 6
    assert not device.engine.conflicts() and device.quiet()


@pytest.mark.law("L20", "L24")
def test_a_file_that_another_program_moves_by_copying_it_is_deleted_at_no_moment(
    device: Device, folder: Path
) -> None:
    path = put(folder, "ada", "TEL:1")
    put(folder, "eve")
    device.sync()
    ada, payload = device.engine.contact("ada").id, path.read_bytes()
    device.edit("ada", titled("Edited here"))
    path.unlink()
    (folder / "new.vcf").write_bytes(payload[:60])
    assert not any(book.pulled for book in device.report().books)
    assert device.engine.contact("ada").id == ada
    (folder / "new.vcf").write_bytes(payload)
    for _ in range(2):
        device.sync()
    assert device.engine.contact("ada").id == ada and not device.engine.conflicts()
    assert sorted(file.name for file in folder.iterdir()) == ["eve.vcf", "new.vcf"]
    assert b"TITLE:Edited here" in (folder / "new.vcf").read_bytes()
    assert device.quiet()


@pytest.mark.law("L20")
def test_a_half_written_file_that_is_removed_is_a_deletion(device: Device, folder: Path) -> None:
    path = put(folder, "ada")
    put(folder, "eve")
    device.sync()
    path.write_bytes(path.read_bytes()[:60])
    device.report()
    path.unlink()
    device.sync()
    assert [*device.everyone()] == ["eve"] and device.quiet()


@pytest.mark.law("L25")
def test_the_brake_is_not_taken_in_by_new_files(device: Device, folder: Path) -> None:
    for n in range(12):
        put(folder, f"old{n}", f"TEL:+49{n}")
    device.sync()
    for n in range(12):
        (folder / f"old{n}.vcf").unlink()
        put(folder, f"new{n}", f"TEL:+33{n}")
    report = device.run()
    assert report.exit_code() == 7 and "12 of 12" in report.accounts[0].message
    assert len(device.everyone()) == 12


@pytest.mark.law("L23")
def test_a_file_that_comes_back_as_it_was_brings_its_contact_back(device: Device, folder: Path) -> None:
    path = put(folder, "ada", "TEL:1")
    put(folder, "eve")
    device.sync()
    ada, payload = device.engine.contact("ada").id, path.read_bytes()
    path.unlink()
    path.write_bytes(payload)  # at once: nothing happened
    assert not device.sync().pulled
    path.unlink()
    assert device.sync().pulled.deleted == 1
    (folder / "again.vcf").write_bytes(payload)
    device.sync()
    assert device.engine.contact("ada").id == ada and device.contact("ada").phones
    assert device.quiet() and len(device.everyone()) == 2


@pytest.mark.law("L21")
def test_a_folder_that_vanished_is_an_error_and_comes_back(device: Device, folder: Path) -> None:
    for n in range(3):
        put(folder, f"c{n}")
    device.sync()
    folder.rename(folder.with_name("away"))
    for _ in range(2):
        report = device.report()
        assert report.state != "ok" and str(folder) in report.message
        assert len(device.everyone()) == 3
    assert not folder.exists()
    folder.with_name("away").rename(folder)
    device.sync()
    assert device.quiet() and len([*folder.iterdir()]) == 3


@pytest.mark.law("L21")
def test_a_sub_folder_that_vanished_is_named_and_the_others_go_on(device: Device, folder: Path) -> None:
    for name in ("friends", "work"):
        (folder / name).mkdir()
        put(folder / name, name)
    device.sync()
    shutil.rmtree(folder / "work")
    put(folder / "friends", "new")
    report = device.report()
    assert "'work'" in report.message
    assert sorted(device.everyone()) == ["friends", "new", "work"]


@pytest.mark.law("L25")
def test_an_emptied_folder_trips_the_brake(device: Device, folder: Path) -> None:
    cards = [put(folder, f"c{n:02d}") for n in range(12)]
    device.sync()
    for path in cards:
        path.unlink()
    for _ in range(2):
        report = device.run()
        assert report.exit_code() == 7 and "12 of 12" in report.accounts[0].message
        assert len(device.everyone()) == 12
    device.sync(limits=ANYTHING)
    assert not device.everyone()
