"""To and from vobject components, and a name for a card that could not be read.

vobject is imported when it is asked for: reading and writing cards does without it.
"""

from __future__ import annotations

import re
from typing import Any

from contactsync.errors import CodecError
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec
from contactsync.vcard.lines import parse_lines, split_cards, to_utf8
from contactsync.vcard.values import text_of, tidy

_TEXT = re.compile(rb"(?im)^(?:[^\r\n:;.]*\.)?(?:FN|N|ORG|EMAIL|TEL)[^\r\n:]*:([^\r\n]+)")


def from_vobject(component: Any) -> Contact:
    """A contact from a vobject vCard. Raises `CodecError` where vobject cannot write it out."""
    try:
        text: str = component.serialize(validate=False)
    except Exception as error:
        raise CodecError("vobject cannot serialize this card.") from error
    return VCardCodec().read(text.encode())


def to_vobject(contact: Contact, version: str = "3.0") -> Any:
    """A vobject vCard for ``contact``. Raises `CodecError` where vobject cannot read it."""
    import vobject

    text = VCardCodec(version).write(contact, None).decode()
    try:
        return vobject.readOne(text)
    except Exception as error:
        raise CodecError("vobject cannot read this card.") from error


def glimpse(payload: bytes) -> str:
    """A line by which people recognise a card that could not be read; "" if nothing is found."""
    return _from_lines(payload) or _from_vobject(payload) or _from_bytes(payload)


def _from_lines(payload: bytes) -> str:
    try:
        data = next((card.data for card in split_cards(payload)), to_utf8(payload)[0])
        found: dict[str, str] = {}
        for line in parse_lines(data):
            text = tidy(text_of(line, "3.0").replace(";", " ")).replace("\n", " ")
            found.setdefault(line.name.upper(), " ".join(text.split()))
    except (CodecError, ValueError):
        return ""
    names = (found.get(name, "") for name in ("FN", "N", "ORG", "EMAIL", "TEL", "UID"))
    return next((name[:200] for name in names if name), "")


def _from_vobject(payload: bytes) -> str:
    import vobject

    try:
        component = vobject.readOne(payload.decode("utf-8", "replace"), ignoreUnreadable=True)
        return tidy(str(component.fn.value))[:200]
    except Exception:
        # Whatever a broken card does to vobject: this is only a name for a list.
        return ""


def _from_bytes(payload: bytes) -> str:
    match = _TEXT.search(payload[:100_000])
    return tidy(match[1].decode("utf-8", "replace"))[:200] if match else ""
