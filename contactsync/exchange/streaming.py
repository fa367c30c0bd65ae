"""Cards of a stream of any length, without holding more of it than a few cards."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO

from contactsync.csvfiles import google, outlook
from contactsync.csvfiles.google import is_google
from contactsync.csvfiles.outlook import is_outlook
from contactsync.csvfiles.table import Row, header_of, read_table
from contactsync.errors import CodecError, UsageError
from contactsync.jscontact.files import loads, looks_like_json
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec, portable
from contactsync.vcard.jcard import cards_of, looks_like_jcard
from contactsync.vcard.lines import MAX_CARD_BYTES, RawCard, split_cards

CHUNK_BYTES = 1 << 20
MAX_WHOLE_BYTES = 256 << 20
"""UTF-16, JSON and tables are read as a whole."""
MAX_CARDS = 1_000_000

_BEGIN = re.compile(rb"BEGIN[ \t]*:[ \t]*VCARD", re.IGNORECASE)
_BEGIN_LINE = re.compile(rb"(?:^|[\r\n\0])[ \t]*(?:\xef\xbb\xbf)?" + _BEGIN.pattern, re.IGNORECASE)
# After the card inside an AGENT comes a further line of the outer card, never another BEGIN.
_SEAM = re.compile(rb"[\r\n]END[ \t]*:[ \t]*VCARD[ \t\r\n]*[\r\n](?=BEGIN[ \t]*:[ \t]*VCARD)", re.IGNORECASE)
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"B\0", b"\0B")


def stream_cards(
    file: BinaryIO, name: str, columns: Mapping[str, str] = MappingProxyType({})
) -> Iterator[RawCard]:
    """The cards of ``file`` in order, those of JSContact, jCard and tables (CSV) as vCards; one that cannot
    be made a card of is its text, with the reason as its problem. ``columns`` are English names of columns
    that a table has in another language. Raises `UsageError` when it is something else, or has no end."""
    head = _read(file, CHUNK_BYTES)
    if looks_like_json(head) and not has_card(head):
        yield from _of_json(head + _read(file, MAX_WHOLE_BYTES), name)
        return
    if (read := _row_reader(head, name, columns)) is not None:
        yield from _of_table(head + _read(file, MAX_WHOLE_BYTES), name, columns, read)
        return
    _refuse_other_files(head, name)
    if head[:2] in _WIDE:
        yield from split_cards(head + _rest_of_wide(file, name))
        return
    count = 0
    for part, lines in _parts(file, head, name):
        for card in split_cards(part):
            count += 1
            if count > MAX_CARDS:
                raise UsageError(f"{name} has more than {MAX_CARDS} cards.", hint="Import it in parts.")
            yield card._replace(line=card.line + lines)


def _row_reader(head: bytes, name: str, columns: Mapping[str, str]) -> Callable[[Row], Contact] | None:
    """What reads a row of the table that begins so; None where it is none. Raises `UsageError` for a table
    of columns that nobody knows."""
    if _is_no_text(head):
        return None
    header = [columns.get(one, one) for one in header_of(head)]
    if is_google(header):
        return google.read_row
    if is_outlook(header):
        return outlook.read_row
    if not header or head.lstrip()[:1] == b"<" or has_card(head):
        return None
    named = ", ".join(header[:8]) + (" ..." if len(header) > 8 else "")
    raise UsageError(
        f"{name} is a table (CSV) with columns that are not known: {named}.",
        hint="Known are those of Google and Outlook in English; say with --columns what others are.",
    )


def _is_no_text(head: bytes) -> bool:
    return head[:2] not in _WIDE and (b"\0" in head or any(head.startswith(start) for start, _ in _KINDS))


def _of_table(
    data: bytes, name: str, columns: Mapping[str, str], read: Callable[[Row], Contact]
) -> Iterator[RawCard]:
    if len(data) >= MAX_WHOLE_BYTES:
        raise UsageError(f"{name} is too large for a table.", hint="Import it in parts.")
    codec = VCardCodec("4.0")
    try:
        for found in read_table(data):
            if found.problem:
                yield RawCard(found.text.encode(), 0, found.line, (found.problem,))
                continue
            contact = read({columns.get(column, column): cell for column, cell in found.cells.items()})
            yield RawCard(codec.write(portable(contact), None), 0, found.line)
    except CodecError as error:
        raise UsageError(f"{name}: {error.message}", hint="Save the table as CSV again.") from error


def _of_json(data: bytes, name: str) -> Iterator[RawCard]:
    if len(data) >= MAX_WHOLE_BYTES:
        raise UsageError(f"{name} is too large for JSON.", hint="Import it in parts.")
    codec = VCardCodec("4.0")
    try:
        if looks_like_jcard(data):
            for number, (card, problem) in enumerate(cards_of(data), 1):
                yield RawCard(card, 0, number, (problem,) if problem else ())
            return
        for found in loads(data):
            if found.contact is None:
                yield RawCard(found.text.encode(), 0, found.line, (found.problem,))
            else:
                yield RawCard(codec.write(found.contact, None), 0, found.line)
    except CodecError as error:
        raise UsageError(f"{name}: {error.message}", hint="Export the contacts again.") from error


def has_card(data: bytes) -> bool:
    """Does a line of it begin a vCard? In the texts of a JSON file there are no lines."""
    return _BEGIN_LINE.search(data) is not None or data[:2] in _WIDE


def _read(file: BinaryIO, size: int) -> bytes:
    """``size`` bytes, fewer only at the end: a pipe gives what is there."""
    found = bytearray()
    while len(found) < size and (some := file.read(size - len(found))):
        found += some
    return bytes(found)


def _rest_of_wide(file: BinaryIO, name: str) -> bytes:
    rest = _read(file, MAX_WHOLE_BYTES)
    if len(rest) == MAX_WHOLE_BYTES:
        raise UsageError(f"{name} is too large for UTF-16 text.", hint="Save it as UTF-8.")
    return rest


def _parts(file: BinaryIO, head: bytes, name: str) -> Iterator[tuple[bytes, int]]:
    """Pieces of whole cards, each with the number of lines before it."""
    buffer, lines = head, 0
    while some := _read(file, CHUNK_BYTES):
        buffer += some
        if cut := _last_seam(buffer):
            yield buffer[:cut], lines
            lines += buffer.count(b"\n", 0, cut)
            buffer = buffer[cut:]
        elif len(buffer) > 2 * MAX_CARD_BYTES:
            raise UsageError(
                f"{name} has no end of a card within {len(buffer) // 1_000_000} MB.",
                hint="Is this a vCard file?",
            )
    yield buffer, lines


def _last_seam(buffer: bytes) -> int:
    cut = 0
    for match in _SEAM.finditer(buffer):
        cut = match.end()
    return cut


def _refuse_other_files(head: bytes, name: str) -> None:
    if not head.strip():
        raise UsageError(f"{name} is empty.", hint="Export the contacts again.")
    if _BEGIN.search(head) or head[:2] in _WIDE:
        return
    raise UsageError(f"{name} is {_kind_of(head)}, not a vCard file.", hint=_HINTS.get(_kind_of(head), ""))


def _kind_of(head: bytes) -> str:
    text = head[:2000].lstrip(codecs.BOM_UTF8 + b" \t\r\n").lower()
    for start, kind in _KINDS:
        if head.startswith(start) or text.startswith(start):
            return kind
    return "something else"


_KINDS = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<", "XML"),
)
_HINTS = {
    "a ZIP archive": "Unpack it and import the .vcf files in it.",
    "a gzip archive": "Unpack it first.",
    "a web page": "The download may have led to a login page: export the contacts again.",
}
