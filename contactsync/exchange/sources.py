"""Where cards come from: files, folders, standard input, and the address books of an account."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, cast

from contactsync.connectors.base import Change, Completing, Connector
from contactsync.errors import CodecError, UsageError
from contactsync.exchange.streaming import has_card, stream_cards
from contactsync.frozen import frozen
from contactsync.vcard.foreign import as_card, is_card, label_names

SUFFIXES = (".vcf", ".vcard")
FETCH_SIZE = 100

OpenAccount = Callable[[str], Connector]


@frozen
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


@frozen
class Scope:
    """A source whose cards are one collection of people; ``remote`` when reading it is slow."""

    name: str
    cards: Iterator[Raw]
    remote: bool = False


def open_sources(
    names: Sequence[str],
    stdin: BinaryIO | None,
    open_account: OpenAccount | None,
    columns: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Scope]:
    """What the names stand for. All files are looked for before the first is read, so that a slip in
    the last name does not leave half an import behind. ``columns`` are English names of the columns of tables
    in another language. Raises `UsageError`."""
    return iter([scope for name in names for scope in _scopes(name, stdin, open_account, columns)])


def _scopes(
    name: str, stdin: BinaryIO | None, open_account: OpenAccount | None, columns: Mapping[str, str]
) -> Iterator[Scope]:
    path = Path(name).expanduser()
    if name == "-":
        if stdin is None:
            raise UsageError("There is no standard input to import from.")
        yield Scope("stdin", _of_stream(stdin, "stdin", "standard input", columns))
    elif name.startswith("carddav:") or not (path.exists() or _looks_like_path(name)):
        yield from _of_account(name, open_account)
    elif path.is_dir():
        yield _folder(path)
    elif path.exists():
        yield Scope(str(path), _of_file(path, columns))
    else:
        raise UsageError(f"There is no file {name}.")


def _looks_like_path(name: str) -> bool:
    return name.lower().endswith((*SUFFIXES, ".csv", ".json", ".zip")) or "/" in name or os.sep in name


def _of_stream(
    file: BinaryIO, source: str, name: str, columns: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Raw]:
    for number, card in enumerate(stream_cards(file, name, columns), 1):
        # a vCard with faults is still read; a piece of another format with one is nothing
        problem = "" if has_card(card.data) else "; ".join(card.problems)
        yield Raw(source, f"#{number}", f"{name}, line {card.line}", card.data, problem)


def _of_file(path: Path, columns: Mapping[str, str] = MappingProxyType({})) -> Iterator[Raw]:
    try:
        with path.open("rb") as file:
            yield from _of_stream(file, str(path.resolve()), str(path), columns)
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
            listed = [c for page in connector.changes(book.href, None) for c in page.changes if not c.gone]
            names = _label_names(connector, listed)
            for change in _whole(connector, book.href, listed):
                place = f"{book.name}: {change.href}"
                if change.error is not None:
                    yield Raw(source, f"#{change.href}", place, b"", problem=str(change.error))
                elif change.payload is not None and change.href not in names:
                    yield _raw(connector, Raw(source, f"#{change.href}", place, change.payload), names)


def _whole(connector: Connector, href: str, listed: Sequence[Change]) -> Iterator[Change]:
    """All cards of a book with their bytes, asked for in parts where the listing has only names."""
    bare = [change.href for change in listed if change.payload is None]
    yield from (change for change in listed if change.payload is not None and not change.partial)
    for start in range(0, len(bare), FETCH_SIZE):
        fetched = list(connector.fetch(href, bare[start : start + FETCH_SIZE]))
        yield from (change for change in fetched if not change.partial)
        yield from _completed(connector, fetched)
    yield from _completed(connector, listed)


def _completed(connector: Connector, changes: Iterable[Change]) -> Iterator[Change]:
    partial = [change for change in changes if change.partial]
    if partial:
        yield from cast(Completing, connector).complete((change, None) for change in partial)


def _label_names(connector: Connector, listed: Iterable[Change]) -> dict[str, str]:
    """Labels by href, of a remote that has such and no vCards."""
    if not connector.capabilities.labels:
        return {}
    return label_names(connector.codec.read(change.payload) for change in listed if change.payload)


def _raw(connector: Connector, raw: Raw, names: Mapping[str, str]) -> Raw:
    """A vCard as it is; else what it means as one."""
    if is_card(raw.payload):
        return raw
    try:
        return replace(raw, payload=as_card(connector.codec.read(raw.payload), names))
    except CodecError as error:
        return replace(raw, payload=b"", problem=error.message)
