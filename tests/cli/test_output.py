"""Names of strangers on a terminal, tables, and progress."""

from __future__ import annotations

import sys

import pytest

from contactsync.cli import output
from contactsync.cli.output import Output, Watch, clean, width
from tests.cli.conftest import Cli, card


def test_a_name_cannot_drive_the_terminal() -> None:
    assert clean("Ada\x1b[31m\x07\x9b2J\u202eecaL\x7f") == "Ada[31m2JecaL"
    assert clean("one\ntwo\tthree") == "one two three"
    assert clean("one\ntwo", lines=True) == "one\ntwo"


def test_a_hostile_contact_is_listed_and_shown_safely(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=card("evil", "E\x1bvil", "NOTE:a\\nb\x1b]0;title\x07"))
    for words in (("contact", "list"), ("contact", "show", "evil"), ("contact", "history", "evil")):
        assert "\x1b" not in cli.ok(*words)


def test_columns_are_aligned_by_what_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(("NAME", "X"), [("李", 1), ("e\u0301va", 2)])
    assert capsys.readouterr().out.splitlines() == ["NAME  X", "李    1", "e\u0301va   2"]
    assert width("李") == 2


def test_on_a_terminal_a_table_is_drawn_and_markup_is_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "drawable", lambda stream: True)
    Output().table(("NAME",), [("[bold]Ada[/bold]",)])
    assert "[bold]Ada[/bold]" in capsys.readouterr().out


def test_progress_shows_itself_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(Watch, "_start", lambda self: started.append(True))
    watch = Watch(shown=True)
    watch("reading", 1, 2)
    watch.close()
    assert not started


def test_progress_is_drawn_on_stderr_and_taken_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    watch = Watch(shown=True)
    watch("reading [book]", 1, 2)
    watch._start()
    watch("reading [book]", 2, 2)
    watch("writing")
    watch.close()
    watch("late", 1, 2)
    captured = capsys.readouterr()
    assert captured.out == "" and "reading [book]" in captured.err


def test_quiet_leaves_errors(cli: Cli) -> None:
    assert cli("contact", "list").err == "There are no contacts yet.\n"
    assert cli("-q", "contact", "list").err == ""
    assert cli("-q", "contact", "show", "nobody").err.startswith("Error: ")


def test_json_may_stand_after_the_command_and_is_one_document(cli: Cli) -> None:
    assert cli("contact", "list", "--json").json == {"contacts": []}
    assert cli("contact", "show", "nobody", "--json").error["kind"] == "usage"
