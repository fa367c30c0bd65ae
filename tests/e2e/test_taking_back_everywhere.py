"""Taking back, at every kind of remote: what is undone, restored, purged, merged or answered on the device
is so at the remote two rounds later, and then nothing moves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from contactsync.connectors.memory import MemoryServer
from contactsync.engine.context import utc_now
from contactsync.engine.upkeep import tidy
from contactsync.errors import UsageError
from contactsync.exchange.importer import import_sources
from contactsync.model.contact import Contact, Email, Nickname, Note, Title
from contactsync.store.values import StoredConflict
from tests.e2e.conftest import NewBook
from tests.e2e.devices import card
from tests.e2e.places import (
    AtGoogle,
    CardDav,
    Facts,
    Place,
    Remote,
    facts_of,
    google_remote,
    outlook_remote,
    person,
)

PEOPLE = 5


@pytest.fixture
def remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    """The remote of the test's column; in memory where it has none."""
    match _column(request.node):
        case "google":
            with google_remote() as found:
                yield found
        case "outlook":
            with outlook_remote() as found:
                yield found
        case "memory":
            memory = MemoryServer()
            yield CardDav(memory, next(iter(memory.books)))
        case _:
            server = request.getfixturevalue("radicale")
            new_book: NewBook = request.getfixturevalue("new_book")
            yield CardDav(server, new_book(server))


@pytest.fixture
def place(remote: Remote, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Five people on a device, and at its remote; in the column of devices also on another device."""
    others = ("laptop",) if _column(request.node) == "device" else ()
    place = Place(
        remote.open(tmp_path / "phone"), remote, tuple(remote.open(tmp_path / name) for name in others)
    )
    place.engine.put([person(number) for number in range(PEOPLE)])
    place.agree()
    assert len(remote.facts()) == PEOPLE
    yield place
    for device in place.devices:
        device.close()


def _column(node: pytest.Item) -> str:
    return str(node.callspec.params.get("remote", "memory")) if hasattr(node, "callspec") else "memory"


# ---- what is taken back, and done ------------------------------------------------------------------------


def here(place: Place, uid: str) -> Facts:
    return facts_of(place.phone.contact(uid))


def facts_on(place: Place) -> list[Facts]:
    return sorted(map(facts_of, place.phone.everyone().values()))


def last_run(place: Place) -> int:
    return place.engine.runs()[0].id


def edit(place: Place) -> None:
    place.phone.edit(
        "uid-002",
        lambda c: replace(
            c,
            titles=(Title("Captain"),),
            emails=(*c.emails, Email("sea@example.org")),
            groups=frozenset({"Crew"}),
        ),
    )


def delete(place: Place) -> None:
    place.engine.delete(["uid-003"])


def merge(place: Place) -> None:
    place.engine.merge("uid-000", "uid-001")


def merging(place: Place) -> None:
    merge(place)
    place.agree()
    both = here(place, "uid-000")
    assert both.emails == ("person000@example.org", "person001@example.org")
    assert both.notes == ("met in 2000\nmet in 2001",)
    assert place.names() == ["Person000", "Person002", "Person003", "Person004"]


def undoing(place: Place) -> None:
    """Each run is undone once the remote has it, and so is its undo."""
    for act in (edit, delete, merge):
        before = facts_on(place)
        act(place)
        run = last_run(place)
        place.agree()
        after = facts_on(place)
        assert after != before
        for wanted in (before, after):
            undone = place.engine.undo(run)
            assert undone.run is not None and not undone.left, undone
            place.agree()
            assert facts_on(place) == wanted
            run = undone.run


def restoring(place: Place) -> None:
    before = facts_on(place)
    for act, who in ((delete, "uid-003"), (merge, "Person001 Tester")):
        act(place)
        place.agree()
        assert len(place.names()) == PEOPLE - 1
        place.engine.restore([who])
        place.agree()
        assert facts_on(place) == before


def purging(place: Place) -> None:
    place.engine.delete(["uid-003"])
    with pytest.raises(UsageError, match="still has a card at 1 remote") as refused:
        place.engine.purge(["uid-003"])
    assert "contactsync sync" in (refused.value.hint or "")
    place.phone.sync()
    with pytest.raises(UsageError, match="may still be listed at 1 remote"):
        place.engine.purge(["uid-003"])
    place.agree()
    place.engine.purge(["uid-003"])
    assert not place.engine.trash()
    for word in ("uid-003", "Person003", "person003", "555 0003"):
        assert word not in str(place.phone.dump())
    place.agree()
    assert place.names() == ["Person000", "Person001", "Person002", "Person004"]


def resolving(place: Place) -> None:
    """A question that is open, and one that a policy decided: its loser is taken."""
    decide_by(place, "ask")
    disagree(place, "uid-000")
    place.phone.sync()
    (question,) = place.engine.conflicts(only_open=True)
    place.engine.resolve(question.id, "device")
    place.agree()
    assert here(place, "uid-000").titles == ("Here",)
    decide_by(place, "device")
    disagree(place, "uid-001")
    place.agree()
    decided = place.engine.conflicts()[-1]
    assert (decided.status, decided.winner) == ("decided", "device")
    assert here(place, "uid-001").titles == ("Here",)
    place.engine.resolve(decided.id, "remote")
    place.agree()
    assert here(place, "uid-001").titles == ("There",)
    assert not place.engine.conflicts(only_open=True)


def decide_by(place: Place, policy: str) -> None:
    """From now on; that is looked at once."""
    place.phone.account = replace(place.phone.account, conflicts=policy)
    place.phone.close()
    place.phone.engine = place.phone.open()
    place.agree()


def disagree(place: Place, uid: str) -> None:
    place.phone.edit(uid, lambda c: replace(c, titles=(Title("Here"),)))
    place.retitled_there(uid, "There")


ACTS = {"merge": merging, "undo": undoing, "restore": restoring, "purge": purging, "resolve": resolving}
COLUMNS = ("device", "carddav", "google", "outlook")


@pytest.mark.law("P3", "P4", "P7", "L16", "L18", "L22", "L40", "L41")
@pytest.mark.parametrize("remote", COLUMNS, indirect=True)
@pytest.mark.parametrize("act", ACTS)
def test_the_remote_follows_and_comes_to_rest(place: Place, act: str) -> None:
    ACTS[act](place)
    place.rest()


@pytest.mark.law("L22", "L41")
@pytest.mark.parametrize("remote", ("google",), indirect=True)
def test_a_purge_waits_for_lists_that_lag_so_that_nobody_returns(place: Place, remote: AtGoogle) -> None:
    remote.server.account.lag = 120
    place.engine.delete(["uid-003"])
    place.phone.sync()
    with contextlib.suppress(UsageError):
        place.engine.purge(["uid-003"])
    remote.server.expire_tokens()
    place.phone.sync()
    assert "uid-003" not in place.phone.everyone()
    place.agree()
    place.engine.purge(["uid-003"])
    place.agree()


# ---- a question that stays open --------------------------------------------------------------------------


def title_of(contact: Contact) -> str:
    return contact.titles[0].name


def with_title(contact: Contact, number: int) -> Contact:
    return replace(contact, titles=(Title(f"Number {number}"),))


def number_of(contact: Contact) -> str:
    return contact.phones[0].number


def with_number(contact: Contact, number: int) -> Contact:
    return replace(contact, phones=(replace(contact.phones[0], number=f"+49 30 777 {number:05}"),))


def with_other_purpose(contact: Contact) -> Contact:
    """The number of the phone stays."""
    (phone,) = contact.phones
    return replace(
        contact, phones=(replace(phone, contexts=frozenset({"private", "work"}) - phone.contexts),)
    )


@dataclass
class Question:
    """About one unit of a contact; ``mine`` and ``theirs`` count its edits here and there."""

    uid: str
    value: Callable[[Contact], str]
    change: Callable[[Contact, int], Contact]
    take: str
    mine: int = 0
    theirs: int = 1

    def edit_here(self, place: Place, number: int) -> None:
        """Something else, and now and then the unit itself."""
        self.mine += 2 * (number % 7 == 0)

        def edited(contact: Contact) -> Contact:
            contact = replace(contact, notes=(Note(f"note {number}"),))
            return self.change(with_other_purpose(contact) if number % 9 == 4 else contact, self.mine)

        place.phone.edit(self.uid, edited)

    def edit_there(self, remote: CardDav, number: int) -> None:
        self.theirs += 2 * (number % 5 == 0)

        def edited(contact: Contact) -> Contact:
            contact = replace(contact, nicknames=(Nickname(f"name {number}"),))
            return self.change(with_other_purpose(contact) if number % 9 == 8 else contact, self.theirs)

        remote.edit(self.uid, edited)

    def check(self, here: Contact, there: Contact, record: StoredConflict, number: int) -> None:
        """Each side has its own value, the record has both, and all else is the same on both sides."""
        assert self.value(here) == self.value(self.change(here, self.mine)), f"overwritten here in {number}"
        assert self.value(there) == self.value(self.change(there, self.theirs)), f"there in {number}"
        said = [next(iter(side.values())) for side in (record.local, record.remote) if side]
        assert said == [self.value(here), self.value(there)]
        for contact in (here, there):
            assert contact.notes == (Note(f"note {number}"),)
            assert contact.nicknames == (Nickname(f"name {number}"),)
        assert here.phones[0].contexts == there.phones[0].contexts


ROUNDS = 50


@pytest.mark.law("L18", "P1", "P3", "P4")
@pytest.mark.parametrize("remote", ("memory", "carddav"), indirect=True)
def test_open_questions_stand_while_all_around_them_is_edited(place: Place, remote: CardDav) -> None:
    decide_by(place, "ask")
    questions = (
        Question("uid-000", title_of, with_title, "device"),
        Question("uid-001", number_of, with_number, "remote"),
    )
    for number in range(ROUNDS):
        for question in questions:
            question.edit_here(place, number)
            question.edit_there(remote, number)
        place.phone.edit("uid-003", lambda c, number=number: with_title(c, number))  # type: ignore[misc]
        place.phone.sync()
        here, there = place.phone.everyone(), remote.people()
        records = {record.uid: record for record in place.engine.conflicts(only_open=True)}
        assert len(place.engine.conflicts()) == len(records) == len(questions)
        for question in questions:
            question.check(here[question.uid], there[question.uid], records[question.uid], number)
        assert title_of(there["uid-003"]) == f"Number {number}"
    for question in questions:
        place.engine.resolve(records[question.uid].id, question.take)
    place.agree()
    for question in questions:
        settled = place.phone.contact(question.uid)
        wanted = question.mine if question.take == "device" else question.theirs
        assert question.value(settled) == question.value(question.change(settled, wanted))
    assert [record.status for record in place.engine.conflicts()] == ["resolved", "resolved"]


# ---- the first pull --------------------------------------------------------------------------------------


@pytest.mark.law("P7", "L26")
@pytest.mark.parametrize("remote", ("carddav", "google", "outlook"), indirect=True)
def test_undo_of_a_first_pull_touches_no_card_and_names_the_way_for_everybody(
    place: Place, remote: Remote, tmp_path: Path
) -> None:
    laptop = remote.open(tmp_path / "laptop")
    newcomer = Place(laptop, remote)
    newcomer.round()
    run = next(run.id for run in laptop.engine.runs() if run.kind == "sync")
    newcomer.agree()
    before, everyone = remote.state(), laptop.everyone()
    undone = laptop.engine.undo(run)
    assert undone.restored == 0 and undone.run is None
    commands = sorted(left.command for left in undone.left)
    here_only = [("contact", "delete", "--here-only", uid) for uid in sorted(everyone)]
    assert commands == [*here_only, ("group", "delete", "Chess")]
    newcomer.agree()
    assert remote.state() == before and laptop.everyone() == everyone
    laptop.engine.delete([command[-1] for command in here_only], here_only=True)
    newcomer.rest()
    assert remote.state() == before and not laptop.everyone()
    laptop.close()


@pytest.mark.law("P7", "L39")
@pytest.mark.parametrize("remote", ("carddav", "google"), indirect=True)
def test_undo_of_a_first_pull_leaves_an_empty_group_that_is_something_of_its_own_there(
    remote: Remote, tmp_path: Path
) -> None:
    remote.make_group("Empty")
    phone = remote.open(tmp_path / "phone")
    place = Place(phone, remote)
    place.round()
    run, before = phone.engine.runs()[0].id, remote.state()
    undone = phone.engine.undo(run)
    assert undone.run is None and [left.command for left in undone.left] == [("group", "delete", "Empty")]
    place.rest()
    assert remote.state() == before and [group.name for group in phone.engine.groups()] == ["Empty"]
    phone.close()


# ---- what is left of a run -------------------------------------------------------------------------------


def forget(place: Place, *, trash: bool = False, journal: bool = False) -> None:
    """As if it all had been long ago."""
    long, ago = timedelta(days=1000), timedelta(days=-1)
    tidy(place.engine.store, utc_now(), ago if trash else long, ago if journal else long)


def titled(place: Place, *uids: str) -> None:
    """All in one run."""
    place.engine.put([replace(place.phone.contact(uid), titles=(Title("Captain"),)) for uid in uids])


def titles(place: Place) -> dict[str, str]:
    return {uid: contact.titles[0].name for uid, contact in place.phone.everyone().items()}


@pytest.mark.law("P7")
def test_what_was_undone_three_times_is_undone(place: Place) -> None:
    states = [facts_on(place)]
    place.engine.delete(["uid-003"])
    states.append(facts_on(place))
    run = last_run(place)
    for times in range(3):
        place.agree()
        run = place.engine.undo(run).run or 0
        assert facts_on(place) == states[times % 2]
    place.agree()
    assert facts_on(place) == states[0]


@pytest.mark.law("P7", "L41")
def test_a_run_that_is_forgotten_cannot_be_undone_and_nothing_is_touched(place: Place) -> None:
    titled(place, "uid-002")
    run = last_run(place)
    place.agree()
    forget(place, journal=True)
    before = place.phone.dump()
    with pytest.raises(UsageError, match=f"(No run {run}|Nothing of run {run} can be taken back)"):
        place.engine.undo(run)
    assert place.phone.dump() == before
    place.agree()


@pytest.mark.law("P7", "L41")
def test_of_a_run_that_is_half_forgotten_the_rest_is_undone(place: Place) -> None:
    titled(place, "uid-002", "uid-003")
    run = last_run(place)
    place.agree()
    place.engine.delete(["uid-003"])
    place.agree()
    place.engine.purge(["uid-003"])
    undone = place.engine.undo(run)
    assert undone.restored == 1 and not undone.left
    place.agree()
    assert titles(place) == {f"uid-00{n}": f"Title {n}" for n in (0, 1, 2, 4)}


@pytest.mark.law("P7", "L41")
def test_a_run_whose_contacts_were_purged_cannot_be_undone_and_nobody_returns(place: Place) -> None:
    titled(place, "uid-003")
    run = last_run(place)
    place.engine.delete(["uid-003"])
    deletion = last_run(place)
    place.agree()
    place.engine.purge(["uid-003"])
    for gone in (run, deletion):
        with pytest.raises(UsageError, match=f"(No run {gone}|Nothing of run {gone} can be taken back)"):
            place.engine.undo(gone)
    with pytest.raises(UsageError, match="No contact 'uid-003' in the trash"):
        place.engine.restore(["uid-003"])
    place.agree()
    assert len(place.names()) == PEOPLE - 1


@pytest.mark.law("P7", "L22")
def test_a_deletion_whose_tombstone_is_forgotten_is_undone_out_of_the_journal(place: Place) -> None:
    before = facts_on(place)
    place.engine.delete(["uid-000", "uid-003"])
    run = last_run(place)
    place.agree()
    forget(place, trash=True)
    assert not place.engine.trash()
    assert place.engine.undo(run).restored == 2
    place.agree()
    assert sorted(found[1:] for found in facts_on(place)) == sorted(found[1:] for found in before)


@pytest.mark.law("P7", "L40")
def test_an_edit_of_somebody_who_was_merged_away_goes_back_out_of_the_survivor(place: Place) -> None:
    edited = replace(
        place.phone.contact("uid-003"),
        titles=(Title("Captain"),),
        emails=(Email("sea@example.org"), Email("land@example.org")),
    )
    place.engine.put([edited])
    run = last_run(place)
    place.engine.merge("uid-002", "uid-003")
    place.agree()
    place.phone.edit(
        "uid-002",
        lambda c: replace(c, emails=tuple(e for e in c.emails if e.address != "land@example.org")),
    )
    place.agree()
    place.engine.undo(run)
    place.agree()
    survivor = here(place, "uid-002")
    assert survivor.titles == ("Title 2", "Title 3")
    assert survivor.emails == ("person002@example.org", "person003@example.org")


@pytest.mark.law("P7", "L40")
@pytest.mark.parametrize("forgotten", (False, True), ids=("remembered", "forgotten"))
def test_a_run_of_two_who_were_merged_since_is_undone_in_both(place: Place, forgotten: bool) -> None:
    place.engine.put(
        [
            replace(place.phone.contact("uid-002"), titles=(Title("Captain"),)),
            replace(place.phone.contact("uid-003"), titles=(Title("Bosun"),)),
        ]
    )
    run = last_run(place)
    place.engine.merge("uid-002", "uid-003")
    place.agree()
    whole = here(place, "uid-002")
    forget(place, trash=forgotten)
    place.engine.undo(run)
    place.agree()
    assert here(place, "uid-002") == whole._replace(titles=("Title 2", "Title 3"))


@pytest.mark.law("P7", "L40")
def test_a_merge_whose_tombstone_is_forgotten_is_undone_out_of_the_journal(place: Place) -> None:
    before = facts_on(place)
    merge(place)
    run = last_run(place)
    place.agree()
    forget(place, trash=True)
    assert not place.engine.trash()
    undone = place.engine.undo(run)
    assert not undone.left
    place.agree()
    assert facts_on(place) == before
    assert place.engine.undo(undone.run).restored
    place.agree()
    assert len(place.names()) == PEOPLE - 1


@pytest.mark.law("L40", "L41")
def test_somebody_comes_out_of_the_trash_whose_merge_is_forgotten(place: Place) -> None:
    merge(place)
    place.agree()
    with place.engine.store.transaction():
        place.engine.store.journal.prune(utc_now() + timedelta(days=1))
    (twin,) = place.engine.trash()
    place.engine.restore([twin.uid])
    place.agree()
    assert len(place.names()) == PEOPLE and not place.engine.trash()


# ---- answers that come too late --------------------------------------------------------------------------


@pytest.fixture
def asked(place: Place) -> StoredConflict:
    """An open question about a title."""
    decide_by(place, "ask")
    disagree(place, "uid-000")
    place.phone.sync()
    (question,) = place.engine.conflicts(only_open=True)
    return question


@pytest.mark.law("L18")
def test_an_answer_to_a_question_that_moved_on_is_refused_and_the_question_stands(
    place: Place, asked: StoredConflict
) -> None:
    place.retitled_there("uid-000", "Elsewhere")
    place.phone.sync()
    before = place.phone.dump()
    with pytest.raises(UsageError, match="has moved on since it was shown") as refused:
        place.engine.resolve(asked.id, "remote", shown=asked)
    assert refused.value.hint == f"contactsync conflict show {asked.id}"
    assert place.phone.dump() == before
    place.engine.resolve(asked.id, "remote", shown=place.engine.conflict(asked.id))
    place.agree()
    assert here(place, "uid-000").titles == ("Elsewhere",)


@pytest.mark.law("L18", "L23")
def test_an_answer_about_somebody_in_the_trash_is_refused_with_the_way(
    place: Place, asked: StoredConflict
) -> None:
    place.engine.delete(["uid-000"])
    before = place.phone.dump()
    with pytest.raises(UsageError, match="is in the trash") as refused:
        place.engine.resolve(asked.id, "remote")
    assert "contactsync contact restore uid-000" in (refused.value.hint or "")
    assert place.phone.dump() == before
    place.engine.restore(["uid-000"])
    place.engine.resolve(asked.id, "remote")
    place.agree()
    assert here(place, "uid-000").titles == ("There",)


# ---- merges ----------------------------------------------------------------------------------------------


@pytest.mark.law("L40", "L16")
def test_what_two_contradict_each_other_in_can_be_taken_from_the_record_of_the_merge(place: Place) -> None:
    twin = here(place, "uid-001")
    merge(place)
    place.agree()
    records = {record.path: record for record in place.engine.conflicts()}
    assert set(records) == {"name", "anniversaries/birth"}
    for record in records.values():
        assert record.uid == "uid-000" and record.status == "decided"
        place.engine.resolve(record.id, "remote")
        place.agree()
    both = here(place, "uid-000")
    assert (both.given, both.birthday) == (twin.given, twin.birthday)


@pytest.mark.law("L40", "P7")
def test_history_and_conflicts_of_the_twin_stand_at_the_survivor_and_go_back_with_the_twin(
    place: Place,
) -> None:
    place.phone.edit("uid-001", lambda c: replace(c, titles=(Title("Here"),)))
    place.retitled_there("uid-001", "There")
    place.agree()
    (record,) = place.engine.conflicts()
    own = [row.id for row in place.engine.history("uid-001")]
    merge(place)
    run = last_run(place)
    place.agree()
    assert {*own} <= {row.id for row in place.engine.history("uid-000")}
    assert place.engine.conflict(record.id).uid == "uid-000"
    place.engine.undo(run)
    place.agree()
    assert [row.id for row in place.engine.history("uid-001")][: len(own)] == own
    assert not {*own} & {row.id for row in place.engine.history("uid-000")}
    assert place.engine.conflict(record.id).uid == "uid-001"
    place.engine.resolve(record.id, "device" if record.winner == "remote" else "remote")
    place.agree()
    loser = {"Here", "There"} - {
        next(iter((record.remote if record.winner == "remote" else record.local).values()))
    }
    assert {here(place, "uid-001").titles[0]} == loser


@pytest.mark.law("L30", "L40")
def test_a_file_with_the_twin_changes_nothing_after_the_merge_nor_after_its_undo(
    place: Place, tmp_path: Path
) -> None:
    file = tmp_path / "two.vcf"
    file.write_bytes(card("ada", "Ada", "EMAIL:ada@example.org") + card("grace", "Grace", "TEL:+49 30 1"))
    import_sources(place.engine, [str(file)], match="auto", dry_run=False)
    place.agree()
    place.engine.merge("ada", "grace")
    run = last_run(place)
    for undo in (False, True):
        if undo:
            place.engine.undo(run)
        place.agree()
        before = place.phone.dump()
        report = import_sources(place.engine, [str(file)], match="auto", dry_run=False)
        assert report.equal == 2 and report.run is None
        assert place.phone.dump() == before
    assert {"ada", "grace"} <= set(place.phone.everyone())


@pytest.mark.law("L40", "P7")
@pytest.mark.parametrize("remote", ("device",), indirect=True)
def test_a_merge_is_taken_back_while_the_other_device_looks(place: Place) -> None:
    before = facts_on(place)
    merge(place)
    run = last_run(place)
    place.agree()
    place.engine.undo(run)

    def the_other_looks(boundary: str) -> None:
        if boundary == "recorded":
            place.engine.hooks.step = lambda name: None
            place.others[0].sync()

    place.engine.hooks.step = the_other_looks
    place.phone.sync()
    place.agree()
    assert facts_on(place) == before


@pytest.mark.law("L40", "P7", "P1")
@pytest.mark.parametrize("order", ((1, 0), (0, 1)), ids=("last first", "first first"))
def test_a_chain_of_merges_comes_apart_in_any_order(place: Place, order: tuple[int, ...]) -> None:
    before = facts_on(place)
    runs = []
    for survivor, other in (("uid-002", "uid-003"), ("uid-004", "uid-002")):
        place.engine.merge(survivor, other)
        runs.append(last_run(place))
        place.agree()
    assert len(place.names()) == PEOPLE - 2
    for which in order:
        undone = place.engine.undo(runs[which])
        place.agree()
    if undone.left:
        (left,) = undone.left  # the lines of a note that was changed by the first undo
        assert order == (0, 1) and left.reason == "note was changed again since"
        assert here(place, "uid-004").notes == ("met in 2004\nmet in 2002",)
        place.phone.edit("uid-004", lambda c: replace(c, notes=(Note("met in 2004"),)))
        place.agree()
    assert facts_on(place) == before
