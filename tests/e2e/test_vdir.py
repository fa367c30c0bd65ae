"""A folder as an account: through the engine, with bad files in it, and together with khard and a server."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, Config
from contactsync.connectors.memory import MemoryServer
from contactsync.connectors.vdir import factory
from contactsync.model.contact import Contact, Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.conftest import NewBook
from tests.e2e.devices import ANYTHING, Device, account_for, card, fill, person, read_all
from tests.servers import Server

#: Where khard is, if it is not in PATH: `pip install khard` in an environment of its own.
KHARD = "CONTACTSYNC_TEST_KHARD"


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


# ---- khard ---------------------------------------------------------------------------------------


class Khard:
    """khard with a configuration of its own."""

    def __init__(self, home: Path, book: Path) -> None:
        self.home = home
        self.config = home / "khard.conf"
        self.config.write_text(
            f"[addressbooks]\n[[friends]]\npath = {book}\n[general]\neditor = false\nmerge_editor = false\n"
            "[vcard]\npreferred_version = 3.0\n",
            encoding="utf-8",
        )

    def __call__(self, *words: str) -> str:
        """What it prints; each of its questions is answered with yes."""
        done = subprocess.run(
            [_khard() or "khard", "-c", str(self.config), *words],
            input="yes\n" * 3,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "HOME": str(self.home), "PYTHONPATH": ""},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def person(self, given: str, family: str, phone: str, **more: str) -> str:
        """A template for ``-i``."""
        path = self.home / "template.yaml"
        rest = "".join(f"{key}: {value}\n" for key, value in more.items())
        path.write_text(
            f"Formatted name: {given} {family}\nFirst name: {given}\nLast name: {family}\n"
            f'Phone:\n    cell: "{phone}"\n{rest}',
            encoding="utf-8",
        )
        return str(path)


def _khard() -> str | None:
    return os.environ.get(KHARD) or shutil.which("khard")


@pytest.mark.skipif(_khard() is None, reason=f"khard is not installed (or name it in {KHARD})")
def test_khard_contactsync_and_a_server_agree(
    radicale: Server, new_book: NewBook, tmp_path: Path, folder: Path
) -> None:
    book = new_book(radicale)
    (folder / "friends").mkdir()
    khard = Khard(tmp_path, folder / "friends")
    fill(radicale, book, [card("s1", "Sue Server", "TEL:+4930111"), card("s2", "Sam Server", "TEL:+4930222")])
    for given in ("Ada", "Eve", "Tom"):
        khard(
            "new", "-a", "friends", "-i", khard.person(given, "Khard", f"+49 40 {len(given)} {ord(given[0])}")
        )
    accounts = (
        replace(account_for(radicale, book), name="server"),
        AccountConfig("folder", "vdir", url=str(folder)),
    )
    hooks = Hooks(password=lambda account: radicale.password)

    def everywhere() -> list[set[tuple[str, str, str]]]:
        def shown(found: Contact) -> tuple[str, str, str]:
            titles = "".join(t.name for t in found.titles)
            return found.display, "".join(c for c in found.phones[0].number if c.isdigit()), titles

        in_folder = [VCardCodec().read(path.read_bytes()) for path in (folder / "friends").glob("*.vcf")]
        at_server = [found for _, found in read_all(radicale, book)]
        here = [stored.contact for stored in engine.contacts()]
        assert len(in_folder) == len(at_server) == len(here)
        return [set(map(shown, part)) for part in (in_folder, at_server, here)]

    with Engine(
        Config(tmp_path / "config.toml", accounts=accounts), tmp_path / "phone", hooks=hooks
    ) as engine:

        def rounds(count: int = 2) -> None:
            for _ in range(count):
                for part in engine.sync().accounts:
                    assert part.state == "ok", part.message
                    assert not any(found.errors for found in part.books), part.books

        rounds()
        first = everywhere()
        assert first[0] == first[1] == first[2] and len(first[0]) == 5
        assert all(name in khard("list") for name in ("Sue Server", "Sam Server", "Ada Khard"))

        # each of them edits, adds and deletes at once
        khard("edit", "-i", khard.person("Ada", "Khard", "+49 40 999"), "Ada Khard")
        khard("new", "-a", "friends", "-i", khard.person("New", "Khard", "+49 40 777", Title="From khard"))
        khard("remove", "--force", "Tom Khard")
        (ada,) = (path for path, found in read_all(radicale, book) if found.display == "Ada Khard")
        payload = radicale.get(ada) or b""
        radicale.put(ada, payload.replace(b"END:VCARD", b"TITLE:From the server\r\nEND:VCARD"))
        (sam,) = (path for path, found in read_all(radicale, book) if found.display == "Sam Server")
        radicale.delete(sam)
        engine.put([person(1)])
        rounds(3)
        last = everywhere()
        assert (
            last[0]
            == last[1]
            == last[2]
            == {
                ("Ada Khard", "4940999", "From the server"),
                ("Eve Khard", f"49403{ord('E')}", ""),
                ("New Khard", "4940777", "From khard"),
                ("Sue Server", "4930111", ""),
                ("Person001 Tester", "49305550001", "Title 1"),
            }
        )
        assert not engine.conflicts()
        for part in engine.sync().accounts:
            assert not any(found.pulled or found.pushed for found in part.books)
    listed = khard("list")
    assert all(name in listed for name in ("Ada Khard", "New Khard", "Sue Server", "Person001 Tester"))
    assert "Tom" not in listed and "Sam" not in listed
