"""What of a contact each kind of remote can hold: asked of its codec, as a table for the docs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from contactsync.connectors.base import Codec
from contactsync.connectors.google.codec import GoogleCodec
from contactsync.connectors.outlook.codec import OutlookCodec
from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Extra,
    Link,
    Media,
    Name,
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
from contactsync.sync.diff import differs
from contactsync.vcard.codec import VCardCodec

REMOTES: dict[str, Codec] = {
    "CardDAV": VCardCodec(),
    "folder": VCardCodec(),
    "Gmail": GoogleCodec(),
    "Outlook": OutlookCodec(),
}
#: More than any remote limits, so that what it keeps of them is its room.
MANY = 12
ADA = (NameComponent("given", "Ada"), NameComponent("surname", "Lovelace"))
HOME, WORK = frozenset({"private"}), frozenset({"work"})
STREET = (AddressComponent("name", "Mill Lane 1"), AddressComponent("locality", "York"))
PHOTO = Media("photo", "image/jpeg", sha256="0" * 64)


def _words(*words: str) -> frozenset[str]:
    return frozenset(words)


#: field, what of it, and the value of the field in a contact that has just that.
SAMPLES: tuple[tuple[str, str, Any], ...] = (
    ("kind", "that it is an organization", "org"),
    ("name", "given name, surname", Name(ADA, "Ada Lovelace")),
    ("name", "title (Dr.)", Name((NameComponent("title", "Dr."), *ADA), "Dr. Ada Lovelace")),
    ("name", "middle name", Name((ADA[0], NameComponent("given2", "King"), ADA[1]), "Ada King Lovelace")),
    (
        "name",
        "that a suffix (Jr.) is no degree",
        Name((*ADA, NameComponent("generation", "Jr.")), "Ada Lovelace Jr."),
    ),
    ("name", "suffix (PhD)", Name((*ADA, NameComponent("credential", "PhD")), "Ada Lovelace PhD")),
    ("name", "how it sounds", Name((NameComponent("given", "Ada", "Eida"), ADA[1]), "Ada Lovelace")),
    ("name", "a display name that is more than its parts", Name(ADA, "The Enchantress of Numbers")),
    ("name", "what to sort by", Name(ADA, "Ada Lovelace", ("Lovelace",))),
    ("nicknames", "how many", tuple(Nickname(f"Nick {n}") for n in range(MANY))),
    ("emails", "how many", tuple(Email(f"ada{n}@x.example") for n in range(MANY))),
    ("emails", "private or work", (Email("ada@x.example", WORK),)),
    ("emails", "a label of your own", (Email("ada@x.example", label="Ski hut"),)),
    ("emails", "which is preferred", (Email("a@x.example"), Email("b@x.example", pref=1))),
    ("phones", "how many that are work", tuple(Phone(f"+49301{n:03}", WORK) for n in range(MANY))),
    ("phones", "how many that are private", tuple(Phone(f"+49301{n:03}", HOME) for n in range(MANY))),
    (
        "phones",
        "how many that are mobile",
        tuple(Phone(f"+49301{n:03}", features=_words("cell")) for n in range(MANY)),
    ),
    ("phones", "fax at work", (Phone("+49301", WORK, _words("fax")),)),
    ("phones", "pager", (Phone("+49301", features=_words("pager")),)),
    ("phones", "a label of your own", (Phone("+49301", label="Ski hut"),)),
    ("phones", "which is preferred", (Phone("+49301", WORK), Phone("+49302", HOME, pref=1))),
    (
        "addresses",
        "how many that are private",
        tuple(
            Address((STREET[0], AddressComponent("locality", f"York {n}")), contexts=HOME)
            for n in range(MANY)
        ),
    ),
    (
        "addresses",
        "post office box",
        (Address((AddressComponent("postOfficeBox", "12"), *STREET), contexts=HOME),),
    ),
    ("addresses", "a label of your own", (Address(STREET, label="Ski hut"),)),
    ("organizations", "how many", tuple(Organization(f"Acme {n}") for n in range(MANY))),
    ("organizations", "a department", (Organization("Acme", ("Sales",)),)),
    ("organizations", "a department of a department", (Organization("Acme", ("Sales", "North")),)),
    ("titles", "title", (Title("Countess"),)),
    ("titles", "role", (Title("Analyst", "role"),)),
    (
        "online_services",
        "instant messaging, how many",
        tuple(OnlineService("jabber", f"xmpp:ada{n}@x.example") for n in range(MANY)),
    ),
    (
        "online_services",
        "profiles in social networks",
        (OnlineService("mastodon", "https://social.example/ada", kind="profile"),),
    ),
    ("links", "how many that are no kind", tuple(Link(f"https://x.example/{n}") for n in range(MANY))),
    ("links", "a label of your own", (Link("https://x.example/", label="Blog"),)),
    ("anniversaries", "birthday", (Anniversary("birth", PartialDate(1815, 12, 10)),)),
    ("anniversaries", "birthday without a year", (Anniversary("birth", PartialDate(None, 12, 10)),)),
    ("anniversaries", "a year, or a month, only", (Anniversary("birth", PartialDate(1815)),)),
    ("anniversaries", "wedding day", (Anniversary("wedding", PartialDate(1835, 7, 8)),)),
    (
        "anniversaries",
        "a day with a label of your own",
        (Anniversary("other", PartialDate(1843, 9, 1), "Notes"),),
    ),
    ("related_to", "spouse, by name", (Relation("William", _words("spouse")),)),
    ("related_to", "friend, by name", (Relation("Mary", _words("friend")),)),
    ("related_to", "a link to another card", (Relation("urn:uuid:1", _words("friend")),)),
    ("notes", "how many", tuple(Note(f"Note {n}.") for n in range(MANY))),
    ("media", "a photo", (PHOTO,)),
    ("media", "a photo that is an address", (Media("photo", uri="https://x.example/a.jpg"),)),
    ("media", "a logo", (replace(PHOTO, kind="logo"),)),
    ("groups", "how many", frozenset(f"Group {n}" for n in range(MANY))),
    ("extra", "gender", (Extra("GENDER", "F"),)),
    ("extra", "other properties", (Extra("X-ANYTHING", "43"),)),
)


def rows() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Field, what of it, and what each remote holds."""
    for field, what, value in SAMPLES:
        contact = replace(Contact(uid="ada", name=Name(ADA, "Ada Lovelace")), **{field: value})
        count = isinstance(value, tuple | frozenset) and len(value) == MANY
        yield field, what, tuple(_held(codec, contact, field, count) for codec in REMOTES.values())


def _held(codec: Codec, contact: Contact, field: str, count: bool) -> str:
    there = codec.project(contact)
    if count:
        kept = len(getattr(there, field))
        return "any" if kept == MANY else str(kept)
    return "no" if any(path[0] == field for path in differs(contact, there)) else "yes"
