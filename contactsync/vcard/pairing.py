"""Which entry of an edited contact is which entry of the card (L4), for one list of one card."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from contactsync.model.contact import (
    Address,
    Anniversary,
    Email,
    Extra,
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

_NOT_DIALLED = re.compile(r"[^0-9a-z+;=]")


def value_key(entry: Any) -> Hashable:
    """Equal for two spellings of the same value; contexts, labels and preference do not count."""
    match entry:
        case Email():
            return entry.address.casefold()
        case Phone():
            return _NOT_DIALLED.sub("", entry.number.lower())
        case Address():
            return tuple(c.value.casefold() for c in entry.components) or entry.full
        case Nickname() | Title():
            return entry.name.casefold()
        case Organization():
            return (entry.name.casefold(), *map(str.casefold, entry.units))
        case OnlineService():
            return (entry.uri or entry.user).casefold()
        case Link():
            return entry.uri.rstrip("/")
        case Anniversary():
            return (entry.date, entry.label)
        case Relation():
            return entry.target.casefold()
        case Note():
            return entry.text.strip()
        case Media():
            return entry.sha256 or entry.uri
        case Extra():
            return entry.value
        case _:
            raise TypeError(f"not an entry: {type(entry).__name__}")


def bucket(entry: Any) -> Hashable:
    """Only entries of one bucket are ever paired: a title never becomes a role."""
    match entry:
        case Title() | Anniversary() | Media():
            return entry.kind
        case OnlineService():
            return (entry.kind, entry.service)
        case Extra():
            return entry.name.upper()
        case _:
            return None


def signature(entry: Any) -> Hashable:
    """What stays when a value is edited: contexts, features, label."""
    names = ("contexts", "features", "label", "relation", "params")
    return tuple(getattr(entry, name, None) for name in names)


def pair(old: Sequence[Any], new: Sequence[Any]) -> list[int | None]:
    """For each entry of ``new`` the place of its partner in ``old``, or None."""
    found: list[int | None] = [None] * len(new)
    if not old or not new:
        return found
    free = dict.fromkeys(range(len(old)))
    for key in (_same, _by_value, _by_ref):
        _pair_by(key, old, new, found, free)
    _pair_sole(old, new, found, free)
    _pair_by(lambda entry: (bucket(entry),), old, new, found, free)
    return found


def _same(entry: Any) -> Hashable:
    return (entry,)


def _by_value(entry: Any) -> Hashable:
    return (bucket(entry), value_key(entry))


def _by_ref(entry: Any) -> Hashable:
    return (bucket(entry), entry.ref) if getattr(entry, "ref", "") else None


def _pair_by(
    key: Callable[[Any], Hashable],
    old: Sequence[Any],
    new: Sequence[Any],
    found: list[int | None],
    free: dict[int, None],
) -> None:
    waiting: dict[Hashable, list[int]] = {}
    for place in free:
        waiting.setdefault(key(old[place]), []).append(place)
    for place, entry in enumerate(new):
        name = key(entry)
        candidates = waiting.get(name)
        if found[place] is None and name is not None and candidates:
            partner = candidates.pop(0)
            found[place] = partner
            del free[partner]


def _pair_sole(
    old: Sequence[Any], new: Sequence[Any], found: list[int | None], free: dict[int, None]
) -> None:
    """An edited value: the only unpaired entry of its signature on both sides."""
    before: dict[Hashable, list[int]] = {}
    after: dict[Hashable, list[int]] = {}
    for place in free:
        before.setdefault((bucket(old[place]), signature(old[place])), []).append(place)
    for place, entry in enumerate(new):
        if found[place] is None:
            after.setdefault((bucket(entry), signature(entry)), []).append(place)
    for name, places in after.items():
        partners = before.get(name, [])
        if len(places) == 1 and len(partners) == 1:
            found[places[0]] = partners[0]
            del free[partners[0]]
