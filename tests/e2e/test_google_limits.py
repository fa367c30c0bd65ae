"""A Google account and a process that is killed, and how much is asked of Google."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.api import Hooks
from contactsync.config import AccountConfig
from tests.connectors.test_google import PNG, secret
from tests.e2e.crashing import Crasher, settled
from tests.e2e.devices import ANYTHING, Device
from tests.e2e.test_google import PHOTO, changes, open_device, person, rest
from tests.simulators.google import Google, google
from tests.simulators.google_account import Json


@pytest.fixture
def server() -> Iterator[Google]:
    with google() as found:
        yield found
        assert not [asked for asked in found.requests if asked.overlapped], "changes overlapped"


@pytest.fixture
def phone(tmp_path: Path, server: Google) -> Iterator[Device]:
    found = open_device(tmp_path, server)
    yield found
    found.close()


# ---- how much is asked -----------------------------------------------------------------------------------


def fill(server: Google, count: int, photos: int = 0) -> None:
    for n in range(count):
        name: Json = {"givenName": f"P{n}", "familyName": "Tester"}
        made = server.account.create({"names": [name], "emailAddresses": [{"value": f"p{n}@x.example"}]})
        if n < photos:
            made.photo, made.photo_version = PNG + str(n).encode(), 1


@pytest.mark.law("L36")
def test_a_round_without_news_is_two_requests_and_two_kilobytes(server: Google, phone: Device) -> None:
    fill(server, 50)
    server.account.create_group("Chess")
    rest(server, phone)
    server.requests.clear()
    book = phone.report().books[0]
    assert [asked.path for asked in server.requests] == ["/v1/people/me/connections", "/v1/contactGroups"]
    assert book.requests == 2 and server.sent < 2048


@pytest.mark.parametrize("count", [1200, pytest.param(5000, marks=pytest.mark.servers)])
def test_a_first_pull_of_thousands_takes_few_requests(server: Google, phone: Device, count: int) -> None:
    fill(server, count, photos=60)
    server.requests.clear()
    assert phone.sync(limits=ANYTHING).pulled.created == count
    assert server.count("/photo/") == 60
    assert len(server.requests) <= count / 1000 + 3 + 60


@pytest.mark.parametrize("count", [300, pytest.param(1000, marks=pytest.mark.servers)])
def test_a_first_push_of_hundreds_takes_few_requests(server: Google, phone: Device, count: int) -> None:
    people = [person(n, groups=frozenset({"Chess"}) if n % 3 else frozenset()) for n in range(count)]
    phone.engine.put([replace(p, media=(PHOTO,)) if n < 10 else p for n, p in enumerate(people)])
    server.requests.clear()
    assert phone.sync(limits=ANYTHING).pushed.created == count + 1, "with the label"
    assert server.count("hoto") == 2 * 10, "each photo goes there, and comes back as Google made it"
    assert len(server.requests) - server.count("hoto") <= 6 + count / 100
    assert len(server.account.alive()) == count


# ---- a process that is killed ----------------------------------------------------------------------------

KILLS = [
    ("decided", 1),
    ("committed", 1),
    ("groups-journaled", 1),
    ("group-answered", 1),
    ("before-sent", 1),
    ("sent", 1),
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
    server: Google, tmp_path: Path, killer: Crasher, step: str, count: int
) -> None:
    """The list lags a second, and is believed two seconds after a write."""
    server.account.clock, server.account.lag = time.time, 1.0
    account = AccountConfig("gmail", "gmail", url=server.root, settles_after=2)
    phone = Device(tmp_path, server, account, Hooks(password=lambda _: secret(server)))  # type: ignore[arg-type]
    phone.engine.put([person(n, groups=frozenset({"Chess"})) for n in range(100)])
    assert killer.round(phone, step, count).killed, f"{step} {count} was not reached"
    settled(phone)
    names = [one.fields["names"][0]["givenName"] for one in server.account.alive()]
    assert len(names) == len(set(names)) == 100
    (label,) = [group for group in server.account.groups.values() if not group.is_system]
    assert len(server.account.members(label)) == 100
    before = changes(server)
    assert phone.quiet() and changes(server) == before
    phone.close()
