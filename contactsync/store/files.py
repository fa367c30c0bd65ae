"""The file under an SQLite database: its place, its privacy, and consistent copies of it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from contactsync.errors import StoreError

CHECK_FOLDER = "Check the folder, or name one with --data-dir."


def file_of(url: str | sa.URL) -> Path | None:
    """The file of an SQLite URL; None for memory and for other databases."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def place_of(url: str | sa.URL) -> str:
    """The database as the subject of a sentence, without any password that the URL holds."""
    path = file_of(url)
    return f"The database {path}" if path else "The database"


def make_private(path: Path) -> None:
    """Contacts are nobody else's business: the file is made with mode 0600 before SQLite sees it."""
    if path.exists():
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error.strerror}.", hint=CHECK_FOLDER) from error


def copy_database(path: Path, target: Path) -> None:
    """A consistent copy, also while others write; nothing is left of one that failed."""
    make_private(target)
    try:
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise StoreError(
            f"The database {path} cannot be copied to {target}: {error}.",
            hint="Check that there is room on the disk.",
        ) from error
