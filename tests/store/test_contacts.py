"""Contacts: documents, search, trash, aliases, photos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import pytest

from contactsync.model import jsonform
from contactsync.model.contact import Contact, Email, Organization, Phone
from contactsync.store.journal import Queued
from contactsync.store.store import Store
from contactsync.store.values import StoredContact
from tests.store.people import (
    LATER,
    NOON,
    add_book,
    add_contact,
    add_link,
    noted,
    person,
    pictured,
    same,
    start_run,
)

PHOTO = b"\x89PNG picture"
HASH = hashlib.sha256(PHOTO).hexdigest()


def uids(contacts: Iterable[StoredContact | None]) -> list[str]:
    return [contact.uid for contact in contacts if contact is not None]


def photos(store: Store) -> int:
    return len(store.db.rows("SELECT sha256 FROM blob"))


def sweep(store: Store) -> None:
    with store.transaction():
        store.contacts.sweep_media()


def test_a_contact_comes_back_as_it_went_in(store: Store) -> None:
    ada = replace(
        person("Ada", email="ada@x.example"), phones=(Phone("+44 1", features=frozenset({"cell"})),)
    )
    with store.transaction():
        key = store.contacts.add(ada, NOON, held="strangers", times={"name": LATER})
    found = store.contacts.get(key)
    assert found is not None
    assert (found.contact, found.uid, found.held) == (ada, ada.uid, "strangers")
    assert (found.times, found.updated_at, found.deleted) == ({"name": LATER}, NOON, False)
    assert found.hash == jsonform.content_hash(ada)
    assert store.contacts.get(key + 1) is None


def test_saving_replaces_the_document_and_what_is_derived_from_it(store: Store) -> None:
    key = add_contact(store, person("Ada"))
    with store.transaction():
        store.contacts.save(key, person("Augusta", uid="uid-ada"), LATER, times={"name": LATER})
    found = store.contacts.get(key)
    assert found is not None and found.updated_at == LATER
    assert uids(store.contacts.live("augusta")) == ["uid-ada"]
    assert store.contacts.live("ada") == []


@pytest.mark.law("L22")
def test_the_trash_keeps_the_whole_content_and_gives_it_back(store: Store) -> None:
    ada = noted(person("Ada"), "first programmer")
    key = add_contact(store, ada)
    with store.transaction():
        store.contacts.bury(key, LATER)
    assert (store.contacts.live(), store.contacts.count()) == ([], 0)
    (tombstone,) = store.contacts.deleted()
    assert (tombstone.contact, tombstone.deleted_at, tombstone.deleted) == (ada, LATER, True)
    assert store.contacts.by_uid("uid-ada") == tombstone
    with store.transaction():
        store.contacts.save(key, ada, LATER, times={})
    assert uids(store.contacts.live()) == ["uid-ada"]


def test_the_trash_is_ordered_by_the_latest(store: Store) -> None:
    first, second = add_contact(store, person("Ada")), add_contact(store, person("Grace"))
    with store.transaction():
        store.contacts.bury(first, NOON)
        store.contacts.bury(second, LATER)
    assert uids(store.contacts.deleted()) == ["uid-grace", "uid-ada"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["uid-zoë", "uid-jürgen", "uid-anna"]),
        ("jurgen", ["uid-jürgen"]),
        ("JÜRGEN müller", ["uid-jürgen"]),
        ("ju\u0308rgen", ["uid-jürgen"]),
        ("zoe", ["uid-zoë"]),
        ("strasse", ["uid-anna"]),
        ("Straße", ["uid-anna"]),
        ("analytical", ["uid-anna"]),
        ("anna@x.example", ["uid-anna"]),
        ("anna muller", []),
        ("100%", []),
        ("_", []),
    ],
)
def test_a_search_wants_every_word_and_no_accents(store: Store, query: str, found: list[str]) -> None:
    add_contact(store, person("Jürgen", "Müller"))
    add_contact(store, person("Zoë", "Adams"))
    anna = replace(
        person("Anna", "Straße"),
        organizations=(Organization("Analytical Engines"),),
        emails=(Email("Anna@X.example"),),
    )
    add_contact(store, anna)
    assert uids(store.contacts.live(query)) == found


def test_full_width_letters_are_found_by_plain_ones(store: Store) -> None:
    add_contact(store, person("\uff21\uff44\uff41", uid="wide"))
    assert uids(store.contacts.live("ada")) == ["wide"]


def test_members_of_a_group_are_found_by_its_id_only(store: Store) -> None:
    add_contact(store, replace(person("Ada"), groups=frozenset({"g-1", "g-2"})))
    add_contact(store, replace(person("Grace"), groups=frozenset({"g-11"})))
    add_contact(store, noted(person("Alan"), 'says "g-1"'))
    assert uids(store.contacts.in_group("g-1")) == ["uid-ada"]
    assert uids(store.contacts.live("grace", group="g-1")) == []


def test_a_person_may_name_a_contact_in_three_ways(store: Store) -> None:
    add_contact(store, person("Ada", uid="1111-2222"))
    add_contact(store, person("Ada", uid="1111-3333"))
    add_contact(store, person("Grace", uid="50%-off"))
    assert uids(store.contacts.find("1111-2222")) == ["1111-2222"]
    assert sorted(uids(store.contacts.find("1111"))) == ["1111-2222", "1111-3333"]
    assert sorted(uids(store.contacts.find("Ada Lovelace"))) == ["1111-2222", "1111-3333"]
    assert uids(store.contacts.find("50%")) == ["50%-off"]
    assert store.contacts.find("nobody") == []


def test_many_are_read_in_few_statements(store: Store) -> None:
    with store.transaction():
        keys = [store.contacts.add(person(f"P{number}"), NOON) for number in range(1100)]
    assert set(store.contacts.many([*keys, keys[0], 99999])) == set(keys)
    assert len(store.contacts.by_uids([f"uid-p{number}" for number in range(1100)] + ["", "none"])) == 1100


@pytest.mark.law("L40")
def test_the_uid_of_a_merged_contact_means_the_one_that_remains(store: Store) -> None:
    gone, middle, last = (add_contact(store, person(name)) for name in ("Ada", "Augusta", "Grace"))
    with store.transaction():
        store.contacts.add_alias("uid-ada", middle)
        store.contacts.forget(gone)
    assert uids([store.contacts.by_uid("uid-ada")]) == ["uid-augusta"]
    with store.transaction():
        store.contacts.give_aliases(store.contacts.aliases_of(middle), last)
        store.contacts.add_alias("uid-augusta", last)
        store.contacts.forget(middle)
    assert uids([store.contacts.by_uid("uid-ada")]) == ["uid-grace"]
    found = store.contacts.by_uids(["uid-ada", "uid-augusta", "uid-grace"])
    assert {uid: contact.id for uid, contact in found.items()} == dict.fromkeys(found, last)
    assert len(found) == 3


def test_an_alias_can_be_given_to_another_contact(store: Store) -> None:
    one, other = add_contact(store, person("Ada")), add_contact(store, person("Grace"))
    with store.transaction():
        store.contacts.add_alias("old", one)
        store.contacts.add_alias("old", other)
    assert uids([store.contacts.by_uid("old")]) == ["uid-grace"]
    assert store.contacts.by_uid("nobody") is None


@pytest.mark.law("L27")
def test_a_held_contact_is_held_until_it_is_released(store: Store) -> None:
    key = add_contact(store, person("Ada"))
    for reason in ("may be Grace", ""):
        with store.transaction():
            store.contacts.hold(key, reason)
        assert store.contacts.many([key])[key].held == reason


def test_photo_bytes_are_stored_once_and_stay_out_of_documents(store: Store) -> None:
    for name in ("Ada", "Grace"):
        add_contact(store, pictured(person(name), HASH, PHOTO))
    assert photos(store) == 1
    ada = store.contacts.live("ada")[0].contact
    assert ada.media[0].data is None
    assert store.contacts.with_media(ada).media[0].data == PHOTO
    plain = person("Alan")
    assert store.contacts.with_media(plain) is plain


def test_a_photo_of_which_the_bytes_are_lost_stays_as_it_is(store: Store) -> None:
    lost = pictured(person("Ada"), "0" * 64)
    assert store.contacts.with_media(lost) == lost
    assert store.contacts.with_media(pictured(lost, HASH, PHOTO)).media[0].data == PHOTO


def test_photos_that_nothing_mentions_are_swept(store: Store) -> None:
    key = add_contact(store, pictured(person("Ada"), HASH, PHOTO))
    sweep(store)
    assert photos(store) == 1
    with store.transaction():
        store.contacts.save(key, person("Ada"), LATER, times={})
    sweep(store)
    assert photos(store) == 0
    sweep(store)


@pytest.mark.law("L16")
@pytest.mark.parametrize("keeper", ["link", "journal", "outbox", "conflict", "imported"])
def test_a_photo_stays_while_an_undo_or_a_decision_may_want_it(store: Store, keeper: str) -> None:
    ada = pictured(person("Ada"), HASH, PHOTO)
    key, book, run = add_contact(store, ada), add_book(store), start_run(store)
    with store.transaction():
        store.contacts.save(key, person("Ada"), LATER, times={})
        keep(store, keeper, ada, key, book, run)
    sweep(store)
    assert photos(store) == 1


def keep(store: Store, keeper: str, ada: Contact, key: int, book: int, run: int) -> None:
    match keeper:
        case "link":
            add_link(store, key, book, ada)
        case "journal":
            store.journal.note(run, "update", LATER, contact_id=key, before=ada, after=None)
        case "outbox":
            plain = person("Ada")
            store.journal.queue(
                run, Queued("create", key, book, None, "/a.vcf", None, b"", plain, plain, ada), NOON
            )
        case "conflict":
            values = {"local": jsonform.dumps(ada), "status": "open", "run_id": run, "at": NOON}
            store.journal.note_conflict(values, key=(key, book, "media/photo"))
        case "imported":
            store.keepsakes.remember("file.vcf", "1", "hash", key, same(ada).local)
