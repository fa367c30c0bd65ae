"""Every real card through the database and a real server to a second device: ``make test-servers``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contactsync.model.contact import Contact
from tests.corpus.test_jscontact import properties
from tests.corpus.test_real_cards import readable
from tests.e2e.conftest import NewBook, OpenDevice
from tests.e2e.devices import ANYTHING, Device
from tests.each_server import each_server
from tests.servers import Server
from tests.unit.test_vcard_codec import alike

SERVERS = each_server()
KEEPS_BYTES = ("xandikos", "xandikos_tls")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


def people() -> list[Contact]:
    """Each under a UID of its own: the corpus has the same person as many programs wrote them."""
    return [
        replace(contact, uid=f"real-{number:04d}", kind="" if contact.kind == "group" else contact.kind)
        for number, (_, contact) in enumerate(readable())
    ]


def quiet(device: Device) -> bool:
    report = device.report(limits=ANYTHING)
    return not any(book.pulled or book.pushed or book.conflicts for book in report.books)


@pytest.mark.servers
@pytest.mark.law("P1", "P2", "P4", "L1", "L8", "L12", "L35")
def test_real_cards_reach_a_second_device_and_rest(
    server: Server, new_book: NewBook, open_device: OpenDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    book = new_book(server)
    phone, laptop = (open_device(name, server, book) for name in ("phone", "laptop"))
    phone.engine.put(people())
    before = phone.everyone()
    report = phone.report(limits=ANYTHING)
    refused = {error.uid: error.reason for error in report.books[0].errors}
    assert all(len(reason) > 20 for reason in refused.values()), refused
    laptop.report(limits=ANYTHING)
    arrived = laptop.everyone()
    assert set(arrived) == set(before) - set(refused)
    changed = [uid for uid in arrived if _differs(before[uid], arrived[uid])]
    with capsys.disabled():
        print(f"\n{server.name}: {len(before)} cards, {len(refused)} refused, {len(changed)} altered by it")
    if server.name in KEEPS_BYTES:
        assert changed == []
    for device in (phone, laptop):
        device.report(limits=ANYTHING)
    rows = [device.dump() for device in (phone, laptop)]
    for _ in range(3):
        assert quiet(phone) and quiet(laptop)
    assert [device.dump() for device in (phone, laptop)] == rows
    after = phone.everyone()
    assert [uid for uid in before if _differs(before[uid], after[uid])] == [], "it is all here still"


def _differs(one: Contact, two: Contact) -> bool:
    return [name for name in alike(one, two) if name != "extra"] != [] or properties(one) != properties(two)
