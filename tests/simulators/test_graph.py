"""The simulator of Microsoft Graph over HTTP: what the facts say it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.simulators.graph import Graph, graph
from tests.simulators.mailbox import EXTENDED, Json

UID = "String {5c2b3f6e-0000-4000-8000-000000000001} Name contactsync-uid"
ADA: Json = {
    "givenName": "Ada",
    "surname": "Lovelace",
    "emailAddresses": [{"address": "a@x.example", "name": "Ada"}],
    "birthday": "1815-12-10T00:00:00Z",
    EXTENDED: [{"id": UID, "value": "uid-1"}],
}
JPEG = {"Content-Type": "image/jpeg"}
FIELDS = "givenName,surname,displayName,emailAddresses,personalNotes,changeKey,parentFolderId"


@pytest.fixture
def server() -> Iterator[Graph]:
    with graph() as found:
        yield found


class Client:
    """One session, with the immutable ids unless told otherwise."""

    def __init__(self, server: Graph) -> None:
        self._server = server
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = "Bearer access-1"
        self._session.headers["Prefer"] = 'IdType="ImmutableId"'

    def __call__(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        url = path if "://" in path else f"{self._server.root}/me{path}"
        answer = self._session.request(method, url, timeout=10, **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content and "json" in answer.headers["Content-Type"] else answer

    def code(self, method: str, path: str, status: int, **more: Any) -> str:
        return str(self(method, path, status, **more)["error"]["code"])

    def delta(self, link: str = "", size: int = 100, folder: str = "contacts") -> tuple[list[Json], str]:
        rows: list[Json] = []
        prefer = {"Prefer": f'IdType="ImmutableId", odata.maxpagesize={size}'}
        link = link or f"/contactFolders/{folder}/contacts/delta?$select={FIELDS}"
        while True:
            answer = self("GET", link, headers=prefer)
            rows += answer["value"]
            if "@odata.deltaLink" in answer:
                return rows, answer["@odata.deltaLink"]
            link = answer["@odata.nextLink"]


@pytest.fixture
def ask(server: Graph) -> Client:
    return Client(server)


def test_a_contact_is_made_with_what_the_server_adds(ask: Client) -> None:
    made = ask("POST", "/contacts", 201, json=ADA)
    assert made["birthday"] == "1815-12-10T11:59:00Z" and made["displayName"] == "Ada Lovelace"
    assert made["@odata.etag"] == f'W/"{made["changeKey"]}"' and made["generation"] is None
    assert made["otherAddress"] == {} and made["children"] == [] and EXTENDED not in made
    assert made["primaryEmailAddress"]["address"] == "a@x.example"
    expand = f"$expand={EXTENDED}($filter=id eq '{UID}')"
    read = ask("GET", f"/contacts/{made['id']}?{expand}")
    assert read[EXTENDED] == [{"id": UID, "value": "uid-1"}]
    found = ask("GET", f"/contacts?$filter={EXTENDED}/Any(ep: ep/id eq '{UID}' and ep/value eq 'uid-1')")
    assert [one["id"] for one in found["value"]] == [made["id"]]


def test_a_patch_changes_what_it_names_and_the_display_name_with_the_name(ask: Client) -> None:
    made = ask("POST", "/contacts", 201, json=ADA)
    after = ask("PATCH", f"/contacts/{made['id']}", json={"surname": "King"})
    assert after["displayName"] == "Ada King" and after["emailAddresses"] == made["emailAddresses"]
    kept = ask("PATCH", f"/contacts/{made['id']}", json={"surname": "Byron", "displayName": "Countess"})
    assert kept["displayName"] == "Countess"
    cleared = ask("PATCH", f"/contacts/{made['id']}", json={"surname": None, "emailAddresses": []})
    assert cleared["surname"] is None and cleared["emailAddresses"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"emailAddresses": [{"address": f"{n}@x.example"} for n in range(4)]}, "ErrorInvalidProperty"),
        ({"businessPhones": ["1", "2", "3"]}, "ErrorInvalidProperty"),
        ({"nonsense": 1}, "RequestBodyRead"),
        ({"surname": ["x"]}, "RequestBodyRead"),
    ],
)
def test_what_is_not_allowed_is_refused(ask: Client, change: Json, code: str) -> None:
    made = ask("POST", "/contacts", 201, json=ADA)
    assert ask.code("PATCH", f"/contacts/{made['id']}", 400, json=change) == code
    assert ask("GET", f"/contacts/{made['id']}")["changeKey"] == made["changeKey"]


def test_a_condition_is_honoured_where_it_is(ask: Client, server: Graph) -> None:
    made = ask("POST", "/contacts", 201, json=ADA)
    path, old = f"/contacts/{made['id']}", {"If-Match": made["@odata.etag"]}
    ask("PATCH", path, json={"surname": "King"}, headers=old)
    assert ask.code("PATCH", path, 412, json={"surname": "X"}, headers=old) == "ErrorIrresolvableConflict"
    assert ask.code("DELETE", path, 412, headers=old) == "ErrorIrresolvableConflict"
    server.mailbox.honours_etags = False
    ask("DELETE", path, 204, headers=old)
    assert ask.code("DELETE", path, 404) == "ErrorItemNotFound"


def test_observed_defects(ask: Client) -> None:
    odd = {"emailAddresses": [{"address": "a@x.example,"}], "personalNotes": "\n" + "line\n" * 100}
    made = ask("POST", "/contacts", 201, json={"givenName": "Odd", **odd})
    assert "address" not in made["emailAddresses"][0] and made["personalNotes"] == odd["personalNotes"]
    (listed,) = ask("GET", "/contacts")["value"]
    assert len(listed["personalNotes"]) == 256 and "\n" not in listed["personalNotes"]


def test_pages_of_a_list_have_ten(ask: Client) -> None:
    for n in range(12):
        ask("POST", "/contacts", 201, json={"givenName": f"P{n}"})
    first = ask("GET", "/contacts")
    assert len(first["value"]) == 10
    rest = ask("GET", first["@odata.nextLink"])
    assert len(rest["value"]) == 2 and "@odata.nextLink" not in rest
    assert ask.code("GET", "/contacts?$top=2000", 400) == "BadRequest"


def test_a_round_of_changes_and_the_next_one(ask: Client, server: Graph) -> None:
    people = [ask("POST", "/contacts", 201, json={"givenName": f"P{n}"}) for n in range(5)]
    rows, link = ask.delta(size=2)
    assert {row["id"] for row in rows} == {one["id"] for one in people}
    assert set(rows[0]) == {"@odata.type", "@odata.etag", "id", *FIELDS.split(",")}
    assert ask.delta(link)[0] == []
    ask("DELETE", f"/contacts/{people[0]['id']}", 204)
    ask("PATCH", f"/contacts/{people[1]['id']}", json={"surname": "New"})
    server.repeats = True
    changed, link = ask.delta(link)
    assert [row["id"] for row in changed] == [people[0]["id"]] * 2 + [people[1]["id"]] * 2
    assert changed[0]["@removed"] == {"reason": "deleted"} and changed[2]["surname"] == "New"
    # what a list of changes does not show
    ask("PATCH", f"/contacts/{people[2]['id']}", json={EXTENDED: [{"id": UID, "value": "x"}]})
    ask(
        "PUT",
        f"/contacts/{people[2]['id']}/photo/$value",
        data=b"\xff\xd8",
        headers={"Content-Type": "image/jpeg"},
    )
    assert ask.delta(link)[0] == []
    assert ask.code("GET", f"/contactFolders/contacts/contacts/delta?$expand={EXTENDED}", 500)


def test_a_move_is_a_removal_here_and_a_newcomer_there(ask: Client, server: Graph) -> None:
    made = ask("POST", "/contacts", 201, json=ADA)
    folder = ask("POST", "/contactFolders", 201, json={"displayName": "Friends"})
    _, here = ask.delta()
    _, there = ask.delta(folder=folder["id"])
    moving = ask("GET", f"/contacts/{made['id']}", headers={"Prefer": ""})["id"]
    server.mailbox.move(server.mailbox.item(made["id"]), folder["id"])
    (gone,), _ = ask.delta(here)
    assert gone["@removed"] == {"reason": "changed"} and gone["id"] == made["id"]
    (come,), _ = ask.delta(there)
    assert come["id"] == made["id"] and come["parentFolderId"] == folder["id"]
    assert ask.code("GET", f"/contacts/{moving}", 404) == "ErrorItemNotFound"
    assert [one["displayName"] for one in ask("GET", "/contactFolders")["value"]] == ["Friends"]


@pytest.mark.parametrize("status", [410, 404, 400])
def test_a_token_dies_in_several_ways(ask: Client, server: Graph, status: int) -> None:
    _, link = ask.delta()
    server.dead_token = (status, "SyncStateNotFound", "The sync state generation is not found.")
    assert ask.code("GET", link, status) == "SyncStateNotFound"
    server.dead_token = None
    assert ask.code("GET", link[:-3], 400) == "BadRequest"


def test_a_list_of_changes_lags(ask: Client, server: Graph) -> None:
    _, link = ask.delta()
    server.mailbox.lag = 60
    made = ask("POST", "/contacts", 201, json=ADA)
    rows, link = ask.delta(link)
    assert rows == [] and ask("GET", f"/contacts/{made['id']}")
    server.pass_time(61)
    assert [row["id"] for row in ask.delta(link)[0]] == [made["id"]]


def test_photos(ask: Client) -> None:
    made = ask("POST", "/contacts", 201, json=ADA)
    path = f"/contacts/{made['id']}/photo/$value"
    assert ask.code("GET", path, 404) == "ErrorItemNotFound"
    ask("PUT", path, data=b"\xff\xd8 picture", headers=JPEG)
    assert ask("GET", path).content == b"\xff\xd8 picture"
    assert ask("GET", f"/contacts/{made['id']}")["changeKey"] != made["changeKey"]
    ask("DELETE", path, 204)
    assert ask.code("GET", path, 404) == "ErrorItemNotFound"


def test_a_batch_answers_each_in_any_order(ask: Client, server: Graph) -> None:
    wanted = [
        {"id": str(n), "method": "POST", "url": "/me/contacts", "body": {"givenName": f"P{n}"}}
        for n in range(3)
    ]
    wanted.append({"id": "3", "method": "PATCH", "url": "/me/contacts/none", "body": {"surname": "x"}})
    root = server.root
    rows = {row["id"]: row for row in ask("POST", f"{root}/$batch", json={"requests": wanted})["responses"]}
    assert [rows[str(n)]["status"] for n in range(4)] == [201, 201, 201, 404]
    assert rows["1"]["body"]["givenName"] == "P1"
    many = {"requests": [wanted[0]] * 21}
    assert ask.code("POST", f"{root}/$batch", 400, json=many) == "BadRequest"


def test_faults_are_what_was_planned(ask: Client, server: Graph) -> None:
    server.fail(429, "ApplicationThrottled", wait="7")
    answer = requests.get(
        f"{server.root}/me/contacts", headers={"Authorization": "Bearer access-1"}, timeout=10
    )
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    server.lose_reply("POST")
    with pytest.raises(requests.ConnectionError):
        ask("POST", "/contacts", 201, json=ADA)
    assert len(server.mailbox.items) == 1, "it was done, and nobody was told"
    server.drop_request("POST")
    with pytest.raises(requests.ConnectionError):
        ask("POST", "/contacts", 201, json=ADA)
    assert len(server.mailbox.items) == 1 and server.count("POST") == 2
    assert ask.code("GET", "/contacts", 401, headers={"Authorization": "Bearer no"})
    assert max(asked.at_once for asked in server.requests) == 1
