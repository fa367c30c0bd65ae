"""What is asked for often must not load what it does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    *("sqlmodel", "sqlalchemy", "alembic", "pydantic", "sqlite3"),
    *("caldav", "requests", "urllib3", "lxml", "ssl", "filelock", "keyring", "tomlkit"),
    *("vobject", "phonenumbers", "rapidfuzz", "anyascii"),
    "contactsync.cli.profiling",
    *("contactsync.api", "contactsync.store", "contactsync.engine", "contactsync.vcard"),
)
SHOW = """
import json, sys
from contactsync.cli.app import run
try:
    code = run(sys.argv[1:])
finally:
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def loaded(*words: str, **env: str) -> tuple[str, set[str]]:
    """stdout, and the modules that were there at the end."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *words],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, set(json.loads(done.stderr.splitlines()[-1]))


def completed(words: str, at: int, **env: str) -> tuple[str, set[str]]:
    """The same of a shell's question what the word ``at`` this place could be."""
    question = {"_CONTACTSYNC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    return loaded(**question, **env)


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("sync", "--help"), ("account", "add", "carddav", "-h")]
)
def test_help_and_version_load_nothing_heavy(words: tuple[str, ...]) -> None:
    out, modules = loaded(*words)
    assert out
    assert not modules & {*HEAVY, "rich"}


def test_a_run_loads_no_library_that_only_declares_tables(tmp_path: Path) -> None:
    """Neither where it makes the database, as the first one does, nor where it finds one."""
    config = tmp_path / "config.toml"
    config.write_text('[account.home]\nconnector = "memory"\nbooks = ["/contacts/"]\n')
    for words in (("status",), ("plan",), ("contact", "list")):
        _, modules = loaded("--config", str(config), "--data-dir", str(tmp_path / "data"), *words)
        assert "contactsync.store.store" in modules
        assert not modules & {"sqlmodel", "sqlalchemy", "alembic", "mako", "pydantic"}


def test_completion_knows_the_accounts_from_the_file_alone(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[account.home]\nconnector = "carddav"\n[account.work]\nconnector = "carddav"\n')
    out, modules = completed(f"contactsync --config {config} sync h", 4)
    assert out.split() == ["home"]
    assert not modules & set(HEAVY)


def test_completion_knows_the_calendars_too(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[account.days]\nconnector = "carddav"\n[calendar.birthdays]\nfile = "b.ics"\n')
    out, modules = completed(f"contactsync --config {config} calendar sync ", 5)
    assert out.split() == ["birthdays"]
    assert not modules & set(HEAVY)


def test_completion_without_a_configuration_completes_nothing(tmp_path: Path) -> None:
    out, _ = completed("contactsync sync h", 2, CONTACTSYNC_CONFIG=str(tmp_path / "none"))
    assert out.strip() == ""


def test_the_commands_are_completed_too() -> None:
    assert completed("contactsync acc", 1)[0].split() == ["account"]
