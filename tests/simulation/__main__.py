"""Runs worlds: ``python -m tests.simulation --worlds 20000``, or ``--seed 17`` to be told about one.

A run that was stopped goes on where it was, as long as the code is the same. ``--of google`` are worlds
with a Google account behind its real connector, ``--of google-radicale`` with a real Radicale beside it;
``--of outlook`` and ``--of outlook-radicale`` have an Outlook mailbox besides; ``--of vdir`` has a folder, in
which other programs leave files half written; in ``--of undo`` every run is undone, and the undo as well;
in ``--of parallel`` there is much to write between two rounds, and several writes are under way at once.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import contactsync
from tests.simulation.farm import Harvest, Memory, run_many
from tests.simulation.reaching import missed
from tests.simulation.telling import broken_by, tell
from tests.simulation.world import DRAWS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this world only, and tell its story")
    parser.add_argument("--memory", type=Path, default=Path(".simulation.json"), help="what was run so far")
    parser.add_argument("--of", choices=sorted(DRAWS), default="any", help="the kind of worlds")
    wanted = parser.parse_args()
    if wanted.seed is not None:
        return _one(wanted.seed, wanted.of)
    place = wanted.memory if wanted.of == "any" else wanted.memory.with_suffix(f".{wanted.of}.json")
    return _many(range(wanted.start, wanted.start + wanted.worlds), place, wanted.of)


def _one(seed: int, drawn: str) -> int:
    plan = DRAWS[drawn](seed)
    law, _, stage = broken_by(plan)
    print(tell(plan) if law else "\n".join(stage.story))
    return 1 if law else 0


def _many(seeds: range, place: Path, drawn: str) -> int:
    memory = Memory(place, _code())
    left = [seed for seed in seeds if seed not in memory.done]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[broken]} broken"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("worlds", total=len(seeds), completed=len(seeds) - len(left), broken=0)
        for part in _stretches(left):
            last = time.perf_counter()

            def each(done: range, harvest: Harvest) -> None:
                nonlocal last
                now = time.perf_counter()
                memory.add(done, harvest, now - last)
                last = now
                bar.update(task, advance=len(done), broken=len(memory.harvest.broken))

            run_many(part, drawn=drawn, each=each)
    return _report(memory, drawn)


def _report(memory: Memory, drawn: str) -> int:
    harvest = memory.harvest
    print(
        f"{harvest.worlds} worlds in {harvest.seconds:.0f} s, {harvest.worlds / harvest.seconds:.1f} a second"
    )
    for name, count in sorted(harvest.reached.items()):
        print(f"  {count:8d}  {name}")
    for seed, how in sorted(harvest.broken.items())[:10]:
        print(f"seed {seed}: {how}")
    never = missed(harvest.reached) if drawn == "any" else []
    if never:
        print(f"never reached: {', '.join(never)}")
    if harvest.broken:
        print(f"\n{tell(DRAWS[drawn](min(harvest.broken)))}")
    return 1 if harvest.broken or never else 0


def _stretches(seeds: list[int]) -> list[range]:
    found: list[range] = []
    for seed in seeds:
        if found and found[-1].stop == seed:
            found[-1] = range(found[-1].start, seed + 1)
        else:
            found.append(range(seed, seed + 1))
    return found


def _code() -> str:
    """A hash of the engine, of this simulation and of the simulators."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for folder in (Path(contactsync.__file__).parent, here, here.parent / "simulators"):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
