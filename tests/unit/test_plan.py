"""The planner's table, cell by cell: what became of the contact x what became of the card."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contactsync.model.contact import Contact, Email, Name, Title
from contactsync.sync.plan import Rules, first_meeting, new_card, plan
from contactsync.sync.types import (
    NO_BASE,
    Action,
    Base,
    CreateRemote,
    DeleteRemote,
    DropLocal,
    Hub,
    Live,
    Mode,
    NoteConflict,
    Policy,
    Rebase,
    SaveLocal,
    Seen,
    Unlink,
    UpdateRemote,
)

ADA = Contact(uid="ada", name=Name(full="Ada"), emails=(Email("ada@x.example"),), titles=(Title("Countess"),))
POET = replace(ADA, titles=(Title("Poet"),))
MAILED = replace(ADA, emails=(*ADA.emails, Email("new@x.example")))
BASE = Base(ADA, ADA)


def planned(hub: Hub, remote: Live | Seen, base: Base = BASE, **rules: object) -> list[Action]:
    return plan(base, hub, remote, project=lambda c: c, rules=Rules(**rules))  # type: ignore[arg-type]


def kinds(actions: list[Action]) -> list[type]:
    return [type(action) for action in actions]


@pytest.mark.parametrize(
    ("hub", "remote", "wanted"),
    [
        (Hub(ADA), Seen.UNCHANGED, []),
        (Hub(ADA), Live(ADA), []),
        (Hub(ADA), Live(POET), [SaveLocal, Rebase]),
        (Hub(ADA), Seen.GONE, [DropLocal, Unlink]),
        (Hub(POET), Seen.UNCHANGED, [UpdateRemote]),
        (Hub(POET), Live(POET), [Rebase]),
        (Hub(POET), Live(MAILED), [SaveLocal, UpdateRemote]),
        (Hub(POET), Seen.GONE, [NoteConflict, Unlink, CreateRemote]),
        (Hub(ADA, deleted=True), Seen.UNCHANGED, [DeleteRemote]),
        (Hub(ADA, deleted=True), Live(ADA), [DeleteRemote]),
        (Hub(ADA, deleted=True), Live(POET), [NoteConflict, SaveLocal, Rebase]),
        (Hub(ADA, deleted=True), Seen.GONE, [Unlink]),
    ],
)
@pytest.mark.law("L7", "L20", "L23")
def test_each_cell_of_the_table(hub: Hub, remote: Live | Seen, wanted: list[type]) -> None:
    assert kinds(planned(hub, remote)) == wanted


@pytest.mark.law("L23")
def test_an_edit_that_meets_a_deletion_revives_with_the_last_full_content_and_the_edit() -> None:
    trashed = replace(ADA, titles=(*ADA.titles, Title("Analyst")))
    actions = planned(Hub(trashed, deleted=True), Live(MAILED))
    saved = next(a for a in actions if isinstance(a, SaveLocal)).contact
    assert saved.titles == trashed.titles and saved.emails == MAILED.emails


@pytest.mark.law("L39")
def test_what_follows_from_a_deleted_group_revives_nothing() -> None:
    member = replace(ADA, groups=frozenset({"g"}))
    base = Base(member, member)
    assert kinds(planned(Hub(ADA), Seen.GONE, base, dead_groups=frozenset({"g"}))) == [DropLocal, Unlink]
    assert kinds(planned(Hub(ADA), Seen.GONE, base)) == [NoteConflict, Unlink, CreateRemote]


@pytest.mark.law("L28")
def test_a_pair_that_meets_is_united_and_a_card_of_no_one_becomes_a_contact() -> None:
    rules = Rules()
    assert kinds(first_meeting(Hub(ADA), Live(ADA), project=lambda c: c, rules=rules)) == [Rebase]
    united = first_meeting(Hub(ADA), Live(MAILED), project=lambda c: c, rules=rules)
    assert kinds(united) == [SaveLocal, Rebase]
    fresh = new_card(Live(replace(ADA, uid="theirs")), "ours")
    assert kinds(fresh) == [SaveLocal, Rebase]
    assert isinstance(fresh[0], SaveLocal) and fresh[0].contact.uid == "ours"


@pytest.mark.parametrize(
    ("mode", "hub", "remote", "wanted"),
    [
        (Mode.PULL, Hub(POET), Seen.UNCHANGED, []),
        (Mode.PULL, Hub(ADA, deleted=True), Seen.UNCHANGED, []),
        (Mode.PULL, Hub(ADA), Seen.GONE, [DropLocal, Unlink]),
        (Mode.PULL, Hub(POET), Seen.GONE, [NoteConflict, Unlink]),
        (Mode.PUSH, Hub(ADA), Live(POET), []),
        (Mode.PUSH, Hub(ADA), Seen.GONE, [Unlink]),
        (Mode.PUSH, Hub(POET), Seen.UNCHANGED, [UpdateRemote]),
        (Mode.MIRROR_PULL, Hub(POET), Seen.UNCHANGED, [SaveLocal]),
        (Mode.MIRROR_PULL, Hub(ADA, deleted=True), Seen.UNCHANGED, [SaveLocal]),
        (Mode.MIRROR_PULL, Hub(POET), Seen.GONE, [DropLocal, Unlink]),
        (Mode.MIRROR_PUSH, Hub(ADA), Live(POET), [UpdateRemote]),
        (Mode.MIRROR_PUSH, Hub(ADA), Seen.GONE, [Unlink, CreateRemote]),
    ],
)
@pytest.mark.law("L26")
def test_one_way_modes_carry_edits_one_way(
    mode: Mode, hub: Hub, remote: Live | Seen, wanted: list[type]
) -> None:
    assert kinds(planned(hub, remote, mode=mode)) == wanted


@pytest.mark.law("L26")
def test_in_push_mode_a_foreign_edit_stays_there_and_stays_an_edit() -> None:
    both = planned(Hub(MAILED), Live(POET), mode=Mode.PUSH)
    (update,) = (a for a in both if isinstance(a, UpdateRemote))
    assert update.target.titles == POET.titles and update.target.emails == MAILED.emails
    assert update.base.remote.titles == ADA.titles


@pytest.mark.law("L31")
def test_a_write_that_never_left_is_planned_again_from_the_interim_shadows() -> None:
    actions = planned(Hub(POET), Live(MAILED))
    saved = next(a for a in actions if isinstance(a, SaveLocal))
    update = next(a for a in actions if isinstance(a, UpdateRemote))
    again = planned(Hub(saved.contact), Seen.UNCHANGED, update.interim)
    assert kinds(again) == [UpdateRemote]
    assert isinstance(again[0], UpdateRemote) and again[0].target == update.target
    assert planned(Hub(saved.contact), Seen.UNCHANGED, update.base) == []


@pytest.mark.law("L18")
def test_an_open_question_is_asked_again_and_changes_nothing() -> None:
    actions = planned(Hub(POET), Live(replace(ADA, titles=(Title("Analyst"),))), policy=Policy.ASK)
    assert kinds(actions) == [NoteConflict]
    assert isinstance(actions[0], NoteConflict) and actions[0].clash.winner is None


@pytest.mark.law("L27", "L28")
def test_a_trashed_contact_whose_card_comes_up_again_lives_again() -> None:
    actions = plan(NO_BASE, Hub(ADA, deleted=True), Live(ADA), project=lambda c: c, rules=Rules())
    assert kinds(actions) == [NoteConflict, SaveLocal, Rebase]
