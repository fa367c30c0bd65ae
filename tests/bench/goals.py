"""The goals, what was measured of each, and whether it is met: the table that ``make bench`` prints.

A goal that names a size or delay is judged there; where only others were measured, those are shown and not
judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from tests.bench.results import Cell, Results, markdown

US, FLOOR, VDIR = "contactsync", "floor", "vdirsyncer"
SIMULATED = ("google", "graph")
#: Where the time of another is no measure: it is not there, or nothing takes long.
_NO_MEASURE = {FLOOR: ("stub",), VDIR: ("stub", *SIMULATED)}


@dataclass(frozen=True)
class Finding:
    """A figure of one place; ``met`` None where there is nothing to compare with."""

    place: str
    figure: str
    met: bool | None


@dataclass(frozen=True)
class Goal:
    work: str
    text: str
    look: Callable[[Results], Iterable[Finding]]


def table(results: Results) -> str:
    rows = []
    for goal in GOALS:
        found = list(goal.look(results)) or [Finding("", "not measured", None)]
        rows += [[goal.work, goal.text, f.place, f.figure, _word(f.met)] for f in found]
    return markdown(["work", "goal", "measured at", "measured", ""], rows)


def _word(met: bool | None) -> str:
    return "" if met is None else "met" if met else "**not met**"


def _near(
    results: Results, work: str, n: int | None = None, delay: float | None = None
) -> Iterator[tuple[Cell, str]]:
    """The cells of a work at this size and delay, or on each server the nearest ones, with their places."""
    cells = results.cells(work)
    for server in dict.fromkeys(cell.server for cell in cells):
        there = [cell for cell in cells if cell.server == server]
        if n is not None:
            best = min(there, key=lambda cell: abs(cell.n - n)).n
            there = [cell for cell in there if cell.n == best]
        if delay is not None:
            nearest = min(there, key=lambda cell: abs(cell.delay - delay)).delay
            there = [cell for cell in there if cell.delay == nearest]
        yield from ((cell, f"{server}, {cell.n:,}, {cell.delay:g} ms") for cell in there)


def _times(
    work: str,
    other: str,
    *,
    n: int | None = None,
    delay: float | None = None,
    most: float | None = None,
    least: Callable[[str], float] | None = None,
) -> Callable[[Results], Iterator[Finding]]:
    """How many times ``other``'s time we take (at ``most``), or how many times as fast we are (``least``)."""

    def look(results: Results) -> Iterator[Finding]:
        for cell, place in _near(results, work, n, delay):
            ours = results.ratio(cell, US, other)
            if ours is None or cell.server in _NO_MEASURE[other]:
                continue
            there = n in (None, cell.n) and delay in (None, cell.delay)
            if least is not None:
                met = 1 / ours >= least(cell.server)
                yield Finding(place, f"{1 / ours:.2f} times as fast as {other}", met if there else None)
            else:
                met = most is None or ours <= most
                yield Finding(place, f"{ours:.2f}x the time of {other}", met if there else None)

    return look


def _figure(
    work: str,
    figure: str,
    form: Callable[[float], str],
    most: float,
    *,
    n: int | None = None,
    server: str = "",
) -> Callable[[Results], Iterator[Finding]]:
    """A figure of ours that stands by itself."""

    def look(results: Results) -> Iterator[Finding]:
        for cell, place in _near(results, work, n):
            value = results.middle(cell, US, figure)
            if value is not None and server in ("", cell.server):
                yield Finding(place, form(value), value <= most if n in (None, cell.n) else None)

    return look


def _servers(results: Results, work: str) -> Iterator[tuple[Cell, str]]:
    return ((c, place) for c, place in _near(results, work) if c.server not in SIMULATED)


def _one_request(results: Results) -> Iterator[Finding]:
    for cell, place in _servers(results, "nochange"):
        asked = results.middle(cell, US, "requests")
        moved = (results.middle(cell, US, "up") or 0) + (results.middle(cell, US, "down") or 0)
        if asked is not None:
            yield Finding(place, f"{asked:.0f} request, {moved / 1000:.1f} kB", asked == 1 and moved < 2000)


def _flat(results: Results) -> Iterator[Finding]:
    """CPU of the greatest book for that of the smallest, on each server."""
    cells = [cell for cell, _ in _servers(results, "nochange")]
    for server, delay in dict.fromkeys((cell.server, cell.delay) for cell in cells):
        there = sorted(cell for cell in cells if (cell.server, cell.delay) == (server, delay))
        small, great = there[0], there[-1]
        one, other = results.middle(small, US, "cpu"), results.middle(great, US, "cpu")
        if one and other and small.n < great.n:
            share = other / one
            place = f"{server}, {great.n:,} for {small.n:,}, {delay:g} ms"
            yield Finding(place, f"{share:.2f}x CPU", 0.8 <= share <= 1.2)


def _few_requests(results: Results) -> Iterator[Finding]:
    for cell, place in _near(results, "change", delay=50):
        asked, changed = results.middle(cell, US, "requests"), 2 * max(1, ceil(cell.n / 100))
        if asked is not None:
            yield Finding(place, f"{asked:.0f} requests for {changed} changed", asked <= changed + 3)


def _codec(what: str, least: float) -> Callable[[Results], Iterator[Finding]]:
    def look(results: Results) -> Iterator[Finding]:
        for cell in results.cells("codec"):
            ratio = results.ratio(cell, "vobject", US)
            if cell.server == what and ratio is not None:
                yield Finding(f"{cell.n:,} cards", f"{ratio:.1f}x vobject", ratio >= least)

    return look


def _proportional(results: Results) -> Iterator[Finding]:
    """With the same changes, a book ten times as large must not take much longer."""
    cells = results.cells("plan")
    if len(cells) > 1:
        one, other = results.middle(cells[0], US, "cpu"), results.middle(cells[-1], US, "cpu")
        if one and other:
            place = f"{cells[-1].n:,} for {cells[0].n:,}"
            yield Finding(place, f"{other / one:.2f}x CPU", other / one <= 1.5)


def _asked(kind: str, most: int) -> Callable[[Results], Iterator[Finding]]:
    def look(results: Results) -> Iterator[Finding]:
        for cell in results.cells("nochange"):
            asked = results.middle(cell, US, "requests")
            if cell.server == kind and asked is not None:
                yield Finding(f"{cell.n:,}, {cell.delay:g} ms", f"{asked:.0f} requests", asked <= most)

    return look


def _of(
    servers: tuple[str, ...], look: Callable[[Results], Iterable[Finding]]
) -> Callable[[Results], Iterable[Finding]]:
    return lambda results: (f for f in look(results) if f.place.split(",")[0] in servers)


def _sent_once(results: Results) -> Iterator[Finding]:
    for cell, place in _near(results, "photos"):
        ratio = results.ratio(cell, US, FLOOR, "up")
        if ratio is not None:
            yield Finding(place, f"{ratio:.2f}x the floor's bytes up", ratio <= 1.05)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _mb(megabytes: float) -> str:
    return f"{megabytes:.0f} MB"


DAV = ("radicale", "xandikos")
_least_upload = {"radicale": 1.5, "xandikos": 3.3}

GOALS = (
    Goal(
        "first upload", "1,000 at 50 ms: <= 1.2x floor", _times("upload", FLOOR, n=1000, delay=50, most=1.2)
    ),
    Goal(
        "",
        "the same: >= 1.5x vdirsyncer (Radicale), 3.3x (Xandikos)",
        _times("upload", VDIR, n=1000, delay=50, least=lambda server: _least_upload.get(server, 1.5)),
    ),
    Goal(
        "", "300 at 200 ms: >= 4x vdirsyncer", _times("upload", VDIR, n=300, delay=200, least=lambda _: 4.0)
    ),
    Goal("first download", "10,000: <= 1.3x floor", _of(DAV, _times("download", FLOOR, n=10_000, most=1.3))),
    Goal("", "the same: not slower than vdirsyncer", _times("download", VDIR, n=10_000, most=1.0)),
    Goal("nothing changed", "1 request, < 2 kB, at any size", _one_request),
    Goal("", "CPU as at 1,000, +-20 %", _flat),
    Goal("", "10,000: >= 2x vdirsyncer", _times("nochange", VDIR, n=10_000, least=lambda _: 2.0)),
    Goal("1 % changed on either side", "50 ms: requests <= changed + 3", _few_requests),
    Goal("", "50 ms: <= 2x floor", _times("change", FLOOR, delay=50, most=2.0)),
    Goal("", "50 ms: faster than vdirsyncer", _times("change", VDIR, delay=50, most=1.0)),
    Goal("cards", "bytes to contact: >= 6x vobject", _codec("read", 6.0)),
    Goal("", "contact to bytes: >= 6x vobject", _codec("write", 6.0)),
    Goal("", "bytes to lines: >= 12x vobject", _codec("wire", 12.0)),
    Goal("plan", "10,000, 1 % changed: < 150 ms", _figure("plan", "wall", _ms, 0.15, n=10_000)),
    Goal("", "as much for the same changes in a smaller book", _proportional),
    Goal(
        "100,000 contacts",
        "first download: < 400 MB",
        _of(DAV, _figure("download", "rss", _mb, 400, n=100_000)),
    ),
    Goal("", "contact list --query: < 300 ms", _figure("query", "wall", _ms, 0.3, n=100_000)),
    Goal("photos, 200 kB each", "1,000: < 200 MB", _figure("photos", "rss", _mb, 200, n=1000)),
    Goal("", "sent once", _sent_once),
    Goal("", "upload <= 1.2x floor", _times("photos", FLOOR, n=1000, most=1.2)),
    Goal("start", "--help: <= 250 ms CPU", _figure("start", "cpu", _ms, 0.25, server="help")),
    Goal("", "status: <= 600 ms CPU", _figure("start", "cpu", _ms, 0.6, server="status")),
    Goal("", "round without news, cold: <= 1 s CPU", _figure("start", "cpu", _ms, 1.0, server="nochange")),
    Goal("", "the same inside watch: < 15 ms CPU", _figure("start", "cpu", _ms, 0.015, server="watch")),
    Goal(
        "Google and Outlook, simulated, 50 ms",
        "first pull of 5,000: <= 1.3x the same requests",
        _of(("google", "graph"), _times("download", FLOOR, n=5000, delay=50, most=1.3)),
    ),
    Goal("", "Google, no change: 2 requests", _asked("google", 2)),
    Goal("", "Outlook, no change: 1 request a folder", _asked("graph", 1)),
)
