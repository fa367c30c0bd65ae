"""What to do about one contact and one card: the table of the laws as a pure function.

Rows are what became of the contact in the hub since the base, columns what became of the card.
An empty list means that there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.fields import Path
from contactsync.sync.diff import Edit, differs
from contactsync.sync.merge import Project, merge
from contactsync.sync.types import (
    NO_BASE,
    Action,
    Base,
    Clash,
    CreateRemote,
    DeleteRemote,
    DropLocal,
    Hub,
    Live,
    Mode,
    NoteConflict,
    Policy,
    Rebase,
    SaveLocal,
    Seen,
    Side,
    Unlink,
    UpdateRemote,
)

WHOLE: Path = ("contact",)


@frozen
class Rules:
    """What holds for one book: policy, mode, and the groups that were deleted in the hub (L39)."""

    policy: Policy = Policy.NEWEST
    mode: Mode = Mode.TWO_WAY
    dead_groups: frozenset[str] = frozenset()


def plan(base: Base, hub: Hub, remote: Live | Seen, *, project: Project, rules: Rules) -> list[Action]:
    """The steps for one linked contact. ``base`` is `NO_BASE` for a pair that meets for the first
    time (L28), and for a card that is gone because we deleted it."""
    if isinstance(remote, Live):
        if hub.deleted:
            return _deleted_here(base, hub, remote, project, rules)
        return _both_live(base, hub, remote, project, rules)
    if remote is Seen.GONE:
        return _gone_there(base, hub, rules)
    if hub.deleted:
        return _delete_there(hub, rules)
    return _both_live(base, hub, Live(base.remote), project, rules)


def _both_live(base: Base, hub: Hub, remote: Live, project: Project, rules: Rules) -> list[Action]:
    merged = merge(base, hub, remote, project=project, policy=rules.policy, mode=rules.mode)
    actions: list[Action] = [NoteConflict(clash) for clash in merged.clashes]
    if differs(hub.contact, merged.local):
        actions.append(SaveLocal(merged.local, merged.taken))
    if differs(remote.contact, merged.remote):
        actions.append(UpdateRemote(merged.remote, merged.base, merged.interim))
    elif merged.base != base:
        actions.append(Rebase(merged.base))
    return actions


def _deleted_here(base: Base, hub: Hub, remote: Live, project: Project, rules: Rules) -> list[Action]:
    """L23: an edit there that the deletion had not seen brings the contact back, with the edit; but where
    the device is the source, it decides (L26)."""
    edits = differs(base.remote, remote.contact)
    if not _real(edits, rules):
        return _delete_there(hub, rules)
    if rules.mode.source == "local":
        return [NoteConflict(Clash(WHOLE, base.local, None, remote.contact, "local")), DeleteRemote()]
    return _back(base, hub, remote, project, rules)


def _back(base: Base, hub: Hub, remote: Live, project: Project, rules: Rules) -> list[Action]:
    """Who was deleted here lives, with what the card says otherwise than ``base``."""
    merged = merge(base, hub, remote, project=project, policy=rules.policy, mode=rules.mode)
    note = NoteConflict(Clash(WHOLE, base.local, None, remote.contact, "remote"))
    clashes = [NoteConflict(clash) for clash in merged.clashes]
    actions: list[Action] = [note, *clashes, SaveLocal(merged.local, merged.taken)]
    if differs(remote.contact, merged.remote):
        return [*actions, UpdateRemote(merged.remote, merged.base, merged.interim)]
    return [*actions, Rebase(merged.base)]


def _delete_there(hub: Hub, rules: Rules) -> list[Action]:
    if rules.mode.outwards:
        return [DeleteRemote()]
    if rules.mode is Mode.MIRROR_PULL:
        return [SaveLocal(hub.contact)]
    return []


def _gone_there(base: Base, hub: Hub, rules: Rules) -> list[Action]:
    if hub.deleted:
        return [Unlink()]
    edited = _real(differs(base.local, hub.contact), rules)
    winner: Side = "remote" if rules.mode is Mode.MIRROR_PULL else "local"
    note = NoteConflict(Clash(WHOLE, base.local, hub.contact, None, winner))
    noted: list[Action] = [note] if edited and base is not NO_BASE else []
    match rules.mode:
        case Mode.MIRROR_PULL:
            return [*noted, DropLocal(), Unlink()]
        case Mode.PULL if edited:
            return [*noted, Unlink(left=True)]
        case Mode.PUSH if not edited:
            return [Unlink(left=True)]
        case Mode.MIRROR_PUSH:
            return [*noted, Unlink(), CreateRemote(hub.contact)]
        case _:
            return [*noted, Unlink(), CreateRemote(hub.contact)] if edited else [DropLocal(), Unlink()]


def _real(edits: Mapping[Path, Edit], rules: Rules) -> bool:
    """Is there an edit beyond what follows from a group that was deleted? Joining it does not (L39)."""
    return any(
        edit.new or path[0] != "groups" or path[1] not in rules.dead_groups for path, edit in edits.items()
    )


def first_meeting(
    hub: Hub, remote: Live, *, project: Project, rules: Rules, last: Base = NO_BASE
) -> list[Action]:
    """A matched pair without a link: the union of both (L28). A new card brings back who was deleted here
    (L22). ``last`` is the base of the card that we deleted, if it is known still: then the new one is an edit
    of that (L23). If not, an edit may be in it, which beats what it was deleted with."""
    if not hub.deleted:
        return plan(NO_BASE, hub, remote, project=project, rules=rules)
    if rules.mode.source == "local":
        return []
    if last is NO_BASE and rules.policy is not Policy.ASK:
        rules = replace(rules, policy=Policy.REMOTE)
    return _back(last, hub, remote, project, rules)


def new_card(remote: Live, uid: str) -> tuple[SaveLocal, Rebase]:
    """A card that belongs to no contact: the contact is what the card says."""
    contact: Contact = replace(remote.contact, uid=uid, updated=None)
    return SaveLocal(contact), Rebase(Base(contact, remote.contact))
