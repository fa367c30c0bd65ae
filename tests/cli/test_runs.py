"""What happened, undoing it, and how things are."""

from __future__ import annotations

from tests.cli.conftest import ADA, Cli, Home


def test_runs_are_listed_newest_first(cli: Cli) -> None:
    assert cli("run", "list").err == "Nothing has happened yet.\n"
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("contact", "delete", "ada")
    found = cli.json("run", "list")["runs"]
    assert [run["kind"] for run in found] == ["delete", "edit"]
    assert set(found[0]) == {"id", "kind", "accounts", "started_at", "ended_at", "outcome"}
    assert len(cli.json("run", "list", "--limit", "1")["runs"]) == 1
    assert "delete" in cli.ok("run", "list")


def test_a_run_shows_each_field_on_each_side(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    run = str(cli.json("sync")["run"])
    shown = cli.json("run", "show", run)
    assert shown["accounts"] == ["home"] and shown["report"]["ok"] is True
    (step,) = shown["steps"]
    assert (step["name"], step["side"], step["action"]) == ("Ada Lovelace", "remote", "create")
    assert {"field": "emails/ada@x.example", "old": "", "new": "ada@x.example"} in step["changes"]
    assert "emails/ada@x.example: ada@x.example" in cli.ok("run", "show", run)
    assert cli("run", "show", "999").code == 2


def test_a_run_is_undone_by_ordinary_edits(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("contact", "put", stdin=ADA.replace(b"ada@x", b"ada@y"))
    run = str(cli.json("run", "list")["runs"][0]["id"])
    assert cli.ok("run", "undo", run) == f"1 contact is as before run {run}.\n"
    assert cli.json("contact", "show", "ada")["emails"][0]["address"] == "ada@x.example"


def test_what_an_undo_leaves_is_said(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("contact", "put", stdin=ADA.replace(b"Ada Lovelace", b"Augusta"))
    run = str(cli.json("run", "list")["runs"][0]["id"])
    cli.ok("contact", "put", stdin=ADA.replace(b"Ada Lovelace", b"Countess"))
    result = cli("run", "undo", run)
    assert result.code == 3 and "Left as it is: " in result.err
    assert cli("run", "undo", "999").code == 2


def test_status_is_one_screen(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    found = cli.json("status")
    assert found["contacts"] == 1 and found["conflicts"] == 0
    (account,) = found["accounts"]
    assert (account["name"], account["pending"], account["last_run"]) == ("home", 1, None)
    out = cli.ok("status")
    assert "1 contact on this device" in out and "never" in out and home.name in out


def test_status_of_a_new_device_says_what_to_do(cli: Cli) -> None:
    assert "account add carddav" in cli("status").err


def test_the_doctor_finds_a_healthy_device_healthy(cli: Cli, home: Home) -> None:
    cli.ok("sync")
    found = cli.json("doctor")
    assert found["ok"] is True
    assert all(set(finding) == {"ok", "subject", "message", "hint"} for finding in found["findings"])
    assert "Logged in as" in cli.ok("doctor", "home")


def test_the_doctor_finds_what_is_wrong(cli: Cli, home: Home) -> None:
    cli.data.chmod(0o755)
    result = cli("doctor")
    assert result.code == 1 and "WRONG" in result.out and f"chmod 700 {cli.data}" in result.out
    assert cli("doctor", "nobody").code == 2
