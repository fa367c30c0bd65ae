"""Links: what a round asks of all cards, and the shadows of one."""

from __future__ import annotations

import sqlite3
import zlib

import pytest

from contactsync.store.links import LONG, NewLink, pack
from contactsync.store.store import Store
from contactsync.sync.types import Base
from tests.store.people import LATER, NOON, add_book, add_contact, add_link, noted, person, same


def test_a_link_comes_back_with_both_shadows_and_the_bytes_as_read(store: Store) -> None:
    ada = person("Ada")
    key, book = add_contact(store, ada), add_book(store)
    card = person("Ada", uid="their-uid")
    with store.transaction():
        link_id = store.links.add(
            NewLink(key, book, "/a.vcf", '"1"', Base(ada, card), b"BEGIN:VCARD\r\n", written_at=NOON)
        )
    link = store.links.get(link_id)
    assert link is not None
    assert (link.base.local, link.base.remote, link.card_uid) == (ada, card, "their-uid")
    assert link.base.remote.uid == "their-uid"
    assert (link.original, link.written_at) == (b"BEGIN:VCARD\r\n", NOON)
    assert store.links.get(link_id + 1) is None
    assert store.links.at(book, ["/a.vcf", "/b.vcf"]) == {"/a.vcf": link}
    assert store.links.of_contacts([key, 99]) == {key: [link]}
    assert store.links.of_contact(key) == [link]
    assert store.links.in_state(book, "ok", "left") == [link]


def test_cards_that_were_read_back_as_they_were_written_are_settled(store: Store) -> None:
    book = add_book(store)
    keys = [add_contact(store, person(name)) for name in ("Ada", "Grace", "Alan")]
    base = same(person("Ada"))
    links = zip(keys, ("/a", "/b", "/c"), ("written", "written", "left"), strict=True)
    with store.transaction():
        store.links.add_all(NewLink(key, book, href, None, base, b"", state) for key, href, state in links)
        store.links.settled(book, ["/a", "/c"])
    states = {link.href: link.state for link in store.links.in_state(book, "ok", "written", "left")}
    assert states == {"/a": "ok", "/b": "written", "/c": "left"}


@pytest.mark.parametrize("size", [10, LONG, LONG + 1, 5 * LONG])
def test_a_card_of_any_length_comes_back_as_it_was(size: int) -> None:
    card = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert zlib.decompress(pack(card)) == card


def test_contacts_are_out_of_step_when_the_hub_or_a_shadow_moved(store: Store) -> None:
    ada, grace, alan = person("Ada"), person("Grace"), person("Alan")
    book, other = add_book(store), add_book(store, "work")
    keys = [add_contact(store, contact) for contact in (ada, grace, alan)]
    links = [add_link(store, key, book, who) for key, who in zip(keys, (ada, grace, alan), strict=True)]
    add_link(store, keys[0], other, ada)
    assert store.links.out_of_step([book, other]) == set()
    with store.transaction():
        store.contacts.save(keys[0], noted(ada, "new"), LATER, times={})
        store.contacts.bury(keys[1], LATER)
    assert store.links.out_of_step([book]) == {keys[0], keys[1]}
    assert store.links.out_of_step([other]) == {keys[0]}
    assert store.links.out_of_step([]) == set()
    with store.transaction():
        store.links.rebase(links[0], same(noted(ada, "new")), etag='"2"', original=b"new")
        store.links.update(links[1], state="deleted")
    assert store.links.out_of_step([book]) == set()
    changed = store.links.get(links[0])
    assert changed is not None and (changed.etag, changed.original) == ('"2"', b"new")


@pytest.mark.law("L37")
def test_homeless_are_those_without_a_link_in_any_book_of_the_account(store: Store) -> None:
    first, second = add_book(store, href="/one/"), add_book(store, href="/two/")
    add_book(store, "work")
    home, work = store.books.account_id("home"), store.books.account_id("work")
    assert home is not None and work is not None
    people = {name: person(name) for name in ("Ada", "Grace", "Alan", "Edsger", "Barbara")}
    keys = {name: add_contact(store, who) for name, who in people.items()}
    add_link(store, keys["Ada"], first, people["Ada"])
    add_link(store, keys["Grace"], second, people["Grace"], state="left")
    add_link(store, keys["Alan"], second, people["Alan"], state="deleted")
    with store.transaction():
        store.contacts.hold(keys["Edsger"], "may be Alan")
        store.contacts.bury(keys["Barbara"], LATER)
    assert store.links.homeless(home) == {keys["Alan"]}, "left is a home too, a deleted card is none"
    assert store.links.homeless(work) == {keys["Ada"], keys["Grace"], keys["Alan"]}


@pytest.mark.law("L27")
def test_nobody_is_homeless_where_somebody_is_held_who_may_be_them(store: Store) -> None:
    book = add_book(store)
    add_book(store, "work")
    home, work = store.books.account_id("home"), store.books.account_id("work")
    assert home is not None and work is not None
    people = {name: person(name) for name in ("Ada", "Countess", "Augusta", "Grace")}
    keys = {name: add_contact(store, who) for name, who in people.items()}
    add_link(store, keys["Augusta"], book, people["Augusta"])
    with store.transaction():
        store.contacts.hold(keys["Countess"], "may be Ada", people["Ada"].uid)
        store.contacts.hold(keys["Augusta"], "may be the Countess", people["Countess"].uid)
    assert store.links.homeless(home) == {keys["Grace"]}, "also by way of another who is held"
    assert store.links.homeless(work) == {keys["Ada"], keys["Grace"]}, "there is no card of theirs there"
    with store.transaction():
        store.contacts.hold(keys["Augusta"], "")
    assert store.links.homeless(home) == {keys["Ada"], keys["Grace"]}


def test_what_a_listing_is_compared_with(store: Store) -> None:
    book = add_book(store)
    for name, state in (("Ada", "ok"), ("Grace", "refused"), ("Alan", "left")):
        add_link(store, add_contact(store, person(name)), book, person(name), state=state)
    assert store.links.etags(book) == {
        "/uid-ada.vcf": ('"1"', "ok"),
        "/uid-grace.vcf": ('"1"', "refused"),
        "/uid-alan.vcf": ('"1"', "left"),
    }
    assert store.links.count(book) == 2


def test_the_accounts_of_contacts_are_named_once_and_in_order(store: Store) -> None:
    ada = add_contact(store, person("Ada"))
    for account, href in (("work", "/w/"), ("home", "/one/"), ("home", "/two/")):
        add_link(store, ada, add_book(store, account, href), person("Ada"))
    grace = add_contact(store, person("Grace"))
    add_link(store, grace, add_book(store), person("Grace"))
    assert store.links.accounts_of() == {ada: ["home", "work"], grace: ["home"]}
    assert store.links.accounts_of([grace, 99]) == {grace: ["home"]}
    assert store.links.accounts_of([]) == {}


@pytest.mark.law("L12")
def test_values_that_a_remote_did_not_keep_are_listed(store: Store) -> None:
    key, book = add_contact(store, person("Ada")), add_book(store)
    link_id = add_link(store, key, book, person("Ada"))
    assert store.links.with_losses() == []
    with store.transaction():
        store.links.update(link_id, lost="notes/note", original=b"as read")
    assert store.links.with_losses() == [(key, book, "notes/note")]


@pytest.mark.law("L24")
def test_a_card_that_moved_keeps_its_link(store: Store) -> None:
    key, first, second = add_contact(store, person("Ada")), add_book(store), add_book(store, href="/two/")
    link_id = add_link(store, key, first, person("Ada"))
    with store.transaction():
        store.links.move(link_id, second, "/new.vcf", '"7"')
    (link,) = store.links.of_contact(key)
    assert (link.id, link.collection_id, link.href, link.etag) == (link_id, second, "/new.vcf", '"7"')


def test_a_contact_with_a_link_cannot_be_forgotten_by_mistake(store: Store) -> None:
    key = add_contact(store, person("Ada"))
    add_link(store, key, add_book(store), person("Ada"))
    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        store.contacts.forget(key)
    assert store.contacts.count() == 1


def test_what_every_round_asks_is_answered_without_reading_documents(store: Store) -> None:
    """Each is a search in an index; a scan here costs every round, with every contact."""
    book = add_book(store)
    add_link(store, add_contact(store, person("Ada")), book, person("Ada"))
    plans = explained(store, book)
    scans = [line for lines in plans.values() for line in lines if line.startswith("SCAN")]
    assert scans == ["SCAN link USING INDEX ix_link_lost"], "it has only the links with something lost"
    assert any("COVERING INDEX ix_link_step" in line for line in plans["out_of_step"])
    assert any("COVERING INDEX ix_link_step" in line for line in plans["count"])
    assert any("COVERING INDEX ix_contact_step" in line for line in plans["out_of_step"])
    assert any("COVERING INDEX ix_contact_live" in line for line in plans["homeless"])
    assert any("COVERING INDEX ix_contact_live" in line for line in plans["held"])
    assert any("COVERING INDEX ix_contact_live" in line for line in plans["searched"])
    assert any("INDEX ix_link_contact_id" in line for line in plans["accounts_of"])
    assert any("INDEX ix_journal_outbox" in line for line in plans["outbox"])
    assert plans["live"] == ["SEARCH contact USING INDEX ix_contact_live (deleted_at=?)"], "already in order"


def explained(store: Store, book: int) -> dict[str, list[str]]:
    """The plan of each query, as SQLite explains it."""
    asked = {
        "out_of_step": lambda: store.links.out_of_step([book]),
        "homeless": lambda: store.links.homeless(1),
        "outbox": lambda: store.journal.outbox(book),
        "held": store.contacts.count_held,
        "losses": store.links.with_losses,
        "count": lambda: store.links.count(book),
        "etags": lambda: store.links.etags(book),
        "at": lambda: store.links.at(book, ["/a.vcf"]),
        "in_state": lambda: store.links.in_state(book, "recheck"),
        "staged": lambda: store.books.staged(book),
        "live": lambda: store.contacts.live(),
        "searched": lambda: store.db.rows(
            "SELECT count(*) FROM contact WHERE deleted_at IS NULL AND search LIKE '%love%'"
        ),
        "accounts_of": lambda: store.links.accounts_of([1]),
    }
    plans: dict[str, list[str]] = {}
    connection = store.db._connection
    for name, ask in asked.items():
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        ask()
        connection.set_trace_callback(None)
        plans[name] = [
            row["detail"]
            for statement in statements
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    return plans
