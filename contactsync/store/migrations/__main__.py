"""Drafts the step from the last revision to the present tables; see the package."""

from __future__ import annotations

import sys

import sqlalchemy as sa
from alembic import command

from contactsync.store import tables
from contactsync.store.migrations import config


def draft(message: str) -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        command.upgrade(config(connection), "head")
        command.revision(config(connection), message, autogenerate=True, rev_id=tables.REVISION)


if __name__ == "__main__":
    draft(" ".join(sys.argv[1:]) or "step")
