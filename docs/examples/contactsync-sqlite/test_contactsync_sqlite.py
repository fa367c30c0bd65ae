"""The contract, on a file of its own for each test."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import contactsync_sqlite
import pytest

from contactsync.connectors.base import AccountSettings, Payload
from contactsync.errors import ConfigError
from contactsync.testing.suite import UNICODE, ConnectorSuite, Rig, held_to_contract


class OtherProgram:
    """Whoever else works on the table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run("CREATE TABLE people (id TEXT PRIMARY KEY, card TEXT NOT NULL)")

    def put(self, path: str, payload: Payload) -> None:
        self._run("INSERT OR REPLACE INTO people VALUES (?, ?)", path, payload.decode())

    def get(self, path: str) -> Payload | None:
        rows = self._run("SELECT card FROM people WHERE id = ?", path)
        return rows[0][0].encode() if rows else None

    def delete(self, path: str) -> None:
        self._run("DELETE FROM people WHERE id = ?", path)

    def _run(self, statement: str, *values: str) -> Sequence[tuple[str]]:
        with closing(sqlite3.connect(self.path)) as db, db:
            return db.execute(statement, values).fetchall()


class TestSqlite(ConnectorSuite):
    @pytest.fixture(autouse=True)
    def _fresh_folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self) -> Rig:
        other = OtherProgram(self.folder / "people.db")
        settings = AccountSettings("mine", "sqlite", url=str(other.path))
        return Rig(held_to_contract(contactsync_sqlite.factory(settings)), "people", other)

    def card(self, name: str, hint: str, *lines: str) -> Payload:
        card: dict[str, object] = {"uid": f"uid-{hint}", "name": name}
        for line in lines:
            key, _, value = line.partition(":")
            card.update({"notes": [value]} if key == "NOTE" else {key: value})
        return json.dumps(card, ensure_ascii=False).encode()

    def href(self, rig: Rig, hint: str) -> str:
        return hint

    def assert_kept(self, rig: Rig, payload: Payload, note: str, own: str) -> None:
        key, _, value = own.partition(":")
        card = json.loads(payload)
        assert (card["name"], card["notes"], card[key]) == (UNICODE, [note], value)


@pytest.mark.parametrize(
    ("url", "options"), [("", {}), ("people.db", {}), ("/people.db", {"table": "x; DROP TABLE y"})]
)
def test_settings_that_make_no_sense_are_refused(url: str, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="account mine"):
        contactsync_sqlite.factory(AccountSettings("mine", "sqlite", url, options=options))
