"""One item of a person's lists, as an entry of a contact, and back.

A reader gives None for an item that says nothing we have a place for; such an item stays where it is. A
writer changes a copy of the item that the entry came from, or an empty one, and leaves every key alone that
it does not know. It gives None for an entry that Google has no place for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from contactsync.connectors.google.types import (
    read_phone_type,
    read_relation,
    read_type,
    write_phone_type,
    write_relation,
    write_type,
)
from contactsync.model.contact import (
    Address,
    AddressComponent,
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
)
from contactsync.vcard.dialects import CUSTOM_FIELD, SCHEMES
from contactsync.vcard.values import escape, loose, one_line, tidy, unescape

Item = dict[str, Any]

_URI = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_PARTS = {
    "poBox": "postOfficeBox",
    "extendedAddress": "extended",
    "streetAddress": "name",
    "city": "locality",
    "region": "region",
    "postalCode": "postcode",
    "country": "country",
}
_PROTOCOLS = {"googleTalk": "gtalk", "netMeeting": "netmeeting"}
_SERVICES = {service: protocol for protocol, service in _PROTOCOLS.items()}
_SEXES = {"male": "M", "female": "F", "unspecified": "U"}


class Shape(NamedTuple):
    """How the items of the list ``name`` become entries of ``field``; ``takes`` says which entries of the
    field belong there."""

    name: str
    field: str
    read: Callable[[Item], Any]
    write: Callable[[Any, Item], Item | None]
    takes: Callable[[Any], bool] = lambda entry: True
    single: bool = False


def text_of(item: Item, key: str) -> str:
    value = item.get(key)
    return tidy(value) if isinstance(value, str) else ""


def put(item: Item, **values: Any) -> Item:
    """A copy with these values; an empty one takes its key out, as Google does."""
    return {key: value for key, value in {**item, **values}.items() if value or key not in values}


def _retyped(item: Item, word: str, **values: Any) -> Item:
    """The spelling of a type stays where it is the same word."""
    old = text_of(item, "type")
    return put(item, type=old if old.casefold() == tidy(word).casefold() else tidy(word), **values)


def _read_nickname(item: Item) -> Nickname | None:
    name = text_of(item, "value")
    return Nickname(name) if name else None


def _write_nickname(entry: Nickname, item: Item) -> Item | None:
    return put(item, value=tidy(entry.name)) if tidy(entry.name) else None


def _read_email(item: Item) -> Email | None:
    address, words = text_of(item, "value"), read_type(text_of(item, "type"))
    return Email(address, words.contexts, words.label) if address else None


def _write_email(entry: Email, item: Item) -> Item | None:
    address = tidy(entry.address)
    return _retyped(item, write_type(entry.contexts, entry.label), value=address) if address else None


def _read_phone(item: Item) -> Phone | None:
    number, words = text_of(item, "value"), read_phone_type(text_of(item, "type"))
    return Phone(number, words.contexts, words.features, words.label) if number else None


def _write_phone(entry: Phone, item: Item) -> Item | None:
    number = tidy(entry.number)
    word = write_phone_type(entry.contexts, entry.features, entry.label)
    return _retyped(item, word, value=number) if number else None


def _read_address(item: Item) -> Address | None:
    parts = [(kind, text_of(item, key)) for key, kind in _PARTS.items()]
    components = tuple(AddressComponent(kind, value) for kind, value in parts if value)
    full = "" if components else loose(str(item.get("formattedValue", ""))).strip()
    if not components and not full:
        return None
    words = read_type(text_of(item, "type"))
    country = text_of(item, "countryCode").upper() if components else ""
    return Address(components, full, country, words.contexts, words.label)


def _write_address(entry: Address, item: Item) -> Item | None:
    """``formattedValue`` is never written: it would win over the parts (assumed from one recording)."""
    kinds = {kind: key for key, kind in _PARTS.items()}
    values: dict[str, str] = dict.fromkeys(_PARTS, "")
    for component in entry.components:
        key, value = kinds.get(component.kind, "streetAddress"), tidy(component.value)
        values[key] = f"{values[key]}, {value}" if values[key] and value else values[key] or value
    if not any(values.values()):
        values["streetAddress"] = loose(entry.full).strip()
    if not any(values.values()):
        return None
    code, word = entry.country_code.upper(), write_type(entry.contexts, entry.label)
    if text_of(item, "countryCode").upper() == code and text_of(item, "country") != values["country"]:
        code = ""  # it was of the country before
    return _retyped(item, word, **values, countryCode=code, formattedValue="")


def _read_link(item: Item) -> Link | None:
    uri, words = one_line(str(item.get("value", ""))), read_type(text_of(item, "type"))
    return Link(uri, words.contexts, words.label) if uri else None


def _write_link(entry: Link, item: Item) -> Item | None:
    known = ("blog", "profile", "homePage", "ftp", "reservations", "appInstallPage")
    uri = one_line(entry.uri)
    return _retyped(item, write_type(entry.contexts, entry.label, known), value=uri) if uri else None


def _read_note(item: Item) -> Note | None:
    text = loose(str(item.get("value", "")))
    return Note(text) if text.strip() else None


def _write_note(entry: Note, item: Item) -> Item | None:
    text = loose(entry.text)
    return put(item, value=text, contentType="TEXT_PLAIN") if text.strip() else None


# ---- days ------------------------------------------------------------------------------------------------


def _read_date(item: Item) -> PartialDate | None:
    """google.type.Date: what is 0 or missing is not known."""
    date = item.get("date")
    if not isinstance(date, dict):
        return None
    year, month, day = (date.get(part) or None for part in ("year", "month", "day"))
    return PartialDate(year, month, day) if any((year, month, day)) else None


def _write_date(date: PartialDate, item: Item) -> Item | None:
    """Only a day in a year, or in every year, is taken (assumed for years alone)."""
    if not date.month or not date.day:
        return None
    values = {"year": date.year, "month": date.month, "day": date.day}
    return put(item, date={key: value for key, value in values.items() if value}, text="")


def _read_birthday(item: Item) -> Anniversary | None:
    date = _read_date(item)
    if date is None and text_of(item, "text"):
        date = PartialDate(text=text_of(item, "text"))
    return Anniversary("birth", date) if date else None


def _write_birthday(entry: Anniversary, item: Item) -> Item | None:
    if entry.date.text and entry.date.text == text_of(item, "text"):
        return item
    return _write_date(entry.date, item)


_EVENTS = {"anniversary": "wedding", "death": "death"}


def _read_event(item: Item) -> Anniversary | None:
    date, word = _read_date(item), text_of(item, "type")
    if date is None:
        return None
    kind = _EVENTS.get(word, "other")
    return Anniversary(kind, date, "" if kind != "other" or word == "other" else word)


def _write_event(entry: Anniversary, item: Item) -> Item | None:
    dated = _write_date(entry.date, item)
    kinds = {kind: word for word, kind in _EVENTS.items()}
    return dated and _retyped(dated, kinds.get(entry.kind) or tidy(entry.label) or "other")


# ---- people and services ---------------------------------------------------------------------------------


def _read_relation(item: Item) -> Relation | None:
    target = text_of(item, "person")
    relation, label = read_relation(text_of(item, "type"))
    return Relation(target, relation, label) if target else None


def _write_relation(entry: Relation, item: Item) -> Item | None:
    target = tidy(entry.target)
    return _retyped(item, write_relation(entry.relation, entry.label), person=target) if target else None


def _read_im(item: Item) -> OnlineService | None:
    user, protocol = text_of(item, "username"), text_of(item, "protocol")
    words = read_type(text_of(item, "type"))
    service = _PROTOCOLS.get(protocol, protocol.lower())
    return OnlineService(service, "", user, "impp", words.contexts, words.label) if user else None


def _write_im(entry: OnlineService, item: Item) -> Item | None:
    scheme, user = _handle(entry)
    service = tidy(entry.service).lower() or SCHEMES.get(scheme.lower(), scheme.lower())
    old = text_of(item, "protocol")
    protocol = old if _PROTOCOLS.get(old, old.lower()) == service else _SERVICES.get(service, service)
    word = write_type(entry.contexts, entry.label)
    return _retyped(item, word, username=user, protocol=protocol) if user else None


def _handle(entry: OnlineService) -> tuple[str, str]:
    """Scheme and name. What is not just a name behind a scheme stays a URI."""
    uri, user = one_line(entry.uri), one_line(entry.user)
    scheme = _URI.match(uri)
    if user or scheme is None:
        return scheme[1] if scheme else "", user or uri
    rest = uri[scheme.end() :]
    return scheme[1], uri if "/" in rest or "?" in rest else rest


def _read_sip(item: Item) -> OnlineService | None:
    user, words = text_of(item, "value"), read_type(text_of(item, "type"))
    user = user.removeprefix("sip:")
    return OnlineService("sip", "", user, "impp", words.contexts, words.label) if user else None


def _write_sip(entry: OnlineService, item: Item) -> Item | None:
    user, old = _handle(entry)[1], text_of(item, "value")
    value = old if old.removeprefix("sip:") == user else user
    return _retyped(item, write_type(entry.contexts, entry.label, ["mobile"]), value=value) if user else None


def _is_sip(entry: OnlineService) -> bool:
    return entry.kind == "impp" and (entry.service.lower() == "sip" or entry.uri.lower().startswith("sip:"))


# ---- properties without a field of their own -------------------------------------------------------------


def _extra(name: str, key: str = "value") -> tuple[Callable[[Item], Any], Callable[[Any, Item], Item | None]]:
    """A list of plain texts, as the vCard property of this name."""

    def read(item: Item) -> Extra | None:
        return Extra(name, escape(value, "3.0")) if (value := text_of(item, key)) else None

    def write(entry: Extra, item: Item) -> Item | None:
        value = tidy(unescape(entry.value, "3.0"))
        return put(item, **{key: value}) if value and not entry.params else None

    return read, write


def _read_gender(item: Item) -> Extra | None:
    """RFC 6350 section 6.2.7: a letter, or a text after the semicolon."""
    value = text_of(item, "value")
    return Extra("GENDER", _SEXES.get(value) or ";" + escape(value, "3.0")) if value else None


def _write_gender(entry: Extra, item: Item) -> Item | None:
    sex, _, text = entry.value.partition(";")
    words = {letter: word for word, letter in _SEXES.items()}
    value = tidy(unescape(text, "3.0")) or words.get(sex.upper(), "")
    return put(item, value=value) if value and not entry.params else None


def _read_custom(item: Item) -> Extra | None:
    key, value = text_of(item, "key"), text_of(item, "value")
    return Extra(CUSTOM_FIELD, escape(value, "3.0"), (("LABEL", key),)) if key and value else None


def _write_custom(entry: Extra, item: Item) -> Item | None:
    key = tidy(dict(entry.params).get("LABEL", ""))
    value = tidy(unescape(entry.value, "3.0"))
    return put(item, key=key, value=value) if key and value and len(entry.params) == 1 else None


def _is_calendar(item: Item) -> bool:
    return text_of(item, "type") != "freeBusy"


def _calendars() -> tuple[Callable[[Item], Any], Callable[[Any, Item], Item | None]]:
    (read_home, write_home), (read_busy, write_busy) = _extra("CALURI", "url"), _extra("FBURL", "url")

    def read(item: Item) -> Extra | None:
        found: Extra | None = (read_home if _is_calendar(item) else read_busy)(item)
        return found

    def write(entry: Extra, item: Item) -> Item | None:
        if entry.name.upper() == "CALURI":
            return write_home(entry, item if _is_calendar(item) else {})
        written = write_busy(entry, item)
        return written and put(written, type="freeBusy")

    return read, write


def _named(*names: str) -> Callable[[Extra], bool]:
    return lambda entry: entry.name.upper() in names


SHAPES = (
    Shape("nicknames", "nicknames", _read_nickname, _write_nickname),
    Shape("emailAddresses", "emails", _read_email, _write_email),
    Shape("phoneNumbers", "phones", _read_phone, _write_phone),
    Shape("addresses", "addresses", _read_address, _write_address),
    Shape(
        "imClients",
        "online_services",
        _read_im,
        _write_im,
        takes=lambda entry: entry.kind == "impp" and not _is_sip(entry),
    ),
    Shape("sipAddresses", "online_services", _read_sip, _write_sip, takes=_is_sip),
    Shape("urls", "links", _read_link, _write_link),
    Shape(
        "birthdays",
        "anniversaries",
        _read_birthday,
        _write_birthday,
        takes=lambda entry: entry.kind == "birth",
        single=True,
    ),
    Shape("events", "anniversaries", _read_event, _write_event, takes=lambda entry: entry.kind != "birth"),
    Shape(
        "relations",
        "related_to",
        _read_relation,
        _write_relation,
        takes=lambda entry: not re.match(r"(urn|https?|mailto|tel):", entry.target, re.IGNORECASE),
    ),
    Shape("biographies", "notes", _read_note, _write_note, single=True),
    Shape("genders", "extra", _read_gender, _write_gender, takes=_named("GENDER"), single=True),
    Shape("locales", "extra", *_extra("LANG"), takes=_named("LANG")),
    Shape("interests", "extra", *_extra("INTEREST"), takes=_named("INTEREST")),
    Shape("calendarUrls", "extra", *_calendars(), takes=_named("CALURI", "FBURL")),
    Shape("userDefined", "extra", _read_custom, _write_custom, takes=_named(CUSTOM_FIELD)),
)
