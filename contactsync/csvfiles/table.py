"""A CSV file (RFC 4180) as rows of named cells, and back: encodings, delimiters, quotes.

Spreadsheets save what they call CSV in many ways; here it is found out from the file itself.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from contactsync.errors import CodecError

Row = Mapping[str, str]

MAX_CELL = 16 << 20
"""Characters of one cell; a note is far below, a quote that never ends is not."""
_DELIMITERS = ",;\t"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Found(NamedTuple):
    """One row with the line it starts at: its cells by the names of their columns, empty ones left out; or
    what is wrong with it."""

    line: int
    cells: dict[str, str]
    text: str
    problem: str = ""


def header_of(head: bytes) -> list[str]:
    """The names of the columns in the first line of a file that begins so; empty where it is no table."""
    text = _decoded(head)
    first = text.lstrip("\ufeff").splitlines()[:1]
    if not first or "\0" in text:
        return []
    try:
        rows = list(csv.reader(first, delimiter=_delimiter(first[0])))
    except csv.Error:
        return []
    return [name.strip() for name in rows[0]] if rows and len(rows[0]) > 1 else []


def read_table(data: bytes) -> Iterator[Found]:
    """The rows below the first one. A row that does not fit is told with what is wrong; a file that is no
    table raises `CodecError`."""
    text = _decoded(data)
    if "\0" in text:
        raise CodecError("This is no text; save the table as CSV in UTF-8.")
    lines = io.StringIO(text.lstrip("\ufeff"), newline="")
    first = lines.readline()
    lines.seek(0)
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(lines, delimiter=_delimiter(first), strict=True)
    columns: list[str] | None = None
    began = 1
    try:
        for cells in reader:
            line, began = began, reader.line_num + 1
            if columns is None:
                columns = _columns(cells)
            elif any(cell.strip() for cell in cells):
                yield _row(columns, cells, line)
    except csv.Error as error:
        raise CodecError(f"Line {began}: a quotation mark is missing or out of place ({error}).") from error
    if columns is None:
        raise CodecError("The table is empty.")


def _columns(cells: Sequence[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    named = [name for name in names if name]
    if double := sorted({name for name in named if named.count(name) > 1}):
        raise CodecError(f"Two columns are called {double[0]!r}.")
    return names


def _row(columns: Sequence[str], cells: Sequence[str], line: int) -> Found:
    text = _line(cells)
    rest = [cell for cell in cells[len(columns) :] if cell.strip()]
    if rest:
        problem = f"This row has {len(cells)} cells, and there are {len(columns)} columns."
        return Found(line, {}, text, f"{problem} Is there a comma that is not in quotation marks?")
    named = zip(columns, cells, strict=False)
    return Found(line, {name: cell for name, cell in named if name and cell.strip()}, text)


def _decoded(data: bytes) -> str:
    """The text by its mark, else as UTF-8, else as Windows writes it in the West."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # the last letter of a piece may be cut; anything before it is no UTF-8
        cut = error.start >= len(data) - 3 and error.reason == "unexpected end of data"
        return data[: error.start].decode("utf-8") if cut else data.decode("cp1252", "replace")


def _delimiter(line: str) -> str:
    """What separates the names of the columns: the sign that is there most often outside of quotes."""
    bare = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def write_table(columns: Sequence[str], rows: Iterable[Row]) -> bytes:
    """A table in UTF-8 with the mark that makes spreadsheets read it so, and CRLF (RFC 4180)."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return codecs.BOM_UTF8 + text.getvalue().encode("utf-8", "replace")


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
