"""Forgetting what is old enough, on a real database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contactsync.api import Engine, Hooks
from contactsync.config import Config
from contactsync.engine.upkeep import tidy
from contactsync.exchange.importer import import_sources
from contactsync.model.contact import Contact, Media, Name
from contactsync.store.links import NewLink
from contactsync.sync.types import Base

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRASH, JOURNAL = timedelta(days=30), timedelta(days=365)
ADA = Contact(uid="ada", name=Name(full="Ada"), media=(Media(sha256="a" * 64, data=b"picture"),))


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Engine]:
    config = Config(tmp_path / "c.toml")
    with Engine(config, tmp_path / "data", hooks=Hooks(now=lambda: START)) as engine:
        yield engine


def after(device: Engine, days: int) -> None:
    tidy(device.store, START + timedelta(days=days), TRASH, JOURNAL)


def blobs(device: Engine) -> int:
    with closing(sqlite3.connect(device.data_dir / "contacts.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM blob").fetchone()[0])


def link(device: Engine, contact: Contact) -> int:
    stored = device.contact(contact.uid)
    with device.store.transaction():
        account = device.store.books.ensure_account("home", "carddav")
        book = device.store.books.add(account, "/b/", name="b")
        base = Base(contact, contact)
        return device.store.links.add(NewLink(stored.id, book, "/b/1", None, base, b"x"))


@pytest.mark.law("L22")
def test_a_tombstone_stays_for_the_retention_and_goes_after_it(device: Engine) -> None:
    device.put([ADA])
    device.delete(["ada"])
    after(device, 29)
    assert [c.uid for c in device.trash()] == ["ada"]
    after(device, 31)
    assert device.trash() == []


@pytest.mark.law("L22")
def test_a_tombstone_stays_as_long_as_a_link_holds_it(device: Engine) -> None:
    device.put([ADA])
    link_id = link(device, ADA)
    device.delete(["ada"])
    after(device, 300)
    assert [c.uid for c in device.trash()] == ["ada"]
    with device.store.transaction():
        device.store.links.remove(link_id)
    after(device, 300)
    assert device.trash() == []


@pytest.mark.law("L41")
def test_the_journal_is_kept_for_a_year_and_the_photo_as_long_as_it(device: Engine) -> None:
    device.put([ADA])
    device.delete(["ada"])
    after(device, 31)
    (run, *_) = device.runs()
    assert [row.action for row in device.store.journal.of_run(run.id)] == ["delete"]
    assert blobs(device) == 1
    after(device, 366)
    assert device.runs() == []
    assert blobs(device) == 0


@pytest.mark.law("L41", "L16")
def test_an_open_conflict_keeps_its_contact_for_ever(device: Engine) -> None:
    device.put([ADA])
    stored = device.contact("ada")
    values = {"status": "open", "run_id": None, "at": START}
    with device.store.transaction():
        device.store.journal.note_conflict(values, key=(stored.id, None, "name"))
    device.delete(["ada"])
    after(device, 4000)
    assert len(device.conflicts()) == 1


@pytest.mark.law("L30")
def test_a_file_stays_known_after_its_deleted_contact_is_old(device: Engine, tmp_path: Path) -> None:
    source = tmp_path / "a.vcf"
    source.write_bytes(b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:bob\r\nFN:Bob\r\nEND:VCARD\r\n")
    import_sources(device, [str(source)])
    device.delete(["bob"])
    after(device, 31)
    assert import_sources(device, [str(source)]).equal == 1
    assert device.contacts() == []


@pytest.mark.law("L36")
def test_nothing_is_written_when_nothing_is_due(device: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    device.put([ADA])
    monkeypatch.setattr(device.store, "transaction", None)
    after(device, 29)
