"""L39: groups are entities; books only know their names."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

import pytest

from contactsync.engine.groupnames import GroupNames, believed_renames
from contactsync.model.contact import Contact
from contactsync.store.values import StoredGroup

FRIENDS = StoredGroup("f", "Friends", None)
DEAD = StoredGroup("d", "Work", datetime(2026, 1, 1, tzinfo=UTC))


def names(*groups: StoredGroup, base: dict[str, str] | None = None) -> GroupNames:
    ids = count(1)
    return GroupNames(groups, base or {}, lambda: f"new{next(ids)}")


def names_of(*members: str) -> frozenset[str]:
    return frozenset(members)


@pytest.mark.law("L39")
def test_names_become_ids_and_back_and_unknown_ones_become_groups() -> None:
    book = names(FRIENDS)
    view = book.to_ids(Contact(groups=names_of("friends", "Chess")))
    assert view.groups == {"f", "new1"}
    assert book.new == {"new1": "Chess"}
    assert book.to_names(view).groups == {"Friends", "Chess"}


@pytest.mark.law("L39")
@pytest.mark.parametrize("new", ["Best friends", "Zoo"])
def test_a_former_name_beside_the_present_one_is_a_group_of_its_own(new: str) -> None:
    """Somebody made a group of the name that was free (seed parallel 163464)."""
    for group in (StoredGroup("f", new, None), StoredGroup("f", new, DEAD.deleted_at)):
        book = names(group, base={"f": "Friends"})
        both = Contact(groups=names_of("Friends", new))
        assert book.to_ids(both).groups == {"f", "new1"} and book.new == {"new1": "Friends"}
        assert book.seen == {"f": new, "new1": "Friends"}
        assert book.to_ids(both, {"f"}).groups == {"f", "new1"}
        assert book.to_ids(Contact(groups=names_of("Friends")), {"f"}).groups == {"f"}, (
            "not renamed there yet"
        )


@pytest.mark.law("L39")
def test_a_book_keeps_its_older_name_for_a_group_until_all_cards_have_the_new_one() -> None:
    book = names(StoredGroup("f", "Best friends", None), base={"f": "Friends"})
    assert book.to_ids(Contact(groups=names_of("Friends"))).groups == {"f"}
    assert book.to_ids(Contact(groups=names_of("Best friends"))).groups == {"f"}
    assert book.pending() == {"f": "Best friends"}


@pytest.mark.law("L39")
def test_a_deleted_group_is_not_written_but_still_known() -> None:
    book = names(DEAD)
    assert book.to_names(Contact(groups=names_of("d"))).groups == frozenset()
    assert book.to_ids(Contact(groups=names_of("Work"))).groups == {"d"}


@pytest.mark.law("L39", "P8")
def test_a_rename_is_believed_when_all_members_lose_the_old_and_gain_the_same_new_name() -> None:
    both = [
        (names_of("Friends"), names_of("Buddies")),
        (names_of("Friends", "Chess"), names_of("Chess", "Buddies")),
    ]
    assert believed_renames(both, {"Friends": 2, "Chess": 1}) == {"Friends": "Buddies"}
    assert believed_renames(both, {"Friends": 3, "Chess": 1}) == {}
    assert believed_renames(both, {"Friends": 2, "Buddies": 1}) == {}
    assert believed_renames([*both, (names_of(), names_of("Friends"))], {"Friends": 2, "Chess": 1}) == {}
    apart = [(names_of("Friends"), names_of("A")), (names_of("Friends"), names_of("B"))]
    assert believed_renames(apart, {"Friends": 2}) == {}
