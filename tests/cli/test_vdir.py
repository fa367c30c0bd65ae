"""A folder as an account, by the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contactsync.config import load
from tests.cli.conftest import ADA, Cli, card


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "my contacts"
    (made / "friends").mkdir(parents=True)
    (made / "work").mkdir()
    (made / "friends" / "eve.vcf").write_bytes(card("eve", "Eve"))
    return made


def test_a_folder_is_added_and_synchronised(cli: Cli, folder: Path) -> None:
    cli.ok("contact", "put", stdin=ADA)
    words = (
        "account",
        "add",
        "vdir",
        "disk",
        "--path",
        str(folder),
        "--book",
        "friends",
        "--mode",
        "two-way",
    )
    found = cli.json(*words)
    assert found["first_sync"] == {"send": 1, "fetch": 1}
    assert [(b["href"], b["selected"]) for b in found["books"]] == [("friends/", True), ("work/", False)]
    (account,) = load(cli.config).accounts
    assert (account.connector, account.url, account.books) == ("vdir", str(folder), ("friends/",))
    cli.ok("sync")
    assert len([*(folder / "friends").iterdir()]) == 2 and not [*(folder / "work").iterdir()]


def test_a_folder_that_is_none_is_refused(cli: Cli, folder: Path) -> None:
    for path, said in (
        (folder / "missing", "There is no folder"),
        (folder / "friends" / "eve.vcf", "contactsync import"),
    ):
        result = cli("account", "add", "vdir", "disk", "--path", str(path))
        assert result.code == 2 and said in result.err and str(path) in result.err
    assert not cli.config.exists()


@pytest.mark.law("L21")
def test_a_folder_that_vanished_is_named_and_may_have_moved(cli: Cli, folder: Path) -> None:
    cli.ok("account", "add", "vdir", "disk", "--path", str(folder))
    cli.ok("sync")
    shutil.move(folder, folder.with_name("moved"))
    result = cli("sync")
    assert result.code == 5 and str(folder) in result.err + result.out
    assert "Eve" in cli.ok("contact", "list")
    cli.ok("account", "set", "disk", "--url", str(folder.with_name("moved")))
    cli.ok("sync")
    assert "Eve" in cli.ok("contact", "list")


def test_a_folder_is_used_and_nobody_logs_in(cli: Cli, folder: Path) -> None:
    said = cli.ok("account", "add", "vdir", "disk", "--path", str(folder))
    assert f"disk: uses the folder {folder}." in said and "logged in" not in said
    refused = cli("account", "login", "disk")
    assert refused.code == 2 and "nothing to log in to" in refused.err and "--url FOLDER" in refused.err
    (folder / "work" / "half.vcf").write_bytes(card("half", "Half")[:40])
    told = cli("doctor", "disk")
    assert told.code == 1 and f"It uses the folder {folder}." in told.out
    assert "friends (1 card), work (1 card)" in told.out and "work: half.vcf is not synchronised" in told.out


def test_a_file_that_is_no_card_is_named_once_and_in_our_words(cli: Cli, folder: Path) -> None:
    cli.ok("account", "add", "vdir", "disk", "--path", str(folder))
    (folder / "friends" / "letter.vcf").write_bytes(b"Dear Ada,\n")
    result = cli("sync")
    assert result.code == 3 and "friends/letter.vcf: There is no BEGIN:VCARD." in result.err
    assert "vobject" not in result.err
