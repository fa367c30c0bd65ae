"""Run by alembic: the steps go through the connection that `contactsync.store.migrations` passes in."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from contactsync.store import tables


def plain_type(kind: str, item: Any, _: object) -> str | Literal[False]:
    """Steps are frozen, so they name the types of SQLAlchemy and not ours or SQLModel's."""
    return f"sa.{item.impl_instance!r}" if kind == "type" and isinstance(item, sa.TypeDecorator) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.METADATA,
    render_as_batch=True,
    render_item=plain_type,
    transactional_ddl=True,
)
context.run_migrations()
