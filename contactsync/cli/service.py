"""``service``: continuous sync as a service of this person's systemd."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import typer

from contactsync.cli.session import Session, group, session_of
from contactsync.cli.watch import Interval, interval_of
from contactsync.errors import StoreError, UsageError

service = group("service", "Run watch by itself, as a service of your systemd.")

SYSTEMCTL_SECONDS = 30


def register(app: typer.Typer) -> None:
    app.add_typer(service)


@service.command("show")
def show_service(ctx: typer.Context, interval: Interval = "") -> None:
    """Print the unit that install would write, and change nothing."""
    from contactsync.daemon.service import unit_path, unit_text

    session = session_of(ctx)
    text = unit_text(_command(session, interval))
    installed = unit_path().exists()
    session.out.result({"path": str(unit_path()), "installed": installed, "unit": text}, text.rstrip())
    state = "is installed" if installed else "is not installed yet"
    session.out.note(f"{unit_path()} {state}.")


@service.command("install")
def install_service(ctx: typer.Context, interval: Interval = "") -> None:
    """Write the unit, start it now, and at every login from now on."""
    from contactsync.daemon.service import UNIT, install, unit_path, unit_text

    session = session_of(ctx)
    session.config()
    path = unit_path()
    try:
        install(path, unit_text(_command(session, interval)))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error
    trouble = _systemctl(("daemon-reload",), ("enable", UNIT), ("restart", UNIT))
    session.out.result(
        {"path": str(path), "started": not trouble},
        f"{path} is written." if trouble else f"{path} is written, and the service runs.",
    )
    if trouble:
        session.out.warn(
            f"It could not be started: {trouble}",
            f"Start it yourself: systemctl --user daemon-reload && systemctl --user enable --now {UNIT}",
        )
        raise typer.Exit(1)
    session.out.note(
        f"Its log: journalctl --user -u {UNIT}",
        "To keep it running while you are not logged in: loginctl enable-linger",
    )


@service.command("remove")
def remove_service(ctx: typer.Context) -> None:
    """Stop the service and take its unit away. Contacts and accounts stay as they are."""
    from contactsync.daemon.service import UNIT, unit_path

    session = session_of(ctx)
    path = unit_path()
    if not path.exists():
        raise UsageError(f"There is no {path}.", hint="Nothing had to be removed.")
    trouble = _systemctl(("disable", "--now", UNIT))
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} cannot be removed: {error.strerror}.") from error
    _systemctl(("daemon-reload",))
    session.out.result({"path": str(path), "removed": True}, f"{path} is removed.")
    if trouble:
        session.out.warn(f"systemd was not told: {trouble}")


def _command(session: Session, interval: str) -> list[str]:
    """The command line of the service: this very program, on the same files as now."""
    interval_of(interval)
    program = Path(sys.argv[0])
    installed = program.stem == "contactsync" and program.is_file()
    start = [str(program.absolute())] if installed else [sys.executable, "-m", "contactsync"]
    # The environment of a service is another one: what it says now is written out.
    places = ["--config", str(session.config_path.absolute()), "--data-dir", str(session.data_dir.absolute())]
    database = ["--database", session.database] if session.database else []
    return [*start, *places, *database, "watch", *(["--interval", interval] if interval else [])]


def _systemctl(*commands: tuple[str, ...]) -> str:
    """Tell the person's systemd; what went wrong, or nothing."""
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return "there is no systemctl on this machine."
    for words in commands:
        try:
            done = subprocess.run(
                [systemctl, "--user", *words],
                capture_output=True,
                text=True,
                timeout=SYSTEMCTL_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode:
            return done.stderr.strip().splitlines()[0] if done.stderr.strip() else "systemctl failed."
    return ""
