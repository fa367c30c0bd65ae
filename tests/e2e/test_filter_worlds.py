"""Random edits on both sides of a filter, with lost answers, refusals and deaths: nobody is doubled, no line
of a note is lost, and whoever is in the filter is the same on both sides."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from contactsync.api import Hooks
from contactsync.config import BookConfig
from contactsync.connectors.memory import Habits, MemoryServer
from contactsync.model.contact import Contact, Note
from contactsync.testing.faults import Crash
from contactsync.vcard.codec import VCardCodec
from tests.e2e.devices import Device, account_for, calm, card, person

BOOK = "/contacts/"
CODEC = VCardCodec()
FAMILY = frozenset({"Family"})
WORLDS = 25
DEATHS = ("decided", "committed", "sent", "answered", "recorded")


@dataclass
class World:
    """One device with a filter, and a book with another client."""

    device: Device
    server: MemoryServer
    chance: random.Random
    dying: list[str]
    people: int = 0
    lines: list[str] = field(default_factory=list)
    given_up: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        self.lines.append(f"line{len(self.lines)}")
        return self.lines[-1]

    def groups(self) -> frozenset[str]:
        return FAMILY if self.chance.random() < 0.6 else frozenset()

    # --- the device ---

    def create_here(self) -> None:
        self.people += 1
        new = person(self.people, groups=self.groups(), notes=(Note(self.line()),))
        self.device.engine.put([new])

    def note_here(self) -> None:
        if uid := self._anyone():
            self.device.edit(uid, lambda c: _with_line(c, self.line()))

    def group_here(self) -> None:
        if uid := self._anyone():
            self.device.edit(uid, lambda c: replace(c, groups=c.groups ^ FAMILY))

    def delete_here(self) -> None:
        if uid := self._anyone():
            self.device.engine.delete([uid])

    def _anyone(self) -> str:
        everyone = sorted(self.device.everyone())
        return self.chance.choice(everyone) if everyone else ""

    # --- the other client ---

    def create_there(self) -> None:
        """Somebody new, or somebody whom the device has and the book has not."""
        known = {CODEC.read(self.server.get(href) or b"").uid for href in self.server.etags(BOOK)}
        strangers = sorted(self.device.everyone().keys() - known)
        if strangers and self.chance.random() < 0.5:
            number = int(self.chance.choice(strangers).removeprefix("uid-"))
        else:
            self.people += 1
            number = self.people
        uid, name = f"uid-{number:03d}", f"Person{number:03d} Tester"
        more = ["CATEGORIES:Family"] if self.groups() else []
        self.server.put(f"{BOOK}their-{uid}.vcf", card(uid, name, f"NOTE:{self.line()}", *more))

    def note_there(self) -> None:
        self._rewrite(lambda view: _with_line(view, self.line()))

    def group_there(self) -> None:
        self._rewrite(lambda view: replace(view, groups=view.groups ^ FAMILY))

    def delete_there(self) -> None:
        if href := self._any_card():
            self.given_up.update(_lines(CODEC.read(self.server.get(href) or b"")))
            self.server.delete(href)

    def _any_card(self) -> str:
        hrefs = sorted(self.server.etags(BOOK))
        return self.chance.choice(hrefs) if hrefs else ""

    def _rewrite(self, change: Callable[[Contact], Contact]) -> None:
        if href := self._any_card():
            payload = self.server.get(href) or b""
            self.server.put(href, CODEC.write(change(CODEC.read(payload)), payload))

    # --- rounds ---

    def sync(self) -> None:
        habits = self.server.habits
        match self.chance.choice(["whole", "whole", "whole", "lost", "refused", "cut", "death"]):
            case "lost":
                habits.lose_replies = 1
            case "refused":
                habits.refuse = 1
            case "cut":
                habits.break_off = 1
            case "death":
                self.dying.append(self.chance.choice(DEATHS))
        try:
            self.device.run()
        except Crash:
            self.done["deaths"] += 1
            self.device.close()
            self.device.engine = self.device.open()
        self.dying.clear()

    def play(self, acts: int) -> None:
        for _ in range(acts):
            name = self.chance.choice(
                ["create_here", "note_here", "note_here", "group_here", "group_here", "delete_here"]
                + ["create_there", "note_there", "note_there", "group_there", "group_there", "delete_there"]
                + ["sync"] * 8
            )
            self.done[name] += 1
            getattr(self, name)()
        self.server.habits.lose_replies = self.server.habits.refuse = self.server.habits.break_off = 0
        calm(self.device)

    # --- the judge ---

    def problems(self) -> list[str]:
        here = list(self.device.everyone().values())
        there = [CODEC.read(self.server.get(href) or b"") for href in self.server.etags(BOOK)]
        return [
            *_doubles("here", here),
            *_doubles("there", there),
            *_strangers(here, there),
            *self._lost(there),
        ]

    def _lost(self, there: list[Contact]) -> list[str]:
        """Lines that are nowhere; who deletes a card at the remote has seen them."""
        trash = [stored.contact for stored in self.device.engine.trash()]
        kept = self.given_up.union(*map(_lines, (*self.device.everyone().values(), *there, *trash)))
        kept |= set(re.findall(r"line\d+", repr(self.device.engine.conflicts())))
        return [f"{line} is lost" for line in self.lines if line not in kept]


def _doubles(where: str, people: list[Contact]) -> list[str]:
    names = Counter(contact.display for contact in people)
    return [f"{name} is {count} times {where}" for name, count in names.items() if count > 1]


def _strangers(here: list[Contact], there: list[Contact]) -> list[str]:
    """Who is in the filter and not the same on both sides."""
    said = [{c.display: (_lines(c), c.groups) for c in side if c.groups & FAMILY} for side in (here, there)]
    ours, theirs = said
    names = sorted(ours.keys() | theirs.keys())
    return [f"{n}: {ours.get(n)} / {theirs.get(n)}" for n in names if ours.get(n) != theirs.get(n)]


def _with_line(contact: Contact, line: str) -> Contact:
    text = contact.notes[0].text if contact.notes else ""
    return replace(contact, notes=(Note(f"{text}\n{line}".strip()),))


def _lines(contact: Contact) -> set[str]:
    return set(contact.notes[0].text.split()) if contact.notes else set()


def play(seed: int, folder: Path) -> World:
    chance = random.Random(seed)
    incremental, proof, whole = (chance.random() < share for share in (0.7, 0.7, 0.3))
    habits = Habits(incremental=incremental, etag_on_write=proof, carry_payload=whole)
    server = MemoryServer(habits)
    dying: list[str] = []

    def step(name: str) -> None:
        if name in dying:
            dying.clear()
            raise Crash

    config = account_for(server, book=(BookConfig("contacts", only_groups=("Family",)),))
    device = Device(folder / str(seed), server, config, Hooks(step=step))
    world = World(device, server, chance, dying)
    try:
        world.play(40)
        assert world.problems() == [], f"seed {seed}"
    finally:
        device.close()
    return world


@pytest.mark.law("L26", "P1", "P2", "P3", "P4", "P5")
def test_no_random_world_with_a_filter_loses_or_doubles_anybody(tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    for seed in range(WORLDS):
        done += play(seed, tmp_path).done
    reached = ("group_here", "group_there", "delete_here", "delete_there", "deaths")
    assert min(done[name] for name in reached) > 10
