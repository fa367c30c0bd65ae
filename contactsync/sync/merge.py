"""Three-way merge of one contact: edits cross, states do not (sections 3 and 4 of the laws).

Each side is compared with its own shadow; `merge` gives the hub's new contact and the card that
the remote should hold, and what clashed on the way.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, Kind, Path, Units, build, flatten, note_form, path_text, same_unit
from contactsync.sync.diff import Edit, aligned, apply, diff, without_repeats
from contactsync.sync.types import Base, Clash, Hub, Live, Mode, Policy, Side

Project = Callable[[Contact], Contact]


@dataclass(frozen=True, slots=True)
class Merged:
    """``local`` and ``remote`` are the two new states; ``base`` the shadows once both are there, and
    ``interim`` the shadows while the outward edits are not confirmed yet (they remain edits).

    ``taken`` are the units that crossed inwards, ``sent`` those that cross outwards, ``kept`` the
    edits that a mode or an open question holds back on their own side.
    """

    local: Contact
    remote: Contact
    base: Base
    interim: Base
    clashes: tuple[Clash, ...] = ()
    taken: tuple[Path, ...] = ()
    sent: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()


@dataclass(slots=True)
class _Crossing:
    """What goes where, while one contact is merged."""

    inwards: dict[Path, Any] = field(default_factory=dict)
    outwards: dict[Path, Any] = field(default_factory=dict)
    clashes: list[Clash] = field(default_factory=list)
    open: list[Path] = field(default_factory=list)


def merge(
    base: Base, hub: Hub, remote: Live, *, project: Project, policy: Policy, mode: Mode = Mode.TWO_WAY
) -> Merged:
    """Merge the edits of both sides since ``base`` (L6, L7, L14 to L18)."""
    shadow = flatten(base.local)
    local = aligned(hub.contact, shadow)
    far_shadow = aligned(base.remote, shadow)
    far = aligned(remote.contact, far_shadow, also=local)
    mine = diff(aligned(project(base.local), shadow), aligned(project(hub.contact), local))
    theirs = diff(far_shadow, far)
    decide = _decider(_effective(policy, mode), hub, remote)
    crossing = _cross(mine, theirs, local, far, decide)
    held = _hold_back(crossing, mode, mine, theirs)
    new_local = without_repeats(apply(local, crossing.inwards, far), local, far)
    new_far = without_repeats(apply(far, crossing.outwards, local), local, far)
    uid = hub.contact.uid

    def far_state(units: Units) -> Contact:
        return replace(build(units, remote.contact.uid), updated=remote.contact.updated)

    return Merged(
        build(new_local, uid),
        far_state(new_far),
        Base(build(_restore(new_local, shadow, held), uid), far_state(_restore(new_far, far_shadow, held))),
        Base(
            build(_restore(new_local, shadow, (*held, *crossing.outwards)), uid),
            far_state(_restore(far, far_shadow, held)),
        ),
        tuple(crossing.clashes),
        tuple(crossing.inwards),
        tuple(crossing.outwards),
        held,
    )


def _effective(policy: Policy, mode: Mode) -> Policy:
    """In a one-way mode a conflict goes to the source (L26)."""
    if mode is Mode.TWO_WAY:
        return policy
    return Policy.REMOTE if mode.inwards else Policy.DEVICE


def _hold_back(
    crossing: _Crossing, mode: Mode, mine: Mapping[Path, Edit], theirs: Mapping[Path, Edit]
) -> tuple[Path, ...]:
    """Edits that do not cross: those of an open question, and those against a one-way mode.

    A mirror takes them back at the target; otherwise they stay where they were made, and the
    shadows of their units stay as they were, so that they remain edits (L18, L26).
    """
    held = list(crossing.open)
    if not mode.outwards:
        held += crossing.outwards
        crossing.outwards.clear()
        if mode is Mode.MIRROR_PULL:
            crossing.inwards.update({path: edit.old for path, edit in mine.items() if path not in theirs})
            held = []
    if not mode.inwards:
        held += crossing.inwards
        crossing.inwards.clear()
        if mode is Mode.MIRROR_PUSH:
            crossing.outwards.update({path: edit.old for path, edit in theirs.items() if path not in mine})
            held = []
    return tuple(held)


def _restore(units: Units, shadow: Units, paths: Iterable[Path]) -> Units:
    """``units``, but with these units as they were in the shadow."""
    return apply(units, {path: shadow.values.get(path) for path in paths}, shadow)


def _cross(
    mine: Mapping[Path, Edit],
    theirs: Mapping[Path, Edit],
    local: Units,
    far: Units,
    decide: Callable[[Path], Side | None],
) -> _Crossing:
    crossing = _Crossing()
    revived = _change_beats_removal(mine, theirs, local, far, crossing)
    for path, edit in theirs.items():
        if path[:2] in revived:
            continue
        if path not in mine:
            crossing.inwards[path] = edit.new
        elif not same_unit(path, mine[path].new, edit.new):
            _clash(path, mine[path], edit, decide, crossing)
    for path, edit in mine.items():
        if path not in theirs and path[:2] not in revived:
            crossing.outwards[path] = edit.new
    return crossing


def _change_beats_removal(
    mine: Mapping[Path, Edit], theirs: Mapping[Path, Edit], local: Units, far: Units, crossing: _Crossing
) -> set[Path]:
    """L17: an entry that one side removed and the other changed lives, whole, on both."""
    revived = set()
    for path in sorted({p[:2] for p in (*mine, *theirs) if FIELD[p[0]].kind is Kind.KEYED}):
        sides: tuple[tuple[Mapping[Path, Edit], Mapping[Path, Edit], Units, dict[Path, Any], Side], ...] = (
            (mine, theirs, far, crossing.inwards, "remote"),
            (theirs, mine, local, crossing.outwards, "local"),
        )
        for remover, changer, source, edits, winner in sides:
            changed = any(p[:2] == path for p in changer) and path in source.values
            if path in remover and remover[path].new is None and changed:
                revived.add(path)
                edits.update({p: value for p, value in source.values.items() if p[:2] == path})
                values = {"local": local.values.get(path), "remote": far.values.get(path)}
                crossing.clashes.append(Clash(path, remover[path].old, **values, winner=winner))
    return revived


def _clash(
    path: Path, mine: Edit, theirs: Edit, decide: Callable[[Path], Side | None], crossing: _Crossing
) -> None:
    """L16, after an attempt to merge a text by its lines."""
    if len(path) == 2 and FIELD[path[0]].by_lines and mine.new is not None and theirs.new is not None:
        before = theirs.old or mine.old
        text = merge_lines(before.text if before else "", mine.new.text, theirs.new.text)
        if text is not None:
            crossing.inwards[path] = replace(mine.new, text=text)
            crossing.outwards[path] = replace(theirs.new, text=text)
            return
    winner = _removal_loses(mine, theirs) or decide(path)
    crossing.clashes.append(Clash(path, mine.old, mine.new, theirs.new, winner))
    if winner == "local":
        crossing.outwards[path] = mine.new
    elif winner == "remote":
        crossing.inwards[path] = theirs.new
    else:
        crossing.open.append(path)


def _removal_loses(mine: Edit, theirs: Edit) -> Side | None:
    """L17 for a unit: a change beats a removal."""
    if mine.new is None:
        return "remote"
    return "local" if theirs.new is None else None


def _decider(policy: Policy, hub: Hub, remote: Live) -> Callable[[Path], Side | None]:
    """L18: who wins a unit. Missing or equal times: the device."""

    def decide(path: Path) -> Side | None:
        if policy is Policy.ASK:
            return None
        if policy is Policy.NEWEST:
            mine = hub.times.get(path_text(path))
            return "remote" if mine and remote.at and remote.at > mine else "local"
        return "remote" if policy is Policy.REMOTE else "local"

    return decide


def merge_lines(base: str, local: str, remote: str) -> str | None:
    """Three-way merge by lines; None when both sides changed the same place differently."""
    before, ours, theirs = (note_form(text).split("\n") for text in (base, local, remote))
    ours_hunks, theirs_hunks = _hunks(before, ours), _hunks(before, theirs)
    for start, end, lines in ours_hunks:
        for other_start, other_end, other in theirs_hunks:
            touching = start <= other_end and other_start <= end
            if touching and (start, end, lines) != (other_start, other_end, other):
                return None
    result = list(before)
    for start, end, lines in sorted({*ours_hunks, *theirs_hunks}, reverse=True):
        result[start:end] = lines
    return "\n".join(result)


def _hunks(before: list[str], after: list[str]) -> list[tuple[int, int, tuple[str, ...]]]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return [
        (start, end, tuple(after[new_start:new_end]))
        for tag, start, end, new_start, new_end in matcher.get_opcodes()
        if tag != "equal"
    ]
