"""One invocation: the global options, the engine that they open, and the person to ask."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer.core import TyperGroup

from contactsync.cli.output import Output
from contactsync.errors import UsageError
from contactsync.frozen import frozen

if TYPE_CHECKING:
    from contactsync.api import Engine
    from contactsync.cli.profiling import Profile
    from contactsync.config import AccountConfig, Config
    from contactsync.connectors.base import Exchange

Witness = Callable[["Exchange"], None]
Mode = Literal["two-way", "pull", "push", "mirror-pull", "mirror-push"]
Conflicts = Literal["newest", "device", "remote", "ask"]
CardFormat = Literal["vcard4", "vcard3", "vcard21", "jscontact"]
FileFormat = Literal["vcard4", "vcard3", "vcard21", "jscontact", "csv", "outlook-csv"]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]
TranscriptFile = Annotated[
    Path | None,
    typer.Option(
        "--transcript",
        metavar="FILE",
        help="Write down what servers were asked and answered, without logins and values, for a bug report.",
    ),
]


@dataclass(slots=True)
class Session:
    """What the options before the command say. The root callback fills it in."""

    config_option: Path | None = None
    data_option: Path | None = None
    database: str = ""
    verbosity: int = 0
    profile: Profile | None = None
    out: Output = field(default_factory=Output)

    @property
    def config_path(self) -> Path:
        from contactsync.config import config_path

        return config_path(self.config_option)

    @property
    def data_dir(self) -> Path:
        from contactsync.config import data_dir

        return data_dir(self.data_option)

    def config(self) -> Config:
        from contactsync.config import load

        return load(self.config_path)

    def command(self, *words: str) -> str:
        """A command line that works on the same configuration and data, to be copied."""
        places = (
            ("--config", self.config_option),
            ("--data-dir", self.data_option),
            ("--database", self.database),
        )
        options = [word for option, value in places if value for word in (option, str(value))]
        return shlex.join(["contactsync", *options, *words])


def session_of(ctx: typer.Context) -> Session:
    session = ctx.find_object(Session)
    assert session is not None
    return session


def group(name: str, summary: str, cls: type[TyperGroup] | None = None) -> typer.Typer:
    """A group of commands, such as ``account``."""
    return typer.Typer(name=name, help=summary, no_args_is_help=True, cls=cls)


@contextlib.contextmanager
def open_engine(
    ctx: typer.Context,
    *,
    config: Config | None = None,
    secret: str | None = None,
    transcript: Path | None = None,
) -> Iterator[Engine]:
    """The engine of this invocation, with progress on the terminal.

    ``config`` stands in for the file while an account is tried out, ``secret`` for its password; what
    servers are asked and answer is written to ``transcript``.
    """
    session = session_of(ctx)
    config = config or session.config()
    from contactsync.api import Engine, Event, Hooks, Progress

    def show(event: Event) -> None:
        if isinstance(event, Progress):
            watch(event.what, event.done, event.of)

    with session.out.watch() as watch, _writing(transcript) as writing:
        password = Secret(secret) if secret is not None else None
        hooks = Hooks(password=password, witness=_both(session.profile, writing))
        with Engine(config, session.data_dir, database=session.database, hooks=hooks) as engine:
            engine.subscribe(show)
            yield engine


def _both(*witnesses: Witness | None) -> Witness | None:
    """One witness for all that there are."""
    there = [witness for witness in witnesses if witness is not None]
    if not there:
        return None

    def tell(exchange: Exchange) -> None:
        for witness in there:
            witness(exchange)

    return tell


@contextlib.contextmanager
def _writing(path: Path | None) -> Iterator[Witness | None]:
    if path is None:
        yield None
        return
    from contactsync.connectors.transcript import Transcript

    try:
        transcript = Transcript(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    with transcript:
        yield transcript


@frozen
class Secret:
    """A password that was just typed in and is kept nowhere yet."""

    value: str = field(repr=False)

    def __call__(self, account: AccountConfig) -> str:
        return self.value


def busy(engine: Engine, what: str) -> None:
    """Something begins whose end cannot be foreseen."""
    from contactsync.api import Progress

    engine.tell(Progress(what))


def is_a_person_there() -> bool:
    return sys.stdin.isatty()


def confirm(question: str, option: str) -> None:
    """Go on, or end here. Raises `UsageError` without a person, naming the option that answers."""
    if not is_a_person_there():
        raise UsageError("This asks before it goes on, and nobody is there.", hint=f"Answer with {option}.")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def complete_accounts(ctx: typer.Context, incomplete: str) -> list[str]:
    return _names_of("account", ctx, incomplete)


def complete_calendars(ctx: typer.Context, incomplete: str) -> list[str]:
    return _names_of("calendar", ctx, incomplete)


def _names_of(kind: str, ctx: typer.Context, incomplete: str) -> list[str]:
    """Names from the file alone; a broken one completes nothing."""
    import tomllib

    from contactsync.config import config_path

    named = ctx.find_root().params.get("config")
    try:
        text = config_path(Path(named) if named else None).read_text(encoding="utf-8")
        return [name for name in tomllib.loads(text).get(kind, {}) if name.startswith(incomplete)]
    except (OSError, ValueError, AttributeError):
        return []


def absolute(path: Path | None) -> str:
    return os.fspath(path.expanduser().absolute()) if path is not None else ""


def need_accounts(config: Config) -> None:
    """There is something to synchronise at all."""
    if not config.accounts:
        raise UsageError(
            f"There is no account in {config.path} yet.",
            hint="Add one: contactsync account add carddav NAME --url https://... --username ...",
        )
