"""A group as a card of its own (RFC 6350 sections 6.1.4 and 6.6.5)."""

from __future__ import annotations

from contactsync.frozen import frozen

_URN = "urn:uuid:"


@frozen
class GroupCard:
    """``members`` are the UIDs of the members' cards, as `member_uid` spells them."""

    name: str = ""
    members: frozenset[str] = frozenset()


EMPTY = GroupCard()


def member_uid(uid: str) -> str:
    """The UID of a card as groups refer to it: the same with and without ``urn:uuid:``."""
    return uid[len(_URN) :] if uid.lower().startswith(_URN) else uid
