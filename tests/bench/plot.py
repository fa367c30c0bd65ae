"""Time against size, and against delay, as SVG: lines on two logarithmic axes, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import log10
from pathlib import Path

from tests.bench.results import Cell, Results

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 400, 70, 50, 40, 130
COLOURS = {"floor": "#888888", "vdirsyncer": "#d95f02", "contactsync": "#1b6ca8"}
Line = Sequence[tuple[float, float]]


def draw(results: Results, folder: Path) -> list[Path]:
    """A file for each work and server: against size for each delay, against delay for each size."""
    written = []
    for name, title, axis, lines in _pictures(results):
        path = folder / f"{name}.svg"
        path.write_text(svg(title, axis, lines), encoding="utf-8")
        written.append(path)
    return written


def _pictures(results: Results) -> Iterator[tuple[str, str, str, dict[str, Line]]]:
    for work in ("upload", "download", "nochange", "change", "photos"):
        cells = results.cells(work)
        for server in dict.fromkeys(cell.server for cell in cells):
            there = [cell for cell in cells if cell.server == server]
            for delay in sorted({cell.delay for cell in there}):
                sizes = {float(cell.n): cell for cell in there if cell.delay == delay}
                if len(sizes) > 1:
                    title = f"{work}, {server}, {delay:g} ms"
                    yield f"{work}-{server}-{delay:g}ms", title, "contacts", _lines(results, sizes)
            for n in sorted({cell.n for cell in there}):
                delays = {cell.delay: cell for cell in there if cell.n == n}
                if len(delays) > 1:
                    title = f"{work}, {server}, {n:,} contacts"
                    yield f"{work}-{server}-{n}", title, "delay (ms)", _lines(results, delays)


def _lines(results: Results, points: Mapping[float, Cell]) -> dict[str, Line]:
    found: dict[str, Line] = {}
    for who in COLOURS:
        line = [(at, results.middle(cell, who, "wall")) for at, cell in sorted(points.items())]
        if known := [(at, seconds) for at, seconds in line if seconds is not None]:
            found[who] = known
    return found


def svg(title: str, axis: str, lines: Mapping[str, Line]) -> str:
    """The drawing; a delay of 0 stands where 1 would."""
    xs = sorted({max(x, 1.0) for line in lines.values() for x, _ in line})
    ys = [max(y, 1e-3) for line in lines.values() for _, y in line]
    low, high = 10 ** _down(min(ys)), 10 ** (_down(max(ys)) + 1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = log10(max(x, 1.0) / xs[0]) / (log10(xs[-1] / xs[0]) or 1)
        up = log10(max(y, 1e-3) / low) / log10(high / low)
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + across * width, HEIGHT - BOTTOM - up * height

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif"'
        ' font-size="12"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}: seconds</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
        f"{escape(axis)}</text>",
    ]
    step = low
    while step <= high * 1.001:
        _, y = place(xs[0], step)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{step:g}</text>')
        step *= 10
    for x in xs:
        across, _ = place(x, low)
        parts.append(f'<text x="{across:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:,g}</text>')
    for number, (who, line) in enumerate(lines.items()):
        points = [place(x, y) for x, y in line]
        colour = COLOURS[who]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        at = TOP + 12 + 18 * number
        parts.append(f'<text x="{WIDTH - RIGHT + 12}" y="{at}" fill="{colour}">{escape(who)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _down(value: float) -> int:
    return int(log10(value) // 1)
