"""Laws L2 to L19 on single contacts: each test's name is the sentence it proves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactsync.model.contact import (
    Anniversary,
    Contact,
    Email,
    Name,
    Nickname,
    Note,
    PartialDate,
    Phone,
    Title,
)
from contactsync.model.fields import FIELDS, flatten
from contactsync.sync.diff import aligned, differs
from contactsync.sync.echo import Settled, holding_back, losses, settle
from contactsync.sync.merge import Merged, merge, merge_lines
from contactsync.sync.types import Base, Hub, Live, Mode, Policy

ADA = Contact(
    uid="ada",
    name=Name(full="Ada Lovelace"),
    emails=(
        Email("ada@home.example", frozenset({"private"})),
        Email("ada@work.example", frozenset({"work"})),
    ),
    phones=(Phone("+44 20 7946 0000", frozenset({"private"})),),
    titles=(Title("Countess"),),
    notes=(Note("first\nsecond\nthird"),),
)


def merged(
    local: Contact,
    remote: Contact,
    base: Contact = ADA,
    policy: Policy = Policy.NEWEST,
    mode: Mode = Mode.TWO_WAY,
    **more: object,
) -> Merged:
    hub = Hub(local, times=more.get("times", {}))  # type: ignore[arg-type]
    at = more.get("at")
    return merge(
        Base(base, base),
        hub,
        Live(remote, at),  # type: ignore[arg-type]
        project=lambda contact: contact,
        policy=policy,
        mode=mode,
    )


@pytest.mark.law("L14")
def test_edits_to_different_fields_both_cross() -> None:
    local = replace(ADA, titles=(Title("Analyst"),))
    remote = replace(ADA, phones=(Phone("+44 20 7946 0001", frozenset({"private"})),))
    result = merged(local, remote)
    assert result.local == result.remote == replace(local, phones=remote.phones)
    assert not result.clashes


@pytest.mark.law("L3")
def test_a_new_label_here_and_a_corrected_number_there_both_survive() -> None:
    local = replace(ADA, phones=(replace(ADA.phones[0], label="Villa"),))
    remote = replace(ADA, phones=(replace(ADA.phones[0], number="+44 20 7946 0999"),))
    result = merged(local, remote)
    wanted = (Phone("+44 20 7946 0999", frozenset({"private"}), label="Villa"),)
    assert result.local.phones == result.remote.phones == wanted


def mail(*entries: Email) -> Contact:
    return Contact(emails=entries)


HOME, WORK = frozenset({"private"}), frozenset({"work"})
A, B = "emails/anna.berg@x.example", "emails/carl.dorn@x.example"


@pytest.mark.law("L4")
@pytest.mark.parametrize(
    ("new", "edits"),
    [
        # the remote's own name for an entry counts more than likeness, and than the label
        (
            mail(Email("carl.dorm@x.example", WORK, ref="1"), Email("anna.burg@x.example", HOME, ref="2")),
            {A: "carl.dorm@x.example", B: "anna.burg@x.example"},
        ),
        # the only one of its label, whatever is there instead, in whatever order
        (
            mail(Email("1@q.test", WORK), Email("2@q.test", WORK), Email("o@uvw.test", HOME)),
            {A: "o@uvw.test", B: None, "emails/1@q.test": "1@q.test", "emails/2@q.test": "2@q.test"},
        ),
        # likeness where labels tell nothing
        (mail(Email("carl.dorm@x.example")), {A: None, B: "carl.dorm@x.example"}),
        (
            mail(Email("carl.dorm@x.example"), Email("anna.burg@x.example")),
            {A: "anna.burg@x.example", B: "carl.dorm@x.example"},
        ),
        # nothing in common: gone, and new
        (mail(Email("o@uvw.test")), {A: None, B: None, "emails/o@uvw.test": "o@uvw.test"}),
    ],
)
def test_entries_are_paired_by_name_label_and_likeness(new: Contact, edits: dict[str, str | None]) -> None:
    old = mail(Email("anna.berg@x.example", HOME, ref="1"), Email("carl.dorn@x.example", WORK, ref="2"))
    found = {"/".join(p): e.new and e.new.address for p, e in differs(old, new).items() if len(p) == 2}
    assert found == edits


@pytest.mark.law("L4")
def test_likeness_must_be_above_its_threshold() -> None:
    for new, pairs in (("abc89", 0), ("abcd9", 1)):  # alike by exactly 60, and by 80 of 100
        edits = differs(mail(Email("abcde", HOME)), mail(Email(new, WORK)))
        assert sum(1 for edit in edits.values() if edit.old and edit.new) == pairs


@pytest.mark.law("L4")
def test_the_only_one_of_a_label_must_be_so_on_both_sides() -> None:
    two = mail(Email("anna.berg@x.example", WORK), Email("carl.dorn@x.example", WORK))
    one = mail(Email("carl.dorm@x.example", WORK))
    other = mail(Email("carl.dorm@x.example", WORK), Email("anna.burg@x.example", WORK))
    for old, new in ((two, one), (one, two), (two, other)):
        for edit in differs(old, new).values():
            if edit.old and edit.new:
                assert edit.old.address[:4] == edit.new.address[:4]
    sole, its_place = Email("h@home.example", HOME), ("emails", "h@home.example")
    edits = differs(mail(*two.emails, sole), mail(*one.emails, Email("o@uvw.test", HOME)))
    assert edits[its_place].new == Email("o@uvw.test", HOME)


@pytest.mark.law("L4")
def test_one_of_two_equal_entries_may_go() -> None:
    twice = mail(Email("a@x.example"), Email("a@x.example", label="Villa"), Email("a@x.example", label="Hut"))
    once = mail(twice.emails[0])
    assert {path[1] for path in differs(twice, once)} == {"a@x.example~2", "a@x.example~3"}
    # New entries are named as they would be in a contact of their own.
    assert aligned(twice, flatten(Contact())).order == flatten(twice).order


@pytest.mark.law("L2")
def test_another_spelling_of_a_number_is_no_edit() -> None:
    remote = replace(ADA, phones=(Phone("+442079460000", frozenset({"private"})),))
    result = merged(ADA, remote)
    assert not result.taken and not result.sent
    assert result.local == ADA


@pytest.mark.law("L16", "L18")
def test_the_newest_edit_of_one_unit_wins_and_the_loser_is_in_the_record() -> None:
    local = replace(ADA, titles=(Title("Analyst"),))
    remote = replace(ADA, titles=(Title("Programmer"),))
    times = {"titles/title:countess": datetime(2026, 1, 1, tzinfo=UTC)}
    result = merged(local, remote, times=times, at=datetime(2026, 1, 2, tzinfo=UTC))
    assert result.local.titles == result.remote.titles == (Title("Programmer"),)
    (clash,) = result.clashes
    assert (clash.winner, clash.local, clash.remote) == ("remote", Title("Analyst"), Title("Programmer"))
    result = merged(local, remote, times=times, at=datetime(2025, 12, 31, tzinfo=UTC))
    assert result.local.titles == result.remote.titles == (Title("Analyst"),)


@pytest.mark.law("L18")
def test_without_a_time_the_device_wins() -> None:
    result = merged(replace(ADA, titles=(Title("Analyst"),)), replace(ADA, titles=(Title("Poet"),)))
    assert result.local.titles == (Title("Analyst"),)


@pytest.mark.law("L18")
def test_ask_leaves_both_sides_and_both_shadows_of_the_unit() -> None:
    local = replace(ADA, titles=(Title("Analyst"),), kind="individual")
    remote = replace(ADA, titles=(Title("Poet"),))
    result = merged(local, remote, policy=Policy.ASK)
    assert result.local.titles == (Title("Analyst"),)
    assert result.remote.titles == (Title("Poet"),)
    assert result.remote.kind == "individual"
    assert result.base.local.titles == result.base.remote.titles == ADA.titles
    assert result.base.local.kind == "individual"
    again = merge(result.base, Hub(result.local), Live(result.remote), project=lambda c: c, policy=Policy.ASK)
    assert not again.taken and not again.sent and again.base == result.base


@pytest.mark.law("L17")
def test_a_change_beats_a_removal_of_the_same_entry() -> None:
    local = replace(ADA, emails=ADA.emails[:1])
    remote = replace(ADA, emails=(ADA.emails[0], replace(ADA.emails[1], label="Lab")))
    result = merged(local, remote)
    assert result.local.emails == result.remote.emails == remote.emails
    assert result.clashes[0].winner == "remote"


@pytest.mark.law("L4")
def test_an_edited_value_is_an_edit_and_not_a_deletion_and_a_new_entry() -> None:
    local = replace(ADA, emails=(ADA.emails[0], replace(ADA.emails[1], label="Lab")))
    remote = replace(ADA, emails=(ADA.emails[0], Email("countess@new.example", frozenset({"work"}))))
    result = merged(local, remote)
    assert result.local.emails == (
        ADA.emails[0],
        Email("countess@new.example", frozenset({"work"}), label="Lab"),
    )


@pytest.mark.law("L15")
def test_the_same_addition_on_both_sides_is_one_entry() -> None:
    new = Email("third@x.example", frozenset({"other"}))
    result = merged(replace(ADA, emails=(*ADA.emails, new)), replace(ADA, emails=(new, *ADA.emails)))
    assert result.local.emails == (*ADA.emails, new)
    assert not result.clashes


@pytest.mark.law("L15")
def test_two_ways_to_one_value_do_not_leave_it_twice() -> None:
    new = "new@x.example"
    local = replace(ADA, emails=(replace(ADA.emails[0], address=new), ADA.emails[1]))
    remote = replace(ADA, emails=(*ADA.emails, Email(new)))
    result = merged(local, remote)
    assert [e.address for e in result.local.emails] == [new, "ada@work.example"]
    # What was said about either is said about the one that stays.
    remote = replace(ADA, emails=(*ADA.emails, Email(new, frozenset({"work"}), label="Villa", pref=1)))
    wanted = Email(new, frozenset({"private", "work"}), label="Villa", pref=1)
    for result in (merged(local, remote), merged(remote, local)):
        assert result.local.emails == result.remote.emails == (wanted, ADA.emails[1])


@pytest.mark.law("L5")
def test_another_order_is_no_edit_and_new_entries_go_beside_their_neighbour() -> None:
    remote = replace(ADA, emails=(ADA.emails[1], Email("next@x.example"), ADA.emails[0]))
    result = merged(ADA, remote)
    assert [e.address for e in result.local.emails] == [
        "ada@home.example",
        "ada@work.example",
        "next@x.example",
    ]
    assert not merged(ADA, replace(ADA, emails=ADA.emails[::-1])).taken


def test_notes_are_merged_by_lines() -> None:
    assert merge_lines("a\nb\nc", "A\nb\nc", "a\nb\nC") == "A\nb\nC"
    assert merge_lines("a\nb\nc", "a\nB\nc", "a\nX\nc") is None
    assert merge_lines("a", "a\nb", "a") == "a\nb"
    # Lines that come first here must not move the place of those that change there.
    assert merge_lines("a\nb\nc", "0\na\nb\nc", "a\nb\nC") == "0\na\nb\nC"
    assert merge_lines("a\nc", "a\nb\nc", "a\nB\nc") is None


def test_a_long_note_of_lines_that_repeat_is_merged_like_a_short_one() -> None:
    before = "\n".join(["-"] * 250)
    assert merge_lines(before, "first\n" + before, before + "\nend") == f"first\n{before}\nend"


@pytest.mark.law("L6")
def test_a_coarser_view_changes_only_what_it_can_express() -> None:
    fine = Phone("+44 1", features=frozenset({"cell", "text", "video"}))
    hub = replace(ADA, phones=(fine,))
    coarse = replace(ADA, phones=(Phone("+44 1", features=frozenset({"cell"})),))
    changed = replace(ADA, phones=(Phone("+44 1", frozenset({"work"}), frozenset({"cell"})),))

    def project(contact: Contact) -> Contact:
        return replace(
            contact, phones=tuple(replace(p, features=p.features & {"cell"}) for p in contact.phones)
        )

    result = merge(Base(hub, coarse), Hub(hub), Live(changed), project=project, policy=Policy.NEWEST)
    assert result.local.phones == (replace(fine, contexts=frozenset({"work"})),)
    assert result.remote == changed and not result.sent


@pytest.mark.law("L10")
def test_an_entry_pushed_out_of_a_short_list_stays_in_the_hub() -> None:
    def project(contact: Contact) -> Contact:
        return replace(contact, emails=contact.emails[:1])

    more = replace(ADA, emails=(Email("best@x.example"), *ADA.emails))
    base = Base(ADA, project(ADA))
    result = merge(base, Hub(more), Live(project(ADA)), project=project, policy=Policy.NEWEST)
    assert result.local == more
    assert [e.address for e in result.remote.emails] == ["best@x.example"]
    again = merge(
        Base(result.base.local, result.remote),
        Hub(more),
        Live(result.remote),
        project=project,
        policy=Policy.NEWEST,
    )
    assert again.local == more and not again.sent


@pytest.mark.law("L28")
def test_a_first_meeting_is_a_union() -> None:
    other = Contact(
        name=ADA.name, emails=(Email("ADA@home.example"), Email("z@x.example")), kind="individual"
    )
    result = merged(ADA, other, base=Contact())
    assert [e.address for e in result.local.emails] == ["ada@home.example", "z@x.example", "ada@work.example"]
    assert result.local.kind == "individual"
    assert not result.clashes


@pytest.mark.law("L19")
def test_a_role_is_one_unit_also_without_a_base() -> None:
    born = Anniversary("birth", PartialDate(1815, 12, 10))
    other = Anniversary("birth", PartialDate(1815, 12, 11))
    result = merged(Contact(anniversaries=(born,)), Contact(anniversaries=(other,)), base=Contact())
    assert result.local.anniversaries == (born,)
    assert len(result.clashes) == 1


@pytest.mark.law("L26")
def test_pull_keeps_local_edits_at_home_and_they_stay_edits() -> None:
    local = replace(ADA, titles=(Title("Analyst"),))
    remote = replace(ADA, kind="individual")
    result = merged(local, remote, mode=Mode.PULL)
    assert result.local == replace(local, kind="individual")
    assert result.remote == remote
    assert result.base.local.titles == ADA.titles


@pytest.mark.law("L13")
def test_the_entry_that_our_own_write_displaced_was_not_deleted_by_a_person() -> None:
    before = replace(ADA, emails=ADA.emails[:1])
    sent = replace(ADA, emails=(Email("best@x.example"),))
    settled = settle(before, sent, sent)
    assert settled.landed and settled.remote.emails == sent.emails
    edited = replace(sent, titles=(Title("Poet"),))
    settled = settle(before, sent, edited)
    assert settled.landed and settled.remote.titles == ADA.titles
    assert not settle(before, sent, before).landed


@pytest.mark.law("L13")
@pytest.mark.parametrize("seen", [("e7@p5.org",), ("e7@p5.org", "theirs@p5.org")])
def test_an_entry_that_is_as_it_was_is_not_what_is_left_of_two_new_ones(seen: tuple[str, ...]) -> None:
    """One address was replaced and one came along; the write did not arrive."""
    before = replace(ADA, emails=(Email("e7@p5.org"),))
    sent = replace(ADA, emails=(Email("e15@x.org"), Email("e19@x.org")))
    now = replace(ADA, emails=tuple(map(Email, seen)))
    assert settle(before, sent, now) == Settled(False, before)


@pytest.mark.law("L12")
def test_a_text_that_only_lost_its_end_is_the_remotes_own_loss() -> None:
    sent = replace(ADA, notes=(Note("first\nsecond\nthird\nfourth"),))
    seen = replace(ADA, notes=(Note("first\nsecond\nthird\nfou"),))
    settled = settle(ADA, sent, seen)
    assert settled.landed and settled.remote.notes == seen.notes
    assert settled.lost == (("notes", "note"),) and not settled.rewritten
    # That the book shows notes elsewhere does not say how long they may be.
    assert settle(ADA, sent, seen, holds={"notes"}) == settled
    assert losses(sent, seen) == (("notes", "note"),) and losses(sent, sent) == ()


TITLE = ("titles", "title:countess")
POET = replace(ADA, titles=(Title("Poet"),))
BARD = replace(ADA, titles=(Title("Bard"),))


@pytest.mark.law("L13")
@pytest.mark.parametrize(
    ("before", "sent", "seen", "landed"),
    [
        (ADA, POET, POET, True),
        (ADA, POET, ADA, False),
        (ADA, POET, BARD, False),
        (ADA, replace(ADA, titles=()), replace(ADA, titles=()), True),
        (ADA, replace(ADA, titles=()), ADA, False),
        (ADA, replace(ADA, kind="org"), replace(ADA, kind="org"), True),
        (ADA, replace(ADA, kind="org"), ADA, False),
        (ADA, ADA, POET, True),
    ],
)
def test_whether_a_write_arrived_is_read_off_what_it_changed(
    before: Contact, sent: Contact, seen: Contact, landed: bool
) -> None:
    settled = settle(before, sent, replace(seen, uid="theirs"))
    assert settled == Settled(landed, sent if landed else before)
    assert settled.remote.uid == ("theirs" if landed else "ada")


@pytest.mark.law("L12")
def test_a_confirmed_write_that_is_seen_as_another_value_was_rewritten() -> None:
    rewritten = ((TITLE, Title("Poet"), Title("Bard")),)
    assert settle(ADA, POET, BARD, confirmed=True) == Settled(True, POET, (), rewritten)
    removed = replace(ADA, titles=())
    assert settle(ADA, removed, ADA, confirmed=True).rewritten == ((TITLE, None, Title("Countess")),)
    labelled = replace(ADA, emails=(replace(ADA.emails[0], label="Villa"), ADA.emails[1]))
    other = replace(ADA, emails=(replace(ADA.emails[0], label="Vil"), ADA.emails[1]))
    settled = settle(ADA, labelled, other, confirmed=True)
    assert settled.rewritten == ((("emails", "ada@home.example", "label"), "Villa", "Vil"),)


@pytest.mark.law("L12", "L13")
def test_a_unit_that_still_shows_the_old_value_is_an_edit_only_after_a_confirmed_write() -> None:
    sent = replace(POET, kind="org")
    seen = replace(ADA, kind="org")
    assert settle(ADA, sent, seen) == Settled(True, seen, untaken=(TITLE,)), "it is sent again"
    rewritten = ((TITLE, Title("Poet"), Title("Countess")),)
    assert settle(ADA, sent, seen, confirmed=True) == Settled(True, sent, (), rewritten)
    longer = replace(sent, titles=(Title("Countess of Lovelace"),))
    assert settle(ADA, longer, seen) == Settled(True, seen, untaken=(TITLE,)), "it may be no cut of that"
    assert settle(ADA, longer, seen, confirmed=True).lost == (TITLE,)


@pytest.mark.law("L12", "L13")
def test_what_was_absent_and_is_absent_is_sent_again_until_a_write_is_confirmed() -> None:
    """Somebody made one half of our edit, by which the write seems to have arrived."""
    bare = replace(ADA, titles=())
    sent = replace(POET, kind="org")
    seen = replace(bare, kind="org")
    untaken = ("titles", "title:poet")
    assert settle(bare, sent, seen) == Settled(True, seen, untaken=(untaken,))
    assert settle(bare, sent, seen, confirmed=True) == Settled(True, seen, lost=(untaken,))


@pytest.mark.law("L12")
def test_a_value_that_is_absent_is_lost_unless_the_book_shows_such_values_elsewhere() -> None:
    bare = replace(ADA, titles=(), notes=())
    sent = replace(ADA, emails=(*ADA.emails, Email("b@x.example"), Email("c@x.example")))
    seen = replace(bare, emails=(sent.emails[3], *ADA.emails))
    email, note = ("emails", "b@x.example"), ("notes", "note")
    lost = settle(bare, sent, seen, confirmed=True)
    assert set(lost.lost) == {email, TITLE, note} and not lost.rewritten
    assert lost.remote == seen
    held = settle(bare, sent, seen, holds={"emails", "titles"}, confirmed=True)
    assert held.lost == (note,) and {path for path, _, _ in held.rewritten} == {email, TITLE}
    # What is missed stands behind what is seen.
    assert held.remote == replace(seen, titles=sent.titles, emails=(*seen.emails, sent.emails[2]))


@pytest.mark.law("L12", "L13")
def test_what_a_person_edited_where_nothing_was_sent_stays_an_edit() -> None:
    cut = replace(POET, notes=(Note("first"),), nicknames=(Nickname("Countess"),))
    for confirmed in (True, False):
        assert settle(ADA, POET, cut, confirmed=confirmed) == Settled(True, POET)


@pytest.mark.law("L18", "L26")
def test_a_unit_that_is_held_back_keeps_its_place_in_the_next_shadow() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    mailed = replace(POET, uid="theirs", updated=at, emails=(*ADA.emails, Email("new@x.example")))
    held = holding_back(mailed, POET, ADA)
    assert held == replace(mailed, titles=ADA.titles)
    assert (held.uid, held.updated) == ("theirs", at)
    assert holding_back(mailed, POET, POET) is mailed
    # An entry that came there stays new, and one that went there stays removed.
    assert holding_back(mailed, POET, replace(POET, titles=())) == replace(mailed, titles=())
    assert holding_back(replace(mailed, notes=()), replace(POET, notes=()), POET) == mailed


@pytest.mark.law("L11")
def test_each_side_keeps_its_own_uid_and_the_card_its_own_time() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    local = replace(ADA, titles=(Title("Analyst"),))
    remote = replace(ADA, uid="theirs", updated=at, kind="individual")
    result = merged(local, remote)
    for here in (result.local, result.base.local, result.interim.local):
        assert (here.uid, here.updated) == ("ada", None)
    for there in (result.remote, result.base.remote, result.interim.remote):
        assert (there.uid, there.updated) == ("theirs", at)


@pytest.mark.law("L6", "L7")
def test_what_was_taken_and_what_is_sent_is_named() -> None:
    result = merged(replace(ADA, titles=(Title("Analyst"),)), replace(ADA, kind="individual"))
    assert (result.taken, result.sent) == ((("kind",),), (("titles", "title:countess"),))
    # What is revived here is there already.
    result = merged(
        replace(ADA, phones=()), replace(ADA, phones=(replace(ADA.phones[0], number="+44 20 7946 0001"),))
    )
    assert result.taken and not result.sent


@pytest.mark.law("L3", "L14")
def test_one_number_under_two_labels_is_two_entries_and_crosses_as_such() -> None:
    twice = replace(ADA, phones=(*ADA.phones, Phone(ADA.phones[0].number, label="Fax")))
    for result in (merged(twice, ADA), merged(ADA, twice)):
        assert result.local == result.remote == twice


@pytest.mark.law("L6")
def test_a_note_that_only_the_remote_has_is_edited_there() -> None:
    """So it is where the remote had made one of its own."""
    theirs = replace(ADA, notes=(Note("theirs"),))
    nothing = replace(ADA, notes=())
    edited = replace(ADA, notes=(Note("theirs, edited"),))
    result = merge(
        Base(nothing, theirs), Hub(nothing), Live(edited), project=lambda c: c, policy=Policy.NEWEST
    )
    assert result.local == result.remote == edited
    gone = merge(
        Base(nothing, theirs), Hub(nothing), Live(nothing), project=lambda c: c, policy=Policy.NEWEST
    )
    assert gone.local == gone.remote == nothing


@pytest.mark.law("L12", "L14")
def test_a_note_that_the_remote_had_lost_and_got_back_is_merged_from_what_was_sent() -> None:
    lost = Base(ADA, replace(ADA, notes=()))
    here = replace(ADA, notes=(Note("FIRST\nsecond\nthird"),))
    there = replace(ADA, notes=(Note("first\nsecond\nTHIRD"),))
    result = merge(lost, Hub(here), Live(there), project=lambda c: c, policy=Policy.NEWEST)
    assert result.local.notes == result.remote.notes == (Note("FIRST\nsecond\nTHIRD"),)
    assert not result.clashes


emails = st.lists(st.sampled_from("abcdef"), max_size=4, unique=True).map(
    lambda names: tuple(Email(f"{n}@x.example") for n in names)
)
contacts = st.builds(
    lambda e, t, k: Contact(emails=e, titles=t, kind=k),
    emails,
    st.sampled_from([(), (Title("one"),), (Title("two"),)]),
    st.sampled_from(["", "individual", "org"]),
)


@pytest.mark.law("L5", "L14")
@settings(max_examples=300, deadline=None)
@given(contacts, contacts, contacts)
def test_both_sides_agree_after_a_merge_and_a_second_merge_changes_nothing(
    base: Contact, local: Contact, remote: Contact
) -> None:
    result = merged(local, remote, base=base)
    again = merge(
        result.base, Hub(result.local), Live(result.remote), project=lambda c: c, policy=Policy.NEWEST
    )
    assert not again.taken and not again.sent and not again.clashes
    assert {e.address for e in result.local.emails} == {e.address for e in result.remote.emails}
    assert set(result.local.titles) == set(result.remote.titles) and result.local.kind == result.remote.kind


def without_a_second(contact: Contact) -> Contact:
    """A remote with room for one e-mail address, and none for a title beside it."""
    return replace(contact, emails=contact.emails[:1], titles=() if contact.emails else contact.titles)


@pytest.mark.law("L14")
@settings(max_examples=300, deadline=None)
@given(contacts, contacts, contacts, st.sampled_from(Policy), st.sampled_from(Mode))
def test_to_look_only_at_what_differs_comes_to_the_same(
    old: Contact, local: Contact, remote: Contact, policy: Policy, mode: Mode
) -> None:
    base, live = Base(old, without_a_second(old)), Live(without_a_second(remote))
    found, whole = (
        merge(base, Hub(local), live, project=without_a_second, policy=policy, mode=mode, rows=rows)
        for rows in ((), FIELDS)
    )
    assert found == whole


@pytest.mark.law("L10")
def test_a_field_that_nobody_edited_goes_out_when_another_one_makes_room_for_it() -> None:
    old = Contact(emails=(Email("a@x.example"),), titles=(Title("Countess"),))
    base = Base(old, without_a_second(old))
    live = Live(replace(base.remote, emails=()))
    result = merge(base, Hub(old), live, project=without_a_second, policy=Policy.NEWEST)
    assert result.remote.titles == old.titles == result.local.titles and not result.local.emails


@pytest.mark.law("L4")
def test_what_nobody_edited_has_the_names_that_the_remote_has_for_it_now() -> None:
    def named(ref: str) -> Contact:
        return replace(ADA, phones=(replace(ADA.phones[0], ref=ref),))

    hub = Hub(replace(ADA, titles=(Title("Analyst"),)))
    result = merge(Base(ADA, named("1")), hub, Live(named("2")), project=lambda c: c, policy=Policy.NEWEST)
    assert result.remote.phones[0].ref == result.base.remote.phones[0].ref == "2"


@pytest.mark.law("L16")
@settings(max_examples=300, deadline=None)
@given(contacts, contacts, contacts)
def test_no_value_that_a_side_set_is_lost_without_a_record(
    base: Contact, local: Contact, remote: Contact
) -> None:
    result = merged(local, remote, base=base)
    recorded = [value for clash in result.clashes for value in (clash.local, clash.remote)]
    for side, other in ((local, remote), (remote, local)):
        for title in side.titles:
            if title not in base.titles:
                assert title in result.local.titles or title in recorded, (side, other)
        if side.kind and side.kind != base.kind:
            assert side.kind == result.local.kind or side.kind in recorded
