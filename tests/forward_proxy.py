"""A forward proxy as in an office: absolute URLs for http, CONNECT for https (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import requests


@dataclass
class ForwardProxy:
    """``asked`` are the targets, as the client named them."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def forward_proxy() -> Iterator[ForwardProxy]:
    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            found.asked.append(self.path)
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=30) as there:
                self.send_response_only(200)
                self.end_headers()
                _carry(self.connection, there)
            self.close_connection = True

        def do_any(self) -> None:
            found.asked.append(self.path)
            assert urlsplit(self.path).scheme == "http"
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")}
            answer = requests.request(
                self.command, self.path, data=body, headers=headers, timeout=30, allow_redirects=False
            )
            self.send_response_only(answer.status_code)
            for name in {"Content-Type", "DAV", "ETag", "WWW-Authenticate"} & set(answer.headers):
                self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_OPTIONS = do_PUT = do_DELETE = do_PROPFIND = do_REPORT = do_any

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found = ForwardProxy(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield found
        server.shutdown()


def _carry(here: socket.socket, there: socket.socket) -> None:
    """Bytes both ways, until one side ends."""
    other = {here: there, there: here}
    while True:
        ready, _, _ = select.select(list(other), [], [], 30)
        for one in ready:
            data = one.recv(65536)
            if not data:
                return
            other[one].sendall(data)
        if not ready:
            return
