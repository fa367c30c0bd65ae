"""Where cards come from: files, folders, standard input, and the address books of an account."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from contactsync.connectors.base import Change, Connector
from contactsync.errors import UsageError
from contactsync.exchange.streaming import stream_cards
from contactsync.jscontact.files import looks_like_json

SUFFIXES = (".vcf", ".vcard")
FETCH_SIZE = 100

OpenAccount = Callable[[str], Connector]


@dataclass(frozen=True, slots=True)
class Raw:
    """One card as it was found. ``source`` and ``key`` name it in the import memory, where it has no
    UID; ``place`` is for people. ``problem`` says why there is no card here at all."""

    source: str
    key: str
    place: str
    payload: bytes
    problem: str = ""

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Scope:
    """A source whose cards are one collection of people; ``remote`` when reading it is slow."""

    name: str
    cards: Iterator[Raw]
    remote: bool = False


def open_sources(
    names: Sequence[str], stdin: BinaryIO | None, open_account: OpenAccount | None
) -> Iterator[Scope]:
    """What the names stand for. All files are looked for before the first is read, so that a slip in
    the last name does not leave half an import behind. Raises `UsageError`."""
    return iter([scope for name in names for scope in _scopes(name, stdin, open_account)])


def _scopes(name: str, stdin: BinaryIO | None, open_account: OpenAccount | None) -> Iterator[Scope]:
    path = Path(name).expanduser()
    if name == "-":
        if stdin is None:
            raise UsageError("There is no standard input to import from.")
        yield Scope("stdin", _of_stream(stdin, "stdin", "standard input"))
    elif name.startswith("carddav:") or not (path.exists() or _looks_like_path(name)):
        yield from _of_account(name, open_account)
    elif path.is_dir():
        yield _folder(path)
    elif path.exists():
        yield Scope(str(path), _of_file(path))
    else:
        raise UsageError(f"There is no file {name}.")


def _looks_like_path(name: str) -> bool:
    return name.lower().endswith((*SUFFIXES, ".csv", ".json", ".zip")) or "/" in name or os.sep in name


def _of_stream(file: BinaryIO, source: str, name: str) -> Iterator[Raw]:
    for number, card in enumerate(stream_cards(file, name), 1):
        problem = "; ".join(card.problems) if looks_like_json(card.data) else ""
        yield Raw(source, f"#{number}", f"{name}, line {card.line}", card.data, problem)


def _of_file(path: Path) -> Iterator[Raw]:
    try:
        with path.open("rb") as file:
            yield from _of_stream(file, str(path.resolve()), str(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _folder(path: Path) -> Scope:
    files = sorted(_files_below(path))
    if not files:
        raise UsageError(f"There is no .vcf file in the folder {path}.")
    return Scope(str(path), (card for file in files for card in _of_member(file)))


def _files_below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}.") from error

    for where, _, names in os.walk(folder, onerror=refuse):
        # Names with a dot in front are leftovers of other programs, such as those of macOS on USB sticks.
        yield from (Path(where, n) for n in names if n.lower().endswith(SUFFIXES) and n[0] != ".")


def _of_member(path: Path) -> Iterator[Raw]:
    """A file of a folder: one that is broken does not stop the others."""
    try:
        yield from _of_file(path)
    except UsageError as error:
        yield Raw(str(path.resolve()), "file", str(path), b"", problem=str(error))


def _of_account(name: str, open_account: OpenAccount | None) -> Iterator[Scope]:
    if open_account is None:
        raise UsageError(f"There is no file {name}.")
    try:
        connector = open_account(name)
    except UsageError as error:
        if name.startswith("carddav:"):
            raise
        raise UsageError(f"There is neither a file nor an account {name!r}.", hint=error.hint) from error
    yield Scope(name, _of_connector(name, connector), remote=True)


def _of_connector(name: str, connector: Connector) -> Iterator[Raw]:
    with closing(connector):
        for book in sorted(connector.collections(), key=lambda b: b.href):
            source = f"{name} {book.href}"
            for change in _changes(connector, book.href):
                if change.payload is not None:
                    place = f"{book.name}: {change.href}"
                    yield Raw(source, f"#{change.href}", place, change.payload)


def _changes(connector: Connector, href: str) -> Iterator[Change]:
    """All cards of a book with their bytes, asked for in parts where the listing has only names."""
    for page in connector.changes(href, None):
        there = [change for change in page.changes if not change.gone]
        yield from (change for change in there if change.payload is not None)
        bare = [change.href for change in there if change.payload is None]
        for start in range(0, len(bare), FETCH_SIZE):
            yield from connector.fetch(href, bare[start : start + FETCH_SIZE])
