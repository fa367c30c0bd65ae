"""Devices for the scenarios: real engines with a database each, in front of one server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, Config
from contactsync.engine.report import AccountReport, BookReport
from contactsync.model.contact import Contact, Email, Name, NameComponent, Phone, Title
from contactsync.sync.brakes import Limits
from tests.servers import Server


@dataclass
class Device:
    """One device: `sync` makes a round and checks that it went well."""

    folder: Path
    server: Server
    account: AccountConfig
    hooks: Hooks = field(default_factory=Hooks)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        password = self.server.password
        self.hooks = replace(self.hooks, password=lambda account: password)
        self.engine = self.open()

    def open(self) -> Engine:
        return Engine(
            Config(self.folder / "config.toml", accounts=(self.account,)), self.folder, hooks=self.hooks
        )

    def report(self, **options: object) -> AccountReport:
        return self.engine.sync(**options).accounts[0]  # type: ignore[arg-type]

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

    def everyone(self) -> dict[str, Contact]:
        return {s.uid: self.engine.hub.with_names(s.contact) for s in self.engine.contacts()}

    def close(self) -> None:
        self.engine.close()


def account_for(server: Server, *books: str, **more: object) -> AccountConfig:
    """An account on this server, restricted to these books (hrefs) when given."""
    settings = {"url": server.base_url + server.principal, "username": server.user, "books": books, **more}
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


ANYTHING = Limits(enabled=False)
