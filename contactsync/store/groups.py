"""Groups as entities, and what each book calls them (L39)."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from contactsync.store import tables
from contactsync.store.database import Database, table
from contactsync.store.values import StoredGroup

GROUP = table(tables.Group)
GROUP_LINK = table(tables.GroupLink)

_ALL = sa.select(GROUP).order_by(GROUP.c.name, GROUP.c.id)
_BASE_NAMES = sa.select(GROUP_LINK.c.group_id, GROUP_LINK.c.base_name).where(
    GROUP_LINK.c.collection_id == sa.bindparam("book")
)


class Groups:
    """Named queries over groups."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> list[StoredGroup]:
        """Live groups and tombstones, by name."""
        return [StoredGroup(row.id, row.name, row.deleted_at) for row in self._db.rows(_ALL)]

    def get(self, group_id: str) -> StoredGroup | None:
        row = self._db.row(sa.select(GROUP).where(GROUP.c.id == group_id))
        return StoredGroup(row.id, row.name, row.deleted_at) if row else None

    def base_names(self, collection_id: int) -> dict[str, str]:
        """Group id -> the name that this book knows it by."""
        return {row[0]: row[1] for row in self._db.rows(_BASE_NAMES, {"book": collection_id})}

    def add(self, group_id: str, name: str, at: datetime) -> None:
        self._db.put(GROUP, [{"id": group_id, "name": name, "updated_at": at}])

    def update(self, group_id: str, at: datetime, *, name: str, deleted_at: datetime | None = None) -> None:
        """Rename, delete (``deleted_at``) or bring back a group."""
        values = {"name": name, "deleted_at": deleted_at, "updated_at": at}
        self._db.execute(sa.update(GROUP).where(GROUP.c.id == group_id).values(**values))

    def link(self, group_id: str, collection_id: int, base_name: str) -> None:
        """Both sides now call it this."""
        where = sa.and_(GROUP_LINK.c.group_id == group_id, GROUP_LINK.c.collection_id == collection_id)
        if self._db.row(sa.select(GROUP_LINK.c.group_id).where(where)) is None:
            row = {"group_id": group_id, "collection_id": collection_id, "base_name": base_name, "href": ""}
            self._db.put(GROUP_LINK, [row])
        else:
            self._db.execute(sa.update(GROUP_LINK).where(where).values(base_name=base_name))

    def unlink(self, group_id: str, collection_id: int) -> None:
        where = sa.and_(GROUP_LINK.c.group_id == group_id, GROUP_LINK.c.collection_id == collection_id)
        self._db.execute(sa.delete(GROUP_LINK).where(where))
