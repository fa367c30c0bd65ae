"""``sync`` and ``plan``: the main job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.cli.output import plural
from contactsync.cli.session import (
    Session,
    TranscriptFile,
    complete_accounts,
    need_accounts,
    open_engine,
    session_of,
)
from contactsync.cli.steps import change_lines
from contactsync.errors import UsageError

if TYPE_CHECKING:
    from contactsync.config import AccountConfig, Config
    from contactsync.engine.report import (
        AccountReport,
        BookReport,
        CalendarReport,
        Counts,
        PlannedChange,
        RunReport,
    )
    from contactsync.errors import SafetyStop
    from contactsync.sync.brakes import Limits

WAIT_SECONDS = 60.0

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME", help="Accounts; all that are not paused.", autocompletion=complete_accounts
    ),
]
MaxDelete = Annotated[
    str, typer.Option(metavar="N|P%", help="Replaces both limits of the brake for this run.")
]
AllowMassDelete = Annotated[
    bool, typer.Option("--allow-mass-delete", help="Let everything through that the brake would stop.")
]
Wait = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for another run to end.")
]


def register(app: typer.Typer) -> None:
    app.command("sync")(sync)
    app.command("plan")(plan)


def sync(
    ctx: typer.Context,
    names: Names = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    max_delete: MaxDelete = "",
    allow_mass_delete: AllowMassDelete = False,
    wait: Wait = WAIT_SECONDS,
    transcript: TranscriptFile = None,
) -> None:
    """One full round: what changed here goes to the accounts, what changed there comes here."""
    session = session_of(ctx)
    config = session.config()
    need_accounts(config)
    limits = limits_of(max_delete, allow_mass_delete)
    light = not (dry_run or limits or transcript or config.calendars)
    report = _idle(session, config, names or (), wait) if light else None
    if report is None:
        with open_engine(ctx, config=config, transcript=transcript) as engine:
            report = engine.sync(names or (), dry_run=dry_run, limits=limits, wait_seconds=wait)
            if not dry_run:
                report.calendars = engine.sync_calendars(limits=limits, wait_seconds=wait)
    show(session, report, names or (), dry_run=dry_run)
    raise typer.Exit(report.exit_code())


def plan(
    ctx: typer.Context,
    names: Names = None,
    max_delete: MaxDelete = "",
    allow_mass_delete: AllowMassDelete = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """What a round would do, field by field; the same as sync --dry-run."""
    sync(ctx, names, True, max_delete, allow_mass_delete, wait)


def limits_of(max_delete: str, allow_mass_delete: bool) -> Limits | None:
    """The brake of this run; None leaves it as the configuration has it."""
    if not max_delete and not allow_mass_delete:
        return None
    from contactsync.sync.brakes import Limits

    if allow_mass_delete:
        return Limits(enabled=False)
    number = max_delete.removesuffix("%")
    if not (number.isascii() and number.isdigit()):
        raise UsageError(
            f"--max-delete takes a number of contacts or a percentage, not {max_delete!r}.",
            hint="For example: --max-delete 25 or --max-delete 50%",
        )
    return Limits(0, int(number) / 100) if max_delete.endswith("%") else Limits(int(number), None)


def _idle(session: Session, config: Config, names: Sequence[str], wait: float) -> RunReport | None:
    """The round that only asks whether there is news: it needs a device database in SQLite."""
    from contactsync.config import database_url
    from contactsync.engine.connect import connect, stored_password, stored_renewal
    from contactsync.engine.idle import idle_round
    from contactsync.engine.lock import sync_lock
    from contactsync.store.files import file_of

    accounts = _wanted(config, names)
    database = file_of(database_url(session.data_dir, session.database))
    if not accounts or not session.data_dir.is_dir() or database is None or not database.is_file():
        return None
    password, renew = stored_password(session.data_dir), stored_renewal(session.data_dir)
    with sync_lock(session.data_dir, wait):
        return idle_round(database, accounts, lambda a: connect(a, password, session.profile, renew))


def _wanted(config: Config, names: Sequence[str]) -> list[AccountConfig]:
    return [config.account(n) for n in names] or [a for a in config.accounts if not a.paused]


def show(session: Session, report: RunReport, names: Sequence[str] = (), *, dry_run: bool = False) -> None:
    """The report of a round, for programs or for people."""
    out = session.out
    out.result(report.to_json())
    if not report.accounts:
        out.note("All accounts are paused. Go on with: contactsync account resume NAME")
    for account in report.accounts:
        lines, trouble = report_lines(session, account, names, dry_run=dry_run)
        out.diff(*lines)
        if not out.json:
            out.warn(*trouble)
    for calendar in report.calendars:
        show_calendar(session, calendar)
    arriving = any(change.side != "remote" for account in report.accounts for change in account.plan)
    if dry_run and arriving and len(report.accounts) > 1:
        out.note(
            "Each account is compared with this device as it is now. In the round, what comes from one "
            "goes on to the others; who is there already is found again, not sent."
        )
    if report.open_conflicts:
        waiting = plural(report.open_conflicts, "conflict waits for you", "conflicts wait for you")
        out.note(f"{waiting}: {session.command('conflict', 'list', '--open')}")


def report_lines(
    session: Session, account: AccountReport, names: Sequence[str] = (), *, dry_run: bool = False
) -> tuple[list[str], list[str]]:
    """What a round of one account did, and what went wrong, for people."""
    return [*_account_lines(account, dry_run=dry_run)], [*_trouble(session, account, names)]


def _account_lines(account: AccountReport, *, dry_run: bool) -> Iterator[str]:
    for book in account.books:
        quiet = account.state != "ok" and not (book.pulled or book.pushed or book.errors)
        if not (book.error or book.guard or quiet):
            yield f"{account.name}/{book.name}: {_summary(account, book, dry_run=dry_run)}"
    for change in account.plan if dry_run else ():
        yield from plan_lines(change)


def _summary(account: AccountReport, book: BookReport, *, dry_run: bool) -> str:
    words = {"received": book.pulled, "sent": book.pushed}
    if dry_run:
        words = {"would receive": book.pulled, "would send": _planned(account, book)}
    parts = [f"{verb} {_counts(counts)}" for verb, counts in words.items() if counts]
    if book.conflicts:
        parts.append(plural(book.conflicts, "conflict"))
    if book.duplicates_for_review:
        parts.append(plural(book.duplicates_for_review, "possible duplicate") + " held for review")
    if book.released:
        parts.append(f"{'would let' if dry_run else 'let'} go of {book.released}")
    if book.outside and dry_run:
        parts.append(plural(book.outside, "card") + " left out by the filter")
    if book.errors:
        parts.append(plural(len(book.errors), "card") + " set aside")
    return "; ".join(parts) or "nothing to do"


def _planned(account: AccountReport, book: BookReport) -> Counts:
    """What the plan would send to a book."""
    from contactsync.engine.report import Counts

    actions = [
        change.action for change in account.plan if change.side == "remote" and change.book == book.name
    ]
    return Counts(actions.count("create"), actions.count("update"), actions.count("delete"))


def _counts(counts: Counts) -> str:
    named = ((counts.created, "new"), (counts.updated, "changed"), (counts.deleted, "deleted"))
    return ", ".join(f"{count} {word}" for count, word in named if count)


def plan_lines(change: PlannedChange) -> Iterator[str]:
    """One line of a plan, and below it the fields."""
    side = "on this device" if change.side in ("device", "local") else f"in {change.book}"
    if change.action == "release":
        yield f"  let go of {change.name} {side}: the filter leaves it out, and the card stays there"
        return
    yield f"  {change.action} {change.name} {side}"
    yield from change_lines(change.action, change.changes)


def _trouble(session: Session, account: AccountReport, names: Sequence[str]) -> Iterator[str]:
    """What went wrong, each thing with what to do."""
    stopped = [book for book in account.books if book.guard]
    for book in stopped:
        assert book.guard is not None
        yield f"{account.name}: {book.guard.message}"
        yield f"If that is what you want: {session.command('sync', *names, *_let_through(book.guard))}"
    failed = [book.error for book in account.books if book.error]
    yield from (f"{account.name}: {message}" for message in failed)
    if account.state != "ok" and not stopped and account.message not in failed:
        yield f"{account.name}: {account.message}"
    for book in account.books:
        for error in book.errors:
            yield f"  {error.name or error.uid or error.remote_ref}: {error.reason}"
    if account.in_doubt:
        yield f"{account.name}: {plural(account.in_doubt, 'write')} without an answer; the next round looks."


def _let_through(guard: SafetyStop) -> tuple[str, ...]:
    if guard.kind == "mass-delete":
        return ("--max-delete", str(guard.would))
    return ("--allow-mass-delete",)


# --- calendars ---


def show_calendar(
    session: Session, report: CalendarReport, *, dry_run: bool = False, details: bool = False
) -> None:
    """The report of one calendar for people; with ``details`` also the days that make no event."""
    session.out.lines(*calendar_lines(report, dry_run=dry_run))
    if session.out.json:
        return
    session.out.warn(*calendar_trouble(report))
    if details:
        session.out.note(*(f"  {one['name']}: no event ({one['reason']})" for one in report.skipped))


def calendar_trouble(report: CalendarReport) -> Iterator[str]:
    if report.message:
        yield f"Calendar {report.name}: {report.message}"
    for error in report.errors:
        yield f"  {error.name or error.uid or error.remote_ref}: {error.reason}"


def calendar_lines(report: CalendarReport, *, dry_run: bool) -> Iterator[str]:
    if report.state == "ok":
        yield f"Calendar {report.name}: {_calendar_summary(report, dry_run=dry_run)}"
        yield from (f"  {one.action} {one.name}" for one in report.plan)


def _calendar_summary(report: CalendarReport, *, dry_run: bool) -> str:
    done = report.written
    created, updated, deleted = done.created, done.updated, done.deleted
    if dry_run:
        actions = [one.action for one in report.plan]
        created, updated, deleted = (actions.count(word) for word in ("create", "update", "delete"))
    named = ((created, "new"), (updated, "changed"), (deleted, "removed"))
    counts = ", ".join(f"{count} {word}" for count, word in named if count)
    parts = [f"{'would write' if dry_run else 'wrote'} {counts}" if counts else "nothing to do"]
    if report.again:
        parts.append(f"{report.again} had vanished all at once")
    if report.declined:
        parts.append(f"{plural(report.declined, 'event')} kept away, as deleted there")
    if report.skipped:
        parts.append(f"{plural(len(report.skipped), 'day')} without an event")
    return "; ".join(parts)
