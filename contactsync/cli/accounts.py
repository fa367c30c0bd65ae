"""``account``: adding address books of others, and what is done with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from contactsync.cli import login
from contactsync.cli.login import (
    Authority,
    ClientFile,
    ClientId,
    Interactive,
    NewSecret,
    NoBrowser,
    PasswordCommand,
    PasswordFile,
    PasswordStdin,
)
from contactsync.cli.output import plural
from contactsync.cli.session import (
    Conflicts,
    Mode,
    Session,
    absolute,
    busy,
    complete_accounts,
    group,
    open_engine,
    session_of,
)
from contactsync.errors import ContactSyncError, UsageError

if TYPE_CHECKING:
    from contactsync.api import Engine
    from contactsync.config import AccountConfig, BookConfig, Config
    from contactsync.connectors.base import Collection
    from contactsync.store.values import Book

#: A book as a remote lists it, or as the device knows it.
AnyBook = TypeVar("AnyBook", "Collection", "Book")
#: Whose page one logs in on, where there is no password.
PAGES = {"gmail": "Google", "outlook": "Microsoft"}

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account.", autocompletion=complete_accounts)]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="What to call it here: letters, digits, . _ -")]
Username = Annotated[str, typer.Option(help="The login.")]
Books = Annotated[
    list[str] | None,
    typer.Option("--book", metavar="NAME_OR_HREF", help="An address book to take; repeat it. [default: all]"),
]
DefaultBook = Annotated[str, typer.Option(metavar="NAME_OR_HREF", help="Where new contacts go.")]
CaFile = Annotated[Path | None, typer.Option(help="Certificates to trust, for a server of your own.")]
ClientCert = Annotated[Path | None, typer.Option(help="Certificate and key to show, as one PEM file.")]
Proxy = Annotated[str, typer.Option(metavar="URL", help="Proxy to go through.")]
NewMode = Annotated[Mode, typer.Option(help="Which way changes go.")]
NewConflicts = Annotated[Conflicts, typer.Option(help="Who wins where both sides changed a field.")]

Option = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="KEY=VALUE",
        help="A setting that only this connector knows; repeat it. Numbers, true, false and lists are "
        "written as in TOML, all else is text.",
    ),
]

#: Stands for the name of any connector by others in the help of ``account add``.
ANY = "CONNECTOR"


class Kinds(TyperGroup):
    """The kinds of remotes: those with a command of their own, and whatever other distributions offer. Of
    those only the names are known here; nothing of them is loaded."""

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        known = None if cmd_name == ANY else super().get_command(ctx, cmd_name)
        return known or (self.commands[ANY] if cmd_name in (ANY, *self._others()) else None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            kinds = ", ".join(name for name in self.list_commands(ctx) if name != ANY)
            error.message += (
                f"\nThe kind of account comes first, then a name of your own. Kinds are: {kinds}."
                "\nNextcloud and all that speak CardDAV: contactsync account add carddav NAME --url URL"
            )
            raise

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return [*self.commands, *self._others()]

    def _others(self) -> list[str]:
        from contactsync.connectors.registry import BUILT_IN, by_others

        return [name for name in by_others() if name not in BUILT_IN]


account = group("account", "Address books of others: add, look at, change, let go.")
add = group("add", "Add an account.", cls=Kinds)
account.add_typer(add)


def register(app: typer.Typer) -> None:
    app.add_typer(account)


# --- add ---


@add.command("carddav")
def add_carddav(
    ctx: typer.Context,
    name: NewName,
    url: Annotated[
        str, typer.Option(help="URL of the server or of one book there, a host, or your mail address.")
    ],
    username: Username = "",
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    password_command: PasswordCommand = "",
    book: Books = None,
    default_book: DefaultBook = "",
    mode: NewMode = "two-way",
    conflicts: NewConflicts = "newest",
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    proxy: Proxy = "",
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Allow plain http beyond this machine.")
    ] = False,
) -> None:
    """Add a CardDAV server: tries the login, lists the address books, then remembers the account.

    Nothing is saved when the login fails, and nothing is synchronised yet.
    """
    from contactsync.config import AccountConfig

    session = session_of(ctx)
    _check_new_name(session.config(), name)
    username = username or (url if "@" in url and "://" not in url else "")
    source, secret = login.choose(
        name, password_stdin, password_file, password_command, needed=bool(username)
    )
    wanted = AccountConfig(
        name=name,
        connector="carddav",
        url=url,
        username=username,
        password=source,
        ca_file=absolute(ca_file),
        client_cert=absolute(client_cert),
        proxy=proxy,
        insecure_http=insecure_http,
        mode=mode,
        conflicts=conflicts,
    )
    _add(ctx, wanted, secret, book or (), default_book)


@add.command("gmail")
def add_gmail(
    ctx: typer.Context,
    name: NewName,
    client_file: ClientFile,
    no_browser: NoBrowser = False,
    endpoint: Annotated[str, typer.Option(metavar="URL", help="Another root of the People API.")] = "",
    mode: NewMode = "two-way",
    conflicts: NewConflicts = "newest",
    ca_file: CaFile = None,
    proxy: Proxy = "",
) -> None:
    """Add the contacts of a Google account: you agree on a page of Google, in your browser.

    Nothing is saved when the login fails, and nothing is synchronised yet.
    """
    from contactsync.config import AccountConfig

    session = session_of(ctx)
    _check_new_name(session.config(), name)
    wanted = AccountConfig(
        name=name,
        connector="gmail",
        url=endpoint,
        ca_file=absolute(ca_file),
        proxy=proxy,
        mode=mode,
        conflicts=conflicts,
    )
    secret = login.at_google(session, wanted, client_file, browser=not no_browser)
    _add(ctx, wanted, secret, (), "")


@add.command("outlook")
def add_outlook(
    ctx: typer.Context,
    name: NewName,
    client_id: ClientId = "",
    authority: Authority = "",
    interactive: Interactive = None,
    no_browser: NoBrowser = False,
    endpoint: Annotated[
        str, typer.Option(metavar="URL", help="Another root of Microsoft Graph, with its version.")
    ] = "",
    book: Annotated[
        list[str] | None, typer.Option(help="Name or id of a folder to take; repeatable.")
    ] = None,
    default_book: Annotated[str, typer.Option(help="Folder for new contacts.")] = "",
    mode: NewMode = "two-way",
    conflicts: NewConflicts = "newest",
    ca_file: CaFile = None,
    proxy: Proxy = "",
) -> None:
    """Add the contacts of Outlook or Microsoft 365: you agree on a page of Microsoft, here or on any device.

    Nothing is saved when the login fails, and nothing is synchronised yet.
    """
    from contactsync.config import AccountConfig

    session = session_of(ctx)
    _check_new_name(session.config(), name)
    wanted = AccountConfig(
        name=name,
        connector="outlook",
        url=endpoint,
        ca_file=absolute(ca_file),
        proxy=proxy,
        mode=mode,
        conflicts=conflicts,
    )
    wanted, secret = login.at_microsoft(
        session, wanted, client_id, authority, interactive=interactive, browser=not no_browser
    )
    _add(ctx, wanted, secret, book or (), default_book)


@add.command("vdir")
def add_vdir(
    ctx: typer.Context,
    name: NewName,
    path: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="The folder: of one address book, or with a folder for each."),
    ],
    book: Books = None,
    default_book: DefaultBook = "",
    mode: NewMode = "two-way",
    conflicts: NewConflicts = "newest",
) -> None:
    """Add a folder with one .vcf file for each contact, as khard, vdirsyncer and pimsync have it.

    Nothing is synchronised yet.
    """
    from contactsync.config import AccountConfig

    _check_new_name(session_of(ctx).config(), name)
    _check_folder(path.expanduser())
    wanted = AccountConfig(name=name, connector="vdir", url=absolute(path), mode=mode, conflicts=conflicts)
    _add(ctx, wanted, login.NewSecret(), book or (), default_book)


@add.command(ANY)
def add_other(
    ctx: typer.Context,
    name: NewName,
    url: Annotated[str, typer.Option(help="Where it is, in the way of this connector.")] = "",
    username: Username = "",
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    password_command: PasswordCommand = "",
    option: Option = None,
    book: Books = None,
    default_book: DefaultBook = "",
    mode: NewMode = "two-way",
    conflicts: NewConflicts = "newest",
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    proxy: Proxy = "",
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Allow plain http beyond this machine.")
    ] = False,
) -> None:
    """Add an account of a connector by others, which comes with a distribution of its own: by its name.

    Nothing is saved when it cannot be used, and nothing is synchronised yet.
    """
    from contactsync.config import AccountConfig

    session = session_of(ctx)
    _check_new_name(session.config(), name)
    source, secret = login.choose(
        name, password_stdin, password_file, password_command, needed=bool(username)
    )
    wanted = AccountConfig(
        name=name,
        connector=ctx.info_name or "",
        url=url,
        username=username,
        password=source,
        options=_options(option or ()),
        ca_file=absolute(ca_file),
        client_cert=absolute(client_cert),
        proxy=proxy,
        insecure_http=insecure_http,
        mode=mode,
        conflicts=conflicts,
    )
    _add(ctx, wanted, secret, book or (), default_book)


def _options(words: Sequence[str]) -> dict[str, object]:
    """``depth=3`` is a number, ``path=/home`` a text: what is no value of TOML is taken as it stands."""
    import tomllib

    found: dict[str, object] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise UsageError(f"--option takes KEY=VALUE, not {word!r}.", hint="For example: --option depth=3")
        try:
            found[key] = tomllib.loads(f"value = {value}")["value"]
        except ValueError:
            found[key] = value
    return found


def _check_folder(path: Path) -> None:
    """That it cannot be written is shown beside its address books, and no mistake: it works as `pull`."""
    import os

    if not path.exists():
        raise UsageError(
            f"There is no folder {path}.", hint=f"Make it first, if it is the right one: mkdir {path}"
        )
    if not path.is_dir():
        raise UsageError(f"{path} is no folder.", hint=f"For a single file: contactsync import {path}")
    if not os.access(path, os.R_OK | os.X_OK):
        raise UsageError(f"The folder {path} may not be read.", hint="Give yourself the right to.")


def _check_new_name(config: Config, name: str) -> None:
    from contactsync.config import ACCOUNT_NAME

    if not ACCOUNT_NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a name.", hint="Use letters, digits, '.', '_' and '-'.")
    if any(known.name == name for known in config.accounts):
        raise UsageError(
            f"There is an account {name!r} already.",
            hint=f"Choose another name, or change it: contactsync account set {name}",
        )


def _add(
    ctx: typer.Context,
    wanted: AccountConfig,
    secret: NewSecret,
    books: Sequence[str],
    default_book: str,
) -> None:
    """Save an account whose login works, and say what its first round will do."""
    wanted, who, notes = _tried(ctx, wanted, secret, books, default_book)
    login.save(session_of(ctx), wanted, secret)
    _welcome(ctx, wanted, who, notes)


def _tried(
    ctx: typer.Context,
    wanted: AccountConfig,
    secret: NewSecret,
    books: Sequence[str],
    default_book: str,
) -> tuple[AccountConfig, str, list[str]]:
    """The account with its URL and its books by href, after its server took the login; who we are there,
    and what a person should know of how that was found."""
    from contactsync.config import Config
    from contactsync.connectors.base import Locating

    refuse_open_http(wanted)
    config = Config(session_of(ctx).config_path, accounts=(wanted,))
    with open_engine(ctx, config=config, secret=secret.value) as engine:
        busy(engine, f"Asking {wanted.url or wanted.connector}")
        with closing(engine.connect(wanted)) as connector:
            who = connector.check()
            found = connector.collections()
            notes: list[str] = []
            if isinstance(connector, Locating):
                notes = list(connector.notes)
                wanted = replace(wanted, url=connector.found_at, username=connector.found_as)
    if not found:
        raise UsageError(f"{who} has no address book.", hint="Make one there first.")
    if books:
        wanted = replace(wanted, books=tuple(_find_book(found, book).href for book in books))
    if default_book:
        wanted = replace(wanted, default_book=_default_book(wanted, found, default_book))
    return wanted, who, notes


def refuse_open_http(wanted: AccountConfig) -> None:
    from contactsync.connectors.http import require_private
    from contactsync.errors import RemoteError

    if "://" in wanted.url and not wanted.url.lower().startswith("http"):
        return  # whatever it is, only its connector knows
    url = wanted.url if "://" in wanted.url else f"https://{wanted.url}"
    try:
        require_private(url, insecure_http=wanted.insecure_http)
    except RemoteError as error:
        raise UsageError(error.message, hint="Use https://, or allow it with --insecure-http.") from error
    except ValueError as error:
        raise UsageError(f"{wanted.url!r} is not a URL.", hint="Like: https://dav.example.org/") from error


def _find_book(found: Sequence[AnyBook], wanted: str) -> AnyBook:
    """The book of this name or href, in whichever way its letters are spelled."""
    fitting = [book for book in found if wanted == book.name]
    fitting = fitting or [book for book in found if path_of(wanted) == path_of(book.href)]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{book.name} ({book.href})" for book in found)
    if fitting:
        raise UsageError(f"Several address books are called {wanted!r}.", hint=f"Give the href: {listed}.")
    raise UsageError(f"There is no address book {wanted!r}.", hint=f"There are: {listed}.")


def path_of(href: str) -> str:
    """What an href names, whichever way it is spelled."""
    from urllib.parse import unquote, urlsplit

    try:
        path = urlsplit(href).path if "://" in href else href
    except ValueError:
        return href
    return unquote(path).strip("/")


def _default_book(wanted: AccountConfig, found: Sequence[Collection], name: str) -> str:
    book = _find_book(found, name)
    if not wanted.selects(book.name, book.href):
        raise UsageError(f"New contacts cannot go to {name!r}: it is not one of the books of --book.")
    if not book.writable:
        raise UsageError(f"New contacts cannot go to {name!r}: this login may not write there.")
    return book.href


def _welcome(ctx: typer.Context, wanted: AccountConfig, who: str, notes: Sequence[str]) -> None:
    """What was found, and what the first round would do."""
    session = session_of(ctx)
    with open_engine(ctx) as engine:
        busy(engine, "Reading the address books")
        books = engine.books(wanted.name)
        counts = _first_sync(session, engine, wanted.name)
        verb = "logged in as" if engine.places(wanted.name) is None else "uses"
    session.out.result(
        {
            "account": _to_json(wanted),
            "login": who,
            "notes": list(notes),
            "books": [book_json(book) for book in books],
            "first_sync": {"send": counts[0], "fetch": counts[1]} if counts else None,
        },
        f"{wanted.name}: {verb} {who}.",
    )
    session.out.lines(*notes)
    session.out.table(BOOK_HEADINGS, [_book_row(book) for book in books])
    if counts:
        words = f"send {plural(counts[0], 'contact')} and fetch {counts[1]}"
        session.out.lines(
            f"The first sync will {words}. Start it with: {session.command('sync', wanted.name)}"
        )


def _first_sync(session: Session, engine: Engine, name: str) -> tuple[int, int] | None:
    """Only a forecast: the account is saved, whatever becomes of it."""
    try:
        return engine.first_sync(name)
    except ContactSyncError as error:
        session.out.warn(f"What the first sync would do is not known: {error}")
        return None


# --- look ---

BOOK_HEADINGS = ("BOOK", "HREF", "NOTES")


def book_json(book: Book) -> dict[str, Any]:
    return {
        "name": book.name,
        "href": book.href,
        "writable": book.writable,
        "shared": book.shared,
        "default": book.default,
        "selected": book.selected,
        "gone": book.gone_at is not None,
    }


def _book_row(book: Book) -> tuple[str, str, str]:
    notes = (
        ("selected" if book.selected else "not selected", True),
        ("read-only: nothing is written there", not book.writable),
        ("shared: new contacts never go there", book.shared),
        ("the server's default", book.default),
        ("not there any more", book.gone_at is not None),
    )
    return book.name, book.href, ", ".join(word for word, true in notes if true)


def _to_json(found: AccountConfig) -> dict[str, Any]:
    from contactsync.config import account_table

    table = {"name": found.name, "connector": found.connector, "mode": found.mode}
    return {**table, "conflicts": found.conflicts, "paused": found.paused, **account_table(found)}


@account.command("list")
def list_accounts(ctx: typer.Context) -> None:
    """All accounts, with the state of their last round."""
    from contactsync.connectors.registry import origin_of

    session = session_of(ctx)
    with open_engine(ctx) as engine:
        found = engine.status()["accounts"]
        urls = {known.name: known.url for known in engine.config.accounts}
    origins = {row["type"]: origin_of(row["type"]) for row in found}
    session.out.result(
        {"accounts": [{**row, "url": urls[row["name"]], **_by(origins[row["type"]])} for row in found]}
    )
    kinds = {kind: f"{kind} ({origin})" if origin else kind for kind, origin in origins.items()}
    rows = [(row["name"], kinds[row["type"]], row["state"], urls[row["name"]]) for row in found]
    session.out.table(("NAME", "TYPE", "STATE", "URL"), rows)
    if not found:
        session.out.note("There is no account yet. Add one: contactsync account add carddav NAME --url ...")


@account.command("show")
def show_account(ctx: typer.Context, name: Name) -> None:
    """The settings of an account, its address books, and how its last round went."""
    from contactsync.connectors.registry import origin_of

    session = session_of(ctx)
    with open_engine(ctx) as engine:
        found = engine.config.account(name)
        state = next(row for row in engine.status()["accounts"] if row["name"] == name)
        books = engine.books(name, refresh=False)
    table = {**_to_json(found), **_by(origin_of(found.connector))}
    session.out.result({**table, **state, "books": [book_json(book) for book in books]})
    session.out.lines(*(f"{key:<14} {_setting(value)}" for key, value in table.items() if key != "books"))
    session.out.lines(f"{'state':<14} {state['state']}  {state['message']}".rstrip())
    session.out.lines(f"{'last run':<14} {state['last_run'] or 'never'}")
    session.out.table(BOOK_HEADINGS, [_book_row(book) for book in books])


def _by(origin: str) -> dict[str, str]:
    """The distribution of a connector by others."""
    return {"distribution": origin} if origin else {}


def _setting(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_setting(part)}" for key, part in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


@account.command("books")
def books_of(ctx: typer.Context, name: Name) -> None:
    """Read the list of address books anew. A book that is gone is let go of; its contacts stay."""
    session = session_of(ctx)
    with open_engine(ctx) as engine:
        busy(engine, "Reading the list of address books")
        found = engine.books(name)
    session.out.result({"books": [book_json(book) for book in found]})
    session.out.table(BOOK_HEADINGS, [_book_row(book) for book in found])


# --- change ---


@account.command("set")
def set_account(
    ctx: typer.Context,
    name: Name,
    url: Annotated[str, typer.Option(help="Another URL.")] = "",
    username: Username = "",
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    password_command: PasswordCommand = "",
    book: Books = None,
    all_books: Annotated[bool, typer.Option("--all-books", help="Take all address books again.")] = False,
    default_book: DefaultBook = "",
    option: Option = None,
    mode: Annotated[Mode | None, typer.Option(help="Which way changes go.")] = None,
    conflicts: Annotated[Conflicts | None, typer.Option(help="Who wins.")] = None,
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    proxy: Proxy = "",
    insecure_http: Annotated[
        bool | None, typer.Option("--insecure-http/--no-insecure-http", help="Plain http beyond here.")
    ] = None,
) -> None:
    """Change an account. A change that its server must agree to is tried there first."""
    session = session_of(ctx)
    old = session.config().account(name)
    _no_password(old, password_stdin, password_file, password_command)
    source, secret = login.choose(name, password_stdin, password_file, password_command, needed=False)
    given = {
        "url": url,
        "username": username,
        "password": source,
        "ca_file": absolute(ca_file),
        "client_cert": absolute(client_cert),
        "proxy": proxy,
        "insecure_http": insecure_http,
        "mode": mode,
        "conflicts": conflicts,
        "options": {**old.options, **_options(option)} if option else None,
    }
    changes = {key: value for key, value in given.items() if value not in (None, "")}
    new = replace(old, **changes)  # type: ignore[arg-type]
    if secret.value is not None:
        new = replace(new, password=None)
    if all_books:
        new = replace(new, books=())
    asks_server = book or default_book or secret.value is not None or set(changes) - {"mode", "conflicts"}
    if asks_server:
        new, _, _ = _tried(ctx, new, secret, book or (), default_book)
    if new == old and secret.value is None:
        raise UsageError("Nothing was given to change.", hint="contactsync account set --help lists all.")
    _save_changes(ctx, old, new, secret)


@account.command("book")
def set_book(
    ctx: typer.Context,
    name: Name,
    book: Annotated[str, typer.Argument(metavar="BOOK", help="Name or href of one of its address books.")],
    mode: Annotated[Mode | None, typer.Option(help="Which way changes go in this book.")] = None,
    conflicts: Annotated[Conflicts | None, typer.Option(help="Who wins in this book.")] = None,
    only_group: Annotated[
        list[str] | None, typer.Option(help="Take only members of this group; repeatable.")
    ] = None,
    only_with: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Take only who has something in this field: phones; repeatable."),
    ] = None,
    only_query: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Take only contacts with all these words.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Take everybody again.")] = False,
    group_name: Annotated[
        str | None,
        typer.Option(
            "--group", help="The book stands for this group, whose members its cards are; '': none."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would leave and what stays, and change nothing.")
    ] = False,
) -> None:
    """Settings of one address book: its mode, which contacts it takes, the group that it stands for.

    Who is left out by a filter is not deleted, here or there.
    """
    from contactsync.config import SELECTABLE, BookConfig, book_table

    session = session_of(ctx)
    config = session.config()
    old = config.account(name)
    if wrong := [field for field in only_with or () if field not in SELECTABLE]:
        raise UsageError(f"{wrong[0]!r} is no field.", hint=f"There are: {', '.join(SELECTABLE)}.")
    with open_engine(ctx) as engine:
        known = engine.books(name, refresh=False) or engine.books(name)
    found = _find_book(known, book)
    own = next((b for b in old.book if b.name in (found.href, found.name)), BookConfig(found.name))
    if everybody:
        own = replace(own, only_groups=(), only_with=(), only_query="")
    given = {
        "mode": mode,
        "conflicts": conflicts,
        "only_groups": tuple(only_group) if only_group else None,
        "only_with": tuple(only_with) if only_with else None,
        "only_query": only_query,
        "group": group_name,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if not everybody and not changes:
        _show_book(session, old.for_book(found.name, found.href))
        return
    own = replace(own, **changes)  # type: ignore[arg-type]
    new = replace(old, book=(*(b for b in old.book if b.name != own.name), own))
    if dry_run:
        _try_book(ctx, config, new)
    _write_book(session, name, own.name, book_table(own))
    session.out.result({"account": _to_json(new)}, f"{new.name}/{found.name} is changed.")
    session.out.note(f"What it means: {session.command('plan', name)}")


def _show_book(session: Session, book: BookConfig) -> None:
    found = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(book).items()}
    session.out.result({"book": found}, *(f"{key:<14} {_setting(value)}" for key, value in found.items()))


def _try_book(ctx: typer.Context, config: Config, new: AccountConfig) -> None:
    """What a round would do by the settings of this account, and no more."""
    from contactsync.cli.sync import show

    accounts = tuple(new if one.name == new.name else one for one in config.accounts)
    with open_engine(ctx, config=replace(config, accounts=accounts)) as engine:
        report = engine.sync([new.name], dry_run=True)
    show(session_of(ctx), report, [new.name], dry_run=True)
    raise typer.Exit(report.exit_code())


def _write_book(session: Session, name: str, book: str, table: dict[str, object]) -> None:
    from contactsync.config import BOOK
    from contactsync.config import set_account as write

    # what is not said any more is taken out
    write(session.config_path, name, {"book": {book: {key: table.get(key) for key in BOOK}}})


def _no_password(account: AccountConfig, *given: object) -> None:
    if account.connector in PAGES and any(given):
        raise UsageError(
            f"{account.name} has no password: you log in on a page of {PAGES[account.connector]}.",
            hint=f"contactsync account login {account.name}",
        )


def _save_changes(ctx: typer.Context, old: AccountConfig, new: AccountConfig, secret: NewSecret) -> None:
    session = session_of(ctx)
    login.change(session, old, new, secret)
    with open_engine(ctx) as engine:
        engine.forgive(new.name)
        if old.books != new.books:
            engine.books(new.name)
    session.out.result({"account": _to_json(new)}, f"{new.name} is changed.")


@account.command("login")
def log_in(
    ctx: typer.Context,
    name: Name,
    password_stdin: PasswordStdin = False,
    client_file: ClientFile = None,
    client_id: ClientId = "",
    authority: Authority = "",
    interactive: Interactive = None,
    no_browser: NoBrowser = False,
) -> None:
    """Log in anew, after the login was refused: with a new password, or on a page of Google or Microsoft.

    It is tried before it is kept.
    """
    session = session_of(ctx)
    old = session.config().account(name)
    _no_password(old, password_stdin)
    new = replace(old, password=None)
    match old.connector:
        case "gmail":
            secret = login.at_google(session, old, client_file, browser=not no_browser)
        case "outlook":
            new, secret = login.at_microsoft(
                session, new, client_id, authority, interactive=interactive, browser=not no_browser
            )
        case "vdir":
            hint = f"Where it is now: {session.command('account', 'set', name, '--url', 'FOLDER')}"
            raise UsageError(f"{name} is a folder: there is nothing to log in to.", hint=hint)
        case _:
            _, secret = login.choose(name, password_stdin, None, "", needed=True)
    new, _, _ = _tried(ctx, new, secret, (), "")
    login.change(session, old, new, secret)
    with open_engine(ctx) as engine:
        engine.forgive(name)
    session.out.result({"account": _to_json(new)}, f"{name}: the login works.")


@account.command("pause")
def pause_account(ctx: typer.Context, name: Name) -> None:
    """Leave an account out of all rounds, until it is resumed."""
    _pause(session_of(ctx), name, paused=True)


@account.command("resume")
def resume_account(ctx: typer.Context, name: Name) -> None:
    """Take a paused account back into the rounds."""
    _pause(session_of(ctx), name, paused=False)


def _pause(session: Session, name: str, *, paused: bool) -> None:
    from contactsync.config import set_account as write

    write(session.config_path, name, {"paused": paused or None})
    state = "is paused" if paused else "takes part again"
    session.out.result({"name": name, "paused": paused}, f"{name} {state}.")


@contextmanager
def _between_rounds(ctx: typer.Context) -> Iterator[Engine]:
    """The engine while no round is under way: a round must not lose its books in the middle."""
    from contactsync.config import make_data_dir
    from contactsync.engine.lock import sync_lock

    session = session_of(ctx)
    make_data_dir(session.data_dir)
    with sync_lock(session.data_dir), open_engine(ctx) as engine:
        yield engine


@account.command("reset")
def reset_account(ctx: typer.Context, name: Name) -> None:
    """Forget what both sides agreed on, and link all contacts again in the next round.

    Nothing is deleted, here or there.
    """
    session = session_of(ctx)
    with _between_rounds(ctx) as engine:
        engine.reset(name)
    session.out.result(
        {"name": name, "reset": True},
        f"{name} is reset. Nothing was deleted; the next round links the contacts again.",
    )


@account.command("remove")
def remove_account(
    ctx: typer.Context,
    name: Name,
    delete_contacts: Annotated[
        bool,
        typer.Option("--delete-contacts", help="Move contacts that no other account has to the trash here."),
    ] = False,
) -> None:
    """Let go of an account. Its contacts stay on this device, and nothing is deleted at the server."""
    from contactsync.config import remove_account as write
    from contactsync.credentials import Secrets

    session = session_of(ctx)
    used = [one.name for one in session.config().calendars if one.account == name]
    if used:
        raise UsageError(
            f"The calendar {used[0]!r} has its login from {name}.",
            hint=f"Remove that first: contactsync calendar remove {used[0]}",
        )
    with _between_rounds(ctx) as engine:
        engine.config.account(name)
        trashed = engine.forget_account(name, delete_contacts=delete_contacts)
        write(session.config_path, name)
    Secrets(session.data_dir).forget(name)
    kept = "Its contacts stay on this device."
    gone = f"{plural(trashed, 'contact')} of this device went to the trash: contactsync contact trash"
    session.out.result(
        {"name": name, "removed": True, "trashed": trashed},
        f"{name} is removed. {gone if delete_contacts else kept} Nothing was deleted at the server.",
    )
