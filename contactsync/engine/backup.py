"""Our own backup first (L38): a book's cards as read, before we ever write there."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from contactsync.connectors.base import GroupCodec, Outcome, Step
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


def write(round_: Round, book: Book, steps: Iterable[Step]) -> Iterator[Outcome]:
    """`Connector.write`, once the book is backed up: nothing reaches a remote in any other way."""
    back_up(round_, book)
    return round_.connector.write(book.href, steps)


def back_up(round_: Round, book: Book) -> None:
    """Save the cards of a book as they were read last, once; nothing to do where that was done already.

    What is no vCard is saved as one that can be imported, and as it was read in a file beside it. What cannot
    be read is in the other file only.
    """
    if book.backed_up_at is not None or round_.dry_run:
        return
    store = round_.store
    now = store.books.get(book.id)
    if now is None or now.backed_up_at is not None:
        return
    codec, names, at = round_.connector.codec, _label_names(round_, book), round_.now()
    path = _new_path(round_.backups, book, at)
    foreign = False

    def cards() -> Iterator[bytes]:
        nonlocal foreign
        for payload in store.books.cards(book.id):
            if is_card(payload):
                yield payload
                continue
            foreign = True
            with contextlib.suppress(CodecError):
                view = codec.read(payload)
                if view.kind != "group":
                    yield as_card(view, names)

    write_private(path, _lines(cards()))
    if foreign:
        as_read = (payload for payload in store.books.cards(book.id) if not is_card(payload))
        write_private(path.with_name(f"{path.name}.jsonl"), _lines(as_read))
    with store.transaction(durable=True):
        store.books.update(book.id, backed_up_at=at)
    round_.step("backed-up")


def _new_path(folder: Path, book: Book, at: datetime) -> Path:
    """A second later where the name is taken: another book may be called the same."""
    while True:
        path = folder / f"{safe_name(book.account)}--{safe_name(book.name)}--{at:%Y%m%dT%H%M%SZ}.vcf"
        if not path.exists() and not path.with_name(f"{path.name}.jsonl").exists():
            return path
        at += timedelta(seconds=1)


def _label_names(round_: Round, book: Book) -> dict[str, str]:
    """What the labels of a book are called: any card may name each of them."""
    if not round_.connector.capabilities.labels:
        return {}
    codec = cast("GroupCodec", round_.connector.codec)
    labels = (payload for payload in round_.store.books.cards(book.id) if _is_label(codec, payload))
    return label_names(map(round_.connector.codec.read, labels))


def _is_label(codec: GroupCodec, payload: bytes) -> bool:
    with contextlib.suppress(CodecError):
        return codec.read_group(payload) is not None
    return False


def _lines(payloads: Iterable[bytes]) -> Iterator[bytes]:
    return (p if p.endswith(b"\n") else p + b"\r\n" for p in payloads)


def write_private(path: Path, parts: Iterable[bytes]) -> None:
    """Write a whole file, readable by its owner only, or none; none where it would be empty. Raises
    `StoreError`."""
    from contactsync.connectors.vdir.files import settle

    source = iter(parts)
    first = next(source, None)
    if first is None:
        return
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(first)
            file.writelines(source)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        settle(path.parent)
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
