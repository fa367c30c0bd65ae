"""How many writes are under way at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from contactsync.connectors.pacing import FEW_WAIT, MANY_WAIT, Done, Window, run_steps, several
from contactsync.errors import TransientError


def test_the_window_doubles_until_something_speaks_against_it() -> None:
    window = Window(cap=16)
    sizes = []
    for _ in range(15):
        window.succeeded(0.1)
        sizes.append(window.size)
    assert sizes == [*range(3, 17), 16], "one more for each success"


def test_after_a_push_back_the_window_grows_by_one_for_each_full_window() -> None:
    window = Window(cap=4, size=4)
    window.pushed_back()
    sizes = []
    for _ in range(8):
        window.succeeded()
        sizes.append(window.size)
    assert sizes == [2, 3, 3, 3, 4, 4, 4, 4]


def test_the_window_halves_and_never_closes() -> None:
    window = Window(cap=8, size=7)
    sizes = []
    for _ in range(4):
        window.pushed_back()
        sizes.append(window.size)
    assert sizes == [3, 1, 1, 1]


def test_a_push_back_starts_the_count_anew() -> None:
    window = Window(cap=8, size=8)
    window.pushed_back()
    for _ in range(3):
        window.succeeded()
    window.pushed_back()
    window.succeeded()
    assert window.size == 2


@pytest.mark.parametrize(("line", "work"), [(0.05, 0.025), (0.2, 0.025), (0.0, 0.1)])
def test_the_window_finds_how_many_keep_a_server_busy_that_does_one_thing_at_a_time(
    line: float, work: float
) -> None:
    """So many are on the line, and a few wait at the server; more would only wait longer."""
    window = Window(cap=32)
    for _ in range(400):
        window.succeeded(max(line + work, window.size * work))
    assert line / work + FEW_WAIT <= window.size <= line / work + MANY_WAIT + 2


def test_the_window_shrinks_where_answers_come_to_take_longer_and_grows_again() -> None:
    window = Window(cap=16, size=16)
    window.succeeded(0.1)
    for _ in range(200):
        window.succeeded(0.4)
    busy = window.size
    for _ in range(200):
        window.succeeded(0.1)
    assert busy < 10 and window.size == 16


def test_a_window_stays_within_its_cap() -> None:
    assert Window(cap=1).size == 1
    assert Window(cap=8, size=100).size == 8


def test_as_many_run_at_once_as_the_window_allows() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def work(step: int) -> Done[int]:
        meeting.wait()
        return Done(step)

    assert sorted(run_steps(range(9), work, Window(cap=3, size=3))) == list(range(9))


def test_no_more_run_at_once_than_the_window_allows() -> None:
    inside = threading.Semaphore(1)

    def work(step: int) -> Done[int]:
        assert inside.acquire(blocking=False)
        time.sleep(0.001)
        inside.release()
        return Done(step, pushed_back=True)

    assert sorted(run_steps(range(20), work, Window(cap=8, size=1))) == list(range(20))


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


def test_what_waits_begins_while_the_caller_writes_down_a_result() -> None:
    begun = [threading.Event() for _ in range(4)]

    def work(step: int) -> Done[int]:
        begun[step].set()
        return Done(step, pushed_back=True)

    results = run_steps(range(4), work, Window(cap=4, size=1))
    next(results)
    assert all(event.wait(10) for event in begun)


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


def test_what_is_under_way_is_waited_for_when_the_caller_leaves_and_nothing_else_begins() -> None:
    done: list[int] = []
    begun, gate = threading.Event(), threading.Event()

    def work(step: int) -> Done[int]:
        if step:
            begun.set()
            gate.wait(10)
        done.append(step)
        return Done(step, pushed_back=True)

    results = run_steps(range(10), work, Window(cap=4, size=1))
    next(results)
    begun.wait(10)
    threading.Timer(0.3, gate.set).start()
    results.close()  # type: ignore[attr-defined]
    assert done == [0, 1]


def test_an_error_of_the_work_itself_is_not_hidden() -> None:
    def work(step: int) -> Done[int]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(run_steps(range(3), work, Window(cap=2)))
