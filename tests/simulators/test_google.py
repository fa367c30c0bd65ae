"""The simulator through Google's own client library: what the facts say it does."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httplib2
import pytest
import requests
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from tests.simulators.google import SCOPE, Google, google
from tests.simulators.google_account import Json

FIELDS = (
    "names,emailAddresses,phoneNumbers,birthdays,biographies,userDefined,clientData,memberships,metadata,"
    "photos"
)
ADA: Json = {
    "names": [
        {"givenName": "Ada", "middleName": "Byron", "familyName": "Lovelace", "honorificPrefix": "Dr."}
    ],
    "emailAddresses": [{"value": "ada@example.org", "type": "work"}, {"value": "home@example.org"}],
    "birthdays": [{"date": {"year": 0, "month": 2, "day": 29}}],
    "userDefined": [{"key": "shoe", "value": "43"}],
    "clientData": [{"key": "other-program", "value": "1"}],
}


class Http:
    """What the client library wants of httplib2, over requests: one attempt, whatever happens."""

    def __init__(self, token: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._token = token

    def request(
        self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any
    ) -> tuple[httplib2.Response, bytes]:
        with_token = {**(headers or {}), "Authorization": f"Bearer {self._token}"}
        answer = self._session.request(
            method, uri, data=body, headers=with_token, timeout=10, allow_redirects=False
        )
        found = {key.lower(): value for key, value in answer.headers.items()}
        return httplib2.Response({**found, "status": str(answer.status_code)}), answer.content


@pytest.fixture
def server() -> Iterator[Google]:
    with google() as found:
        yield found


def client(server: Google, token: str = "access-1") -> Any:
    options = {"api_endpoint": server.root}
    return build(
        "people",
        "v1",
        http=Http(token),
        static_discovery=True,
        cache_discovery=False,
        client_options=options,
    )


@pytest.fixture
def people(server: Google) -> Any:
    return client(server).people()


@pytest.fixture
def groups(server: Google) -> Any:
    return client(server).contactGroups()


def create(people: Any, **fields: Any) -> Json:
    found: Json = people.createContact(body={**ADA, **fields}, personFields=FIELDS).execute()
    return found


def refusal(call: Any) -> tuple[int, Json]:
    with pytest.raises(HttpError) as raised:
        call.execute()
    return raised.value.status_code, json.loads(raised.value.content)["error"]


def listing(people: Any, token: str = "", size: int = 100, fields: str = FIELDS) -> tuple[list[Json], str]:
    """All pages, and the sync token of the last one."""
    more = {"syncToken": token} if token else {}
    request = people.connections().list(
        resourceName="people/me", personFields=fields, pageSize=size, requestSyncToken=True, **more
    )
    found: list[Json] = []
    while True:
        answer = request.execute()
        found += answer.get("connections", [])
        request = people.connections().list_next(request, answer)
        if request is None:
            return found, answer["nextSyncToken"]
        assert "nextSyncToken" not in answer


# ---- writing and what comes back -----------------------------------------------------------------------


def test_a_created_contact_comes_back_with_what_google_adds(people: Any) -> None:
    ada = create(people)
    assert ada["resourceName"].startswith("people/c") and ada["etag"].startswith("%")
    (source,) = ada["metadata"]["sources"]
    assert int(source["id"], 16) == int(ada["resourceName"][len("people/c") :])
    (name,) = ada["names"]
    assert name["displayName"] == "Dr. Ada Byron Lovelace"
    assert name["displayNameLastFirst"] == "Lovelace, Dr. Ada Byron"
    first, second = ada["emailAddresses"]
    assert first["metadata"]["primary"] and first["formattedType"] == "Work" and "type" not in second
    assert ada["birthdays"][0]["date"] == {"month": 2, "day": 29}
    (membership,) = ada["memberships"]
    assert membership["contactGroupMembership"]["contactGroupResourceName"] == "contactGroups/myContacts"
    assert ada["photos"][0]["default"] is True


def test_an_update_replaces_the_lists_of_the_mask_and_no_other(people: Any) -> None:
    ada = create(people)
    body = {**ada, "emailAddresses": [{"value": "new@example.org"}], "names": []}
    update = people.updateContact(
        resourceName=ada["resourceName"], updatePersonFields="emailAddresses", personFields=FIELDS, body=body
    )
    after = update.execute()
    assert [item["value"] for item in after["emailAddresses"]] == ["new@example.org"]
    assert after["names"] == ada["names"] and after["userDefined"] == ada["userDefined"]
    assert after["etag"] != ada["etag"]
    code, error = refusal(update)
    assert (code, error["status"]) == (400, "FAILED_PRECONDITION") and "etag" in error["message"]


def test_an_etag_depends_on_the_mask_and_is_taken_whichever_it_was(people: Any) -> None:
    ada = create(people)
    read = people.get(resourceName=ada["resourceName"], personFields="names,metadata").execute()
    assert read["etag"] != ada["etag"]
    people.updateContact(
        resourceName=ada["resourceName"],
        updatePersonFields="biographies",
        body={**read, "biographies": [{"value": "x"}]},
    ).execute()


@pytest.mark.parametrize(
    ("mask", "change", "words"),
    [
        ("photos", {}, ""),
        ("nonsense", {}, ""),
        ("names", {"metadata": {}}, "metadata.sources"),
        ("names", {"names": [{"givenName": "a"}, {"givenName": "b"}]}, "more than one person.names"),
        ("names", {"names": [{"nonsense": "a"}]}, "Unknown name"),
        ("memberships", {"memberships": []}, "at least one"),
        ("biographies", {"biographies": [{"value": "x" * 1025}]}, "too long"),
    ],
)
def test_what_is_not_allowed_is_refused(people: Any, mask: str, change: Json, words: str) -> None:
    ada = create(people)
    call = people.updateContact(
        resourceName=ada["resourceName"], updatePersonFields=mask, body={**ada, **change}
    )
    code, error = refusal(call)
    assert code == 400 and words in error["message"]


def test_a_mask_is_needed(server: Google) -> None:
    answer = requests.get(
        f"{server.root}/v1/people/me/connections", headers={"Authorization": "Bearer access-1"}, timeout=10
    )
    assert answer.status_code == 400
    unknown = requests.get(
        f"{server.root}/v1/people/me/connections?personFields=names&updatedMin=1",
        headers={"Authorization": "Bearer access-1"},
        timeout=10,
    )
    assert unknown.status_code == 400


def test_a_deleted_contact_is_gone(people: Any) -> None:
    ada = create(people)
    people.deleteContact(resourceName=ada["resourceName"]).execute()
    assert refusal(people.get(resourceName=ada["resourceName"], personFields="names"))[0] == 404
    assert refusal(people.deleteContact(resourceName=ada["resourceName"]))[0] == 404


def test_batches_do_all_or_nothing(people: Any, server: Google) -> None:
    good = {"contactPerson": {"names": [{"givenName": "Good"}]}}
    bad = {"contactPerson": {"names": [{"givenName": "a"}, {"givenName": "b"}]}}
    assert refusal(people.batchCreateContacts(body={"contacts": [good, bad], "readMask": "names"}))[0] == 400
    assert server.account.alive() == []
    made = people.batchCreateContacts(body={"contacts": [good] * 3, "readMask": "names,metadata"}).execute()
    names = [row["person"]["resourceName"] for row in made["createdPeople"]]
    read = people.getBatchGet(resourceNames=[*names, "people/c1"], personFields="names").execute()[
        "responses"
    ]
    assert [row["httpStatusCode"] for row in read] == [200, 200, 200, 404]
    stale = {
        row["person"]["resourceName"]: {**row["person"], "etag": "%AAAA"} for row in made["createdPeople"]
    }
    assert refusal(people.batchUpdateContacts(body={"contacts": stale, "updateMask": "names"}))[0] == 400
    people.batchDeleteContacts(body={"resourceNames": names}).execute()
    assert server.account.alive() == []


# ---- listing -------------------------------------------------------------------------------------------


def test_pages_end_with_a_token_and_a_quiet_delta_is_only_the_next_one(people: Any, server: Google) -> None:
    for number in range(5):
        create(people, names=[{"givenName": f"P{number}"}])
    found, token = listing(people, size=2)
    assert len(found) == 5 and server.count("connections") == 3
    quiet = people.connections().list(
        resourceName="people/me", personFields=FIELDS, pageSize=2, requestSyncToken=True, syncToken=token
    )
    assert set(quiet.execute()) == {"nextSyncToken"}


def test_a_delta_brings_changes_and_tombstones(people: Any) -> None:
    ada, bob = create(people), create(people, names=[{"givenName": "Bob"}])
    _, token = listing(people)
    people.deleteContact(resourceName=bob["resourceName"]).execute()
    people.updateContact(
        resourceName=ada["resourceName"],
        updatePersonFields="biographies",
        body={**ada, "biographies": [{"value": "x"}]},
    ).execute()
    delta, _ = listing(people, token)
    by_name = {person["resourceName"]: person for person in delta}
    assert by_name[ada["resourceName"]]["biographies"][0]["contentType"] == "TEXT_PLAIN"
    gone = by_name[bob["resourceName"]]
    assert gone["metadata"]["deleted"] and "names" not in gone
    assert gone["metadata"]["sources"][0]["id"] == bob["metadata"]["sources"][0]["id"]


def test_a_token_is_for_its_own_parameters_and_seven_days(people: Any, server: Google) -> None:
    create(people)
    _, token = listing(people)
    other = people.connections().list(
        resourceName="people/me", personFields="names", pageSize=100, requestSyncToken=True, syncToken=token
    )
    assert refusal(other)[1]["status"] == "INVALID_ARGUMENT"
    server.pass_time(8 * 86400)
    late = people.connections().list(
        resourceName="people/me", personFields=FIELDS, pageSize=100, requestSyncToken=True, syncToken=token
    )
    code, error = refusal(late)
    assert code == 400 and error["details"][0]["reason"] == "EXPIRED_SYNC_TOKEN"


def test_a_listing_lags_and_a_direct_read_does_not(people: Any, server: Google) -> None:
    _, token = listing(people)
    server.account.lag = 60
    ada = create(people)
    assert listing(people, token)[0] == [] and listing(people)[0] == []
    assert people.get(resourceName=ada["resourceName"], personFields="names").execute()["names"]
    _, token = listing(people)
    server.pass_time(61)
    assert [one["resourceName"] for one in listing(people, token)[0]] == [ada["resourceName"]]
    people.deleteContact(resourceName=ada["resourceName"]).execute()
    assert len(listing(people)[0]) == 1, "still listed after it was deleted"


def test_a_replica_may_answer_a_direct_read_with_the_state_before(people: Any, server: Google) -> None:
    ada = create(people)
    body = {**ada, "biographies": [{"value": "new"}]}
    people.updateContact(
        resourceName=ada["resourceName"], updatePersonFields="biographies", body=body
    ).execute()
    server.account.stale_gets = 1
    read = people.get(resourceName=ada["resourceName"], personFields="biographies")
    assert "biographies" not in read.execute() and "biographies" in read.execute()


# ---- labels and photos ---------------------------------------------------------------------------------


def test_labels_are_made_renamed_given_and_deleted(people: Any, groups: Any) -> None:
    made = groups.create(body={"contactGroup": {"name": "Chess"}}).execute()
    code, error = refusal(groups.create(body={"contactGroup": {"name": "chess"}}))
    assert (code, error["status"]) == (409, "ALREADY_EXISTS")
    ada = create(people)
    add = {"resourceNamesToAdd": [ada["resourceName"], "people/c1"]}
    answer = groups.members().modify(resourceName=made["resourceName"], body=add).execute()
    assert answer == {"notFoundResourceNames": ["people/c1"]}
    read = people.get(resourceName=ada["resourceName"], personFields="memberships,metadata").execute()
    assert read["metadata"]["sources"][0]["etag"] != ada["metadata"]["sources"][0]["etag"]
    assert len(read["memberships"]) == 2
    body = {"contactGroup": {"name": "Chess club", "etag": made["etag"]}, "updateGroupFields": "name"}
    groups.update(resourceName=made["resourceName"], body=body).execute()
    shown = groups.get(resourceName=made["resourceName"], maxMembers=10).execute()
    assert (shown["name"], shown["memberCount"], shown["memberResourceNames"]) == (
        "Chess club",
        1,
        [ada["resourceName"]],
    )
    only = {"resourceNamesToRemove": [ada["resourceName"]]}
    groups.delete(resourceName=made["resourceName"]).execute()
    kept = groups.members().modify(resourceName="contactGroups/myContacts", body=only).execute()
    assert kept == {"canNotRemoveLastContactGroupResourceNames": [ada["resourceName"]]}


def test_system_groups_are_there_and_cannot_be_changed(groups: Any) -> None:
    listed = groups.list(pageSize=100).execute()
    names = {group["resourceName"]: group for group in listed["contactGroups"]}
    assert len(names) == 8 and "memberCount" not in names["contactGroups/starred"]
    assert all("etag" not in group for group in names.values()) and listed["nextSyncToken"]
    assert refusal(groups.delete(resourceName="contactGroups/starred"))[0] == 400
    coworkers = groups.members().modify(
        resourceName="contactGroups/coworkers", body={"resourceNamesToAdd": ["people/c1"]}
    )
    assert refusal(coworkers)[0] == 400


def test_a_photo_comes_back_as_another_picture_under_another_url(people: Any) -> None:
    ada = create(people)
    sent = b"\xff\xd8 a picture " + b"x" * 100
    body = {"photoBytes": base64.urlsafe_b64encode(sent).decode(), "personFields": "photos,metadata"}
    person = people.updateContactPhoto(resourceName=ada["resourceName"], body=body).execute()["person"]
    (photo,) = person["photos"]
    assert (
        "default" not in photo and photo["url"] != ada["photos"][0]["url"] and photo["url"].endswith("=s100")
    )
    assert requests.get(photo["url"], timeout=10).content != sent
    bad = {"photoBytes": base64.b64encode(b"GIF89a").decode()}
    assert refusal(people.updateContactPhoto(resourceName=ada["resourceName"], body=bad))[0] == 400
    assert people.deleteContactPhoto(resourceName=ada["resourceName"]).execute() == {}


# ---- a person at the web page ---------------------------------------------------------------------------


def test_a_merge_at_the_web_page_is_a_change_and_a_tombstone(people: Any, server: Google) -> None:
    ada, twin = create(people), create(people, emailAddresses=[{"value": "twin@example.org"}])
    _, token = listing(people)
    server.account.merge(ada["resourceName"], twin["resourceName"])
    delta = {person["resourceName"]: person for person in listing(people, token)[0]}
    assert len(delta[ada["resourceName"]]["emailAddresses"]) == 3
    assert len(delta[ada["resourceName"]]["names"]) == 1
    assert delta[twin["resourceName"]]["metadata"]["deleted"]
    server.account.restore(twin["metadata"]["sources"][0]["id"])
    assert people.get(resourceName=twin["resourceName"], personFields="names").execute()["names"]


def test_a_new_resource_name_comes_with_the_former_one(people: Any, server: Google) -> None:
    ada = create(people)
    _, token = listing(people)
    renamed = server.account.link_profile(ada["resourceName"])
    (person,) = listing(people, token)[0]
    assert person["resourceName"] == renamed.resource_name
    assert person["metadata"]["previousResourceNames"] == [ada["resourceName"]]
    (row,) = people.getBatchGet(resourceNames=[ada["resourceName"]], personFields="names").execute()[
        "responses"
    ]
    assert row["person"]["resourceName"] != row["requestedResourceName"]


# ---- faults and login ------------------------------------------------------------------------------------


def test_faults_are_what_was_planned(people: Any, server: Google) -> None:
    server.exhaust(at="createContact")
    code, error = refusal(people.createContact(body=ADA))
    assert code == 429 and error["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
    server.lose_reply("createContact")
    with pytest.raises(requests.ConnectionError):
        create(people)
    assert len(server.account.alive()) == 1, "it was done, and nobody was told"
    server.drop_request("createContact")
    with pytest.raises(requests.ConnectionError):
        create(people)
    assert len(server.account.alive()) == 1
    assert server.count("createContact") == 3 and not any(asked.overlapped for asked in server.requests)


def test_a_token_is_wanted_and_can_be_had(server: Google) -> None:
    assert (
        refusal(client(server, "wrong").people().get(resourceName="people/c1", personFields="names"))[0]
        == 401
    )
    verifier = "v" * 60
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {"client_id": "client-1", "redirect_uri": "http://127.0.0.1:1/", "state": "s", "scope": SCOPE}
    asked |= {"code_challenge": challenge, "code_challenge_method": "S256", "response_type": "code"}
    answer = requests.get(f"{server.root}/o/oauth2/v2/auth", params=asked, allow_redirects=False, timeout=10)
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    form = {
        "grant_type": "authorization_code",
        "code": back["code"][0],
        "redirect_uri": asked["redirect_uri"],
    }
    form |= {"client_id": "client-1", "client_secret": "secret-1"}
    wrong = requests.post(f"{server.root}/token", data={**form, "code_verifier": "x" * 60}, timeout=10)
    assert wrong.json()["error"] == "invalid_grant"
    again = requests.get(f"{server.root}/o/oauth2/v2/auth", params=asked, allow_redirects=False, timeout=10)
    form["code"] = parse_qs(urlsplit(again.headers["Location"]).query)["code"][0]
    found = requests.post(f"{server.root}/token", data={**form, "code_verifier": verifier}, timeout=10).json()
    assert (
        client(server, found["access_token"])
        .people()
        .connections()
        .list(resourceName="people/me", personFields="names")
        .execute()
        == {}
    )
    refresh = {"grant_type": "refresh_token", "refresh_token": found["refresh_token"]}
    refresh |= {"client_id": "client-1", "client_secret": "secret-1"}
    assert "access_token" in requests.post(f"{server.root}/token", data=refresh, timeout=10).json()
    server.refresh_tokens.clear()
    assert requests.post(f"{server.root}/token", data=refresh, timeout=10).status_code == 400


def test_a_list_and_its_place_belong_together_while_time_goes_on(server: Google, people: Any) -> None:
    """What comes of age while a list is written is in the next one."""
    ticks = itertools.count()
    server.account.clock = lambda: float(next(ticks))
    server.account.lag = 30.0
    for n in range(20):
        server.account.create({"names": [{"givenName": f"P{n}"}]})
    seen: set[str] = set()
    token = ""
    for _ in range(30):
        rows, token = listing(people, token)
        seen |= {row["resourceName"] for row in rows}
    assert len(seen) == 20
