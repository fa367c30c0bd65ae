"""Writes docs/commands.md from the commands themselves: ``python docs/generate_commands.py``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from contactsync.cli.app import program

PLACE = Path(__file__).with_name("commands.md")
HEAD = """\
# Commands

<!-- Made by docs/generate_commands.py; do not edit. -->
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
    if lines := list(parameters(command, context)):
        yield "\n".join(lines) + "\n"
    for below_name, below in getattr(command, "commands", {}).items():
        yield from pages(below, context, below_name)


def parameters(command: Any, context: typer.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and not any(option in HIDDEN for option in parameter.opts):
            names, text = record
            shown = re.sub(r" <(list\[)?str\]?>", "", " ".join(names.split()))
            yield f"- `{shown}`: {' '.join(text.split())}".rstrip(": ")


def document() -> str:
    return "\n".join([HEAD, *pages(program(), None, "contactsync")])


if __name__ == "__main__":
    PLACE.write_text(document(), encoding="utf-8")
