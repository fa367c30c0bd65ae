"""Three-way merge of one contact: edits cross, states do not (sections 3 and 4 of the laws).

Each side is compared with its own shadow; `merge` gives the hub's new contact and the card that
the remote should hold, and what clashed on the way.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    build,
    entry_keys,
    flatten,
    note_form,
    path_text,
    same_unit,
)
from contactsync.sync.diff import Edit, aligned, apply, diff, renamed, unequal, without_repeats
from contactsync.sync.types import Base, Clash, Hub, Live, Mode, Policy, Side

Project = Callable[[Contact], Contact]


@frozen
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
    """What goes where, while one contact is merged. ``settled`` are entries that one side removed and
    the other changed: they are decided as a whole. ``open`` are units that a person is asked about."""

    inwards: dict[Path, Any] = field(default_factory=dict)
    outwards: dict[Path, Any] = field(default_factory=dict)
    clashes: list[Clash] = field(default_factory=list)
    settled: set[Path] = field(default_factory=set)
    open: list[Path] = field(default_factory=list)


@frozen
class _Judge:
    """Who wins what both sides changed (L16 to L18): in a one-way mode its source (L26). With ``stays``,
    what the hub removed stays so."""

    policy: Policy
    source: Side | None
    stays: bool
    hub: Hub
    remote: Live

    def clash(self, path: Path, base: Any, local: Any, remote: Any, winner: Side | None) -> Clash:
        at = self.hub.times.get(path_text(path))
        return Clash(path, base, local, remote, winner, at, self.remote.at)

    def changed_there(self) -> Side:
        """Who wins what the hub removed and the remote changed (L17)."""
        return self.source or ("local" if self.stays else "remote")

    def winner(self, path: Path, mine: Edit, theirs: Edit) -> Side | None:
        """None: a person is asked."""
        if self.source:
            return self.source
        if mine.new is None or theirs.new is None:
            return self.changed_there() if mine.new is None else "local"
        if self.policy is Policy.ASK:
            return None
        if self.policy is Policy.NEWEST:
            at = self.hub.times.get(path_text(path))
            return "remote" if at and self.remote.at and self.remote.at > at else "local"
        return "remote" if self.policy is Policy.REMOTE else "local"


def merge(
    base: Base,
    hub: Hub,
    remote: Live,
    *,
    project: Project,
    policy: Policy,
    mode: Mode = Mode.TWO_WAY,
    rows: Sequence[Field] = (),
    stays: bool = False,
) -> Merged:
    """Merge the edits of both sides since ``base`` (L6, L7, L10, L14 to L18).

    First the remote's edits come in; what then shows otherwise than before goes out. Only the ``rows`` are
    looked at, by default those in which anything differs; all others stay as they are. With ``stays``,
    nothing comes back that the hub removed, though the remote changed it: not as in L17.
    """
    before = project(base.local)
    now = before if hub.contact == base.local else project(hub.contact)
    rows = rows or unequal((base.local, hub.contact), (base.remote, remote.contact), (before, now))
    shadow = flatten(base.local, rows=rows)
    local = aligned(hub.contact, shadow, rows=rows)
    far_shadow = aligned(base.remote, shadow, rows=rows)
    far = aligned(remote.contact, far_shadow, also=local, rows=rows)
    shown_before = aligned(before, shadow, rows=rows)
    own = diff(shadow, local)
    mine = _made_here(diff(shown_before, aligned(now, local, rows=rows)), own, local)
    theirs = diff(far_shadow, far)
    crossing = _Crossing()
    judge = _Judge(policy, mode.source, stays, hub, remote)
    _settle_removals({**own, **mine}, theirs, local, far, judge, crossing)
    _come_in(mine, theirs, shadow, local, judge, crossing)
    held = [*crossing.open, *_held_there(crossing, mode, mine, theirs, shadow)]
    joined = without_repeats(apply(local, crossing.inwards, far), local, far)
    new_local, far = joined.units, renamed(far, joined.names)
    uid, rest = hub.contact.uid, replace(hub.contact, updated=None)
    here = build(new_local, uid, rows, rest)
    after = now if here == hub.contact else project(here)
    if any(row not in rows for row in unequal((before, after))):
        # a name may show once there is no organization of that name
        return merge(base, hub, remote, project=project, policy=policy, mode=mode, rows=FIELDS, stays=stays)
    shown = aligned(after, new_local, rows=rows)
    _go_out(crossing, diff(shown_before, shown), theirs, shown, far, new_local, held)
    held += _held_here(crossing, mode, mine)
    joined_there = without_repeats(apply(far, crossing.outwards, shown), local, far)
    new_far = joined_there.units
    for path, pair in {**joined.differing, **joined_there.differing}.items():
        crossing.clashes.append(Clash(path, None, pair.old, pair.new, "local"))

    def near_state(units: Units) -> Contact:
        return here if units is new_local else build(units, uid, rows, rest)

    def far_state(units: Units) -> Contact:
        return build(units, remote.contact.uid, rows, remote.contact)

    settled = _restore(new_local, shadow, held)
    there = far_state(new_far)
    both = Base(near_state(settled), far_state(_restore(new_far, far_shadow, held)) if held else there)
    interim = Base(
        near_state(_restore(settled, far, crossing.outwards)), far_state(_restore(far, far_shadow, held))
    )
    return Merged(
        here,
        there,
        both,
        interim if crossing.outwards else both,
        tuple(replace(clash, path=_named_anew(clash.path, settled)) for clash in crossing.clashes),
        tuple(crossing.inwards),
        tuple(crossing.outwards),
        tuple(held),
    )


def _named_anew(path: Path, units: Units) -> Path:
    """A unit of an entry whose value was edited is looked for under the new value from now on (L18)."""
    if len(path) < 3 or path[:2] not in units.values:
        return path
    keys = units.order[path[0]]
    entries = [units.values[path[0], key] for key in keys]
    return (path[0], entry_keys(FIELD[path[0]], entries)[keys.index(path[1])], *path[2:])


def _made_here(shown: Mapping[Path, Edit], own: Mapping[Path, Edit], local: Units) -> dict[Path, Edit]:
    """Of what shows otherwise at the remote, the edits: an entry that had to make room for a better one
    is still in the hub (L10), and what counts is what was done to it there."""
    displaced = {path for path, edit in shown.items() if edit.new is None and _is_entry(path)}
    displaced &= local.values.keys()
    edits = {path: own.get(path) if path[:2] in displaced else edit for path, edit in shown.items()}
    return {path: edit for path, edit in edits.items() if edit}


def _is_entry(path: Path) -> bool:
    return len(path) == 2 and FIELD[path[0]].kind is Kind.KEYED


def _held_there(
    crossing: _Crossing,
    mode: Mode,
    mine: Mapping[Path, Edit],
    theirs: Mapping[Path, Edit],
    shadow: Units,
) -> list[Path]:
    """The remote's edits that do not come in: a mirror takes them back there; otherwise they stay where
    they were made, and the shadows of their units stay, so that they remain edits (L18, L26)."""
    if mode is Mode.MIRROR_PULL:
        reverts = {path: shadow.values.get(path) for path in mine if path not in theirs}
        crossing.inwards = reverts | crossing.inwards
    if mode.inwards:
        return []
    held = [] if mode is Mode.MIRROR_PUSH else list(crossing.inwards)
    crossing.inwards.clear()
    return held


def _held_here(crossing: _Crossing, mode: Mode, mine: Mapping[Path, Edit]) -> list[Path]:
    """The hub's edits that do not go out, in the same manner; what only follows from an edit that came
    in is none."""
    if mode.outwards:
        return []
    held = [p for p, value in crossing.outwards.items() if p in mine and same_unit(p, mine[p].new, value)]
    crossing.outwards.clear()
    return [] if mode is Mode.MIRROR_PULL else held


def _restore(units: Units, shadow: Units, paths: Iterable[Path]) -> Units:
    """``units``, but with these units as they were in the shadow."""
    return apply(units, {path: shadow.values.get(path) for path in paths}, shadow)


def _settle_removals(
    mine: Mapping[Path, Edit],
    theirs: Mapping[Path, Edit],
    local: Units,
    far: Units,
    judge: _Judge,
    crossing: _Crossing,
) -> None:
    """L17: an entry that one side removed and the other changed lives, whole, on both. ``mine`` are all
    edits of the hub, also those that this remote cannot show."""
    for path in sorted({p[:2] for p in (*mine, *theirs) if FIELD[p[0]].kind is Kind.KEYED}):
        here, there = local.values.get(path), far.values.get(path)
        removed_here = path in mine and here is None and there is not None
        removed_there = path in theirs and there is None and here is not None
        if removed_here and any(p[:2] == path for p in theirs):
            clash = judge.clash(path, mine[path].old, None, there, judge.changed_there())
        elif removed_there and any(p[:2] == path for p in mine):
            clash = judge.clash(path, theirs[path].old, here, None, judge.source or "local")
        else:
            continue
        crossing.settled.add(path)
        crossing.clashes.append(clash)
        if clash.winner == "remote":
            crossing.inwards.update({p: value for p, value in far.values.items() if p[:2] == path})
            crossing.inwards.setdefault(path, None)


def _come_in(
    mine: Mapping[Path, Edit],
    theirs: Mapping[Path, Edit],
    shadow: Units,
    local: Units,
    judge: _Judge,
    crossing: _Crossing,
) -> None:
    for path, edit in theirs.items():
        if path[:2] in crossing.settled:
            continue
        here = local.values.get(path)
        own = mine.get(path)
        if own is None and edit.old is None and here is not None:
            own = Edit(None, here)  # the remote had lost it (L12): who set it there had not seen ours
        if own is None:
            crossing.inwards[path] = _of_whole(path, edit, here).new
        elif not same_unit(path, own.new, edit.new):
            _clash(path, own, edit, here, _of_whole(path, edit, shadow.values.get(path)), judge, crossing)


def _go_out(
    crossing: _Crossing,
    edits: Mapping[Path, Edit],
    theirs: Mapping[Path, Edit],
    shown: Units,
    far: Units,
    local: Units,
    held: Iterable[Path],
) -> None:
    """What the remote would show otherwise than before, and does not yet: edits of the hub, entries for
    which there is room again, and what was edited there and did not prevail. An entry in whose place a
    better one comes makes room (L10)."""
    standing = set(held)
    edited = (path for path in (*edits, *theirs) if path[:2] not in crossing.settled)
    settled = (path for path in (*shown.values, *far.values) if path[:2] in crossing.settled)
    for path in (*edited, *settled):
        value = shown.values.get(path)
        if path not in standing and not same_unit(path, far.values.get(path), value):
            crossing.outwards[path] = value
    growing = {p[0] for p, value in crossing.outwards.items() if _is_entry(p) and p not in far.values}
    for path in far.values:
        if path[0] in growing and _is_entry(path) and path in local.values and path not in shown.values:
            crossing.outwards[path] = None


def _of_whole(path: Path, theirs: Edit, whole: Any) -> Edit:
    """The remote's edit, as one of the hub's ``whole`` text where it showed only the beginning (L6)."""
    if not _by_lines(path) or whole is None or theirs.old is None:
        return theirs
    text, seen = note_form(whole.text), note_form(theirs.old.text)
    rest = text[len(seen) :] if text.startswith(seen) else ""
    if not rest:
        return theirs
    return Edit(
        whole, replace(whole, text=note_form(theirs.new.text) + rest if theirs.new else rest.lstrip("\n"))
    )


def _by_lines(path: Path) -> bool:
    return len(path) == 2 and FIELD[path[0]].by_lines


def _clash(
    path: Path, mine: Edit, theirs: Edit, here: Any, whole: Edit, judge: _Judge, crossing: _Crossing
) -> None:
    """L16, after an attempt to merge a text by its lines, which a one-way mode leaves whole. ``here`` is
    the hub's value, and ``whole`` the remote's edit of it; the remote may show less of both."""
    if _by_lines(path) and not judge.source and mine.new is not None and theirs.new is not None:
        before = whole.old or mine.old
        text = merge_lines(before.text if before else "", here.text, whole.new.text)
        if text is not None:
            crossing.inwards[path] = replace(here, text=text)
            return
    winner = judge.winner(path, mine, theirs)
    crossing.clashes.append(judge.clash(path, mine.old, here, theirs.new, winner))
    if winner == "remote":
        crossing.inwards[path] = whole.new
    elif winner is None:
        crossing.open.append(path)


def merge_lines(base: str, local: str, remote: str) -> str | None:
    """Three-way merge by lines; None when both sides changed the same place differently."""
    before, ours, theirs = (note_form(text).split("\n") for text in (base, local, remote))
    ours_hunks, theirs_hunks = _hunks(before, ours), _hunks(before, theirs)
    for start, end, lines in ours_hunks:
        for other_start, other_end, other in theirs_hunks:
            overlap = (start < other_end and other_start < end) or (start, end) == (other_start, other_end)
            if overlap and (start, end, lines) != (other_start, other_end, other):
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
