"""Taking back, at every kind of remote: what is undone, restored, purged, merged or answered on the device
is so at the remote two rounds later, and then nothing moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from contactsync.connectors.memory import MemoryServer
from contactsync.errors import UsageError
from contactsync.model.contact import Contact, Email, Nickname, Note, Title
from contactsync.store.values import StoredConflict
from tests.e2e.conftest import NewBook
from tests.e2e.places import CardDav, Facts, Place, Remote, facts_of, google_remote, outlook_remote, person

Open = Callable[..., Place]
PEOPLE = 5


@pytest.fixture
def remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    """The remote of the test's column."""
    match request.param:
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
def open_place(remote: Remote, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """``open_place(**account)``: five people on a device, and at its remote; in the column of devices
    also on another device."""
    opened: list[Place] = []

    def open_(**account: object) -> Place:
        others = ("laptop",) if "device" in request.node.callspec.id else ()
        place = Place(
            remote.open(tmp_path / "phone", **account),
            remote,
            tuple(remote.open(tmp_path / name) for name in others),
        )
        opened.append(place)
        place.engine.put([person(number) for number in range(PEOPLE)])
        place.agree()
        assert len(remote.facts()) == PEOPLE
        return place

    yield open_
    for place in opened:
        for device in place.devices:
            device.close()


# ---- what is taken back, and done ------------------------------------------------------------------------


def here(place: Place, uid: str) -> Facts:
    return facts_of(place.phone.contact(uid))


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


def merging(open_place: Open) -> None:
    place = open_place()
    merge(place)
    place.agree()
    both = here(place, "uid-000")
    assert both.emails == ("person000@example.org", "person001@example.org")
    assert both.notes == ("met in 2000\nmet in 2001",)
    assert place.names() == ["Person000", "Person002", "Person003", "Person004"]


def undoing(open_place: Open) -> None:
    """Each run is undone once the remote has it, and so is its undo."""
    place = open_place()
    for act in (edit, delete, merge):
        before = facts_on(place)
        act(place)
        run = place.engine.runs()[0].id
        place.agree()
        after = facts_on(place)
        assert after != before
        undone = place.engine.undo(run)
        assert undone.run is not None and not undone.left, undone
        place.agree()
        assert facts_on(place) == before
        again = place.engine.undo(undone.run)
        assert again.run is not None and not again.left, again
        place.agree()
        assert facts_on(place) == after
        place.engine.undo(again.run)
        place.agree()
        assert facts_on(place) == before


def facts_on(place: Place) -> list[Facts]:
    return sorted(map(facts_of, place.phone.everyone().values()))


def restoring(open_place: Open) -> None:
    place = open_place()
    before = facts_on(place)
    for act, who in ((delete, "uid-003"), (merge, "Person001 Tester")):
        act(place)
        place.agree()
        assert len(place.names()) == PEOPLE - 1
        place.engine.restore([who])
        place.agree()
        assert facts_on(place) == before


def purging(open_place: Open) -> None:
    place = open_place()
    place.engine.delete(["uid-003"])
    with pytest.raises(UsageError, match="still has a card at 1 remote") as refused:
        place.engine.purge(["uid-003"])
    assert "contactsync sync" in (refused.value.hint or "")
    place.agree()
    place.engine.purge(["uid-003"])
    assert not place.engine.trash()
    for word in ("uid-003", "Person003", "person003", "0003"):
        assert word not in str(place.phone.dump())
    place.agree()
    assert place.names() == ["Person000", "Person001", "Person002", "Person004"]


def resolving(open_place: Open) -> None:
    """A question that is open, and one that a policy decided."""
    place = open_place(conflicts="ask")
    for uid, take, wanted in (("uid-000", "device", "Here"), ("uid-001", "remote", "There")):
        disagree(place, uid)
        place.phone.run()
        (question,) = place.engine.conflicts(only_open=True)
        place.engine.resolve(question.id, take)
        place.agree()
        assert here(place, uid).titles == (wanted,)
    for policy, uid, take, wanted in (
        ("device", "uid-002", "remote", "There"),
        ("remote", "uid-004", "device", "Here"),
    ):
        place.phone.account = replace(place.phone.account, conflicts=policy)
        place.phone.close()
        place.phone.engine = place.phone.open()
        place.agree()
        disagree(place, uid)
        place.agree()
        decided = place.engine.conflicts()[-1]
        assert (decided.uid, decided.status, decided.winner) == (uid, "decided", policy)
        assert here(place, uid).titles != (wanted,)
        place.engine.resolve(decided.id, take)
        place.agree()
        assert here(place, uid).titles == (wanted,)
    assert not place.engine.conflicts(only_open=True)


def disagree(place: Place, uid: str) -> None:
    place.phone.edit(uid, lambda c: replace(c, titles=(Title("Here"),)))
    place.retitled_there(uid, "There")


ACTS = {"merge": merging, "undo": undoing, "restore": restoring, "purge": purging, "resolve": resolving}
COLUMNS = ("device", "carddav", "google", "outlook")


@pytest.mark.law("P3", "P4", "P7", "L16", "L18", "L22", "L40", "L41")
@pytest.mark.parametrize("remote", COLUMNS, indirect=True)
@pytest.mark.parametrize("act", ACTS)
def test_the_remote_follows_and_comes_to_rest(open_place: Open, act: str) -> None:
    ACTS[act](open_place)


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
def test_open_questions_stand_while_all_around_them_is_edited(open_place: Open, remote: CardDav) -> None:
    place = open_place(conflicts="ask")
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
    open_place: Open, remote: Remote, tmp_path: Path
) -> None:
    open_place()
    laptop = remote.open(tmp_path / "laptop")
    place = Place(laptop, remote)
    place.round()
    run = next(run.id for run in laptop.engine.runs() if run.kind == "sync")
    place.agree()
    before, everyone = remote.state(), laptop.everyone()
    undone = laptop.engine.undo(run)
    assert undone.restored == 0 and undone.run is None
    commands = sorted(left.command for left in undone.left)
    here_only = [("contact", "delete", "--here-only", uid) for uid in sorted(everyone)]
    assert commands == [*here_only, ("group", "delete", "Chess")]
    place.agree()
    assert remote.state() == before and laptop.everyone() == everyone
    laptop.engine.delete([command[-1] for command in here_only], here_only=True)
    place.rest()
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
