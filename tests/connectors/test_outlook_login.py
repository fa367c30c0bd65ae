"""Logging in at Microsoft: through its own library, against a login server over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from contactsync.connectors.base import AccountSettings
from contactsync.connectors.oauth import Ways
from contactsync.connectors.outlook.clouds import authority_of
from contactsync.connectors.outlook.connector import OutlookConnector
from contactsync.connectors.outlook.login import App, Tokens, by_code, by_page, known_app
from contactsync.connectors.outlook.refusals import login_refused
from contactsync.errors import AuthError, ConfigError, RemoteError, TransientError
from tests.connectors.test_outlook import app, secret
from tests.simulators.entra import CLIENT, WHO
from tests.simulators.graph import Graph, graph


@pytest.fixture
def server() -> Iterator[Graph]:
    with graph() as found:
        yield found


class Kept:
    """The secret store of one account; ``dies`` is a crash right before something is kept."""

    def __init__(self, server: Graph) -> None:
        self.secret = secret(server)
        self.renewals = 0
        self.dies = False
        self._server = server

    def renew(self, value: str) -> None:
        if self.dies:
            raise KeyboardInterrupt
        self.secret, self.renewals = value, self.renewals + 1

    def settings(self) -> AccountSettings:
        root = self._server.root
        return AccountSettings("ol", "outlook", root, password=lambda: self.secret, renew=self.renew)

    def tokens(self) -> Tokens:
        return Tokens(self.settings())

    def expire(self) -> None:
        """The access token is an hour old."""
        kept = json.loads(self.secret)
        for one in kept["cache"]["AccessToken"].values():
            one["expires_on"] = "1"
        self.secret = json.dumps(kept)

    @property
    def refresh_token(self) -> str:
        (one,) = json.loads(self.secret)["cache"]["RefreshToken"].values()
        return str(one["secret"])


# ---- logging in ------------------------------------------------------------------------------------------


def visit(url: str) -> requests.Response:
    return requests.get(url, timeout=10)


def test_a_page_and_back(server: Graph) -> None:
    shown: list[str] = []
    found = by_page(app(server), Ways(shown.append, visit, patience=timedelta(seconds=10)))
    kept = json.loads(found.secret)
    assert (kept["client_id"], kept["authority"]) == (CLIENT, app(server).authority)
    assert shown[0].startswith(server.root.removesuffix("/v1.0")), "the page is where the person can get to"
    assert "Contacts.ReadWrite" in shown[0] and "offline_access" in shown[0]
    assert known_app(found.secret) == app(server)


def test_a_page_by_pasting(server: Graph) -> None:
    """The browser is on another machine: it ends at an address that does not open there."""
    shown: list[str] = []

    def paste() -> str:
        if len(shown) > 1:
            return ""
        shown.append(requests.get(shown[0], timeout=10, allow_redirects=False).headers["Location"])
        return shown[1] + "\n"

    found = by_page(app(server), Ways(shown.append, paste=paste, patience=timedelta(seconds=10)))
    assert "cache" in json.loads(found.secret)


def test_a_code_on_another_device(server: Graph) -> None:
    shown: list[str] = []
    server.entra.pending, server.entra.slow_down = 2, 0
    found = by_code(app(server), shown.append)
    assert "ABCD1234" in shown[0] and "cache" in json.loads(found.secret)
    polls = [a for a in server.entra.requests if a.path.endswith("/token")]
    assert len(polls) == 3


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ({"outcome": "authorization_declined"}, "Access was declined"),
        ({"outcome": "expired_token"}, "Nobody entered the code in time"),
        ({"errors": [("invalid_grant", 53003)]}, "conditional access"),
        ({"errors": [("invalid_grant", 50020)]}, "does not belong to the organisation"),
        ({"errors": [("access_denied", 90094)]}, "administrator"),
        ({"errors": [("invalid_client", 7000218)]}, "may not be used on a device"),
        ({"errors": [("temporarily_unavailable", 0)]}, "at the moment"),
        ({"offline": False}, "ends within the hour"),
    ],
)
def test_what_goes_wrong_is_said(server: Graph, plan: dict[str, Any], told: str) -> None:
    for name, value in plan.items():
        setattr(server.entra, name, value)
    with pytest.raises(RemoteError, match=told) as caught:
        by_code(app(server), lambda message: None, account="ol")
    assert caught.value.hint


def test_an_unknown_app_and_an_unknown_tenant(server: Graph) -> None:
    with pytest.raises(AuthError, match="does not know this app"):
        by_code(App("no-such-app", app(server).authority), lambda message: None)
    with pytest.raises(ConfigError):
        by_code(App(CLIENT, "http://far.example/common"), lambda message: None)
    with pytest.raises(ConfigError, match="client-id"):
        known_app("nothing")


@pytest.mark.parametrize(
    ("text", "url", "graph"),
    [
        ("common", "https://login.microsoftonline.com/common", "https://graph.microsoft.com"),
        ("", "https://login.microsoftonline.com/common", "https://graph.microsoft.com"),
        (
            "contoso.example",
            "https://login.microsoftonline.com/contoso.example",
            "https://graph.microsoft.com",
        ),
        (
            "https://login.microsoftonline.us/organizations",
            "https://login.microsoftonline.us/organizations",
            "https://graph.microsoft.us",
        ),
        (
            "https://login.partner.microsoftonline.cn/common/",
            "https://login.partner.microsoftonline.cn/common",
            "https://microsoftgraph.chinacloudapi.cn",
        ),
    ],
)
def test_each_cloud_has_its_graph(text: str, url: str, graph: str) -> None:
    found = authority_of(text)
    assert (found.url, found.graph, found.instead_of) == (url, graph, "")


@pytest.mark.parametrize("error", ["interaction_required", "consent_required", "invalid_grant", "odd_one"])
def test_every_refusal_names_the_way_out(error: str) -> None:
    found = login_refused({"error": error, "error_description": "secret words"}, "ol")
    assert isinstance(found, AuthError) and "contactsync account login ol" in found.hint
    assert "secret" not in str(found)


# ---- tokens ----------------------------------------------------------------------------------------------


def test_a_token_that_is_good_is_used_without_asking_anybody(server: Graph) -> None:
    kept = Kept(server)
    server.entra.requests.clear()
    tokens = kept.tokens()
    assert tokens.get() in server.access_tokens and tokens.who == WHO
    assert not server.entra.requests and not kept.renewals


def test_a_login_that_rotates_is_kept_before_it_is_used(server: Graph) -> None:
    kept = Kept(server)
    before = kept.refresh_token
    kept.expire()
    token = kept.tokens().get()
    assert token in server.access_tokens and kept.renewals == 1
    assert kept.refresh_token != before and {kept.refresh_token} == server.entra.refresh_tokens
    assert kept.tokens().get() == token


def test_a_token_that_another_process_renewed_is_found(server: Graph) -> None:
    kept = Kept(server)
    tokens = kept.tokens()
    first = tokens.get()
    server.access_tokens.clear()
    other = kept.tokens()
    renewed = other.another(first)
    assert renewed != first and tokens.another(first) == renewed and kept.renewals == 1


def test_a_refused_token_is_replaced_once_and_asked_for_with_the_claims(server: Graph) -> None:
    kept = Kept(server)
    connector = OutlookConnector(kept.settings(), lambda seconds: None)
    connector.check()
    server.challenge('{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}')
    assert connector.check()
    asked = [a for a in server.entra.requests if b"claims" in a.body and b"nbf" in a.body]
    assert len(asked) == 1 and kept.renewals == 1


def test_a_challenge_that_cannot_be_met_is_a_login_that_is_needed(server: Graph) -> None:
    kept = Kept(server)
    connector = OutlookConnector(kept.settings(), lambda seconds: None)
    server.challenge('{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}')
    server.entra.errors = [("interaction_required", 50076)]
    with pytest.raises(AuthError) as caught:
        connector.check()
    assert "contactsync account login ol" in caught.value.hint


def test_a_crash_between_the_reply_and_the_save(server: Graph) -> None:
    """The new login is lost with the process, and the old one is not taken twice: the person is told to log
    in again. The protocol allows no better; nothing of the contacts is touched."""
    kept = Kept(server)
    kept.expire()
    kept.dies = True
    with pytest.raises(KeyboardInterrupt):
        kept.tokens().get()
    kept.dies = False
    with pytest.raises(AuthError, match="does not accept the login") as caught:
        kept.tokens().get()
    assert "contactsync account login ol" in caught.value.hint


def test_a_lost_reply_to_a_renewal_is_no_login_that_ended(server: Graph) -> None:
    """As long as the old one is taken once more, as it is at Microsoft for public clients."""
    kept = Kept(server)
    kept.expire()
    server.entra.forgives = True
    server.entra.lose_replies = 1
    with pytest.raises(TransientError):
        kept.tokens().get()
    assert kept.tokens().get() in server.access_tokens


BROKEN: list[Callable[[str], str]] = [
    lambda kept: "",
    lambda kept: "{}",
    lambda kept: "[]",
    lambda kept: kept[: len(kept) // 2],
    lambda kept: json.dumps({**json.loads(kept), "cache": {"AccessToken": [], "Account": 3}}),
    lambda kept: json.dumps({**json.loads(kept), "cache": {}}),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_kept_and_is_no_login_is_said(server: Graph, broken: Callable[[str], str]) -> None:
    kept = Kept(server)
    kept.secret = broken(kept.secret)
    with pytest.raises(AuthError, match="cannot be used") as caught:
        kept.tokens().get()
    assert "contactsync account login ol" in caught.value.hint
