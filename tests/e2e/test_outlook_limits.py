"""An Outlook account and a process that is killed, and how much is asked of Microsoft Graph."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Hooks
from contactsync.config import AccountConfig
from tests.connectors.test_outlook import secret
from tests.e2e.crashing import Crasher, settled
from tests.e2e.devices import ANYTHING, Device
from tests.e2e.test_outlook import DAY, JPEG, PHOTO, changes, open_device, person, rest
from tests.simulators.graph import Graph, graph


@pytest.fixture
def server() -> Iterator[Graph]:
    with graph() as found:
        yield found
        assert not found.troubles


@pytest.fixture
def phone(tmp_path: Path, server: Graph) -> Iterator[Device]:
    found = open_device(tmp_path, server)
    yield found
    found.close()


# ---- how much is asked -----------------------------------------------------------------------------------


def fill(server: Graph, count: int, photos: int = 0) -> None:
    for n in range(count):
        body = {"givenName": f"P{n}", "surname": "Tester", "emailAddresses": [{"address": f"p{n}@x.example"}]}
        made = server.mailbox.create("contacts", body)
        if n < photos:
            server.mailbox.set_photo(made, JPEG + str(n).encode())


@pytest.mark.law("L36")
def test_a_round_without_news_is_one_small_request_for_each_folder(server: Graph, phone: Device) -> None:
    fill(server, 50)
    server.mailbox.make_folder("Friends")
    server.mailbox.make_folder("Empty")
    rest(server, phone)
    server.requests.clear()
    report = phone.report()
    assert [asked.path.rpartition("/")[2] for asked in server.requests] == ["delta"] * 3
    assert [book.requests for book in report.books] == [1, 1, 1]
    assert all(asked.answered < 2048 for asked in server.requests)


@pytest.mark.law("L36")
def test_the_daily_sweep_is_one_list_for_each_folder(server: Graph, phone: Device) -> None:
    fill(server, 50)
    rest(server, phone)
    server.pass_time(DAY)
    phone.sync()
    server.requests.clear()
    server.pass_time(DAY)
    phone.sync()
    lists = [a for a in server.requests if "$top" in a.query and "$select" in a.query]
    lists = [a for a in lists if a.path.endswith("/contacts")]
    assert len(lists) == 1 and lists[0].query["$select"] == ["id"]


@pytest.mark.parametrize("count", [1200, pytest.param(5000, marks=pytest.mark.servers)])
def test_a_first_pull_of_thousands_takes_few_requests(server: Graph, phone: Device, count: int) -> None:
    fill(server, count, photos=60)
    phone.engine.books("outlook")
    server.requests.clear()
    assert phone.sync(limits=ANYTHING).pulled.created == count
    assert server.count("GET", "/photo/") == 60
    assert len(server.requests) <= 2 * -(-count // 1000) + 60


@pytest.mark.parametrize("count", [300, pytest.param(1000, marks=pytest.mark.servers)])
def test_a_first_push_of_hundreds_takes_few_requests(server: Graph, phone: Device, count: int) -> None:
    people = [person(n, groups=frozenset({"Chess"}) if n % 3 else frozenset()) for n in range(count)]
    phone.engine.put([replace(p, media=(PHOTO,)) if n < 10 else p for n, p in enumerate(people)])
    phone.engine.books("outlook")
    server.requests.clear()
    assert phone.sync(limits=ANYTHING).pushed.created == count
    photos = server.count("GET", "/photo/") + server.count("PUT", "/photo/")
    assert photos == 2 * 10, "each photo goes there, and comes back as it is stored"
    assert len(server.requests) - photos <= 10 + count / 20
    assert len(server.mailbox.items) == count


# ---- a process that is killed ----------------------------------------------------------------------------

KILLS = [
    ("decided", 1),
    ("committed", 1),
    ("before-sent", 1),
    ("sent", 1),
    ("sent", 3),
    ("answered", 1),
    ("answered", 50),
    ("recorded", 1),
    ("recorded", 100),
    ("read-back", 1),
]


@pytest.mark.law("P5", "L31", "L33")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that dies is made by a fork")
@pytest.mark.parametrize(("step", "count"), KILLS)
def test_a_push_of_a_hundred_that_is_killed_makes_a_hundred(
    server: Graph, tmp_path: Path, killer: Crasher, step: str, count: int
) -> None:
    """The list lags a second, and is believed two seconds after a write."""
    server.mailbox.clock, server.mailbox.lag = time.time, 1.0
    account = AccountConfig("outlook", "outlook", url=server.root, settles_after=2)
    kept = secret(server)
    phone = Device(tmp_path, server, account, Hooks(password=lambda _: kept))  # type: ignore[arg-type]
    phone.engine.put([person(n, groups=frozenset({"Chess"})) for n in range(100)])
    assert killer.round(phone, step, count).killed, f"{step} {count} was not reached"
    settled(phone)
    names = [one.values["givenName"] for one in server.mailbox.items.values()]
    assert len(names) == len(set(names)) == 100
    assert all(one.values["categories"] == ["Chess"] for one in server.mailbox.items.values())
    before = changes(server)
    assert phone.quiet() and changes(server) == before
    phone.close()
