"""A connector that goes wrong, wherever and however: it is named, no other account notices, and nothing is
lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from contactsync.api import Engine
from contactsync.config import AccountConfig, Config
from contactsync.connectors.memory import MemoryServer
from contactsync.engine.report import RunReport
from tests.e2e.devices import card, person, uids
from tests.plugins.conftest import Install

SOURCE = Path(__file__).with_name("odd.py").read_text(encoding="utf-8")
BOOK = "/contacts/"
#: Seconds; not more than what hangs may take, and enough for a machine that has much to do.
PATIENCE = 0.5
_numbers = count(1)


class Place:
    """A device with an account at a connector that goes wrong, and after it one at a sound connector."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.url = f"plugin-{next(_numbers)}"
        self.odd, self.sound = MemoryServer.named(self.url), MemoryServer.named(f"{self.url}-sound")
        self.odd.put(f"{BOOK}eve.vcf", card("eve"))
        self.odd.put(f"{BOOK}zoe.vcf", card("zoe"))
        self.sound.put(f"{BOOK}bob.vcf", card("bob"))
        with closing(self.engine()) as engine:
            engine.put([person(1)])

    def engine(self, **options: object) -> Engine:
        patience = PATIENCE if options.get("kind") == "hang" else None
        odd = AccountConfig("odd", "odd", self.url, options=options, give_up_after=patience)  # type: ignore[arg-type]
        sound = AccountConfig("sound", "memory", f"{self.url}-sound")
        return Engine(Config(self.folder / "config.toml", accounts=(odd, sound)), self.folder)

    def round(self, **options: object) -> RunReport:
        with closing(self.engine(**options)) as engine:
            return engine.sync()

    def people(self) -> list[str]:
        with closing(self.engine()) as engine:
            return sorted(contact.uid for contact in engine.contacts())


@pytest.fixture
def place(tmp_path: Path, install: Install) -> Iterator[Place]:
    install(SOURCE)
    yield Place(tmp_path / "device")


SOUND = ["bob", "uid-001"]
ALL = ["bob", "eve", "uid-001", "zoe"]
PLACES = {
    "capabilities": "capabilities",
    "codec": "codec",
    "collections": "collections",
    "pages": "changes",
    "fetch": "fetch",
    "cards": "fetch",
    "outcomes": "write",
    "traffic": "traffic",
    "codec.project": "codec.project",
}


def assert_the_others_went_on(place: Place, report: RunReport) -> None:
    sound = report.accounts[1]
    assert (sound.state, sound.books[0].errors) == ("ok", [])
    assert set(SOUND) <= set(uids(place.sound, BOOK)) <= set(ALL)
    assert uids(place.sound, BOOK) == place.people()


def assert_nothing_is_lost(place: Place) -> None:
    """Once the connector is sound again, everybody is everywhere, once."""
    for _ in range(2):
        report = place.round()
    assert [account.state for account in report.accounts] == ["ok", "ok"], report
    assert uids(place.odd, BOOK) == uids(place.sound, BOOK) == place.people() == ALL
    with closing(place.engine()) as engine:
        status = engine.status()
    assert (status["in_doubt"], status["set_aside"], status["conflicts"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        *((where, "raise") for where in PLACES),
        *((where, "rubbish") for where in ("capabilities", "pages", "cards", "outcomes", "codec", "traffic")),
        ("fetch", "exit"),
    ],
)
def test_what_raises_or_answers_rubbish_is_named_and_harms_nobody_else(
    place: Place, where: str, kind: str
) -> None:
    report = place.round(place=where, kind=kind)
    odd = report.accounts[0]
    assert odd.state == "failed" and report.exit_code() == 1
    assert "The connector 'odd' (contactsync-odd 1.0) broke its contract" in odd.message
    said = {"raise": "raised KeyError: 'boom'", "exit": "raised SystemExit: 0", "rubbish": "of type int"}
    assert said[kind] in odd.message and PLACES[where] in odd.message
    assert "The rule: " in odd.message and "the author of contactsync-odd" in odd.message
    assert_the_others_went_on(place, report)
    assert_nothing_is_lost(place)


@pytest.mark.parametrize("where", ["collections", "pages", "outcomes", "codec.project"])
def test_what_blocks_for_ever_is_given_up_and_harms_nobody_else(place: Place, where: str) -> None:
    report = place.round(place=where, kind="hang")
    odd = report.accounts[0]
    assert (odd.state, report.exit_code()) == ("temporary", 5)
    assert "The connector 'odd' (contactsync-odd 1.0) gave no answer for 0.5 seconds" in odd.message
    assert_the_others_went_on(place, report)
    assert_nothing_is_lost(place)


def test_an_error_of_the_contract_is_what_it_is(place: Place) -> None:
    report = place.round(place="pages", kind="remote")
    assert report.accounts[0].message == "The remote is on fire."
    assert_the_others_went_on(place, report)
    assert_nothing_is_lost(place)


@pytest.mark.law("L33")
@pytest.mark.parametrize("kind", ["raise", "rubbish", "hang"])
def test_a_step_that_was_handed_over_without_an_answer_is_in_doubt(place: Place, kind: str) -> None:
    report = place.round(place="outcomes", kind=kind)
    assert report.accounts[0].in_doubt == 1
    assert "uid-001" in uids(place.odd, BOOK), "it was done, and nobody said so"
    with closing(place.engine()) as engine:
        assert engine.status()["in_doubt"] == 1
    assert_nothing_is_lost(place)


@pytest.mark.law("L35")
@pytest.mark.parametrize("kind", ["raise", "rubbish"])
def test_what_a_codec_cannot_read_is_the_trouble_of_that_card(place: Place, kind: str) -> None:
    report = place.round(place="codec.read", kind=kind)
    odd = report.accounts[0]
    assert (odd.state, report.exit_code()) == ("ok", 3)
    reasons = {error.reason for error in odd.books[0].errors}
    assert len(odd.books[0].errors) == 2 and all("'odd' (contactsync-odd 1.0)" in why for why in reasons)
    assert uids(place.odd, BOOK) == ALL, "the writes went on"
    assert_the_others_went_on(place, report)
    for name in ("eve", "zoe"):
        place.odd.put(f"{BOOK}{name}.vcf", card(name, "", "NOTE:touched"))
    assert_nothing_is_lost(place)


@pytest.mark.law("L35")
@pytest.mark.parametrize("kind", ["raise", "rubbish"])
def test_what_a_codec_cannot_write_is_the_trouble_of_that_contact(place: Place, kind: str) -> None:
    report = place.round(place="codec.write", kind=kind)
    odd = report.accounts[0]
    assert (odd.state, report.exit_code()) == ("ok", 3)
    assert sorted(error.uid for error in odd.books[0].errors) == SOUND, "each is named once"
    assert set(place.people()) == set(ALL), "the reads went on"
    assert_the_others_went_on(place, report)


@pytest.mark.parametrize("kind", ["raise", "hang"])
def test_trouble_at_the_end_is_told_and_changes_nothing(
    place: Place, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        report = place.round(place="close", kind=kind)
    assert report.ok
    assert any("'odd' (contactsync-odd 1.0)" in record.message for record in caplog.records)
    assert_nothing_is_lost(place)


@pytest.mark.parametrize(
    "source", ["raise ImportError('no luck')", "CONTRACT = 9\nfactory = print", "CONTRACT = 1\nfactory = len"]
)
def test_one_that_cannot_be_used_at_all_stops_no_other_account(
    tmp_path: Path, install: Install, source: str
) -> None:
    install(source)
    place = Place(tmp_path / "device")
    report = place.round()
    assert report.accounts[0].state == "failed" and "contactsync-odd" in report.accounts[0].message
    assert_the_others_went_on(place, report)
    with closing(place.engine()) as engine:
        assert engine.status()["accounts"][0]["state"] == "failed"


@pytest.mark.parametrize("kind", ["raise", "rubbish"])
def test_a_group_card_that_its_codec_cannot_read_stops_that_account_only(place: Place, kind: str) -> None:
    place.odd.put(f"{BOOK}team.vcf", card("team", "Team", "KIND:group", "MEMBER:urn:uuid:eve", version="4.0"))
    report = place.round(place="codec.read_group", kind=kind, groups=True)
    odd = report.accounts[0]
    assert odd.state == "failed" and "codec.read_group" in odd.message
    assert_the_others_went_on(place, report)
    for _ in range(2):
        report = place.round(groups=True)
    assert report.ok and place.people() == ALL


def test_a_secret_in_an_error_stays_one(tmp_path: Path, install: Install) -> None:
    install("raise RuntimeError('no luck with https://ada:hunter2@x.example/')")
    report = Place(tmp_path / "device").round()
    assert "no luck with" in report.accounts[0].message and "hunter2" not in report.accounts[0].message
