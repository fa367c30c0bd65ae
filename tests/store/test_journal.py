"""Runs, steps, the outbox and conflicts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contactsync.store.aging import Aging
from contactsync.store.journal import Queued
from contactsync.store.store import Store
from tests.store.people import LATER, NOON, add_book, add_contact, add_link, noted, person, start_run


def queue(store: Store, run: int, contact_id: int, book: int, name: str = "Ada") -> int:
    ada = person(name)
    step = Queued(
        "update", contact_id, book, None, "/a.vcf", '"1"', b"BEGIN:VCARD", ada, noted(ada, "n"), ada
    )
    with store.transaction():
        return store.journal.queue(run, step, NOON)


def conflict(store: Store, key: tuple[int, int | None, str], **values: Any) -> int:
    given = {"base": '"a"', "local": '"b"', "remote": '"c"', "winner": "local", "status": "open", "at": NOON}
    with store.transaction():
        return store.journal.note_conflict({**given, **values}, key=key)


def test_a_run_is_started_ended_and_listed_latest_first(store: Store) -> None:
    first, second = start_run(store), start_run(store, LATER)
    with store.transaction():
        store.journal.end_run(first, LATER, "ok", {"pulled": 2})
    assert [run.id for run in store.journal.runs()] == [second, first]
    assert [run.id for run in store.journal.runs(1)] == [second]
    ended = store.journal.run(first)
    assert ended is not None
    assert (ended.kind, ended.account, ended.outcome, ended.report) == ("sync", "home", "ok", {"pulled": 2})
    assert (ended.started_at, ended.ended_at) == (NOON, LATER)
    assert store.journal.run(99) is None


@pytest.mark.law("L36")
def test_a_run_that_did_nothing_leaves_no_trace(store: Store) -> None:
    run = start_run(store)
    with store.transaction():
        store.journal.drop_run(run)
    assert store.journal.runs() == []


def test_a_step_keeps_the_contact_before_and_after(store: Store) -> None:
    ada, run = person("Ada"), start_run(store)
    key = add_contact(store, ada)
    with store.transaction():
        store.journal.note(run, "create", NOON, contact_id=key, before=None, after=ada, note="by hand")
        store.journal.note(run, "update", LATER, contact_id=key, before=ada, after=noted(ada, "n"))
    first, second = store.journal.of_run(run)
    assert (first.action, first.side, first.state, first.note) == ("create", "local", "done", "by hand")
    assert (first.before, first.after) == (None, ada)
    assert (second.before, second.after) == (ada, noted(ada, "n"))
    assert store.journal.of_contact(key) == [first, second]


@pytest.mark.law("L31")
def test_the_outbox_has_what_will_be_done_and_on_what_basis_until_it_is_done(store: Store) -> None:
    key, book, run = add_contact(store, person("Ada")), add_book(store), start_run(store)
    first, second = queue(store, run, key, book), queue(store, run, key, book)
    row = store.journal.outbox(book)[0]
    assert store.journal.outbox_ids(book, "queued") == [first, second]
    assert store.journal.steps([first]) == [row] and store.journal.outbox_ids(book, "sent") == []
    assert (row.id, row.action, row.href, row.etag, row.payload) == (
        first,
        "update",
        "/a.vcf",
        '"1"',
        b"BEGIN:VCARD",
    )
    assert (row.before, row.target) == (person("Ada"), noted(person("Ada"), "n"))
    assert (row.state, row.sent_at, store.journal.in_doubt()) == ("queued", None, 0)
    with store.transaction(durable=True):
        store.journal.mark([first], "sent", sent_at=LATER)
    (sent,) = store.journal.outbox(book, "sent")
    assert (sent.id, sent.sent_at, store.journal.in_doubt()) == (first, LATER, 1)
    with store.transaction():
        store.journal.mark([first], "done", note="confirmed")
        store.journal.drop_queued(book)
    assert (store.journal.outbox(book), store.journal.in_doubt()) == ([], 0)
    (done,) = store.journal.of_run(run)
    assert (done.id, done.state, done.note) == (first, "done", "confirmed")
    assert store.db.row("SELECT payload FROM journal")[0] is None, "the bytes are of no more use"
    assert second not in {step.id for step in store.journal.of_run(run)}


@pytest.mark.law("L31")
def test_a_durable_transaction_waits_for_the_disk_and_others_do_not(store: Store) -> None:
    def level() -> int:
        row = store.db.row("PRAGMA synchronous")
        assert row is not None
        return int(row[0])

    with store.transaction(durable=True):
        assert level() == 2
    with store.transaction():
        assert level() == 1


def test_the_outbox_of_one_book_is_not_that_of_another(store: Store) -> None:
    key, one, other = add_contact(store, person("Ada")), add_book(store), add_book(store, "work")
    queue(store, start_run(store), key, one)
    assert store.journal.outbox(other) == []
    with store.transaction():
        store.journal.drop_queued(other)
    assert len(store.journal.outbox(one)) == 1


def test_steps_of_a_removed_account_are_in_nobodys_outbox_and_not_in_doubt(store: Store) -> None:
    key, book, run = add_contact(store, person("Ada")), add_book(store), start_run(store)
    add_link(store, key, book, person("Ada"))
    step = queue(store, run, key, book)
    with store.transaction():
        store.journal.mark([step], "sent", sent_at=NOON)
        store.books.remove_account("home")
    assert store.journal.in_doubt() == 0
    assert [row.state for row in store.journal.of_run(run)] == ["dropped"]
    assert (store.links.of_contact(key), store.contacts.count()) == ([], 1)


@pytest.mark.law("L18")
def test_an_open_conflict_is_updated_and_not_doubled(store: Store) -> None:
    key, book = add_contact(store, person("Ada")), add_book(store)
    first = conflict(store, (key, book, "name"))
    assert conflict(store, (key, book, "name"), at=LATER) == first
    (same,) = store.journal.conflicts()
    assert same.at == NOON, "nothing new was said"
    assert conflict(store, (key, book, "name"), remote='"d"', at=LATER) == first
    (changed,) = store.journal.conflicts()
    assert (changed.remote, changed.at, store.journal.open_conflicts()) == ("d", LATER, 1)


@pytest.mark.law("L18")
def test_other_units_books_and_times_after_a_decision_are_conflicts_of_their_own(store: Store) -> None:
    key, book, other = add_contact(store, person("Ada")), add_book(store), add_book(store, "work")
    first = conflict(store, (key, book, "name"))
    found = {
        first,
        conflict(store, (key, book, "kind")),
        conflict(store, (key, other, "name")),
        conflict(store, (key, None, "name")),
    }
    assert conflict(store, (key, None, "name")) in found
    with store.transaction():
        store.journal.close_conflict(first, winner="remote")
    assert conflict(store, (key, book, "name")) not in found
    assert store.journal.open_conflicts() == 4


@pytest.mark.law("L16")
def test_a_conflict_is_shown_with_whom_and_where(store: Store) -> None:
    key, book, run = add_contact(store, person("Ada")), add_book(store), start_run(store)
    number = conflict(store, (key, book, "name"), base="", run_id=run)
    (record,) = store.journal.conflicts(conflict_id=number)
    assert (record.uid, record.name, record.account) == ("uid-ada", "Ada Lovelace", "home")
    assert (record.base, record.local, record.remote, record.run_id) == (None, "b", "c", run)
    assert store.journal.conflicts(contact_id=key) == [record]
    assert store.journal.conflicts(contact_id=key + 1) == []


@pytest.mark.law("L16")
def test_a_conflict_outlives_its_account(store: Store) -> None:
    key, book = add_contact(store, person("Ada")), add_book(store)
    conflict(store, (key, book, "name"))
    with store.transaction():
        store.books.remove_account("home")
    (record,) = store.journal.conflicts()
    assert (record.account, record.collection_id, record.local) == ("", None, "b")


@pytest.mark.law("L16", "L41")
def test_old_steps_go_and_conflicts_with_their_runs_stay(store: Store) -> None:
    key, book = add_contact(store, person("Ada")), add_book(store)
    old, disputed, waiting, recent = (start_run(store) for _ in range(4))
    with store.transaction():
        store.journal.note(old, "create", NOON, contact_id=key, before=None, after=person("Ada"))
        store.journal.note(disputed, "update", NOON, contact_id=key, before=None, after=person("Ada"))
        store.journal.note(recent, "update", LATER, contact_id=key, before=None, after=person("Ada"))
    step = queue(store, waiting, key, book)
    number = conflict(store, (key, book, "name"), run_id=disputed)
    with store.transaction():
        store.journal.prune(NOON + timedelta(minutes=1))
    assert {run.id for run in store.journal.runs()} == {disputed, waiting, recent}
    assert [row.id for row in store.journal.outbox(book)] == [step]
    assert [row.run_id for row in store.journal.of_contact(key)] == [recent, waiting]
    assert [record.run_id for record in store.journal.conflicts(conflict_id=number)] == [disputed]


@pytest.mark.law("L41")
def test_a_forgotten_contact_leaves_nothing_behind(store: Store) -> None:
    ada, book, run = person("Ada"), add_book(store), start_run(store)
    key, other = add_contact(store, ada), add_contact(store, person("Grace"))
    with store.transaction():
        store.journal.note(run, "create", NOON, contact_id=key, before=None, after=ada)
        store.journal.note(run, "create", NOON, contact_id=other, before=None, after=person("Grace"))
        store.contacts.add_alias("old-uid", key)
        store.keepsakes.remember("file.vcf", "1", "hash", key, ada)
        store.keepsakes.set_aside(payload=b"", name="Ada", reason="too big", at=NOON, contact_id=key)
    conflict(store, (key, book, "name"))
    with store.transaction():
        store.journal.forget_contact(key)
        assert store.journal.conflicts() == []
        store.contacts.forget(key)
    assert [row.contact_id for row in store.journal.of_run(run)] == [other]
    for name in ("alias", "conflict", "imported", "quarantine"):
        assert store.db.rows(f"SELECT * FROM {name}") == [], name
    assert store.db.check() == []


@pytest.mark.law("L40")
def test_history_and_conflicts_go_over_to_the_contact_that_remains(store: Store) -> None:
    gone, last, run = add_contact(store, person("Ada")), add_contact(store, person("Grace")), start_run(store)
    with store.transaction():
        store.journal.note(run, "create", NOON, contact_id=gone, before=None, after=person("Ada"))
        store.keepsakes.remember("file.vcf", "1", "hash", gone, person("Ada"))
    conflict(store, (gone, None, "name"))
    with store.transaction():
        store.contacts.merge_into(gone, last, "uid-new")
    for _ in range(2):
        assert len(store.journal.of_contact(last)) == len(store.journal.conflicts()) == 1
        assert store.journal.conflicts()[0].uid == "uid-grace"
        assert store.keepsakes.remembered("file.vcf")["1"].contact_id == last
        with store.transaction():
            Aging(store.db).forget([gone])
    assert len(store.journal.of_contact(last)) == len(store.journal.conflicts(contact_id=last)) == 1
    assert store.keepsakes.remembered("file.vcf")["1"].contact_id == last


def test_more_steps_than_one_statement_may_name_are_marked(store: Store) -> None:
    key, book, run = add_contact(store, person("Ada")), add_book(store), start_run(store)
    steps = [queue(store, run, key, book) for _ in range(3)]
    with store.transaction():
        store.journal.mark([*range(10_000, 50_000), *steps], "done")
        store.journal.mark([], "done")
    assert store.journal.outbox(book) == []
