"""The doctor on healthy and on sick devices."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, Config, PasswordSource
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.engine.health import Finding, doctor
from contactsync.errors import TransientError, UsageError
from contactsync.model.contact import Contact, Name
from contactsync.vcard.codec import VCardCodec

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

Open = Callable[..., Engine]


@pytest.fixture
def open_engine(tmp_path: Path) -> Iterator[Open]:
    engines: list[Engine] = []
    server = MemoryServer()

    def open_(*accounts: AccountConfig, toml: str = "") -> Engine:
        path = tmp_path / "config.toml"
        path.write_text(toml)
        path.chmod(0o600)
        hooks = Hooks(
            connect=lambda settings: MemoryConnector(server, VCardCodec()),
            password=lambda account: "a very secret word",
        )
        engines.append(Engine(Config(path, accounts=accounts), tmp_path / "data", hooks=hooks))
        return engines[-1]

    yield open_
    for engine in engines:
        engine.close()


def bad(findings: list[Finding]) -> dict[str, str]:
    return {finding.subject: finding.message for finding in findings if not finding.ok}


def test_a_healthy_device_has_only_good_findings(open_engine: Open) -> None:
    findings = doctor(open_engine(AccountConfig("home", "memory", username="ada")))
    assert bad(findings) == {}
    assert {f.subject for f in findings} >= {"configuration", "data directory", "database", "disk", "home"}
    assert not any("secret word" in f.message + f.hint for f in findings)


def test_one_account_alone_can_be_looked_at(open_engine: Open) -> None:
    engine = open_engine(AccountConfig("home", "memory"), AccountConfig("work", "memory"))
    assert {f.subject for f in doctor(engine, "work")} == {"work"}
    with pytest.raises(UsageError, match="no account 'wrok'"):
        doctor(engine, "wrok")


def test_an_account_that_cannot_be_reached_does_not_hide_the_others(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: MemoryConnector) -> str:
        raise TransientError("The server does not answer.", hint="Is it running?")

    engine = open_engine(AccountConfig("home", "memory"), AccountConfig("rest", "memory", paused=True))
    monkeypatch.setattr(MemoryConnector, "check", refuse)
    findings = doctor(engine)
    assert bad(findings) == {"home": "The server does not answer."}
    assert any(f.subject == "rest" and "paused" in f.message for f in findings)


def test_a_missing_password_and_a_missing_book_are_named(open_engine: Open, tmp_path: Path) -> None:
    source = PasswordSource.from_file(tmp_path / "nowhere")
    engine = open_engine(
        AccountConfig("home", "memory", password=source), AccountConfig("work", "memory", books=("Old",))
    )
    engine.hooks.password = None
    found = bad(doctor(engine))
    assert "does not exist" in found["home"]
    assert found["work"] == "There is no address book 'Old' any more."


def test_permissions_that_let_others_in_are_named(open_engine: Open) -> None:
    engine = open_engine()
    engine.data_dir.chmod(0o755)
    (engine.data_dir / "contacts.db").chmod(0o644)
    engine.config.path.chmod(0o660)
    found = [f for f in doctor(engine) if not f.ok]
    assert {f.subject for f in found} == {"data directory", "database", "configuration"}
    assert all("chmod" in f.hint for f in found)


def test_every_problem_of_the_configuration_is_a_finding(open_engine: Open) -> None:
    engine = open_engine(toml='[account.home]\nconnector = "carddav"\nmode = "sideways"\nurll = "x"\n')
    assert sum(f.subject == "configuration" and not f.ok for f in doctor(engine)) == 2


def test_a_damaged_database_is_found(open_engine: Open) -> None:
    engine = open_engine()
    with closing(sqlite3.connect(engine.data_dir / "contacts.db")) as connection:
        connection.execute("INSERT INTO alias (uid, contact_id) VALUES ('x', 99)")
        connection.commit()
    assert "broken reference" in bad(doctor(engine))["database"]


def test_what_waits_is_told(open_engine: Open) -> None:
    engine = open_engine()
    with engine.store.transaction():
        run = engine.store.journal.start_run("import", NOON)
        twin = Contact(uid="t", name=Name(full="Twin"))
        contact_id = engine.hub.add(run, NOON, twin, held="may be the same as Ada")
        engine.store.keepsakes.set_aside(payload=b"x", name="Bob", reason="Cut off.", at=NOON, source="a.vcf")
        values = {"status": "open", "run_id": run, "at": NOON}
        engine.store.journal.note_conflict(values, key=(contact_id, None, "name"))
    findings = {f.subject: f for f in doctor(engine)}
    assert findings["set aside"].message == "Bob (a.vcf): Cut off."
    assert findings["held"].ok
    assert "contact merge" in findings["held"].hint
    assert findings["conflicts"].ok


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(path: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr("contactsync.engine.health.shutil.disk_usage", breaks)
    findings = doctor(open_engine())
    assert bad(findings) == {"disk": "This check failed: RuntimeError: oh."}
    assert any(f.subject == "backups" for f in findings)
