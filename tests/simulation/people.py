"""What people do: the edits themselves, the same on a device and in somebody else's client."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

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
    Organization,
    PartialDate,
    Phone,
    Title,
)
from tests.simulation.facts import Album

GROUPS = ("G1", "G2", "G3")


class Words:
    """Values that were never used before, so that each can be followed."""

    def __init__(self, album: Album) -> None:
        self.album = album
        self._count = 0

    def new(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"


def newcomer(words: Words, uid: str, given: str = "") -> Contact:
    """Somebody new, of a new name unless ``given`` is one."""
    given, surname = given or words.new("P"), words.new("F")
    return Contact(
        uid=uid,
        name=named(given, surname),
        emails=(Email(f"{words.new('e').lower()}@{given.lower()}.org"),),
        phones=(Phone(f"+49{1000000 + int(words.new('')):d}"),),
    )


def named(given: str, surname: str) -> Name:
    parts = (NameComponent("given", given), NameComponent("surname", surname))
    return Name(parts, f"{given} {surname}")


def edited(contact: Contact, what: str, pick: float, words: Words, most_emails: int = 0) -> Contact:
    """``contact`` after one edit; the same where there is nothing to edit."""
    return _EDITS[what](contact, pick, words) if not _is_full(contact, what, most_emails) else contact


def _is_full(contact: Contact, what: str, most_emails: int) -> bool:
    return what == "add-email" and 0 < most_emails <= len(contact.emails)


def _surname(contact: Contact, pick: float, words: Words) -> Contact:
    return replace(contact, name=named(contact.name.part("given"), words.new("F")))


def _add_email(contact: Contact, pick: float, words: Words) -> Contact:
    return replace(contact, emails=(*contact.emails, Email(f"{words.new('e').lower()}@x.org")))


def _drop_email(contact: Contact, pick: float, words: Words) -> Contact:
    return replace(contact, emails=_at(contact.emails, pick, lambda _: None))


def _change_email(contact: Contact, pick: float, words: Words) -> Contact:
    new = f"{words.new('e').lower()}@x.org"
    return replace(contact, emails=_at(contact.emails, pick, lambda e: replace(e, address=new)))


def _prefer_email(contact: Contact, pick: float, words: Words) -> Contact:
    plain = tuple(replace(e, pref=None) for e in contact.emails)
    return replace(contact, emails=_at(plain, pick, lambda e: replace(e, pref=1)))


def _label(contact: Contact, pick: float, words: Words) -> Contact:
    new = words.new("L")
    return replace(contact, emails=_at(contact.emails, pick, lambda e: replace(e, label=new)))


def _phone(contact: Contact, pick: float, words: Words) -> Contact:
    number = f"+49{1000000 + int(words.new(''))}"
    return replace(contact, phones=_at(contact.phones, pick, lambda p: replace(p, number=number)))


def _add_phone(contact: Contact, pick: float, words: Words) -> Contact:
    return replace(contact, phones=(*contact.phones, Phone(f"+49{1000000 + int(words.new(''))}")))


def _title(contact: Contact, pick: float, words: Words) -> Contact:
    return replace(contact, titles=(Title(words.new("T")),) if pick < 0.8 else ())


def _note(contact: Contact, pick: float, words: Words) -> Contact:
    lines = contact.notes[0].text.split("\n") if contact.notes else []
    place = int(pick * (len(lines) + 1))
    if place < len(lines) and pick * 10 % 1 < 0.5:
        lines[place] = words.new("N")
    elif place < len(lines) and pick * 10 % 1 < 0.65:
        del lines[place]
    else:
        lines.insert(place, words.new("N"))
    return replace(contact, notes=(Note("\n".join(lines)),) if lines else ())


def _group(contact: Contact, pick: float, words: Words) -> Contact:
    return replace(contact, groups=contact.groups ^ {GROUPS[int(pick * len(GROUPS))]})


def _photo(contact: Contact, pick: float, words: Words) -> Contact:
    if pick > 0.85:
        return replace(contact, media=())
    return replace(contact, media=(photo(words.album, words.new("I")),))


def photo(album: Album, word: str) -> Media:
    """A picture that shows a word."""
    data = album.add(word)
    return Media(media_type="image/jpeg", sha256=hashlib.sha256(data).hexdigest(), data=data)


def _birthday(contact: Contact, pick: float, words: Words) -> Contact:
    number = int(words.new(""))
    date = PartialDate(1900 + number % 100, 1 + number // 100 % 12, 1 + number // 1200 % 28)
    others = tuple(a for a in contact.anniversaries if a.kind != "birth")
    return replace(contact, anniversaries=(*others, Anniversary("birth", date)))


def _nickname(contact: Contact, pick: float, words: Words) -> Contact:
    return replace(contact, nicknames=(*contact.nicknames, Nickname(words.new("K"))))


def _address(contact: Contact, pick: float, words: Words) -> Contact:
    street = AddressComponent("name", words.new("S"))
    if contact.addresses and pick < 0.5:
        moved = _at(contact.addresses, pick, lambda a: replace(a, components=(street, *a.components[1:])))
        return replace(contact, addresses=moved)
    new = Address((street, AddressComponent("locality", words.new("C"))))
    return replace(contact, addresses=(*contact.addresses, new))


def _organization(contact: Contact, pick: float, words: Words) -> Contact:
    units = (words.new("D"),) if pick < 0.5 else ()
    return replace(contact, organizations=(Organization(words.new("O"), units),) if pick < 0.9 else ())


def _link(contact: Contact, pick: float, words: Words) -> Contact:
    if contact.links and pick < 0.3:
        return replace(contact, links=_at(contact.links, pick * 3, lambda _: None))
    return replace(contact, links=(*contact.links, Link(f"https://{words.new('u').lower()}.org")))


def _x(contact: Contact, pick: float, words: Words) -> Contact:
    return replace(contact, extra=(*contact.extra, Extra(name="X-SIM", value=words.new("X"))))


def _at(
    entries: Sequence[object], pick: float, change: Callable[[object], object | None]
) -> tuple[object, ...]:
    place = int(pick * len(entries))
    changed = [change(entry) if i == place else entry for i, entry in enumerate(entries)]
    return tuple(entry for entry in changed if entry is not None)


_EDITS = {
    "surname": _surname,
    "add-email": _add_email,
    "drop-email": _drop_email,
    "change-email": _change_email,
    "prefer-email": _prefer_email,
    "label": _label,
    "phone": _phone,
    "add-phone": _add_phone,
    "title": _title,
    "note": _note,
    "group": _group,
    "photo": _photo,
    "birthday": _birthday,
    "nickname": _nickname,
    "address": _address,
    "organization": _organization,
    "link": _link,
    "x": _x,
}


def taken_over(survivor: Contact, other: Contact) -> Contact:
    """A merge made by hand in a client: the strong values of one go to the other (L40)."""
    return replace(
        survivor, emails=(*survivor.emails, *other.emails), phones=(*survivor.phones, *other.phones)
    )
