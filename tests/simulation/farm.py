"""Many worlds on all cores, with a memory of the seeds that were run."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.telling import broken_by
from tests.simulation.world import DRAWS

CHUNK = 20
ENOUGH = 20


@dataclass
class Harvest:
    """What worlds brought: how many ran, what they reached, and those that broke a law (by seed)."""

    worlds: int = 0
    seconds: float = 0.0
    reached: Counter[str] = field(default_factory=Counter)
    broken: dict[int, str] = field(default_factory=dict)

    def add(self, other: Harvest) -> None:
        self.worlds += other.worlds
        self.seconds += other.seconds
        self.reached += other.reached
        self.broken.update(other.broken)


def run_seeds(seeds: range, drawn: str = "any") -> Harvest:
    """The worlds of some seeds, one after the other; ``drawn`` is a key of `DRAWS`."""
    harvest = Harvest()
    for seed in seeds:
        _, how, stage = broken_by(DRAWS[drawn](seed))
        harvest.worlds += 1
        harvest.reached += stage.reached
        if how:
            harvest.broken[seed] = how
    return harvest


def run_many(
    seeds: range,
    *,
    drawn: str = "any",
    workers: int = os.cpu_count() or 1,
    each: Callable[[range, Harvest], None] | None = None,
) -> Harvest:
    """The worlds of many seeds on ``workers`` processes; ``each`` sees every part as it is done. When
    enough of them broke a law, the rest is left alone."""
    total = Harvest()
    parts = [seeds[i : i + CHUNK] for i in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(run_seeds, part, drawn): part for part in parts}
        for job in as_completed(jobs):
            total.add(job.result())
            if each is not None:
                each(jobs[job], job.result())
            if len(total.broken) >= ENOUGH:
                pool.shutdown(cancel_futures=True)
                break
    return total


class Memory:
    """The seeds that were run by the present code, in a file: a run that was stopped goes on there."""

    def __init__(self, path: Path, code: str) -> None:
        self._path = path
        self._code = code
        self.harvest = Harvest()
        self.done: set[int] = set()
        if path.exists():
            self._read(json.loads(path.read_text()))

    def _read(self, kept: dict[str, object]) -> None:
        if kept.get("code") != self._code:
            return
        self.done = {seed for start, end in kept["ranges"] for seed in range(start, end)}  # type: ignore[attr-defined]
        self.harvest = Harvest(
            len(self.done),
            kept["seconds"],  # type: ignore[arg-type]
            Counter(kept["reached"]),  # type: ignore[arg-type]
            {int(seed): how for seed, how in kept["broken"].items()},  # type: ignore[attr-defined]
        )

    def add(self, seeds: range, harvest: Harvest, seconds: float) -> None:
        """Take up a part, and write everything down."""
        self.done |= set(seeds)
        self.harvest.add(harvest)
        self.harvest.seconds += seconds
        content = {
            "code": self._code,
            "ranges": list(_ranges(sorted(self.done))),
            "seconds": self.harvest.seconds,
            "reached": dict(sorted(self.harvest.reached.items())),
            "broken": self.harvest.broken,
        }
        self._path.write_text(json.dumps(content, indent=1))


def _ranges(seeds: list[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for index in range(1, len(seeds) + 1):
        if index == len(seeds) or seeds[index] != seeds[index - 1] + 1:
            yield seeds[start], seeds[index - 1] + 1
            start = index
