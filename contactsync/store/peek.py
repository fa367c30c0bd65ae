"""A look at an SQLite device database without loading the layers that write it.

Most rounds find nothing to do, and loading what knows contacts and links costs more than the whole rest of
such a round. This module answers one question, whether the device side of an account is as quiet as a full
round last found it. It never makes a database, nor brings one up to date: what it does not understand is left
to the full round.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from contactsync.frozen import frozen
from contactsync.store.times import moment, stamp


@frozen
class QuietAccount:
    """Books as (href, name, cursor) of an account in which nothing waits on the device side."""

    books: tuple[tuple[str, str, str], ...]
    open_conflicts: int


def quiet_account(path: Path, name: str, books_read_after: datetime, rules: str) -> QuietAccount | None:
    """The account's books if nothing waits here, else None; also None whenever in doubt.

    ``books_read_after``: an older list of books is to be read anew by a full round. ``rules``: so is all that
    was decided by others.
    """
    with contextlib.suppress(sqlite3.Error), _reading(path) as connection:
        row = connection.execute(
            "SELECT id, quiet_run, books_read_at, rules FROM account WHERE name = ?", (name,)
        ).fetchone()
        newest = connection.execute("SELECT max(id) FROM run").fetchone()[0]
        if row is None or row[1] is None or (newest or 0) > row[1] or row[3] != rules:
            return None
        if row[2] is None or moment(row[2]) < books_read_after:
            return None
        books = connection.execute(
            "SELECT href, name, cursor FROM collection WHERE account_id = ? AND selected AND gone_at IS NULL"
            " ORDER BY href",
            (row[0],),
        ).fetchall()
        conflicts = connection.execute("SELECT count(*) FROM conflict WHERE status = 'open'").fetchone()[0]
        if not books or any(cursor is None for _, _, cursor in books):
            return None
        return QuietAccount(tuple(books), conflicts)
    return None


def note_quiet(path: Path, name: str, at: datetime) -> None:
    """Only the time of the last round moves (L36)."""
    with contextlib.suppress(sqlite3.Error), _reading(path) as connection:
        connection.execute("UPDATE account SET ran_at = ? WHERE name = ?", (stamp(at), name))
        connection.commit()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path.as_uri() + "?mode=rw", uri=True, timeout=1.0)) as connection:
        yield connection
