"""Which contacts a book takes part in, where not all do (L26). Pure: decides on one contact."""

from __future__ import annotations

from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.searching import search_form, search_text


@frozen
class Selection:
    """Contacts in one of ``groups`` (ids), with a value in one of ``fields``, and with all ``words`` in their
    texts. None, and nothing, do not restrict."""

    groups: frozenset[str] | None = None
    fields: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, groups: frozenset[str] | None, fields: tuple[str, ...], query: str) -> Selection:
        return cls(groups, fields, tuple(search_form(query).split()))

    @property
    def takes_all(self) -> bool:
        return self == EVERYBODY

    def takes(self, contact: Contact) -> bool:
        if self.groups is not None and not self.groups & contact.groups:
            return False
        if self.fields and not any(getattr(contact, name) for name in self.fields):
            return False
        text = search_text(contact) if self.words else ""
        return all(word in text for word in self.words)


EVERYBODY = Selection()
