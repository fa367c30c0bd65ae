"""A field changed on both sides under the policy ``ask``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Cli, Home, card


def clash(cli: Cli, home: Home, policy: str) -> int:
    """One contact whose note was changed on both sides; the exit code of the round that meets it."""
    cli.ok("account", "set", "home", "--conflicts", policy)
    cli.ok("contact", "put", stdin=card("ada", "Ada", "NOTE:before"))
    cli.ok("sync")
    (path,) = home.server.etags(home.book)
    original = home.server.get(path) or b""
    home.server.put(path, original.replace(b"before", b"there"))
    cli.ok("contact", "put", stdin=card("ada", "Ada", "NOTE:here"))
    return cli("sync").code


def only(cli: Cli, *words: str) -> dict[str, Any]:
    (found,) = cli.json("conflict", "list", *words)["conflicts"]
    assert isinstance(found, dict)
    return found


def test_an_open_conflict_has_an_exit_code_and_the_shape_that_scripts_rely_on(cli: Cli, home: Home) -> None:
    assert clash(cli, home, "ask") == 4
    found = only(cli, "--open")
    assert list(found) == [
        *("id", "uid", "name", "account", "field", "base", "device", "remote", "winner", "state", "run", "at")
    ]
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
    assert all(word in shown.out for word in ("before", "here", "there")) and "--take" in shown.err
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
    assert cli.json("contact", "show", "ada")["notes"][0]["text"].split("\n") == note
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
