"""An ``.ics`` file as a target. It may hold events of others, which stay as they are, byte for byte."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contactsync.calendar import ics
from contactsync.calendar.target import Held, Look, Write
from contactsync.connectors.vdir import files
from contactsync.errors import CodecError, NotFound, PreconditionFailed, RemoteError

_HEAD = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{ics.PRODUCT}\r\n".encode()
_TAIL = b"END:VCALENDAR\r\n"


@dataclass(slots=True)
class IcsFile:
    """Read once for each run, and written in one step."""

    path: Path
    _card: files.Card | None = None
    _lines: list[ics.Line] = field(default_factory=list)
    _ours: dict[str, list[ics.Block]] = field(default_factory=dict)

    def look(self) -> Look:
        self._card = None
        with files.told(self.path):
            try:
                return Look(files.stamp(self.path.stat()))
            except (FileNotFoundError, NotADirectoryError):
                if not self.path.parent.is_dir():
                    raise self._no_folder() from None
                return Look("", fresh=True)

    def uids(self) -> Collection[str]:
        self._read()
        return self._ours.keys()

    def read(self, uids: Sequence[str]) -> Mapping[str, Held]:
        etag = self._card.etag if self._card is not None else ""
        return {u: Held(_HEAD + b"".join(self._raw(u)) + _TAIL, etag) for u in uids if u in self._ours}

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, RemoteError | None]]:
        """All or none."""
        trouble: RemoteError | None = None
        payload = self._with(writes)
        try:
            if self._card is None:
                files.create(self.path, payload)
            else:
                files.replace(self.path, self._card.etag, payload)
        except PreconditionFailed as error:
            trouble = PreconditionFailed(error.message)
        except FileNotFoundError:
            raise self._no_folder() from None
        yield from ((write, trouble) for write in writes)

    def requests(self) -> int:
        return 0

    def close(self) -> None:
        self._card = None

    def _no_folder(self) -> NotFound:
        folder = self.path.parent
        return NotFound(f"There is no folder {folder}.", hint=f"Make it: mkdir {folder}")

    def _read(self) -> None:
        try:
            self._card = files.read(self.path)
        except FileNotFoundError:
            self._card, self._lines, self._ours = None, [], {}
            return
        self._lines = ics.lines(self._card.payload)
        ours: dict[str, list[ics.Block]] = defaultdict(list)
        try:
            calendars = list(ics.blocks(self._lines, "VCALENDAR"))
            for block in ics.blocks(self._lines, "VEVENT"):
                uid = ics.value(self._lines, block, "UID")
                if ics.is_our_uid(uid):
                    ours[uid].append(block)
        except CodecError:
            calendars = []
        if not calendars:
            raise RemoteError(
                f"{self.path} is no whole iCalendar file. Nothing was written to it.",
                hint="If another program is writing it just now, it is read again in the next run; otherwise "
                "name another file.",
            )
        self._ours = dict(ours)

    def _raw(self, uid: str) -> list[bytes]:
        return [line.raw for block in self._ours[uid] for line in self._lines[block.first : block.end]]

    def _with(self, writes: Iterable[Write]) -> bytes:
        """The whole file after these writes: an event in its place, a new one at the end."""
        if self._card is None:
            new = b"".join(ics.events_of(write.payload) for write in writes if write.payload is not None)
            return _HEAD + new + _TAIL
        pieces = [line.raw for line in self._lines]
        added = b""
        for write in writes:
            new = ics.events_of(write.payload) if write.payload is not None else b""
            places = self._ours.get(write.uid, [])
            for block in places:
                pieces[block.first : block.end] = [b""] * (block.end - block.first)
            if places:
                pieces[places[0].first] = self._line_ends(new)
            else:
                added += self._line_ends(new)
        last = max(i for i, line in enumerate(self._lines) if line.text.upper().strip() == "END:VCALENDAR")
        return b"".join([*pieces[:last], added, *pieces[last:]])

    def _line_ends(self, payload: bytes) -> bytes:
        return payload if self._lines[0].raw.endswith(b"\r\n") else payload.replace(b"\r\n", b"\n")
