"""The vCard codec: RFC 6350 (4.0) and RFC 2426 (3.0) read and written, vCard 2.1 read and edited."""

from __future__ import annotations

from dataclasses import replace

from contactsync.model.contact import Contact, Extra
from contactsync.model.group import GroupCard
from contactsync.vcard import values
from contactsync.vcard.composing import compose
from contactsync.vcard.groups import group_of, with_group
from contactsync.vcard.heads import transfer_of
from contactsync.vcard.lines import line_of
from contactsync.vcard.projecting import project
from contactsync.vcard.putting import put
from contactsync.vcard.reading import Card, card_of

_TRANSFERS = ("quoted-printable", "base64", "7bit", "8bit")


class VCardCodec:
    """Translates one card; ``version`` (3.0 or 4.0) is for cards that are made new."""

    def __init__(self, version: str = "3.0") -> None:
        if version not in ("3.0", "4.0"):
            raise ValueError(f"new cards are written as 3.0 or 4.0, not {version}")
        self.version = version

    def read(self, payload: bytes) -> Contact:
        """The meaning of a card; ``groups`` are its CATEGORIES. Raises `CodecError`."""
        return card_of(payload).contact

    def write(self, contact: Contact, original: bytes | None) -> bytes:
        """A new card, or ``original`` with only the lines changed that say something else now."""
        if original is None:
            return compose(contact, self.version)
        return put(contact, original)

    def project(self, contact: Contact) -> Contact:
        """What a card can hold of ``contact``: nearly all, tidied; see `contactsync.vcard.projecting`."""
        return project(contact)

    def read_group(self, payload: bytes) -> GroupCard | None:
        """A group card; None for any other card. Raises `CodecError`."""
        return group_of(Card(payload).contact)

    def write_group(self, group: GroupCard, uid: str, original: bytes | None) -> bytes:
        """A new group card with this ``uid``, or ``original`` with what differs changed."""
        view = Contact(uid=uid) if original is None else self.read(original)
        version = self.version if original is None else Card(original).version
        return self.write(with_group(view, group, version), original)

    def glimpse(self, payload: bytes) -> str:
        """The name on a broken card, by vobject where it can."""
        from contactsync.vcard.glimpse import glimpse

        return glimpse(payload)


def convert(payload: bytes, to_version: str) -> bytes:
    """The card in another version, for exports; what the model does not know goes along."""
    return VCardCodec(to_version).write(portable(Card(payload).contact), None)


def portable(contact: Contact) -> Contact:
    """The contact with the properties that the model does not know spelled as versions after 2.1 can hold
    them (RFC 6350 section 5): no quoted-printable, no CHARSET, no bare words."""
    if not contact.extra:
        return contact
    return replace(contact, extra=tuple(portable_extra(extra) for extra in contact.extra))


def portable_extra(extra: Extra) -> Extra:
    params: list[tuple[str, str]] = []
    transfer = transfer_of(extra.params)
    for key, text in extra.params:
        if key.upper() in ("CHARSET", "ENCODING") or (not key and text.lower() in _TRANSFERS):
            continue
        params.append((key or "TYPE", text))
    if transfer == "base64":
        params.append(("ENCODING", "b"))
    value = extra.value
    if transfer == "quoted-printable":
        line = line_of(extra.group, extra.name, extra.params, value)
        value = ";".join(values.escape_plain(part, "3.0") for part in values.raw_parts_of(line))
    return replace(extra, params=tuple(params), value=value)
