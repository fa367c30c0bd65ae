"""The schema of a new database: its revision, and the statements that make it.

They are written from `contactsync.store.tables`, so that nothing that declares tables is loaded in an
ordinary run: see `contactsync.store.migrations`.
"""

from __future__ import annotations

from pathlib import Path

REVISION = "0006"
FILE = Path(__file__).with_name("schema.sql")


def statements() -> list[str]:
    """One for each table and index, in an order in which they can be made."""
    return [text.strip() for text in FILE.read_text(encoding="utf-8").split(";") if text.strip()]
