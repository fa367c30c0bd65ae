"""What is decided where no calendar can be brought to show it by itself."""

from __future__ import annotations

from dataclasses import replace

from contactsync.calendar.events import Event
from contactsync.calendar.plan import Known, is_settled, plan, to_look_at
from contactsync.sync.brakes import Limits

ADA = Event("contactsync-1", "birth", "ada", "Ada", 12, 10, 1815, "Ada")
BOB = Event("contactsync-2", "birth", "bob", "Bob", 3, 1, None, "Bob")
WANTED = {ADA.uid: ADA, BOB.uid: BOB}


def known(*events: Event, declined: bool = False) -> dict[str, Known]:
    return {event.uid: Known(event.marks, event.name, declined) for event in events}


def test_an_event_that_is_listed_but_not_shown_is_neither_written_nor_forgotten() -> None:
    moved = replace(ADA, month=1)
    found = plan({ADA.uid: moved}, known(ADA, BOB), {ADA.uid, BOB.uid}, {}, Limits())
    assert not found.writes and found.unread == [moved] and found.forget == []


def test_what_is_known_and_as_wanted_need_not_be_read() -> None:
    assert to_look_at(WANTED, known(ADA, BOB), {ADA.uid, BOB.uid}) == []
    assert to_look_at(WANTED, known(ADA), {ADA.uid, BOB.uid}) == [BOB.uid]
    assert to_look_at({}, known(ADA), {ADA.uid, BOB.uid}) == [ADA.uid]
    assert to_look_at(WANTED, {}, set()) == []


def test_it_is_settled_when_all_is_known_as_it_is_wanted() -> None:
    assert is_settled(WANTED, known(ADA, BOB))
    assert not is_settled(WANTED, known(ADA))
    assert not is_settled({ADA.uid: ADA}, known(ADA, BOB))
    assert not is_settled({ADA.uid: replace(ADA, summary="Ada King")}, known(ADA))


def test_an_event_that_stays_away_is_settled_until_its_day_changes() -> None:
    away = known(ADA, declined=True)
    assert is_settled({ADA.uid: replace(ADA, summary="Ada King")}, away)
    assert not is_settled({ADA.uid: replace(ADA, month=1)}, away)


def test_a_deleted_event_that_somebody_puts_back_is_one_of_ours_again() -> None:
    found = plan({ADA.uid: ADA}, known(ADA, declined=True), {ADA.uid}, {}, Limits())
    assert not found.writes and found.remember == known(ADA)


def test_what_another_device_took_away_is_forgotten_and_what_is_not_known_stays() -> None:
    found = plan({}, known(ADA), {BOB.uid}, {}, Limits())
    assert not found.writes and found.forget == [ADA.uid]


def test_what_is_not_ours_any_more_is_let_go_of_and_not_deleted() -> None:
    found = plan({}, known(ADA), {ADA.uid}, {ADA.uid: None}, Limits())
    assert not found.writes and found.forget == [ADA.uid]
