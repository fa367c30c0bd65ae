"""Plays pages of the manual: runs what they show, in a home and on servers of their own.

In a block of the kind ``console`` each line with ``$`` is run, and what it says is put below it. A block
with the name of a file (``vcard people.vcf``) is written there before. A block of Python is run.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import shlex
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import keyring
import requests
from keyring.backend import KeyringBackend

from contactsync.cli import app as cli
from tests.servers import radicale
from tests.simulators.__main__ import client_file, people_at_google, people_at_outlook
from tests.simulators.entra import CLIENT
from tests.simulators.google import google
from tests.simulators.graph import graph

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(?P<kind>[a-z]*)(?: (?P<name>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
EXCUSE = re.compile(r"\*Not run by the tests: \S.*?\*\n\n?\Z", re.DOTALL)
EXPORT = re.compile(r"^export (.+)$", re.MULTILINE)
NOW, HOME = "2026-03-01 10:00", "/home/ada"
#: What is another one each time, and what stands for it on every page.
CHANCE = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"), lambda at: f"{NOW}:00" if at[1] else NOW),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00"), "2026-03-01T10:00:00+00:00"),
    (re.compile(r"\d{8}T\d{6}Z"), "20260301T100000Z"),
    (re.compile(r"https?://\S+/o/oauth2/v2/auth\?\S+"), "https://accounts.google.com/o/oauth2/v2/auth?..."),
)
PASSWORD, SESAME = "enchantress", "open sesame"
SERVERS, NOBODY = ("http://localhost:5232", "https://dav.example.org"), "localhost:5233"
AT_GOOGLE, AT_MICROSOFT = "account add gmail gm", "account add outlook ol"
NO_APP = "00000000-0000-0000-0000-000000000000"


def is_excused(block: re.Match[str]) -> bool:
    """Says the page why the block is not run, or is it made from a file that has tests of its own?"""
    before = block.string[: block.start()]
    return bool(EXCUSE.search(before)) or before.rfind("<!-- generated: ") > before.rfind("<!-- end -->")


def is_played(text: str) -> bool:
    blocks = BLOCK.finditer(text)
    return any(block["kind"] in ("console", "python") and not is_excused(block) for block in blocks)


def played(text: str) -> str:
    """The page with what its commands say today."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stage = Stage(home, [*_servers(text, home, stack), (HOME, str(home))])
        stack.enter_context(_at_home(home))
        return BLOCK.sub(stage.play, text)


def _servers(text: str, home: Path, stack: contextlib.ExitStack) -> Iterator[tuple[str, str]]:
    """Starts what the page talks to; pairs of what it shows, and what that really is."""
    for shown in SERVERS:
        if shown in text:
            server = stack.enter_context(radicale("ada", PASSWORD))
            yield shown, server.base_url
            yield shown.partition("://")[2], server.base_url.partition("://")[2]
    yield NOBODY, "127.0.0.1:9"
    if SESAME in text:
        yield SESAME, PASSWORD
    if AT_GOOGLE in text:
        at_google = stack.enter_context(google())
        people_at_google(at_google)
        client_file(at_google, home)
        yield f"{AT_GOOGLE} ", f"{AT_GOOGLE} --endpoint {at_google.root} "
        yield "https://people.googleapis.com", at_google.root
    if AT_MICROSOFT in text:
        at_microsoft = stack.enter_context(graph())
        people_at_outlook(at_microsoft)
        login = at_microsoft.root.removesuffix("/v1.0")
        yield f"{AT_MICROSOFT} ", f"{AT_MICROSOFT} --authority {login}/common --endpoint {at_microsoft.root} "
        yield "https://graph.microsoft.com/v1.0", at_microsoft.root
        yield "https://microsoft.com/devicelogin", "https://login.example/device"
        yield NO_APP, CLIENT


class Keyring(KeyringBackend):
    """One that is there for as long as a page is played."""

    priority = 1

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self._kept[service, username]


@contextlib.contextmanager
def _at_home(home: Path) -> Iterator[None]:
    """A person who has a home, a keyring, and a browser in which everything is agreed to."""
    before, handlers = keyring.get_keyring(), list(logging.getLogger().handlers)
    ours = ("CONTACTSYNC_", "XDG_")
    strange = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "CREDENTIALS_DIRECTORY")
    kept = {n: v for n, v in os.environ.items() if not n.startswith(ours) and n not in strange}
    kept |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    kept |= {"HOME": str(home), "COLUMNS": "200", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    keyring.set_keyring(Keyring())
    with (
        contextlib.chdir(home),
        mock.patch.dict(os.environ, kept, clear=True),
        mock.patch.object(webbrowser, "open", lambda url: requests.get(url, timeout=10).ok),
    ):
        try:
            yield
        finally:
            keyring.set_keyring(before)
            logging.getLogger().handlers[:] = handlers


@dataclass
class Stage:
    """A home in which a page is played. ``real`` are pairs of what it shows, and what that really is."""

    home: Path
    real: Sequence[tuple[str, str]]
    names: dict[str, object] = field(default_factory=dict)

    def play(self, block: re.Match[str]) -> str:
        body = block["body"]
        if is_excused(block):
            return block[0]
        if block["name"]:
            (self.home / block["name"]).write_text(body, encoding="utf-8")
        elif block["kind"] == "sh":
            for setting in (word for line in EXPORT.findall(body) for word in shlex.split(line)):
                name, _, value = setting.partition("=")
                os.environ[name] = os.path.expandvars(value)
        elif block["kind"] == "python":
            exec(compile(self.as_it_is(body), "<page>", "exec"), self.names)
        elif block["kind"] == "console":
            lines = [line for line in body.splitlines() if line.startswith("$ ")]
            return "```console\n" + "".join(f"{line}\n{self.say(line[2:])}" for line in lines) + "```"
        return block[0]

    def say(self, line: str) -> str:
        """What a line says, in the words of the page."""
        line = self.as_it_is(line)
        said = _run(shlex.split(line)[1:]) if _is_ours(line) else _shell(line)
        return self.as_shown(said)

    def as_it_is(self, text: str) -> str:
        for shown, real in self.real:
            text = text.replace(shown, real)
        return text

    def as_shown(self, text: str) -> str:
        for shown, real in self.real:
            text = text.replace(real, shown)
        for pattern, always in CHANCE:
            text = pattern.sub(always, text)
        return text


def _is_ours(line: str) -> bool:
    return line.startswith("contactsync ") and not set(line) & set("|<>&")


def _run(words: list[str]) -> str:
    """What a command of ours prints, on stdout and stderr."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        cli.run(words)
    said.seek(0)
    return said.read()


def _shell(line: str) -> str:
    ours = f'contactsync() {{ {shlex.quote(sys.executable)} -m contactsync "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", ours + line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, f"{line}: {done.stdout}"
    return done.stdout
