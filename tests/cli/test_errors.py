"""The last word on every error: words, exit code, JSON, and no traceback unless it is asked for."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from contactsync.api import Engine
from contactsync.errors import ConfigError, UsageError
from tests.cli.conftest import ADA, Cli, card

ROOT = Path(__file__).resolve().parents[2]
BROKEN = """
[settings]
max_delete_count = -1
[account.home]
url = "https://me:hunter2@x.example/"
modus = "pull"
"""


def test_all_problems_of_a_configuration_are_told_at_once(cli: Cli) -> None:
    cli.config.write_text(BROKEN)
    result = cli("status")
    assert result.code == 2
    for key in (
        "settings.max_delete_count",
        "account.home.url",
        "account.home.modus",
        "connector is missing",
    ):
        assert key in result.err
    assert "hunter2" not in result.err
    assert cli("--json", "sync").error["kind"] == "configuration"


def test_a_configuration_that_is_no_toml_is_said(cli: Cli) -> None:
    cli.config.write_text("this is not toml")
    assert cli("account", "list").code == 2


def test_a_database_in_use_is_said(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contactsync.store.database.BUSY_SECONDS", 0.01)
    cli.ok("contact", "put", stdin=ADA)
    with contextlib.closing(sqlite3.connect(cli.data / "contacts.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        error = cli("--json", "contact", "delete", "ada")
    assert error.code == 1 and error.error["kind"] == "database" and "in use" in error.error["message"]


def test_a_damaged_database_is_said(cli: Cli) -> None:
    cli.data.mkdir()
    (cli.data / "contacts.db").write_bytes(b"not a database at all, but long enough to look like one" * 20)
    result = cli("contact", "list")
    assert result.code == 1 and "is not a database, or is damaged" in result.err


def test_a_data_directory_that_cannot_be_made_is_said(cli: Cli) -> None:
    cli.data.write_text("a file is in its place")
    result = cli("contact", "list")
    assert result.code == 1 and "--data-dir" in result.err


def test_the_database_can_be_elsewhere(cli: Cli) -> None:
    url = f"sqlite:///{cli.folder / 'elsewhere.db'}"
    cli.ok("--database", url, "contact", "put", stdin=ADA)
    assert (cli.folder / "elsewhere.db").exists() and not (cli.data / "contacts.db").exists()
    assert cli("--database", "nonsense", "contact", "list").code == 1


@pytest.mark.parametrize(
    "words",
    [("--nonsense",), ("nonsense",), ("contact", "show"), ("run", "show", "x"), ("sync", "--wait", "x"), ()],
)
def test_slips_on_the_command_line_are_usage_errors(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli(*words)
    assert result.code == 2 and "Usage: contactsync" in result.err and result.out == ""


def test_a_slip_is_one_document_too(cli: Cli) -> None:
    error = cli("contact", "show", "--json").error
    assert error["kind"] == "usage" and error["hint"] == "Run: contactsync contact show --help"


def test_after_two_dashes_json_is_a_name(cli: Cli) -> None:
    result = cli("contact", "show", "--", "--json")
    assert result.code == 2 and "'--json'" in result.err


def test_a_mistake_of_ours_says_how_to_get_the_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("password=hunter2")

    monkeypatch.setattr(Engine, "contacts", broken)
    result = cli("contact", "list")
    assert result.code == 1 and "-v" in result.err and "Traceback" not in result.err
    assert cli("--json", "contact", "list").error["kind"] == "internal"
    result = cli("-v", "contact", "list")
    assert "Traceback" in result.err and "password=***" in result.err


def contactsync(cli: Cli, *words: str) -> list[str]:
    places = ["--config", str(cli.config), "--data-dir", str(cli.data)]
    return [sys.executable, "-m", "contactsync", *places, *words]


def test_a_reader_who_goes_away_is_no_failure_to_shout_about(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=b"".join(card(f"u{i}", f"Name {i} " * 300) for i in range(60)))
    with subprocess.Popen(
        contactsync(cli, "contact", "list"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_narrow_encoding_is_no_reason_to_fail(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=card("li", "李"))
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for words, shown in ((("contact", "list"), b"?"), (("--json", "contact", "list"), b"\\u674e")):
        done = subprocess.run(contactsync(cli, *words), env=env, cwd=ROOT, capture_output=True, check=True)
        assert shown in done.stdout


def test_in_one_line_the_hint_is_a_sentence_of_its_own() -> None:
    assert str(ConfigError(["account a: no path"], hint="Give one.")) == "account a: no path. Give one."
    assert str(UsageError("No run 9.", hint="See run list.")) == "No run 9. See run list."
