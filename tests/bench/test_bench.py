"""The bench measures what it says: the floor does the work, and the table compares inside a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench import goals, plot
from tests.bench.peers import Floor
from tests.bench.results import Cell, Results
from tests.bench.rounds import Stage
from tests.bench.stub import stub
from tests.servers import Server


@pytest.fixture(name="stub")
def a_stub() -> Iterator[Server]:
    with stub() as server:
        yield server


@pytest.mark.parametrize("name", ["radicale", "xandikos", "stub"])
def test_the_floor_does_all_works_through_the_proxy(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server = request.getfixturevalue(name)
    results = Results(tmp_path / "results.json")
    stage = Stage(server, tmp_path, [Floor], results, 1, lambda text: None, lambda: True)
    stage.uploads(5, 1.0)
    stage.downloads(10, [0.0], ["download", "nochange", "change"])
    assert results.failed == results.notes == []
    asked = {row["work"]: row["requests"] for row in results.rows}
    # Xandikos may want a write to be repeated
    assert asked["upload"] >= 5 and asked["nochange"] == 1 and asked["change"] >= 3
    assert all(row["wall"] > 0 and row["up"] > 0 and row["down"] > 0 for row in results.rows)
    assert Results.load(results.path).rows == results.rows


def measured(path: Path, n: int, *ours: float) -> Results:
    results = Results(path / "results.json")
    for run, seconds in enumerate(ours):
        cell = Cell("upload", "radicale", n, 50.0)
        results.add(cell, run, "floor", wall=1.0 + run)
        results.add(cell, run, "contactsync", wall=seconds)
    return results


def test_a_ratio_is_the_median_of_those_inside_a_run(tmp_path: Path) -> None:
    results = measured(tmp_path, 1000, 1.1, 2.2, 9.0)
    assert results.ratio(results.cells("upload")[0], "contactsync", "floor") == pytest.approx(1.1)
    assert "| 1.10x the time of floor | met |" in goals.table(results)
    assert "| 2.00x the time of floor | **not met** |" in goals.table(measured(tmp_path, 1000, 2.0))


def test_what_was_measured_at_another_size_is_shown_and_not_judged(tmp_path: Path) -> None:
    assert "| radicale, 300, 50 ms | 2.00x the time of floor |  |" in goals.table(
        measured(tmp_path, 300, 2.0)
    )


def test_a_plot_is_a_drawing_with_a_line_for_each_program(tmp_path: Path) -> None:
    results = measured(tmp_path, 100, 2.0)
    results.rows += measured(tmp_path, 1000, 20.0).rows
    (path,) = plot.draw(results, tmp_path)
    lines = ElementTree.parse(path).getroot().iter("{http://www.w3.org/2000/svg}polyline")
    assert path.name == "upload-radicale-50ms.svg" and len(list(lines)) == 2
