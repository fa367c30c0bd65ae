"""The loop of continuous sync: whose round is due, what was edited here, and how it all goes.

One thread does one thing at a time. Whatever goes wrong with one account is told, waited for, and never
stops the others; the lock of the rounds is held during a round only.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from contactsync import __version__
from contactsync.api import Engine
from contactsync.config import AccountConfig, Config, load
from contactsync.daemon import health
from contactsync.daemon.notify import Notifier
from contactsync.daemon.places import Lookout, identity
from contactsync.daemon.schedule import is_due, pause_after
from contactsync.daemon.stopping import Stop
from contactsync.engine.report import AccountReport
from contactsync.errors import ConfigError, ContactSyncError, LockedError, Stopped, StoreError
from contactsync.store.files import file_of

TICK_SECONDS = 0.5
HEARTBEAT = timedelta(minutes=1)
LOCK_PAUSE = timedelta(seconds=2)
CLOCK_JUMP = timedelta(minutes=1)
#: Edits that follow each other are sent together; but the first of them waits no more ticks than this.
SETTLING_TICKS = 3

#: Less than the number of any run.
NEVER = -1

log = logging.getLogger(__name__)

Tell = Callable[[str, Mapping[str, Any]], None]


@dataclass(slots=True)
class _Due:
    """When an account is due, and how it did. ``seen`` is the newest run that was looked at for it."""

    next_due: datetime | None = None
    failures: int = 0
    state: str = "new"
    message: str = ""
    ran_at: datetime | None = None
    seen: int = 0


@dataclass(slots=True)
class Watcher:
    """Continuous sync over ``names`` (none: all accounts that are not paused).

    ``interval`` replaces the one of the configuration. ``tell`` takes the events: started, round, calendar,
    trouble, reloaded, stopped, each with what belongs to it. ``chance`` gives numbers from 0 to 1, ``ticks``
    seconds that no clock change moves.
    """

    engine: Engine
    stop: Stop
    names: Sequence[str] = ()
    interval: timedelta | None = None
    tell: Tell = lambda event, content: None
    notify: Notifier = field(default_factory=Notifier)
    chance: Callable[[], float] = random.random
    ticks: Callable[[], float] = time.monotonic
    _accounts: dict[str, _Due] = field(default_factory=dict)
    _calendars: _Due = field(default_factory=lambda: _Due(seen=NEVER))
    _newest: int = 0
    _settling: int = 0
    _started_at: datetime | None = None
    _told_alive_at: datetime | None = None
    _clock: tuple[datetime, float] | None = None
    _config_mark: object = None
    _database: tuple[Path, object] | None = None
    _lookout: Lookout = field(init=False)
    _unplaced: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lookout = Lookout(lambda name, why: self.tell("trouble", {"account": name, "message": why}))

    def run(self) -> None:
        """Until `stop` is asked. Raises `LockedError` where another daemon runs, and `StoreError` where the
        database is taken away."""
        with health.only_one(self.engine.data_dir):
            self._begin()
            try:
                while not self.stop.asked:
                    self._turn()
                    self.stop.wait(TICK_SECONDS)
            except Stopped:
                log.info("A round was left before its end; the next one goes on there.")
            finally:
                self.notify.stopping()
                (self.engine.data_dir / health.FILE).unlink(missing_ok=True)
            self.tell("stopped", {})

    def _now(self) -> datetime:
        return self.engine.hooks.now()

    # --- the parts of one turn ---

    def _begin(self) -> None:
        self._started_at = self._now()
        self._config_mark = _mark(self.engine.config.path)
        path = file_of(self.engine.store.db.url)
        self._database = (path, identity(path)) if path is not None else None
        self._take_accounts()
        every = self._interval().total_seconds()
        self.tell("started", {"version": __version__, "accounts": list(self._accounts), "interval": every})
        self.notify.ready(f"{len(self._accounts)} accounts")
        self._write_health()

    def _turn(self) -> None:
        self._look_at_database()
        self._look_at_config()
        self._mind_the_clock()
        self._look_at_schedule()
        self._look_for_edits()
        self._look_at_places()
        for name in self._due():
            self._round(name)
            if self.stop.asked:
                return
        self._look_after_calendars()
        self._beat()

    def _look_at_database(self) -> None:
        """A database that was moved away is somebody else's decision: what came in would be lost there."""
        if self._database is not None and identity(self._database[0]) != self._database[1]:
            raise StoreError(
                f"{self._database[0]} was moved away or replaced while contactsync watch was running.",
                hint="Nothing more was written to it. Start contactsync watch again where the data is now.",
            )

    def _look_at_config(self) -> None:
        path = self.engine.config.path
        mark = _mark(path)
        if mark == self._config_mark:
            return
        self._config_mark = mark
        try:
            self.engine.config = load(path)
            self._take_accounts()
        except ConfigError as error:
            problem = f"The configuration has a mistake, the former one stays in use: {error}"
            self.tell("trouble", {"account": None, "message": problem})
            return
        self._calendars = _Due(seen=NEVER)
        self.tell("reloaded", {"accounts": list(self._accounts)})

    def _take_accounts(self) -> None:
        """The accounts that take part; those that are new are due at once."""
        wanted = {account.name: account for account in _taking_part(self.engine.config, self.names)}
        rows = {row.name: row for row in self.engine.store.books.accounts()}
        for name in [name for name in self._accounts if name not in wanted]:
            del self._accounts[name]
            self._lookout.keep(name, None)
        self._unplaced.update(wanted)
        for name in [name for name in wanted if name not in self._accounts]:
            row = rows.get(name)
            self._accounts[name] = (
                _Due(row.next_due if row.failures else None, row.failures, row.state, row.message, row.ran_at)
                if row
                else _Due()
            )

    def _mind_the_clock(self) -> None:
        """A clock that was set back must not put the next rounds off."""
        now, ticks = self._now(), self.ticks()
        before, self._clock = self._clock, (now, ticks)
        if before is None:
            return
        jump = (now - before[0]) - timedelta(seconds=ticks - before[1])
        if jump < -CLOCK_JUMP:
            for due in self._accounts.values():
                due.next_due = due.next_due + jump if due.next_due is not None else None

    def _look_at_schedule(self) -> None:
        """Another command may have made an account due: a new login, or a round by hand that went well."""
        for row in self.engine.store.books.accounts():
            due = self._accounts.get(row.name)
            if due is not None and due.failures and not row.failures:
                due.next_due, due.failures = None, 0

    def _look_for_edits(self) -> None:
        """Every edit on the device, by whichever process, is a run; accounts for which something waits are
        due as soon as the edits pause."""
        newest = self.engine.store.journal.newest_run()
        moved, self._newest = newest != self._newest, newest
        if moved and self._settling < SETTLING_TICKS:
            self._settling += 1
            return
        self._settling = 0
        for name, due in self._accounts.items():
            if newest > due.seen:
                due.seen = newest
                # Where the remote is in trouble, edits wait with all else.
                if not due.failures and self.engine.pending(name):
                    due.next_due = None

    def _look_at_places(self) -> None:
        """What another program does in the folder of an account makes it due, as soon as that pauses."""
        while self._unplaced:
            name = self._unplaced.pop()
            self._lookout.keep(name, self.engine.places(name))
        for name, news in self._lookout.look().items():
            due = self._accounts[name]
            # In trouble it waits like edits, unless the trouble was that the folder was away.
            if news.is_back or not due.failures:
                due.next_due = None

    def _due(self) -> Iterator[str]:
        hurried, self.stop.hurried = self.stop.hurried, False
        if hurried:
            self._calendars.seen = NEVER
        for name in list(self._accounts):
            if hurried or is_due(self._accounts[name].next_due, self._now()):
                yield name

    def _beat(self) -> None:
        self.notify.alive()
        if self._told_alive_at is None or self._now() - self._told_alive_at >= HEARTBEAT:
            self._write_health()

    # --- calendars ---

    def _look_after_calendars(self) -> None:
        """When a round or an edit here did something, which is a run, and again where one is in trouble."""
        due = self._calendars
        again = due.failures and is_due(due.next_due, self._now())
        if not self.engine.config.calendars or self._settling or (due.seen == self._newest and not again):
            return
        try:
            reports = self.engine.sync_calendars(wait_seconds=0)
        except LockedError:
            return
        except Stopped:
            raise
        except Exception as error:
            if not isinstance(error, ContactSyncError):
                log.exception("The run of the calendars ended with a mistake of contactsync.")
            self._look_at_database()
            self.tell("trouble", {"account": None, "message": f"The calendars could not be seen to: {error}"})
            reports = []
        troubled = [report for report in reports if report.state != "ok"]
        due.seen, due.failures = self._newest, due.failures + 1 if troubled else 0
        if troubled:
            waits = [timedelta(seconds=r.retry_after) for r in troubled if r.retry_after is not None]
            state, patience = troubled[0].state, max(waits, default=None)
            pause = pause_after(
                state, due.failures, self._interval(), chance=self.chance(), retry_after=patience
            )
            due.next_due = self._now() + pause
        for report in reports:
            self.tell("calendar", {"calendar": report})

    # --- one round ---

    def _round(self, name: str) -> None:
        due = self._accounts[name]
        account = self.engine.config.account(name)
        former = (due.next_due, due.failures)
        # A round that takes the process with it counts as failed: it must not be what every restart begins
        # with.
        self._schedule(account, due, "temporary", due.failures + 1)
        try:
            run, report = self._one(account)
        except LockedError:
            due.failures, due.next_due = former[1], self._now() + LOCK_PAUSE
            self._save(account, due)
            return
        except Stopped:
            due.next_due, due.failures = former
            self._save(account, due)
            raise
        except Exception as error:
            if not isinstance(error, ContactSyncError):
                log.exception("The round of %s ended with a mistake of contactsync.", name)
            self._look_at_database()
            run, report = 0, AccountReport(name, account.connector)
            report.fail(error)
        due.seen = max(due.seen, run)
        due.state, due.message, due.ran_at = report.state, report.message, self._now()
        failures = 0 if report.state == "ok" else former[1] + 1
        self._schedule(account, due, report.state, failures, report.retry_after)
        if run and name in self._lookout:
            self._unplaced.add(name)  # a full round may have found other books
        self._report(due, run, report)

    def _one(self, account: AccountConfig) -> tuple[int, AccountReport]:
        """A look whether there is news, and a full round where there is; the run's number, and the report."""
        idle = self.engine.idle_round([account.name])
        report = idle or self.engine.sync([account.name], wait_seconds=0)
        if not report.accounts:
            raise Stopped
        return report.run, report.accounts[0]

    def _schedule(
        self, account: AccountConfig, due: _Due, state: str, failures: int, retry_after: float | None = None
    ) -> None:
        patience = timedelta(seconds=retry_after) if retry_after is not None else None
        pause = pause_after(state, failures, self._interval(), chance=self.chance(), retry_after=patience)
        due.failures, due.next_due = failures, self._now() + pause
        self._save(account, due)

    def _save(self, account: AccountConfig, due: _Due) -> None:
        store = self.engine.store
        try:
            with store.transaction():
                store.books.ensure_account(account.name, account.connector)
                store.books.note_account(account.name, next_due=due.next_due, failures=due.failures)
        except StoreError as error:
            log.warning("The schedule of %s could not be saved: %s", account.name, error)

    def _report(self, due: _Due, run: int, report: AccountReport) -> None:
        due_at = due.next_due.isoformat() if due.next_due else None
        self.tell("round", {"run": run, "account": report, "next_due": due_at, "failures": due.failures})
        trouble = [name for name, one in self._accounts.items() if one.state not in ("ok", "new")]
        self.notify.alive()
        self.notify.status(f"in trouble: {', '.join(trouble)}" if trouble else "all is well")
        self._write_health()

    def _interval(self) -> timedelta:
        return self.interval or timedelta(seconds=self.engine.config.settings.interval)

    def _write_health(self) -> None:
        self._told_alive_at = self._now()
        accounts = [
            {
                "name": name,
                "state": due.state,
                "message": due.message,
                "last_run": due.ran_at.isoformat() if due.ran_at else None,
                "next_due": due.next_due.isoformat() if due.next_due else None,
                "failures": due.failures,
            }
            for name, due in self._accounts.items()
        ]
        found = {
            "pid": os.getpid(),
            "version": __version__,
            "started_at": self._started_at.isoformat() if self._started_at else None,
            "alive_at": self._told_alive_at.isoformat(),
            "ok": all(account["state"] in ("ok", "new") for account in accounts),
            "accounts": accounts,
        }
        try:
            health.write(self.engine.data_dir, found)
        except OSError as error:
            log.warning("The health file could not be written: %s", error.strerror)


def _taking_part(config: Config, names: Sequence[str]) -> list[AccountConfig]:
    """The accounts of that name which are still there; all that are not paused where none is named."""
    return [a for a in config.accounts if (a.name in names if names else not a.paused)]


def _mark(path: Path) -> object:
    """Changes whenever the file does; None while it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
