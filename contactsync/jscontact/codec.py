"""A contact as a JSContact Card (RFC 9553), and back, without loss by the rules of RFC 9555.

What a Card has no home for is in its ``vCardProps`` as on a vCard; what a contact has no home for is kept
as a JSPROP property, and goes back to its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from datetime import UTC
from typing import Any

from contactsync.errors import CodecError
from contactsync.jscontact.shapes import (
    SHAPES,
    Json,
    Shape,
    read_name,
    read_relation,
    write_name,
    write_relations,
)
from contactsync.jscontact.vcardprops import contact_of, props_of
from contactsync.model.contact import Contact, Extra, Name, Relation
from contactsync.vcard.heads import plain_param
from contactsync.vcard.lines import param_value
from contactsync.vcard.values import escape, parse_stamp, unescape

VERSION = "1.0"
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_OURS = frozenset(
    {"@type", "version", "uid", "kind", "updated", "name", "keywords", "relatedTo", "members", "vCardProps"}
)
_NOT_ITS_KIND = (KeyError, TypeError, ValueError, AttributeError)


def to_card(contact: Contact) -> Json:
    """The Card, with photos as data URIs. Raises `CodecError` where the bytes of one are missing."""
    card: Json = {"@type": "Card", "version": VERSION, "uid": contact.uid}
    rest: dict[str, Any] = {}
    if contact.kind:
        card["kind"] = contact.kind
    if contact.updated is not None:
        card["updated"] = contact.updated.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    name = write_name(contact.name)
    if name and read_name(name) == contact.name:
        card["name"] = name
    elif name:
        rest["name"] = contact.name
    for field, shape in SHAPES.items():
        objects, left = _objects(shape, getattr(contact, field))
        if objects:
            card[shape.key] = objects
        rest[field] = left
    if relations := write_relations(contact.related_to):
        card["relatedTo"] = relations
    rest["related_to"] = tuple(_not_among(contact.related_to, relations))
    if contact.groups:
        card["keywords"] = dict.fromkeys(sorted(contact.groups), True)
    rest["extra"] = tuple(_without_a_place(card, contact.extra))
    if props := props_of(Contact(**rest)):
        card["vCardProps"] = props
    return card


def _objects(shape: Shape, entries: Iterable[Any]) -> tuple[dict[str, Json], tuple[Any, ...]]:
    """Objects by id, and the entries that would not read back as they are."""
    found: dict[str, Json] = {}
    left = []
    for entry in entries:
        content = shape.write(entry)
        if _read(shape, content) != entry:
            left.append(entry)
            continue
        known = _ID.fullmatch(entry.ref) and entry.ref not in found
        key = entry.ref if known else f"{shape.prefix}{len(found) + 1}"
        while key in found:
            key += "-"
        found[key] = {"@type": shape.kind, **content}
    return found, tuple(left)


def _read(shape: Shape, content: Any) -> Any:
    try:
        return shape.read(content)
    except _NOT_ITS_KIND:
        return None


def _not_among(entries: Iterable[Relation], relations: dict[str, Json]) -> Iterator[Relation]:
    """Relations that would not read back: of several to one target, all but the first."""
    shown = [read_relation(target, content) for target, content in relations.items() if target]
    for entry in entries:
        if entry in shown:
            shown.remove(entry)
        else:
            yield entry


def _without_a_place(card: Json, extras: Iterable[Extra]) -> Iterator[Extra]:
    """Puts members and JSPROP properties where they belong; yields all others (RFC 9555 section 3.2.1)."""
    for extra in extras:
        pointer = next((plain_param(v) for k, v in extra.params if k.upper() == "JSPTR"), "")
        if extra.name.upper() == "MEMBER" and not extra.params and extra.value:
            card.setdefault("members", {})[extra.value] = True
        elif extra.name.upper() != "JSPROP" or not pointer or not _put(card, pointer, extra.value):
            yield extra


def _put(card: Json, pointer: str, value: str) -> bool:
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/"))
    place: Any = card
    for part in parents:
        place = place.get(part) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last in place:
        return False
    try:
        place[last] = json.loads(unescape(value, "4.0"))
    except ValueError:
        return False
    return True


def from_card(card: Any) -> Contact:
    """The contact of a Card. Raises `CodecError` for anything else."""
    if not isinstance(card, dict) or card.get("@type", "Card") != "Card" or "version" not in card:
        raise CodecError("This is not a JSContact Card.", hint='It has to be an object with "@type": "Card".')
    kept: list[Extra] = []
    found: dict[str, Any] = {}
    for key, value in card.items():
        if key not in _OURS and key not in _KEYS:
            kept.append(_jsprop(value, key))
    for field, shape in SHAPES.items():
        found[field] = tuple(_entries(shape, card.get(shape.key, {}), kept))
    found["name"] = _name(card.get("name", {}), kept)
    found["related_to"] = tuple(_related(card.get("relatedTo", {}), kept))
    members = card.get("members", {})
    found["extra"] = tuple(Extra("MEMBER", uri) for uri in (members if isinstance(members, dict) else ()))
    keywords = card.get("keywords", {})
    words = keywords.items() if isinstance(keywords, dict) else ()
    groups = frozenset(word for word, there in words if there)
    contact = Contact(
        uid=_string(card, "uid"),
        kind=_string(card, "kind").lower(),
        updated=parse_stamp(_string(card, "updated")),
        groups=groups,
        **found,
    )
    more = contact_of(card.get("vCardProps", []), named=contact.name != Name())
    return _united(contact, more, kept)


_KEYS = frozenset(shape.key for shape in SHAPES.values())


def _string(card: Json, key: str) -> str:
    value = card.get(key, "")
    return value if isinstance(value, str) else ""


def _jsprop(value: Any, *path: str) -> Extra:
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Extra("JSPROP", escape(text, "4.0"), (("JSPTR", param_value(pointer)),))


def _entries(shape: Shape, objects: Any, kept: list[Extra]) -> Iterator[Any]:
    if not isinstance(objects, dict):
        kept.append(_jsprop(objects, shape.key))
        return
    for key, content in objects.items():
        entry = _read(shape, content)
        if entry is None:
            kept.append(_jsprop(content, shape.key, key))
            continue
        kept += _unsaid(content, shape.write(entry), shape.key, key)
        yield replace(entry, ref=key)


def _unsaid(content: Json, ours: Json, *path: str) -> Iterator[Extra]:
    """What an object says and our entry does not."""
    for key, value in content.items():
        if key != "@type" and ours.get(key) != value:
            yield _jsprop(value, *path, key)


def _name(content: Any, kept: list[Extra]) -> Name:
    try:
        name = read_name(content)
    except _NOT_ITS_KIND:
        kept.append(_jsprop(content, "name"))
        return Name()
    kept += _unsaid(content, write_name(name), "name")
    return name


def _related(content: Any, kept: list[Extra]) -> Iterator[Any]:
    if not isinstance(content, dict):
        kept.append(_jsprop(content, "relatedTo"))
        return
    for target, relation in content.items():
        try:
            yield read_relation(target, relation)
        except _NOT_ITS_KIND:
            kept.append(_jsprop(relation, "relatedTo", target))


def _united(contact: Contact, more: Contact, kept: Iterable[Extra]) -> Contact:
    """The Card's own entries, then those of its vCardProps."""
    lists = {
        field.name: getattr(contact, field.name) + getattr(more, field.name)
        for field in fields(Contact)
        if isinstance(getattr(contact, field.name), tuple) and field.name != "name"
    }
    lists["extra"] += tuple(kept)
    name = contact.name if contact.name != Name() else more.name
    return replace(contact, name=name, groups=contact.groups | more.groups, **lists)
