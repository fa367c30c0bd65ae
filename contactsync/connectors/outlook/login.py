"""Logging in at Microsoft by its library, which keeps all tokens in a cache that is one text (facts: MSAL).

The library refuses servers of plain http, also on this machine; what sends for it is ours, and puts such a
server in the place of the one that the library names.
"""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from contactsync.connectors.base import AccountSettings, Traffic
from contactsync.connectors.http import Session, route
from contactsync.connectors.oauth import Login, Page, Ways, ask
from contactsync.connectors.outlook.clouds import Authority, authority_of
from contactsync.connectors.outlook.refusals import login_refused
from contactsync.connectors.tls import require_files
from contactsync.errors import AuthError, ConfigError, TransientError
from contactsync.frozen import frozen

if TYPE_CHECKING:
    from msal import PublicClientApplication, SerializableTokenCache

#: That we understand when Graph wants another token at once (continuous access evaluation).
_CAPABILITIES = ["CP1"]
GUIDE = "docs/connectors/outlook.md"
#: Seconds that an access token has to be good for, so that no request meets its end.
_SPARE = 300.0


def require_library(account: str) -> None:
    """Raises `ConfigError` where the library of Microsoft is not installed."""
    if find_spec("msal") is None:
        raise ConfigError(
            [f"account {account}: what logs in at Microsoft is not installed"],
            hint='Run: pip install "contactsync[outlook]"',
        )


@frozen
class App:
    """The app that the person registered, and where they log in."""

    client_id: str
    authority: str


def known_app(secret: str) -> App:
    """The app of a login that is kept already, to log in anew. Raises `ConfigError`."""
    try:
        kept = json.loads(secret)
        return App(str(kept["client_id"]), str(kept["authority"]))
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            ["It is not known which app logs in."], hint=f"Give it with --client-id; how to get one: {GUIDE}"
        ) from None


class _Answer:
    """What the library takes for an answer of requests."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status_code = status
        self.headers = headers
        self.text = body.decode(errors="replace")

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            words = f"Microsoft cannot log anybody in at the moment ({self.status_code})."
            raise TransientError(words, hint="Try again later.", status=self.status_code)


class _Http:
    """What the library takes for requests; past the transcript, as all of it is secret."""

    def __init__(self, session: Session, authority: Authority, *, proxy: str, ca_file: str) -> None:
        self._session = session
        self._authority = authority
        self._route = route(ca_file, proxy)

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> _Answer:
        return self._send("GET", f"{url}?{urlencode(params)}" if params else url, b"", headers)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> _Answer:
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        body = data if isinstance(data, str) else urlencode(data or {})
        return self._send("POST", f"{url}?{urlencode(params)}" if params else url, body.encode(), form)

    def _send(self, method: str, url: str, body: bytes, headers: Any) -> _Answer:
        instead_of = self._authority.instead_of
        if instead_of and url.startswith(instead_of):
            url = self._authority.at + url.removeprefix(instead_of)
        answer = self._session.ask(method, url, data=body, headers=headers or {}, **self._route)
        return _Answer(answer.status, answer.headers, answer.body)

    def close(self) -> None:
        """The session is closed by whoever made it."""


def _application(
    app: App, cache: SerializableTokenCache, session: Session, *, proxy: str, ca_file: str
) -> PublicClientApplication:
    """The library asks another server which hosts belong together, unless it is told that it knows."""
    from msal import PublicClientApplication

    authority = authority_of(app.authority)
    http = _Http(session, authority, proxy=proxy, ca_file=ca_file)
    try:
        return PublicClientApplication(
            app.client_id,
            authority=authority.url,
            token_cache=cache,
            http_client=http,
            client_capabilities=_CAPABILITIES,
            instance_discovery=False,
        )
    except ValueError:
        raise ConfigError(
            [f"{app.authority}: nobody can log in there"], hint="Check --authority: is the tenant right?"
        ) from None


# ---- logging in ------------------------------------------------------------------------------------------


def by_page(app: App, ways: Ways, *, account: str = "", proxy: str = "", ca_file: str = "") -> Login:
    """The person agrees in a browser that comes back to this machine. Raises `AuthError`, `ConfigError`."""

    def flow(application: PublicClientApplication, scopes: list[str]) -> Mapping[str, Any]:
        started: dict[str, Any] = {}

        def page_for(port: int) -> Page:
            redirect = f"http://localhost:{port}"
            with warnings.catch_warnings():
                # it would rather have the answer in a form, which cannot be pasted from another machine
                warnings.simplefilter("ignore", UserWarning)
                started.update(application.initiate_auth_code_flow(scopes, redirect_uri=redirect))
            return Page(_here(app, str(started["auth_uri"])), str(started["state"]))

        answer = dict(ask(ways, "Microsoft", page_for))
        return cast("Mapping[str, Any]", application.acquire_token_by_auth_code_flow(started, answer))

    return _logged_in(app, flow, account=account, proxy=proxy, ca_file=ca_file)


def by_code(
    app: App, show: Callable[[str], object], *, account: str = "", proxy: str = "", ca_file: str = ""
) -> Login:
    """The person enters a code on a page, on whatever device (RFC 8628). ``show`` tells them where and
    which. Raises `AuthError`, `ConfigError`."""

    def flow(application: PublicClientApplication, scopes: list[str]) -> Mapping[str, Any]:
        started = application.initiate_device_flow(scopes)
        if "user_code" not in started:
            return cast("Mapping[str, Any]", started)
        show(str(started["message"]))
        return cast("Mapping[str, Any]", application.acquire_token_by_device_flow(started))

    return _logged_in(app, flow, account=account, proxy=proxy, ca_file=ca_file)


def _here(app: App, url: str) -> str:
    authority = authority_of(app.authority)
    return authority.at + url.removeprefix(authority.instead_of) if authority.instead_of else url


def _logged_in(
    app: App,
    flow: Callable[[PublicClientApplication, list[str]], Mapping[str, Any]],
    *,
    account: str,
    proxy: str,
    ca_file: str,
) -> Login:
    require_library(account)
    from msal import SerializableTokenCache

    require_files(account, ca_file=ca_file, client_cert="")
    authority, cache = authority_of(app.authority), SerializableTokenCache()
    with Session() as session:
        application = _application(app, cache, session, proxy=proxy, ca_file=ca_file)
        result = flow(application, [authority.scope])
    if "access_token" not in result:
        raise login_refused(result, account or "NAME")
    if not any(True for _ in cache.search(cache.CredentialType.REFRESH_TOKEN)):
        raise AuthError(
            "Microsoft gave a login that ends within the hour.",
            hint="Add the permission offline_access to the registration of the app.",
        )
    return Login(_text(app, cache))


def _text(app: App, cache: SerializableTokenCache) -> str:
    return json.dumps(
        {"client_id": app.client_id, "authority": app.authority, "cache": json.loads(cache.serialize())}
    )


# ---- tokens ----------------------------------------------------------------------------------------------


class Tokens:
    """The access tokens of one account; what a renewal changes is kept before the token is used."""

    def __init__(self, settings: AccountSettings) -> None:
        self._settings = settings
        self._session = Session()
        self._lock = threading.Lock()
        self._token = ""
        self._who = ""

    @property
    def who(self) -> str:
        """The name that the person logs in with; known after the first token."""
        return self._who

    def get(self) -> str:
        """Raises `AuthError` where the person has to log in again."""
        with self._lock:
            if not self._token:
                self._token, self._who = self._still_good()
            return self._token or self._fresh("", "")

    def another(self, refused: str, claims: str = "") -> str:
        """One in place of a token that Graph refused; with the ``claims`` that it wants to see."""
        with self._lock:
            return self._token if self._token not in ("", refused) else self._fresh(refused, claims)

    def _fresh(self, refused: str, claims: str) -> str:
        """The cache is read anew: another process may have renewed the login meanwhile."""
        app, cache = self._kept()
        settings = self._settings
        application = _application(app, cache, self._session, proxy=settings.proxy, ca_file=settings.ca_file)
        account = next(iter(application.get_accounts()), None)
        if account is None:
            raise self._unusable()
        scopes = [authority_of(app.authority).scope]
        result = application.acquire_token_silent_with_error(scopes, account, claims_challenge=claims or None)
        if result is not None and result.get("access_token") == refused:
            result = application.acquire_token_silent_with_error(scopes, account, force_refresh=True)
        if cache.has_state_changed:
            settings.renew(_text(app, cache))
        if result is None or "access_token" not in result:
            raise login_refused(result or {"error": "interaction_required"}, settings.name)
        self._who = str(account.get("username", ""))
        self._token = str(result["access_token"])
        return self._token

    def _still_good(self) -> tuple[str, str]:
        """The access token that is kept, and whose it is, while it is good: the library asks the server for
        its addresses first, and takes longer to load than a round without news takes. The form is the one
        that all of Microsoft's libraries share."""
        try:
            kept = json.loads(self._settings.password())
            scope = authority_of(str(kept["authority"])).scope.lower()
            accounts = list(kept["cache"].get("Account", {}).values())
            for one in kept["cache"].get("AccessToken", {}).values():
                good = float(one["expires_on"]) > time.time() + _SPARE
                if good and scope in str(one["target"]).lower().split():
                    return str(one["secret"]), str(accounts[0]["username"]) if accounts else ""
        except (ValueError, TypeError, KeyError, AttributeError, ConfigError):
            raise self._unusable() from None
        return "", ""

    def _kept(self) -> tuple[App, SerializableTokenCache]:
        from msal import SerializableTokenCache

        settings = self._settings
        require_files(settings.name, ca_file=settings.ca_file, client_cert="")
        cache = SerializableTokenCache()
        try:
            kept = json.loads(settings.password())
            cache.deserialize(json.dumps(kept["cache"]))
            return known_app(json.dumps(kept)), cache
        except (ValueError, TypeError, KeyError, ConfigError):
            raise self._unusable() from None

    def _unusable(self) -> AuthError:
        return AuthError(
            "What is kept of the login at Microsoft cannot be used.",
            hint=f"Run: contactsync account login {self._settings.name}",
        )

    def traffic(self) -> Traffic:
        return self._session.traffic()

    def close(self) -> None:
        self._session.close()
