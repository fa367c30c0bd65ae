"""Random worlds in which every connector is held to its contract: the guard changes nothing."""

from __future__ import annotations

import threading

import pytest

from contactsync.connectors.base import AccountSettings, Connector
from contactsync.connectors.guard import Origin, guard
from tests.simulation.stage import Stage
from tests.simulation.telling import broken_by
from tests.simulation.world import DRAWS

SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_law_breaks_in_a_world_of_guarded_connectors(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    plain = Stage._connect

    def connect(stage: Stage, device: str, settings: AccountSettings) -> Connector:
        made.append(settings.name)
        return guard(lambda: plain(stage, device, settings), Origin(f"of world {seed}"))

    monkeypatch.setattr(Stage, "_connect", connect)
    law, error, _ = broken_by(DRAWS["any"](seed))
    assert not law, error
    assert made
    left = [thread for thread in threading.enumerate() if thread.name == f"connector of world {seed}"]
    for thread in left:
        thread.join(10)
        assert not thread.is_alive()
