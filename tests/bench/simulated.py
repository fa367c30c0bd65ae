"""Google and Outlook at a distance: their simulators, and as the floor the very requests that we made, again.

``python -m tests.bench.simulated KIND PEOPLE`` runs one in a process of its own. It prints its port, is told
at which address it is reached, and then prints how to log in.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.books import Book
from tests.bench.cards import surname
from tests.bench.delay import Delay, delayed
from tests.bench.peers import ContactSync, Failed
from tests.bench.results import Cell, Results
from tests.bench.rounds import SEEN

CONNECTORS = {"google": "gmail", "graph": "outlook"}
_OWN = ("host", "content-length", "connection", "accept-encoding")


@contextmanager
def _running(kind: str, people: int, delay: float) -> Iterator[tuple[Delay, dict[str, str]]]:
    words = [sys.executable, "-m", "tests.bench.simulated", kind, str(people)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            with delayed(int(process.stdout.readline()), delay) as front:
                print(f"http://127.0.0.1:{front.port}", file=process.stdin, flush=True)
                yield front, json.loads(process.stdout.readline())
        finally:
            process.terminate()


def measure(
    kind: str, results: Results, runs: int, people: int, delay: float, say: Callable[[str], None]
) -> None:
    """First pull, and a round without news."""
    with _running(kind, people, delay) as (front, login), tempfile.TemporaryDirectory() as folder:
        for run in range(runs):
            account = f'connector = "{CONNECTORS[kind]}"\nurl = "{login["root"]}"\n'
            nobody = Book(front.port, "/", "/", "", login["secret"])
            peer = ContactSync(Path(tempfile.mkdtemp(dir=folder)), nobody, account)
            for work in ("download", "nochange"):
                if work == "nochange":
                    for _ in range(2):
                        peer.work(work)
                cell = Cell(work, kind, people, delay)
                front.counts("keep")
                peer.work(work)
                seen = front.counts()
                if peer.count() != people:
                    raise Failed(f"{kind}: {peer.count()} contacts on the device, not {people}")
                counted = {name: seen[name] for name in SEEN}
                results.add(cell, run, "contactsync", **peer.costs, **counted)
                began = time.perf_counter()
                _again(front.port, seen["kept"])
                again = time.perf_counter() - began
                counted = {name: value for name, value in front.counts().items() if name in SEEN}
                results.add(cell, run, "floor", wall=again, **counted)
                took = f"{peer.costs['wall']:.2f} s, the same requests again {again:.2f} s"
                say(f"{work}, {kind}, run {run + 1}: {took}")


def _again(port: int, kept: list[dict[str, Any]]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for one in kept:
        first, *lines = one["head"].rstrip().split("\r\n")
        method, path, _ = first.split(" ")
        fields = [line.split(": ", 1) for line in lines]
        headers = {name: value for name, value in fields if name not in _OWN}
        connection.request(method, path, b64decode(one["body"]) or None, headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status >= 300:
            raise Failed(f"{method} {path}, again: {answer.status} {body[:200]!r}")
    connection.close()


def main() -> None:
    kind, people = sys.argv[1], int(sys.argv[2])
    {"google": _google, "graph": _graph}[kind](people)


def _told(root: str) -> str:
    """Where we are reached."""
    print(urlsplit(root).port, flush=True)
    return input()


def _google(people: int) -> None:
    from tests.connectors.test_google import secret
    from tests.simulators.google import google

    with google() as server:
        for number in range(people):
            family = surname(number)
            names = [{"givenName": "Ada", "familyName": family}]
            address = {"value": f"{family.lower()}.{number}@example.org", "type": "work"}
            phone = {"value": f"+49 30 {number:07d}", "type": "mobile"}
            server.account.create({"names": names, "emailAddresses": [address], "phoneNumbers": [phone]})
        server.pass_time(1000)
        server.root = _told(server.root)
        print(json.dumps({"root": server.root, "secret": secret(server)}), flush=True)
        sys.stdin.read()


def _graph(people: int) -> None:
    from tests.connectors.test_outlook import secret
    from tests.simulators.graph import VERSION, graph

    with graph() as server:
        for number in range(people):
            family = surname(number)
            address = {"address": f"{family.lower()}.{number}@example.org"}
            content = {"givenName": "Ada", "surname": family, "emailAddresses": [address]}
            server.mailbox.create("contacts", {**content, "mobilePhone": f"+49 30 {number:07d}"})
        server.root = _told(server.root) + VERSION
        print(json.dumps({"root": server.root, "secret": secret(server)}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
