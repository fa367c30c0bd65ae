"""What is made of the parameters of a line is made once for each head that was seen before.

A module of its own, because it stays Python where others are compiled: no compiled class can be a tuple.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

Params = tuple[tuple[str, str], ...]
_Found = TypeVar("_Found")


class KnownParams(tuple[tuple[str, str], ...]):
    """The parameters of a head that was seen before: what is made of them is kept with them. There are few
    such heads, and they are short, so that this stays small whatever is read."""


def kept(function: Callable[[Params], _Found]) -> Callable[[Params], _Found]:
    """For a function of parameters: what it found for known ones is not looked for again."""
    name = function.__qualname__

    @functools.wraps(function)
    def call(params: Params) -> _Found:
        if type(params) is not KnownParams:
            return function(params)
        memory = params.__dict__
        if name not in memory:
            memory[name] = function(params)
        found: _Found = memory[name]
        return found

    return call
