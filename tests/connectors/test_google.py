"""The connector for Gmail against the simulator, through Google's own client libraries over real HTTP."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from zlib import crc32

import pytest

from contactsync.connectors.base import (
    AccountSettings,
    Change,
    Create,
    Delete,
    Payload,
    Refused,
    Removed,
    Stored,
    Unknown,
    Update,
)
from contactsync.connectors.google.codec import GoogleCodec, dumps, loads
from contactsync.connectors.google.connector import BOOK, GoogleConnector
from contactsync.errors import (
    AuthError,
    ConfigError,
    NotFound,
    PayloadRejected,
    PermissionDenied,
    PreconditionFailed,
    ProtocolError,
    RemoteError,
    SyncTokenExpired,
    TransientError,
)
from contactsync.model.contact import Note
from contactsync.model.group import GroupCard
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

    def login_that_ends(self) -> tuple[Rig, Callable[[], object]]:
        def end() -> None:
            self.server.access_tokens.clear()
            self.server.refresh_tokens.clear()

        return self.make(), end

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


# ---- the list --------------------------------------------------------------------------------------------


def person(name: str, **lists: Any) -> Payload:
    return dumps({"names": [{"givenName": name}], **lists})


def listed(rig: Rig, cursor: str | None = None) -> tuple[dict[str, Change], str]:
    pages = [*rig.connector.changes(BOOK, cursor)]
    assert pages[-1].cursor is not None
    return {change.href: change for page in pages for change in page.changes}, pages[-1].cursor


@pytest.fixture
def rig(server: Google) -> Rig:
    return Rig(connector(server), BOOK, WebPage(server))


def test_a_quiet_list_is_two_small_requests_and_the_same_place(server: Google, rig: Rig) -> None:
    for n in range(20):
        rig.other.put(identity(str(n)), person(f"P{n}"))
    server.account.create_group("Chess")
    _, cursor = listed(rig)
    server.requests.clear()
    before = rig.connector.traffic()
    changes, again = listed(rig, cursor)
    assert (changes, again) == ({}, cursor)
    assert [asked.path for asked in server.requests] == ["/v1/people/me/connections", "/v1/contactGroups"]
    assert rig.connector.traffic().requests - before.requests == 2


def test_pages_are_read_to_the_end_and_a_list_without_an_end_is_not_believed(
    server: Google, rig: Rig
) -> None:
    server.page_cap = 3
    for n in range(10):
        rig.other.put(identity(str(n)), person(f"P{n}"))
    assert len(listed(rig)[0]) == 10
    server.answer_with(200, b'{"connections": []}', at="connections")
    with pytest.raises(ProtocolError, match="may be cut"):
        listed(rig)


def test_the_second_page_of_everything_is_read_while_the_first_is_used(server: Google, rig: Rig) -> None:
    for n in range(6):
        rig.other.put(identity(str(n)), person(f"P{n}"))
    server.page_cap = 3
    second = threading.Event()
    reader = connector(server, witness=lambda seen: second.set() if "pageToken" in seen.url else None)
    pages = reader.changes(rig.book, None)
    assert len(next(pages).changes) == 3
    assert second.wait(timeout=30)
    assert sum(len(page.changes) for page in pages) == 3
    reader.close()


@pytest.mark.parametrize("status", ["FAILED_PRECONDITION", "INVALID_ARGUMENT"])
def test_an_expired_token_is_known_by_its_reason(server: Google, rig: Rig, status: str) -> None:
    server.expired_status = status
    rig.other.put(identity("a"), person("A"))
    _, cursor = listed(rig)
    server.pass_time(8 * 86400)
    with pytest.raises(SyncTokenExpired):
        listed(rig, cursor)


def test_a_place_of_another_kind_is_none(rig: Rig) -> None:
    for cursor in ("sync:x", "google0:[]", "google1:no json", "google1:[1,2,3,4]"):
        with pytest.raises(SyncTokenExpired):
            listed(rig, cursor)


def test_a_contact_of_which_a_list_may_not_show_all_is_read_directly(server: Google, rig: Rig) -> None:
    many = [{"value": f"a{n}@x.example"} for n in range(130)]
    rig.other.put(identity("a"), person("A", emailAddresses=many))
    changes, _ = listed(rig)
    assert changes[identity("a")].payload is None
    read = rig.connector.codec.read(rig.read(identity("a")).payload or b"")
    assert len(read.emails) == 130


def test_labels_come_and_go_with_the_list(server: Google, rig: Rig) -> None:
    chess, go = server.account.create_group("Chess"), server.account.create_group("Go")
    found, cursor = listed(rig)
    assert {rig.connector.codec.read(c.payload or b"").name.full for c in found.values()} == {"Chess", "Go"}
    server.account.update_group(chess.resource_name, {"name": "Chess club"}, {"name"})
    server.account.delete_group(go.resource_name)
    found, cursor = listed(rig, cursor)
    assert found[go.resource_name].gone and not found[chess.resource_name].gone
    assert listed(rig, cursor)[0] == {}
    row, missing = rig.connector.fetch(BOOK, [chess.resource_name, go.resource_name])
    assert b"Chess club" in (row.payload or b"") and missing.gone


def test_a_contact_is_followed_through_another_name(server: Google, rig: Rig) -> None:
    href = identity("a")
    rig.other.put(href, person("A"))
    _, cursor = listed(rig)
    server.account.link_profile(f"people/c{int(href, 16)}")
    changes, cursor = listed(rig, cursor)
    assert [*changes] == [href]
    server.account.contacts[href].previous.clear()
    later = Rig(connector(server), BOOK, rig.other)
    listed(later, cursor)
    change = later.read(href)
    assert not change.gone
    outcome = later.write(Update(1, href, change.etag, person("B")))[1]
    assert isinstance(outcome, Stored)
    assert server.account.contacts[href].fields["names"] == [{"givenName": "B"}]


def test_a_contact_that_another_one_answers_for_is_gone(server: Google, rig: Rig) -> None:
    """The name of a contact that was merged away may lead to the one that remains (assumed)."""
    kept, merged = identity("kept"), identity("merged")
    rig.other.put(kept, person("Kept"))
    rig.other.put(merged, person("Merged"))
    server.account.merge(f"people/c{int(kept, 16)}", f"people/c{int(merged, 16)}")
    server.account.contacts[kept].previous.append(f"people/c{int(merged, 16)}")
    assert rig.read(merged).gone and not rig.read(kept).gone


# ---- writing ---------------------------------------------------------------------------------------------


def test_many_are_made_in_few_requests_each_with_our_marks(server: Google, rig: Rig) -> None:
    server.account.create_group("Chess")
    group = {"contactGroupMembership": {"name": "chess"}}
    steps = [
        Create(n, f"op-{n}", f"uid-{n}", person(f"P{n}", memberships=[group] if n % 2 else []))
        for n in range(450)
    ]
    outcomes = rig.write(*steps)
    assert all(isinstance(outcome, Stored) and outcome.etag for outcome in outcomes.values())
    assert server.count("batchCreateContacts") == 3 and len(server.requests) <= 6
    ours = server.account.contacts[outcomes[7].href]  # type: ignore[union-attr]
    assert {"key": "contactsync-op", "value": "op-7"} in ours.fields["clientData"]
    assert len(ours.groups) == 2 and "contactGroups/myContacts" in ours.groups


def test_one_that_google_refuses_stops_no_other_of_its_batch(server: Google, rig: Rig) -> None:
    """Too long a text goes by itself; what a batch is refused for otherwise shows when each goes alone."""
    long = person("Long", biographies=[{"value": "x" * 2000}])
    bad = person("Bad", birthdays=[{"date": {"month": 1, "day": 1}, "nonsense": 1}])
    steps = [Create(0, "op-0", "u0", long), Create(1, "op-1", "u1", bad)]
    steps += [Create(n, f"op-{n}", f"u{n}", person(f"P{n}")) for n in range(2, 8)]
    outcomes = rig.write(*steps)
    for key in (0, 1):
        outcome = outcomes[key]
        assert isinstance(outcome, Refused) and isinstance(outcome.error, PayloadRejected), outcome
    assert all(isinstance(outcomes[n], Stored) for n in range(2, 8))
    assert len(server.account.alive()) == 6


def test_a_refused_batch_is_looked_for_before_anything_is_sent_again(server: Google, rig: Rig) -> None:
    """Should Google carry a refused batch out after all, nothing is made twice."""
    steps = [Create(n, f"op-{n}", f"u{n}", person(f"P{n}")) for n in range(4)]
    server.refuse_after_doing(400, at="batchCreateContacts")
    outcomes = rig.write(*steps)
    assert all(isinstance(outcome, Stored) for outcome in outcomes.values())
    assert len(server.account.alive()) == 4 and server.count("people:createContact") == 0


def test_trouble_before_anything_is_sent_leaves_nobody_in_doubt(server: Google, rig: Rig) -> None:
    href = identity("a")
    rig.other.put(href, person("A"))
    etag = rig.read(href).etag
    server.fail(503, "UNAVAILABLE", "no", at="batchGet", times=9)
    server.fail(503, "UNAVAILABLE", "no", at="contactGroups", times=9)
    group = {"contactGroupMembership": {"name": "Chess"}}
    steps = [Update(1, href, etag, person("B")), Delete(2, href, etag)]
    for step in (*steps, Create(3, "op", "u", person("C", memberships=[group]))):
        outcome = rig.write(step)[step.key]
        assert isinstance(outcome, Refused) and isinstance(outcome.error, TransientError), outcome
    assert len(server.account.alive()) == 1


def test_a_picture_that_is_refused_takes_no_contact_with_it(server: Google, rig: Rig) -> None:
    photo = [{"data": base64.b64encode(PNG).decode()}]
    server.fail(403, "PERMISSION_DENIED", "no photos", at="updateContactPhoto")
    outcomes = rig.write(*(Create(n, f"op-{n}", f"u{n}", person(f"P{n}", photos=photo)) for n in range(3)))
    for outcome in outcomes.values():
        assert isinstance(outcome, Stored) and outcome.etag and not outcome.unwritten, outcome
    assert [one.photo is None for one in server.account.alive()] == [True, False, False]


def test_a_picture_that_did_not_arrive_is_named_as_unwritten(server: Google, rig: Rig) -> None:
    photo = [{"data": base64.b64encode(PNG).decode()}]
    server.fail(503, "UNAVAILABLE", "no", at="updateContactPhoto", times=9)
    made = rig.write(Create(1, "op", "u", person("P", photos=photo)))[1]
    assert isinstance(made, Stored) and made.etag and made.unwritten == {"media"}
    read = rig.read(made.href)
    both = {**loads(read.payload or b""), "nicknames": [{"value": "x"}], "photos": photo}
    edited = rig.write(Update(2, made.href, read.etag, dumps(both)))[2]
    assert isinstance(edited, Stored) and edited.unwritten == {"media"}
    read = rig.read(made.href)
    only = rig.write(
        Update(3, made.href, read.etag, dumps({**both, **loads(read.payload or b""), "photos": photo}))
    )
    assert isinstance(only[3], Unknown)


@pytest.mark.parametrize("count", [1, 3])
def test_a_lost_answer_to_a_create_is_in_doubt_and_nothing_is_sent_again(
    server: Google, rig: Rig, count: int
) -> None:
    server.lose_reply("reateContact")
    outcomes = rig.write(*(Create(n, f"op-{n}", f"u{n}", person(f"P{n}")) for n in range(count)))
    assert all(isinstance(outcome, Unknown) for outcome in outcomes.values())
    assert len(server.account.alive()) == count


def test_only_lists_that_changed_are_written_and_foreign_items_stay(server: Google, rig: Rig) -> None:
    foreign = {
        "userDefined": [{"key": "Shoe", "value": "42"}],
        "organizations": [{"name": "ACME", "title": "Chief", "costCenter": "7"}, {"name": "Club"}],
        "emailAddresses": [{"value": "a@x.example", "type": "work", "displayName": "A"}],
        "externalIds": [{"value": "7", "type": "account"}],
        "phoneNumbers": [{"value": "1", "type": "mobile"}],
    }
    href = identity("a")
    rig.other.put(href, person("A", **foreign))
    server.account.contacts[href].unknown = {"hologram": {"color": "blue"}}
    before = server.account.contacts[href].fields
    change = rig.read(href)
    payload = change.payload or b""
    assert b"hologram" in payload
    contact = rig.connector.codec.read(payload)
    edited = replace(contact, phones=(replace(contact.phones[0], number="2"),))
    outcome = rig.write(Update(1, href, change.etag, rig.connector.codec.write(edited, payload)))[1]
    assert isinstance(outcome, Stored)
    (update,) = [asked for asked in server.requests if asked.path.endswith("updateContact")]
    assert update.query["updatePersonFields"] == ["phoneNumbers"]
    after = server.account.contacts[href].fields
    assert after.pop("phoneNumbers") == [{"value": "2", "type": "mobile"}]
    assert after == {name: items for name, items in before.items() if name != "phoneNumbers"}
    (written,) = update.body["phoneNumbers"]
    assert set(written) == {"value", "type"}, "what the server adds is not sent"
    assert set(update.body) == {"resourceName", "etag", "metadata", "phoneNumbers"}


def test_edits_of_the_same_lists_go_together_and_each_keeps_its_condition(server: Google, rig: Rig) -> None:
    hrefs = [identity(str(n)) for n in range(6)]
    for href in hrefs:
        rig.other.put(href, person("Old"))
    etags = {change.href: change.etag for change in rig.connector.fetch(BOOK, hrefs)}
    rig.other.put(hrefs[0], person("Newer"))
    server.requests.clear()
    outcomes = rig.write(*(Update(n, href, etags[href], person("Ours")) for n, href in enumerate(hrefs)))
    assert isinstance(outcomes[0], Refused) and isinstance(outcomes[0].error, PreconditionFailed)
    assert all(isinstance(outcomes[n], Stored) for n in range(1, 6))
    assert [asked.path for asked in server.requests] == [
        "/v1/people:batchGet",
        "/v1/people:batchUpdateContacts",
    ]
    assert rig.connector.codec.read(rig.other.get(hrefs[0]) or b"").name.full == "Newer"


def test_a_contact_that_changes_between_our_look_and_our_write_is_not_overwritten(
    server: Google, rig: Rig
) -> None:
    hrefs = [identity("a"), identity("b")]
    for href in hrefs:
        rig.other.put(href, person("Old"))
    etags = {change.href: change.etag for change in rig.connector.fetch(BOOK, hrefs)}
    server.before("batchUpdateContacts", lambda: rig.other.put(hrefs[0], person("Newer")))
    outcomes = rig.write(*(Update(n, href, etags[href], person("Ours")) for n, href in enumerate(hrefs)))
    assert isinstance(outcomes[0], Refused) and isinstance(outcomes[0].error, PreconditionFailed)
    assert isinstance(outcomes[1], Stored)
    assert server.account.contacts[hrefs[0]].fields["names"] == [{"givenName": "Newer"}]


def test_labels_are_given_to_all_at_once_and_with_other_edits(server: Google, rig: Rig) -> None:
    chess, go = (server.account.create_group(name).resource_name for name in ("Chess", "Go"))
    hrefs = [identity(str(n)) for n in range(5)]
    for href in hrefs:
        rig.other.put(href, person("P"))
    go_members = [f"people/c{int(href, 16)}" for href in hrefs[:2]]
    server.account.modify_members(go, go_members, [])
    codec, steps = rig.connector.codec, []
    for n, change in enumerate(rig.connector.fetch(BOOK, hrefs)):
        contact = codec.read(change.payload or b"")
        wanted = replace(contact, groups=frozenset({chess, "New"}), notes=(Note("n"),) if n == 4 else ())
        steps.append(Update(n, change.href, change.etag, codec.write(wanted, change.payload)))
    server.requests.clear()
    outcomes = rig.write(*steps)
    assert all(isinstance(outcome, Stored) for outcome in outcomes.values()), outcomes
    assert server.count("members:modify") == 3, "one for each label"
    (new,) = [group.resource_name for group in server.account.groups.values() if group.name == "New"]
    for n, href in enumerate(hrefs):
        there = server.account.contacts[href]
        assert there.groups == {chess, new, "contactGroups/myContacts"}
        assert rig.read(href).etag == outcomes[n].etag  # type: ignore[union-attr]
    assert server.account.contacts[hrefs[4]].fields["biographies"]


def test_steps_of_labels(server: Google, rig: Rig) -> None:
    codec = rig.connector.codec
    assert isinstance(codec, GoogleCodec)
    chess = codec.write_group(GroupCard("Chess"), "u", None)
    first, again = (rig.write(Create(1, "op", "u", chess))[1] for _ in range(2))
    assert isinstance(first, Stored) and first == again, "a label's name is there once"
    (change,) = rig.connector.fetch(BOOK, [first.href])
    assert change.etag == first.etag
    club = codec.write_group(GroupCard("Chess club"), "u", change.payload)
    renamed = rig.write(Update(2, first.href, first.etag, club))[2]
    assert isinstance(renamed, Stored) and renamed.href == first.href
    stale = rig.write(Delete(3, first.href, first.etag))[3]
    assert isinstance(stale, Refused) and isinstance(stale.error, PreconditionFailed)
    assert rig.write(Delete(4, first.href, renamed.etag))[4] == Removed(4, first.href)
    assert rig.write(Delete(5, first.href, renamed.etag))[5] == Removed(5, first.href)
    family = rig.write(Create(6, "op", "u", codec.write_group(GroupCard("family"), "u", None)))[6]
    assert isinstance(family, Refused) and isinstance(family.error, PayloadRejected)


def test_many_are_deleted_in_one_request_and_the_gone_are_done(server: Google, rig: Rig) -> None:
    hrefs = [identity(str(n)) for n in range(4)]
    for href in hrefs:
        rig.other.put(href, person("P"))
    etags = {change.href: change.etag for change in rig.connector.fetch(BOOK, hrefs)}
    rig.other.delete(hrefs[3])
    rig.other.put(hrefs[2], person("Newer"))
    outcomes = rig.write(*(Delete(n, href, etags[href]) for n, href in enumerate(hrefs)))
    assert [type(outcomes[n]) for n in range(4)] == [Removed, Removed, Refused, Removed]
    assert server.count("batchDeleteContacts") == 1 and len(server.account.alive()) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_a_deletion_is_not_decided_on_an_old_look(server: Google, rig: Rig, count: int) -> None:
    """A direct read may meet a replica that lacks the last edit."""
    hrefs = [identity(str(n)) for n in range(count)]
    for href in hrefs:
        rig.other.put(href, person("Old"))
    etags = {change.href: change.etag for change in rig.connector.fetch(BOOK, hrefs)}
    rig.other.put(hrefs[0], person("Newer"))
    server.account.stale_gets = 1
    outcomes = rig.write(*(Delete(n, href, etags[href]) for n, href in enumerate(hrefs)))
    assert isinstance(outcomes[0], Refused) and isinstance(outcomes[0].error, PreconditionFailed)
    assert rig.connector.codec.read(rig.other.get(hrefs[0]) or b"").name.full == "Newer"
    assert all(isinstance(outcomes[n], Removed) for n in range(1, count))


# ---- photos ----------------------------------------------------------------------------------------------

PNG = b"\x89PNG" + b"p" * 60


def whole(rig: Rig, href: str, known: Payload | None = None) -> Change:
    assert isinstance(rig.connector, GoogleConnector)
    (change,) = rig.connector.complete([(rig.read(href), known)])
    return change


def test_a_photo_is_sent_once_fetched_once_and_taken_away(server: Google, rig: Rig) -> None:
    codec = rig.connector.codec
    photo = {"data": base64.b64encode(PNG).decode()}
    stored = rig.create(person("A", photos=[photo]), "op")
    assert rig.read(stored.href).partial and stored.etag == rig.read(stored.href).etag
    change = whole(rig, stored.href)
    server.requests.clear()
    assert whole(rig, stored.href, change.payload).payload == change.payload
    assert server.count("/photo/") == 0, "it is of the same version"
    contact = codec.read(change.payload or b"")
    assert contact.media[0].data != PNG, "Google makes its own picture of it"
    noted = codec.write(replace(contact, notes=(Note("n"),)), change.payload)
    outcome = rig.write(Update(1, stored.href, change.etag, noted))[1]
    assert isinstance(outcome, Stored) and server.count("updateContactPhoto") == 0
    change = whole(rig, stored.href, change.payload)
    bare = codec.write(replace(contact, media=()), change.payload)
    assert isinstance(rig.write(Update(2, stored.href, change.etag, bare))[2], Stored)
    assert not rig.read(stored.href).partial


def test_a_photo_that_is_not_there_is_the_contacts_error(server: Google, rig: Rig) -> None:
    href = identity("a")
    rig.other.put(href, person("A"))
    server.account.set_photo(f"people/c{int(href, 16)}", PNG)
    server.fail(404, "NOT_FOUND", "no", at="/photo/")
    change = whole(rig, href)
    assert change.error is not None and "photo" in change.error.message


def test_photos_are_fetched_several_at_a_time(server: Google, rig: Rig) -> None:
    hrefs = [identity(name) for name in "abcd"]
    together = threading.Barrier(3)
    for href in hrefs:
        rig.other.put(href, person("A"))
        server.account.set_photo(f"people/c{int(href, 16)}", PNG)
    for _ in range(3):
        server.before("/photo/", lambda: together.wait(20))
    partial = [(rig.read(href), None) for href in hrefs]
    found = rig.connector.complete(partial)  # type: ignore[attr-defined]
    photos = {change.href: loads(change.payload or b"")["photos"][0] for change in found}
    assert photos.keys() == {*hrefs} and all("data" in photo for photo in photos.values())
    assert not together.broken


def test_the_login_is_not_sent_for_a_photo(server: Google, rig: Rig) -> None:
    href = identity("a")
    rig.other.put(href, person("A"))
    server.account.set_photo(f"people/c{int(href, 16)}", PNG)
    whole(rig, href)
    (asked,) = [asked for asked in server.requests if "/photo/" in asked.path]
    assert asked.bearer == ""


def test_a_photo_is_made_to_fit(server: Google, rig: Rig) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    large, gif = io.BytesIO(), io.BytesIO()
    image.effect_noise((1500, 1500), 80).save(large, "PNG")
    image.new("P", (40, 40)).save(gif, "GIF")
    for n, data in enumerate((large.getvalue(), gif.getvalue())):
        stored = rig.create(person("A", photos=[{"data": base64.b64encode(data).decode()}]), f"op{n}", n)
        sent = server.account.contacts[stored.href].photo
        assert sent is not None and sent.startswith(b"\xff\xd8") and len(sent) < 2**20
    bad = person("B", photos=[{"data": base64.b64encode(b"no picture").decode()}])
    outcome = rig.write(Create(9, "op9", "u", bad))[9]
    assert isinstance(outcome, Refused) and isinstance(outcome.error, PayloadRejected)


# ---- trouble ---------------------------------------------------------------------------------------------


def test_too_many_requests_are_waited_for_and_nothing_is_done_twice(server: Google) -> None:
    pauses: list[float] = []
    rig = Rig(connector(server, pauses), BOOK, WebPage(server))
    server.exhaust(times=2)
    assert isinstance(rig.write(Create(1, "op", "u", person("A")))[1], Stored)
    assert pauses == [5.0, 10.0]
    server.exhaust(times=100)
    outcome = rig.write(Create(2, "op2", "u2", person("B")))[2]
    assert isinstance(outcome, Refused) and isinstance(outcome.error, TransientError)
    assert pauses[2:] == [5.0, 10.0, 20.0, 40.0] and len(server.account.alive()) == 1


def test_requests_keep_to_a_number_in_a_minute(server: Google) -> None:
    pauses: list[float] = []
    rig = Rig(connector(server, pauses, requests_per_minute=5), BOOK, WebPage(server))
    for _ in range(4):
        rig.list()
    assert len(pauses) == 3 and all(0 < pause <= 60 for pause in pauses)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_trouble_at_google_is_waited_out_by_what_only_reads(server: Google, rig: Rig, status: int) -> None:
    server.fail(status, "UNAVAILABLE", "The service is currently unavailable.", times=2)
    rig.list()
    server.fail(status, "UNAVAILABLE", "The service is currently unavailable.")
    assert isinstance(rig.write(Create(1, "op", "u", person("A")))[1], Unknown)


@pytest.mark.parametrize(
    ("status", "reason", "kind", "words"),
    [
        (403, "SERVICE_DISABLED", RemoteError, "not enabled"),
        (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", AuthError, "does not extend to contacts"),
        (403, "", PermissionDenied, "does not allow that: because"),
        (404, "", NotFound, "not at Google"),
        (400, "", PayloadRejected, "because"),
        (418, "", ProtocolError, "unexpected answer"),
    ],
)
def test_a_refusal_is_told_with_its_reason(
    server: Google, rig: Rig, status: int, reason: str, kind: type[RemoteError], words: str
) -> None:
    server.fail(status, "SOME", "because.", reason)
    with pytest.raises(kind, match=words):
        rig.connector.check()


def test_a_full_account_is_no_fault_of_a_contact(server: Google, rig: Rig) -> None:
    server.fail(400, "FAILED_PRECONDITION", "MY_CONTACTS_OVERFLOW_COUNT", at="createContact")
    outcome = rig.write(Create(1, "op", "u", person("A")))[1]
    assert isinstance(outcome, Refused) and "no room left" in outcome.error.message
    assert "25,000" in outcome.error.hint


def test_a_web_page_is_not_google(server: Google, rig: Rig) -> None:
    server.answer_with(200, b"<!DOCTYPE html><p>Please log in to the network", kind="text/html")
    with pytest.raises(ProtocolError, match="web page"):
        rig.list()


# ---- login -----------------------------------------------------------------------------------------------


def test_a_token_that_ran_out_is_renewed_once_and_kept(server: Google) -> None:
    kept: list[str] = []
    for start in (secret(server, token="stale"), secret(server, expiry="2001-01-01T00:00:00Z")):
        kept.clear()
        made = connector(server, secret=start, renew=kept.append)
        made.check()
        (renewed,) = kept
        assert json.loads(renewed)["refresh_token"] == "refresh-1"
        assert json.loads(renewed)["token"] in server.access_tokens
        server.requests.clear()
        connector(server, secret=renewed).check()
        assert server.count("/token") == 0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda server: server.refresh_tokens.clear(), "does not accept the login any more.*7 days"),
        (lambda server: setattr(server, "client", ("other", "x")), "does not know the client"),
    ],
)
def test_a_login_that_ended_says_why_and_what_to_do(
    server: Google, spoil: Callable[[Google], None], words: str
) -> None:
    made = connector(server, secret=secret(server, token="stale"))
    spoil(server)
    with pytest.raises(AuthError, match=words) as caught:
        made.check()
    assert "contactsync account login gmail" in caught.value.hint
    assert "refresh-1" not in str(caught.value) and "secret-1" not in str(caught.value)


@pytest.mark.parametrize("kept", ["", "a password", "{}", "[]"])
def test_what_is_no_login_is_said(server: Google, kept: str) -> None:
    made = connector(server, secret=kept or " ")
    with pytest.raises(AuthError, match="cannot be used"):
        made.check()


def test_an_endpoint_must_be_private() -> None:
    for url in ("http://people.example", "people.example", "ftp://x"):
        with pytest.raises(ConfigError):
            GoogleConnector(AccountSettings("gmail", "gmail", url)).check()
