"""Entries of a contact <-> JSContact objects: for each field how an entry is spelled, and how it reads.

A reader may raise `KeyError`, `TypeError`, `ValueError` or `AttributeError` for an object that is none of
its kind. What an object cannot say is not its business: `contactsync.jscontact.codec` looks whether an
entry reads back as it was, and keeps it as a vCard property where it does not.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Email,
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

Json = dict[str, Any]

_CONTEXTS = frozenset({"private", "work", "billing", "delivery"})
_FEATURE = {"cell": "mobile"}
_FROM_FEATURE = {"mobile": "cell"}
_DATA = re.compile(r"data:([^;,]*);base64,", re.IGNORECASE)
_ADDRESS_KINDS = {"extended": "apartment"}
_FROM_ADDRESS_KINDS = {"apartment": "extended"}
_LABEL = "x-ablabel"


class Shape(NamedTuple):
    """``key`` is the property of the Card, ``prefix`` that of the ids, ``kind`` the @type of its objects."""

    key: str
    prefix: str
    kind: str
    write: Callable[[Any], Json]
    read: Callable[[Json], Any]


def _set(words: frozenset[str]) -> dict[str, bool]:
    return dict.fromkeys(sorted(words), True)


def _words(content: Json, key: str) -> frozenset[str]:
    return frozenset(word for word, there in content.get(key, {}).items() if there is True)


def _text(content: Json, key: str) -> str:
    value = content.get(key, "")
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def _pref(content: Json) -> int | None:
    value = content.get("pref")
    if value is not None and not (isinstance(value, int) and 1 <= value <= 100):
        raise ValueError("pref is from 1 to 100")
    return value


def _contexts(entry: Any) -> Json:
    """Words that JSContact does not have stay what they were: TYPE values (RFC 9555 section 2.15.2)."""
    known = entry.contexts & _CONTEXTS
    found: Json = {"contexts": _set(known)} if known else {}
    if others := sorted(entry.contexts - known):
        found["vCardParams"] = {"type": others}
    return found


def _read_contexts(content: Json) -> frozenset[str]:
    return _words(content, "contexts") | frozenset(_parameter(content, "type"))


def _parameter(content: Json, name: str) -> list[str]:
    value = content.get("vCardParams", {}).get(name, [])
    return [value] if isinstance(value, str) else list(value)


def _label(entry: Any) -> Json:
    """The objects that have no label of their own carry it as the vCard has it."""
    return {"vCardParams": {_LABEL: entry.label}} if entry.label else {}


def _read_label(content: Json) -> str:
    return "".join(_parameter(content, _LABEL)[:1])


def _joined(*parts: Json) -> Json:
    found: Json = {}
    for part in parts:
        parameters = {**found.get("vCardParams", {}), **part.get("vCardParams", {})}
        found |= part
        if parameters:
            found["vCardParams"] = parameters
    return found


def _with(entry: Any, content: Json) -> Json:
    """The content of an entry that has contexts, a label and a preference of its own."""
    label = {"label": entry.label} if entry.label else {}
    pref = {"pref": entry.pref} if entry.pref is not None else {}
    return _joined(content, _contexts(entry), label, pref)


def _own(content: Json) -> Json:
    return {"contexts": _read_contexts(content), "label": _text(content, "label"), "pref": _pref(content)}


def _write_nickname(entry: Nickname) -> Json:
    pref = {"pref": entry.pref} if entry.pref is not None else {}
    return _joined({"name": entry.name}, _contexts(entry), pref)


def _read_nickname(content: Json) -> Nickname:
    return Nickname(_required(content, "name"), _read_contexts(content), _pref(content))


def _required(content: Json, key: str) -> str:
    if not (value := _text(content, key)):
        raise ValueError(f"{key} is missing")
    return value


def _write_email(entry: Email) -> Json:
    return _with(entry, {"address": entry.address})


def _read_email(content: Json) -> Email:
    return Email(_required(content, "address"), **_own(content))


def _write_phone(entry: Phone) -> Json:
    features = frozenset(_FEATURE.get(word, word) for word in entry.features)
    return _with(entry, {"number": entry.number} | ({"features": _set(features)} if features else {}))


def _read_phone(content: Json) -> Phone:
    features = frozenset(_FROM_FEATURE.get(word, word) for word in _words(content, "features"))
    return Phone(_required(content, "number"), features=features, **_own(content))


def _write_address(entry: Address) -> Json:
    components = [{"kind": _ADDRESS_KINDS.get(c.kind, c.kind), "value": c.value} for c in entry.components]
    content: Json = {"components": components} if components else {}
    if entry.full:
        content["full"] = entry.full
    if entry.country_code:
        content["countryCode"] = entry.country_code
    pref = {"pref": entry.pref} if entry.pref is not None else {}
    return _joined(content, _contexts(entry), _label(entry), pref)


def _read_address(content: Json) -> Address:
    components = tuple(
        AddressComponent(_FROM_ADDRESS_KINDS.get(c["kind"], c["kind"]), _required(c, "value"))
        for c in content.get("components", [])
        if c["kind"] != "separator"
    )
    full = _text(content, "full")
    if not components and not full:
        raise ValueError("an address without anything")
    return Address(
        components,
        full,
        _text(content, "countryCode"),
        _read_contexts(content),
        _read_label(content),
        _pref(content),
    )


def _write_organization(entry: Organization) -> Json:
    content: Json = {"name": entry.name} if entry.name else {}
    if entry.units:
        content["units"] = [{"name": unit} for unit in entry.units]
    return _joined(content, _contexts(entry), _label(entry))


def _read_organization(content: Json) -> Organization:
    units = tuple(_text(unit, "name") for unit in content.get("units", []))
    name = _text(content, "name")
    if not name and not units:
        raise ValueError("an organization without a name")
    return Organization(name, units, _read_contexts(content), _read_label(content))


def _write_title(entry: Title) -> Json:
    return {"name": entry.name} | ({"kind": entry.kind} if entry.kind != "title" else {})


def _read_title(content: Json) -> Title:
    return Title(_required(content, "name"), _text(content, "kind") or "title")


def _write_service(entry: OnlineService) -> Json:
    named = {"service": entry.service, "uri": entry.uri, "user": entry.user}
    content = {key: value for key, value in named.items() if value}
    return _with(entry, {**content, "vCardName": entry.kind})


def _read_service(content: Json) -> OnlineService:
    uri, user = _text(content, "uri"), _text(content, "user")
    if not uri and not user:
        raise ValueError("an online service without an address")
    kind = _text(content, "vCardName").lower() or "socialprofile"
    return OnlineService(_text(content, "service").lower(), uri, user, kind, **_own(content))


def _write_link(entry: Link) -> Json:
    return _with(entry, {"uri": entry.uri})


def _read_link(content: Json) -> Link:
    return Link(_required(content, "uri"), **_own(content))


def _write_anniversary(entry: Anniversary) -> Json:
    date = entry.date
    parts = {"year": date.year, "month": date.month, "day": date.day}
    given: Json = {"@type": "PartialDate"} | {key: value for key, value in parts.items() if value is not None}
    return _joined({"kind": entry.kind, "date": given}, _label(entry))


def _read_anniversary(content: Json) -> Anniversary:
    date = content["date"]
    parts = [date.get(key) for key in ("year", "month", "day")]
    if all(part is None for part in parts) or not all(
        part is None or isinstance(part, int) for part in parts
    ):
        raise ValueError("no date")
    if _text(content, "kind") not in ("birth", "death", "wedding"):
        raise ValueError("no known kind of date")
    return Anniversary(content["kind"], PartialDate(*parts), _read_label(content))


def _write_note(entry: Note) -> Json:
    return {"note": entry.text}


def _read_note(content: Json) -> Note:
    return Note(_required(content, "note"))


def _write_media(entry: Media) -> Json:
    uri = entry.uri
    if entry.data is not None:
        uri = f"data:{entry.media_type};base64,{base64.b64encode(entry.data).decode()}"
    content = {"kind": entry.kind, "uri": uri}
    return content | ({"mediaType": entry.media_type} if entry.media_type else {})


def _read_media(content: Json) -> Media:
    kind, uri = _required(content, "kind"), _required(content, "uri")
    media_type = _text(content, "mediaType")
    match = _DATA.match(uri)
    if match is None:
        return Media(kind, media_type, uri)
    data = base64.b64decode(uri[match.end() :], validate=True)
    return Media(kind, media_type or match[1], "", hashlib.sha256(data).hexdigest(), data)


SHAPES: dict[str, Shape] = {
    "nicknames": Shape("nicknames", "k", "Nickname", _write_nickname, _read_nickname),
    "emails": Shape("emails", "e", "EmailAddress", _write_email, _read_email),
    "phones": Shape("phones", "p", "Phone", _write_phone, _read_phone),
    "addresses": Shape("addresses", "a", "Address", _write_address, _read_address),
    "organizations": Shape("organizations", "o", "Organization", _write_organization, _read_organization),
    "titles": Shape("titles", "t", "Title", _write_title, _read_title),
    "online_services": Shape("onlineServices", "s", "OnlineService", _write_service, _read_service),
    "links": Shape("links", "l", "Link", _write_link, _read_link),
    "anniversaries": Shape("anniversaries", "d", "Anniversary", _write_anniversary, _read_anniversary),
    "notes": Shape("notes", "n", "Note", _write_note, _read_note),
    "media": Shape("media", "m", "Media", _write_media, _read_media),
}


def write_name(name: Name) -> Json:
    """RFC 9553 section 2.2.1; more sort keys than parts stay a vCard parameter."""
    found: Json = {}
    if name.components:
        found["components"] = [
            {"kind": c.kind, "value": c.value} | ({"phonetic": c.phonetic} if c.phonetic else {})
            for c in name.components
        ]
    if name.full:
        found["full"] = name.full
    if name.sort_as:
        found["vCardParams"] = {"sort-as": list(name.sort_as)}
        if len(name.sort_as) <= len(_SORTED):
            found["sortAs"] = dict(zip(_SORTED, name.sort_as, strict=False))
    return found


_SORTED = ("surname", "given")


def read_name(content: Json) -> Name:
    components = tuple(
        NameComponent(_required(c, "kind"), _required(c, "value"), _text(c, "phonetic"))
        for c in content.get("components", [])
        if c["kind"] != "separator"
    )
    sort_as = tuple(_parameter(content, "sort-as")) or tuple(
        content["sortAs"][kind] for kind in _SORTED if kind in content.get("sortAs", {})
    )
    return Name(components, _text(content, "full"), sort_as)


def write_relations(entries: tuple[Relation, ...]) -> dict[str, Json]:
    """By target; of several with one target, the first (RFC 9553 section 2.1.8)."""
    found: dict[str, Json] = {}
    for entry in entries:
        words = {"relation": _set(entry.relation)} if entry.relation else {}
        found.setdefault(entry.target, _joined({"@type": "Relation"}, words, _label(entry)))
    return found


def read_relation(target: str, content: Json) -> Relation:
    if not target:
        raise ValueError("a relation to nobody")
    return Relation(target, _words(content, "relation"), _read_label(content))
