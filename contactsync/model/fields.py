"""The field table: one row per field, from which merge, diffs, command line and docs are made.

A contact is split into *units* (L3), the smallest pieces that are merged as a whole, each named by
a path: ``("name",)`` a scalar, ``("emails", key)`` the value of one entry, ``("emails", key,
"label")`` an attribute of it, ``("emails", key, "contexts", "work")`` one member of a set
attribute, ``("groups", id)`` one member of a set field. Adding a field is one row here, a
dataclass in `contact` and the codecs.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from contactsync.frozen import frozen
from contactsync.model.contact import (
    Address,
    Contact,
    Email,
    Extra,
    Link,
    Media,
    Name,
    OnlineService,
    Organization,
    PartialDate,
    Phone,
)

Path = tuple[str, ...]


class Kind(enum.Enum):
    """How a field is split into units: one value, a list of entries, a set of words."""

    SCALAR = "scalar"
    KEYED = "keyed"
    SET = "set"


@frozen
class Field:
    """One row.

    ``value_class`` maps an entry (or scalar) to the text that decides sameness (L2);
    ``identity`` gives the key of an entry, which is the value class unless the entry is named by
    its role (``birth``, the first photo). ``bucket`` is what an edited value is recognised by when
    it is the only one of its label (L4). ``sets`` and ``scalars`` name the attributes that are
    units of their own; ``by_lines`` texts are merged three-way by lines.
    """

    path: str
    kind: Kind
    title: str
    value_class: Callable[[Any], str]
    identity: Callable[[Any], str] | None = None
    bucket: Callable[[Any], object] = lambda entry: ""
    sets: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()
    text: Callable[[Any], str] = str
    by_lines: bool = False

    def key(self, entry: Any) -> str:
        return (self.identity or self.value_class)(entry)

    def same(self, one: Any, other: Any) -> bool:
        """Equal by class; absent equals absent only."""
        if one is None or other is None:
            return one is other
        return one == other or self.value_class(one) == self.value_class(other)


def squeeze(text: str) -> str:
    """NFC, line ends as LF, blanks squeezed, ends trimmed."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def fold(text: str) -> str:
    return squeeze(text).casefold()


def note_form(text: str) -> str:
    """A text by lines: NFC, LF, no trailing blanks, no empty lines at the end."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def email_class(email: Email) -> str:
    local, at, domain = email.address.strip().rpartition("@")
    domain = domain.lower().rstrip(".")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = domain.casefold()
    return unicodedata.normalize("NFC", local).casefold() + at + domain


def phone_class(phone: Phone) -> str:
    """Digits with a leading plus kept; extension and pause letters count, punctuation does not."""
    number = phone.number.strip()
    if number[:4].lower() == "tel:":
        number = number[4:]
    number = unicodedata.normalize("NFKC", number).lower().replace(";ext=", "x")
    if number.startswith("00") and not number.startswith("000"):
        number = "+" + number[2:]
    kept = re.sub(r"[\s().\-/\u2010-\u2015\u00a0]", "", number)
    return kept or number


def address_class(address: Address) -> str:
    if not address.components:
        return fold(address.full)
    parts = sorted((c.kind, re.sub(r"[\s,.;]+", " ", fold(c.value)).strip()) for c in address.components)
    return "|".join(f"{kind}={value}" for kind, value in parts if value)


def link_class(link: Link) -> str:
    uri = link.uri.strip()
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri
    if not parts.netloc:
        return uri
    tail = parts.path.removesuffix("/") + ("?" + parts.query if parts.query else "")
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{tail}" + (
        "#" + parts.fragment if parts.fragment else ""
    )


def service_class(service: OnlineService) -> str:
    scheme, colon, rest = service.uri.partition(":")
    handle = service.user or (rest if colon and "/" not in rest else service.uri)
    return f"{fold(service.service or scheme)}:{fold(handle)}"


def date_class(date: PartialDate) -> str:
    """Year 0 and 1604 stand for "no year" at several producers (L19 table)."""
    year = None if date.year in (0, 1604) else date.year
    return f"{year or ''}-{date.month or ''}-{date.day or ''}" if not date.text else fold(date.text)


def name_class(name: Name) -> str:
    parts = [f"{c.kind}={squeeze(c.value)}~{squeeze(c.phonetic)}" for c in name.components if c.value.strip()]
    full = "" if _is_derived(name) else squeeze(name.full)
    return "|".join([*parts, f"full={full}", "sort=" + "|".join(name.sort_as)])


def _is_derived(name: Name) -> bool:
    """Does the display name say what the components say, in whatever order and punctuation?"""
    said = [word for c in name.components for word in re.findall(r"\w+", squeeze(c.value))]
    return bool(said) and sorted(re.findall(r"\w+", squeeze(name.full))) == sorted(said)


def media_class(media: Media) -> str:
    return media.sha256 or media.uri


def extra_class(extra: Extra) -> str:
    params = ";".join(f"{name.upper()}={value}" for name, value in extra.params)
    return f"{extra.name.upper()};{params}:{extra.value}"


def online_text(service: OnlineService) -> str:
    return f"{service.service} {service.user or service.uri}".strip()


def date_text(date: PartialDate) -> str:
    if date.text:
        return date.text
    year = f"{date.year:04d}" if date.year else "-"
    return f"{year}-{date.month:02d}-{date.day:02d}" if date.month and date.day else year


def name_text(name: Name) -> str:
    return name.full or " ".join(c.value for c in name.components)


def organization_text(organization: Organization) -> str:
    return ", ".join([organization.name, *organization.units])


def address_text(address: Address) -> str:
    return ", ".join(c.value for c in address.components if c.value) or address.full


def media_text(media: Media) -> str:
    return media.uri or f"{media.kind} {media.media_type} {media.sha256[:12]}"


def label_bucket(entry: Any) -> object:
    words = tuple(tuple(sorted(getattr(entry, name, ()))) for name in ("contexts", "features", "relation"))
    return (words, fold(getattr(entry, "label", "")))


def keyed(path: str, title: str, value_class: Callable[[Any], str], **more: Any) -> Field:
    return Field(path, Kind.KEYED, title, value_class, **{"bucket": label_bucket, **more})


LABELLED = {"sets": ("contexts",), "scalars": ("label", "pref")}

FIELDS: tuple[Field, ...] = (
    Field("kind", Kind.SCALAR, "kind", fold),
    Field("name", Kind.SCALAR, "name", name_class, text=name_text),
    keyed(
        "nicknames",
        "nickname",
        lambda e: fold(e.name),
        sets=("contexts",),
        scalars=("pref",),
        text=lambda e: e.name,
    ),
    keyed("emails", "e-mail", email_class, **LABELLED, text=lambda e: e.address),
    keyed(
        "phones",
        "phone",
        phone_class,
        sets=("contexts", "features"),
        scalars=("label", "pref"),
        text=lambda e: e.number,
    ),
    keyed("addresses", "address", address_class, **LABELLED, text=address_text),
    keyed(
        "organizations",
        "organization",
        lambda e: "|".join([fold(e.name), *map(fold, e.units)]),
        sets=("contexts",),
        scalars=("label",),
        text=organization_text,
    ),
    keyed(
        "titles",
        "title",
        lambda e: f"{e.kind}:{fold(e.name)}",
        bucket=lambda e: e.kind,
        text=lambda e: e.name,
    ),
    keyed("online_services", "online service", service_class, **LABELLED, text=online_text),
    keyed("links", "link", link_class, **LABELLED, text=lambda e: e.uri),
    keyed(
        "anniversaries",
        "date",
        lambda e: f"{e.kind}:{fold(e.label)}:{date_class(e.date)}",
        identity=lambda e: e.kind if e.kind != "other" else f"other:{fold(e.label)}",
        bucket=lambda e: (e.kind, fold(e.label)),
        text=lambda e: date_text(e.date),
    ),
    keyed(
        "related_to",
        "related person",
        lambda e: fold(e.target),
        sets=("relation",),
        scalars=("label",),
        text=lambda e: e.target,
    ),
    keyed(
        "notes",
        "note",
        lambda e: note_form(e.text),
        identity=lambda e: "note",
        text=lambda e: e.text,
        by_lines=True,
    ),
    keyed("media", "photo", media_class, identity=lambda e: e.kind, bucket=lambda e: e.kind, text=media_text),
    Field("groups", Kind.SET, "group", str),
    keyed(
        "extra",
        "other property",
        extra_class,
        bucket=lambda e: (e.name.upper(), e.params),
        text=lambda e: f"{e.name}:{e.value}",
    ),
)

FIELD: Mapping[str, Field] = {row.path: row for row in FIELDS}

EMPTY_SCALARS: Mapping[str, Any] = {"kind": "", "name": Name()}
EMPTY_CONTACT = Contact()


@frozen
class Units:
    """A contact as units. ``values`` maps a path to its value (an absent unit has no row; the value
    of an entry is the entry itself); ``order`` holds the keys of each list field in their order."""

    values: Mapping[Path, Any] = field(default_factory=dict)
    order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def entry_keys(row: Field, entries: Sequence[Any]) -> tuple[str, ...]:
    """Keys of a list that stands alone: identity, with ``~2`` and so on for repeats."""
    seen: dict[str, int] = {}
    keys = []
    for entry in entries:
        key = row.key(entry)
        seen[key] = seen.get(key, 0) + 1
        keys.append(key if seen[key] == 1 else f"{key}~{seen[key]}")
    return tuple(keys)


def flatten(
    contact: Contact, keys: Mapping[str, tuple[str, ...]] | None = None, rows: Sequence[Field] = FIELDS
) -> Units:
    """Split a contact into units, or these fields of it; ``keys`` names its entries where an alignment gave
    them names."""
    values: dict[Path, Any] = {}
    order: dict[str, tuple[str, ...]] = {}
    for row in rows:
        content = getattr(contact, row.path)
        if not content or content == EMPTY_SCALARS.get(row.path):
            continue
        if row.kind is Kind.SCALAR:
            values[row.path,] = content
        elif row.kind is Kind.SET:
            values.update({(row.path, member): True for member in sorted(content)})
        else:
            names = keys[row.path] if keys and row.path in keys else entry_keys(row, content)
            order[row.path] = names
            for name, entry in zip(names, content, strict=True):
                values.update(entry_units(row, (row.path, name), entry))
    return Units(values, order)


def entry_units(row: Field, path: Path, entry: Any) -> dict[Path, Any]:
    """The value of one entry and its attributes, each under its path."""
    units: dict[Path, Any] = {path: entry}
    for name in row.scalars:
        if value := getattr(entry, name):
            units[*path, name] = value
    for name in row.sets:
        units.update({(*path, name, member): True for member in getattr(entry, name)})
    return units


def build(
    units: Units, uid: str = "", rows: Sequence[Field] = FIELDS, rest: Contact = EMPTY_CONTACT
) -> Contact:
    """The contact of these units; the inverse of `flatten`. All but these fields is as in ``rest``."""
    content: dict[str, Any] = {"uid": uid}
    attributes: dict[Path, dict[str, Any]] = {}
    for path, value in units.values.items():
        if len(path) == 3:
            attributes.setdefault(path[:2], {})[path[2]] = value
        elif len(path) == 4:
            attributes.setdefault(path[:2], {}).setdefault(path[2], set()).add(path[3])
    for row in rows:
        if row.kind is Kind.SCALAR:
            content[row.path] = units.values.get((row.path,), EMPTY_SCALARS[row.path])
        elif row.kind is Kind.SET:
            content[row.path] = frozenset(p[1] for p in units.values if p[0] == row.path)
        else:
            paths = ((row.path, key) for key in units.order.get(row.path, ()))
            content[row.path] = tuple(
                entry_of(row, units.values[path], attributes.get(path, {}))
                for path in paths
                if path in units.values
            )
    return replace(rest, **content)


def entry_of(row: Field, value: Any, attributes: Mapping[str, Any]) -> Any:
    """An entry with the value of ``value`` and exactly these attributes."""
    wanted: dict[str, Any] = {name: frozenset(attributes.get(name, ())) for name in row.sets}
    for name in row.scalars:
        wanted[name] = attributes.get(name, None if name == "pref" else "")
    if all(getattr(value, name) == part for name, part in wanted.items()):
        return value
    return replace(value, **wanted)


def same_unit(path: Path, one: Any, other: Any) -> bool:
    """L2: equality by class, for the unit at ``path``; None is an absent unit."""
    if one is None or other is None:
        return one is other
    if len(path) <= 2:
        row = FIELD[path[0]]
        return row.kind is Kind.SET or row.same(one, other)
    if path[2] == "label":
        return fold(str(one)) == fold(str(other))
    return bool(one == other)


def unit_text(path: Path, value: Any) -> str:
    """The unit's value for people and for conflict rows."""
    if value is None:
        return ""
    if len(path) <= 2 and FIELD[path[0]].kind is not Kind.SET:
        return FIELD[path[0]].text(value)
    return str(path[-1]) if value is True else str(value)


def path_text(path: Path) -> str:
    """``emails/ada@x.example/label``; a slash inside a part is written ``%2F``."""
    return "/".join(
        quote(part, safe="@:+ ,;()=&?#'!$*~-._|\u00a0") if "/" in part or "%" in part else part
        for part in path
    )


_DAYS = {"birth": "birthday", "wedding": "wedding day", "death": "day of death"}


def path_title(path: Path) -> str:
    """A unit for people: ``e-mail``; an attribute with its entry: ``e-mail ada@x.example, label``."""
    field, *rest = path
    title = FIELD[field].title if field in FIELD else field
    if field == "anniversaries" and rest:
        title = _DAYS.get(rest[0], title)
    return f"{title} {rest[0]}, {rest[1]}" if len(rest) > 1 else title


def parse_path(text: str) -> Path:
    return tuple(unquote(part) for part in text.split("/"))
