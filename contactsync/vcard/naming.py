"""The name on a card: the parts of N, what to sort by, how it is read, and a display name made up."""

from __future__ import annotations

from contactsync.model.contact import Name
from contactsync.vcard import values
from contactsync.vcard.heads import Params
from contactsync.vcard.lines import Line, param_value
from contactsync.vcard.reading import COPIES, NAME_PARTS

Lists = dict[str, list[str]]


def name_lists(name: Name) -> Lists:
    lists: Lists = {kind: [] for kind in NAME_PARTS}
    for component in name.components:
        lists[component.kind].append(component.value)
    return lists


def sorted_params(params: Params, sort_as: tuple[str, ...]) -> Params:
    """The parameters of N with another SORT-AS, or none."""
    kept = tuple((key, value) for key, value in params if key.upper() != "SORT-AS")
    text = ",".join(values.escape(item, "3.0") for item in sort_as)
    return (*kept, ("SORT-AS", param_value(text))) if text else kept


def name_parts(line: Line, old: Lists, new: Lists, version: str) -> list[str]:
    """N with the changed parts replaced (RFC 6350 section 6.2.2), the others as they are spelled."""
    if old == new:
        return []
    raw = values.raw_parts_of(line)
    needed = 7 if new["surname2"] or new["generation"] else 5
    raw += [""] * (needed - len(raw))
    for at, kind in enumerate(NAME_PARTS[: len(raw)]):
        copy = COPIES.get(kind, kind) if version != "2.1" else kind
        if old[kind] != new[kind] or old[copy] != new[copy]:
            raw[at] = _part(kind, new, version)
    return raw


def name_value(name: Name, version: str) -> str:
    """N of a new card, 3.0 or 4.0."""
    lists = name_lists(name)
    kinds = NAME_PARTS if lists["surname2"] or lists["generation"] else NAME_PARTS[:5]
    return ";".join([_part(kind, lists, version) for kind in kinds])


def _part(kind: str, lists: Lists, version: str) -> str:
    if version == "2.1":
        return values.escape(" ".join(lists[kind]), version)
    items = lists[kind] + lists[COPIES[kind]] if kind in COPIES else lists[kind]
    return ",".join([values.escape(item, version) for item in items]) if items else ""


def reading_of(name: Name, kind: str, version: str) -> str:
    """The escaped readings of the components of one kind; empty where there is none."""
    items = [c.phonetic for c in name.components if c.kind == kind]
    return ",".join([values.escape(item, version) for item in items]) if any(items) else ""


def derived_mark(version: str) -> tuple[str, str]:
    """RFC 9554 section 4.4."""
    return ("DERIVED" if version == "4.0" else "X-DERIVED", "TRUE")
