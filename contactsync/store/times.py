"""Times as the device database has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


def stamp(at: datetime) -> str:
    """A time as it is stored: ``2026-03-01 12:00:00.000000``, in UTC. Raises `ValueError` for one without a
    time zone."""
    if at.utcoffset() is None:
        raise ValueError(f"{at} has no time zone.")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


@overload
def moment(text: str) -> datetime: ...
@overload
def moment(text: None) -> None: ...
def moment(text: str | None) -> datetime | None:
    """A stored time, which may be missing."""
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
