"""What a card can hold of a contact: the same rules as writing and reading it again, without a card."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

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
    PartialDate,
    Phone,
    Relation,
    Title,
)
from contactsync.vcard import values
from contactsync.vcard.dialects import FEATURES, NO_CONTENT, PHONETIC, ROWS, SCHEMES
from contactsync.vcard.heads import transfer_of
from contactsync.vcard.lines import line_of, safe_param
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

NO_DATE = PartialDate()
_KINDS = frozenset({"birth", "wedding", "death", "other"})
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


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
    name, contexts, pref = tidy(entry.name), clean_words(entry.contexts), clean_pref(entry.pref)
    if (name, contexts, pref) == (entry.name, entry.contexts, entry.pref):
        return entry if name else None
    return Nickname(name, contexts, pref, entry.ref) if name else None


def _email(entry: Email) -> Email | None:
    address, contexts, label = tidy(entry.address), clean_words(entry.contexts), clean_label(entry.label)
    pref = clean_pref(entry.pref)
    if (address, contexts, label, pref) == (entry.address, entry.contexts, entry.label, entry.pref):
        return entry if address else None
    return Email(address, contexts, label, pref, entry.ref) if address else None


def _phone(entry: Phone) -> Phone | None:
    """All words stand in one TYPE parameter: which of them are features is known by the word."""
    number, label, pref = bare_number(entry.number), clean_label(entry.label), clean_pref(entry.pref)
    contexts, features = _phone_words(entry.contexts, entry.features)
    if (number, contexts, features) == (entry.number, entry.contexts, entry.features) and (label, pref) == (
        entry.label,
        entry.pref,
    ):
        return entry if number else None
    return Phone(number, contexts, features, label, pref, entry.ref) if number else None


@functools.lru_cache(maxsize=1024)
def _phone_words(contexts: frozenset[str], features: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    words = clean_words(contexts | features)
    if "mobile" in features:
        words = words - {"mobile"} | {"cell"}
    return words - FEATURES, words & FEATURES


def _address(entry: Address) -> Address | None:
    parts = joined_parts(entry)
    components = tuple(
        [
            AddressComponent(kind, value)
            for kind in ADDRESS_KINDS
            if kind in parts and (value := tidy(parts[kind]))
        ]
    )
    full = loose(entry.full) if entry.full.strip() else ""
    if not components and not full.strip():
        return None
    code, contexts = clean_country(entry.country_code), clean_words(entry.contexts)
    return Address(
        components, full, code, contexts, clean_label(entry.label), clean_pref(entry.pref), entry.ref
    )


def _organization(entry: Organization) -> Organization | None:
    units = [tidy(unit) for unit in entry.units]
    while units and not units[-1]:
        units.pop()
    name, contexts = tidy(entry.name), clean_words(entry.contexts)
    if not name and not units:
        return None
    return Organization(name, tuple(units), contexts, clean_label(entry.label), entry.ref)


def _title(entry: Title) -> Title | None:
    name, kind = tidy(entry.name), "role" if entry.kind == "role" else "title"
    if (name, kind) == (entry.name, entry.kind):
        return entry if name else None
    return Title(name, kind, entry.ref) if name else None


def _service(entry: OnlineService) -> OnlineService | None:
    uri, user, service = one_line(entry.uri), one_line(entry.user), tidy(entry.service).lower()
    if not uri and not user:
        return None
    scheme = _SCHEME.match(uri)
    service = service or (SCHEMES.get(scheme[0][:-1].lower(), "") if scheme else "")
    kind, contexts = "impp" if entry.kind == "impp" else "socialprofile", clean_words(entry.contexts)
    label, pref = clean_label(entry.label), clean_pref(entry.pref)
    return OnlineService(service, uri, user, kind, contexts, label, pref, entry.ref)


def _link(entry: Link) -> Link | None:
    uri, contexts, label = one_line(entry.uri), clean_words(entry.contexts), clean_label(entry.label)
    pref = clean_pref(entry.pref)
    if (uri, contexts, label, pref) == (entry.uri, entry.contexts, entry.label, entry.pref):
        return entry if uri else None
    return Link(uri, contexts, label, pref, entry.ref) if uri else None


def _anniversary(entry: Anniversary) -> Anniversary | None:
    date, label = values.clean_date(entry.date), clean_label(entry.label)
    if date == NO_DATE:
        return None
    kind = entry.kind if entry.kind in _KINDS else "other"
    if kind == "other" and label == "Anniversary":
        kind, label = "wedding", ""
    return Anniversary(kind, date, label, entry.ref)


def _relation(entry: Relation) -> Relation | None:
    target = tidy(entry.target)
    relation, label = clean_words(entry.relation), clean_label(entry.label)
    return Relation(target, relation, label, entry.ref) if target else None


def _note(entry: Note) -> Note | None:
    text = loose(entry.text)
    if text == entry.text:
        return entry if text.strip() else None
    return Note(text, entry.ref) if text.strip() else None


def _media(entry: Media) -> Media | None:
    kind = entry.kind if entry.kind in ("photo", "logo", "sound") else "photo"
    if entry.sha256:
        return replace(entry, kind=kind, media_type=clean_media_type(entry.media_type), uri="")
    line = line_of("", kind.upper(), (("VALUE", "uri"),), one_line(entry.uri))
    try:
        read: Media = SHAPES["media"][0](line, ROWS[kind.upper()], "4.0", Side())[0]
    except (ValueError, IndexError):
        return None
    media_type = read.media_type if read.sha256 else clean_media_type(entry.media_type)
    return replace(read, media_type=media_type, ref=entry.ref)


def _extra(entry: Extra) -> Extra | None:
    """A raw line that stays one line; not one that would be read as something else."""
    name = _plain_name(entry.name.rpartition(".")[2])
    upper = name.upper()
    if not name or upper in NO_CONTENT or upper == "CATEGORIES":
        return None
    value = "\\n".join(loose(entry.value).split("\n"))
    params = tuple(pair for key, text in entry.params if (pair := _param(key, text)) != ("", ""))
    transfer = transfer_of(params)
    if transfer == "base64":
        value = "".join(value.split())
    elif transfer == "quoted-printable":
        value = value.rstrip(" \t=")
    return replace(entry, name=name, value=value, params=params)


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
