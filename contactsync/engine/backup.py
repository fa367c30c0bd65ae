"""Our own backup first (L38): a book's cards as read, before we ever write there."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contactsync.connectors.base import Codec
from contactsync.engine.context import Round
from contactsync.errors import CodecError, StoreError
from contactsync.store.values import Book
from contactsync.vcard.foreign import as_card, is_card, label_names


@dataclass(frozen=True, slots=True)
class Backup:
    """A file with the cards of one book."""

    path: Path
    account: str
    book: str
    made_at: datetime
    cards: int


def back_up(round_: Round, book: Book, payloads: list[bytes]) -> None:
    """Save the cards of a book once, as they are; nothing to do where that was done already.

    What is no vCard is saved as one that can be imported, and as it was read in a file beside it.
    """
    if book.backed_up_at is not None or round_.dry_run:
        return
    at = round_.now()
    name = f"{safe_name(book.account)}--{safe_name(book.name)}--{at:%Y%m%dT%H%M%SZ}.vcf"
    foreign = [payload for payload in payloads if not is_card(payload)]
    converted = _as_cards(round_.connector.codec, foreign)
    if converted:
        write_private(round_.backups / f"{name}.jsonl", _lines(foreign))
        payloads = [*filter(is_card, payloads), *converted]
    if payloads:
        write_private(round_.backups / name, _lines(payloads))
    with round_.store.transaction():
        round_.store.books.update(book.id, backed_up_at=at)


def _lines(payloads: Iterable[bytes]) -> Iterator[bytes]:
    return (p if p.endswith(b"\n") else p + b"\r\n" for p in payloads)


def _as_cards(codec: Codec, payloads: Iterable[bytes]) -> list[bytes]:
    """What cannot be read is in the other file only."""
    views = []
    for payload in payloads:
        with contextlib.suppress(CodecError):
            views.append(codec.read(payload))
    names = label_names(views)
    return [as_card(view, names) for view in views if view.kind != "group"]


def write_private(path: Path, parts: Iterable[bytes]) -> None:
    """Write a whole file or none, readable by its owner only. Raises `StoreError`."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise StoreError(
            f"{path} cannot be written: {error.strerror}.", hint="Make room or check the folder."
        ) from error


def safe_name(text: str) -> str:
    """A part of a file name that is safe on every platform."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:60] or "book"


def backups(folder: Path) -> list[Backup]:
    """The backups in this folder, oldest first."""
    found = []
    for path in sorted(folder.glob("*--*--*.vcf")):
        account, book, stamp = path.stem.rsplit("--", 2)
        made_at = datetime.strptime(stamp + "+0000", "%Y%m%dT%H%M%SZ%z")
        cards = path.read_bytes().upper().count(b"BEGIN:VCARD")
        found.append(Backup(path, account, book, made_at, cards))
    return sorted(found, key=lambda b: b.made_at)
