"""One login at Microsoft Graph v1.0: single requests, and up to 20 of them in one (facts: endpoints)."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from contactsync.connectors.base import AccountSettings, Traffic
from contactsync.connectors.http import (
    Answer,
    Session,
    api_root,
    is_html,
    retry_after,
    route,
    web_page,
)
from contactsync.connectors.outlook.clouds import ROOT
from contactsync.connectors.outlook.login import Tokens
from contactsync.connectors.outlook.refusals import classify
from contactsync.connectors.pacing import Quota
from contactsync.errors import AuthError, ProtocolError, RemoteError, TransientError
from contactsync.frozen import frozen

Json = dict[str, Any]

BATCH = 20
#: 10,000 in ten minutes are allowed for each app and mailbox; nobody else should wait for us.
PER_MINUTE = 900
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0
_TRIES = 5
_TRIES_OF_READS = 3
_IMMUTABLE = 'IdType="ImmutableId"'
_CLAIMS = re.compile(r'claims="([^"]+)"')


@frozen
class Request:
    """``path`` begins with a slash and has its query; ``body`` is JSON."""

    method: str
    path: str
    body: Json | None = None
    etag: str = ""

    @property
    def reads(self) -> bool:
        return self.method == "GET"

    def headers(self) -> dict[str, str]:
        found = {"Prefer": _IMMUTABLE}
        if self.body is not None:
            found["Content-Type"] = "application/json"
        if self.etag:
            found["If-Match"] = self.etag
        return found


@frozen
class Reply:
    """The answer to one request, alone or in a batch."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Json:
        """Raises `ProtocolError`."""
        try:
            content = json.loads(self.body)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise ProtocolError("Microsoft gave an answer that is no JSON.")
        return content

    def error(self, href: str = "") -> RemoteError:
        return classify(self.status, self.headers, self.body, href)


def path_of(*words: str, **query: str) -> str:
    """A path below the mailbox of whoever is logged in; names of query parameters get their dollar."""
    asked = urlencode({f"${name}": value for name, value in query.items()}, quote_via=quote, safe="$,()'")
    path = "/me/" + "/".join(quote(word, safe="$") for word in words)
    return f"{path}?{asked}" if asked else path


class Transport:
    """Sends requests with the login, waits as it is told to, and never has more than a few under way."""

    def __init__(self, settings: AccountSettings, pause: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._pause = pause
        self.root = api_root(settings, ROOT)
        self.session = Session(witness=settings.witness, waits=False)
        self.tokens = Tokens(settings)
        self._quota = Quota(settings.requests_per_minute or PER_MINUTE, pause=pause)
        self._owed = 0.0
        self._gate = threading.Lock()

    def get(self, path: str, *, page_size: int = 0) -> Json:
        """What is at a path, or at a link that Graph gave. Raises `RemoteError`."""
        prefer = f"{_IMMUTABLE}, odata.maxpagesize={page_size}" if page_size else _IMMUTABLE
        reply = self.send("GET", path, headers={"Prefer": prefer})
        if not reply.ok:
            raise reply.error()
        return reply.json()

    def send(
        self,
        method: str,
        path: str,
        data: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        reads: bool = False,
    ) -> Reply:
        """Any answer. Too many requests are waited for, as nothing was done; what only reads is tried again
        after trouble at the server as well. Raises `RemoteError` where there is no answer."""
        self._wait_as_told()
        url = self._url(path)
        given = {"Prefer": _IMMUTABLE, **(headers or {})}
        token, renewed = self.tokens.get(), False
        for attempt in range(_TRIES):
            self._wait_for_a_turn()
            answer = self._send(method, url, data, {**given, "Authorization": f"Bearer {token}"})
            reply = Reply(answer.status, answer.headers, answer.body)
            if answer.status == 401 and not renewed:
                renewed, token = True, self.tokens.another(token, _claims(answer.headers))
                continue
            pause = _pause_after(reply, attempt, reads=reads or method == "GET")
            if pause is None:
                self._note_wait(reply)
                break
            self._rest(pause)
        if reply.ok and is_html(answer.headers, answer.body):
            raise web_page(answer.status, urlsplit(url).path)
        return reply

    def _send(self, method: str, url: str, data: bytes, headers: Mapping[str, str]) -> Answer:
        settings = self._settings
        return self.session.ask(
            method,
            url,
            data=data,
            headers=headers,
            **route(settings.ca_file, settings.proxy),
        )

    def _note_wait(self, reply: Reply) -> None:
        """What is not sent again leaves the time in which nothing else should be sent either."""
        wanted = None if reply.ok else retry_after(reply.headers)
        if wanted is not None:
            self._owed = max(self._owed, wanted.total_seconds())

    def _wait_as_told(self) -> None:
        owed, self._owed = self._owed, 0.0
        if owed > LONGEST_PAUSE:
            self._owed = owed
            error = TransientError("Microsoft wants to be left alone for a while.", status=429)
            error.retry_after = timedelta(seconds=owed)
            raise error
        if owed:
            self._rest(owed)

    def _rest(self, seconds: float) -> None:
        """What one was told to wait holds for all that would send."""
        with self._gate:
            self._pause(seconds)

    def _wait_for_a_turn(self) -> None:
        with self._gate:
            self._quota.wait("requests")

    def _url(self, path: str) -> str:
        """A link is followed as it is, and only to where the login belongs."""
        if path.startswith("/"):
            return self.root + path
        here, there = urlsplit(self.root), urlsplit(path)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise ProtocolError(
                f"Microsoft's list goes on at {there.netloc}, where the login does not belong."
            )
        return path

    def batch(self, requests: Sequence[Request]) -> list[Reply]:
        """The answers in the order of the requests. Those that were too many are sent again, and those that
        read and met trouble. Raises `RemoteError` where nothing is known of any of them."""
        found: dict[int, Reply] = {}
        waiting = dict(enumerate(requests))
        for attempt in range(_TRIES):
            for number, reply in self._batched(waiting).items():
                found[number] = reply
            pauses = {
                number: pause
                for number in waiting
                if (pause := _pause_after(found[number], attempt, reads=waiting[number].reads)) is not None
            }
            for number in waiting.keys() - pauses.keys():
                self._note_wait(found[number])
            if not pauses:
                break
            self._rest(max(self._owed, *pauses.values()))
            self._owed = 0.0
            waiting = {number: waiting[number] for number in pauses}
        return [found[number] for number in range(len(requests))]

    def _batched(self, requests: Mapping[int, Request]) -> dict[int, Reply]:
        found: dict[int, Reply] = {}
        numbers = sorted(requests)
        for start in range(0, len(numbers), BATCH):
            part = {number: requests[number] for number in numbers[start : start + BATCH]}
            rows = [_row(number, one) for number, one in part.items()]
            for _ in part:
                self._wait_for_a_turn()
            data = json.dumps({"requests": rows}).encode()
            reads = all(one.reads for one in part.values())
            reply = self.send("POST", "/$batch", data, {"Content-Type": "application/json"}, reads=reads)
            if not reply.ok:
                raise reply.error()
            found |= _replies(reply.json())
            if missing := part.keys() - found.keys():
                raise TransientError(f"Microsoft left out {len(missing)} answers of a batch.")
        return found

    def traffic(self) -> Traffic:
        return self.session.traffic() + self.tokens.traffic()

    def close(self) -> None:
        self.session.close()
        self.tokens.close()


def _row(number: int, request: Request) -> Json:
    """https://learn.microsoft.com/graph/json-batching"""
    row: Json = {"id": str(number), "method": request.method, "url": request.path}
    row["headers"] = request.headers()
    return row if request.body is None else {**row, "body": request.body}


def _replies(content: Json) -> dict[int, Reply]:
    found: dict[int, Reply] = {}
    for row in content.get("responses") or ():
        body = row.get("body")
        data = base64.b64decode(body) if isinstance(body, str) else json.dumps(body).encode() if body else b""
        found[int(row["id"])] = Reply(int(row["status"]), _titled(row.get("headers")), data)
    return found


def _titled(headers: Any) -> dict[str, str]:
    """In a batch the names of headers are spelled in any way."""
    found = headers if isinstance(headers, dict) else {}
    return {str(name).title(): str(value) for name, value in found.items()}


def _claims(headers: Mapping[str, str]) -> str:
    """What Graph wants to see in the next token (continuous access evaluation)."""
    found = _CLAIMS.search(headers.get("WWW-Authenticate", ""))
    if found is None:
        return ""
    try:
        return base64.b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode()
    except ValueError as error:
        raise AuthError("Microsoft wants another login.", hint="Log in again.", status=401) from error


def _pause_after(reply: Reply, attempt: int, *, reads: bool) -> float | None:
    """Seconds until the next try; None where there should be none."""
    tries = _TRIES if reply.status == 429 else _TRIES_OF_READS if reads and reply.status >= 500 else 0
    if attempt + 1 >= tries:
        return None
    wanted = retry_after(reply.headers)
    pause = wanted.total_seconds() if wanted is not None else FIRST_PAUSE * 2.0**attempt
    return pause if pause <= LONGEST_PAUSE else None
