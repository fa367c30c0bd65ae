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
    ``interim`` the shadows while the outward edits are not confirmed yet: in their units the hub's is
    what the remote shows now, so that they remain edits.

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
    """What goes where, while one contact is merged. ``revived`` are entries that one side removed and
    that the other side's change keeps alive; ``open`` are units that a person is asked about."""

    inwards: dict[Path, Any] = field(default_factory=dict)
    outwards: dict[Path, Any] = field(default_factory=dict)
    clashes: list[Clash] = field(default_factory=list)
    revived: set[Path] = field(default_factory=set)
    open: list[Path] = field(default_factory=list)


def merge(
    base: Base, hub: Hub, remote: Live, *, project: Project, policy: Policy, mode: Mode = Mode.TWO_WAY
) -> Merged:
    """Merge the edits of both sides since ``base`` (L6, L7, L10, L14 to L18).

    First the remote's edits come in; what then shows otherwise than before goes out.
    """
    shadow = flatten(base.local)
    local = aligned(hub.contact, shadow)
    far_shadow = aligned(base.remote, shadow)
    far = aligned(remote.contact, far_shadow, also=local)
    shown_before = aligned(project(base.local), shadow)
    mine = diff(shown_before, aligned(project(hub.contact), local))
    theirs = diff(far_shadow, far)
    decide = _decider(_effective(policy, mode), hub, remote)
    crossing = _come_in(mine, theirs, diff(shadow, local), local, far, decide)
    held = [*crossing.open, *_held_there(crossing, mode, mine, theirs)]
    new_local = without_repeats(apply(local, crossing.inwards, far), local, far)
    shown = aligned(project(build(new_local)), new_local)
    _go_out(crossing, diff(shown_before, shown), shown, far, held)
    held += _held_here(crossing, mode, mine, theirs)
    new_far = without_repeats(apply(far, crossing.outwards, shown), local, far)
    uid = hub.contact.uid

    def far_state(units: Units) -> Contact:
        return replace(build(units, remote.contact.uid), updated=remote.contact.updated)

    return Merged(
        build(new_local, uid),
        far_state(new_far),
        Base(build(_restore(new_local, shadow, held), uid), far_state(_restore(new_far, far_shadow, held))),
        Base(
            build(_restore(_restore(new_local, shadow, held), far, crossing.outwards), uid),
            far_state(_restore(far, far_shadow, held)),
        ),
        tuple(crossing.clashes),
        tuple(crossing.inwards),
        tuple(crossing.outwards),
        tuple(held),
    )


def _effective(policy: Policy, mode: Mode) -> Policy:
    """In a one-way mode a conflict goes to the source (L26)."""
    if mode is Mode.TWO_WAY:
        return policy
    return Policy.REMOTE if mode.inwards else Policy.DEVICE


def _held_there(
    crossing: _Crossing, mode: Mode, mine: Mapping[Path, Edit], theirs: Mapping[Path, Edit]
) -> list[Path]:
    """The remote's edits that do not come in: a mirror takes them back there; otherwise they stay where
    they were made, and the shadows of their units stay, so that they remain edits (L18, L26)."""
    if mode is Mode.MIRROR_PULL:
        crossing.inwards.update({path: edit.old for path, edit in mine.items() if path not in theirs})
    if mode.inwards:
        return []
    held = [] if mode is Mode.MIRROR_PUSH else list(crossing.inwards)
    crossing.inwards.clear()
    return held


def _held_here(
    crossing: _Crossing, mode: Mode, mine: Mapping[Path, Edit], theirs: Mapping[Path, Edit]
) -> list[Path]:
    """The hub's edits that do not go out, in the same manner."""
    if mode is Mode.MIRROR_PUSH:
        crossing.outwards.update({path: edit.old for path, edit in theirs.items() if path not in mine})
    if mode.outwards:
        return []
    held = [] if mode is Mode.MIRROR_PULL else list(crossing.outwards)
    crossing.outwards.clear()
    return held


def _restore(units: Units, shadow: Units, paths: Iterable[Path]) -> Units:
    """``units``, but with these units as they were in the shadow."""
    return apply(units, {path: shadow.values.get(path) for path in paths}, shadow)


def _come_in(
    mine: Mapping[Path, Edit],
    theirs: Mapping[Path, Edit],
    unseen: Mapping[Path, Edit],
    local: Units,
    far: Units,
    decide: Callable[[Path], Side | None],
) -> _Crossing:
    """``unseen`` are all edits of the hub, also those that this remote cannot show."""
    crossing = _Crossing()
    _change_beats_removal({**unseen, **mine}, theirs, local, far, crossing)
    for path, edit in theirs.items():
        if path[:2] in crossing.revived:
            continue
        if path not in mine:
            crossing.inwards[path] = _with_hidden_rest(path, edit, local.values.get(path))
        elif not same_unit(path, mine[path].new, edit.new):
            _clash(path, mine[path], edit, local.values.get(path), decide, crossing)
    return crossing


def _go_out(
    crossing: _Crossing, edits: Mapping[Path, Edit], shown: Units, far: Units, held: Iterable[Path]
) -> None:
    """What the remote would show otherwise than before, and does not yet: edits of the hub, and entries
    for which there is room again (L10)."""
    standing = set(held)
    for path, edit in edits.items():
        if path in standing or path[:2] in crossing.revived:
            continue
        if not same_unit(path, far.values.get(path), edit.new):
            crossing.outwards[path] = edit.new
    for path, value in shown.values.items():
        if path[:2] in crossing.revived and not same_unit(path, far.values.get(path), value):
            crossing.outwards[path] = value


def _with_hidden_rest(path: Path, theirs: Edit, local: Any) -> Any:
    """The remote's new value; where it showed only the beginning of the hub's text, the rest stays (L6)."""
    if len(path) != 2 or not FIELD[path[0]].by_lines or local is None or theirs.old is None:
        return theirs.new
    whole, seen = note_form(local.text), note_form(theirs.old.text)
    rest = whole[len(seen) :] if whole.startswith(seen) else ""
    if not rest:
        return theirs.new
    return replace(local, text=note_form(theirs.new.text) + rest if theirs.new else rest.lstrip("\n"))


def _change_beats_removal(
    mine: Mapping[Path, Edit], theirs: Mapping[Path, Edit], local: Units, far: Units, crossing: _Crossing
) -> None:
    """L17: an entry that one side removed and the other changed lives, whole, on both."""
    for path in sorted({p[:2] for p in (*mine, *theirs) if FIELD[p[0]].kind is Kind.KEYED}):
        here, there = local.values.get(path), far.values.get(path)
        removed_here = path in mine and mine[path].new is None
        removed_there = path in theirs and theirs[path].new is None
        if removed_here and there is not None and any(p[:2] == path for p in theirs):
            crossing.inwards.update({p: value for p, value in far.values.items() if p[:2] == path})
            clash = Clash(path, mine[path].old, here, there, "remote")
        elif removed_there and here is not None and any(p[:2] == path for p in mine):
            clash = Clash(path, theirs[path].old, here, there, "local")
        else:
            continue
        crossing.revived.add(path)
        crossing.clashes.append(clash)


def _clash(
    path: Path,
    mine: Edit,
    theirs: Edit,
    local: Any,
    decide: Callable[[Path], Side | None],
    crossing: _Crossing,
) -> None:
    """L16, after an attempt to merge a text by its lines. ``local`` is the hub's whole value, of which
    the remote may show less."""
    if len(path) == 2 and FIELD[path[0]].by_lines and mine.new is not None and theirs.new is not None:
        before = theirs.old or mine.old
        text = merge_lines(before.text if before else "", local.text, theirs.new.text)
        if text is not None:
            crossing.inwards[path] = replace(local, text=text)
            return
    winner = _removal_loses(mine, theirs) or decide(path)
    crossing.clashes.append(Clash(path, mine.old, local, theirs.new, winner))
    if winner == "remote":
        crossing.inwards[path] = theirs.new
    elif winner is None:
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
