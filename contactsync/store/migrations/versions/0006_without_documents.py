"""A search, what a remote did not keep, and who is out of step are found without a look at documents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.drop_index("ix_contact_live")
        batch_op.create_index(
            "ix_contact_live", ["deleted_at", "sort_key", "uid", "held", "search"], unique=False
        )
        batch_op.create_index("ix_contact_step", ["deleted_at", "hash"], unique=False)
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.create_index("ix_link_lost", ["lost"], unique=False, sqlite_where=sa.text("lost != ''"))
