"""What a contact of Outlook has room for: one slot after the other, each for so many entries of a field.

A slot is a property of Microsoft Graph v1.0, or a MAPI property that Graph shows as an extended property
(facts: contact resource). An entry goes into the one slot that is for its kind, whatever room there is
elsewhere: what Outlook would say of it otherwise is not what the person said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from contactsync.model.contact import (
    Anniversary,
    Email,
    Extra,
    Link,
    Nickname,
    Note,
    OnlineService,
    PartialDate,
    Phone,
    Relation,
    Title,
)
from contactsync.vcard.pairing import pair
from contactsync.vcard.shapes import clean_words
from contactsync.vcard.values import loose, one_line, tidy

#: A year that stands for none, as Apple's programs write it (facts: observed value rules).
NO_YEAR = 1604
#: Before it, Windows has no time at all.
FIRST_YEAR = 1601
_WORST_PREF = 101
_URI = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class Slot(NamedTuple):
    """Room for ``size`` entries of ``field`` in the property ``name``; ``write`` is given the value that
    the entry was read from, or None. ``extended``: ``name`` is the id of an extended property."""

    name: str
    field: str
    size: int
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], Any]
    takes: Callable[[Any], bool]
    extended: bool = False


def text_of(value: Any) -> str:
    return tidy(value) if isinstance(value, str) else ""


def best(entries: Iterable[Any], size: int) -> list[Any]:
    """The preferred ones first, the others in their order (L10)."""
    return sorted(entries, key=lambda entry: getattr(entry, "pref", None) or _WORST_PREF)[:size]


def fill(slot: Slot, entries: Iterable[Any], values: Sequence[Any]) -> list[Any]:
    """The values of a slot with these entries in it. What is there keeps its place, a new entry comes
    behind the one that it follows (L5), and a value that means nothing to us stays while its place is not
    needed."""
    if not values:
        return [slot.write(entry, None) for entry in best(filter(slot.takes, entries), slot.size)]
    known = [(place, entry) for place, value in enumerate(values) if (entry := slot.read(value)) is not None]
    unread = 0 if slot.size == 1 else len(values) - len(known)
    room = max(slot.size - unread, min(len(known), slot.size))
    wanted = best((entry for entry in entries if slot.takes(entry)), room)
    partners = pair([entry for _, entry in known], wanted)
    places = [None if partner is None else known[partner][0] for partner in partners]
    kept: dict[int, Any] = {}
    for place, entry in zip(places, wanted, strict=True):
        if place is not None:
            same = dict(known)[place] == entry
            kept[place] = values[place] if same else slot.write(entry, values[place])
    gone = {place for place, _ in known} - kept.keys()
    if slot.size == 1 and wanted:
        gone = set(range(len(values))) - kept.keys()
    found = [(place, kept.get(place, value)) for place, value in enumerate(values) if place not in gone]
    behind: int | None = None
    for number, (place, entry) in enumerate(zip(places, wanted, strict=True)):
        if place is None:
            place = -1 - number
            at = next((n + 1 for n, (one, _) in enumerate(found) if one == behind), 0)
            found.insert(at, (place, slot.write(entry, None)))
        behind = place
    return [value for _, value in found]


# ---- e-mail addresses and phones -------------------------------------------------------------------------


def _read_email(value: Any) -> Email | None:
    """An address is not shown when it ends in a comma (facts: observed value rules)."""
    address = text_of(value.get("address")) if isinstance(value, dict) else ""
    return Email(address) if address else None


def _write_email(entry: Email, value: Any) -> Any:
    """The name beside an address is Outlook's; ours is given with a new one only (see `named`)."""
    old = value if isinstance(value, dict) else {}
    return {**old, "address": tidy(entry.address)}


def _takes_email(entry: Email) -> bool:
    address = tidy(entry.address)
    return bool(address) and not address.endswith(",")


_WORK, _HOME = frozenset({"work"}), frozenset({"private"})
_FAX, _PAGER, _CELL = frozenset({"fax"}), frozenset({"pager"}), frozenset({"cell"})
_PLAIN: frozenset[str] = frozenset()


def _place_of(contexts: frozenset[str]) -> frozenset[str]:
    words = clean_words(contexts)
    return _WORK if "work" in words else _HOME if "private" in words else _PLAIN


def _kind_of(phone: Phone) -> tuple[frozenset[str], frozenset[str]]:
    """Contexts and features of the slot that a number belongs into: a kind of line goes before a place."""
    for kind in (_FAX, _PAGER, _CELL):
        if kind <= phone.features:
            return (_place_of(phone.contexts) if kind == _FAX else _PLAIN), kind
    return _place_of(phone.contexts), _PLAIN


def _phone(
    name: str,
    size: int,
    contexts: frozenset[str],
    features: frozenset[str] = _PLAIN,
    *,
    extended: bool = False,
) -> Slot:
    def read(value: Any) -> Phone | None:
        return Phone(text_of(value), contexts, features) if text_of(value) else None

    def takes(entry: Phone) -> bool:
        return bool(tidy(entry.number)) and _kind_of(entry) == (contexts, features)

    return Slot(name, "phones", size, read, lambda entry, _: tidy(entry.number), takes, extended)


# ---- days ------------------------------------------------------------------------------------------------


def read_day(value: Any) -> PartialDate | None:
    """The day of a moment, which is that of the nearest midnight: some programs write midnight of their own
    zone (facts: observed value rules)."""
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    try:
        day = (moment + timedelta(hours=12)).date()
    except OverflowError:
        return None
    return PartialDate(day.year if day.year != NO_YEAR else None, day.month, day.day)


def is_ambiguous(value: Any) -> bool:
    """Is it the midnight of another zone, or just another hour of that day?"""
    if not value or not isinstance(value, str):
        return False
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return False
    return moment.hour >= 12


def _moment(day: PartialDate) -> str:
    """A minute before noon, as the server has it; empty for what is no day of a calendar that it knows."""
    year = day.year if day.year is not None else NO_YEAR
    if day.text or not day.month or not day.day or not year >= FIRST_YEAR:
        return ""
    try:
        return f"{date(year, day.month, day.day)}T11:59:00Z"
    except ValueError:
        return ""


def _day(name: str, kind: str, *, extended: bool = False) -> Slot:
    def read(value: Any) -> Anniversary | None:
        day = read_day(value)
        return Anniversary(kind, day) if day else None

    def takes(entry: Anniversary) -> bool:
        return entry.kind == kind and bool(_moment(entry.date))

    return Slot(name, "anniversaries", 1, read, lambda entry, _: _moment(entry.date), takes, extended)


# ---- texts -----------------------------------------------------------------------------------------------


def _named(
    name: str, field: str, make: Callable[[str], Any], takes: Callable[[Any], bool] = lambda entry: True
) -> Slot:
    """A text that is the ``name`` of an entry."""

    def read(value: Any) -> Any:
        return make(text_of(value)) if text_of(value) else None

    def fits(entry: Any) -> bool:
        return bool(tidy(entry.name)) and takes(entry)

    return Slot(name, field, 1, read, lambda entry, _: tidy(entry.name), fits)


def _relation(name: str, word: str, size: int = 1) -> Slot:
    """Somebody by name; who is known by a URI only has none here."""

    def read(value: Any) -> Relation | None:
        return Relation(text_of(value), frozenset({word})) if text_of(value) else None

    def takes(entry: Relation) -> bool:
        named = tidy(entry.target) and not re.match(r"(urn|https?|mailto|tel):", entry.target, re.IGNORECASE)
        return bool(named) and word in entry.relation

    return Slot(name, "related_to", size, read, lambda entry, _: tidy(entry.target), takes)


def _link(name: str, contexts: frozenset[str], *, extended: bool = False) -> Slot:
    def read(value: Any) -> Link | None:
        uri = one_line(value) if isinstance(value, str) else ""
        return Link(uri, contexts) if uri else None

    def takes(entry: Link) -> bool:
        return bool(one_line(entry.uri)) and (_place_of(entry.contexts) == _HOME) == (contexts == _HOME)

    return Slot(name, "links", 1, read, lambda entry, _: one_line(entry.uri), takes, extended)


def _read_im(value: Any) -> OnlineService | None:
    text = one_line(value) if isinstance(value, str) else ""
    if not text:
        return None
    return OnlineService(uri=text) if _URI.match(text) else OnlineService(user=text)


def _read_note(value: Any) -> Note | None:
    text = loose(value) if isinstance(value, str) else ""
    return Note(text) if text.strip() else None


_SEXES = {"1": "F", "2": "M"}


def _read_gender(value: Any) -> Extra | None:
    """PidTagGender: 1 is female, 2 is male (assumed by [MS-OXOCNTC] section 2.2.1.10)."""
    return Extra("GENDER", _SEXES[str(value)]) if str(value) in _SEXES else None


def _write_gender(entry: Extra, value: Any) -> str:
    return {letter: number for number, letter in _SEXES.items()}[entry.value.upper()]


def _takes_gender(entry: Extra) -> bool:
    return entry.name.upper() == "GENDER" and entry.value.upper() in _SEXES.values() and not entry.params


SLOTS = (
    _named("nickName", "nicknames", Nickname),
    Slot("emailAddresses", "emails", 3, _read_email, _write_email, _takes_email),
    _phone("businessPhones", 2, _WORK),
    _phone("homePhones", 2, _HOME),
    _phone("mobilePhone", 1, _PLAIN, _CELL),
    _phone("String 0x3A1F", 1, _PLAIN, extended=True),
    _phone("String 0x3A24", 1, _WORK, _FAX, extended=True),
    _phone("String 0x3A25", 1, _HOME, _FAX, extended=True),
    _phone("String 0x3A21", 1, _PLAIN, _PAGER, extended=True),
    _named("jobTitle", "titles", Title, lambda entry: entry.kind != "role"),
    _named("profession", "titles", lambda name: Title(name, "role"), lambda entry: entry.kind == "role"),
    Slot(
        "imAddresses",
        "online_services",
        3,
        _read_im,
        lambda entry, _: one_line(entry.uri) or one_line(entry.user),
        lambda entry: entry.kind == "impp" and bool(one_line(entry.uri) or one_line(entry.user)),
    ),
    _link("businessHomePage", _PLAIN),
    _link("String 0x3A50", _HOME, extended=True),
    _day("birthday", "birth"),
    _day("SystemTime 0x3A41", "wedding", extended=True),
    _relation("spouseName", "spouse"),
    _relation("children", "child", 1000),
    _relation("manager", "manager"),
    _relation("assistantName", "assistant"),
    Slot(
        "personalNotes",
        "notes",
        1,
        _read_note,
        lambda entry, _: loose(entry.text),
        lambda entry: bool(loose(entry.text).strip()),
    ),
    Slot("Short 0x3A4D", "extra", 1, _read_gender, _write_gender, _takes_gender, extended=True),
)
LISTS = frozenset({"emailAddresses", "businessPhones", "homePhones", "imAddresses", "children", "categories"})
