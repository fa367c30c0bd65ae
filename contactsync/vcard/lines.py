"""The wire layer: bytes <-> cards <-> content lines, without any idea of what a property means.

RFC 6350 section 3, RFC 2426 section 4, vCard 2.1 section 2 and what real files do besides. Folds are
taken apart on bytes, because writers cut inside a UTF-8 character. A line that is not edited goes back
as its source bytes; everything here is linear in the size of the card, without recursion.
"""

from __future__ import annotations

import codecs
import functools
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

from contactsync.errors import CodecError
from contactsync.vcard.heads import LONGEST, Head, Params, head_of, plain_param

MAX_CARD_BYTES = 25_000_000
MAX_NESTING = 8
MAX_LINES = 1_000_000

# As numbers: `bytes` looks for one of those at once, for a string only after an error of its own.
_LF, _ESC = 10, 27
_new_line = tuple.__new__

_BOM = codecs.BOM_UTF8
_MARK = re.compile(rb"(BEGIN|END)[ \t]*:[ \t]*VCARD[ \t]*(?=[\r\n]|\Z)", re.IGNORECASE)
_BEGIN = re.compile(rb"BEGIN[ \t]*:[ \t]*VCARD[ \t\r\n]*\Z", re.IGNORECASE)
_END = re.compile(rb"END[ \t]*:[ \t]*VCARD[ \t\r\n]*\Z", re.IGNORECASE)
_AGENT = re.compile(rb"(?:[^\r\n:;]*\.)?AGENT(?:;[^\r\n:]*)?:[ \t\r\n]*\Z", re.IGNORECASE)
_AGENT_BEGIN = re.compile(
    _AGENT.pattern.removesuffix(rb"[ \t\r\n]*\Z") + rb"[ \t]*" + _BEGIN.pattern, re.IGNORECASE
)
_ENCODED = re.compile(
    rb";[ \t]*(?:ENCODING[ \t]*=[ \t]*\"?)?(?:(QUOTED-PRINTABLE)|BASE64|(?<=[=\" \t])B)\"?[ \t]*(?=;|\Z)",
    re.IGNORECASE,
)
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/=]+[ \t]*\r?\n?\Z")
_CHUNK = re.compile(rb"(?:[^\n]*\n|[^\n]+\Z)(?:[ \t\r][^\n]*(?:\n|\Z)|\n)*+")
_CHUNK_CR = re.compile(rb"(?:[^\r]*\r|[^\r]+\Z)(?:[ \t][^\r]*(?:\r|\Z)|\r)*+")
_SAFE_PARAM = re.compile(r'[^";:\x00-\x08\x0a-\x1f\x7f]*\Z')
_QUOTED_PARAM = re.compile(r'(?:[^";:\x00-\x08\x0a-\x1f\x7f]|"[^"\x00-\x08\x0a-\x1f\x7f]*")*\Z')
#: A head that does not say where its line ends: a quote or a fold, or bytes that are not UTF-8.
_ODD = Head("", "", (), "odd")


class RawCard(NamedTuple):
    """One card of a file: its bytes, where it starts (offset, line number), what is odd about it."""

    data: bytes
    offset: int
    line: int
    problems: tuple[str, ...] = ()


class Line(NamedTuple):
    """One content line; ``source`` are its bytes with folds and line end.

    ``value`` is unfolded text before transfer decoding. A line without colon has no name and is only kept.
    ``charset`` is the one in which the bytes made sense.
    """

    source: bytes
    head: Head
    value: str
    charset: str = "utf-8"

    @property
    def group(self) -> str:
        return self.head.group

    @property
    def name(self) -> str:
        return self.head.name

    @property
    def params(self) -> Params:
        return self.head.params

    def param(self, name: str) -> str:
        """The first parameter of that upper-case name, plain, or ""."""
        return self.head.param(name)


def line_of(group: str, name: str, params: Params, value: str) -> Line:
    """A line that is on no card."""
    return Line(b"", head_of(group, name, params), value)


def to_utf8(data: bytes) -> tuple[bytes, str]:
    """The bytes as UTF-8 (or another ASCII superset) and the wide encoding they were in, or ""."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    elif data[:2] == b"B\0":
        encoding = "utf-16-le"
    elif data[:2] == b"\0B":
        encoding = "utf-16-be"
    else:
        return data, ""
    try:
        return data.decode(encoding).encode(), encoding
    except UnicodeError as error:
        raise CodecError("The card is damaged UTF-16 text.") from error


def from_utf8(data: bytes, encoding: str, model: bytes) -> bytes:
    """Back into the wide encoding of ``model``, with its byte order."""
    if not encoding:
        return data
    if encoding == "utf-16":
        big = model[:2] == codecs.BOM_UTF16_BE
        bom, encoding = (codecs.BOM_UTF16_BE, "utf-16-be") if big else (codecs.BOM_UTF16_LE, "utf-16-le")
        return bom + data.decode().encode(encoding)
    return data.decode().encode(encoding)


class _Mark(NamedTuple):
    start: int
    end: int
    begins: bool
    nested: bool


def _marks(data: bytes) -> Iterator[_Mark]:
    """BEGIN and END lines; a BEGIN on an AGENT line, or right after an empty one, opens a card inside the
    card."""
    for match in _MARK.finditer(data):
        start = match.start()
        begins = match[1][:1] in b"Bb"
        at_line_start = start == 0 or data[start - 1] in b"\r\n" or (start == 3 and data[:3] == _BOM)
        nested = begins and _after_agent(data, start)
        if nested and not at_line_start and _begins_with_blank(data, _line_end(data, match.end())):
            continue  # the card is the folded text of the line
        if at_line_start or nested:
            yield _Mark(start, _line_end(data, match.end()), begins, nested)


def _line_end(data: bytes, at: int) -> int:
    if data[at : at + 2] == b"\r\n":
        return at + 2
    return min(at + 1, len(data))


def _begins_with_blank(data: bytes, at: int) -> bool:
    return data[at : at + 1] in (b" ", b"\t")


def _after_agent(data: bytes, start: int) -> bool:
    before = data[max(0, start - 200) : start].rstrip()
    line = before[max(before.rfind(b"\n"), before.rfind(b"\r")) + 1 :]
    return bool(_AGENT.match(line))


def split_cards(data: bytes) -> Iterator[RawCard]:
    """The cards of a file, each on its own, in order; text between cards is reported and skipped.

    A card that has no END is reported with ``missing END`` and ends where the next one begins. An
    END without BEGIN is a card of its own with ``missing BEGIN``, so that nothing vanishes.
    """
    data, _ = to_utf8(data)
    counter = _LineCounter(data)
    start, depth, free = -1, 0, 0
    for mark in _marks(data):
        if mark.begins and start >= 0 and not mark.nested:
            yield counter.card(start, mark.start, ("missing END",))
            start, depth, free = -1, 0, mark.start
        if mark.begins:
            if start < 0:
                start = mark.start
            depth += 1
        elif start < 0:
            yield counter.card(free, mark.end, ("missing BEGIN",))
            free = mark.end
        else:
            depth -= 1
            if depth == 0:
                yield counter.card(start, mark.end, _text_before(data, free, start))
                start, free = -1, mark.end
    if start >= 0:
        yield counter.card(start, len(data), ("missing END",))
    elif data[free:].strip():
        yield counter.card(free, len(data), ("missing BEGIN", "missing END"))


def _text_before(data: bytes, free: int, start: int) -> tuple[str, ...]:
    between = data[free:start].removeprefix(_BOM)
    return ("text before BEGIN",) if between.strip() else ()


class _LineCounter:
    """Line numbers for growing offsets, counted once over the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = b"\n" if b"\n" in data else b"\r"
        self._at = 0
        self._line = 1

    def card(self, start: int, end: int, problems: tuple[str, ...]) -> RawCard:
        self._line += self._data.count(self._end, self._at, start)
        self._at = start
        return RawCard(self._data[start:end], start, self._line, problems)


def parse_lines(card: bytes) -> list[Line]:
    """All lines of a card in order; joined, their sources are the card. Raises `CodecError` at a cap."""
    if len(card) > MAX_CARD_BYTES:
        raise CodecError(f"The card has {len(card)} bytes; more than {MAX_CARD_BYTES} are not read.")
    end = b"\n" if _LF in card else b"\r"
    fold = end[0]
    chunks = _chunks(card, end)
    escapes = _ESC in card
    lines: list[Line] = []
    behind = 0
    for at, source in enumerate(chunks):
        if at < behind:
            continue
        text, colon, raw = source.partition(b":")
        head = _head(text) if colon and len(text) <= LONGEST and not escapes else _ODD
        if head.mode:
            pieces, behind, mode = _gathered(chunks, at, end)
            lines.append(_line(pieces, mode))
            continue
        raw = raw.rstrip(b"\r\n")
        if fold in raw:
            raw = _unfolded(raw, end)
        try:
            lines.append(_new_line(Line, (source, head, raw.decode(), "utf-8")))
        except UnicodeDecodeError:
            lines.append(_line(_pieces(source, end), ""))
    return lines


def _chunks(card: bytes, end: bytes) -> list[bytes]:
    """Physical lines with the folds and blank lines that follow them. A bare CR is a line end only in a
    card that has no LF at all; elsewhere it is data."""
    count = card.count(end)
    if count > MAX_LINES:
        raise CodecError(f"The card has {count} lines; more than {MAX_LINES} are not read.")
    return (_CHUNK if end == b"\n" else _CHUNK_CR).findall(card)


@functools.lru_cache(maxsize=4096)
def _head(text: bytes) -> Head:
    """What the bytes before the first colon say. A ``mode`` is for what has to be looked at together with its
    value: encoded values, nested cards, a quote that may hide the colon."""
    mode = _mode(text + b":")
    if text.count(b'"') % 2 or b"\n" in text or text.startswith(_BOM):
        return _ODD
    try:
        start, params, _ = _split_head(f"{text.decode()}:")
    except UnicodeDecodeError:
        return _ODD
    return head_of(*_named(start), params, mode)


def _gathered(chunks: list[bytes], at: int, end: bytes) -> tuple[list[bytes], int, str]:
    """The physical lines of one logical line, where it ends, and how they join: ``qp``, ``base64``,
    ``agent-done`` or ""."""
    pieces = _pieces(chunks[at], end)
    mode = _mode(pieces[0])
    at += 1
    if mode == "agent":
        return _nested(chunks, pieces, at)
    while mode and at < len(chunks) and _continues(pieces[-1], chunks[at], mode, end):
        pieces += _pieces(chunks[at], end)
        at += 1
    return pieces, at, mode


def _nested(chunks: list[bytes], pieces: list[bytes], at: int) -> tuple[list[bytes], int, str]:
    """A card inside the card, to its END."""
    depth = int(len(pieces) == 1 and _AGENT_BEGIN.match(pieces[0]) is not None)
    done = ""
    while at < len(chunks) and (depth or (not done and _BEGIN.match(chunks[at]))):
        depth += bool(_BEGIN.match(chunks[at])) - bool(_END.match(chunks[at]))
        if depth > MAX_NESTING:
            raise CodecError(f"Cards are nested more than {MAX_NESTING} deep.")
        pieces.append(chunks[at])
        done = "agent-done"
        at += 1
    return pieces, at, done


def _pieces(chunk: bytes, end: bytes) -> list[bytes]:
    return io.BytesIO(chunk).readlines() if end == b"\n" else chunk.splitlines(keepends=True)


def _mode(line: bytes) -> str:
    """How a logical line that starts like this goes on."""
    if b";" in line[:400]:
        match = _ENCODED.search(line.partition(b":")[0])
        if match:
            return "qp" if match[1] else "base64"
    if line[:1] in b"AaiI" and (_AGENT.match(line) or _AGENT_BEGIN.match(line)):
        return "agent"
    return ""


def _continues(last: bytes, chunk: bytes, mode: str, end: bytes) -> bool:
    """Does a line without indent go on with the value above it?"""
    first = _pieces(chunk, end)[0]
    if mode == "qp":
        return last.rstrip(b"\r\n \t").endswith(b"=") and not _END.match(first)
    return bool(last.strip()) and bool(_BASE64_LINE.match(first))


def _line(pieces: list[bytes], mode: str) -> Line:
    if len(pieces) == 1 and mode != "qp":
        source = pieces[0]
        return _parse(source, source.rstrip(b"\r\n"))
    source = b"".join(pieces)
    if mode == "qp":
        return _parse(source, _join_soft(pieces))
    if mode == "agent-done":
        return _nested_line(source, pieces)
    if mode == "base64":
        joined = [pieces[0].rstrip(), *(piece.strip() for piece in pieces[1:])]
    else:
        joined = [pieces[0].rstrip(b"\r\n"), *(_unfold(piece) for piece in pieces[1:])]
    return _parse(source, b"".join(joined))


def _unfolded(raw: bytes, end: bytes) -> bytes:
    first, *more = raw.split(end)
    return b"".join([first.rstrip(b"\r"), *map(_unfold, more)])


def _unfold(piece: bytes) -> bytes:
    return (piece[1:] if piece.startswith((b" ", b"\t")) else piece).rstrip(b"\r\n")


def _join_soft(pieces: list[bytes]) -> bytes:
    """RFC 2045 section 6.7: after a soft break the next line is data from its first byte on."""
    parts: list[bytes] = []
    soft = True
    for piece in pieces:
        text = piece.rstrip(b"\r\n")
        if not soft and text[:1] in (b" ", b"\t"):
            text = text[1:]
        soft = text.rstrip(b" \t").endswith(b"=")
        parts.append(text.rstrip(b" \t")[:-1] if soft else text)
    return b"".join(parts)


def _nested_line(source: bytes, pieces: list[bytes]) -> Line:
    """A card inside a card becomes the escaped text of an inline AGENT (RFC 2426 section 3.5.4)."""
    first = pieces[0]
    begin = _MARK.search(first)
    if begin is not None:
        pieces = [first[: begin.start()], first[begin.start() :], *pieces[1:]]
    head = _parse(source, pieces[0].rstrip(b"\r\n"))
    text, charset = decode(b"".join(pieces[1:]).strip(), head.params)
    text = re.sub(r"([\\,;])", r"\\\1", text.replace("\r\n", "\n").replace("\r", "\n"))
    return head._replace(value=text.replace("\n", "\\n"), charset=charset)


def _parse(source: bytes, raw: bytes) -> Line:
    try:
        text, charset = raw.decode(), "utf-8"
    except UnicodeDecodeError:
        declared = _parse(b"", raw.partition(b":")[0].decode("ascii", "replace").encode() + b":").params
        text, charset = decode(raw, declared)
    if charset == "utf-8" and "\x1b" in text:
        text, charset = decode(raw, _split_head(text)[1])
    head, params, value = _split_head(text.removeprefix("\ufeff"))
    return Line(source, head_of(*_named(head), params), value, charset)


def _named(head: str) -> tuple[str, str]:
    group, _, name = head.rpartition(".")
    return group.strip(), name.strip()


def decode(raw: bytes, params: Params) -> tuple[str, str]:
    """UTF-8 where it fits (it hardly ever fits by chance), else as declared, else Windows-1252."""
    declared = next((plain_param(value) for key, value in params if key.upper() == "CHARSET"), "")
    order = [declared, "utf-8"] if b"\x1b" in raw else ["utf-8", declared]
    for charset in [*order, "cp1252"]:
        if charset:
            try:
                return raw.decode(charset), charset
            except (LookupError, ValueError):
                continue
    return raw.decode("latin-1"), "latin-1"


def _split_head(text: str) -> tuple[str, Params, str]:
    """Name, parameters and value; without a colon all is value."""
    head, colon, value = text.partition(":")
    if not colon:
        return "", (), text
    if '"' not in head:
        if ";" not in head:
            return head, (), value
        name, *parts = head.split(";")
        return name, _params(parts), value
    parts, end = _quoted_parts(text)
    if end < 0:
        name, *parts = head.split(";")
        return name, _params(parts), value
    return parts[0], _params(parts[1:]), text[end + 1 :]


def _quoted_parts(text: str) -> tuple[list[str], int]:
    """Parts between semicolons outside quotes, and the place of the colon (-1: quotes never close)."""
    parts: list[str] = []
    start = 0
    quoted = False
    for match in re.finditer(r'[";:]', text):
        mark = match[0]
        if mark == '"':
            quoted = not quoted
        elif not quoted:
            parts.append(text[start : match.start()])
            start = match.end()
            if mark == ":":
                return parts, match.start()
    return parts, -1


def _params(parts: list[str]) -> Params:
    found = []
    for part in parts:
        name, equals, value = part.partition("=")
        if equals:
            found.append((name.strip(), value.strip()))
        elif part.strip():
            found.append(("", part.strip()))
    return tuple(found)


def param_value(text: str) -> str:
    """A parameter value for the wire: carets (RFC 6868) and quotes where they are needed."""
    text = text.replace("^", "^^").replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\n", "^n").replace('"', "^'")
    text = "".join(char for char in text if (char >= " " and char != "\x7f") or char == "\t")
    return f'"{text}"' if re.search(r"[,;:\s]", text) or not text.isascii() else text


def safe_param(value: str) -> str:
    """A raw parameter value as it is where it cannot break the line, else made safe."""
    if _SAFE_PARAM.match(value) or _QUOTED_PARAM.match(value):
        return value
    return param_value(plain_param(value))
