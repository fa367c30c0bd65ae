"""Groups and what each book calls them."""

from __future__ import annotations

import pytest

from contactsync.store.store import Store
from tests.store.people import LATER, NOON, add_book


@pytest.mark.law("L39")
def test_a_group_is_renamed_deleted_and_brought_back_under_one_id(store: Store) -> None:
    with store.transaction():
        store.groups.add("g-2", "Work", NOON)
        store.groups.add("g-1", "Family", NOON)
    assert [(g.id, g.name, g.deleted_at) for g in store.groups.all()] == [
        ("g-1", "Family", None),
        ("g-2", "Work", None),
    ]
    with store.transaction():
        store.groups.update("g-1", LATER, name="Kin", deleted_at=LATER)
    assert [(g.name, g.deleted_at) for g in store.groups.all()] == [("Kin", LATER), ("Work", None)]
    with store.transaction():
        store.groups.update("g-1", LATER, name="Kin")
    assert [g.deleted_at for g in store.groups.all()] == [None, None]


@pytest.mark.law("L39")
def test_each_book_has_its_own_name_for_a_group(store: Store) -> None:
    one, other = add_book(store), add_book(store, "work")
    with store.transaction():
        store.groups.add("g-1", "Family", NOON)
        store.groups.link("g-1", one, "Family")
        store.groups.link("g-1", other, "family")
        store.groups.link("g-1", one, "Kin")
    assert store.groups.base_names(one) == {"g-1": "Kin"}
    assert store.groups.base_names(other) == {"g-1": "family"}
    with store.transaction():
        store.books.remove(other)
    assert store.groups.base_names(other) == {}
    assert len(store.groups.all()) == 1
