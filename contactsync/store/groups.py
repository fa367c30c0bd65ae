"""Groups as entities, and what each book calls them (L39)."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from contactsync.store.database import Database
from contactsync.store.times import moment
from contactsync.store.values import StoredGroup

_GROUPS = "SELECT id, name, deleted_at FROM contact_group"
_BASE_NAMES = "SELECT group_id, base_name FROM group_link WHERE collection_id = :book"
_LINK = "group_id = :group AND collection_id = :book"


class Groups:
    """Named queries over groups."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> list[StoredGroup]:
        """Live groups and tombstones, by name."""
        return [_stored(row) for row in self._db.rows(f"{_GROUPS} ORDER BY name, id")]

    def get(self, group_id: str) -> StoredGroup | None:
        row = self._db.row(f"{_GROUPS} WHERE id = :group", {"group": group_id})
        return _stored(row) if row else None

    def base_names(self, collection_id: int) -> dict[str, str]:
        """Group id -> the name that this book knows it by."""
        return {row[0]: row[1] for row in self._db.rows(_BASE_NAMES, {"book": collection_id})}

    def add(self, group_id: str, name: str, at: datetime) -> None:
        self._db.put("contact_group", [{"id": group_id, "name": name, "updated_at": at}])

    def update(self, group_id: str, at: datetime, *, name: str, deleted_at: datetime | None = None) -> None:
        """Rename, delete (``deleted_at``) or bring back a group."""
        self._db.update("contact_group", group_id, name=name, deleted_at=deleted_at, updated_at=at)

    def doubt_name(self, group_id: str, name: str, former: str) -> None:
        """A group has the name again that books know it by, and that it had until it was called ``former``:
        some of their cards may have been told of that, and all are looked at."""
        statement = "UPDATE group_link SET base_name = :former WHERE group_id = :group AND base_name = :name"
        self._db.execute(statement, {"group": group_id, "name": name, "former": former})

    def link(self, group_id: str, collection_id: int, base_name: str) -> None:
        """Both sides now call it this."""
        link = {"group": group_id, "book": collection_id}
        if self._db.row(f"SELECT 1 FROM group_link WHERE {_LINK}", link) is None:
            row = {"group_id": group_id, "collection_id": collection_id, "base_name": base_name, "href": ""}
            self._db.put("group_link", [row])
        else:
            self._db.execute(
                f"UPDATE group_link SET base_name = :name WHERE {_LINK}", {**link, "name": base_name}
            )


def _stored(row: sqlite3.Row) -> StoredGroup:
    return StoredGroup(row["id"], row["name"], moment(row["deleted_at"]))
