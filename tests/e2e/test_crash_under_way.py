"""A share of the deaths among writes under way (``make crash-matrix`` has all of them)."""

from __future__ import annotations

import pytest

from tests.e2e.under_way_matrix import KINDS, scene, some

SCENES = [*((kind, "names are ours") for kind in KINDS), ("mixed", "names are its own")]


@pytest.mark.law("P5", "P1", "P2", "L31", "L32", "L33")
@pytest.mark.parametrize(("kind", "server"), SCENES)
def test_writes_under_way_when_a_process_dies_are_neither_lost_nor_done_twice(kind: str, server: str) -> None:
    with scene(kind, server) as place:
        moments = some(place, seed=SCENES.index((kind, server)))
        assert {"answered", "recorded", "under-way"} <= {moment.step for moment in moments}
        problems = {moment: place.play(moment) for moment in moments}
    assert {moment: problem for moment, problem in problems.items() if problem} == {}
