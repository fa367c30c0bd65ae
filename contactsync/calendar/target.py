"""What a place for events must be able to do: a calendar on a server, or a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from contactsync.errors import RemoteError
from contactsync.frozen import frozen


@frozen
class Look:
    """``tag`` changes whenever anything in the calendar does; empty where it does not tell. ``fresh``: it has
    just come to be, and that nothing is in it says nothing."""

    tag: str
    writable: bool = True
    fresh: bool = False


@frozen
class Held:
    """An event as it is there: a whole VCALENDAR, and its version."""

    payload: bytes
    etag: str


@frozen
class Write:
    """Put this payload there, or take the event away (None); only if it still is what was ``held``."""

    uid: str
    payload: bytes | None
    held: Held | None


class Target(Protocol):
    """All methods raise `contactsync.errors.RemoteError`: `BookGone` for a calendar that is not there any
    more."""

    def look(self) -> Look: ...

    def uids(self) -> Collection[str]:
        """Of all events that have UIDs like ours; nothing of the others is read."""
        ...

    def read(self, uids: Sequence[str]) -> Mapping[str, Held]: ...

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, RemoteError | None]]:
        """Each write with what went wrong with it: `PreconditionFailed` where the event moved on
        meanwhile."""
        ...

    def requests(self) -> int:
        """How many went out so far."""
        ...

    def close(self) -> None: ...
