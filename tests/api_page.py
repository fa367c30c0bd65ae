"""The page about the library: what programs embed, by its own signatures and docstrings."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from types import ModuleType, UnionType
from typing import Any, get_args

from contactsync import api


def public(module: ModuleType) -> list[str]:
    """The names that a module offers: those in ``__all__``, else the classes and functions made in it."""
    made_here = (name for name, value in vars(module).items() if _module(value) == module.__name__)
    return sorted(getattr(module, "__all__", None) or (n for n in made_here if not n.startswith("_")))


def page() -> str:
    """What is made in the api, the engine first; then the values that it takes and gives."""
    offered = {name: getattr(api, name) for name in public(api)}
    made_here = [value for value in offered.values() if _module(value) == api.__name__]
    made_here.sort(key=lambda value: (value is not api.Engine, value is not api.Hooks, value.__name__))
    unions = [_union(name, value) for name, value in offered.items() if isinstance(value, UnionType)]
    named = {value for value in offered.values() if inspect.isclass(value) and _is_value(value)}
    values = sorted((named | _values([*made_here, *named])) - {*made_here}, key=lambda value: value.__name__)
    return "\n".join([*map(_part, made_here), *unions, "## Values\n", *map(_value, values)]).rstrip()


def _union(name: str, value: UnionType) -> str:
    return f"## `{name}`\n\n    {name} = {' | '.join(part.__name__ for part in get_args(value))}\n"


def _part(value: Any) -> str:
    members = [] if inspect.isfunction(value) else [name for name in vars(value) if not name.startswith("_")]
    shown = [_described(value, value.__name__), *(_member(value, name) for name in members)]
    return "\n".join([f"## `{value.__name__}`\n", *filter(None, shown)])


def _member(owner: type, name: str) -> str:
    value = inspect.getattr_static(owner, name)
    if isinstance(value, property):
        return f"### `{owner.__name__}.{name}`\n\n    {name}: {_annotation(value.fget)}\n\n{_text(value)}"
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    return f"### `{owner.__name__}.{name}`\n\n{_described(value, name)}" if inspect.isfunction(value) else ""


def _value(value: type) -> str:
    lines = [f"### `{value.__name__}`\n", f"In `{value.__module__}`. {_text(value)}"]
    if issubclass(value, Enum):
        lines += [f"- `{member.name}` = `{member.value!r}`" for member in value]
    else:
        lines += [f"- `{field.name}`: `{_type(field.type)}`" for field in fields(value)]  # type: ignore[arg-type]
    return "\n".join([*lines, ""])


class _Bare(str):
    """What is shown in a signature without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _described(value: Any, name: str) -> str:
    signature = inspect.signature(value)
    kept = [
        parameter.replace(annotation=_Bare(_type(parameter.annotation)), default=_default(parameter.default))
        for parameter in signature.parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    answer = signature.empty if inspect.isclass(value) else _Bare(_type(signature.return_annotation))
    shown = str(signature.replace(parameters=kept, return_annotation=answer))
    return (
        "\n".join([*(f"    {line}" for line in _folded(f"{name}{shown}")), "", _text(value)]).rstrip("\n")
        + "\n"
    )


def _default(value: Any) -> Any:
    """A function has another address in each process."""
    made_later = not inspect.isclass(value) and (callable(value) or "factory" in repr(value))
    return _Bare("...") if made_later else value


def _folded(signature: str, width: int = 100) -> list[str]:
    """One parameter a line where it is too long."""
    if len(signature) <= width:
        return [signature]
    head, _, rest = signature.partition("(")
    inner, end, answer = rest.rpartition(")")
    parameters = re.split(r", (?![^\[\]()]*[\])])", inner)
    return [f"{head}(", *(f"    {one}," for one in parameters), f"{end}{answer}"]


def _text(value: Any) -> str:
    text = inspect.getdoc(value) or ""
    own = text and not text.startswith(f"{getattr(value, '__name__', '')}(")
    return f"{text}\n" if own else ""


def _values(roots: list[Any]) -> set[type]:
    """The dataclasses and enumerations of ours that signatures and fields name, and those that these name."""
    known: set[type] = set()
    waiting = list(roots)
    while waiting:
        value = waiting.pop()
        for text in _annotations(value):
            for name in re.findall(r"\w+", text):
                found = vars(sys.modules[value.__module__]).get(name)
                if inspect.isclass(found) and _is_value(found) and found not in known:
                    known.add(found)
                    waiting.append(found)
    return known


def _is_value(found: type) -> bool:
    return found.__module__.startswith("contactsync.") and (is_dataclass(found) or issubclass(found, Enum))


def _annotations(value: Any) -> Iterator[str]:
    if is_dataclass(value):
        yield from (_type(field.type) for field in fields(value))
    functions = [value] if inspect.isfunction(value) else vars(value).values()
    for name_and_function in functions:
        function = getattr(name_and_function, "fget", name_and_function)
        if inspect.isfunction(function) and (function is value or not function.__name__.startswith("_")):
            yield from map(_type, function.__annotations__.values())


def _annotation(function: Any) -> str:
    return _type(function.__annotations__["return"])


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _module(value: object) -> str:
    return getattr(value, "__module__", "")
