"""Answers of the real People API, so that the simulator cannot drift alone: shapes that others recorded
(KDE's libkgapi in 2023, an engine of Allodia's in 2026), typed anew with invented people.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from contactsync.connectors.base import Create, Refused, Stored, Update
from contactsync.connectors.google.codec import dumps
from contactsync.connectors.google.connector import BOOK, GoogleConnector
from contactsync.errors import (
    AuthError,
    NotFound,
    PreconditionFailed,
    RemoteError,
    SyncTokenExpired,
    TransientError,
)
from contactsync.model.contact import Anniversary, Organization, PartialDate
from tests.connectors.test_google import connector
from tests.simulators.google import Google, google

HEX, NAME = "47c21a010c6b30c8", "people/c5170723913980391624"
SOURCE = {"type": "CONTACT", "id": HEX}
OURS = {**SOURCE, "etag": "#Zm4YfTizA7M=", "updateTime": "2023-02-24T16:40:20.181599Z"}
FIRST = {"metadata": {"primary": True, "source": SOURCE}}
ETAG = "%EigBAgMEBQYHCAkKCwwNDg8QERITFBUWFxkfISIjJCUmJy40NTc9Pj9AGgQBAgUHIgxXTytnMnpEa0dRZz0="
PERSON: dict[str, Any] = {
    "resourceName": NAME,
    "etag": ETAG,
    "metadata": {"sources": [OURS], "objectType": "PERSON"},
    "names": [
        {
            "metadata": {"primary": True, "source": SOURCE, "sourcePrimary": True},
            "displayName": "Dr. John Jay Doe III",
            "displayNameLastFirst": "Doe, Dr. John Jay, III",
            "unstructuredName": "Dr. John Jay Doe III",
            "familyName": "Doe",
            "givenName": "John",
            "middleName": "Jay",
            "honorificPrefix": "Dr.",
            "honorificSuffix": "III",
        }
    ],
    "photos": [{**FIRST, "url": "https://lh3.example/cm/AB=s100", "default": True}],
    "birthdays": [{**FIRST, "date": {"month": 2, "day": 29}}],
    "addresses": [
        {
            **FIRST,
            "formattedValue": "Way 1\nUtrecht\nNetherlands",
            "type": "work",
            "formattedType": "Work",
            "streetAddress": "Way 1",
            "city": "Utrecht",
            "country": "Netherlands",
            "countryCode": "NL",
        }
    ],
    "phoneNumbers": [
        {
            **FIRST,
            "value": "06 12345678",
            "canonicalForm": "+31612345678",
            "type": "mobile",
            "formattedType": "Mobile",
        }
    ],
    "biographies": [{**FIRST, "value": "A note", "contentType": "TEXT_PLAIN"}],
    "organizations": [
        {**FIRST, "type": "work", "formattedType": "Work", "name": "ACME", "title": "Chief", "current": True}
    ],
    "memberships": [
        {
            "metadata": {"source": SOURCE},
            "contactGroupMembership": {
                "contactGroupId": "myContacts",
                "contactGroupResourceName": "contactGroups/myContacts",
            },
        }
    ],
}
TOMBSTONE = {
    "resourceName": NAME,
    "etag": "%EgUBBAUGLg==",
    "metadata": {
        "sources": [{**SOURCE, "etag": "#x", "updateTime": "1970-01-01T00:00:00Z"}],
        "deleted": True,
        "objectType": "PERSON",
    },
    "photos": [{**FIRST, "url": "https://lh3.example/cm/AB=s100", "default": True}],
}
GROUPS = {
    "contactGroups": [
        {
            "resourceName": "contactGroups/myContacts",
            "groupType": "SYSTEM_CONTACT_GROUP",
            "name": "myContacts",
            "formattedName": "My Contacts",
        },
        {
            "resourceName": "contactGroups/4d1a2",
            "etag": "abc=",
            "metadata": {"updateTime": "2023-02-24T16:40:20Z"},
            "groupType": "USER_CONTACT_GROUP",
            "name": "Chess",
            "formattedName": "Chess",
            "memberCount": 1,
        },
    ],
    "totalItems": 2,
    "nextSyncToken": "gt",
}


@pytest.fixture
def server() -> Iterator[Google]:
    with google() as found:
        yield found


@pytest.fixture
def made(server: Google) -> GoogleConnector:
    return connector(server)


def answer(server: Google, content: Any, at: str, status: int = 200, times: int = 1) -> None:
    for _ in range(times):
        server.answer_with(status, json.dumps(content).encode(), at=at)


def refusal(code: int, status: str, message: str, **detail: Any) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": {**error, "details": [detail]} if detail else error}


def test_a_person_as_it_was_recorded(server: Google, made: GoogleConnector) -> None:
    answer(
        server,
        {"connections": [PERSON], "totalItems": 1, "totalPeople": 1, "nextSyncToken": "t"},
        "connections",
    )
    answer(server, GROUPS, "contactGroups")
    first, last = made.changes(BOOK, None)
    (change,) = first.changes
    assert (change.href, change.etag, change.partial) == (HEX, "#Zm4YfTizA7M=", False)
    assert change.modified_at == datetime(2023, 2, 24, 16, 40, 20, 181599, UTC)
    contact = made.codec.read(change.payload or b"")
    assert contact.name.full == "Dr. John Jay Doe III" and contact.name.part("credential") == "III"
    assert contact.anniversaries == (Anniversary("birth", PartialDate(None, 2, 29)),)
    assert contact.phones[0].number == "06 12345678" and contact.phones[0].features == {"cell"}
    assert contact.organizations == (Organization("ACME", contexts=frozenset({"work"})),)
    assert contact.addresses[0].country_code == "NL" and not contact.media and not contact.groups
    assert made.codec.write(contact, change.payload) == change.payload
    assert [row.href for row in last.changes] == ["contactGroups/4d1a2"]


def test_a_quiet_list_and_a_tombstone(server: Google, made: GoogleConnector) -> None:
    answer(server, {"nextSyncToken": "t"}, "connections")
    answer(server, {}, "contactGroups")
    (page,) = made.changes(BOOK, None)
    answer(server, {"nextSyncToken": "t2"}, "connections")
    answer(server, {}, "contactGroups")
    (quiet,) = made.changes(BOOK, page.cursor)
    assert quiet.cursor == page.cursor and not quiet.changes
    answer(server, {"connections": [TOMBSTONE], "totalItems": 1, "nextSyncToken": "t3"}, "connections")
    answer(server, {}, "contactGroups")
    gone, _ = made.changes(BOOK, page.cursor)
    assert gone.changes[0].gone and gone.changes[0].href == HEX


@pytest.mark.parametrize("status", ["FAILED_PRECONDITION", "INVALID_ARGUMENT"])
@pytest.mark.parametrize("code", [400, 410])
def test_an_expired_token(server: Google, made: GoogleConnector, status: str, code: int) -> None:
    message = "Sync token is expired. Clear local cache and retry call without the sync token."
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "people.googleapis.com"}
    for detail in ({**info, "reason": "EXPIRED_SYNC_TOKEN"}, {}):
        answer(server, refusal(code, status, message, **detail), "connections", code)
        with pytest.raises(SyncTokenExpired):
            list(made.changes(BOOK, 'google1:["t",{},{}]'))


@pytest.mark.parametrize(
    ("code", "status", "message", "detail", "kind"),
    [
        (
            429,
            "RESOURCE_EXHAUSTED",
            "Quota exceeded for quota metric 'Critical read requests (Contact and Profile Reads)' and limit "
            "'Critical read requests (Contact and Profile Reads) per minute per user' of service "
            "'people.googleapis.com' for consumer 'project_number:1'.",
            {"reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com"},
            TransientError,
        ),
        (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", {}, TransientError),
        (503, "UNAVAILABLE", "The service is currently unavailable.", {}, TransientError),
        (
            403,
            "PERMISSION_DENIED",
            "People API has not been used",
            {"reason": "SERVICE_DISABLED"},
            RemoteError,
        ),
        (403, "PERMISSION_DENIED", "scopes", {"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}, AuthError),
        (404, "NOT_FOUND", "Requested entity was not found.", {}, NotFound),
    ],
)
def test_refusals(
    server: Google,
    made: GoogleConnector,
    code: int,
    status: str,
    message: str,
    detail: dict[str, Any],
    kind: type[RemoteError],
) -> None:
    answer(server, refusal(code, status, message, **detail), "contactGroups", code, times=5)
    with pytest.raises(kind) as caught:
        made.check()
    assert "project_number" not in str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        "Request person.etag is different than the current person.etag. Clear local cache and get the latest "
        "person.",
        "Request person.metadata.sources.etag is different than the current person.metadata.sources.etag.",
    ],
)
def test_a_condition_that_fails_is_no_bad_contact(
    server: Google, made: GoogleConnector, message: str
) -> None:
    read = {"responses": [{"httpStatusCode": 200, "person": PERSON, "requestedResourceName": NAME}]}
    answer(server, read, "batchGet")
    answer(server, refusal(400, "FAILED_PRECONDITION", message), "updateContact", 400)
    changed = dumps({**PERSON, "biographies": [{"value": "Another"}]})
    (outcome,) = made.write(BOOK, [Update(1, HEX, "#Zm4YfTizA7M=", changed)])
    assert isinstance(outcome, Refused) and type(outcome.error) is PreconditionFailed


def test_the_answer_to_a_create(server: Google, made: GoogleConnector) -> None:
    answer(server, PERSON, "createContact")
    (outcome,) = made.write(BOOK, [Create(1, "op", "u", dumps({"names": [{"givenName": "John"}]}))])
    assert outcome == Stored(1, HEX, "#Zm4YfTizA7M=")


def test_one_bad_name_fails_no_read_of_many(server: Google, made: GoogleConnector) -> None:
    missing = {"status": {"code": 5, "message": "Requested entity was not found."}, "httpStatusCode": 404}
    rows = [
        {"httpStatusCode": 200, "person": PERSON, "requestedResourceName": NAME},
        {**missing, "requestedResourceName": "people/c31"},
    ]
    answer(server, {"responses": rows}, "batchGet")
    there, gone = made.fetch(BOOK, [HEX, "1f"])
    assert not there.gone and gone.gone
