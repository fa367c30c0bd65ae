"""Drafts the step from the last revision to the present tables, and writes the schema; see the package."""

from __future__ import annotations

import sys

from contactsync.store.migrations.drafting import draft, write

if __name__ == "__main__":
    if message := " ".join(sys.argv[1:]):
        draft(message)
    write()
