"""The planner's table, cell by cell: what became of the contact x what became of the card."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contactsync.model.contact import Contact, Email, Name, Note, Title
from contactsync.sync.plan import WHOLE, Rules, first_meeting, new_card, plan
from contactsync.sync.types import (
    Action,
    Base,
    Clash,
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
    trashed = Hub(member, deleted=True)
    assert planned(trashed, Live(ADA), base, dead_groups=frozenset({"g"})) == [DeleteRemote()]
    assert kinds(planned(trashed, Live(ADA), base)) == [NoteConflict, SaveLocal, Rebase]


@pytest.mark.law("L23", "L39")
def test_who_joins_a_deleted_group_elsewhere_comes_back() -> None:
    joined = replace(ADA, groups=frozenset({"g"}))
    actions = planned(Hub(ADA, deleted=True), Live(joined), dead_groups=frozenset({"g"}))
    assert kinds(actions) == [NoteConflict, SaveLocal, Rebase]


@pytest.mark.law("L28")
def test_a_pair_that_meets_is_united_and_a_card_of_no_one_becomes_a_contact() -> None:
    rules = Rules()
    assert kinds(first_meeting(Hub(ADA), Live(ADA), project=lambda c: c, rules=rules)) == [Rebase]
    united = first_meeting(Hub(ADA), Live(MAILED), project=lambda c: c, rules=rules)
    assert kinds(united) == [SaveLocal, Rebase]
    card = replace(ADA, uid="theirs", updated=datetime(2026, 1, 1, tzinfo=UTC))
    fresh = new_card(Live(card), "ours")
    assert fresh == (SaveLocal(ADA), Rebase(Base(ADA, ADA)))
    saved, moved = fresh
    assert isinstance(saved, SaveLocal) and isinstance(moved, Rebase)
    # The time that the card claims stays with the card.
    assert (saved.contact.uid, saved.contact.updated) == ("ours", None)
    assert (moved.base.local.uid, moved.base.remote.uid) == ("ours", "theirs")


@pytest.mark.parametrize(
    ("mode", "hub", "remote", "wanted"),
    [
        (Mode.PULL, Hub(POET), Seen.UNCHANGED, []),
        (Mode.PULL, Hub(ADA, deleted=True), Seen.UNCHANGED, []),
        (Mode.PULL, Hub(ADA), Seen.GONE, [DropLocal, Unlink]),
        (Mode.PULL, Hub(POET), Seen.GONE, [NoteConflict, Unlink]),
        (Mode.PUSH, Hub(ADA), Live(POET), []),
        (Mode.PUSH, Hub(ADA), Seen.GONE, [Unlink]),
        (Mode.PUSH, Hub(POET), Seen.GONE, [NoteConflict, Unlink, CreateRemote]),
        (Mode.PUSH, Hub(POET), Seen.UNCHANGED, [UpdateRemote]),
        (Mode.MIRROR_PULL, Hub(POET), Seen.UNCHANGED, [SaveLocal]),
        (Mode.MIRROR_PULL, Hub(ADA, deleted=True), Seen.UNCHANGED, [SaveLocal]),
        (Mode.MIRROR_PULL, Hub(ADA), Seen.GONE, [DropLocal, Unlink]),
        (Mode.MIRROR_PULL, Hub(POET), Seen.GONE, [NoteConflict, DropLocal, Unlink]),
        (Mode.MIRROR_PUSH, Hub(ADA), Live(POET), [UpdateRemote]),
        (Mode.MIRROR_PUSH, Hub(ADA), Seen.GONE, [Unlink, CreateRemote]),
        (Mode.MIRROR_PUSH, Hub(POET), Seen.GONE, [NoteConflict, Unlink, CreateRemote]),
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
    actions = first_meeting(Hub(ADA, deleted=True), Live(ADA), project=lambda c: c, rules=Rules())
    assert kinds(actions) == [NoteConflict, SaveLocal, Rebase]


@pytest.mark.law("L22", "L23")
def test_a_card_that_comes_after_our_deletion_is_an_edit_of_the_one_that_we_deleted() -> None:
    trashed = Hub(MAILED, deleted=True)
    card = replace(POET, emails=(Email("other@x.example"),))
    note = NoteConflict(Clash(WHOLE, ADA, None, card, "remote"))
    known = first_meeting(trashed, Live(card), project=lambda c: c, rules=Rules(), last=BASE)
    wanted = replace(card, emails=(*card.emails, *MAILED.emails[1:]))
    assert known[0] == note
    assert [a.contact for a in known if isinstance(a, SaveLocal)] == [wanted]
    as_it_was = first_meeting(trashed, Live(ADA), project=lambda c: c, rules=Rules(), last=BASE)
    assert kinds(as_it_was) == [NoteConflict, SaveLocal, UpdateRemote]


@pytest.mark.law("L16", "L22", "L23")
@pytest.mark.parametrize("policy", [Policy.NEWEST, Policy.DEVICE, Policy.REMOTE])
def test_a_card_that_comes_long_after_our_deletion_wins_with_a_record(policy: Policy) -> None:
    renamed = replace(ADA, name=Name(full="Augusta"))
    rules = Rules(policy=policy)
    actions = first_meeting(Hub(ADA, deleted=True), Live(renamed), project=lambda c: c, rules=rules)
    notes = [a.clash for a in actions if isinstance(a, NoteConflict)]
    assert [a.contact for a in actions if isinstance(a, SaveLocal)] == [renamed]
    assert [clash.local for clash in notes if clash.path == ("name",)] == [ADA.name]


@pytest.mark.law("L18", "L22")
def test_a_person_who_wants_to_be_asked_is_asked_of_a_card_that_comes_back_too() -> None:
    renamed = replace(ADA, name=Name(full="Augusta"))
    rules = Rules(policy=Policy.ASK)
    actions = first_meeting(Hub(ADA, deleted=True), Live(renamed), project=lambda c: c, rules=rules)
    assert [a.clash.winner for a in actions if isinstance(a, NoteConflict)] == ["remote", None]


@pytest.mark.law("L26")
@pytest.mark.parametrize("mode", [Mode.PUSH, Mode.MIRROR_PUSH])
def test_a_card_of_a_trashed_contact_brings_nobody_back_where_nothing_comes_in(mode: Mode) -> None:
    rules = Rules(mode=mode)
    assert first_meeting(Hub(ADA, deleted=True), Live(ADA), project=lambda c: c, rules=rules) == []


@pytest.mark.law("L6", "L7")
def test_an_edit_that_came_in_is_named_and_moves_both_shadows() -> None:
    added = ("emails", "new@x.example")
    assert planned(Hub(ADA), Live(MAILED)) == [SaveLocal(MAILED, (added,)), Rebase(Base(MAILED, MAILED))]


@pytest.mark.law("L7")
def test_an_edit_that_the_remote_cannot_show_moves_the_shadow_silently() -> None:
    noted = replace(ADA, notes=(Note("met in Turin"),))
    actions = plan(BASE, Hub(noted), Seen.UNCHANGED, project=lambda c: replace(c, notes=()), rules=Rules())
    assert actions == [Rebase(Base(noted, ADA))]


@pytest.mark.law("L18", "L26")
def test_a_shadow_that_moves_leaves_behind_what_is_held_back() -> None:
    """Else the next edit here would write over the one there without a record."""
    kind = replace(ADA, kind="individual")
    both = planned(Hub(kind), Live(replace(POET, kind="individual")), mode=Mode.PUSH)
    assert both == [Rebase(Base(kind, kind))]


@pytest.mark.law("L23")
def test_a_contact_that_comes_back_has_its_record_its_units_and_its_shadows() -> None:
    trashed = Hub(ADA, deleted=True)
    note = NoteConflict(Clash(WHOLE, ADA, None, MAILED, "remote"))
    saved = SaveLocal(MAILED, (("emails", "new@x.example"),))
    assert planned(trashed, Live(MAILED)) == [note, saved, Rebase(Base(MAILED, MAILED))]
    gone = planned(Hub(POET), Seen.GONE)
    assert gone == [NoteConflict(Clash(WHOLE, ADA, POET, None, "local")), Unlink(), CreateRemote(POET)]


@pytest.mark.law("L23", "L31")
def test_an_edit_that_was_made_before_the_deletion_goes_out_with_the_contact() -> None:
    wanted = replace(MAILED, titles=POET.titles)
    actions = planned(Hub(POET, deleted=True), Live(MAILED))
    interim = Base(MAILED, MAILED)
    assert actions[1:] == [
        SaveLocal(wanted, (("emails", "new@x.example"),)),
        UpdateRemote(wanted, Base(wanted, wanted), interim),
    ]
    assert kinds(planned(Hub(wanted), Seen.UNCHANGED, interim)) == [UpdateRemote]
    # A book that is only read gets nothing, also then.
    assert kinds(planned(Hub(POET, deleted=True), Live(MAILED), mode=Mode.PULL)) == [
        NoteConflict,
        SaveLocal,
        Rebase,
    ]


@pytest.mark.law("L18", "L23")
def test_the_policy_holds_also_for_a_contact_that_comes_back() -> None:
    trashed = Hub(replace(ADA, titles=(Title("Analyst"),)), deleted=True)
    actions = planned(trashed, Live(POET), policy=Policy.REMOTE)
    assert [action.contact for action in actions if isinstance(action, SaveLocal)] == [POET]


@pytest.mark.law("L26")
def test_in_a_mode_a_deletion_that_does_not_cross_is_undone_or_lets_go() -> None:
    for seen in (Seen.UNCHANGED, Live(ADA)):
        assert planned(Hub(ADA, deleted=True), seen, mode=Mode.MIRROR_PULL) == [SaveLocal(ADA)]
    assert planned(Hub(ADA), Seen.GONE, mode=Mode.PUSH) == [Unlink(left=True)]
    note = NoteConflict(Clash(WHOLE, ADA, POET, None, "local"))
    assert planned(Hub(POET), Seen.GONE, mode=Mode.PULL) == [note, Unlink(left=True)]


@pytest.mark.law("L16", "L23", "P1")
def test_what_lost_against_an_edit_there_is_on_record_when_it_brings_a_deleted_contact_back() -> None:
    edited = replace(ADA, titles=(Title("Programmer"),))
    actions = planned(Hub(edited, deleted=True), Live(POET), policy=Policy.REMOTE)
    clashes = [action.clash for action in actions if isinstance(action, NoteConflict)]
    assert [clash.path[0] for clash in clashes] == ["contact", "titles"]
    assert (clashes[1].local, clashes[1].remote) == (Title("Programmer"), Title("Poet"))


@pytest.mark.law("L18", "L23")
def test_an_open_question_stays_open_when_a_deleted_contact_comes_back() -> None:
    edited = replace(ADA, titles=(Title("Programmer"),))
    actions = planned(Hub(edited, deleted=True), Live(POET), policy=Policy.ASK)
    (rebase,) = [action for action in actions if isinstance(action, Rebase)]
    assert rebase.base.local.titles == rebase.base.remote.titles == ADA.titles
