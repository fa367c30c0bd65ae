"""A process that is killed at any boundary of a round, and answers that never arrive: run again, and all is
as if nothing had happened (P5)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from contactsync.engine.push import WINDOW
from contactsync.model.contact import Contact, Title
from contactsync.vcard.codec import VCardCodec
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.crash_matrix import PEOPLE, Stage, people_after
from tests.e2e.crashing import BOUNDARIES, Crasher
from tests.e2e.devices import Device, card, fill, person, read_all
from tests.proxy import Proxy, Reply, proxy
from tests.servers import Server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that dies is made by a fork")

Deaths = tuple[tuple[str, int], ...]
"""Boundary and count of each death, one after the other; a run follows each."""

ONCE: list[Deaths] = [(("page-staged", 1),), (("decided", 1),), (("committed", 1),), (("read-back", 1),)]
ENDS: list[Deaths] = [(("before-sent", 1),), (("before-sent", 4),), (("sent", 1),), (("sent", 4),)]
ENDS += [(("answered", 1),), (("answered", 100),), (("recorded", 1),), (("recorded", 100),)]
CHAINS: list[Deaths] = [
    (("page-staged", 1), ("committed", 1), ("before-sent", 2), ("answered", 25), ("read-back", 1)),
    (("decided", 1), ("sent", 2), ("recorded", 35)),
]
FIRST_ROUNDS = [
    *(("radicale", deaths) for deaths in ONCE + ENDS),
    *(("xandikos", deaths) for deaths in CHAINS),
]
EDITS = [(step, 1) for step in BOUNDARIES]
EDITS += [("sent", 2), ("answered", 25), ("recorded", 25), ("read-back", 2)]


@dataclass
class Reached:
    """How often each boundary killed a process, by kind of round."""

    deaths: dict[str, Counter[str]] = field(default_factory=dict)

    def note(self, kind: str, step: str) -> None:
        self.deaths.setdefault(kind, Counter())[step] += 1


@pytest.fixture(scope="module")
def reached() -> Reached:
    return Reached()


@pytest.fixture(params=["radicale", "xandikos"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def stage(radicale: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    book = radicale.make_book("stage")
    found = Stage(radicale, book, tmp_path_factory.mktemp("stage"))
    yield found
    found.device.close()
    radicale.delete_book(book)


def there(number: int) -> bytes:
    return card(
        f"there-{number:02d}", f"There{number}", f"TITLE:Title {number}", f"TEL:+49 40 77{number:03d}"
    )


def settled(device: Device, rounds: int = 1) -> None:
    """After so many clean rounds the next one writes nothing, neither here nor there."""
    for _ in range(rounds):
        device.sync()
    (book,) = device.account.books
    assert isinstance(device.server, Server)
    before = device.dump(), device.server.etags(book)
    assert device.quiet()
    assert (device.dump(), device.server.etags(book)) == before
    assert device.engine.store.journal.in_doubt() == 0


def agree(
    device: Device, book: str, expected: dict[str, Contact], contested: Container[str] = frozenset()
) -> None:
    """Device and server show exactly these contacts, each once, and there was nothing to argue about."""
    assert device.everyone() == expected
    codec = VCardCodec()
    found = [view for _, view in read_all(device.server, book)]
    assert sorted(view.uid for view in found) == sorted(expected)
    assert {view.uid: view for view in found} == {uid: codec.project(c) for uid, c in expected.items()}
    assert [c for c in device.engine.conflicts() if c.uid not in contested] == []


@pytest.mark.law("P5", "P1", "P2", "L31", "L33")
@pytest.mark.parametrize(("server", "deaths"), FIRST_ROUNDS, indirect=["server"], ids=str)
def test_a_first_round_that_is_killed_loses_and_doubles_nothing(
    server: Server,
    new_book: NewBook,
    open_device: OpenDevice,
    killer: Crasher,
    reached: Reached,
    deaths: Deaths,
) -> None:
    """120 contacts: 100 wait on the device, 20 cards at the server. What may be in doubt is edited
    before the next round, which must not make a stranger or a conflict of it."""
    book = new_book(server)
    fill(server, book, (there(n) for n in range(20)))
    device = open_device("phone", server, book)
    device.engine.put([person(n) for n in range(100)])
    for step, count in deaths:
        death = killer.round(device, step, count)
        assert death.killed, f"{step} was reached {death.reached[step]} times only"
        reached.note(f"first round, {server.name}", step)

    expected = {person(n).uid: person(n) for n in range(100)}
    edit_again(device, expected, (person(n).uid for n in (*range(WINDOW), *range(96, 100))))
    settled(device, rounds=2)
    codec = VCardCodec()
    expected |= {f"there-{n:02d}": replace(codec.read(there(n)), updated=None) for n in range(20)}
    assert len(expected) == 120
    agree(device, book, expected)


@pytest.mark.law("P5", "L31")
@pytest.mark.parametrize(("step", "count"), [("page-staged", 1), ("page-staged", 2), ("decided", 1)])
def test_a_first_download_that_is_killed_goes_on_where_it_was(
    radicale: Server,
    new_book: NewBook,
    open_device: OpenDevice,
    killer: Crasher,
    reached: Reached,
    step: str,
    count: int,
) -> None:
    book = new_book(radicale)
    fill(radicale, book, (there(n) for n in range(120)))
    device = open_device("phone", radicale, book)
    assert killer.round(device, step, count).killed
    reached.note("download", step)
    came = device.engine.store.contacts.count()
    assert came == (100 if (step, count) == ("page-staged", 1) else 120)
    assert device.sync().pulled.created == 120 - came
    settled(device)
    agree(device, book, {f"there-{n:02d}": VCardCodec().read(there(n)) for n in range(120)})


@pytest.mark.law("P5", "P1", "L22", "L31", "L32")
@pytest.mark.parametrize(("step", "count"), EDITS)
def test_a_round_of_edits_that_is_killed_loses_and_doubles_nothing(
    stage: Stage, killer: Crasher, reached: Reached, step: str, count: int
) -> None:
    """Every kind of step waits. What may be in doubt is edited before the next round, which makes no conflict
    of it; without that edit, the whole of it is in `crash_matrix`."""
    stage.reset()
    death = killer.round(stage.device, step, count)
    assert death.killed, f"{step} was reached {death.reached[step]} times only"
    reached.note("edits", step)
    people = people_after()
    edited = {someone.uid for someone in PEOPLE if someone.case.name in ("created here", "changed here")}
    edit_again(stage.device, people, edited)
    settled(stage.device, rounds=2)
    agree(stage.device, stage.book, people, contested=people.keys() - edited)


def edit_again(device: Device, people: dict[str, Contact], uids: Iterable[str]) -> None:
    for uid in uids:
        people[uid] = replace(people[uid], titles=(Title(f"Newer title of {uid}"),))
        device.edit(uid, lambda c, uid=uid: replace(c, titles=(Title(f"Newer title of {uid}"),)))


@pytest.mark.law("P5")
def test_a_process_that_dies_in_every_round_comes_to_the_end_all_the_same(
    xandikos: Server, new_book: NewBook, open_device: OpenDevice, killer: Crasher
) -> None:
    book = new_book(xandikos)
    device = open_device("phone", xandikos, book)
    people = {person(n).uid: person(n) for n in range(40)}
    device.engine.put(list(people.values()))
    for step, count in (
        ("decided", 1),
        ("committed", 1),
        ("before-sent", 1),
        ("sent", 1),
        ("answered", 3),
        ("recorded", 4),
        ("sent", 2),
        ("answered", 7),
        ("page-staged", 1),
        ("recorded", 2),
    ):
        killer.round(device, step, count)
    settled(device)
    agree(device, book, people)


def test_every_boundary_has_killed_a_process(reached: Reached) -> None:
    """Stands behind the tests that do the killing; without all of them it says nothing."""
    if set(reached.deaths) != {"first round, radicale", "first round, xandikos", "download", "edits"}:
        pytest.skip("not all tests of this file were run")
    print()
    for kind, deaths in sorted(reached.deaths.items()):
        print(f"{kind}: {sum(deaths.values())} crashes: {dict(sorted(deaths.items()))}")
        if kind != "download":
            assert deaths.keys() == set(BOUNDARIES)
    for name in ("radicale", "xandikos"):
        wanted = Counter(step for server, deaths in FIRST_ROUNDS if server == name for step, _ in deaths)
        assert reached.deaths[f"first round, {name}"] == wanted
    assert reached.deaths["edits"] == Counter(step for step, _ in EDITS)


# --- replies that never arrive ---


@pytest.fixture
def front(server: Server) -> Iterator[tuple[Proxy, Server]]:
    """A proxy, and the server as seen through it."""
    with proxy(server.base_url) as found:
        yield found, replace(server, base_url=found.url)


@dataclass(frozen=True)
class Write:
    """A change on the device that makes some requests of one method."""

    method: str
    requests: int
    change: Callable[[Device, dict[str, Contact]], None]


def _create(device: Device, people: dict[str, Contact]) -> None:
    for n in range(10, 15):
        people[person(n).uid] = person(n)
        device.engine.put([person(n)])


def _update(device: Device, people: dict[str, Contact]) -> None:
    for n in range(5):
        people[person(n).uid] = replace(person(n), titles=(Title(f"New title {n}"),))
        device.engine.put([people[person(n).uid]])


def _delete(device: Device, people: dict[str, Contact]) -> None:
    device.engine.delete([person(n).uid for n in range(2)])
    for n in range(2):
        del people[person(n).uid]


WRITES = {
    "create": Write("PUT", 5, _create),
    "update": Write("PUT", 5, _update),
    "delete": Write("DELETE", 2, _delete),
}


@pytest.mark.law("P5", "L13", "L33")
@pytest.mark.parametrize("how", ["done", "not done"])
@pytest.mark.parametrize("action", WRITES)
def test_a_write_whose_answer_got_lost_is_neither_lost_nor_done_twice(
    server: Server,
    front: tuple[Proxy, Server],
    new_book: NewBook,
    open_device: OpenDevice,
    action: str,
    how: str,
) -> None:
    book = new_book(server)
    through, seen = front
    device = open_device("phone", seen, book)
    people = {person(n).uid: person(n) for n in range(10)}
    device.engine.put(list(people.values()))
    for _ in range(2):
        device.sync()
    write = WRITES[action]
    write.change(device, people)
    through.forget()
    carried_out: list[int] = []

    def note(reply: Reply) -> Reply:
        carried_out.extend([reply.status] if reply.status < 300 else [])
        return reply

    through.change(note, write.method)
    lose = through.lose_reply if how == "done" else through.lose_request
    lose(write.method, times=write.requests)
    device.report()
    settled(device, rounds=2)
    assert len(carried_out) == write.requests
    assert through.counts[write.method] >= write.requests + (how == "not done")
    agree(device, book, people)


@pytest.mark.law("P5", "L33", "L14")
def test_a_create_in_doubt_that_is_edited_meanwhile_is_one_card_with_the_edit(
    server: Server, front: tuple[Proxy, Server], new_book: NewBook, open_device: OpenDevice
) -> None:
    """The answers stay away for the whole round, so that the doubt is still there at the edit."""
    book = new_book(server)
    through, seen = front
    device = open_device("phone", seen, book)
    device.engine.put([person(1), person(2)])
    through.lose_reply("PUT", times=2)
    through.fail(503, "REPORT", "PROPFIND", skip=len(through.seen) + 4, times=1000)
    device.report()
    through.forget()
    device.edit(person(1).uid, lambda c: replace(c, titles=(Title("Edited in doubt"),)))
    settled(device, rounds=2)
    expected = {
        person(1).uid: replace(person(1), titles=(Title("Edited in doubt"),)),
        person(2).uid: person(2),
    }
    agree(device, book, expected)
