"""A device that meets the same people at three kinds of remotes doubles nobody and mixes up nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import NewBook
from tests.e2e.three_books import run, world
from tests.servers import Server

PEOPLE = 90


@pytest.mark.law("L27", "L28", "P2", "P3")
def test_the_same_people_at_radicale_google_and_outlook_meet_on_one_device(
    tmp_path: Path, radicale: Server, new_book: NewBook
) -> None:
    with world(tmp_path, radicale, new_book(radicale)) as found:
        outcome = run(found, PEOPLE)
        held = [stored for stored in found.engine.contacts() if stored.held]
    assert outcome.mixed == [], "somebody has values of somebody else"
    assert outcome.held == len(held) > 0
    assert all(stored.held_for for stored in held)
    # Who is missed is one person more for every program; it may cost a click, and it may not be many.
    assert outcome.missed <= PEOPLE * 0.03
    assert all(copies <= outcome.missed for copies in outcome.copies.values()), outcome.copies
    # a third of all meetings needs nobody
    assert outcome.contacts < 3 * PEOPLE * 0.7


@pytest.mark.law("L27", "L28", "P2", "P3")
def test_who_differs_in_uids_labels_and_formats_only_is_nowhere_twice(
    tmp_path: Path, radicale: Server, new_book: NewBook
) -> None:
    with world(tmp_path, radicale, new_book(radicale)) as found:
        outcome = run(found, PEOPLE, slips=False)
    assert (outcome.mixed, outcome.missed) == ([], 0)
    assert outcome.copies == {"radicale": 0, "google": 0, "outlook": 0}
    # relatives of one name with one landline are asked about
    assert outcome.contacts == PEOPLE + outcome.held and 0 < outcome.held <= PEOPLE * 0.1
