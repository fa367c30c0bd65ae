"""``contactsync watch`` as people run it: a process of its own, against a real server, with signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contactsync.config import AccountConfig, PasswordSource, add_account
from contactsync.daemon import health
from contactsync.model.contact import Nickname
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import Device, card, person
from tests.servers import Server

PATIENCE_SECONDS = 60


class Watch:
    """The daemon in a process; `until` reads its events up to the one that a test waits for."""

    def __init__(self, folder: Path, *words: str, env: dict[str, str] | None = None) -> None:
        places = ["--config", str(folder / "config.toml"), "--data-dir", str(folder)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "contactsync", *places, "--json", "watch", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if wanted(event):
                return event
        raise AssertionError(f"it ended: {self.process.stderr and self.process.stderr.read()}")

    def round(self, work: Callable[[dict[str, Any]], bool] = lambda book: True) -> dict[str, Any]:
        """The next round with a book for which this is true."""

        def fits(event: dict[str, Any]) -> bool:
            return event["event"] == "round" and any(map(work, event["account"]["books"]))

        return self.until(fits)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode


@pytest.fixture
def watch() -> Iterator[Callable[..., Watch]]:
    started: list[Watch] = []

    def start(folder: Path, *words: str, **more: Any) -> Watch:
        started.append(Watch(folder, *words, **more))
        return started[-1]

    yield start
    for one in started:
        with suppress(ProcessLookupError):
            one.process.kill()
        one.process.communicate()


@pytest.fixture
def device(open_device: OpenDevice, new_book: NewBook, radicale: Server) -> Device:
    made = open_device("device", radicale, new_book(radicale))
    secret = made.folder / "password"
    secret.write_text(radicale.password)
    secret.chmod(0o600)
    account = replace(made.account, password=PasswordSource.from_file(secret))
    add_account(made.folder / "config.toml", account)
    return made


def pushed(book: dict[str, Any]) -> bool:
    return any(book["pushed"].values())


def pulled(book: dict[str, Any]) -> bool:
    return any(book["pulled"].values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_edit_of_another_process_goes_out_and_a_signal_ends_it(
    device: Device, watch: Callable[..., Watch], number: int
) -> None:
    running = watch(device.folder, "--interval", "1h")
    running.round()
    device.engine.put([person(1)])
    running.round(pushed)
    assert len(device.server.etags(device.account.books[0])) == 1
    found = health.read(device.folder)
    assert found is not None and found["ok"] and found["pid"] == running.process.pid
    assert running.end(number) == 0
    assert health.read(device.folder) is None


def test_what_another_program_writes_into_a_folder_is_at_the_server_within_seconds(
    device: Device, watch: Callable[..., Watch], tmp_path: Path
) -> None:
    folder, server, book = tmp_path / "contacts", device.server, device.account.books[0]
    folder.mkdir()
    add_account(device.folder / "config.toml", AccountConfig("disk", "vdir", url=str(folder)))
    running = watch(device.folder, "--interval", "1h")
    running.until(lambda event: event["event"] == "round" and event["account"]["name"] == "disk")
    began = time.monotonic()
    (folder / "ada.vcf").write_bytes(card("ada", "Ada"))
    running.round(pushed)
    assert [b"FN:Ada" in (server.get(href) or b"") for href in server.etags(book)] == [True]
    assert time.monotonic() - began < PATIENCE_SECONDS / 2
    assert running.end() == 0


def test_what_changes_at_the_server_comes_in_with_the_next_round(
    device: Device, watch: Callable[..., Watch]
) -> None:
    device.engine.put([person(1)])
    for _ in range(3):
        device.sync()
    running = watch(device.folder, "--interval", "10s")
    running.round()
    href = next(iter(device.server.etags(device.account.books[0])))
    device.server.delete(href)
    running.process.send_signal(signal.SIGHUP)
    running.round(pulled)
    assert running.end() == 0
    assert not device.everyone()


def test_a_second_one_ends_with_8(device: Device, watch: Callable[..., Watch]) -> None:
    first = watch(device.folder, "--interval", "1h")
    first.round()
    second = watch(device.folder)
    out, _ = second.process.communicate(timeout=PATIENCE_SECONDS)
    assert second.process.returncode == 8
    assert json.loads(out)["error"]["kind"] == "locked"
    assert first.end() == 0


@pytest.mark.law("P5")
def test_a_kill_in_the_middle_loses_and_doubles_nothing(device: Device, watch: Callable[..., Watch]) -> None:
    running = watch(device.folder, "--interval", "1h")
    running.round()
    device.engine.put([person(n) for n in range(30)])
    server, book = device.server, device.account.books[0]
    while not server.etags(book):
        assert running.process.poll() is None
    running.process.kill()
    running.process.communicate()
    device.edit("uid-001", lambda c: replace(c, nicknames=(Nickname("Al"),)))
    again = watch(device.folder, "--interval", "10s")
    again.until(lambda event: event["event"] == "started")
    again.process.send_signal(signal.SIGHUP)  # after a kill it waits a little before it tries again
    again.until(lambda event: len(server.etags(book)) == 30 and event["event"] == "round")
    assert again.end() == 0
    for _ in range(3):
        device.sync()
    assert device.quiet()
    assert len(server.etags(book)) == 30
    cards = [server.get(href) for href in server.etags(book)]
    assert sum(b"NICKNAME:Al" in card for card in cards) == 1


def test_a_long_round_is_left_between_two_writes(device: Device, watch: Callable[..., Watch]) -> None:
    running = watch(device.folder, "--interval", "1h")
    running.round()
    device.engine.put([person(n) for n in range(150)])
    server, book = device.server, device.account.books[0]
    while not server.etags(book):
        assert running.process.poll() is None
    assert running.end() == 0
    assert 0 < len(server.etags(book)) < 150
    assert device.engine.store.journal.in_doubt() == 0
    for _ in range(2):
        device.sync()
    assert len(server.etags(book)) == 150


def test_a_service_manager_hears_that_it_is_ready(
    device: Device, watch: Callable[..., Watch], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_SECONDS)
        running = watch(device.folder, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(1000).startswith(b"READY=1")
        assert manager.recv(1000) == b"STATUS=all is well"
        assert running.end() == 0
        assert manager.recv(1000) == b"STOPPING=1"


def test_a_login_that_is_refused_is_told_and_does_not_end_it(
    device: Device, watch: Callable[..., Watch]
) -> None:
    secret = device.folder / "password"
    right = secret.read_text()
    secret.write_text("wrong")
    running = watch(device.folder, "--interval", "10s")
    refused = running.until(lambda event: event["event"] == "round")
    assert refused["account"]["state"] == "login-needed" and refused["failures"] == 1
    secret.write_text(right)
    running.process.send_signal(signal.SIGHUP)
    assert running.round()["account"]["state"] == "ok"
    assert running.end() == 0
