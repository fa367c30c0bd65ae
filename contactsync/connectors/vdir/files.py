"""One card in one file: read so that a half of it is never believed, written so that nobody sees a half.

The format: https://vdirsyncer.pimutils.org/en/stable/vdir.html. Items end in ``.vcf``; what is written goes
to a ``.tmp`` file in the same folder first, and is moved to its place.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE
from typing import BinaryIO

from contactsync.errors import (
    AlreadyExists,
    NotFound,
    PayloadRejected,
    PermissionDenied,
    PreconditionFailed,
    RemoteError,
    TransientError,
)
from contactsync.frozen import frozen

SUFFIX = ".vcf"
#: How the files begin that we write before they are moved to their place.
OURS = ".contactsync-"
_BEGIN = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*BEGIN:VCARD", re.IGNORECASE)
_END = re.compile(rb"^END:VCARD\s*$", re.IGNORECASE | re.MULTILINE)
_NEXT = re.compile(rb"^END:VCARD\s+BEGIN:VCARD", re.IGNORECASE | re.MULTILINE)
#: What `os.link` says where the file system has no hard links: FAT, some network drives, Android.
_NO_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class HalfWritten(TransientError):
    """Another program is at this file, or was interrupted; what is there now is neither edit nor deletion."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is half written.",
            hint="It is read again in the next round. If it stays so, save that contact anew in the program "
            "that wrote it, or remove the file.",
        )


def several(href: str) -> PayloadRejected:
    return PayloadRejected(
        "This file holds more than one card, and a folder of this kind has one in each file.",
        hint="Import it (contactsync import FILE), then remove it from the folder.",
        href=href,
    )


@frozen
class Card:
    """A file as it was at one moment. ``stat`` is that of the bytes that were read."""

    payload: bytes
    stat: os.stat_result

    @property
    def etag(self) -> str:
        return f"{hashlib.sha256(self.payload).hexdigest()[:32]}-{stamp(self.stat)}"

    @property
    def is_begun(self) -> bool:
        """Does it begin as a card does?"""
        return _BEGIN.match(self.payload) is not None

    @property
    def holds_several(self) -> bool:
        return _NEXT.search(self.payload) is not None


def stamp(stat: os.stat_result) -> str:
    """The part of an etag that is known without reading."""
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"


def names(folder: Path) -> list[str]:
    """The files that are cards by their names; hidden files, ``.tmp`` and all others are not ours."""
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            # a link that leads nowhere is a card that cannot be read just now
            if is_card_name(entry.name) and (entry.is_file() or entry.is_symlink())
        )


def is_card_name(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def read(path: Path) -> Card:
    """Raises `FileNotFoundError` where there is none, `HalfWritten`, and what `told` makes of trouble."""
    with told(path):
        try:
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                payload = file.read()
                after = os.fstat(file.fileno())
        except FileNotFoundError:
            if path.is_symlink():
                raise TransientError(f"{path} is a link, and what it leads to is not there.") from None
            raise
    if stamp(before) != stamp(after) or len(payload) != after.st_size or _is_cut(payload):
        raise HalfWritten(path)
    return Card(payload, after)


def _is_cut(payload: bytes) -> bool:
    """Many programs empty a file before they write it; after a crash there may be zeros."""
    if not payload.strip(b"\0 \t\r\n"):
        return True
    return _BEGIN.match(payload) is not None and _END.search(payload) is None


def create(path: Path, payload: bytes) -> str:
    """The etag of a new file; one that exists is never touched: `AlreadyExists`."""
    with told(path), _beside(path, payload, mode=None) as (temporary, made):
        try:
            made = _link(temporary, path, made)
        except FileExistsError:
            raise AlreadyExists(f"There is a file {path} already.") from None
        settle(path.parent)
        return made.etag


def _link(temporary: Path, path: Path, made: Card) -> Card:
    """A second name, and the first goes away: the only move that replaces nothing."""
    try:
        os.link(temporary, path)
        return made
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    with path.open("xb") as file:
        try:
            file.write(made.payload)
            _flush(file)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    return Card(made.payload, path.stat())


def replace(path: Path, etag: str | None, payload: bytes) -> str:
    """The etag after an edit of the file as it was at ``etag``: `PreconditionFailed`, `NotFound`.

    The new file is complete before the old one is looked at, so that next to nothing lies between that
    look and the move. A link stays a link: what it leads to is replaced.
    """
    with told(path):
        target = path.resolve()
        mode = S_IMODE(_as_it_was(path, etag).stat.st_mode)
        with _beside(target, payload, mode) as (temporary, made):
            _as_it_was(path, etag)
            temporary.replace(target)
            settle(target.parent)
            return made.etag


def remove(path: Path, etag: str | None) -> None:
    """Raises `PreconditionFailed`; a file that is gone already is `NotFound`."""
    with told(path):
        _as_it_was(path, etag)
        path.unlink(missing_ok=True)
        settle(path.parent)


def _as_it_was(path: Path, etag: str | None) -> Card:
    """L32: the file, if it still is what was decided on."""
    try:
        card = read(path)
    except FileNotFoundError:
        raise NotFound(f"There is no file {path} any more.") from None
    except HalfWritten as error:
        raise PreconditionFailed(error.message, hint=error.hint) from error
    if card.etag != etag:
        raise PreconditionFailed(f"{path} changed since it was read.")
    return card


@contextmanager
def _beside(path: Path, payload: bytes, mode: int | None) -> Iterator[tuple[Path, Card]]:
    """A file beside ``path`` that is whole and on the disk; what is left of it goes in the end."""
    temporary = path.with_name(f"{OURS}{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(payload)
            _flush(file)
        if mode is not None:
            temporary.chmod(mode)
        yield temporary, Card(payload, temporary.stat())
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def settle(folder: Path) -> None:
    """That a name is in the folder is on the disk as well; where folders cannot be synced it is all the same
    done."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Trouble with a file in words: `PermissionDenied`, else `TransientError`. That it, or its folder, is not
    there stays a `FileNotFoundError` or `NotADirectoryError`: what follows is for the caller to say."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise _in_words(path, error) from error


def _in_words(path: Path, error: OSError) -> RemoteError:
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PermissionDenied(
            f"{path}: {reason}.", hint="Give yourself the right to read and write it; it is tried again then."
        )
    return TransientError(f"{path}: {reason}.", hint="It is tried again in the next round.")
