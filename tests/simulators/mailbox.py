"""The contacts of one mailbox, and every rule of Microsoft Graph v1.0 that is known (facts of microsoft.md,
sections 2 to 7). No HTTP here; what Graph refuses is a `Refused`.

Assumed, as nobody documents it: an unknown property is refused, so that our slips show; an address of which
not all members are sent keeps none of the others.
"""

from __future__ import annotations

import base64
import copy
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

TEXTS = frozenset(
    [
        "displayName",
        "givenName",
        "middleName",
        "surname",
        "title",
        "generation",
        "initials",
        "nickName",
        "yomiGivenName",
        "yomiSurname",
        "yomiCompanyName",
        "fileAs",
        "mobilePhone",
        "companyName",
        "department",
        "jobTitle",
        "officeLocation",
        "profession",
        "manager",
        "assistantName",
        "spouseName",
        "personalNotes",
        "businessHomePage",
    ]
)
MOST = {"emailAddresses": 3, "businessPhones": 2, "homePhones": 2, "imAddresses": 3}
LISTS = frozenset({"businessPhones", "homePhones", "imAddresses", "children", "categories"})
ADDRESSES = frozenset({"homeAddress", "businessAddress", "otherAddress"})
ADDRESS_PARTS = ("street", "city", "state", "postalCode", "countryOrRegion")
WRITABLE = TEXTS | LISTS | ADDRESSES | {"emailAddresses", "birthday"}
READABLE = WRITABLE | {"id", "changeKey", "createdDateTime", "lastModifiedDateTime", "parentFolderId"}
SLOTS = ("primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress")
EXTENDED = "singleValueExtendedProperties"
HAS_PICTURE = "Boolean {00062004-0000-0000-C000-000000000046} Id 0x8015"
_NAME_PARTS = ("givenName", "middleName", "surname")
_LISTED_NOTE = 256


class Refused(Exception):
    """An answer of Graph that is an error: HTTP status, code, and what it says."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


def not_found() -> Refused:
    return Refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def invalid(message: str, code: str = "ErrorInvalidProperty") -> Refused:
    return Refused(400, code, message)


@dataclass
class Folder:
    id: str
    name: str
    parent: str


@dataclass
class Item:
    """One contact; ``id`` is the immutable one, ``moving_id`` another at each move. ``by_hand``: it was made
    in Outlook, where what is not set is an empty text."""

    id: str
    moving_id: str
    folder: str
    key: int
    created: float
    modified: float
    values: Json = field(default_factory=dict)
    extended: dict[str, str] = field(default_factory=dict)
    photo: bytes | None = None
    by_hand: bool = False


@dataclass(frozen=True)
class Change:
    """``reason`` empty: the contact is there; else why it is not in this folder any more."""

    at: float
    folder: str
    item: str
    reason: str = ""


class Mailbox:
    """``clock`` gives seconds; a list of changes is ``lag`` of them behind. ``honours_etags`` says whether
    If-Match is looked at, which is not documented."""

    def __init__(self, clock: Callable[[], float], seed: int = 0) -> None:
        self.clock = clock
        self.lag = 0.0
        self.honours_etags = True
        self._chance = random.Random(seed)
        self.default = self._id("folder")
        self.folders: dict[str, Folder] = {self.default: Folder(self.default, "Contacts", "root")}
        self.items: dict[str, Item] = {}
        self.changes: list[Change] = []
        self._keys = 0

    # ---- folders -----------------------------------------------------------------------------------------

    def folder(self, name: str) -> Folder:
        """By its id; ``contacts`` is the default one."""
        found = self.folders.get(self.default if name == "contacts" else name)
        if found is None:
            raise Refused(404, "ErrorItemNotFound", "The specified folder could not be found in the store.")
        return found

    def below(self, parent: str) -> list[Folder]:
        """The default folder is in no list."""
        return [one for one in self.folders.values() if one.parent == parent and one.id != self.default]

    def make_folder(self, name: str, parent: str = "root") -> Folder:
        if any(one.name == name and one.parent == parent for one in self.folders.values()):
            raise Refused(409, "ErrorFolderExists", "A folder with the specified name already exists.")
        made = Folder(self._id("folder"), name, parent)
        self.folders[made.id] = made
        return made

    def delete_folder(self, name: str) -> None:
        gone = self.folder(name)
        for item in [one for one in self.items.values() if one.folder == gone.id]:
            self.delete(item)
        del self.folders[gone.id]

    # ---- contacts ----------------------------------------------------------------------------------------

    def item(self, name: str) -> Item:
        """By its immutable id, or the one that it has for now; letters count."""
        for one in self.items.values():
            if name in (one.id, one.moving_id):
                return one
        raise not_found()

    def within(self, folder: str) -> list[Item]:
        return [one for one in self.items.values() if one.folder == folder]

    def create(self, folder: str, body: Json, *, by_hand: bool = False, identity: str = "") -> Item:
        values, extended = self._checked(body)
        now = self.clock()
        identity = identity or self._id("item")
        made = Item(identity, self._id("rest"), self.folder(folder).id, 0, now, now, by_hand=by_hand)
        made.values = values
        self._extend(made, extended)
        if "displayName" not in values:
            made.values["displayName"] = _display_name(values)
        self.items[made.id] = made
        self._changed(made)
        return made

    def update(self, item: Item, body: Json, etag: str = "") -> Item:
        """What is not in the body stays; the display name is made anew with the name, unless it is sent."""
        self._precondition(item, etag)
        values, extended = self._checked(body)
        self._extend(item, extended)
        if extended and not values:
            item.key = self._next_key()
            return item  # another version, and no change that a list of changes would show
        item.values |= values
        if "displayName" not in values and any(part in values for part in _NAME_PARTS):
            item.values["displayName"] = _display_name(item.values)
        self._changed(item)
        return item

    def delete(self, item: Item, etag: str = "") -> None:
        self._precondition(item, etag)
        del self.items[item.id]
        self.changes.append(Change(self.clock(), item.folder, item.id, "deleted"))

    def move(self, item: Item, folder: str) -> Item:
        """In Outlook: another id for those who do not ask for the immutable one."""
        self.changes.append(Change(self.clock(), item.folder, item.id, "changed"))
        item.folder, item.moving_id = self.folder(folder).id, self._id("rest")
        self._changed(item)
        return item

    def extend(self, item: Item, **extended: str | None) -> None:
        """Somebody edits extended properties by another program."""
        self._extend(item, extended)
        item.key = self._next_key()

    @staticmethod
    def _extend(item: Item, extended: Mapping[str, str | None]) -> None:
        """Nothing is what clears one (assumed)."""
        item.extended |= {name: value for name, value in extended.items() if value is not None}
        for name in [name for name, value in extended.items() if value is None]:
            item.extended.pop(name, None)

    def set_photo(self, item: Item, data: bytes | None) -> None:
        """A list of changes does not show it."""
        item.photo = data
        self._extend(item, {HAS_PICTURE: "true" if data else None})
        item.key = self._next_key()

    def touch(self, item: Item) -> None:
        """The server does something to it by itself: another version, and nothing else."""
        self._changed(item)

    def _precondition(self, item: Item, etag: str) -> None:
        if etag and self.honours_etags and etag != etag_of(item):
            raise Refused(
                412,
                "ErrorIrresolvableConflict",
                "The send or update operation could not be performed because the change key passed in the "
                "request does not match the current change key for the item.",
            )

    def _changed(self, item: Item) -> None:
        item.key, item.modified = self._next_key(), self.clock()
        self.changes.append(Change(self.clock(), item.folder, item.id))

    @property
    def versions(self) -> int:
        """How many all contacts had so far."""
        return self._keys

    def _next_key(self) -> int:
        self._keys += 1
        return self._keys

    def _id(self, kind: str) -> str:
        return base64.urlsafe_b64encode(f"{kind}-".encode() + self._chance.randbytes(24)).decode()

    # ---- what is taken -----------------------------------------------------------------------------------

    def _checked(self, body: Json) -> tuple[Json, dict[str, str | None]]:
        if not isinstance(body, dict):
            raise invalid("The request body is not an object.", "RequestBodyRead")
        values: Json = {}
        for name, value in body.items():
            if name.startswith("@odata.") or name == EXTENDED:
                continue
            if name not in WRITABLE:
                message = f"The property '{name}' does not exist on type 'microsoft.graph.contact'."
                raise invalid(message, "RequestBodyRead")
            values[name] = self._value(name, value)
        return values, _extended(body.get(EXTENDED, []))

    def _value(self, name: str, value: Any) -> Any:
        if name in MOST and isinstance(value, list) and len(value) > MOST[name]:
            word = name[:1].upper() + name[1:]
            raise invalid(
                f"The multi value property {word} has {len(value)} entries, that exceeds the max allowed "
                f"value of {MOST[name]}"
            )
        if name == "birthday" and value is not None:
            # it comes back a minute before noon of that day
            return f"{datetime.fromisoformat(str(value)).date()}T11:59:00Z"
        kinds = {**dict.fromkeys(TEXTS, str), **dict.fromkeys(LISTS, list), **dict.fromkeys(ADDRESSES, dict)}
        kind = list if name == "emailAddresses" else kinds.get(name, str)
        if value is not None and not isinstance(value, kind):
            raise invalid(f"Cannot convert the value of '{name}'.", "RequestBodyRead")
        if name in ADDRESSES:
            return {part: value[part] for part in ADDRESS_PARTS if value and value.get(part)}
        if name == "emailAddresses":
            return [_email(one) for one in value or []]
        return (value or []) if name in LISTS else value

    # ---- what a reader sees ------------------------------------------------------------------------------

    def settled(self) -> int:
        """How many changes a list of them has seen."""
        until = self.clock() - self.lag
        return sum(change.at <= until for change in self.changes)

    def shown(self, item: Item, select: Iterable[str] = (), *, listed: bool = False) -> Json:
        """A contact as an answer has it; in a list a note may be cut (an observed defect)."""
        empty = "" if item.by_hand else None
        whole: Json = dict.fromkeys(sorted(TEXTS), empty)
        whole |= {name: [] for name in sorted(LISTS)} | {name: {} for name in sorted(ADDRESSES)}
        whole |= {"birthday": None, "emailAddresses": []}
        whole |= {name: copy.deepcopy(value) for name, value in item.values.items() if value is not None}
        note = whole["personalNotes"]
        if listed and note and note.startswith("\n"):
            whole["personalNotes"] = note.replace("\n", "")[:_LISTED_NOTE]
        whole |= dict(zip(SLOTS, whole["emailAddresses"], strict=False))
        whole |= {"changeKey": key_of(item), "parentFolderId": item.folder}
        whole["createdDateTime"], whole["lastModifiedDateTime"] = _stamp(item.created), _stamp(item.modified)
        wanted = set(select)
        kept = {name: value for name, value in whole.items() if not wanted or name in wanted}
        return {"@odata.etag": etag_of(item), **kept}


def etag_of(item: Item) -> str:
    return f'W/"{key_of(item)}"'


def key_of(item: Item) -> str:
    return base64.b64encode(f"EQAA{item.key:08d}".encode()).decode()


def _email(one: Any) -> Json:
    """The address is not there on reading when it ends in a comma (an observed defect)."""
    if not isinstance(one, Mapping):
        raise invalid("Cannot convert the value of 'emailAddresses'.", "RequestBodyRead")
    address = str(one.get("address") or "")
    found: Json = {} if address.endswith(",") else {"address": address}
    return {**found, "name": one.get("name") or address}


def _extended(rows: Any) -> dict[str, str | None]:
    if not isinstance(rows, list) or any(set(row) != {"id", "value"} for row in rows):
        raise invalid(f"The value of '{EXTENDED}' is not a list of id and value.", "RequestBodyRead")
    return {str(row["id"]): None if row["value"] is None else str(row["value"]) for row in rows}


def _display_name(values: Json) -> str:
    return " ".join(values[part] for part in _NAME_PARTS if values.get(part))


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
