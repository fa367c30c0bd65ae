"""The connector for Gmail against the simulator, through Google's own client libraries over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest

from contactsync.connectors.base import (
    AccountSettings,
    Payload,
)
from contactsync.connectors.google.codec import dumps, loads
from contactsync.connectors.google.connector import BOOK, GoogleConnector
from contactsync.testing.suite import UNICODE, ConnectorSuite, Rig
from tests.simulators.google import Google, google
from tests.simulators.google_account import Json


def secret(server: Google, **changes: Any) -> str:
    """A login as it is kept."""
    identity, client_secret = server.client
    content = {
        "type": "authorized_user",
        "client_id": identity,
        "client_secret": client_secret,
        "refresh_token": "refresh-1",
        "token_uri": f"{server.root}/token",
        "token": "access-1",
        "expiry": "2099-01-01T00:00:00Z",
        "scopes": [server.scopes],
    }
    return json.dumps({**content, **changes})


def connector(server: Google, pauses: list[float] | None = None, **settings: Any) -> GoogleConnector:
    kept = settings.pop("secret", None) or secret(server)
    made = AccountSettings("gmail", "gmail", server.root, password=lambda: kept, **settings)
    return GoogleConnector(made, (pauses if pauses is not None else []).append)


def identity(hint: str) -> str:
    return f"{crc32(hint.encode()):016x}"


class WebPage:
    """Somebody else at the same account; a path is the id of a contact."""

    def __init__(self, server: Google) -> None:
        self._account = server.account

    def put(self, path: str, payload: Payload) -> object:
        person = loads(payload)
        if path not in self._account.contacts:
            return self._account.create(person, path)
        lists = {name: items for name, items in person.items() if isinstance(items, list)}
        return self._account.edit(self._account.contacts[path].resource_name, **lists)

    def get(self, path: str) -> Payload | None:
        found = self._account.contacts.get(path)
        return dumps(found.fields) if found and not found.deleted else None

    def delete(self, path: str) -> None:
        self._account.delete(self._account.contacts[path].resource_name)


@pytest.fixture
def server() -> Iterator[Google]:
    with google() as found:
        yield found
        assert not [asked for asked in found.requests if asked.overlapped], "changes overlapped"


class TestGoogle(ConnectorSuite):
    unknown_cursor = 'google1:["no-such-token",{},{}]'

    @pytest.fixture(autouse=True)
    def _server(self, server: Google) -> None:
        self.server = server

    def make(self) -> Rig:
        return Rig(connector(self.server), BOOK, WebPage(self.server))

    def locked_out(self) -> Rig:
        self.server.refresh_tokens.clear()
        return Rig(connector(self.server, secret=secret(self.server, token="no")), BOOK, WebPage(self.server))

    def href(self, rig: Rig, hint: str) -> str:
        return identity(hint)

    def card(self, name: str, hint: str, *lines: str) -> Payload:
        person: Json = {"names": [{"givenName": name}]}
        person["clientData"] = [{"key": "contactsync-uid", "value": f"uid-{hint}"}]
        for line in lines:
            key, _, value = line.partition(":")
            if key == "NOTE":
                person["biographies"] = [{"value": value}]
            else:
                person.setdefault("userDefined", []).append({"key": key, "value": value})
        return dumps(person)

    def assert_kept(self, rig: Rig, payload: Payload, note: str, own: str) -> None:
        contact = rig.connector.codec.read(payload)
        assert (contact.name.full, contact.notes[0].text) == (UNICODE, note)
        assert contact.extra[0].value == own.partition(":")[2]
