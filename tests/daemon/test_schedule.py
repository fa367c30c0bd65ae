"""When the next round is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.daemon.schedule import (
    JITTER,
    LONGEST_LOGIN_PAUSE,
    LONGEST_PAUSE,
    LONGEST_WISH,
    is_due,
    longest_pause,
    pause_after,
)

QUARTER = timedelta(minutes=15)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
STATES = ("ok", "temporary", "login-needed", "guard", "failed")


@pytest.mark.parametrize("state", ["ok", "guard", "failed"])
def test_a_round_is_followed_by_the_interval_with_some_jitter(state: str) -> None:
    pauses = [pause_after(state, 0, QUARTER, chance=chance) for chance in (0.0, 0.5, 1.0)]
    assert pauses == [QUARTER * 0.9, QUARTER, QUARTER * 1.1]


def test_pauses_after_failures_that_may_pass_double_up_to_a_limit() -> None:
    pauses = [pause_after("temporary", n, QUARTER, chance=0.5) for n in range(1, 9)]
    assert [p.total_seconds() for p in pauses] == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_refused_login_is_tried_ever_less() -> None:
    pauses = [pause_after("login-needed", n, QUARTER, chance=0.5) for n in (1, 2, 3, 9)]
    assert pauses == [QUARTER, QUARTER * 2, QUARTER * 4, LONGEST_LOGIN_PAUSE]


def test_a_server_gets_the_patience_that_it_asks_for_within_reason() -> None:
    hour, month = timedelta(hours=1), timedelta(days=30)
    assert pause_after("temporary", 1, QUARTER, chance=0.5, retry_after=hour) == hour
    assert pause_after("temporary", 1, QUARTER, chance=0.5, retry_after=month) == LONGEST_WISH
    assert pause_after("temporary", 9, QUARTER, chance=0.5, retry_after=timedelta(0)) == LONGEST_PAUSE


@given(
    state=st.sampled_from(STATES),
    failures=st.integers(0, 10_000),
    interval=st.timedeltas(timedelta(seconds=10), timedelta(days=1)),
    chance=st.floats(0, 1),
    retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=365)),
)
def test_no_pause_is_nothing_and_none_is_for_ever(
    state: str, failures: int, interval: timedelta, chance: float, retry_after: timedelta | None
) -> None:
    pause = pause_after(state, failures, interval, chance=chance, retry_after=retry_after)
    assert timedelta(seconds=9) * (1 - JITTER) <= pause <= longest_pause()


def test_what_was_set_by_a_wrong_clock_is_due_at_once() -> None:
    assert is_due(None, NOW)
    assert is_due(NOW, NOW) and is_due(NOW - QUARTER, NOW)
    assert not is_due(NOW + QUARTER, NOW) and not is_due(NOW + LONGEST_WISH, NOW)
    assert is_due(NOW + timedelta(days=400), NOW)
