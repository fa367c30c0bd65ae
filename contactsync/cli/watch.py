"""``watch``: continuous sync, until it is told to end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactsync.cli.session import Session, need_accounts, session_of
from contactsync.cli.sync import Names, calendar_lines, calendar_trouble, report_lines
from contactsync.errors import UsageError

if TYPE_CHECKING:
    from contactsync.engine.report import AccountReport, CalendarReport

Interval = Annotated[
    str, typer.Option(metavar="TIME", help="Pause between rounds: 90s, 15m, 2h. [default: 15m]")
]


SETTLING_ROUNDS = 20
"""By then each account has had a round, and its libraries are loaded."""


def register(app: typer.Typer) -> None:
    app.command("watch")(watch)


def watch(ctx: typer.Context, names: Names = None, interval: Interval = "") -> None:
    """Keep everything the same all the time: asks the accounts every now and then, and sends what is
    edited here within seconds. Ends with Ctrl-C or SIGTERM; SIGHUP makes it look at once.

    With --json it prints one JSON object a line for each thing that happens.
    """
    session = session_of(ctx)
    config = session.config()
    need_accounts(config)
    for name in names or ():
        config.account(name)
    every = interval_of(interval)

    from contactsync.api import Engine, Hooks
    from contactsync.daemon.notify import Notifier
    from contactsync.daemon.stopping import Stop
    from contactsync.daemon.watcher import Watcher

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # a log is read while it grows
    stop, notify, telling = Stop(), Notifier.from_environment(), Telling(session)
    restore = stop.listen()
    try:
        # A round that gets on is alive, and can be left between two steps.
        hooks = Hooks(step=lambda name: notify.alive(), stopping=lambda: stop.asked, witness=session.profile)
        with Engine(config, session.data_dir, database=session.database, hooks=hooks) as engine:
            engine.subscribe(lambda event: notify.alive())
            Watcher(engine, stop, tuple(names or ()), every, telling, notify).run()
    finally:
        restore()


def interval_of(text: str) -> timedelta | None:
    """What ``--interval`` says; None where it says nothing. Raises `UsageError`."""
    from contactsync.config import seconds_of

    if not text:
        return None
    seconds = seconds_of(text)
    if seconds is None:
        raise UsageError(
            f"--interval takes a time from 10s to 24h, not {text!r}.", hint="For example: --interval 15m"
        )
    return timedelta(seconds=seconds)


class Telling:
    """Prints the events of the daemon: one line of JSON each, or what people want to know."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._troubles: dict[str, str] = {}
        self._rounds = 0

    def __call__(self, event: str, content: Mapping[str, Any]) -> None:
        self._print(event, content)
        if event == "round":
            self._tidy()

    def _tidy(self) -> None:
        """What a round leaves behind goes at once: the libraries leave megabytes in cycles. What the first
        ones loaded stays for good, and is not looked through again."""
        gc.collect()
        self._rounds += 1
        if self._rounds <= SETTLING_ROUNDS:
            gc.freeze()

    def _print(self, event: str, content: Mapping[str, Any]) -> None:
        out = self._session.out
        if out.json:
            out.event({"event": event, "at": datetime.now(UTC).isoformat(), **_plain(content)})
            return
        match event:
            case "started":
                every = _interval(content["interval"])
                out.note(f"Watching {', '.join(content['accounts'])}; every {every}, and at every edit here.")
            case "round":
                self._round(content["account"])
            case "calendar":
                self._calendar(content["calendar"])
            case "trouble":
                out.warn(f"{_clock()} {content['message']}")
            case "reloaded":
                out.note(f"{_clock()} The configuration changed: {', '.join(content['accounts'])}.")
            case _:
                out.note(f"{_clock()} Stopped.")

    def _round(self, account: AccountReport) -> None:
        lines, warnings = report_lines(self._session, account)
        trouble = "" if account.state == "ok" else account.message
        self._tell(account.name, account.worked, trouble, lines, warnings)

    def _calendar(self, report: CalendarReport) -> None:
        warnings = list(calendar_trouble(report))
        trouble = "\n".join(warnings)
        lines = calendar_lines(report, dry_run=False)
        self._tell(f"Calendar {report.name}", bool(report.written), trouble, lines, warnings)

    def _tell(
        self, who: str, worked: bool, trouble: str, lines: Iterable[str], warnings: Iterable[str]
    ) -> None:
        """What was done; of the same trouble again and again only the beginning and the end."""
        before = self._troubles.get(who, "")
        self._troubles[who] = trouble
        if worked:
            self._session.out.lines(*_stamped(lines))
        if worked or trouble != before:
            self._session.out.warn(*_stamped(warnings))
        if before and not trouble:
            self._session.out.note(f"{_clock()} {who}: all is well again.")


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.to_json() if hasattr(value, "to_json") else value for key, value in content.items()}


def _stamped(lines: Iterable[str]) -> list[str]:
    return [f"{_clock()} {line}" for line in lines]


def _interval(seconds: int) -> str:
    """As ``--interval`` takes it."""
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _clock() -> str:
    return f"{datetime.now():%H:%M:%S}"
