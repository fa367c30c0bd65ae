"""Typer without pydantic, where no value needs it.

Typer 0.29 makes a pydantic adapter for every parameter that is not a flag, also for one that was not
given. Loading pydantic costs more than a round without news, and it would be loaded for every completion.
Words, paths and defaults need no adapter; everything else still goes through Typer's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer


@dataclass(frozen=True, slots=True)
class Reader:
    """Stands where Typer keeps the adapter of a parameter; ``kind`` is the parameter's annotation."""

    kind: Any

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if self.kind in (str, int, float) and type(value) is self.kind:
            return value
        if self.kind is Path and isinstance(value, str | Path):
            return Path(value)
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if self.kind == list[str] and not isinstance(value, str):
            return list(value)
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def lighten(command: Any, parent: typer.Context | None = None) -> Any:
    """The command, with those below it; a Typer that keeps its adapters elsewhere stays as it is."""
    context = typer.Context(command, parent=parent, **command.context_settings)
    for param in command.get_params(context):
        if getattr(param, "_runtime_param", ...) is None:
            param._runtime_param = Reader(param.type_descriptor.annotation)
    for below in getattr(command, "commands", {}).values():
        lighten(below, context)
    return command
