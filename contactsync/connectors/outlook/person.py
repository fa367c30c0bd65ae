"""A contact of Outlook as a contact, and a contact written into one (facts: contact resource).

What Graph answers is taken in one form, `canonical`: absent, null, an empty text and an empty list mean the
same there. The extended properties that we know stand in ``extended``, by their ids, and the picture in
``photo``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from contactsync.connectors.outlook.slots import LISTS, SLOTS, Slot, fill, text_of
from contactsync.errors import CodecError
from contactsync.model.contact import (
    Address,
    AddressComponent,
    Contact,
    Media,
    Name,
    NameComponent,
    Organization,
)
from contactsync.vcard.shapes import clean_words
from contactsync.vcard.values import loose, tidy

Person = dict[str, Any]

_SET = "5a2f63b1-0c7e-4f1d-9a54-2d8e6f30c7b2"
UID = f"String {{{_SET}}} Name contactsync-uid"
OPERATION = f"String {{{_SET}}} Name contactsync-op"
_COMMON = "00062004-0000-0000-C000-000000000046"
HAS_PICTURE = f"Boolean {{{_COMMON}}} Id 0x8015"

EXTENDED = "extended"
PHOTO = "photo"
CATEGORIES = "categories"
DISPLAY = "displayName"
_NAME = {
    "title": ("title", ""),
    "given": ("givenName", "yomiGivenName"),
    "given2": ("middleName", ""),
    "surname": ("surname", "yomiSurname"),
    "credential": ("generation", ""),
}
NAME_PARTS = frozenset(name for names in _NAME.values() for name in names if name)
_PLACE = {"surname2": "surname", "generation": "credential"}
_COMPANY, _DEPARTMENT = "companyName", "department"


class _Postal(NamedTuple):
    """An address: its property, and the extended one that has the post office box."""

    name: str
    context: str
    box: str


_POSTAL = (
    _Postal("businessAddress", "work", f"String {{{_COMMON}}} Id 0x804A"),
    _Postal("homeAddress", "private", "String 0x3A5E"),
    _Postal("otherAddress", "", "String 0x3A64"),
)
_PARTS = {
    "street": "name",
    "city": "locality",
    "state": "region",
    "postalCode": "postcode",
    "countryOrRegion": "country",
}
_BOX = "postOfficeBox"
ADDRESSES = frozenset(one.name for one in _POSTAL)
ADDRESS_PARTS = tuple(_PARTS)

#: What we write; the rest of `FIELDS` is only kept.
WRITABLE = (
    frozenset(
        {DISPLAY, CATEGORIES, _COMPANY, _DEPARTMENT, *(slot.name for slot in SLOTS if not slot.extended)}
    )
    | NAME_PARTS
    | ADDRESSES
)
FIELDS = tuple(sorted(WRITABLE | {"fileAs", "initials", "officeLocation", "yomiCompanyName"}))
EXTENDED_IDS = tuple(
    sorted(
        {UID, OPERATION, HAS_PICTURE, *(one.box for one in _POSTAL)}
        | {slot.name for slot in SLOTS if slot.extended}
    )
)


def canonical(row: Mapping[str, Any], extended: Mapping[str, str]) -> Person:
    """What an answer says of a contact. ``extended`` are the extended properties by their ids."""
    person: Person = {"id": row.get("id", "")}
    for name in FIELDS:
        if (value := row.get(name)) and (said := _without_nothing(value)):
            person[name] = said
    kept = {name: value for name, value in extended.items() if name in EXTENDED_IDS and value}
    if not _is_true(kept.get(HAS_PICTURE)):
        kept.pop(HAS_PICTURE, None)
    if kept:
        person[EXTENDED] = kept
    return person


def _without_nothing(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {key: part for key, part in value.items() if part}
    if isinstance(value, list):
        return [found for one in value if (found := _without_nothing(one))]
    return value


def has_picture(person: Mapping[str, Any]) -> bool:
    return _is_true(extended_of(person).get(HAS_PICTURE))


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def extended_of(person: Mapping[str, Any]) -> Mapping[str, Any]:
    """Its extended properties, by their ids."""
    found = person.get(EXTENDED)
    return found if isinstance(found, dict) else {}


def uid_of(person: Mapping[str, Any]) -> str:
    return text_of(extended_of(person).get(UID)) or text_of(person.get("id"))


def _values(person: Mapping[str, Any], slot: Slot) -> Sequence[Any]:
    """What is in a slot, as a list."""
    value = (extended_of(person) if slot.extended else person).get(slot.name)
    if slot.name in LISTS:
        return value if isinstance(value, list) else []
    return [value] if value else []


# ---- reading ---------------------------------------------------------------------------------------------


def read_person(person: Mapping[str, Any]) -> Contact:
    extended = extended_of(person)
    content: dict[str, tuple[Any, ...]] = {}
    for slot in SLOTS:
        if slot.name in (extended if slot.extended else person):
            entries = [e for value in _values(person, slot) if (e := slot.read(value)) is not None]
            content[slot.field] = (*content.get(slot.field, ()), *entries)
    organization = _read_organization(person)
    return Contact(
        uid=uid_of(person),
        name=_read_name(person),
        organizations=(organization,) if organization else (),
        addresses=tuple(a for place in _POSTAL if (a := _read_address(person, extended, place)) is not None),
        media=tuple(_read_photos(person)),
        groups=frozenset(_categories(person)),
        **content,  # type: ignore[arg-type]
    )


def _read_name(person: Mapping[str, Any]) -> Name:
    components = tuple(
        [
            NameComponent(kind, value, text_of(person.get(sound)))
            for kind, (name, sound) in _NAME.items()
            if (value := text_of(person.get(name)))
        ]
    )
    shown = text_of(person.get(DISPLAY))
    return Name(components, shown or " ".join(component.value for component in components))


def _read_organization(person: Mapping[str, Any]) -> Organization | None:
    name, unit = text_of(person.get(_COMPANY)), text_of(person.get(_DEPARTMENT))
    return Organization(name, (unit,) if unit else ()) if name or unit else None


def _read_address(person: Mapping[str, Any], extended: Mapping[str, Any], place: _Postal) -> Address | None:
    value, box = person.get(place.name), extended.get(place.box)
    if not value and not box:
        return None
    value = value if isinstance(value, dict) else {}
    found = [(_BOX, text_of(box))]
    found += [(kind, text_of(value.get(name))) for name, kind in _PARTS.items()]
    components = tuple(AddressComponent(kind, text) for kind, text in found if text)
    contexts = frozenset({place.context} if place.context else ())
    return Address(components, contexts=contexts) if components else None


def _categories(person: Mapping[str, Any]) -> Iterator[str]:
    value = person.get(CATEGORIES)
    for one in value if isinstance(value, list) else ():
        if text_of(one):
            yield text_of(one)


def _read_photos(person: Mapping[str, Any]) -> Iterator[Media]:
    photo = person.get(PHOTO)
    if not isinstance(photo, dict):
        return
    if "data" in photo:
        try:
            data = base64.b64decode(photo["data"], validate=True)
        except (ValueError, TypeError) as error:
            raise CodecError("The picture of this contact is damaged.") from error
        yield Media(media_type="image/jpeg", sha256=hashlib.sha256(data).hexdigest(), data=data)
    elif text_of(photo.get("sha256")):
        yield Media(media_type="image/jpeg", sha256=text_of(photo["sha256"]))


# ---- writing ---------------------------------------------------------------------------------------------


def write_person(contact: Contact, original: Mapping[str, Any], *, with_photo: bool = True) -> Person:
    """``original`` with what differs in ``contact``.

    Without ``with_photo`` only the hash of a picture is written: for finding out what Outlook can show.
    """
    person: Person = dict(original)
    extended = dict(extended_of(original))
    for slot in SLOTS:
        entries, old = getattr(contact, slot.field), _values(original, slot)
        if (entries or old) and (values := fill(slot, entries, old)) != old:
            value = values if slot.name in LISTS else next(iter(values), None)
            _put(extended if slot.extended else person, slot.name, value)
    _write_name(contact.name, person)
    _write_organization(contact, person)
    for place, address in zip(_POSTAL, _addresses(contact), strict=True):
        _write_address(address, place, person, extended)
    _write_categories(contact.groups, person)
    if (photo := _photo(contact, original, with_photo)) != original.get(PHOTO):
        _put(person, PHOTO, photo)
    if not original and contact.uid:
        extended[UID] = contact.uid
    if extended != extended_of(original):
        _put(person, EXTENDED, extended)
    return person


def _put(content: dict[str, Any], name: str, value: Any) -> None:
    if value:
        content[name] = value
    else:
        content.pop(name, None)


def _write_name(name: Name, person: Person) -> None:
    if _read_name(person) == name:
        return
    for kind, (key, sound) in _NAME.items():
        own = [c for c in name.components if _PLACE.get(c.kind, c.kind) == kind and tidy(c.value)]
        _put(person, key, " ".join(tidy(c.value) for c in own))
        if sound:
            _put(person, sound, " ".join(tidy(c.phonetic) for c in own if tidy(c.phonetic)))
    shown = [text_of(person.get(key)) for key, _ in _NAME.values()]
    _put(person, DISPLAY, tidy(name.full) or " ".join(part for part in shown if part))


def _write_organization(contact: Contact, person: Person) -> None:
    """The first one; further units stay where they are known."""
    wanted = next((o for o in contact.organizations if tidy(o.name) or any(map(tidy, o.units[:1]))), None)
    name, unit = (tidy(wanted.name), tidy("".join(wanted.units[:1]))) if wanted else ("", "")
    for key, value in ((_COMPANY, name), (_DEPARTMENT, unit)):
        if text_of(person.get(key)) != value:
            _put(person, key, value)


def _addresses(contact: Contact) -> list[Address | None]:
    """One for each place: the preferred of those that belong there, else the first."""
    found: list[Address | None] = []
    for place in _POSTAL:
        fitting = [
            a for a in contact.addresses if _context(a) == place.context and any(_parts_of(a).values())
        ]
        fitting.sort(key=lambda address: address.pref or 101)
        found.append(next(iter(fitting), None))
    return found


def _context(address: Address) -> str:
    words = clean_words(address.contexts)
    return next((word for word in ("work", "private") if word in words), "")


def _parts_of(address: Address) -> dict[str, str]:
    """The texts of an address by their keys at Outlook, the box under its own name. What there is no key
    for goes into the street."""
    keys = {kind: key for key, kind in _PARTS.items()} | {_BOX: _BOX}
    values: dict[str, str] = {}
    for component in address.components:
        key, value = keys.get(component.kind, "street"), tidy(component.value)
        if value:
            values[key] = f"{values[key]}, {value}" if key in values else value
    return values or {"street": loose(address.full).strip()}


def _write_address(address: Address | None, place: _Postal, person: Person, extended: Person) -> None:
    old = _read_address(person, extended, place)
    if (address.components if address else None) == (old.components if old else None):
        return
    values = _parts_of(address) if address else {}
    _put(extended, place.box, values.pop(_BOX, ""))
    _put(person, place.name, {key: value for key, value in values.items() if value})


def _write_categories(groups: Iterable[str], person: Person) -> None:
    wanted = {tidy(group) for group in groups if tidy(group)}
    there = person.get(CATEGORIES)
    old = there if isinstance(there, list) else []
    kept = [one for one in old if not text_of(one) or text_of(one) in wanted]
    new = sorted(wanted - {text_of(one) for one in old})
    if len(kept) != len(old) or new:
        _put(person, CATEGORIES, kept + new)


def _photo(contact: Contact, original: Mapping[str, Any], with_photo: bool) -> Any:
    wanted = next((media for media in contact.media if media.kind == "photo" and media.sha256), None)
    have = next(_read_photos(original), None)
    if wanted is None:
        return original.get(PHOTO) if have is None else None
    if have is not None and have.sha256 == wanted.sha256:
        return original[PHOTO]
    if not with_photo:
        return {"sha256": wanted.sha256}
    if wanted.data is None:
        raise CodecError("The new picture of this contact is not here.")
    return {"data": base64.b64encode(wanted.data).decode()}
