"""One login at the People API: Google's client library with our session below it.

The library builds requests from its discovery document and reads the answers. What sends is ours: httplib2
sends a POST again when a connection ends without an answer, and so makes a contact twice.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from contactsync.connectors.base import AccountSettings, Traffic
from contactsync.connectors.google.refusals import classify, login_refused
from contactsync.connectors.http import (
    Answer,
    Session,
    api_root,
    is_html,
    network_error,
    require_private,
    retry_after,
    route,
    web_page,
)
from contactsync.connectors.pacing import Quota
from contactsync.connectors.tls import require_files
from contactsync.errors import AuthError, ProtocolError, RemoteError, TransientError

if TYPE_CHECKING:
    from google.oauth2.credentials import Credentials

Json = dict[str, Any]

ROOT = "https://people.googleapis.com"
#: Nobody documents the quotas; a project of 2021 had 180 reads a minute for each person (assumed).
PER_MINUTE = 60
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 64.0
_TRIES = 5
_TRIES_OF_READS = 3


class Transport:
    """Sends what the library asks for; for one thread at a time, as changes of one person must not overlap.
    Only `picture` may be called from several."""

    def __init__(self, settings: AccountSettings, pause: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._pause = pause
        self.root = api_root(settings, ROOT)
        self.session = Session(witness=settings.witness)
        self._logins = Session()
        self._quota = Quota(settings.requests_per_minute or PER_MINUTE, pause=pause)
        self._credentials: Credentials | None = None

    @property
    def service(self) -> Any:
        """``build("people", "v1")`` of the library."""
        return _service(self.root)

    def call(self, request: Any) -> Json:
        """The answer to a request of the library. Raises `RemoteError`."""
        answer = request.execute(http=_Http(self), num_retries=0)
        if not isinstance(answer, dict):
            raise ProtocolError("Google gave an answer without content.")
        return answer

    def picture(self, url: str) -> bytes:
        """What is at the address of a photo, which needs no login and gets none. Raises `RemoteError`."""
        answer = self._send(self.session, "GET", url, b"", {})
        if not answer.ok or is_html(answer.headers, answer.body):
            raise classify(answer, url)
        return answer.body

    def traffic(self) -> Traffic:
        return self.session.traffic() + self._logins.traffic()

    def close(self) -> None:
        self.session.close()
        self._logins.close()

    def ask(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """A good answer. Too many requests are waited for, as nothing was done; what only reads is tried
        again after trouble at the server as well. Raises `RemoteError`."""
        renewed = False
        reads = method == "GET" or headers.get("x-http-method-override") == "GET"
        for attempt in range(_TRIES):
            self._quota.wait("read" if reads else "write")
            login = {"Authorization": f"Bearer {self._login().token}"}
            answer = self._send(self.session, method, url, body, {**headers, **login})
            if answer.ok:
                break
            error = classify(answer, urlsplit(url).path)
            if answer.status == 401 and not renewed:
                renewed = True
                self._renew(self._login())
                continue
            pause = _pause_after(answer, error, attempt, reads=reads)
            if pause is None:
                raise error
            self._pause(pause)
        if is_html(answer.headers, answer.body):
            raise web_page(answer.status, urlsplit(url).path)
        return answer

    def _send(
        self, session: Session, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        settings = self._settings
        return session.ask(
            method,
            url,
            data=body,
            headers=headers,
            **route(settings.ca_file, settings.proxy),
        )

    # ---- login -------------------------------------------------------------------------------------------

    def _login(self) -> Credentials:
        if self._credentials is None:
            self._credentials = self._stored_login()
        if not self._credentials.valid:
            self._renew(self._credentials)
        return self._credentials

    def _stored_login(self) -> Credentials:
        require_files(self._settings.name, ca_file=self._settings.ca_file, client_cert="")
        try:
            found = read_login(self._settings.password())
        except (ValueError, TypeError, AttributeError, KeyError):
            raise AuthError(
                "What is kept of the login at Google cannot be used.",
                hint=f"Run: contactsync account login {self._settings.name}",
            ) from None
        require_private(str(found.token_uri), insecure_http=self._settings.insecure_http)
        return found

    def _renew(self, credentials: Any) -> None:
        from google.auth.exceptions import GoogleAuthError, RefreshError

        try:
            credentials.refresh(self._token_request)
        except RefreshError as error:
            raise login_refused(str(error.args[0]) if error.args else "", self._settings.name) from None
        except GoogleAuthError as error:
            raise network_error(error, str(credentials.token_uri)) from None
        kept = json.loads(self._settings.password())
        kept |= {"token": credentials.token, "refresh_token": credentials.refresh_token}
        kept["expiry"] = f"{credentials.expiry:%Y-%m-%dT%H:%M:%SZ}"
        self._settings.renew(json.dumps(kept))

    def _token_request(
        self, url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any
    ) -> _TokenAnswer:
        """`google.auth.transport.Request` by our session, and past the transcript."""
        data = body.encode() if isinstance(body, str) else body or b""
        return _TokenAnswer(self._send(self._logins, method, url, data, headers or {}))


def _pause_after(answer: Answer, error: RemoteError, attempt: int, *, reads: bool) -> float | None:
    """Seconds until the next try; None where there should be none."""
    tries = _TRIES if answer.status == 429 else _TRIES_OF_READS if reads else 0
    if not isinstance(error, TransientError) or attempt + 1 >= tries:
        return None
    wanted = retry_after(answer.headers)
    pause = wanted.total_seconds() if wanted else FIRST_PAUSE * 2.0**attempt
    return pause if pause <= LONGEST_PAUSE else None


@functools.cache
def _service(root: str) -> Any:
    """It knows how to ask, and nothing of who asks: what sends is given with each request."""
    from googleapiclient.discovery import build

    return build(
        "people",
        "v1",
        http=_NoHttp(),
        static_discovery=True,
        cache_discovery=False,
        client_options={"api_endpoint": root},
    )


class _NoHttp:
    """The library wants one when it is made."""

    def close(self) -> None:
        """There is nothing to close."""


class _TokenAnswer:
    """`google.auth.transport.Response`."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.data = answer.body


class _Http:
    """What the library takes for httplib2."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(
        self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any
    ) -> tuple[Any, bytes]:
        import httplib2

        data = body.encode() if isinstance(body, str) else body or b""
        answer = self._transport.ask(method, uri, data, headers or {})
        return httplib2.Response({"status": str(answer.status), **answer.headers}), answer.body

    def close(self) -> None:
        """The session is closed by whoever made it."""


def read_login(secret: str) -> Credentials:
    """The credentials that are kept. The library's own reader goes to Google for a token, whatever the
    client file says. Raises `ValueError`, `TypeError` or `KeyError`."""
    from google.oauth2.credentials import Credentials

    info = json.loads(secret)
    text = str(info.get("expiry") or "1970-01-01T00:00:00Z").rstrip("Z").partition(".")[0]
    return Credentials(
        info.get("token"),
        refresh_token=info["refresh_token"],
        token_uri=info["token_uri"],
        client_id=info["client_id"],
        client_secret=info["client_secret"],
        scopes=info.get("scopes"),
        expiry=datetime.fromisoformat(text),
    )
