"""The table that Google Contacts exports and imports ("Google CSV").

Written are the columns of today (First Name, ... Labels, E-mail 1 - Label, ...); read are also those of
before 2024 (Given Name, ... Group Membership, E-mail 1 - Type, ...). Several values of one label stand in one
cell with ``:::`` between them, and a star marks the preferred one and what the system made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    write_date,
)
from contactsync.csvfiles.table import Row
from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Link,
    Media,
    Nickname,
    Note,
    OnlineService,
    Organization,
    Phone,
    Relation,
    Title,
)
from contactsync.vcard.dialects import FINER_RELATIONS, PLAIN_RELATIONS
from contactsync.vcard.shapes import clean_words
from contactsync.vcard.values import one_line, tidy

SEPARATOR = " ::: "
MINE = "* myContacts"
"""The group that everybody is in."""

_NAME = {
    "given": ("First Name", "Given Name"),
    "given2": ("Middle Name", "Additional Name"),
    "surname": ("Last Name", "Family Name"),
    "title": ("Name Prefix",),
    "credential": ("Name Suffix",),
}
_SOUND = {
    "given": ("Phonetic First Name", "Given Name Yomi"),
    "given2": ("Phonetic Middle Name", "Additional Name Yomi"),
    "surname": ("Phonetic Last Name", "Family Name Yomi"),
}
_COLUMNS = (
    "First Name",
    "Middle Name",
    "Last Name",
    "Phonetic First Name",
    "Phonetic Middle Name",
    "Phonetic Last Name",
    "Name Prefix",
    "Name Suffix",
    "Nickname",
    "File As",
    "Organization Name",
    "Organization Title",
    "Organization Department",
    "Birthday",
    "Notes",
    "Photo",
    "Labels",
)
#: Made by Google from the others, or what says the same; read and given back by nobody.
_DERIVED = frozenset({"Name", "Yomi Name", "File As"})
_LISTS = ("E-mail", "Phone", "Address", "Website", "Event", "Relation", "Custom Field")
_ADDRESS = {
    "Formatted": "",
    "Street": "name",
    "City": "locality",
    "PO Box": "postOfficeBox",
    "Region": "region",
    "Postal Code": "postcode",
    "Country": "country",
    "Extended Address": "extended",
}
_NUMBERED = re.compile(r"(?P<list>[A-Z][A-Za-z -]*?) (?P<number>\d{1,4}) - (?P<part>.+)")

_PHONES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "Home": (frozenset({"private"}), frozenset()),
    "Work": (frozenset({"work"}), frozenset()),
    "Mobile": (frozenset(), frozenset({"cell"})),
    "Work Mobile": (frozenset({"work"}), frozenset({"cell"})),
    "Home Fax": (frozenset({"private"}), frozenset({"fax"})),
    "Work Fax": (frozenset({"work"}), frozenset({"fax"})),
    "Other Fax": (frozenset(), frozenset({"fax"})),
    "Pager": (frozenset(), frozenset({"pager"})),
    "Work Pager": (frozenset({"work"}), frozenset({"pager"})),
    "Main": (frozenset(), frozenset({"main-number"})),
    "Other": (frozenset({"other"}), frozenset()),
}
_CONTEXTS = {"Home": "private", "Work": "work", "Other": "other"}
_EVENTS = {"Anniversary": "wedding", "Death": "death"}
_IM = re.compile(r"IM \((.*)\)")


def is_google(columns: Iterable[str]) -> bool:
    """Do these columns come from Google?"""
    names = set(columns)
    numbered = any(_NUMBERED.fullmatch(name) for name in names)
    return numbered or {"Given Name", "Family Name"} <= names or {"First Name", "Labels"} <= names


# ---- reading ---------------------------------------------------------------------------------------------


def read_row(row: Row) -> Contact:
    """One row as a contact; what has no other place is a field of the person's own."""
    cells = {name: tidy(value) for name, value in row.items()}
    lists = _numbered(cells)
    known = {name for names in (*_NAME.values(), *_SOUND.values()) for name in names} | set(_COLUMNS)
    rest = [
        custom(name, value)
        for name, value in cells.items()
        if name not in known | _DERIVED | {"Group Membership"} and not _is_known(name)
    ]
    jobs = [
        {"Name": cells.get("Organization Name", ""), "Title": cells.get("Organization Title", ""),
         "Department": cells.get("Organization Department", "")},
        *lists.get("Organization", ()),
    ]  # fmt: skip
    birthday = read_date(cells.get("Birthday", ""))
    ims = [*_ims(lists), *_ims_of_fields(lists)]
    return Contact(
        name=read_name(_parts(cells, _NAME), _parts(cells, _SOUND)),
        nicknames=_several(cells.get("Nickname", ""), Nickname),
        emails=tuple(_each(lists, "E-mail", _email)),
        phones=tuple(_each(lists, "Phone", _phone)),
        addresses=tuple(a for part in lists.get("Address", ()) if (a := _address(part)) is not None),
        organizations=tuple(
            Organization(job.get("Name", ""), (job["Department"],) if job.get("Department") else ())
            for job in jobs
            if job.get("Name") or job.get("Department")
        ),
        titles=tuple(Title(job["Title"]) for job in jobs if job.get("Title")),
        online_services=tuple(ims),
        links=tuple(_each(lists, "Website", _link)),
        anniversaries=(
            *((Anniversary("birth", birthday),) if birthday else ()),
            *_each(lists, "Event", _event),
        ),
        related_to=tuple(_each(lists, "Relation", _relation)),
        notes=(Note(cells["Notes"]),) if cells.get("Notes") else (),
        media=(Media(uri=cells["Photo"]),) if cells.get("Photo", "").startswith("http") else (),
        groups=frozenset(_groups(first([cells.get("Labels", ""), cells.get("Group Membership", "")]))),
        extra=(*(custom(*field) for field in _fields(lists)), *rest),
    )


def _parts(cells: Row, columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {kind: first(cells.get(name, "") for name in names) for kind, names in columns.items()}


def _is_known(name: str) -> bool:
    found = _NUMBERED.fullmatch(name)
    return found is not None and found["list"] in (*_LISTS, "IM", "Organization")


def _numbered(cells: Row) -> dict[str, list[dict[str, str]]]:
    """``E-mail 1 - Value`` and the like, by list: the parts of each entry, in the order of their numbers."""
    found: dict[str, dict[int, dict[str, str]]] = {}
    for name, value in cells.items():
        if (match := _NUMBERED.fullmatch(name)) and _is_known(name):
            part = "Label" if match["part"] == "Type" else match["part"]
            found.setdefault(match["list"], {}).setdefault(int(match["number"]), {})[part] = value
    return {name: [entries[number] for number in sorted(entries)] for name, entries in found.items()}


def _each(
    lists: dict[str, list[dict[str, str]]], name: str, make: Callable[[str, str, bool], Any]
) -> Iterator[Any]:
    """The entries of a list; where several stand in a cell, the first is the preferred one."""
    for parts in lists.get(name, ()):
        label = parts.get("Label", "")
        starred = label.startswith("*")
        label = label.removeprefix("*").strip()
        for value in _split(parts.get("Value", "")):
            entry = make(label, value, starred)
            if entry is not None:
                yield entry
            starred = False


def _split(cell: str) -> list[str]:
    return [value for part in cell.split(SEPARATOR) if (value := tidy(part))]


def _several(cell: str, make: Callable[[str], Any]) -> tuple[Any, ...]:
    return tuple(map(make, _split(cell)))


def _contexts(label: str) -> tuple[frozenset[str], str]:
    return (frozenset({_CONTEXTS[label]}), "") if label in _CONTEXTS else (frozenset(), label)


def _email(label: str, value: str, preferred: bool) -> Email:
    contexts, own = _contexts(label)
    return Email(value, contexts, own, 1 if preferred else None)


def _phone(label: str, value: str, preferred: bool) -> Phone:
    contexts, features = _PHONES.get(label, (frozenset(), frozenset()))
    return Phone(value, contexts, features, "" if label in _PHONES else label, 1 if preferred else None)


def _link(label: str, value: str, preferred: bool) -> Link:
    contexts, own = _contexts(label)
    return Link(value, contexts, own, 1 if preferred else None)


def _event(label: str, value: str, _: bool) -> Anniversary | None:
    day = read_date(value)
    kind = _EVENTS.get(label, "other")
    return Anniversary(kind, day, label if kind == "other" else "") if day else None


def _relation(label: str, value: str, _: bool) -> Relation:
    if label in PLAIN_RELATIONS:
        return Relation(value, frozenset({PLAIN_RELATIONS[label]}))
    if label in FINER_RELATIONS:
        return Relation(value, frozenset({FINER_RELATIONS[label]}), label)
    return Relation(value, label=label)


def _address(parts: dict[str, str]) -> Address | None:
    label = parts.get("Label", "")
    components = tuple(
        AddressComponent(kind, parts[name]) for name, kind in _ADDRESS.items() if kind and parts.get(name)
    )
    full = "" if components else parts.get("Formatted", "")
    if not components and not full:
        return None
    contexts, own = _contexts(label.removeprefix("*").strip())
    return Address(components, full, contexts=contexts, label=own, pref=1 if label.startswith("*") else None)


def _ims(lists: dict[str, list[dict[str, str]]]) -> Iterator[OnlineService]:
    for parts in lists.get("IM", ()):
        for value in _split(parts.get("Value", "")):
            yield OnlineService(service=parts.get("Service", "").lower(), user=value)


def _ims_of_fields(lists: dict[str, list[dict[str, str]]]) -> Iterator[OnlineService]:
    for label, value in _pairs(lists):
        if found := _IM.fullmatch(label):
            yield online_service(value, found[1])


def _fields(lists: dict[str, list[dict[str, str]]]) -> Iterator[tuple[str, str]]:
    yield from (pair for pair in _pairs(lists) if not _IM.fullmatch(pair[0]))


def _pairs(lists: dict[str, list[dict[str, str]]]) -> Iterator[tuple[str, str]]:
    for parts in lists.get("Custom Field", ()):
        if parts.get("Value"):
            yield parts.get("Label") or "Custom Field", parts["Value"]


def _groups(cell: str) -> Iterator[str]:
    for name in _split(cell):
        if name not in (MINE, "* My Contacts"):
            yield name.removeprefix("*").strip()


# ---- writing ---------------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """One entry of a list as its cells."""

    label: str
    value: str = ""
    parts: tuple[tuple[str, str], ...] = ()


def columns_for(rows: Iterable[Row]) -> list[str]:
    """The columns that these rows need, in Google's order."""
    needed = {name for row in rows for name in row}
    numbers = {
        name: max((int(m[2]) for n in needed if (m := _NUMBERED.fullmatch(n)) and m[1] == name), default=0)
        for name in _LISTS
    }
    return [
        *_COLUMNS,
        *(f"{name} {number} - {part}" for name in _LISTS for number in range(1, numbers[name] + 1)
          for part in ("Label", *(_ADDRESS if name == "Address" else ("Value",)))),
    ]  # fmt: skip


def write_row(contact: Contact) -> Row:
    """A contact as one row, only with the cells that say something. ``groups`` are names."""
    parts, sounds = name_parts(contact.name)
    row = {_NAME[kind][0]: text for kind, text in parts.items()}
    row |= {_SOUND[kind][0]: text for kind, text in sounds.items() if kind in _SOUND}
    row["Nickname"] = first(tidy(n.name) for n in contact.nicknames)
    row["Organization Name"], row["Organization Department"] = employer(contact)
    row["Organization Title"] = first(tidy(t.name) for t in contact.titles if t.kind != "role")
    row["Birthday"] = first(write_date(a.date) for a in contact.anniversaries if a.kind == "birth")
    row["Notes"] = joined_notes(contact)
    row["Photo"] = first(m.uri for m in contact.media if m.kind == "photo" and m.uri.startswith("http"))
    row["Labels"] = SEPARATOR.join([*sorted(filter(None, map(tidy, contact.groups))), MINE])
    for name, entries in _entries(contact):
        for number, entry in enumerate((e for e in entries if e.value or e.parts), 1):
            row[f"{name} {number} - Label"] = entry.label
            for part, text in entry.parts or (("Value", entry.value),):
                row[f"{name} {number} - {part}"] = text
    return {name: text for name, text in row.items() if text}


def _entries(contact: Contact) -> Iterator[tuple[str, Sequence[_Entry]]]:
    yield (
        "E-mail",
        [
            _Entry(_starred(_context_label(e.contexts, e.label), e.pref), tidy(e.address))
            for e in contact.emails
        ],
    )
    yield "Phone", [_Entry(_starred(_phone_label(p), p.pref), tidy(p.number)) for p in contact.phones]
    yield (
        "Address",
        [
            _Entry(_starred(_context_label(a.contexts, a.label), a.pref), parts=_address_cells(a))
            for a in contact.addresses
        ],
    )
    yield (
        "Website",
        [
            _Entry(_starred(_context_label(one.contexts, one.label), one.pref), one_line(one.uri))
            for one in contact.links
        ],
    )
    yield (
        "Event",
        [_Entry(_event_label(a), write_date(a.date)) for a in contact.anniversaries if a.kind != "birth"],
    )
    yield "Relation", [_Entry(_relation_label(r), tidy(r.target)) for r in contact.related_to]
    ims = [(f"IM ({tidy(s.service)})", one_line(s.uri) or one_line(s.user)) for s in contact.online_services]
    yield "Custom Field", [_Entry(label, value) for label, value in (*ims, *custom_fields(contact))]


def _starred(label: str, pref: int | None) -> str:
    return f"* {label}" if pref == 1 else label


def _context_label(contexts: frozenset[str], label: str) -> str:
    if tidy(label):
        return tidy(label)
    words = clean_words(contexts)
    return next((word for word, context in _CONTEXTS.items() if context in words), "")


def _phone_label(phone: Phone) -> str:
    """Google has one word for a number: a kind of line goes before a place."""
    if tidy(phone.label):
        return tidy(phone.label)
    places = clean_words(phone.contexts)
    fitting = [
        (len(features), bool(contexts), word)
        for word, (contexts, features) in _PHONES.items()
        if contexts <= places and features <= phone.features
    ]
    return max(fitting, key=lambda found: found[:2])[2] if fitting else ""


def _event_label(one: Anniversary) -> str:
    words = {kind: word for word, kind in _EVENTS.items()}
    return words.get(one.kind) or tidy(one.label)


def _relation_label(one: Relation) -> str:
    if tidy(one.label):
        return tidy(one.label)
    words = clean_words(one.relation)
    return next(
        (word for word, relation in PLAIN_RELATIONS.items() if relation in words), first(sorted(words))
    )


def _address_cells(address: Address) -> tuple[tuple[str, str], ...]:
    cells = [(name, tidy(address.part(kind))) for name, kind in _ADDRESS.items() if kind]
    found = tuple((name, text) for name, text in cells if text)
    full = tidy(address.full)
    return found or ((("Formatted", full),) if full else ())
