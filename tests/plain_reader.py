"""A second reader of vCards, to judge the codec by: it shares no code and no idea with it.

It goes through a card once, line by line, and knows no property: it gives each one with its bytes, its
parameters, and its value as text (or bytes where it is base64), nothing else.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import string
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_BASE64 = set((string.ascii_letters + string.digits + "+/=").encode())


@dataclass(frozen=True)
class Property:
    """``path`` is the nesting: properties of a card inside the card have their owner's names before them.
    ``text`` is decoded, but not unescaped."""

    path: str
    group: str
    name: str
    parameters: tuple[str, ...]
    text: str
    data: bytes
    source: tuple[bytes, ...]

    @property
    def plain(self) -> str:
        """The text without its backslashes."""
        found, escaped = [], False
        for char in self.text:
            if escaped:
                found.append("\n" if char in "nN" else char)
            elif char != "\\":
                found.append(char)
            escaped = char == "\\" and not escaped
        return "".join(found).replace("\r\n", "\n")


def read(card: bytes) -> list[Property]:
    """Every property in order, BEGIN and END of cards inside the card included."""
    lines = _lines(_narrow(card))
    found: list[Property] = []
    path: list[str] = []
    at = 0
    while at < len(lines):
        start = at
        first = lines[at]
        at += 1
        if not first.strip():
            continue
        head = first[: _colon(first)]
        words = head.upper().replace(b" ", b"")
        if b"QUOTED-PRINTABLE" in words and b":" in first:
            value, at = _quoted_printable(lines, at, first[len(head) + 1 :])
        elif _says_base64(words) and b":" in first:
            value, at = _base64(lines, at, first[len(head) + 1 :])
        else:
            while at < len(lines) and (lines[at][:1] in (b" ", b"\t") or not lines[at].strip()):
                first += lines[at][1:]
                at += 1
            colon = _colon(first)
            head, value = first[:colon], first[colon + 1 :]
        one = _property("/".join(path), head, value, tuple(lines[start:at]))
        found.append(one)
        what = value.strip().upper()
        if (one.name, what) == ("END", b"VCARD") and path:
            path.pop()
        elif (one.name, what) in (("BEGIN", b"VCARD"), ("AGENT", b"BEGIN:VCARD")):
            path.append(one.name)
    return found


def _narrow(card: bytes) -> bytes:
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if card.startswith(mark):
            return card.decode(name).encode()
    if card[1:2] == b"\0":
        return card.decode("utf-16-le").encode()
    if card[:1] == b"\0":
        return card.decode("utf-16-be").encode()
    return card.removeprefix(codecs.BOM_UTF8)


def _lines(card: bytes) -> list[bytes]:
    if b"\n" not in card:
        return card.split(b"\r")
    return [line.removesuffix(b"\r") for line in card.split(b"\n")]


def _colon(line: bytes) -> int:
    """The first one outside quotes; the first of all where the quotes never close."""
    quoted = False
    for at, byte in enumerate(line):
        if byte == 0x22:
            quoted = not quoted
        elif byte == 0x3A and not quoted:
            return at
    at = line.find(b":")
    return at if at >= 0 else len(line)


def _says_base64(head: bytes) -> bool:
    words = {part.rpartition(b"=")[2].strip(b'"') for part in head.split(b";")[1:]}
    return b"BASE64" in words or b"ENCODING=B" in {part.replace(b'"', b"") for part in head.split(b";")[1:]}


def _quoted_printable(lines: list[bytes], at: int, value: bytes) -> tuple[bytes, int]:
    while at < len(lines):
        soft = value.rstrip().endswith(b"=")
        if soft and lines[at].strip().upper() == b"END:VCARD":
            break
        if soft:
            value = value.rstrip()[:-1] + lines[at]
        elif lines[at][:1] in (b" ", b"\t") or not lines[at].strip():
            value += lines[at][1:]
        else:
            break
        at += 1
    return value, at


def _base64(lines: list[bytes], at: int, value: bytes) -> tuple[bytes, int]:
    value = value.strip()
    ended = False
    while at < len(lines):
        line = lines[at]
        blank = line[:1] in (b" ", b"\t") or not line.strip()
        if not blank and (ended or not set(line.strip()) <= _BASE64):
            break
        ended = not line.strip()
        value += line.strip()
        at += 1
    return value, at


def _property(path: str, head: bytes, value: bytes, source: tuple[bytes, ...]) -> Property:
    text = _text(head)
    named, *parameters = list(_split(text))
    group, _, name = named.rpartition(".")
    words = head.upper().replace(b" ", b"")
    data = b""
    if b"QUOTED-PRINTABLE" in words:
        value = quopri.decodestring(value)
    elif b";base64" in value[:80].lower():
        data = _bytes(unquote_to_bytes(value.partition(b",")[2]))
    elif _says_base64(words):
        data = _bytes(value)
    shown = "" if data else _text(value, _charset(parameters))
    return Property(
        path, group.strip(), name.strip().upper(), tuple(p.strip() for p in parameters), shown, data, source
    )


def _split(head: str) -> Iterator[str]:
    part, quoted = "", False
    for char in head:
        quoted ^= char == '"'
        if char == ";" and not quoted:
            yield part
            part = ""
        else:
            part += char
    yield part


def _charset(parameters: list[str]) -> str:
    for one in parameters:
        name, _, value = one.partition("=")
        if name.strip().upper() == "CHARSET":
            return value.strip().strip('"')
    return ""


def _text(value: bytes, charset: str = "") -> str:
    for name in ("utf-8", charset, "cp1252", "latin-1"):
        try:
            return value.decode(name)
        except (ValueError, LookupError):
            continue
    raise AssertionError


def _bytes(value: bytes) -> bytes:
    kept = bytes(byte for byte in value if byte in _BASE64)
    try:
        return base64.b64decode(kept + b"=" * (-len(kept) % 4))
    except binascii.Error:
        return kept
