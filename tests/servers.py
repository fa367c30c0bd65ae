"""Real CardDAV servers for the tests, each on a free loopback port with its data in a temp folder.

``python -m tests.servers --prepare`` makes the environments of the old Radicale and of khard beforehand.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import requests

OLD_RADICALE = "3.1.8"
KHARD = "0.22.0"
_MKBOOK = (
    '<?xml version="1.0"?><D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:set><D:prop>'
    "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype><D:displayname>{name}</D:displayname>"
    "</D:prop></D:set></D:mkcol>"
)
_RIGHTS = """\
[root]
user = .+
collection =
permissions = R
[own]
user = .+
collection = {{user}}(/.*)?
permissions = RWrw
[to-read]
user = {user}
collection = team(/read-only)?
permissions = Rr
[to-write]
user = {user}
collection = team/shared
permissions = Rrw
"""
TEAM = "team"


@dataclass
class Server:
    """A running server, and hands of another client on it; every method is one plain request."""

    name: str
    base_url: str
    principal: str
    book: str
    user: str
    password: str
    folder: Path
    process: subprocess.Popen[bytes]
    digest: bool = False
    ca_file: str = ""
    _http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self._http.trust_env = False
        self._http.verify = self.ca_file or True
        if self.digest:
            self._http.auth = requests.auth.HTTPDigestAuth(self.user, self.password)
        elif self.user:
            self._http.auth = (self.user.encode(), self.password.encode())

    def request(self, method: str, path: str, **kwargs: object) -> requests.Response:
        kwargs.setdefault("timeout", 30)
        return self._http.request(method, self.base_url.rstrip("/") + path, **kwargs)  # type: ignore[arg-type]

    def as_team(self) -> Server:
        """The login of the others, on a Radicale: its books ``read-only`` and ``shared`` are open to us."""
        theirs = f"/{TEAM}/"
        return replace(self, user=TEAM, principal=theirs, book=f"{theirs}contacts/", _http=requests.Session())

    def make_book(self, name: str) -> str:
        """A new address book beside the first one; its path."""
        path = f"{self.book.rstrip('/').rpartition('/')[0]}/{name}/"
        self._ok("MKCOL", path, data=_MKBOOK.format(name=name), headers={"Content-Type": "application/xml"})
        return path

    def delete_book(self, path: str) -> None:
        """Cyrus 3.6 answers 404 when it has done it."""
        answer = self.request("DELETE", path)
        if answer.status_code != 404:
            answer.raise_for_status()

    def put(self, path: str, payload: bytes) -> str | None:
        """Store a card, whatever is there; its etag."""
        answer = self._ok("PUT", path, data=payload, headers={"Content-Type": "text/vcard; charset=utf-8"})
        return answer.headers.get("ETag")

    def get(self, path: str) -> bytes | None:
        answer = self.request("GET", path)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.content

    def delete(self, path: str) -> None:
        self._ok("DELETE", path)

    def etags(self, book: str | None = None) -> dict[str, str]:
        """Path and etag of every card."""
        answer = self._ok("PROPFIND", book or self.book, headers={"Depth": "1"})
        rows = {}
        for row in ElementTree.fromstring(answer.content).iter("{DAV:}response"):
            etag = row.findtext(".//{DAV:}getetag")
            path = row.findtext("{DAV:}href") or ""
            if etag and not path.endswith("/"):
                rows[urlsplit(path).path if path.startswith(("/", "http")) else path] = etag
        return rows

    def _ok(self, method: str, path: str, **kwargs: object) -> requests.Response:
        answer = self.request(method, path, **kwargs)
        answer.raise_for_status()
        return answer


@contextmanager
def radicale(user: str = "alice", password: str = "s3cret") -> Iterator[Server]:
    """The Radicale of this environment."""
    # cards over this size get a 412 (10 MB unless set)
    with _radicale(sys.executable, "radicale", user, password, "max_resource_size = 1000000") as server:
        yield server


@contextmanager
def radicale31(user: str = "alice", password: str = "s3cret") -> Iterator[Server]:
    """The Radicale that Debian 12 ships, in an environment of its own."""
    with _radicale(str(prepare_old_radicale()), "radicale31", user, password) as server:
        yield server


@contextmanager
def xandikos(user: str = "alice") -> Iterator[Server]:
    """Xandikos without a login: it asks for one over TLS only."""
    with temporary_folder() as folder, free_port() as port:
        command = [sys.executable, "-m", "xandikos", "serve", "-d", str(folder / "data"), "--defaults"]
        command += ["--current-user-principal", f"/{user}/", "-l", "127.0.0.1", "-p", str(port)]
        command += ["--no-detect-systemd", "--state-dir", str(folder / "state")]
        with running(command, folder, f"http://127.0.0.1:{port}/{user}/") as process:
            book = f"/{user}/contacts/addressbook/"
            yield Server("xandikos", f"http://127.0.0.1:{port}", f"/{user}/", book, "", "", folder, process)


@contextmanager
def xandikos_tls(user: str = "alice", password: str = "s3cret") -> Iterator[Server]:
    """Xandikos behind its own TLS, with a certificate for localhost that signs itself."""
    import bcrypt

    with temporary_folder() as folder, free_port() as port:
        secret = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"{user}:{secret}\n", encoding="utf-8")
        command = [sys.executable, "-m", "xandikos", "serve", "-d", str(folder / "data"), "--defaults"]
        command += ["--current-user-principal", f"/{user}/", "-l", "localhost", "-p", str(port)]
        command += ["--no-detect-systemd", "--state-dir", str(folder / "state"), "--autocert"]
        command += ["--htpasswd", str(folder / "htpasswd")]
        base = f"https://localhost:{port}"
        with running(command, folder, base, verify=False) as process:
            texts = {path: path.read_text() for path in (folder / "state" / "certs").iterdir()}
            ca_file = next(path for path, text in texts.items() if "BEGIN CERTIFICATE" in text)
            book = f"/{user}/contacts/addressbook/"
            yield Server(
                "xandikos_tls",
                base,
                f"/{user}/",
                book,
                user,
                password,
                folder,
                process,
                ca_file=str(ca_file),
            )


@contextmanager
def _radicale(python: str, name: str, user: str, password: str, more: str = "") -> Iterator[Server]:
    with temporary_folder() as folder, free_port() as port:
        (folder / "users").write_text(f"{user}:{password}\n{TEAM}:{password}\n", encoding="utf-8")
        (folder / "config").write_text(
            f"[server]\nhosts = 127.0.0.1:{port}\n{more}\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder / 'users'}\nhtpasswd_encryption = plain\n"
            # a wrong password costs a second by default
            "delay = 0\n"
            f"[rights]\ntype = from_file\nfile = {folder / 'rights'}\n"
            f"[storage]\nfilesystem_folder = {folder / 'data'}\n",
            encoding="utf-8",
        )
        (folder / "rights").write_text(_RIGHTS.format(user=user), encoding="utf-8")
        command = [python, "-m", "radicale", "-C", str(folder / "config")]
        with running(command, folder, f"http://127.0.0.1:{port}/") as process:
            base = f"http://127.0.0.1:{port}"
            server = Server(name, base, f"/{user}/", f"/{user}/contacts/", user, password, folder, process)
            server.make_book("contacts")
            yield server


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Below /dev/shm where there is one: these servers sync each card to disk."""
    memory = Path("/dev/shm")
    where = str(memory) if os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="contactsync-test-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def free_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield port


@contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    url: str,
    environment: Mapping[str, str] | None = None,
    *,
    group: bool = False,
    verify: bool = True,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, up and answering; with ``group``, its children end with it."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            start_new_session=group,
        )
    try:
        wait_until(lambda: _answers(url, verify), process, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if group:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str, verify: bool) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that nothing is verified before the certificate is known
            return requests.request("OPTIONS", url, timeout=5, verify=verify).status_code < 500
    except requests.ConnectionError:
        return False


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, limit: float = 30
) -> None:
    end = time.monotonic() + limit
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"The server did not come up:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def prepare_old_radicale() -> Path:
    """The Python of an environment with the old Radicale, made at the first call."""
    # pkg_resources, which this Radicale imports, left setuptools in version 82
    return _environment("radicale", OLD_RADICALE, "setuptools<80")


def prepare_khard() -> Path:
    """The Python of an environment with khard, which works on folders; made at the first call."""
    return _environment("khard", KHARD)


def _environment(package: str, version: str, *more: str) -> Path:
    home = _environments() / f"{package}-{version}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = home / "ready"
    if not done.exists():
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        install = [str(python), "-m", "pip", "-q", "--disable-pip-version-check", "install"]
        subprocess.run([*install, f"{package}=={version}", *more], check=True)
        done.write_text("ok")
    return python


def _environments() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "contactsync-tests"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prepare", action="store_true", help="make what the tests need, and end")
    if parser.parse_args().prepare:
        print(prepare_old_radicale(), prepare_khard(), sep="\n")


if __name__ == "__main__":
    main()
