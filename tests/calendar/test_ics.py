"""What is written of an event, and what stays of one that somebody worked on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from contactsync.calendar import ics
from contactsync.calendar.events import Event
from contactsync.errors import CodecError
from tests.calendar.places import days_of, events

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 10, tzinfo=UTC)
ADA = Event("contactsync-1", "birth", "ada", "Ada", 12, 10, 1815, "Ada, the first; (*1815)")


def written(event: Event = ADA) -> bytes:
    return ics.compose(event, NOW)


def touched(payload: bytes) -> bytes:
    """As a person leaves it in a calendar program: an alarm, a colour, a note, a day that was moved."""
    more = (
        b"COLOR:red\r\nATTACH;FMTTYPE=text/plain:http://x/a\r\n"
        b'X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE="A\\nB":geo:1.5\\,2.5\r\n'
        b"COMMENT:a long comment that goes on\r\n  over two lines\r\n"
        b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-P7D\r\nDESCRIPTION:A present!\r\nEND:VALARM\r\n"
        b"END:VEVENT\r\n"
        b"BEGIN:VEVENT\r\nUID:contactsync-1\r\nRECURRENCE-ID;VALUE=DATE:20261210\r\n"
        b"DTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20261212\r\nSUMMARY:Party\r\nEND:VEVENT\r\n"
    )
    return payload.replace(b"END:VEVENT\r\n", more)


def test_an_event_is_a_day_of_its_own_that_blocks_nobody() -> None:
    (event,) = events([written(replace(ADA, description="Born 1815", alarm=timedelta(hours=-6)))])
    assert event["DTSTART"].dt == date(1970, 12, 10) and event["DTEND"].dt == date(1970, 12, 11)
    assert (event["TRANSP"], event["SUMMARY"]) == ("TRANSPARENT", "Ada, the first; (*1815)")
    assert event["DTSTAMP"].dt == NOW and event["DESCRIPTION"] == "Born 1815"
    assert [str(word) for word in event["CATEGORIES"].cats] == ["BIRTHDAY"]
    (alarm,) = event.walk("VALARM")
    assert alarm["TRIGGER"].dt == timedelta(hours=-6) and alarm["ACTION"] == "DISPLAY"


def test_components_stand_after_properties() -> None:
    text = written(replace(ADA, alarm=timedelta(hours=9))).decode()
    assert text.index("X-CONTACTSYNC-WROTE") < text.index("BEGIN:VALARM") < text.index("END:VEVENT")
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75


def test_no_alarm_is_made_unless_one_is_wanted() -> None:
    assert b"VALARM" not in written()


@pytest.mark.parametrize("year", [None, 1972, 1999, 2000])
def test_29_february_shows_on_the_last_day_of_february_in_every_year(year: int | None) -> None:
    leap = written(replace(ADA, month=2, day=29, year=year))
    assert days_of(leap, 2023, 2024, 2100) == [date(2023, 2, 28), date(2024, 2, 29), date(2100, 2, 28)]


def test_other_days_show_once_in_every_year() -> None:
    assert days_of(written(), 2023, 2024, 2025) == [date(year, 12, 10) for year in (2023, 2024, 2025)]


def test_a_day_that_somebody_moved_is_not_taken_for_the_event() -> None:
    head, event, tail = touched(written()).partition(b"BEGIN:VEVENT\r\n")
    first, moved = (event + tail).split(b"END:VEVENT\r\n", 1)
    turned = head + moved.replace(b"END:VCALENDAR\r\n", b"") + first + b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    party, main = events([ics.change(turned, replace(ADA, summary="Ada King"), ["summary"], LATER)])
    assert (party["SUMMARY"], main["SUMMARY"]) == ("Party", "Ada King")
    assert ics.read_marks(turned, ADA.uid) == ADA.marks


def test_an_event_is_ours_by_its_mark_and_not_by_its_name() -> None:
    assert ics.read_marks(written(), ADA.uid) == ADA.marks
    bare = b"".join(line.raw for line in ics.lines(written()) if line.name != ics.MARK)
    assert ics.read_marks(bare, ADA.uid) is None
    assert ics.read_marks(written(), "contactsync-2") is None
    assert ics.read_marks(b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n", ADA.uid) is None


def test_only_the_parts_that_changed_are_written_and_all_else_stays_to_the_byte() -> None:
    before = touched(written(replace(ADA, alarm=timedelta(hours=9))))
    new = replace(ADA, summary="Ada King", alarm=timedelta(hours=9))
    after = ics.change(before, new, ["summary"], LATER)
    gone = {line.raw for line in ics.lines(before)} - {line.raw for line in ics.lines(after)}
    came = {line.raw for line in ics.lines(after)} - {line.raw for line in ics.lines(before)}
    assert {ics.Line(raw).name for raw in gone} == {"SUMMARY", "DTSTAMP", ics.MARK, "DESCRIPTION"}
    assert b"SUMMARY:Ada King\r\n" in came and b"DTSTAMP:20260302T100000Z\r\n" in came
    assert ics.read_marks(after, ADA.uid) == new.marks
    main, party = events([after])
    assert [alarm["DESCRIPTION"] for alarm in main.walk("VALARM")] == ["A present!", "Ada King"]
    assert party["SUMMARY"] == "Party" and party["RECURRENCE-ID"].dt == date(2026, 12, 10)


def test_an_alarm_that_somebody_took_away_does_not_come_back_with_another_name() -> None:
    with_alarm = replace(ADA, alarm=timedelta(hours=9))
    before = ics.change(written(with_alarm), replace(ADA), ["alarm"], NOW)
    after = ics.change(before, replace(with_alarm, summary="Ada King"), ["summary"], LATER)
    assert b"VALARM" not in before and b"VALARM" not in after


def test_an_alarm_comes_and_goes_beside_one_of_somebody_else() -> None:
    before = touched(written())
    came = ics.change(before, replace(ADA, alarm=timedelta(hours=9)), ["alarm"], LATER)
    assert len(events([came])[0].walk("VALARM")) == 2
    went = ics.change(came, ADA, ["alarm"], LATER)
    assert [alarm["DESCRIPTION"] for alarm in events([went])[0].walk("VALARM")] == ["A present!"]


def test_a_moved_day_takes_its_rule_along_and_leaves_the_name_that_somebody_gave() -> None:
    before = written().replace(b"SUMMARY:Ada\\, the first\\; (*1815)", b"SUMMARY:Granny")
    after = ics.change(before, replace(ADA, month=2, day=29), ["date"], LATER)
    (event,) = events([after])
    assert event["SUMMARY"] == "Granny" and event["DTSTART"].dt == date(1972, 2, 29)
    assert event["RRULE"]["BYMONTHDAY"] == [-1] and len([*ics.blocks(ics.lines(after), "VEVENT")]) == 1


def test_line_ends_stay_as_they_are() -> None:
    before = written().replace(b"\r\n", b"\n")
    after = ics.change(before, replace(ADA, summary="Ada King"), ["summary"], LATER)
    assert b"\r" not in after and b"SUMMARY:Ada King\n" in after


def test_what_cannot_be_read_is_not_changed() -> None:
    with pytest.raises(CodecError):
        ics.change(written()[:-20], ADA, ["summary"], LATER)
    with pytest.raises(CodecError):
        ics.change(written(), replace(ADA, uid="contactsync-2"), ["summary"], LATER)
