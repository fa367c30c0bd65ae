"""A small HTTP proxy in front of a server: it counts requests and breaks the ones it was told to."""

from __future__ import annotations

import http.client
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Please log in</title></head><body>Login</body></html>"
_PER_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding"}
)
_METHODS = (
    "GET",
    "HEAD",
    "OPTIONS",
    "PUT",
    "POST",
    "DELETE",
    "PROPFIND",
    "REPORT",
    "MKCOL",
    "MOVE",
    "PROPPATCH",
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it goes to the client; with ``cut`` the connection ends after so many bytes."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Rule:
    """What to do with matching requests: ``skip`` so many first, then treat ``times`` of them.

    ``before`` answers in the server's place; ``after`` changes the server's answer, and None is no
    answer at all, though the server has done its work.
    """

    matches: Callable[[Seen], bool]
    before: Callable[[Seen], Reply | None] | None = None
    after: Callable[[Seen, Reply], Reply | None] | None = None
    skip: int = 0
    times: int = 1_000_000


@dataclass
class Proxy:
    """``url`` takes the place of the server's base URL."""

    url: str
    upstream: str
    seen: list[Seen] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def counts(self) -> Counter[str]:
        """Requests so far, by method."""
        with self._lock:
            return Counter(one.method for one in self.seen)

    def forget(self) -> None:
        """Count from zero, without any rule."""
        with self._lock:
            self.seen.clear()
            self.rules.clear()

    def answer(self, reply: Reply, *methods: str, skip: int = 0, times: int = 1_000_000) -> None:
        """Answer in the server's place; all methods when none is named."""
        self.rules.append(Rule(_by_method(methods), before=lambda _: reply, skip=skip, times=times))

    def login_page(self) -> None:
        """What a captive portal or an expired single sign-on does."""
        self.answer(Reply(200, (("Content-Type", "text/html; charset=utf-8"),), LOGIN_PAGE))

    def fail(self, status: int, *methods: str, retry_after: str = "", skip: int = 0, times: int = 1) -> None:
        headers = (("Retry-After", retry_after),) if retry_after else ()
        self.answer(Reply(status, headers), *methods, skip=skip, times=times)

    def lose_reply(self, *methods: str, skip: int = 0, times: int = 1) -> None:
        """The server does it, and the connection ends without an answer."""
        self.rules.append(Rule(_by_method(methods), after=lambda _, __: None, skip=skip, times=times))

    def lose_request(self, *methods: str, skip: int = 0, times: int = 1) -> None:
        """The connection ends before the server sees anything."""
        self.answer(Reply(0), *methods, skip=skip, times=times)

    def cut(self, *methods: str, at: float = 0.5, skip: int = 0, times: int = 1_000_000) -> None:
        """The answer ends in the middle, with the connection."""
        self.change(
            lambda r: Reply(r.status, r.headers, r.body, int(len(r.body) * at)),
            *methods,
            skip=skip,
            times=times,
        )

    def shorten(self, *methods: str, at: float = 0.5, skip: int = 0, times: int = 1_000_000) -> None:
        """The body ends in the middle, and its Content-Length agrees: only a look inside tells."""
        self.change(
            lambda r: Reply(r.status, r.headers, r.body[: int(len(r.body) * at)]),
            *methods,
            skip=skip,
            times=times,
        )

    def hold(self, until: threading.Event, *methods: str, skip: int = 0, times: int = 1_000_000) -> None:
        """The answer waits for the event."""

        def wait(_: Seen, reply: Reply) -> Reply:
            until.wait(30)
            return reply

        self.rules.append(Rule(_by_method(methods), after=wait, skip=skip, times=times))

    def change(
        self, how: Callable[[Reply], Reply], *methods: str, skip: int = 0, times: int = 1_000_000
    ) -> None:
        """Make another answer from the server's."""
        self.rules.append(
            Rule(_by_method(methods), after=lambda _, reply: how(reply), skip=skip, times=times)
        )

    def _handle(self, seen: Seen) -> Reply | None:
        with self._lock:
            self.seen.append(seen)
            due = [rule for rule in self.rules if rule.matches(seen) and _is_due(rule)]
        for rule in due:
            if rule.before:
                reply = rule.before(seen)
                return reply if reply and reply.status else None
        answer: Reply | None = self._forward(seen)
        for rule in due:
            if rule.after and answer is not None:
                answer = rule.after(seen, answer)
        return answer

    def _forward(self, seen: Seen) -> Reply:
        host = urlsplit(self.upstream)
        connection: http.client.HTTPConnection
        if host.scheme == "https":  # the proxy is between a test and a server of its own
            trusting = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection(
                host.hostname or "", host.port, timeout=60, context=trusting
            )
        else:
            connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=60)
        try:
            headers = {k: v for k, v in seen.headers.items() if k.lower() not in _PER_HOP}
            headers["Host"] = urlsplit(self.url).netloc
            connection.request(seen.method, seen.path, seen.body, headers)
            answer = connection.getresponse()
            body = answer.read()
            kept = tuple((k, v) for k, v in answer.getheaders() if k.lower() not in _PER_HOP)
            return Reply(answer.status, kept, body)
        finally:
            connection.close()


def _by_method(methods: Sequence[str]) -> Callable[[Seen], bool]:
    return lambda seen: not methods or seen.method in methods


def _is_due(rule: Rule) -> bool:
    if rule.skip > 0:
        rule.skip -= 1
        return False
    rule.times -= 1
    return rule.times >= 0


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nothing to tell; it may have been killed, or not like us."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def proxy(upstream: str = "http://127.0.0.1:9", tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy on a free port; without an upstream it answers by its rules only. With ``tls`` its name is
    ``localhost``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = front._handle(Seen(self.command, self.path, dict(self.headers), body))
            if reply is None:
                self.close_connection = True
                return
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            self.send_response_only(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            if reply.status != 304 and self.command != "HEAD":
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            self.close_connection = self.close_connection or reply.cut is not None

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    for method in _METHODS:
        setattr(Handler, f"do_{method}", Handler.do_any)
    with _Quiet(("127.0.0.1", 0), Handler) as server:
        port = server.server_address[1]
        front = Proxy(f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}", upstream)
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield front
        finally:
            server.shutdown()
            thread.join()
