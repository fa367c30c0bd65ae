"""Makes a failing world small: leaves out acts as long as the same law still breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.simulation.world import Act, Plan

Fails = Callable[[Plan], bool]


def shrunk(plan: Plan, fails: Fails) -> Plan:
    """The smallest plan that was found; ``fails`` says whether a plan breaks the law in question.

    Leaves out halves, quarters and so on, then what happens in the midst of rounds, then faults.
    """
    acts = list(plan.acts)
    size = len(acts) // 2
    while size:
        start = 0
        while start < len(acts):
            fewer = acts[:start] + acts[start + size :]
            if fails(replace(plan, acts=tuple(fewer))):
                acts = fewer
            else:
                start += size
        size //= 2
    for index, act in enumerate(acts):
        for simpler in _simpler(act):
            changed = [*acts[:index], simpler, *acts[index + 1 :]]
            if fails(replace(plan, acts=tuple(changed))):
                acts = changed
                break
    return replace(plan, acts=tuple(acts))


def _simpler(act: Act) -> list[Act]:
    plain = replace(act, fault="", at="", meanwhile=())
    return [one for one in (plain, replace(act, meanwhile=()), replace(act, fault="")) if one != act]
