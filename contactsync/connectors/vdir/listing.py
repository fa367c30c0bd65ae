"""What is in a folder, compared with what was there: unchanged files are not opened again.

The cursor is the folder as it was last read: ``vdir:`` and a JSON object of name -> [etag, ctime].
"""

from __future__ import annotations

import json
from collections.abc import Container
from pathlib import Path

from contactsync.connectors.vdir import files
from contactsync.errors import RemoteError, SyncTokenExpired
from contactsync.frozen import frozen

#: A file that is younger may change once more without its times showing it: FAT counts in two seconds.
YOUNG_NS = 2_000_000_000
#: So long may a program take to write a file.
WRITING_NS = 60_000_000_000
_KIND = "vdir"


@frozen
class Seen:
    """A file that was read. ``ctime`` tells of an edit that kept size and mtime; 0: read it again."""

    etag: str
    ctime: int


@frozen
class Listing:
    """All card files of a folder; ``unread`` are there and could not be read now."""

    seen: dict[str, Seen]
    unread: frozenset[str]
    bytes_read: int

    @property
    def cursor(self) -> str:
        # What could not be read was there: when it goes, that is another list.
        everything = self.seen | dict.fromkeys(self.unread, Seen("", 0))
        rows = {name: [one.etag, one.ctime] for name, one in sorted(everything.items())}
        return f"{_KIND}:{json.dumps(rows, separators=(',', ':'))}"

    def is_as(self, known: dict[str, Seen]) -> bool:
        now = {name: one.etag for name, one in self.seen.items()}
        return not self.unread and now == {name: one.etag for name, one in known.items()}


def look(folder: Path, known: dict[str, Seen], now: int) -> Listing:
    """Read what may have changed since ``known``; ``now`` in nanoseconds. Raises `OSError` where the folder
    cannot be listed: a part of a list would be no proof of anything (L21)."""
    seen: dict[str, Seen] = {}
    unread: set[str] = set()
    count = 0
    for name in files.names(folder):
        path = folder / name
        try:
            if (old := known.get(name)) is not None and _is_same(path, old):
                seen[name] = old
                continue
            card = files.read(path)
        except FileNotFoundError:
            continue  # went away since the folder was listed
        except RemoteError:
            unread.add(name)
            continue
        count += len(card.payload)
        seen[name] = Seen(card.etag, 0 if is_young(card, now) else card.stat.st_ctime_ns)
    return Listing(seen, frozenset(unread), count)


def _is_same(path: Path, old: Seen) -> bool:
    with files.told(path):
        stat = path.stat()
    return stat.st_ctime_ns == old.ctime and old.etag.endswith(f"-{files.stamp(stat)}")


def being_written(folder: Path, now: int, whole: Container[str] = ()) -> str:
    """A file that some program is at just now, and that cannot be read yet; empty where there is none.
    ``whole`` are some that were read already."""
    for name in files.names(folder):
        if name in whole:
            continue
        try:
            if (folder / name).stat().st_mtime_ns > now - WRITING_NS:
                files.read(folder / name)
        except files.HalfWritten:
            return name
        except (OSError, RemoteError):
            continue  # it is another trouble
    return ""


def is_young(card: files.Card, now: int) -> bool:
    return max(card.stat.st_ctime_ns, card.stat.st_mtime_ns) > now - YOUNG_NS


def parse(cursor: str | None, book: str) -> dict[str, Seen]:
    """Raises `SyncTokenExpired` for what is no cursor of ours."""
    if cursor is None:
        return {}
    try:
        kind, _, text = cursor.partition(":")
        rows = json.loads(text if kind == _KIND else "null")
        return {name: Seen(str(etag), int(ctime)) for name, (etag, ctime) in rows.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise SyncTokenExpired("The saved place in this folder is of an unknown kind.", href=book) from error
