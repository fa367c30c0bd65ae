"""``contactsync``: the global options, the commands, and the last word on every error."""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from contactsync import errors
from contactsync.cli.light import commands_of_root, lighten
from contactsync.cli.session import Session

HELP = """Keep the contacts of this device and of any number of address books the same.

Start with: contactsync account add carddav NAME --url https://... --username ...
Then: contactsync sync
"""

EXIT_CODES = """\
Exit codes: 0 done; 1 failed; 2 usage or configuration; 3 some items failed; 4 conflicts wait for you;
5 temporary failure; 6 login needed; 7 stopped by a safety guard; 8 another run holds the lock;
130 interrupted."""

#: The first row that fits an error gives its exit code, and its kind in JSON.
KINDS: tuple[tuple[type[errors.ContactSyncError], int, str], ...] = (
    (errors.ConfigError, 2, "configuration"),
    (errors.UsageError, 2, "usage"),
    (errors.LockedError, 8, "locked"),
    (errors.SafetyStop, 7, "guard"),
    (errors.AuthError, 6, "login-needed"),
    (errors.TransientError, 5, "temporary"),
    (errors.StoreError, 1, "database"),
    (errors.RemoteError, 1, "remote"),
    (errors.CodecError, 1, "card"),
    (errors.ContactSyncError, 1, "failed"),
)
INTERRUPTED = 130
#: Which module of this package has which command, in the order of the help.
COMMANDS = {
    "sync": "sync",
    "plan": "sync",
    "watch": "watch",
    "service": "service",
    "status": "runs",
    "account": "accounts",
    "calendar": "calendars",
    "contact": "contacts",
    "group": "contacts",
    "duplicates": "duplicates",
    "conflict": "conflicts",
    "run": "runs",
    "import": "exchange",
    "export": "exchange",
    "backup": "exchange",
    "doctor": "runs",
    "demo": "exchange",
}

app = typer.Typer(
    name="contactsync",
    help=HELP,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from contactsync import __version__

        typer.echo(f"contactsync {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="CONTACTSYNC_CONFIG",
            metavar="FILE",
            help="Configuration file [default: config.toml in the platform's place].",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="CONTACTSYNC_DATA_DIR",
            metavar="DIR",
            help="Device database, backups and vault [default: the platform's place].",
        ),
    ] = None,
    database: Annotated[
        str,
        typer.Option(
            envvar="CONTACTSYNC_DATABASE",
            metavar="URL",
            help="SQLAlchemy URL of the device database [default: SQLite in the data directory].",
        ),
    ] = "",
    profile: Annotated[
        Path | None,
        typer.Option(
            envvar="CONTACTSYNC_PROFILE",
            metavar="FILE",
            help="Write down where the time goes, without contents, names and logins, for a bug report.",
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON document on stdout; may also stand after the command."),
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "-v", "--verbose", count=True, help="Say more on stderr; -vv also why, -vvv everything."
        ),
    ] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say only errors on stderr.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    from contactsync import log

    session = ctx.ensure_object(Session)
    session.config_option, session.data_option, session.database = config, data_dir, database
    session.verbosity = -1 if quiet else verbose
    session.out.json, session.out.quiet = json or session.out.json, quiet
    log.setup(session.verbosity)
    if profile is not None:
        from contactsync.cli.profiling import Profile

        session.profile = ctx.with_resource(Profile(profile))
    # Each retry is a warning there; what comes of them is said in our own words.
    logging.getLogger("urllib3").setLevel(logging.NOTSET if verbose > 1 else logging.ERROR)


@functools.cache
def program() -> Any:
    """The whole command line as one command."""
    root = typer.main.get_command(app)
    root.commands = commands_of_root(COMMANDS, lighten(root))  # type: ignore[attr-defined]
    return root


def main() -> None:
    """The entry point ``contactsync``."""
    # Loading the libraries makes objects that live to the end; looking through them for garbage, a
    # thousand at a time, costs a fifth of the start.
    gc.set_threshold(50_000, 20, 50)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; its exit code. Nothing but bugs of Python itself comes through."""
    words, json = _json_first(arguments)
    session = Session()
    session.out.json = json
    if hasattr(sys.stdout, "reconfigure"):
        # A name that this terminal's encoding lacks is no reason to fail.
        sys.stdout.reconfigure(errors="replace")
    try:
        code = program().main(args=words, prog_name="contactsync", standalone_mode=False, obj=session)
        sys.stdout.flush()
    except SystemExit as exit_:
        code = exit_.code
    except BrokenPipeError:
        return _reader_is_gone()
    except (Exception, KeyboardInterrupt) as error:
        return _explain(session, error)
    return _interrupted(session) if code == INTERRUPTED else code if isinstance(code, int) else 0


def _json_first(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """``--json`` may stand anywhere, as long as it is an option at all."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    words = [word for word in arguments[:end] if word != "--json"]
    return [*words, *arguments[end:]], len(words) < end


def _reader_is_gone() -> int:
    """``contactsync contact list | head``: nobody is left to print for."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _interrupted(session: Session) -> int:
    text = "Interrupted; the state is consistent, the next run goes on."
    session.out.error(text, "", "interrupted")
    return INTERRUPTED


def _explain(session: Session, error: BaseException) -> int:
    """Print what went wrong; the exit code that says so."""
    match error:
        case KeyboardInterrupt() | typer.Abort():
            return _interrupted(session)
        case errors.ContactSyncError():
            if session.verbosity > 1:
                _traceback(error)
            code, kind = next((code, kind) for of, code, kind in KINDS if isinstance(error, of))
            session.out.error(error.message, error.hint, kind)
            return code
        case TyperException():
            return _usage(session, error)
        case _:
            return _unforeseen(session, error)


def _usage(session: Session, error: TyperException) -> int:
    """A slip on the command line, in Typer's words: the usage line, and what is wrong."""
    show = getattr(error, "show", None)
    if session.out.json or show is None:
        context = getattr(error, "ctx", None)
        hint = f"Run: {context.command_path} --help" if context is not None else ""
        session.out.error(error.format_message(), hint, "usage")
    else:
        show()
    return 2


def _unforeseen(session: Session, error: BaseException) -> int:
    if session.verbosity > 0:
        _traceback(error)
        hint = "Please report this with the lines above."
    else:
        hint = "This is a mistake in contactsync. Run it again with -v for the lines that a report needs."
    session.out.error(f"{type(error).__name__}: {error}", hint, "internal")
    return 1


def _traceback(error: BaseException) -> None:
    from contactsync.log import redact

    sys.stderr.write(redact("".join(traceback.format_exception(error))))
