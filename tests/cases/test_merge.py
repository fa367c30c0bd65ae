"""Plays each case of ``merge/*.toml``, and holds that no rule of the field table and no pain is left out."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from tests.cases.merging import FOLDER, GROUPS, Case, load, load_all, play, play_after_a_crash, play_again
from tests.test_laws import LAWS

CASES = load_all()
README = FOLDER.parent / "README.md"
COLUMNS = ("identity", "same", "merge")
PAINS = range(1, 26)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.law("L1", "L2", "L3", "L4", "L5", "L6", "L7", "L10", "L14", "L15", "L16", "L17", "L18", "L19")
@pytest.mark.law("L20", "L22", "L23", "L26", "L28", "L39")
def test_each_case_ends_as_its_file_says(case: Case) -> None:
    outcome = play(case)
    assert outcome.device == case.expected_device
    assert outcome.remote == case.expected_remote
    assert outcome.conflicts == case.conflicts
    changed = {"device": case.expected_device != case.device, "remote": case.expected_remote != case.remote}
    assert outcome.written == {side for side, is_changed in changed.items() if is_changed}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.law("P3", "P4")
def test_one_more_round_writes_nothing_and_asks_nothing_new(case: Case) -> None:
    first = play(case)
    again = play_again(case, first)
    assert again.written == frozenset()
    assert (again.device, again.remote) == (first.device, first.remote)
    assert again.conflicts == [record for record in first.conflicts if record["winner"] == "nobody"]


@pytest.mark.parametrize("case", [case for case in CASES if play(case).interim], ids=lambda case: case.name)
@pytest.mark.law("L31")
def test_an_update_that_never_left_is_planned_again_to_the_same_end(case: Case) -> None:
    first = play(case)
    again = play_after_a_crash(case, first)
    assert (again.device, again.remote) == (first.device, first.remote)
    assert again.conflicts == [record for record in first.conflicts if record["winner"] == "nobody"]


def test_the_example_for_authors_is_a_sound_case() -> None:
    example = README.read_text(encoding="utf-8").split("```toml case.toml\n")[1].split("```")[0]
    test_each_case_ends_as_its_file_says(load("example", example))


# --- coverage -------------------------------------------------------------------------------------


def field_lines() -> list[str]:
    """The first words of each line of the field table of the laws."""
    table = LAWS.read_text(encoding="utf-8").split("| field | what identifies it |", 1)[1].split("\n\n", 1)[0]
    cells = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    return [re.split(r"[:(]| with | and other ", cell)[0].strip() for cell in cells]


def test_each_rule_of_the_field_table_has_a_case() -> None:
    named = {rule for case in CASES for rule in case.told.get("rules", [])}
    known = {f"{line}: {column}" for line in field_lines() for column in COLUMNS}
    assert len(field_lines()) == 8
    assert named == known


def test_each_law_that_a_case_names_is_among_those_of_the_test() -> None:
    marks = test_each_case_ends_as_its_file_says.pytestmark  # type: ignore[attr-defined]
    named = {law for mark in marks if mark.name == "law" for law in mark.args}
    assert {law for case in CASES for law in case.told["laws"]} == named


def test_each_case_has_its_place_on_the_page() -> None:
    assert {case.told["group"] for case in CASES} == set(GROUPS)
    numbers = sorted(case.told["number"] for case in CASES if "number" in case.told)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({case.title for case in CASES}) == len(CASES)


def test_each_pain_has_a_case_or_it_is_said_what_holds_it() -> None:
    rows = re.findall(
        r"^\| (\d+) \| [^|]+ \| ([^|]*)\| ([^|]*)\|$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    cases = defaultdict(set)
    for case in CASES:
        cases[case.told.get("pain")].add(case.name)
    assert [int(number) for number, _, _ in rows] == list(PAINS)
    for number, linked, others in rows:
        assert set(re.findall(r"\(merge/([\w-]+)\.toml\)", linked)) == cases[int(number)], number
        assert linked.strip() or re.search(r"\[test_|\bnothing yet\b", others), number
