"""The worlds that are written out, each as a test; and that they are judged at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.oracle import Violation
from tests.simulation.script import Script
from tests.simulation.scripted import WORLDS


@pytest.mark.law("L1", "L2", "L5", "L7", "L10", "L11", "L12", "L13", "L14", "L18", "L20", "L22", "L23", "L24")
@pytest.mark.law("L25", "L26", "L27", "L31", "L32", "L33", "L34", "L37", "L39", "L40", "P1", "P2", "P3", "P4")
@pytest.mark.law("P6", "P7")
@pytest.mark.parametrize("name", WORLDS)
def test_world(name: str) -> None:
    Script(WORLDS[name]).run()


def test_a_world_by_hand_is_judged_by_the_oracle_too() -> None:
    def forgets(script: Script) -> None:
        script.put(script.person("Anna"))
        script.sync()
        script.ledger.standing.add(("Anna", "title", "T1"))

    with pytest.raises(Violation, match="P1: title T1 of Anna is nowhere"):
        Script(replace(WORLDS["a_new_etag_is_no_edit[faithful]"], play=forgets)).run()
