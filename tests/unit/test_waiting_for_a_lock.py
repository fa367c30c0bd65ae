"""How long a refused write waits before it is tried again."""

from __future__ import annotations

import pytest

from contactsync.connectors.base import AccountSettings, Create, Refused
from contactsync.connectors.carddav.writing import Writer
from contactsync.connectors.davlogin import Transport
from contactsync.errors import TransientError
from tests.proxy import proxy


def pauses_after(status: int) -> list[float]:
    """Of a write that a server never takes, in seconds; none of them is waited."""
    pauses: list[float] = []
    with proxy() as front:
        front.fail(status, "PUT", times=100)
        transport = Transport(AccountSettings("test", "carddav", front.url, "", lambda: ""))
        step = Create(1, "name", "uid", b"BEGIN:VCARD\r\nEND:VCARD\r\n")
        (outcome,) = Writer(transport, 1, pauses.append).write("/book/", [step])
        transport.close()
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, TransientError)
    assert len(pauses) == front.counts["PUT"] - 1
    return pauses


def test_a_lock_is_tried_again_soon_and_then_ever_later() -> None:
    pauses = pauses_after(423)
    assert 0.005 <= pauses[0] <= 0.015
    assert pauses[-1] >= 0.32
    assert 0.6 <= sum(pauses) <= 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_has_too_much_to_do_is_left_alone_for_longer(status: int) -> None:
    pauses = pauses_after(status)
    assert 0.05 <= pauses[0] <= 0.15
    assert sum(pauses) >= 0.75
