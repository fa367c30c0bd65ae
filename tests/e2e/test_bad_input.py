"""What a person gets wrong, and what servers, cards and disks get wrong: said clearly, and nothing lost.

Every message says what, where, and what to do next.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Engine, Hooks
from contactsync.config import Config, load
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.engine.lock import sync_lock
from contactsync.errors import ConfigError, LockedError, StoreError
from contactsync.model.contact import Note, Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import Device, account_for, calm, card, cards, dump, fill, person, uids
from tests.proxy import Proxy, Reply, proxy
from tests.servers import Server

BROKEN = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Broken Bert\r\nUID:broken\r\n"
"""Without its end."""


@pytest.fixture
def front(radicale: Server) -> Iterator[Proxy]:
    with proxy(radicale.base_url) as found:
        yield found


# --- accounts that lead nowhere ---

WRONG: dict[str, tuple[Callable[[Proxy], None], int, tuple[str, ...]]] = {
    "a login page": (lambda p: p.login_page(), 1, ("web page", "Check the URL")),
    "a wrong password": (lambda p: p.fail(401, times=1000), 6, ("refuses the login", "Check user name")),
    "an empty answer": (lambda p: p.shorten("PROPFIND", "REPORT", at=0), 1, ()),
    "an answer that ends in the middle": (lambda p: p.shorten("PROPFIND", "REPORT"), 1, ()),
    "a broken connection": (lambda p: p.cut("PROPFIND", "REPORT"), 5, ("broke off", "Try again later")),
    "a server without CardDAV": (
        lambda p: p.answer(Reply(200, (("Content-Type", "text/plain"),), b"Hello")),
        1,
        (),
    ),
    "a server that knows no PROPFIND": (lambda p: p.fail(405, times=1000), 1, ()),
}


@pytest.mark.law("L21")
@pytest.mark.parametrize("what", WRONG)
def test_a_first_round_that_leads_nowhere_says_so_and_keeps_the_device_as_it_is(
    radicale: Server, front: Proxy, new_book: NewBook, open_device: OpenDevice, what: str
) -> None:
    how, code, words = WRONG[what]
    how(front)
    device = open_device("phone", replace(radicale, base_url=front.url), new_book(radicale))
    device.engine.put([person(1)])
    before = device.dump()
    report = device.run()
    (account,) = report.accounts
    assert report.exit_code() == code
    assert all(word in account.message for word in words), account.message
    assert len(account.message) > 20
    assert "Traceback" not in account.message and radicale.password not in account.message
    after = device.dump()
    assert {name for name in before if after[name] != before[name]} <= {"account"}
    front.forget()
    assert device.sync().pushed.created == 1


def test_a_wrong_url_names_the_server_that_is_not_there(tmp_path: Path, radicale: Server) -> None:
    for url, host in (
        ("http://127.0.0.1:9/", "127.0.0.1:9"),
        ("https://nowhere.invalid/", "nowhere.invalid"),
    ):
        account = replace(account_for(radicale), url=url)
        device = Device(tmp_path / host.partition(":")[0], radicale, account)
        report = device.run()
        assert report.exit_code() == 5
        assert host in report.accounts[0].message
        assert "Check" in report.accounts[0].message
        device.close()


def test_a_path_at_the_server_where_nothing_is_names_it(radicale: Server, open_device: OpenDevice) -> None:
    elsewhere = replace(radicale, principal="/alice/no/such/place/")
    device = open_device("phone", elsewhere)
    report = device.run()
    assert report.exit_code() == 1
    assert report.accounts[0].message


def test_plain_http_beyond_this_machine_is_refused_before_a_password_is_sent(
    radicale: Server, open_device: OpenDevice
) -> None:
    device = open_device("phone", replace(radicale, base_url="http://dav.example.org"))
    report = device.run()
    assert report.exit_code() == 1
    assert "plain http" in report.accounts[0].message
    assert "insecure_http" in report.accounts[0].message


def test_a_password_that_cannot_be_got_fails_its_account_only(tmp_path: Path, memory: MemoryServer) -> None:
    """One account asks for a password that is nowhere; the other one does its round."""
    good = replace(account_for(memory), name="good")
    bad = replace(good, name="bad", connector="carddav", url="http://127.0.0.1:9/", username="eve")
    hooks = Hooks(
        connect=lambda s: (
            MemoryConnector(memory, VCardCodec()) if s.name == "good" else _real(s)  # type: ignore[arg-type]
        )
    )
    memory.put("/contacts/a.vcf", card("a", "Ada"))
    with Engine(Config(tmp_path / "c.toml", accounts=(bad, good)), tmp_path, hooks=hooks) as engine:
        report = engine.sync()
        assert [account.state for account in report.accounts][1] == "ok"
        assert report.accounts[0].state in ("login-needed", "failed")
        assert "eve" in report.accounts[0].message or "bad" in report.accounts[0].message
        assert report.exit_code() in (1, 6)
        assert [stored.uid for stored in engine.contacts()] == ["a"]


def _real(settings: object) -> object:
    from contactsync.connectors.carddav import factory

    return factory(settings)  # type: ignore[arg-type]


def test_two_accounts_and_one_is_down(tmp_path: Path, memory: MemoryServer) -> None:
    good = replace(account_for(memory), name="good")
    down = replace(good, name="down", connector="carddav", url="http://127.0.0.1:9/", username="eve")
    hooks = Hooks(
        password=lambda _: "x",
        connect=lambda s: (
            MemoryConnector(memory, VCardCodec()) if s.name == "good" else _real(s)  # type: ignore[arg-type]
        ),
    )
    with Engine(Config(tmp_path / "c.toml", accounts=(down, good)), tmp_path, hooks=hooks) as engine:
        engine.put([person(1)])
        report = engine.sync()
        assert report.exit_code() == 5
        assert [account.state for account in report.accounts] == ["temporary", "ok"]
        assert uids(memory, "/contacts/") == ["uid-001"]


# --- cards that cannot be used ---


@pytest.mark.law("L35")
def test_a_card_that_cannot_be_read_is_set_aside_with_its_bytes_and_the_others_go_on(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    memory.put("/contacts/bad.vcf", BROKEN)
    memory.put("/contacts/good.vcf", card("good", "Gustav"))
    device = open_device("phone", memory)
    device.engine.put([person(1)])
    report = device.run()
    assert report.exit_code() == 3
    (error,) = report.accounts[0].books[0].errors
    assert (error.remote_ref, error.name) == ("/contacts/bad.vcf", "Broken Bert")
    assert error.reason
    (aside,) = device.engine.store.keepsakes.quarantined()
    assert (aside.payload, aside.href, aside.name) == (BROKEN, "/contacts/bad.vcf", "Broken Bert")
    assert device.engine.status()["set_aside"] == 1
    assert sorted(device.everyone()) == ["good", "uid-001"]
    assert memory.get("/contacts/bad.vcf") == BROKEN

    device.report()
    before = device.dump()
    assert device.quiet()
    assert device.dump() == before

    memory.put("/contacts/bad.vcf", BROKEN.replace(b"Bert", b"Berta"))
    assert device.run().exit_code() == 3
    assert [one.name for one in device.engine.store.keepsakes.quarantined()] == ["Broken Berta"]
    memory.put("/contacts/bad.vcf", BROKEN + b"END:VCARD\r\n")
    device.sync()
    assert device.engine.store.keepsakes.quarantined() == []
    assert sorted(device.everyone()) == ["broken", "good", "uid-001"]


@pytest.mark.law("L35")
def test_a_card_that_turns_unreadable_keeps_its_contact_and_is_believed_again_when_it_is_whole(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    memory.put("/contacts/x.vcf", card("x", "Xaver", "TITLE:First"))
    device = open_device("phone", memory)
    device.sync()
    memory.put("/contacts/x.vcf", card("x", "Xaver", "TITLE:Second")[:-14])
    for expected in (3, 0, 0):
        assert device.run().exit_code() == expected
        assert device.contact("x").titles == (Title("First"),)
    device.edit("x", lambda c: replace(c, notes=(Note("edited here"),)))
    device.report()
    assert memory.get("/contacts/x.vcf") == card("x", "Xaver", "TITLE:Second")[:-14]
    memory.put("/contacts/x.vcf", card("x", "Xaver", "TITLE:Third"))
    for _ in range(2):
        device.report()
    calm(device)
    both = device.contact("x")
    assert (both.titles, both.notes) == ((Title("Third"),), (Note("edited here"),))
    assert b"NOTE:edited here" in (memory.get("/contacts/x.vcf") or b"")
    assert device.engine.store.keepsakes.quarantined() == []


@pytest.mark.law("L35")
def test_an_unreadable_card_that_goes_away_is_forgotten(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    memory.put("/contacts/bad.vcf", BROKEN)
    device = open_device("phone", memory)
    assert device.run().exit_code() == 3
    memory.delete("/contacts/bad.vcf")
    device.report()
    device.sync()
    assert device.engine.store.keepsakes.quarantined() == []
    assert device.quiet()


@pytest.mark.law("L35")
def test_a_card_that_a_real_server_took_but_cannot_show_in_xml_harms_no_other(
    xandikos: Server, new_book: NewBook, open_device: OpenDevice
) -> None:
    """A control character makes the XML of Xandikos' answer unreadable as a whole."""
    book = new_book(xandikos)
    payload = card("odd", "Odd", "NOTE:a \x0b control character")
    xandikos.put(book + "odd.vcf", payload)
    xandikos.put(book + "good.vcf", card("good", "Gustav"))
    device = open_device("phone", xandikos, book)
    device.sync()
    assert sorted(device.everyone()) == ["good", "odd"]
    calm(device)
    assert xandikos.get(book + "odd.vcf") == payload


@pytest.mark.law("L35")
def test_a_contact_that_the_server_refuses_waits_until_it_changes_and_the_others_go_on(
    radicale: Server, front: Proxy, new_book: NewBook, open_device: OpenDevice
) -> None:
    """This Radicale takes a megabyte and answers 412 to more."""
    book = new_book(radicale)
    device = open_device("phone", replace(radicale, base_url=front.url), book)
    big = replace(person(1), notes=(Note("word " * 201_000),))
    device.engine.put([big, person(2)])
    report = device.run()
    assert report.exit_code() == 3
    (error,) = report.accounts[0].books[0].errors
    assert (error.uid, error.name) == (big.uid, "Person001 Tester")
    assert "too large" in error.reason
    assert uids(radicale, book) == ["uid-002"]
    assert device.contact(big.uid).notes == big.notes

    front.forget()
    for _ in range(3):
        device.report()
    assert front.counts["PUT"] == 0
    (aside,) = device.engine.store.keepsakes.quarantined()
    assert aside.name == "Person001 Tester" and aside.payload

    device.edit(big.uid, lambda c: replace(c, notes=(Note("short"),)))
    device.report()
    device.sync()
    assert uids(radicale, book) == ["uid-001", "uid-002"]
    assert device.engine.store.keepsakes.quarantined() == []
    calm(device)


@pytest.mark.law("L35")
def test_an_update_that_the_server_refuses_waits_and_edits_from_there_still_arrive(
    radicale: Server, front: Proxy, new_book: NewBook, open_device: OpenDevice
) -> None:
    book = new_book(radicale)
    device = open_device("phone", replace(radicale, base_url=front.url), book)
    device.engine.put([person(1)])
    device.sync()
    device.edit("uid-001", lambda c: replace(c, notes=(Note("word " * 201_000),)))
    assert device.run().exit_code() == 3
    front.forget()
    for _ in range(2):
        device.report()
    assert front.counts["PUT"] == 0

    (path,) = radicale.etags(book)
    radicale.put(path, (radicale.get(path) or b"").replace(b"TITLE:Title 1", b"TITLE:Edited there"))
    device.report()
    assert device.contact("uid-001").titles == (Title("Edited there"),)
    device.edit("uid-001", lambda c: replace(c, notes=(Note("short"),)))
    for _ in range(2):
        device.sync()
    assert b"NOTE:short" in (radicale.get(path) or b"")
    assert b"TITLE:Edited there" in (radicale.get(path) or b"")
    assert device.engine.store.keepsakes.quarantined() == []
    calm(device)


# --- the database and the disk ---


@pytest.mark.law("P1")
def test_a_full_disk_says_so_changes_nothing_and_the_next_round_goes_on(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    device = open_device("phone", memory)
    device.engine.put([person(n) for n in range(5)])
    device.sync()
    fill(memory, "/contacts/", (card(f"c{n}", f"C{n}", f"NOTE:{'long ' * 2000}") for n in range(40)))
    before = device.dump()
    full = _with_small_disk(device)
    with pytest.raises(StoreError, match="disk is full") as failed:
        full.sync()
    assert "contacts.db" in str(failed.value) and "Make room" in str(failed.value)
    full.close()
    assert device.dump()["contact"] == before["contact"]
    assert device.dump()["link"] == before["link"]
    assert len(memory.etags("/contacts/")) == 45
    assert device.sync().pulled.created == 40
    calm(device)


def _with_small_disk(device: Device) -> Engine:
    """The same device, but its database may not grow."""
    engine = device.open()
    connection = engine.store.db._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    return engine


def test_a_database_that_another_program_locks_is_named(
    memory: MemoryServer, open_device: OpenDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contactsync.store.database.BUSY_SECONDS", 0.1)
    device = open_device("phone", memory)
    device.engine.put([person(1)])
    with closing(sqlite3.connect(device.folder / "contacts.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program") as failed:
            device.run()
        assert "contacts.db" in str(failed.value)
        other.execute("ROLLBACK")
    assert device.sync().pushed.created == 1


def test_a_database_of_a_newer_version_is_left_alone(memory: MemoryServer, open_device: OpenDevice) -> None:
    device = open_device("phone", memory)
    device.engine.put([person(1)])
    device.close()
    path = device.folder / "contacts.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = dump(path)
    with pytest.raises(StoreError, match="newer") as failed:
        device.open()
    assert "contacts.db" in str(failed.value)
    assert dump(path) == before


def test_a_damaged_database_is_named_and_the_way_to_a_copy_with_it(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    device = open_device("phone", memory)
    device.close()
    path = device.folder / "contacts.db"
    path.write_bytes(b"This is not a database. " * 400)
    with pytest.raises(StoreError, match="not a database") as failed:
        device.open()
    assert "contacts.db" in str(failed.value) and "backup" in str(failed.value)
    assert path.read_bytes().startswith(b"This is not a database.")


def test_a_second_round_at_the_same_time_is_refused_and_the_first_goes_on(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    device = open_device("phone", memory)
    device.engine.put([person(1)])
    with sync_lock(device.folder), pytest.raises(LockedError, match="synchronising right now") as failed:
        device.run(wait_seconds=0)
    assert "contactsync status" in str(failed.value)
    assert device.sync().pushed.created == 1


def test_the_lock_of_a_process_that_died_is_free_again(memory: MemoryServer, open_device: OpenDevice) -> None:
    device = open_device("phone", memory)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom contactsync.engine.lock import sync_lock\n"
        "lock = sync_lock(Path(sys.argv[1]))\nlock.__enter__()\nos._exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(device.folder)], check=False)
    assert done.returncode == 7
    device.run(wait_seconds=0)


def test_a_data_directory_without_room_for_the_backup_stops_before_the_first_write(
    memory: MemoryServer, open_device: OpenDevice
) -> None:
    """L38: no backup, no write."""
    memory.put("/contacts/a.vcf", card("a", "Ada"))
    device = open_device("phone", memory)
    device.engine.put([person(1)])
    (device.folder / "backups").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="cannot be written"):
        device.run()
    assert list(cards(memory, "/contacts/")) == ["/contacts/a.vcf"]
    (device.folder / "backups").unlink()
    device.sync()
    assert uids(memory, "/contacts/") == ["a", "uid-001"]


# --- the configuration ---

CONFIGS = {
    "no TOML": ("[account.home\n", ("not TOML",)),
    "an unknown key": (
        '[account.home]\nconnector = "carddav"\nurll = "https://x.example/"\n',
        ("urll", "url"),
    ),
    "no connector": ('[account.home]\nurl = "https://x.example/"\n', ("account.home", "connector")),
    "a wrong mode": ('[account.home]\nconnector = "memory"\nmode = "sideways"\n', ("mode", "two-way")),
    "two mistakes": (
        '[settings]\nmax_delete_count = "x"\n[account.h]\nurl = 5\n',
        ("max_delete_count", "url"),
    ),
}


@pytest.mark.parametrize("what", CONFIGS)
def test_a_broken_configuration_names_file_and_key(tmp_path: Path, what: str) -> None:
    text, words = CONFIGS[what]
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as failed:
        load(path)
    assert str(path) in str(failed.value)
    assert all(word in str(failed.value) for word in words), str(failed.value)
    assert path.read_text() == text


def test_an_account_of_an_unknown_kind_fails_by_itself(tmp_path: Path, memory: MemoryServer) -> None:
    odd = replace(account_for(memory), name="odd", connector="carrier-pigeon")
    with Engine(Config(tmp_path / "c.toml", accounts=(odd,)), tmp_path) as engine:
        report = engine.sync()
        assert report.exit_code() == 1
        assert "carrier-pigeon" in report.accounts[0].message
        assert "carddav" in report.accounts[0].message
