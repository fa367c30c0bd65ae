"""Cards in JSON text: one Card, or a list of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from contactsync.errors import CodecError
from contactsync.jscontact.codec import from_card, to_card
from contactsync.model.contact import Contact

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Found(NamedTuple):
    """One Card of a text with the line it starts at: its contact, or why it cannot be read."""

    line: int
    text: str
    contact: Contact | None
    problem: str = ""


def looks_like_json(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def dumps(contact: Contact) -> bytes:
    """A Card on lines of its own."""
    return json.dumps(to_card(contact), ensure_ascii=False, indent=2).encode("utf-8", "replace")


def loads(data: bytes) -> Iterator[Found]:
    """Each Card of the text; a bad one does not stop the others. Raises `CodecError` where the text is no
    JSON, with the line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CodecError("The JSON is not UTF-8 text.") from error
    line = 1
    at = 0
    for content, start, end in _elements(text):
        line += text.count("\n", at, start)
        at = start
        try:
            yield Found(line, text[start:end], from_card(content))
        except CodecError as error:
            yield Found(line, text[start:end], None, error.message)


def _elements(text: str) -> Iterator[tuple[Any, int, int]]:
    """Values with where they start and end: those of a list, or the only one."""
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        content, end = _value(text, at)
        yield content, at, end
        return
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        content, end = _value(text, at)
        yield content, at, end
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise CodecError(f"The list of Cards breaks off in line {text.count(chr(10), 0, at) + 1}.")


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise CodecError(f"This is not whole JSON: {error.msg} in line {error.lineno}.") from error
    except RecursionError as error:
        raise CodecError("The JSON is nested too deep to be cards.") from error


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None
    return match.end()
