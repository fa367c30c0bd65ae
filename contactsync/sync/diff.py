"""Alignment of two states of a contact, what changed between them, and applying changes.

Laws L2 to L5: entries are paired by value class, then by the remote's own name for the entry, then
when one entry of a label is left over on each side, then by likeness; everything else is deleted
and new. The outcome does not depend on the order of entries.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from itertools import compress
from typing import Any

from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.fields import (
    FIELD,
    FIELDS,
    Field,
    Kind,
    Path,
    Units,
    entry_keys,
    flatten,
    same_unit,
)

ALIKE = 60.0


@frozen
class Edit:
    """One unit before and after; None is an absent unit."""

    old: Any
    new: Any


def aligned(
    contact: Contact, reference: Units, also: Units | None = None, rows: Sequence[Field] = FIELDS
) -> Units:
    """The contact's units, or those of these fields, under the keys that its entries have in ``reference``.

    Entries without a partner there take the key of an entry of the same value class in ``also``
    (the other side's present state), so that the same addition on both sides is one unit.
    """
    keys = {
        row.path: _align(row, reference, getattr(contact, row.path), also)
        for row in rows
        if row.kind is Kind.KEYED and getattr(contact, row.path)
    }
    return flatten(contact, keys, rows)


def _align(row: Field, reference: Units, entries: Sequence[Any], also: Units | None) -> tuple[str, ...]:
    known = {key: reference.values[row.path, key] for key in reference.order.get(row.path, ())}
    if [*known.values()] == [*entries]:
        return tuple(known)  # nearly always, and what the rules below would say
    found: dict[int, str] = {}
    if known:
        _pair(known, entries, found, lambda entry: (row.value_class(entry), *_marks(row, entry)))
        _pair(known, entries, found, row.value_class, among=lambda entry: _marks(row, entry))
        _pair(known, entries, found, lambda entry: getattr(entry, "ref", ""))
        _pair(known, entries, found, row.bucket, only_sole=True)
        _pair_alike(row, known, entries, found)
    if also is not None:
        others = {key: also.values[row.path, key] for key in also.order.get(row.path, ()) if key not in known}
        _pair(others, entries, found, row.value_class)
        _pair_roles(row, others, entries, found)
    return _name_rest(row, known, entries, found)


def _pair(
    known: Mapping[str, Any],
    entries: Sequence[Any],
    found: dict[int, str],
    mark: Any,
    *,
    among: Any = lambda entry: (),
    only_sole: bool = False,
) -> None:
    """Pair what has the same mark; repeats in the order of ``among``, or only where one is left on each
    side."""
    theirs: dict[object, list[int]] = {}
    for index, entry in enumerate(entries):
        if index not in found and (value := mark(entry)) != "":
            theirs.setdefault(value, []).append(index)
    ours: dict[object, list[str]] = {}
    taken = set(found.values())
    for key, entry in known.items():
        if key not in taken and (value := mark(entry)) in theirs:
            ours.setdefault(value, []).append(key)
    for value, names in ours.items():
        places = theirs[value]
        if only_sole and (len(names) > 1 or len(places) > 1):
            continue
        if len(names) > 1 or len(places) > 1:
            places.sort(key=lambda index: among(entries[index]))
            names.sort(key=lambda key: among(known[key]))
        found.update(zip(places, names, strict=False))


def _marks(row: Field, entry: Any) -> tuple[Any, ...]:
    """What tells entries of one value apart, whatever their order."""
    return (row.bucket(entry), getattr(entry, "pref", None) or 0)


def _pair_alike(row: Field, known: Mapping[str, Any], entries: Sequence[Any], found: dict[int, str]) -> None:
    free = [key for key in known if key not in set(found.values())]
    rest = [index for index in range(len(entries)) if index not in found]
    if not free or not rest:
        return
    from rapidfuzz import fuzz

    scores = [
        (
            -fuzz.ratio(row.text(known[key]), row.text(entries[index])),
            row.value_class(entries[index]),
            key,
            index,
        )
        for key in free
        for index in rest
    ]
    for score, _, key, index in sorted(scores):
        if -score > ALIKE and index not in found and key not in found.values():
            found[index] = key


def _pair_roles(row: Field, others: Mapping[str, Any], entries: Sequence[Any], found: dict[int, str]) -> None:
    """Entries named by a role (birthday, the photo, the note) are one unit on both sides."""
    if row.identity is None:
        return
    names = entry_keys(row, entries)
    for index, name in enumerate(names):
        if index not in found and name in others and name not in found.values():
            found[index] = name


def _name_rest(
    row: Field, known: Mapping[str, Any], entries: Sequence[Any], found: dict[int, str]
) -> tuple[str, ...]:
    """Fresh keys for what is new; never one that already names another entry."""
    used = {*known, *found.values()}
    names: list[str] = []
    for index, entry in enumerate(entries):
        name = found.get(index)
        if name is None:
            stem = name = row.key(entry)
            count = 1
            while name in used:
                count += 1
                name = f"{stem}~{count}"
            used.add(name)
        names.append(name)
    return tuple(names)


def diff(old: Units, new: Units) -> dict[Path, Edit]:
    """The units that differ by class (L2), in a stable order."""
    paths = [*old.values, *(path for path in new.values if path not in old.values)]
    edits = ((path, Edit(old.values.get(path), new.values.get(path))) for path in paths)
    return {path: edit for path, edit in edits if not same_unit(path, edit.old, edit.new)}


def differs(old: Contact, new: Contact) -> dict[Path, Edit]:
    """`diff` of two states of one side."""
    rows = unequal((old, new))
    units = flatten(old, rows=rows)
    return diff(units, aligned(new, units, rows=rows))


def unequal(*states: tuple[Contact, Contact]) -> tuple[Field, ...]:
    """The fields in which a state is not the very same as the other: nothing else needs pairing."""
    found: set[str] = set()
    for one, other in states:
        if one is not other:
            found.update(compress(FIELD, map(operator.ne, _contents(one), _contents(other))))
    return tuple([row for row in FIELDS if row.path in found])


_contents = operator.attrgetter(*FIELD)


def apply(units: Units, edits: Mapping[Path, Any], source: Units) -> Units:
    """``units`` with these units set (None removes); new entries go where ``source`` has them (L5)."""
    if not edits:
        return units
    values = dict(units.values)
    for path, value in edits.items():
        if value is None:
            values.pop(path, None)
        else:
            values[path] = value
    gone = {path for path, value in edits.items() if value is None and _is_entry(path)}
    if gone:
        values = {path: value for path, value in values.items() if path[:2] not in gone}
    order = dict(units.order)
    for path, value in edits.items():
        if value is not None and _is_entry(path) and path[1] not in order.get(path[0], ()):
            order[path[0]] = _insert(order.get(path[0], ()), path[1], source.order.get(path[0], ()))
    order = {name: tuple(key for key in keys if (name, key) in values) for name, keys in order.items()}
    return Units(values, order)


def _is_entry(path: Path) -> bool:
    return len(path) == 2 and FIELD[path[0]].kind is Kind.KEYED


def _insert(keys: tuple[str, ...], key: str, source: Sequence[str]) -> tuple[str, ...]:
    """Behind the nearest neighbour that stands before it in the source, else at the end."""
    before = source[: source.index(key)] if key in source else ()
    for neighbour in reversed(before):
        if neighbour in keys:
            place = keys.index(neighbour) + 1
            return (*keys[:place], key, *keys[place:])
    return (*keys, key)


@frozen
class Joined:
    """``units`` without repeats; ``names`` maps the path of each entry that went to that of the one it
    went into; ``differing`` are units of which both had another value, such as their labels."""

    units: Units
    names: Mapping[Path, Path] = field(default_factory=dict)
    differing: Mapping[Path, Edit] = field(default_factory=dict)


def without_repeats(result: Units, local: Units, far: Units) -> Joined:
    """Join entries that only the merge made equal: both sides came to one value on different ways. The
    entry that both sides know stays, else the first."""
    drop: dict[Path, Path] = {}
    for row in FIELDS:
        seen: dict[str, str] = {}
        if row.kind is not Kind.KEYED or row.identity is not None:
            continue
        keys = result.order.get(row.path, ())
        shared = [k for k in keys if (row.path, k) in local.values and (row.path, k) in far.values]
        for key in dict.fromkeys((*shared, *keys)):
            value = row.value_class(result.values[row.path, key])
            first = seen.setdefault(value, key)
            if first != key and not _both((local, far), row.path, first, key):
                drop[row.path, key] = (row.path, first)
    if not drop:
        return Joined(result)
    values = {path: value for path, value in result.values.items() if path[:2] not in drop}
    differing = {}
    for path, value in result.values.items():
        if path[:2] in drop and len(path) > 2:
            kept = values.setdefault((*drop[path[:2]], *path[2:]), value)
            if not same_unit(path, kept, value):
                differing[*drop[path[:2]], *path[2:]] = Edit(kept, value)
    order = {name: tuple(k for k in keys if (name, k) not in drop) for name, keys in result.order.items()}
    return Joined(Units(values, order), drop, differing)


def renamed(units: Units, names: Mapping[Path, Path]) -> Units:
    """``units`` with these entries under the names of others that they do not have."""
    known = {path: name for path, name in names.items() if path in units.values and name not in units.values}
    if not known:
        return units
    values = {(*known.get(path[:2], path[:2]), *path[2:]): value for path, value in units.values.items()}
    order = {
        name: tuple(known.get((name, key), (name, key))[1] for key in keys)
        for name, keys in units.order.items()
    }
    return Units(values, order)


def _both(before: Iterable[Units], path: str, first: str, second: str) -> bool:
    """Did one of these states hold both entries with one value already?"""
    row = FIELD[path]
    for units in before:
        one, other = units.values.get((path, first)), units.values.get((path, second))
        if one is not None and other is not None and row.same(one, other):
            return True
    return False
