"""One login at one WebDAV server, for its address books or calendars.

The ways to log in are those of requests and caldav; the session is ours. caldav's own `DAVClient` has no part
in it: it loads all there is for calendars, which was half of a round without news, parses every body as XML
before we do (a vCard as well, with a warning), turns CRLF into LF, and raises its own error for each 403,
where Radicale says ``valid-sync-token``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from contactsync.connectors import dav
from contactsync.connectors.base import AccountSettings, Traffic
from contactsync.connectors.http import (
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
        self._auth: AuthBase | None = None
        self._password: str | None = None
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

    def multistatus(
        self, method: str, path: str, body: bytes, depth: int = 0, *, packed: bool = True
    ) -> dav.Multistatus:
        """PROPFIND or REPORT; raises what `classify` makes of everything that is not a 207. The answer may
        come compressed, but for ``packed`` False."""
        plain = {} if packed else {"Accept-Encoding": "identity"}
        answer = self.request(method, path, body, {**_XML, **plain, "Depth": str(depth)})
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
        tried = self._login()
        answer = self._send(method, url, body, headers)
        if answer.status == 401 and self._other_login(tried, answer):
            answer = self._send(method, url, body, headers)
        if answer.status == 401:
            raise self._refused(answer)
        return answer

    def _refused(self, answer: Answer) -> RemoteError:
        parts, user = urlsplit(answer.url), self._settings.username
        error = classify(401, answer.headers, b"", parts.path)
        error.message = f"{parts.netloc} refuses the login{f' of {user}' if user else ''}."
        error.hint = advice_at(parts.hostname or "") or error.hint
        return error

    def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        settings = self._settings
        return self._session.ask(
            method,
            url,
            data=body,
            headers=headers,
            auth=self._auth,
            verify=settings.ca_file or True,
            cert=settings.client_cert or None,
            proxies={"http": settings.proxy, "https": settings.proxy} if settings.proxy else None,
        )

    def _login(self) -> AuthBase | None:
        """The login that is tried, chosen at the first request: the password may have to be asked for.

        Basic without being asked, where nobody can listen: it saves a request in each round.
        """
        settings = self._settings
        with self._lock:
            if self._password is None:
                require_files(settings.name, ca_file=settings.ca_file, client_cert=settings.client_cert)
                self._password = settings.password()
                parts = urlsplit(self.origin)
                if self._password and not settings.username:
                    self._auth = self._made("bearer")
                elif settings.username and (parts.scheme == "https" or is_loopback(parts.hostname)):
                    self._auth = self._made("basic")
            return self._auth

    def _made(self, kind: str) -> AuthBase:
        user, password = self._settings.username, self._password or ""
        if kind == "bearer":
            from caldav.requests import HTTPBearerAuth

            return HTTPBearerAuth(password)
        if kind == "digest":
            return HTTPDigestAuth(user, password)
        # requests would send Latin-1, or fail; RFC 7617 section 2.1 has UTF-8
        return HTTPBasicAuth(user.encode(), password.encode())

    def _other_login(self, tried: AuthBase | None, answer: Answer) -> bool:
        """After a 401: is there another way to log in? sabre/dav 1.8 takes Digest only."""
        from caldav.lib.auth import extract_auth_types

        offered = extract_auth_types(answer.headers.get("WWW-Authenticate", ""))
        with self._lock:
            if self._auth is not tried:
                return True
            if not self._settings.username or isinstance(tried, HTTPDigestAuth):
                return False
            kind = (
                "digest" if "digest" in offered else "basic" if tried is None and "basic" in offered else ""
            )
            if kind:
                self._auth = self._made(kind)
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
