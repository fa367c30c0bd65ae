"""What worlds must reach: a kind of act, person, fault, remote or crash point that never came up was
not tested."""

from __future__ import annotations

from collections.abc import Mapping

from tests.simulation.remotes import KINDS
from tests.simulation.world import AT_DEVICE, AT_REMOTE, BETWEEN, EDITS, FAULTS, STEPS, UNDER_WAY_FAULTS

WANTED = (
    *(f"device {what}" for what in AT_DEVICE),
    *(f"client {what}" for what in AT_REMOTE),
    *(f"{who} edit {what}" for who in ("device", "client") for what in EDITS),
    *(f"fault {fault}" for fault in FAULTS if fault and fault != "die"),
    *(f"fault {fault}" for fault in UNDER_WAY_FAULTS),
    *(f"{what} {step}" for what in ("step", "die", "meanwhile") for step in (*STEPS, *BETWEEN)),
    "died under way",
    *(f"at {kind}" for kind in KINDS),
    *(f"{side} {action}" for side in ("local", "remote") for action in ("create", "update", "delete")),
    "local revive",
    "conflict",
    "held",
    "fork crash",
    "fork order",
)


def missed(reached: Mapping[str, int]) -> list[str]:
    """The names that never came up."""
    return [name for name in WANTED if not reached.get(name)]
