"""Typer without what an invocation does not need.

Commands are made when they are named: making all of them costs as much as loading Typer itself.

Typer 0.29 makes a pydantic adapter for every parameter that is not a flag, also for one that was not
given. Loading pydantic costs more than a round without news, and it would be loaded for every completion.
Words, paths and defaults need no adapter; everything else still goes through Typer's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
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


def lighten(command: Any, parent: typer.Context | None = None) -> typer.Context:
    """Spare the command, and those below it, the adapters; its context. A Typer that keeps its
    adapters elsewhere stays as it is."""
    context = typer.Context(command, parent=parent, **command.context_settings)
    for param in command.get_params(context):
        if getattr(param, "_runtime_param", ...) is None:
            param._runtime_param = Reader(param.type_descriptor.annotation)
    for below in getattr(command, "commands", {}).values():
        lighten(below, context)
    return context


class Commands(Mapping[str, Any]):
    """The commands of the root by their names, each made when it is asked for.

    ``modules`` says which module of this package registers which name.
    """

    def __init__(self, modules: Mapping[str, str], root: typer.Context) -> None:
        self._modules = modules
        self._root = root
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            part = typer.Typer(add_completion=False, rich_markup_mode=None)
            import_module(f"contactsync.cli.{self._modules[name]}").register(part)
            for made in typer.main.get_group(part).commands.items():
                lighten(made[1], self._root)
                self._made.setdefault(*made)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)
