"""Real devices, each with its own folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from contactsync.api import Engine
from contactsync.config import Config

MakeDevice = Callable[[str], Engine]


@pytest.fixture
def make_device(tmp_path: Path) -> Iterator[MakeDevice]:
    with ExitStack() as stack:

        def make(name: str) -> Engine:
            return stack.enter_context(Engine(Config(tmp_path / f"{name}.toml"), tmp_path / name))

        yield make


@pytest.fixture
def device(make_device: MakeDevice) -> Engine:
    return make_device("phone")


def dump(device: Engine) -> list[str]:
    """Every row of the database as text."""
    with closing(sqlite3.connect(device.data_dir / "contacts.db")) as connection:
        return list(connection.iterdump())
