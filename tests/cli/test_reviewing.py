"""Going through items one key at a time: the loop, and how two texts are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from rich.text import Text

from contactsync.cli.output import width
from contactsync.cli.reviewing import Choice, Review, Tally, review
from contactsync.cli.sides import BAR, LEFT_TO_RIGHT, labelled, sides
from contactsync.errors import UsageError


@dataclass
class Fruit:
    """What is reviewed here: names, of which the one answered goes on record under a run."""

    taken: dict[int, str] = field(default_factory=dict)
    spoilt: dict[str, str | None] = field(default_factory=dict)

    def look(self, name: str) -> str | None:
        return None if name in self.taken.values() else self.spoilt.get(name, name)

    def take(self, name: str) -> int:
        if name in self.spoilt:
            raise UsageError(f"{name} has moved on.", hint="Eat it.")
        run = len(self.taken) + 1
        self.taken[run] = name
        return run

    def undo(self, run: int) -> Iterator[str]:
        if self.taken[run] == "eaten":
            yield "eaten: is gone"
        else:
            del self.taken[run]

    def review(self, *names: str) -> Tally:
        choices = (
            Choice("t", "take", "take it", self.take),
            Choice("p", "peel", "peel it: not berries", self.take, lambda name: "berry" not in name),
        )
        kind = Review(self.look, str, lambda name, columns: [Text(f"this is {name}")], choices, self.undo)
        return review(names, kind)


Press = Callable[..., list[str]]


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Press:
    """The keys that will be pressed; those left over."""

    def pressing(*keys: str) -> list[str]:
        left = list(keys)

        def getchar() -> str:
            key = left.pop(0)
            if key == "\x03":
                raise KeyboardInterrupt
            if key == "\x04":
                raise EOFError
            return key

        monkeypatch.setattr("typer.getchar", getchar)
        return left

    return pressing


def test_each_item_is_answered_by_one_key(press: Press, capsys: pytest.CaptureFixture[str]) -> None:
    press("t", "P", "s", " ", "!")
    fruit = Fruit()
    assert fruit.review("fig", "pear", "lime", "date") == Tally(2, 2, 0, 0)
    assert fruit.taken == {1: "fig", 2: "pear"}
    captured = capsys.readouterr()
    assert captured.out == ""  # stdout is for data
    assert "this is fig" in captured.err and "4 of 4" in captured.err
    assert "fig: take." in captured.err and "pear: peel." in captured.err


@pytest.mark.parametrize("key", ["q", "\x1b", "\x03", "\x04", ""])
def test_whoever_quits_keeps_the_answers(press: Press, key: str) -> None:
    press("t", key)
    fruit = Fruit()
    assert fruit.review("fig", "pear", "lime") == Tally(1, 0, 0, 2)
    assert fruit.taken == {1: "fig"}


def test_the_last_answer_is_taken_back_and_shown_again(
    press: Press, capsys: pytest.CaptureFixture[str]
) -> None:
    left = press("u", "t", "t", "u", "u", "u", "s", "t", "u", "t", "!")
    fruit = Fruit()
    assert fruit.review("fig", "pear") == Tally(1, 1, 0, 0)
    assert fruit.taken == {1: "pear"} and not left
    err = capsys.readouterr().err
    assert err.count("There is no answer to take back.") == 2
    assert err.count("this is fig") == 2 and err.count("1 of 2") == 2 and err.count("2 of 2") == 4
    assert "u=undo" in err


def test_what_cannot_be_taken_back_is_said(press: Press, capsys: pytest.CaptureFixture[str]) -> None:
    press("t", "u", "q")
    assert Fruit().review("eaten", "pear") == Tally(0, 0, 1, 1)
    err = capsys.readouterr().err
    assert "Left as it is: eaten: is gone" in err and "taken back" not in err


def test_a_key_that_does_nothing_says_which_do(press: Press, capsys: pytest.CaptureFixture[str]) -> None:
    press("x", "\x1b[A", "p", "?", "q")
    Fruit().review("berry")
    err = capsys.readouterr().err
    assert "“x” does nothing here" in err and "That does nothing here" in err
    assert "Not possible here: peel it: not berries." in err and "p=peel" not in err
    assert "t        take it" in err and "quit, as do Ctrl-C" in err


def test_what_moved_on_is_shown_anew_and_what_is_settled_is_passed_over(
    press: Press, capsys: pytest.CaptureFixture[str]
) -> None:
    press("t", "t", "!")
    fruit = Fruit(spoilt={"fig": "fig jam", "pear": None})
    assert fruit.review("fig", "pear") == Tally(1, 0, 1, 0)
    assert fruit.taken == {1: "fig jam"}
    err = capsys.readouterr().err
    assert "pear is settled meanwhile" in err and "Eat it." not in err

    press("t", "q")
    fruit = Fruit(spoilt={"lime": "lime"})  # it cannot be done, and nothing has moved: the question stays
    assert fruit.review("lime") == Tally(0, 0, 0, 1)
    err = capsys.readouterr().err
    assert "lime has moved on.\nEat it." in err and err.count("this is lime") == 1


@pytest.mark.parametrize("columns", [20, 40, 59, 60, 80, 200])
def test_two_texts_fit_into_any_terminal(columns: int) -> None:
    long = "A note that goes on and on, for longer than any line, with " + "x" * 150 + " and 李 " * 20
    drawn = [line.plain for line in sides(("DEVICE", "REMOTE"), (long, "short\nnote"), columns)]
    assert all(width(line) < columns for line in drawn)
    beside = [line for line in drawn if BAR in line]
    assert (len(beside) == len(drawn)) is (columns >= 60)
    left = "".join(line.split(BAR)[0] for line in drawn).replace(" ", "")
    assert long.replace(" ", "") in left


def test_what_differs_is_marked() -> None:
    drawn = [*sides(("A", "B"), ("tea at five", "tea at six"), 80)][1]
    assert [drawn.plain[span.start : span.end].strip() for span in drawn.spans] == ["five", "six"]


def test_names_from_right_to_left_do_not_exchange_the_sides() -> None:
    (_, drawn) = sides(("A", "B"), ("דניאל", "دانيال"), 80)
    before, after = drawn.plain.split(BAR)
    assert before.startswith(LEFT_TO_RIGHT) and before.endswith(LEFT_TO_RIGHT)
    assert after == f"{LEFT_TO_RIGHT}دانيال"


def test_controls_do_not_reach_the_terminal() -> None:
    drawn = [*sides(("A\x1b", "B"), ("a\x1b[2J\u202eb", "c\x07"), 80), *labelled("name", "E\x1bve", 80)]
    assert not any(c in line.plain for line in drawn for c in "\x1b\x07\u202e")
