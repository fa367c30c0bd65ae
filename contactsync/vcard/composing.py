"""A card made new from a contact, as 3.0 or 4.0."""

from __future__ import annotations

from contactsync.model.contact import Contact, Name
from contactsync.vcard import values
from contactsync.vcard.dialects import PHONETIC
from contactsync.vcard.heads import Params
from contactsync.vcard.layout import Style
from contactsync.vcard.naming import derived_mark, name_value, reading_of, sorted_params
from contactsync.vcard.projecting import CLEANERS, clean_entries, clean_groups, clean_moment, clean_name
from contactsync.vcard.reading import derivable
from contactsync.vcard.shapes import escape_item
from contactsync.vcard.spelling import Speller

_KIND = {"3.0": "X-ADDRESSBOOKSERVER-KIND", "4.0": "KIND"}


def compose(contact: Contact, version: str) -> bytes:
    """The whole card. Raises `CodecError` where the bytes of a photo are missing."""
    speller = Speller(version, Style(), set())
    speller.reserve(contact.extra)
    lines = [f"BEGIN:VCARD\r\nVERSION:{version}\r\n".encode()]
    if uid := values.one_line(contact.uid):
        lines.append(speller.emit("", "UID", (), values.escape_plain(uid, version)))
    lines += _name(speller, contact, clean_name(contact.name))
    if kind := values.tidy(contact.kind).lower():
        lines.append(speller.emit("", _KIND[version], (), values.escape(kind, version)))
    for field in CLEANERS:
        if entries := getattr(contact, field):
            lines += speller.lines(field, clean_entries(field, entries))
    if groups := clean_groups(contact.groups):
        names = ",".join(escape_item(name, version) for name in sorted(groups))
        lines.append(speller.emit("", "CATEGORIES", (), names))
    if moment := clean_moment(contact.updated):
        lines.append(speller.emit("", "REV", (), values.stamp(moment, version)))
    return b"".join([*lines, b"END:VCARD\r\n"])


def _name(speller: Speller, contact: Contact, name: Name) -> list[bytes]:
    """FN and N, which every 3.0 card must have, even empty (RFC 2426 sections 3.1.1 and 3.1.2)."""
    version = speller.version
    shown = name.full or derivable(name.components, contact)[0]
    marked: Params = () if name.full else (derived_mark(version),)
    lines = [speller.emit("", "FN", marked, values.escape(shown, version))]
    in_n = sorted_params((), name.sort_as) if name.sort_as and version == "4.0" else ()
    lines.append(speller.emit("", "N", in_n, name_value(name, version)))
    if name.sort_as and not in_n:
        keys = ",".join([escape_item(item, version) for item in name.sort_as])
        lines.append(speller.emit("", "SORT-STRING", (), keys))
    for property_name, kind in PHONETIC.items():
        if value := reading_of(name, kind, version):
            lines.append(speller.emit("", property_name, (), value))
    return lines
