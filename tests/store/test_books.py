"""Accounts, books, what pulls have staged, and what imports and bad cards leave."""

from __future__ import annotations

import pytest

from contactsync.store.groupcards import StoredGroupCard
from contactsync.store.links import NewLink
from contactsync.store.store import Store
from contactsync.store.values import StagedChange
from tests.store.people import LATER, NOON, add_book, add_contact, noted, person, same


def test_an_account_is_made_once_and_keeps_how_it_fared(store: Store) -> None:
    with store.transaction():
        key = store.books.ensure_account("home", "carddav")
        assert store.books.ensure_account("home", "carddav") == key
        store.books.ensure_account("abroad", "memory")
        store.books.note_account("home", state="ok", ran_at=NOON, message="")
    states = [(a.name, a.connector, a.state, a.ran_at) for a in store.books.accounts()]
    assert states == [("abroad", "memory", "new", None), ("home", "carddav", "ok", NOON)]
    assert store.books.account_id("nowhere") is None


def test_books_are_listed_changed_and_removed(store: Store) -> None:
    second, first = add_book(store, href="/two/"), add_book(store, href="/one/")
    with store.transaction():
        store.books.update(second, selected=False, cursor="token", cursor_at=LATER)
    assert [b.id for b in store.books.of_account("home")] == [first]
    assert [b.id for b in store.books.of_account("home", selected_only=False)] == [first, second]
    book = store.books.get(second)
    assert book is not None
    assert (book.account, book.name, book.cursor, book.cursor_at) == ("home", "two", "token", LATER)
    assert (book.writable, book.shared, book.default, book.selected) == (True, False, True, False)
    with store.transaction():
        store.books.remove(second)
    assert store.books.get(second) is None


def test_the_last_word_on_a_card_is_what_stays_staged(store: Store) -> None:
    book = add_book(store)
    old = StagedChange(book, "/a.vcf", '"1"', b"old", False, NOON)
    new = StagedChange(book, "/a.vcf", None, None, True, LATER)
    other = StagedChange(book, "/b.vcf", '"1"', b"card", False, None)
    with store.transaction():
        store.books.stage(book, [])
        store.books.stage(book, [old, other])
        store.books.stage(book, [old, new])
    assert store.books.staged(book) == [new, other]
    with store.transaction():
        store.books.clear_staged(book)
    assert store.books.staged(book) == []


@pytest.mark.law("L30")
def test_an_import_remembers_what_each_card_said_and_became(store: Store) -> None:
    ada = person("Ada")
    key = add_contact(store, ada)
    with store.transaction():
        store.keepsakes.remember("a.vcf", "1", "hash", key, ada)
        store.keepsakes.remember("a.vcf", "1", "other", key, noted(ada, "n"))
        store.keepsakes.remember("b.vcf", "1", "hash", key, ada)
    (card,) = store.keepsakes.remembered("a.vcf").values()
    assert (card.hash, card.contact_id, card.base) == ("other", key, noted(ada, "n"))
    assert store.keepsakes.remembered("c.vcf") == {}


@pytest.mark.law("L35")
def test_a_bad_card_is_set_aside_once_with_its_bytes_until_it_is_released(store: Store) -> None:
    book, key = add_book(store), add_contact(store, person("Ada"))
    with store.transaction():
        for reason in ("cut off", "still cut off"):
            store.keepsakes.set_aside(
                payload=b"BEGIN",
                name="Ada",
                reason=reason,
                at=NOON,
                collection_id=book,
                href="/a.vcf",
                etag='"1"',
            )
            store.keepsakes.set_aside(
                payload=b"", name="Ada", reason=reason, at=NOON, collection_id=book, href="", contact_id=key
            )
    assert [(q.href, q.contact_id, q.payload, q.reason) for q in store.keepsakes.quarantined(book)] == [
        ("/a.vcf", None, b"BEGIN", "still cut off"),
        ("", key, b"", "still cut off"),
    ]
    with store.transaction():
        store.keepsakes.release(book, [f"/{number}.vcf" for number in range(1200)] + ["/a.vcf"])
        store.keepsakes.release(None, ["/a.vcf"])
    assert [q.contact_id for q in store.keepsakes.quarantined()] == [key]
    with store.transaction():
        store.keepsakes.release(book, [""], contact_id=key)
    assert store.keepsakes.quarantined() == []


@pytest.mark.law("L38")
def test_the_cards_of_a_book_are_what_was_read_last_of_each_wherever_it_is_kept(store: Store) -> None:
    book, other = add_book(store), add_book(store, href="/other/")
    keys = {name: add_contact(store, person(name)) for name in ("ok", "left", "deleted", "away", "newer")}
    with store.transaction():
        store.links.add_all(
            NewLink(key, book, f"/{name}.vcf", None, same(person(name)), name.encode(), name)
            for name, key in keys.items()
        )
        store.links.add(NewLink(keys["ok"], other, "/o.vcf", None, same(person("ok")), b"another book"))
        store.books.stage(book, [StagedChange(book, "/newer.vcf", None, b"newest", False, None)])
        store.books.stage(book, [StagedChange(book, "/gone.vcf", None, None, True, None)])
        store.books.leave_outside(book, {"/outside.vcf": (None, b"outside")})
        store.groups.add("g", "Chess", NOON)
        store.group_cards.put(StoredGroupCard("g", book, "/g.vcf", "g", original=b"group"))
        aside = {"reason": "cut off", "at": NOON, "collection_id": book}
        store.keepsakes.set_aside(payload=b"bad", name="", href="/bad.vcf", **aside)
        store.keepsakes.set_aside(payload=b"our own", name="", contact_id=keys["ok"], **aside)
    assert list(store.books.cards(book)) == [b"newest", b"bad", b"group", b"ok", b"left", b"outside"]


@pytest.mark.law("L35")
def test_bad_cards_of_a_file_are_told_apart_by_their_content(store: Store) -> None:
    with store.transaction():
        for card in (b"one", b"two", b"one"):
            store.keepsakes.set_aside(
                payload=card, name="", reason="no card", at=NOON, source="a.vcf", hash=card.decode()
            )
    assert [q.payload for q in store.keepsakes.quarantined()] == [b"two", b"one"]
