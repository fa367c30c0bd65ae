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
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from contactsync.errors import ConfigError, UsageError

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

Table = Mapping[str, object]
Section = MutableMapping[str, Any]
"""A table of tomlkit, which is typed as a mapping of anything."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits of the brake (L25), how long tombstones (L22) and the journal (L41) are kept, and the pause
    between two rounds of continuous sync, in seconds."""

    max_delete_count: int = 10
    max_delete_share: float = 0.2
    trash_days: int = 30
    journal_days: int = 365
    interval: int = 900


@dataclass(frozen=True, slots=True)
class Config:
    path: Path
    settings: Settings = Settings()
    accounts: tuple[AccountConfig, ...] = ()

    def account(self, name: str) -> AccountConfig:
        """The account of that name; `UsageError` with the nearest names when there is none."""
        for account in self.accounts:
            if account.name == name:
                return account
        raise unknown_account(name, [account.name for account in self.accounts])


def unknown_account(name: str, known: Iterable[str]) -> UsageError:
    return UsageError(f"There is no account {name!r}.", hint=_did_you_mean(name, known))


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


def database_url(directory: Path, option: str = "", env: Mapping[str, str] = os.environ) -> str:
    """The device database: the option, ``CONTACTSYNC_DATABASE``, or SQLite in the data directory."""
    named = option or env.get("CONTACTSYNC_DATABASE", "")
    return named or f"sqlite:///{(directory / 'contacts.db').absolute()}"


def make_private_dir(path: Path) -> None:
    """Make a directory that only this person can look into; one that exists stays as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


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
        self._known("", document, ("settings", "account"))
        settings = self._read("settings", self.table("settings", document.get("settings", {})), SETTINGS)
        accounts = self.table("account", document.get("account", {}))
        return Config(
            self.path,
            Settings(**settings),  # type: ignore[arg-type]
            tuple(self.account(name, value) for name, value in accounts.items()),
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
SETTINGS: dict[str, Reader] = {
    "max_delete_count": _count,
    "max_delete_share": _share,
    "trash_days": _count,
    "journal_days": _count,
    "interval": _interval,
}


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

    _edit(path, add)


def set_account(path: Path, name: str, changes: Mapping[str, object]) -> None:
    """Change keys of an account, in the shape of `account_table`; None takes a key out."""

    def change(accounts: Section) -> None:
        if name not in accounts:
            raise unknown_account(name, accounts)
        _put(accounts[name], changes)

    _edit(path, change)


def remove_account(path: Path, name: str) -> None:
    """Take an account out of the file, with the tables of its books."""

    def remove(accounts: Section) -> None:
        if name not in accounts:
            raise unknown_account(name, accounts)
        del accounts[name]

    _edit(path, remove)


def account_table(account: AccountConfig) -> dict[str, object]:
    """The account as its table in the file, without what equals a default."""
    plain = AccountConfig(name=account.name, connector="")
    names = [known.name for known in fields(AccountConfig) if known.name not in ("name", "password", "book")]
    table = {
        name: list(value) if isinstance(value, tuple) else value
        for name in names
        if (value := getattr(account, name)) != getattr(plain, name)
    }
    if account.password is not None:
        table["password"] = password_table(account.password)
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


def _edit(path: Path, change: Callable[[Section], None]) -> None:
    """Change the accounts in the file's text, check the result, and replace the file."""
    import tomlkit

    # A dotfile that is a link stays a link: its target is replaced.
    path = path.expanduser().resolve()
    text = _read_text(path) or ""
    parse(text, path)
    document: Section = tomlkit.parse(text)
    if "account" not in document:
        document["account"] = tomlkit.table(is_super_table=True)
    change(document["account"])
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
