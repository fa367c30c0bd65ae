"""Contacts, books and links for the tests of the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contactsync.model.contact import Contact, Email, Media, Name, NameComponent, Note
from contactsync.store.links import NewLink
from contactsync.store.store import Store
from contactsync.sync.types import Base

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def person(given: str, surname: str = "Lovelace", *, uid: str = "", email: str = "") -> Contact:
    return Contact(
        uid=uid or f"uid-{given.lower()}",
        name=Name((NameComponent("given", given), NameComponent("surname", surname))),
        emails=(Email(email),) if email else (),
    )


def noted(contact: Contact, text: str) -> Contact:
    return replace(contact, notes=(Note(text),))


def pictured(contact: Contact, sha256: str, data: bytes | None = None) -> Contact:
    return replace(contact, media=(Media(media_type="image/png", sha256=sha256, data=data),))


def same(contact: Contact) -> Base:
    """Both sides hold this."""
    return Base(contact, contact)


def add_contact(store: Store, contact: Contact) -> int:
    with store.transaction():
        return store.contacts.add(contact, NOON)


def add_book(store: Store, account: str = "home", href: str = "/book/") -> int:
    with store.transaction():
        account_id = store.books.ensure_account(account, "carddav")
        return store.books.add(
            account_id,
            href,
            name=href.strip("/"),
            writable=True,
            shared=False,
            is_default=True,
            selected=True,
        )


def add_link(store: Store, contact_id: int, book: int, contact: Contact, *, state: str = "ok") -> int:
    with store.transaction():
        place = (contact_id, book, f"/{contact.uid}.vcf", '"1"')
        return store.links.add(NewLink(*place, same(contact), b"BEGIN:VCARD", state))


def start_run(store: Store, at: datetime = NOON) -> int:
    with store.transaction():
        return store.journal.start_run("sync", at, "home")
