"""The story of a world that broke a law: short enough to be read in one go."""

from __future__ import annotations

import textwrap

from tests.simulation.oracle import Violation
from tests.simulation.shrinking import shrunk
from tests.simulation.stage import Stage
from tests.simulation.world import Plan

LINES = 38
WIDTH = 150


def broken_by(plan: Plan) -> tuple[str, str, Stage]:
    """The law that a world breaks and how; empty texts for a world that breaks none."""
    stage = Stage(plan)
    return (*outcome(stage), stage)


def outcome(stage: Stage) -> tuple[str, str]:
    """Plays a world: the law that it breaks and how, or empty texts.

    What raises anything but a `Violation` breaks the law ``raises``.
    """
    try:
        stage.run()
    except Violation as violation:
        return violation.law, str(violation)
    except Exception as error:
        return "raises", f"raises {type(error).__name__}: {error}"
    return "", ""


def tell(plan: Plan) -> str:
    """What the world did, made as small as can be; under 40 lines."""
    law, _, _ = broken_by(plan)
    small = shrunk(plan, lambda other: broken_by(other)[0] == law)
    _, how, stage = broken_by(small)
    shape = small.shape
    remotes = ", ".join(f"r{i} {kind} ({books} books)" for i, (kind, books) in enumerate(shape.remotes))
    story = [
        f"seed {shape.seed}, {len(small.acts)} of {len(plan.acts)} acts",
        f"devices {', '.join(shape.devices)}; remotes {remotes}; conflicts: {shape.policy}",
        *(textwrap.shorten(line, WIDTH) for line in _without_idle(stage.story)),
        textwrap.shorten(how, 4 * WIDTH),
    ]
    return "\n".join(story if len(story) <= LINES else [*story[: LINES - 2], "...", story[-1]])


def _without_idle(story: list[str]) -> list[str]:
    return [line for line in story if not line.endswith("syncs: nothing")]
