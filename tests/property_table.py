"""What becomes of each property: read by the codec and written again, as a table for the docs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contactsync.connectors.carddav.connector import CAPABILITIES
from contactsync.jscontact import to_card
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec, convert
from contactsync.vcard.dialects import PHONETIC, TABLE, Row
from contactsync.vcard.lines import parse_lines

CODEC = VCardCodec("4.0")
_NEEDED = {"BEGIN", "VERSION", "END", "N", "FN", "UID"}
_BY_FIELD = {
    "nicknames": "Ada",
    "emails": "ada@example.org",
    "phones": "+49 30 1234",
    "organizations": "Acme;Sales",
    "titles": "Chief",
    "anniversaries": "1985-03-14",
    "notes": "Chess",
    "links": "https://ada.example",
    "related_to": "Grace",
}
_PARAMS = {
    "TEL": ";TYPE=cell",
    "EMAIL": ";TYPE=work",
    "PHOTO": ";ENCODING=b;TYPE=PNG",
    "LOGO": ";VALUE=uri",
    "SOUND": ";VALUE=uri",
}
_VALUES = {
    "ADR": ";;Mill Lane 1;York;;YO1;UK",
    "LABEL": "Mill Lane 1",
    "PHOTO": "iVBORw==",
    "LOGO": "https://acme.example/logo.png",
    "SOUND": "https://ada.example/name.ogg",
    "IMPP": "xmpp:ada@example.org",
    "X-SOCIALPROFILE": "https://social.example/ada",
    "SOCIALPROFILE": "https://social.example/ada",
    "RELATED": "urn:uuid:1",
}
_ONE = [
    ("FN", "FN:Ada Lovelace"),
    ("N", "N:Lovelace;Ada;King;Dr.;"),
    *((name, f"N:Lovelace;Ada;King;Dr.;\r\n{name}:ada") for name in PHONETIC),
    ("SORT-STRING", "SORT-STRING:Lovelace"),
    ("KIND", "KIND:org"),
    ("CATEGORIES", "CATEGORIES:Chess,Family"),
    ("REV", "REV:2024-03-01T10:00:00Z"),
]
_KEPT = (
    "GENDER:F",
    "GEO:geo:53.3,-6.2",
    "TZ:Europe/London",
    "LANG:en",
    "KEY:https://ada.example/key",
    "X-ANYTHING:43",
)


def rows() -> Iterator[list[str]]:
    """Property, who writes it, field of the model, how it is written in 4.0 and 3.0, added to a card of 2.1,
    and called in JSContact, and whether the remotes can hold it."""
    for name, line in _ONE:
        yield _row(name, "RFC" if not name.startswith("X-") else "Apple, Android", line)
    for row in TABLE:
        yield _row(row.name, row.writer, _line(row))
    for line in _KEPT:
        yield _row(line.partition(":")[0], "any", line)


def _line(row: Row) -> str:
    value = _VALUES.get(row.name) or _BY_FIELD.get(row.field, "ada")
    return f"{row.name}{_PARAMS.get(row.name, '')}:{value}"


def _row(name: str, writer: str, line: str) -> list[str]:
    card = f"BEGIN:VCARD\r\nVERSION:3.0\r\n{line}\r\nEND:VCARD\r\n".encode()
    contact = CODEC.read(card)
    old = b"BEGIN:VCARD\r\nVERSION:2.1\r\nN:;\r\nFN:\r\nEND:VCARD\r\n"
    cells = [_lines(convert(card, "4.0"), name), _lines(convert(card, "3.0"), name)]
    held = "yes" if not CAPABILITIES.fields or _field(contact) in CAPABILITIES.fields else ""
    return [
        name,
        writer,
        _field(contact),
        *cells,
        _lines(CODEC.write(contact, old), name),
        _json(contact),
        held,
    ]


def _field(contact: Contact) -> str:
    names = [f for f in ("name", "kind", "groups", "updated") if getattr(contact, f) != getattr(Contact(), f)]
    lists = [
        f for f in _BY_FIELD | {"addresses": "", "online_services": "", "media": ""} if getattr(contact, f)
    ]
    return ", ".join([*names, *lists]) or "extra: kept as it is"


def _lines(card: bytes, name: str) -> str:
    wanted = {"N", "FN"} & {name, "N" if name in (*PHONETIC, "SORT-STRING") else name}
    shown = [
        line.source.decode().strip()
        for line in parse_lines(card)
        if line.name and line.name not in _NEEDED - wanted
    ]
    return "<br>".join(f"`{text}`" for text in shown).replace("|", "\\|")


def _json(contact: Contact) -> str:
    card: dict[str, Any] = to_card(contact)
    return ", ".join(f"`{key}`" for key in card if key not in ("@type", "version", "uid"))
