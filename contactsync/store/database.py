"""The connection to the device database: opening, transactions, and the schema's revision.

One writer at a time (``BEGIN IMMEDIATE``), WAL, and no transaction open during a network call
(L31): `Database.transaction` is the only way to write.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from contactsync.errors import StoreError, UsageError
from contactsync.store import tables
from contactsync.store.files import copy_database, file_of, make_private, place_of

BUSY_SECONDS = 30


class Database:
    """A device database at ``url`` (SQLAlchemy URL). Raises `StoreError` where it cannot be used.

    It belongs to the thread that opened it: the open transaction is that of whoever uses the object.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._thread: int | None = threading.get_ident()
        self._engine = _engine(url)
        self._reader: sa.Connection | None = None
        self._writer: sa.Connection | None = None
        try:
            with _clear_errors(url):
                self._check_schema()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Nothing can be asked after it; a second time does nothing."""
        if self._thread is not None:
            self._check_thread()
        self._thread = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._engine.dispose()

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """All that happens inside is done together or not at all.

        Within an open one it is a part of it, which can fail and be undone by itself. ``durable`` waits
        until the disk has it, so that not even a power cut forgets what the network is about to see (L31);
        the other transactions of a run may be lost together with it, and are then made again.
        """
        self._check_thread()
        if self._writer is not None:
            with self._writer.begin_nested():
                yield
            return
        with _clear_errors(self.url), self._engine.connect() as connection:
            connection.execution_options(write=True, durable=durable)
            with connection.begin():
                self._writer = connection
                try:
                    yield
                finally:
                    self._writer = None

    def execute(
        self, statement: sa.Executable, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None
    ) -> sa.CursorResult[Any]:
        """Write; only inside a `transaction`."""
        if self._writer is None:
            raise AssertionError("a write outside of a transaction")
        return self._writer.execute(statement, rows)

    def insert(self, table: sa.Table, **values: Any) -> int:
        """Insert one row; its id."""
        key = self.execute(_insert(table), values).inserted_primary_key
        return int(key[0]) if key is not None and isinstance(key[0], int) else 0

    def put(self, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert any number of rows of the same columns in one go, where no new id is wanted."""
        if some := list(rows):
            self.execute(_insert(table), some)

    def rows(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Read all rows of a query, inside the open transaction or as of now.

        One connection is kept for reading, in no transaction: opening one costs more than a query. So
        does building a statement: those that every round asks stand at the head of their modules, and
        take ``params``.
        """
        self._check_thread()
        if self._writer is not None:
            return self._writer.execute(statement, params).all()
        with _clear_errors(self.url):
            if self._reader is None:
                self._reader = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            return self._reader.execute(statement, params).all()

    def row(self, statement: sa.Executable, params: Mapping[str, Any] | None = None) -> Any | None:
        """The first row, or None."""
        found = self.rows(statement, params)
        return found[0] if found else None

    def backup(self, target: Path) -> None:
        """A consistent copy of an SQLite database file, with mode 0600."""
        path = file_of(self.url)
        if path is None:
            raise StoreError("Only an SQLite database can be copied this way.")
        copy_database(path, target)

    def check(self) -> list[str]:
        """Problems that the database finds in itself; empty when it is sound."""
        if self._engine.dialect.name != "sqlite":
            return []
        found = [row[0] for row in self.rows(sa.text("PRAGMA integrity_check")) if row[0] != "ok"]
        broken = self.rows(sa.text("PRAGMA foreign_key_check"))
        return found + [f"broken reference in {row[0]}" for row in broken]

    def _check_thread(self) -> None:
        if self._thread == threading.get_ident():
            return
        if self._thread is None:
            raise UsageError(f"{place_of(self.url)} was closed.", hint="Open a new Engine.")
        raise UsageError(
            f"{place_of(self.url)} was opened by another thread.",
            hint="Open an Engine in each thread; several may work on the same data.",
        )

    def _check_schema(self) -> None:
        """Create a new database, or bring an older one up to date; alembic loads only for that."""
        revision = self._revision()
        if revision is None:
            with self.transaction():
                self._create()
        elif revision != tables.REVISION:
            from contactsync.store import migrations  # alembic costs a quarter of a second

            migrations.upgrade(self._engine, revision, place_of(self.url))

    def _revision(self) -> str | None:
        """What the database says of itself: None is a new one, an empty text one without a revision."""
        inspector = sa.inspect(self._engine)
        if inspector.has_table("alembic_version"):
            row = self.row(sa.text("SELECT version_num FROM alembic_version"))
            return row[0] if row else ""
        if inspector.get_table_names():
            raise StoreError(
                f"{place_of(self.url)} belongs to another program.",
                hint="Choose another one with --database or --data-dir.",
            )
        return None

    def _create(self) -> None:
        assert self._writer is not None
        if sa.inspect(self._writer).has_table("alembic_version"):
            return  # another run was faster between the look and the lock
        tables.METADATA.create_all(self._writer)
        self.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        self.execute(sa.text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": tables.REVISION})


def table(model: type[SQLModel]) -> sa.Table:
    """The Core table of a model."""
    return tables.METADATA.tables[str(model.__tablename__)]


def one_of(name: str) -> sa.BindParameter[Any]:
    """A parameter that takes a sequence of values, for ``in_``."""
    return sa.bindparam(name, expanding=True)


@functools.cache
def _insert(table: sa.Table) -> sa.Insert:
    """One statement per table, so that it is built and compiled once and not for every row."""
    return sa.insert(table)


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        # The text may hold a password: it is not repeated.
        raise StoreError(
            "This is not a database URL.", hint="An example: sqlite:////home/me/contacts.db"
        ) from error
    path = file_of(parsed)
    if path is not None:
        make_private(path)
    try:
        engine = sa.create_engine(parsed)
    except (sa.exc.ArgumentError, ImportError) as error:
        name = parsed.get_backend_name()
        raise StoreError(f"The database {name!r} cannot be used: {error}.") from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # BEGIN is ours: see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("write"):
        return
    connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options.get('durable') else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextlib.contextmanager
def _clear_errors(url: str) -> Iterator[None]:
    """What the driver says, in words that tell what to do."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise  # a mistake of ours, not a state of the database
    except sa.exc.DatabaseError as error:
        text = str(error.orig)
        for sign, message, hint in _CAUSES:
            if sign in text:
                raise StoreError(f"{place_of(url)} {message}.", hint=hint) from error
        raise StoreError(f"{place_of(url)} cannot be used: {text}.", hint=_DOCTOR) from error


_DOCTOR = "contactsync doctor says more."
_COPIES = "contactsync backup list shows the copies that are kept."
_WRITABLE = f"Check its permissions; you are user {os.getuid()}." if hasattr(os, "getuid") else ""
_CAUSES = (
    ("database is locked", "is in use by another program", "Close it, or try again in a minute."),
    ("disk is full", "cannot grow: the disk is full", "Make room; nothing was changed."),
    ("not a database", "is not a database, or is damaged", _COPIES),
    ("malformed", "is damaged", _COPIES),
    ("readonly", "cannot be written", _WRITABLE or "Check its permissions."),
    ("unable to open", "cannot be opened", "Check the folder and its permissions."),
)
