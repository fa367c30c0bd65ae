"""Tests the simulation itself: plants one mistake after the other into a copy of the package, and plays
worlds there until one breaks. Fails where a mistake is not caught.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.simulation.catching import Catch
from tests.simulation.mistakes import MISTAKES, Mistake

ROOT = Path(__file__).resolve().parents[2]
WORLDS = 400
LINE = "{:58} {:12} {:>6}  {:60} {}"
WIDTH = 250


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS, help="random worlds at most, for each mistake")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="mistakes whose name contains this")
    parser.add_argument("--random", action="store_true", help="without the written worlds")
    wanted = parser.parse_args()
    options = ["--worlds", str(wanted.worlds), *(["--random"] if wanted.random else [])]
    some = [mistake for mistake in MISTAKES if wanted.only in mistake.name]
    missed = []
    print(LINE.format("planted mistake", "should break", "worlds", "caught by", "broke"))
    with ThreadPoolExecutor(wanted.workers) as pool:
        catches = pool.map(lambda mistake: planted(mistake, options), some)
        for mistake, catch in zip(some, catches, strict=True):
            line = LINE.format(mistake.name, mistake.breaks, catch.worlds, catch.by or "-", catch.how)
            print(line[:WIDTH], flush=True)
            if mistake.instead:
                print(f"    planted as: {mistake.instead}")
            if not catch.by:
                missed.append(mistake.name)
    print(f"{len(some) - len(missed)} of {len(some)} mistakes caught")
    for name in missed:
        print(f"not caught: {name}")
    return 1 if missed else 0


def planted(mistake: Mistake, options: list[str]) -> Catch:
    """What the worlds say of a package with this mistake; it is theirs alone."""
    folder = Path(tempfile.mkdtemp(prefix="mistake-"))
    try:
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "contactsync", folder / "contactsync", ignore=skipped)
        shutil.copytree(ROOT / "tests", folder / "tests", ignore=skipped)
        for patch in mistake.patches:
            patch.apply(folder)
        command = [sys.executable, "-m", "tests.simulation.catching", *options]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return Catch(**json.loads(done.stdout))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
