"""Group names on cards to group ids in the hub, and back, for one book (L39)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

from contactsync.engine.steps import set_group
from contactsync.model.contact import Contact
from contactsync.model.fields import fold
from contactsync.store.store import Store
from contactsync.store.values import StoredGroup


@dataclass(slots=True)
class GroupNames:
    """The groups of the hub, and what one book calls them (``base``: id -> name).

    ``former`` are names that a group had since it was called so there: cards may be written with one that
    it has not any more. Names that nothing answers to become new groups, collected in ``new``; ``seen`` are
    the names that this book was seen to use; ``carded`` the groups that its cards say nothing of;
    ``standing`` is the group that the book stands for: all its cards are members, and none says so.

    Where groups are `Capabilities.labels`, ``labels`` maps those that the book has to their hrefs: by
    these its cards name them, and by no other text. It is None everywhere else.
    """

    groups: Iterable[StoredGroup]
    base: Mapping[str, str]
    new_id: Callable[[], str]
    new: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    dead: frozenset[str] = frozenset()
    carded: frozenset[str] = frozenset()
    standing: frozenset[str] = frozenset()
    labels: Mapping[str, str] | None = None
    former: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        groups = list(self.groups)
        self.dead = frozenset(group.id for group in groups if group.deleted_at is not None)
        self._names = {group.id: group.name for group in groups}
        for group in sorted(groups, key=lambda g: (g.deleted_at is None, g.id)):
            self._ids[fold(group.name)] = group.id
        for group_id, name in sorted(self.base.items(), key=self._right):
            self._ids[fold(name)] = group_id
        for group_id, names in sorted(self.former.items()):
            for name in names:
                self._ids.setdefault(fold(name), group_id)

    def _right(self, called: tuple[str, str]) -> tuple[bool, bool, str]:
        """Of two groups that the book calls alike, the one comes last that still has the name."""
        group_id, name = called
        return group_id not in self.dead, self._names.get(group_id) == name, group_id

    def id_of(self, name: str) -> str:
        """The book's own name for a group comes first, then live groups, deleted ones, and former names."""
        key = fold(name)
        if key not in self._ids:
            group_id = self.new_id()
            self._ids[key] = group_id
            self._names[group_id] = self.new[group_id] = name
        return self._ids[key]

    def unknown(self, view: Contact) -> frozenset[str]:
        """What a card names as labels, of which none is known: made since they were listed."""
        return frozenset() if self.labels is None else view.groups - set(self.labels.values())

    def learn(self, groups: Iterable[StoredGroup]) -> None:
        """Groups that other books of the account brought in this very round."""
        for group in groups:
            self._names.setdefault(group.id, group.name)
            self._ids.setdefault(fold(group.name), group.id)

    def as_called_there(self, contact: Contact) -> Contact:
        """Like `to_names`, with the names that the book itself still uses."""
        ids = contact.groups - self.dead
        return replace(contact, groups=frozenset(map(self.called_there, ids)))

    def ids(self) -> set[str]:
        return set(self._names)

    def knows(self, name: str) -> bool:
        return fold(name) in self._ids

    def to_ids(self, view: Contact, known: Set[str] = frozenset()) -> Contact:
        """A codec's view with group ids instead of names. ``known`` are the groups that the card was in when
        it was last written or read: a name that another group has by now is theirs until they are called
        otherwise there."""
        if not view.groups:
            return replace(view, groups=self.standing) if self.standing else view
        if self.labels is not None:
            groups = frozenset(id_ for id_, href in self.labels.items() if href in view.groups)
            return replace(view, groups=(groups - self.carded) | self.standing)
        own = self._own(known, {fold(name) for name in view.groups}) if known else {}
        pairs: dict[str, str] = {}
        for name in sorted(filter(str.strip, view.groups)):
            group_id = own.get(fold(name)) or self.id_of(name)
            if group_id in pairs:  # by its present name and a former one: somebody made a group of that
                present = fold(self.name_of(group_id))
                mine, other = sorted((name, pairs[group_id]), key=lambda one: fold(one) != present)
                pairs[group_id], name, group_id = mine, other, self.another(other)
            pairs[group_id] = name
        self.seen.update(pairs)
        return replace(view, groups=frozenset(pairs) | self.standing)

    def another(self, name: str) -> str:
        """The id of a group of its own with this name, which was another group's."""
        self._ids.pop(fold(name))
        return self.id_of(name)

    def _own(self, known: Set[str], there: Set[str]) -> dict[str, str]:
        """The names of these groups on a card that has the names ``there``."""
        found = {}
        for group_id in sorted(known & self.base.keys()):
            old, new = fold(self.base[group_id]), fold(self.name_of(group_id))
            if new == old or new not in there:
                found[old] = group_id
        return found

    def to_names(self, contact: Contact) -> Contact:
        """A hub contact with the present names of its live groups, for a codec to write; with their
        hrefs where the book has labels, and the name of one that it will have only then."""
        if not contact.groups:
            return contact
        there = {**self._names, **(self.labels or {})}
        live = (group_id for group_id in contact.groups - self.standing if group_id not in self.dead)
        return replace(contact, groups=frozenset(there[g] for g in live if g in there))

    def revive(self, group_id: str) -> None:
        """The group lives again: it is written from now on."""
        self.dead -= {group_id}

    def called_there(self, group_id: str) -> str:
        """The name that the book itself still uses for a group."""
        return self.base.get(group_id, self.name_of(group_id))

    def name_of(self, group_id: str) -> str:
        return self._names.get(group_id, group_id)

    def pending(self) -> dict[str, str]:
        """Groups that this book still knows by an older name: id -> present name."""
        return {group_id: name for group_id, name in self._renamed().items() if group_id not in self.dead}

    def buried(self) -> dict[str, str]:
        """Groups that were deleted here with another name than this book knows them by: id -> name."""
        return {group_id: name for group_id, name in self._renamed().items() if group_id in self.dead}

    def _renamed(self) -> dict[str, str]:
        names = self._names
        return {g: names[g] for g, called in self.base.items() if names.get(g, called) != called}


def keep_groups(store: Store, run: int, at: datetime, names: GroupNames, collection_id: int) -> None:
    """Store the groups that a book's names turned out to be new for, and what the book calls them."""
    for group_id, name in names.new.items():
        set_group(store, run, at, group_id, name, collection_id=collection_id)
    for group_id, name in names.seen.items():
        if group_id not in names.base:
            store.groups.link(group_id, collection_id, name)


def believed_renames(
    changes: Iterable[tuple[frozenset[str], frozenset[str]]], members: Mapping[str, int]
) -> dict[str, str]:
    """Renames made at a remote that only has texts: old name -> new name (L39).

    ``changes`` are (names before, names now) of every changed card; ``members`` counts the cards
    of each old name in the whole book. Believed when in one pull *all* members lose the old name
    and gain the same new one, nobody else has got the old one (a write of ours that we do not know of),
    and the new one had no members before.
    """
    lost: dict[str, list[frozenset[str]]] = {}
    got: set[str] = set()
    for before, now in changes:
        got |= now - before
        for name in before - now:
            lost.setdefault(name, []).append(now - before)
    renames: dict[str, str] = {}
    for old, gains in sorted(lost.items()):
        if len(gains) != members.get(old, 0) or old in got:
            continue
        common = frozenset.intersection(*gains)
        fresh = sorted(name for name in common if not members.get(name) and name not in renames.values())
        if len(fresh) == 1:
            renames[old] = fresh[0]
    return renames
