"""The cheap round: it may only say "nothing" where a full round would do nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import AccountConfig, Config, Engine, Hooks
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.engine.connect import connect
from contactsync.engine.idle import idle_round
from contactsync.engine.report import RunReport
from contactsync.model.contact import Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.devices import Device, account_for, person
from tests.servers import Server


@pytest.fixture
def quiet(tmp_path: Path, radicale: Server) -> Iterator[Device]:
    """A device with three contacts that are all at the server, after a round that found nothing."""
    book = radicale.make_book("idle")
    device = Device(tmp_path, radicale, account_for(radicale, book))
    device.engine.put([person(n) for n in range(3)])
    for _ in range(3):
        device.sync()
    yield device
    device.close()
    radicale.delete_book(book)


def cheap(device: Device) -> RunReport | None:
    password = device.server.password
    return idle_round(
        device.folder / "contacts.db", [device.account], lambda a: connect(a, lambda _: password)
    )


@pytest.mark.law("P4", "L36")
def test_a_quiet_account_costs_one_request_and_reports_nothing(quiet: Device) -> None:
    report = cheap(quiet)
    assert report is not None and report.ok and report.exit_code() == 0
    (book,) = report.accounts[0].books
    assert book.requests == 1
    assert not book.pulled and not book.pushed


@pytest.mark.law("L1")
def test_an_edit_on_the_device_ends_it_until_a_full_round_found_quiet_again(quiet: Device) -> None:
    quiet.edit("uid-001", lambda c: replace(c, titles=(Title("Other"),)))
    assert cheap(quiet) is None
    assert quiet.sync().pushed.updated == 1
    assert cheap(quiet) is None
    quiet.sync()
    quiet.sync()
    assert cheap(quiet) is not None


def test_news_at_the_server_end_it_and_are_not_swallowed(quiet: Device) -> None:
    book = quiet.account.books[0]
    href = next(iter(quiet.server.etags(book)))
    quiet.server.delete(href)
    assert cheap(quiet) is None
    assert quiet.sync().pulled.deleted == 1


def test_a_deletion_a_renamed_group_and_a_restored_contact_are_edits_too(quiet: Device) -> None:
    steps = (
        lambda: quiet.engine.delete(["uid-000"]),
        lambda: quiet.engine.restore(["uid-000"]),
        lambda: quiet.edit("uid-001", lambda c: replace(c, groups=frozenset({"Chess"}))),
        lambda: quiet.engine.rename_group("Chess", "Go"),
        lambda: quiet.engine.delete_group("Go"),
    )
    for step in steps:
        assert cheap(quiet) is not None
        step()
        assert cheap(quiet) is None
        for _ in range(4):
            quiet.sync()


def test_a_server_that_is_in_trouble_is_left_to_the_full_round(quiet: Device) -> None:
    gone = replace(quiet.account, url="http://127.0.0.1:9/")
    database = quiet.folder / "contacts.db"
    assert idle_round(database, [gone], lambda a: connect(a, lambda _: "x")) is None


@pytest.mark.law("P3")
def test_an_account_is_not_idle_while_it_waits_for_what_another_brought_in_a_run_that_was_left(
    tmp_path: Path,
) -> None:
    """The first had nothing to do in that run, and would have told the second's news at its end."""
    servers = {"one": MemoryServer(), "two": MemoryServer()}
    codec, steps = VCardCodec(), list[str]()
    hooks = Hooks(connect=lambda s: MemoryConnector(servers[s.name], codec), step=steps.append)
    accounts = tuple(AccountConfig(name, "memory") for name in servers)
    with Engine(Config(accounts=accounts), tmp_path, hooks=hooks) as engine:
        servers["one"].put("/contacts/a.vcf", codec.write(person(1), None))
        for _ in range(3):
            engine.sync()
        servers["two"].put("/contacts/b.vcf", codec.write(person(2), None))
        assert engine.idle_round(["one"]) is not None
        steps.clear()
        hooks.stopping = lambda: "committed" in steps
        assert engine.sync().stopped and engine.pending("one") == 1
        assert engine.idle_round(["one"]) is None
        hooks.stopping = lambda: False
        engine.sync()
        assert [len(server.books["/contacts/"].cards) for server in servers.values()] == [2, 2]


def test_it_loads_no_database_layer_no_codec_and_no_calendars(quiet: Device) -> None:
    """The reason why it exists: what a quiet round must not import."""
    account, database = quiet.account, str(quiet.folder / "contacts.db")
    code = f"""
import sys
from pathlib import Path
from contactsync.config import AccountConfig
from contactsync.engine.connect import connect
from contactsync.engine.idle import idle_round
settings = dict(url={account.url!r}, username={account.username!r}, books={account.books!r})
account = AccountConfig({account.name!r}, "carddav", **settings)
assert idle_round(Path({database!r}), [account], lambda a: connect(a, lambda _: {quiet.server.password!r})).ok
heavy = {{"sqlmodel", "sqlalchemy", "alembic", "pydantic", "vobject", "phonenumbers", "rapidfuzz", "typer"}}
heavy |= {{"caldav.davclient", "icalendar", "yaml", "contactsync.store.store", "contactsync.vcard.codec"}}
print(sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr
