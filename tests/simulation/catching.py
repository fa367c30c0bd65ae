"""Plays worlds until one breaks a law: the written ones, then random ones; says which, as JSON."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

from tests.simulation.script import Script
from tests.simulation.scripted import WORLDS
from tests.simulation.stage import Stage
from tests.simulation.telling import outcome
from tests.simulation.world import draw


@dataclass(frozen=True)
class Catch:
    """``by`` is the world's name or seed, empty where none broke; ``law`` what it broke and ``how``."""

    worlds: int
    by: str = ""
    law: str = ""
    how: str = ""


def catch(random_worlds: int, *, written: bool = True) -> Catch:
    """The first world that breaks. One that raises something else proves no law, and is only told."""
    plays, raised = 0, ""
    stages = [(name, lambda w=world: Script(w)) for name, world in WORLDS.items() if written]
    stages += [(f"seed {seed}", lambda s=seed: Stage(draw(s))) for seed in range(random_worlds)]
    for name, make in stages:
        plays += 1
        law, how = outcome(make())
        if law and law != "raises":
            return Catch(plays, name, law, how)
        raised = raised or how
    return Catch(plays, how=raised)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=400, help="random worlds at most")
    parser.add_argument("--random", action="store_true", help="random worlds only")
    wanted = parser.parse_args()
    print(json.dumps(asdict(catch(wanted.worlds, written=not wanted.random))))


if __name__ == "__main__":
    main()
