"""jCard (RFC 7095), a vCard 4.0 spelled in JSON, as the vCard that it stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from contactsync.errors import CodecError
from contactsync.vcard.values import escape, escape_plain, one_line

_HEAD = re.compile(rb'\s*(?:\[\s*)?\[\s*"vcard"\s*,', re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_-]+")
#: Properties whose values are lists separated by commas (RFC 6350 section 6).
_LISTS = frozenset({"categories", "nickname"})
#: Types whose values have no escapes, and those that lose their separators (RFC 7095 section 3.5).
_PLAIN = frozenset({"uri", "boolean", "integer", "float", "language-tag", "utc-offset"})
_TIMES = frozenset({"date", "time", "date-time", "date-and-or-time", "timestamp"})
#: The type of a value where the vCard does not say it (RFC 7095 section 5).
_DEFAULT_TYPES = dict.fromkeys(
    [
        "photo",
        "url",
        "logo",
        "sound",
        "uid",
        "member",
        "related",
        "source",
        "impp",
        "key",
        "fburl",
        "caladruri",
        "caluri",
    ],
    "uri",
) | {
    "bday": "date-and-or-time",
    "anniversary": "date-and-or-time",
    "rev": "timestamp",
    "lang": "language-tag",
}


def looks_like_jcard(head: bytes) -> bool:
    return _HEAD.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def cards_of(data: bytes) -> Iterator[tuple[bytes, str]]:
    """The vCard of each jCard of a text with an empty reason, or its JSON and why it cannot be one. Raises
    `CodecError` where the text is no JSON."""
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CodecError(f"This is not whole JSON: {error}.") from error
    for card in content if content and isinstance(content[0], list) else [content]:
        try:
            yield card_of(card), ""
        except CodecError as error:
            yield json.dumps(card, ensure_ascii=False).encode("utf-8", "replace"), error.message


def card_of(content: Any) -> bytes:
    """One jCard as a vCard 4.0. Raises `CodecError`."""
    if not (isinstance(content, list) and len(content) >= 2 and str(content[0]).lower() == "vcard"):
        raise CodecError('This is no jCard: it does not begin with "vcard".')
    if not isinstance(content[1], list):
        raise CodecError("This jCard has no list of properties.")
    lines = [
        "BEGIN:VCARD",
        "VERSION:4.0",
        *(_line(one) for one in content[1] if not _is_version(one)),
        "END:VCARD",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


def _is_version(content: Any) -> bool:
    return isinstance(content, list) and bool(content) and str(content[0]).lower() == "version"


def _line(content: Any) -> str:
    if not (isinstance(content, list) and len(content) >= 4 and isinstance(content[1], dict)):
        raise CodecError("A property of this jCard is no [name, parameters, type, value].")
    name, kind = str(content[0]), str(content[2]).lower()
    if not _NAME.fullmatch(name):
        raise CodecError(f"A property of this jCard has the name {name!r}.")
    params = dict(content[1])
    group = params.pop("group", "")
    head = name.upper()
    if isinstance(group, str) and _NAME.fullmatch(group):
        head = f"{group}.{head}"
    if kind not in ("unknown", _DEFAULT_TYPES.get(name.lower(), "text")):
        params.setdefault("value", kind)
    for key, value in params.items():
        if not _NAME.fullmatch(key):
            raise CodecError(f"A parameter of this jCard has the name {key!r}.")
        texts = value if isinstance(value, list) else [value]
        head += f";{key.upper()}=" + ",".join(map(_param, texts))
    separator = "," if name.lower() in _LISTS or len(content) > 4 else ";"
    return f"{head}:" + separator.join(_value(value, kind) for value in content[3:])


def _param(value: Any) -> str:
    """RFC 6868: what a parameter cannot hold has a caret before it."""
    text = str(value).replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    text = one_line(text)
    return f'"{text}"' if re.search(r"[:;,]", text) else text


def _value(value: Any, kind: str) -> str:
    """One value; a structured one has its parts in a list, and several of one part in a list of that."""
    if isinstance(value, list):
        parts = (part if isinstance(part, list) else [part] for part in value)
        return ";".join(",".join(_text(one, kind) for one in part) for part in parts)
    return _text(value, kind)


def _text(value: Any, kind: str) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    text = "" if value is None else str(value)
    if kind == "unknown":
        return one_line(text)  # as it stood in a vCard (section 5.1)
    if kind in _TIMES:
        return re.sub(r"(?<=\d)-(?=\d)|(?<=\d):(?=\d)|(?<=--\d\d)-", "", one_line(text))
    return (
        escape_plain(one_line(text), "4.0") if kind in _PLAIN else escape(text.replace("\r\n", "\n"), "4.0")
    )
