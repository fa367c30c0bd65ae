"""The table that Outlook exports and imports ("Outlook CSV", English headings).

Written are the columns of classic Outlook
(https://support.microsoft.com/office/4518d70d-8fe9-46ad-94fa-1494247193c7). Read are also those of Outlook on
the web, and what Google calls Outlook CSV: the same columns and some with other names. Every value has one
place, so what is more than the places does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from contactsync.csvfiles.parts import (
    custom,
    custom_fields,
    employer,
    first,
    joined_notes,
    name_parts,
    online_service,
    read_date,
    read_name,
)
from contactsync.csvfiles.table import Row
from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Extra,
    Link,
    Nickname,
    Note,
    Organization,
    Phone,
    Relation,
    Title,
)
from contactsync.vcard.shapes import clean_words
from contactsync.vcard.values import one_line, tidy

_PLAIN: frozenset[str] = frozenset()
_WORK, _HOME, _OTHER = frozenset({"work"}), frozenset({"private"}), frozenset({"other"})
_FAX, _CELL, _PAGER = frozenset({"fax"}), frozenset({"cell"}), frozenset({"pager"})
_MAIN, _TEXT = frozenset({"main-number"}), frozenset({"textphone"})


class _PhoneSlot(NamedTuple):
    """A column for one number, and what a number in it is for."""

    column: str
    contexts: frozenset[str] = _PLAIN
    features: frozenset[str] = _PLAIN
    label: str = ""


_PHONES = (
    _PhoneSlot("Assistant's Phone", label="Assistant"),
    _PhoneSlot("Business Fax", _WORK, _FAX),
    _PhoneSlot("Business Phone", _WORK),
    _PhoneSlot("Business Phone 2", _WORK),
    _PhoneSlot("Callback", label="Callback"),
    _PhoneSlot("Car Phone", label="Car"),
    _PhoneSlot("Company Main Phone", _WORK, _MAIN),
    _PhoneSlot("Home Fax", _HOME, _FAX),
    _PhoneSlot("Home Phone", _HOME),
    _PhoneSlot("Home Phone 2", _HOME),
    _PhoneSlot("ISDN", label="ISDN"),
    _PhoneSlot("Mobile Phone", _PLAIN, _CELL),
    _PhoneSlot("Other Fax", _PLAIN, _FAX),
    _PhoneSlot("Other Phone"),
    _PhoneSlot("Pager", _PLAIN, _PAGER),
    _PhoneSlot("Primary Phone", _PLAIN, _MAIN),
    _PhoneSlot("Radio Phone", label="Radio"),
    _PhoneSlot("TTY/TDD Phone", _PLAIN, _TEXT),
    _PhoneSlot("Telex", label="Telex"),
)
_PLACES = {"Business": _WORK, "Home": _HOME, "Other": _OTHER}
_ADDRESS = {
    "Street": "name",
    "Street 2": "extended",
    "City": "locality",
    "State": "region",
    "Postal Code": "postcode",
    "Country/Region": "country",
    "Address PO Box": "postOfficeBox",
}
_EMAILS = ("E-mail", "E-mail 2", "E-mail 3")
_NAME = {
    "title": "Title",
    "given": "First Name",
    "given2": "Middle Name",
    "surname": "Last Name",
    "credential": "Suffix",
}
_SOUND = {"given": "Given Yomi", "surname": "Surname Yomi"}
_RELATIONS = {"Spouse": "spouse", "Manager's Name": "manager", "Assistant's Name": "assistant"}
_SEXES = {"Female": "F", "Male": "M"}
#: Of classic Outlook, and without a home in a contact; kept as fields of the person's own.
_KEPT = (
    "Account",
    "Billing Information",
    "Directory Server",
    "Government ID Number",
    "Hobby",
    "Initials",
    "Internet Free Busy",
    "Keywords",
    "Language",
    "Location",
    "Mileage",
    "Office Location",
    "Organizational ID Number",
    "Referred By",
    "User 1",
    "User 2",
    "User 3",
    "User 4",
)
#: What other exports call a column.
_ALIASES = {
    "Email Address": "E-mail Address",
    "Job title": "Job Title",
    "Business Country": "Business Country/Region",
    "Home Country": "Home Country/Region",
    "Other Country": "Other Country/Region",
    "Business PO Box": "Business Address PO Box",
    "Home PO Box": "Home Address PO Box",
    "Other PO Box": "Other Address PO Box",
}
#: Made by the program that exports, from other columns or by its own settings.
_DERIVED = frozenset(
    {
        "Business Address",
        "Home Address",
        "Other Address",
        "E-mail Type",
        "E-mail 2 Type",
        "E-mail 3 Type",
        "E-mail Display Name",
        "E-mail 2 Display Name",
        "E-mail 3 Display Name",
        "Priority",
        "Private",
        "Sensitivity",
    }
)


def is_outlook(columns: Iterable[str]) -> bool:
    """Do these columns come from Outlook, or from what imitates it?"""
    names = {_ALIASES.get(name, name) for name in columns}
    named = {"First Name", "Last Name", "Company"} & names
    return bool(named) and bool(names & {"E-mail Address", "Mobile Phone", "Business Phone", "Home Phone"})


# ---- reading ---------------------------------------------------------------------------------------------


def read_row(row: Row) -> Contact:
    """One row as a contact; what has no other place is a field of the person's own."""
    cells = {_ALIASES.get(name, name): text for name, value in row.items() if (text := tidy(value))}
    used = set(_DERIVED)

    def cell(name: str) -> str:
        used.add(name)
        return cells.get(name, "")

    days = (("birth", read_date(cell("Birthday"))), ("wedding", read_date(cell("Anniversary"))))
    company, department = cell("Company"), cell("Department")
    sex = _SEXES.get(cell("Gender"), "")
    return Contact(
        name=read_name(
            {kind: cell(name) for kind, name in _NAME.items()},
            {kind: cell(name) for kind, name in _SOUND.items()},
        ),
        nicknames=(Nickname(name),) if (name := cell("Nickname")) else (),
        emails=tuple(Email(address) for name in _EMAILS if (address := cell(f"{name} Address"))),
        phones=tuple(
            Phone(number, slot.contexts, slot.features, slot.label)
            for slot in _PHONES
            if (number := cell(slot.column))
        ),
        addresses=tuple(a for place in _PLACES if (a := _address(place, cell)) is not None),
        organizations=(
            (Organization(company, (department,) if department else ()),) if company or department else ()
        ),
        titles=tuple(
            Title(text, kind)
            for name, kind in (("Job Title", "title"), ("Profession", "role"))
            if (text := cell(name))
        ),
        online_services=(online_service(cell("IMAddress")),) if cell("IMAddress") else (),
        links=tuple(
            Link(uri, contexts)
            for name, contexts in (("Web Page", _PLAIN), ("Personal Web Page", _HOME))
            if (uri := cell(name))
        ),
        anniversaries=tuple(Anniversary(kind, day) for kind, day in days if day),
        related_to=tuple(_relations(cell)),
        notes=(Note(text),) if (text := cell("Notes")) else (),
        groups=frozenset(_split(cell("Categories"))),
        # last, when all that has a place was asked for
        extra=(
            *((Extra("GENDER", sex),) if sex else ()),
            *(custom(name, text) for name, text in cells.items() if name not in used),
        ),
    )


def _split(cell: str) -> list[str]:
    return [name for part in re.split(r"[;,]", cell) if (name := part.strip())]


def _address(place: str, cell: Callable[[str], str]) -> Address | None:
    """Classic Outlook cuts a street into three columns, by its lines."""
    found = {kind: cell(f"{place} {part}") for part, kind in _ADDRESS.items()}
    third = cell(f"{place} Street 3")
    found["extended"] = "\n".join(filter(None, (found["extended"], third)))
    components = tuple(AddressComponent(kind, found[kind]) for kind in _ADDRESS.values() if found[kind])
    return Address(components, contexts=_PLACES[place]) if components else None


def _relations(cell: Callable[[str], str]) -> Iterator[Relation]:
    for name, word in _RELATIONS.items():
        if text := cell(name):
            yield Relation(text, frozenset({word}))
    for child in re.split(r"[;,]", cell("Children")):
        if child.strip():
            yield Relation(child.strip(), frozenset({"child"}))


# ---- writing ---------------------------------------------------------------------------------------------

COLUMNS = (
    *_NAME.values(),
    "Company",
    "Department",
    "Job Title",
    *(
        f"{place} {part}"
        for place in _PLACES
        for part in ("Street", "Street 2", "Street 3", "City", "State", "Postal Code", "Country/Region")
    ),
    *(slot.column for slot in _PHONES),
    "Account",
    "Anniversary",
    "Assistant's Name",
    "Billing Information",
    "Birthday",
    "Business Address PO Box",
    "Categories",
    "Children",
    "Directory Server",
    *(f"{name} {part}" for name in _EMAILS for part in ("Address", "Type", "Display Name")),
    "Gender",
    "Government ID Number",
    "Hobby",
    "Home Address PO Box",
    "Initials",
    "Internet Free Busy",
    "Keywords",
    "Language",
    "Location",
    "Manager's Name",
    "Mileage",
    "Notes",
    "Office Location",
    "Organizational ID Number",
    "Other Address PO Box",
    "Priority",
    "Private",
    "Profession",
    "Referred By",
    "Sensitivity",
    "Spouse",
    "User 1",
    "User 2",
    "User 3",
    "User 4",
    "Web Page",
)


def columns_for(rows: Iterable[Row]) -> list[str]:
    """Outlook's columns are always all there."""
    return list(COLUMNS)


def write_row(contact: Contact) -> Row:
    """A contact as one row, only with the cells that say something. ``groups`` are names."""
    parts, _ = name_parts(contact.name)
    row = {_NAME[kind]: text for kind, text in parts.items()}
    row["Company"], row["Department"] = employer(contact)
    row["Job Title"] = first(tidy(t.name) for t in contact.titles if t.kind != "role")
    row["Profession"] = first(tidy(t.name) for t in contact.titles if t.kind == "role")
    for kind, column in (("birth", "Birthday"), ("wedding", "Anniversary")):
        row[column] = first(_day(a) for a in contact.anniversaries if a.kind == kind)
    for column, word in _RELATIONS.items():
        row[column] = first(_plain(r) for r in contact.related_to if word in clean_words(r.relation))
    children = (_plain(r) for r in contact.related_to if "child" in clean_words(r.relation))
    row["Children"] = ";".join(filter(None, children))
    row["Web Page"] = first(one_line(one.uri) for one in contact.links)
    row["Categories"] = ";".join(sorted(filter(None, (re.sub("[;,]", " ", tidy(g)) for g in contact.groups))))
    row["Notes"] = joined_notes(contact)
    row |= _sex(contact)
    _put_emails(contact, row)
    _put_phones(contact, row)
    _put_addresses(contact, row)
    row |= {label: value for label, value in custom_fields(contact) if label in _KEPT}
    return {name: text for name, text in row.items() if text}


def _day(one: Anniversary) -> str:
    """As English Outlook reads it, month first; it knows no day without a year."""
    day = one.date
    if day.text or not (day.year and day.month and day.day):
        return ""
    return f"{day.month}/{day.day}/{day.year:04}"


def _plain(one: Relation) -> str:
    """Somebody by name; who is known by a URI only has no place here."""
    name = re.sub("[;,]", " ", tidy(one.target))
    return "" if re.match(r"(urn|https?|mailto|tel):", name, re.IGNORECASE) else name


def _sex(contact: Contact) -> dict[str, str]:
    words = {letter: word for word, letter in _SEXES.items()}
    letters = (e.value.upper() for e in contact.extra if e.name.upper() == "GENDER" and not e.params)
    return {"Gender": first(words.get(letter, "") for letter in letters)}


def _put_emails(contact: Contact, row: dict[str, str]) -> None:
    addresses = [tidy(e.address) for e in _preferred_first(contact.emails) if tidy(e.address)]
    for name, address in zip(_EMAILS, addresses, strict=False):
        row |= {f"{name} Address": address, f"{name} Type": "SMTP", f"{name} Display Name": address}


def _preferred_first(entries: Iterable[Any]) -> list[Any]:
    return sorted(entries, key=lambda entry: entry.pref or 101)


def _put_phones(contact: Contact, row: dict[str, str]) -> None:
    """Each number into the first free column of its kind; what is left, into one that says less of it."""
    left = [p for p in _preferred_first(contact.phones) if tidy(p.number)]
    for fits in (_fits_exactly, _fits_kind):
        for phone in list(left):
            free = (s.column for s in _PHONES if not row.get(s.column) and fits(s, phone))
            if column := next(free, ""):
                row[column] = tidy(phone.number)
                left.remove(phone)


def _fits_exactly(slot: _PhoneSlot, phone: Phone) -> bool:
    label = tidy(phone.label)
    if label or slot.label:
        return label.casefold() == slot.label.casefold()
    places = clean_words(phone.contexts) & (_WORK | _HOME)
    return slot.contexts == places and slot.features == phone.features - {"voice", "text", "video"}


def _fits_kind(slot: _PhoneSlot, phone: Phone) -> bool:
    """A kind of line goes before a place, and a label of the person's own is given up."""
    kinds = phone.features & (_FAX | _CELL | _PAGER | _TEXT)
    if slot.label or slot.features & (_FAX | _CELL | _PAGER | _TEXT) != kinds:
        return False
    return not slot.contexts or slot.contexts <= clean_words(phone.contexts)


def _put_addresses(contact: Contact, row: dict[str, str]) -> None:
    taken: set[str] = set()
    for address in _preferred_first(contact.addresses):
        words = clean_words(address.contexts)
        wanted = [place for place, contexts in _PLACES.items() if contexts <= words] or ["Other"]
        place = next((one for one in wanted if one not in taken), None)
        cells = {part: tidy(address.part(kind)) for part, kind in _ADDRESS.items()}
        if not any(cells.values()) and tidy(address.full):
            cells["Street"] = tidy(address.full)
        if place is None or not any(cells.values()):
            continue
        taken.add(place)
        row |= {f"{place} {part}": text for part, text in cells.items()}
