"""Writes docs/commands.md and docs/contactsync.1 from the commands: ``python docs/generate_commands.py``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import man_page
import typer

from contactsync.cli.app import program

HEAD = """\
# Commands

<!-- Made by docs/generate_commands.py; do not edit. -->

Each command explains itself with `--help`. `contactsync --install-completion` teaches your shell to
complete commands and options, `--show-completion` prints what it would be taught. All of this page is also
in `man contactsync`.
"""
HIDDEN = ("--help", "--install-completion", "--show-completion")


def pages(command: Any, parent: Any, name: str) -> Iterator[str]:
    """One section for a command, and after it those of the commands below it."""
    context = typer.Context(command, info_name=name, parent=parent)
    yield f"## `{context.command_path}`\n"
    yield f"    {context.command_path} {' '.join(command.collect_usage_pieces(context))}\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    if command.epilog:
        yield inspect.cleandoc(command.epilog) + "\n"
    lines = [f"- `{names}`: {text}".rstrip(": ") for names, text in records(command, context)]
    if lines:
        yield "\n".join(lines) + "\n"
    for below_name, below in getattr(command, "commands", {}).items():
        yield from pages(below, context, below_name)


def records(command: Any, context: typer.Context) -> Iterator[tuple[str, str]]:
    """The names and the explanation of each parameter."""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and not any(option in HIDDEN for option in parameter.opts):
            names, text = record
            yield re.sub(r" <(list\[)?str\]?>", "", " ".join(names.split())), " ".join(text.split())


def documents() -> dict[str, str]:
    """The generated files of this folder, by name."""
    page = "\n".join([HEAD, *pages(program(), None, "contactsync")])
    return {"commands.md": page, "contactsync.1": man_page.document(program(), records)}


if __name__ == "__main__":
    for name, text in documents().items():
        Path(__file__).with_name(name).write_text(text, encoding="utf-8")
