"""The cards: those of ``fixtures/``, and of a folder with more of them where there is one."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contactsync.vcard.lines import RawCard, split_cards

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures" / "vcards"
_CARD = re.compile(rb"(BEGIN|END):VCARD", re.IGNORECASE)
ALIKE = 20
"""Of a file with more cards than this, so many are tried: they are all alike."""


@dataclass(frozen=True)
class Real:
    """One card of one file."""

    name: str
    raw: RawCard

    def __str__(self) -> str:
        return f"{self.name}:{self.raw.line}"


def folders() -> Sequence[Path]:
    """``CONTACTSYNC_CORPUS`` names a folder with more cards; else ``../shared/corpus`` if it is there."""
    more = Path(os.environ.get("CONTACTSYNC_CORPUS", ROOT.parent / "shared" / "corpus"))
    return [FIXTURES, more] if more.is_dir() else [FIXTURES]


@functools.cache
def files() -> dict[str, bytes]:
    """Name and content of each file, each content once."""
    found: dict[bytes, str] = {}
    for folder in folders():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in ("README.md", "index.csv"):
                found.setdefault(path.read_bytes(), str(path.relative_to(folder)))
    return {name: data for data, name in found.items()}


@functools.cache
def cards() -> list[Real]:
    """Every card, each once; files of other kinds have none."""
    found: dict[bytes, Real] = {}
    for name, data in files().items():
        for raw in list(split_cards(data))[:ALIKE]:
            if _CARD.search(raw.data):
                found.setdefault(raw.data, Real(name, raw))
    return list(found.values())
