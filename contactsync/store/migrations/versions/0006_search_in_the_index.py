"""A search finds contacts in the index of the live ones, without a look at their documents."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.drop_index("ix_contact_live")
        batch_op.create_index(
            "ix_contact_live", ["deleted_at", "sort_key", "uid", "held", "search"], unique=False
        )
