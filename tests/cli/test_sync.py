"""Rounds, their reports, the brake, and every exit code that a round can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from contactsync.api import Engine
from contactsync.engine.lock import sync_lock
from tests.cli.conftest import ADA, Cli, Home, card


def many(count: int, *lines: str) -> bytes:
    return b"".join(card(f"uid-{i}", f"Person {i}", *lines) for i in range(count))


def test_a_round_has_the_shape_that_scripts_rely_on(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    report = cli.json("sync", "home")
    assert set(report) == {"run", "ok", "accounts"} and report["ok"] is True
    (account,) = report["accounts"]
    assert {key: account[key] for key in ("name", "type", "state")} == {
        "name": "home",
        "type": "carddav",
        "state": "ok",
    }
    (book,) = account["books"]
    assert book["name"] == home.name and book["href"] == home.book
    assert book["pushed"] == {"created": 1, "updated": 0, "deleted": 0}
    assert book["pulled"] == {"created": 0, "updated": 0, "deleted": 0}
    counters = {"conflicts", "duplicates_for_review", "requests", "bytes_sent", "bytes_received", "seconds"}
    assert set(book) == {"name", "href", "pulled", "pushed", "errors"} | counters


def test_people_read_one_line_for_each_book(cli: Cli, home: Home) -> None:
    home.server.put(f"{home.book}x.vcf", card("x", "X"))
    cli.ok("contact", "put", stdin=ADA)
    assert cli.ok("sync") == f"home/{home.name}: received 1 new; sent 1 new\n"
    assert cli.ok("sync") == f"home/{home.name}: nothing to do\n"


def test_a_plan_of_two_accounts_says_that_each_is_planned_without_the_other(cli: Cli, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ada.vcf").write_bytes(ADA)
        cli.ok("account", "add", "vdir", name, "--path", str(tmp_path / name))
    both = cli("plan")
    assert both.out.count("would receive 1 new") == 2 and "found again, not sent" in both.err
    assert "found again" not in cli("plan", "one").err
    assert "received 1 new" in cli.ok("sync") and len(cli.json("contact", "list")["contacts"]) == 1
    assert "found again" not in cli("plan").err


def test_a_quiet_round_costs_one_request_and_no_database_library(
    cli: Cli, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.ok("sync")
    cli.ok("sync")
    monkeypatch.setattr("contactsync.api.Engine", None)
    (account,) = cli.json("sync")["accounts"]
    assert account["books"][0]["requests"] == 1


def test_a_plan_shows_the_fields_and_changes_nothing(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("sync")
    cli.ok("contact", "put", stdin=ADA.replace(b"ada@x", b"ada@y"))
    out = cli.ok("plan")
    assert f"home/{home.name}: would send 1 changed" in out
    assert f"  update Ada Lovelace in {home.name}" in out
    assert "ada@x.example -> ada@y.example" in out
    assert cli.ok("sync", "--dry-run") == out
    (line,) = cli.json("plan")["accounts"][0]["plan"]
    assert (line["uid"], line["side"], line["action"]) == ("ada", "remote", "update")
    (path,) = home.server.etags(home.book)
    assert b"ada@x" in (home.server.get(path) or b"")


def test_a_mass_deletion_stops_with_the_command_that_lets_it_through(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=many(15))
    cli.ok("sync")
    cli.ok("contact", "delete", *(f"uid-{i}" for i in range(12)))
    result = cli("sync", "home")
    assert result.code == 7
    assert "would delete 12 of 15" in result.err
    assert result.err.rstrip().endswith("sync home --max-delete 12")
    report = cli.json("sync", code=7)
    assert report["accounts"][0]["state"] == "guard"
    assert report["accounts"][0]["guard"] == {
        "kind": "mass-delete",
        "would_delete": 12,
        "of": 15,
        "side": "remote",
    }
    assert cli("sync", "--max-delete", "11").code == 7
    assert cli("sync", "--max-delete", "50%").code == 7
    assert len(home.server.etags(home.book)) == 15
    cli.ok("sync", "home", "--max-delete", "12")
    assert len(home.server.etags(home.book)) == 3


def test_a_mass_deletion_can_be_allowed(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=many(12))
    cli.ok("sync")
    cli.ok("contact", "delete", *(f"uid-{i}" for i in range(12)))
    assert "sent 12 deleted" in cli.ok("sync", "--allow-mass-delete")


@pytest.mark.parametrize("limit", ["x", "-1", "1.5", "%", "٣"])
def test_a_limit_that_is_none_is_refused(cli: Cli, home: Home, limit: str) -> None:
    result = cli("sync", f"--max-delete={limit}")
    assert result.code == 2 and "--max-delete 50%" in result.err


def test_a_second_run_waits_and_then_says_so(cli: Cli, home: Home) -> None:
    with sync_lock(cli.data):
        for words in (("sync", "--wait", "0"), ("sync", "--dry-run", "--wait", "0")):
            result = cli("--json", *words)
            assert result.code == 8 and result.error["kind"] == "locked"
    cli.ok("sync")


def test_without_an_account_it_is_said_how_to_add_one(cli: Cli) -> None:
    result = cli("sync")
    assert result.code == 2 and "account add carddav" in result.err
    assert not cli.data.exists()


def test_an_unknown_account_is_a_slip(cli: Cli, home: Home) -> None:
    result = cli("sync", "hoem")
    assert result.code == 2 and "Did you mean 'home'?" in result.err


def test_a_server_that_is_away_is_temporary(cli: Cli, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    text = cli.config.read_text().replace(home.server.base_url, "http://127.0.0.1:9")
    cli.config.write_text(text)
    result = cli("sync")
    assert result.code == 5 and result.err.startswith("home: ")
    assert cli.json("sync", code=5)["accounts"][0]["state"] == "temporary"
    assert "temporary" in cli.ok("status")


def test_a_login_that_is_refused_now_is_told_apart(cli: Cli, home: Home) -> None:
    cli.file("password-home", b"changed")
    result = cli("sync")
    assert result.code == 6 and "refuses the login" in result.err
    assert cli.json("sync", code=6)["accounts"][0]["state"] == "login-needed"


def test_a_book_that_is_gone_is_an_error_and_never_a_deletion(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("sync")
    home.server.delete_book(home.book)
    result = cli("sync")
    assert result.code == 1 and "is not there any more" in result.err
    assert len(cli.json("contact", "list")["contacts"]) == 1


def test_a_card_that_cannot_be_sent_is_named_with_its_reason(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=card("big", "Big", "NOTE:" + "x" * 1_100_000) + ADA)
    result = cli("sync")
    assert result.code == 3
    assert "sent 1 new" in result.out and "1 card set aside" in result.out and "Big: " in result.err


def test_an_interruption_is_said_in_words_and_by_its_code(
    cli: Cli, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "sync", interrupted)
    result = cli("sync", "--dry-run")
    assert result.code == 130 and "the next run goes on" in result.err
    assert cli("--json", "plan").error["kind"] == "interrupted"
