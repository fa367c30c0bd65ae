"""Exporting to files, folders and a stream."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import pytest

from contactsync.api import Engine
from contactsync.errors import StoreError, UsageError
from contactsync.exchange.exporter import export, file_name
from contactsync.exchange.importer import import_sources
from contactsync.model.contact import Contact, Email, Name
from tests.exchange.cards import card, write
from tests.exchange.conftest import MakeDevice, dump

DEMO = Path(__file__).resolve().parents[2] / "fixtures" / "vcards" / "demo.vcf"


def exported(device: Engine, **options: object) -> bytes:
    out = io.BytesIO()
    export(device, **{"to": "-", "fmt": "vcard4", "split": False, "stdout": out, **options})  # type: ignore[arg-type]
    return out.getvalue()


@pytest.fixture
def demo(device: Engine) -> Engine:
    import_sources(device, [str(DEMO)], match="auto", dry_run=False)
    return device


@pytest.mark.law("L36")
def test_an_export_writes_nothing_on_the_device_and_is_the_same_each_time(demo: Engine) -> None:
    before = dump(demo)
    first = exported(demo)
    assert exported(demo) == first
    assert first.count(b"BEGIN:VCARD") == 25
    assert b"CATEGORIES:Friends" in first
    assert b"PHOTO" in first
    assert dump(demo) == before


@pytest.mark.law("L8")
@pytest.mark.parametrize("fmt", ["vcard4", "vcard3", "vcard21", "jscontact", "csv", "outlook-csv"])
def test_an_export_imported_elsewhere_exports_the_same_bytes(
    demo: Engine, make_device: MakeDevice, tmp_path: Path, fmt: str
) -> None:
    first = exported(demo, fmt=fmt)
    other = make_device("laptop")
    report = import_sources(other, [write(tmp_path / "a.vcf", first)], match="auto", dry_run=False)
    assert (report.new, report.set_aside) == (25, 0)
    assert exported(other, fmt=fmt) == first


def test_jscontact_is_one_list_or_one_card_in_each_file(demo: Engine, tmp_path: Path) -> None:
    found = json.loads(exported(demo, fmt="jscontact"))
    assert len(found) == 25 and {card["@type"] for card in found} == {"Card"}
    assert any(card["media"]["m1"]["uri"].startswith("data:image/") for card in found if "media" in card)
    assert (
        export(demo, to=str(tmp_path / "out"), fmt="jscontact", split=True, stdout=io.BytesIO()).contacts
        == 25
    )
    files = sorted((tmp_path / "out").iterdir())
    assert {path.suffix for path in files} == {".json"}
    assert sorted(json.loads(path.read_bytes())["uid"] for path in files) == sorted(c["uid"] for c in found)


def test_a_file_is_private_and_replaced_as_a_whole(demo: Engine, tmp_path: Path) -> None:
    target = tmp_path / "out.vcf"
    target.write_bytes(b"old")
    assert export(demo, to=str(target), fmt="vcard4", split=False, stdout=io.BytesIO()).contacts == 25
    assert target.read_bytes() == exported(demo)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_file_that_fails_half_way_leaves_the_old_one(
    demo: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.vcf"
    target.write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        exported(demo, to=str(target))
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_group_or_a_query_chooses(demo: Engine) -> None:
    assert exported(demo, group="Family").count(b"BEGIN:VCARD") == 4
    assert exported(demo, query="lindqvist").count(b"BEGIN:VCARD") == 1


def test_split_gives_each_contact_a_file_that_imports_again(
    demo: Engine, make_device: MakeDevice, tmp_path: Path
) -> None:
    folder = tmp_path / "cards"
    exported(demo, to=str(folder), split=True)
    assert len(list(folder.iterdir())) == 25
    assert (folder / "old-phone-0018.vcf").exists()
    other = make_device("laptop")
    assert import_sources(other, [str(folder)], match="auto", dry_run=False).new == 25
    assert exported(other) == exported(demo)


@pytest.mark.parametrize(
    "uid",
    [
        "../../etc/passwd",
        "..",
        ".hidden",
        "con",
        "COM1.txt",
        "nul.vcf",
        "a/b",
        "a\\b",
        "dot.",
        "x" * 101,
        "é",
    ],
)
def test_no_uid_becomes_a_dangerous_file_name(uid: str) -> None:
    name = file_name(uid, "Ada / Lovelace", set())
    assert name.startswith("Ada-Lovelace-")
    assert "/" not in name


def test_names_that_differ_in_case_only_get_files_of_their_own(device: Engine, tmp_path: Path) -> None:
    device.put([Contact(uid="ada", name=Name(full="A")), Contact(uid="ADA", name=Name(full="B"))])
    exported(device, to=str(tmp_path / "d"), split=True)
    names = {path.name.casefold() for path in (tmp_path / "d").iterdir()}
    assert len(names) == 2
    assert "ada.vcf" in names


def test_places_that_cannot_be_written_are_named(device: Engine, tmp_path: Path) -> None:
    device.put([Contact(emails=(Email("ada@x.example"),))])
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="no folder"):
        exported(device, to=str(tmp_path / "nowhere" / "a.vcf"))
    with pytest.raises(UsageError, match="is a folder"):
        exported(device, to=str(tmp_path))
    with pytest.raises(UsageError, match="needs a folder"):
        exported(device, to=str(tmp_path / "file"), split=True)
    with pytest.raises(StoreError, match="cannot be written"):
        exported(device, to=str(tmp_path / "file" / "a.vcf"))


def test_a_format_that_is_not_there_is_refused_with_those_that_are(device: Engine) -> None:
    with pytest.raises(UsageError, match="no format 'ldif'") as refused:
        exported(device, fmt="ldif")
    assert "vcard21" in refused.value.hint


def test_a_table_cannot_be_one_file_for_each_contact(device: Engine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one file"):
        exported(device, fmt="csv", split=True, to=str(tmp_path))


def test_a_card_round_trips_its_rare_properties(device: Engine, tmp_path: Path) -> None:
    odd = card("Ada Lovelace", "X-MOON-PHASE:waxing", "GEO:53.3;-6.2", uid="ada")
    import_sources(device, [write(tmp_path / "a.vcf", odd)], match="auto", dry_run=False)
    assert b"X-MOON-PHASE:waxing" in exported(device, fmt="vcard3")


@pytest.mark.parametrize("fmt", ["vcard4", "vcard3"])
def test_properties_of_an_old_card_are_spelled_as_the_new_version_can_hold_them(
    device: Engine, tmp_path: Path, fmt: str
) -> None:
    old = (
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nN:Old;Otto\r\nKEY;X509;ENCODING=BASE64:QUJD\r\n\r\n"
        b"X-PET;HOME;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:K=E4fer\r\nEND:VCARD\r\n"
    )
    import_sources(device, [write(tmp_path / "old.vcf", old)], match="auto", dry_run=False)
    lines = exported(device, fmt=fmt).decode().split("\r\n")
    assert "KEY;TYPE=X509;ENCODING=b:QUJD" in lines and "X-PET;TYPE=HOME:Käfer" in lines
