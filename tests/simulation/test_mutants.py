"""The planted mistakes still fit the code and the table of the laws. `make mutants` plants them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.simulation.mistakes import MISTAKES, Mistake, Patch, of_row, rows

ROOT = Path(__file__).resolve().parents[2]
ROWS = rows((ROOT / "docs" / "laws.md").read_text())


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_every_patch_still_applies(mistake: Mistake, tmp_path: Path) -> None:
    for patch in mistake.patches:
        copy = tmp_path / patch.file
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            copy.write_text((ROOT / patch.file).read_text())
        patch.apply(tmp_path)
        ast.parse(copy.read_text())


def test_a_patch_that_fits_no_more_says_so(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("a = 1\na = 1\n")
    with pytest.raises(ValueError, match=r"one\.py: found 2 times: 'a = 1'"):
        Patch("one.py", "a = 1", "a = 2").apply(tmp_path)


def test_every_row_of_the_table_is_planted_and_every_mistake_has_its_row() -> None:
    assert len(ROWS) == 27
    assert [row for row in ROWS if not of_row(row)] == []
    assert [m.name for m in MISTAKES if sum(m in of_row(row) for row in ROWS) != 1] == []
    assert len({m.name for m in MISTAKES}) == len(MISTAKES)
