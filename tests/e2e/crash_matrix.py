"""Each boundary of a round, every time that it is reached, on each server: a process that is killed there,
and the run after it, come to the same end as a round that nobody disturbed (P5).

``python -m tests.e2e.crash_matrix`` prints the table, and fails where anything differs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from contactsync.model.contact import Contact
from contactsync.model.fields import unit_text
from contactsync.sync.diff import differs
from contactsync.vcard.codec import VCardCodec
from tests import servers
from tests.e2e.crashing import BOUNDARIES, Crasher, crasher
from tests.e2e.devices import Device, account_for, card, fill, read_all
from tests.servers import Server

SERVERS = {"radicale": servers.radicale, "xandikos": servers.xandikos}


# --- the scenario: one round with every kind of step ---


@dataclass(frozen=True, slots=True)
class Values:
    """What tells the states of one contact apart."""

    title: str = "old"
    phone: int = 1
    group: str = ""
    rev: str = "20200101T000000Z"


@dataclass(frozen=True, slots=True)
class Case:
    """What a contact is before the round, what each side makes of it, and what both have in the end; None:
    it is not there. Another group on the device is a renaming, and ``trashed`` is what the device had
    deleted in a round before, and restores."""

    name: str
    before: Values | None
    here: Values | None
    there: Values | None
    after: Values | None
    times: int = 4
    trashed: bool = False


OLD = Values()
HERE = Values("of the device")
THERE = Values("of the server", rev="20200102T000000Z")
LATER = replace(THERE, rev="20990101T000000Z")
FRIENDS, OLD_FRIENDS, WORK, OFFICE = (
    replace(OLD, group=name) for name in ("Friends", "Old friends", "Work", "Office")
)
CASES = (
    Case("created here", None, HERE, None, HERE),
    Case("changed here", OLD, HERE, OLD, HERE),
    Case("deleted here", OLD, None, OLD, None),
    Case("restored here", OLD, OLD, None, OLD, 2, trashed=True),
    Case("group renamed here", FRIENDS, OLD_FRIENDS, FRIENDS, OLD_FRIENDS),
    Case("created there", None, None, THERE, THERE),
    Case("changed there", OLD, OLD, THERE, THERE),
    Case("deleted there", OLD, OLD, None, None),
    Case("group renamed there", WORK, WORK, OFFICE, OFFICE),
    Case("created by both", None, HERE, HERE, HERE, 2),
    Case("changed by both", OLD, HERE, replace(OLD, phone=2), replace(HERE, phone=2), 2),
    Case("conflict won here", OLD, HERE, THERE, HERE, 2),
    Case("conflict won there", OLD, HERE, LATER, LATER, 2),
    Case("changed here, deleted there", OLD, HERE, None, HERE, 2),
    Case("deleted here, changed there", OLD, None, THERE, THERE, 2),
)


@dataclass(frozen=True, slots=True)
class Someone:
    """One of the contacts of a case, as each side would write it."""

    case: Case
    number: int

    @property
    def uid(self) -> str:
        return self.case.name.title().replace(" ", "").replace(",", "") + str(self.number)

    def card(self, values: Values) -> bytes:
        lines = [f"TITLE:{values.title}", f"TEL:+49 30 {self.number:03d} 555{values.phone}"]
        lines += [f"EMAIL:{self.uid}@example.org", f"REV:{values.rev}"]
        lines += [f"CATEGORIES:{values.group}"] if values.group else []
        return card(self.uid, self.uid, *lines)

    def contact(self, values: Values) -> Contact:
        return VCardCodec().read(self.card(values))


PEOPLE = [Someone(case, 10 * n + i) for n, case in enumerate(CASES, 1) for i in range(case.times)]
TAKEN = {"CreatedThere60": "CreatedHere10"}
"""A new card has the name that the device will choose for another contact: the create is refused, and the
round pulls, decides and pushes once more (L32)."""


def people_after() -> dict[str, Contact]:
    """By UID, as both sides must have them in the end."""
    return {someone.uid: someone.contact(someone.case.after) for someone in PEOPLE if someone.case.after}


def _settle_before(device: Device, server: Server, book: str) -> None:
    fill(server, book, (someone.card(someone.case.before) for someone in PEOPLE if someone.case.before))
    device.sync()
    device.engine.delete([someone.uid for someone in PEOPLE if someone.case.trashed])
    for _ in range(2):
        device.sync()


def _edit_both_sides(device: Device, server: Server, book: str) -> None:
    device.engine.rename_group(FRIENDS.group, OLD_FRIENDS.group)
    device.engine.restore([someone.uid for someone in PEOPLE if someone.case.trashed])
    for someone in PEOPLE:
        case, path = someone.case, f"{book}{TAKEN.get(someone.uid, someone.uid)}.vcf"
        if case.trashed:
            continue
        if case.here is None and case.before is not None:
            device.engine.delete([someone.uid])
        elif case.here is not None and case.here not in (case.before, OLD_FRIENDS):
            device.engine.put([someone.contact(case.here)])
        if case.there is None and case.before is not None:
            server.delete(path)
        elif case.there is not None and case.there != case.before:
            server.put(path, someone.card(case.there))


# --- the stage ---

End = dict[str, Counter[Contact | str]]
"""What there is on each side, by meaning: no etags, hrefs, uids or times."""


def promised() -> End:
    """What the cases say."""
    after: Counter[Contact | str] = Counter(people_after().values())
    return {"device": after, "server": after, "groups": Counter([OLD_FRIENDS.group, OFFICE.group])}


class Stage:
    """A device and a book right before the round, kept as files: each kill starts from the same."""

    def __init__(self, server: Server, book: str, folder: Path) -> None:
        self.server, self.book = server, book
        self.device = Device(folder / "device", server, account_for(server, book))
        _settle_before(self.device, server, book)
        _edit_both_sides(self.device, server, book)
        self.device.close()
        # both servers keep a book in a folder that is called like its path, and look there at each request
        (place,) = (server.folder / "data").glob(f"**{book.rstrip('/')}")
        self._kept = {self.device.folder: folder / "kept device", place: folder / "kept book"}
        for used, kept in self._kept.items():
            shutil.copytree(used, kept)

    def reset(self) -> None:
        self.device.close()
        for used, kept in self._kept.items():
            shutil.rmtree(used)
            shutil.copytree(kept, used)

    def recover(self) -> None:
        """One more round makes it good, and the next writes nothing."""
        self.device.sync()
        assert self.device.engine.store.journal.in_doubt() == 0, "something is in doubt"
        before = self._written()
        assert self.device.quiet(), "the second run did something"
        assert self._written() == before, "the second run wrote"

    def _written(self) -> tuple[object, object]:
        rows = self.device.dump()
        # this run is the first that can see our deletions and the end of a renaming (L22, L39)
        for table in ("link", "group_link", "journal"):
            del rows[table]
        return rows, self.server.etags(self.book)

    def end(self) -> End:
        return {
            "device": Counter(self.device.everyone().values()),
            "server": Counter(view for _, view in read_all(self.server, self.book)),
            "groups": Counter(group.name for group in self.device.engine.groups()),
        }


# --- the matrix ---


@dataclass(slots=True)
class Cell:
    """What came of the kills at one boundary, on one server."""

    kills: int = 0
    differences: int = 0
    doubles: int = 0
    losses: int = 0

    def __str__(self) -> str:
        return f"{self.kills} / {self.differences} / {self.doubles} / {self.losses}"

    def judge(self, label: str, found: End, wanted: End) -> None:
        """Count, and say, what is not as it should be."""
        for side, expected in wanted.items():
            extra, missing = found[side] - expected, expected - found[side]
            names = Counter(map(_name, found[side].elements()))
            self.differences += max(extra.total(), missing.total())
            self.doubles += names.total() - len(names)
            self.losses += len({*map(_name, expected)} - names.keys())
            for verb, those in (("has", extra), ("lacks", missing)):
                for what in those.elements():
                    print(f"{label}: {side} {verb} {_text(what)}", flush=True)

    def fail(self, label: str, error: Exception) -> None:
        self.differences += 1
        print(f"{label}: {type(error).__name__}: {error}", flush=True)


def _name(what: Contact | str) -> str:
    return what if isinstance(what, str) else what.display


def _text(what: Contact | str) -> str:
    if isinstance(what, str):
        return what
    return ", ".join(unit_text(path, edit.new) for path, edit in differs(Contact(), what).items())


Column = dict[str, Cell]
UNDISTURBED = "(none)"


def column(stage: Stage, killer: Crasher, every: int = 1) -> Column:
    """All kills on one server. The first round is undisturbed, and so is the last, which shows that the
    stage is still what it was."""
    found = {step: Cell() for step in (UNDISTURBED, *BOUNDARIES)}
    reached = _play(stage, killer, found[UNDISTURBED], "", 1, promised())
    whole = stage.end()
    for step in BOUNDARIES:
        for count in range(1, reached[step] + 1, every):
            _play(stage, killer, found[step], step, count, whole)
    _play(stage, killer, found[UNDISTURBED], "", 1, whole)
    return found


def _play(stage: Stage, killer: Crasher, cell: Cell, step: str, count: int, wanted: End) -> Counter[str]:
    label = f"{stage.server.name}, {step} {count}" if step else f"{stage.server.name}, undisturbed"
    stage.reset()
    reached: Counter[str] = Counter()
    try:
        death = killer.round(stage.device, step, count)
        reached = death.reached
        cell.kills += death.killed
        assert death.killed == bool(step), "the boundary was not reached"
        stage.recover()
    except Exception as error:  # whatever the engine does wrong is a finding, and the other kills go on
        cell.fail(label, error)
    cell.judge(label, stage.end(), wanted)
    return reached


def table(columns: dict[str, Column]) -> str:
    rows = [["", *columns], ["killed at", *("kills / differences / doubles / losses" for _ in columns)]]
    rows += [[step, *(str(cells[step]) for cells in columns.values())] for step in (UNDISTURBED, *BOUNDARIES)]
    return "\n".join(f"{first:14}" + "".join(f"{cell:42}" for cell in rest).rstrip() for first, *rest in rows)


def good(columns: dict[str, Column]) -> bool:
    """Every boundary was reached on every server, and nothing differs."""
    cells = [(step, cell) for cells in columns.values() for step, cell in cells.items()]
    return all(cell.differences == 0 and (cell.kills or step == UNDISTURBED) for step, cell in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", default=",".join(SERVERS), help="comma separated (default: %(default)s)")
    parser.add_argument("--every", type=int, default=1, help="kill at each n-th occurrence only")
    options = parser.parse_args()
    began = time.monotonic()
    columns = {}
    for name in options.servers.split(","):
        with SERVERS[name]() as server, crasher() as killer:
            stage = Stage(server, server.make_book("matrix"), server.folder / "stage")
            columns[name] = column(stage, killer, options.every)
            stage.device.close()
    print(table(columns))
    kills = sum(cell.kills for cells in columns.values() for cell in cells.values())
    print(f"{kills} kills in {time.monotonic() - began:.0f} seconds")
    sys.exit(not good(columns))


if __name__ == "__main__":
    main()
