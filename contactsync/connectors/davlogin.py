"""One login at one WebDAV server, for its address books or calendars: caldav's client, our session below it.

caldav's `DAVClient` keeps URL, credentials, TLS and proxy settings and builds the authentication.
Its ``request()`` is not what sends: it parses every body as XML before we do (a vCard as well, with
a warning), turns CRLF into LF, and raises its own error for each 403, where Radicale says
``valid-sync-token``. So we send through its session, with its authentication.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from contactsync.connectors import dav
from contactsync.connectors.base import AccountSettings, Traffic
from contactsync.connectors.http import (
    TIMEOUT,
    Answer,
    Session,
    classify,
    is_loopback,
    redirect_target,
    require_private,
)
from contactsync.connectors.presets import advice_at, is_below, trusted_hosts
from contactsync.connectors.tls import require_files
from contactsync.errors import ConfigError, ProtocolError, RemoteError

if TYPE_CHECKING:
    from caldav.davclient import DAVClient

_XML = {"Content-Type": "application/xml; charset=utf-8", "Accept": "application/xml, text/xml"}
_MOST_REDIRECTS = 5


class Transport:
    """Sends requests to the paths of one origin; safe to use from several threads."""

    def __init__(self, settings: AccountSettings) -> None:
        self._settings = settings
        url = settings.url if "://" in settings.url else f"https://{settings.url}"
        parts = _checked(url, settings)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.start = parts.path or "/"
        self.trusted = trusted_hosts(parts.hostname or "")
        self.seen: set[str] = set()
        self._session = Session(witness=settings.witness)
        self._client: DAVClient | None = None
        self._lock = threading.Lock()

    def saw(self, quirk: str) -> None:
        """An answer showed this quirk (a key of `contactsync.connectors.carddav.quirks`)."""
        self.seen.add(quirk)

    def traffic(self) -> Traffic:
        return self._session.traffic()

    def close(self) -> None:
        self._session.close()

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Any answer but 401, which raises `AuthError`; network trouble raises as well."""
        return self._request(method, self.origin + dav.request_path(path), body, headers or {})

    def multistatus(self, method: str, path: str, body: bytes, depth: int = 0) -> dav.Multistatus:
        """PROPFIND or REPORT; raises what `classify` makes of everything that is not a 207."""
        answer = self.request(method, path, body, {**_XML, "Depth": str(depth)})
        return self._read(answer, path)

    def discover(self, path: str, body: bytes) -> tuple[str, dav.Multistatus]:
        """A PROPFIND that follows redirects within the server; with the path it ended at."""
        url = self.origin + dav.request_path(path)
        for _ in range(_MOST_REDIRECTS):
            answer = self._request("PROPFIND", url, body, {**_XML, "Depth": "0"})
            target = redirect_target(answer, self.trusted)
            if target is None:
                parts = urlsplit(url)
                self.origin = f"{parts.scheme}://{parts.netloc}"
                return parts.path or "/", self._read(answer, parts.path)
            url = target
        raise ProtocolError(f"{self.origin} redirects in circles.", hint="Check the URL.")

    def move_to(self, href: str) -> bool:
        """The books are on another host of the same provider (iCloud): go there from now on. False when
        the login may not go to that host."""
        parts = urlsplit(href)
        host = parts.hostname or ""
        if parts.scheme != "https" or not self.origin.startswith("https://"):
            return False
        if not any(is_below(host, domain) for domain in self.trusted):
            return False
        self.origin = f"{parts.scheme}://{parts.netloc}"
        return True

    def _read(self, answer: Answer, path: str) -> dav.Multistatus:
        if answer.status == 207:
            return dav.read_multistatus(answer.body)
        raise classify(answer.status, answer.headers, answer.body, path)

    def _request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        client = self._login()
        tried = client.auth
        answer = self._send(client, method, url, body, headers)
        if answer.status == 401 and self._other_login(client, tried, answer):
            answer = self._send(client, method, url, body, headers)
        if answer.status == 401:
            raise self._refused(answer)
        return answer

    def _refused(self, answer: Answer) -> RemoteError:
        parts, user = urlsplit(answer.url), self._settings.username
        error = classify(401, answer.headers, b"", parts.path)
        error.message = f"{parts.netloc} refuses the login{f' of {user}' if user else ''}."
        error.hint = advice_at(parts.hostname or "") or error.hint
        return error

    def _send(
        self, client: DAVClient, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        return self._session.ask(
            method,
            url,
            data=body,
            headers=headers,
            auth=client.auth,
            verify=client.ssl_verify_cert,
            cert=client.ssl_cert,
            proxies={"http": client.proxy, "https": client.proxy} if client.proxy else None,
        )

    def _login(self) -> DAVClient:
        """The client, made at the first request: the password may have to be asked for."""
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _make_client(self) -> DAVClient:
        from caldav.davclient import DAVClient

        settings = self._settings
        require_files(settings.name, ca_file=settings.ca_file, client_cert=settings.client_cert)
        password = settings.password()
        client = DAVClient(
            url=self.origin,
            username=settings.username or None,
            password=password or None,
            proxy=settings.proxy or None,
            timeout=int(TIMEOUT[1]),
            ssl_verify_cert=settings.ca_file or True,
            ssl_cert=settings.client_cert or None,
            enable_rfc6764=False,
            rate_limit_handle=False,
        )
        client.session.close()
        client.session = self._session
        self._choose_first_login(client)
        return client

    def _choose_first_login(self, client: DAVClient) -> None:
        """Basic without being asked, where nobody can listen: it saves a request in each round."""
        parts = urlsplit(self.origin)
        if client.password and not client.username:
            self._build(client, "bearer")
        elif client.username and (parts.scheme == "https" or is_loopback(parts.hostname)):
            self._build(client, "basic")

    def _build(self, client: DAVClient, kind: str) -> None:
        client.auth_type = None
        client.build_auth_object([kind])
        if kind == "basic" and client.auth is not None:
            # requests would send Latin-1, or fail; RFC 7617 section 2.1 has UTF-8
            client.auth.username = (client.username or "").encode()
            client.auth.password = (client.password or "").encode()

    def _other_login(self, client: DAVClient, tried: object, answer: Answer) -> bool:
        """After a 401: is there another way to log in? sabre/dav 1.8 takes Digest only."""
        offered = client.extract_auth_types(answer.headers.get("WWW-Authenticate", ""))
        with self._lock:
            if client.auth is not tried:
                return True
            if not client.username or type(tried).__name__ == "HTTPDigestAuth":
                return False
            kind = (
                "digest" if "digest" in offered else "basic" if tried is None and "basic" in offered else ""
            )
            if kind:
                self._build(client, kind)
            if kind == "digest":
                self.saw("digest")
            return bool(kind)


def _checked(url: str, settings: AccountSettings) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError([f"account {settings.name}: url must look like https://dav.example.org/"])
    if parts.username or parts.password:
        raise ConfigError([f"account {settings.name}: url must not hold a user name or password"])
    require_private(url, insecure_http=settings.insecure_http)
    return parts
