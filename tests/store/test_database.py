"""Opening, transactions, and every way in which a database cannot be used."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, UTCDateTime

from contactsync.errors import StoreError
from contactsync.store import database, tables
from contactsync.store.database import Database
from contactsync.store.files import place_in
from contactsync.store.store import Store
from contactsync.store.times import moment, stamp
from tests.store.people import NOON, add_contact, noted, person

needs_modes = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")


def opened(path: Path) -> Store:
    return Store(f"sqlite:///{path}")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextlib.contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """A second program at the same file."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@needs_modes
def test_the_file_and_its_folder_are_for_the_owner_only(store: Store, path: Path) -> None:
    add_contact(store, person("Ada"))
    assert mode(path.parent) == 0o700
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}


@needs_modes
def test_a_copy_is_consistent_and_for_the_owner_only(store: Store, path: Path) -> None:
    add_contact(store, person("Ada"))
    copy = path.with_name("copy.db")
    store.db.backup(copy)
    assert mode(copy) == 0o600
    with opened(copy) as other:
        assert [c.uid for c in other.contacts.live()] == ["uid-ada"]


def test_a_copy_that_cannot_be_made_says_where(store: Store, path: Path) -> None:
    target = path / "inside-a-file.db"
    with pytest.raises(StoreError, match="inside-a-file"):
        store.db.backup(target)


def test_a_damaged_database_is_not_copied(path: Path) -> None:
    with opened(path) as store:
        path.with_name("contacts.db-wal").unlink(missing_ok=True)
        path.write_bytes(b"no database at all" * 500)
        copy = path.with_name("copy.db")
        with pytest.raises(StoreError, match="cannot be copied"):
            store.db.backup(copy)
        assert not copy.exists()


def test_only_a_file_can_be_copied() -> None:
    with Store("sqlite://") as store, pytest.raises(StoreError, match="Only an SQLite"):
        store.db.backup(Path("nowhere.db"))


def test_a_second_opening_finds_what_the_first_one_wrote(path: Path) -> None:
    with opened(path) as store:
        add_contact(store, person("Ada"))
    with opened(path) as store:
        assert store.contacts.count() == 1
        assert store.db.check() == []


@pytest.mark.law("L36")
def test_opening_and_reading_leave_the_file_as_it_was(path: Path) -> None:
    with opened(path) as store:
        add_contact(store, person("Ada"))
    before, at = path.read_bytes(), path.stat().st_mtime_ns
    with opened(path) as store:
        store.contacts.live()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, at)


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError, match="half way"), store.transaction():
        store.contacts.add(person("Ada"), NOON)
        store.contacts.add(person("Grace"), NOON)
        raise RuntimeError("half way")
    assert store.contacts.count() == 0


def test_a_transaction_inside_another_ends_with_the_outer_one(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        with store.transaction():
            store.contacts.add(person("Ada"), NOON)
        raise RuntimeError
    assert store.contacts.count() == 0


def test_an_inner_transaction_that_fails_is_undone_by_itself(store: Store) -> None:
    with store.transaction():
        store.contacts.add(person("Ada"), NOON)
        with pytest.raises(RuntimeError), store.transaction():
            store.contacts.add(person("Grace"), NOON)
            raise RuntimeError
        store.contacts.add(person("Alan"), NOON)
    assert [c.uid for c in store.contacts.live()] == ["uid-ada", "uid-alan"]


def test_a_transaction_that_sqlite_ended_by_itself_takes_nothing_more(store: Store) -> None:
    """It does so when the disk is full: whatever comes then must not be kept by halves."""
    with pytest.raises(AssertionError, match="outside of a transaction"), store.transaction():
        store.contacts.add(person("Ada"), NOON)
        store.db._connection.execute("ROLLBACK")
        store.contacts.add(person("Grace"), NOON)
    assert store.contacts.count() == 0


def test_reads_inside_a_transaction_see_its_writes_and_others_do_not(store: Store, path: Path) -> None:
    with opened(path) as other, store.transaction():
        store.contacts.add(person("Ada"), NOON)
        assert (store.contacts.count(), other.contacts.count()) == (1, 0)


def test_reads_after_a_read_that_failed_are_up_to_date(store: Store, path: Path) -> None:
    with pytest.raises(StoreError, match="no such table"):
        store.db.rows("SELECT * FROM nowhere")
    with opened(path) as other:
        add_contact(other, person("Ada"))
    assert store.contacts.count() == 1


def test_a_write_outside_of_a_transaction_is_refused(store: Store) -> None:
    with pytest.raises(AssertionError, match="outside of a transaction"):
        store.contacts.add(person("Ada"), NOON)


def test_a_time_is_stored_as_sqlalchemy_stores_it_and_comes_back_in_utc() -> None:
    engine = sa.create_engine("sqlite://")
    at = datetime(2026, 3, 29, 3, 5, 7, 40, tzinfo=timezone(timedelta(hours=2)))
    for one in (at, at.replace(microsecond=0), at.replace(year=999)):
        with engine.connect() as connection:
            stored = connection.scalar(sa.select(sa.cast(sa.bindparam("at", one, UTCDateTime), sa.Text)))
        assert stamp(one) == stored
        assert moment(stored) == one and moment(stored).tzinfo is UTC
    assert moment(None) is None
    with pytest.raises(ValueError, match="no time zone"):
        stamp(at.replace(tzinfo=None))


def test_a_list_of_parameters_may_be_long_short_or_empty(store: Store) -> None:
    add_contact(store, person("Ada"))
    find = "SELECT uid FROM contact WHERE uid IN :uids AND uid != :uids_other"
    for uids, found in ((["uid-ada", "b"], 1), (("uid-ada",), 1), ([], 0), (["b"] * 499 + ["uid-ada"], 1)):
        assert len(store.db.rows(find, {"uids": uids, "uids_other": ""})) == found


def test_one_uid_twice_is_a_mistake_of_ours_and_no_state_of_the_database(store: Store) -> None:
    add_contact(store, person("Ada"))
    with pytest.raises(sqlite3.IntegrityError):
        add_contact(store, person("Ada"))
    assert store.contacts.count() == 1


def test_a_locked_database_says_who_is_to_blame(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    with opened(path) as store, raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program") as caught:
            add_contact(store, person("Ada"))
        assert str(path) in caught.value.message
        assert store.contacts.count() == 0, "reading goes on"
        other.execute("ROLLBACK")
        add_contact(store, person("Ada"))


def test_two_that_make_the_database_at_once_make_it_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looks before the first has made it, and gets the lock after."""
    with opened(path) as first:
        add_contact(first, person("Ada"))
        monkeypatch.setattr(Database, "_revision", lambda self: None)
        with opened(path) as second:
            assert second.contacts.count() == 1


def test_a_damaged_file_is_named_as_such(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was a database once" * 200)
    with pytest.raises(StoreError, match="not a database, or is damaged") as caught:
        opened(path)
    assert "backup list" in caught.value.hint


def test_a_file_that_lost_its_middle_is_named_as_such(path: Path) -> None:
    with opened(path) as store, store.transaction():
        for number in range(300):
            store.contacts.add(noted(person(f"P{number}"), "long " * 200), NOON)
    content = bytearray(path.read_bytes())
    content[40960:-40960] = b"\xff" * (len(content) - 81920)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"), opened(path) as store:
        store.contacts.live()


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with raw(path) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="belongs to another program"):
        opened(path)
    assert sqlite_content(path) == ["bookmarks"]
    assert before[:16] == path.read_bytes()[:16]


def sqlite_content(path: Path) -> list[str]:
    with raw(path) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]


@needs_modes
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(StoreError, match="cannot be made"):
        opened(folder / "contacts.db")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be made") as caught:
        opened(tmp_path / "file" / "contacts.db")
    assert "--data-dir" in caught.value.hint


def test_a_folder_in_the_place_of_the_file_is_named(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be opened"):
        opened(path)


def test_a_database_that_may_only_be_read_says_so(path: Path) -> None:
    with opened(path) as store:
        store.db._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreError, match="cannot be written"):
            add_contact(store, person("Ada"))


def test_a_full_disk_is_said_and_changes_nothing(store: Store) -> None:
    add_contact(store, person("Ada"))
    store.db._connection.execute("PRAGMA max_page_count = 1")  # as small as it is now
    with pytest.raises(StoreError, match="the disk is full"), store.transaction():
        for number in range(100):
            store.contacts.add(noted(person(f"P{number}"), "long " * 1000), NOON)
    assert [c.uid for c in store.contacts.live()] == ["uid-ada"]


def test_any_other_trouble_keeps_what_the_driver_says(store: Store) -> None:
    with pytest.raises(StoreError, match="cannot be used: no such table: nowhere") as caught:
        store.db.rows("SELECT * FROM nowhere")
    assert "doctor" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("contacts.db", "not a database URL"),
        ("nosuch://me:secret@host/db", "'nosuch' cannot be used: this version can only use SQLite"),
        ("postgresql+psycopg://me:secret@host/db", "'postgresql' cannot be used"),
        ("sqlite+aiosqlite:///secret.db", r"'sqlite\+aiosqlite' cannot be used"),
        ("sqlite://me:secret@host/db", "'sqlite' cannot be used: it has no server"),
        ("sqlite://secret.db", "'sqlite' cannot be used: it has no server"),
    ],
)
def test_a_url_that_leads_nowhere_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        Store(url)
    assert "secret" not in str(caught.value)
    assert "sqlite:////home/me/contacts.db" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        *("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite+pysqlite://"),
        *("sqlite:///here.db", "sqlite:////tmp/there.db", "sqlite+pysqlite:////tmp/there.db"),
        *("sqlite:////tmp/a%20b%25.db", "sqlite:////tmp/100%.db", "sqlite:////tmp/me@home:1/x.db"),
        *("sqlite:////tmp/there.db?timeout=3", "sqlite:////tmp/a+b.db?check_same_thread=false"),
        *(
            "sqlite:///file:/tmp/there.db?mode=ro&uri=true",
            "sqlite:///file:memory?uri=1&mode=memory&cache=shared",
        ),
    ],
)
def test_a_url_means_what_it_means_to_sqlalchemy(url: str) -> None:
    (name,), options = sa.make_url(url).get_dialect()().create_connect_args(sa.make_url(url))
    ours = place_in(url)
    assert (str(Path(ours.name).absolute()) if ours.path else ours.name) == name
    assert ours.uri == options.get("uri", False)


def test_a_database_that_a_url_of_sqlite_names_may_be_open_for_reading_only(path: Path) -> None:
    with opened(path) as store:
        add_contact(store, person("Ada"))
    with Store(f"sqlite:///file:{path}?mode=ro&uri=true") as store:
        assert store.contacts.count() == 1
        with pytest.raises(StoreError, match="cannot be written"):
            add_contact(store, person("Grace"))


def test_a_relative_url_is_a_file_in_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store("sqlite:///contacts.db") as store:
        monkeypatch.chdir("/")
        add_contact(store, person("Ada"))
    with opened(tmp_path / "contacts.db") as store:
        assert store.contacts.count() == 1


def test_a_memory_database_is_a_database(tmp_path: Path) -> None:
    with Store("sqlite://") as store:
        add_contact(store, person("Ada"))
        assert store.contacts.count() == 1


def test_broken_references_are_found_by_the_check(store: Store, path: Path) -> None:
    with raw(path) as other:
        other.execute("INSERT INTO alias VALUES ('gone', 4711)")
    assert store.db.check() == ["broken reference in alias"]


def test_our_tables_are_not_in_the_registry_that_all_programs_share() -> None:
    assert not SQLModel.metadata.tables
    assert "contact" in tables.METADATA.tables
