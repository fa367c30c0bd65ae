"""The demo: two devices and a server with invented people, edits on all sides, and a check.

It uses nothing that a person could not use: real engines, a real CardDAV server, real files.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from contactsync.api import Engine
from contactsync.config import AccountConfig, PasswordSource, add_account, load
from contactsync.connectors.base import AccountSettings, Connector, Create, Step, Stored, Update
from contactsync.connectors.registry import create
from contactsync.engine.demo_check import Ledger, disagreements
from contactsync.engine.demo_server import BOOK, PASSWORD, USER, DemoServer, demo_server
from contactsync.errors import StoreError
from contactsync.exchange.importer import import_sources
from contactsync.model.contact import Contact, Extra, Note, Phone, Title
from contactsync.store.values import StoredConflict
from contactsync.vcard.lines import split_cards

ROUNDS = 6
ON_PHONE = 12
"""So many of the people are imported on the phone; the others are at the server from the start."""

GREETING = """\
contactsync keeps address books the same, on devices and servers, and loses no edit.
This demo runs on this machine only, with invented people."""

Change = Callable[[Contact], Contact]


def run_demo(out: TextIO, *, keep: bool = False) -> int:
    """Show the main job on ``out``. 0 when all replicas agree and nothing was lost, else 1.

    Nothing is left behind, unless ``keep``. Raises `UsageError` where the server is not installed.
    """
    folder = Path(tempfile.mkdtemp(prefix="contactsync-demo-"))
    try:
        with demo_server(folder / "server") as server, _Stage(out, folder, server) as stage:
            result = stage.play()
        if keep:
            _say_where(out, folder, server)
        return result
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _say_where(out: TextIO, folder: Path, server: DemoServer) -> None:
    phone = folder / "Phone"
    program = f"contactsync --config {phone / 'config.toml'} --data-dir {phone}"
    lines = (
        "",
        f"Everything is kept in {folder}. To play with it, start the server again:",
        f"  {shlex.join(server.command)}",
        "and in another window, for example (Laptop is there too):",
        f"  {program} contact list",
        f"  {program} conflict list",
        f"  {program} sync",
        f"When you are done: rm -r {folder}",
    )
    _print(out, "\n".join(lines))


def _print(out: TextIO, text: str) -> None:
    """Names in all scripts, also on a terminal that knows only some."""
    encoding = getattr(out, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=out, flush=True)


def sample_cards() -> list[bytes]:
    """The invented people: beside this file when installed, in fixtures/ of a source tree."""
    here = Path(__file__).resolve()
    for path in (here.with_name("demo.vcf"), here.parents[2] / "fixtures" / "vcards" / "demo.vcf"):
        if path.is_file():
            return [card.data for card in split_cards(path.read_bytes())]
    raise StoreError("The sample contacts of the demo are missing.", hint="Install contactsync again.")


@dataclass(slots=True)
class _Device:
    name: str
    engine: Engine

    def contact(self, name: str) -> Contact:
        return self.engine.hub.with_names(self.engine.contact(name).contact)

    def cards(self) -> dict[str, Contact]:
        """Each contact by the href of its card."""
        found = {}
        for stored in self.engine.contacts():
            links = [link for link in self.engine.store.links.of_contact(stored.id) if link.state == "ok"]
            href = links[0].href if links else f"(not at the server) {stored.uid}"
            found[href] = self.engine.hub.with_names(stored.contact)
        return found


@dataclass(slots=True)
class _Stage:
    """The devices, the other program at the server, and what was set so far."""

    out: TextIO
    folder: Path
    server: DemoServer
    ledger: Ledger = field(default_factory=Ledger)
    steps: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)
    phone: _Device = field(init=False)
    laptop: _Device = field(init=False)
    other: Connector = field(init=False)

    def __enter__(self) -> _Stage:
        self.phone, self.laptop = self._device("Phone"), self._device("Laptop")
        settings = AccountSettings(
            "other", "carddav", url=self.server.url, username=USER, password=lambda: PASSWORD
        )
        self.other = create(settings)
        self._stack.callback(self.other.close)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _device(self, name: str) -> _Device:
        home = self.folder / name
        home.mkdir(mode=0o700)
        secret = home / "password"
        secret.touch(mode=0o600)
        secret.write_text(PASSWORD + "\n", encoding="utf-8")
        account = AccountConfig(
            "home", "carddav", url=self.server.url, username=USER, password=PasswordSource.from_file(secret)
        )
        add_account(home / "config.toml", account)
        return _Device(name, self._stack.enter_context(Engine(load(home / "config.toml"), home)))

    # --- words ---

    def say(self, text: str) -> None:
        _print(self.out, f"    {text}")

    def title(self, text: str) -> None:
        self.steps += 1
        _print(self.out, f"\n{self.steps}. {text}")

    # --- the play ---

    def play(self) -> int:
        _print(self.out, GREETING)
        self._begin()
        self._first_sync()
        self._edit_apart()
        self._show_plan()
        quiet = self._sync_to_quiet()
        self._show_conflicts()
        return self._check(quiet)

    def _begin(self) -> None:
        self.title("Two devices and a CardDAV server")
        cards = sample_cards()
        file = self.folder / "people.vcf"
        file.write_bytes(b"".join(cards[:ON_PHONE]))
        report = import_sources(self.phone.engine, [str(file)])
        self.say(f"Phone: imported {report.new} contacts from a .vcf file.")
        with self._rewriting() as write:
            for number, card in enumerate(cards[ON_PHONE:], 1):
                write.append(Create(number, f"other-app-{number}", "", card))
        self.say(f"Server: another app put {len(cards) - ON_PHONE} contacts there ({self.server.url}).")
        self.say("Laptop: empty.")
        # As the server keeps them: it has its own ways with what other apps put there.
        for _, card in self._at_server().values():
            self.ledger.add(self.other.codec.read(card))
        for contact in self.phone.cards().values():
            self.ledger.add(contact)

    @contextmanager
    def _rewriting(self) -> Iterator[list[Step]]:
        """Collects what the other program does at the server, and does it."""
        steps: list[Step] = []
        yield steps
        for outcome in self.other.write(BOOK, steps):
            if not isinstance(outcome, Stored):
                raise StoreError(f"The demo's server did not take a sample card: {outcome}")

    def _first_sync(self) -> None:
        self.title("The first sync: both halves come together on both devices")
        sends, fetches = self.phone.engine.first_sync("home")
        self.say(f"Phone asks first: it would send {sends} contacts and fetch {fetches}.")
        self._sync(self.phone)
        self._sync(self.laptop)
        count = len(self.phone.engine.contacts())
        self.say(f"Phoebe Marsh was on both sides with the same e-mail: one contact, {count} in all.")

    def _edit_apart(self) -> None:
        self.title("Edits on all sides while nobody is connected")
        asa, mueller, rory = "Åsa Lindqvist", "Dr. Jürgen Müller", "Rory Doyle"
        self.say(f"Phone:  {asa} gets a second phone number.")
        self._edit(self.phone, asa, lambda c: replace(c, phones=(*c.phones, Phone("+46 70 174 06 99"))))
        self.say(f"Laptop: {asa} gets another work e-mail. A different field: both will stay.")
        self._edit(self.laptop, asa, _new_work_email)
        self.say(f"Phone:  {mueller} becomes 'Abteilungsleiter'.")
        self._edit(self.phone, mueller, lambda c: replace(c, titles=(Title("Abteilungsleiter"),)))
        self.say(f"Laptop: {mueller} becomes 'Institutsleiter'. The same field: a conflict.")
        self._edit(self.laptop, mueller, lambda c: replace(c, titles=(Title("Institutsleiter"),)))
        self.say(f"Phone:  {rory} is deleted.")
        self.phone.engine.delete([rory])
        self.say(f"Laptop: {rory} gets a note. An edit beats a deletion that did not know of it.")
        self._edit(self.laptop, rory, lambda c: replace(c, notes=(Note("Moved to Cork."),)))
        self.say("Laptop: the Harbour Bakery is deleted. Nobody edits it: it goes everywhere.")
        self._delete(self.laptop, "Harbour Bakery")
        self.say("Laptop: the group 'Friends' is renamed to 'Close friends'.")
        self._rename("Friends", "Close friends")
        self._edit_at_server("Tane Rewi")

    def _edit(self, device: _Device, name: str, change: Change) -> None:
        before = device.contact(name)
        after = change(before)
        device.engine.put([after])
        self.ledger.edit(before, after)

    def _delete(self, device: _Device, name: str) -> None:
        self.ledger.edit(device.contact(name), Contact())
        device.engine.delete([name])

    def _rename(self, old: str, new: str) -> None:
        self.laptop.engine.rename_group(old, new)
        self.ledger.edit(Contact(groups=frozenset({old})), Contact(groups=frozenset({new})))

    def _edit_at_server(self, name: str) -> None:
        """Another program writes a property that contactsync has never heard of."""
        self.say(f"Server: another app notes the favourite colour of {name}, in a property of its own.")
        for href, (etag, card) in self._at_server().items():
            before = self.other.codec.read(card)
            if before.display == name:
                after = replace(before, extra=(*before.extra, Extra("X-FAVOURITE-COLOUR", "teal")))
                with self._rewriting() as write:
                    write.append(Update(1, href, etag, self.other.codec.write(after, card)))
                self.ledger.edit(before, after)

    def _at_server(self) -> dict[str, tuple[str | None, bytes]]:
        """Etag and bytes of every card, as another program reads them."""
        hrefs = [c.href for page in self.other.changes(BOOK, None) for c in page.changes if not c.gone]
        cards = self.other.fetch(BOOK, hrefs)
        return {card.href: (card.etag, card.payload) for card in cards if card.payload is not None}

    def _show_plan(self) -> None:
        self.title("What a sync would do: contactsync sync --dry-run, on the Laptop")
        (account,) = self.laptop.engine.sync(dry_run=True).accounts
        for line in account.plan:
            self.say(f"{line.action} {line.name} ({'here' if line.side == 'device' else 'at the server'})")
            for path, old, new in line.changes[:4]:
                self.say(f"    {path}: {old or '-'} -> {new or '-'}")
            if not line.changes:
                self.say("    the new name of its group")

    def _sync_to_quiet(self) -> bool:
        self.title("Sync until nothing moves any more")
        for _ in range(ROUNDS):
            moved = [self._sync(device) for device in (self.phone, self.laptop)]
            if not any(moved):
                return True
        return False

    def _sync(self, device: _Device) -> bool:
        """One round; whether it moved anything."""
        (account,) = device.engine.sync().accounts
        if account.state != "ok":
            raise StoreError(f"{device.name} could not sync: {account.message}")
        (book,) = account.books
        parts = [
            f"{word} {number}"
            for counts, words in ((book.pulled, ("new", "changed", "gone")), (book.pushed, _SENT))
            for word, number in zip(words, (counts.created, counts.updated, counts.deleted), strict=True)
            if number
        ]
        parts += [f"{error.name}: {error.reason}" for error in book.errors]
        self.say(f"{device.name + ':':7} {', '.join(parts) or 'nothing to do'}")
        return bool(parts)

    def _show_conflicts(self) -> None:
        self.title("What was decided, and how to take it back")
        for device, conflict in self._conflicts():
            kept, lost = conflict.local, conflict.remote
            if conflict.winner == "remote":
                kept, lost = lost, kept
            take = "device" if conflict.winner == "remote" else "remote"
            self.say(f"{device.name}: {conflict.name}, {conflict.path.split('/')[0]}")
            self.say(f"    kept {_short(kept)}, not {_short(lost)}")
            self.say(f"    the other way: contactsync conflict resolve {conflict.id} --take {take}")

    def _conflicts(self) -> list[tuple[_Device, StoredConflict]]:
        return [(d, c) for d in (self.phone, self.laptop) for c in d.engine.conflicts()]

    def _check(self, quiet: bool) -> int:
        self.title("The check")
        phone, laptop = self.phone.cards(), self.laptop.cards()
        codec = self.other.codec
        server = {href: codec.read(card) for href, (_, card) in self._at_server().items()}
        shown = {href: codec.project(contact) for href, contact in phone.items()}
        problems = [] if quiet else [f"something still moves after {ROUNDS} rounds"]
        problems += disagreements("Phone", phone, "Laptop", laptop)
        problems += disagreements("Phone", shown, "Server", server)
        replicas = (*phone.values(), *laptop.values(), *server.values())
        lost = self.ledger.lost(replicas, [conflict for _, conflict in self._conflicts()])
        problems += [f"lost: {text}" for text in lost]
        for problem in problems:
            self.say(problem)
        if problems:
            self.say("This is not as it should be. That is a mistake of contactsync: please report it.")
            return 1
        self.say(f"Phone, Laptop and server agree on all {len(phone)} contacts.")
        self.say(f"All {len(self.ledger.values)} values that anybody set are there, or in a conflict record.")
        return 0


_SENT = ("sent new", "sent changes", "sent deletions")


def _new_work_email(contact: Contact) -> Contact:
    emails = [
        replace(email, address="asa.lindqvist@example.com") if "work" in email.contexts else email
        for email in contact.emails
    ]
    return replace(contact, emails=tuple(emails))


def _short(value: object) -> str:
    """One side of a conflict for people."""
    if value is None:
        return "the deletion"
    if isinstance(value, dict):
        found = next((value[key] for key in ("name", "address", "number", "text") if key in value), value)
        return "the contact as edited" if isinstance(found, dict) else repr(found)
    return repr(value)
