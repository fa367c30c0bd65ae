"""Half an hour of `contactsync watch` with people on all sides, faults and a kill: ``make soak``.

Radicale, the simulator of Google and that of Graph, in real time. Everybody adds lines to notes; every line
is there once, so that at the end each must be on the device, in a conflict record or in the trash, and all
sides must show the same. What it measures: how long an edit on the device takes to the server, the memory
of the daemon, and its processor time while nothing happens.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from contactsync.api import Engine
from contactsync.config import AccountConfig, PasswordSource, add_account, load
from contactsync.daemon import health
from contactsync.model.contact import Contact, Email, Name, Note
from tests import servers
from tests.connectors.test_google import secret as google_secret
from tests.connectors.test_outlook import secret as outlook_secret
from tests.proxy import Proxy, proxy
from tests.servers import Server
from tests.simulators.google import Google, google
from tests.simulators.graph import Graph, graph

INTERVAL = "10s"
LAG_SECONDS = 3.0
SETTLES_AFTER = 15
PEOPLE = 40
LATE_SECONDS = 60.0


@dataclass
class Sides:
    """The device and the three remotes, each with a hand to edit it."""

    folder: Path
    engine: Engine
    radicale: Server
    book: str
    google: Google
    graph: Graph
    line: Proxy
    chance: random.Random
    tokens: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)
    given_up: set[str] = field(default_factory=set)
    latencies: list[float] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def token(self, side: str) -> str:
        self.tokens.append(f"{side}-{next(self.numbers)}")
        return self.tokens[-1]

    def _give_up(self, note: str) -> None:
        """Who deletes a card at a remote has seen these lines, even if the device never did."""
        self.given_up.update(note.split())

    # --- edits ---

    def on_device(self) -> str:
        live = self.engine.contacts()
        what = self.chance.random()
        if what < 0.15 or len(live) < PEOPLE // 2:
            token = self.token("device")
            name = f"Person {token}"
            email = Email(f"{token}@x.example")
            self.engine.put([Contact(name=Name(full=name), emails=(email,), notes=(Note(token),))])
            return "create"
        one = self.chance.choice(live)
        if what < 0.22:
            self.engine.delete([one.uid])
            return "delete"
        token = self.token("device")
        before = self.engine.hub.with_names(one.contact)
        text = before.notes[0].text if before.notes else ""
        self.engine.edit(one, before, replace(before, notes=(Note(f"{text}\n{token}".strip()),)))
        self._measure(one.uid, token)
        return "edit"

    def _measure(self, uid: str, token: str) -> None:
        """How long until the server has it."""
        began = time.monotonic()
        while time.monotonic() - began < LATE_SECONDS:
            card = self.radicale.get(f"{self.book}{uid}.vcf")
            if card is None:
                return  # it has another name there, or was deleted meanwhile
            if token.encode() in card.replace(b"\r\n ", b""):
                self.latencies.append(time.monotonic() - began)
                return
            time.sleep(0.02)
        self.latencies.append(LATE_SECONDS)

    def at_radicale(self) -> str:
        hrefs = list(self.radicale.etags(self.book).items())
        what = self.chance.random()
        token = self.token("radicale")
        if what < 0.15 or not hrefs:
            body = f"UID:{token}\r\nFN:Person {token}\r\nN:{token};Person;;;\r\nNOTE:{token}\r\n"
            card = f"BEGIN:VCARD\r\nVERSION:3.0\r\n{body}END:VCARD\r\n"
            self.radicale.put(f"{self.book}{token}.vcf", card.encode())
            return "create"
        href, etag = self.chance.choice(hrefs)
        if what < 0.2:
            self.tokens.remove(token)
            self._give_up(_note(self.radicale.get(href) or b""))
            self.radicale.request("DELETE", href, headers={"If-Match": etag})
            return "delete"
        card = self.radicale.get(href)
        if card is None:
            self.tokens.remove(token)
            return "missed"
        answer = self.radicale.request("PUT", href, data=_with_line(card, token), headers={"If-Match": etag})
        if not answer.ok:
            self.tokens.remove(token)
            return "missed"
        return "edit"

    def at_google(self) -> str:
        with self.google._lock:
            account = self.google.account
            alive = account.alive()
            what = self.chance.random()
            token = self.token("google")
            if what < 0.15 or not alive:
                name = {"givenName": "Person", "familyName": token}
                account.create({"names": [name], "biographies": [_biography(token)]})
                return "create"
            one = self.chance.choice(alive)
            if what < 0.2:
                self.tokens.remove(token)
                self._give_up(one.fields.get("biographies", [{"value": ""}])[0]["value"])
                account.delete(one.resource_name)
                return "delete"
            text = one.fields.get("biographies", [{"value": ""}])[0]["value"]
            account.edit(one.resource_name, biographies=[_biography(f"{text}\n{token}".strip())])
            return "edit"

    def at_outlook(self) -> str:
        with self.graph._lock:
            mailbox = self.graph.mailbox
            items = list(mailbox.items.values())
            what = self.chance.random()
            token = self.token("outlook")
            if what < 0.15 or not items:
                mailbox.create("contacts", {"givenName": "Person", "surname": token, "personalNotes": token})
                return "create"
            one = self.chance.choice(items)
            if what < 0.2:
                self.tokens.remove(token)
                self._give_up(one.values.get("personalNotes") or "")
                mailbox.delete(one)
                return "delete"
            text = one.values.get("personalNotes") or ""
            mailbox.update(one, {"personalNotes": f"{text}\n{token}".strip()})
            return "edit"

    # --- faults ---

    def fault(self) -> str:
        faults: list[Callable[[], object]] = [
            lambda: self.line.fail(503, "PUT", "REPORT", times=2),
            lambda: self.line.lose_reply("PUT"),
            lambda: self.line.lose_request("REPORT"),
            lambda: self.google.fail(503, "UNAVAILABLE", "later", at="/v1/"),
            lambda: self.google.lose_reply("/v1/people", changes_only=True),
            lambda: self.google.expire_tokens(),
            lambda: self.graph.fail(429, "TooManyRequests", wait="1"),
            lambda: self.graph.lose_reply("PATCH"),
            lambda: self.graph.lose_reply("POST", at="/contacts"),
            lambda: self.graph.forget_tokens(),
        ]
        number = self.chance.randrange(len(faults))
        faults[number]()
        return f"fault {number}"

    # --- the end ---

    def counts(self) -> dict[str, int]:
        """People on each side."""
        return {
            "device": len(self.engine.contacts()),
            "radicale": len(self.radicale.etags(self.book)),
            "google": len(self.google.account.alive()),
            "outlook": len(self.graph.mailbox.items),
        }

    def lines(self) -> dict[str, set[frozenset[str]]]:
        """The lines of all notes on each side, as one set for each person."""
        cards = [self.radicale.get(href) or b"" for href in self.radicale.etags(self.book)]
        notes = {
            "device": [
                one.contact.notes[0].text if one.contact.notes else "" for one in self.engine.contacts()
            ],
            "radicale": [_note(card) for card in cards],
            "google": [
                one.fields.get("biographies", [{"value": ""}])[0]["value"]
                for one in self.google.account.alive()
            ],
            "outlook": [one.values.get("personalNotes") or "" for one in self.graph.mailbox.items.values()],
        }
        return {side: {frozenset(text.split()) for text in texts} for side, texts in notes.items()}

    def lost(self) -> list[str]:
        """Lines that are nowhere: not on the device, not in the trash, in no conflict record."""
        store = self.engine.store
        kept = " ".join(
            [
                note.text
                for one in [*store.contacts.live(), *store.contacts.deleted()]
                for note in one.contact.notes
            ]
            + [json.dumps([c.local, c.remote, c.base], default=str) for c in store.journal.conflicts()]
        )
        words = set(kept.replace("\\n", " ").replace('"', " ").split())
        return [token for token in self.tokens if token not in words | self.given_up]


def _biography(text: str) -> dict[str, str]:
    return {"value": text, "contentType": "TEXT_PLAIN"}


def _with_line(card: bytes, token: str) -> bytes:
    """The card with one more line in its note, as another program would write it."""
    text = card.replace(b"\r\n ", b"").decode()
    lines = text.split("\r\n")
    for place, line in enumerate(lines):
        if line.startswith("NOTE"):
            lines[place] = f"{line}\\n{token}"
            break
    else:
        lines.insert(len(lines) - 2, f"NOTE:{token}")
    return "\r\n".join(lines).encode()


def _note(card: bytes) -> str:
    text = card.replace(b"\r\n ", b"").decode()
    found = [line.partition(":")[2] for line in text.split("\r\n") if line.startswith("NOTE")]
    return found[0].replace("\\n", "\n") if found else ""


@dataclass
class Daemon:
    """The process that is watched."""

    folder: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        places = ["--config", str(self.folder / "config.toml"), "--data-dir", str(self.folder)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "contactsync", *places, "--json", "watch", "--interval", INTERVAL],
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def memory(self) -> int:
        """Resident megabytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) // 1024
        return 0

    def processor(self) -> float:
        """Seconds of processor time so far."""
        numbers = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> tuple[int, float]:
        """Its exit code, and how long it took to end."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60), time.monotonic() - began


@contextmanager
def sides(seed: int) -> Iterator[tuple[Sides, Daemon]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="contactsync-soak-")))
        radicale = stack.enter_context(servers.radicale())
        at_google, at_graph = stack.enter_context(google()), stack.enter_context(graph())
        line = stack.enter_context(proxy(radicale.base_url))
        book = radicale.make_book("soak")
        _keep_time(stack, at_google, at_graph)
        at_google.account.lag = at_graph.mailbox.lag = LAG_SECONDS
        secrets = {
            "dav": radicale.password,
            "gm": google_secret(at_google),
            "ol": outlook_secret(at_graph),
        }
        accounts = (
            AccountConfig(
                "dav", "carddav", url=line.url + radicale.principal, username=radicale.user, books=(book,)
            ),
            AccountConfig(
                "gm", "gmail", url=at_google.root, settles_after=SETTLES_AFTER, requests_per_minute=6000
            ),
            AccountConfig(
                "ol", "outlook", url=at_graph.root, settles_after=SETTLES_AFTER, requests_per_minute=6000
            ),
        )
        for account in accounts:
            place = folder / f"{account.name}.secret"
            place.write_text(secrets[account.name])
            place.chmod(0o600)
            add_account(folder / "config.toml", replace(account, password=PasswordSource.from_file(place)))
        engine = stack.enter_context(Engine(load(folder / "config.toml"), folder))
        daemon = Daemon(folder, folder / "watch.log")
        chance = random.Random(seed)
        yield Sides(folder, engine, radicale, book, at_google, at_graph, line, chance), daemon
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.kill()


def _keep_time(stack: ExitStack, *simulators: Any) -> None:
    """The clocks of the simulators go with ours."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.05):
            for one in simulators:
                one.now = time.time()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    stack.callback(thread.join)
    stack.callback(over.set)


def soak(minutes: float, seed: int, idle_seconds: float) -> int:
    with sides(seed) as (world, daemon):
        daemon.start()
        began, memory, killed = time.monotonic(), [], False
        hands = (world.on_device, world.at_radicale, world.at_google, world.at_outlook)
        while (passed := time.monotonic() - began) < minutes * 60:
            if not killed and passed > minutes * 30:
                daemon.kill()
                daemon.start()
                killed = True
            hand = world.chance.choice(hands)
            world.done[f"{hand.__name__} {hand()}"] += 1
            if world.chance.random() < 0.06:
                world.done[world.fault()] += 1
            assert daemon.process is not None and daemon.process.poll() is None, "the daemon ended"
            memory.append((round(passed), daemon.memory()))
            time.sleep(world.chance.uniform(0.3, 2.0))
        agreed = _until_agreed(world, minutes=8)
        idle = _idle(daemon, idle_seconds)
        code, took = daemon.end()
        return _tell(world, daemon, memory, agreed, idle, (code, took))


def _until_agreed(world: Sides, minutes: float) -> float | None:
    """Seconds until all sides show the same, or None."""
    began = time.monotonic()
    while time.monotonic() - began < minutes * 60:
        time.sleep(5)
        lines = list(world.lines().values())
        if all(one == lines[0] for one in lines) and len(set(world.counts().values())) == 1:
            return time.monotonic() - began
    return None


def _idle(daemon: Daemon, seconds: float) -> float:
    """The share of a core that it takes while nobody edits."""
    before = daemon.processor()
    time.sleep(seconds)
    return (daemon.processor() - before) / seconds


def _tell(
    world: Sides,
    daemon: Daemon,
    memory: list[tuple[int, int]],
    agreed: float | None,
    idle: float,
    end: tuple[int, float],
) -> int:
    lost = world.lost()
    half = [rss for at, rss in memory if at > memory[-1][0] / 2 + 20]
    print(f"edits: {sum(world.done.values())}: {dict(sorted(world.done.items()))}")
    print(f"on each side: {world.counts()}, conflict records: {len(world.engine.conflicts())}")
    print(f"lines: {len(world.tokens)}, lost: {lost}")
    print(f"all sides agree: {'never' if agreed is None else f'{agreed:.0f} s after the last edit'}")
    if world.latencies:
        quantiles = statistics.quantiles(world.latencies, n=10)
        median = statistics.median(world.latencies)
        tail = f"nine tenths {quantiles[-1]:.2f} s, {len(world.latencies)} edits"
        print(f"device to server: median {median:.2f} s, {tail}")
    print(f"idle: {idle:.2%} of a core with {len(world.engine.config.accounts)} accounts every {INTERVAL}")
    print(f"memory since the kill: {half[0]} MB at first, {half[-1]} MB at last, {max(half)} MB at most")
    print(f"ended with {end[0]} in {end[1]:.1f} s; running: {health.is_running(world.folder)}")
    if agreed is None:
        sides_ = world.lines()
        for side, lines in sides_.items():
            print(side, "only here:", [sorted(x) for x in lines - sides_["device"]][:5])
            print(side, "lacks:", [sorted(x) for x in sides_["device"] - lines][:5])
        print(daemon.log.read_text()[-3000:])
    return 0 if agreed is not None and not lost and end[0] == 0 else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--idle", type=float, default=120, help="seconds to look at the idle daemon")
    given = parser.parse_args()
    return soak(given.minutes, given.seed, given.idle)


if __name__ == "__main__":
    raise SystemExit(main())
