"""The number of a step is never used again, so that programs can ask for what came after one; cards that we
wrote lately are found without a look at all."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("journal", recreate="always", table_kwargs={"sqlite_autoincrement": True}):
        pass
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.create_index("ix_link_written", ["collection_id", "written_at"], unique=False)
