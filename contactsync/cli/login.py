"""Where the password of an account comes from, and where it goes."""

from __future__ import annotations

import os
import sys
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.cli.session import Session, is_a_person_there
from contactsync.errors import UsageError
from contactsync.frozen import frozen

if TYPE_CHECKING:
    from contactsync.config import AccountConfig, CalendarConfig, PasswordSource
    from contactsync.connectors.oauth import Ways

PasswordStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read the password from standard input and keep it in the keyring."
    ),
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="A file whose first line is the password; read at each login.")
]
PasswordCommand = Annotated[
    str, typer.Option(metavar="CMD", help="A command that prints the password; run at each login, no shell.")
]
WAYS = "--password-stdin, --password-file or --password-command"


@frozen
class NewSecret:
    """A password that the person just gave, or another login; None when it is somewhere else."""

    value: str | None = field(default=None, repr=False)
    what: str = "password"


def choose(
    name: str, from_stdin: bool, file: Path | None, command: str, *, needed: bool
) -> tuple[PasswordSource | None, NewSecret]:
    """The place of the password, or the password itself; a person is asked if one is ``needed``."""
    from contactsync.config import PasswordSource

    if sum((from_stdin, file is not None, bool(command))) > 1:
        raise UsageError("The password can come from one place only.", hint=f"Give one of {WAYS}.")
    if file is not None:
        return PasswordSource.from_file(file), NewSecret()
    if command:
        return PasswordSource.from_command_line(command), NewSecret()
    if from_stdin:
        return None, NewSecret(_from_stdin())
    return None, NewSecret(_asked(name) if needed else None)


def _from_stdin() -> str:
    secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise UsageError("There is no password in the first line of standard input.")
    return secret


def _asked(name: str) -> str:
    import getpass

    if not is_a_person_there():
        raise UsageError("No password was given, and nobody is there to ask.", hint=f"Give {WAYS}.")
    secret = getpass.getpass(f"Password for {name}: ")
    if not secret:
        raise UsageError("An empty password was given.", hint=f"Try again, or give {WAYS}.")
    return secret


ClientFile = Annotated[
    Path | None,
    typer.Option(help="The file of your client, from the Google Cloud console (type Desktop app)."),
]
NoBrowser = Annotated[
    bool,
    typer.Option("--no-browser", help="Only show the address of the page to agree at; any browser will do."),
]


ClientId = Annotated[
    str,
    typer.Option(
        metavar="ID", help="The application (client) ID of your app, from its registration at Microsoft."
    ),
]
Authority = Annotated[
    str,
    typer.Option(
        metavar="URL|TENANT",
        help="Where you log in: common (default), consumers, organizations, a tenant, or the URL of another "
        "cloud.",
    ),
]
Interactive = Annotated[
    bool | None,
    typer.Option(
        "--interactive/--device-code",
        help="Agree in a browser on this machine, or enter a code on any other. "
        "[default: interactive where there is a display]",
        show_default=False,
    ),
]


def at_google(
    session: Session, account: AccountConfig, client_file: Path | None, *, browser: bool
) -> NewSecret:
    """The person agrees on a page of Google. Without a ``client_file`` the client of the last login is
    used again."""
    from contactsync.connectors.google.login import authorize, known_client, read_client

    if client_file is not None:
        client = read_client(client_file.expanduser())
    else:
        client = known_client(_kept(session, account))
    found = authorize(
        client, _ways(session, browser), account=account.name, proxy=account.proxy, ca_file=account.ca_file
    )
    session.out.note(*found.notes)
    return NewSecret(found.secret, "login")


def at_microsoft(
    session: Session,
    account: AccountConfig,
    client_id: str,
    authority: str,
    *,
    interactive: bool | None,
    browser: bool,
) -> tuple[AccountConfig, NewSecret]:
    """The person agrees on a page of Microsoft, or enters a code there; the account with the Graph that
    belongs to where they did. Without a ``client_id`` the app of the last login is used again."""
    from contactsync.connectors.outlook.clouds import ROOT, root_of
    from contactsync.connectors.outlook.login import App, by_code, by_page, known_app

    if client_id:
        app = App(client_id, authority or "common")
    else:
        app = known_app(_kept(session, account))
        app = replace(app, authority=authority or app.authority)
    root = root_of(app.authority)
    account = replace(account, url=account.url or ("" if root == ROOT else root))
    more = {"account": account.name, "proxy": account.proxy, "ca_file": account.ca_file}
    if interactive is None:
        interactive = _has_display()
    if interactive:
        found = by_page(app, _ways(session, browser), **more)
    else:
        found = by_code(app, session.out.warn, **more)
    session.out.note(*found.notes)
    return account, NewSecret(found.secret, "login")


def _ways(session: Session, browser: bool) -> Ways:
    """How the person gets to a page and back."""
    import webbrowser

    from contactsync.connectors.oauth import Ways

    return Ways(
        lambda url: session.out.warn("Agree on this page:", url, *_way_back()),
        webbrowser.open if browser else None,
        sys.stdin.readline if is_a_person_there() else None,
    )


def _has_display() -> bool:
    """Can a browser come up here? Not at the other end of an SSH connection."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _kept(session: Session, account: AccountConfig) -> str:
    from contactsync.credentials import Secrets
    from contactsync.errors import AuthError

    try:
        return Secrets(session.data_dir).get(account)
    except AuthError:
        return ""


def _way_back() -> list[str]:
    if not is_a_person_there():
        return []
    return [
        "If your browser is on another machine, it ends at an address of this one (127.0.0.1 or localhost)",
        "and does not open: paste that address here.",
    ]


def save(session: Session, account: AccountConfig, secret: NewSecret) -> None:
    """Remember a new account: its password first, so that there is no account without one."""
    from contactsync.config import add_account

    _keep(session, account.name, secret)
    try:
        add_account(session.config_path, account)
    except BaseException:
        _forget(session, account.name, secret)
        raise


def save_calendar(session: Session, calendar: CalendarConfig, secret: NewSecret) -> None:
    """Remember a new calendar, as `save` does an account."""
    from contactsync.config import add_calendar

    _keep(session, calendar.login.name, secret)
    try:
        add_calendar(session.config_path, calendar)
    except BaseException:
        _forget(session, calendar.login.name, secret)
        raise


def keep_calendar(session: Session, calendar: CalendarConfig, secret: NewSecret) -> None:
    """Another password for the login that a calendar has of its own."""
    _keep(session, calendar.login.name, secret)


def change(session: Session, old: AccountConfig, new: AccountConfig, secret: NewSecret) -> None:
    """Write what differs between two states of an account, and its new password."""
    from contactsync.config import account_table, set_account

    _keep(session, new.name, secret)
    before, after = account_table(old), account_table(new)
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    set_account(session.config_path, new.name, {key: after.get(key) for key in keys})


def _keep(session: Session, name: str, secret: NewSecret) -> None:
    if secret.value is None:
        return
    from contactsync.credentials import VAULT_PROTECTS, Secrets

    secrets = Secrets(session.data_dir)
    if secrets.store(name, secret.value) == "vault":
        session.out.note(
            f"There is no keyring here, so the {secret.what} is kept in {secrets.vault_path}.", VAULT_PROTECTS
        )
    else:
        session.out.note(f"The {secret.what} is kept in the keyring of this system.")


def _forget(session: Session, name: str, secret: NewSecret) -> None:
    if secret.value is not None:
        from contactsync.credentials import Secrets

        Secrets(session.data_dir).forget(name)
