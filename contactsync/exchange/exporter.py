"""Export: contacts as vCards or JSContact, the same bytes from run to run as long as nothing changes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, get_args

from contactsync.errors import StoreError, UsageError
from contactsync.exchange.device import Device
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec, portable

Format = Literal["vcard4", "vcard3", "jscontact"]


class Form(NamedTuple):
    """How contacts are spelled: one at a time, and what stands around and between several."""

    write: Callable[[Contact], bytes]
    suffix: str
    before: bytes = b""
    between: bytes = b""
    after: bytes = b""


def form_of(name: str) -> Form:
    """Raises `UsageError` for a format that is not there."""
    if name == "jscontact":
        from contactsync.jscontact.files import dumps

        return Form(dumps, ".json", b"[\n", b",\n", b"\n]\n")
    if name in _VERSIONS:
        codec = VCardCodec(_VERSIONS[name])
        return Form(lambda contact: codec.write(portable(contact), None), ".vcf")
    raise UsageError(f"The format {name!r} comes later.", hint=f"There are: {', '.join(get_args(Format))}.")


_VERSIONS = {"vcard4": "4.0", "vcard3": "3.0"}
_SAFE_UID = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")
# Windows keeps these names for devices, whatever stands behind the first dot.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def export(
    engine: Device,
    *,
    to: str,
    fmt: str,
    split: bool,
    stdout: BinaryIO,
    group: str = "",
    query: str = "",
) -> int:
    """Write the contacts to the file ``to``, to ``stdout`` for "-", or with ``split`` each to a file
    of its own in the folder ``to``. How many there were.

    A file is replaced as a whole or not at all. Raises `UsageError` and `StoreError`.
    """
    form = form_of(fmt)
    cards = _cards(engine, form, group, query)
    if split:
        return _into_folder(to, cards, form)
    if to == "-":
        return _into(stdout, cards, form)
    with _clear_errors(to), _whole_file(Path(to).expanduser()) as file:
        return _into(file, cards, form)


def _cards(engine: Device, form: Form, group: str, query: str) -> Iterator[tuple[str, str, bytes]]:
    """UID, name and card of every contact, in the order of their names."""
    names = engine.hub.group_names()
    for stored in engine.contacts(query, group):
        contact = engine.store.contacts.with_media(names.to_names(stored.contact))
        yield stored.uid, contact.display, form.write(contact)


def _into(file: BinaryIO, cards: Iterator[tuple[str, str, bytes]], form: Form) -> int:
    count = 0
    file.write(form.before)
    for _, _, card in cards:
        file.write((form.between if count else b"") + card)
        count += 1
    file.write(form.after)
    file.flush()
    return count


def _into_folder(to: str, cards: Iterator[tuple[str, str, bytes]], form: Form) -> int:
    folder = Path(to).expanduser()
    if to == "-" or (folder.exists() and not folder.is_dir()):
        raise UsageError("--split needs a folder.", hint="Name one with --to FOLDER.")
    taken: set[str] = set()
    with _clear_errors(to):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for uid, display, card in cards:
            name = file_name(uid, display, taken)
            with _whole_file(folder / f"{name}{form.suffix}") as file:
                file.write(card)
    return len(taken)


def file_name(uid: str, display: str, taken: set[str]) -> str:
    """A name, without its ending, that every platform takes, and that is not in ``taken`` in any
    spelling of upper and lower case; it is added there. The UID itself where that is such a name."""
    name = uid
    if not _SAFE_UID.fullmatch(uid) or _RESERVED.fullmatch(uid) or uid.casefold() in taken:
        words = re.sub(r"\W+", "-", unicodedata.normalize("NFC", display)).strip("-_")[:40]
        name = f"{words or 'contact'}-{hashlib.sha256(uid.encode()).hexdigest()[:12]}"
    taken.add(name.casefold())
    return name


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when all of it is on the disk; readable by its owner."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", hint="Name a file, or use --split.")
    if path.exists() and not path.is_file():
        with path.open("wb") as device:  # a pipe or device is written to, never replaced
            yield device
        return
    part = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _clear_errors(to: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UsageError(
            f"There is no folder {Path(to).expanduser().parent}.", hint="Make it first."
        ) from error
    except OSError as error:
        raise StoreError(
            f"{to} cannot be written: {error.strerror}.", hint="Make room, or check the folder."
        ) from error
