"""The doctor: looks at everything a person cannot see, and says what to do. It repairs nothing."""

from __future__ import annotations

import functools
import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from contactsync.config import AccountConfig, Config, load
from contactsync.connectors.base import Collection, Connector, Describing, Local
from contactsync.connectors.registry import origin_of, refused
from contactsync.engine.backup import backups
from contactsync.errors import ConfigError, ContactSyncError
from contactsync.frozen import frozen
from contactsync.model.fields import FIELD
from contactsync.store.files import file_of
from contactsync.store.store import Store

LITTLE_SPACE = 200_000_000


@frozen
class Finding:
    """One thing that was looked at. ``hint`` says what to do where it is not ``ok``."""

    ok: bool
    subject: str
    message: str
    hint: str = ""


class Patient(Protocol):
    """What the doctor needs of an open engine; `contactsync.api.Engine` is one."""

    @property
    def config(self) -> Config: ...

    @property
    def data_dir(self) -> Path: ...

    @property
    def store(self) -> Store: ...

    def connect(self, account: AccountConfig) -> Connector: ...

    def password(self, account: AccountConfig) -> str: ...


def doctor(engine: Patient, name: str | None = None) -> list[Finding]:
    """Look at this device and at all accounts, or at the account ``name`` only.

    Raises `UsageError` for an account that is not there; every failure of a check is a finding.
    """
    accounts = [engine.config.account(name)] if name else list(engine.config.accounts)
    found: list[Finding] = []
    if name is None:
        found += _device(engine)
    for account in accounts:
        found += _checked(account.name, functools.partial(_account, engine, account))
    return found


def _device(engine: Patient) -> list[Finding]:
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("configuration", lambda: _configuration(engine.config.path)),
        ("data directory", lambda: _private(engine.data_dir)),
        ("database", lambda: _database(engine.store)),
        ("disk", lambda: _disk(engine.data_dir)),
        ("contacts", lambda: _waiting(engine.store)),
        ("connectors", _connectors),
        ("backups", lambda: _backups(engine.data_dir / "backups")),
    )
    return [finding for subject, check in checks for finding in _checked(subject, check)]


def _checked(subject: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """The findings of a check, up to the one that ended it."""
    found = []
    try:
        for finding in check():
            found.append(finding)
    except ContactSyncError as error:
        found.append(Finding(False, subject, str(error.args[0]), error.hint))
    except Exception as error:
        # A doctor who falls ill helps nobody: whatever it is, the other checks go on.
        found.append(Finding(False, subject, f"This check failed: {type(error).__name__}: {error}."))
    return found


def _configuration(path: Path) -> Iterator[Finding]:
    if not path.exists():
        hint = "Add an account: contactsync account add carddav NAME --url URL"
        yield Finding(True, "configuration", f"There is no {path} yet.", hint)
        return
    try:
        accounts = len(load(path).accounts)
        yield Finding(True, "configuration", f"{path} is sound and has {accounts} account(s).")
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(False, "configuration", problem, error.hint)
    if _mode(path) & stat.S_IWGRP:
        yield Finding(False, "configuration", f"Other users may change {path}.", f"Run: chmod go-w {path}")


def _mode(path: Path) -> int:
    """The permissions; none where the platform has no such thing."""
    return stat.S_IMODE(path.stat().st_mode) if os.name == "posix" else 0


def _private(folder: Path) -> Iterator[Finding]:
    """The folder is closed to others, and so is all that stands in it."""
    if not folder.is_dir():
        yield Finding(False, "data directory", f"There is no folder {folder}.", "It is made by any command.")
        return
    if _mode(folder) & 0o077:
        yield Finding(
            False, "data directory", f"Other users can look into {folder}.", f"Run: chmod 700 {folder}"
        )
    else:
        yield Finding(True, "data directory", f"{folder} is for you alone.")
    if not os.access(folder, os.W_OK):
        yield Finding(False, "data directory", f"{folder} cannot be written.", "Check its owner.")


def _database(store: Store) -> Iterator[Finding]:
    path = file_of(store.db.url)
    if path is not None and _mode(path) & 0o077:
        yield Finding(False, "database", f"Other users can read {path}.", f"Run: chmod 600 {path}")
    problems = store.db.check()
    hint = "Restore a copy: contactsync backup list"
    yield from (Finding(False, "database", problem, hint) for problem in problems)
    if not problems:
        yield Finding(True, "database", f"It is sound and has {store.contacts.count()} contacts.")


def _disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    enough = free >= LITTLE_SPACE
    yield Finding(enough, "disk", f"{free // 1_000_000} MB are free.", "" if enough else "Make room.")


def _waiting(store: Store) -> Iterator[Finding]:
    """What does not go on by itself."""
    aside = store.keepsakes.quarantined()
    for held in aside[:10]:
        where = held.href or held.source
        yield Finding(
            False, "set aside", f"{held.name} ({where}): {held.reason}", "It is tried again when it changes."
        )
    if len(aside) > 10:
        yield Finding(False, "set aside", f"{len(aside) - 10} more cards could not be used.")
    doubts = store.journal.in_doubt()
    if doubts:
        hint = "The next round looks: contactsync sync"
        yield Finding(False, "in doubt", f"{doubts} write(s) were sent without an answer.", hint)
    held_contacts = store.contacts.count_held()
    if held_contacts:
        hint = "If two are the same person: contactsync contact merge ID ID"
        yield Finding(True, "held", f"{held_contacts} contact(s) may be doubles and go nowhere else.", hint)
    conflicts = store.journal.open_conflicts()
    if conflicts:
        yield Finding(True, "conflicts", f"{conflicts} wait for you.", "contactsync conflict review")


def _backups(folder: Path) -> Iterator[Finding]:
    found = backups(folder)
    if found:
        last = found[-1]
        made = f"There are {len(found)} of address books, the last one from {last.made_at:%Y-%m-%d}."
        yield Finding(True, "backups", made)
    else:
        yield Finding(True, "backups", "None yet; one is made before the first write to an address book.")


def _connectors() -> Iterator[Finding]:
    """Other distributions that offer what is not used."""
    for _, why in refused():
        yield Finding(False, "connectors", why, "Uninstall it, unless you know what it is for.")


def _account(engine: Patient, account: AccountConfig) -> Iterator[Finding]:
    """The secret, then the login, then the books; one that fails makes the rest pointless."""
    if account.paused:
        hint = f"contactsync account resume {account.name}"
        yield Finding(True, account.name, "It is paused and not looked at.", hint)
        return
    if origin := origin_of(account.connector):
        yield Finding(True, account.name, f"Its connector {account.connector} is that of {origin}.")
    yield from _secret(engine, account)
    connector = engine.connect(account)
    try:
        verb = "It uses" if isinstance(connector, Local) else "Logged in as"
        yield Finding(True, account.name, f"{verb} {connector.check()}.")
        books = list(connector.collections())
        yield from _books(account, books)
        chosen = [book for book in books if account.selects(book.name, book.href)]
        if isinstance(connector, Describing) and chosen:
            for fact in connector.about(chosen[0].href):
                yield Finding(fact.ok, account.name, fact.text, fact.means)
    finally:
        connector.close()
    yield from _habits(engine.store, account)


def _secret(engine: Patient, account: AccountConfig) -> Iterator[Finding]:
    if account.username or account.password is not None:
        engine.password(account)
        yield Finding(True, account.name, "The password is where it should be.")


def _books(account: AccountConfig, books: list[Collection]) -> Iterator[Finding]:
    chosen = [book for book in books if account.selects(book.name, book.href)]
    if not chosen:
        hint = f"contactsync account books {account.name}"
        yield Finding(False, account.name, "None of its address books is selected, or there is none.", hint)
    for book in chosen:
        yield Finding(True, account.name, f"{book.name}: {'can' if book.writable else 'cannot'} be written.")
    named = {*(book.name for book in books), *(book.href for book in books)}
    for missing in sorted({*account.books, account.default_book} - named - {""}):
        hint = f"contactsync account books {account.name}"
        yield Finding(False, account.name, f"There is no address book {missing!r} any more.", hint)


def _habits(store: Store, account: AccountConfig) -> Iterator[Finding]:
    """What this server was seen not to keep (L12)."""
    books = {book.id for book in store.books.of_account(account.name, selected_only=False)}
    lost = [paths for _, book, paths in store.links.with_losses() if book in books]
    words = (word.split("/")[0] for paths in lost for word in paths.split("\n"))
    fields = Counter(word for word in words if word in FIELD)
    if fields:
        what = ", ".join(f"{name} ({count})" for name, count in fields.most_common(5))
        yield Finding(
            True, account.name, f"It does not keep all values: {what}.", "They stay on this device."
        )
