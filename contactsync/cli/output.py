"""The one place that prints: results on stdout, everything else on stderr.

Names come from strangers' address books, so nothing reaches a terminal before `clean` has seen it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOW_AFTER_SECONDS = 1.0
#: The columns of a table that a value of any length gets at most, and at least on a narrow terminal.
VALUE_COLUMNS, LEAST_COLUMNS = 30, 8
GAP = "  "
# C0 and C1 controls, and the marks that turn the direction of all that follows.
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_COLOURS = {"+ ": "green", "- ": "red", "~ ": "yellow"}
_KEEP_LINES = {code: None for code in _CONTROLS if code != 0x0A}
_ONE_LINE = _KEEP_LINES | {0x09: " ", 0x0A: " "}


def clean(text: object, *, lines: bool = False) -> str:
    """Text that cannot move the cursor, colour the screen or turn the line round; ``lines`` keeps
    line ends, for notes."""
    return str(text).translate(_KEEP_LINES if lines else _ONE_LINE)


def width(text: str) -> int:
    """Columns that the text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def shorten(text: object, columns: int) -> str:
    """One line of at most so many columns, with an ellipsis where something is left out."""
    line = clean(text)
    if width(line) <= columns:
        return line
    kept, room = "", columns - 1
    for c in line:
        room -= width(c)
        if room < 0:
            break
        kept += c
    return kept.rstrip() + "…"


def plural(count: int, word: str, words: str = "") -> str:
    """``1 contact``, ``2 contacts``."""
    return f"{count} {word if count == 1 else words or word + 's'}"


def drawable(stream: TextIO) -> bool:
    """Whether this is a terminal that can be drawn on; rich itself respects ``NO_COLOR``."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@dataclass(slots=True)
class Output:
    """How this invocation speaks. With ``json`` stdout carries one document, `result`, and no more."""

    json: bool = False
    quiet: bool = False

    def result(self, document: dict[str, Any], *lines: str) -> None:
        """What the command is about: the document for programs, or the lines for people."""
        if self.json:
            self._document(document)
        else:
            self.lines(*lines)

    def _document(self, document: dict[str, Any]) -> None:
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        sys.stdout.write(json.dumps(document, ensure_ascii=not unicode) + "\n")

    def event(self, document: dict[str, Any]) -> None:
        """One of many documents, each on a line of its own, as soon as it happens."""
        self._document(document)
        sys.stdout.flush()

    def lines(self, *lines: str) -> None:
        """Lines of the result for people; nothing with ``json``."""
        if not self.json:
            for line in lines:
                sys.stdout.write(clean(line, lines=True) + "\n")

    def diff(self, *lines: str) -> None:
        """Like `lines`; on a terminal, lines that begin with ``+``, ``-`` or ``~`` have their colour."""
        if self.json or not drawable(sys.stdout):
            self.lines(*lines)
            return
        from rich.console import Console
        from rich.text import Text

        console = Console(soft_wrap=True, highlight=False)
        for line in lines:
            console.print(Text(clean(line, lines=True), _COLOURS.get(line.lstrip()[:2], "")))

    def table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        short: Sequence[str] = (),
    ) -> None:
        """Columns for people; drawn by rich on a terminal, aligned with blanks elsewhere. Those under the
        headings ``short`` are cut to one line each."""
        if self.json or not rows:
            return
        cells = [[clean(cell) for cell in row] for row in rows]
        drawn = drawable(sys.stdout)
        if short:
            room = shutil.get_terminal_size().columns if drawn else None
            _cut(cells, headings, [headings.index(name) for name in short], room)
        if drawn:
            _draw(headings, cells)
        else:
            self.lines(*_aligned([list(headings), *cells]))

    def note(self, *lines: str) -> None:
        """What is good to know; on stderr, and not with ``-q``."""
        if not self.quiet:
            self.warn(*lines)

    def warn(self, *lines: str) -> None:
        """What must be known; on stderr."""
        sys.stdout.flush()
        for line in lines:
            sys.stderr.write(clean(line, lines=True) + "\n")

    def error(self, message: str, hint: str, kind: str) -> None:
        """Why the command did not do it: words on stderr, or the document on stdout."""
        if self.json:
            self._document({"error": {"message": message, "hint": hint, "kind": kind}})
        else:
            self.warn(f"Error: {message}", *([hint] if hint else []))

    @contextlib.contextmanager
    def watch(self) -> Iterator[Watch]:
        """Shows on stderr how far the work is, where a person waits for it longer than a second."""
        watch = Watch(shown=not self.quiet and drawable(sys.stderr))
        try:
            yield watch
        finally:
            watch.close()


class Watch:
    """Takes (what, done, of) and draws it when the work takes over a second; ``of`` 0 is unknown."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._latest: dict[str, tuple[int, int]] = {}

    def __call__(self, what: str, done: int = 0, of: int = 0) -> None:
        if not self._shown:
            return
        with self._lock:
            self._latest[what] = (done, of)
            if self._bars is not None:
                self._draw(self._bars, what)
            elif self._timer is None:
                self._timer = threading.Timer(SHOW_AFTER_SECONDS, self._start)
                self._timer.daemon = True
                self._timer.start()

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        with self._lock:
            if not self._shown:
                return
            self._bars = Progress(console=Console(stderr=True), transient=True)
            self._bars.start()
            for what in self._latest:
                self._draw(self._bars, what)

    def _draw(self, bars: Progress, what: str) -> None:
        done, of = self._latest[what]
        if what not in self._tasks:
            from rich.markup import escape

            self._tasks[what] = bars.add_task(escape(clean(what)), total=None)
        bars.update(self._tasks[what], completed=done, total=of or None)

    def close(self) -> None:
        """Take everything off the screen again, for a question or for good."""
        with self._lock:
            self._shown = False
            if self._timer is not None:
                self._timer.cancel()
            if self._bars is not None:
                self._bars.stop()


def _cut(cells: list[list[str]], headings: Sequence[str], short: Sequence[int], room: int | None) -> None:
    """Shorten the columns ``short``, the widest first, until the table fits into the room."""
    widths = [max(map(width, column)) for column in zip(headings, *cells, strict=True)]
    for i in short:
        widths[i] = min(widths[i], VALUE_COLUMNS)
    while room is not None and sum(widths) + len(GAP) * (len(widths) - 1) > room:
        widest = max(short, key=lambda i: widths[i])
        if widths[widest] <= LEAST_COLUMNS:
            break
        widths[widest] -= 1
    for row in cells:
        for i in short:
            row[i] = shorten(row[i], widths[i])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _draw(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
