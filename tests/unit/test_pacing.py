"""How many writes are under way at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from contactsync.connectors.pacing import Done, Window, run_steps, several
from contactsync.errors import TransientError


def test_the_window_grows_by_one_for_each_full_window() -> None:
    window = Window(cap=4)
    sizes = []
    for _ in range(12):
        window.succeeded()
        sizes.append(window.size)
    assert sizes == [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4]


def test_the_window_halves_and_never_closes() -> None:
    window = Window(cap=8, size=7)
    sizes = []
    for _ in range(4):
        window.pushed_back()
        sizes.append(window.size)
    assert sizes == [3, 1, 1, 1]


def test_a_push_back_starts_the_count_anew() -> None:
    window = Window(cap=8, size=4)
    for _ in range(3):
        window.succeeded()
    window.pushed_back()
    window.succeeded()
    assert window.size == 2


def test_a_window_stays_within_its_cap() -> None:
    assert Window(cap=1).size == 1
    assert Window(cap=8, size=100).size == 8


def test_as_many_run_at_once_as_the_window_allows() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def work(step: int) -> Done[int]:
        meeting.wait()
        return Done(step)

    assert sorted(run_steps(range(9), work, Window(cap=3, size=3))) == list(range(9))


def test_steps_are_pulled_by_the_caller_and_only_when_sent() -> None:
    pulled: list[int] = []

    def steps() -> Iterator[int]:
        for n in range(10):
            assert threading.current_thread() is threading.main_thread()
            pulled.append(n)
            yield n

    results = run_steps(steps(), lambda step: Done(step), Window(cap=1))
    assert pulled == []
    for n in range(10):
        assert next(results) == n
        assert pulled == list(range(min(n + 2, 10))), "the next one is under way while this is written down"


def test_after_a_stop_nothing_more_is_pulled() -> None:
    source = iter(range(10))
    results = list(run_steps(source, lambda step: Done(step, stop=step == 2), Window(cap=1)))
    assert results == [0, 1, 2]
    assert next(source) == 3


def test_after_an_error_nothing_more_is_begun_and_it_is_raised() -> None:
    def work(step: int) -> int:
        if step == 2:
            raise TransientError("no")
        return step

    source = iter(range(10))
    results = several(source, work, 1)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(TransientError):
        next(results)
    assert next(source) == 3


def test_what_is_under_way_is_waited_for_when_the_caller_leaves() -> None:
    done: list[int] = []
    gate = threading.Event()

    def work(step: int) -> Done[int]:
        if step:
            gate.wait(10)
        done.append(step)
        return Done(step)

    results = run_steps(range(10), work, Window(cap=2, size=2))
    next(results)
    gate.set()
    results.close()  # type: ignore[attr-defined]
    assert sorted(done) == [0, 1, 2]


def test_an_error_of_the_work_itself_is_not_hidden() -> None:
    def work(step: int) -> Done[int]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(run_steps(range(3), work, Window(cap=2)))
