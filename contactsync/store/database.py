"""The connection to the device database: opening, transactions, and the schema's revision.

One writer at a time (``BEGIN IMMEDIATE``), WAL, and no transaction open during a network call
(L31): `Database.transaction` is the only way to write.

SQL is text, with named parameters. A time is bound as it is and read with `contactsync.store.times.moment`; a
list or tuple is bound as ``IN :name``.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from contactsync.errors import StoreError, UsageError
from contactsync.store.files import copy_database, file_of, make_private, place_in, place_of
from contactsync.store.schema import REVISION, statements
from contactsync.store.times import stamp

BUSY_SECONDS = 30

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"


class Database:
    """A device database at ``url`` (SQLAlchemy URL). Raises `StoreError` where it cannot be used.

    It belongs to the thread that opened it: the open transaction is that of whoever uses the object.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._thread: int | None = threading.get_ident()
        self._durable: bool | None = None
        self._clear = _ClearErrors(url)
        with self._clear:
            self._connection = _connect(url)
        self._connection.row_factory = sqlite3.Row
        try:
            self._check_schema()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Nothing can be asked after it; a second time does nothing."""
        if self._thread is None:
            return
        self._check_thread()
        self._thread = None
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """All that happens inside is done together or not at all.

        Within an open one it is a part of it, which can fail and be undone by itself. ``durable`` waits
        until the disk has it, so that not even a power cut forgets what the network is about to see (L31);
        the other transactions of a run may be lost together with it, and are then made again.
        """
        self._check_thread()
        if self._connection.in_transaction:
            begin, commit, undo = "SAVEPOINT part", "RELEASE part", ["ROLLBACK TO part", "RELEASE part"]
        else:
            self._wait_for_disk(durable)
            begin, commit, undo = "BEGIN IMMEDIATE", "COMMIT", ["ROLLBACK"]
        self._run(begin)
        try:
            yield
            self._run(commit)
        except BaseException:
            if self._connection.in_transaction:  # after some errors SQLite has rolled back by itself
                for sql in undo:
                    self._run(sql)
            raise

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """Write; only inside a `transaction`. The id of the row that was inserted last."""
        self._check_writing()
        return self._run(sql, params).lastrowid or 0

    def execute_many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """The same for each of many rows of parameters; no lists among them."""
        self._check_writing()
        with self._clear:
            self._connection.executemany(sql, map(_stamped, rows))

    def insert(self, table: str, **values: Any) -> int:
        """Insert one row; its id."""
        return self.execute(_insert(table, tuple(values)), values)

    def put(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert any number of rows of the same columns in one go, where no new id is wanted."""
        if some := list(rows):
            self.execute_many(_insert(table, tuple(some[0])), some)

    def update(self, table: str, row_id: int | str, **values: Any) -> None:
        """Change these columns of the row with this id."""
        self.execute(f"UPDATE {table} SET {assigned(values)} WHERE id = :id", {**values, "id": row_id})

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[sqlite3.Row]:
        """Read all rows of a query, inside the open transaction or as of now."""
        self._check_thread()
        with self._clear:
            return self._run(sql, params).fetchall()

    def row(self, sql: str, params: Mapping[str, Any] | None = None) -> sqlite3.Row | None:
        """The first row, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def backup(self, target: Path) -> None:
        """A consistent copy of an SQLite database file, with mode 0600."""
        path = file_of(self.url)
        if path is None:
            raise StoreError("Only an SQLite database can be copied this way.")
        copy_database(path, target)

    def check(self) -> list[str]:
        """Problems that the database finds in itself; empty when it is sound."""
        found = [row[0] for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
        broken = self.rows("PRAGMA foreign_key_check")
        return found + [f"broken reference in {row[0]}" for row in broken]

    def _wait_for_disk(self, durable: bool) -> None:
        """How the next transactions end; said only where it is another way than before."""
        if durable is not self._durable:
            self._run(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def _run(self, sql: str, params: Mapping[str, Any] | None = None) -> sqlite3.Cursor:
        with self._clear:
            return self._connection.execute(*_bound(sql, params)) if params else self._connection.execute(sql)

    def _check_writing(self) -> None:
        self._check_thread()
        if not self._connection.in_transaction:
            raise AssertionError("a write outside of a transaction")

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
        """Create a new database, or bring an older one up to date; what that takes loads only for that."""
        revision = self._revision()
        if revision is None:
            with self.transaction():
                self._create()
        elif revision != REVISION:
            from contactsync.store import migrations  # SQLAlchemy and alembic cost most of a second

            with self._clear:
                connect = functools.partial(_connect, self.url)
                migrations.upgrade(connect, revision, file_of(self.url), place_of(self.url))

    def _revision(self) -> str | None:
        """What the database says of itself: None is a new one, an empty text one without a revision."""
        names = self._tables()
        if "alembic_version" in names:
            row = self.row("SELECT version_num FROM alembic_version")
            return row[0] if row else ""
        if names:
            raise StoreError(
                f"{place_of(self.url)} belongs to another program.",
                hint="Choose another one with --database or --data-dir.",
            )
        return None

    def _tables(self) -> set[str]:
        return {row[0] for row in self.rows(_TABLES)}

    def _create(self) -> None:
        if "alembic_version" in self._tables():
            return  # another run was faster between the look and the lock
        for statement in statements():
            self.execute(statement)
        self.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        self.execute("INSERT INTO alembic_version VALUES (:revision)", {"revision": REVISION})


def assigned(values: Iterable[str]) -> str:
    """The columns of an UPDATE, each with the parameter of its name."""
    return ", ".join(f"{name} = :{name}" for name in values)


def containing(text: str) -> str:
    """A pattern for ``LIKE ... ESCAPE '/'``: has this text in it."""
    return f"%{starting(text)}"


def starting(text: str) -> str:
    """A pattern for ``LIKE ... ESCAPE '/'``: begins with this text."""
    return re.sub(r"([/%_])", r"/\1", text) + "%"


@functools.cache
def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f':{c}' for c in columns)})"


def _stamped(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: stamp(v) if isinstance(v, datetime) else v for name, v in params.items()}


def _bound(sql: str, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The statement with a parameter for each member of a list; an empty one is ``IN ()`` to SQLite."""
    values = _stamped(params)
    for name, value in params.items():
        if isinstance(value, (list, tuple)):
            members = {f"{name}_{n}": member for n, member in enumerate(value)}
            sql = re.sub(rf":{name}\b", f"({', '.join(f':{member}' for member in members)})", sql)
            del values[name]
            values.update(members)
    return sql, values


def _connect(url: str) -> sqlite3.Connection:
    place = place_in(url)
    if place.path is not None:
        make_private(place.path)
    # BEGIN is ours: see `Database.transaction`
    connection = sqlite3.connect(place.name, uri=place.uri, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


class _ClearErrors:
    """What the driver says, in words that tell what to do."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An IntegrityError is a mistake of ours, not a state of the database.
        if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.IntegrityError):
            return
        place, text = place_of(self._url), str(error)
        for sign, message, hint in _CAUSES:
            if sign in text:
                raise StoreError(f"{place} {message}.", hint=hint) from error
        raise StoreError(f"{place} cannot be used: {text}.", hint=_DOCTOR) from error


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
