"""Carries out a world: real engines on real databases, simulated remotes, one clock for all."""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, Config
from contactsync.connectors.base import AccountSettings, Connector
from contactsync.engine.hub import describe
from contactsync.engine.report import AccountReport
from contactsync.model.contact import Contact
from contactsync.store.values import JournalRow
from contactsync.sync.brakes import Limits
from tests.simulation import facts, people, taking_back
from tests.simulation.at_device import AtDevice
from tests.simulation.at_remote import AtRemote
from tests.simulation.facts import Facts
from tests.simulation.oracle import DeviceState, Ledger, RemoteState, Violation, check
from tests.simulation.real_remotes import remote_of
from tests.simulation.remotes import Remote
from tests.simulation.taking_back import Remembered
from tests.simulation.world import BETWEEN, UNDER_WAY_FAULTS, Act, Plan

ROUNDS = 2
SETTLE = timedelta(minutes=10)
KEPT_QUIET = ("contact", "link", "contact_group", "group_link", "conflict", "journal", "media", "alias")
DATABASE = "contacts.db"
T = TypeVar("T")
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


class Died(BaseException):
    """The process of a device ends here, whatever it was doing."""


class Stage:
    """One world while it happens. `run` raises `Violation`; ``story`` tells what happened.

    ``limits`` are those of the brake, and ``ends`` the states in which a round may end.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.story: list[str] = []
        self.reached: Counter[str] = Counter()
        self.ledger = Ledger()
        self.album = facts.Album()
        self.words = people.Words(self.album)
        self.labels: set[tuple[str, str]] = set()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.remotes = {
            f"r{i}": remote_of(f"r{i}", kind, books, lambda: self.now)
            for i, (kind, books) in enumerate(plan.shape.remotes)
        }
        self.devices: dict[str, Engine] = {}
        self.here, self.elsewhere = AtDevice(self), AtRemote(self)
        self.runs: dict[str, list[Remembered]] = {name: [] for name in plan.shape.devices}
        self.limits = Limits(enabled=False)
        self.ends = ("ok", "temporary")
        self._ids = 0
        self._draws = Random(f"order {plan.shape.seed}")
        self._act: Act | None = None
        self._passed: Counter[str] = Counter()
        self._faulty: Remote | None = None

    # ---- the course of a world -------------------------------------------------------------------

    def run(self) -> None:
        with self._opened():
            for act in self.plan.acts:
                self._tick(act.pick)
                self.play(act)
            self.rest()

    def rest(self) -> None:
        """People stop, rounds go on, and the oracle judges what has become of everything."""
        self.say("everybody rests")
        for remote in self.remotes.values():
            remote.settle()
        if self.plan.shape.forks and len(self.devices) == 1:
            self._any_order()
        self.rounds(self._rounds + len(self.devices) - 1)
        self.judge()
        self.rounds(1)  # a listing without them lets go of the cards that the last round deleted (L22)
        self.quiet()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        self.folder = Path(tempfile.mkdtemp(prefix="world-", dir=MEMORY))
        try:
            for name in self.plan.shape.devices:
                (self.folder / name).mkdir()
                (self.folder / name / DATABASE).write_bytes(template())
                self._open(name)
            yield
        finally:
            for engine in self.devices.values():
                engine.close()
            for one in self.remotes.values():
                one.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self, name: str) -> None:
        if name in self.devices:
            self.devices[name].close()
        shape = self.plan.shape
        accounts = tuple(
            AccountConfig(name, "memory", conflicts=shape.policy, mode=shape.mode, books=one.selected)
            for name, one in sorted(self.remotes.items())
        )
        hooks = Hooks(
            now=lambda: self.now,
            new_id=functools.partial(self.new_id, name),
            connect=functools.partial(self._connect, name),
            step=functools.partial(self._boundary, name),
        )
        folder = self.folder / name
        config = Config(folder / "config.toml", accounts=accounts)
        self.devices[name] = Engine(config, folder, hooks=hooks)

    def _connect(self, device: str, settings: AccountSettings) -> Connector:
        remote = self.remotes[settings.name]
        if not self.plan.shape.under_way:
            return remote.connect(settings)
        return remote.connect_under_way(settings, self._draws, functools.partial(self._boundary, device))

    def new_id(self, name: str) -> str:
        self._ids += 1
        return f"{name}-{self._ids:06d}-{self.plan.shape.seed:08x}"

    def _tick(self, pick: float) -> None:
        self.now += timedelta(seconds=1 + int(pick * 200))

    def say(self, text: str) -> None:
        self.story.append(text)

    def play(self, act: Act) -> None:
        if act.what == "sync":
            self.watched(act, lambda: self.round(act))
        elif act.who == "x":
            self.elsewhere.play(act)
        else:
            self.here.play(act)

    def watched(self, act: Act, deed: Callable[[], T]) -> T:
        """What a device does, remembered for the undo that may follow; some of it is undone at once, and the
        undo as well (P7)."""
        who, engine = act.who, self.devices[act.who]
        last = engine.store.journal.newest_run()
        before = taking_back.picture(self, who)
        self.ledger.known.setdefault(who, set()).update(before.groups.values())
        done = deed()
        engine = self.devices[who]
        if engine.store.journal.newest_run() != last + 1 or act.what == "undo" or act.fault or act.meanwhile:
            return done
        known = Remembered(last + 1, before, taking_back.picture(self, who), pulled=act.what == "sync")
        if known.after - known.before:
            self.runs[who].insert(0, known)
            if not self.plan.shape.forks and act.pick * 10 % 1 < self.plan.shape.undone:
                taking_back.check_undo(self, who, known)
        return done

    # ---- rounds ----------------------------------------------------------------------------------

    def round(self, act: Act) -> None:
        """One round of a device over all its accounts, with the fault and what people do meanwhile."""
        if self.plan.shape.forks and act.fault == "die" and not act.meanwhile:
            self._any_crash(act)
        self._round(act)

    def _round(self, act: Act) -> None:
        names = sorted(self.remotes)
        if act.pick > 0.5:
            names.reverse()
        self._act, self._passed = act, Counter()
        self._arm(act, self.remotes[names[0]])
        engine = self.devices[act.who]
        for remote in self.remotes.values():
            remote.begin(act.who)
        self.ledger.meets(act.who, self._there())
        try:
            report = engine.sync(names, limits=self.limits, wait_seconds=0)
        except Died as end:
            self.say(f"{act.who} syncs and dies at {end}")
            for remote in self.remotes.values():
                if told := remote.died():
                    self.reached["died under way"] += 1
                    self.say(f"  at {remote.name} {told}")
                self.ledger.apart |= remote.forget_reading()
            self._open(act.who)
            return
        finally:
            self._act = None
            self._disarm(act)
        self.ledger.told(act.who)
        for account in report.accounts:
            self._tell(act, account)
        self._tell_run(act.who, engine, report.run)

    def _arm(self, act: Act, remote: Remote) -> None:
        habits = remote.server.habits
        if act.fault == "lose-reply":
            habits.lose_replies = act.number
        elif act.fault == "refuse":
            habits.refuse = act.number
        elif act.fault == "break-off":
            habits.break_off = act.number
        elif act.fault in UNDER_WAY_FAULTS:
            remote.faults[act.fault] = act.number
        else:
            return
        self._faulty = remote

    def _disarm(self, act: Act) -> None:
        for remote in self.remotes.values():
            habits = remote.server.habits
            left = habits.lose_replies + habits.refuse + habits.break_off + remote.faults.total()
            if remote is self._faulty and left < act.number:
                self.reached[f"fault {act.fault}"] += 1
            habits.lose_replies = habits.refuse = habits.break_off = 0
            remote.faults.clear()
        self._faulty = None

    def _boundary(self, device: str, step: str) -> None:
        act = self._act
        self.reached[f"step {step}"] += 1
        if act is None:
            return
        if step != act.at:
            return
        self._passed[step] += 1
        for other in self._due(act, step):
            if other.who == device and step == "decided":
                continue  # the device's own database is locked while it decides
            if step == "under-way" and not self.elsewhere.checks_conditions(other):
                continue  # what comes between our look and our write is not seen there
            self.reached[f"meanwhile {step}"] += 1
            self.say(f"  meanwhile, at {step}:")
            self.play(other)
            if other.who == device and other.what == "import":
                self.ledger.meets(device, self._there(), midway=True)
        if act.fault == "die" and self._passed[step] > act.number:
            self.reached[f"die {step}"] += 1
            raise Died(step)

    def _due(self, act: Act, step: str) -> tuple[Act, ...]:
        """Of what people do meanwhile, what comes now."""
        before = self._passed[step] - 1
        if step not in BETWEEN:
            return () if before else act.meanwhile
        which, rest = divmod(before, 1 + int(act.pick * 6))
        return () if rest else act.meanwhile[which : which + 1]

    def _tell(self, act: Act, account: AccountReport) -> None:
        self.reached[f"round {account.state}"] += 1
        if account.state not in self.ends and not (
            act.fault == "lock-out" and account.state == "login-needed"
        ):
            raise Violation("round", f"{act.who} with {account.name}: {account.state} {account.message}")
        for book in account.books:
            for error in book.errors:
                if not self.remotes[account.name].explains(error):
                    raise Violation("round", f"{act.who} with {account.name}: {error}")
                self.reached["half written"] += 1
            self.reached["conflict"] += book.conflicts
            self.reached["held"] += book.duplicates_for_review
        if account.state != "ok":
            self.say(f"{act.who} syncs with {account.name}: {account.message}")

    def _tell_run(self, device: str, engine: Engine, run: int) -> None:
        rows = engine.store.journal.of_run(run)
        for row in rows:
            self.reached[f"{row.side} {row.action}"] += 1
        self.say(f"{device} syncs: {'; '.join(map(_step, rows)) or 'nothing'}")

    def rounds(self, count: int, *, backwards: bool = False) -> None:
        """Full rounds of every device, with time to settle between them; ``backwards`` takes the accounts
        in the other order."""
        for number in range(count):
            for name in self.devices:
                self.now += SETTLE
                self.round(Act("sync", name, pick=(number + backwards) % 2))

    # ---- the same state, another course ------------------------------------------------------------

    @property
    def _rounds(self) -> int:
        """Until all agree (P3). What a remote makes of a photo, without saying so, is an edit of its own."""
        unproven = any(remote.kind.name == "photo-blind" for remote in self.remotes.values())
        return ROUNDS + 2 * unproven

    def _any_crash(self, act: Act) -> None:
        """P5: a round that dies, and the next one, lead to where a round leads that does not die. The next
        one takes the accounts in the same order: of two remotes that differ, the order may choose (P6)."""
        self.reached["fork crash"] += 1

        def lives() -> None:
            self._round(replace(act, fault=""))

        def dies_first() -> None:
            self._round(act)
            lives()

        whole, _ = self._other_course(lives)
        died, _ = self._other_course(dies_first)
        self._compare("P5", f"a round that died at {act.at} ({act.number})", whole, died)

    def _any_order(self) -> None:
        """P6: without conflicts, the order of accounts and of rows changes nothing."""
        here, one = self._other_course(lambda: None)
        there, other = self._other_course(lambda: None, backwards=True)
        if one == other == 0:
            self.reached["fork order"] += 1
            self._compare("P6", "the other order of accounts and rows", here, there)

    def _other_course(self, start: Callable[[], None], *, backwards: bool = False) -> tuple[list[str], int]:
        """Where ``start`` and three quiet rounds would lead, and the conflicts on the way; nothing of it
        stays."""
        restore = self._save()
        strangers = self._strangers()
        told = len(self.story)
        for remote in self.remotes.values():
            remote.server.habits.arrange = (lambda rows: rows[::-1]) if backwards else (lambda rows: rows)
        before = sum(len(engine.conflicts()) for engine in self.devices.values())
        start()
        self.rounds(self._rounds + len(self.devices), backwards=backwards)
        conflicts = sum(len(engine.conflicts()) for engine in self.devices.values()) - before
        state = [
            f"{place.name}: {facts.shown(self._but_replaced(one))}"
            for place in (*self.device_states(), *self.remote_states())
            for one in (place.contacts if isinstance(place, DeviceState) else place.cards)
            if self.ledger.is_one(facts.key(one))  # whom a twin is held for depends on who came first
            and facts.key(one) not in strangers
        ]
        del self.story[told:]
        restore()
        return sorted(state), conflicts

    def _but_replaced(self, one: Facts) -> Facts:
        """Without what an edit took away of somebody who was deleted elsewhere: it comes back with them where
        the deletion is over before the edit is told (L22)."""
        ledger = self.ledger
        if ledger.people.of(facts.key(one)) not in map(ledger.people.of, ledger.deleted):
            return one
        gone = {value for _, value in ledger.taken} - set(map(ledger.classed, ledger.standing))
        return {
            unit: frozenset(text for text in some if ledger.classed((facts.key(one), unit, text)) not in gone)
            for unit, some in one.items()
        }

    def _strangers(self) -> set[str]:
        """Persons that some device will meet at several remotes for the first time, or at one where another
        device made the card, or has met so that what somebody had taken away is back, which the others do not
        know yet: what has come back in the end depends on who is first (L28). So it does with those whom
        somebody deleted while another device carries them to a remote, or waits to read them there, and with
        those whom one device has merged and another one has not."""
        if len(self.devices) == 1:
            return set()
        dead = {facts.key(self.facts(n, one.contact)) for n, e in self.devices.items() for one in e.trash()}
        untold = self.ledger.apart | self._half_merged()
        if len(self.remotes) == 1:
            return untold | dead & set().union(*(r.unread for r in self.remotes.values()))
        cards = {n: {facts.key(facts.of_card(p)) for _, p in r.cards()} for n, r in self.remotes.items()}
        found = untold | dead & set().union(*cards.values())
        known = []
        standing = set(map(self.ledger.classed, self.ledger.standing))
        taken = {value for _, value in self.ledger.taken} - standing
        for name, engine in self.devices.items():
            shown = {stored.id: self.facts(name, stored.contact) for stored in engine.contacts()}
            people = {contact_id: facts.key(one) for contact_id, one in shown.items()}
            found |= {people[i] for i, one in shown.items() if self.ledger.shows(one, taken)}
            known.append(set(people.values()))
            links = engine.store.links.of_contacts(people)
            for place, remote in self.remotes.items():
                books = {book.id for book in engine.books(place, refresh=False)}
                met = {people[i] for i, own in links.items() if any(k.collection_id in books for k in own)}
                met |= {who for who, devices in remote.waits.items() if name in devices}
                found |= (cards[place] & known[-1]) - met
        return found | set.union(*known) - set.intersection(*known)

    def _half_merged(self) -> set[str]:
        """Who is still somewhere as before being made part of another, and that other one."""
        people = {facts.key(one) for one in self.everybody()}
        classes = {self.ledger.people.of(who) for who in people & self.ledger.merged}
        return {who for who in people if self.ledger.people.of(who) in classes}

    def _compare(self, law: str, what: str, one: list[str], other: list[str]) -> None:
        only = [[line for line in a if line not in b] for a, b in ((one, other), (other, one))]
        if any(only) or len(one) != len(other):
            raise Violation(law, f"{what} makes a difference: {only[0][:3]} or {only[1][:3]}")

    def _save(self) -> Callable[[], None]:
        """The state of all devices and remotes; call what it returns to have it back."""
        aside = Path(tempfile.mkdtemp(prefix="world-", dir=MEMORY))
        self._copy(self.folder, aside)
        books = {
            name: {href: _copied(book) for href, book in remote.server.books.items()}
            for name, remote in self.remotes.items()
        }
        now, gone = self.now, {name: list(remote.gone) for name, remote in self.remotes.items()}
        noted = {name: remote.noted() for name, remote in self.remotes.items()}
        ledger = copy.deepcopy(self.ledger)

        def restore() -> None:
            self._copy(aside, self.folder)
            shutil.rmtree(aside)
            for name, remote in self.remotes.items():
                remote.server.books = books[name]
                remote.gone = gone[name]
                remote.waits, remote.fresh, remote.in_doubt = noted[name]
            self.now, self.ledger = now, ledger

        return restore

    def _copy(self, source: Path, target: Path) -> None:
        for name in self.devices:
            self.devices[name].close()
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        for name in self.devices:
            self._open(name)

    # ---- judging ---------------------------------------------------------------------------------

    def judge(self) -> None:
        self.ledger.unsure |= {one for remote in self.remotes.values() for one in remote.emptied}
        check(self.ledger, self.device_states(), self.remote_states())

    def device_states(self) -> list[DeviceState]:
        return [self._device_state(name) for name in self.devices]

    def _device_state(self, name: str) -> DeviceState:
        engine = self.devices[name]
        live, trash, conflicts = engine.contacts(), engine.trash(), engine.conflicts()
        told = json.dumps(
            [
                [_dates([c.base, c.local, c.remote]) for c in conflicts],
                [sorted(map(list, facts.values(self.facts(name, s.contact)))) for s in trash],
            ],
            ensure_ascii=False,
        )
        return DeviceState(
            name,
            [self.facts(name, s.contact) for s in live],
            [self.facts(name, s.contact) for s in live if s.held],
            _as_words(told, self.album),
            frozenset(_given(engine, c.contact_id) for c in conflicts),
        )

    def remote_states(self) -> list[RemoteState]:
        return [
            RemoteState(r.name, r.kind, [facts.of_card(payload) for _, payload in r.cards()])
            for r in self.remotes.values()
        ]

    def facts(self, device: str, contact: Contact) -> Facts:
        named = self.devices[device].hub.with_names(contact)
        return facts.of_contact(named, named.groups, self.album)

    def quiet(self) -> None:
        """P4: once all is told, rounds only look."""
        for name in self.devices:
            before = [(r.commits(), r.writes) for r in self.remotes.values()], self._rows(name)
            self.now += SETTLE
            self.round(Act("sync", name))
            after = [(r.commits(), r.writes) for r in self.remotes.values()], self._rows(name)
            if before != after:
                changed = [table for table in KEPT_QUIET if before[1].get(table) != after[1].get(table)]
                raise Violation("P4", f"a round of {name} was not quiet: {before[0]} {after[0]} {changed}")

    def _rows(self, name: str) -> dict[str, str]:
        with contextlib.closing(sqlite3.connect(self.folder / name / DATABASE)) as database:
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type='table'")]
            return {
                table: hashlib.sha256(
                    repr(database.execute(f"SELECT * FROM {table}").fetchall()).encode()
                ).hexdigest()
                for table in sorted(set(tables) & set(KEPT_QUIET))
            }

    @property
    def busy(self) -> bool:
        """Is a device in the midst of a round?"""
        return self._act is not None

    def versions(self, who: str) -> list[Facts]:
        """What is known of a person at all places at this moment."""
        return [*self.on_devices(who), *self.cards_of(who)]

    def let_go(self, who: str, place: str, *, but: str = "") -> bool:
        """Does a device, other than ``but``, know this person, and none of their cards at a place?"""
        for name, engine in self.devices.items():
            if name == but:
                continue
            people = [*engine.contacts(), *engine.trash()]
            ids = {s.id for s in people if facts.key(self.facts(name, s.contact)) == who}
            books = {book.id for book in engine.books(place, refresh=False)}
            links = [link for own in engine.store.links.of_contacts(ids).values() for link in own]
            if ids and not any(k.collection_id in books and k.state != "deleted" for k in links):
                return True
        return False

    def on_devices(self, who: str) -> list[Facts]:
        return [one for one in self._here() if facts.key(one) == who]

    def cards_of(self, who: str) -> list[Facts]:
        return [one for one in self._there() if facts.key(one) == who]

    def everybody(self) -> list[Facts]:
        """All contacts of all devices, and all cards."""
        return [*self._here(), *self._there()]

    def half_written(self) -> list[bytes]:
        """Cards that another program brought and that no device can read yet."""
        return [payload for r in self.remotes.values() for payload in r.half_written()]

    def _here(self) -> list[Facts]:
        return [self.facts(name, s.contact) for name, e in self.devices.items() for s in e.contacts()]

    def _there(self) -> list[Facts]:
        return [facts.of_card(payload) for r in self.remotes.values() for _, payload in r.cards()]


def _copied(book: Any) -> Any:
    return replace(book, cards=dict(book.cards), log=list(book.log), times=list(book.times))


def _name(contact: Contact | None) -> str:
    return contact.name.part("given") if contact else ""


def _step(row: JournalRow) -> str:
    """One step of a round: where, what, whom, and what changed."""
    changes = describe(row.before, row.after) if row.action == "update" else {}
    told = ", ".join(
        f"{path} {old!r} -> {new!r}" for path, (old, new) in changes.items() if path != "updated"
    )
    where = f"at {row.collection_id}" if row.side == "remote" else row.note
    return " ".join(
        part for part in (row.side, row.action, _name(row.after or row.before), where, told) if part
    )


def _given(engine: Engine, contact_id: int) -> str:
    stored = engine.store.contacts.get(contact_id)
    return _name(stored.contact) if stored else ""


def _dates(told: object) -> object:
    """Dates of a record as the facts have them."""
    if isinstance(told, list):
        return [_dates(part) for part in told]
    if isinstance(told, dict) and {"year", "month", "day"} <= told.keys():
        return f"{told['year']:04}{told['month']:02}{told['day']:02}"
    return {name: _dates(part) for name, part in told.items()} if isinstance(told, dict) else told


def _as_words(records: str, album: facts.Album) -> str:
    """Texts of records as quoted words; pictures by what they show."""
    for sha256 in album.hashes():
        records = records.replace(sha256, album.word(sha256))
    for mark in ("\\n", " ", "+"):
        records = records.replace(mark, '" "')
    return records


@functools.cache
def template() -> bytes:
    """An empty device database, made once: a world gets a copy."""
    with tempfile.TemporaryDirectory(prefix="world-", dir=MEMORY) as folder:
        Engine(Config(Path(folder) / "config.toml"), Path(folder)).close()
        return (Path(folder) / DATABASE).read_bytes()
