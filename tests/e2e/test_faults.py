"""A share of the fault matrix (``make fault-matrix``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.fault_matrix import Case, field, some
from tests.servers import Server


@pytest.mark.law("P1", "P2", "P3", "L21", "L31", "L33")
@pytest.mark.parametrize("name", ["radicale", "xandikos"])
def test_a_broken_request_is_made_good_by_one_clean_round(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server = request.getfixturevalue(name)
    with field(server, tmp_path) as place:
        problems = {str(case): place.play(case) for case in some(place, 5, seed=5)}
    assert {case: problem for case, problem in problems.items() if problem} == {}


@pytest.mark.law("L21", "L32")
def test_a_web_page_in_answer_to_a_write_confirms_nothing(radicale: Server, tmp_path: Path) -> None:
    """A captive portal says 200 to everything; the edit was taken for one that the server rewrote."""
    with field(radicale, tmp_path) as place:
        for number in range(0, place.requests(edits=True), 3):
            assert place.play(Case(True, "a web page", number)) == "", number
