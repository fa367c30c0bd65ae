"""Older and newer databases: steps, copies, and that the steps lead to the present tables."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from contactsync.errors import StoreError
from contactsync.store import database, migrations, tables
from contactsync.store.migrations import drafting
from contactsync.store.schema import REVISION, statements
from contactsync.store.store import Store
from tests.store.people import add_contact, person

VERSIONS = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


@contextlib.contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def schema(path: Path) -> dict[str, list[str]]:
    """What SQLite knows of every table and index; the order of constraints means nothing."""
    with raw(path) as connection:
        rows = connection.execute("SELECT name, coalesce(sql, '') FROM sqlite_master").fetchall()
    return {
        name: sorted(line.strip("\t ,").replace('"', "") for line in sql.splitlines()) for name, sql in rows
    }


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database that took no step yet."""
    path = tmp_path / "old.db"
    with raw(path) as connection:
        connection.execute(VERSIONS)
    return path


def test_all_steps_lead_to_the_schema_of_a_new_database(old: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.db"
    Store(f"sqlite:///{fresh}").close()
    Store(f"sqlite:///{old}").close()
    assert schema(old) == schema(fresh)


def test_a_new_database_is_made_of_what_the_tables_say() -> None:
    """`python -m contactsync.store.migrations` writes it anew."""
    assert statements() == list(drafting.statements())


def test_a_database_as_sqlalchemy_makes_it_has_the_same_schema(tmp_path: Path) -> None:
    declared, fresh = tmp_path / "declared.db", tmp_path / "fresh.db"
    engine = sa.create_engine(f"sqlite:///{declared}")
    tables.METADATA.create_all(engine)
    engine.dispose()
    with raw(declared) as connection:
        connection.execute(VERSIONS)
    Store(f"sqlite:///{fresh}").close()
    assert schema(declared) == schema(fresh)


def test_alembic_finds_no_difference_between_the_steps_and_the_tables(old: Path) -> None:
    Store(f"sqlite:///{old}").close()
    engine = sa.create_engine(f"sqlite:///{old}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.METADATA) == []
    engine.dispose()


def test_the_last_step_is_the_revision_of_the_tables() -> None:
    assert ScriptDirectory.from_config(migrations.config()).get_current_head() == REVISION


def test_an_older_database_is_copied_and_brought_up_to_date(old: Path) -> None:
    before = schema(old)
    with Store(f"sqlite:///{old}") as store:
        add_contact(store, person("Ada"))
        assert store.db.check() == []
    copy = old.with_name(f"old.db.before-{REVISION}")
    assert schema(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with Store(f"sqlite:///{old}") as store:
        assert store.contacts.count() == 1


def test_a_database_of_the_revision_before_keeps_its_contacts_and_finds_them_by_the_index(path: Path) -> None:
    with Store(f"sqlite:///{path}") as store:
        add_contact(store, person("Ada"))
    new = schema(path)
    with raw(path) as connection:
        connection.execute("DROP INDEX ix_contact_live")
        connection.execute("CREATE INDEX ix_contact_live ON contact (deleted_at, sort_key, uid, held)")
        connection.execute("DROP INDEX ix_contact_step")
        connection.execute("DROP INDEX ix_link_lost")
        connection.execute("UPDATE alembic_version SET version_num = '0005'")
    with Store(f"sqlite:///{path}") as store:
        assert [c.uid for c in store.contacts.live("lovelace")] == ["uid-ada"]
    assert schema(path) == new


def test_foreign_keys_hold_after_an_upgrade(old: Path) -> None:
    with (
        Store(f"sqlite:///{old}") as store,
        pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"),
        store.transaction(),
    ):
        store.contacts.add_alias("uid", 4711)


def test_an_older_database_in_use_says_who_is_to_blame(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    with raw(old) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program"):
            Store(f"sqlite:///{old}")
        other.execute("ROLLBACK")
    with Store(f"sqlite:///{old}") as store:
        assert store.contacts.count() == 0


def test_a_newer_database_is_left_alone(path: Path) -> None:
    with Store(f"sqlite:///{path}") as store:
        add_contact(store, person("Ada"))
    with raw(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"made by a newer contactsync \(revision 9999\)") as caught:
        Store(f"sqlite:///{path}")
    assert "Upgrade contactsync; nothing was changed." in caught.value.hint
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.before-*"))


def test_a_step_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = schema(old)

    def half() -> None:
        op.execute("CREATE TABLE half (id INTEGER)")
        op.execute("INSERT INTO nowhere VALUES (1)")

    monkeypatch.setattr(migrations.command, "upgrade", lambda config, _: take(config, half))
    with pytest.raises(StoreError, match="cannot be brought up to date") as caught:
        Store(f"sqlite:///{old}")
    assert "Nothing was changed. The copy from before is" in caught.value.hint
    assert schema(old) == before


def test_a_step_that_breaks_references_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def orphan() -> None:
        op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        op.execute("CREATE TABLE child (id INTEGER REFERENCES parent (id))")
        op.execute("INSERT INTO child VALUES (1)")

    before = schema(old)
    monkeypatch.setattr(migrations.command, "upgrade", lambda config, _: take(config, orphan))
    with pytest.raises(StoreError, match="broke references in child"):
        Store(f"sqlite:///{old}")
    assert schema(old) == before


def take(config: Config, step: Callable[[], None]) -> None:
    """Take one step as alembic would."""
    context = MigrationContext.configure(config.attributes["connection"])
    with Operations.context(context):
        step()
