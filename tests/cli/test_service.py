"""``service`` and ``watch`` on the command line, without a systemd that could start anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Home


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the unit goes; and a systemctl that writes down what it is told."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    tools = tmp_path / "bin"
    tools.mkdir()
    script = f'#!/bin/sh\necho "$*" >> {tmp_path / "told"}\nexit ${{SYSTEMCTL_FAILS:-0}}\n'
    (tools / "systemctl").write_text(script)
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return tmp_path / "xdg" / "systemd" / "user"


def test_the_unit_is_written_started_and_taken_away(cli: Cli, units: Path, tmp_path: Path) -> None:
    assert "is written, and the service runs" in cli.ok("service", "install", "--interval", "5m")
    text = (units / "contactsync.service").read_text()
    assert f'"--data-dir" "{cli.data}" "watch" "--interval" "5m"' in text
    assert "Type=notify" in text and "WatchdogSec=" in text
    assert cli.json("service", "show")["installed"] is True
    cli.ok("service", "remove")
    assert not (units / "contactsync.service").exists()
    assert (tmp_path / "told").read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable contactsync.service",
        "--user restart contactsync.service",
        "--user disable --now contactsync.service",
        "--user daemon-reload",
    ]


def test_without_a_systemd_it_says_what_to_do(cli: Cli, units: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMCTL_FAILS", "1")
    result = cli("service", "install")
    assert result.code == 1
    assert "systemctl --user enable --now contactsync.service" in result.err
    assert (units / "contactsync.service").exists()


def test_what_is_not_installed_cannot_be_removed(cli: Cli, units: Path) -> None:
    assert cli("service", "remove").code == 2


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_takes_the_unit(cli: Cli, tmp_path: Path) -> None:
    cli.data = tmp_path / 'odd "place" of 100% $HOME \\'
    unit = tmp_path / "contactsync.service"
    unit.write_text(cli.json("service", "show")["unit"])
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "contactsync" not in done.stderr, done.stderr


@pytest.mark.parametrize("interval", ["5", "1s", "25h", "soon"])
def test_an_interval_that_makes_no_sense_is_refused(cli: Cli, home: Home, interval: str) -> None:
    result = cli("watch", "--interval", interval)
    assert result.code == 2 and "15m" in result.err


def test_there_is_nothing_to_watch_without_an_account(cli: Cli) -> None:
    assert cli("watch").code == 2


def test_an_account_that_is_not_there_is_named(cli: Cli, home: Home) -> None:
    result = cli("watch", "hme")
    assert result.code == 2 and "home" in result.err
