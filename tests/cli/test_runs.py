"""What happened, undoing it, and how things are."""

from __future__ import annotations

from tests.cli.conftest import ADA, Cli, Home


def test_runs_are_listed_newest_first(cli: Cli) -> None:
    assert cli("run", "list").err == "Nothing has happened yet.\n"
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("contact", "delete", "ada")
    found = cli.json("run", "list")["runs"]
    assert [run["kind"] for run in found] == ["delete", "edit"]
    assert set(found[0]) == {"id", "kind", "accounts", "started_at", "ended_at", "outcome", "did"}
    assert {"side": "local", "action": "delete", "count": 1, "name": "Ada Lovelace"} in found[0]["did"]
    assert len(cli.json("run", "list", "--limit", "1")["runs"]) == 1
    assert "deleted Ada Lovelace" in cli.ok("run", "list")


def test_a_run_shows_each_field_on_each_side(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    run = str(cli.json("sync")["run"])
    shown = cli.json("run", "show", run)
    assert shown["accounts"] == ["home"] and shown["report"]["ok"] is True
    (step,) = shown["steps"]
    assert (step["name"], step["side"], step["action"]) == ("Ada Lovelace", "remote", "create")
    assert {"field": "emails/ada@x.example", "old": "", "new": "ada@x.example"} in step["changes"]
    out = cli.ok("run", "show", run)
    assert f"Ada Lovelace: created in home/{home.name}\n" in out and "    + e-mail: ada@x.example\n" in out
    assert cli("run", "show", "999").code == 2


def test_a_run_is_undone_by_ordinary_edits(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("contact", "put", stdin=ADA.replace(b"ada@x", b"ada@y"))
    run = str(cli.json("run", "list")["runs"][0]["id"])
    assert cli.ok("run", "undo", run) == f"1 contact is as before run {run}.\n"
    assert cli.json("contact", "show", "ada")["emails"][0]["address"] == "ada@x.example"


def test_an_undo_can_be_tried_and_be_undone(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("contact", "put", stdin=ADA.replace(b"ada@x", b"ada@y"))
    run = str(cli.json("run", "list")["runs"][0]["id"])
    out = cli.ok("run", "undo", run, "--dry-run")
    assert (
        out.startswith("1 contact would be as before") and "~ e-mail: ada@y.example -> ada@x.example" in out
    )
    assert cli.json("contact", "show", "ada")["emails"][0]["address"] == "ada@y.example"
    undo = str(cli.json("run", "undo", run)["run"])
    assert cli.json("run", "undo", undo)["restored"] == 1
    assert cli.json("contact", "show", "ada")["emails"][0]["address"] == "ada@y.example"


def test_groups_are_as_before_too(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("group", "rename", "Friends", "Mates")
    rename = str(cli.json("run", "list")["runs"][0]["id"])
    assert "group renamed (Friends -> Mates)" in cli.ok("run", "show", rename)
    assert cli.ok("run", "undo", rename) == f"1 group is as before run {rename}.\n"
    assert cli.json("contact", "show", "ada")["groups"] == ["Friends"]
    cli.ok("group", "delete", "Friends")
    delete = str(cli.json("run", "list")["runs"][0]["id"])
    cli.ok("run", "undo", delete)
    assert cli.json("contact", "show", "ada")["groups"] == ["Friends"]


def test_former_values_of_what_a_run_sent_are_offered_one_by_one(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("sync")
    cli.ok("contact", "put", stdin=ADA.replace(b"ada@x", b"ada@y"))
    run = str(cli.json("sync")["run"])
    result = cli("run", "undo", run)
    assert result.code == 0 and result.out == f"0 contacts are as before run {run}.\n"
    assert "~ e-mail: ada@x.example -> ada@y.example" in result.err
    (offer,) = cli.json("run", "undo", run)["sent"]
    assert f"run undo {run} --sent {offer['step']}" in result.err
    assert cli("run", "undo", "1", "--sent", str(offer["step"])).code == 2
    assert cli.json("run", "undo", run, "--sent", str(offer["step"]))["restored"] == 1
    cli.ok("sync")
    (path,) = home.server.etags(home.book)
    assert b"ada@x.example" in (home.server.get(path) or b"")


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
