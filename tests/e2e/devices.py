"""Devices for the scenarios: real engines with a database each, in front of one server."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, Config
from contactsync.connectors.memory import MemoryConnector, MemoryServer
from contactsync.engine.report import AccountReport, BookReport, RunReport
from contactsync.model.contact import Contact, Email, Name, NameComponent, Phone, Title
from contactsync.store.values import StoredLink
from contactsync.sync.brakes import Limits
from contactsync.vcard.codec import VCardCodec
from tests.servers import Server

AnyServer = Server | MemoryServer


@dataclass
class Device:
    """One device: `sync` makes a round and checks that it went well."""

    folder: Path
    server: AnyServer
    account: AccountConfig
    hooks: Hooks = field(default_factory=Hooks)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(self.server, MemoryServer):
            memory = self.server
            connect = self.hooks.connect or (lambda settings: MemoryConnector(memory, VCardCodec()))
            self.hooks = replace(self.hooks, connect=connect)
        elif self.hooks.password is None:
            password = self.server.password
            self.hooks = replace(self.hooks, password=lambda account: password)
        self.engine = self.open()

    def open(self) -> Engine:
        return Engine(
            Config(self.folder / "config.toml", accounts=(self.account,)), self.folder, hooks=self.hooks
        )

    def run(self, **options: object) -> RunReport:
        return self.engine.sync(**options)  # type: ignore[arg-type]

    def report(self, **options: object) -> AccountReport:
        return self.run(**options).accounts[0]

    def sync(self, **options: object) -> BookReport:
        """A round that must go well; the report of its only book (or the first)."""
        report = self.report(**options)
        assert report.state == "ok", report.message
        assert not any(book.errors for book in report.books), report.books
        return report.books[0]

    def quiet(self) -> bool:
        """A round in which nothing is pulled and nothing pushed."""
        report = self.report()
        assert report.state == "ok", report.message
        return not any(book.pulled or book.pushed or book.conflicts for book in report.books)

    def contact(self, uid: str) -> Contact:
        stored = self.engine.store.contacts.by_uid(uid)
        assert stored is not None and not stored.deleted, uid
        return self.engine.hub.with_names(stored.contact)

    def edit(self, uid: str, change: Callable[[Contact], Contact]) -> None:
        self.engine.put([change(self.contact(uid))])

    def links(self, uid: str) -> list[StoredLink]:
        """The cards of a contact that count, in any book."""
        stored = self.engine.store.contacts.by_uid(uid)
        assert stored is not None, uid
        found = self.engine.store.links.of_contact(stored.id)
        return [link for link in found if link.state not in ("deleted", "left", "away")]

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of the database; without the run log, cursors and the time of the last look."""
        return dump(self.folder / "contacts.db")

    def everyone(self) -> dict[str, Contact]:
        return {s.uid: self.engine.hub.with_names(s.contact) for s in self.engine.contacts()}

    def close(self) -> None:
        self.engine.close()


_RESTLESS = {
    "collection": {"cursor", "cursor_at"},
    "account": {"ran_at", "books_read_at", "quiet_run", "next_due", "failures", "rules"},
}


def dump(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """What L36 and P4 want unchanged, by table."""
    with closing(sqlite3.connect(database)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('run', 'sqlite_sequence')"
        )
        found = {}
        for (name,) in names.fetchall():
            columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')]
            kept = ", ".join(f'"{c}"' for c in columns if c not in _RESTLESS.get(name, ()))
            found[name] = connection.execute(f'SELECT {kept} FROM "{name}" ORDER BY rowid').fetchall()
        return found


def account_for(server: AnyServer, *books: str, **more: object) -> AccountConfig:
    """An account on this server, restricted to these books (hrefs) when given."""
    if isinstance(server, MemoryServer):
        return AccountConfig("home", "memory", books=books, **more)  # type: ignore[arg-type]
    settings = {
        "url": server.base_url + server.principal,
        "username": server.user,
        "books": books,
        "ca_file": server.ca_file,
        **more,
    }
    return AccountConfig("home", "carddav", **settings)  # type: ignore[arg-type]


def person(number: int, **more: object) -> Contact:
    """An invented contact; the same for the same number."""
    name = f"Person{number:03d}"
    content = {
        "uid": f"uid-{number:03d}",
        "name": Name((NameComponent("given", name), NameComponent("surname", "Tester")), f"{name} Tester"),
        "emails": (Email(f"{name.lower()}@example.org", frozenset({"work"})),),
        "phones": (Phone(f"+49 30 555 {number:04d}", frozenset({"private"}), frozenset({"cell"})),),
        "titles": (Title(f"Title {number}"),),
        **more,
    }
    return Contact(**content)  # type: ignore[arg-type]


def calm(*devices: Device) -> None:
    """Edits have stopped: two full rounds later nothing moves any more (P3, P4)."""
    for _ in range(2):
        for device in devices:
            device.sync()
    for _ in range(2):
        for device in devices:
            before = device.dump()
            assert device.quiet()
            assert device.dump() == before


def dies_at(boundary: str) -> Callable[[str], None]:
    """A `Hooks.step` that ends the round at this boundary, as a kill would."""

    def step(name: str) -> None:
        if name == boundary:
            raise KeyboardInterrupt

    return step


def card(uid: str, name: str = "", *lines: str, version: str = "3.0") -> bytes:
    """A card as another client writes it."""
    name = name or uid.capitalize()
    head = ("BEGIN:VCARD", f"VERSION:{version}", f"UID:{uid}", f"FN:{name}", f"N:{name};;;;")
    return "\r\n".join((*head, *lines, "END:VCARD", "")).encode()


def cards(server: AnyServer, book: str) -> dict[str, bytes]:
    """Path and bytes of every card in a book."""
    return {path: server.get(path) or b"" for path in server.etags(book)}


def read_all(server: AnyServer, book: str) -> list[tuple[str, Contact]]:
    """Path and meaning of every card in a book."""
    return [(path, VCardCodec().read(payload)) for path, payload in payloads(server, book).items()]


def payloads(server: AnyServer, book: str) -> dict[str, bytes]:
    """Path and card of everybody in a book, by one request where it goes over a network."""
    if isinstance(server, MemoryServer):
        return cards(server, book)
    headers = {"Depth": "1", "Content-Type": "application/xml"}
    answer = server.request("REPORT", book, data=_QUERY, headers=headers)
    answer.raise_for_status()
    rows = ElementTree.fromstring(answer.content).iter("{DAV:}response")
    found = [(row.findtext("{DAV:}href"), row.findtext(f".//{_CARDDAV}address-data")) for row in rows]
    return {path: data.encode() for path, data in found if path and data}


_CARDDAV = "{urn:ietf:params:xml:ns:carddav}"
_QUERY = (
    '<C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:getetag/>'
    "<C:address-data/></D:prop></C:addressbook-query>"
)


def uids(server: AnyServer, book: str) -> list[str]:
    """The UID of every card, with repeats."""
    return sorted(view.uid for _, view in read_all(server, book))


def uid_of(payload: bytes) -> str:
    return VCardCodec().read(payload).uid


def path_of(server: AnyServer, book: str, uid: str) -> str:
    """Where the only card with this UID is."""
    (path,) = (path for path, view in read_all(server, book) if view.uid == uid)
    return path


def fill(server: AnyServer, book: str, payloads: Iterable[bytes]) -> None:
    """Another client's cards, each at a path that its UID names."""
    with ThreadPoolExecutor(1 if isinstance(server, MemoryServer) else 4) as pool:
        list(pool.map(lambda payload: server.put(f"{book}{uid_of(payload)}.vcf", payload), payloads))


ANYTHING = Limits(enabled=False)
