"""Contacts and groups on the device."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from contactsync.cli import editing, session
from tests.cli.conftest import ADA, Cli, Home, card

GRACE = card("grace", "Grace", "TEL:+1 555 0100", "NOTE:first\\nsecond")


def test_contacts_are_put_from_stdin_and_from_a_file(cli: Cli) -> None:
    assert cli.ok("contact", "put", "-", stdin=ADA + GRACE) == "ada\ngrace\n"
    assert cli.ok("contact", "put", stdin=ADA) == "ada\n"
    assert cli.ok("contact", "put", cli.file("one.vcf", ADA)) == "ada\n"
    assert len(cli.json("contact", "list")["contacts"]) == 2


def test_a_card_without_uid_gets_one(cli: Cli) -> None:
    found = cli.json("contact", "put", stdin=b"BEGIN:VCARD\nVERSION:3.0\nFN:No\nEND:VCARD\n")
    assert found["errors"] == [] and cli.json("contact", "show", found["uids"][0])["uid"] == found["uids"][0]


def test_an_unreadable_card_does_not_stop_the_others(cli: Cli) -> None:
    result = cli("contact", "put", stdin=b"BEGIN:VCARD\nFN:cut\n" + ADA)
    assert result.code == 3 and result.out == "ada\n" and "standard input, line 1: cut: " in result.err
    found = cli.json("contact", "put", stdin=b"BEGIN:VCARD\nFN:cut\n" + ADA, code=3)
    assert found["uids"] == ["ada"]
    assert set(found["errors"][0]) == {"uid", "remote_ref", "name", "reason"}


@pytest.mark.parametrize(("text", "word"), [(b"", "no vCard"), (b'{"uid": 1', "JSON"), (b"[]", "no Card")])
def test_what_is_no_card_is_a_slip(cli: Cli, text: bytes, word: str) -> None:
    result = cli("contact", "put", stdin=text)
    assert result.code == 2 and word in result.err


def test_a_file_that_is_not_there_is_a_slip(cli: Cli) -> None:
    assert cli("contact", "put", str(cli.folder / "none.vcf")).code == 2


def test_the_list_has_the_shape_that_scripts_rely_on(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("sync")
    cli.ok("contact", "put", stdin=GRACE)
    ada = {"uid": "ada", "name": "Ada Lovelace", "accounts": ["home"], "held": False}
    grace = {"uid": "grace", "name": "Grace", "accounts": [], "held": False}
    assert cli.json("contact", "list")["contacts"] == [grace, ada]
    assert cli.json("contact", "list", "--query", "lovelace")["contacts"] == [ada]
    assert cli.json("contact", "list", "--group", "Friends")["contacts"] == [ada]
    assert cli("contact", "list", "--query", "nobody").err == "No contact fits.\n"
    assert cli("contact", "list", "--group", "Nobodies").code == 2


def test_the_list_shows_as_much_of_a_uid_as_names_one_contact(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=card("prefix-long-1", "One") + card("prefix-long-2", "Two"))
    lines = cli.ok("contact", "list").splitlines()
    assert lines[0].split() == ["ID", "NAME", "E-MAIL", "PHONE", "ACCOUNTS"]
    assert [line.split()[0] for line in lines[1:]] == ["prefix-long-1", "prefix-long-2"]


def test_a_contact_is_shown_to_people_and_to_programs(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA + GRACE)
    out = cli.ok("contact", "show", "Ada Lovelace")
    assert all(text in out for text in ("Ada Lovelace", "ada@x.example", "Friends", "this device only"))
    assert "first\n" in cli.ok("contact", "show", "gra")
    found = cli.json("contact", "show", "ada")
    assert found["uid"] == "ada" and found["groups"] == ["Friends"]
    assert found["emails"] == [{"address": "ada@x.example"}]


@pytest.mark.parametrize(("form", "version"), [("vcard4", "4.0"), ("vcard3", "3.0")])
def test_a_contact_is_shown_as_a_card(cli: Cli, form: str, version: str) -> None:
    cli.ok("contact", "put", stdin=ADA)
    out = cli.ok("contact", "show", "ada", "--format", form)
    assert f"VERSION:{version}" in out and "CATEGORIES:Friends" in out
    assert "BEGIN:VCARD" in cli.json("contact", "show", "ada", "--format", form)["card"]


def test_a_contact_goes_out_and_in_as_jscontact(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA)
    shown = cli.ok("contact", "show", "ada", "--format", "jscontact")
    assert '"address": "ada@x.example"' in shown
    edited = shown.replace("ada@x.example", "new@x.example")
    assert cli.ok("contact", "put", stdin=edited.encode()) == "ada\n"
    assert cli.json("contact", "show", "ada")["emails"] == [{"address": "new@x.example"}]
    result = cli("contact", "put", stdin=b'[{"@type": "Event"}, ' + edited.encode() + b"]")
    assert result.code == 3 and result.out == "ada\n" and "standard input, line 1" in result.err


def test_where_a_value_is_can_be_asked(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    assert "only here" in cli.ok("contact", "show", "ada", "--where")
    cli.ok("sync")
    values = cli.json("contact", "show", "ada", "--where")["values"]
    assert {
        "field": "emails/ada@x.example",
        "value": "ada@x.example",
        "accounts": ["home"],
        "missing": [],
    } in values


def test_a_name_that_fits_several_or_none_is_a_slip(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=card("a-1", "Same") + card("a-2", "Same"))
    for name in ("Same", "a-", "nobody"):
        assert cli("contact", "show", name).code == 2


def test_deleted_contacts_can_be_brought_back(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA + GRACE)
    assert cli.json("contact", "delete", "ada", "Grace")["deleted"][1] == {"uid": "grace", "name": "Grace"}
    trash = cli.json("contact", "trash")["contacts"]
    assert {c["uid"] for c in trash} == {"ada", "grace"} and set(trash[0]) == {"uid", "name", "deleted_at"}
    assert "Ada Lovelace" in cli.ok("contact", "trash")
    assert cli.ok("contact", "restore", "ada") == "Restored Ada Lovelace (ada)\n"
    assert [c["uid"] for c in cli.json("contact", "list")["contacts"]] == ["ada"]


def test_a_contact_can_be_deleted_here_only(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("sync")
    cli.ok("contact", "delete", "--here-only", "ada")
    cli.ok("sync")
    assert len(home.server.etags(home.book)) == 1


def test_forgetting_for_good_asks_or_wants_a_word(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.ok("contact", "put", stdin=ADA + GRACE)
    cli.ok("contact", "delete", "ada", "grace")
    result = cli("contact", "purge", "ada")
    assert result.code == 2 and "--yes" in result.err
    monkeypatch.setattr(session, "is_a_person_there", lambda: True)
    assert cli("contact", "purge", "ada", stdin=b"n\n").code == 1
    assert cli("contact", "purge", "ada", stdin=b"y\n").code == 0
    assert cli.json("contact", "purge", "grace", "--yes") == {"purged": [{"uid": "grace", "name": "Grace"}]}
    assert cli("contact", "trash").err == "The trash is empty.\n"


def test_history_says_what_changed_when_by_which_run_and_from_where(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=ADA)
    cli.ok("sync")
    cli.ok("contact", "put", stdin=ADA.replace(b"ada@x", b"ada@y"))
    steps = cli.json("contact", "history", "ada")["history"]
    assert [(s["action"], s["side"], s["account"]) for s in steps] == [
        ("create", "device", None),
        ("create", "remote", "home"),
        ("update", "device", None),
    ]
    assert {c["old"] for c in steps[2]["changes"]} >= {"ada@x.example"}
    assert [s["kind"] for s in steps] == ["edit", "sync", "edit"]
    result = cli("contact", "history", "ada")
    assert f"(sync): created in home/{home.name}\n" in result.out
    assert "(edit): changed here\n    ~ e-mail: ada@x.example -> ada@y.example\n" in result.out
    assert "+ group: Friends" in result.out
    assert f"run undo {steps[2]['run']}" in result.err


def test_a_contact_that_came_in_says_from_where(cli: Cli, home: Home) -> None:
    home.server.put(f"{home.book}ada.vcf", card("ada", "Ada"))
    cli.ok("sync")
    assert f"(sync): created here, came from home/{home.name}\n" in cli.ok("contact", "history", "ada")


def test_two_contacts_become_one(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA + GRACE)
    tried = cli.json("contact", "merge", "ada", "grace", "--dry-run")
    assert tried["dry_run"] is True and [step["action"] for step in tried["steps"]] == ["update", "delete"]
    assert "phones" not in cli.json("contact", "show", "ada") and cli("contact", "show", "grace").code == 0
    merged = cli.json("contact", "merge", "ada", "grace")
    assert (merged["uid"], merged["name"]) == ("ada", "Ada Lovelace")
    assert cli.json("contact", "show", "grace")["phones"]
    assert cli("contact", "merge", "ada", "ada").code == 2
    assert cli("contact", "merge", "ada", "grace").code == 2


def test_a_wrong_merge_is_found_in_the_trash_in_the_history_and_in_the_runs(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA + GRACE)
    before = [cli.json("contact", "show", uid) for uid in ("ada", "grace")]
    result = cli("contact", "merge", "ada", "grace")
    run = cli.json("run", "list")["runs"][0]
    assert run["kind"] == "merge" and f"run undo {run['id']}" in result.err
    assert f"run {run['id']} (merge): changed here (merged with Grace" in cli.ok("contact", "history", "ada")
    (gone,) = cli.json("contact", "trash")["contacts"]
    assert (gone["name"], gone["merged_into"]) == ("Grace", "ada")
    trash = cli("contact", "trash")
    assert "merged into Ada Lovelace" in trash.out and f"contact restore {gone['uid']}" in trash.err
    assert "Grace" in cli.ok("contact", "restore", "Grace", "--dry-run")
    assert cli.json("contact", "list")["contacts"][0]["name"] == "Ada Lovelace"
    cli.ok("contact", "restore", "Grace")
    for was in before:
        now = cli.json("contact", "show", was["uid"])
        assert {k: v for k, v in now.items() if k != "updated_at"} == {
            k: v for k, v in was.items() if k != "updated_at"
        }


def test_groups_are_listed_renamed_and_deleted(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA)
    assert cli.json("group", "list") == {"groups": [{"name": "Friends", "members": 1}]}
    assert cli.ok("group", "list").splitlines()[1].split() == ["Friends", "1"]
    cli.ok("group", "rename", "Friends", "Mates")
    assert cli.json("contact", "show", "ada")["groups"] == ["Mates"]
    assert "its 1 member stays" in cli.ok("group", "delete", "Mates")
    assert "groups" not in cli.json("contact", "show", "ada")
    assert cli("group", "list").err == "There are no groups.\n"
    assert cli("group", "delete", "Mates").code == 2


# --- edit ---


@pytest.fixture
def editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program in the place of an editor; the test writes what it does with ``text``."""
    script = tmp_path / "editor.py"
    monkeypatch.setenv("VISUAL", shlex.join([sys.executable, str(script)]))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return script


def edits(script: Path, body: str) -> None:
    script.write_text(
        "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n"
        "assert path.stat().st_mode & 0o077 == 0\ntext = path.read_bytes()\n" + body
    )


def left_over(script: Path) -> list[Path]:
    return list(script.parent.glob("contactsync-*.vcf"))


def test_an_edit_is_carried_over_and_the_rest_stays(cli: Cli, editor: Path) -> None:
    cli.ok("contact", "put", stdin=ADA)
    edits(
        editor, "path.write_bytes(text.replace(b'FN:Ada', b'FN:Augusta Ada').replace(b'UID:ada', b'UID:x'))"
    )
    assert cli.json("contact", "edit", "ada") == {"uid": "ada", "changed": True}
    found = cli.json("contact", "show", "ada")
    assert found["name"]["full"] == "Augusta Ada Lovelace" and found["groups"] == ["Friends"]
    assert left_over(editor) == []


def test_an_edit_meets_what_changed_meanwhile(cli: Cli, editor: Path) -> None:
    cli.ok("contact", "put", stdin=ADA)
    meanwhile = cli.file("meanwhile.vcf", ADA.replace(b"EMAIL", b"TEL:1234567\r\nEMAIL"))
    put = ["-m", "contactsync", "--config", str(cli.config), "--data-dir", str(cli.data), "contact", "put"]
    call = (
        f"import subprocess; subprocess.run({[sys.executable, *put, meanwhile]!r}, check=True, stdout=-3)\n"
    )
    edits(editor, call + "path.write_bytes(text.replace(b'FN:Ada', b'FN:Augusta Ada'))")
    cli.ok("contact", "edit", "ada")
    found = cli.json("contact", "show", "ada")
    assert found["name"]["full"] == "Augusta Ada Lovelace" and found["phones"]


def test_a_file_that_comes_back_as_it_was_changes_nothing(cli: Cli, editor: Path) -> None:
    cli.ok("contact", "put", stdin=ADA)
    edits(editor, "")
    assert "was not changed" in cli.ok("contact", "edit", "ada")
    assert len(cli.json("contact", "history", "ada")["history"]) == 1


def test_a_broken_edit_is_kept_where_nobody_can_be_asked(cli: Cli, editor: Path) -> None:
    cli.ok("contact", "put", stdin=ADA)
    edits(editor, "path.write_bytes(b'my long text')")
    result = cli("contact", "edit", "ada")
    (kept,) = left_over(editor)
    assert result.code == 1 and str(kept) in result.err and kept.read_bytes() == b"my long text"


def test_a_broken_edit_can_be_edited_again(cli: Cli, editor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.ok("contact", "put", stdin=ADA)
    monkeypatch.setattr(editing, "is_a_person_there", lambda: True)
    first = "path.write_bytes(text.replace(b'END:VCARD', b'XX').replace(b'FN:Ada', b'FN:Eda'))"
    again = "path.write_bytes(text.replace(b'XX', b'END:VCARD'))"
    edits(editor, f"{again} if b'XX' in text else {first}")
    result = cli("contact", "edit", "ada", stdin=b"y\n")
    assert result.code == 0 and "This is not a card" in result.err
    assert cli.json("contact", "show", "ada")["name"]["full"] == "Eda Lovelace"


def test_an_editor_that_fails_or_is_not_there_is_said(
    cli: Cli, editor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.ok("contact", "put", stdin=ADA)
    edits(editor, "sys.exit(3)")
    assert "exit code 3" in cli("contact", "edit", "ada").err
    monkeypatch.setenv("VISUAL", "/nonexistent/editor")
    assert cli("contact", "edit", "ada").code == 2
    monkeypatch.delenv("VISUAL")
    monkeypatch.delenv("EDITOR", raising=False)
    assert "Set EDITOR" in cli("contact", "edit", "ada").err
    assert left_over(editor) == []


def test_a_birthday_is_called_so(cli: Cli) -> None:
    days = card("ada", "Ada", "BDAY:1815-12-10", "ANNIVERSARY:1835-07-08").replace(
        b"VERSION:3.0", b"VERSION:4.0"
    )
    cli.ok("contact", "put", stdin=days)
    shown = cli.ok("contact", "show", "ada")
    assert "birthday         1815-12-10" in shown and "wedding day      1835-07-08" in shown
    assert "+ birthday: 1815-12-10" in cli.ok("contact", "history", "ada")


def test_a_part_of_a_name_is_told_what_would_do(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=card("ada", "Ada Lovelace"))
    assert (
        "the beginning of one, or the exact name: contactsync contact list"
        in cli("contact", "show", "Love").err
    )
