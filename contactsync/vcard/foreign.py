"""Contacts of remotes that know no vCards, as vCards: for backups and one-shot imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec, portable


def is_card(payload: bytes) -> bool:
    """Does it at least begin as a vCard?"""
    return payload.lstrip(b"\xef\xbb\xbf \t\r\n")[:11].upper() == b"BEGIN:VCARD"


def label_names(views: Iterable[Contact]) -> dict[str, str]:
    """What the labels among these are called, by how contacts refer to them."""
    return {view.uid: view.name.full for view in views if view.kind == "group"}


def as_card(view: Contact, names: Mapping[str, str]) -> bytes:
    """A vCard 4.0, with the names of its groups."""
    if view.groups:
        view = replace(view, groups=frozenset(names.get(group, group) for group in view.groups))
    return VCardCodec("4.0").write(portable(view), None)
