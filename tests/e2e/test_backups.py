"""A book is saved as it was read before we ever write there (L38): all of it, once, and on the disk first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import contactsync.engine
from contactsync.api import Hooks
from contactsync.config import BookConfig
from contactsync.connectors.base import AccountSettings, Removed, Step, Stored
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.model.contact import Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.conftest import OpenDevice
from tests.e2e.devices import Device, card, dies_at, fill, person

BOOK = "/contacts/"
ONLY_FAMILY = (BookConfig("contacts", only_groups=("Family",)),)
MEMBER = "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:p000"
#: Beside plain ones: twice the same UID, no UID, a group card and a second one of its name, two that cannot
#: be read.
ODD = {
    "a.vcf": card("twice", "Twice", "EMAIL:a@example.org"),
    "z.vcf": card("twice", "Twice", "EMAIL:z@example.org"),
    "b.vcf": card("", "Nameless One", "EMAIL:same@example.org").replace(b"UID:\r\n", b""),
    "c.vcf": card("chess", "Chess", "X-ADDRESSBOOKSERVER-KIND:group", MEMBER),
    "g.vcf": card("chess-2", "Chess", "X-ADDRESSBOOKSERVER-KIND:group"),
    "d.vcf": b"this is no card\r\n",
    "x.vcf": b"BEGIN:VCARD\r\nEND:VTODO\r\n",
}


class Watched(MemoryServer):
    """Sees what is in a folder before each write that it carries out."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path("nowhere")
        self.found: list[dict[str, bytes]] = []

    def carry_out(self, book_href: str, step: Step) -> Stored | Removed:
        self.found.append(files(self.folder))
        return super().carry_out(book_href, step)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*")}


def open_at(server: Watched, open_device: OpenDevice, **account: object) -> Device:
    """A device at this server, which has group cards; the server watches the device's backups."""

    def connect(settings: AccountSettings) -> MemoryConnector:
        can = replace(MemoryConnector(server, VCardCodec()).capabilities, group_cards=True)
        return MemoryConnector(server, VCardCodec(), can)

    device = open_device("phone", server, hooks=Hooks(connect=connect), **account)
    server.folder = device.folder / "backups"
    return device


def crowded(server: MemoryServer, book: str = BOOK) -> dict[str, bytes]:
    """The cards that were put there, by path."""
    fill(server, book, (card(f"p{n:03d}", f"P {n}") for n in range(120)))
    for name, payload in ODD.items():
        server.put(book + name, payload)
    return {href: server.get(href) or b"" for href in server.etags(book)}


def assert_saved(found: dict[str, bytes], cards: dict[str, bytes]) -> None:
    """Each of these cards, as it was, and nothing else."""
    text = b"".join(found.values())
    assert [name for name, payload in cards.items() if payload not in text] == []
    assert len(text) == sum(map(len, cards.values()))


def edit(device: Device) -> None:
    device.edit("p001", lambda c: replace(c, titles=(Title("edited here"),)))


def create(device: Device) -> None:
    device.engine.put([person(1)])


def delete(device: Device) -> None:
    device.engine.delete(["p002"])


def join(device: Device) -> None:
    """Only the group's own card says it."""
    device.edit("p001", lambda c: replace(c, groups=frozenset({"Chess"})))


@pytest.mark.law("L38")
@pytest.mark.parametrize("act", [edit, create, delete, join])
def test_a_book_that_came_in_is_saved_whole_before_the_first_write_to_it(
    open_device: OpenDevice, act: Callable[[Device], None]
) -> None:
    server = Watched()
    cards = crowded(server)
    device = open_at(server, open_device)
    for _ in range(2):
        device.run()
        assert server.found == [] and files(server.folder) == {}
    act(device)
    device.run()
    (first, *_) = server.found
    assert_saved(first, cards)
    edit(device)
    device.run()
    assert files(server.folder) == first


@pytest.mark.law("L38")
def test_the_engine_has_one_way_to_a_remote() -> None:
    engine = Path(contactsync.engine.__file__).parent
    writing = [path.name for path in engine.glob("*.py") if "connector.write(" in path.read_text()]
    assert writing == ["backup.py"]


def died_after_the_copy(
    open_device: OpenDevice,
) -> tuple[Watched, Device, dict[str, bytes], dict[str, bytes]]:
    """The device, which goes on from there; the cards of the book, and the files of its copy."""
    server = Watched()
    cards = crowded(server)
    device = open_at(server, open_device)
    device.run()
    edit(device)
    device.engine.hooks.step = dies_at("backed-up")
    with pytest.raises(KeyboardInterrupt):
        device.run()
    device.engine.hooks.step = lambda name: None
    return server, device, cards, files(server.folder)


@pytest.mark.law("L38", "P5")
def test_a_process_that_dies_after_the_copy_has_written_nothing_and_makes_no_second_one(
    open_device: OpenDevice,
) -> None:
    server, device, cards, made = died_after_the_copy(open_device)
    assert server.found == []
    assert_saved(made, cards)
    device.run()
    assert server.found and files(server.folder) == made


@pytest.mark.law("L38")
def test_a_copy_of_which_the_database_does_not_know_is_kept(open_device: OpenDevice) -> None:
    server, device, cards, made = died_after_the_copy(open_device)
    store = device.engine.store
    (book,) = store.books.of_account("home")
    with store.transaction():
        store.books.update(book.id, backed_up_at=None)
    device.run()
    found = files(server.folder)
    assert len(found) == 2 * len(made) and found.items() >= made.items()
    assert_saved({name: data for name, data in found.items() if name not in made}, cards)


@pytest.mark.law("L38")
def test_two_books_whose_names_look_the_same_have_a_copy_each(open_device: OpenDevice) -> None:
    server = Watched()
    for number, name in enumerate(("our friends", "our_friends")):
        server.put(f"{server.make_book(name)}a.vcf", card(f"a{number}"))
    device = open_at(server, open_device)
    device.run()
    for number in range(2):
        device.edit(f"a{number}", lambda c: replace(c, titles=(Title("edited here"),)))
    device.run()
    assert len(files(server.folder)) == 2


@pytest.mark.law("L38", "L26")
@pytest.mark.parametrize("more", [{"mode": "push"}, {"book": ONLY_FAMILY}], ids=["push", "filter"])
def test_what_a_book_keeps_to_itself_is_saved_too(open_device: OpenDevice, more: dict[str, object]) -> None:
    server = Watched()
    cards = crowded(server)
    device = open_at(server, open_device, **more)
    device.run()
    create(device)
    device.edit("uid-001", lambda c: replace(c, groups=frozenset({"Family"})))
    device.run()
    (first, *_) = server.found
    assert_saved(first, cards)


@pytest.mark.law("L38", "L26")
def test_what_new_rules_leave_out_is_saved_too(open_device: OpenDevice) -> None:
    server = Watched()
    crowded(server)
    device = open_at(server, open_device)
    device.run()
    device.close()
    server.put(BOOK + "late.vcf", card("late", "Late"))
    cards = {href: server.get(href) or b"" for href in server.etags(BOOK)}
    device = open_at(server, open_device, mode="push")
    edit(device)
    device.run()
    (first, *_) = server.found
    assert_saved(first, cards)
