"""What is written from the tables: the step to them, and the schema of a new database; see the package."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import command
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from contactsync.store import schema, tables
from contactsync.store.migrations import config


def draft(message: str) -> None:
    """Write the step from the last revision to the present tables."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        command.upgrade(config(connection), "head")
        command.revision(config(connection), message, autogenerate=True, rev_id=schema.REVISION)


def statements() -> Iterator[str]:
    """What makes each table, with its indexes after it."""
    for table in tables.METADATA.sorted_tables:
        yield _text(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield _text(CreateIndex(index))


def write() -> None:
    """Write the schema of a new database."""
    schema.FILE.write_text("".join(f"{statement};\n\n" for statement in statements()), encoding="utf-8")


def _text(statement: sa.schema.ExecutableDDLElement) -> str:
    lines = str(statement.compile(dialect=sqlite.dialect())).strip().expandtabs(4).splitlines()
    return "\n".join(line.rstrip() for line in lines)
