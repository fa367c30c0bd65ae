"""Export: contacts as vCards, JSContact or tables, the same bytes from run to run while nothing changes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, get_args

from contactsync.errors import StoreError, UsageError
from contactsync.exchange.device import Device
from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.sync.diff import differs
from contactsync.vcard.codec import VCardCodec, portable
from contactsync.vcard.projecting import project
from contactsync.vcard.values import one_line

Format = Literal["vcard4", "vcard3", "vcard21", "jscontact", "csv", "outlook-csv"]


class Form(NamedTuple):
    """How contacts are spelled: one at a time, and what stands around and between several. ``read`` tells
    what became of a contact, where a format cannot hold all."""

    write: Callable[[Contact], bytes]
    suffix: str
    before: bytes = b""
    between: bytes = b""
    after: bytes = b""
    read: Callable[[bytes], Contact] | None = None


@frozen
class LeftOut:
    """What a format cannot hold of one contact: its fields by name."""

    uid: str
    name: str
    fields: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        return {"uid": self.uid, "name": self.name, "fields": list(self.fields)}


@dataclass(slots=True)
class ExportReport:
    contacts: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


def form_of(name: str) -> Form:
    """How one contact is written. Raises `UsageError` for a format that is not there, and for tables."""
    if name == "jscontact":
        from contactsync.jscontact.files import dumps

        return Form(dumps, ".json", b"[\n", b",\n", b"\n]\n")
    codec = VCardCodec()
    if name == "vcard21":
        return Form(lambda contact: codec.write(portable(contact), _shell(contact)), ".vcf", read=codec.read)
    if name in _VERSIONS:
        codec = VCardCodec(_VERSIONS[name])
        return Form(lambda contact: codec.write(portable(contact), None), ".vcf", read=codec.read)
    if name in get_args(Format):
        raise UsageError(f"{name} is a table of several contacts.", hint="Write one with: contactsync export")
    raise UsageError(f"There is no format {name!r}.", hint=f"There are: {', '.join(get_args(Format))}.")


def _shell(contact: Contact) -> bytes:
    """An empty vCard 2.1, to be written into."""
    uid = one_line(contact.uid)
    lines = ("BEGIN:VCARD", "VERSION:2.1", *([f"UID:{uid}"] if uid else []), "N:;;;;", "END:VCARD", "")
    return "\r\n".join(lines).encode("utf-8", "replace")


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
) -> ExportReport:
    """Write the contacts to the file ``to``, to ``stdout`` for "-", or with ``split`` each to a file
    of its own in the folder ``to``. How many there were, and what the format could not hold of them.

    A file is replaced as a whole or not at all. Raises `UsageError` and `StoreError`.
    """
    report = ExportReport()
    if fmt in _TABLES:
        if split:
            raise UsageError("A table is one file.", hint="Leave --split out, or choose another --format.")
        write: Callable[[BinaryIO], None] = functools.partial(_table, engine, fmt, group, query, report)
    else:
        form = form_of(fmt)
        cards = _cards(engine, form, group, query, report)
        if split:
            _into_folder(to, cards, form)
            return report
        write = functools.partial(_into, cards=cards, form=form)
    if to == "-":
        write(stdout)
    else:
        with _clear_errors(to), _whole_file(Path(to).expanduser()) as file:
            write(file)
    return report


_TABLES = ("csv", "outlook-csv")


def _contacts(engine: Device, group: str, query: str) -> Iterator[Contact]:
    """Every contact as files have it, in the order of their names."""
    names = engine.hub.group_names()
    for stored in engine.contacts(query, group):
        yield engine.store.contacts.with_media(names.to_names(replace(stored.contact, uid=stored.uid)))


def _cards(
    engine: Device, form: Form, group: str, query: str, report: ExportReport
) -> Iterator[tuple[str, str, bytes]]:
    """UID, name and card of every contact."""
    for contact in _contacts(engine, group, query):
        card = form.write(contact)
        if form.read is not None:
            _note_losses(report, contact, project(portable(contact)), form.read(card))
        report.contacts += 1
        yield contact.uid, contact.display, card


def _note_losses(report: ExportReport, contact: Contact, whole: Contact, there: Contact) -> None:
    fields = sorted({path[0] for path in differs(whole, there)})
    if fields:
        report.left_out.append(LeftOut(contact.uid, contact.display, tuple(fields)))


def _table(engine: Device, fmt: str, group: str, query: str, report: ExportReport, file: BinaryIO) -> None:
    """Rows in the order of what they say, so that the same people always make the same table: it has no place
    for UIDs."""
    from contactsync.csvfiles import google, outlook
    from contactsync.csvfiles.table import write_table

    kind = outlook if fmt == "outlook-csv" else google
    rows = []
    for contact in _contacts(engine, group, query):
        row = kind.write_row(contact)
        there = kind.read_row(row)
        _note_losses(report, contact, project(portable(contact)), there)
        rows.append((there.display.casefold(), sorted(row.items()), row))
        report.contacts += 1
    rows.sort(key=lambda found: found[:2])
    found = [row for _, _, row in rows]
    file.write(write_table(kind.columns_for(found), found))
    file.flush()


def _into(file: BinaryIO, cards: Iterator[tuple[str, str, bytes]], form: Form) -> None:
    between = b""
    file.write(form.before)
    for _, _, card in cards:
        file.write(between + card)
        between = form.between
    file.write(form.after)
    file.flush()


def _into_folder(to: str, cards: Iterator[tuple[str, str, bytes]], form: Form) -> None:
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
