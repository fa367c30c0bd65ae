"""The configuration: TOML in, checked frozen values out, and edits that keep the person's comments.

The file is the truth about accounts; it never holds a secret, only where a secret is. All problems of
a file are found before any is reported, each with file and key. Reading uses `tomllib`; writing uses
tomlkit, checks the result with the same rules first, and replaces the file in one step.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
import stat
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import asdict, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from contactsync.calendar.texts import KINDS, alarm_of, problem_of
from contactsync.errors import ConfigError, StoreError, UsageError
from contactsync.frozen import frozen

APP = "contactsync"
MODES = ("two-way", "pull", "push", "mirror-pull", "mirror-push")
CONFLICTS = ("newest", "device", "remote", "ask")
#: Fields of which a filter may want a value; the names are those of the model.
SELECTABLE = (
    "addresses",
    "anniversaries",
    "emails",
    "groups",
    "links",
    "media",
    "name",
    "nicknames",
    "notes",
    "online_services",
    "organizations",
    "phones",
    "related_to",
    "titles",
)
ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
CALENDAR_LOGIN = "calendar:"

Table = Mapping[str, object]
Section = MutableMapping[str, Any]
"""A table of tomlkit, which is typed as a mapping of anything."""


@frozen
class PasswordSource:
    """Where the password of an account is: ``kind`` is command, file, env, keyring or vault.

    ``argv`` belongs to a command, ``place`` is the file's path or the variable's name.
    """

    kind: str
    argv: tuple[str, ...] = ()
    place: str = ""

    @classmethod
    def from_command_line(cls, command: str) -> PasswordSource:
        """The command as a person writes it in a shell, split into words; no shell ever runs it."""
        try:
            argv = tuple(shlex.split(command))
        except ValueError as error:
            raise UsageError(f"The password command cannot be split into words: {error}.") from error
        if not argv:
            raise UsageError("The password command is empty.")
        return cls("command", argv=argv)

    @classmethod
    def from_file(cls, path: Path) -> PasswordSource:
        return cls("file", place=str(path.expanduser().absolute()))


@frozen
class BookConfig:
    """What a person set for one book; an empty word means "as the account". ``group`` is what its cards are
    members of; ``only_`` is its filter: groups, fields and words, of which each that is given must fit."""

    name: str
    mode: str = ""
    conflicts: str = ""
    group: str = ""
    only_groups: tuple[str, ...] = ()
    only_with: tuple[str, ...] = ()
    only_query: str = ""

    @property
    def selects(self) -> bool:
        """Does it leave anybody out?"""
        return bool(self.only_groups or self.only_with or self.only_query)


@frozen
class AccountConfig:
    """One account. ``books`` are the selected names or hrefs (empty: all); ``password`` None means
    that the keyring and the vault are asked. ``settles_after``, ``sweep_after`` and ``give_up_after`` are in
    seconds; None is what the connector takes by itself. ``options`` are settings that only a connector by
    others knows, as they stand in the file."""

    name: str
    connector: str
    url: str = ""
    username: str = ""
    password: PasswordSource | None = None
    ca_file: str = ""
    client_cert: str = ""
    proxy: str = ""
    insecure_http: bool = False
    paused: bool = False
    default_book: str = ""
    mode: str = "two-way"
    conflicts: str = "newest"
    region: str = ""
    settles_after: int | None = None
    sweep_after: int | None = None
    requests_per_minute: int | None = None
    give_up_after: int | None = None
    options: Table = field(default_factory=dict)
    books: tuple[str, ...] = ()
    book: tuple[BookConfig, ...] = ()

    def selects(self, name: str, href: str) -> bool:
        """Whether the book of that name or href is synchronised."""
        return not self.books or name in self.books or href in self.books

    def for_book(self, name: str, href: str) -> BookConfig:
        """Mode and conflict policy of one book, with the account's filled in; the href is the
        stronger name, because two books can be called the same."""
        own = {book.name: book for book in self.book}
        book = own.get(href) or own.get(name) or BookConfig(name)
        return replace(
            book, name=name, mode=book.mode or self.mode, conflicts=book.conflicts or self.conflicts
        )

    @property
    def rules(self) -> str:
        """Modes, policies, filters and homes as one text: where it changes, all contacts are looked at."""
        own = [asdict(book) for book in self.book]
        return json.dumps([self.mode, self.conflicts, self.default_book, sorted(self.books), own])


@frozen
class CalendarConfig:
    """One calendar for birthdays and anniversaries: a ``file``, or the calendar ``href`` on the server of an
    ``account``, or on one at a ``url`` with a login of its own. ``summary`` has a text for each kind that is
    not shown by the usual one; ``alarm`` is as `contactsync.calendar.texts.alarm_of` reads it."""

    name: str
    file: str = ""
    account: str = ""
    href: str = ""
    url: str = ""
    username: str = ""
    password: PasswordSource | None = None
    ca_file: str = ""
    client_cert: str = ""
    proxy: str = ""
    insecure_http: bool = False
    kinds: tuple[str, ...] = ("birth", "wedding", "other")
    group: str = ""
    summary: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    alarm: str = ""

    @property
    def login(self) -> AccountConfig:
        """Its own login as an account, of a name that no account has."""
        return AccountConfig(
            name=f"{CALENDAR_LOGIN}{self.name}",
            connector="caldav",
            url=self.url,
            username=self.username,
            password=self.password,
            ca_file=self.ca_file,
            client_cert=self.client_cert,
            proxy=self.proxy,
            insecure_http=self.insecure_http,
        )


@frozen
class Settings:
    """Limits of the brake (L25), how long tombstones (L22) and the journal (L41) are kept, and the pause
    between two rounds of continuous sync, in seconds."""

    max_delete_count: int = 10
    max_delete_share: float = 0.2
    trash_days: int = 30
    journal_days: int = 365
    interval: int = 900


@frozen
class Config:
    """Settings and accounts; ``path`` is the file that they were read from, if there is one."""

    path: Path = Path()
    settings: Settings = Settings()
    accounts: tuple[AccountConfig, ...] = ()
    calendars: tuple[CalendarConfig, ...] = ()

    def calendar(self, name: str) -> CalendarConfig:
        """The calendar of that name; `UsageError` with the nearest names when there is none."""
        for calendar in self.calendars:
            if calendar.name == name:
                return calendar
        raise unknown_calendar(name, [calendar.name for calendar in self.calendars])

    def account(self, name: str) -> AccountConfig:
        """The account of that name; `UsageError` with the nearest names when there is none."""
        for account in self.accounts:
            if account.name == name:
                return account
        raise unknown_account(name, [account.name for account in self.accounts])


def unknown_account(name: str, known: Iterable[str]) -> UsageError:
    return UsageError(f"There is no account {name!r}.", hint=_did_you_mean(name, known))


def unknown_calendar(name: str, known: Iterable[str]) -> UsageError:
    return UsageError(f"There is no calendar {name!r}.", hint=_did_you_mean(name, known))


# --- places ---


def config_path(option: Path | None = None, env: Mapping[str, str] = os.environ) -> Path:
    """The configuration file: the option, ``CONTACTSYNC_CONFIG``, or the platform's place (XDG)."""
    if option is not None:
        return option.expanduser()
    if named := env.get("CONTACTSYNC_CONFIG"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir(APP, appauthor=False)) / "config.toml"


def data_dir(option: Path | None = None, env: Mapping[str, str] = os.environ) -> Path:
    """The data directory: the option, ``CONTACTSYNC_DATA_DIR``, or the platform's place (XDG)."""
    if option is not None:
        return option.expanduser()
    if named := env.get("CONTACTSYNC_DATA_DIR"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir(APP, appauthor=False))


def database_url(directory: Path, option: str = "") -> str:
    """The device database: the one that is named, or SQLite in the data directory."""
    return option or f"sqlite:///{quote(str((directory / 'contacts.db').absolute()))}"


def make_private_dir(path: Path) -> None:
    """Make a directory that only this person can look into; one that exists stays as it is. Raises
    `OSError`."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def make_data_dir(path: Path) -> None:
    """The same for the data directory; raises `StoreError`."""
    try:
        make_private_dir(path)
    except OSError as error:
        raise StoreError(
            f"The data directory {path} cannot be made: {error.strerror}.",
            hint="Name another one with --data-dir.",
        ) from error


# --- reading ---


def load(path: Path) -> Config:
    """Read and check the file; no file is an empty configuration. Raises `ConfigError`."""
    text = _read_text(path)
    return parse(text, path) if text is not None else Config(path)


def parse(text: str, path: Path) -> Config:
    """Check the text of a file at ``path`` (against which relative paths in it count)."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: this is not TOML: {error}."]) from error
    check = _Checker(path)
    config = check.config(document)
    if check.problems:
        raise ConfigError(check.problems)
    return config


def _read_text(path: Path) -> str | None:
    try:
        writable_by_all = path.stat().st_mode & stat.S_IWOTH
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: this is not UTF-8 text."]) from error
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}."]) from error
    if writable_by_all:
        # The file names commands that are run as this person.
        raise ConfigError([f"{path}: everybody on this machine can write it. Run: chmod 600 {path}"])
    return text


Reader = Callable[["_Checker", str, object], object]


class _Checker:
    """Reads tables and collects what is wrong with them; after a problem it goes on with a default."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []

    def wrong(self, key: str, message: str) -> None:
        self.problems.append(f"{self.path}: {key}: {message}")

    def config(self, document: Table) -> Config:
        self._known("", document, ("settings", "account", "calendar"))
        settings = self._read("settings", self.table("settings", document.get("settings", {})), SETTINGS)
        tables = self.table("account", document.get("account", {}))
        accounts = tuple(self.account(name, value) for name, value in tables.items())
        calendars = self.table("calendar", document.get("calendar", {}))
        return Config(
            self.path,
            Settings(**settings),  # type: ignore[arg-type]
            accounts,
            tuple(self.calendar(name, value, accounts) for name, value in calendars.items()),
        )

    def account(self, name: str, value: object) -> AccountConfig:
        key = f"account.{name}"
        if not ACCOUNT_NAME.fullmatch(name):
            self.wrong(key, "an account's name has letters, digits, '.', '_' and '-' only.")
        table = self.table(key, value)
        read = self._read(key, table, ACCOUNT)
        if "connector" not in table:
            self.wrong(key, 'connector is missing, for example connector = "carddav".')
        return AccountConfig(**{"connector": "", **read}, name=name)  # type: ignore[arg-type]

    def calendar(self, name: str, value: object, accounts: Iterable[AccountConfig]) -> CalendarConfig:
        key = f"calendar.{name}"
        if not ACCOUNT_NAME.fullmatch(name):
            self.wrong(key, "a calendar's name has letters, digits, '.', '_' and '-' only.")
        table = self.table(key, value)
        calendar = CalendarConfig(name=name, **self._read(key, table, CALENDAR))  # type: ignore[arg-type]
        if sum(place in table for place in ("file", "account", "url")) != 1:
            self.wrong(key, "must have exactly one of: file, account, url.")
        if "account" in table:
            self._account_of(f"{key}.account", calendar, accounts)
        return calendar

    def _account_of(self, key: str, calendar: CalendarConfig, accounts: Iterable[AccountConfig]) -> None:
        kinds = {account.name: account.connector for account in accounts}
        if calendar.account not in kinds:
            self.wrong(
                key, f"there is no account {calendar.account!r}. {_did_you_mean(calendar.account, kinds)}"
            )
        elif kinds[calendar.account] != "carddav":
            self.wrong(key, "must name a carddav account; others have no calendar that we can write.")
        if not calendar.href:
            self.wrong(key, "needs the key href; contactsync calendar add finds the calendar.")

    def table(self, key: str, value: object) -> Table:
        if isinstance(value, dict):
            return value
        self.wrong(key, "must be a table.")
        return {}

    def _read(self, key: str, table: Table, readers: Mapping[str, Reader]) -> dict[str, object]:
        """The keys that are there and known; an unreadable value counts as not there."""
        self._known(key, table, readers)
        read = {
            name: reader(self, f"{key}.{name}", table[name])
            for name, reader in readers.items()
            if name in table
        }
        return {name: value for name, value in read.items() if value is not None}

    def _known(self, key: str, table: Table, known: Iterable[str]) -> None:
        for name in table:
            if name not in known:
                where = f"{key}.{name}" if key else name
                self.wrong(where, f"unknown key. {_did_you_mean(name, known)}".strip())


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known are: {', '.join(known)}." if known else ""


def _text(check: _Checker, key: str, value: object) -> str | None:
    if isinstance(value, str) and value.isprintable():
        return value.strip()
    check.wrong(key, "must be a text of one line.")
    return None


def _flag(check: _Checker, key: str, value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    check.wrong(key, "must be true or false.")
    return None


def _words(check: _Checker, key: str, value: object) -> tuple[str, ...] | None:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    check.wrong(key, "must be a list of texts.")
    return None


def _field_names(check: _Checker, key: str, value: object) -> tuple[str, ...] | None:
    names = _words(check, key, value)
    for name in names or ():
        if name not in SELECTABLE:
            check.wrong(key, f"{name!r} is no field. {_did_you_mean(name, SELECTABLE)}".strip())
            return None
    return names


def _kinds(check: _Checker, key: str, value: object) -> tuple[str, ...] | None:
    kinds = _words(check, key, value)
    for kind in kinds or ():
        if kind not in KINDS:
            check.wrong(key, f"{kind!r} is no kind of day. There are: {', '.join(KINDS)}.")
            return None
    if kinds == ():
        check.wrong(key, f"must name at least one of: {', '.join(KINDS)}.")
    return kinds or None


def _template(check: _Checker, key: str, value: object) -> str | None:
    text = _text(check, key, value)
    problem = problem_of(text) if text is not None else ""
    if problem:
        check.wrong(key, problem)
        return None
    return text


def _summaries(check: _Checker, key: str, value: object) -> dict[str, str] | None:
    """One text for all kinds of days, or a table with one for each."""
    if not isinstance(value, dict):
        text = _template(check, key, value)
        return None if text is None else dict.fromkeys(KINDS, text)
    check._known(key, value, KINDS)
    texts = {kind: _template(check, f"{key}.{kind}", text) for kind, text in value.items() if kind in KINDS}
    return {kind: text for kind, text in texts.items() if text is not None}


def _alarm(check: _Checker, key: str, value: object) -> str | None:
    if isinstance(value, str) and (value == "" or alarm_of(value) is not None):
        return value
    check.wrong(key, 'must be like "9:00" (on the day), "1d" (a day before) or "1d 18:00".')
    return None


def _choice(*choices: str) -> Reader:
    def read(check: _Checker, key: str, value: object) -> str | None:
        if isinstance(value, str) and value in choices:
            return value
        hint = _did_you_mean(value, choices) if isinstance(value, str) else ""
        check.wrong(key, f"must be one of {', '.join(choices)}. {hint}".strip())
        return None

    return read


def _count(check: _Checker, key: str, value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    check.wrong(key, "must be a whole number, 0 or more.")
    return None


def _positive(check: _Checker, key: str, value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    check.wrong(key, "must be a whole number, 1 or more.")
    return None


SECONDS = {"s": 1, "m": 60, "h": 3600}
SHORTEST_INTERVAL = 10
LONGEST_INTERVAL = 86400


def seconds_of(text: str) -> int | None:
    """``90s``, ``15m`` or ``2h`` in seconds, from ten seconds to a day; None for anything else."""
    found = re.fullmatch(r"([0-9]{1,5})([smh])", text.strip())
    seconds = int(found[1]) * SECONDS[found[2]] if found else 0
    return seconds if SHORTEST_INTERVAL <= seconds <= LONGEST_INTERVAL else None


def _interval(check: _Checker, key: str, value: object) -> int | None:
    if isinstance(value, int) and SHORTEST_INTERVAL <= value <= LONGEST_INTERVAL:
        return value
    check.wrong(key, f"must be seconds, from {SHORTEST_INTERVAL} to {LONGEST_INTERVAL}.")
    return None


def _share(check: _Checker, key: str, value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    check.wrong(key, "must be a number from 0 to 1, for example 0.2 for a fifth.")
    return None


def _path(check: _Checker, key: str, value: object) -> str | None:
    """A file's path; a relative one counts from the folder of the configuration."""
    text = _text(check, key, value)
    if text == "":
        check.wrong(key, "must name a file.")
    return str(check.path.parent.absolute() / Path(text).expanduser()) if text else None


def _url(check: _Checker, key: str, value: object) -> str | None:
    text = _text(check, key, value)
    if text is None:
        return None
    try:
        secret = urlsplit(text).password
    except ValueError:
        check.wrong(key, "is not a URL.")
        return None
    if secret is not None:
        check.wrong(key, "has a password in it; a secret is never kept in this file.")
    return text


def _region(check: _Checker, key: str, value: object) -> str | None:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{2}|", value):
        return value.upper()
    check.wrong(key, 'must be a country code of two letters, for example "DE".')
    return None


def _password(check: _Checker, key: str, value: object) -> PasswordSource | None:
    """The value itself is never repeated in a message: it may be a password put in by mistake."""
    if not isinstance(value, dict):
        check.wrong(key, 'must say where the password is, like { file = "..." }; it is never kept here.')
        return None
    if len(value) != 1 or not set(value) <= set(PASSWORD):
        check.wrong(key, f"must have exactly one of: {', '.join(PASSWORD)}.")
        return None
    ((kind, place),) = value.items()
    return PASSWORD[kind](check, f"{key}.{kind}", place)


def _password_command(check: _Checker, key: str, value: object) -> PasswordSource | None:
    argv = _words(check, key, value)
    if argv is not None and not any(argv[:1]):
        check.wrong(key, "must name a program.")
    return PasswordSource("command", argv=argv) if argv else None


def _password_file(check: _Checker, key: str, value: object) -> PasswordSource | None:
    place = _path(check, key, value)
    return PasswordSource("file", place=place) if place else None


def _password_env(check: _Checker, key: str, value: object) -> PasswordSource | None:
    place = _text(check, key, value)
    if place == "":
        check.wrong(key, "must name an environment variable.")
    return PasswordSource("env", place=place) if place else None


def _password_kept(kind: str) -> Callable[[_Checker, str, object], PasswordSource | None]:
    def read(check: _Checker, key: str, value: object) -> PasswordSource | None:
        if value is not True:
            check.wrong(key, "can only be true.")
        return PasswordSource(kind)

    return read


def _options(check: _Checker, key: str, value: object) -> Table:
    """What they mean is the connector's business."""
    return check.table(key, value)


def _book_tables(check: _Checker, key: str, value: object) -> tuple[BookConfig, ...]:
    return tuple(
        BookConfig(name=name, **check._read(f"{key}.{name}", check.table(f"{key}.{name}", table), BOOK))  # type: ignore[arg-type]
        for name, table in check.table(key, value).items()
    )


PASSWORD: dict[str, Callable[[_Checker, str, object], PasswordSource | None]] = {
    "command": _password_command,
    "file": _password_file,
    "env": _password_env,
    "keyring": _password_kept("keyring"),
    "vault": _password_kept("vault"),
}
WAYS: dict[str, Reader] = {"mode": _choice(*MODES), "conflicts": _choice(*CONFLICTS)}
BOOK: dict[str, Reader] = {
    **WAYS,
    "group": _text,
    "only_groups": _words,
    "only_with": _field_names,
    "only_query": _text,
}
ACCOUNT: dict[str, Reader] = {
    "connector": _text,
    "url": _url,
    "username": _text,
    "password": _password,
    "ca_file": _path,
    "client_cert": _path,
    "proxy": _url,
    "insecure_http": _flag,
    "paused": _flag,
    "default_book": _text,
    **WAYS,
    "region": _region,
    "settles_after": _count,
    "sweep_after": _count,
    "requests_per_minute": _positive,
    "give_up_after": _positive,
    "options": _options,
    "books": _words,
    "book": _book_tables,
}
CALENDAR: dict[str, Reader] = {
    "file": _path,
    "account": _text,
    "href": _text,
    "url": _url,
    "username": _text,
    "password": _password,
    "ca_file": _path,
    "client_cert": _path,
    "proxy": _url,
    "insecure_http": _flag,
    "kinds": _kinds,
    "group": _text,
    "summary": _summaries,
    "description": _template,
    "alarm": _alarm,
}
SETTINGS: dict[str, Reader] = {
    "max_delete_count": _count,
    "max_delete_share": _share,
    "trash_days": _count,
    "journal_days": _count,
    "interval": _interval,
}


def check_calendar(config: Config, calendar: CalendarConfig) -> None:
    """Raises `ConfigError` for a calendar that the file could not have beside what is in it."""
    check = _Checker(config.path)
    check.calendar(calendar.name, calendar_table(calendar), config.accounts)
    if check.problems:
        raise ConfigError(check.problems)


# --- writing ---


def add_account(path: Path, account: AccountConfig) -> None:
    """Append an account to the file; what equals a default is not written."""

    def add(accounts: Section) -> None:
        if account.name in accounts:
            raise UsageError(
                f"There is an account {account.name!r} already.",
                hint=f"Change it with: contactsync account set {account.name}",
            )
        _put(accounts, {account.name: account_table(account)})

    _edit(path, "account", add)


def set_account(path: Path, name: str, changes: Mapping[str, object]) -> None:
    """Change keys of an account, in the shape of `account_table`; None takes a key out."""

    def change(accounts: Section) -> None:
        if name not in accounts:
            raise unknown_account(name, accounts)
        _put(accounts[name], changes)

    _edit(path, "account", change)


def remove_account(path: Path, name: str) -> None:
    """Take an account out of the file, with the tables of its books."""

    def remove(accounts: Section) -> None:
        if name not in accounts:
            raise unknown_account(name, accounts)
        del accounts[name]

    _edit(path, "account", remove)


def add_calendar(path: Path, calendar: CalendarConfig) -> None:
    """Append a calendar to the file; what equals a default is not written."""

    def add(calendars: Section) -> None:
        if calendar.name in calendars:
            raise UsageError(
                f"There is a calendar {calendar.name!r} already.",
                hint=f"Choose another name, or remove it: contactsync calendar remove {calendar.name}",
            )
        _put(calendars, {calendar.name: calendar_table(calendar)})

    _edit(path, "calendar", add)


def remove_calendar(path: Path, name: str) -> None:
    """Take a calendar out of the file."""

    def remove(calendars: Section) -> None:
        if name not in calendars:
            raise unknown_calendar(name, calendars)
        del calendars[name]

    _edit(path, "calendar", remove)


def calendar_table(calendar: CalendarConfig) -> dict[str, object]:
    """The calendar as its table in the file, without what equals a default."""
    table = _beyond_defaults(calendar, CalendarConfig(calendar.name), "summary")
    texts = dict(calendar.summary)
    if texts:
        same = len(set(texts.values())) == 1 and texts.keys() == set(KINDS)
        table["summary"] = next(iter(texts.values())) if same else texts
    return table


def _beyond_defaults(found: Any, plain: Any, *apart: str) -> dict[str, object]:
    """The settings that are not those of ``plain``, as they stand in the file; not those ``apart``."""
    names = [one.name for one in fields(found) if one.name not in ("name", "password", *apart)]
    table: dict[str, object] = {
        name: list(value) if isinstance(value, tuple) else value
        for name in names
        if (value := getattr(found, name)) != getattr(plain, name)
    }
    if found.password is not None:
        table["password"] = password_table(found.password)
    return table


def account_table(account: AccountConfig) -> dict[str, object]:
    """The account as its table in the file, without what equals a default."""
    table = _beyond_defaults(account, AccountConfig(name=account.name, connector=""), "book")
    if account.book:
        table["book"] = {book.name: book_table(book) for book in account.book}
    return table


def password_table(source: PasswordSource) -> dict[str, object]:
    """``{command = [...]}`` and so on: the source as it stands in the file."""
    return {source.kind: list(source.argv) if source.argv else source.place or True}


def book_table(book: BookConfig) -> dict[str, object]:
    """The settings of a book as its table in the file."""
    found = asdict(book)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in found.items()
        if value and name != "name"
    }


def _edit(path: Path, kind: str, change: Callable[[Section], None]) -> None:
    """Change the tables of one kind in the file's text, check the result, and replace the file."""
    import tomlkit

    # A dotfile that is a link stays a link: its target is replaced.
    path = path.expanduser().resolve()
    text = _read_text(path) or ""
    parse(text, path)
    document: Section = tomlkit.parse(text)
    if kind not in document:
        document[kind] = tomlkit.table(is_super_table=True)
    change(document[kind])
    text = tomlkit.dumps(document)
    parse(text, path)
    make_private_dir(path.parent)
    write_private(path, text)


def _put(table: Section, values: Mapping[str, object]) -> None:
    """Set keys; tables become sections of their own, besides a password, which stays on one line."""
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif isinstance(value, Mapping) and key != "password":
            _put(_section(table, key), value)
        else:
            table[key] = _inline(value)


def _section(table: Section, key: str) -> Section:
    import tomlkit

    if key not in table:
        table[key] = tomlkit.table(is_super_table=key == "book")
    section: Section = table[key]
    return section


def _inline(value: object) -> object:
    import tomlkit

    if not isinstance(value, Mapping):
        return value
    table = tomlkit.inline_table()
    table.update(value)
    return table


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step (a crash leaves the old or the new one), readable by its owner only."""
    # mkstemp makes the file with mode 0600.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
