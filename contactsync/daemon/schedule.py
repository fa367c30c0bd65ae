"""When the next round of an account is due. Pure: time and chance are passed in.

A round that went well is followed by the interval. After a failure that may pass, pauses begin short and
double, so that a line that is back is used soon and a server in trouble is left in peace; a refused login
is tried ever less, because servers lock accounts out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

JITTER = 0.1
"""Every pause is up to this share shorter or longer: devices that woke together part company."""
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=15)
FIRST_LOGIN_PAUSE = timedelta(minutes=15)
LONGEST_LOGIN_PAUSE = timedelta(hours=6)
LONGEST_WISH = timedelta(days=1)
"""A server that asks for more patience (Retry-After) is asked again after a day."""


def pause_after(
    state: str, failures: int, interval: timedelta, *, chance: float, retry_after: timedelta | None = None
) -> timedelta:
    """How long to wait after a round that ended in ``state`` (`AccountReport.state`).

    ``failures`` counts the rounds in a row that did not end well, this one included; ``chance`` is a number
    from 0 to 1.
    """
    match state:
        case "temporary":
            pause = _doubled(FIRST_PAUSE, failures, LONGEST_PAUSE)
        case "login-needed":
            pause = max(interval, _doubled(FIRST_LOGIN_PAUSE, failures, LONGEST_LOGIN_PAUSE))
        case _:
            pause = interval
    pause *= 1 + JITTER * (2 * chance - 1)
    return max(pause, min(retry_after, LONGEST_WISH)) if retry_after is not None else pause


def _doubled(first: timedelta, times: int, longest: timedelta) -> timedelta:
    # Beyond ten times every one of these pauses is at its longest.
    return min(first * int(2 ** min(max(times - 1, 0), 10)), longest)


def is_due(next_due: datetime | None, now: datetime) -> bool:
    """A time further away than any pause was set by a clock that has been wrong."""
    return next_due is None or next_due <= now or next_due - now > longest_pause()


def longest_pause() -> timedelta:
    return LONGEST_WISH * (1 + JITTER)
