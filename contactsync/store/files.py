"""The file under an SQLite database: its place, its privacy, and consistent copies of it."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from contactsync.errors import StoreError

CHECK_FOLDER = "Check the folder, or name one with --data-dir."
_EXAMPLE = "An example: sqlite:////home/me/contacts.db"
_URL = re.compile(r"([\w+]+)://([^/?]*)(?:/([^?]*))?(?:\?(.*))?")
_YES = ("true", "yes", "on", "y", "t", "1")


class Place(NamedTuple):
    """What `sqlite3.connect` opens; ``uri``: it is a URI of SQLite's own. ``path`` is the file: None for
    memory, and for such a URI."""

    name: str
    uri: bool
    path: Path | None


def place_in(url: str) -> Place:
    """The database that a URL in the form of SQLAlchemy's names (docs.sqlalchemy.org, "Database URLs", and
    "Pysqlite" for SQLite). Raises `StoreError`, which repeats nothing of it that may be a password."""
    found = _URL.match(url)
    if found is None:
        raise StoreError("This is not a database URL.", hint=_EXAMPLE)
    scheme, server, database, query = found.groups()
    kind = scheme.partition("+")[0]
    if scheme not in ("sqlite", "sqlite+pysqlite"):
        name = scheme if kind == "sqlite" else kind
        raise StoreError(
            f"The database {name!r} cannot be used: this version can only use SQLite.", hint=_EXAMPLE
        )
    if server:
        raise StoreError("The database 'sqlite' cannot be used: it has no server.", hint=_EXAMPLE)
    name = unquote(database or "") or ":memory:"
    options = dict(parse_qsl(query or ""))
    if options.pop("uri", "").lower() in _YES:
        rest = "&".join(f"{key}={value}" for key, value in sorted(options.items()))
        return Place(f"{name}?{rest}" if rest else name, True, None)
    return Place(name, False, None if name == ":memory:" else Path(name))


def file_of(url: str) -> Path | None:
    """The file of a database; None for one in memory."""
    return place_in(url).path


def place_of(url: str) -> str:
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
