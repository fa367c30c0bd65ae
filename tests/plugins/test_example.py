"""The example of `docs/write-a-connector.md` as a distribution of its own, in an environment of its own where
nothing of this tree is but the wheel."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import temporary_folder

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "contactsync-sqlite"
_BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"


@dataclass(frozen=True)
class Environment:
    """One with the wheels of contactsync and of the example; what they need is that of the tests."""

    folder: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        program = self.folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / words[0]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
        env |= {"CONTACTSYNC_CONFIG": str(self.folder / "config.toml"), "COLUMNS": "200"}
        env |= {"CONTACTSYNC_DATA_DIR": str(self.folder / "data"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(program), *words[1:]]
        return subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=120)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def contactsync(self, *words: str) -> Any:
        return json.loads(self.ok("contactsync", "--json", *words))


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    with temporary_folder() as folder:
        wheels = folder / "wheels"
        for source in (ROOT, EXAMPLE):
            subprocess.run([sys.executable, "-c", _BUILD, str(wheels)], cwd=source, check=True)
        venv = folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        found = Environment(folder)
        site = Path(
            found.ok("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        )
        (site / "shared.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        python = str(next(venv.glob("*/python*")))
        pip = [
            sys.executable,
            "-m",
            "pip",
            "-q",
            "--disable-pip-version-check",
            "--python",
            python,
            "install",
        ]
        subprocess.run([*pip, "--no-deps", "--no-index", *map(str, wheels.iterdir())], check=True)
        yield found


def test_the_example_passes_the_suite_where_it_is_installed(environment: Environment) -> None:
    shutil.copy(EXAMPLE / "test_contactsync_sqlite.py", environment.folder)
    said = environment.ok(
        "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--basetemp",
        "runs",
        "test_contactsync_sqlite.py",
    )
    assert "passed" in said and "skipped" not in said and "failed" not in said
    where = environment.ok(
        "python", "-c", "import contactsync, contactsync_sqlite as c; print(contactsync, c)"
    )
    assert where.count(str(environment.folder / "venv")) == 2, where


def rows(database: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(database)) as db:
        found = [json.loads(card) for (card,) in db.execute("SELECT card FROM people")]
    return {card["name"]: card for card in found}


def test_the_example_is_an_account_like_any_other(environment: Environment) -> None:
    database, folder = environment.folder / "people.db", environment.folder / "cards"
    folder.mkdir()
    (folder / "eve.vcf").write_bytes(
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:eve\r\nFN:Eve\r\nN:;Eve;;;\r\nEMAIL;TYPE=work:eve@x.example\r\nEND:VCARD\r\n"
    )
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE people (id TEXT PRIMARY KEY, card TEXT NOT NULL)")
        ada = {"uid": "ada", "name": "Ada", "emails": ["ada@x.example"], "shoe size": 38}
        db.execute("INSERT INTO people VALUES ('1', ?)", (json.dumps(ada),))
    added = environment.contactsync("account", "add", "sqlite", "table", "--url", str(database))
    assert added["first_sync"] == {"send": 0, "fetch": 1} and added["books"][0]["href"] == "people"
    environment.contactsync("account", "add", "vdir", "folder", "--path", str(folder))
    for _ in range(2):
        report = environment.contactsync("sync")
    assert report["ok"] and set(rows(database)) == {"Ada", "Eve"}
    assert rows(database)["Ada"] == ada and rows(database)["Eve"]["emails"] == ["eve@x.example"]
    cards = b"".join(path.read_bytes() for path in folder.iterdir())
    assert cards.count(b"BEGIN:VCARD") == 2 and b"FN:Ada" in cards and b"TYPE=work:eve" in cards

    with closing(sqlite3.connect(database)) as db, db:
        card = json.dumps({**rows(database)["Eve"], "phones": ["+49 30 555"]})
        db.execute("UPDATE people SET card = ? WHERE card LIKE '%Eve%'", (card,))
    environment.contactsync("sync")
    assert b"+49 30 555" in (folder / "eve.vcf").read_bytes(), "the edit in the table arrived"
    assert b"TYPE=work:eve" in (folder / "eve.vcf").read_bytes(), "and took nothing away"
    imported = environment.contactsync("import", "table")
    assert (imported["new"], imported["equal"], imported["set_aside"]) == (0, 2, 0)
    (known,) = [a for a in environment.contactsync("account", "list")["accounts"] if a["name"] == "table"]
    assert known["distribution"] == "contactsync-sqlite 1.0"
