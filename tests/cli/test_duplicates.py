"""Contacts that may be the same person: the list, what is decided by a word, and the review on a terminal."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli, card
from tests.cli.terminal import Terminal

ADA = card("a-1", "Ada Lovelace", "EMAIL:ada@x.example", "TEL:+44 20 7946 0101")
COPY = card("a-2", "Ada Lovelace", "EMAIL:ada@x.example", "NOTE:the second")
BOB = card("b-1", "Bob Miller", "EMAIL:bob@x.example")
ROBERT = card("b-2", "Robert Miller", "EMAIL:bob@x.example")
EVERYBODY = ADA + COPY + BOB + ROBERT


@pytest.fixture
def doubles(cli: Cli) -> Cli:
    cli.ok("contact", "put", stdin=EVERYBODY)
    return cli


def pairs(cli: Cli) -> list[tuple[str, str]]:
    return [(pair["uid"], pair["other_uid"]) for pair in cli.json("duplicates")["pairs"]]


def names(cli: Cli) -> list[str]:
    return [found["name"] for found in cli.json("contact", "list")["contacts"]]


def test_pairs_are_listed_with_what_speaks_for_and_against_them(doubles: Cli) -> None:
    sure, likely = doubles.json("duplicates")["pairs"]
    assert (sure["uid"], sure["other_uid"], sure["sure"], sure["held"]) == ("a-1", "a-2", True, False)
    assert (likely["uid"], likely["other_uid"], likely["sure"]) == ("b-1", "b-2", False)
    assert 0.5 <= likely["score"] < sure["score"] <= 1
    assert {"field": "e-mail", "value": "ada@x.example"} in sure["agree"]
    assert {"field": "name", "one": "Bob Miller", "other": "Robert Miller"} in likely["differ"]
    assert {"field": "note", "one": "", "other": "the second"} in sure["only"]
    result = doubles("duplicates")
    assert "same name, same e-mail address" in result.out and "Robert Miller (b-2)" in result.out
    assert "duplicates --review" in result.err and "--merge-sure" in result.err


def test_no_doubles_are_no_trouble(cli: Cli) -> None:
    assert cli.json("duplicates") == {"pairs": []}
    assert cli("duplicates").err == "No two contacts look like the same person.\n"
    assert cli.ok("duplicates", "--merge-sure") == "There is no pair that is sure.\n"


def test_what_is_sure_is_merged_as_one_run_after_a_trial(doubles: Cli) -> None:
    tried = doubles.json("duplicates", "--merge-sure", "--dry-run")
    assert tried["merged"] == 1 and tried["run"] is None and len(names(doubles)) == 4
    run = doubles.json("duplicates", "--merge-sure")["run"]
    assert names(doubles) == ["Ada Lovelace", "Bob Miller", "Robert Miller"]
    doubles.ok("run", "undo", str(run))
    assert pairs(doubles) == [("a-1", "a-2"), ("b-1", "b-2")]


def test_that_two_are_not_the_same_is_remembered_until_it_is_undone(doubles: Cli) -> None:
    run = doubles.json("duplicates", "--not-same", "b-1", "b-2")["run"]
    assert pairs(doubles) == [("a-1", "a-2")]
    doubles.ok("run", "undo", str(run))
    assert pairs(doubles) == [("a-1", "a-2"), ("b-1", "b-2")]


def test_what_does_not_go_together_is_said(doubles: Cli) -> None:
    assert doubles("duplicates", "--review", "--merge-sure").code == 2
    assert doubles("duplicates", "--not-same", "b-1", "b-1").code == 2
    assert doubles("duplicates", "--not-same", "b-1", "nobody").code == 2
    result = doubles("duplicates", "--release", "b-1")
    assert result.code == 2 and "not held back" in result.err


def test_a_review_needs_a_person(doubles: Cli) -> None:
    result = doubles("duplicates", "--review")
    assert result.code == 2 and "duplicates --merge-sure" in result.err
    assert doubles("--json", "duplicates", "--review").code == 2


@pytest.mark.parametrize("columns", [40, 100])
def test_a_review_shows_both_and_takes_one_key_each(doubles: Cli, columns: int) -> None:
    with Terminal(doubles, "duplicates", "--review", columns=columns) as terminal:
        shown = terminal.press("m")
        assert "1 of 2" in shown and "e-mail: ada@x.example" in shown and "the second" in shown
        beside = [line for line in shown.splitlines() if "Ada Lovelace (only" in line and " | " in line]
        assert bool(beside) == (columns == 100)
        assert max(map(len, shown.splitlines())) <= columns
        shown = terminal.press("u")
        assert "Bob Miller" in shown and "Robert Miller" in shown
        terminal.press("o")
        terminal.press("n")
        terminal.until("any other key ends")
        terminal.type("q")
        assert terminal.end() == 0 and "2 pairs answered" in terminal.plain
    assert names(doubles) == ["Ada Lovelace", "Bob Miller", "Robert Miller"] and pairs(doubles) == []
    assert doubles.json("contact", "show", "a-2")["uid"] == "a-2"


def test_quitting_a_review_keeps_what_was_answered(doubles: Cli) -> None:
    with Terminal(doubles, "duplicates", "--review") as terminal:
        terminal.press("m")
        terminal.press("q")
        assert terminal.end() == 0 and "1 pair answered, 1 left" in terminal.plain
    assert pairs(doubles) == [("b-1", "b-2")]


def test_a_pair_that_somebody_else_decided_meanwhile_is_passed_over(doubles: Cli) -> None:
    with Terminal(doubles, "duplicates", "--review") as terminal:
        terminal.until("?=help")
        doubles.ok("contact", "merge", "a-2", "a-1")
        doubles.ok("duplicates", "--not-same", "b-1", "b-2")
        terminal.type("m")
        assert "One of the two is gone" in terminal.until("is settled meanwhile; it is skipped. Bob Miller")
        assert terminal.end() == 0 and "2 settled meanwhile" in terminal.plain
    assert names(doubles) == ["Ada Lovelace", "Bob Miller", "Robert Miller"]


def test_names_that_would_move_the_cursor_do_not(cli: Cli) -> None:
    wild = "Eve \x1b[2J\u202eliam"
    cli.ok(
        "contact",
        "put",
        stdin=card("e-1", wild, "EMAIL:e@x.example") + card("e-2", wild, "EMAIL:e@x.example"),
    )
    with Terminal(cli, "duplicates", "--review", columns=40) as terminal:
        shown = terminal.press("q")
        assert "\x1b[2J" not in terminal.screen and "\u202e" not in shown and "Eve" in shown
