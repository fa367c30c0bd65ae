"""Five hundred random worlds, and what the simulation promises of itself.

`make simulate` runs as many as you have time for.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.connectors.base import Change
from contactsync.connectors.vdir import VdirConnector, listing
from tests.simulation.farm import Memory, run_many, run_seeds
from tests.simulation.oracle import Violation
from tests.simulation.reaching import missed
from tests.simulation.shrinking import shrunk
from tests.simulation.stage import Stage
from tests.simulation.telling import tell
from tests.simulation.world import DRAWS, Act, Plan, draw

WORLDS = 250
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.law("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "L30", "L32")
def test_no_law_breaks_in_hundreds_of_worlds_and_everything_is_reached() -> None:
    harvest = run_many(range(WORLDS))
    assert harvest.worlds == WORLDS
    assert not harvest.broken, tell(draw(min(harvest.broken)))
    assert not missed(harvest.reached)


@pytest.mark.law("P1", "P2", "P3", "P4", "P8", "L33", "L34", "L39")
@pytest.mark.parametrize(
    ("drawn", "worlds"), [("google", 20), ("google-radicale", 2), ("outlook", 20), ("outlook-radicale", 2)]
)
def test_no_law_breaks_with_google_and_outlook_behind_their_real_connectors(drawn: str, worlds: int) -> None:
    harvest = run_many(range(worlds), drawn=drawn)
    assert harvest.worlds == worlds
    assert not harvest.broken, tell(DRAWS[drawn](min(harvest.broken)))
    assert harvest.reached[f"at {drawn.partition('-')[0]}-api"]


@pytest.mark.law("P1", "P2", "P3", "P4", "P5", "L31", "L32", "L33")
def test_no_law_breaks_with_many_writes_under_way_at_once() -> None:
    harvest = run_many(range(4), drawn="parallel")
    assert harvest.worlds == 4
    assert not harvest.broken, tell(DRAWS["parallel"](min(harvest.broken)))
    assert harvest.reached["died under way"] and harvest.reached["meanwhile under-way"]


@pytest.mark.law("P1", "P2", "P3", "P4", "L20", "L21", "L32")
def test_no_law_breaks_with_a_folder_in_which_others_leave_files_half_written() -> None:
    harvest = run_many(range(24), drawn="vdir")
    assert harvest.worlds == 24
    assert not harvest.broken, tell(DRAWS["vdir"](min(harvest.broken)))
    assert harvest.reached["half written"] and harvest.reached["at vdir-folder"]


def test_who_takes_a_half_written_file_for_a_deletion_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    read, look = VdirConnector._read, listing.look

    def believing(self: VdirConnector, collection: str, href: str) -> Change:
        change = read(self, collection, href)
        return change if change.error is None else Change(href, gone=True)

    def overlooking(folder: Path, known: dict[str, listing.Seen], now: int) -> listing.Listing:
        return replace(look(folder, known, now), unread=frozenset())

    monkeypatch.setattr(VdirConnector, "_read", believing)
    monkeypatch.setattr(listing, "look", overlooking)
    monkeypatch.setattr(listing, "being_written", lambda *asked: "")
    assert any(run_seeds(range(seed, seed + 1), "vdir").broken for seed in range(40))


def test_a_seed_tells_the_same_story_whatever_the_hashes_are() -> None:
    told = [_story(seed) for seed in ("0", "1", "4711")]
    assert told[0] == told[1] == told[2]
    assert "syncs: " in told[0]


def _story(hash_seed: str) -> str:
    code = (
        "from tests.simulation.stage import Stage; from tests.simulation.world import draw\n"
        "for seed in (3, 25, 45, 47):\n    s = Stage(draw(seed)); s.run(); print('\\n'.join(s.story))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


class _Forgetful(Stage):
    """A stage on which the first value that anybody set is taken for lost."""

    def judge(self) -> None:
        super().judge()
        if self.ledger.standing:
            who, unit, value = min(self.ledger.standing)
            raise Violation("P1", f"{unit} {value} of {who} is nowhere")


def test_a_failing_world_is_told_in_under_forty_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulation.telling.Stage", _Forgetful)
    story = tell(draw(19)).splitlines()
    assert len(story) < 40
    assert story[0].startswith("seed 19, 1 of")
    assert story[-1].startswith("P1: ")


def test_shrinking_keeps_only_what_matters() -> None:
    acts = tuple(Act(str(number), "a", fault="die") for number in range(20))
    small = shrunk(Plan(draw(0).shape, acts), lambda plan: {"3", "17"} <= {act.what for act in plan.acts})
    assert [(act.what, act.fault) for act in small.acts] == [("3", ""), ("17", "")]


def test_a_run_that_was_stopped_goes_on_and_other_code_starts_anew(tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    memory = Memory(file, "one")
    memory.add(range(5, 8), replace(run_seeds(range(0)), worlds=3, broken={6: "P1"}), 2.0)
    memory.add(range(8, 10), replace(run_seeds(range(0)), worlds=2), 1.0)
    again = Memory(file, "one")
    assert again.done == set(range(5, 10))
    assert (again.harvest.worlds, again.harvest.seconds, again.harvest.broken) == (5, 3.0, {6: "P1"})
    assert not Memory(file, "two").done
