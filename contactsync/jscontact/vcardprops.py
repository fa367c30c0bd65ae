"""What has no home in JSContact: vCard properties as jCard arrays (RFC 9555 section 2.15.1, RFC 7095)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contactsync.errors import CodecError
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec, portable
from contactsync.vcard.heads import Params, plain_param
from contactsync.vcard.layout import Style, render
from contactsync.vcard.lines import Line, param_value, parse_lines
from contactsync.vcard.values import escape, split_raw, unescape

_CODEC = VCardCodec("4.0")
_UNKNOWN = "unknown"
_NO_FOLDS = Style(width=0)
_ONCE = ("BEGIN", "VERSION", "UID", "FN", "N", "END")


def props_of(rest: Contact) -> list[list[Any]]:
    """The properties that a vCard 4.0 of ``rest`` has, without those that every card must have."""
    if rest == Contact():
        return []
    rest = portable(rest)
    needed = set(_ONCE) if not (rest.name.full or rest.name.components) else set(_ONCE) - {"FN", "N"}
    found = []
    for line in parse_lines(_CODEC.write(rest, None)):
        if line.name.upper() in needed:
            needed.discard(line.name.upper())
        elif line.name:
            found.append(_array(line))
    return found


def _array(line: Line) -> list[Any]:
    params: dict[str, Any] = {"group": line.group} if line.group else {}
    kind = _UNKNOWN
    for key, raw in line.params:
        name, value = key.lower() or "type", plain_param(raw)
        if name == "value":
            kind = value.lower()
            continue
        words = value.split(",") if name == "type" else [value]
        before = params.get(name, [])
        words = [*([before] if isinstance(before, str) else before), *words]
        params[name] = words[0] if len(words) == 1 else words
    values = [_parts(item) for item in split_raw(line.value, ",")] if kind == "text" else [line.value]
    return [line.name.lower(), params, kind, *values]


def _parts(text: str) -> str | list[str]:
    """A text, or the texts of a structured value (RFC 7095 section 3.3.1.3)."""
    parts = [unescape(part, "4.0") for part in split_raw(text, ";")]
    return parts[0] if len(parts) == 1 else parts


def contact_of(props: Any, *, named: bool) -> Contact:
    """What the properties say; a ``named`` Card has its name already, so that another one is a property
    like any other. Raises `CodecError` for what is no jCard array."""
    if not isinstance(props, list):
        raise CodecError("vCardProps of this Card is not a list of properties.")
    head = b"BEGIN:VCARD\r\nVERSION:4.0\r\n" + (b"FN:-\r\nN:-;;;;\r\n" if named else b"")
    return _CODEC.read(head + b"".join(_rendered(props)) + b"END:VCARD\r\n")


def _rendered(props: list[Any]) -> Iterator[bytes]:
    for prop in props:
        try:
            name, params, kind, *values = prop
            group = str(params.get("group", ""))
            words = _params(params, kind)
            text = ",".join(_text(value, kind) for value in values)
        except (ValueError, TypeError, AttributeError):
            raise CodecError(
                f"vCardProps of this Card has something that is no property: {prop!r:.60}"
            ) from None
        if str(name).upper() not in ("BEGIN", "END", "VERSION"):
            yield render(_clean(group), _clean(str(name)).upper(), words, _one_line(text), _NO_FOLDS)


def _params(params: dict[str, Any], kind: str) -> Params:
    found: list[tuple[str, str]] = []
    for key, value in params.items():
        values = [str(one) for one in (value if isinstance(value, list) else [value])]
        if key == "type":
            found.append(("TYPE", ",".join(_clean(one) for one in values)))
        elif key != "group":
            found += [(_clean(key).upper(), param_value(one)) for one in values]
    return (*found, ("VALUE", _clean(kind))) if kind != _UNKNOWN else tuple(found)


def _text(value: Any, kind: str) -> str:
    if isinstance(value, list):
        return ";".join(_text(part, kind) for part in value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return escape(str(value), "4.0") if kind == "text" else str(value)


def _clean(word: str) -> str:
    """A name that cannot break out of its place."""
    return "".join(char for char in word if char.isprintable() and char not in ':;,"')


def _one_line(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
