"""What a write left behind: settling a remote shadow when the answer proved nothing (L12, L13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, Kind, Path, Units, build, flatten, same_unit
from contactsync.sync.diff import aligned


@dataclass(frozen=True, slots=True)
class Settled:
    """``landed``: our write is in what is seen. ``remote`` is the shadow to compare ``seen`` with;
    ``lost`` are the units that the remote only cut or dropped by itself."""

    landed: bool
    remote: Contact
    lost: tuple[Path, ...] = ()


def settle(before: Contact, sent: Contact, seen: Contact) -> Settled:
    """A write of ``sent`` over ``before`` is in doubt and ``seen`` is what a read shows now.

    A unit of ``seen`` stays an edit only if it differs from both candidates (L13) and, where we sent
    it, does more than lose from what was sent (L12): what the remote showed before, it can hold, so
    its absence is a person's doing.
    """
    old = flatten(before)
    target = aligned(sent, old)
    now = aligned(seen, target)
    written = [p for p in _paths(old, target) if not same_unit(p, old.values.get(p), target.values.get(p))]
    landed = not written or any(_took(p, old, target, now) for p in written)
    if not landed:
        return Settled(False, before)
    lost = tuple(p for p in written if _only_loses(p, target.values.get(p), now.values.get(p)))
    values: dict[Path, Any] = {}
    for path in _paths(now, target):
        value = (
            now.values.get(path)
            if _no_edit(path, old, target, now) or path in lost
            else target.values.get(path)
        )
        if value is not None:
            values[path] = value
    return Settled(True, build(Units(values, _joint_order(now, target)), seen.uid), lost)


def losses(sent: Contact, seen: Contact) -> tuple[Path, ...]:
    """Units of a proven write that the remote did not keep as sent; `status` names them (L12)."""
    target = flatten(sent)
    now = aligned(seen, target)
    return tuple(p for p in target.values if not same_unit(p, target.values[p], now.values.get(p)))


def _paths(first: Units, second: Units) -> list[Path]:
    return [*first.values, *(path for path in second.values if path not in first.values)]


def _took(path: Path, old: Units, target: Units, now: Units) -> bool:
    """Does ``now`` show our value, or what is left of it, and not the old one?"""
    seen = now.values.get(path)
    if same_unit(path, seen, old.values.get(path)):
        return False
    return same_unit(path, seen, target.values.get(path)) or _only_loses(path, target.values.get(path), seen)


def _no_edit(path: Path, old: Units, target: Units, now: Units) -> bool:
    seen = now.values.get(path)
    return same_unit(path, seen, target.values.get(path)) or same_unit(path, seen, old.values.get(path))


def _only_loses(path: Path, sent: Any, seen: Any) -> bool:
    """A cut text or link, an absent value: the remote's own loss."""
    if sent is None:
        return False
    if seen is None:
        return True
    if same_unit(path, sent, seen) or len(path) > 2 or FIELD[path[0]].kind is Kind.SET:
        return False
    text = FIELD[path[0]].text
    return text(sent).startswith(text(seen))


def _joint_order(now: Units, target: Units) -> dict[str, tuple[str, ...]]:
    fields = {**now.order, **target.order}
    return {
        name: (
            *now.order.get(name, ()),
            *(k for k in target.order.get(name, ()) if k not in now.order.get(name, ())),
        )
        for name in fields
    }
