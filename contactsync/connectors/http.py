"""The one HTTP session of all connectors, and what an HTTP answer means as an error.

Nothing else imports requests or urllib3, but for logins (`davlogin`); caldav does so by itself.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import math
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse
from urllib3 import exceptions as urllib3_errors
from urllib3.util import Retry

from contactsync import errors
from contactsync.connectors import dav
from contactsync.connectors.base import AccountSettings, Exchange, Traffic
from contactsync.connectors.tls import system_trust, tls_error
from contactsync.errors import RemoteError, TransientError
from contactsync.frozen import frozen

#: Seconds to connect, and until the next byte comes. A server may work through a whole book before its first
#: byte: Radicale needs minutes for 100,000 cards of which it has not made a list yet.
TIMEOUT = (10.0, 60.0)
REPORT_TIMEOUT = (10.0, 300.0)
LONGEST = 600.0
LARGEST = 256 * 2**20
_PIECE = 2**16
POOL_SIZE = 20
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LONGEST_WAIT = 10


class Unreachable(TransientError):
    """No connection came about, so the request was certainly not carried out."""


@frozen
class Answer:
    """An HTTP answer that has arrived in full."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def etag(self) -> str | None:
        return self.headers.get("ETag") or None


class _Adapter(HTTPAdapter):
    """Counts below the session, so that the second request of a Digest login is seen as well, and
    trusts whom the operating system trusts, where requests has a list of its own."""

    def __init__(self, *, waits: bool) -> None:
        self.total = Traffic()
        self._lock = threading.Lock()
        policy = retry_policy(waits=waits)
        super().__init__(pool_connections=POOL_SIZE, pool_maxsize=POOL_SIZE, max_retries=policy)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        body = request.body if isinstance(request.body, bytes | str) else b""
        line = len(request.method or "") + len(request.path_url) + len("  HTTP/1.1\r\n\r\n")
        self.count(requests=1, sent=line + _length(request.headers) + len(body))
        response = super().send(request, *args, **kwargs)
        self.count(received=len("HTTP/1.1 200 OK\r\n\r\n") + _length(response.headers))
        return response

    @functools.cached_property
    def _system_trust(self) -> ssl.SSLContext:
        return system_trust()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if verify is True and host["scheme"] == "https":
            pool["ssl_context"] = self._system_trust
        return host, pool

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:
        super().cert_verify(conn, url, verify, cert)
        if verify is True:
            conn.ca_certs = None

    def count(self, *, requests: int = 0, sent: int = 0, received: int = 0) -> None:
        with self._lock:
            so_far = self.total
            self.total = Traffic(
                so_far.requests + requests, so_far.bytes_sent + sent, so_far.bytes_received + received
            )


def _length(headers: Mapping[str, str | bytes]) -> int:
    return sum(len(name) + len(value) + len(": \r\n") for name, value in headers.items())


class _Retry(Retry):
    """A server that wants more than a few seconds, or names them in no known form, is not asked again now;
    nor is one that did not answer in time: it may still be at it."""

    def increment(self, *args: Any, **kwargs: Any) -> Self:
        response = kwargs.get("response")
        if isinstance(error := kwargs.get("error"), urllib3_errors.ReadTimeoutError):
            raise error
        if response is not None and (self.get_retry_after(response) or 0) > _LONGEST_WAIT:
            raise urllib3_errors.MaxRetryError(kwargs["_pool"], "")
        return super().increment(*args, **kwargs)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        if not response.headers.get("Retry-After"):
            return None
        wanted = retry_after(response.headers)
        return math.inf if wanted is None else wanted.total_seconds()


def retry_policy(*, waits: bool = True) -> Retry:
    """Only what changes nothing is sent again by itself, and only for a few seconds; without ``waits`` not
    where a server names a time, as the caller looks after that.

    ``connect`` counts for every method: nothing was sent yet. 423, 429, 500 and 503 are for the
    caller, who knows what the request meant.
    """
    return _Retry(
        total=3,
        connect=2,
        read=2,
        status=2,
        other=0,
        redirect=0,
        allowed_methods=REPEATABLE,
        status_forcelist=(502, 504),
        backoff_factor=0.2,
        backoff_max=2,
        backoff_jitter=0.2,
        raise_on_status=False,
        raise_on_redirect=False,
        respect_retry_after_header=waits,
    )


class Session(requests.Session):
    """requests with our rules: timeouts, no redirects, no ``.netrc``, counted traffic.

    Redirects stay off because requests turns a redirected PROPFIND into a GET, or drops its body;
    `redirect_target` says where one may be followed.
    """

    def __init__(
        self,
        user_agent: str = "contactsync",
        *,
        longest: float = LONGEST,
        largest: int = LARGEST,
        witness: Callable[[Exchange], None] | None = None,
        waits: bool = True,
    ) -> None:
        """``longest`` is how many seconds one answer may take in all, ``largest`` how many bytes it may
        have once unpacked; ``witness`` sees each request with its answer. Without ``waits`` an answer that
        names a time to wait is for the caller."""
        super().__init__()
        self._longest = longest
        self._largest = largest
        self._witness = witness
        self._surroundings: dict[str, dict[str, Any]] = {}
        self.headers["User-Agent"] = user_agent
        self._adapter = _Adapter(waits=waits)
        self.mount("https://", self._adapter)
        self.mount("http://", self._adapter)

    def traffic(self) -> Traffic:
        """Requests, and bytes of headers and bodies, so far."""
        return self._adapter.total

    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """As in requests; without ``auth`` none is sent, where requests would look into ``.netrc``."""
        kwargs["allow_redirects"] = False
        kwargs["timeout"] = kwargs.get("timeout") or (REPORT_TIMEOUT if method == "REPORT" else TIMEOUT)
        kwargs["auth"] = kwargs.get("auth") or _no_auth
        return super().request(method, url, *args, **kwargs)

    def merge_environment_settings(
        self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """As in requests, once for each origin: for each request it would look through all of the
        environment, which is a fifth of the work."""
        asked = repr((urlsplit(url)[:2], proxies, stream, verify, cert))
        if asked not in self._surroundings:
            found = super().merge_environment_settings(url, proxies, stream, verify, cert)
            self._surroundings[asked] = dict(found)
        return dict(self._surroundings[asked])

    def ask(self, method: str, url: str, **kwargs: Any) -> Answer:
        """One request, with the whole answer; network trouble comes as a `RemoteError`, and so does an
        answer without an end."""
        began = time.monotonic()
        ends = began + self._longest
        seen = Exchange(method, url, dict(kwargs.get("headers") or {}), kwargs.get("data") or b"")
        try:
            response = self.request(method, url, stream=True, **kwargs)
            with contextlib.closing(response):
                body = self._body(response, url, ends)
        except (requests.RequestException, urllib3_errors.HTTPError, OSError) as error:
            known = network_error(error, url)
            self._tell(replace(seen, trouble=known.message, seconds=time.monotonic() - began))
            raise known from error
        answered = replace(seen, status=response.status_code, headers=response.headers, body=body)
        spent = time.monotonic() - began
        self._tell(replace(answered, sent_headers=response.request.headers, seconds=spent))
        # compressed, it was fewer bytes than the content has; chunked, urllib3 does not tell
        self._adapter.count(received=response.raw.tell() or len(body))
        return Answer(response.status_code, response.headers, body, url)

    def _tell(self, exchange: Exchange) -> None:
        if self._witness is not None:
            self._witness(exchange)

    def _body(self, response: requests.Response, url: str, ends: float) -> bytes:
        """The timeouts of requests are for single bytes: one a minute would go on for ever. So would
        ``iter_content``, which waits until a piece is full."""
        host = urlsplit(url).netloc.rpartition("@")[2]
        body = bytearray()
        while piece := response.raw.read1(_PIECE, decode_content=True):
            body += piece
            if len(body) > self._largest:
                raise errors.ProtocolError(
                    f"{host} sends more than {self._largest // 2**20} MB in one answer.",
                    hint="Something is wrong there; nothing of it was used.",
                )
            if time.monotonic() > ends:
                raise TransientError(f"{host} is too slow: its answer does not come to an end.")
        return bytes(body)


def api_root(settings: AccountSettings, usual: str) -> str:
    """The root of an API at the URL of the account, else the ``usual`` one. Raises `ConfigError`."""
    root = settings.url.rstrip("/") or usual
    parts = urlsplit(root)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise errors.ConfigError([f"account {settings.name}: url must look like {usual}"])
    try:
        require_private(root, insecure_http=settings.insecure_http)
    except RemoteError as error:
        raise errors.ConfigError([f"account {settings.name}: {error}"]) from error
    return root


def route(ca_file: str, proxy: str) -> dict[str, Any]:
    """What `Session.ask` has to be told of a proxy, and of whom to trust."""
    return {
        "verify": ca_file or True,
        "proxies": {"http": proxy, "https": proxy} if proxy else None,
    }


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def network_error(error: Exception, url: str) -> RemoteError:
    """What a person should know of a failed connection; never the URL's query or a password."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    chain = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError | requests.exceptions.SSLError) for cause in chain):
        return tls_error(chain, host)
    if any(isinstance(cause, urllib3_errors.NameResolutionError) for cause in chain):
        return Unreachable(f"There is no server named {host}.", hint="Check the URL and the network.")
    if isinstance(error, requests.exceptions.ProxyError):
        return Unreachable(f"The proxy does not lead to {host}.", hint="Check the proxy setting.")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return RemoteError(f"{host or 'The URL'} cannot be used as an address.", hint="Check the URL.")
    if any(isinstance(cause, urllib3_errors.ConnectTimeoutError) for cause in chain):
        return Unreachable(
            f"{host} does not accept a connection.", hint="Check host and port; is the server up?"
        )
    if any(isinstance(c, requests.exceptions.Timeout | urllib3_errors.ReadTimeoutError) for c in chain):
        return TransientError(f"{host} did not answer in time.", hint="Try again later.")
    return TransientError(f"The connection to {host} broke off.", hint="Try again later.")


def _causes(error: BaseException) -> list[BaseException]:
    """The error with everything that it wraps: requests hides the reason several layers deep."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo:
        one = todo.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [*one.args, one.__cause__, one.__context__, getattr(one, "reason", None)]
    return found


def is_loopback(host: str | None) -> bool:
    if not host:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def require_private(url: str, *, insecure_http: bool) -> None:
    """Refuse to send a password readable over a network."""
    parts = urlsplit(url)
    if parts.scheme == "https" or insecure_http or is_loopback(parts.hostname):
        return
    raise RemoteError(
        f"{parts.hostname} would be asked over plain http, where everyone on the way can read along.",
        hint="Use https://, or set insecure_http = true for this account.",
    )


def redirect_target(answer: Answer, trusted: Iterable[str] = ()) -> str | None:
    """Where a redirect leads, if our login may go there too; None when it is no redirect.

    The same host, over https also the hosts below the ``trusted`` domains, and never from https to
    http; the target of any other one is named in the error.
    """
    if answer.status not in REDIRECTS or "Location" not in answer.headers:
        return None
    target = urljoin(answer.url, answer.headers["Location"])
    here, there = urlsplit(answer.url), urlsplit(target)
    upgrade = (here.scheme, there.scheme) == ("http", "https")
    if here.hostname == there.hostname and (
        upgrade or (here.scheme, here.port) == (there.scheme, there.port)
    ):
        return target
    both_https = here.scheme == there.scheme == "https"
    if both_https and any((there.hostname or "").endswith("." + domain) for domain in trusted):
        return target
    shown = f"{there.scheme}://{there.netloc.rpartition('@')[2]}{there.path}"
    raise RemoteError(
        f"{here.netloc} redirects to {shown}, and the login is not sent to another server by itself.",
        hint=f"If you trust it, set the account's url to {shown}",
    )


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> timedelta | None:
    """Both forms of Retry-After (RFC 9110 section 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return timedelta(seconds=int(text[:9]))
    moment = dav.http_date(text) if text else None
    if moment is None:
        return None
    return max(moment - (now or datetime.now(UTC)), timedelta(0))


def backoff(
    attempt: int, wanted: timedelta | None, first: float = 0.1, chance: Callable[[], float] = random.random
) -> float:
    """Seconds to wait before trying again: what the server wants, or ``first`` and doubling, with jitter."""
    if wanted is not None:
        return min(wanted.total_seconds(), float(_LONGEST_WAIT))
    return min(first * 2.0**attempt, float(_LONGEST_WAIT)) * (0.5 + chance())


_Kind = type[RemoteError]

_BY_PRECONDITION: dict[str, tuple[_Kind, str]] = {
    "valid-sync-token": (errors.SyncTokenExpired, "The server does not know our place in its list any more."),
    "supported-report": (errors.ProtocolError, "The server does not offer this kind of listing."),
    "no-uid-conflict": (errors.AlreadyExists, "The server has a card with this UID already."),
    "valid-address-data": (errors.PayloadRejected, "The server finds this card invalid."),
    "supported-address-data": (errors.PayloadRejected, "The server does not take this kind of card."),
    "supported-address-data-conversion": (errors.PayloadRejected, "The server cannot convert this card."),
    "valid-calendar-data": (errors.PayloadRejected, "The server finds this event invalid."),
    "valid-calendar-object-resource": (errors.PayloadRejected, "The server finds this event invalid."),
    "supported-calendar-data": (errors.PayloadRejected, "The server does not take this kind of event."),
    "supported-calendar-component": (errors.PayloadRejected, "This calendar does not take events."),
    "min-date-time": (errors.PayloadRejected, "The server takes no event so far in the past."),
    "max-date-time": (errors.PayloadRejected, "The server takes no event so far in the future."),
    "max-instances": (errors.PayloadRejected, "The server takes no event that comes so often."),
    "max-resource-size": (errors.PayloadRejected, "This card is too large for the server."),
    "need-privileges": (errors.PermissionDenied, "This login may not do that."),
    "cannot-modify-protected-property": (errors.PermissionDenied, "This login may not change that."),
    "quota-not-exceeded": (errors.PermissionDenied, "There is no room left on the server."),
    "sufficient-disk-space": (errors.PermissionDenied, "There is no room left on the server."),
    "lock-token-submitted": (TransientError, "The card is locked on the server."),
}

_BY_STATUS: dict[int, tuple[_Kind, str]] = {
    400: (errors.PayloadRejected, "The server refuses this card."),
    401: (errors.AuthError, "The server refuses the login."),
    403: (errors.PermissionDenied, "The server does not allow that."),
    404: (errors.NotFound, "That is not on the server."),
    405: (errors.PermissionDenied, "The server does not offer that here."),
    409: (errors.PreconditionFailed, "The server sees a conflict."),
    410: (errors.NotFound, "That is not on the server any more."),
    412: (errors.PreconditionFailed, "The card changed on the server since it was read."),
    413: (errors.PayloadRejected, "This card is too large for the server."),
    415: (errors.PayloadRejected, "The server does not take this kind of card."),
    422: (errors.PayloadRejected, "The server refuses this card."),
    423: (TransientError, "The card is locked on the server at the moment."),
    429: (TransientError, "The server wants fewer requests."),
    501: (errors.ProtocolError, "The server does not know how to do that."),
    507: (errors.PermissionDenied, "There is no room left on the server."),
}

_HINTS: dict[_Kind, str] = {
    errors.AuthError: "Check user name and password; some servers want an app password.",
}


def classify(status: int, headers: Mapping[str, str], body: bytes, href: str) -> RemoteError:
    """The error that an unwanted answer means. The DAV precondition in its body says more than its
    status: an expired token is 403 with Radicale and 412 with Xandikos (RFC 4918 section 16)."""
    for name, hrefs in _preconditions(status, body).items():
        if name in _BY_PRECONDITION:
            kind, message = _BY_PRECONDITION[name]
            named = hrefs[0] if hrefs else href
            where = named if kind is errors.AlreadyExists else href
            return _make(kind, message, status, where, headers)
    if status in _BY_STATUS:
        kind, message = _BY_STATUS[status]
        return _make(kind, message, status, href, headers)
    if status >= 500:
        return _make(
            TransientError, f"The server has a problem of its own ({status}).", status, href, headers
        )
    if 200 <= status < 300 and is_html(headers, body):
        return web_page(status, href)
    return _make(
        errors.ProtocolError, f"The server gave an unexpected answer ({status}).", status, href, headers
    )


def _preconditions(status: int, body: bytes) -> dict[str, tuple[str, ...]]:
    return dav.read_preconditions(body) if body and status in (403, 405, 409, 412, 413, 415, 423, 507) else {}


def _make(kind: _Kind, message: str, status: int, href: str, headers: Mapping[str, str]) -> RemoteError:
    error = kind(message, hint=_HINTS.get(kind, ""), status=status, href=href)
    if isinstance(error, TransientError):
        error.retry_after = retry_after(CaseInsensitiveDict(headers))
        error.hint = f"Try again {_when(error.retry_after)}."
    return error


def _when(wait: timedelta | None) -> str:
    """Rounded up: a server may count each request that comes too early."""
    seconds = math.ceil(wait.total_seconds()) if wait else 0
    if not seconds:
        return "later"
    unit, size = ("second", 1) if seconds < 120 else ("minute", 60) if seconds < 7200 else ("hour", 3600)
    count = math.ceil(seconds / size)
    return f"in {count} {unit}{'' if count == 1 else 's'}"


def web_page(status: int, href: str) -> errors.ProtocolError:
    """For an HTML answer where WebDAV was spoken."""
    return errors.ProtocolError(
        "That is a web page (a login page?), not a server of address books or calendars.",
        hint="Check the URL; the server's manual names its address for CardDAV and CalDAV.",
        status=status,
        href=href,
    )


def is_html(headers: Mapping[str, str], body: bytes) -> bool:
    kind = CaseInsensitiveDict(headers).get("Content-Type", "")
    start = body[:200].lstrip().lower()
    return "html" in kind or start.startswith((b"<!doctype html", b"<html"))
