"""Which events there should be, and what they say; no calendar yet."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from contactsync.calendar.events import Event, Wishes, events, uid_of
from contactsync.calendar.texts import FIELDS, alarm_of, fill, problem_of
from contactsync.model.contact import Anniversary, Contact, Nickname, PartialDate
from tests.calendar.places import day, person


def one(contact: Contact, **wishes: object) -> Event:
    (event,) = events([contact], Wishes(**wishes))[0].values()  # type: ignore[arg-type]
    return event


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name}", "Ada"),
        ("{name}[ (*{year})]", "Ada (*1815)"),
        ("{name}[ aka {nickname}]!", "Ada!"),
        ("[{nickname} {name}][{name}]", "Ada"),
        ("{{name}} [[{name}]]", "{name} [Ada]"),
        ("  {nickname}  {name} ", "Ada"),
        ("no field", "no field"),
    ],
)
def test_a_text_is_filled_in_and_parts_without_their_field_are_left_out(text: str, said: str) -> None:
    assert problem_of(text) == ""
    assert fill(text, {"name": "Ada", "year": "1815", "nickname": ""}) == said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{age}", "{age} is no field. There are: {name}"),
        ("{}", "{} is no field"),
        ("{name.__class__}", "a single {"),
        ("{name!r}", "a single {"),
        ("{name:>10}", "a single {"),
        ("{name", "a single {"),
        ("name}", "a single }"),
        ("[{name}", "the [ has no partner"),
        ("{name}]", "the ] has no partner"),
        ("[a [b]]]", "the [ has no partner"),
    ],
)
def test_a_text_with_a_mistake_says_which(text: str, problem: str) -> None:
    assert problem in problem_of(text)


def test_what_a_contact_says_is_no_template() -> None:
    assert fill("{name}", {"name": "{year} [x"}) == "{year} [x"
    assert fill("{name}!", {"name": "A\nda\x07\t\x00"}) == "A da !"


@pytest.mark.parametrize(
    ("text", "hours"), [("9:00", 9), ("1d", -24), ("1d 18:00", -6), ("0:30", 0.5), ("14d 9:00", -327)]
)
def test_an_alarm_counts_from_the_beginning_of_the_day(text: str, hours: float) -> None:
    assert alarm_of(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "9", "25:00", "9:60", "noon", "1d 9", "-1d"])
def test_what_is_no_alarm_is_refused(text: str) -> None:
    assert alarm_of(text) is None


@pytest.mark.parametrize(
    ("found", "start", "rule"),
    [
        (day(year=1985), date(1985, 12, 10), "FREQ=YEARLY"),
        (day(year=None), date(1970, 12, 10), "FREQ=YEARLY"),
        (day(year=1815), date(1970, 12, 10), "FREQ=YEARLY"),
        (day(year=1604), date(1970, 12, 10), "FREQ=YEARLY"),
        (day(month=2, day=29, year=2000), date(2000, 2, 29), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        (day(month=2, day=29, year=None), date(1972, 2, 29), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        (day(month=2, day=29, year=1904), date(1972, 2, 29), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        (day(month=2, day=29, year=1999), date(1999, 2, 28), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        (day(month=2, day=28, year=2000), date(2000, 2, 28), "FREQ=YEARLY"),
    ],
)
def test_where_an_event_begins_and_how_it_comes_again(found: Anniversary, start: date, rule: str) -> None:
    event = one(person("ada", "Ada", found))
    assert (event.start, event.rule) == (start, rule)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (day(year=1815), "🎂 Ada (*1815)"),
        (day(year=None), "🎂 Ada"),
        (day(year=1604), "🎂 Ada"),
        (day("wedding", year=1835), "⚭ Ada (1835)"),
        (day("death", year=1852), "† Ada (1852)"),
        (day("other", label="Graduation", year=1830), "Graduation: Ada (1830)"),
        (day("other", year=None), "Ada"),
    ],
)
def test_each_kind_of_day_has_its_usual_text(found: Anniversary, text: str) -> None:
    assert one(person("ada", "Ada", found), kinds=("birth", "wedding", "death", "other")).summary == text


def test_all_fields_can_be_used() -> None:
    contact = person("ada", "Ada King", day(year=1815), nicknames=(Nickname("Enchantress"),))
    text = " ".join(f"{{{name}}}" for name in FIELDS)
    assert one(contact, description=text).description == "Ada King Enchantress Birthday 1815"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (PartialDate(1985, 4), "Birthday: the day is not known"),
        (PartialDate(1985), "Birthday: the day is not known"),
        (PartialDate(text="circa 1800"), "Birthday: 'circa 1800' is no date"),
        (PartialDate(1985, 2, 30), "Birthday: there is no day 30 in month 2"),
        (PartialDate(None, 13, 1), "Birthday: there is no day 1 in month 13"),
    ],
)
def test_a_date_without_a_day_makes_no_event_and_says_so(found: PartialDate, reason: str) -> None:
    wanted, skipped = events([person("ada", "Ada", Anniversary("birth", found))], Wishes())
    assert wanted == {} and [one.reason for one in skipped] == [reason]


def test_kinds_that_are_not_wanted_make_no_event_and_no_words() -> None:
    contact = person("ada", "Ada", day(), day("death"), day("wedding", day=None))
    wanted, skipped = events([contact], Wishes(kinds=("birth",)))
    assert [event.kind for event in wanted.values()] == ["birth"] and skipped == []


def test_uids_are_the_same_on_every_device_and_in_every_order() -> None:
    days = (
        day("other", label="Met"),
        day("other", label="Moved"),
        day("other", label="met", year=1999),
        day(),
    )
    first, _ = events([person("urn:uuid:ABC", "Ada", *days)], Wishes())
    second, _ = events([person("abc", "Countess", *reversed(days))], Wishes())
    assert first.keys() == second.keys() and len(first) == 4
    assert {u: e.start for u, e in first.items()} == {u: e.start for u, e in second.items()}


def test_a_uid_stays_with_its_day_when_the_date_is_corrected() -> None:
    before, _ = events([person("ada", "Ada", day(), day("wedding"))], Wishes())
    after, _ = events([person("ada", "Ada", day(month=1, year=None), day("wedding"))], Wishes())
    assert before.keys() == after.keys()


def test_a_day_that_makes_no_event_takes_no_number_from_one_that_does() -> None:
    whole = day("other", label="Met")
    (uid,) = events([person("ada", "Ada", whole)], Wishes())[0]
    partial = day("other", month=1, day=None, label="Met")
    assert list(events([person("ada", "Ada", partial, whole)], Wishes())[0]) == [uid]


def test_people_and_kinds_have_uids_of_their_own() -> None:
    uids = [uid_of("a", "birth"), uid_of("b", "birth"), uid_of("a", "wedding"), uid_of("a", "birth", "", 1)]
    assert len(set(uids)) == 4
    # whatever changes in the program: events that are out there must be found again
    assert uid_of("ada", "birth") == "contactsync-19eb8a3a-17b4-5ff3-98e8-c95086549c84"
