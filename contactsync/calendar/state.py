"""What this device remembers of a calendar: a small file beside the database.

Lost, it costs nothing but a look at each event: what is there is recognised by its UID and its mark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contactsync.calendar.plan import Known
from contactsync.config import make_private_dir, write_private
from contactsync.errors import StoreError

FOLDER = "calendars"


@dataclass(slots=True)
class Memory:
    """``place`` is the calendar that the rest is about; ``tag`` is what it said of itself when it was last as
    it should be; ``state`` and ``message`` how its last run went."""

    place: str = ""
    tag: str = ""
    events: dict[str, Known] = field(default_factory=dict)
    state: str = "new"
    message: str = ""

    @property
    def events_there(self) -> int:
        """How many events of ours are in the calendar, as far as is known."""
        return len(self.events) - self.events_away

    @property
    def events_away(self) -> int:
        """How many stay away because somebody deleted them."""
        return sum(one.declined for one in self.events.values())


def load(data_dir: Path, name: str, place: str) -> Memory:
    """An empty memory for another place, and where there is none or it cannot be read."""
    try:
        found = json.loads(_file(data_dir, name).read_text(encoding="utf-8"))
        memory = Memory(
            place=str(found["place"]),
            tag=str(found["tag"]),
            events={uid: _known(one) for uid, one in found["events"].items()},
            state=str(found["state"]),
            message=str(found["message"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Memory(place)
    return memory if memory.place == place else Memory(place)


def _known(found: Mapping[str, object]) -> Known:
    marks = found["marks"]
    if not isinstance(marks, dict):
        raise TypeError
    return Known(
        {str(part): str(mark) for part, mark in marks.items()},
        str(found.get("name", "")),
        bool(found.get("declined")),
    )


def save(data_dir: Path, name: str, memory: Memory) -> None:
    """Writes nothing where nothing changed. Raises `StoreError`."""
    events = {
        uid: {"marks": dict(one.marks), "name": one.name, **({"declined": True} if one.declined else {})}
        for uid, one in sorted(memory.events.items())
    }
    document = {
        "version": 1,
        "place": memory.place,
        "tag": memory.tag,
        "state": memory.state,
        "message": memory.message,
        "events": events,
    }
    text, path = json.dumps(document, indent=1, ensure_ascii=False) + "\n", _file(data_dir, name)
    try:
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") == text:
            return
        make_private_dir(path.parent)
        write_private(path, text)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}.", hint="Check that there is room, and whose it is."
        ) from error


def forget(data_dir: Path, name: str) -> None:
    _file(data_dir, name).unlink(missing_ok=True)


def _file(data_dir: Path, name: str) -> Path:
    return data_dir / FOLDER / f"{name}.json"
