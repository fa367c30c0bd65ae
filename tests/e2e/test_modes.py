"""Every mode with every event on either side: what both sides say in the end, and whether it is on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from contactsync.connectors.memory import MemoryServer
from contactsync.model.contact import Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.conftest import OpenDevice
from tests.e2e.devices import Device, calm, card, person

BOOK = "/contacts/"
#: A contact that stands on both sides, and is not touched: nothing is "everybody".
BYSTANDER = 9


def edit_here(device: Device, server: MemoryServer) -> None:
    device.edit("uid-001", lambda c: replace(c, titles=(Title("here"),)))


def edit_there(device: Device, server: MemoryServer) -> None:
    (path,) = (href for href in server.etags(BOOK) if b"UID:uid-001" in (server.get(href) or b""))
    server.put(path, (server.get(path) or b"").replace(b"TITLE:Title 1", b"TITLE:there"))


def delete_here(device: Device, server: MemoryServer) -> None:
    device.engine.delete(["uid-001"])


def delete_there(device: Device, server: MemoryServer) -> None:
    (path,) = (href for href in server.etags(BOOK) if b"UID:uid-001" in (server.get(href) or b""))
    server.delete(path)


def create_here(device: Device, server: MemoryServer) -> None:
    device.engine.put([replace(person(2), titles=(Title("here"),))])


def create_there(device: Device, server: MemoryServer) -> None:
    server.put(BOOK + "new.vcf", card("uid-002", "Person002 Tester", "TITLE:there"))


Event = Callable[[Device, MemoryServer], None]
EVENTS: dict[str, tuple[Event, ...]] = {
    "edit here": (edit_here,),
    "edit there": (edit_there,),
    "delete here": (delete_here,),
    "delete there": (delete_there,),
    "create here": (create_here,),
    "create there": (create_there,),
    "edit on both sides": (edit_here, edit_there),
    "edit here, delete there": (edit_here, delete_there),
    "delete here, edit there": (delete_here, edit_there),
}
WAS = "Title 1"
#: Mode -> event -> title on the device, title at the remote (None: nobody there), on record?
TABLE: dict[str, dict[str, tuple[str | None, str | None, bool]]] = {
    "two-way": {
        "edit here": ("here", "here", False),
        "edit there": ("there", "there", False),
        "delete here": (None, None, False),
        "delete there": (None, None, False),
        "create here": ("here", "here", False),
        "create there": ("there", "there", False),
        "edit on both sides": ("here", "here", True),
        "edit here, delete there": ("here", "here", True),
        "delete here, edit there": ("there", "there", True),
    },
    "pull": {
        "edit here": ("here", WAS, False),
        "edit there": ("there", "there", False),
        "delete here": (None, WAS, False),
        "delete there": (None, None, False),
        "create here": ("here", None, False),
        "create there": ("there", "there", False),
        "edit on both sides": ("there", "there", True),
        "edit here, delete there": ("here", None, True),
        "delete here, edit there": ("there", "there", True),
    },
    "push": {
        "edit here": ("here", "here", False),
        "edit there": (WAS, "there", False),
        "delete here": (None, None, False),
        "delete there": (WAS, None, False),
        "create here": ("here", "here", False),
        "create there": (None, "there", False),
        "edit on both sides": ("here", "here", True),
        "edit here, delete there": ("here", "here", True),
        "delete here, edit there": (None, None, True),
    },
    "mirror-pull": {
        "edit here": (WAS, WAS, False),
        "edit there": ("there", "there", False),
        "delete here": (WAS, WAS, False),
        "delete there": (None, None, False),
        "create here": ("here", None, False),
        "create there": ("there", "there", False),
        "edit on both sides": ("there", "there", True),
        "edit here, delete there": (None, None, True),
        "delete here, edit there": ("there", "there", True),
    },
    "mirror-push": {
        "edit here": ("here", "here", False),
        "edit there": (WAS, WAS, False),
        "delete here": (None, None, False),
        "delete there": (WAS, WAS, False),
        "create here": ("here", "here", False),
        "create there": (None, "there", False),
        "edit on both sides": ("here", "here", True),
        "edit here, delete there": ("here", "here", True),
        "delete here, edit there": (None, None, True),
    },
}
CELLS = [(mode, event) for mode, row in TABLE.items() for event in row]


def test_the_table_is_whole() -> None:
    assert all(row.keys() == EVENTS.keys() for row in TABLE.values())
    assert set(TABLE) == {"two-way", "pull", "push", "mirror-pull", "mirror-push"}


def here(device: Device, uid: str) -> str | None:
    found = device.everyone().get(uid)
    return found.titles[0].name if found else None


def there(server: MemoryServer, uid: str) -> str | None:
    views = (VCardCodec().read(server.get(href) or b"") for href in server.etags(BOOK))
    return next((view.titles[0].name for view in views if view.uid == uid), None)


@pytest.mark.law("L26", "L17", "L23", "P1", "P4")
@pytest.mark.parametrize(("mode", "event"), CELLS)
def test_in_each_mode_each_event_ends_as_the_table_says(
    memory: MemoryServer, open_device: OpenDevice, mode: str, event: str
) -> None:
    setup = open_device("phone", memory)
    setup.engine.put([person(1), person(BYSTANDER)])
    for _ in range(2):
        setup.sync()
    setup.close()
    device = open_device("phone", memory, mode=mode, conflicts="device")
    device.sync()
    for act in EVENTS[event]:
        act(device, memory)
    for _ in range(3):
        device.sync()
    uid = "uid-002" if event.startswith("create") else "uid-001"
    wanted_here, wanted_there, recorded = TABLE[mode][event]
    assert (here(device, uid), there(memory, uid)) == (wanted_here, wanted_there)
    assert bool(device.engine.conflicts()) == recorded
    assert here(device, f"uid-00{BYSTANDER}") == there(memory, f"uid-00{BYSTANDER}") == f"Title {BYSTANDER}"
    calm(device)


def untouched(device: Device) -> dict[str, object]:
    """All but what a pull has read and nobody has decided on."""
    return {name: rows for name, rows in device.dump().items() if name != "staged"}


@pytest.mark.law("L26", "L36")
@pytest.mark.parametrize("mode", TABLE)
def test_a_plan_in_any_mode_writes_nothing_and_says_what_the_round_does(
    memory: MemoryServer, open_device: OpenDevice, mode: str
) -> None:
    setup = open_device("phone", memory)
    setup.engine.put([person(n) for n in (1, 3, 4, 5, BYSTANDER)])
    for _ in range(2):
        setup.sync()
    setup.close()
    device = open_device("phone", memory, mode=mode)
    device.sync()
    edit_here(device, memory)
    create_there(device, memory)
    before = untouched(device), memory.etags(BOOK)
    planned = device.report(dry_run=True)
    assert (untouched(device), memory.etags(BOOK)) == before
    done = device.report()
    counts = [(b.pulled.to_json(), b.pushed.to_json()) for b in planned.books]
    assert counts == [(b.pulled.to_json(), b.pushed.to_json()) for b in done.books]
