"""Logging: one line per happening on stderr, each with the run's id, and with secrets masked.

Only a program sets this up (the command line does); a library that embeds us keeps its own set-up.
Masking is done on the finished line, so that it also covers tracebacks and other people's messages.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

MASK = "***"
LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}

_QUOTED = r"""b?(?P<quote>['"])(?:\\.|(?!(?P=quote))[^\\])*(?P=quote)"""
_HEADERS = r"(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-goog-api-key"
# A sync token or page token names a place in a listing: it is no secret, and needed to find faults.
_TOKEN = r"(?<!sync)(?<!sync[-_])(?<!page)(?<!page[-_])token"
_NAMES = rf"[\w-]*(?:password|passwd|passphrase|secret|{_TOKEN}|api[-_]?key)"
_ASSIGNED = r"""['"]?\s*[:=]\s*"""

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # scheme://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#'\"]*@", re.I), rf"\g<1>{MASK}@"),
    # Header: value, also inside a dict; without quotes to the end of the line.
    (re.compile(rf"(?P<key>\b(?:{_HEADERS}){_ASSIGNED})(?:{_QUOTED}|[^\r\n]+)", re.I), rf"\g<key>{MASK}"),
    # password=..., "access_token": "..."; without quotes to the next parameter or the end of the line.
    (re.compile(rf"(?P<key>\b{_NAMES}{_ASSIGNED})(?:{_QUOTED}|[^\r\n&]+)", re.I), rf"\g<key>{MASK}"),
    # The steps of an OAuth login.
    (re.compile(r"([?&](?:code|code_verifier|state|assertion)=)[^&\s'\"]+", re.I), rf"\g<1>{MASK}"),
    # Credentials that stand alone.
    (
        re.compile(r"\b(Bearer|Basic|Digest)\s+(?!auth|login|cred|token)[\w.~+/=-]{4,}", re.I),
        rf"\g<1> {MASK}",
    ),
    (re.compile(r"\bya29\.[\w-]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*"), MASK),
)


def redact(text: str) -> str:
    """The text with everything masked that looks like a secret."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


class RunContext(logging.Filter):
    """Puts the id of the run on every line; a process has one round under way at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.run = "-"

    def filter(self, record: logging.LogRecord) -> bool:
        record.run = self.run
        return True


_context = RunContext()


def set_run(run: int | str | None) -> None:
    """Name the run that is under way; None when it is over."""
    _context.run = "-" if run is None else str(run)


class TextFormatter(logging.Formatter):
    """``12:03:44 run 17 WARNING contactsync.engine.run: message``"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s run %(run)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "run": getattr(record, "run", "-"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class _OurHandler(logging.StreamHandler[TextIO]):
    """A class of its own, so that a second set-up finds and replaces the first."""


def setup(verbosity: int = 0, *, json_lines: bool = False, stream: TextIO | None = None) -> None:
    """Send the log to stderr: warnings, with 1 also what is done, with 2 also why, with -1 errors only.

    Other people's libraries are heard from WARNING on, and in full from 3.
    """
    handler = _OurHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if json_lines else TextFormatter())
    handler.addFilter(_context)
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _OurHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbosity >= 3 else LEVELS[max(-1, min(verbosity, 0))])
    logging.getLogger("contactsync").setLevel(LEVELS.get(max(verbosity, -1), logging.DEBUG))
