"""The worlds that are written out, each as a test; and that they are judged at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.oracle import Violation
from tests.simulation.script import Script
from tests.simulation.scripted import WORLDS
from tests.simulation.stage import Stage
from tests.simulation.world import Act, Plan, Shape


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


@pytest.mark.law("L15", "L28", "P1")
def test_an_edit_of_what_another_device_imports_again_is_no_loss_where_that_agreed_with_the_card() -> None:
    """Seed parallel 100842."""
    assert _numbers_that_stand(first="a") == 1


@pytest.mark.law("L28", "P1")
def test_what_another_device_imports_again_is_kept_where_the_card_was_edited_before_they_met() -> None:
    assert _numbers_that_stand(first="b") == 2


@pytest.mark.law("L7", "P1")
@pytest.mark.parametrize(("told", "standing"), [((), 1), ((Act("sync", "b"),), 2)])
def test_who_takes_a_value_away_and_imports_it_again_made_an_edit_only_if_a_round_was_between(
    told: tuple[Act, ...], standing: int
) -> None:
    acts = (Act("import", "a"), Act("sync", "a"), Act("sync", "b"), Act("edit", "b", edit="drop-email"))
    edit = Act("edit", "a", edit="change-email")
    stage = _played("ab", *acts, edit, *told, Act("import", "b"), Act("sync", "a"))
    assert _standing(stage, "email") == standing


@pytest.mark.law("L7", "L28", "P1")
@pytest.mark.parametrize(("first", "standing"), [("a", 1), ("b", 2)])
def test_an_edit_stands_alone_where_a_file_makes_the_very_card_again_before_it_is_told(
    first: str, standing: int
) -> None:
    """Seed parallel 210897."""
    acts = (Act("import", "b"), Act("sync", "b"), Act("edit", "b", edit="phone"), Act("sync", "a"))
    again = (Act("delete", "a"), Act("sync", "a"), Act("import", "a"), Act("sync", first))
    assert _standing(_played("ab", *acts, *again), "phone") == standing


@pytest.mark.law("L10", "P1")
def test_a_label_that_no_card_shows_goes_with_its_address_which_somebody_took_away_before() -> None:
    """Seed parallel 120083."""
    acts = (Act("create", "a"), Act("sync", "a"), Act("sync", "b"), Act("edit", "b", edit="drop-email"))
    label = (Act("edit", "a", edit="label"), Act("sync", "a"), Act("sync", "b"))
    assert _standing(_played("ab", *acts, *label, remote="graph"), "label") == 0


@pytest.mark.law("L40", "P7")
@pytest.mark.parametrize("unit", ["photo", "title"])
def test_an_undo_of_what_was_done_to_the_twin_before_a_merge_is_looked_for_in_the_survivor(unit: str) -> None:
    """Seed outlook 242366."""
    edit, merge = Act("edit", "a", pick=0.9, edit=unit), Act("merge", "a", also=0.9)
    stage = _played("a", Act("create", "a"), Act("create", "a"), edit, merge, Act("undo", "a", pick=0.6))
    assert f"takes back run 3: a-000001-00000000: {unit} -" in "".join(stage.story)


@pytest.mark.law("P7")
@pytest.mark.parametrize("unit", ["photo", "title"])
def test_an_undo_brings_nothing_back_that_was_removed_since(unit: str) -> None:
    edit = Act("edit", "a", edit=unit)
    stage = _played("a", Act("create", "a"), edit, edit, replace(edit, also=0.9), Act("undo", "a", pick=0.6))
    assert "a takes back run 3: nothing is left of it" in stage.story


@pytest.mark.law("L22", "L23", "P5")
@pytest.mark.parametrize("edit", ["surname", "change-email"])
@pytest.mark.parametrize(("deletes", "edits"), ["ab", "ba"])
def test_an_edit_beats_a_deletion_whenever_that_is_told(deletes: str, edits: str, edit: str) -> None:
    """Seed parallel 211080. What the edit replaced may come back: the device that deleted is first, and knows
    nothing more of the card when it sees the edit."""
    acts = (Act("create", "a"), Act("sync", "a"), Act("sync", "b"), Act("delete", deletes))
    dies = Act("sync", deletes, fault="die", at="decided")
    stage = _played("ab", *acts, Act("edit", edits, edit=edit), dies, forks=True)
    assert stage.reached["fork crash"]


def _numbers_that_stand(*, first: str) -> int:
    """Of a contact that a device imports after another has imported, sent and edited it."""
    acts = (Act("import", "b"), Act("sync", "b"), Act("edit", "b", edit="phone"), Act("import", "a"))
    return _standing(_played("ab", *acts, Act("sync", first)), "phone")


def _played(devices: str, *acts: Act, remote: str = "faithful", forks: bool = False) -> Stage:
    """A small world, in which all was well."""
    stage = Stage(Plan(Shape(0, devices, ((remote, 1),), "device", forks=forks, undone=0), acts))
    stage.run()
    return stage


def _standing(stage: Stage, unit: str) -> int:
    return len([text for who, what, text in stage.ledger.standing if (who, what) == ("P1", unit)])
