"""What the command line says of a line that somebody may type, without carrying it out."""

from __future__ import annotations

import functools
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.exceptions import TyperException

from contactsync.cli import accounts
from contactsync.cli import app as cli
from contactsync.connectors import registry

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"


def commands(of: Any, path: str = "contactsync") -> Iterator[tuple[str, Any]]:
    """A command with its name, and all below it."""
    yield path, of
    for name, below in getattr(of, "commands", {}).items():
        yield from commands(below, f"{path} {name}")


def complaint(line: str) -> str:
    """What is wrong with a command line: no such command or option, too few words; empty if it is taken."""
    others = connectors_of_examples()
    words = [word for word in shlex.split(line, comments=True)[1:] if word != "--json"]
    words = [accounts.ANY if word in others else word for word in words]
    try:
        _idle().main(args=words, prog_name="contactsync", standalone_mode=False)
    except TyperException as error:
        return error.format_message()
    return ""


@functools.cache
def connectors_of_examples() -> frozenset[str]:
    """The names that ``account add`` takes where they are installed."""
    projects = [tomllib.loads(path.read_text(encoding="utf-8")) for path in EXAMPLES.rglob("pyproject.toml")]
    return frozenset(name for one in projects for name in one["project"]["entry-points"][registry.GROUP])


@functools.cache
def _idle() -> Any:
    """Our commands, but none of them does anything."""
    root = cli.program.__wrapped__()
    for _, command in commands(root):
        command.callback = None
    return root
