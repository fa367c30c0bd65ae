"""One edit, and one addition, for each field of the model; and whose lines may differ by it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Extra,
    Link,
    Media,
    NameComponent,
    Nickname,
    Note,
    OnlineService,
    Organization,
    PartialDate,
    Phone,
    Relation,
    Title,
)

NEW_PHOTO = b"\xff\xd8\xff\xe0 a new photo \xff\xd9"
_PHOTO = Media(media_type="image/jpeg", sha256=hashlib.sha256(NEW_PHOTO).hexdigest(), data=NEW_PHOTO)
_DAY = PartialDate(1985, 3, 14)

Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Edit:
    """``entry`` is what is added; ``change`` makes another entry of one that is there. ``shown`` is how the
    new value looks in the text of a property, without blanks and dashes, or in its bytes. ``lines`` is how
    many lines one change may touch, a label line not counted."""

    entry: Any
    change: Change
    shown: str | bytes
    lines: int = 1


EDITS: dict[str, Edit] = {
    "nicknames": Edit(Nickname("Nova"), lambda e: replace(e, name="Nova"), "Nova"),
    "emails": Edit(
        Email("nova@example.org"), lambda e: replace(e, address="nova@example.org"), "nova@example.org"
    ),
    "phones": Edit(Phone("+49 30 1234567"), lambda e: replace(e, number="+49 30 1234567"), "+49301234567"),
    "addresses": Edit(
        Address((AddressComponent("name", "New Street 1"), AddressComponent("locality", "Novatown"))),
        lambda e: replace(e, components=_moved(e.components), full=""),
        "Novatown",
        lines=2,
    ),
    "organizations": Edit(Organization("Nova Works"), lambda e: replace(e, name="Nova Works"), "NovaWorks"),
    "titles": Edit(Title("Nova Chief"), lambda e: replace(e, name="Nova Chief"), "NovaChief"),
    "online_services": Edit(
        OnlineService(service="xmpp", uri="xmpp:nova@example.org"),
        lambda e: replace(e, uri="xmpp:nova@example.org") if e.uri else replace(e, user="nova@example.org"),
        "nova@example.org",
    ),
    "links": Edit(
        Link("https://nova.example/a?b=c,d;e"),
        lambda e: replace(e, uri="https://nova.example/a?b=c,d;e"),
        "https://nova.example/a?b=c,d;e",
    ),
    "anniversaries": Edit(Anniversary("death", _DAY), lambda e: replace(e, date=_DAY), "19850314"),
    "related_to": Edit(
        Relation("Nova Person", frozenset({"friend"})),
        lambda e: replace(e, target="Nova Person"),
        "NovaPerson",
    ),
    "notes": Edit(
        Note("Nova; one, two\nthree"),
        lambda e: replace(e, text="Nova; one, two\nthree"),
        "Nova;one,two\nthree",
    ),
    "media": Edit(_PHOTO, lambda e: replace(_PHOTO, kind=e.kind), NEW_PHOTO),
    "extra": Edit(Extra("X-NOVA", "Tm92"), lambda e: replace(e, value="Tm92"), "Tm92"),
}


def _moved(components: tuple[AddressComponent, ...]) -> tuple[AddressComponent, ...]:
    rest = tuple(c for c in components if c.kind != "locality")
    return (*rest, AddressComponent("locality", "Novatown"))


def edited(contact: Contact, field: str) -> Contact:
    """The first entry of the field says something else."""
    first, *rest = getattr(contact, field)
    return replace(contact, **{field: (EDITS[field].change(first), *rest)})


def added(contact: Contact, field: str) -> Contact:
    return replace(contact, **{field: (*getattr(contact, field), EDITS[field].entry)})


def renamed(contact: Contact) -> Contact:
    first, *rest = contact.name.components or (NameComponent("given", ""),)
    components = (replace(first, value="Nova"), *rest)
    return replace(contact, name=replace(contact.name, full="Nova Name", components=components))


def grouped(contact: Contact) -> Contact:
    return replace(contact, groups=contact.groups | {"Nova Group"})
