"""The command line run in this process, on a device of its own for each test."""

from __future__ import annotations

import io
import json
import sys
import threading
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from contactsync.cli.app import run
from tests.servers import Server

ADA = b"""BEGIN:VCARD\r
VERSION:4.0\r
UID:ada\r
FN:Ada Lovelace\r
N:Lovelace;Ada;;;\r
EMAIL:ada@x.example\r
CATEGORIES:Friends\r
END:VCARD\r
"""


def card(uid: str, name: str, *lines: str) -> bytes:
    body = [f"UID:{uid}", f"FN:{name}", f"N:{name};;;;", *lines]
    return "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", *body, "END:VCARD", ""]).encode()


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; there is no other line."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        document = self.json
        assert list(document) == ["error"] and list(document["error"]) == ["message", "hint", "kind"]
        found: dict[str, str] = document["error"]
        return found


class Cli:
    """``cli("contact", "list")`` is one invocation, without a terminal."""

    def __init__(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.data = folder / "data"
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *words: str, stdin: bytes = b"") -> Result:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        self._capsys.readouterr()
        code = run(["--config", str(self.config), "--data-dir", str(self.data), *words])
        captured = self._capsys.readouterr()
        return Result(code, captured.out, captured.err)

    def json(self, *words: str, stdin: bytes = b"", code: int = 0) -> Any:
        result = self("--json", *words, stdin=stdin)
        assert result.code == code, result
        return result.json

    def ok(self, *words: str, stdin: bytes = b"") -> str:
        result = self(*words, stdin=stdin)
        assert result.code == 0, result
        return result.out

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        return str(path)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setattr("contactsync.credentials.usable_keyring", lambda: None)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("CONFIG", "DATA_DIR", "DATABASE", "PROFILE"):
        monkeypatch.delenv(f"CONTACTSYNC_{name}", raising=False)
    return Cli(tmp_path, capsys, monkeypatch)


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A browser whose person agrees; the pages that it opened. There is no display unless a test has one."""
    opened: list[str] = []

    def visit(url: str) -> bool:
        opened.append(url)
        return requests.get(url, timeout=10).ok

    monkeypatch.setattr(webbrowser, "open", visit)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    return opened


@dataclass(frozen=True)
class Home:
    """An account ``home`` with one book of its own at Radicale."""

    server: Server
    book: str
    name: str


@pytest.fixture
def home(cli: Cli, radicale: Server) -> Home:
    name = f"book-{uuid4().hex[:8]}"
    book = radicale.make_book(name)
    cli.ok(*login(cli, radicale), "--book", name)
    return Home(radicale, book, name)


def login(cli: Cli, server: Server, name: str = "home", password: str = "") -> list[str]:
    """The words of an ``account add`` without books."""
    secret = cli.file(f"password-{name}", (password or server.password).encode())
    words = ["account", "add", "carddav", name, "--url", server.base_url, "--username", server.user]
    return [*words, "--password-file", secret]


class _Page(BaseHTTPRequestHandler):
    status = 200

    def do_PROPFIND(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"<!DOCTYPE html><html><body><form>Log in</form></body></html>"
        self.send_response(self.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _NotDav(_Page):
    status = 405


@pytest.fixture(scope="session")
def login_page() -> Iterator[str]:
    """A server that answers everything with a login form."""
    yield from _serve(_Page)


@pytest.fixture(scope="session")
def not_dav() -> Iterator[str]:
    """A server that has never heard of DAV."""
    yield from _serve(_NotDav)


def _serve(handler: type[_Page]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
