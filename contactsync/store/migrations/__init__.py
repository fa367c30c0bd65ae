"""Steps from older schemas to the present one; loaded only when a database needs one.

To add a step: change `contactsync.store.tables`, raise its ``REVISION``, then

    python -m contactsync.store.migrations "what changes"

drafts ``versions/<REVISION>_what_changes.py`` from the difference between the steps so far and the
tables. Read it, add what moves the data, run ruff over it. A step that was never released may be
deleted and drafted anew; a released one is frozen. A test compares a database that took all steps
with a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from contactsync.errors import StoreError
from contactsync.store import tables
from contactsync.store.files import copy_database, file_of


def config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration without a file; ``env.py`` works on this connection."""
    made = Config(attributes={"connection": connection})
    # Alembic's own syntax gives % a meaning, and a folder may be named so.
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return made


def upgrade(engine: sa.Engine, revision: str, place: str) -> None:
    """Bring a database of ``revision`` (empty: of none) up to date, all steps or none.

    An SQLite file is copied first, beside itself. ``place`` names the database in errors.
    """
    if revision and not _is_known(revision):
        raise StoreError(
            f"{place} was made by a newer contactsync (revision {revision}).",
            hint="Upgrade contactsync; nothing was changed.",
        )
    copy = _copy(engine.url)
    kept = f"The copy from before is {copy}." if copy else ""
    with _locked(engine) as connection:
        try:
            command.upgrade(config(connection), "head")
            _check_references(connection)
        except (CommandError, sa.exc.DBAPIError) as error:
            raise StoreError(
                f"{place} cannot be brought up to date: {error}", hint=f"Nothing was changed. {kept}".strip()
            ) from error


def _is_known(revision: str) -> bool:
    return any(step.revision == revision for step in ScriptDirectory.from_config(config()).walk_revisions())


def _copy(url: sa.URL) -> Path | None:
    path = file_of(url)
    if path is None:
        return None
    target = path.with_name(f"{path.name}.before-{tables.REVISION}")
    copy_database(path, target)
    return target


@contextmanager
def _locked(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction around all steps.

    SQLite changes a table by making it anew; with foreign keys on, dropping the old one would delete
    what points at it. They can only be switched outside of a transaction, so before ours begins.
    """
    with engine.connect() as connection:
        connection.execution_options(write=True)
        _foreign_keys(connection, on=False)
        try:
            with connection.begin():
                yield connection
        finally:
            _foreign_keys(connection, on=True)


def _foreign_keys(connection: sa.Connection, *, on: bool) -> None:
    if connection.dialect.name == "sqlite":
        cursor = connection.connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if on else 'OFF'}")
        cursor.close()


def _check_references(connection: sa.Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise CommandError(f"a step broke references in {', '.join(sorted({row[0] for row in broken}))}.")
