"""Logging in at Google: the way to the page and back, and every way in which it fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from contactsync.connectors.base import AccountSettings
from contactsync.connectors.google.connector import GoogleConnector
from contactsync.connectors.google.login import (
    SCOPE,
    Client,
    authorize,
    known_client,
    read_client,
)
from contactsync.connectors.oauth import Login, Ways
from contactsync.errors import AuthError, ConfigError
from tests.simulators.__main__ import client_file
from tests.simulators.google import Google, google


@pytest.fixture
def server() -> Iterator[Google]:
    with google() as found:
        yield found


@pytest.fixture
def client(server: Google, tmp_path: Path) -> Client:
    return read_client(client_file(server, tmp_path))


def browse(url: str) -> requests.Response:
    """What a browser does with the page: it goes where it is sent."""
    return requests.get(url, timeout=10)


def log_in(client: Client, open_: Callable[[str], object] = browse, **more: Any) -> Login:
    return authorize(client, Ways(lambda url: None, open_, **more))


def test_a_browser_is_enough_and_the_login_works(server: Google, client: Client) -> None:
    pages = []
    login = log_in(client, lambda url: pages.append(browse(url)))
    assert "You can close this page." in pages[0].text and "contactsync has what it needs" in pages[0].text
    asked = next(a for a in server.requests if a.path == "/o/oauth2/v2/auth").query
    assert asked["scope"] == [SCOPE] and asked["access_type"] == ["offline"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"][0].startswith("http://127.0.0.1:")
    made = AccountSettings("gmail", "gmail", server.root, password=lambda: login.secret)
    GoogleConnector(made).check()
    assert server.count("/token") == 1, "a fresh login needs no renewal"


def test_a_login_that_will_not_last_is_told(server: Google, client: Client) -> None:
    assert "7 days" in log_in(client).notes[0]
    server.lasts = True
    assert log_in(client).notes == ()


def test_the_address_can_be_pasted(server: Google, client: Client) -> None:
    """From a browser on another machine, which cannot come to this one."""
    shown: list[str] = []
    pasted: list[str] = []

    def paste() -> str:
        if pasted:
            return ""
        answer = requests.get(shown[0], timeout=10, allow_redirects=False)
        pasted.append(f"  {answer.headers['Location']}\n")
        return pasted[0]

    login = authorize(client, Ways(shown.append, None, paste))
    assert json.loads(login.secret)["refresh_token"] in server.refresh_tokens


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?state=wrong&code=stolen", "does not belong to this login"),
        ("?state={state}&error=access_denied", "access was denied.*test users"),
        ("?state={state}&error=admin_policy_enforced", "admin_policy_enforced"),
        ("?state={state}", "gave no reason"),
        ("?state={state}&code=made-up", "invalid_grant"),
    ],
)
def test_a_wrong_answer_is_no_login(client: Client, query: str, words: str) -> None:
    def answer(url: str) -> None:
        asked = parse_qs(urlsplit(url).query)
        requests.get(asked["redirect_uri"][0] + query.format(state=asked["state"][0]), timeout=10)

    with pytest.raises(AuthError, match=f"(?s){words}"):
        log_in(client, answer)


def test_other_requests_are_not_the_answer(client: Client) -> None:
    def visit(url: str) -> None:
        redirect = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        assert requests.get(redirect + "favicon.ico", timeout=10).status_code == 404
        browse(url)

    assert log_in(client, visit).secret


def test_nobody_comes_back(client: Client) -> None:
    with pytest.raises(AuthError, match="Nobody came back"):
        log_in(client, lambda url: None, patience=timedelta(seconds=0.01))


def test_a_box_that_was_unticked_is_told(server: Google, client: Client) -> None:
    server.scopes = "openid"
    with pytest.raises(AuthError, match=r"was not given.*ticked"):
        log_in(client)


def test_a_client_whose_secret_changed_is_told(server: Google, client: Client) -> None:
    server.client = (client.client_id, "another")
    with pytest.raises(AuthError, match=r"invalid_client.*client file anew") as caught:
        log_in(client)
    assert client.client_secret not in str(caught.value)


def test_the_client_is_known_for_the_next_login(client: Client) -> None:
    assert known_client(log_in(client).secret) == client
    for kept in ("", "{}", "[]", "a password"):
        with pytest.raises(ConfigError, match="--client-file"):
            known_client(kept)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "not JSON"),
        ("[]", "not a client file of Google"),
        ('{"web": {}}', "type web application"),
        ('{"type": "service_account"}', "service account"),
        ('{"installed": {"client_id": "x"}}', "client_secret, auth_uri, token_uri is missing"),
    ],
)
def test_a_file_of_another_kind_says_what_to_get(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "client.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=words) as caught:
        read_client(path)
    assert "Desktop app" in caught.value.hint


def test_a_file_that_is_not_there_and_one_that_leads_into_the_open(tmp_path: Path) -> None:
    path = tmp_path / "client.json"
    with pytest.raises(ConfigError, match="No such file"):
        read_client(path)
    installed = {"client_id": "a", "client_secret": "b", "token_uri": "https://x.example/t"}
    path.write_text(json.dumps({"installed": {**installed, "auth_uri": "http://x.example/a"}}))
    with pytest.raises(ConfigError, match=r"auth_uri.*plain http"):
        read_client(path)
