"""One round at a time per data directory; edits on the device stay possible meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from contactsync.errors import LockedError, StoreError


@contextlib.contextmanager
def sync_lock(data_dir: Path, wait_seconds: float = 60.0) -> Iterator[None]:
    """Hold the lock of the sync rounds. Raises `LockedError` when another one does, after waiting."""
    busy = LockedError(
        "Another contactsync is synchronising right now.",
        hint="Wait for it, or look with: contactsync status",
    )
    with held(data_dir / "sync.lock", busy, wait_seconds):
        yield


@contextlib.contextmanager
def held(path: Path, busy: LockedError, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock that is this file; where another process does, after waiting, raises ``busy``."""
    import filelock

    lock = filelock.FileLock(path, mode=0o600)
    try:
        lock.acquire(timeout=wait_seconds)
    except filelock.Timeout as error:
        raise busy from error
    except OSError as error:
        raise StoreError(f"The lock {path} cannot be made: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()
