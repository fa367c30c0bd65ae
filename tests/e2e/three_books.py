"""The same people at Radicale, Google and Outlook, and a device that meets all three for the first time.

``python -m tests.e2e.three_books --people 1000`` tells what became of more of them. Each remote has a view
of its own of everybody (`tests.matching.books`): another spelling, other labels and formats of numbers,
another choice of values. That the truth is known makes it possible to count who was taken for whom.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, Config
from contactsync.connectors import carddav
from contactsync.connectors.base import AccountSettings, Connector
from contactsync.connectors.google.connector import GoogleConnector
from contactsync.connectors.google.person import read_person as from_google
from contactsync.connectors.google.person import write_person as to_google
from contactsync.connectors.outlook.connector import OutlookConnector
from contactsync.connectors.outlook.person import read_person as from_outlook
from contactsync.connectors.outlook.person import write_person as to_outlook
from contactsync.model.contact import Contact
from contactsync.sync.likeness import profile
from contactsync.vcard.codec import VCardCodec
from tests import servers
from tests.connectors.test_google import secret as google_secret
from tests.connectors.test_outlook import secret as outlook_secret
from tests.e2e.devices import read_all
from tests.matching.books import KNOWN, Person, population, view
from tests.matching.words import DE
from tests.servers import Server
from tests.simulators.google import Google, google
from tests.simulators.graph import Graph, graph

DAY = 86400
MOST_ROUNDS = 6
REMOTES = ("radicale", "google", "outlook")
MUCH = {kind: 0.5 + share / 2 for kind, share in KNOWN.items()}
"""People have more in books that they use."""


@dataclass
class World:
    """The three remotes, and a device with an account at each."""

    radicale: Server
    google: Google
    graph: Graph
    engine: Engine
    book: str

    def fill(self, remote: str, card: Contact) -> None:
        """As another client of the remote would: what it has no room for is not there."""
        if remote == "radicale":
            self.radicale.put(f"{self.book}{card.uid}.vcf", VCardCodec("3.0").write(card, None))
        elif remote == "google":
            self.google.account.create(dict(to_google(replace(card, uid=""), {})))
        else:
            self.graph.mailbox.create("contacts", dict(to_outlook(replace(card, uid=""), {})))

    def shown(self, remote: str) -> list[Contact]:
        """All cards there, as another client reads them."""
        if remote == "radicale":
            return [card for _, card in read_all(self.radicale, self.book)]
        if remote == "google":
            return [from_google(one.fields) for one in self.google.account.alive()]
        return [from_outlook(item.values) for item in self.graph.mailbox.items.values()]

    def round(self) -> int:
        """How much it wrote at the remotes and on the device."""
        report = self.engine.sync()
        for account in report.accounts:
            assert account.state == "ok", f"{account.name}: {account.message}"
            assert not any(book.errors for book in account.books), account.books
        for server in (self.google, self.graph):
            server.pass_time(DAY)
        books = [book for account in report.accounts for book in account.books]
        return sum(bool(book.pulled or book.pushed) for book in books)


@contextmanager
def world(folder: Path, radicale: Server, book: str) -> Iterator[World]:
    with google() as g, graph() as o:
        secrets = {"radicale": radicale.password, "google": google_secret(g), "outlook": outlook_secret(o)}

        def now() -> datetime:
            return datetime.fromtimestamp(g.now, UTC)

        def connect(settings: AccountSettings) -> Connector:
            if settings.connector == "gmail":
                return GoogleConnector(settings, g.pass_time)
            if settings.connector == "outlook":
                return OutlookConnector(settings, o.pass_time, lambda: datetime.fromtimestamp(o.now, UTC))
            return carddav.factory(settings)

        url = radicale.base_url + radicale.principal
        accounts = (
            AccountConfig(
                "radicale", "carddav", url=url, username=radicale.user, books=(book,), region=DE.region
            ),
            AccountConfig("google", "gmail", url=g.root, region=DE.region),
            AccountConfig("outlook", "outlook", url=o.root, region=DE.region),
        )
        hooks = Hooks(now=now, password=lambda account: secrets[account.name], connect=connect)
        engine = Engine(Config(folder / "config.toml", accounts=accounts), folder, hooks=hooks)
        try:
            yield World(radicale, g, o, engine, book)
        finally:
            engine.close()


# --- the truth ---


@dataclass
class Outcome:
    """What became of the people. ``mixed``: contacts with values of more than one; ``missed``: people with
    two contacts of which nobody is asked; ``copies``: by remote, how many have more cards than before."""

    people: int
    rounds: int
    contacts: int
    held: int
    mixed: list[Contact]
    missed: int
    copies: dict[str, int]
    seconds: float

    def told(self) -> Iterable[str]:
        yield f"{self.people} people at each of three remotes, {self.rounds} rounds in {self.seconds:.1f} s"
        yield f"{self.contacts} contacts on the device, {self.held} of them held for a person"
        yield f"{len(self.mixed)} with values of two people, {self.missed} people missed"
        for remote, count in self.copies.items():
            yield f"{remote}: {count} people are there twice"


class Owners:
    """Who has an e-mail address or phone number in truth: a landline belongs to a whole family."""

    def __init__(self, cards: Iterable[tuple[int, Contact]]) -> None:
        self._owners: dict[str, set[int]] = defaultdict(set)
        for number, card in cards:
            for value in self._values(card):
                self._owners[value].add(number)

    def of(self, contact: Contact) -> set[int]:
        """Whose all its values are."""
        found = [self._owners[value] for value in self._values(contact)]
        return set.intersection(*found) if found else set()

    def _values(self, contact: Contact) -> frozenset[str]:
        known = profile(contact, DE.region)
        return known.emails | known.phones


def run(world: World, people: int, seed: int = 1, *, slips: bool = True) -> Outcome:
    """The first rounds, until nothing moves. Without ``slips`` the books differ in UIDs, labels and formats
    only, and each knows all of everybody."""
    dice = random.Random(f"{seed} {people}")
    everybody = population(DE, people, dice)
    before = {remote: _fill(world, remote, everybody, dice, slips=slips) for remote in REMOTES}
    started = time.perf_counter()
    rounds = 1
    while world.round():
        rounds += 1
        assert rounds <= MOST_ROUNDS, "it does not come to rest"
    seconds = time.perf_counter() - started
    owners = Owners((number, card) for cards in before.values() for number, card in cards)
    known = list(world.engine.contacts())
    free = [stored.contact for stored in known if not stored.held]
    return Outcome(
        people=people,
        rounds=rounds,
        contacts=len(known),
        held=world.engine.status()["held"],
        mixed=[stored.contact for stored in known if not owners.of(stored.contact)],
        missed=_several(owners, free),
        copies={remote: _several(owners, world.shown(remote)) for remote in REMOTES},
        seconds=seconds,
    )


def _several(owners: Owners, contacts: Iterable[Contact]) -> int:
    """How many people have more than one of these."""
    return sum(count > 1 for count in Counter(min(owners.of(one), default=-1) for one in contacts).values())


def _fill(
    world: World, remote: str, everybody: list[Person], dice: random.Random, *, slips: bool
) -> list[tuple[int, Contact]]:
    cards = []
    for number in dice.sample(range(len(everybody)), len(everybody)):
        uid = f"{remote}-{dice.getrandbits(64):016x}"
        known = MUCH if slips else dict.fromkeys(KNOWN, 1.0)
        card = view(everybody[number], DE, dice, uid=uid, known=known, slips=slips)
        world.fill(remote, card)
        cards.append((number, card))
    return cards


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The same people at three remotes meet on one device.")
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alike", action="store_true", help="they differ in UIDs, labels and formats only")
    options: Any = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.radicale() as radicale,
        world(Path(folder), radicale, radicale.make_book("three")) as found,
    ):
        outcome = run(found, options.people, options.seed, slips=not options.alike)
    print("\n".join(outcome.told()))
    return 1 if outcome.mixed else 0


if __name__ == "__main__":
    sys.exit(main())
