"""What a write left behind: settling a remote shadow when the answer proved nothing (L12, L13)."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Any

from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, Kind, Path, Units, build, flatten, same_unit
from contactsync.sync.diff import aligned, apply, diff


@frozen
class Settled:
    """``landed``: our write is in what is seen. ``remote`` is the shadow to compare ``seen`` with;
    ``lost`` are the units that the remote only cut or dropped by itself, ``rewritten`` those that we
    sent and that it shows really otherwise: path, sent, seen. ``untaken`` are those that it shows as they
    were, though it is not known that the write arrived."""

    landed: bool
    remote: Contact
    lost: tuple[Path, ...] = ()
    rewritten: tuple[tuple[Path, Any, Any], ...] = ()
    untaken: tuple[Path, ...] = ()


def settle(
    before: Contact, sent: Contact, seen: Contact, *, holds: Container[str] = (), confirmed: bool = False
) -> Settled:
    """``sent`` was written over ``before``, and ``seen`` is what a read shows now.

    While the write is in doubt, a unit of ``seen`` is an edit only if it differs from both
    candidates (L13); of a ``confirmed`` write, if it differs from what was sent. Where we sent it,
    it must do more than lose from that (L12): but what the remote showed before, it can hold, and so
    it can the fields in ``holds``, of which the book shows values elsewhere.
    """
    old = flatten(before)
    target = aligned(sent, old)
    now = aligned(seen, target)
    written = [p for p in _paths(old, target) if not same_unit(p, old.values.get(p), target.values.get(p))]
    still = aligned(seen, old)
    landed = confirmed or not written or any(_took(p, old, still, target, now) for p in written)
    if not landed:
        return Settled(False, before)
    lost = tuple(p for p in written if _is_loss(p, target.values.get(p), now.values.get(p), holds))
    as_it_was = tuple(p for p in written if same_unit(p, now.values.get(p), old.values.get(p)))
    untaken = () if confirmed else as_it_was
    lost = tuple(p for p in lost if p not in untaken)  # no limit of the remote is proven
    values: dict[Path, Any] = {}
    rewritten = []
    for path in _paths(now, target):
        candidates = (target,) if confirmed else (target, old)
        value = now.values.get(path)
        kept = path in lost or any(same_unit(path, value, c.values.get(path)) for c in candidates)
        if not kept and path in written:
            rewritten.append((path, target.values.get(path), value))
        value = value if kept else target.values.get(path)
        if value is not None:
            values[path] = value
    remote = build(Units(values, _joint_order(now, target)), seen.uid)
    return Settled(True, remote, lost, tuple(rewritten), untaken)


def holding_back(view: Contact, before: Contact, shadow: Contact) -> Contact:
    """``view`` as the next shadow, with the units that ``shadow`` held back while the remote showed
    ``before``: an open question, or an edit against a one-way mode, keeps its place (L18, L26)."""
    old = flatten(before)
    far = aligned(shadow, old)
    held = {path: edit.new for path, edit in diff(old, far).items()}
    if not held:
        return view
    kept = build(apply(aligned(view, old), held, far), view.uid)
    return replace(kept, updated=view.updated)


def put_off(local: Contact, earlier: Contact, fields: Iterable[str]) -> Contact:
    """``local`` as a shadow in which these fields are as they were ``earlier``: their edits still have to
    go out."""
    return replace(local, **{name: getattr(earlier, name) for name in fields})


def with_untaken(
    local: Contact, earlier: Contact, before: Contact, sent: Contact, untaken: Iterable[Path]
) -> Contact:
    """``local`` as a shadow in which these units of ``sent``, which was written over ``before``, are as they
    were ``earlier``: somebody else may have made the edit by which the write seems to have arrived."""
    old = flatten(before)
    was = aligned(earlier, old)
    back = {path: was.values.get(path) for path in untaken}
    return build(apply(aligned(local, aligned(sent, old)), back, was), local.uid) if back else local


def without_absent(local: Contact, sent: Contact, seen: Contact) -> Contact:
    """``local`` without what was sent and is not there at all: it may be somebody else's card that was
    found under our name, which knows nothing of it (L13, L33)."""
    target = flatten(sent)
    now = aligned(seen, target)
    absent = {path: None for path in target.values if path not in now.values}
    units = aligned(local, target)
    return build(apply(units, absent, units), local.uid)


def _is_loss(path: Path, sent: Any, seen: Any, holds: Container[str]) -> bool:
    return _only_loses(path, sent, seen) and not (seen is None and path[0] in holds)


def losses(sent: Contact, seen: Contact) -> tuple[Path, ...]:
    """Units of a proven write that the remote did not keep as sent; `status` names them (L12)."""
    target = flatten(sent)
    now = aligned(seen, target)
    return tuple(p for p in target.values if not same_unit(p, target.values[p], now.values.get(p)))


def _paths(first: Units, second: Units) -> list[Path]:
    return [*first.values, *(path for path in second.values if path not in first.values)]


def _took(path: Path, old: Units, still: Units, target: Units, now: Units) -> bool:
    """Does ``now`` show our value, or what is left of it, and not the old one? ``still`` is the same seen
    beside what was: an entry that is as it was is not what is left of another one."""
    seen, before = now.values.get(path), old.values.get(path)
    if same_unit(path, seen, before):
        return False
    if before is not None and same_unit(path, still.values.get(path), before):
        return False
    return same_unit(path, seen, target.values.get(path)) or _only_loses(path, target.values.get(path), seen)


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
