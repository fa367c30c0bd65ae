"""Content lines <-> entries of a contact: for each field how a line reads and how an entry is spelled.

A reader returns one entry for each element of the line (None where it is empty) and raises ValueError
for a line that is then kept as it is. A writer returns a `Draft`, from which a new line is made; the
drafts of an entry before and after an edit tell what to change on the line that is there.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from contactsync.errors import CodecError
from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
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
from contactsync.vcard import values
from contactsync.vcard.dialects import (
    BUILT_IN_LABELS,
    FINER_RELATIONS,
    PLAIN_RELATIONS,
    SCHEMES,
    Row,
)
from contactsync.vcard.heads import NO_CONTEXT, Head, contexts_of
from contactsync.vcard.lines import Line
from contactsync.vcard.values import (
    escape,
    escape_plain,
    loose,
    one_line,
    parts_of,
    plain_text,
    text_of,
    tidy,
)

ADDRESS_KINDS = [
    "postOfficeBox",
    "extended",
    "name",
    "locality",
    "region",
    "postcode",
    "country",
    "room",
    "apartment",
    "floor",
    "number",
    "streetName",
    "building",
    "block",
    "subdistrict",
    "district",
    "landmark",
    "direction",
]

_OLD_KINDS = frozenset(ADDRESS_KINDS[:7])
_TEL_URI = re.compile(r"\+?[0-9().*#-]+(?:;[a-z0-9-]+=[^\s;,]*)*\Z", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+\Z")
_DATA_URI = re.compile(r"data:([^,;\\]*)((?:\\?;[^,;\\]*)*)\\?,", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_MEDIA_FAMILY = {"photo": "image/", "logo": "image/", "sound": "audio/"}
_OMIT_YEAR = "X-APPLE-OMIT-YEAR"
_NONE: Mapping[str, str] = MappingProxyType({})


class Draft(NamedTuple):
    """An entry as it would be written: modelled parameters only, ``value`` escaped but not encoded.

    ``words`` are TYPE values without pref; ``params`` the other modelled parameters by upper-case
    name (plain values); ``helpers`` the lines that stand beside it in its group, by name.
    """

    value: str
    words: tuple[str, ...] = ()
    pref: int | None = None
    params: Mapping[str, str] = _NONE
    helpers: Mapping[str, str] = _NONE


@dataclass
class Side:
    """What stands beside a line in its group: a label, a country code, a delivery label."""

    label: str = ""
    country: str = ""
    full: str = ""


Entries = list[Any]
Reader = Callable[[Line, Row, str, Side], Entries]
Writer = Callable[[Any, Row, str, Line | None], Draft]


@functools.lru_cache(maxsize=1024)
def _words(contexts: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted("home" if word == "private" else word for word in contexts))


@functools.lru_cache(maxsize=1024)
def clean_words(words: frozenset[str]) -> frozenset[str]:
    """Contexts that a TYPE parameter can hold: words of RFC 6350 section 5.6."""
    return contexts_of([tidy(word).lower() for word in words])


def clean_pref(pref: int | None) -> int | None:
    return pref if pref is not None and 1 <= pref <= 100 else None


def label_of(text: str) -> str:
    """The text of an X-ABLabel; Apple writes its own words as ``_$!<Home>!$_``."""
    return tidy(text[4:-4] if text[:4] == "_$!<" and text[-4:] == ">!$_" else text)


@functools.lru_cache(maxsize=1024)
def label_value(label: str, version: str) -> str:
    """Many entries have one of few labels."""
    return escape(f"_$!<{label}>!$_" if label in BUILT_IN_LABELS else label, version)


def _label(label: str, row: Row, version: str) -> dict[str, str]:
    return {"X-ABLABEL": label_value(label, version)} if label != row.label else {}


def _read_nickname(line: Line, row: Row, version: str, side: Side) -> Entries:
    head = line.head
    names = map(tidy, values.list_of(line, version))
    return [Nickname(name, head.contexts, head.pref, head.ref) if name else None for name in names]


def _write_nickname(entry: Nickname, row: Row, version: str, line: Line | None) -> Draft:
    return Draft(escape_item(entry.name, version), _words(entry.contexts), entry.pref)


def escape_item(text: str, version: str) -> str:
    """One element of a comma list."""
    return text.replace(",", "\\,") if version == "2.1" else escape(text, version)


def _read_email(line: Line, row: Row, version: str, side: Side) -> Entries:
    head = line.head
    address = plain_text(line, version)
    return [Email(address, head.contexts, side.label, head.pref, head.ref)] if address else []


def _write_email(entry: Email, row: Row, version: str, line: Line | None) -> Draft:
    helpers = _label(entry.label, row, version)
    return Draft(escape(entry.address, version), _words(entry.contexts), entry.pref, _NONE, helpers)


def _read_phone(line: Line, row: Row, version: str, side: Side) -> Entries:
    head = line.head
    number = bare_number(plain_text(line, version))
    if not number:
        return []
    return [Phone(number, head.contexts, head.features, side.label, head.pref, head.ref)]


def bare_number(text: str) -> str:
    """The number of a tel: URI (RFC 3966), its parameters left on; any other text as it is."""
    number = tidy(text)
    while number[:4].lower() == "tel:":
        number = number[4:].strip()
    return number


def _write_phone(entry: Phone, row: Row, version: str, line: Line | None) -> Draft:
    """RFC 6350 section 6.4.1: a line that holds a tel: URI keeps doing so while the number is one."""
    words = (*_words(entry.contexts), *sorted(entry.features))
    helpers = _label(entry.label, row, version)
    if line is not None and line.param("VALUE").lower() == "uri" and _TEL_URI.match(entry.number):
        return Draft(f"tel:{entry.number}", words, entry.pref, {"VALUE": "uri"}, helpers)
    return Draft(escape(entry.number, version), words, entry.pref, {}, helpers)


def _read_address(line: Line, row: Row, version: str, side: Side) -> Entries:
    head, full, country = line.head, side.full, side.country
    if row.kind == "label":
        full = loose(text_of(line, version))
        return [Address((), full, "", head.contexts, side.label, head.pref, head.ref)] if full.strip() else []
    parts = parts_of(line, version)
    if len(parts) > len(ADDRESS_KINDS):
        raise ValueError("more components than any version has")
    components = tuple(
        [
            AddressComponent(kind, value)
            for kind, part in zip(ADDRESS_KINDS, parts, strict=False)
            if part and (value := tidy(part))
        ]
    )
    if head.params:
        full = full or loose(head.param("LABEL"))
        country = country or head.param("CC")
    country = clean_country(country) if country else ""
    if not components and not full.strip():
        return []
    return [Address(components, full, country, head.contexts, side.label, head.pref, head.ref)]


def joined_parts(entry: Address) -> dict[str, str]:
    """The text of each kind of component that is there; as `Address.part`, for all at once."""
    parts = {c.kind: c.value for c in entry.components}
    if len(parts) == len(entry.components):
        return parts
    parts = {}
    for c in entry.components:
        parts[c.kind] = f"{parts[c.kind]}, {c.value}" if c.kind in parts else c.value
    return parts


def clean_country(text: str) -> str:
    """An ISO 3166-1 code in upper case, or "": Apple writes addresses there now and then."""
    code = text.strip()
    return code.upper() if len(code) == 2 and code.isascii() and code.isalpha() else ""


def _write_address(entry: Address, row: Row, version: str, line: Line | None) -> Draft:
    words, pref = _words(entry.contexts), entry.pref
    helpers = _label(entry.label, row, version)
    if row.kind == "label":
        return Draft(escape(entry.full, version), words, pref, {}, helpers)
    parts = joined_parts(entry)
    kinds = ADDRESS_KINDS[:7] if _OLD_KINDS.issuperset(parts) else ADDRESS_KINDS
    value = ";".join([escape(parts[kind], version) if kind in parts else "" for kind in kinds])
    params: dict[str, str] = {}
    modern = version == "4.0"
    if entry.full and (modern or (line is not None and line.param("LABEL"))):
        params["LABEL"] = entry.full
    elif entry.full:
        helpers["LABEL"] = escape(entry.full, version)
    if entry.country_code and (modern or (line is not None and line.param("CC"))):
        params["CC"] = entry.country_code
    elif entry.country_code:
        helpers["X-ABADR"] = entry.country_code.lower()
    return Draft(value, words, pref, params, helpers)


def _read_organization(line: Line, row: Row, version: str, side: Side) -> Entries:
    head = line.head
    name, *units = map(tidy, parts_of(line, version))
    while units and not units[-1]:
        units.pop()
    if not name and not units:
        return []
    return [Organization(name, tuple(units), head.contexts, side.label, head.ref)]


def _write_organization(entry: Organization, row: Row, version: str, line: Line | None) -> Draft:
    value = ";".join([escape(part, version) for part in (entry.name, *entry.units)])
    return Draft(value, _words(entry.contexts), None, _NONE, _label(entry.label, row, version))


def _read_title(line: Line, row: Row, version: str, side: Side) -> Entries:
    name = plain_text(line, version)
    return [Title(name, row.kind, line.head.ref)] if name else []


def _write_title(entry: Title, row: Row, version: str, line: Line | None) -> Draft:
    return Draft(escape(entry.name, version))


def _read_anniversary(line: Line, row: Row, version: str, side: Side) -> Entries:
    text = plain_text(line, version)
    if not text:
        return []
    date = values.parse_date(text)
    head = line.head
    if head.params and date.year is not None and head.param(_OMIT_YEAR) == str(date.year):
        date = values.clean_date(replace(date, year=None))
    if row.kind == "other" and side.label == "Anniversary":
        return [Anniversary("wedding", date, "", head.ref)]
    return [Anniversary(row.kind, date, side.label, head.ref)]


def _write_anniversary(entry: Anniversary, row: Row, version: str, line: Line | None) -> Draft:
    date = entry.date
    label = "Anniversary" if row.kind == "other" and entry.kind == "wedding" else entry.label
    helpers = _label(label, row, version)
    if date.text:
        params = {"VALUE": "text"} if version == "4.0" or (line and line.param("VALUE")) else {}
        return Draft(escape(date.text, version), params=params, helpers=helpers)
    omit = line.param(_OMIT_YEAR) if line else ("1604" if version == "3.0" else "")
    old = line.value if line else ""
    if date.year is None and date.month and date.day and (omit or old.startswith(("1604", "0000"))):
        year = omit or old[:4]
        params = {_OMIT_YEAR: omit} if omit else {}
        return Draft(f"{year}-{date.month:02}-{date.day:02}", params=params, helpers=helpers)
    extended = "-" in old.lstrip("-") if len(old) > 7 and line else version == "3.0"
    return Draft((values.extended_date if extended else values.basic_date)(date), helpers=helpers)


def _read_note(line: Line, row: Row, version: str, side: Side) -> Entries:
    text = loose(text_of(line, version))
    return [Note(text, line.head.ref)] if text.strip() else []


def _write_note(entry: Note, row: Row, version: str, line: Line | None) -> Draft:
    return Draft(escape(entry.text, version))


def uri_text(line: Line, version: str) -> str:
    """A URI: no escapes by the book, but ``http\\:`` and ``\\,`` are common."""
    raw = values.transfer_decoded(line.value, line) if line.head.transfer else line.value
    return one_line(values.unescape(raw, "3.0" if r"\:" in raw else version) if "\\" in raw else raw)


def _read_link(line: Line, row: Row, version: str, side: Side) -> Entries:
    head = line.head
    uri = uri_text(line, version)
    return [Link(uri, head.contexts, side.label or row.label, head.pref, head.ref)] if uri else []


def _write_link(entry: Link, row: Row, version: str, line: Line | None) -> Draft:
    helpers = _label(entry.label, row, version)
    return Draft(escape_plain(entry.uri, version), _words(entry.contexts), entry.pref, _NONE, helpers)


def _read_service(line: Line, row: Row, version: str, side: Side) -> Entries:
    head = line.head
    service, user, contexts, only_user = _service_head(head)
    uri = uri_text(line, version)
    if only_user:
        user, uri = uri, ""
    if not uri and not user:
        return []
    if not service and (scheme := _SCHEME.match(uri)):
        service = SCHEMES.get(scheme[1].lower(), "")
    return [OnlineService(service, uri, user, row.kind, contexts, side.label, head.pref, head.ref)]


@functools.lru_cache(maxsize=1024)
def _service_head(head: Head) -> tuple[str, str, frozenset[str], bool]:
    """What a head says: service, user, contexts, and whether the value is the user and no URI."""
    row, contexts = head.row, head.contexts
    assert row is not None
    service = row.service or (head.param("SERVICE-TYPE") or head.param("X-SERVICE-TYPE")).lower()
    if row.name == "X-SOCIALPROFILE" and not service and contexts:
        service = next((word for word in head.words if word not in ("home", "work", "pref")), "")
        contexts -= {service}
    user = one_line(head.param("USERNAME") or head.param("X-USER"))
    only_user = row.service != "" or row.name.endswith("IMADDRESS") or head.param("VALUE").lower() == "text"
    return tidy(service), user, contexts, only_user


def _write_service(entry: OnlineService, row: Row, version: str, line: Line | None) -> Draft:
    helpers = _label(entry.label, row, version)
    words, pref, params = _words(entry.contexts), entry.pref, {}
    if row.service or row.name.endswith("IMADDRESS"):
        return Draft(escape_plain(entry.user, version), words, pref, helpers=helpers)
    apple = row.name == "X-SOCIALPROFILE"
    if entry.service and apple and (line is None or not line.param("SERVICE-TYPE")):
        words = (entry.service, *words)
    elif entry.service:
        modern = version == "4.0" and not (line and line.param("X-SERVICE-TYPE"))
        modern = modern or row.kind == "socialprofile"
        params["SERVICE-TYPE" if modern else "X-SERVICE-TYPE"] = entry.service
    if not entry.uri:
        return Draft(escape_plain(entry.user, version), words, pref, {**params, "VALUE": "text"}, helpers)
    if entry.user:
        params["X-USER" if apple else "USERNAME"] = entry.user
    return Draft(escape_plain(entry.uri, version), words, pref, params, helpers)


def _read_relation(line: Line, row: Row, version: str, side: Side) -> Entries:
    head, label = line.head, side.label
    words = head.contexts
    target = plain_text(line, version)
    if row.relation:
        words |= {row.relation}
    elif row.name == "X-ABRELATEDNAMES" and label in PLAIN_RELATIONS:
        words, label = words | {PLAIN_RELATIONS[label]}, ""
    elif row.name == "X-ABRELATEDNAMES" and label in FINER_RELATIONS:
        words |= {FINER_RELATIONS[label]}
    return [Relation(target, words, label, head.ref)] if target else []


def _write_relation(entry: Relation, row: Row, version: str, line: Line | None) -> Draft:
    words, label, params = set(entry.relation), entry.label, {}
    value = escape(entry.target, version)
    if row.relation:
        words.discard(row.relation)
    elif row.name == "X-ABRELATEDNAMES" and label in FINER_RELATIONS:
        words.discard(FINER_RELATIONS[label])
    elif row.name == "X-ABRELATEDNAMES" and not label:
        plain = [word for word, relation in PLAIN_RELATIONS.items() if relation in words]
        label = plain[0] if plain else ""
        words.discard(label.lower())
    if row.name == "RELATED" and not _SCHEME.match(entry.target):
        params["VALUE"] = "text"
    elif row.name == "RELATED":
        value = escape_plain(entry.target, version)
    return Draft(value, _words(frozenset(words)), None, params, _label(label, row, version))


def _read_media(line: Line, row: Row, version: str, side: Side) -> Entries:
    head, value = line.head, line.value.strip()
    if not value:
        return []
    if value[:5].lower() == "data:":
        return [_read_data_uri(value, row.kind, head.ref)]
    media_type = _declared_type(head, row.kind)
    if head.transfer == "base64":
        return [_media(row.kind, media_type, values.from_base64(value), head.ref)]
    if head.transfer or head.param("VALUE").lower() not in ("", "uri", "url") or not _SCHEME.match(value):
        raise ValueError("neither bytes nor a URI")
    return [Media(row.kind, media_type, uri_text(line, version), "", None, head.ref)]


def _media(kind: str, media_type: str, data: bytes, ref: str) -> Media:
    return Media(kind, media_type, "", hashlib.sha256(data).hexdigest(), data, ref)


def _declared_type(head: Head, kind: str) -> str:
    """MEDIATYPE, or TYPE=JPEG as vCard 2.1 and 3.0 say it."""
    family = _MEDIA_FAMILY[kind]
    for word in [head.param("MEDIATYPE").lower(), *head.words]:
        if word not in NO_CONTEXT and word not in ("home", "work", "uri"):
            return clean_media_type(word if "/" in word else family + word)
    return ""


def clean_media_type(text: str) -> str:
    lowered = tidy(text).lower()
    return lowered if _MEDIA_TYPE.match(lowered) else ""


def _read_data_uri(value: str, kind: str, ref: str) -> Media:
    """RFC 2397; some writers escape its separators as if it were text."""
    match = _DATA_URI.match(value)
    if not match or "base64" not in match[2].lower():
        raise ValueError("a data URI that is not base64")
    return _media(kind, clean_media_type(match[1]), values.from_base64(value[match.end() :]), ref)


def _write_media(entry: Media, row: Row, version: str, line: Line | None) -> Draft:
    family = _MEDIA_FAMILY[row.kind]
    short = entry.media_type.removeprefix(family)
    short = short.upper() if "/" not in short else short
    modern = version == "4.0"
    if not entry.sha256:
        params = {} if modern else {"VALUE": "uri"}
        if entry.media_type:
            params["MEDIATYPE"] = entry.media_type
        return Draft(escape_plain(entry.uri, version), params=params)
    if entry.data is None:
        raise CodecError(f"The bytes of a {entry.kind} are missing, so the card cannot be written.")
    text = values.to_base64(entry.data)
    if modern or (line is not None and line.value[:5].lower() == "data:"):
        return Draft(f"data:{entry.media_type};base64,{text}")
    encoding = {"ENCODING": "BASE64" if version == "2.1" else "b"}
    return Draft(text, (short,) if short else (), None, encoding)


SHAPES: dict[str, tuple[Reader, Writer]] = {
    "nicknames": (_read_nickname, _write_nickname),
    "emails": (_read_email, _write_email),
    "phones": (_read_phone, _write_phone),
    "addresses": (_read_address, _write_address),
    "organizations": (_read_organization, _write_organization),
    "titles": (_read_title, _write_title),
    "online_services": (_read_service, _write_service),
    "links": (_read_link, _write_link),
    "anniversaries": (_read_anniversary, _write_anniversary),
    "related_to": (_read_relation, _write_relation),
    "notes": (_read_note, _write_note),
    "media": (_read_media, _write_media),
}
