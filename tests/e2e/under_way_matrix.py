"""Rounds that die while several writes are under way, of which the server has done none, some or all: the
next round makes it good (P5, L31 to L33).

``python -m tests.e2e.under_way_matrix`` dies at each boundary every time that it is reached.
Nothing runs beside anything else: `UnderWay` draws an order of events, and a seed is one.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from contactsync.api import Engine, Hooks
from contactsync.config import Config
from contactsync.connectors.base import AccountSettings, Connector
from contactsync.connectors.memory import Habits, MemoryConnector, MemoryServer
from contactsync.model.contact import Contact, Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.devices import ANYTHING, Device, account_for, person, read_all
from tests.under_way import UnderWay

BOOK = "/contacts/"
PARALLEL = 6
STEPS = 14
"""More than are marked as sent at once (by today's engine): some are marked while others are under way."""


class Died(BaseException):
    """The process ends here."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The ``count``-th time that a boundary is reached, when so many steps were ``under_way``, of which
    ``done`` are done by the server all the same."""

    step: str
    count: int
    under_way: int
    done: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits on the device: new, edited and deleted people, by their numbers."""

    new: range = range(0)
    edited: range = range(0)
    deleted: range = range(0)

    def before(self) -> list[Contact]:
        return [person(n) for n in (*self.edited, *self.deleted)]

    def after(self) -> dict[str, Contact]:
        return {one.uid: one for one in [*map(person, self.new), *map(_edited, self.edited)]}

    def happens(self, device: Device) -> None:
        device.engine.put([*map(person, self.new), *map(_edited, self.edited)])
        device.engine.delete([person(n).uid for n in self.deleted])


def _edited(number: int) -> Contact:
    return replace(person(number), titles=(Title(f"New title {number}"),))


KINDS = {
    "creates": Waiting(new=range(STEPS)),
    "updates": Waiting(edited=range(STEPS)),
    "deletes": Waiting(deleted=range(STEPS)),
    "mixed": Waiting(range(5), range(5, 10), range(10, STEPS)),
}
SERVERS = {
    "names are ours": lambda: Habits(),
    "names are its own": lambda: Habits(names_href=False, etag_on_write=False),
}


class _Device(Device):
    def open(self) -> Engine:
        config = Config(self.folder / "config.toml", accounts=(self.account,))
        return Engine(config, self.folder, hooks=self.hooks)


class Scene:
    """A device and a server right before the round, kept aside: each death starts from the same."""

    def __init__(self, folder: Path, waiting: Waiting, habits: Habits, seed: int = 0) -> None:
        self._waiting, self._seed = waiting, seed
        self._moment: Moment | None = None
        self._passed: list[tuple[str, int]] = []
        self._remote: UnderWay | None = None
        self.server = MemoryServer(habits)
        account = account_for(self.server, BOOK)
        hooks = Hooks(connect=self._connect, step=self._at)
        self.device = _Device(folder / "device", self.server, account, hooks)
        self.device.engine.put(waiting.before())
        for _ in range(2):
            self.device.sync()
        waiting.happens(self.device)
        self._runs = self.device.engine.store.journal.newest_run()
        self.device.close()
        self._kept, self._book = folder / "kept", self.server.books[BOOK]
        shutil.copytree(self.device.folder, self._kept)

    def _connect(self, settings: AccountSettings) -> Connector:
        inner = MemoryConnector(self.server, VCardCodec())
        self._remote = UnderWay(inner, random.Random(self._seed), parallel=PARALLEL, between=self._at)
        return self._remote  # type: ignore[return-value]

    def _at(self, step: str) -> None:
        self._passed.append((step, sum(map(len, self._remote.open)) if self._remote else 0))
        count = sum(step == passed for passed, _ in self._passed)
        if self._moment is not None and (step, count) == (self._moment.step, self._moment.count):
            raise Died

    def _reset(self) -> None:
        self.device.close()
        shutil.rmtree(self.device.folder)
        shutil.copytree(self._kept, self.device.folder)
        cards, log, times = dict(self._book.cards), list(self._book.log), list(self._book.times)
        self.server.books[BOOK] = replace(self._book, cards=cards, log=log, times=times)
        self.device.engine = self.device.open()
        self._passed.clear()

    def moments(self) -> list[Moment]:
        """Each boundary, every time that a round reaches it; with none, one, half and all of the steps done
        that are under way then."""
        self._reset()
        self._report()
        counts: Counter[str] = Counter()
        found = []
        for step, under_way in self._passed:
            counts[step] += 1
            for done in sorted({0, min(1, under_way), under_way // 2, under_way}):
                found.append(Moment(step, counts[step], under_way, done))
        return found

    def play(self, moment: Moment) -> str:
        """What was wrong after a death at this moment; empty when nothing was."""
        try:
            self._reset()
            self._die(moment)
            self._judge_death()
            self._recover()
            self._judge_end()
        except AssertionError as error:
            return str(error).partition("\n")[0] or "a check failed"
        return ""

    def _die(self, moment: Moment) -> None:
        self._moment, died = moment, True
        with suppress(Died):
            self.device.engine.sync(limits=ANYTHING)
            died = False
        self._moment = None
        assert died, "this boundary was not reached"
        assert self._passed[-1] == (moment.step, moment.under_way), "another number was under way"
        assert self._remote is not None
        self._remote.died(moment.done)
        self.device.close()
        self.device.engine = self.device.open()

    def _report(self) -> None:
        report = self.device.report(limits=ANYTHING)
        assert report.state == "ok", report.message

    def _recover(self) -> None:
        """One round makes it good, and the next ones write nothing."""
        self._report()
        assert self.device.engine.store.journal.in_doubt() == 0, "something is in doubt"
        commits = self._commits()
        for _ in range(2):
            self._report()
        assert self._commits() == commits, "a later round wrote"

    # ---- what must hold --------------------------------------------------------------------------

    def _commits(self) -> int:
        return len(self.server.books[BOOK].log) - len(self._book.log)

    def _rows(self) -> Counter[tuple[int | None, str]]:
        """Contact and state of the steps that came since."""
        journal = self.device.engine.store.journal
        runs = range(self._runs + 1, journal.newest_run() + 1)
        rows = [row for run in runs for row in journal.of_run(run) if row.side == "remote"]
        return Counter((row.contact_id, row.state) for row in rows)

    def _judge_death(self) -> None:
        """L31: what the server did was marked before, and nothing is called done that it did not do."""
        states = Counter(state for _, state in self._rows().elements())
        assert self._commits() <= states["done"] + states["sent"], f"done and not marked: {dict(states)}"
        assert states["done"] <= self._commits(), f"not done and called so: {dict(states)}"

    def _judge_end(self) -> None:
        wanted = self._waiting.after()
        assert self.device.everyone() == wanted, "the device has others"
        codec = VCardCodec()
        found = [view for _, view in read_all(self.server, BOOK)]
        assert sorted(view.uid for view in found) == sorted(wanted), "the server has others, or one twice"
        assert {view.uid: view for view in found} == {uid: codec.project(one) for uid, one in wanted.items()}
        assert self.device.engine.conflicts() == [], "there is a conflict"
        rows = self._rows()
        assert {state for _, state in rows} <= {"done", "dropped"}, f"rows are left: {rows}"
        assert all(count == 1 for (_, state), count in rows.items() if state == "done"), "done twice"
        assert self._commits() == STEPS, f"the server was changed {self._commits()} times"


@contextmanager
def scene(kind: str, server: str, seed: int = 0) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory() as folder:
        found = Scene(Path(folder), KINDS[kind], SERVERS[server](), seed)
        yield found
        found.device.close()


def some(place: Scene, seed: int) -> list[Moment]:
    """A share for the everyday tests: one of each boundary at which several steps may be under way."""
    draws = random.Random(seed)
    busy = [moment for moment in place.moments() if moment.under_way > 1]
    steps = sorted({moment.step for moment in busy})
    return [draws.choice([moment for moment in busy if moment.step == step]) for step in steps]


def main() -> int:
    began, wrong, deaths = time.monotonic(), 0, 0
    print(f"{'':34} deaths / not made good, at each boundary")
    for kind in KINDS:
        for server in SERVERS:
            with scene(kind, server) as place:
                row: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
                for moment in place.moments():
                    problem = place.play(moment)
                    row[moment.step][0] += 1
                    row[moment.step][1] += bool(problem)
                    if problem:
                        print(f"{kind}, {server}, {moment}: {problem}", flush=True)
            cells = ", ".join(f"{step} {tried} / {failed}" for step, (tried, failed) in row.items())
            print(f"{kind + ', ' + server:34} {cells}", flush=True)
            wrong += sum(failed for _, failed in row.values())
            deaths += sum(tried for tried, _ in row.values())
    print(f"{deaths} deaths in {time.monotonic() - began:.0f} seconds, {wrong} not made good")
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
