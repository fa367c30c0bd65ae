"""Requests and answers of the simulators of Microsoft."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.simulators.mailbox import invalid


class Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = "application/json; odata.metadata=minimal; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Asked:
    """A request as it came in; ``at_once`` counts those under way, itself included. ``trouble`` is what no
    client may do."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    headers: dict[str, str]
    at_once: int = 1
    trouble: str = ""
    answered: int = 0

    @property
    def writes(self) -> bool:
        if not self.path.endswith("/$batch"):
            return self.method != "GET"
        return any(one["method"] != "GET" for one in self.json.get("requests", []))

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise invalid("Unable to read JSON request payload.", "BadRequest") from None

    def prefers(self, word: str) -> str:
        """The value of a preference; empty where it was not asked for."""
        found = re.search(rf'{re.escape(word)}="?([^",]*)"?', self.headers.get("prefer", ""))
        return found[1] if found else ""

    @property
    def immutable(self) -> bool:
        return self.prefers("IdType") == "ImmutableId"
