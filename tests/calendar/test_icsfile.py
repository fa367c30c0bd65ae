"""A file as the calendar: what others have in it stays, and a run without news leaves it alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from contactsync.api import Hooks
from contactsync.calendar.events import SUMMARIES
from contactsync.config import CalendarConfig
from contactsync.connectors.vdir import files
from contactsync.sync.brakes import Limits
from tests.calendar.places import DENTIST, Device, by_summary, day, days_of, person

ADA = person("ada", "Ada Lovelace", day(year=1815))
BOB = person("bob", "Bob", day(month=3, day=1, year=None))
LEAP = person("leap", "Leap Day", day(month=2, day=29, year=2000))
OpenDevice = Callable[..., Device]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "birthdays.ics"


@pytest.fixture
def open_device(tmp_path: Path, path: Path) -> Iterator[OpenDevice]:
    opened: list[Device] = []

    def open_(name: str = "phone", hooks: Hooks | None = None, **wishes: object) -> Device:
        calendar = CalendarConfig("days", file=str(path), **wishes)  # type: ignore[arg-type]
        opened.append(Device(tmp_path / name, calendar, hooks=hooks or Hooks()))
        return opened[-1]

    yield open_
    for device in opened:
        device.close()


@pytest.fixture
def phone(open_device: OpenDevice) -> Device:
    return open_device()


def names(path: Path) -> set[str]:
    return set(by_summary([path.read_bytes()]))


def edit(path: Path, old: bytes, new: bytes) -> None:
    """Another program saves the file."""
    payload = path.read_bytes()
    assert old in payload
    path.write_bytes(payload.replace(old, new))


def without(path: Path, summary: str) -> None:
    """Another program deletes an event."""
    parts = path.read_bytes().split(b"BEGIN:VEVENT")
    (hit,) = [part for part in parts if f"SUMMARY:{summary}".encode() in part]
    tail = hit.partition(b"END:VEVENT\r\n")[2]
    kept = [part for part in parts if part is not hit]
    path.write_bytes(b"BEGIN:VEVENT".join(kept) + tail)


def test_events_are_made_changed_and_removed_and_a_second_run_touches_nothing(
    phone: Device, path: Path
) -> None:
    phone.put(ADA, BOB, LEAP)
    assert phone.sync() == (3, 0, 0)
    assert names(path) == {"🎂 Ada Lovelace (*1815)", "🎂 Bob", "🎂 Leap Day (*2000)"}
    assert sorted(days_of(path.read_bytes(), 2025)) == [
        date(2025, 2, 28),
        date(2025, 3, 1),
        date(2025, 12, 10),
    ]
    before = path.stat()
    assert phone.sync() == (0, 0, 0)
    assert path.stat() == before

    phone.put(person("ada", "Ada King", day(year=1815)))
    phone.engine.delete(["bob"])
    assert phone.sync() == (0, 1, 1)
    assert names(path) == {"🎂 Ada King (*1815)", "🎂 Leap Day (*2000)"}


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_events_of_others_stay_byte_for_byte(phone: Device, path: Path, end: bytes) -> None:
    theirs = DENTIST.replace(b"\r\n", end)
    path.write_bytes(theirs)
    phone.put(ADA)
    assert phone.sync() == (1, 0, 0)
    body, _, tail = theirs.partition(b"END:VCALENDAR")
    assert path.read_bytes().startswith(body) and path.read_bytes().endswith(b"END:VCALENDAR" + tail)
    assert (b"\r" in path.read_bytes()) == (end == b"\r\n")
    phone.engine.delete(["ada"])
    assert phone.sync() == (0, 0, 1)
    assert path.read_bytes() == theirs


def test_what_somebody_added_stays_when_the_contact_changes(phone: Device, path: Path) -> None:
    phone.put(ADA)
    phone.sync()
    edit(path, b"END:VEVENT", b"COLOR:red\r\nEND:VEVENT")
    phone.put(person("ada", "Ada King", day(year=1815)))
    assert phone.sync() == (0, 1, 0)
    assert b"COLOR:red" in path.read_bytes() and names(path) == {"🎂 Ada King (*1815)"}


def test_a_name_that_somebody_gave_the_event_stays_until_the_contact_has_another(
    phone: Device, path: Path
) -> None:
    phone.put(ADA)
    phone.sync()
    edit(path, "SUMMARY:🎂 Ada Lovelace (*1815)".encode(), b"SUMMARY:Granny")
    assert phone.sync() == (0, 0, 0)
    phone.put(person("ada", "Ada Lovelace", day(month=1, year=1815)))
    assert phone.sync() == (0, 1, 0)
    assert names(path) == {"Granny"} and days_of(path.read_bytes(), 2026) == [date(2026, 1, 10)]
    phone.put(person("ada", "Ada King", day(month=1, year=1815)))
    assert phone.sync() == (0, 1, 0)
    assert names(path) == {"🎂 Ada King (*1815)"}


def test_a_deleted_event_stays_away_until_its_day_changes(phone: Device, path: Path) -> None:
    phone.put(ADA, BOB)
    phone.sync()
    without(path, "🎂 Bob")
    report = phone.run()
    assert not report.written and report.declined == 1 and names(path) == {"🎂 Ada Lovelace (*1815)"}
    phone.put(person("bob", "Robert", day(month=3, day=1, year=None)))
    edit(path, b"TRANSPARENT", b"OPAQUE")
    assert phone.sync() == (0, 0, 0)
    phone.put(person("bob", "Robert", day(month=3, day=2, year=None)))
    assert phone.sync() == (1, 0, 0)
    assert names(path) == {"🎂 Ada Lovelace (*1815)", "🎂 Robert"}


def test_what_was_deleted_comes_back_on_demand(phone: Device, path: Path) -> None:
    phone.put(ADA, BOB)
    phone.sync()
    without(path, "🎂 Bob")
    assert phone.sync() == (0, 0, 0)
    assert phone.sync(restore=True) == (1, 0, 0)
    assert phone.run().declined == 0 and len(names(path)) == 2


def test_a_file_that_is_gone_is_made_again(phone: Device, path: Path) -> None:
    phone.put(BOB)
    phone.sync()
    path.unlink()
    assert phone.sync() == (1, 0, 0)
    assert names(path) == {"🎂 Bob"}


def test_events_that_vanish_in_masses_are_written_again(phone: Device, path: Path) -> None:
    phone.put(*(person(f"p{i}", f"P{i}", day(month=1, day=i + 1)) for i in range(5)))
    phone.sync()
    path.write_bytes(DENTIST)
    report = phone.run()
    assert (report.written.created, report.again, report.declined) == (5, 5, 0)


def test_mass_removal_stops_and_goes_on_with_a_word(phone: Device, path: Path) -> None:
    people = [person(f"p{i:02}", f"P{i:02}", day(month=1, day=i + 1)) for i in range(20)]
    phone.put(*people)
    phone.sync()
    before = path.read_bytes()
    phone.engine.delete([one.uid for one in people[:15]])
    report = phone.run()
    assert report.state == "guard" and report.guard is not None and report.guard.would == 15
    assert "would remove 15 of 20 events, among them P00, P01, P02" in report.message
    assert "contactsync calendar sync days --max-delete 15" in report.message
    assert path.read_bytes() == before
    assert phone.sync(limits=Limits(15, None)) == (0, 0, 15)


def test_a_lost_database_removes_nothing(open_device: OpenDevice, path: Path) -> None:
    first = open_device("first")
    first.put(*(person(f"p{i}", f"P{i}", day(month=1, day=i + 1)) for i in range(5)))
    first.sync()
    before = path.read_bytes()
    assert open_device("empty").sync() == (0, 0, 0)
    assert path.read_bytes() == before


def test_two_devices_that_feed_one_calendar_make_no_doubles_and_do_not_quarrel(
    open_device: OpenDevice, path: Path
) -> None:
    first, second = open_device("first"), open_device("second")
    first.put(ADA, BOB)
    second.put(ADA, LEAP)
    assert first.sync() == (2, 0, 0)
    assert second.sync() == (1, 0, 0)
    assert first.sync() == second.sync() == (0, 0, 0)
    assert len(names(path)) == 3
    first.put(person("ada", "Ada King", day(year=1815)))
    assert first.sync() == (0, 1, 0)
    second.put(person("ada", "Ada King", day(year=1815)))
    assert second.sync() == (0, 0, 0)
    first.engine.delete(["ada"])
    assert first.sync() == (0, 0, 1)
    second.engine.delete(["ada"])
    assert second.sync() == (0, 0, 0)


def test_devices_with_other_texts_do_not_undo_each_other(open_device: OpenDevice, path: Path) -> None:
    first = open_device("first")
    second = open_device("second", summary={**SUMMARIES, "birth": "Birthday of {name}"})
    first.put(ADA)
    second.put(ADA)
    first.sync()
    assert second.sync() == (0, 1, 0)
    for _ in range(2):
        assert first.sync() == second.sync() == (0, 0, 0)
    assert names(path) == {"Birthday of Ada Lovelace"}
    first.put(person("ada", "Ada Lovelace", day(month=1, year=1815)))
    assert first.sync() == (0, 1, 0)
    assert names(path) == {"Birthday of Ada Lovelace"} and days_of(path.read_bytes(), 2026) == [
        date(2026, 1, 10)
    ]


def test_an_event_under_our_name_that_we_did_not_write_is_not_touched(phone: Device, path: Path) -> None:
    phone.put(ADA)
    phone.sync()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith((b"X-CONTACTSYNC", b" "))))
    before = path.read_bytes()
    phone.put(person("ada", "Ada King", day(year=1815)))
    report = phone.run()
    assert (report.state, [error.name for error in report.errors]) == ("ok", ["Ada King"])
    phone.engine.delete(["ada"])
    assert phone.sync() == (0, 0, 0)
    assert path.read_bytes() == before


def test_only_members_of_the_group_are_in_it(open_device: OpenDevice, path: Path) -> None:
    phone = open_device(group="Family")
    phone.put(person("ada", "Ada Lovelace", day(), groups=frozenset({"Family"})), BOB)
    assert phone.sync() == (1, 0, 0)
    phone.wants(group="Nobody")
    report = phone.run()
    assert report.state == "failed" and "No group 'Nobody'" in report.message
    assert names(path) == {"🎂 Ada Lovelace (*1985)"}


def test_other_wishes_change_the_events_that_are_there(phone: Device, path: Path) -> None:
    phone.put(ADA)
    phone.sync()
    phone.wants(alarm="1d 18:00", description="Born {year}", summary={"birth": "{name}'s birthday"})
    assert phone.sync() == (0, 1, 0)
    (event,) = by_summary([path.read_bytes()]).values()
    assert event["SUMMARY"] == "Ada Lovelace's birthday" and event["DESCRIPTION"] == "Born 1815"
    assert len(event.walk("VALARM")) == 1
    phone.wants(alarm="", description="")
    assert phone.sync() == (0, 1, 0)
    (event,) = by_summary([path.read_bytes()]).values()
    assert "DESCRIPTION" not in event and not event.walk("VALARM")
    phone.wants(kinds=("wedding",))
    assert phone.sync() == (0, 0, 1)


def test_a_trial_writes_nothing_at_all(phone: Device, path: Path) -> None:
    phone.put(ADA)
    report = phone.run(dry_run=True)
    assert [(one.action, one.name) for one in report.plan] == [("create", "🎂 Ada Lovelace (*1815)")]
    assert not path.exists() and not (phone.folder / "calendars").exists()


@pytest.mark.parametrize(
    "content", [DENTIST[:-20], b"", b"hello\r\n", DENTIST.replace(b"END:VEVENT\r\n", b"")]
)
def test_a_file_that_is_no_whole_calendar_is_not_written(phone: Device, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    phone.put(ADA)
    report = phone.run()
    assert report.state in ("failed", "temporary") and str(path) in report.message
    assert path.read_bytes() == content
    path.write_bytes(DENTIST)
    assert phone.sync() == (1, 0, 0)


def test_a_folder_that_is_not_there_is_named(open_device: OpenDevice, path: Path) -> None:
    phone = open_device()
    phone.wants(file=str(path.parent / "gone" / "b.ics"))
    phone.put(ADA)
    report = phone.run()
    assert report.state == "failed" and f"There is no folder {path.parent / 'gone'}" in report.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(phone: Device, path: Path) -> None:
    phone.put(ADA)
    path.write_bytes(DENTIST)
    path.parent.chmod(0o500)
    try:
        report = phone.run()
    finally:
        path.parent.chmod(0o700)
    assert report.state == "failed" and path.read_bytes() == DENTIST


def test_a_program_that_saves_meanwhile_keeps_its_edit(
    open_device: OpenDevice, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(DENTIST)
    phone = open_device()
    phone.put(ADA)
    replace, moved = files.replace, DENTIST.replace(b"Dentist", b"Doctor")

    def late(target: Path, etag: str | None, payload: bytes) -> str:
        if target.read_bytes() == DENTIST:
            target.write_bytes(moved)
        return replace(target, etag, payload)

    monkeypatch.setattr(files, "replace", late)
    assert phone.sync() == (1, 0, 0)
    assert names(path) == {"Doctor", "🎂 Ada Lovelace (*1815)"}


def test_a_run_that_was_killed_is_completed_by_the_next_one(open_device: OpenDevice, path: Path) -> None:
    def dies(name: str) -> None:
        raise KeyboardInterrupt

    first = open_device(hooks=Hooks(step=dies))
    first.put(ADA, BOB)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    again = open_device()
    assert again.sync() == (0, 0, 0)
    assert len(names(path)) == 2 and again.run().events == 2


def test_another_file_in_the_configuration_is_filled_anew(phone: Device, path: Path) -> None:
    phone.put(ADA)
    phone.sync()
    other = path.with_name("other.ics")
    other.write_bytes(DENTIST)
    phone.wants(file=str(other))
    assert phone.sync() == (1, 0, 0)
    assert names(other) == {*names(path), "Dentist"}
