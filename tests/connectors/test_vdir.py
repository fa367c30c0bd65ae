"""A folder as a remote: the contract, other programs in the same folder, and khard itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from contactsync.connectors.vdir import VdirConnector
from contactsync.testing.suite import ConnectorSuite, Rig
from contactsync.vcard.codec import VCardCodec


class Program:
    """Another program, by the hrefs of the connector: a plain write, as many do it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def at(self, path: str) -> Path:
        return self.root / unquote(path)

    def put(self, path: str, payload: bytes) -> None:
        self.at(path).write_bytes(payload)

    def get(self, path: str) -> bytes | None:
        return self.at(path).read_bytes() if self.at(path).exists() else None

    def delete(self, path: str) -> None:
        self.at(path).unlink()


def connector(root: Path) -> VdirConnector:
    return VdirConnector(root, VCardCodec)


class TestSubFolder(ConnectorSuite):
    book = "friends/"

    @pytest.fixture(autouse=True)
    def _root(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory() as folder:
            self.root = Path(folder)
            yield

    def make(self) -> Rig:
        (self.root / self.book).mkdir(exist_ok=True)
        return Rig(connector(self.root), self.book, Program(self.root))


class TestRootFolder(TestSubFolder):
    """The root is the only book."""

    book = "./"
