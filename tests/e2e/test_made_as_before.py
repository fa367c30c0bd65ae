"""What we wrote, and somebody made as it was before we looked again: to a remote that compares two states, as
Xandikos and a folder do, nothing happened between our two looks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Hooks
from contactsync.config import AccountConfig
from contactsync.connectors.memory import MemoryServer
from contactsync.connectors.vdir import factory
from contactsync.model.contact import Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import Device, cards, fill, person
from tests.each_server import each_server
from tests.servers import Server


class AtServer:
    """A phone at a server, and the other client."""

    def __init__(self, server: Server, book: str, device: Device) -> None:
        self.server, self.book, self.device = server, book, device
        fill(server, book, [VCardCodec("3.0").write(person(0), None)])

    def cards(self) -> dict[str, bytes]:
        return cards(self.server, self.book)

    def delete(self, path: str) -> None:
        self.server.delete(path)

    def put_back(self, before: dict[str, bytes]) -> None:
        for path, payload in before.items():
            self.server.put(path, payload)


class AtFolder:
    """A phone at a folder, and a backup of it that keeps the times of the files."""

    def __init__(self, folder: Path, device: Device) -> None:
        self.folder, self.device = folder, device
        (folder / "zero.vcf").write_bytes(VCardCodec("3.0").write(person(0), None))
        os.utime(folder / "zero.vcf", (1e9, 1e9))

    def cards(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.folder.glob("*.vcf")}

    def delete(self, path: str) -> None:
        Path(path).unlink()

    def put_back(self, before: dict[str, bytes]) -> None:
        for path, payload in before.items():
            Path(path).write_bytes(payload)
            os.utime(path, (1e9, 1e9))


@pytest.fixture(params=["folder", *each_server("radicale", "xandikos")])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, new_book: NewBook, open_device: OpenDevice
) -> Iterator[AtServer | AtFolder]:
    if request.param != "folder":
        server = request.getfixturevalue(request.param)
        book = new_book(server)
        yield AtServer(server, book, open_device("phone", server, book))
        return
    folder = tmp_path / "contacts"
    folder.mkdir()
    account = AccountConfig("home", "vdir", url=str(folder))
    device = Device(tmp_path / "phone", MemoryServer(), account, Hooks(connect=factory))
    yield AtFolder(folder, device)
    device.close()


def look(device: Device) -> None:
    """As the daemon does it: a cheap round where that is enough."""
    if device.engine.idle_round() is None:
        device.sync()


@pytest.mark.law("P3", "L20")
def test_a_card_that_we_made_and_somebody_removed_at_once_is_gone_here_too(
    place: AtServer | AtFolder,
) -> None:
    device = place.device
    for _ in range(3):
        look(device)
    before = place.cards()
    device.engine.put([person(1)])
    device.sync()
    (made,) = place.cards().keys() - before.keys()
    place.delete(made)
    for _ in range(2):
        look(device)
    assert [*device.everyone()] == ["uid-000"]
    assert device.quiet() and device.engine.idle_round() is not None


@pytest.mark.law("P3", "L1")
def test_an_edit_of_ours_that_somebody_took_back_at_once_is_taken_back_here_too(
    place: AtServer | AtFolder,
) -> None:
    device = place.device
    for _ in range(3):
        look(device)
    before = place.cards()
    device.edit("uid-000", lambda contact: replace(contact, titles=(Title("New"),)))
    device.sync()
    assert place.cards() != before
    place.put_back(before)
    for _ in range(2):
        look(device)
    assert device.contact("uid-000").titles == person(0).titles
    assert place.cards() == before
    assert device.quiet() and device.engine.idle_round() is not None
