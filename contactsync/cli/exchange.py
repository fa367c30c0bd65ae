"""``import``, ``export``, ``backup`` and ``demo``: contacts in and out of files."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from contactsync.cli import login
from contactsync.cli.accounts import path_of
from contactsync.cli.login import PasswordCommand, PasswordFile, PasswordStdin
from contactsync.cli.output import plural
from contactsync.cli.session import (
    FileFormat,
    Session,
    absolute,
    busy,
    group,
    open_engine,
    session_of,
)
from contactsync.cli.sync import plan_lines
from contactsync.errors import UsageError

if TYPE_CHECKING:
    from contactsync.api import Engine
    from contactsync.config import AccountConfig
    from contactsync.connectors.base import Collection, Connector
    from contactsync.exchange.exporter import ExportReport
    from contactsync.exchange.importer import ImportReport, Match

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help=".vcf, .csv and .json files, folders, - for standard input, an account, or carddav:URL.",
    ),
]
SHOWN = 5
"""How many contacts are named when something is said of many."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done and change nothing.")]

backup = group("backup", "Copies of address books, made before the first write to them.")


def register(app: typer.Typer) -> None:
    app.command("import")(import_contacts)
    app.command("export")(export_contacts)
    app.add_typer(backup)
    app.command("demo")(demo)


# --- import ---


def import_contacts(
    ctx: typer.Context,
    sources: Sources,
    dry_run: DryRun = False,
    match: Annotated[
        Literal["auto", "review", "never"],
        typer.Option(
            help="Cards like a contact with another UID: merge sure ones, hold all, or do not look."
        ),
    ] = "auto",
    username: Annotated[str, typer.Option(help="The login, for carddav:URL.")] = "",
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    password_command: PasswordCommand = "",
    ca_file: Annotated[Path | None, typer.Option(help="Certificates to trust, for carddav:URL.")] = None,
    client_cert: Annotated[Path | None, typer.Option(help="Certificate to show, for carddav:URL.")] = None,
    proxy: Annotated[str, typer.Option(metavar="URL", help="Proxy, for carddav:URL.")] = "",
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Allow plain http beyond this machine.")
    ] = False,
    columns: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='TOML with lines like "Vorname" = "First Name", for tables.'),
    ] = None,
) -> None:
    """Take in contacts once. Importing the same source again changes nothing.

    Files may be vCards of any version, tables (CSV) of Google or Outlook, JSContact or jCard.
    """
    from contactsync.config import AccountConfig

    remote = any(source.startswith("carddav:") for source in sources)
    source, secret = login.choose(
        "the import", password_stdin, password_file, password_command, needed=remote and bool(username)
    )
    if password_stdin and "-" in sources:
        raise UsageError("Standard input cannot give both cards and a password.", hint="Use --password-file.")
    stranger = AccountConfig(
        name="import",
        connector="carddav",
        username=username,
        password=source,
        ca_file=absolute(ca_file),
        client_cert=absolute(client_cert),
        proxy=proxy,
        insecure_http=insecure_http,
    )
    with open_engine(ctx) as engine:
        opener = _opener(engine, stranger, secret.value or "")
        report = _import(engine, sources, match, dry_run, opener, _columns(columns))
    _show_import(session_of(ctx), report, dry_run=dry_run)


def _columns(path: Path | None) -> dict[str, str]:
    """What the columns of a table in another language are called in English."""
    import tomllib

    if path is None:
        return {}
    try:
        found = tomllib.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    if wrong := [name for name, value in found.items() if not isinstance(value, str)]:
        raise UsageError(f"{path}: {wrong[0]!r} must be the English name of a column, in quotation marks.")
    return found


def _opener(engine: Engine, stranger: AccountConfig, secret: str) -> Callable[[str], Connector]:
    """Makes the connector of an account by its name, or of ``carddav:URL`` with the login given."""
    from contactsync.engine.connect import connect

    def password(account: AccountConfig) -> str:
        return engine.password(account) if account.password is not None else secret

    def open_account(name: str) -> Connector:
        if name.startswith("carddav:"):
            url = name.removeprefix("carddav:")
            return _showing(
                connect(replace(stranger, url=url), password), lambda books: _named_by(url, books)
            )
        account = engine.config.account(name)
        return _showing(
            engine.connect(account), lambda books: [b for b in books if account.selects(b.name, b.href)]
        )

    return open_account


def _named_by(url: str, books: Sequence[Collection]) -> Sequence[Collection]:
    """The one book that the URL names, or all behind it."""
    return [book for book in books if path_of(book.href) == path_of(url)] or books


def _showing(connector: Connector, some: Callable[[Sequence[Collection]], Sequence[Collection]]) -> Connector:
    return cast("Connector", _Chosen(connector, some))


class _Chosen:
    """A connector that shows only some of its books."""

    def __init__(
        self, connector: Connector, some: Callable[[Sequence[Collection]], Sequence[Collection]]
    ) -> None:
        self._connector = connector
        self._some = some

    def collections(self) -> Sequence[Collection]:
        return self._some(self._connector.collections())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)


def _import(
    engine: Engine,
    sources: list[str],
    match: Match,
    dry_run: bool,
    open_account: Callable[[str], Connector] | None,
    columns: Mapping[str, str],
) -> ImportReport:
    from contactsync.api import Progress
    from contactsync.exchange.importer import import_sources

    return import_sources(
        engine,
        sources,
        match=match,
        dry_run=dry_run,
        stdin=sys.stdin.buffer if "-" in sources else None,
        open_account=open_account,
        columns=columns,
        progress=lambda what, done: engine.tell(Progress(f"importing {what}", done)),
    )


def _show_import(session: Session, report: ImportReport, *, dry_run: bool) -> None:
    out = session.out
    out.result(report.to_json(), _import_summary(report, dry_run=dry_run))
    for change in report.plan:
        out.lines(*plan_lines(change))
    if not out.json:
        out.warn(*(f"  {error.remote_ref}: {error.name}: {error.reason}" for error in report.errors))
        out.note(*_review_lines(report))
    if report.run is not None:
        out.note(f"To take it back: {session.command('run', 'undo', str(report.run))}")
    raise typer.Exit(report.exit_code())


def _review_lines(report: ImportReport) -> Iterator[str]:
    for one in report.reviews[:SHOWN]:
        yield f"  held: {one.name} {one.reason}"
    if len(report.reviews) > SHOWN:
        yield f"  and {len(report.reviews) - SHOWN} more; with --json all are named"


def _import_summary(report: ImportReport, *, dry_run: bool) -> str:
    parts = [
        f"{plural(report.new, 'contact')} new",
        f"{report.merged} merged into contacts that were here",
        f"{report.equal} here already",
    ]
    if report.held:
        parts.append(f"{report.held} held for review")
    if report.set_aside:
        parts.append(f"{plural(report.set_aside, 'card')} set aside")
    return f"{'Would import' if dry_run else 'Imported'}: {', '.join(parts)}."


# --- export ---


def export_contacts(
    ctx: typer.Context,
    to: Annotated[str, typer.Option(metavar="PATH|-", help="A file, or a folder with --split.")] = "-",
    form: Annotated[
        FileFormat,
        typer.Option("--format", help="vCard 4.0, 3.0 or 2.1, JSContact, a table of Google or of Outlook."),
    ] = "vcard4",
    split: Annotated[bool, typer.Option("--split", help="One file for each contact.")] = False,
    group_name: Annotated[str, typer.Option("--group", help="Only the members of this group.")] = "",
    query: Annotated[str, typer.Option(help="Only contacts with all these words.")] = "",
) -> None:
    """Write contacts as vCards, as a list of JSContact Cards, or as a table.

    What the format has no place for is left out, and said.
    """
    from contactsync.exchange.exporter import export

    out = session_of(ctx).out
    if out.json and to == "-":
        raise UsageError("With --json the cards need a place of their own.", hint="Name one with --to PATH.")
    with open_engine(ctx) as engine:
        busy(engine, "Exporting")
        report = export(
            engine, to=to, fmt=form, split=split, group=group_name, query=query, stdout=sys.stdout.buffer
        )
    left_out = [one.to_json() for one in report.left_out]
    if out.json:
        out.result({"contacts": report.contacts, "to": to, "format": form, "left_out": left_out})
    elif to != "-":
        out.note(f"{plural(report.contacts, 'contact')} written to {to}")
    if report.left_out and not out.json:
        out.note(*_left_out_lines(report))


def _left_out_lines(report: ExportReport) -> Iterator[str]:
    """How often a field had no room, and who the first ones are."""
    counts = Counter(field for one in report.left_out for field in one.fields)
    fields = ", ".join(f"{field} ({count})" for field, count in sorted(counts.items()))
    yield f"This format has no room for all of {plural(len(report.left_out), 'contact')}: {fields}."
    for one in report.left_out[:SHOWN]:
        yield f"  {one.name}: {', '.join(one.fields)}"
    if len(report.left_out) > SHOWN:
        yield f"  and {len(report.left_out) - SHOWN} more; with --json all are named"


# --- backups ---


@backup.command("list")
def list_backups(ctx: typer.Context) -> None:
    """The copies that are kept, oldest first."""
    from contactsync.engine.backup import backups

    session = session_of(ctx)
    found = backups(session.data_dir / "backups")
    listed = [
        {
            "file": str(b.path),
            "account": b.account,
            "book": b.book,
            "made_at": b.made_at.isoformat(),
            "cards": b.cards,
        }
        for b in found
    ]
    session.out.result({"backups": listed})
    rows = [(f"{b.made_at:%Y-%m-%d %H:%M}", b.account, b.book, b.cards, b.path) for b in found]
    session.out.table(("MADE (UTC)", "ACCOUNT", "BOOK", "CARDS", "FILE"), rows)
    if not found:
        session.out.note(
            "There is no backup yet; one is made before the first write to an address book that has cards."
        )


@backup.command("restore")
def restore_backup(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="As backup list shows it, or only its name.")],
    dry_run: DryRun = False,
) -> None:
    """Import a backup: what is missing or was deleted comes back, what was edited since stays."""
    session = session_of(ctx)
    path = _backup_file(session, file)
    with open_engine(ctx) as engine:
        report = _import(engine, [str(path)], "auto", dry_run, None, {})
    _show_import(session, report, dry_run=dry_run)


def _backup_file(session: Session, file: str) -> Path:
    for path in (Path(file).expanduser(), session.data_dir / "backups" / file):
        if path.is_file():
            return path
    raise UsageError(f"There is no backup {file}.", hint=f"See: {session.command('backup', 'list')}")


# --- demo ---


def demo(
    ctx: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything there, to play with.")] = False,
) -> None:
    """Show the main job on a server of its own with invented people, and check the outcome."""
    from io import StringIO

    from contactsync.engine.demo import run_demo

    out = session_of(ctx).out
    story = StringIO() if out.json else sys.stdout
    code = run_demo(story, keep=keep)
    if out.json and isinstance(story, StringIO):
        out.result({"ok": code == 0, "story": story.getvalue().splitlines()})
    raise typer.Exit(code)
