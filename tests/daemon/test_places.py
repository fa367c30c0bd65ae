"""Folders that are watched: with the real watchfiles where the system's word counts, and with scripted
news where the order of things does."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from contactsync.connectors.base import AccountSettings, Connector, Page, Place
from contactsync.connectors.vdir import VdirConnector
from contactsync.daemon.places import SETTLING_LOOKS, Lookout, News
from contactsync.daemon.stopping import Stop
from contactsync.errors import AuthError
from contactsync.model.contact import Nickname
from contactsync.vcard.codec import VCardCodec
from tests.daemon.test_watcher import Daemon, nothing
from tests.e2e.devices import card, person

PATIENCE_SECONDS = 20


class Until(Stop):
    """Turns go on until what each step waits for is true; then the next step is done."""

    def __init__(self, steps: Sequence[tuple[Callable[[], object], Callable[[], bool]]]) -> None:
        super().__init__()
        self.steps = list(steps)
        self.reached: Callable[[], bool] = lambda: True
        self.end_at = time.monotonic() + PATIENCE_SECONDS

    def wait(self, seconds: float) -> None:
        if self.reached():
            if not self.steps:
                self.end()
                return
            act, self.reached = self.steps.pop(0)
            act()
        assert time.monotonic() < self.end_at, "it never came"
        time.sleep(0.002)  # the system tells of files in its own time


class Locked(VdirConnector):
    """What is there may be seen, and not be read."""

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        raise AuthError("Not now.")


class FolderDaemon(Daemon):
    """A folder of cards, and the account ``home`` at a server."""

    def __init__(self, folder: Path) -> None:
        self.locked = False
        self.cards_at = folder / "contacts"
        self.cards_at.mkdir()
        super().__init__(folder)

    def configure(self, *names: str, text: str = "") -> None:
        super().configure(text=text or f"{self.account()}\n[account.home]\nconnector = 'memory'\n")

    def account(self, more: str = "") -> str:
        return f"[account.disk]\nconnector = 'vdir'\nurl = '{self.cards_at}'\n{more}"

    def connect(self, settings: AccountSettings) -> Connector:
        if settings.connector != "vdir":
            return super().connect(settings)
        return (Locked if self.locked else VdirConnector)(self.cards_at, VCardCodec)

    def until(self, *steps: tuple[Callable[[], object], Callable[[], bool]]) -> None:
        self.run(stop=Until(steps))

    def rounds(self) -> int:
        """Of the folder."""
        return sum(event["account"].name == "disk" for event in self.told("round"))

    def write(self, *names: str) -> None:
        for name in names:
            (self.cards_at / f"{name}.vcf").write_bytes(card(name))

    def files(self) -> int:
        return len([*self.cards_at.glob("*.vcf")])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FolderDaemon]:
    with ExitStack() as stack:
        made = FolderDaemon(tmp_path)
        stack.callback(lambda: made.engine.close())
        yield made


def twenty_turns() -> tuple[Callable[[], object], Callable[[], bool]]:
    """They pass without time that the daemon knows of."""
    turns = iter(range(20))
    return nothing, lambda: next(turns, None) is None


# ---- the daemon and a real folder ------------------------------------------------------------------


def test_what_another_program_writes_is_fetched_and_sent_on_at_once(daemon: FolderDaemon) -> None:
    daemon.until(
        twenty_turns(),
        (lambda: daemon.write("ada"), lambda: daemon.cards("home") == 1),
        (lambda: (daemon.cards_at / "ada.vcf").unlink(), lambda: daemon.cards("home") == 0),
    )


def test_our_own_writes_cost_one_more_round_and_then_it_rests(daemon: FolderDaemon) -> None:
    counts: list[int] = []
    count = lambda: counts.append(daemon.rounds())  # noqa: E731
    edit = lambda: daemon.engine.edit(  # noqa: E731
        daemon.engine.contact("uid-001"), person(1), replace(person(1), nicknames=(Nickname("Al"),))
    )
    daemon.until(
        twenty_turns(),
        (lambda: daemon.engine.put([person(1), person(2)]), lambda: daemon.files() == 2),
        twenty_turns(),
        (count, lambda: True),
        (edit, lambda: any(b"NICKNAME:Al" in f.read_bytes() for f in daemon.cards_at.glob("*.vcf"))),
        # What comes after our writes in the folder is noticed after them: they have been noticed by then.
        (lambda: daemon.write("later"), lambda: daemon.cards("home") == 3),
        twenty_turns(),
        (count, lambda: True),
        twenty_turns(),
    )
    # One that sends the edit, one for what we wrote (or for both writes together), one for the other's.
    assert counts[1] - counts[0] in (2, 3)
    assert daemon.rounds() == counts[1]


def test_a_folder_that_is_away_is_told_and_taken_up_as_soon_as_it_is_back(daemon: FolderDaemon) -> None:
    daemon.write("ada")
    away = daemon.cards_at.with_name("away")

    def told() -> bool:
        return any("is not there" in event["account"].message for event in daemon.told("round"))

    def back() -> None:
        away.rename(daemon.cards_at)
        daemon.write("eve")

    daemon.until(
        (nothing, lambda: daemon.cards("home") == 1),
        twenty_turns(),
        (lambda: daemon.cards_at.rename(away), told),
        twenty_turns(),
        (back, lambda: daemon.cards("home") == 2),
    )
    assert daemon.schedule("disk")[1] == 0


def test_a_folder_that_comes_up_later_is_taken_up_at_once(daemon: FolderDaemon) -> None:
    daemon.cards_at.rmdir()

    def made() -> None:
        daemon.cards_at.mkdir()
        daemon.write("ada")

    daemon.until(twenty_turns(), (made, lambda: daemon.cards("home") == 1))


def test_the_address_books_that_the_first_round_finds_are_watched(daemon: FolderDaemon) -> None:
    (daemon.cards_at / "friends").mkdir()
    daemon.until(twenty_turns(), (lambda: daemon.write("friends/ada"), lambda: daemon.cards("home") == 1))


def test_news_do_not_hurry_an_account_in_trouble(daemon: FolderDaemon) -> None:
    def trouble() -> None:
        daemon.locked = True
        daemon.write("ada")

    daemon.until(
        twenty_turns(),
        (trouble, lambda: daemon.schedule("disk")[1] == 1),
        (lambda: daemon.write("eve"), lambda: True),
        twenty_turns(),
    )
    assert daemon.schedule("disk")[1] == 1


def test_a_folder_is_watched_while_its_account_takes_part(daemon: FolderDaemon) -> None:
    home = "[account.home]\nconnector = 'memory'\n"
    pause = lambda: daemon.configure(text=daemon.account("paused = true\n") + home)  # noqa: E731
    counts: list[int] = []
    daemon.until(
        twenty_turns(),
        (pause, lambda: len(daemon.told("reloaded")) == 1),
        (lambda: daemon.write("ada"), lambda: True),
        twenty_turns(),
        (lambda: counts.append(daemon.cards("home")), lambda: True),
        (lambda: daemon.configure(text=daemon.account() + home), lambda: daemon.cards("home") == 1),
        (lambda: daemon.write("eve"), lambda: daemon.cards("home") == 2),
    )
    assert counts == [0]


def test_without_watchfiles_it_goes_on_by_the_interval_and_says_how_to_get_it(
    daemon: FolderDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    daemon.until(
        twenty_turns(),
        (lambda: daemon.write("ada"), lambda: True),
        twenty_turns(),
        (daemon.wait(timedelta(minutes=20)), lambda: daemon.cards("home") == 1),
        twenty_turns(),
    )
    (trouble,) = daemon.told("trouble")
    assert trouble["account"] == "disk" and "contactsync[folders]" in trouble["message"]


# ---- what counts as news -----------------------------------------------------------------------------


def wait_for(lookout: Lookout, *names: str) -> News:
    """All news up to those of these files."""
    found = News()
    end = time.monotonic() + PATIENCE_SECONDS
    while not {*names} <= {path.name for path in found.files}:
        news = lookout.look().get("disk", News())
        found = News(found.files | news.files, found.is_back or news.is_back)
        assert time.monotonic() < end, f"only {found}"
        time.sleep(0.002)
    return found


def cannot(name: str, why: str) -> None:
    raise AssertionError(why)


def test_only_cards_are_news(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    lookout = Lookout(cannot)
    lookout.keep("disk", [Place(tmp_path, ".vcf")])
    assert lookout.look() == {"disk": News()}
    for name in (".hidden.vcf", "a.tmp", "color", "below/deep.vcf", ".contactsync-1.tmp"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "made.vcf").write_bytes(b"x")
    (tmp_path / "a.tmp").rename(tmp_path / "moved.vcf")
    assert {path.name for path in wait_for(lookout, "made.vcf", "moved.vcf").files} == {
        "made.vcf",
        "moved.vcf",
    }
    shutil.rmtree(tmp_path / "below")
    (tmp_path / "made.vcf").read_bytes()
    (tmp_path / "moved.vcf").unlink()
    assert wait_for(lookout, "moved.vcf").files == {tmp_path / "moved.vcf"}


def test_a_folder_in_the_place_of_another_is_news_and_watched(tmp_path: Path) -> None:
    folder, new = tmp_path / "contacts", tmp_path / "new"
    folder.mkdir()
    new.mkdir()
    lookout = Lookout(cannot)
    lookout.keep("disk", [Place(folder, ".vcf")])
    lookout.look()
    folder.rename(tmp_path / "old")
    assert [lookout.look() for _ in range(2)] == [{}, {"disk": News()}]
    new.rename(folder)
    assert [lookout.look() for _ in range(2)] == [{}, {"disk": News(is_back=True)}]
    (folder / "a.vcf").write_bytes(b"x")
    wait_for(lookout, "a.vcf")


Script = list[set[str] | Exception]


def scripted(monkeypatch: pytest.MonkeyPatch, looks: Script) -> None:
    """What watchfiles tells, look by look; nothing when that is over."""

    def watch(*paths: Path, **options: object) -> Iterator[set[tuple[int, str]]]:
        yield set()
        while True:
            said = looks.pop(0) if looks else set()
            if isinstance(said, Exception):
                raise said
            yield {(1, f"{paths[0]}/{name}") for name in said}

    monkeypatch.setattr("watchfiles.watch", watch)


def test_news_are_told_when_they_pause_or_go_on_for_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless: Script = [{f"{n}.vcf"} for n in range(SETTLING_LOOKS + 1)]
    scripted(monkeypatch, [{"a.vcf"}, {"b.vcf", "c.tmp"}, set(), {".x.vcf"}, *endless, {"late.vcf"}])
    lookout = Lookout(cannot)
    lookout.keep("disk", [Place(tmp_path, ".vcf")])
    told = [{path.name for path in lookout.look().get("disk", News()).files} for _ in range(12)]
    nobody: set[str] = set()
    assert told == [
        nobody,  # it begins
        nobody,
        nobody,
        {"a.vcf", "b.vcf"},
        nobody,
        *[nobody] * SETTLING_LOOKS,
        {f"{n}.vcf" for n in range(SETTLING_LOOKS + 1)},
        nobody,
        {"late.vcf"},
        nobody,
    ]


def test_a_limit_of_the_system_is_told_once_and_tried_again_when_places_are_named_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = OSError("OS file watch limit reached")
    scripted(monkeypatch, [limit, limit, {"a.vcf"}])
    heard: list[tuple[str, str]] = []
    lookout = Lookout(lambda name, why: heard.append((name, why)))
    told: set[Path] = set()
    for _ in range(3):
        lookout.keep("disk", [Place(tmp_path, ".vcf")])
        told |= {path for _ in range(4) for path in lookout.look().get("disk", News()).files}
    ((name, why),) = heard
    assert name == "disk" and "watch limit reached" in why and "interval" in why
    assert told == {tmp_path / "a.vcf"}
