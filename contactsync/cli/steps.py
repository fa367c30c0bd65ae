"""Steps of runs for programs and for people: who changed what, on which side, and where it came from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from contactsync.cli.output import clean

if TYPE_CHECKING:
    from contactsync.api import Engine
    from contactsync.engine.groupnames import GroupNames
    from contactsync.store.values import Book, JournalRow, StepSum

_DONE = {
    "create": "created",
    "update": "changed",
    "delete": "deleted",
    "revive": "brought back",
    "create-group": "group made",
    "rename-group": "group renamed",
    "delete-group": "group deleted",
    "revive-group": "group brought back",
    "hold": "held back",
    "release": "released",
    "not-the-same": "not the same",
    "maybe-the-same": "may be the same after all",
    "resolve": "conflict settled",
    "reopen": "conflict open again",
}


def steps_json(engine: Engine, rows: Iterable[JournalRow]) -> list[dict[str, Any]]:
    """Steps with the fields that they changed; groups by their names."""
    names = engine.hub.group_names()
    names.dead = frozenset()  # a history names groups that are deleted by now
    book_of = functools.cache(engine.store.books.get)
    return [_step_json(row, names, book_of) for row in rows]


def _step_json(row: JournalRow, names: GroupNames, book_of: Callable[[int], Book | None]) -> dict[str, Any]:
    from contactsync.engine.hub import describe

    before, after = (names.to_names(c) if c is not None else None for c in (row.before, row.after))
    some = before if row.action == "delete" else after or before
    book = book_of(row.collection_id) if row.collection_id is not None else None
    return {
        "step": row.id,
        "run": row.run_id,
        "at": row.at.isoformat(),
        "uid": some.uid if some is not None else "",
        "name": some.display if some is not None else "",
        "side": "device" if row.side == "local" else "remote",
        "account": book.account if book else None,
        "book": book.name if book else None,
        "action": row.action,
        "state": row.state,
        "note": row.note,
        "changes": [
            {"field": f, "old": old, "new": new} for f, (old, new) in describe(before, after).items()
        ],
    }


def sum_text(sums: Iterable[StepSum]) -> str:
    """What a run did, in a few words: ``changed Ada; in accounts 2 created``."""
    words: dict[str, list[str]] = {}
    for one in sums:
        done = _DONE.get(one.action, one.action)
        text = f"{done} {one.name}" if one.name else f"{one.count} {done}"
        words.setdefault(one.side, []).append(text)
    here, there = (", ".join(words.get(side, ())) for side in ("local", "remote"))
    return "; ".join(part for part in (here, f"in accounts {there}" if there else "") if part)


def step_lines(step: dict[str, Any], *, kind: str = "", whose: str = "") -> Iterator[str]:
    """A step for people, with its fields; with the ``kind`` of its run, as one line of a history, in which
    ``whose`` says so of somebody else."""
    done = _DONE.get(step["action"], step["action"])
    place = f"{step['account']}/{step['book']}" if step["account"] else ""
    if step["side"] == "remote":
        what = f"{done} in {place or 'an account that was removed'}"
    else:
        what = f"{done} here" + (f", came from {place}" if place else "")
    state = "" if step["state"] == "done" else f" [{step['state']}]"
    note = f" ({step['note']})" if step["note"] and not step["note"].startswith("from ") else ""
    if kind:
        yield f"{step['at'][:16].replace('T', ' ')}  run {step['run']} ({kind}): {whose}{what}{state}{note}"
    else:
        yield f"{step['name']}: {what}{state}{note}" if step["name"] else f"{done}{state}{note}"
    changes = ((c["field"], c["old"], c["new"]) for c in step["changes"])
    yield from change_lines(step["action"], changes)


def change_lines(action: str, changes: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """The fields (path, old, new) of one step, as a diff. What is created shows its values, without their
    labels; what is deleted shows nothing, as the trash has it."""
    for path, old, new in changes if action != "delete" else ():
        if action == "create" and path.count("/") > 1:
            continue
        title = title_of(path)
        if old and new:
            yield f"    ~ {title}: {_flat(old)} -> {_flat(new)}"
        else:
            yield f"    {'-' if old else '+'} {title}: {_flat(old or new)}"


def title_of(path: str) -> str:
    """`path_title` of a path that is written out."""
    from contactsync.model.fields import parse_path, path_title

    return path_title(parse_path(path))


def _flat(text: str) -> str:
    return clean(text.replace("\n", " / "))
