"""What holds of every case, whatever the edits, the mode and the limits of the remote: made-up cases."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from contactsync.model.contact import Anniversary, Contact, Email, Note, PartialDate, Phone, Title
from contactsync.model.fields import flatten, path_text, unit_text
from contactsync.sync.diff import differs
from contactsync.sync.types import NO_BASE, Base, Policy
from tests.cases.merging import DELETED, NOBODY, Case, Outcome, play, play_again

LABELS = st.sampled_from(("", "Hut", "Boat"))
PREFERRED = st.sampled_from((None, 1))
EMAILS = st.builds(
    Email, st.sampled_from(("ada@x.example", "poet@y.example", "no1@z.example")), label=LABELS, pref=PREFERRED
)
PHONES = st.builds(
    Phone,
    st.sampled_from(("+493011111", "+81355556666")),
    features=st.sets(st.sampled_from(("mobile", "text")), max_size=2).map(frozenset),
)
NOTES = st.builds(
    lambda *lines: Note("\n".join(lines)),
    *(st.sampled_from((f"{n} line", f"{n} other")) for n in ("first", "second", "third")),
)
BIRTHDAYS = st.builds(
    lambda day: Anniversary("birth", PartialDate(1815, 12, day)), st.integers(min_value=1, max_value=3)
)


def some(entries: st.SearchStrategy[Any], most: int, of: Any = None) -> st.SearchStrategy[Any]:
    return st.lists(entries, max_size=most, unique_by=of).map(tuple)


CONTACTS = st.builds(
    Contact,
    uid=st.just(NOBODY.uid),
    emails=some(EMAILS, 3, lambda entry: entry.address),
    phones=some(PHONES, 2, lambda entry: entry.number),
    titles=some(st.sampled_from((Title("Countess"), Title("Poet"))), 1),
    notes=some(NOTES, 1),
    anniversaries=some(BIRTHDAYS, 1),
)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "hold_entries": st.just({"emails": 2}),
        "hold_characters": st.just(len("first line\nsecond line")),
        "hold_features": st.just(["mobile"]),
        "hold_labels": st.just(False),
    },
)
POLICIES = st.sampled_from([policy.value for policy in Policy])


@st.composite
def cases(draw: st.DrawFn, mode: str) -> Case:
    told = {"mode": mode, "policy": draw(POLICIES), "remote_can": draw(LIMITS)}
    case = Case("made up", told, NO_BASE, None, None, None, None)
    before = draw(CONTACTS)
    device = draw(st.one_of(st.none(), st.just(before), CONTACTS))
    far = case.project(before)
    remote = draw(st.one_of(st.none(), st.just(far), CONTACTS.map(case.project)))
    for side, state in (("base", before), ("device", device), ("remote", remote)):
        note(f"{side}: {short(state)}")
    return Case("made up", told, Base(before, far), device, remote, None, None)


def short(contact: Contact | None) -> str:
    if contact is None:
        return DELETED
    units = flatten(contact).values.items()
    return ", ".join(f"{path_text(path)}={unit_text(path, value)!r}" for path, value in units)


def same(one: Contact | None, other: Contact | None) -> bool:
    return one is other if one is None or other is None else not differs(one, other)


def quiet(case: Case, first: Outcome) -> None:
    again = play_again(case, first)
    assert again.written == frozenset()
    asked = [record["unit"] for record in first.conflicts if record["winner"] == "nobody"]
    assert [record["unit"] for record in again.conflicts] == asked


@given(cases("two-way"))
@pytest.mark.law("L10", "L16", "L17", "L23", "P1", "P3", "P4")
def test_both_ways_everything_agrees_and_nothing_is_lost(case: Case) -> None:
    first = play(case)
    quiet(case, first)
    asked = any(record["winner"] == "nobody" for record in first.conflicts)
    if first.device is None:
        assert first.remote is None
    elif not asked:
        assert same(first.remote, case.project(first.device))
    if first.device is None or any(record["unit"] == "contact" for record in first.conflicts):
        return
    kept = "\n".join(
        [*texts(first.device), *(text for record in first.conflicts for text in record.values())]
    )
    for side, before in ((case.device, case.base.local), (case.remote, case.base.remote)):
        for line in lines(side) - lines(before):
            assert line in kept


@given(cases("pull"))
@pytest.mark.law("L26", "P4")
def test_pull_writes_nothing_there(case: Case) -> None:
    first = play(case)
    assert "remote" not in first.written
    quiet(case, first)


@given(cases("push"))
@pytest.mark.law("L26", "P4")
def test_push_writes_nothing_here(case: Case) -> None:
    first = play(case)
    assert "device" not in first.written
    quiet(case, first)


@given(cases("mirror-pull"))
@pytest.mark.law("L26", "P4")
def test_mirror_pull_makes_the_device_show_what_is_there(case: Case) -> None:
    first = play(case)
    assert "remote" not in first.written
    quiet(case, first)
    if first.device is None or first.remote is None:
        assert first.device is first.remote
    elif not case.told["remote_can"].keys() & {"hold_entries", "hold_characters"}:  # nothing out of sight
        assert same(case.project(first.device), case.remote)


@given(cases("mirror-push"))
@pytest.mark.law("L26", "P4")
def test_mirror_push_makes_the_card_show_what_is_here(case: Case) -> None:
    first = play(case)
    assert "device" not in first.written
    quiet(case, first)
    if case.device is None:
        assert first.remote is None
    else:
        assert same(first.remote, case.project(case.device))


def texts(contact: Contact | None) -> set[str]:
    if contact is None:
        return set()
    found = {entry.address for entry in contact.emails} | {entry.label for entry in contact.emails}
    found |= {entry.number for entry in contact.phones} | {entry.name for entry in contact.titles}
    found |= {note.text for note in contact.notes}
    return found | {f"1815-12-{entry.date.day:02d}" for entry in contact.anniversaries}


def lines(contact: Contact | None) -> set[str]:
    """What somebody may have set: whole lines only, since a remote cuts where it likes."""
    return {line for text in texts(contact) for line in text.split("\n") if line}
