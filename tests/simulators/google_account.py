"""One Google account: contacts and labels, and every rule of the People API that is known (facts of
google.md, sections 2 to 6). No HTTP here; what the API refuses is a `Refused`.

Assumed, as nobody documents it: an update without a change gives a new etag (``etag_on_noop``); a batch is
carried out whole or not at all.
"""

from __future__ import annotations

import base64
import copy
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

_READABLE = (
    "addresses ageRanges biographies birthdays calendarUrls clientData coverPhotos emailAddresses events "
    "externalIds genders imClients interests locales locations memberships metadata miscKeywords names "
    "nicknames occupations organizations phoneNumbers photos relations sipAddresses skills urls userDefined"
)
READ_MASK = frozenset(_READABLE.split())
UPDATE_MASK = READ_MASK - {"ageRanges", "coverPhotos", "metadata", "photos", "skills"}
SINGLE = frozenset({"names", "birthdays", "biographies", "genders"})
GROUP_MASK = frozenset({"clientData", "groupType", "memberCount", "metadata", "name"})
SYSTEM_GROUPS = ("starred", "friends", "family", "coworkers", "myContacts", "chatBuddies", "all", "blocked")
MODIFIABLE = ("contactGroups/myContacts", "contactGroups/starred")
MOST_FIELDS, MOST_BYTES, MOST_CHARACTERS, MOST_CONTACTS = 500, 128 * 1024, 1024, 25_000
_ITEM_KEYS: dict[str, frozenset[str]] = {
    name: frozenset(keys.split())
    for name, keys in {
        "names": "givenName middleName familyName honorificPrefix honorificSuffix phoneticFullName "
        "phoneticGivenName phoneticMiddleName phoneticFamilyName phoneticHonorificPrefix "
        "phoneticHonorificSuffix unstructuredName displayName displayNameLastFirst",
        "nicknames": "value type",
        "emailAddresses": "value type displayName formattedType",
        "phoneNumbers": "value type canonicalForm formattedType",
        "addresses": "streetAddress extendedAddress poBox city region postalCode country countryCode "
        "formattedValue type formattedType",
        "organizations": "name title department jobDescription location domain symbol phoneticName "
        "costCenter fullTimeEquivalentMillipercent current startDate endDate type formattedType",
        "occupations": "value",
        "birthdays": "date text",
        "events": "date type formattedType",
        "biographies": "value contentType",
        "genders": "value addressMeAs formattedValue",
        "imClients": "username protocol type formattedProtocol formattedType",
        "urls": "value type formattedType",
        "relations": "person type formattedType",
        "sipAddresses": "value type formattedType",
        "calendarUrls": "url type formattedType",
        "externalIds": "value type formattedType",
        "userDefined": "key value",
        "clientData": "key value",
        "interests": "value",
        "locales": "value",
        "locations": "value type buildingId deskCode floor floorSection current",
        "miscKeywords": "value type formattedType",
        "memberships": "contactGroupMembership domainMembership",
    }.items()
}
_PERSON_KEYS = READ_MASK | {"resourceName", "etag", "metadata"}


class Refused(Exception):
    """An answer of the API that is an error: HTTP status, its name, and what it says."""

    def __init__(self, code: int, status: str, message: str, reason: str = "", **details: Any) -> None:
        super().__init__(message)
        self.code, self.status, self.message, self.reason, self.details = (
            code,
            status,
            message,
            reason,
            details,
        )


def invalid(message: str = "Request contains an invalid argument.", **details: Any) -> Refused:
    return Refused(400, "INVALID_ARGUMENT", message, **details)


def not_found() -> Refused:
    return Refused(404, "NOT_FOUND", "Requested entity was not found.")


@dataclass
class Contact:
    """One contact as it is now; ``fields`` are its lists without what the server adds on reading, and
    ``unknown`` is what a later version of the API may tell."""

    id: str
    resource_name: str
    fields: dict[str, list[Json]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    photo: bytes | None = None
    photo_version: int = 0
    etag: bytes = b""
    deleted: bool = False
    previous: list[str] = field(default_factory=list)
    unknown: Json = field(default_factory=dict)


@dataclass
class Group:
    id: str
    name: str
    client_data: list[Json] = field(default_factory=list)
    etag: str = ""

    @property
    def resource_name(self) -> str:
        return f"contactGroups/{self.id}"

    @property
    def is_system(self) -> bool:
        return self.id in SYSTEM_GROUPS


@dataclass
class _Change:
    """``before`` is what a lagging replica shows until the change has reached it."""

    at: float
    contact_id: str
    before: Contact | None


class Account:
    """``clock`` gives seconds; ``lag`` is how many of them a listing is behind; the next ``stale_gets``
    direct reads come from a replica that lacks the last change of their contact."""

    def __init__(self, clock: Callable[[], float], seed: int = 0) -> None:
        self.clock = clock
        self.lag = 0.0
        self.stale_gets = 0
        self.token_life = 7 * 86400.0
        self.etag_on_noop = True
        self.contacts: dict[str, Contact] = {}
        self.groups: dict[str, Group] = {name: Group(name, name) for name in SYSTEM_GROUPS}
        self.changes: list[_Change] = []
        self.recompress: Callable[[bytes], bytes] = lambda data: data[:2] + b"recompressed" + data[-40:]
        self._chance = random.Random(seed)

    # ---- contacts --------------------------------------------------------------------------------------

    def contact(self, resource_name: str) -> Contact:
        """By its present name or a former one; raises `Refused` (404)."""
        for one in self.contacts.values():
            if not one.deleted and resource_name in (one.resource_name, *one.previous):
                return one
        raise not_found()

    def alive(self) -> list[Contact]:
        return [one for one in self.contacts.values() if not one.deleted]

    def create(self, person: Json, identity: str = "") -> Contact:
        if len(self.contacts) >= MOST_CONTACTS:
            raise Refused(400, "FAILED_PRECONDITION", "MY_CONTACTS_OVERFLOW_COUNT")
        fields, groups = self._content(person, UPDATE_MASK)
        identity = identity or f"{self._chance.getrandbits(63):016x}"
        made = Contact(identity, f"people/c{int(identity, 16)}", fields)
        made.groups = groups or {"contactGroups/myContacts"}
        self.contacts[identity] = made
        self._changed(made, None)
        return made

    def update(self, resource_name: str, person: Json, mask: Iterable[str]) -> Contact:
        """Section 5: each list of the mask is replaced as a whole, and cleared where the body has none."""
        mask = set(mask)
        if not mask or mask - UPDATE_MASK:
            raise invalid(field_violations=sorted(mask - UPDATE_MASK) or ["updatePersonFields"])
        one = self.contact(resource_name)
        sources = person.get("metadata", {}).get("sources", [])
        if not any(s.get("type") == "CONTACT" and s.get("id") == one.id for s in sources):
            raise invalid("person.metadata.sources is missing the contact source")
        if _source_part(person.get("etag", "")) != one.etag:
            raise Refused(
                400,
                "FAILED_PRECONDITION",
                "Request person.etag is different than the current person.etag. Clear local cache and get "
                "the latest person.",
            )
        fields, groups = self._content(person, mask)
        if "memberships" in mask and not groups:
            raise invalid("A contact must be in at least one contact group.")
        before = copy.deepcopy(one)
        for name in mask - {"memberships"}:
            one.fields.pop(name, None)
            if fields.get(name):
                one.fields[name] = fields[name]
        if "memberships" in mask:
            one.groups = groups | ({"contactGroups/myContacts"} & one.groups)
        if self.etag_on_noop or before != one:
            self._changed(one, before)
        return one

    def delete(self, resource_name: str) -> None:
        one = self.contact(resource_name)
        before = copy.deepcopy(one)
        one.deleted = True
        self._changed(one, before)

    def set_photo(self, resource_name: str, data: bytes | None) -> Contact:
        """What comes back is another picture: Google recompresses (assumed)."""
        if data is not None and not data.startswith((b"\xff\xd8", b"\x89PNG")):
            raise invalid("Photo must be JPEG or PNG.")
        one = self.contact(resource_name)
        before = copy.deepcopy(one)
        one.photo = None if data is None else self.recompress(data)
        one.photo_version += 1
        self._changed(one, before)
        return one

    def _changed(self, one: Contact, before: Contact | None) -> None:
        one.etag = self._chance.randbytes(8)
        self.changes.append(_Change(self.clock(), one.id, before))

    def _content(self, person: Json, mask: Iterable[str]) -> tuple[dict[str, list[Json]], set[str]]:
        """The writable lists of a body, checked, and the labels in it."""
        if set(person) - _PERSON_KEYS:
            raise invalid(f"Unknown name {sorted(set(person) - _PERSON_KEYS)[0]!r} at 'person'")
        fields: dict[str, list[Json]] = {}
        groups: set[str] = set()
        for name in sorted(set(mask) & set(person)):
            items = [self._item(name, item) for item in person[name]]
            if name == "memberships":
                groups = {item["contactGroupMembership"]["contactGroupResourceName"] for item in items}
                for group in groups:
                    self.group(group)
                continue
            if name in SINGLE and len(items) > 1:
                raise invalid(f"Cannot have more than one person.{name} per source.")
            if items:
                fields[name] = items
        self._within_limits(fields)
        return fields, groups

    def _item(self, name: str, item: Json) -> Json:
        unknown = set(item) - _ITEM_KEYS.get(name, frozenset()) - {"metadata"}
        if unknown:
            raise invalid(f"Unknown name {sorted(unknown)[0]!r} at 'person.{name}[0]'")
        kept = {key: value for key, value in item.items() if key not in _ADDED and key != "metadata"}
        return _compact(_parsed_name(kept) if name == "names" else kept)

    def _within_limits(self, fields: dict[str, list[Json]]) -> None:
        if sum(map(len, fields.values())) > MOST_FIELDS:
            raise invalid("Too many fields in the contact.")
        if len(str(fields).encode()) > MOST_BYTES:
            raise invalid("The contact is too large.")
        texts = (value for items in fields.values() for item in items for value in item.values())
        if any(isinstance(value, str) and len(value) > MOST_CHARACTERS for value in texts):
            raise invalid("A field of the contact is too long.")

    # ---- labels ----------------------------------------------------------------------------------------

    def group(self, resource_name: str) -> Group:
        found = self.groups.get(resource_name.removeprefix("contactGroups/"))
        if found is None:
            raise not_found()
        return found

    def create_group(self, name: str, client_data: list[Json] | None = None) -> Group:
        self._free_name(name)
        made = Group(f"{self._chance.getrandbits(48):x}", name, client_data or [])
        self.groups[made.id] = made
        self._group_changed(made)
        return made

    def update_group(self, resource_name: str, group: Json, mask: Iterable[str]) -> Group:
        one = self._own_group(resource_name)
        if group.get("etag", one.etag) != one.etag:
            raise Refused(400, "FAILED_PRECONDITION", "Request contactGroup.etag is different.")
        if "name" in mask:
            if group.get("name", "") != one.name:
                self._free_name(group.get("name", ""))
            one.name = group["name"]
        if "clientData" in mask:
            one.client_data = group.get("clientData", [])
        self._group_changed(one)
        return one

    def delete_group(self, resource_name: str, *, with_contacts: bool = False) -> None:
        one = self._own_group(resource_name)
        for contact in self.alive():
            if one.resource_name in contact.groups:
                if with_contacts:
                    self.delete(contact.resource_name)
                    continue
                before = copy.deepcopy(contact)
                contact.groups.discard(one.resource_name)
                self._changed(contact, before)
        del self.groups[one.id]

    def modify_members(self, group: str, add: list[str], remove: list[str]) -> Json:
        """Adding goes to labels of the person's own, myContacts and starred only."""
        one = self.group(group)
        if len(add) + len(remove) > 1000:
            raise invalid("Too many resource names.")
        if add and one.is_system and one.resource_name not in MODIFIABLE:
            raise invalid("Contacts cannot be added to this group.")
        missing, kept = [], []
        for name in (*add, *remove):
            try:
                contact = self.contact(name)
            except Refused:
                missing.append(name)
                continue
            groups = (
                contact.groups | {one.resource_name} if name in add else contact.groups - {one.resource_name}
            )
            if not groups:
                kept.append(name)
            elif groups != contact.groups:
                before = copy.deepcopy(contact)
                contact.groups = groups
                self._changed(contact, before)
        return _compact({"notFoundResourceNames": missing, "canNotRemoveLastContactGroupResourceNames": kept})

    def members(self, group: Group) -> list[str]:
        return [one.resource_name for one in self.alive() if group.resource_name in one.groups]

    def _own_group(self, resource_name: str) -> Group:
        one = self.group(resource_name)
        if one.is_system:
            raise invalid("System contact groups cannot be changed.")
        return one

    def _free_name(self, name: str) -> None:
        if not name:
            raise invalid("contactGroup.name is missing")
        if any(group.name.casefold() == name.casefold() for group in self.groups.values()):
            raise Refused(409, "ALREADY_EXISTS", "Contact group name already exists.")

    def _group_changed(self, group: Group) -> None:
        group.etag = base64.b64encode(self._chance.randbytes(8)).decode()

    # ---- what a reader sees ------------------------------------------------------------------------------

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """Nothing comes of age within one request: what a list shows and its place belong together."""
        clock, now = self.clock, self.clock()
        self.clock = lambda: now
        try:
            yield
        finally:
            self.clock = clock

    def listed(self) -> dict[str, Contact]:
        """All contacts as a listing shows them now: without what happened within the lag."""
        seen = dict(self.contacts)
        for change in reversed(self.changes):
            if change.at <= self.clock() - self.lag:
                break
            if change.before is None:
                seen.pop(change.contact_id, None)
            else:
                seen[change.contact_id] = change.before
        return seen

    def settled(self) -> int:
        """How many changes a listing has seen."""
        return sum(change.at <= self.clock() - self.lag for change in self.changes)

    def read(self, resource_name: str) -> Contact:
        """A direct read; it may meet a replica that lags."""
        one = self.contact(resource_name)
        if self.stale_gets > 0:
            self.stale_gets -= 1
            for change in reversed(self.changes):
                if change.contact_id == one.id and change.before is not None:
                    return change.before
        return one

    def person(self, one: Contact, mask: Iterable[str], photo_root: str) -> Json:
        """Section 5, what comes back: only the fields of the mask, with what the server adds."""
        mask = set(mask)
        source = {"type": "CONTACT", "id": one.id}
        found: Json = {"resourceName": one.resource_name, "etag": person_etag(one.etag, mask), **one.unknown}
        own = {**source, "etag": f"#{base64.b64encode(one.etag).decode()}", "updateTime": self._stamp(one)}
        metadata: Json = {"sources": [own], "objectType": "PERSON"}
        if one.deleted:
            own["updateTime"] = "1970-01-01T00:00:00Z"
            return {**found, "metadata": {**metadata, "deleted": True}}
        if "metadata" in mask:
            found["metadata"] = metadata
        for name in sorted(mask & set(one.fields)):
            items = [self._shown(name, item) for item in one.fields[name]]
            for at, item in enumerate(items):
                item["metadata"] = {**({"primary": True} if not at else {}), "source": source}
            found[name] = items
        if "memberships" in mask:
            found["memberships"] = [self._membership(group, source) for group in sorted(one.groups)]
        if "photos" in mask:
            url = f"{photo_root}/photo/{one.id}-{one.photo_version}=s100"
            default = {"default": True} if one.photo is None else {}
            found["photos"] = [{"metadata": {"primary": True, "source": source}, "url": url, **default}]
        return found

    def changed_at(self, one: Contact) -> int:
        """Its place in the order of all changes."""
        return max((at for at, change in enumerate(self.changes) if change.contact_id == one.id), default=0)

    def _stamp(self, one: Contact) -> str:
        at = max((c.at for c in self.changes if c.contact_id == one.id), default=0.0)
        return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")

    def _membership(self, group: str, source: Json) -> Json:
        names = {"contactGroupId": group.partition("/")[2], "contactGroupResourceName": group}
        return {"metadata": {"source": source}, "contactGroupMembership": names}

    def _shown(self, name: str, item: Json) -> Json:
        shown = copy.deepcopy(item)
        if name == "names":
            shown |= _display_names(item)
        if item.get("type") and name not in ("nicknames", "miscKeywords"):
            shown["formattedType"] = item["type"][:1].upper() + item["type"][1:]
        if name == "nicknames" and item.get("type") == "DEFAULT":
            shown.pop("type")
        if name == "biographies":
            shown.setdefault("contentType", "TEXT_PLAIN")
        if name == "addresses":
            parts = ("streetAddress", "extendedAddress", "poBox", "city", "region", "postalCode", "country")
            shown["formattedValue"] = "\n".join(item[part] for part in parts if part in item)
        if name == "phoneNumbers" and item.get("value", "").startswith("+"):
            shown["canonicalForm"] = "+" + "".join(char for char in item["value"] if char.isdigit())
        return shown

    # ---- a person at the web page ------------------------------------------------------------------------

    def merge(self, survivor: str, other: str) -> None:
        """Merge duplicates: the survivor has the values of both, the other one is gone."""
        one, gone = self.contact(survivor), self.contact(other)
        before = copy.deepcopy(one)
        for name, items in gone.fields.items():
            have = one.fields.setdefault(name, [])
            have += [item for item in items if item not in have and not (name in SINGLE and have)]
        one.groups |= gone.groups
        self.delete(other)
        self._changed(one, before)

    def restore(self, contact_id: str) -> Contact:
        one = self.contacts[contact_id]
        before = copy.deepcopy(one)
        one.deleted = False
        self._changed(one, before)
        return one

    def link_profile(self, resource_name: str) -> Contact:
        """The contact gets another name, as when an address in it belongs to a Google profile."""
        one = self.contact(resource_name)
        before = copy.deepcopy(one)
        one.previous.append(one.resource_name)
        one.resource_name = f"people/{self._chance.getrandbits(66)}"
        self._changed(one, before)
        return one

    def edit(self, resource_name: str, **fields: list[Json]) -> Contact:
        """The person changes some lists there."""
        one = self.contact(resource_name)
        before = copy.deepcopy(one)
        for name, items in fields.items():
            one.fields.pop(name, None)
            if items:
                one.fields[name] = [_compact(item) for item in items]
        self._changed(one, before)
        return one


_ADDED = frozenset(
    {"displayNameLastFirst", "formattedType", "formattedProtocol", "canonicalForm", "formattedValue"}
)


def _display_names(item: Json) -> Json:
    order = ("honorificPrefix", "givenName", "middleName", "familyName", "honorificSuffix")
    shown = " ".join(item[part] for part in order if part in item)
    before = " ".join(item[part] for part in ("honorificPrefix", "givenName", "middleName") if part in item)
    last = ", ".join(part for part in (item.get("familyName"), before, item.get("honorificSuffix")) if part)
    return {"displayName": shown, "displayNameLastFirst": last, "unstructuredName": shown}


def _parsed_name(item: Json) -> Json:
    """A whole name becomes parts: the last word is the family's (assumed)."""
    whole = item.get("unstructuredName", "")
    if not whole or any(
        key.endswith(("Name", "Prefix", "Suffix")) for key in item if key != "unstructuredName"
    ):
        return {key: value for key, value in item.items() if key != "unstructuredName"}
    given, _, family = whole.rpartition(" ")
    return {"givenName": given, "familyName": family} if given else {"givenName": family}


def _compact(value: Any) -> Any:
    """Empty strings, zeros and false are left out of an answer."""
    if isinstance(value, dict):
        return {
            key: part for key, one in value.items() if (part := _compact(one)) not in ("", 0, False, [], {})
        }
    return [_compact(one) for one in value] if isinstance(value, list) else value


def person_etag(source: bytes, mask: Iterable[str]) -> str:
    """``%`` and a message: the ids of the fields asked for (2), of the sources (3), the source's etag (4)."""
    ids = bytes(sorted(1 + sorted(READ_MASK).index(name) for name in mask))
    text = base64.b64encode(source)
    parts = ((0x12, ids), (0x1A, b"\x01\x02\x05\x07"), (0x22, text))
    return "%" + base64.b64encode(b"".join(bytes([tag, len(part)]) + part for tag, part in parts)).decode()


def _source_part(etag: str) -> bytes:
    """Part 4 of a person's etag; empty for what is none."""
    try:
        data = base64.b64decode(etag.removeprefix("%"), validate=True)
        at = 0
        while at < len(data):
            tag, size = data[at], data[at + 1]
            if tag == 0x22:
                return base64.b64decode(data[at + 2 : at + 2 + size], validate=True)
            at += 2 + size
    except (ValueError, IndexError):
        pass
    return b""
