"""The unit by which systemd runs continuous sync for one person (systemd.unit(5), systemd.service(5)).

A user unit: it starts when the person logs in, with their keyring at hand, or at boot where lingering is on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from contactsync.config import write_private

UNIT = "contactsync.service"

_TEMPLATE = """\
[Unit]
Description=Keep contacts the same everywhere (contactsync)

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=30
# What needs a person, or another process that is there already, is not helped by trying again.
RestartPreventExitStatus=1 2 8
# A round tells of its progress; a silence of this length means that it hangs.
WatchdogSec=600
TimeoutStopSec=30
UMask=0077
NoNewPrivileges=yes
Nice=10

[Install]
WantedBy=default.target
"""


def unit_path(env: Mapping[str, str] = os.environ) -> Path:
    """Where a person's own units stand (systemd.unit(5), "User Unit Search Path")."""
    base = env.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "systemd" / "user" / UNIT


def unit_text(command: Sequence[str]) -> str:
    """The unit that runs this command."""
    return _TEMPLATE.format(command=" ".join(map(_quoted, command)))


def _quoted(word: str) -> str:
    """One word of a command line as systemd reads it (systemd.service(5), "Command lines")."""
    for sign, spelled in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(sign, spelled)
    return f'"{word}"'


def install(path: Path, text: str) -> None:
    """Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, text)
