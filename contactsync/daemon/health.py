"""The health file: how the daemon is, for monitors and for ``contactsync status``.

``watch.json`` in the data directory is replaced as a whole after each round, and once a minute: a monitor
that finds ``alive_at`` older than some minutes knows that it hangs. ``watch.lock`` is held as long as the
daemon lives.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contactsync.config import write_private
from contactsync.engine.lock import held
from contactsync.errors import LockedError, StoreError

FILE = "watch.json"
LOCK = "watch.lock"


@contextlib.contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the lock of the daemon. Raises `LockedError` where another one runs on the same data."""
    busy = LockedError(
        "Another contactsync watch runs on this data directory.",
        hint="One is enough; see how it does with: contactsync status",
    )
    with held(data_dir / LOCK, busy):
        yield


def is_running(data_dir: Path) -> bool:
    """Does a daemon run on this data directory?"""
    if not (data_dir / LOCK).exists():
        return False
    try:
        with only_one(data_dir):
            return False
    except LockedError:
        return True
    except StoreError:
        return False


def write(data_dir: Path, health: Mapping[str, Any]) -> None:
    """Raises `OSError`."""
    write_private(data_dir / FILE, json.dumps(health, indent=2) + "\n")


def read(data_dir: Path) -> dict[str, Any] | None:
    """What the daemon last said of itself, if it runs."""
    if not is_running(data_dir):
        return None
    try:
        found = json.loads((data_dir / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
