"""``@frozen``: what `dataclasses.dataclass` makes with ``frozen`` and ``slots``, in a quarter of the time.

The standard library compiles six functions for each such class, one at a time, and most commands need a
hundred classes before they begin. Here two are compiled, together, and the rest is shared by all classes.
`dataclasses.fields`, ``replace`` and ``asdict`` work as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import partial
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(plain: type[T]) -> type[T]: ...
@overload
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(*, kw_only: bool) -> Callable[[type[T]], type[T]]: ...
def frozen(plain: Any = None, *, kw_only: bool = False) -> Any:
    """The class, whose fields are its annotations; with ``kw_only`` they are given by name. What it defines
    itself stays."""
    return partial(_made, kw_only=kw_only) if plain is None else _made(plain)


def _made(plain: type, kw_only: bool = False) -> type:
    text, plain.__doc__ = plain.__doc__, plain.__name__  # where there is none, a signature would be made
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(plain)
    made.__doc__ = text
    made.__dataclass_params__.frozen = True
    all_fields = fields(made)
    compared = [f.name for f in all_fields if f.compare]
    names: dict[str, Any] = {"MISSING": MISSING}
    names |= {f"set_{f.name}": getattr(made, f.name).__set__ for f in all_fields}
    names |= {f"given_{f.name}": f.default for f in all_fields}
    names |= {f"make_{f.name}": f.default_factory for f in all_fields}
    exec("\n".join(_source(all_fields, compared, hasattr(made, "__post_init__"))), names)
    names["__init__"].__qualname__ = f"{made.__qualname__}.__init__"
    own = {"__init__": names["__init__"], "__eq__": names["__eq__"], "__hash__": _hash_of(compared)}
    for name, function in {**_SHARED, **own}.items():
        if name not in vars(plain):
            setattr(made, name, function)
    return made  # type: ignore[no-any-return]


def _source(all_fields: tuple[Field[Any], ...], compared: list[str], more: bool) -> Iterator[str]:
    """The functions that are not the same for all classes."""
    by_name = next((n for n, f in enumerate(all_fields) if f.kw_only), len(all_fields))
    parameters = [*map(_parameter, all_fields)]
    parameters[by_name:by_name] = ["*"] if by_name < len(all_fields) else []
    yield f"def __init__(self, {', '.join(parameters)}):"
    yield "    pass"
    for f in all_fields:
        made = f"make_{f.name}() if {f.name} is MISSING else " if f.default_factory is not MISSING else ""
        yield f"    set_{f.name}(self, {made}{f.name})"
    if more:
        yield "    self.__post_init__()"
    yield "def __eq__(self, other):"
    yield "    if other.__class__ is not self.__class__:"
    yield "        return NotImplemented"
    ours, theirs = ("".join(f"{of}.{name}, " for name in compared) for of in ("self", "other"))
    yield f"    return ({ours}) == ({theirs})"


def _parameter(f: Field[Any]) -> str:
    if f.default_factory is not MISSING:
        return f"{f.name}=MISSING"
    return f.name if f.default is MISSING else f"{f.name}=given_{f.name}"


def _hash_of(compared: list[str]) -> Callable[[Any], int]:
    if not compared:
        return lambda self: hash(())
    values = attrgetter(*compared)
    return lambda self: hash(values(self))


def _show(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__qualname__}({shown})"


def _refuse_to_set(self: Any, name: str, value: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, f.name) for f in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for f, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, f.name, value)


_SHARED: dict[str, Callable[..., Any]] = {
    "__repr__": _show,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _restore,
}
