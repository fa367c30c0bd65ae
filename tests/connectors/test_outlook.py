"""The connector for Outlook against the simulator, through Microsoft's own login library over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import pytest

from contactsync.connectors.base import (
    AccountSettings,
    Create,
    Exchange,
    Payload,
    Refused,
    Stored,
    Unknown,
    Update,
)
from contactsync.connectors.outlook.codec import dumps, loads
from contactsync.connectors.outlook.connector import OutlookConnector
from contactsync.connectors.outlook.login import App, by_code
from contactsync.connectors.outlook.person import EXTENDED as MARKS
from contactsync.connectors.outlook.person import OPERATION, UID
from contactsync.errors import (
    NotFound,
    PayloadRejected,
    PreconditionFailed,
    ProtocolError,
    RemoteError,
    TransientError,
)
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

    def login_that_ends(self) -> tuple[Rig, Callable[[], object]]:
        def end() -> None:
            self.server.access_tokens.clear()
            self.server.entra.end_login()

        return self.make(), end

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


# ---- what is sent ----------------------------------------------------------------------------------------


@pytest.fixture
def rig(server: Graph) -> Rig:
    return Rig(connector(server), server.mailbox.default, Outlook(server))


def bodies(server: Graph, method: str) -> list[Json]:
    return [asked.json for asked in server.inner if asked.method == method]


def make(rig: Rig, **values: Any) -> tuple[str, str | None, Json]:
    """A contact that is there: href, etag, and what was read of it."""
    stored = rig.create(dumps({"givenName": "Ada", "displayName": "Ada", **values}), "ada")
    change = rig.read(stored.href)
    return stored.href, change.etag, loads(change.payload or b"")


def change(rig: Rig, href: str, etag: str | None, person: Json) -> Stored:
    outcome = rig.write(Update(7, href, etag, dumps(person)))[7]
    assert isinstance(outcome, Stored), outcome
    return outcome


def test_a_new_contact_has_our_two_marks(server: Graph, rig: Rig) -> None:
    stored = rig.create(dumps({"givenName": "Ada", MARKS: {UID: "uid-1"}}), "operation-1")
    assert server.mailbox.items[stored.href].extended == {UID: "uid-1", OPERATION: "operation-1"}


def test_an_update_names_what_differs_only(server: Graph, rig: Rig) -> None:
    href, etag, person = make(rig, jobTitle="Countess", personalNotes="x", nickName="A")
    change(rig, href, etag, {**person, "jobTitle": "Captain"})
    assert bodies(server, "PATCH") == [{"jobTitle": "Captain"}]


def test_a_name_part_brings_the_whole_name_along(server: Graph, rig: Rig) -> None:
    href, etag, person = make(rig, displayName="The Countess")
    change(rig, href, etag, {**person, "surname": "King"})
    assert bodies(server, "PATCH") == [{"surname": "King", "displayName": "The Countess"}]
    assert server.mailbox.items[href].values["displayName"] == "The Countess"


def test_what_is_gone_is_cleared_in_its_own_way(server: Graph, rig: Rig) -> None:
    there = {
        "jobTitle": "Countess",
        "businessPhones": ["1", "2"],
        "emailAddresses": [{"address": "a@x.example"}],
        "homeAddress": {"street": "High Street 1", "city": "London"},
        "birthday": "1815-12-10T11:59:00Z",
        MARKS: {UID: "uid-1", "String 0x3A21": "+49 30 1"},
    }
    href, etag, person = make(rig, **there)
    left = {key: value for key, value in person.items() if key not in there}
    left[MARKS] = {name: v for name, v in person[MARKS].items() if name != "String 0x3A21"}
    change(rig, href, etag, {**left, "homeAddress": {"street": "High Street 2"}})
    (body,) = bodies(server, "PATCH")
    assert body == {
        "jobTitle": None,
        "businessPhones": [],
        "emailAddresses": [],
        "birthday": None,
        "homeAddress": {
            "street": "High Street 2",
            "city": "",
            "state": "",
            "postalCode": "",
            "countryOrRegion": "",
        },
        EXTENDED: [{"id": "String 0x3A21", "value": None}],
    }
    after = loads(rig.read(href).payload or b"")
    assert after["homeAddress"] == {"street": "High Street 2"} and "jobTitle" not in after
    assert after[MARKS] == {UID: "uid-1", OPERATION: "ada"}


def test_nothing_to_change_sends_nothing(server: Graph, rig: Rig) -> None:
    href, etag, person = make(rig)
    assert change(rig, href, etag, person) == Stored(7, href, etag)
    assert not bodies(server, "PATCH")


def test_a_contact_that_went_to_another_folder_is_not_written(server: Graph, rig: Rig) -> None:
    href, etag, person = make(rig)
    server.mailbox.move(server.mailbox.items[href], server.mailbox.make_folder("Away").id)
    outcome = rig.write(Update(7, href, etag, dumps({**person, "jobTitle": "x"})))[7]
    assert isinstance(outcome, Refused) and isinstance(outcome.error, PreconditionFailed)
    found = rig.read(href)
    assert found.gone and found.elsewhere


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ErrorInvalidProperty", PayloadRejected),
        (400, "RequestBodyRead", PayloadRejected),
        (403, "ErrorAccessDenied", RemoteError),
        (404, "ErrorItemNotFound", NotFound),
        (412, "ErrorIrresolvableConflict", PreconditionFailed),
        (429, "ApplicationThrottled", TransientError),
        (507, "ErrorQuotaExceeded", RemoteError),
    ],
)
def test_what_a_refusal_of_one_step_means(
    server: Graph, rig: Rig, status: int, code: str, kind: type[RemoteError]
) -> None:
    href, etag, person = make(rig)
    server.fail(status, code, "words", method="PATCH", inside=True, times=9)
    outcome = rig.write(Update(7, href, etag, dumps({**person, "jobTitle": "x"})))[7]
    assert isinstance(outcome, Refused) and isinstance(outcome.error, kind)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_trouble_at_the_server_leaves_a_write_in_doubt(server: Graph, rig: Rig, status: int) -> None:
    href, etag, person = make(rig)
    server.fail(status, "ErrorInternalServerError", method="PATCH", inside=True)
    outcome = rig.write(Update(7, href, etag, dumps({**person, "jobTitle": "x"})))[7]
    assert isinstance(outcome, Unknown)


def test_trouble_before_anything_is_sent_leaves_nobody_in_doubt(server: Graph, rig: Rig) -> None:
    href, etag, person = make(rig)
    server.fail(503, "ErrorInternalServerError", at="$batch", times=9)
    outcome = rig.write(Update(7, href, etag, dumps({**person, "jobTitle": "x"})))[7]
    assert isinstance(outcome, Refused) and not bodies(server, "PATCH")


def test_a_web_page_and_nonsense_are_no_answers(server: Graph, rig: Rig) -> None:
    make(rig)
    server.answer_with(200, b"<!DOCTYPE html><html>", kind="text/html", at="delta")
    with pytest.raises(RemoteError):
        rig.list()
    server.answer_with(200, b'{"value": []}', at="delta")
    with pytest.raises(ProtocolError, match="may be cut"):
        rig.list()
    server.answer_with(200, b'{"value": [], "@odata.nextLink": "https://far.example/x"}', at="delta")
    with pytest.raises(ProtocolError, match="does not belong"):
        rig.list()
    server.faults.clear()
    assert len(rig.list().there) == 1


def test_a_batch_that_leaves_answers_out_leaves_its_steps_in_doubt(server: Graph, rig: Rig) -> None:
    server.answer_with(200, b'{"responses": []}', at="$batch")
    server.answer_with(200, b'{"responses": []}', at="$batch")
    outcomes = rig.write(*(Create(n, f"op-{n}", f"uid-{n}", dumps({"givenName": "x"})) for n in range(3)))
    assert all(isinstance(outcome, Unknown) for outcome in outcomes.values())


def test_retry_after_is_obeyed_to_the_second(server: Graph, rig: Rig) -> None:
    make(rig)
    before = server.now
    server.fail(429, "TooManyRequests", wait="17", at="delta")
    assert rig.list().there and server.now == before + 17
    server.fail(429, "ApplicationThrottled", wait="5", inside=True)
    href = next(iter(rig.list().there))
    assert rig.read(href).payload and server.now == before + 22


def test_a_day_without_requests_is_not_waited_for(server: Graph, rig: Rig) -> None:
    before = server.now
    server.fail(429, "TooManyRequests", wait="86400", times=2)
    with pytest.raises(TransientError) as caught:
        rig.list()
    assert server.now == before and caught.value.retry_after
    server.pass_time(86400)


def test_the_default_folder_is_found_without_its_alias(server: Graph, rig: Rig) -> None:
    make(rig)
    server.fail(404, "ErrorItemNotFound", at="contactFolders/contacts")
    (found,) = rig.connector.collections()
    assert found.href == server.mailbox.default and found.default


def test_what_one_request_was_told_to_wait_holds_for_those_beside_it(server: Graph) -> None:
    paused, answered = threading.Event(), threading.Event()

    def pause(seconds: float) -> None:
        paused.set()
        assert not answered.wait(0.5), "another request was sent meanwhile"
        server.pass_time(seconds)

    kept = secret(server)
    made = AccountSettings("outlook", "outlook", server.root, password=lambda: kept)
    transport = OutlookConnector(made, pause).transport
    server.fail(429, "ApplicationThrottled", wait="7", at="/contactFolders/contacts")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(transport.get, "/me/contactFolders/contacts")
        assert paused.wait(20)
        pool.submit(transport.get, "/me/contactFolders").add_done_callback(lambda _: answered.set())
        assert first.result()["id"] == server.mailbox.default
    transport.close()
    assert not server.troubles


def test_the_second_page_of_everything_is_read_while_the_first_is_used(server: Graph, rig: Rig) -> None:
    for n in range(6):
        server.mailbox.create("contacts", {"givenName": f"P{n}"})
    server.page_cap = 3
    lists: list[str] = []
    second = threading.Event()

    def witness(seen: Exchange) -> None:
        lists.append(seen.url)
        if sum("/delta" in url for url in lists) == 2:
            second.set()

    reader = connector(server, witness=witness)
    pages = reader.changes(rig.book, None)
    assert len(next(pages).changes) == 3
    assert second.wait(timeout=30)
    assert sum(len(page.changes) for page in pages) == 3
    reader.close()


def test_a_picture_that_is_not_to_be_had_is_named(server: Graph, rig: Rig) -> None:
    href, _, _ = make(rig)
    server.mailbox.set_photo(server.mailbox.items[href], b"\xff\xd8\xff")
    server.fail(403, "ErrorSomething", at="/photo/")
    partial = rig.read(href)
    assert partial.partial
    (whole,) = rig.connector.complete([(partial, None)])  # type: ignore[attr-defined]
    assert whole.error is not None and "photo of this contact" in str(whole.error)


def test_a_sweep_does_not_contradict_what_a_list_of_changes_tells(server: Graph, rig: Rig) -> None:
    href, _, _ = make(rig)
    stays, _, _ = make(rig)
    cursor = rig.list().cursor
    item = server.mailbox.items[href]
    server.mailbox.delete(item)
    # the list that the sweep reads is behind
    server.before("GET", "/contacts", lambda: server.mailbox.items.update({href: item}), skip=1)
    server.pass_time(86400)
    listing = rig.list(cursor)
    assert listing.gone == {href} and set(listing.there) == {stays}
