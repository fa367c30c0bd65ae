"""A person of the People API as a contact, and a contact written into a person (facts: Person schema).

Lists are worked on as a whole, item by item: what we have no place for stays, in its place, with every key.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from contactsync.connectors.google.items import SHAPES, Item, Shape, put, text_of
from contactsync.connectors.google.types import read_type, write_type
from contactsync.errors import CodecError
from contactsync.model.contact import Contact, Media, Name, NameComponent, Organization, Title
from contactsync.model.fields import fold
from contactsync.vcard.pairing import pair
from contactsync.vcard.values import tidy

Person = dict[str, Any]

UID_KEY = "contactsync-uid"
LABEL = "contactGroups/"
SYSTEM_LABELS = frozenset(
    LABEL + name
    for name in ("starred", "friends", "family", "coworkers", "myContacts", "chatBuddies", "all", "blocked")
)
#: What the server adds by itself, in the items of every list and of one; it is never sent.
ADDED = frozenset({"metadata", "formattedType", "formattedProtocol", "canonicalForm", "formattedValue"})
ADDED_TO_NAMES = frozenset({"displayName", "displayNameLastFirst"})

_NAME = {
    "title": ("honorificPrefix", "phoneticHonorificPrefix"),
    "given": ("givenName", "phoneticGivenName"),
    "given2": ("middleName", "phoneticMiddleName"),
    "surname": ("familyName", "phoneticFamilyName"),
    "credential": ("honorificSuffix", "phoneticHonorificSuffix"),
}
_PLACE = {"surname2": "surname", "generation": "credential"}


def items_of(person: Mapping[str, Any], name: str) -> list[Item]:
    """The contact's own items of a list: not those of the profile of whoever it is."""
    found = person.get(name)
    if not isinstance(found, list):
        return []
    return [item for item in found if isinstance(item, dict) and _source(item) in ("", "CONTACT")]


def _source(item: Item) -> str:
    metadata = item.get("metadata")
    source = metadata.get("source") if isinstance(metadata, dict) else None
    return str(source.get("type", "")) if isinstance(source, dict) else ""


def source_of(person: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry of the contact itself in ``metadata.sources``: id, etag and updateTime; else empty."""
    metadata = person.get("metadata")
    sources = metadata.get("sources") if isinstance(metadata, dict) else None
    for source in sources or ():
        if isinstance(source, dict) and source.get("type") == "CONTACT":
            return source
    return {}


def client_data(person: Mapping[str, Any], key: str) -> str:
    return next(
        (text_of(item, "value") for item in items_of(person, "clientData") if item.get("key") == key), ""
    )


# ---- reading ---------------------------------------------------------------------------------------------


def read_person(person: Mapping[str, Any]) -> Contact:
    content: dict[str, Any] = {}
    for shape in SHAPES:
        if shape.name in person:
            entries = [e for item in items_of(person, shape.name) if (e := shape.read(item)) is not None]
            content[shape.field] = (*content.get(shape.field, ()), *entries)
    jobs = [_read_job(item) for item in items_of(person, "organizations")]
    return Contact(
        uid=client_data(person, UID_KEY) or str(source_of(person).get("id", "")),
        name=_read_name(person),
        organizations=tuple(job.organization for job in jobs if job.organization),
        titles=tuple(title for job in jobs for title in job.titles),
        media=tuple(_read_photos(person)),
        groups=frozenset(labels_of(person)),
        **content,
    )


def _read_name(person: Mapping[str, Any]) -> Name:
    item = next(iter(items_of(person, "names")), {})
    components = tuple(
        [
            NameComponent(kind, text, text_of(item, sound))
            for kind, (value, sound) in _NAME.items()
            if (text := text_of(item, value))
        ]
    )
    shown = text_of(item, "displayName") or text_of(item, "unstructuredName")
    return Name(components, shown or " ".join(component.value for component in components))


def labels_of(person: Mapping[str, Any]) -> Iterator[str]:
    """Hrefs of the person's own labels, and names of labels that are still to be made."""
    for item in items_of(person, "memberships"):
        group = item.get("contactGroupMembership")
        if isinstance(group, dict):
            name = text_of(group, "contactGroupResourceName") or text_of(group, "name")
            if name and name not in SYSTEM_LABELS:
                yield name


def photo_of(person: Mapping[str, Any]) -> Item | None:
    """The picture that the person has; a monogram is none."""
    found = [item for item in items_of(person, "photos") if not item.get("default")]
    return found[0] if found else None


def _read_photos(person: Mapping[str, Any]) -> Iterator[Media]:
    item = photo_of(person)
    if item is None:
        return
    if "data" in item:
        try:
            data = base64.b64decode(item["data"], validate=True)
        except ValueError as error:
            raise CodecError("The picture of this contact is damaged.") from error
        kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
        yield Media(media_type=kind, sha256=hashlib.sha256(data).hexdigest(), data=data)
    elif "sha256" in item:
        yield Media(media_type=item["kind"], sha256=item["sha256"])


# ---- writing ---------------------------------------------------------------------------------------------


def write_person(contact: Contact, original: Mapping[str, Any], *, with_photo: bool = True) -> Person:
    """``original`` with what differs in ``contact``; lists in which nothing does are the same objects.

    Without ``with_photo`` only the hash of a picture is written: for finding out what Google can show.
    """
    person = dict(original)
    for shape in SHAPES:
        entries = [e for e in getattr(contact, shape.field) if shape.takes(e)]
        if entries or shape.name in original:
            _put_list(person, shape.name, _written(shape, entries, items_of(original, shape.name)))
    _put_list(person, "names", _write_names(contact, items_of(original, "names")))
    _put_list(person, "organizations", _write_jobs(contact, items_of(original, "organizations")))
    _put_list(person, "memberships", _write_labels(contact.groups, items_of(original, "memberships")))
    _put_list(person, "photos", _write_photos(contact, original, with_photo))
    if not original and contact.uid:
        person["clientData"] = [{"key": UID_KEY, "value": contact.uid}]
    return person


def _put_list(person: Person, name: str, items: list[Item]) -> None:
    """Items of others (the profile) stay behind ours."""
    ours = items_of(person, name)
    if items == ours:
        return
    others = [item for item in person.get(name) or () if item not in ours]
    person[name] = [*items, *others]
    if not person[name]:
        del person[name]


def _written(shape: Shape, entries: Iterable[Any], items: list[Item]) -> list[Item]:
    """Kept items in their order, then new ones. Where the list is ``single``, the first entry has it."""
    if not items:
        new = [item for entry in entries if (item := shape.write(entry, {})) is not None]
        return new[:1] if shape.single else new
    old = [(item, shape.read(item)) for item in items]
    known = [entry for _, entry in old if entry is not None]
    fitting = [entry for entry in entries if shape.write(entry, {}) is not None]
    # an entry is not given up because it cannot be made anew: a birthday that is a text
    fitting = [e for e in entries if e in fitting or e in known][: 1 if shape.single else None]
    partners = dict(zip(pair(known, fitting), fitting, strict=True))
    found: list[Item] = []
    place = 0
    for item, entry in old:
        if entry is None:
            if not (shape.single and fitting):
                found.append(item)
            continue
        now = partners.get(place)
        place += 1
        if now is not None:
            changed = None if now == entry else shape.write(now, item)
            found.append(item if changed is None else _fresh(changed, item))
    made = (shape.write(entry, {}) for entry in _new(known, fitting))
    return found + [item for item in made if item is not None]


def _new(known: list[Any], wanted: list[Any]) -> list[Any]:
    return [entry for entry, partner in zip(wanted, pair(known, wanted), strict=True) if partner is None]


def _fresh(written: Item, item: Item) -> Item:
    """An item that was changed does not say any more what the server had made of it."""
    return written if written == item else {k: v for k, v in written.items() if k not in ADDED - {"metadata"}}


def _write_names(contact: Contact, items: list[Item]) -> list[Item]:
    """One name. A display name is Google's own; an organisation alone has no name there."""
    name = contact.name
    if items and _read_name({"names": items}) == name:
        return items
    old: Item = items[0] if items else {}
    parts: dict[str, str] = {}
    for kind, (value, sound) in _NAME.items():
        own = [c for c in name.components if _PLACE.get(c.kind, c.kind) == kind and tidy(c.value)]
        parts[value] = " ".join(tidy(c.value) for c in own)
        parts[sound] = " ".join(tidy(c.phonetic) for c in own if tidy(c.phonetic))
    if not any(parts.values()):
        return _write_whole_name(contact, items)
    written = put(old, **parts)
    if written == old:
        return items
    gone = {*ADDED_TO_NAMES, "unstructuredName"}
    return [{key: value for key, value in written.items() if key not in gone}]


def _write_whole_name(contact: Contact, items: list[Item]) -> list[Item]:
    full = tidy(contact.name.full)
    if not full or any(fold(full) == fold(tidy(one.name)) for one in contact.organizations):
        return []
    return [{"unstructuredName": full}]


def _write_labels(groups: frozenset[str], items: list[Item]) -> list[Item]:
    """Memberships of system groups, and of no group at all, are not ours to touch."""
    old = [(next(labels_of({"memberships": [item]}), ""), item) for item in items]
    kept = [item for name, item in old if not name or name in groups]
    new = sorted(groups - {name for name, _ in old} - SYSTEM_LABELS)
    key = {True: "contactGroupResourceName", False: "name"}
    return kept + [{"contactGroupMembership": {key[name.startswith(LABEL)]: name}} for name in new]


def _write_photos(contact: Contact, original: Mapping[str, Any], with_photo: bool) -> list[Item]:
    wanted = next((media for media in contact.media if media.kind == "photo" and media.sha256), None)
    have = next(_read_photos(original), None)
    items = items_of(original, "photos")
    if have and wanted and have.sha256 == wanted.sha256:
        return items
    if wanted is None:
        return items if have is None else [item for item in items if item.get("default")]
    kind = wanted.media_type if wanted.media_type == "image/png" else "image/jpeg"
    if not with_photo:
        return [{"sha256": wanted.sha256, "kind": kind}]
    if wanted.data is None:
        raise CodecError("The new picture of this contact is not here.")
    return [{"data": base64.b64encode(wanted.data).decode()}]


# ---- work ------------------------------------------------------------------------------------------------


class Job(NamedTuple):
    """An item of ``organizations``: up to three entries of two lists."""

    organization: Organization | None
    title: Title | None
    role: Title | None

    @property
    def titles(self) -> list[Title]:
        return [title for title in (self.title, self.role) if title]


def _read_job(item: Item) -> Job:
    name, unit, words = text_of(item, "name"), text_of(item, "department"), read_type(text_of(item, "type"))
    title, role = text_of(item, "title"), text_of(item, "jobDescription")
    return Job(
        Organization(name, (unit,) if unit else (), words.contexts, words.label) if name or unit else None,
        Title(title) if title else None,
        Title(role, "role") if role else None,
    )


def _write_jobs(contact: Contact, items: list[Item]) -> list[Item]:
    """Each entry stays in the item that it came from; a new title goes to the first job without one."""
    jobs = [_read_job(item) for item in items]
    wanted: dict[str, list[Any]] = {
        "organization": [o for o in contact.organizations if tidy(o.name) or any(map(tidy, o.units[:1]))],
        "title": [t for t in contact.titles if t.kind != "role" and tidy(t.name)],
        "role": [t for t in contact.titles if t.kind == "role" and tidy(t.name)],
    }
    found = list(items)
    for part, entries in wanted.items():
        places = [at for at, job in enumerate(jobs) if getattr(job, part) is not None]
        old = [getattr(jobs[at], part) for at in places]
        partners = pair(old, entries)
        for at, known in zip(places, old, strict=True):
            now = next((e for e, p in zip(entries, partners, strict=True) if p == places.index(at)), None)
            if now != known:
                found[at] = _write_job_part(found[at], part, now)
        for entry in (e for e, p in zip(entries, partners, strict=True) if p is None):
            _place_job_part(found, part, entry)
    return [item for item in found if set(item) - {"metadata", "type", "formattedType", "current"}]


def _write_job_part(item: Item, part: str, entry: Any) -> Item:
    if part != "organization":
        return put(
            item, **{"title" if part == "title" else "jobDescription": tidy(entry.name) if entry else ""}
        )
    if entry is None:
        return put(item, name="", department="")
    word, old = write_type(entry.contexts, entry.label, ["school"]), text_of(item, "type")
    unit = tidy(entry.units[0]) if entry.units else ""
    kept = old if old.casefold() == word.casefold() else word
    written = put(item, name=tidy(entry.name), department=unit, type=kept)
    return _fresh(written, item) if kept != old else written


def _place_job_part(found: list[Item], part: str, entry: Any) -> None:
    for at, item in enumerate(found):
        job = _read_job(item)
        if part != "organization" and getattr(job, part) is None:
            found[at] = _write_job_part(item, part, entry)
            return
    found.append(_write_job_part({}, part, entry))
