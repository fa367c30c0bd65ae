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
_NAME_PLACES = {kind: place for place, kind in enumerate(NAME_ORDER)}
_READ_ALOUD = frozenset(PHONETIC.values())
_PLAIN_NAME = re.compile(r"[A-Za-z0-9-]*\Z")
_NO_SEPARATORS = {ord(char): None for char in ':;"='}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@functools.lru_cache(maxsize=1024)
def clean_label(label: str) -> str:
    text = label_of(tidy(label))
    while text != label:
        label, text = text, label_of(tidy(text))
    return text


@functools.lru_cache(maxsize=1024)
def _marks(words: frozenset[str], label: str, pref: int | None) -> tuple[frozenset[str], str, int | None]:
    return clean_words(words), clean_label(label), clean_pref(pref)


def clean_name(name: Name) -> Name:
    """Components in the order of people, readings only where a property for them exists."""
    known = [c for c in name.components if c.kind in _NAME_PLACES]
    known.sort(key=lambda c: _NAME_PLACES[c.kind])
    components = tuple([component for c in known if (component := _component(c)).value])
    said = (components, tidy(name.full), tuple([text for item in name.sort_as if (text := tidy(item))]))
    return name if said == (name.components, name.full, name.sort_as) else Name(*said)


def _component(c: NameComponent) -> NameComponent:
    said = (tidy(c.value), tidy(c.phonetic) if c.kind in _READ_ALOUD else "")
    return c if said == (c.value, c.phonetic) else NameComponent(c.kind, *said)


# Nearly all entries are clean: such a one is given back as it is.


def _nickname(entry: Nickname) -> Nickname | None:
    said = (tidy(entry.name), clean_words(entry.contexts), clean_pref(entry.pref))
    if not said[0]:
        return None
    return entry if said == (entry.name, entry.contexts, entry.pref) else Nickname(*said, entry.ref)


def _email(entry: Email) -> Email | None:
    said = (tidy(entry.address), *_marks(entry.contexts, entry.label, entry.pref))
    if not said[0]:
        return None
    same = said == (entry.address, entry.contexts, entry.label, entry.pref)
    return entry if same else Email(*said, entry.ref)


def _phone(entry: Phone) -> Phone | None:
    """All words stand in one TYPE parameter: which of them are features is known by the word."""
    words = _phone_words(entry.contexts, entry.features)
    said = (bare_number(entry.number), *words, clean_label(entry.label), clean_pref(entry.pref))
    if not said[0]:
        return None
    same = said == (entry.number, entry.contexts, entry.features, entry.label, entry.pref)
    return entry if same else Phone(*said, entry.ref)


@functools.lru_cache(maxsize=1024)
def _phone_words(contexts: frozenset[str], features: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    words = clean_words(contexts | features)
    if "mobile" in features:
        words = words - {"mobile"} | {"cell"}
    return words - FEATURES, words & FEATURES


def _address(entry: Address) -> Address | None:
    parts = joined_parts(entry)
    found = [(kind, text) for kind in ADDRESS_KINDS if kind in parts and (text := tidy(parts[kind]))]
    components = entry.components
    if found != [(c.kind, c.value) for c in components]:
        components = tuple([AddressComponent(*pair) for pair in found])
    full = loose(entry.full) if entry.full.strip() else ""
    if not components and not full.strip():
        return None
    marks = _marks(entry.contexts, entry.label, entry.pref)
    said = (components, full, clean_country(entry.country_code) if entry.country_code else "", *marks)
    was = (entry.components, entry.full, entry.country_code, entry.contexts, entry.label, entry.pref)
    return entry if said == was else Address(*said, entry.ref)


def _organization(entry: Organization) -> Organization | None:
    units = [tidy(unit) for unit in entry.units]
    while units and not units[-1]:
        units.pop()
    said = (tidy(entry.name), tuple(units), clean_words(entry.contexts), clean_label(entry.label))
    if not said[0] and not units:
        return None
    same = said == (entry.name, entry.units, entry.contexts, entry.label)
    return entry if same else Organization(*said, entry.ref)


def _title(entry: Title) -> Title | None:
    said = (tidy(entry.name), "role" if entry.kind == "role" else "title")
    if not said[0]:
        return None
    return entry if said == (entry.name, entry.kind) else Title(*said, entry.ref)


def _service(entry: OnlineService) -> OnlineService | None:
    uri, user, service = one_line(entry.uri), one_line(entry.user), tidy(entry.service).lower()
    if not uri and not user:
        return None
    if not service and (scheme := _SCHEME.match(uri)):
        service = SCHEMES.get(scheme[0][:-1].lower(), "")
    kind = "impp" if entry.kind == "impp" else "socialprofile"
    marks = _marks(entry.contexts, entry.label, entry.pref)
    same = marks == (entry.contexts, entry.label, entry.pref)
    if same and (service, uri, user, kind) == (entry.service, entry.uri, entry.user, entry.kind):
        return entry
    return OnlineService(service, uri, user, kind, *marks, entry.ref)


def _link(entry: Link) -> Link | None:
    said = (one_line(entry.uri), *_marks(entry.contexts, entry.label, entry.pref))
    if not said[0]:
        return None
    same = said == (entry.uri, entry.contexts, entry.label, entry.pref)
    return entry if same else Link(*said, entry.ref)


def _anniversary(entry: Anniversary) -> Anniversary | None:
    date, label = values.clean_date(entry.date), clean_label(entry.label)
    if date == NO_DATE:
        return None
    kind = entry.kind if entry.kind in _KINDS else "other"
    if kind == "other" and label == "Anniversary":
        kind, label = "wedding", ""
    same = (kind, date, label) == (entry.kind, entry.date, entry.label)
    return entry if same else Anniversary(kind, date, label, entry.ref)


def _relation(entry: Relation) -> Relation | None:
    said = (tidy(entry.target), clean_words(entry.relation), clean_label(entry.label))
    if not said[0]:
        return None
    return entry if said == (entry.target, entry.relation, entry.label) else Relation(*said, entry.ref)


def _note(entry: Note) -> Note | None:
    text = loose(entry.text)
    if not text.strip():
        return None
    return entry if text == entry.text else Note(text, entry.ref)


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
    value = loose(entry.value).replace("\n", "\\n")
    params = tuple([pair for key, text in entry.params if (pair := _param(key, text)) != ("", "")])
    transfer = transfer_of(params)
    if transfer == "base64":
        value = "".join(value.split())
    elif transfer == "quoted-printable":
        value = value.rstrip(" \t=")
    said = (name, value, params)
    return entry if said == (entry.name, entry.value, entry.params) else Extra(*said, entry.group)


def _plain_name(text: str) -> str:
    if _PLAIN_NAME.match(text):
        return text
    return one_line(text).translate(_NO_SEPARATORS).removeprefix("\ufeff").strip()


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
    clean = CLEANERS[field]
    return [cleaned for entry in entries if (cleaned := clean(entry)) is not None]


def clean_groups(groups: Iterable[str]) -> frozenset[str]:
    return frozenset([name for group in groups if (name := tidy(group))])


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
