"""How content lines are laid out on the wire: line ends, folds, soft breaks, in the habits of a card."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from contactsync.vcard.heads import Params
from contactsync.vcard.lines import Line, decode, safe_param

_TAIL = re.compile(rb"(?:\r?\n|\r)((?:[ \t]*(?:\r\n|\n|\r))*)\Z")


class Style(NamedTuple):
    """How a card is laid out: its line end, fold width (0: never) and the blank that marks a fold."""

    end: bytes = b"\r\n"
    width: int = 75
    indent: bytes = b" "


def style_of(lines: Iterable[Line]) -> Style:
    """The habits of a card, from its first lines of each kind."""
    end, longest, width, indent = b"", 0, 0, b" "
    for line in lines:
        source = line.source
        first, newline, rest = source.partition(b"\n")
        end = end or _ending(source, newline)
        if rest[:1] in (b" ", b"\t") and rest.strip():
            width, indent = max(width, len(first.rstrip(b"\r"))), rest[:1]
        else:
            longest = max(longest, len(first))
    if not width:
        width = 75 if longest <= 80 else 0
    return Style(end or b"\r\n", max(width, 20) if width else 0, indent)


def _ending(source: bytes, newline: bytes) -> bytes:
    if newline:
        return b"\r\n" if b"\r\n" in source else b"\n"
    return b"\r" if source.endswith(b"\r") else b""


def tail_of(source: bytes) -> bytes:
    """Blank lines that follow a line and belong to its source: they outlive an edit."""
    match = _TAIL.search(source[-100:])
    return match[1] if match else b""


def render(group: str, name: str, params: Params, value: str, style: Style, charset: str = "utf-8") -> bytes:
    """One content line, folded (RFC 6350 section 3.2) between characters."""
    data = _encode(f"{spelled_head(group, name, params)}:{value}", charset)
    return fold(data, style) + style.end


def spelled_head(group: str, name: str, params: Params) -> str:
    """What stands before the colon."""
    parts = [f"{key}={safe_param(text)}" if key else safe_param(text) for key, text in params]
    return ";".join([f"{group}.{name}" if group and name else group or name, *parts])


def _encode(text: str, charset: str) -> bytes:
    """In the line's charset where it reads back the same, else UTF-8."""
    if charset != "utf-8":
        try:
            data = text.encode(charset)
            if decode(data, ())[0] == text:
                return data
        except (LookupError, ValueError):
            pass
    return text.encode("utf-8", "replace")


def fold(data: bytes, style: Style) -> bytes:
    """Fold at the style's width, never inside a UTF-8 character."""
    if not style.width or len(data) <= style.width:
        return data
    if data.isascii():
        step = style.width - 1
        rest = (data[start : start + step] for start in range(style.width, len(data), step))
        return (style.end + style.indent).join([data[: style.width], *rest])
    pieces: list[bytes] = []
    start, room = 0, style.width
    while len(data) - start > room:
        cut = start + room
        while cut > start + 1 and data[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(data[start:cut])
        start, room = cut, style.width - 1
    pieces.append(data[start:])
    return (style.end + style.indent).join(pieces)


def soft_wrap(head: str, encoded: str, style: Style) -> bytes:
    """A quoted-printable line with soft breaks (RFC 2045 section 6.7) and no indent."""
    text = f"{head}:{encoded}"
    pieces: list[str] = []
    start, room = 0, (style.width or 76) - 1
    first = len(head) + 1
    while len(text) - start > room:
        cut = max(start + room, first + 1) if start < first else start + room
        if cut >= len(text):
            break
        cut -= 1 if text[cut - 1] == "=" else 2 if text[cut - 2 : cut - 1] == "=" else 0
        pieces.append(text[start:cut] + "=")
        start = cut
    pieces.append(text[start:])
    return style.end.join(piece.encode() for piece in pieces) + style.end
