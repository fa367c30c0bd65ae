"""What a person should know of a folder: what is in it, who writes there, and what is wrong. Only reads."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from contactsync.connectors.base import Collection, Fact
from contactsync.connectors.vdir import files
from contactsync.errors import RemoteError

#: Where Linux says what is mounted where (proc_pid_mountinfo(5)).
MOUNTS = Path("/proc/self/mountinfo")
#: What other machines do there, the system of this one does not see.
_SHARED = re.compile(r"nfs|cifs|smb|9p|afs|ceph|fuse\.(?:sshfs|rclone|davfs|gvfs)|davfs|virtiofs|vboxsf")
_NO_LINKS = frozenset({"vfat", "exfat", "msdos"})
_LINE = re.compile(rb"(?im)^(UID|PRODID)(?:;[^:\r\n]*)?:([^\r\n]*)")
MOST = 10


def about(root: Path, books: Mapping[Collection, Path], mounts: Path = MOUNTS) -> Iterator[Fact]:
    """The folder, then its address books."""
    kind = file_system(root, mounts)
    words = ", ".join(f"{book.name} ({_count(len(files.names(folder)))})" for book, folder in books.items())
    yield Fact(f"It is a folder{f' on {kind}' if kind else ''} with {words}.")
    yield from _watching(kind)
    if kind in _NO_LINKS:
        yield Fact(
            "This file system has no hard links.",
            "Another program may see half of a new card for a moment.",
        )
    found = [_Book(book.name, folder) for book, folder in books.items()]
    programs = sum((one.programs for one in found), Counter[str]())
    if programs:
        yield Fact(f"Its cards were written by {', '.join(name for name, _ in programs.most_common(3))}.")
    for one in found:
        yield from one.facts()


def _watching(kind: str) -> Iterator[Fact]:
    if importlib.util.find_spec("watchfiles") is None:
        how = 'At once with: pip install "contactsync[folders]"'
        yield Fact("contactsync watch notices what happens in it at each interval only.", how)
    elif _SHARED.match(kind):
        yield Fact("contactsync watch notices what other machines do in it at each interval only.")
    else:
        yield Fact("contactsync watch notices what other programs do in it at once.")


class _Book:
    """One address book, as its files are now."""

    def __init__(self, name: str, folder: Path) -> None:
        self.programs: Counter[str] = Counter()
        self._name = name
        self._folder = folder
        self._troubles: dict[str, str] = {}
        self._uids: dict[str, list[str]] = defaultdict(list)
        for file in files.names(folder):
            self._read(file)

    def _read(self, file: str) -> None:
        try:
            card = files.read(self._folder / file)
        except FileNotFoundError:
            return
        except RemoteError as error:
            self._troubles[file] = _words(error)
            return
        if card.holds_several:
            self._troubles[file] = _words(files.several(file))
            return
        if not card.is_begun:
            self._troubles[file] = "It is no card. Rename or remove it."
            return
        lines = {name.upper(): value.strip() for name, value in _LINE.findall(card.payload)}
        if uid := lines.get(b"UID"):
            self._uids[uid.decode(errors="replace")].append(file)
        if program := lines.get(b"PRODID"):
            self.programs[program.decode(errors="replace")] += 1

    def facts(self) -> Iterator[Fact]:
        for file, trouble in [*self._troubles.items()][:MOST]:
            yield Fact(f"{self._name}: {file} is not synchronised.", trouble, ok=False)
        if len(self._troubles) > MOST:
            yield Fact(f"{self._name}: {len(self._troubles) - MOST} more are not.", ok=False)
        for same in [names for names in self._uids.values() if len(names) > 1][:MOST]:
            means = "They are two contacts, unless you merge them: contactsync duplicates"
            yield Fact(f"{self._name}: {' and '.join(same)} have one UID.", means)
        left = [path.name for path in self._folder.glob(f"{files.OURS}*")]
        if left:
            means = "Remove what is there while contactsync is not running."
            yield Fact(f"{self._name}: an interrupted write left {', '.join(sorted(left)[:MOST])}.", means)


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Its type, like ``ext4``; empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    where = path.resolve()
    found = ("", "")
    for line in lines:
        left, _, right = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), left.split(" ")[4])
        if where.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, right.split(" ")[0])
    return found[1]


def _words(error: RemoteError) -> str:
    return f"{error.message} {error.hint}".strip()


def _count(cards: int) -> str:
    return f"{cards} card{'' if cards == 1 else 's'}"
