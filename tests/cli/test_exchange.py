"""Contacts in and out of files, backups and other people's servers."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cli.conftest import ADA, Cli, Home, card, login
from tests.servers import Server


def test_a_file_a_folder_and_stdin_are_imported_once(cli: Cli) -> None:
    folder = cli.folder / "cards"
    folder.mkdir()
    (folder / "one.vcf").write_bytes(card("one", "One"))
    found = cli.json("import", cli.file("ada.vcf", ADA), str(folder), "-", stdin=card("two", "Two"))
    assert (found["new"], found["merged"], found["equal"], found["held"], found["set_aside"]) == (
        3,
        0,
        0,
        0,
        0,
    )
    assert found["errors"] == [] and isinstance(found["run"], int)
    assert cli.json("import", str(folder))["equal"] == 1
    assert len(cli.json("contact", "list")["contacts"]) == 3


def test_people_are_told_what_was_imported_and_how_to_take_it_back(cli: Cli) -> None:
    result = cli("import", "--match", "never", cli.file("ada.vcf", ADA))
    assert result.out == "Imported: 1 contact new, 0 merged into contacts that were here, 0 here already.\n"
    assert "run undo" in result.err


def test_a_dry_import_shows_what_it_would_do(cli: Cli) -> None:
    out = cli.ok("import", "--dry-run", cli.file("ada.vcf", ADA))
    assert out.startswith("Would import: 1 contact new") and "create Ada Lovelace" in out
    assert cli.json("contact", "list")["contacts"] == []


def test_a_bad_card_is_set_aside_and_said(cli: Cli) -> None:
    result = cli("import", cli.file("mixed.vcf", b"BEGIN:VCARD\nFN:cut\n" + ADA))
    assert result.code == 3 and "1 card set aside" in result.out and "cut" in result.err


def test_what_cannot_be_imported_is_a_slip(cli: Cli) -> None:
    assert cli("import", str(cli.folder / "none.vcf")).code == 2
    assert cli("import").code == 2
    assert cli("import", "nobody").code == 2
    assert cli("import", "-", "carddav:x", "--username", "u", "--password-stdin", stdin=b"x").code == 2


def test_an_address_on_the_net_is_read_once_and_leaves_no_link(cli: Cli, radicale: Server) -> None:
    book = radicale.make_book("once")
    radicale.put(f"{book}one.vcf", card("one", "One"))
    secret = cli.file("secret", radicale.password.encode())
    words = ("import", f"carddav:{radicale.base_url}{book}", "--username", radicale.user)
    assert cli(*words).code == 2
    found = cli.json(*words, "--password-file", secret)
    by_stdin = cli.json(*words, "--password-stdin", stdin=radicale.password.encode())
    radicale.delete_book(book)
    assert found["new"] == 1 and by_stdin["equal"] == 1
    assert not cli.config.exists()


def test_an_account_is_imported_from_by_its_name(cli: Cli, home: Home) -> None:
    home.server.put(f"{home.book}x.vcf", card("x", "X"))
    assert cli.json("import", "home")["new"] == 1


def test_contacts_are_exported_to_stdout_a_file_and_a_folder(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=ADA + card("grace", "Grace"))
    assert cli.ok("export").count("VERSION:4.0") == 2
    assert cli.ok("export", "--format", "vcard3", "--query", "grace").count("VERSION:3.0") == 1
    assert "Ada" in cli.ok("export", "--group", "Friends")
    file, folder = cli.folder / "all.vcf", cli.folder / "each"
    result = cli("export", "--to", str(file))
    assert result.out == "" and result.err == f"2 contacts written to {file}\n"
    assert file.read_bytes().count(b"BEGIN:VCARD") == 2
    found = cli.json("export", "--to", str(folder), "--split", "--format", "vcard3")
    assert found == {"contacts": 2, "to": str(folder), "format": "vcard3", "left_out": []}
    assert {p.name for p in folder.iterdir()} == {"ada.vcf", "grace.vcf"}


def test_cards_and_a_document_do_not_share_stdout(cli: Cli) -> None:
    assert cli("--json", "export").error["kind"] == "usage"
    assert cli("export", "--split").code == 2
    assert cli("export", "--format", "pdf").code == 2


def test_a_backup_is_made_listed_and_restored(cli: Cli, home: Home) -> None:
    assert "There is no backup yet" in cli("backup", "list").err
    home.server.put(f"{home.book}x.vcf", card("x", "X"))
    cli.ok("sync")
    assert "There is no backup yet" in cli("backup", "list").err
    cli.ok("contact", "delete", "x")
    cli.ok("sync", "--allow-mass-delete")
    (row,) = cli.json("backup", "list")["backups"]
    assert (row["account"], row["cards"]) == ("home", 1) and set(row) == {
        *("file", "account", "book", "made_at", "cards")
    }
    assert row["file"] in cli.ok("backup", "list")
    assert "Would import" in cli.ok("backup", "restore", row["file"], "--dry-run")
    assert cli.json("backup", "restore", Path(row["file"]).name)["set_aside"] == 0
    assert cli("backup", "restore", "nothing.vcf").code == 2


def test_the_bench_can_drive_it(cli: Cli, radicale: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of the comparison with other programs, relative paths included."""
    monkeypatch.chdir(cli.folder)
    cli.file("password", radicale.password.encode())
    book = radicale.make_book("bench")
    words = login(cli, radicale, "bench")
    words[words.index("--url") + 1] += radicale.principal
    words[-1] = "password"
    cli.ok(*words, "--book", quote(book))
    (cli.folder / "import").mkdir()
    (cli.folder / "import" / "one.vcf").write_bytes(card("one", "One"))
    cli.ok("import", "--match", "never", "import")
    cli.ok("contact", "put", "-", stdin=card("one", "Eins") + card("two", "Two"))
    report = cli.json("sync")
    radicale.delete_book(book)
    assert report["ok"] and report["accounts"][0]["state"] == "ok"
    cli.ok("export", "--to", "export", "--format", "vcard3", "--split")
    assert len(list((cli.folder / "export").glob("*.vcf"))) == 2


def test_the_demo_tells_its_story_and_ends_well(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from contactsync.engine import demo

    def story(out: object, *, keep: bool) -> int:
        print("Once upon a time", file=out)  # type: ignore[call-overload]
        return int(keep)

    monkeypatch.setattr(demo, "run_demo", story)
    assert cli.ok("demo") == "Once upon a time\n"
    assert cli.json("demo", "--keep", code=1) == {"ok": False, "story": ["Once upon a time"]}


def test_a_table_in_another_language_is_read_with_the_names_of_its_columns(cli: Cli) -> None:
    table = cli.file("k.csv", b"Vorname;Nachname;E-Mail-Adresse\nLise;Meitner;lise@x.example\n")
    refused = cli("import", table)
    assert refused.code == 2 and "Vorname, Nachname" in refused.err and "--columns" in refused.err
    names = b'Vorname = "First Name"\nNachname = "Last Name"\n"E-Mail-Adresse" = "E-mail Address"\n'
    cli.ok("import", table, "--columns", cli.file("columns.toml", names))
    assert "Lise Meitner" in cli.ok("contact", "list")
    wrong = cli("import", table, "--columns", cli.file("wrong.toml", b"Vorname = 1\n"))
    assert wrong.code == 2 and "Vorname" in wrong.err


def test_what_an_export_leaves_out_is_said_to_people_and_to_programs(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=card("ada", "Ada", "ROLE:Poet"))
    target = str(cli.folder / "out.csv")
    result = cli("export", "--format", "csv", "--to", target)
    assert result.code == 0
    assert "no room for all of 1 contact: titles (1)" in result.err and "Ada: titles" in result.err
    found = cli.json("export", "--format", "csv", "--to", target)
    assert found["left_out"] == [{"uid": "ada", "name": "Ada", "fields": ["titles"]}]


def test_who_is_held_for_review_is_named_with_the_reason(cli: Cli) -> None:
    cli.ok("contact", "put", stdin=card("bob", "Bob Stone", "N:Stone;Bob;;;", "TEL:+15550100100"))
    result = cli("import", cli.file("b.vcf", card("bob-2", "Robert Stone", "TEL:+15550100100")))
    assert result.code == 0 and "1 held for review" in result.out
    assert "held: Robert Stone may be the same as Bob Stone" in result.err
