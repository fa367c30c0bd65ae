"""A CardDAV server of its own for the demo: Radicale as a child process on a free loopback port."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from contactsync.errors import TransientError, UsageError
from contactsync.frozen import frozen

USER, PASSWORD = "demo", "demo"
BOOK = f"/{USER}/contacts/"
PATIENCE_SECONDS = 30.0
ATTEMPTS = 3

_MKCOL = (
    '<?xml version="1.0"?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><set><prop>'
    "<resourcetype><collection/><C:addressbook/></resourcetype><displayname>Contacts</displayname>"
    "</prop></set></mkcol>"
)
_CONFIG = """\
[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
[storage]
filesystem_folder = {folder}/cards
"""


@frozen
class DemoServer:
    """Where it listens, and how it is started again."""

    url: str
    command: tuple[str, ...]


@contextlib.contextmanager
def demo_server(folder: Path) -> Iterator[DemoServer]:
    """A running server with one empty address book; its data is in ``folder``.

    Raises `UsageError` where Radicale is not installed.
    """
    if importlib.util.find_spec("radicale") is None:
        raise UsageError(
            "The demo needs the CardDAV server Radicale, which is not installed.",
            hint='Run: pip install "contactsync[demo]"',
        )
    folder.mkdir(mode=0o700)
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    server, process = _start(folder)
    try:
        _request("MKCOL", server.url + BOOK, _MKCOL)
        yield server
    finally:
        _stop(process)


def _start(folder: Path) -> tuple[DemoServer, subprocess.Popen[bytes]]:
    """Another program may take the free port before the server does: then another port."""
    for _ in range(ATTEMPTS):
        port = _free_port()
        config = folder / "config"
        config.write_text(_CONFIG.format(port=port, folder=folder), encoding="utf-8")
        command = (sys.executable, "-m", "radicale", "-C", str(config))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{port}"
        try:
            if _is_up(url, process):
                return DemoServer(url, command), process
        except BaseException:
            _stop(process)
            raise
        _stop(process)
    said = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
    raise TransientError(f"The demo's server did not start. {' '.join(said)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _is_up(url: str, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            _request("OPTIONS", url + "/")
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            return False
    return False


def _request(method: str, url: str, body: str = "") -> None:
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/xml"}
    request = urllib.request.Request(url, body.encode() or None, headers, method=method)
    # Proxies are for the world outside.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10):
        pass


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
