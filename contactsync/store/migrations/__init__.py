"""Steps from older schemas to the present one; loaded only when a database needs one.

To add a step: change `contactsync.store.tables`, raise ``REVISION`` in `contactsync.store.schema`, then

    python -m contactsync.store.migrations "what changes"

drafts ``versions/<REVISION>_what_changes.py`` from the difference between the steps so far and the
tables, and writes ``schema.sql``, from which new databases are made. Read the step, add what moves the
data, run ruff over it. A step that was never released may be deleted and drafted anew; a released one is
frozen. Without words, only ``schema.sql`` is written. Tests compare it with the tables, and a database
that took all steps with a new one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from contactsync.errors import StoreError
from contactsync.store.files import copy_database
from contactsync.store.schema import REVISION


def config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration without a file; ``env.py`` works on this connection."""
    made = Config(attributes={"connection": connection})
    # Alembic's own syntax gives % a meaning, and a folder may be named so.
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return made


def upgrade(connect: Callable[[], sqlite3.Connection], revision: str, path: Path | None, place: str) -> None:
    """Bring a database of ``revision`` (empty: of none) up to date, all steps or none.

    ``connect`` opens another connection to it. The file at ``path`` is copied first, beside itself.
    ``place`` names the database in errors.
    """
    if revision and not _is_known(revision):
        raise StoreError(
            f"{place} was made by a newer contactsync (revision {revision}).",
            hint="Upgrade contactsync; nothing was changed.",
        )
    copy = _copy(path)
    kept = f"The copy from before is {copy}." if copy else ""
    with _locked(connect) as connection:
        try:
            command.upgrade(config(connection), "head")
            _check_references(connection)
        except (CommandError, sa.exc.DBAPIError) as error:
            raise StoreError(
                f"{place} cannot be brought up to date: {error}", hint=f"Nothing was changed. {kept}".strip()
            ) from error


def _is_known(revision: str) -> bool:
    return any(step.revision == revision for step in ScriptDirectory.from_config(config()).walk_revisions())


def _copy(path: Path | None) -> Path | None:
    if path is None:
        return None
    target = path.with_name(f"{path.name}.before-{REVISION}")
    copy_database(path, target)
    return target


@contextmanager
def _locked(connect: Callable[[], sqlite3.Connection]) -> Iterator[sa.Connection]:
    """One transaction around all steps.

    SQLite changes a table by making it anew; with foreign keys on, dropping the old one would delete
    what points at it. They can only be switched outside of a transaction, so before ours begins.
    """
    with closing(connect()) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        engine = sa.create_engine("sqlite://", creator=lambda: raw, poolclass=sa.StaticPool)
        sa.event.listen(engine, "begin", lambda _: raw.execute("BEGIN IMMEDIATE"))
        with engine.connect() as connection, connection.begin():
            yield connection


def _check_references(connection: sa.Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise CommandError(f"a step broke references in {', '.join(sorted({row[0] for row in broken}))}.")
