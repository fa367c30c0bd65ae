"""Group cards: ``KIND:group`` with ``MEMBER`` (RFC 6350), or both with Apple's names in vCard 3.0."""

from __future__ import annotations

from dataclasses import replace

from contactsync.model.contact import Contact, Extra, Name, NameComponent
from contactsync.model.group import GroupCard, member_uid

_MEMBER = ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER")
_PREFIX = "urn:uuid:"


def group_of(view: Contact) -> GroupCard | None:
    """What a group card says; None for the card of a person. Members that are no UIDs (a mail address,
    a URL) are not named."""
    if view.kind != "group":
        return None
    refs = (_uid(extra) for extra in view.extra)
    return GroupCard(view.name.full, frozenset(uid for uid in refs if uid))


def with_group(view: Contact, group: GroupCard, version: str) -> Contact:
    """The view of a group card with this name and these members; everything else on it stays."""
    there = group_of(view) or GroupCard()
    kept = tuple(extra for extra in view.extra if (_uid(extra) or "") in {"", *group.members})
    spelled = next((extra.name for extra in view.extra if _uid(extra)), _MEMBER[version != "4.0"])
    new = tuple(Extra(spelled, _PREFIX + uid) for uid in sorted(group.members - there.members))
    name = view.name if view.name.full == group.name else _named(view.name, group.name)
    return replace(view, kind="group", name=name, extra=(*kept, *new))


def _named(old: Name, name: str) -> Name:
    """Apple repeats a group's name as the surname."""
    return Name((NameComponent("surname", name),) if old.components or not old.full else (), name)


def _uid(extra: Extra) -> str | None:
    if extra.name.upper() not in _MEMBER:
        return None
    return member_uid(extra.value) if extra.value.lower().startswith(_PREFIX) else None
