"""A card read into a contact, with the lines that each entry came from."""

from __future__ import annotations

import functools
from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from contactsync.errors import CodecError
from contactsync.model.contact import Contact, Extra, Name, NameComponent
from contactsync.vcard import values
from contactsync.vcard.dialects import KIND_NAMES, NO_CONTENT, PHONETIC, Row
from contactsync.vcard.heads import Head
from contactsync.vcard.lines import Line, parse_lines, to_utf8
from contactsync.vcard.shapes import SHAPES, Side, label_of
from contactsync.vcard.values import tidy

# The parts of N in their order (RFC 6350 section 6.2.2, RFC 9554 section 2.2), and the order of people.
NAME_PARTS = ("surname", "given", "given2", "title", "credential", "surname2", "generation")
NAME_ORDER = ("title", "given", "given2", "surname", "surname2", "generation", "credential")
LABELLED = frozenset(
    (
        "emails",
        "phones",
        "addresses",
        "organizations",
        "online_services",
        "links",
        "anniversaries",
        "related_to",
    )
)
LONGEST_KEPT = 2**15  # no photos
DERIVED = ("DERIVED", "X-DERIVED")
# Where a part of RFC 9554 is written again, for readers that know five parts only.
COPIES = {"surname": "surname2", "credential": "generation"}
# What a contact has once, under the name by which it is found.
_ONCE = {name: name for name in ("N", "FN", "SORT-STRING", *PHONETIC)} | dict.fromkeys(KIND_NAMES, "KIND")
_HELPERS = frozenset({"X-ABLABEL", "X-ABADR"})
_SAY_MORE = frozenset({*_HELPERS, "LABEL"})
_READERS = {field: reader for field, (reader, _) in SHAPES.items()}
_NO_ROW = Row("", "extra")
_NO_HELPERS: dict[str, int] = {}
_ALONE = Side()


class Slot(NamedTuple):
    """An entry and where it stands: line number, place in a comma list (-1: the whole line)."""

    entry: Any
    line: int
    element: int
    row: Row


class Card:
    """The lines of a card and what they mean."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        data, self.wide = to_utf8(payload)
        self.lines = parse_lines(data)
        self.names = [line.head.upper for line in self.lines]
        self.begin, self.end = self._bounds()
        self.version = self._version()
        self.singles: dict[str, int] = {}
        self._entries: dict[str, list[Any]] = defaultdict(list)
        self._places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.helpers: dict[int, dict[str, int]] = {}
        self.shared: dict[int, int] = defaultdict(int)
        self.members: dict[str, int] = defaultdict(int)
        self.categories: list[tuple[int, list[str]]] = []
        self._helper_places: list[int] = []
        self._groups: dict[str, dict[str, int]] = {}
        self._deliveries: dict[int, int] = {}
        self._read_helpers()
        self.contact = self._read()

    def slots(self, field: str) -> list[Slot]:
        """The entries of a field, and where they stand."""
        rows = [self.lines[line].head.row or _NO_ROW for line, _ in self._places[field]]
        found = zip(self._entries[field], self._places[field], rows, strict=True)
        return [Slot(entry, line, element, row) for entry, (line, element), row in found]

    def _bounds(self) -> tuple[int, int]:
        """Places of BEGIN and END; exactly one card is required, text around it is tolerated."""
        begins, ends = self._marks("BEGIN"), self._marks("END")
        if not begins:
            raise CodecError("There is no BEGIN:VCARD.", hint="This is not a contact card.")
        if not ends or ends[0] < begins[0]:
            raise CodecError("There is no END:VCARD.", hint="The card may have been cut off.")
        if len(begins) > 1 or len(ends) > 1:
            raise CodecError("There is more than one card where one is expected.")
        return begins[0], ends[0]

    def _marks(self, name: str) -> list[int]:
        places: list[int] = []
        at = -1
        for _ in range(self.names.count(name)):
            at = self.names.index(name, at + 1)
            if self.lines[at].value.strip().upper() == "VCARD":
                places.append(at)
        return places

    def _version(self) -> str:
        if "VERSION" not in self.names:
            return "3.0"
        text = self.lines[self.names.index("VERSION")].value.strip()
        return "2.1" if text.startswith("2") else "4.0" if text.startswith("4") else "3.0"

    def _read(self) -> Contact:
        deliveries = set(self._deliveries.values())
        opaque: list[int] = []
        for index, line in enumerate(self.lines[self.begin + 1 : self.end], self.begin + 1):
            head = line.head
            name = head.upper
            if head.row is not None:
                if index not in deliveries and not self._entry(index, line, head, head.row):
                    opaque.append(index)
            elif name in _ONCE:
                if not self._single(_ONCE[name], index, line):
                    opaque.append(index)
            elif name in NO_CONTENT:
                self.singles.setdefault(name, index)
            elif name == "CATEGORIES":
                names = [tidy(text) for text in values.list_of(line, self.version)]
                self.categories.append((index, names))
            elif name and name not in _HELPERS:
                opaque.append(index)
        return self._build([*opaque, *self._orphans()])

    def _single(self, key: str, index: int, line: Line) -> bool:
        """The first line of a property that a contact has once; readings beside N are no content yet."""
        if key in self.singles or (key == "N" and line.param("PHONETIC")):
            return False
        self.singles[key] = index
        return True

    def _read_helpers(self) -> None:
        """Lines that say something about another one: by group, and LABEL by ADR."""
        if _SAY_MORE.isdisjoint(self.names):
            return
        addresses: list[int] = []
        labels: list[int] = []
        for index, name in enumerate(self.names[self.begin + 1 : self.end], self.begin + 1):
            if name in _HELPERS:
                self._helper_places.append(index)
                if group := self.lines[index].group.lower():
                    self._groups.setdefault(group, {}).setdefault(name, index)
            elif name == "ADR":
                addresses.append(index)
            elif name == "LABEL":
                labels.append(index)
        if labels:
            self._deliveries = self._paired_labels(addresses, labels)

    def _paired_labels(self, addresses: list[int], labels: list[int]) -> dict[int, int]:
        """LABEL belongs to the ADR of its group, else to the next one of the same TYPE (RFC 2426 3.2.2)."""
        by_group: dict[str, list[int]] = defaultdict(list)
        by_type: dict[frozenset[str], list[int]] = defaultdict(list)
        for address in reversed(addresses):
            by_group[self.lines[address].group.lower()].append(address)
            by_type[_address_type(self.lines[address])].append(address)
        pairs: dict[int, int] = {}
        for label in labels:
            line = self.lines[label]
            waiting = by_group[line.group.lower()] if line.group else by_type[_address_type(line)]
            while waiting and waiting[-1] in pairs:
                waiting.pop()
            if waiting:
                pairs[waiting.pop()] = label
        return pairs

    def _entry(self, index: int, line: Line, head: Head, row: Row) -> bool:
        """Read one modelled line; False where it cannot be understood."""
        group = head.group
        helpers = self._helpers_of(index, group.lower(), row) if group or self._deliveries else _NO_HELPERS
        side = self._side(helpers) if helpers else _ALONE
        try:
            entries = _READERS[row.field](line, row, self.version, side)
        except (ValueError, UnicodeError):
            return False
        if row.field == "nicknames":
            self._entries[row.field] += [entry for entry in entries if entry is not None]
            self._places[row.field] += [(index, at) for at, entry in enumerate(entries) if entry is not None]
        elif entries:
            self._entries[row.field] += entries
            self._places[row.field].append((index, -1))
        if group and entries:
            self.members[group.lower()] += 1
        if helpers:
            self.helpers[index] = helpers
            for helper in helpers.values():
                self.shared[helper] += 1
        return True

    def _helpers_of(self, index: int, group: str, row: Row) -> dict[str, int]:
        found: dict[str, int] = {}
        in_group = self._groups.get(group, _NO_HELPERS)
        if "X-ABLABEL" in in_group and row.field in LABELLED:
            found["X-ABLABEL"] = in_group["X-ABLABEL"]
        if "X-ABADR" in in_group and row.name == "ADR":
            country = self.lines[in_group["X-ABADR"]].value.strip()
            if len(country) == 2 and country.isalpha() and country.isascii():
                found["X-ABADR"] = in_group["X-ABADR"]
        if index in self._deliveries:
            found["LABEL"] = self._deliveries[index]
        return found

    def _side(self, helpers: dict[str, int]) -> Side:
        texts = {name: values.text_of(self.lines[at], self.version) for name, at in helpers.items()}
        return Side(
            label_of(texts.get("X-ABLABEL", "")),
            texts.get("X-ABADR", ""),
            values.loose(texts.get("LABEL", "")),
        )

    def _orphans(self) -> list[int]:
        """Helper lines that no entry uses are kept as they are."""
        return [index for index in self._helper_places if index not in self.shared]

    def _lone_readings(self) -> list[int]:
        """Readings of a name part that is not there; they stay lines of their own."""
        if PHONETIC.keys().isdisjoint(self.singles):
            return []
        found = [name for name in PHONETIC if name in self.singles]
        lists = self._name_lists(self.lines[self.singles["N"]]) if "N" in self.singles else {}
        return [self.singles.pop(name) for name in found if not lists.get(PHONETIC[name])]

    def _build(self, opaque: list[int]) -> Contact:
        for index in sorted([*opaque, *self._lone_readings()]):
            self._entries["extra"].append(extra_of(self.lines[index]))
            self._places["extra"].append((index, -1))
        lists: dict[str, Any] = {field: tuple(entries) for field, entries in self._entries.items()}
        return Contact(
            uid=self._uid(),
            kind=self._single_text("KIND").lower(),
            name=self._name(lists),
            groups=frozenset([name for _, names in self.categories for name in names if name]),
            updated=self._updated(),
            **lists,
        )

    def _single_text(self, name: str) -> str:
        index = self.singles.get(name)
        return values.plain_text(self.lines[index], self.version) if index is not None else ""

    def _uid(self) -> str:
        index = self.singles.get("UID")
        if index is None:
            return ""
        return values.one_line(values.unescape(self.lines[index].value, "3.0"))

    def _updated(self) -> datetime | None:
        index = self.singles.get("REV")
        return values.parse_stamp(self.lines[index].value) if index is not None else None

    def _name(self, others: dict[str, Any]) -> Name:
        index = self.singles.get("N")
        lists = self._name_lists(self.lines[index]) if index is not None else {}
        phonetics = self._phonetics(lists)
        components = tuple(
            [
                NameComponent(kind, value, phonetics[kind][at] if kind in phonetics else "")
                for kind in NAME_ORDER
                if kind in lists
                for at, value in enumerate(lists[kind])
            ]
        )
        return Name(components, self._full(components, others), self._sort_as(index))

    def _phonetics(self, lists: dict[str, list[str]]) -> dict[str, list[str]]:
        if PHONETIC.keys().isdisjoint(self.singles):
            return {}
        return {
            kind: self._readings(name, len(lists.get(kind, ())))
            for name, kind in PHONETIC.items()
            if name in self.singles
        }

    def _name_lists(self, line: Line) -> dict[str, list[str]]:
        """The lists of N without the copies that RFC 9554 writers put into the older parts."""
        lists: dict[str, list[str]] = {}
        for kind, raw in zip(NAME_PARTS, values.raw_parts_of(line), strict=False):
            if not raw:
                continue
            items = [raw] if self.version == "2.1" else values.split_raw(raw, ",")
            lists[kind] = [text for item in items if (text := tidy(values.unescape(item, self.version)))]
        for old, new in COPIES.items():
            for value in lists.get(new, ()):
                if value in lists.get(old, ()):
                    lists[old].reverse()
                    lists[old].remove(value)
                    lists[old].reverse()
        return lists

    def _readings(self, name: str, count: int) -> list[str]:
        """One reading for each component; a single component takes the whole text."""
        line = self.lines[self.singles[name]]
        if count == 1:
            return [values.plain_text(line, self.version)]
        items = [tidy(item) for item in values.list_of(line, self.version)]
        items += [""] * count
        return [*items[: count - 1], ", ".join(filter(None, items[count - 1 :]))]

    def _full(self, components: tuple[NameComponent, ...], others: dict[str, Any]) -> str:
        """The display name, unless its writer says that it made one up."""
        full = self._single_text("FN")
        if not full:
            return ""
        head = self.lines[self.singles["FN"]].head
        marked = head.params and any(head.param(name).lower() == "true" for name in DERIVED)
        return "" if marked and full in derivable(components, Contact(**others)) else full

    def _sort_as(self, index: int | None) -> tuple[str, ...]:
        text = self.lines[index].param("SORT-AS") if index is not None else ""
        if not text and "SORT-STRING" not in self.singles:
            return ()
        if not text:
            line = self.lines[self.singles["SORT-STRING"]]
            items = values.list_of(line, self.version)
        else:
            items = [values.unescape(item, "3.0") for item in values.split_raw(text, ",")]
        return tuple(item for item in map(tidy, items) if item)


def derivable(components: tuple[NameComponent, ...], contact: Contact) -> list[str]:
    """Every display name that a writer without one makes up, best first (RFC 9554 section 4.4)."""
    found = [" ".join(component.value for component in components)]
    found += [entry.name for entry in contact.organizations]
    found += [entry.address for entry in contact.emails]
    found += [entry.number for entry in contact.phones]
    return [text for item in [*found, "(no name)"] if (text := tidy(item))]


def _address_type(line: Line) -> frozenset[str]:
    return frozenset(line.head.words) - {"quoted-printable", "8bit", "pref", ""}


def extra_of(line: Line) -> Extra:
    return Extra(line.name, line.value, line.params, line.group)


def card_of(payload: bytes) -> Card:
    """The card; those read last are kept, for whoever writes over a card has read it."""
    return Card(payload) if len(payload) > LONGEST_KEPT else kept(payload)


kept = functools.lru_cache(maxsize=256)(Card)
