"""The texts of a contact in which people look for words."""

from __future__ import annotations

import unicodedata

from contactsync.model.contact import Contact


def search_form(text: str) -> str:
    """Folded, without accents."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join([c for c in plain if not unicodedata.combining(c)])


def search_text(contact: Contact) -> str:
    """Names, addresses, numbers, organizations and notes, in the form of `search_form`."""
    words = [
        contact.display,
        *(c.value for c in contact.name.components),
        *(n.name for n in contact.nicknames),
        *(e.address for e in contact.emails),
        *(p.number for p in contact.phones),
        *(o.name for o in contact.organizations),
        *(n.text for n in contact.notes),
    ]
    return search_form(" ".join(words))
