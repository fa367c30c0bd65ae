"""Measure contactsync beside the raw floor and vdirsyncer: ``make bench``; docs/performance.md tells how to
read it.

Each result is saved as it comes, and what was broken off goes on with --resume. Ratios are medians of the
ratios inside each run: only those count, as machines are noisy.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests import servers
from tests.bench import goals, inside, plot, simulated
from tests.bench.peers import ContactSync, Floor, Peer, Vdirsyncer
from tests.bench.results import Results, detail
from tests.bench.rounds import Stage
from tests.bench.stub import stub

REAL = {"radicale": servers.radicale, "xandikos": servers.xandikos}
SERVERS = {**REAL, "stub": stub}
CHAIN = ("download", "nochange", "change")
WORKS = ("upload", *CHAIN, "codec", "plan", "photos", "start", "query", "google", "graph")
PHOTO = 200_000
T = TypeVar("T")


def listed(kind: Callable[[str], T]) -> Callable[[str], list[T]]:
    return lambda text: [kind(part) for part in text.split(",") if part]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    add = parser.add_argument
    add("--servers", type=listed(str), default=list(REAL), help=",".join(SERVERS))
    add("--works", type=listed(str), default=list(WORKS), help=",".join(WORKS))
    add("--uploads", type=listed(int), default=[300], help="contacts in a first upload")
    add("--sizes", type=listed(int), default=[1000], help="contacts of download, nochange, change")
    add("--delays", type=listed(float), default=[50.0], help="milliseconds added to each request")
    add("--photos", type=int, default=30, help="contacts with a photo of 200 kB")
    add("--people", type=int, default=5000, help="contacts at Google and Outlook")
    add("--plans", type=listed(int), default=[1000, 10_000], help="contacts of plan")
    add("--query", type=int, default=10_000, help="contacts on the device that is searched")
    add("--runs", type=int, default=3, help="of each, for the median")
    add("--minutes", type=float, default=60.0, help="begin nothing new after this time")
    add("--vdirsyncer", default=os.environ.get("VDIRSYNCER", "vdirsyncer"), help="the program [VDIRSYNCER]")
    add("--out", type=Path, default=Path(".bench"), help="folder for results.json, table.md and the plots")
    add("--resume", action="store_true", help="go on with the results that are there")
    add(
        "--table",
        action="store_true",
        help="measure nothing, and print the table of the results that are there",
    )
    found = parser.parse_args()
    for name, known in (("servers", SERVERS), ("works", WORKS)):
        if wrong := set(getattr(found, name)) - set(known):
            parser.error(f"--{name} does not know {', '.join(sorted(wrong))}")
    return found


def kinds(wanted: argparse.Namespace, results: Results) -> list[type[Peer]]:
    """Who takes part."""
    if program := shutil.which(wanted.vdirsyncer):
        Vdirsyncer.command = [str(Path(program).absolute())]
        return [Floor, Vdirsyncer, ContactSync]
    results.note(
        f"vdirsyncer was left out: there is no {wanted.vdirsyncer!r}. Put it into an environment of its own"
        " (pip install vdirsyncer==0.21.0), and name the program with --vdirsyncer or in VDIRSYNCER."
    )
    return [Floor, ContactSync]


class Bench:
    def __init__(self, wanted: argparse.Namespace, results: Results, folder: Path) -> None:
        self._wanted = wanted
        self._results = results
        self._folder = folder
        self._ends = time.monotonic() + wanted.minutes * 60
        self._kinds = kinds(wanted, results)

    def run(self) -> None:
        """Short works first: what is saved early is seen early."""
        wanted, results, runs = self._wanted, self._results, self._wanted.runs
        self._alone("codec", "codec", lambda: inside.codec(results, runs))
        self._alone("plan", "plan", lambda: inside.plan(results, runs, wanted.plans, say))
        for kind in ("google", "graph"):
            measured = any(cell.server == kind for cell in results.cells("download"))
            if not measured:
                look = partial(simulated.measure, kind, results, runs, wanted.people, 50.0, say)
                self._alone(kind, "", look)
        for name in wanted.servers:
            self._with_server(name)

    def _with_server(self, name: str) -> None:
        wanted, results, runs = self._wanted, self._results, self._wanted.runs
        with SERVERS[name]() as server:
            stage = Stage(server, self._folder, self._kinds, results, runs, say, self._due)
            if name == wanted.servers[0]:
                self._alone("start", "start", lambda: inside.start(results, runs, server, self._folder))
            for delay in wanted.delays:
                for n in wanted.uploads if "upload" in wanted.works else ():
                    self._guarded(f"upload, {name}", partial(stage.uploads, n, delay))
                if "photos" in wanted.works:
                    self._guarded(f"photos, {name}", partial(stage.uploads, wanted.photos, delay, PHOTO))
            works = [work for work in CHAIN if work in wanted.works]
            for n in wanted.sizes if works else ():
                self._guarded(f"download, {name}", partial(stage.downloads, n, wanted.delays, works))
            if name == wanted.servers[0]:
                found = partial(inside.searching, results, runs, server, self._folder, wanted.query, say)
                self._alone("query", "query", found)

    def _alone(self, work: str, saved_as: str, measure: Callable[[], None]) -> None:
        """What needs no taking turns."""
        if work in self._wanted.works and not (saved_as and self._results.cells(saved_as)):
            self._guarded(work, measure)

    def _guarded(self, work: str, measure: Callable[[], None]) -> None:
        """Its trouble is not that of the rest."""
        if not self._due():
            self._results.note(f"{work}: time was up")
            return
        try:
            measure()
        except Exception as error:
            self._results.fail(f"{work}: {type(error).__name__}: {error}")
            say(self._results.failed[-1])

    def _due(self) -> bool:
        return time.monotonic() < float(self._ends)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def report(results: Results, folder: Path) -> str:
    parts: Sequence[str] = [goals.table(results), detail(results)]
    lines = [f"- {text}" for text in (*results.notes, *results.failed)]
    text = "\n\n".join([*parts, *(["\n".join(lines)] if lines else [])]) + "\n"
    (folder / "table.md").write_text(text, encoding="utf-8")
    return text


def main() -> int:
    wanted = options()
    path = wanted.out / "results.json"
    results = Results.load(path) if (wanted.resume or wanted.table) and path.exists() else Results(path)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and proxies end as well
    wanted.out.mkdir(parents=True, exist_ok=True)
    if not wanted.table:
        memory = Path("/dev/shm")
        with tempfile.TemporaryDirectory(prefix="bench-", dir=memory if memory.is_dir() else None) as folder:
            Bench(wanted, results, Path(folder)).run()
    print(report(results, wanted.out))
    drawn = plot.draw(results, wanted.out)
    say(f"{path}, table.md and {len(drawn)} plots are in {wanted.out}")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
