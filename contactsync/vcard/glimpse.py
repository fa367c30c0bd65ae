"""A name for a card that could not be read: for lists and searching, never written back."""

from __future__ import annotations

import logging
import re

from contactsync.errors import CodecError
from contactsync.vcard.lines import parse_lines, split_cards, to_utf8
from contactsync.vcard.values import text_of, tidy

_TEXT = re.compile(rb"(?im)^(?:[^\r\n:;.]*\.)?(?:FN|N|ORG|EMAIL|TEL)[^\r\n:]*:([^\r\n]+)")


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

    # It would log each line that it skips as an error; that the card cannot be read is said by others.
    log = logging.getLogger("vobject.base")
    heard, log.disabled = log.disabled, True
    try:
        component = vobject.readOne(payload.decode("utf-8", "replace"), ignoreUnreadable=True)
        return tidy(str(component.fn.value))[:200]
    except Exception:
        # Whatever a broken card does to vobject: this is only a name for a list.
        return ""
    finally:
        log.disabled = heard


def _from_bytes(payload: bytes) -> str:
    match = _TEXT.search(payload[:100_000])
    return tidy(match[1].decode("utf-8", "replace"))[:200] if match else ""
