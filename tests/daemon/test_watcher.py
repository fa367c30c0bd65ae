"""The loop of continuous sync, turn by turn, with a clock that the test sets: no test waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contactsync.api import Engine, Hooks
from contactsync.config import Config, load
from contactsync.connectors.base import AccountSettings, Connector
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.daemon import health
from contactsync.daemon.stopping import Stop
from contactsync.daemon.watcher import Watcher
from contactsync.engine.lock import sync_lock
from contactsync.errors import AuthError, LockedError, PayloadRejected, StoreError, TransientError
from contactsync.model.contact import Anniversary, Nickname, PartialDate
from contactsync.testing.faults import Fault, FaultyConnector
from contactsync.vcard.codec import VCardCodec
from tests.e2e.devices import person

QUARTER = timedelta(minutes=15)
Turn = Callable[[], object]


class Turns(Stop):
    """Ends when the turns of the test are over: each of them happens between two turns of the loop."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        super().__init__()
        self.turns = list(turns)

    def wait(self, seconds: float) -> None:
        if not self.turns:
            self.end()
            return
        self.turns.pop(0)()


class Daemon:
    """Two accounts at servers of their own, one engine, and what the loop told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = datetime(2026, 11, 28, 12, tzinfo=UTC)
        self.ticks = 0.0
        self.config = folder / "config.toml"
        self.configure("home", "work")
        self.servers = {name: MemoryServer() for name in ("home", "work", "third")}
        self.trouble: dict[str, Exception] = {}
        self.refused: set[str] = set()
        self.made: list[tuple[str, FaultyConnector]] = []
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.steps: Callable[[str], None] = lambda step: None
        self.engine = self.open()

    def configure(self, *names: str, text: str = "") -> None:
        self.config.write_text(text or "\n".join(f'[account.{n}]\nconnector = "memory"' for n in names))
        self.config.chmod(0o600)

    def open(self) -> Engine:
        hooks = Hooks(now=lambda: self.now, connect=self.connect, step=lambda step: self.steps(step))
        return Engine(load(self.config), self.folder, hooks=hooks)

    def connect(self, settings: AccountSettings) -> Connector:
        name = settings.name
        connector = FaultyConnector(MemoryConnector(self.servers[name], VCardCodec()))
        self.made.append((name, connector))
        if name in self.trouble:
            for method in ("changes", "collections"):
                connector.break_off(method, self.trouble[name])
        if name in self.refused:
            connector.on_step(Fault.REFUSED, PayloadRejected("This server takes no such contact."))
        return connector

    def run(self, *turns: Turn, names: Sequence[str] = (), stop: Stop | None = None) -> None:
        """The turn in which the daemon starts, and one more after each of these."""
        self.watcher = Watcher(
            self.engine,
            stop or Turns(turns),
            names,
            tell=lambda event, content: self.events.append((event, content)),
            chance=lambda: 0.5,
            ticks=lambda: self.ticks,
        )
        self.watcher.run()

    def wait(self, pause: timedelta) -> Turn:
        """Time goes on, by every clock."""

        def turn() -> None:
            self.now += pause
            self.ticks += pause.total_seconds()

        return turn

    def set_clock(self, jump: timedelta) -> Turn:
        """Somebody sets the clock; no time goes by."""

        def turn() -> None:
            self.now += jump

        return turn

    def looked(self) -> list[str]:
        """Whose remotes were asked since the last time."""
        made, self.made = self.made, []
        return [name for name, one in made if one.calls["changes"] or one.calls["collections"]]

    def note(self, found: list[list[str]]) -> Turn:
        return lambda: found.append(self.looked())

    def told(self, event: str) -> list[Mapping[str, Any]]:
        return [content for name, content in self.events if name == event]

    def schedule(self, name: str) -> tuple[timedelta | None, int]:
        row = next(row for row in self.engine.store.books.accounts() if row.name == name)
        return (row.next_due - self.now if row.next_due else None), row.failures

    def cards(self, name: str) -> int:
        return len(self.servers[name].books["/contacts/"].cards)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with ExitStack() as stack:
        made = Daemon(tmp_path)
        stack.callback(lambda: made.engine.close())
        yield made


def nothing() -> None:
    """A turn in which nothing happens."""


def test_every_account_is_asked_at_once_and_then_at_the_interval(daemon: Daemon) -> None:
    found: list[list[str]] = []
    note = daemon.note(found)
    daemon.run(note, nothing, note, daemon.wait(QUARTER), note)
    assert sorted(set(found[0])) == ["home", "work"]
    assert found[1] == []
    assert sorted(set(found[2])) == ["home", "work"]
    assert daemon.schedule("home") == (QUARTER, 0)


def test_an_edit_goes_out_within_three_turns_and_on_to_all(daemon: Daemon) -> None:
    other = daemon.open()
    daemon.run(nothing, lambda: other.put([person(1), person(2)]), nothing, nothing, lambda: None, nothing)
    other.close()
    assert daemon.cards("home") == daemon.cards("work") == 2


def test_what_one_account_brings_goes_to_the_others_without_waiting(daemon: Daemon) -> None:
    daemon.servers["work"].put("/contacts/ada", VCardCodec().write(person(3), None))
    daemon.run(*[nothing] * 6)
    assert daemon.cards("home") == 1


def test_edits_that_follow_each_other_closely_are_sent_together(daemon: Daemon) -> None:
    found: list[list[str]] = []
    edit = [lambda n=n: daemon.engine.put([person(n)]) for n in range(3)]  # type: ignore[misc]
    daemon.run(*[nothing] * 4, daemon.note(found), *edit, daemon.note(found), *[nothing] * 4)
    assert found[1] == []
    assert daemon.cards("home") == 3
    assert len([r for r in daemon.told("round") if r["account"].name == "home" and r["account"].worked]) == 1


def test_what_can_never_be_sent_does_not_keep_the_loop_busy(daemon: Daemon) -> None:
    daemon.servers["home"].books["/contacts/"].writable = False
    found: list[list[str]] = []
    daemon.run(
        nothing, lambda: daemon.engine.put([person(1)]), *[nothing] * 5, daemon.note([]), *[nothing] * 20,
        daemon.note(found),
    )  # fmt: skip
    assert found == [[]]


def rounds(daemon: Daemon, name: str) -> int:
    return sum(event["account"].name == name for event in daemon.told("round"))


def test_an_edit_costs_one_round_for_each_account(daemon: Daemon) -> None:
    daemon.run(*[nothing] * 4, lambda: daemon.engine.put([person(1)]), *[nothing] * 12)
    assert (rounds(daemon, "home"), rounds(daemon, "work")) == (2, 2)


def test_a_contact_that_a_server_refuses_is_looked_at_only_when_something_happens(daemon: Daemon) -> None:
    daemon.refused.add("home")
    edit = lambda: daemon.engine.put([person(1)])  # noqa: E731
    daemon.run(*[nothing] * 4, edit, *[nothing] * 12, names=["home"])
    assert daemon.engine.pending("home") == 1
    assert rounds(daemon, "home") == 2


def test_one_account_in_trouble_does_not_stop_the_others_and_is_left_in_peace(daemon: Daemon) -> None:
    daemon.trouble["home"] = TransientError("The server is down.")
    daemon.engine.put([person(1)])
    daemon.run(
        *[nothing] * 3,
        daemon.wait(timedelta(seconds=31)),
        daemon.wait(timedelta(seconds=31)),
        daemon.wait(timedelta(seconds=31)),
    )
    assert daemon.cards("work") == 1
    tries = [r for r in daemon.told("round") if r["account"].name == "home"]
    assert [r["failures"] for r in tries] == [1, 2, 3]
    assert daemon.schedule("home") == (timedelta(seconds=120), 3)


def test_an_edit_does_not_hurry_a_server_in_trouble(daemon: Daemon) -> None:
    daemon.trouble["home"] = AuthError("Log in again.")
    found: list[list[str]] = []
    daemon.run(
        nothing, daemon.note([]), lambda: daemon.engine.put([person(1)]), *[nothing] * 5, daemon.note(found)
    )
    assert "home" not in found[0] and "work" in found[0]


def test_all_is_well_again_after_the_trouble(daemon: Daemon) -> None:
    daemon.trouble["home"] = TransientError("The server is down.")
    daemon.engine.put([person(1)])

    def repaired() -> None:
        del daemon.trouble["home"]
        daemon.wait(timedelta(seconds=31))()

    daemon.run(nothing, repaired, nothing)
    assert daemon.cards("home") == 1
    assert daemon.schedule("home")[1] == 0


@pytest.mark.parametrize("how", ["a new login", "a round by hand"])
def test_who_repairs_it_by_another_command_need_not_wait(daemon: Daemon, how: str) -> None:
    daemon.trouble["home"] = AuthError("Log in again.")
    daemon.engine.put([person(1)])
    other = daemon.open()

    def repaired() -> None:
        del daemon.trouble["home"]
        if how == "a new login":
            other.forgive("home")
        else:
            assert other.sync(["home"]).ok

    daemon.run(nothing, repaired, *[nothing] * 3)
    other.close()
    assert daemon.cards("home") == 1
    assert daemon.told("round")[-1]["account"].state == "ok" and daemon.schedule("home") == (QUARTER, 0)


def test_after_a_restart_trouble_is_remembered_and_the_rest_is_asked_at_once(daemon: Daemon) -> None:
    daemon.trouble["home"] = TransientError("The server is down.", retry_after=timedelta(hours=2))
    daemon.run(nothing)
    daemon.looked()
    daemon.now += timedelta(minutes=1)
    daemon.run(nothing)
    looked = daemon.looked()
    assert "work" in looked and "home" not in looked


def test_a_round_that_kills_the_process_counts_as_failed(daemon: Daemon) -> None:
    def die(step: str) -> None:
        raise SystemExit

    daemon.engine.put([person(1)])
    daemon.steps = die
    with pytest.raises(SystemExit):
        daemon.run(nothing)
    pause, failures = daemon.schedule("home")
    assert failures == 1 and pause == timedelta(seconds=30)


def test_a_mistake_in_one_round_is_told_and_the_others_go_on(daemon: Daemon) -> None:
    daemon.trouble["home"] = KeyError("a mistake")
    daemon.run(nothing)
    states = {r["account"].name: r["account"].state for r in daemon.told("round")}
    assert states == {"home": "failed", "work": "ok"}


def test_being_told_to_end_leaves_a_round_between_two_steps(daemon: Daemon) -> None:
    stop = Stop()
    seen: list[str] = []

    def step(name: str) -> None:
        seen.append(name)
        if name == "committed":
            stop.end()

    daemon.steps = step
    daemon.engine.hooks.stopping = lambda: stop.asked
    daemon.engine.put([person(1)])
    daemon.run(stop=stop)
    assert seen[-1] == "committed" and "sent" not in seen
    assert daemon.cards("home") == 0
    assert daemon.events[-1][0] == "stopped"
    assert daemon.engine.runs()[0].outcome == "interrupted"
    assert daemon.schedule("home") == (None, 0)
    daemon.steps, daemon.engine.hooks.stopping = lambda name: None, lambda: False
    daemon.run(nothing)
    assert daemon.cards("home") == 1


def test_a_round_of_another_process_is_waited_for(daemon: Daemon) -> None:
    held = sync_lock(daemon.folder, 0)
    daemon.engine.put([person(1)])

    def free() -> None:
        held.__exit__(None, None, None)
        daemon.wait(timedelta(seconds=3))()

    held.__enter__()
    daemon.run(nothing, free, nothing)
    assert daemon.cards("home") == 1
    assert not daemon.told("trouble")
    assert {r["failures"] for r in daemon.told("round")} == {0}


def test_a_second_daemon_gives_way(daemon: Daemon) -> None:
    with health.only_one(daemon.folder), pytest.raises(LockedError, match="Another contactsync watch"):
        daemon.run(nothing)


@pytest.mark.parametrize("what", ["moved", "replaced"])
def test_a_database_that_is_taken_away_ends_it_and_is_not_made_anew(daemon: Daemon, what: str) -> None:
    path = daemon.folder / "contacts.db"

    def take_away() -> None:
        path.rename(daemon.folder / "elsewhere.db")
        if what == "replaced":
            path.write_bytes(b"")

    with pytest.raises(StoreError, match="moved away or replaced"):
        daemon.run(nothing, take_away, daemon.wait(QUARTER))
    assert not path.exists() or path.stat().st_size == 0
    assert not (daemon.folder / health.FILE).exists()


def test_a_clock_that_is_set_back_does_not_put_rounds_off(daemon: Daemon) -> None:
    found: list[list[str]] = []
    back = daemon.set_clock(-timedelta(hours=5))
    daemon.run(nothing, back, daemon.note(found), daemon.wait(QUARTER), daemon.note(found))
    assert sorted(set(found[1])) == ["home", "work"]


def test_a_clock_that_leaps_ahead_costs_one_round_and_no_storm(daemon: Daemon) -> None:
    found: list[list[str]] = []
    note = daemon.note(found)
    daemon.run(note, daemon.set_clock(timedelta(days=30)), note, nothing, note, nothing, note)
    assert sorted(set(found[1])) == ["home", "work"]
    assert found[2] == found[3] == []


def test_a_changed_configuration_is_taken_up(daemon: Daemon) -> None:
    daemon.engine.put([person(1)])
    daemon.run(nothing, lambda: daemon.configure("work", "third"), nothing, nothing)
    assert daemon.cards("third") == 1
    assert daemon.told("reloaded") == [{"accounts": ["work", "third"]}]


def test_a_broken_configuration_is_told_once_and_the_former_one_stays(daemon: Daemon) -> None:
    def breaks() -> None:
        daemon.configure(text="[account.home]\nconector = 1")

    found: list[list[str]] = []
    daemon.run(nothing, breaks, nothing, daemon.note([]), daemon.wait(QUARTER), daemon.note(found))
    (trouble,) = daemon.told("trouble")
    assert "conector" in trouble["message"] and "stays in use" in trouble["message"]
    assert sorted(set(found[0])) == ["home", "work"]


def test_a_paused_account_is_left_out_and_a_named_one_is_alone(daemon: Daemon) -> None:
    daemon.configure(
        text='[account.home]\nconnector="memory"\npaused=true\n[account.work]\nconnector="memory"'
    )
    daemon.engine.config = load(daemon.config)
    daemon.run(nothing)
    assert set(daemon.looked()) == {"work"}
    daemon.run(nothing, names=["home"])
    assert set(daemon.looked()) == {"home"}


def test_a_hurried_daemon_looks_at_once(daemon: Daemon) -> None:
    found: list[list[str]] = []

    def hurry() -> None:
        daemon.watcher.stop.hurried = True

    daemon.run(nothing, daemon.note([]), hurry, daemon.note(found))
    assert sorted(set(found[0])) == ["home", "work"]


def test_the_health_file_says_how_it_is_as_long_as_it_runs(daemon: Daemon) -> None:
    daemon.trouble["work"] = TransientError("The server is down.")
    found: list[Any] = []
    daemon.run(nothing, lambda: found.append(health.read(daemon.folder)))
    assert health.read(daemon.folder) is None
    (said,) = found
    assert said["ok"] is False
    assert {a["name"]: a["state"] for a in said["accounts"]} == {"home": "ok", "work": "temporary"}
    assert said["accounts"][0]["next_due"] == (daemon.now + QUARTER).isoformat()
    json.dumps(said)


def test_an_edit_while_a_round_is_under_way_is_not_overlooked(daemon: Daemon) -> None:
    other = daemon.open()
    edited: list[bool] = []

    def step(name: str) -> None:
        if name == "recorded" and not edited:
            edited.append(True)
            other.edit(other.contact("uid-001"), person(1), replace(person(1), nicknames=(Nickname("Al"),)))

    daemon.steps = step
    daemon.engine.put([person(1)])
    daemon.run(*[nothing] * 8)
    other.close()
    card = next(iter(daemon.servers["home"].books["/contacts/"].cards.values()))
    assert b"NICKNAME:Al" in card.payload


def test_the_interval_of_the_configuration_counts(daemon: Daemon) -> None:
    text = '[settings]\ninterval = 120\n[account.home]\nconnector = "memory"'
    daemon.configure(text=text)
    daemon.engine.config = load(daemon.config)
    daemon.run(nothing)
    assert daemon.schedule("home")[0] == timedelta(minutes=2)
    assert isinstance(daemon.engine.config, Config)


def _with_calendar(daemon: Daemon) -> Path:
    """A calendar in a file beside the two accounts."""
    file = daemon.folder / "days.ics"
    calendar = f'[calendar.days]\nfile = "{file}"\n'
    accounts = "".join(f'[account.{name}]\nconnector = "memory"\n' for name in ("home", "work"))
    daemon.configure(text=accounts + calendar)
    daemon.engine.config = load(daemon.config)
    return file


BORN = replace(person(1), anniversaries=(Anniversary("birth", PartialDate(1985, 4, 12)),))


def test_the_calendars_follow_an_edit_and_are_left_alone_when_nothing_happens(daemon: Daemon) -> None:
    file = _with_calendar(daemon)
    daemon.run(
        nothing, lambda: daemon.engine.put([BORN]), *[nothing] * 6, daemon.wait(QUARTER), *[nothing] * 3
    )
    assert b"Person001" in file.read_bytes()
    reports = [content["calendar"] for content in daemon.told("calendar")]
    assert sum(report.written.created for report in reports) == 1
    assert len(reports) < 5


def test_a_calendar_in_trouble_is_tried_again_and_stops_no_account(daemon: Daemon) -> None:
    file = _with_calendar(daemon)
    file.write_bytes(b"no calendar")
    daemon.engine.put([BORN])
    daemon.run(*[nothing] * 4, file.unlink, *[nothing] * 3, daemon.wait(QUARTER), nothing)
    states = [content["calendar"].state for content in daemon.told("calendar")]
    assert states[0] == "failed" and states[-1] == "ok" and len(states) < 5
    assert daemon.cards("home") == 1 and b"Person001" in file.read_bytes()
