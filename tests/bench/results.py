"""What was measured, saved as it comes, and the figures that the table needs of it."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, order=True)
class Cell:
    """A work at one place: ratios count inside one of these only."""

    work: str
    server: str
    n: int
    delay: float


@dataclass
class Results:
    """Rows have ``who`` did it in which ``run``, and figures: ``wall`` and ``cpu`` in seconds, ``rss`` in
    megabytes, ``requests``, bytes ``up`` and ``down``, and the most requests ``in_flight``."""

    path: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, cell: Cell, run: int, who: str, **figures: float) -> None:
        self.rows.append({**vars(cell), "run": run, "who": who, **figures})
        self.save()

    def forget(self, cell: Cell, run: int) -> None:
        """What is left of a run that was not finished."""
        wanted = {**vars(cell), "run": run}
        self.rows = [row for row in self.rows if not row.items() >= wanted.items()]

    def fail(self, text: str) -> None:
        self.failed.append(text)
        self.save()

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.save()

    def has(self, cell: Cell, run: int, who: str) -> bool:
        wanted = {**vars(cell), "run": run, "who": who}
        return any(row.items() >= wanted.items() for row in self.rows)

    def save(self) -> None:
        machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "load": os.getloadavg()[0]}
        content = {"saved": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), **machine}
        lists = {"rows": self.rows, "failed": self.failed, "notes": self.notes}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({**content, **lists}, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        return cls(path, json.loads(path.read_text(encoding="utf-8"))["rows"])

    def cells(self, work: str) -> list[Cell]:
        found = {Cell(row["work"], row["server"], row["n"], row["delay"]) for row in self.rows}
        return sorted(cell for cell in found if cell.work == work)

    def of(self, cell: Cell, who: str) -> dict[int, dict[str, Any]]:
        """The rows of somebody by run."""
        wanted = {**vars(cell), "who": who}
        return {row["run"]: row for row in self.rows if row.items() >= wanted.items()}

    def middle(self, cell: Cell, who: str, figure: str) -> float | None:
        found = [row[figure] for row in self.of(cell, who).values() if figure in row]
        return median(found) if found else None

    def ratio(self, cell: Cell, who: str, other: str, figure: str = "wall") -> float | None:
        """The median over the runs of what ``who`` took for one of ``other``'s."""
        mine, theirs = self.of(cell, who), self.of(cell, other)
        found = [mine[run][figure] / theirs[run][figure] for run in mine.keys() & theirs.keys()]
        return median(found) if found else None

    def runs(self, cell: Cell) -> int:
        return len({row["run"] for row in self.rows if row.items() >= vars(cell).items()})


def markdown(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(headings)]
    lines += [["---"] * len(lines[0]), *([str(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


#: Columns of the full table: a figure, its heading, its form, and what it is divided by.
FIGURES = (
    ("wall", "wall s", ".3f", 1.0),
    ("cpu", "CPU s", ".3f", 1.0),
    ("rss", "RSS MB", ".0f", 1.0),
    ("requests", "requests", ".0f", 1.0),
    ("up", "kB up", ".1f", 1e3),
    ("down", "kB down", ".1f", 1e3),
    ("in_flight", "in flight", ".0f", 1.0),
)


def detail(results: Results) -> str:
    """Medians of all that was measured."""
    rows = []
    for work in dict.fromkeys(row["work"] for row in results.rows):
        for cell in results.cells(work):
            for who in dict.fromkeys(r["who"] for r in results.rows if r.items() >= vars(cell).items()):
                place = [work, cell.server, f"{cell.n:,}", f"{cell.delay:g}", who, results.runs(cell)]
                figures = [
                    _shown(results.middle(cell, who, name), form, per) for name, _, form, per in FIGURES
                ]
                ratios = [
                    _shown(results.ratio(cell, who, o) if o != who else None, ".2f", 1.0)
                    for o in ("floor", "vdirsyncer")
                ]
                rows.append([*place, *figures, *ratios])
    places = ["work", "server", "N", "delay ms", "who", "runs"]
    return markdown(
        [*places, *(heading for _, heading, _, _ in FIGURES), "wall / floor", "wall / vdirsyncer"], rows
    )


def _shown(value: float | None, form: str, per: float) -> str:
    return "" if value is None else format(value / per, form)
