"""A folder as a remote: the contract, other programs in the same folder, and khard itself."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import pytest

from contactsync.connectors.base import (
    AccountSettings,
    Create,
    Delete,
    Refused,
    Removed,
    Stored,
    Update,
)
from contactsync.connectors.vdir import VdirConnector, factory, files
from contactsync.connectors.vdir.about import about, file_system
from contactsync.connectors.vdir.listing import WRITING_NS
from contactsync.errors import (
    AlreadyExists,
    BookGone,
    ConfigError,
    PermissionDenied,
    PreconditionFailed,
    TransientError,
)
from contactsync.testing.suite import ConnectorSuite, Rig
from contactsync.vcard.codec import VCardCodec


class Program:
    """Another program, by the hrefs of the connector: a plain write, as many do it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def at(self, path: str) -> Path:
        return self.root / unquote(path)

    def put(self, path: str, payload: bytes) -> None:
        self.at(path).write_bytes(payload)

    def get(self, path: str) -> bytes | None:
        return self.at(path).read_bytes() if self.at(path).exists() else None

    def delete(self, path: str) -> None:
        self.at(path).unlink()


def connector(root: Path) -> VdirConnector:
    return VdirConnector(root, VCardCodec)


class TestSubFolder(ConnectorSuite):
    book = "friends/"

    @pytest.fixture(autouse=True)
    def _root(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory() as folder:
            self.root = Path(folder)
            yield

    def make(self) -> Rig:
        (self.root / self.book).mkdir(exist_ok=True)
        return Rig(connector(self.root), self.book, Program(self.root))


class TestRootFolder(TestSubFolder):
    """The root is the only book."""

    book = "./"


# ---- other programs at the same folder -------------------------------------------------------------

CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ada\r\nFN:Ada\r\nN:Ada;;;;\r\nEND:VCARD\r\n"
LATER = 3_000_000_000


class Opened(Counter[str]):
    """How often each card was opened."""

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> Opened:
        read = files.read

        def counted(path: Path) -> files.Card:
            self[path.name] += 1
            return read(path)

        monkeypatch.setattr(files, "read", counted)
        return self


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(connector(tmp_path), "./", Program(tmp_path))


def error_of(rig: Rig, href: str) -> str:
    change = rig.read(href)
    assert change.error is not None and change.payload is None and not change.gone
    return str(change.error)


def test_unchanged_files_are_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    made = VdirConnector(tmp_path, VCardCodec, now=lambda: now)
    rig = Rig(made, "./", Program(tmp_path))
    for name in "abc":
        rig.other.put(f"./{name}.vcf", CARD)
    opened = Opened().watch(monkeypatch)
    young = rig.list().cursor
    assert rig.list(young).cursor == young
    assert opened == {"a.vcf": 2, "b.vcf": 2, "c.vcf": 2}  # so young that an edit may not show in their times
    now += LATER
    opened.clear()
    settled = rig.list(young).cursor
    rig.other.put("./b.vcf", CARD.replace(b"Ada", b"Eve"))
    assert opened == {"a.vcf": 1, "b.vcf": 1, "c.vcf": 1}
    opened.clear()
    changed = rig.list(settled)
    assert opened == {"b.vcf": 1}
    assert set(changed.there) == {"./a.vcf", "./b.vcf", "./c.vcf"}


def test_an_edit_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    made = VdirConnector(tmp_path, VCardCodec, now=lambda: time.time_ns() + LATER)
    rig = Rig(made, "./", Program(tmp_path))
    file = tmp_path / "a.vcf"
    file.write_bytes(CARD)
    before, first = file.stat(), rig.list()
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of a file system ticks slowly
        file.write_bytes(CARD.replace(b"Ada", b"Eve"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert rig.list(first.cursor).there["./a.vcf"] != first.there["./a.vcf"]


@pytest.mark.parametrize("half", [b"", b"\0" * 60, CARD[:40], CARD.replace(b"END:VCARD\r\n", b"")])
def test_a_half_written_file_is_there_and_waits(rig: Rig, half: bytes) -> None:
    rig.other.put("./a.vcf", CARD)
    first = rig.list()
    rig.other.put("./a.vcf", half)
    for cursor in (first.cursor, rig.list(first.cursor).cursor, None):
        listing = rig.list(cursor)
        assert listing.there == {"./a.vcf": None} and not listing.gone
    assert "a.vcf is half written." in error_of(rig, "./a.vcf")
    for step in (
        Update(1, "./a.vcf", first.there["./a.vcf"], CARD),
        Delete(1, "./a.vcf", first.there["./a.vcf"]),
    ):
        refused = rig.write(step)[1]
        assert isinstance(refused, Refused) and isinstance(refused.error, PreconditionFailed)
    assert rig.other.get("./a.vcf") == half
    rig.other.put("./a.vcf", CARD)
    assert rig.read("./a.vcf").payload == CARD


@pytest.mark.law("L20")
def test_while_another_file_is_being_written_a_missing_one_is_not_gone_yet(tmp_path: Path) -> None:
    now = time.time_ns()
    for name in ("friends", "work"):
        (tmp_path / name).mkdir()
    rig = Rig(VdirConnector(tmp_path, VCardCodec, now=lambda: now), "friends/", Program(tmp_path))
    for moved in ("friends/moved.vcf", "work/moved.vcf"):
        rig.other.put(moved, CARD[:40])
        assert "missing while moved.vcf is being written" in error_of(rig, "friends/a.vcf")
        rig.other.put(moved, CARD)
        assert rig.read("friends/a.vcf").gone
    rig.other.put("work/moved.vcf", CARD[:40])
    now += WRITING_NS + LATER  # whoever began it has gone
    assert rig.read("friends/a.vcf").gone


@pytest.mark.law("L20")
def test_while_a_file_is_being_written_only_what_was_there_is_listed(tmp_path: Path) -> None:
    now = time.time_ns()
    for name in ("friends", "work"):
        (tmp_path / name).mkdir()
    rig = Rig(VdirConnector(tmp_path, VCardCodec, now=lambda: now), "friends/", Program(tmp_path))
    for name in "ab":
        rig.other.put(f"friends/{name}.vcf", CARD)
    first = rig.list()
    (tmp_path / "friends" / "a.vcf").rename(tmp_path / "friends" / "new.vcf")
    rig.other.put("friends/b.vcf", CARD + b"\r\n")
    rig.other.put("work/half.vcf", CARD[:40])
    rig.other.put("friends/half.vcf", CARD[:40])
    waiting = rig.list(first.cursor)
    assert [*waiting.there] == ["friends/b.vcf"] and waiting.there["friends/b.vcf"] != first.there[
        "friends/b.vcf"
    ]
    assert waiting.cursor == first.cursor and not any(page.full for page in waiting.pages)
    rig.other.put("work/half.vcf", CARD)
    rig.other.delete("friends/half.vcf")
    whole = rig.list(waiting.cursor)
    assert {*whole.there} == {"friends/b.vcf", "friends/new.vcf"} and all(page.full for page in whole.pages)


def test_an_address_book_that_may_not_be_read_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("friends", "work"):
        (tmp_path / name).mkdir()
    rig = Rig(connector(tmp_path), "friends/", Program(tmp_path))
    first = rig.list()
    rig.other.put("friends/a.vcf", CARD)
    scandir = os.scandir

    def closed(path: Path) -> object:
        if Path(path).name == "work":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return scandir(path)

    monkeypatch.setattr(files.os, "scandir", closed)
    assert [*rig.list(first.cursor).there] == ["friends/a.vcf"]
    assert rig.read("friends/b.vcf").gone


@pytest.mark.law("L20")
def test_a_file_that_could_not_be_read_and_went_is_missing_from_a_whole_list(rig: Rig) -> None:
    rig.other.put("./a.vcf", CARD)
    rig.other.put("./half.vcf", CARD[:40])
    first = rig.list()
    rig.other.delete("./half.vcf")
    found = rig.list(first.cursor)
    assert [*found.there] == ["./a.vcf"] and all(page.full for page in found.pages)


def test_a_file_that_changes_while_it_is_read_waits(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.vcf").write_bytes(CARD)
    then = (tmp_path / "a.vcf").stat()
    os.utime(tmp_path / "a.vcf", (1, 1))
    looks = iter([then])
    fstat = os.fstat
    monkeypatch.setattr(files.os, "fstat", lambda number: next(looks, None) or fstat(number))
    assert "half written" in error_of(rig, "./a.vcf")
    assert rig.read("./a.vcf").payload == CARD


def test_several_cards_in_one_file_are_one_bad_card_with_advice(rig: Rig) -> None:
    rig.other.put("./two.vcf", CARD + CARD)
    rig.other.put("./one.vcf", CARD)
    assert set(rig.list().there) == {"./one.vcf", "./two.vcf"}
    assert "one in each file" in error_of(rig, "./two.vcf") and "import FILE" in error_of(rig, "./two.vcf")


def test_the_edit_of_another_program_between_our_read_and_our_write_is_noticed(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is atomic as well, and comes while our new file is already on the disk."""
    rig.other.put("./a.vcf", CARD)
    etag = rig.read("./a.vcf").etag
    theirs = CARD.replace(b"FN:Ada", b"FN:Eve")
    flush = files._flush

    def edit(file: BinaryIO) -> None:
        flush(file)
        (tmp_path / "new.tmp").write_bytes(theirs)
        (tmp_path / "new.tmp").replace(tmp_path / "a.vcf")

    monkeypatch.setattr(files, "_flush", edit)
    refused = rig.write(Update(1, "./a.vcf", etag, CARD.replace(b"FN:Ada", b"FN:Our")))[1]
    assert isinstance(refused, Refused) and isinstance(refused.error, PreconditionFailed)
    assert rig.other.get("./a.vcf") == theirs
    assert [path.name for path in tmp_path.iterdir()] == ["a.vcf"]


@pytest.mark.parametrize("links", [True, False])
def test_a_new_card_never_replaces_a_file(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_links(*names: Path) -> None:
        raise OSError(errno.ENOTSUP, "no hard links here")

    if not links:
        monkeypatch.setattr(files.os, "link", no_links)
    stored = rig.create(CARD, "a")
    assert rig.read(stored.href).etag == stored.etag
    refused = rig.write(Create(2, "a", "u", CARD.replace(b"Ada", b"Eve")))[2]
    assert isinstance(refused, Refused) and isinstance(refused.error, AlreadyExists)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.vcf", CARD)]


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, TransientError), (errno.EROFS, PermissionDenied)]
)
def test_a_disk_that_takes_nothing_leaves_all_as_it_was(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def full(file: int) -> None:
        raise OSError(number, os.strerror(number))

    etag = rig.create(CARD, "a").etag
    monkeypatch.setattr(files.os, "fsync", full)
    for step in (Update(1, "./a.vcf", etag, CARD + b"\r\n"), Create(1, "b", "b", CARD)):
        refused = rig.write(step)[1]
        assert isinstance(refused, Refused) and type(refused.error) is kind
        assert os.strerror(number) in str(refused.error)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.vcf", CARD)]


def test_files_of_others_are_neither_read_nor_touched(rig: Rig, tmp_path: Path) -> None:
    others = (".hidden.vcf", "a.vcf.tmp", "half.tmp", "README", "color", "displayname", "x.VCF.bak")
    for name in others:
        (tmp_path / name).write_bytes(b"theirs")
    (tmp_path / "folder.vcf").mkdir()
    (tmp_path / "folder.vcf" / "deep.vcf").write_bytes(CARD)
    stored = rig.create(CARD, "mine")
    assert [*rig.list().there] == [stored.href]
    assert isinstance(rig.write(Delete(1, stored.href, stored.etag))[1], Removed)
    for href in ("./.hidden.vcf", "./../x.vcf", "./folder.vcf%2Fdeep.vcf", "./README"):
        assert rig.read(href).gone
        assert rig.write(Delete(1, href, "any"))[1] == Removed(1, href)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "folder.vcf"])
    assert all((tmp_path / name).read_bytes() == b"theirs" for name in others)
    assert (tmp_path / "folder.vcf" / "deep.vcf").exists()


def test_mode_and_link_of_a_file_stay(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    real = tmp_path / "far" / "real.vcf"
    real.write_bytes(CARD)
    real.chmod(0o640)
    (tmp_path / "a.vcf").symlink_to(real)
    stored = rig.write(Update(1, "./a.vcf", rig.read("./a.vcf").etag, CARD + b"\r\n"))[1]
    assert isinstance(stored, Stored) and rig.read("./a.vcf").etag == stored.etag
    assert (tmp_path / "a.vcf").is_symlink() and real.read_bytes() == CARD + b"\r\n"
    assert real.stat().st_mode & 0o777 == 0o640
    real.unlink()
    assert "is a link" in error_of(rig, "./a.vcf")


def test_a_name_that_is_no_text_is_a_card_as_well(rig: Rig, tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"J\xfcrgen %41.vcf")  # noqa: PTH118
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(CARD)
    (href,) = rig.list().there
    assert href == "./J%FCrgen%20%2541.vcf" and rig.read(href).payload == CARD


@pytest.mark.law("L21")
def test_a_folder_that_vanished_is_no_deletion(tmp_path: Path) -> None:
    root = tmp_path / "contacts"
    (root / "friends").mkdir(parents=True)
    rig = Rig(connector(root), "friends/", Program(root))
    href = rig.create(CARD, "a").href
    cursor = rig.list().cursor
    for missing, kind in ((root / "friends", BookGone), (root, TransientError)):
        missing.rename(tmp_path / "away")
        for ask in (lambda: rig.list(cursor), lambda: rig.list(None), lambda: rig.read(href)):
            with pytest.raises(kind, match=str(missing)):
                ask()
        for step in (Create(1, "b", "b", CARD), Delete(1, href, "any"), Update(1, href, "any", CARD)):
            refused = rig.write(step)[1]
            assert isinstance(refused, Refused) and type(refused.error) is kind
        (tmp_path / "away").rename(missing)
    root.rename(tmp_path / "away")
    for look in (rig.connector.check, rig.connector.collections):
        with pytest.raises(TransientError, match="attach it"):
            look()


@pytest.mark.law("L21")
def test_a_single_folder_that_vanishes_at_any_moment_is_no_deletion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, away = tmp_path / "contacts", tmp_path / "away"
    root.mkdir()
    rig = Rig(connector(root), "./", Program(root))
    href = rig.create(CARD, "a").href
    read = files.read

    def vanish(path: Path) -> files.Card:
        root.rename(away)
        return read(path)

    monkeypatch.setattr(files, "read", vanish)
    with pytest.raises(TransientError, match="is not there"):
        rig.read(href)
    monkeypatch.setattr(files, "read", read)
    for ask in (lambda: rig.list(None), lambda: rig.read(href)):
        with pytest.raises(TransientError, match="is not there"):
            ask()


def test_books_are_named_by_what_the_folder_says(tmp_path: Path) -> None:
    for name in ("friends", "wörk", "calendar", ".git"):
        (tmp_path / name).mkdir()
    (tmp_path / "calendar" / "x.ics").touch()
    (tmp_path / "friends" / "displayname").write_text("Freunde\n", encoding="utf-8")
    (tmp_path / "friends" / "color").write_text("#ff0000", encoding="utf-8")
    found = connector(tmp_path).collections()
    assert [(c.href, c.name, c.color) for c in found] == [
        ("friends/", "Freunde", "#ff0000"),
        ("w%C3%B6rk/", "wörk", ""),
    ]
    (tmp_path / "x.vcf").write_bytes(CARD)
    assert [(c.href, c.name) for c in connector(tmp_path).collections()] == [("./", tmp_path.name)]


def test_a_path_that_is_not_whole_is_refused() -> None:
    for url in ("", "contacts", "file:///contacts"):
        with pytest.raises(ConfigError, match="whole path"):
            factory(AccountSettings("home", "vdir", url))


def test_a_folder_tells_what_is_in_it_and_what_is_wrong(tmp_path: Path) -> None:
    friends, work = tmp_path / "friends", tmp_path / "work"
    friends.mkdir()
    work.mkdir()
    for name in ("a", "copy"):
        (friends / f"{name}.vcf").write_bytes(CARD.replace(b"FN", b"PRODID:-//Ada//EN\r\nFN"))
    (friends / "half.vcf").write_bytes(CARD[:40])
    (friends / ".contactsync-1.tmp").touch()
    (work / "both.vcf").write_bytes(CARD + CARD)
    (work / "letter.vcf").write_bytes(b"Dear Ada")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    facts = [*connector(tmp_path).about("friends/")]
    assert [fact.text.partition(" on ")[0] for fact in facts[:1]] == ["It is a folder"]
    assert facts[0].text.endswith("with friends (3 cards), work (2 cards).")
    assert facts[1].text == "contactsync watch notices what other programs do in it at once."
    assert [fact.text for fact in facts[2:]] == [
        "Its cards were written by -//Ada//EN.",
        "friends: half.vcf is not synchronised.",
        "friends: a.vcf and copy.vcf have one UID.",
        "friends: an interrupted write left .contactsync-1.tmp.",
        "work: both.vcf is not synchronised.",
        "work: letter.vcf is not synchronised.",
    ]
    assert [fact.text for fact in facts if not fact.ok] == [facts[i].text for i in (3, 6, 7)]
    assert ["half written" in facts[3].means, "import FILE" in facts[6].means] == [True, True]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_file_system_is_told_where_it_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my contacts"
    folder.mkdir()
    spelled = str(folder).replace(" ", "\\040")
    mounts = tmp_path / "mountinfo"
    for kind, said in (
        ("ext4", "notices what other programs do in it at once"),
        ("nfs4", "notices what other machines do in it at each interval only"),
        ("vfat", "no hard links"),
    ):
        mounts.write_text(
            f"1 0 8:1 / / rw - btrfs /dev/a rw\n2 1 8:2 / {spelled} rw shared:1 - {kind} /dev/b rw\n"
            f"3 1 8:3 / {spelled}/below rw - xfs /dev/c rw\n"
        )
        told = [fact.text for fact in about(folder, {}, mounts)]
        assert told[0].startswith(f"It is a folder on {kind}") and any(said in text for text in told)
    mounts.unlink()
    assert file_system(folder, mounts) == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert any("contactsync[folders]" in fact.means for fact in about(folder, {}, mounts))
