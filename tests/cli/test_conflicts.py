"""A field changed on both sides under the policy ``ask``."""

from __future__ import annotations

from typing import Any

import pytest

from contactsync.api import Engine
from contactsync.cli.output import width
from contactsync.config import load
from tests.cli.conftest import Cli, Home, card
from tests.cli.terminal import Terminal

ALL = {"ada": "NOTE", "bob": "TITLE", "cyd": "NOTE"}


def clash(cli: Cli, home: Home, policy: str, **properties: str) -> int:
    """One contact whose note was changed on both sides, or these, each with its property; the exit code of
    the round that meets it."""
    properties = properties or {"ada": "NOTE"}

    def put(value: str) -> None:
        cards = (card(uid, uid.title(), f"{name}:{value}") for uid, name in properties.items())
        cli.ok("contact", "put", stdin=b"".join(cards))

    cli.ok("account", "set", "home", "--conflicts", policy)
    put("before")
    cli.ok("sync")
    for path in home.server.etags(home.book):
        change_there(home, path, b"before", b"there")
    put("here")
    return cli("sync").code


def change_there(home: Home, path: str, old: bytes, new: bytes) -> None:
    home.server.put(path, (home.server.get(path) or b"").replace(old, new))


def notes(cli: Cli, uid: str = "ada") -> list[str]:
    text: str = cli.json("contact", "show", uid)["notes"][0]["text"]
    return text.split("\n")


def states(cli: Cli) -> list[str]:
    return [c["state"] for c in cli.json("conflict", "list")["conflicts"]]


def only(cli: Cli, *words: str) -> dict[str, Any]:
    (found,) = cli.json("conflict", "list", *words)["conflicts"]
    assert isinstance(found, dict)
    return found


def test_an_open_conflict_has_an_exit_code_and_the_shape_that_scripts_rely_on(cli: Cli, home: Home) -> None:
    assert clash(cli, home, "ask") == 4
    found = only(cli, "--open")
    assert list(found) == [
        *("id", "uid", "name", "account", "field", "base", "device", "remote", "winner", "state", "run"),
        *("at", "device_at", "remote_at"),
    ]
    assert found["device_at"] and found["remote_at"] is None  # Radicale's cards have no REV here
    assert (found["uid"], found["name"], found["account"]) == ("ada", "Ada", "home")
    assert found["field"] == "notes/note"
    assert [found[side]["text"] for side in ("base", "device", "remote")] == ["before", "here", "there"]
    assert (found["winner"], found["state"]) == (None, "open")
    assert isinstance(found["id"], str) and isinstance(found["run"], int)


def test_people_see_both_values_and_how_to_take_one(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask")
    result = cli("sync")
    assert result.code == 4 and "1 conflict waits for you" in result.err
    assert "conflict list --open" in result.err
    conflict = only(cli)["id"]
    listed = cli.ok("conflict", "list")
    assert "here" in listed and "there" in listed and "open" in listed
    shown = cli("conflict", "show", conflict)
    assert all(word in shown.out for word in ("before", "here", "there", "(set 20"))
    assert "  now" not in shown.out
    for side in ("device", "remote"):
        assert f"conflict resolve {conflict} --take {side}" in shown.err
    assert "conflict waits for you" in cli.ok("status")


@pytest.mark.parametrize(
    ("take", "note"), [("device", ["here"]), ("remote", ["there"]), ("both", ["here", "there"])]
)
def test_a_conflict_is_resolved_and_the_answer_crosses(
    cli: Cli, home: Home, take: str, note: list[str]
) -> None:
    clash(cli, home, "ask")
    conflict = only(cli)["id"]
    answer = cli.json("conflict", "resolve", conflict, "--take", take)
    assert answer == {"id": conflict, "uid": "ada", "take": take, "changed": take != "device"}
    cli.ok("sync")
    assert notes(cli) == note
    (path,) = home.server.etags(home.book)
    assert all(word.encode() in (home.server.get(path) or b"") for word in note)
    assert only(cli)["state"] == "resolved"
    assert cli.json("conflict", "list", "--open") == {"conflicts": []}


def test_a_conflict_that_a_policy_decided_is_no_failure(cli: Cli, home: Home) -> None:
    assert clash(cli, home, "device") == 0
    found = only(cli)
    assert (found["winner"], found["state"]) == ("device", "decided")
    assert "decided: device" in cli.ok("conflict", "list")


def test_what_is_no_conflict_is_said(cli: Cli) -> None:
    assert cli("conflict", "list").err == "There are no conflicts.\n"
    assert cli("conflict", "show", "1").code == 2
    assert cli("conflict", "resolve", "1", "--take", "device").code == 2
    assert cli("conflict", "resolve", "1").code == 2
    assert cli("conflict", "resolve", "1", "--take", "mine").code == 2


def test_the_list_says_what_to_do_next_as_long_as_something_waits(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask")
    assert "1 conflict waits for you" in cli("conflict", "list").err
    assert cli("conflict", "list").err.rstrip().endswith("conflict review")
    assert cli("-q", "conflict", "list").err == ""
    assert "conflict review" in cli.ok("status")
    cli.ok("conflict", "resolve", "1", "--take", "device")
    assert cli("conflict", "list").err == ""


def test_the_list_is_readable_with_long_notes(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask")
    long = "A note\\nthat goes on and on, for longer than any line of a terminal can be"
    cli.ok("contact", "put", stdin=card("ada", "Ada", f"NOTE:{long}"))
    cli("sync")
    piped = cli.ok("conflict", "list").splitlines()
    assert len(piped) == 2 and "A note that goes on and on, f…  there" in piped[1]
    assert only(cli)["device"]["text"].endswith("can be")
    with Terminal(cli, "conflict", "list", columns=80) as terminal:
        assert terminal.end() == 0
    table = terminal.plain.split("1 conflict waits")[0].splitlines()
    assert len(table) == 2 and all(width(line) <= 80 for line in table)
    assert "A note that" in table[1] and "…" in table[1] and table[1].rstrip().endswith("open")


def test_show_says_what_the_contact_has_now_and_what_was_answered(cli: Cli, home: Home) -> None:
    clash(cli, home, "device")
    assert "  now" not in cli.ok("conflict", "show", "1")
    shown = cli("conflict", "show", "1")
    assert "--take remote" in shown.err and "--take device" not in shown.err
    assert cli.json("conflict", "show", "1")["now"]["text"] == "here"

    cli.ok("contact", "put", stdin=card("ada", "Ada", "NOTE:later"))
    shown = cli("conflict", "show", "1")
    assert "now      later" in shown.out and "changed" not in shown.out
    document = cli.json("conflict", "show", "1")
    assert list(document)[-1] == "now" and document["now"]["text"] == "later"

    cli.ok("conflict", "resolve", "1", "--take", "remote")
    shown = cli("conflict", "show", "1")
    assert "It is settled: somebody answered remote." in shown.err
    assert "--take device" in shown.err and "--take remote" not in shown.err

    cli.ok("contact", "delete", "ada")
    assert cli.json("conflict", "show", "1")["now"] is None


def test_show_knows_when_both_sides_agreed_by_themselves(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask")
    cli.ok("contact", "put", stdin=card("ada", "Ada", "NOTE:there"))
    cli.ok("sync")
    assert "both sides came to the same value" in cli("conflict", "show", "1").err


def test_show_finds_an_entry_that_was_edited_since(cli: Cli, home: Home) -> None:
    clash(cli, home, "device", ada="TITLE")
    cli.ok("contact", "put", stdin=card("ada", "Ada", "TITLE:later"))
    assert only(cli)["field"] == "titles/title:before"
    assert cli.json("conflict", "show", "1")["now"]["name"] == "later"


# --- by one rule ---


def test_many_are_settled_by_one_rule_and_those_that_cannot_be_are_named(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask", **ALL)
    ids = {c["uid"]: c["id"] for c in cli.json("conflict", "list")["conflicts"]}
    answer = cli.json("conflict", "resolve", "--all", "--take", "both", code=3)
    failed = {"id": ids["bob"], "name": "Bob", "field": "titles/title:before"}
    assert [{k: v for k, v in f.items() if k != "reason"} for f in answer["failed"]] == [failed]
    assert "can hold one value only" in answer["failed"][0]["reason"]
    assert set(answer["resolved"]) == set(answer["changed"]) == {ids["ada"], ids["cyd"]}
    assert answer["take"] == "both" and list(answer) == ["run", "take", "resolved", "changed", "failed"]
    assert notes(cli, "ada") == notes(cli, "cyd") == ["here", "there"]
    assert [c["uid"] for c in cli.json("conflict", "list", "--open")["conflicts"]] == ["bob"]

    run = str(answer["run"])
    assert "conflict settled (Ada: note, both)" in cli.ok("run", "show", run)
    cli.ok("run", "undo", run)  # it was one run
    assert notes(cli, "ada") == notes(cli, "cyd") == ["here"]
    assert states(cli) == ["open"] * 3

    refused = cli("conflict", "resolve", "--all", "--take", "both")
    assert refused.code == 3 and refused.out == "2 conflicts settled; the next round carries it.\n"
    assert "Bob: titles/title:before can hold one value only." in refused.err
    none = cli.json("conflict", "resolve", "--all", "--take", "both", code=3)
    assert none["run"] is None and none["resolved"] == []


def test_only_those_of_a_field_an_account_or_a_number_are_settled(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask", **ALL)
    words = ("conflict", "resolve", "--take", "remote")
    assert "1 conflict settled" in cli.ok(*words, "--all", "--field", "titles", "--account", "home")
    assert states(cli).count("open") == 2
    assert cli("conflict", "resolve", "--all", "--take", "remote", "--field", "title").code == 2
    assert cli(*words, "--all", "--account", "work").code == 2
    assert "No conflict waits there." in cli(*words, "--all", "--field", "titles").err
    waiting = [c["id"] for c in cli.json("conflict", "list", "--open")["conflicts"]]
    assert cli.json(*words, *waiting, waiting[0])["changed"] == waiting
    assert cli.json(*words, *waiting)["changed"] == []  # said again, it changes nothing


def test_a_dry_run_shows_what_would_change_and_writes_nothing(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask", **ALL)
    before = cli.json("run", "list")
    words = ("conflict", "resolve", "--take", "remote", "--dry-run")
    shown = cli.ok(*words, "--all")
    assert "    ~ note: here -> there" in shown and "3 conflicts would be settled" in shown
    document = cli.json(*words, "--all")
    assert document["dry_run"] is True and document["run"] is None and len(document["resolved"]) == 3
    assert {step["name"] for step in document["steps"]} == {"Ada", "Bob", "Cyd"}
    assert "Nothing was written." in cli.ok(*words, "1")
    document = cli.json(*words, "1")
    assert (document["id"], document["changed"], document["dry_run"]) == ("1", True, True)
    assert [change["new"] for change in document["steps"][0]["changes"]] == ["there"]
    assert states(cli) == ["open"] * 3 and cli.json("run", "list") == before
    assert notes(cli) == ["here"]


def test_what_cannot_be_meant_is_refused(cli: Cli) -> None:
    words = ("conflict", "resolve", "--take", "device")
    assert cli(*words).code == 2
    assert cli(*words, "1", "--all").code == 2
    assert cli(*words, "1", "--field", "notes").code == 2
    assert cli(*words, "1", "2").code == 2
    nothing = {"run": None, "take": "device", "resolved": [], "changed": [], "failed": []}
    assert cli.json(*words, "--all") == nothing


def test_a_rule_passes_over_what_somebody_answered_meanwhile(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask")
    with Engine(load(cli.config), cli.data) as engine:
        read = engine.conflicts(only_open=True)
        cli.ok("conflict", "resolve", "1", "--take", "remote")
        answered = engine.resolve_all(read, "device")
    assert answered.run is None and not answered.changed
    assert [reason for _, reason in answered.failed] == ["Conflict 1 has moved on since it was shown."]
    assert notes(cli) == ["there"]


# --- one by one ---


def test_a_review_is_for_a_person_at_a_terminal(cli: Cli) -> None:
    alone = cli("conflict", "review")
    assert alone.code == 2 and "conflict resolve --all --take device|remote" in alone.err
    assert cli("--json", "conflict", "review").error["kind"] == "usage"
    with Terminal(cli, "conflict", "review") as terminal:
        assert terminal.end() == 0
    assert "There is nothing to review." in terminal.plain


def test_each_conflict_is_answered_by_one_key(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask", **{**ALL, "dan": "NOTE", "eve": "NOTE"})
    with Terminal(cli, "conflict", "review") as terminal:
        shown = terminal.press("r")
        assert all(text in shown for text in ("Ada", "home", "field    note", "before   before", "1 of 5"))
        assert any(line.split() == ["here", "|", "there"] for line in shown.splitlines())
        assert "b=both" not in terminal.press("b")  # Bob's title holds one value
        assert "Not possible here" in terminal.press("D")
        terminal.press("b")
        terminal.press("n")
        terminal.press(" ")
        terminal.until("any other key ends")
        terminal.type("x")
        assert terminal.end() == 4
    assert "4 conflicts answered, 1 skipped; the next round carries it." in terminal.plain
    assert [notes(cli, uid) for uid in ("ada", "cyd", "dan", "eve")] == [
        *(["there"], ["here", "there"], ["here"], ["here"])
    ]
    assert states(cli) == [*["resolved"] * 4, "open"]
    cli("sync")
    cards = b"".join(home.server.get(path) or b"" for path in home.server.etags(home.book))
    assert cards.count(b"there") == 3  # Ada's and Cyd's, and Eve's, which waits


def test_the_last_answer_is_taken_back_from_the_terminal(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask")
    with Terminal(cli, "conflict", "review") as terminal:
        terminal.press("r")
        terminal.until("any other key ends")
        assert notes(cli) == ["there"]
        terminal.type("u")
        assert "taken back" in terminal.press("d")
        terminal.until("any other key ends")
        terminal.type("q")
        assert terminal.end() == 0
    assert notes(cli) == ["here"] and states(cli) == ["resolved"]


def test_quitting_in_the_middle_keeps_the_answers(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask", **dict.fromkeys(("ada", "bob", "cyd", "dan", "eve"), "NOTE"))
    for left, key in zip((4, 3, 2, 1), ("q", "\x1b", "\x03", "\x04"), strict=True):
        with Terminal(cli, "conflict", "review") as terminal:
            terminal.press("r")
            terminal.press(key)
            assert terminal.end() == 4
        assert f"1 conflict answered, {left} left; the next round carries it." in terminal.plain
        assert "Traceback" not in terminal.plain
        assert states(cli).count("open") == left


def test_what_is_answered_elsewhere_meanwhile_is_passed_over(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask", ada="NOTE", cyd="NOTE")
    with Terminal(cli, "conflict", "review") as terminal, Terminal(cli, "conflict", "review") as other:
        terminal.until("?=help")
        other.press("r")
        other.until("?=help")
        terminal.type("d")
        shown = terminal.press("d")
        assert "has moved on since it was shown" in shown and "settled meanwhile; it is skipped" in shown
        assert "Cyd" in shown
        terminal.until("any other key ends")
        terminal.type("q")
        other.type("r")
        assert "Cyd, note is settled meanwhile" in other.until("any other key ends")
        other.type("q")
        assert (terminal.end(), other.end()) == (0, 0)
    assert (notes(cli, "ada"), notes(cli, "cyd")) == (["there"], ["here"])


def test_what_a_round_moved_on_meanwhile_is_shown_anew(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask")
    with Terminal(cli, "conflict", "review") as terminal:
        terminal.until("?=help")
        (path,) = home.server.etags(home.book)
        change_there(home, path, b"there", b"elsewhere")
        assert cli("sync").code == 4
        terminal.type("r")
        shown = terminal.press("r")
        assert "has moved on since it was shown" in shown and "elsewhere" in shown
        terminal.until("any other key ends")
        terminal.type("q")
        assert terminal.end() == 0
    assert notes(cli) == ["elsewhere"]


def test_what_a_policy_decided_is_reviewed_too_when_asked_for(cli: Cli, home: Home) -> None:
    clash(cli, home, "device")
    cli.ok("contact", "put", stdin=card("ada", "Ada", "NOTE:later"))
    with Terminal(cli, "conflict", "review") as terminal:
        assert terminal.end() == 0
    with Terminal(cli, "conflict", "review", "--all") as terminal:
        shown = terminal.press("r")
        assert "decided: device" in shown and "now      later" in shown
        terminal.until("any other key ends")
        terminal.type("q")
        assert terminal.end() == 0
    assert notes(cli) == ["there"] and states(cli) == ["resolved"]


def test_strange_names_and_long_notes_fit_the_terminal(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask")
    long = "A note that goes on and on, for longer than any line, שלום עולם " + "x" * 70
    cli.ok("contact", "put", stdin=card("ada", "דניאל\x1b]0;evil\x07 \u202eeslaf", f"NOTE:{long}\x1b[2J"))
    cli("sync")
    for columns, beside in ((40, False), (59, False), (60, True), (100, True)):
        with Terminal(cli, "conflict", "review", columns=columns) as terminal:
            terminal.press("q")
            assert terminal.end() == 4
        assert "\x1b]" not in terminal.screen and "\x1b[2J" not in terminal.screen
        assert not set("\x07\u202e") & set(terminal.screen)
        lines = terminal.plain.split("0 conflicts answered")[0].splitlines()
        assert all(width(line.replace("\u200e", "")) <= columns for line in lines)
        assert "name     דניאל" in terminal.plain
        assert any(" | " in line for line in lines) is beside
        assert terminal.plain.count("x") >= 70


def test_differences_are_coloured_where_colours_are_wanted(cli: Cli, home: Home) -> None:
    clash(cli, home, "ask")
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        with Terminal(cli, "conflict", "review", **env) as terminal:
            terminal.press("q")
            terminal.end()
        assert ("33mthere" in terminal.screen) is coloured


def test_a_contact_deleted_here_and_changed_there_is_shown_with_all_its_fields(cli: Cli, home: Home) -> None:
    cli.ok("account", "set", "home", "--conflicts", "ask")
    cli.ok("contact", "put", stdin=card("ada", "Ada", "NOTE:before"))
    cli.ok("sync")
    (path,) = home.server.etags(home.book)
    change_there(home, path, b"before", b"there")
    cli.ok("contact", "delete", "ada")
    cli("sync")
    assert only(cli)["field"] == "contact"
    with Terminal(cli, "conflict", "review", "--all", columns=100) as terminal:
        assert "(deleted)" in (shown := terminal.press("q")) and "notes/note: there" in shown
