"""Every file of the corpus in and out: a second import changes nothing, and an export is as good as the
device, in each format within what it can hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Engine
from contactsync.config import Config
from contactsync.errors import UsageError
from contactsync.exchange.exporter import ExportReport, export, form_of
from contactsync.exchange.importer import import_sources
from contactsync.model.contact import Email
from contactsync.sync.diff import differs
from contactsync.vcard.codec import VCardCodec
from tests.corpus.cards import files
from tests.exchange.conftest import dump

READER = VCardCodec()
MakeDevice = Callable[[str], Engine]
SMALL = 60_000
"""Larger files are load tests, and have tests of their own (0: all files)."""


@pytest.fixture
def make_device(tmp_path: Path) -> Iterator[MakeDevice]:
    with ExitStack() as stack:

        def make(name: str) -> Engine:
            return stack.enter_context(Engine(Config(tmp_path / f"{name}.toml"), tmp_path / name))

        yield make


def exported(device: Engine, fmt: str) -> tuple[bytes, ExportReport]:
    out = io.BytesIO()
    report = export(device, to="-", fmt=fmt, split=False, stdout=out)
    return out.getvalue(), report


#: The share of contacts of which a format may leave something out; a vCard 2.1 has one text for each part of
#: a name, and no way to write a backslash before a comma.
MOST_CUT = {"vcard4": 0.0, "vcard3": 0.0, "vcard21": 0.12, "jscontact": 0.0}
#: Rows of contacts of which a table can show nothing.
NOBODY = (frozenset(), frozenset({("Labels", "* myContacts")}))


def rows(table: bytes) -> set[frozenset[tuple[str, str]]]:
    """The filled cells of each row."""
    found = csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline=""))
    return {frozenset((name, cell) for name, cell in row.items() if cell) for row in found}


def by_uid(device: Engine, fmt: str) -> dict[str, bytes]:
    form = form_of(fmt)
    return {c.uid: form.write(device.export_form(replace(c.contact, uid=c.uid))) for c in device.contacts()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files as a person has them."""
    found = tmp_path_factory.mktemp("corpus")
    for number, (name, data) in enumerate(files().items()):
        if not SMALL or len(data) <= SMALL:
            (found / f"{number:03}-{Path(name).name}").write_bytes(data)
    return found


@pytest.mark.law("L30")
def test_a_second_import_of_every_file_changes_nothing_whatever_was_edited(
    make_device: MakeDevice, folder: Path
) -> None:
    device = make_device("phone")
    first: dict[Path, int] = {}
    for path in sorted(folder.iterdir()):
        try:
            report = import_sources(device, [str(path)])
        except UsageError:
            continue  # no cards at all: said so, see below
        first[path] = sum((report.new, report.merged, report.equal, report.held, report.set_aside))
        assert len(report.errors) == report.set_aside
        assert all(error.reason for error in report.errors)
    people = device.contacts()
    assert len(first) > 80 and len(people) > 100
    device.delete([c.uid for c in people[::7]])
    for one in people[1::7]:
        more = replace(one.contact, emails=(*one.contact.emails, Email("edited@x.example")))
        device.edit(one, one.contact, more)
    before = dump(device)
    for path, cards in first.items():
        again = import_sources(device, [str(path)])
        assert (again.new, again.merged, again.held) == (0, 0, 0), path
        assert again.equal + again.set_aside == cards, path
    assert dump(device) == before


@pytest.mark.parametrize("fmt", ["vcard4", "vcard3", "vcard21", "jscontact", "csv", "outlook-csv"])
def test_an_export_of_the_corpus_is_the_same_again_from_another_device(
    make_device: MakeDevice, folder: Path, tmp_path: Path, fmt: str
) -> None:
    device, other = make_device("phone"), make_device("laptop")
    for path in sorted(folder.iterdir()):
        try:
            import_sources(device, [str(path)], match="never")
        except UsageError:
            continue
    first, report = exported(device, fmt)
    assert report.contacts == len(device.contacts())
    file = tmp_path / "export"
    file.write_bytes(first)
    taken = import_sources(other, [str(file)], match="never")
    empty = [error for error in taken.errors if "says nothing" not in error.reason]
    assert not empty
    second, _ = exported(other, fmt)
    if fmt.endswith("csv"):
        # a table has no UIDs: rows that say the same are the same person
        ours, theirs = rows(first), rows(second)
        assert theirs == {row for row in ours if row not in NOBODY}
        return
    cut = {one.uid for one in report.left_out}
    assert len(cut) <= MOST_CUT[fmt] * report.contacts
    ours, theirs = by_uid(device, fmt), by_uid(other, fmt)
    assert ours.keys() == theirs.keys()
    changed = [uid for uid, card in ours.items() if theirs[uid] != card and uid not in cut]
    if fmt == "vcard21":  # an address that is there twice, in parts and as a text, may have the text tidied
        changed = [uid for uid in changed if differs(READER.read(ours[uid]), READER.read(theirs[uid]))]
    assert changed == []
    if fmt == "vcard4":
        assert second == first
