"""A real connector in front of a simulator, without a network between them; and reading the cards that
people hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from contactsync.connectors.base import (
    Change,
    Create,
    Outcome,
    Payload,
    Step,
    Stored,
    Unknown,
    Update,
)
from tests.simulation.remotes import Remote

Receive = Callable[[requests.PreparedRequest, bytes], tuple[int, str, bytes] | None]


class Counting:
    """A connector that notes what was written and read, as `RemoteConnector` does."""

    def __init__(self, inner: Any, remote: Remote) -> None:
        self._inner = inner
        self._remote = remote

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def complete(self, changes: Iterable[tuple[Change, Payload | None]]) -> Iterator[Change]:
        found: Iterator[Change] = self._inner.complete(changes)
        return found

    def _who(self, payload: Payload) -> str:
        contact = self._inner.codec.read(payload)
        return "" if contact.kind == "group" else str(contact.name.part("given"))

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        sent: dict[int, Step] = {}
        for outcome in self._inner.write(collection, self._noted(steps, sent)):
            step = sent[outcome.key]
            if isinstance(outcome, Unknown) and isinstance(step, Create):
                self._remote.in_doubt.add(self._who(step.payload))
            if isinstance(outcome, Stored) and outcome.payload is not None:
                self._remote.was_read(self._who(outcome.payload))
            yield outcome

    def _noted(self, steps: Iterable[Step], sent: dict[int, Step]) -> Iterator[Step]:
        for step in steps:
            sent[step.key] = step
            self._remote.writes += 1
            if isinstance(step, Create | Update):
                self._remote.was_sent(self._who(step.payload), new=isinstance(step, Create))
            yield step

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        for change in self._inner.fetch(collection, hrefs):
            if change.payload is not None:
                self._remote.was_read(self._who(change.payload))
            yield change


class InProcess(HTTPAdapter):
    """Requests go to the simulator as a call, which gives status, type and body; or nothing, where the
    answer does not arrive."""

    def __init__(self, receive: Receive) -> None:
        super().__init__()
        self._receive = receive

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        body = request.body or b""
        answer = self._receive(request, body.encode() if isinstance(body, str) else bytes(body))
        if answer is None:
            raise requests.ConnectionError("the answer did not arrive", request=request)
        status, kind, content = answer
        raw = HTTPResponse(
            io.BytesIO(content),
            {"Content-Type": kind},
            status,
            preload_content=False,
            request_method=request.method,
        )
        return self.build_response(request, raw)


def values_of(payload: bytes, name: str) -> list[str]:
    found = []
    for line in payload.replace(b"\r\n ", b"").decode().split("\r\n"):
        head, _, value = line.partition(":")
        if head.partition(";")[0].rpartition(".")[2].upper() == name and value:
            found += value.split(",") if name in ("CATEGORIES", "NICKNAME") else [value]
    return found


def uid_of(payload: bytes) -> str:
    return next(iter(values_of(payload, "UID")), "")
