"""``calendar``: birthdays and anniversaries as events, on a server or in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactsync.cli import login
from contactsync.cli.accounts import path_of, refuse_open_http
from contactsync.cli.login import NewSecret, PasswordCommand, PasswordFile, PasswordStdin
from contactsync.cli.output import plural
from contactsync.cli.session import (
    absolute,
    busy,
    complete_accounts,
    complete_calendars,
    group,
    open_engine,
    session_of,
)
from contactsync.cli.sync import (
    WAIT_SECONDS,
    AllowMassDelete,
    MaxDelete,
    Wait,
    calendar_lines,
    limits_of,
    show_calendar,
)
from contactsync.errors import AuthError, ContactSyncError, TransientError, UsageError

if TYPE_CHECKING:
    from contactsync.api import Engine
    from contactsync.config import CalendarConfig, Config
    from contactsync.connectors.base import AccountSettings, Collection
    from contactsync.engine.report import CalendarReport

Name = Annotated[str, typer.Argument(metavar="NAME", help="The calendar.", autocompletion=complete_calendars)]

BIRTHDAYS = "Birthdays"
_FAILURES: dict[str, type[ContactSyncError]] = {"login-needed": AuthError, "temporary": TransientError}

calendar = group("calendar", "Birthdays and anniversaries as events of a calendar.")


def register(app: typer.Typer) -> None:
    app.add_typer(calendar)


# --- add ---


@calendar.command("add")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it here: letters, digits, . _ -")],
    file: Annotated[Path | None, typer.Option(help="An .ics file; it may hold events of others.")] = None,
    account: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="A CardDAV account whose server and login to take.",
            autocompletion=complete_accounts,
        ),
    ] = "",
    url: Annotated[str, typer.Option(help="URL of a CalDAV server or of one calendar there.")] = "",
    username: Annotated[str, typer.Option(help="The login.")] = "",
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    password_command: PasswordCommand = "",
    which: Annotated[
        str, typer.Option("--calendar", metavar="NAME_OR_HREF", help="The calendar on the server.")
    ] = "",
    create: Annotated[
        bool, typer.Option("--create", help="Make that calendar on the server. [default name: Birthdays]")
    ] = False,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Which days: birth, wedding, death, other; repeatable. [default: all but death]",
            show_default=False,
        ),
    ] = None,
    only_group: Annotated[str, typer.Option("--group", help="Only members of this group.")] = "",
    summary: Annotated[
        str, typer.Option(metavar="TEXT", help="Text of the events, such as '{name}[ (*{year})]'.")
    ] = "",
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="A longer text, with the same fields.")
    ] = "",
    alarm: Annotated[
        str, typer.Option(metavar="TIME", help="9:00 on the day, '1d 18:00' on the evening before.")
    ] = "",
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificates to trust, for a server of your own.")
    ] = None,
    client_cert: Annotated[
        Path | None, typer.Option(help="Certificate and key to show, as one PEM file.")
    ] = None,
    proxy: Annotated[str, typer.Option(metavar="URL", help="Proxy to go through.")] = "",
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Allow plain http beyond this machine.")
    ] = False,
) -> None:
    """Add a calendar for birthdays and anniversaries: a file, or a calendar on a CalDAV server.

    The login is tried first. No event is written yet.
    """
    from contactsync.config import CalendarConfig, check_calendar

    session = session_of(ctx)
    config = session.config()
    if sum((file is not None, bool(account), bool(url))) != 1:
        raise UsageError("A calendar is in one place.", hint="Give one of --file, --account and --url.")
    if file is not None and (which or create):
        raise UsageError("In a file there is no choice of calendars.", hint="Leave out --calendar, --create.")
    if not url and (username or password_stdin or password_file or password_command):
        raise UsageError("Only a calendar at a --url has a login of its own.", hint="Leave the login out.")
    _check_new_name(config, name)
    source, secret = login.choose(
        f"the calendar {name}", password_stdin, password_file, password_command, needed=bool(url and username)
    )
    wanted = CalendarConfig(
        name=name,
        file=absolute(file),
        account=account,
        url=url,
        username=username,
        password=source,
        ca_file=absolute(ca_file),
        client_cert=absolute(client_cert),
        proxy=proxy,
        insecure_http=insecure_http,
        kinds=tuple(kind) if kind else CalendarConfig(name).kinds,
        group=only_group,
        summary=dict.fromkeys(("birth", "wedding", "death", "other"), summary) if summary else {},
        description=description,
        alarm=alarm,
    )
    check_calendar(config, replace(wanted, href="" if url or file else "/"))
    if file is None:
        wanted = _found(ctx, config, wanted, secret, which, create=create)
    report = _forecast(ctx, config, wanted, secret)
    login.save_calendar(session, wanted, secret)
    session.out.result(
        {"calendar": _to_json(wanted), "first_sync": report.to_json()},
        f"{name}: {report.place}",
    )
    session.out.lines(*calendar_lines(report, dry_run=True))
    session.out.lines(f"Write the events with: {session.command('calendar', 'sync', name)}")


def _check_new_name(config: Config, name: str) -> None:
    from contactsync.config import ACCOUNT_NAME

    if not ACCOUNT_NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a name.", hint="Use letters, digits, '.', '_' and '-'.")
    if any(known.name == name for known in config.calendars):
        raise UsageError(
            f"There is a calendar {name!r} already.",
            hint=f"Choose another name, or remove it: contactsync calendar remove {name}",
        )


@contextmanager
def _trying(
    ctx: typer.Context, config: Config, wanted: CalendarConfig, secret: NewSecret
) -> Iterator[Engine]:
    """The engine with this calendar in its configuration, and its password where it was just given."""
    tried = replace(config, calendars=(*(c for c in config.calendars if c.name != wanted.name), wanted))
    own = None if wanted.account else secret.value
    with open_engine(ctx, config=tried, secret=own) as engine:
        yield engine


def _found(
    ctx: typer.Context,
    config: Config,
    wanted: CalendarConfig,
    secret: NewSecret,
    which: str,
    *,
    create: bool,
) -> CalendarConfig:
    """With the href of the calendar that is meant, made first if asked for."""
    from contactsync.calendar.server import find_calendars, make_calendar

    if wanted.url:
        refuse_open_http(wanted.login)
    with _trying(ctx, config, wanted, secret) as engine:
        settings = engine.calendar_settings(wanted)
        if wanted.account and settings.connector != "carddav":
            raise UsageError(f"{wanted.account} is no CardDAV account.", hint="Give the server with --url.")
        busy(engine, f"Asking {settings.url}")
        who, found, origin = find_calendars(settings)
        if create:
            href = _made(settings, found, which or BIRTHDAYS, make_calendar)
        else:
            href = _choose(found, which or who.collection).href
    if "://" not in settings.url or settings.url.startswith(origin):
        return replace(wanted, href=href)
    # It was found by a redirect, or on another host of the same provider.
    return replace(wanted, url=origin, href=href) if wanted.url else replace(wanted, href=origin + href)


def _made(settings: AccountSettings, found: Sequence[Collection], name: str, make: Any) -> str:
    if any(one.name == name for one in found):
        raise UsageError(
            f"There is a calendar {name!r} already.", hint="Leave out --create to take it, or name another."
        )
    href: str = make(settings, name)
    return href


def _choose(found: Sequence[Collection], which: str) -> Collection:
    """The calendar of this name or href that can be written."""
    listed = ", ".join(f"{one.name} ({one.href})" for one in found) or "none"
    if not which:
        raise UsageError(
            f"Which calendar? There are: {listed}.",
            hint="Choose with --calendar, or make one for the birthdays with --create.",
        )
    fitting = [one for one in found if which == one.name]
    fitting = fitting or [one for one in found if path_of(which) == path_of(one.href)]
    if len(fitting) != 1:
        wrong = f"Several calendars are called {which!r}." if fitting else f"There is no {which!r}."
        raise UsageError(wrong, hint=f"There are: {listed}. --create makes a new one.")
    if not fitting[0].writable:
        raise UsageError(f"This login may not write to {which!r}.", hint=f"There are: {listed}.")
    return fitting[0]


def _forecast(
    ctx: typer.Context, config: Config, wanted: CalendarConfig, secret: NewSecret
) -> CalendarReport:
    """What the first run will do. Raises why it would fail."""
    with _trying(ctx, config, wanted, secret) as engine:
        busy(engine, "Looking at the calendar")
        report = engine.sync_calendars([wanted.name], dry_run=True)[0]
    if report.state != "ok":
        raise _FAILURES.get(report.state, UsageError)(report.message)
    return report


# --- look ---


def _to_json(found: CalendarConfig) -> dict[str, Any]:
    from contactsync.config import calendar_table

    return {"name": found.name, "kinds": list(found.kinds), **calendar_table(found)}


@calendar.command("list")
def list_calendars(ctx: typer.Context) -> None:
    """All calendars, and how their last run went."""
    session = session_of(ctx)
    with open_engine(ctx) as engine:
        found = engine.calendars()
        settings = {one.name: _to_json(one) for one in engine.config.calendars}
    session.out.result({"calendars": [{**settings[row["name"]], **row} for row in found]})
    rows = [(row["name"], row["state"], row["events"], row["place"]) for row in found]
    session.out.table(("NAME", "STATE", "EVENTS", "PLACE"), rows)
    if not found:
        session.out.note("There is no calendar yet. Add one: contactsync calendar add NAME --file FILE")


# --- do ---


@calendar.command("sync")
def sync(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Calendars; all of them.", autocompletion=complete_calendars),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Bring back the events that were deleted in the calendar.")
    ] = False,
    max_delete: MaxDelete = "",
    allow_mass_delete: AllowMassDelete = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Write the birthdays and anniversaries into the calendars; sync and watch do it by themselves."""
    from contactsync.engine.report import RunReport

    session = session_of(ctx)
    config = session.config()
    if not config.calendars:
        raise UsageError(
            f"There is no calendar in {config.path} yet.",
            hint="Add one: contactsync calendar add NAME --file FILE",
        )
    limits = limits_of(max_delete, allow_mass_delete)
    with open_engine(ctx, config=config) as engine:
        reports = engine.sync_calendars(
            names or (), dry_run=dry_run, limits=limits, restore=restore, wait_seconds=wait
        )
    whole = RunReport(calendars=reports)
    if not reports:
        session.out.note("All calendars are on servers of accounts that are paused.")
    session.out.result({"ok": whole.ok, "calendars": [report.to_json() for report in reports]})
    for report in reports:
        show_calendar(session, report, dry_run=dry_run, details=True)
    raise typer.Exit(whole.exit_code())


@calendar.command("login")
def log_in(ctx: typer.Context, name: Name, password_stdin: PasswordStdin = False) -> None:
    """Keep a new password for a calendar with a login of its own. It is tried before it is kept."""
    session = session_of(ctx)
    config = session.config()
    wanted = config.calendar(name)
    if not wanted.url:
        hint = f"contactsync account login {wanted.account}" if wanted.account else ""
        raise UsageError(f"The calendar {name} has no login of its own.", hint=hint)
    _, secret = login.choose(f"the calendar {name}", password_stdin, None, "", needed=True)
    _forecast(ctx, config, replace(wanted, password=None), secret)
    login.keep_calendar(session, wanted, secret)
    session.out.result({"name": name}, f"{name}: the login works.")


@calendar.command("remove")
def remove(
    ctx: typer.Context,
    name: Name,
    delete_events: Annotated[
        bool, typer.Option("--delete-events", help="Take the events out of the calendar first.")
    ] = False,
) -> None:
    """Let go of a calendar. Its events stay in it, unless they are to be deleted; those of others always
    do."""
    from contactsync.calendar.state import forget
    from contactsync.config import remove_calendar
    from contactsync.credentials import Secrets

    session = session_of(ctx)
    wanted = session.config().calendar(name)
    deleted = 0
    if delete_events:
        with open_engine(ctx) as engine:
            report = engine.empty_calendar(name)
        if report.state != "ok" or report.errors:
            reason = report.message or report.errors[0].reason
            raise ContactSyncError(
                f"The events of {name} were not all deleted: {reason}",
                hint="Try again, or leave out --delete-events to let go of the calendar as it is.",
            )
        deleted = report.written.deleted
    remove_calendar(session.config_path, name)
    forget(session.data_dir, name)
    if wanted.url:
        Secrets(session.data_dir).forget(wanted.login.name)
    done = f"{plural(deleted, 'event')} deleted." if delete_events else "Its events stay where they are."
    session.out.result({"name": name, "removed": True, "deleted": deleted}, f"{name} is removed. {done}")
