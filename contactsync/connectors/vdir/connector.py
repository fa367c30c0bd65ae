"""The connector of a folder: its parts put together under the contract of ``connectors.base``."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from contactsync.connectors.base import (
    AccountSettings,
    Capabilities,
    Change,
    Codec,
    Collection,
    Connector,
    Create,
    Delete,
    Fact,
    Outcome,
    Page,
    Place,
    Refused,
    Removed,
    Step,
    Stored,
    Traffic,
    Update,
)
from contactsync.connectors.vdir import files, listing
from contactsync.errors import (
    AlreadyExists,
    BookGone,
    ConfigError,
    NotFound,
    RemoteError,
    TransientError,
)

CAPABILITIES = Capabilities(group_cards=True)
#: The href of the root folder where it is an address book itself.
ROOT = "./"


class VdirConnector:
    """One root folder. Its sub-folders are address books, or it is one itself.

    The href of a book is the folder's name and a slash, that of a card is the book's and the file's name;
    names are quoted as in a URL, because a file's name need not be text. ``now`` is in nanoseconds.
    """

    capabilities = CAPABILITIES

    def __init__(
        self, root: Path, make_codec: Callable[[], Codec], now: Callable[[], int] = time.time_ns
    ) -> None:
        self._root = root
        self._make_codec = make_codec
        self._now = now
        self._traffic = Traffic()

    @functools.cached_property
    def codec(self) -> Codec:
        """A round without news needs none, and is over before it could be loaded."""
        return self._make_codec()

    def check(self) -> str:
        self._require_root()
        return f"the folder {self._root}"

    def collections(self) -> Sequence[Collection]:
        self._require_root()
        with files.told(self._root):
            if files.names(self._root) or not (below := _sub_folders(self._root)):
                return [_collection(ROOT, self._root)]
            return [_collection(f"{_quoted(folder.name)}/", folder) for folder in below]

    # ---- reading ---------------------------------------------------------------------------------

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        """Everything when anything changed: a complete list, so that the engine looks itself for what is
        missing before it believes that (L20).

        While some file is being written, cards may be on their way from one name to another: then only those
        are listed that were there before, and the cursor stays."""
        known = listing.parse(cursor, collection)
        folder = self._folder(collection)
        try:
            with files.told(folder):
                found = listing.look(folder, known, self._now())
        except (FileNotFoundError, NotADirectoryError):
            raise self._gone(collection) from None
        self._count(received=found.bytes_read)
        if cursor is not None and found.is_as(known):
            yield Page((), found.cursor, full=False, last=True)
            return
        settled = cursor is None or not self._being_written({folder: found.seen})
        etags = {name: one.etag for name, one in found.seen.items()} | dict.fromkeys(sorted(found.unread))
        rows = [
            Change(_href(collection, name), etag) for name, etag in etags.items() if settled or name in known
        ]
        yield Page(tuple(rows), found.cursor if settled else cursor, full=settled, last=True)

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        writing: str | None = None
        for href in hrefs:
            change = self._read(collection, href)
            if change.gone:
                if writing is None:
                    writing = self._being_written({})
                change = replace(change, gone=False, error=_moving(href, writing)) if writing else change
            yield change

    def _being_written(self, whole: Mapping[Path, Container[str]]) -> str:
        """A file of any book, for a card may move to another one. ``whole`` are those that were just read.
        A book that cannot be looked into is no reason to wait: its own listing says so."""
        with suppress(OSError):
            for folder in (self._root, *_visible_folders(self._root)):
                with suppress(OSError):
                    if name := listing.being_written(folder, self._now(), whole.get(folder, ())):
                        return name
        return ""

    def _read(self, collection: str, href: str) -> Change:
        """A file that cannot be read is its own trouble; that it is not there says nothing when its folder
        is not there either (L21)."""
        folder = self._folder(collection)
        try:
            card = files.read(_path(folder, collection, href))
        except (FileNotFoundError, NotADirectoryError, NotFound):
            self._folder(collection)
            return Change(href, gone=True)
        except RemoteError as error:
            return Change(href, error=error)
        self._count(received=len(card.payload))
        change = Change(href, card.etag, card.payload, modified_at=_modified_at(card))
        return replace(change, payload=None, error=files.several(href)) if card.holds_several else change

    # ---- writing ---------------------------------------------------------------------------------

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        """Each step is done or not done when its outcome is told: no file is ever in doubt."""
        for step in steps:
            yield self._outcome(collection, step)

    def _outcome(self, collection: str, step: Step) -> Outcome:
        try:
            return self._do(collection, step)
        except RemoteError as error:
            return Refused(step.key, error)
        except (FileNotFoundError, NotADirectoryError):
            return Refused(step.key, self._gone(collection))

    def _do(self, collection: str, step: Step) -> Outcome:
        folder = self._folder(collection)
        match step:
            case Create(key, hint, _, payload):
                self._count(sent=len(payload))
                name = hint + files.SUFFIX
                try:
                    return Stored(key, _href(collection, name), files.create(folder / name, payload))
                except AlreadyExists:
                    if writing := self._being_written({}):
                        raise _taken(name, writing) from None
                    raise
            case Update(key, href, etag, payload):
                self._count(sent=len(payload))
                return Stored(key, href, files.replace(_path(folder, collection, href), etag, payload))
            case Delete(key, href, etag):
                self._count()
                try:
                    files.remove(_path(folder, collection, href), etag)
                except NotFound:
                    self._folder(collection)
                return Removed(key, href)

    # ---- folders ---------------------------------------------------------------------------------

    def _require_root(self) -> None:
        if not self._root.is_dir():
            raise TransientError(
                f"The folder {self._root} is not there. Its contacts stay on this device.",
                hint="If it is on a disk or a network drive, attach it; if it was moved, say where to: "
                "contactsync account set NAME --url FOLDER",
            )

    def _folder(self, collection: str) -> Path:
        """Raises `TransientError` without the root, `BookGone` without the book."""
        self._require_root()
        if collection == ROOT:
            return self._root
        name = _name(collection)
        folder = self._root / name
        if not _is_plain(name) or not folder.is_dir():
            raise self._gone(collection)
        return folder

    def places(self, collections: Sequence[str]) -> Sequence[Place]:
        below = [self._root / _name(collection) for collection in collections if collection != ROOT]
        return [Place(folder, files.SUFFIX) for folder in (self._root, *below)]

    def about(self, collection: str) -> Iterator[Fact]:
        from contactsync.connectors.vdir.about import about

        with files.told(self._root):
            yield from about(self._root, {book: self._folder(book.href) for book in self.collections()})

    def _gone(self, collection: str) -> RemoteError:
        try:
            self._require_root()
        except TransientError as error:
            return error
        return BookGone(
            f"The folder {self._root / _unquoted(collection)} is not there any more.",
            hint="If it moved, choose another book for this account.",
            href=collection,
        )

    # ---- counting --------------------------------------------------------------------------------

    def _count(self, sent: int = 0, received: int = 0) -> None:
        self._traffic += Traffic(1, sent, received)

    def traffic(self) -> Traffic:
        """One request for each listing, read and write; bytes are those of the files."""
        return self._traffic

    def close(self) -> None:
        """Nothing is held open."""


def _sub_folders(root: Path) -> list[Path]:
    """Empty ones as well, for they may be about to get their first card; not those of calendars."""
    return [
        folder
        for folder in _visible_folders(root)
        if files.names(folder) or next(folder.glob("*.ics"), None) is None
    ]


def _visible_folders(root: Path) -> list[Path]:
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def _collection(href: str, folder: Path) -> Collection:
    return Collection(
        href,
        _label(folder, "displayname") or folder.name,
        writable=os.access(folder, os.W_OK | os.X_OK),
        description=_label(folder, "description"),
        color=_label(folder, "color"),
    )


def _label(folder: Path, name: str) -> str:
    """What one of the format's files about the folder says; "" where it is not there or no text."""
    try:
        return (folder / name).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _quoted(name: str) -> str:
    return quote(os.fsencode(name), safe="")


def _unquoted(part: str) -> str:
    return os.fsdecode(unquote_to_bytes(part))


def _name(collection: str) -> str:
    return _unquoted(collection.removesuffix("/"))


def _href(collection: str, name: str) -> str:
    return collection + _quoted(name)


def _path(folder: Path, collection: str, href: str) -> Path:
    """Raises `NotFound` for what cannot be a card of this folder."""
    name = _unquoted(href.removeprefix(collection))
    if not href.startswith(collection) or not _is_plain(name) or not files.is_card_name(name):
        raise NotFound(f"{href} is no card of {folder}.", href=href)
    return folder / name


def _is_plain(name: str) -> bool:
    """A name, and no way out of the folder."""
    return bool(name) and not name.startswith(".") and Path(name).name == name and "\0" not in name


def _modified_at(card: files.Card) -> datetime:
    return datetime.fromtimestamp(card.stat.st_mtime_ns / 1e9, UTC)


def _moving(href: str, writing: str) -> TransientError:
    """L20: a program that moves a card may do so by copying it."""
    return TransientError(
        f"It is missing while {writing} is being written, which may be the same card under another name.",
        hint="The next round looks again.",
        href=href,
    )


def _taken(name: str, writing: str) -> TransientError:
    """L33: whose card it is can be read only when it is whole."""
    return TransientError(
        f"There is a file {name} already, and {writing} is being written: it may be the same contact.",
        hint="The next round looks again.",
    )


def factory(settings: AccountSettings) -> Connector:
    """What the entry point ``vdir`` names; the url is the folder. vCard 3.0 is what all programs read."""
    root = Path(settings.url).expanduser()
    if not settings.url or not root.is_absolute():
        raise ConfigError(
            [f"account {settings.name}: url must be the whole path of a folder, like /home/ada/contacts"]
        )
    return VdirConnector(root, _vcard)


def _vcard() -> Codec:
    from contactsync.vcard.codec import VCardCodec

    return VCardCodec(version="3.0")
