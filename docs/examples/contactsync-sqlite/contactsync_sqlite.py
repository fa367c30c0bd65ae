"""The people in a table of a SQLite file, ``(id TEXT PRIMARY KEY, card TEXT NOT NULL)``; a card is JSON."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from contactsync.connectors.base import (
    AccountSettings,
    Capabilities,
    Change,
    Collection,
    Create,
    Delete,
    Outcome,
    Page,
    Refused,
    Removed,
    Step,
    Stored,
    Traffic,
)
from contactsync.errors import (
    AlreadyExists,
    BookGone,
    CodecError,
    ConfigError,
    NotFound,
    PreconditionFailed,
    RemoteError,
    TransientError,
)
from contactsync.model.contact import Contact, Email, Name, Note, Phone

CONTRACT = 1
CAPABILITIES = Capabilities(
    incremental=False,
    changes_carry_payload=True,
    fields=frozenset({"name", "emails", "phones", "notes"}),
)


class JsonCodec:
    """``{"uid": "...", "name": "Ada", "emails": ["..."], "phones": [], "notes": []}`` and what others add."""

    def read(self, payload: bytes) -> Contact:
        try:
            card = json.loads(payload)
            uid, name = _texts([card.get("uid") or "", card.get("name") or ""])
            return Contact(
                uid=uid,
                name=Name(full=name),
                emails=tuple(map(Email, _texts(card.get("emails") or []))),
                phones=tuple(map(Phone, _texts(card.get("phones") or []))),
                notes=tuple(map(Note, _texts(card.get("notes") or []))),
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise CodecError(f"This is no card: {error}.") from error

    def write(self, contact: Contact, original: bytes | None) -> bytes:
        card = {"uid": contact.uid} if original is None else json.loads(original)
        now = {
            "name": contact.name.full or " ".join(part.value for part in contact.name.components),
            "emails": [one.address for one in contact.emails],
            "phones": [one.number for one in contact.phones],
            "notes": [one.text for one in contact.notes],
        }
        changed = {key: value for key, value in now.items() if (value or None) != (card.get(key) or None)}
        if original is not None and not changed:
            return original  # byte for byte, however it was written
        return json.dumps({**card, **changed}, ensure_ascii=False).encode()

    def project(self, contact: Contact) -> Contact:
        return self.read(self.write(contact, None))

    def glimpse(self, payload: bytes) -> str:
        return ""


def _texts(found: Any) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise TypeError("something in it is no text, or no list of texts")
    return found


class SqliteConnector:
    """One table is one address book; the id of a row is the href of its card."""

    capabilities = CAPABILITIES
    codec = JsonCodec()

    def __init__(self, path: Path, table: str) -> None:
        self._path = path
        self._table = table
        self._traffic = Traffic()

    def check(self) -> str:
        with self._open(self._table):
            return f"the table {self._table} of {self._path}"

    def collections(self) -> Sequence[Collection]:
        with self._open(self._table):
            return [Collection(self._table, self._table)]

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        with self._open(collection) as db:
            rows = db.execute(f"SELECT id, card FROM {self._table}").fetchall()
        changes = tuple(Change(href, _etag(card), card.encode()) for href, card in rows)
        yield Page(changes, None, full=True, last=True)

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        for href in hrefs:
            with self._open(collection) as db:
                card = self._card(db, href)
            yield Change(href, gone=True) if card is None else Change(href, _etag(card), card.encode())

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        for step in steps:
            yield self._outcome(collection, step)

    def traffic(self) -> Traffic:
        return self._traffic

    def close(self) -> None:
        """No connection outlives its question."""

    def _outcome(self, collection: str, step: Step) -> Outcome:
        try:
            with self._open(collection) as db:
                return self._do(db, step)
        except RemoteError as error:
            return Refused(step.key, error)

    def _do(self, db: sqlite3.Connection, step: Step) -> Outcome:
        """Inside a transaction, so that nobody writes between the look at the etag and the change."""
        href = step.href_hint if isinstance(step, Create) else step.href
        card = self._card(db, href)
        if isinstance(step, Create):
            if card is not None:
                raise AlreadyExists("There is a row with this id.", href=href)
        elif card is None:
            if isinstance(step, Delete):
                return Removed(step.key, href)
            raise NotFound("There is no row with this id.", href=href)
        elif _etag(card) != step.etag:
            raise PreconditionFailed("The row changed since it was read.", href=href)
        if isinstance(step, Delete):
            db.execute(f"DELETE FROM {self._table} WHERE id = ?", (href,))
            return Removed(step.key, href)
        new = step.payload.decode()
        db.execute(f"INSERT OR REPLACE INTO {self._table} (id, card) VALUES (?, ?)", (href, new))
        return Stored(step.key, href, _etag(new))

    def _card(self, db: sqlite3.Connection, href: str) -> str | None:
        row = db.execute(f"SELECT card FROM {self._table} WHERE id = ?", (href,)).fetchone()
        return row[0] if row else None

    @contextmanager
    def _open(self, collection: str) -> Iterator[sqlite3.Connection]:
        """A transaction; it ends with the question, and takes back everything after an error."""
        self._traffic += Traffic(requests=1)
        try:
            with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True)) as db, db:
                db.execute("BEGIN IMMEDIATE")
                known = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (self._table,)).fetchone()
                if known is None or collection != self._table:
                    raise BookGone(f"There is no table {collection} in {self._path}.", href=collection)
                yield db
        except sqlite3.Error as error:
            raise TransientError(f"{self._path} cannot be used now: {error}.") from error


def _etag(card: str) -> str:
    return hashlib.sha256(card.encode()).hexdigest()[:16]


def factory(settings: AccountSettings) -> SqliteConnector:
    """The url is the path of the file; the option ``table`` names another table than ``people``."""
    table = settings.options.get("table", "people")
    if not settings.url or not Path(settings.url).is_absolute():
        raise ConfigError([f"account {settings.name}: url must be the whole path of a SQLite file"])
    if not isinstance(table, str) or not table.isidentifier():
        raise ConfigError([f"account {settings.name}: options.table must be the name of a table"])
    return SqliteConnector(Path(settings.url), table)
