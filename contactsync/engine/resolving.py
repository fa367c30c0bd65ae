"""A person answers a conflict (L16, L18), and takes the answer back.

An answer is an edit of the hub, which the next round carries. While a question was open, both shadows of
its unit stood still; the answer lets them move: the remote's present value becomes the base, so that only the
answer is an edit.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from contactsync.engine.hub import HubEdits, Step
from contactsync.errors import UsageError
from contactsync.frozen import frozen
from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, Kind, Path, build, flatten, parse_path, path_title
from contactsync.store.store import Store
from contactsync.store.values import StoredConflict, StoredContact, StoredLink
from contactsync.sync.diff import apply
from contactsync.sync.types import Base


@frozen
class Answered:
    """What answers did. ``changed`` are the numbers of the conflicts by which a contact here is another
    now; ``failed`` could not be answered like that, each with the reason."""

    run: int | None
    changed: tuple[int, ...] = ()
    failed: tuple[tuple[StoredConflict, str], ...] = ()


def resolve(hub: HubEdits, conflict_id: int, take: str, *, shown: StoredConflict | None = None) -> Answered:
    """Settle one conflict. ``take``: device, remote, both, newest; ``shown`` is the conflict as the person
    saw it. Raises `UsageError` where that is not possible, or where it moved on meanwhile."""
    with hub.edit("resolve") as step:
        conflict = one_of(hub.store, conflict_id) if shown is None else _as_shown(hub.store, shown)
        changed = _settle(hub, step, conflict, take)
        step.report["conflict"] = conflict_id
    return Answered(step.run, (conflict_id,) if changed else ())


def resolve_all(hub: HubEdits, conflicts: Iterable[StoredConflict], take: str) -> Answered:
    """Settle many by one rule, as one run; those that cannot be settled by it, or moved on since they were
    read, stay as they are."""
    settled, changed, failed = 0, [], []
    with hub.edit("resolve") as step:
        for conflict in conflicts:
            try:
                with hub.store.transaction():
                    if _settle(hub, step, _as_shown(hub.store, conflict), take):
                        changed.append(conflict.id)
                settled += 1
            except UsageError as error:
                failed.append((conflict, error.message))
        step.report["conflicts"] = len(changed)
    return Answered(step.run if settled else None, tuple(changed), tuple(failed))


def _as_shown(store: Store, shown: StoredConflict) -> StoredConflict:
    """The conflict, as long as it is the one that the person saw."""
    conflict = one_of(store, shown.id)
    if (conflict.status, conflict.local, conflict.remote) != (shown.status, shown.local, shown.remote):
        raise UsageError(
            f"Conflict {shown.id} has moved on since it was shown.",
            hint=f"contactsync conflict show {shown.id}",
        )
    return conflict


def one_of(store: Store, conflict_id: int) -> StoredConflict:
    """Raises `UsageError` where there is none of this number."""
    found = store.journal.conflicts(conflict_id=conflict_id)
    if not found:
        raise UsageError(f"No conflict {conflict_id}.", hint="contactsync conflict list")
    return found[0]


def _settle(hub: HubEdits, step: Step, conflict: StoredConflict, take: str) -> bool:
    stored = hub.store.contacts.by_uid(conflict.uid)
    if stored is None:
        raise UsageError(f"The contact of conflict {conflict.id} is gone for good.")
    if stored.deleted and conflict.path != "contact":
        raise UsageError(
            f"{stored.contact.display} is in the trash.",
            hint=f"Bring it back first: contactsync contact restore {stored.uid}",
        )
    contact = _resolved(stored, conflict, _wanted(conflict, take))
    if contact is not None:
        changed = hub.change(step.run, step.at, stored, contact, note="resolve")
    else:
        changed = not stored.deleted
        if changed:
            hub.drop(step.run, step.at, stored, note="resolve")
    moved = _move_shadows(hub.store, conflict, take)
    hub.store.journal.close_conflict(conflict.id, winner=take)
    settled = {"id": conflict.id, "status": conflict.status, "winner": conflict.winner, "links": moved}
    hub.store.journal.note(
        step.run,
        "resolve",
        step.at,
        contact_id=stored.id,
        before=None,
        after=None,
        note=f"{stored.contact.display}: {path_title(parse_path(conflict.path))}, {take}",
        detail={"conflict": settled},
    )
    return changed


def _wanted(conflict: StoredConflict, take: str) -> Any:
    values = {"device": conflict.local, "remote": conflict.remote}
    if take == "newest":
        take = "remote" if _is_remote_newer(conflict) else "device"
    if take == "both":
        return _both(conflict)
    return values[take]


def _is_remote_newer(conflict: StoredConflict) -> bool:
    """L18: where a time is missing or both are equal, the device wins; a conflict from before the times were
    kept, or of a whole contact, stays as it was decided."""
    here, there = conflict.local_at, conflict.remote_at
    if here is None and there is None:
        return conflict.winner == "remote"
    return here is not None and there is not None and there > here


def _move_shadows(store: Store, conflict: StoredConflict, take: str) -> list[dict[str, Any]]:
    """Let the shadows of an open question move; as they were and as they are now, for `reopen`."""
    if conflict.status != "open" or conflict.collection_id is None:
        return []
    path = parse_path(conflict.path)
    remote = _value(path, conflict.remote)
    moved = []
    for link in store.links.of_contact(conflict.contact_id):
        if link.collection_id == conflict.collection_id:
            local = _with_unit(link.base.local, path, remote)
            far = _with_unit(link.base.remote, path, remote)
            base = replace(link.base, local=local, remote=replace(far, uid=link.card_uid))
            state = "recheck" if take != "remote" else link.state
            store.links.rebase(link.id, base, state=state)
            before, after = _documents(link.base), _documents(base)
            moved.append({"link": link.id, "state": link.state, "before": before, "after": after})
    return moved


def reopen(hub: HubEdits, run: int, at: datetime, settled: Mapping[str, Any]) -> str:
    """Take an answer back: the conflict is as it was. Empty, or why it stays settled."""
    store = hub.store
    found = store.journal.conflicts(conflict_id=settled["id"])
    if not found:
        return "is forgotten"
    links = {link.id: link for link in store.links.of_contact(found[0].contact_id)}
    moved = settled["links"]
    for each in moved:
        link = links.get(each["link"])
        if link is None or _documents(link.base) != each["after"]:
            return "was carried to the account; its other value can be taken instead"
    for each in moved:
        local, remote = (jsonform.loads(text) for text in each["before"])
        link = links[each["link"]]
        base = Base(local, replace(remote, uid=link.card_uid))
        store.links.rebase(link.id, base, state=each["state"])
    store.journal.set_conflict(settled["id"], settled["status"], settled["winner"])
    back = {**settled, "status": found[0].status, "winner": found[0].winner, "links": _turned(moved, links)}
    store.journal.note(
        run,
        "reopen",
        at,
        contact_id=found[0].contact_id,
        before=None,
        after=None,
        note=f"{found[0].name}: {path_title(parse_path(found[0].path))}",
        detail={"conflict": back},
    )
    return ""


def _turned(moved: Iterable[Mapping[str, Any]], links: Mapping[int, StoredLink]) -> list[dict[str, Any]]:
    """The same the other way round, to take the taking back back."""
    return [
        {**each, "before": each["after"], "after": each["before"], "state": links[each["link"]].state}
        for each in moved
    ]


def _documents(base: Base) -> list[str]:
    return [jsonform.dumps(base.local), jsonform.dumps(base.remote, remote=True)]


def _value(path: Path, content: Any) -> Any:
    """A unit's value from the JSON form that a conflict row keeps."""
    if content is None or not isinstance(content, dict):
        return content
    if path == ("contact",):
        return jsonform.from_json(Contact, content)
    hint = typing.get_type_hints(Contact)[path[0]]
    kind = typing.get_args(hint)[0] if FIELD[path[0]].kind is Kind.KEYED else hint
    return jsonform.from_json(kind, content)


def _with_unit(contact: Contact, path: Path, value: Any) -> Contact:
    units = flatten(contact)
    return build(apply(units, {path: value}, units), contact.uid)


def _resolved(stored: StoredContact, conflict: StoredConflict, content: Any) -> Contact | None:
    path = parse_path(conflict.path)
    value = _value(path, content)
    if path == ("contact",):
        return replace(value, uid=stored.uid) if value is not None else None
    return _with_unit(stored.contact, _present_path(stored.contact, conflict, value), value)


def _present_path(contact: Contact, conflict: StoredConflict, value: Any) -> Path:
    """The path under which the unit stands in the contact now: its entry may have been edited, so that
    the key of the record is not its key any more. It is the one with a value that the record has, else the
    only one with the label of the wanted value."""
    units, path = flatten(contact), parse_path(conflict.path)
    if len(path) != 2 or path in units.values or FIELD[path[0]].kind is not Kind.KEYED:
        return path
    row, keys = FIELD[path[0]], units.order.get(path[0], ())
    sides = (conflict.local, conflict.remote)
    known = [_value(path, side) for side in (sides[::-1] if conflict.winner == "remote" else sides)]
    same = [row.key(side) for side in known if side is not None and row.key(side) in keys]
    if not same and value is not None:
        same = [key for key in keys if row.bucket(units.values[path[0], key]) == row.bucket(value)]
        same = same if len(same) == 1 else []
    return (path[0], same[0]) if same else path


def holds_both(conflict: StoredConflict) -> bool:
    """Whether the unit can hold both values: texts by lines can."""
    path = parse_path(conflict.path)
    return len(path) == 2 and FIELD[path[0]].by_lines and bool(conflict.local and conflict.remote)


def _both(conflict: StoredConflict) -> Any:
    if not holds_both(conflict):
        raise UsageError(
            f"{conflict.path} can hold one value only.",
            hint="Take one: contactsync conflict resolve ID --take device|remote",
        )
    local: Any = conflict.local
    remote: Any = conflict.remote
    return {**local, "text": f"{local['text']}\n{remote['text']}"}


def present(store: Store, conflict: StoredConflict) -> Any:
    """What the contact has there now, in the form that a conflict row keeps; None where it has nothing."""
    stored = store.contacts.by_uid(conflict.uid)
    if stored is None or stored.deleted:
        return None
    path = parse_path(conflict.path)
    if path == ("contact",):
        return jsonform.to_json(stored.contact)
    values = flatten(stored.contact).values
    for side in (conflict.local, conflict.remote, conflict.base):
        found = values.get(_present_path(stored.contact, conflict, _value(path, side)))
        if found is not None:
            return jsonform.to_json(found)
    return None
