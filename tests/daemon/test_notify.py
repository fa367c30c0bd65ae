"""What the service manager hears, over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsync.daemon.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def heard(manager: socket.socket) -> str:
    return manager.recv(1000).decode()


def test_it_hears_of_beginning_state_and_end(manager: socket.socket) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready("2 accounts")
    notifier.status("all is well")
    notifier.stopping()
    assert [heard(manager) for _ in range(3)] == [
        "READY=1\nSTATUS=2 accounts",
        "STATUS=all is well",
        "STOPPING=1",
    ]


def test_a_socket_without_a_file_is_reached_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"contactsync-test-{os.getpid()}"
        manager.bind(f"\0{name}")
        manager.settimeout(5)
        Notifier(f"@{name}").ready("here")
        assert heard(manager).startswith("READY=1")


def test_the_watchdog_hears_often_enough_and_no_more(manager: socket.socket) -> None:
    now = [0.0]
    notifier = Notifier(manager.getsockname(), watchdog=30.0, clock=lambda: now[0])
    for now[0] in (1.0, 9.0, 11.0, 12.0, 22.0):
        notifier.alive()
    notifier.stopping()
    assert [heard(manager) for _ in range(3)] == ["WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "nonsense"},
        {"WATCHDOG_USEC": "3000", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_manager_nothing_is_said_and_nothing_fails(env: dict[str, str]) -> None:
    notifier = Notifier.from_environment(env)
    notifier.ready("")
    notifier.alive()
    notifier.stopping()
