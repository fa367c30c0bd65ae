"""What docs/privacy.md says of the database, asked of the database itself."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from contactsync.store.tables import METADATA
from tests.cli.conftest import Cli, Home, card

PAGE = Path(__file__).resolve().parents[2] / "docs" / "privacy.md"


def rows(data: Path) -> Iterator[tuple[str, str]]:
    """Every row of every table, as text."""
    with sqlite3.connect(data / "contacts.db") as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            yield from ((table, str(row)) for row in database.execute(f'SELECT * FROM "{table}"'))


def tables_with(data: Path, *words: str) -> set[str]:
    return {table for table, row in rows(data) if any(word in row for word in words)}


def test_each_table_of_the_database_is_in_the_manual() -> None:
    part = PAGE.read_text(encoding="utf-8").split("### In the database", 1)[1].split("\n## ", 1)[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted([*METADATA.tables, "alembic_version"])


def test_what_is_purged_is_in_no_table(cli: Cli, home: Home) -> None:
    photo = "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    charles = card("charles", "Babbage", "NOTE:owes me a machine", photo)
    cli.ok("import", cli.file("charles.vcf", charles))
    cli.ok("sync")
    cli.ok("contact", "put", stdin=charles.replace(b"owes", b"built"))
    cli.ok("sync")
    assert {"contact", "link", "journal", "imported", "blob"} <= tables_with(
        cli.data, "charles", "Babbage", "PNG"
    )
    cli.ok("contact", "delete", "charles")
    cli.ok("sync")
    cli.ok("sync")
    cli.ok("contact", "purge", "charles", "--yes")
    assert tables_with(cli.data, "charles", "Babbage", "machine", "PNG") == set()


def test_of_an_account_that_is_removed_its_cards_are_in_the_history_only(cli: Cli, home: Home) -> None:
    path = f"{home.book}x.vcf"
    home.server.put(path, card("charles", "Babbage", "X-ENGINE:difference"))
    cli.ok("sync")
    assert {"link", "collection", "account"} <= tables_with(cli.data, home.book)
    cli.ok("account", "remove", "home")
    assert tables_with(cli.data, home.book, home.server.base_url) <= {"journal", "run"}
    assert "contact" in tables_with(cli.data, "difference"), "the contact stays"


def test_a_contact_that_came_from_a_file_stays_in_the_trash_until_it_is_purged(cli: Cli, home: Home) -> None:
    cli.config.write_text(f"[settings]\ntrash_days = 0\n\n{cli.config.read_text()}")
    cli.ok("import", cli.file("charles.vcf", card("charles", "Babbage")))
    cli.ok("contact", "put", stdin=card("ada", "Lovelace"))
    cli.ok("sync")
    cli.ok("contact", "delete", "charles", "ada")
    for _ in range(3):
        cli.ok("sync")
    assert [row["name"] for row in cli.json("contact", "trash")["contacts"]] == ["Babbage"]
    cli.ok("contact", "purge", "charles", "--yes")
    assert tables_with(cli.data, "charles") == set()
