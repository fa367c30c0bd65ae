"""Logging in at Google: the person agrees in a browser, which comes back to this machine (RFC 8252
section 7.3, with PKCE of RFC 7636).

All of it goes through our own session: oauthlib knows no plain http, not even on this machine, but by a
switch in the environment of the whole process.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from contactsync.connectors.http import Answer, Session, require_private, route
from contactsync.connectors.oauth import Login, Page, Ways, ask
from contactsync.connectors.tls import require_files
from contactsync.errors import AuthError, ConfigError, RemoteError
from contactsync.frozen import frozen

SCOPE = "https://www.googleapis.com/auth/contacts"
TESTING = (
    "The app of your client is in testing mode, where a login ends after 7 days. To make it last, publish "
    "the app: Google Cloud console, Google Auth Platform, Audience."
)
_DESKTOP = "In the Google Cloud console, create a client of the type Desktop app and download its file."
_NEEDED = ("client_id", "client_secret", "auth_uri", "token_uri")


@frozen
class Client:
    """The client of a person, out of their client file (https://developers.google.com/identity)."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_uri: str
    token_uri: str


def read_client(path: Path) -> Client:
    """Raises `ConfigError` for a file that is none of a desktop client."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"], hint=_DESKTOP) from None
    except ValueError:
        raise ConfigError([f"{path}: this is not a client file: it is not JSON"], hint=_DESKTOP) from None
    content = content if isinstance(content, dict) else {}
    if "web" in content:
        raise ConfigError([f"{path}: this client is of the type web application"], hint=_DESKTOP)
    if content.get("type") == "service_account":
        raise ConfigError([f"{path}: this is the key of a service account"], hint=_DESKTOP)
    client = content.get("installed")
    if not isinstance(client, dict):
        raise ConfigError([f"{path}: this is not a client file of Google"], hint=_DESKTOP)
    missing = [key for key in _NEEDED if not isinstance(client.get(key), str) or not client[key]]
    if missing:
        raise ConfigError([f"{path}: {', '.join(missing)} is missing"], hint=_DESKTOP)
    return _checked(Client(**{key: client[key] for key in _NEEDED}), str(path))


def known_client(secret: str) -> Client:
    """The client of a login that is kept already, to log in anew. Raises `ConfigError`."""
    try:
        kept = json.loads(secret)
        found = Client(kept["client_id"], kept["client_secret"], kept["auth_uri"], kept["token_uri"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            ["The client of the last login is not known any more"], hint="Give it with --client-file."
        ) from None
    return _checked(found, "the last login")


def _checked(client: Client, place: str) -> Client:
    for key, url in (("auth_uri", client.auth_uri), ("token_uri", client.token_uri)):
        try:
            require_private(url, insecure_http=False)
        except RemoteError as error:
            raise ConfigError([f"{place}: {key}: {error.message}"]) from None
    return client


def authorize(client: Client, ways: Ways, *, account: str = "", proxy: str = "", ca_file: str = "") -> Login:
    """Send the person to Google and wait until they are back. Raises `AuthError`, `ConfigError`."""
    require_files(account, ca_file=ca_file, client_cert="")
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    redirect = ""

    def page_for(port: int) -> Page:
        nonlocal redirect
        redirect = f"http://127.0.0.1:{port}/"
        return Page(_page_of(client, redirect, state, verifier), state)

    answer = ask(ways, "Google", page_for)
    if "code" not in answer:
        raise _declined(answer.get("error", ""))
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": redirect,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "code_verifier": verifier,
    }
    with Session() as session:
        tokens = session.ask(
            "POST",
            client.token_uri,
            data=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            **route(ca_file, proxy),
        )
    return _login(client, _tokens(tokens))


def _page_of(client: Client, redirect: str, state: str, verifier: str) -> str:
    """https://developers.google.com/identity/protocols/oauth2/native-app"""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect,
        "scope": SCOPE,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
    }
    return f"{client.auth_uri}{'&' if '?' in client.auth_uri else '?'}{urlencode(query)}"


def _declined(error: str) -> AuthError:
    if error == "access_denied":
        return AuthError(
            "Google says that access was denied.",
            hint="If it was not you: in testing mode only test users may log in; add your address under "
            "Audience in the Google Cloud console.",
        )
    return AuthError(f"Google did not agree: {error or 'it gave no reason'}.", hint="Start again.")


# ---- tokens ----------------------------------------------------------------------------------------------


def _tokens(answer: Answer) -> Mapping[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if answer.ok and isinstance(found, dict):
        return found
    error = str(found.get("error", "")) if isinstance(found, dict) else ""
    hints = {
        "invalid_client": "Download the client file anew; was the client deleted, or its secret changed?",
        "invalid_grant": "The answer was used already, or came too late. Start again.",
        "redirect_uri_mismatch": _DESKTOP,
    }
    raise AuthError(
        f"Google did not give a login: {error or answer.status}.", hint=hints.get(error, "Start again.")
    )


def _login(client: Client, tokens: Mapping[str, Any]) -> Login:
    granted = str(tokens.get("scope", SCOPE)).split()
    if SCOPE not in granted:
        raise AuthError(
            "The permission to see and change contacts was not given.",
            hint="Start again, and leave the box for contacts ticked.",
        )
    if not tokens.get("refresh_token") or not tokens.get("access_token"):
        raise AuthError(
            "Google gave a login that ends within the hour.",
            hint="Remove contactsync at https://myaccount.google.com/connections and start again.",
        )
    expiry = datetime.now(UTC) + timedelta(seconds=int(tokens.get("expires_in", 0)))
    kept = {key: getattr(client, key) for key in _NEEDED}
    kept |= {
        "refresh_token": tokens["refresh_token"],
        "token": tokens["access_token"],
        "expiry": f"{expiry:%Y-%m-%dT%H:%M:%SZ}",
        "scopes": granted,
    }
    return Login(json.dumps(kept), (TESTING,) if "refresh_token_expires_in" in tokens else ())
