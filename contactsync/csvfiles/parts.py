"""What both kinds of tables share: names, custom fields, dates, and finding a slot for an entry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date

from contactsync.model.contact import Contact, Extra, Name, NameComponent, OnlineService, PartialDate
from contactsync.vcard.dialects import CUSTOM_FIELD
from contactsync.vcard.values import escape, extended_date, parse_date, tidy, unescape

_KINDS = ("title", "given", "given2", "surname", "credential")
_PLACE = {"surname2": "surname", "generation": "credential"}


def read_name(parts: Mapping[str, str], sounds: Mapping[str, str] | None = None, full: str = "") -> Name:
    """The name of these parts (by kind), with how they sound."""
    found = sounds or {}
    components = tuple(
        NameComponent(kind, parts[kind], found.get(kind, "")) for kind in _KINDS if parts.get(kind)
    )
    return Name(components, full or " ".join(component.value for component in components))


def name_parts(name: Name) -> tuple[dict[str, str], dict[str, str]]:
    """The parts of a name by kind, and how they sound; a name without parts is a given name."""
    if not name.components:
        return {"given": tidy(name.full)}, {}
    values: dict[str, list[str]] = {}
    sounds: dict[str, list[str]] = {}
    for component in name.components:
        kind = _PLACE.get(component.kind, component.kind)
        values.setdefault(kind, []).append(tidy(component.value))
        sounds.setdefault(kind, []).append(tidy(component.phonetic))
    return _joined(values), _joined(sounds)


def _joined(texts: Mapping[str, list[str]]) -> dict[str, str]:
    return {kind: " ".join(filter(None, some)) for kind, some in texts.items()}


def custom(label: str, value: str) -> Extra:
    return Extra(CUSTOM_FIELD, escape(value, "3.0"), (("LABEL", label),))


def custom_fields(contact: Contact) -> list[tuple[str, str]]:
    """(label, value) of the fields of the person's own."""
    found = []
    for extra in contact.extra:
        label = tidy(dict(extra.params).get("LABEL", ""))
        value = tidy(unescape(extra.value, "3.0"))
        if extra.name.upper() == CUSTOM_FIELD and len(extra.params) == 1 and label and value:
            found.append((label, value))
    return found


_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_EUROPEAN = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")
_NO_YEAR = re.compile(r"--(\d{2})-(\d{2})")
NO_DAYS = ("0/0/00", "0.0.00", "00.00.0000", "0/0/0000")
"""What Outlook writes where there is no date."""


def read_date(text: str) -> PartialDate | None:
    """A date as it stands in tables: ISO 8601, ``--05-17`` without its year, 5/17/1990 as in America (or
    17/5/1990, where it cannot be that), 17.5.1990; else as text."""
    text = tidy(text)
    if not text or text in NO_DAYS:
        return None
    for pattern, month, day in ((_AMERICAN, 1, 2), (_AMERICAN, 2, 1), (_EUROPEAN, 2, 1)):
        found = pattern.fullmatch(text)
        if found and _is_day(int(found[3]), int(found[month]), int(found[day])):
            return PartialDate(int(found[3]), int(found[month]), int(found[day]))
    if found := _NO_YEAR.fullmatch(text):
        return parse_date(f"--{found[1]}{found[2]}")
    return parse_date(text)


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def write_date(day: PartialDate) -> str:
    """ISO 8601, and ``--05-17`` where the year is not known."""
    if day.year is None and day.month and day.day and not day.text:
        return f"--{day.month:02}-{day.day:02}"
    return extended_date(day)


def online_service(text: str, service: str = "") -> OnlineService:
    """An address of a messenger: a URI where it is one, else the name of a user there."""
    is_uri = re.match(r"[a-z][a-z0-9+.-]*:\S", text, re.IGNORECASE) is not None
    return OnlineService(service, text if is_uri else "", "" if is_uri else text)


def employer(contact: Contact) -> tuple[str, str]:
    """The name and the department of the first organization that has either."""
    for organization in contact.organizations:
        name, department = tidy(organization.name), tidy("".join(organization.units[:1]))
        if name or department:
            return name, department
    return "", ""


def joined_notes(contact: Contact) -> str:
    return "\n\n".join(text for note in contact.notes if (text := tidy(note.text)))


def first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")
