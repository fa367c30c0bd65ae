"""What a card can hold of a contact: the same rules as writing and reading it again, without a card."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

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
    Phone,
    Relation,
    Title,
)
from contactsync.vcard import values
from contactsync.vcard.dialects import FEATURES, NO_CONTENT, PHONETIC, ROWS, SCHEMES
from contactsync.vcard.lines import Line, safe_param
from contactsync.vcard.reading import NAME_ORDER
from contactsync.vcard.shapes import (
    ADDRESS_KINDS,
    SHAPES,
    Side,
    bare_number,
    clean_country,
    clean_media_type,
    clean_pref,
    clean_words,
    joined_parts,
    label_of,
)
from contactsync.vcard.values import loose, one_line, tidy

_Entry = TypeVar("_Entry")

_KINDS = frozenset({"birth", "wedding", "death", "other"})
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def _with(entry: _Entry, **content: Any) -> _Entry:
    """The entry with this content: nearly always itself, as nearly all is clean already."""
    for name, value in content.items():
        if getattr(entry, name) != value:
            return replace(entry, **content)  # type: ignore[type-var]
    return entry


def clean_label(label: str) -> str:
    if not label:
        return ""
    text = label_of(tidy(label))
    while text != label:
        label, text = text, label_of(tidy(text))
    return text


def clean_name(name: Name) -> Name:
    """Components in the order of people, readings only where a property for them exists."""
    components = [
        NameComponent(kind, value, tidy(c.phonetic) if kind in PHONETIC.values() else "")
        for kind in NAME_ORDER
        for c in name.components
        if c.kind == kind and (value := tidy(c.value))
    ]
    sort_as = tuple(text for item in name.sort_as if (text := tidy(item)))
    return Name(tuple(components), tidy(name.full), sort_as)


def _nickname(entry: Nickname) -> Nickname | None:
    name = tidy(entry.name)
    return _with(entry, name=name, **_marks(entry)) if name else None


def _marks(entry: Any) -> dict[str, Any]:
    return {"contexts": clean_words(entry.contexts), "pref": clean_pref(entry.pref)}


def _labelled(entry: Any) -> dict[str, Any]:
    return {**_marks(entry), "label": clean_label(entry.label)}


def _email(entry: Email) -> Email | None:
    address = tidy(entry.address)
    return _with(entry, address=address, **_labelled(entry)) if address else None


def _phone(entry: Phone) -> Phone | None:
    """All words stand in one TYPE parameter: which of them are features is known by the word."""
    number = bare_number(entry.number)
    words = clean_words(entry.contexts | entry.features)
    if "mobile" in entry.features:
        words = words - {"mobile"} | {"cell"}
    marks = {**_labelled(entry), "contexts": words - FEATURES, "features": words & FEATURES}
    return _with(entry, number=number, **marks) if number else None


def _address(entry: Address) -> Address | None:
    parts = joined_parts(entry)
    components = tuple(
        AddressComponent(kind, value)
        for kind in ADDRESS_KINDS
        if kind in parts and (value := tidy(parts[kind]))
    )
    full = loose(entry.full) if entry.full.strip() else ""
    if not components and not full.strip():
        return None
    country = clean_country(entry.country_code)
    return _with(entry, components=components, full=full, country_code=country, **_labelled(entry))


def _organization(entry: Organization) -> Organization | None:
    units = [tidy(unit) for unit in entry.units]
    while units and not units[-1]:
        units.pop()
    name, contexts = tidy(entry.name), clean_words(entry.contexts)
    if not name and not units:
        return None
    return _with(entry, name=name, units=tuple(units), contexts=contexts, label=clean_label(entry.label))


def _title(entry: Title) -> Title | None:
    name = tidy(entry.name)
    return _with(entry, name=name, kind="role" if entry.kind == "role" else "title") if name else None


def _service(entry: OnlineService) -> OnlineService | None:
    uri, user, service = one_line(entry.uri), one_line(entry.user), tidy(entry.service).lower()
    if not uri and not user:
        return None
    scheme = _SCHEME.match(uri)
    service = service or (SCHEMES.get(scheme[0][:-1].lower(), "") if scheme else "")
    kind = "impp" if entry.kind == "impp" else "socialprofile"
    return _with(entry, service=service, uri=uri, user=user, kind=kind, **_labelled(entry))


def _link(entry: Link) -> Link | None:
    uri = one_line(entry.uri)
    return _with(entry, uri=uri, **_labelled(entry)) if uri else None


def _anniversary(entry: Anniversary) -> Anniversary | None:
    date, label = values.clean_date(entry.date), clean_label(entry.label)
    if date == type(date)():
        return None
    kind = entry.kind if entry.kind in _KINDS else "other"
    if kind == "other" and label == "Anniversary":
        kind, label = "wedding", ""
    return _with(entry, kind=kind, date=date, label=label)


def _relation(entry: Relation) -> Relation | None:
    target = tidy(entry.target)
    relation, label = clean_words(entry.relation), clean_label(entry.label)
    return _with(entry, target=target, relation=relation, label=label) if target else None


def _note(entry: Note) -> Note | None:
    text = loose(entry.text)
    return _with(entry, text=text) if text.strip() else None


def _media(entry: Media) -> Media | None:
    kind = entry.kind if entry.kind in ("photo", "logo", "sound") else "photo"
    if entry.sha256:
        return _with(entry, kind=kind, media_type=clean_media_type(entry.media_type), uri="")
    uri = one_line(entry.uri)
    if not _SCHEME.match(uri):
        return None
    line = Line(b"", "", kind.upper(), (("VALUE", "uri"),), uri)
    try:
        read: Media = SHAPES["media"][0](line, ROWS[kind.upper()], "4.0", Side(ref=entry.ref))[0]
    except ValueError:
        return None
    return read if read.sha256 else replace(read, media_type=clean_media_type(entry.media_type))


def _extra(entry: Extra) -> Extra | None:
    """A raw line that stays one line; not one that would be read as something else."""
    name = _plain_name(entry.name.rpartition(".")[2])
    upper = name.upper()
    if not name or upper in NO_CONTENT or upper == "CATEGORIES":
        return None
    value = "\\n".join(loose(entry.value).split("\n"))
    params = tuple(pair for key, text in entry.params if (pair := _param(key, text)) != ("", ""))
    line = Line(b"", "", name, params, value)
    if line.transfer == "base64":
        value = "".join(value.split())
    elif line.transfer == "quoted-printable":
        value = value.rstrip(" \t=")
    return _with(entry, name=name, value=value, params=params)


def _plain_name(text: str) -> str:
    return one_line(text).translate({ord(char): None for char in ':;"='}).removeprefix("\ufeff").strip()


def _param(key: str, text: str) -> tuple[str, str]:
    if not key and "=" in text and '"' not in text:
        key, _, text = text.partition("=")
    return _plain_name(key), safe_param(one_line(text) if '"' in text else tidy(text))


CLEANERS: dict[str, Callable[[Any], Any]] = {
    "nicknames": _nickname,
    "emails": _email,
    "phones": _phone,
    "addresses": _address,
    "organizations": _organization,
    "titles": _title,
    "online_services": _service,
    "links": _link,
    "anniversaries": _anniversary,
    "related_to": _relation,
    "notes": _note,
    "media": _media,
    "extra": _extra,
}


def clean_entries(field: str, entries: Iterable[Any]) -> list[Any]:
    """The entries of a field that a card can hold, as it would hold them."""
    return [cleaned for entry in entries if (cleaned := CLEANERS[field](entry)) is not None]


def clean_groups(groups: Iterable[str]) -> frozenset[str]:
    return frozenset(name for group in groups if (name := tidy(group)))


def clean_moment(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def project(contact: Contact) -> Contact:
    """What a card can hold of ``contact``; idempotent."""
    return replace(
        contact,
        uid=one_line(contact.uid),
        kind=tidy(contact.kind).lower(),
        name=clean_name(contact.name),
        groups=clean_groups(contact.groups),
        updated=clean_moment(contact.updated),
        **{field: tuple(clean_entries(field, getattr(contact, field))) for field in CLEANERS},
    )
