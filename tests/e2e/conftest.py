"""Devices and books for every scenario: fresh ones for each test, on servers that are shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
import requests

from contactsync.api import Hooks
from contactsync.connectors.memory import MemoryServer
from tests.e2e.crashing import Crasher, crasher
from tests.e2e.devices import AnyServer, Device, account_for
from tests.servers import Server

OpenDevice = Callable[..., Device]
NewBook = Callable[[AnyServer], str]
_names = count(1)


@pytest.fixture
def open_device(tmp_path: Path) -> Iterator[OpenDevice]:
    """``open_device(name, server, *books, **account)``; all are closed in the end."""
    opened: list[Device] = []

    def open_(
        name: str, server: AnyServer, *books: str, hooks: Hooks | None = None, **account: object
    ) -> Device:
        device = Device(tmp_path / name, server, account_for(server, *books, **account), hooks or Hooks())
        opened.append(device)
        return device

    yield open_
    for device in opened:
        device.close()


@pytest.fixture
def new_book() -> Iterator[NewBook]:
    """``new_book(server)`` makes an empty book; all are removed in the end."""
    made: list[tuple[Server, str]] = []

    def make(server: AnyServer) -> str:
        path = server.make_book(f"book{next(_names)}")
        if isinstance(server, Server):
            made.append((server, path))
        return path

    yield make
    for server, path in made:
        with suppress(requests.HTTPError):
            server.delete_book(path)


@pytest.fixture(scope="module")
def killer() -> Iterator[Crasher]:
    """A process that makes rounds and dies where it is told to."""
    with crasher() as found:
        yield found


@pytest.fixture
def memory() -> MemoryServer:
    return MemoryServer()


@pytest.fixture
def book(memory: MemoryServer) -> str:
    """The only address book of the server in memory."""
    return next(iter(memory.books))
