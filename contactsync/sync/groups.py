"""Three-way merge of a group that is a card of its own (L39).

The name is a unit, and so is each membership; memberships never clash, because a set knows only two
states of a member.
"""

from __future__ import annotations

from contactsync.frozen import frozen
from contactsync.model.fields import squeeze
from contactsync.model.group import GroupCard
from contactsync.sync.types import Mode, Policy, Side


@frozen
class MergedGroup:
    """Both new states, and the ``base`` as soon as the card is as it should be there; ``lost`` is a name
    that was given on one side and had to give way to another one (L16)."""

    local: GroupCard
    remote: GroupCard
    lost: str = ""


def merge_group(
    base: GroupCard, local: GroupCard, remote: GroupCard, *, policy: Policy, mode: Mode
) -> MergedGroup:
    """``base`` is what both sides agreed on. Names are equal after squeezing of blanks (L2)."""
    winner, lost = _name(base, local, remote, mode.source or _side(policy))
    members = (remote.members - base.members, base.members - remote.members)
    ours = (local.members - base.members, base.members - local.members)
    joined = (local.members | members[0]) - members[1]
    target = (remote.members | ours[0]) - ours[1]
    if mode is Mode.MIRROR_PULL:
        joined = remote.members
    if mode is Mode.MIRROR_PUSH:
        target = local.members
    here = GroupCard(winner, joined) if mode.inwards else local
    there = GroupCard(winner, target) if mode.outwards else remote
    return MergedGroup(here, there, lost)


def agreed(base: GroupCard, local: GroupCard, remote: GroupCard) -> GroupCard:
    """The next base: where both sides are the same, that; elsewhere what it was, so that an edit which
    waits remains one."""
    same = local.members & remote.members
    waiting = base.members & (local.members ^ remote.members)
    name = remote.name if squeeze(local.name) == squeeze(remote.name) else base.name
    return GroupCard(name, same | waiting)


def _side(policy: Policy) -> Side:
    return "remote" if policy is Policy.REMOTE else "local"


def _name(base: GroupCard, local: GroupCard, remote: GroupCard, winner: Side) -> tuple[str, str]:
    here, there, before = (squeeze(card.name) for card in (local, remote, base))
    if here == there or there == before:
        return local.name, ""
    if here == before:
        return remote.name, ""
    return (remote.name, local.name) if winner == "remote" else (local.name, remote.name)
