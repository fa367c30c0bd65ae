"""Address books as the bench sees them, and their cards written straight into a server's storage: sent one
by one, 10,000 cards would take longer than all that is measured with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers import Server

_names = count(1)


@dataclass(frozen=True)
class Book:
    """An address book behind a port of this machine."""

    port: int
    path: str
    principal: str
    user: str
    password: str

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def through(self, port: int) -> Book:
        return replace(self, port=port)


def port_of(server: Server) -> int:
    return urlsplit(server.base_url).port or 80


def new_book(server: Server) -> Book:
    path = server.make_book(f"bench{next(_names)}")
    return Book(port_of(server), path, server.principal, server.user, server.password)


def fill(server: Server, book: Book, cards: Iterable[tuple[str, bytes]]) -> None:
    """Write cards, by their file names, into the storage of an empty book; the stub has no other door
    than PUT."""
    if server.name == "stub":
        for name, payload in cards:
            server.put(book.path + name, payload)
        return
    if server.name == "radicale":
        _write(server.folder / "data" / "collection-root" / book.path.strip("/"), cards)
        return
    from dulwich import porcelain

    folder = server.folder / "data" / book.path.strip("/")
    names = _write(folder, cards)
    porcelain.add(str(folder), [str(folder / name) for name in names])
    porcelain.commit(str(folder), message=b"bench", author=b"b <b@x>", committer=b"b <b@x>")


def _write(folder: Path, cards: Iterable[tuple[str, bytes]]) -> list[str]:
    names = []
    for name, payload in cards:
        (folder / name).write_bytes(payload)
        names.append(name)
    return names
