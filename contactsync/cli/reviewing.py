"""One thing after another is shown to a person, who answers each with one key.

Nothing here knows what is reviewed: a `Review` says how an item is looked at and drawn, and what its keys do.
Each answer is a run of its own, written at once, so that the last one can be taken back and quitting loses
nothing.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import typer

from contactsync.cli.output import clean, plural
from contactsync.cli.session import is_a_person_there
from contactsync.errors import UsageError
from contactsync.frozen import frozen

if TYPE_CHECKING:
    from rich.text import Text

T = TypeVar("T")

ESCAPE = "\x1b"
_ALWAYS = (
    ("s, space", "skip this one"),
    ("u", "take back the last answer, and show it again"),
    ("q, Esc", "quit, as do Ctrl-C and Ctrl-D; all answers so far are kept"),
)


@frozen
class Choice(Generic[T]):
    """One answer: its key, the word for it, the help, and what it does, which gives the number of its run.

    It raises `UsageError` where it cannot be done; ``fits`` says whether it is offered at all.
    """

    key: str
    word: str
    help: str
    answer: Callable[[T], int]
    fits: Callable[[T], bool] = lambda item: True


@frozen
class Review(Generic[T]):
    """What is reviewed.

    ``look`` gives an item as it is now, None when it needs no answer any more; ``name`` is a short name for
    messages; ``draw`` gives the lines for a screen of so many columns; ``undo`` takes a run back and says
    what it had to leave.
    """

    look: Callable[[T], T | None]
    name: Callable[[T], str]
    draw: Callable[[T, int], Iterable[Text]]
    choices: Sequence[Choice[T]]
    undo: Callable[[int], Iterable[str]]


@frozen
class Tally:
    """How a review ended: items by what became of them."""

    answered: int
    skipped: int
    gone: int
    left: int

    def in_words(self, noun: str) -> str:
        words = ((self.skipped, "skipped"), (self.gone, "settled meanwhile"), (self.left, "left"))
        counts = [f"{plural(self.answered, noun)} answered", *(f"{n} {word}" for n, word in words if n)]
        return ", ".join(counts) + ("; the next round carries it." if self.answered else ".")


def review(items: Iterable[T], kind: Review[T]) -> Tally:
    """Show the items one by one until all are answered or the person has had enough."""
    return _Reviewing(kind, deque(items)).run()


def need_a_person(hint: str) -> None:
    """Raises `UsageError` where nobody can press a key; ``hint`` names the command that does it without."""
    if not is_a_person_there():
        raise UsageError("A review asks, and nobody is there.", hint=hint)


class _Quit(Exception):
    """The person has had enough."""


class _Screen:
    """Where it is drawn: on stderr, as stdout is for data."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)

    @property
    def columns(self) -> int:
        return self._console.width

    def say(self, *lines: Text | str) -> None:
        for line in lines:
            self._console.print(clean(line) if isinstance(line, str) else line)

    def key(self, question: str) -> str:
        """One key, without Enter. What was typed before the question was there is not an answer to it:
        the terminal drops it."""
        self._console.print(question, end=" ")
        try:
            pressed = typer.getchar()
        except EOFError:
            raise _Quit from None
        finally:
            self._console.print()
        if pressed in ("", ESCAPE):  # the terminal is gone, or Esc
            raise _Quit
        return pressed.lower()


@dataclass(slots=True)
class _Reviewing(Generic[T]):
    """One review under way; the first of the queue is on the screen."""

    kind: Review[T]
    queue: deque[T]
    answers: list[tuple[T, int]] = field(default_factory=list)
    skipped: int = 0
    gone: int = 0
    screen: _Screen = field(default_factory=_Screen)

    def run(self) -> Tally:
        total = len(self.queue)
        # Ctrl-C is a key at the question, and a signal in between.
        with contextlib.suppress(_Quit, KeyboardInterrupt):
            while self.queue or self._last_one_was_wrong():
                self._show(f"{total - len(self.queue) + 1} of {total}")
        return Tally(len(self.answers), self.skipped, self.gone, len(self.queue))

    def _show(self, position: str) -> None:
        """The first of the queue, until it is answered or has to be shown anew."""
        item = self.kind.look(self.queue[0])
        if item is None:
            self.gone += 1
            self.screen.say(f"{self.kind.name(self.queue.popleft())} is settled meanwhile; it is skipped.")
            return
        self.queue[0] = item
        self.screen.say("", position, *self.kind.draw(item, self.screen.columns), "")
        while not self._press(item):
            pass

    def _press(self, item: T) -> bool:
        """One key; whether that was all for this look at the item."""
        pressed = self.screen.key(self._keys(item))
        choice = next((choice for choice in self.kind.choices if choice.key == pressed), None)
        if choice is not None and choice.fits(item):
            return self._answer(item, choice)
        match pressed:
            case "s" | " ":
                self.skipped += 1
                self.queue.popleft()
                return True
            case "u":
                return self._undo()
            case "q":
                raise _Quit
            case "?":
                self._help()
            case _ if choice is not None:
                self.screen.say(f"Not possible here: {choice.help}. The keys are:")
            case _:
                self.screen.say(f"{_named(pressed)} does nothing here. The keys are:")
        return False

    def _answer(self, item: T, choice: Choice[T]) -> bool:
        try:
            run = choice.answer(item)
        except UsageError as error:
            self.screen.say(error.message)
            moved = self.kind.look(item) != item
            if not moved and error.hint:
                self.screen.say(error.hint)
            return moved
        self.answers.append((item, run))
        self.queue.popleft()
        self.screen.say(f"{self.kind.name(item)}: {choice.word}.")
        return True

    def _undo(self) -> bool:
        """Take the last answer back; its item is the first of the queue again."""
        if not self.answers:
            self.screen.say("There is no answer to take back.")
            return False
        item, run = self.answers.pop()
        self.queue.appendleft(item)
        try:
            left = list(self.kind.undo(run))
        except UsageError as error:
            left = [error.message]
        self.screen.say(*(f"Left as it is: {line}" for line in left))
        if not left:
            self.screen.say(f"{self.kind.name(item)}: the answer is taken back.")
        return True

    def _last_one_was_wrong(self) -> bool:
        """After the last item: without this question its answer could not be taken back."""
        if not self.answers:
            return False
        return self.screen.key("That was the last one. u=undo, any other key ends") == "u" and self._undo()

    def _keys(self, item: T) -> str:
        own = [f"{choice.key}={choice.word}" for choice in self.kind.choices if choice.fits(item)]
        return " ".join([*own, "s=skip", *(["u=undo"] if self.answers else []), "q=quit", "?=help"])

    def _help(self) -> None:
        from contactsync.cli.sides import labelled

        keys = [(choice.key, choice.help) for choice in self.kind.choices]
        for key, text in (*keys, *_ALWAYS):
            self.screen.say(*labelled(key, text, self.screen.columns))


def _named(pressed: str) -> str:
    return f"“{pressed}”" if pressed.isprintable() else "That"
