"""The connection to the device database: opening, transactions, and the schema's revision.

One writer at a time (``BEGIN IMMEDIATE``), WAL, and no transaction open during a network call
(L31): `Database.transaction` is the only way to write.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from contactsync.errors import StoreError
from contactsync.store import tables

BUSY_SECONDS = 30


class Database:
    """A device database at ``url`` (SQLAlchemy URL). Raises `StoreError` where it cannot be used."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _engine(url)
        self._connection: sa.Connection | None = None
        self._writing = False
        with _clear_errors(url):
            self._check_schema()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that happens inside is done together or not at all. Joins one that is open."""
        if self._writing:
            yield
            return
        self._end_reading()
        with _clear_errors(self.url), self._engine.connect() as connection:
            connection.execution_options(write=True)
            with connection.begin():
                self._connection, self._writing = connection, True
                try:
                    yield
                finally:
                    self._connection, self._writing = None, False

    def execute(
        self, statement: sa.Executable, rows: Sequence[Mapping[str, Any]] | None = None
    ) -> sa.CursorResult[Any]:
        """Write; only inside a `transaction`."""
        if not self._writing or self._connection is None:
            raise AssertionError("a write outside of a transaction")
        return (
            self._connection.execute(statement, rows)
            if rows is not None
            else self._connection.execute(statement)
        )

    def insert(self, table: sa.Table, **values: Any) -> int:
        """Insert one row; its id."""
        key = self.execute(sa.insert(table).values(**values)).inserted_primary_key
        return int(key[0]) if key is not None and isinstance(key[0], int) else 0

    def rows(self, statement: sa.Executable) -> Sequence[Any]:
        """Read all rows of a query, inside the open transaction or as of now."""
        if self._connection is not None and self._writing:
            return self._connection.execute(statement).all()
        with _clear_errors(self.url):
            if self._connection is None:
                self._connection = self._engine.connect()
            found = self._connection.execute(statement).all()
            self._connection.rollback()
            return found

    def row(self, statement: sa.Executable) -> Any | None:
        """The first row, or None."""
        found = self.rows(statement)
        return found[0] if found else None

    def backup(self, target: Path) -> None:
        """A consistent copy of an SQLite database file."""
        path = file_of(self.url)
        if path is None:
            raise StoreError("Only an SQLite database can be copied this way.")
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
        target.chmod(0o600)

    def check(self) -> list[str]:
        """Problems that the database finds in itself; empty when it is sound."""
        if file_of(self.url) is None and not self.url.startswith("sqlite"):
            return []
        found = [row[0] for row in self.rows(sa.text("PRAGMA integrity_check")) if row[0] != "ok"]
        return found + [
            f"broken reference in {row[0]}" for row in self.rows(sa.text("PRAGMA foreign_key_check"))
        ]

    def _end_reading(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _check_schema(self) -> None:
        """Create a new database, or bring an older one up to date; alembic loads only for that."""
        inspector = sa.inspect(self._engine)
        if not inspector.has_table("alembic_version"):
            if inspector.get_table_names():
                raise StoreError(
                    f"{_place(self.url)} is a database of another program.",
                    hint="Choose another one with --database or --data-dir.",
                )
            self._create()
            return
        row = self.row(sa.text("SELECT version_num FROM alembic_version"))
        if row is None or row[0] != tables.REVISION:
            self._end_reading()
            from contactsync.store import migrations  # alembic costs half a second

            migrations.upgrade(self._engine, row[0] if row else "", _place(self.url))

    def _create(self) -> None:
        with self.transaction():
            assert self._connection is not None
            SQLModel.metadata.create_all(self._connection)
            self.execute(
                sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            )
            self.execute(
                sa.text("INSERT INTO alembic_version VALUES (:revision)"), [{"revision": tables.REVISION}]
            )


def table(model: type[SQLModel]) -> sa.Table:
    """The Core table of a model."""
    found = SQLModel.metadata.tables[str(model.__tablename__)]
    return found


def file_of(url: str) -> Path | None:
    """The file of an SQLite URL; None for memory and for other databases."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError(
            f"{url!r} is not a database URL.", hint="An example: sqlite:////home/me/contacts.db"
        ) from error
    path = file_of(url)
    if path is not None:
        _private_file(path)
    try:
        engine = sa.create_engine(parsed)
    except (sa.exc.ArgumentError, ImportError) as error:
        raise StoreError(f"The database {parsed.get_backend_name()!r} cannot be used: {error}.") from error
    if parsed.get_backend_name() == "sqlite":
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _private_file(path: Path) -> None:
    """Contacts are nobody else's business: the file is made with mode 0600 before SQLite sees it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The database {path} cannot be made: {error.strerror}.",
            hint="Check the folder, or name one with --data-dir.",
        ) from error


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # BEGIN is ours: see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _place(url: str) -> str:
    path = file_of(url)
    return f"The database {path}" if path else "The database"


@contextlib.contextmanager
def _clear_errors(url: str) -> Iterator[None]:
    """What the driver says, in words that tell what to do."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        text = str(error.orig)
        place = _place(url)
        for sign, message, hint in _CAUSES:
            if sign in text:
                raise StoreError(f"{place} {message}.", hint=hint) from error
        if isinstance(error, sa.exc.OperationalError | sa.exc.DatabaseError) and not isinstance(
            error, sa.exc.IntegrityError
        ):
            raise StoreError(
                f"{place} cannot be used: {text}.", hint="contactsync doctor says more."
            ) from error
        raise


_CAUSES = (
    ("database is locked", "is in use by another program", "Close it, or try again in a minute."),
    ("disk is full", "cannot grow: the disk is full", "Make room; nothing was changed."),
    (
        "not a database",
        "is not a database, or is damaged",
        "contactsync backup list shows the copies that are kept.",
    ),
    ("malformed", "is damaged", "contactsync backup list shows the copies that are kept."),
    (
        "readonly",
        "cannot be written",
        f"Check its permissions; you are user {os.getuid() if hasattr(os, 'getuid') else '?'}.",
    ),
    ("unable to open", "cannot be opened", "Check the folder and its permissions."),
)
