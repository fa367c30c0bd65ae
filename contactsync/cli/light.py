"""Typer without what an invocation does not need.

Commands are made when they are named: making all of them costs as much as loading Typer itself.

Typer 0.29 makes a pydantic adapter for every parameter that is not a flag, also for one that was not
given. Loading pydantic costs more than a round without news, and it would be loaded for every completion.
Words, paths and defaults need no adapter; everything else still goes through Typer's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.models import CommandInfo, TyperInfo

from contactsync.frozen import frozen

#: Makes one command below the group of this context.
Maker = Callable[[typer.Context], Any]
STYLE: dict[str, Any] = {"pretty_exceptions_short": True, "rich_markup_mode": None}


@frozen
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
    """Spare a command the adapters; its context. A Typer that keeps them elsewhere stays as it is."""
    context = typer.Context(command, parent=parent, **command.context_settings)
    for param in command.get_params(context):
        if getattr(param, "_runtime_param", ...) is None:
            param._runtime_param = Reader(param.type_descriptor.annotation)
    return context


class Commands(Mapping[str, Any]):
    """The commands of a group by their names, each made when it is asked for."""

    def __init__(self, makers: Mapping[str, Maker], group: typer.Context) -> None:
        self._makers = makers
        self._group = group
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._makers[name](self._group)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def commands_of_root(modules: Mapping[str, str], root: typer.Context) -> Commands:
    """``modules`` says which module of this package registers which name."""
    return Commands({name: partial(_loaded, module, name) for name, module in modules.items()}, root)


def _loaded(module: str, name: str, parent: typer.Context) -> Any:
    part = typer.Typer()
    import_module(f"contactsync.cli.{module}").register(part)
    return _makers(part)[name](parent)


def _makers(part: typer.Typer) -> dict[str, Maker]:
    makers: dict[str, Maker] = {info.name or "": partial(_command, info) for info in part.registered_commands}
    groups = [info.typer_instance for info in part.registered_groups if info.typer_instance]
    return makers | {group.info.name or "": partial(_group, group) for group in groups}


def _command(info: CommandInfo, parent: typer.Context) -> Any:
    command = typer.main.get_command_from_info(info, **STYLE)
    lighten(command, parent)
    return command


def _group(part: typer.Typer, parent: typer.Context) -> Any:
    empty = copy(part)
    empty.registered_commands, empty.registered_groups = [], []
    group: Any = typer.main.get_group_from_info(TyperInfo(empty), suggest_commands=True, **STYLE)
    group.commands = Commands(_makers(part), lighten(group, parent))
    return group
