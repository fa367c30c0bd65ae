"""The connector for Outlook against the simulator, through Microsoft's own login library over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import pytest

from contactsync.connectors.base import AccountSettings, Payload
from contactsync.connectors.outlook.codec import dumps, loads
from contactsync.connectors.outlook.connector import OutlookConnector
from contactsync.connectors.outlook.login import App, by_code
from contactsync.connectors.outlook.person import EXTENDED as MARKS
from contactsync.connectors.outlook.person import UID
from contactsync.testing.suite import UNICODE, ConnectorSuite, Rig
from tests.simulators.entra import CLIENT
from tests.simulators.graph import Graph, graph
from tests.simulators.mailbox import EXTENDED, Json


def app(server: Graph) -> App:
    return App(CLIENT, f"{server.root.removesuffix('/v1.0')}/common")


def secret(server: Graph) -> str:
    """A login as it is kept; made once for each server."""
    if not server.secret:
        server.secret = by_code(app(server), lambda message: None).secret
    return server.secret


def connector(server: Graph, **settings: Any) -> OutlookConnector:
    kept = settings.pop("secret", None) or secret(server)
    made = AccountSettings("outlook", "outlook", server.root, password=lambda: kept, **settings)
    return OutlookConnector(made, server.pass_time, lambda: datetime.fromtimestamp(server.now, UTC))


def body_of(payload: Payload) -> Json:
    """A payload as another program sends it."""
    person = loads(payload)
    rows = [{"id": name, "value": value} for name, value in person.pop(MARKS, {}).items()]
    person.pop("id", None)
    return {**person, EXTENDED: rows}


class Outlook:
    """Somebody else at the same mailbox; a path is the id of a contact."""

    def __init__(self, server: Graph) -> None:
        self._mailbox = server.mailbox

    def put(self, path: str, payload: Payload) -> object:
        if path in self._mailbox.items:
            return self._mailbox.update(self._mailbox.items[path], body_of(payload))
        return self._mailbox.create("contacts", body_of(payload), identity=path)

    def get(self, path: str) -> Payload | None:
        found = self._mailbox.items.get(path)
        return dumps(self._mailbox.shown(found)) if found else None

    def delete(self, path: str) -> None:
        self._mailbox.delete(self._mailbox.items[path])


@pytest.fixture
def server() -> Iterator[Graph]:
    with graph() as found:
        yield found
        assert not found.troubles


class TestOutlook(ConnectorSuite):
    @pytest.fixture(autouse=True)
    def _server(self, server: Graph) -> None:
        self.server = server
        link = f"{server.root}/me/contactFolders/contacts/contacts/delta?$deltatoken=no"
        self.unknown_cursor = f"outlook1:{json.dumps([link, '2026-01-01T00:00:00Z'])}"

    def make(self) -> Rig:
        return Rig(connector(self.server), self.server.mailbox.default, Outlook(self.server))

    def locked_out(self) -> Rig:
        kept = secret(self.server)
        self.server.access_tokens.clear()
        self.server.entra.end_login()
        return Rig(connector(self.server, secret=kept), self.server.mailbox.default, Outlook(self.server))

    def href(self, rig: Rig, hint: str) -> str:
        return f"{crc32(hint.encode()):016x}"

    def card(self, name: str, hint: str, *lines: str) -> Payload:
        person: Json = {"givenName": name, "displayName": name, MARKS: {UID: f"uid-{hint}"}}
        for line in lines:
            key, _, value = line.partition(":")
            person["personalNotes" if key == "NOTE" else "profession"] = value
        return dumps(person)

    def assert_kept(self, rig: Rig, payload: Payload, note: str, own: str) -> None:
        contact = rig.connector.codec.read(payload)
        assert (contact.name.full, contact.notes[0].text) == (UNICODE, note)
        assert loads(payload)["profession"] == own.partition(":")[2]
