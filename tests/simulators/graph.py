"""Microsoft Graph v1.0 over real HTTP, as strict as the real one: what it does not know is refused.

``graph()`` starts one on a free port. Faults are planned as for `tests.simulators.google`; ``requests`` is
the log in the order of arrival, with the most that were under way at once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from tests.simulators.asked import Answer, Asked
from tests.simulators.entra import Entra
from tests.simulators.mailbox import (
    EXTENDED,
    READABLE,
    Folder,
    Item,
    Json,
    Mailbox,
    Refused,
    invalid,
)

VERSION = "/v1.0"
MOST_AT_ONCE = 4
_EXPAND = re.compile(rf"{EXTENDED}\(\$filter=(?P<filter>.*)\)\Z")
_ID = re.compile(r"id eq '([^']*)'")
_FIND = re.compile(rf"{EXTENDED}/Any\(ep: ep/id eq '([^']*)' and ep/value eq '([^']*)'\)\Z")
_PAGE = (10, 1000)


@dataclass
class Fault:
    """What happens to matching requests, ``times`` of them after ``skip`` others: an answer in place of ours
    (``done``: though all was done), none though all was done (``lose``), or none and nothing was done
    (``drop``); ``before`` is what somebody else does right before. ``inside``: it is about what is in a
    batch."""

    matches: Callable[[Asked], bool]
    answer: Answer | None = None
    done: bool = False
    lose: bool = False
    drop: bool = False
    before: Callable[[], object] | None = None
    inside: bool = False
    times: int = 1
    skip: int = 0

    def is_due(self) -> bool:
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


@dataclass
class _Round:
    """What a token of a list of changes stands for."""

    folder: str
    seen: int
    until: int
    select: tuple[str, ...]
    full: bool
    offset: int = 0


@dataclass
class Graph:
    """One mailbox. ``root`` is the endpoint with its version."""

    root: str = ""
    now: float = 1_700_000_000.0
    mailbox: Mailbox = field(init=False)
    entra: Entra = field(init=False)
    requests: list[Asked] = field(default_factory=list)
    inner: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    access_tokens: set[str] = field(default_factory=lambda: {"access-1"})
    page_cap: int = 1000
    repeats: bool = False
    ghosts: int = 0
    secret: str = ""
    claims: str = ""
    dead_token: tuple[int, str, str] | None = None

    def __post_init__(self) -> None:
        self.mailbox = Mailbox(lambda: self.now)
        self.entra = Entra(self._admit)
        self._rounds: dict[str, _Round] = {}
        self._lock = threading.Lock()
        self._running = 0
        self._writing = 0
        self._not_before = 0.0

    def _admit(self, token: str, claims: str) -> None:
        """The login server gave a token; here it is good if it has what is wanted of it."""
        wanted = json.loads(self.claims or "{}").get("access_token", {})
        given = json.loads(claims or "{}").get("access_token", {})
        if wanted.items() <= given.items():
            self.access_tokens.add(token)

    # ---- what a test plans -------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def fail(
        self,
        status: int,
        code: str,
        message: str = "no",
        *,
        method: str = "",
        at: str = "",
        wait: str = "",
        **more: Any,
    ) -> None:
        """An error answer to requests whose path has ``at`` in it."""
        headers = {"Retry-After": wait} if wait else {}
        answer = _error(Refused(status, code, message, **headers))
        self.faults.append(Fault(_matching(method, at), answer, **more))

    def answer_with(self, status: int, body: bytes, *, kind: str = "application/json", at: str = "") -> None:
        self.faults.append(Fault(_matching("", at), Answer(status, body, kind)))

    def lose_reply(self, method: str = "", *, at: str = "", **more: Any) -> None:
        self.faults.append(Fault(_matching(method, at), lose=True, **more))

    def drop_request(self, method: str = "", *, at: str = "", **more: Any) -> None:
        self.faults.append(Fault(_matching(method, at), drop=True, **more))

    def before(self, method: str, at: str, action: Callable[[], object], **more: Any) -> None:
        """Somebody else is a moment faster."""
        self.faults.append(Fault(_matching(method, at), before=action, **more))

    def forget_tokens(self) -> None:
        """No place in a list that was given so far is known any more."""
        self._rounds.clear()

    def challenge(self, claims: str) -> None:
        """All access tokens end; the next one has to be asked for with these claims (CAE)."""
        self.access_tokens.clear()
        self.claims = claims

    def count(self, method: str, at: str = "") -> int:
        return sum(asked.method == method and at in asked.path for asked in self.requests)

    @property
    def troubles(self) -> list[str]:
        """What no client may do, of all requests so far."""
        return [f"{a.method} {a.path}: {a.trouble}" for a in (*self.requests, *self.inner) if a.trouble]

    @property
    def sent(self) -> int:
        """Bytes of all answers to the requests of the log."""
        return sum(asked.answered for asked in self.requests)

    # ---- requests ----------------------------------------------------------------------------------------

    def handle(self, asked: Asked) -> Answer | None:
        """None is a connection that ends without an answer."""
        writes = asked.writes
        with self._lock:
            self._running += 1
            self._writing += writes
            asked.at_once = self._running
            self._watch(asked)
            self.requests.append(asked)
            fault = self._fault(asked, inside=False)
        try:
            if asked.at_once > MOST_AT_ONCE:
                message = "Application is over its MailboxConcurrency limit."
                return _error(Refused(429, "ApplicationThrottled", message, **{"Retry-After": "1"}))
            answer = self._with(fault, lambda: self._locked(asked))
            if answer is not None:
                asked.answered = len(answer.body) + 200
                self._not_before = max(self._not_before, self._wanted_pause(answer))
            return answer
        finally:
            with self._lock:
                self._running -= 1
                self._writing -= writes

    def _watch(self, asked: Asked) -> None:
        if asked.at_once > MOST_AT_ONCE:
            asked.trouble = f"{asked.at_once} at once"
        elif self._writing > 1:
            asked.trouble = "two write at once"
        elif not asked.immutable and not asked.path.endswith("$batch"):
            asked.trouble = "asks for ids that move"
        elif self.now < self._not_before:
            asked.trouble = "does not wait as long as it was told to"

    def _wanted_pause(self, answer: Answer) -> float:
        wait = dict(answer.headers).get("Retry-After", "")
        return self.now + float(wait) if wait else 0.0

    def _fault(self, asked: Asked, *, inside: bool) -> Fault | None:
        fitting = (f for f in self.faults if f.inside == inside and f.times > 0 and f.matches(asked))
        return next((fault for fault in fitting if fault.is_due()), None)

    @staticmethod
    def _with(fault: Fault | None, work: Callable[[], Answer]) -> Answer | None:
        if fault is None:
            return work()
        if fault.before is not None:
            fault.before()
        if fault.drop:
            return None
        if fault.answer is not None and not fault.done:
            return fault.answer
        answer = work()
        return None if fault.lose else fault.answer or answer

    def _locked(self, asked: Asked) -> Answer:
        with self._lock:
            return self._answer(asked)

    def _answer(self, asked: Asked) -> Answer:
        try:
            if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.access_tokens:
                raise self._not_known()
            if asked.path == f"{VERSION}/$batch":
                return _answer(200, self._batch(asked))
            return self._one(asked)
        except Refused as error:
            return _error(error)

    def _not_known(self) -> Refused:
        words = "Access token is empty or has expired."
        if not self.claims:
            return Refused(401, "InvalidAuthenticationToken", words)
        claims = base64.b64encode(self.claims.encode()).decode()
        asks = f'Bearer realm="", error="insufficient_claims", claims="{claims}"'
        return Refused(401, "InvalidAuthenticationToken", words, **{"WWW-Authenticate": asks})

    def _batch(self, asked: Asked) -> Json:
        """At most 20, each with an answer of its own."""
        wanted = asked.json.get("requests", [])
        if len(wanted) > 20:
            raise invalid("The number of requests exceeds the maximum of 20.", "BadRequest")
        rows = []
        for one in wanted:
            parts = urlsplit(f"{VERSION}{one['url']}")
            body = json.dumps(one["body"]).encode() if "body" in one else b""
            headers = {name.lower(): value for name, value in one.get("headers", {}).items()}
            inner = Asked(one["method"], parts.path, parse_qs(parts.query), body, headers)
            if not inner.immutable:
                inner.trouble = "asks for ids that move"
            self.inner.append(inner)
            answer = self._with(self._fault(inner, inside=True), lambda: self._tried(inner))  # noqa: B023
            assert answer is not None, "inside of a batch each request has an answer"
            self._not_before = max(self._not_before, self._wanted_pause(answer))
            row: Json = {"id": one["id"], "status": answer.status, "headers": dict(answer.headers)}
            if answer.body:
                row["body"] = (
                    json.loads(answer.body)
                    if "json" in answer.kind
                    else base64.b64encode(answer.body).decode()
                )
            rows.append(row)
        return {"responses": rows[::-1]}

    def _tried(self, asked: Asked) -> Answer:
        try:
            return self._one(asked)
        except Refused as error:
            return _error(error)

    def _one(self, asked: Asked) -> Answer:
        words = [unquote(word) for word in asked.path.removeprefix(f"{VERSION}/").split("/")]
        if words[:1] != ["me"]:
            raise invalid(f"Resource not found for the segment '{words[0]}'.", "BadRequest")
        match asked.method, words[1:]:
            case "GET", ["contactFolders"]:
                return self._folders(self.mailbox.below("root"))
            case "GET", ["contactFolders", name]:
                return _answer(200, _shown_folder(self.mailbox.folder(name)))
            case "GET", ["contactFolders", name, "childFolders"]:
                return self._folders(self.mailbox.below(self.mailbox.folder(name).id))
            case "POST", ["contactFolders"]:
                return _answer(201, _shown_folder(self.mailbox.make_folder(asked.json["displayName"])))
            case "GET", ["contactFolders", name, "contacts", "delta"]:
                return _answer(200, self._delta(asked, self.mailbox.folder(name).id))
            case "GET", ["contactFolders", name, "contacts"]:
                return _answer(200, self._list(asked, self.mailbox.folder(name).id))
            case "POST", ["contactFolders", name, "contacts"]:
                return self._create(asked, name)
            case "GET", ["contacts"]:
                return _answer(200, self._list(asked, self.mailbox.default))
            case "POST", ["contacts"]:
                return self._create(asked, "contacts")
            case _, ["contacts", name]:
                return self._contact(asked, self.mailbox.item(name))
            case _, ["contacts", name, "photo", "$value"]:
                return self._photo(asked, self.mailbox.item(name))
        if asked.method not in ("GET", "POST"):
            raise Refused(405, "ErrorInvalidRequest", "The OData request is not supported.")
        raise invalid(f"Resource not found for the segment '{words[-1]}'.", "BadRequest")

    # ---- folders and lists -------------------------------------------------------------------------------

    def _folders(self, folders: list[Folder]) -> Answer:
        return _answer(200, {"value": [_shown_folder(folder) for folder in folders]})

    def _list(self, asked: Asked, folder: str) -> Json:
        """Ten to a page unless told; what is skipped moves when somebody edits."""
        _allow(asked, "$top", "$skip", "$select", "$expand", "$filter")
        usual, most = _PAGE
        top, skip = int(_get(asked, "$top") or usual), int(_get(asked, "$skip") or 0)
        if not 1 <= top <= most:
            raise invalid(f"The $top of {top} is not between 1 and {most}.", "BadRequest")
        items, size = self._filtered(asked, self.mailbox.within(folder)), min(top, self.page_cap)
        page = items[skip : skip + size]
        answer: Json = {"value": [self._shown(asked, item, listed=True) for item in page]}
        if skip + size < len(items):
            query = {name: values[0] for name, values in asked.query.items()} | {"$skip": str(skip + size)}
            answer["@odata.nextLink"] = f"{self.root.removesuffix(VERSION)}{asked.path}?{urlencode(query)}"
        return answer

    def _filtered(self, asked: Asked, items: list[Item]) -> list[Item]:
        wanted = _get(asked, "$filter")
        if not wanted:
            return items
        found = _FIND.match(wanted)
        if found is None:
            raise invalid("Invalid filter clause.", "BadRequest")
        return [item for item in items if item.extended.get(found[1]) == found[2]]

    def _delta(self, asked: Asked, folder: str) -> Json:
        """What changed since the token; the last page has the next one, with the same fields."""
        _allow(asked, "$select", "$deltatoken", "$skiptoken", "$expand")
        if _get(asked, "$expand"):
            raise Refused(500, "ErrorInternalServerError", "Value cannot be null.\r\nParameter name: type")
        place = self._place(asked, folder)
        rows = self._rows(place, asked)
        size = min(int(asked.prefers("odata.maxpagesize") or _PAGE[0]), self.page_cap)
        end = place.offset + size
        answer: Json = {"value": rows[place.offset : end]}
        link = f"{self.root.removesuffix(VERSION)}{asked.path}"
        if end < len(rows):
            later = _Round(place.folder, place.seen, place.until, place.select, place.full, end)
            return {**answer, "@odata.nextLink": f"{link}?$skiptoken={self._issue(later)}"}
        after = _Round(folder, place.until, place.until, place.select, False)
        return {**answer, "@odata.deltaLink": f"{link}?$deltatoken={self._issue(after)}"}

    def _place(self, asked: Asked, folder: str) -> _Round:
        text = _get(asked, "$deltatoken") or _get(asked, "$skiptoken")
        if not text:
            select = tuple(filter(None, _get(asked, "$select").split(",")))
            return _Round(folder, 0, self.mailbox.settled(), _known(select), True)
        if self.dead_token is not None:
            raise Refused(*self.dead_token)
        place = self._rounds.get(text)
        if place is None or place.folder != folder:
            raise invalid("Badly formed token.", "BadRequest")
        if "$skiptoken" not in asked.query:
            return _Round(folder, place.seen, self.mailbox.settled(), place.select, False)
        return place

    def _rows(self, place: _Round, asked: Asked) -> list[Json]:
        mailbox, rows = self.mailbox, []
        if place.full:
            gone = {c.item for c in mailbox.changes[place.until :] if c.reason and c.folder == place.folder}
            new = {c.item for c in mailbox.changes[place.until :]} - {
                c.item for c in mailbox.changes[: place.until]
            }
            items = [i for i in mailbox.items.values() if i.folder == place.folder and i.id not in new]
            rows = [self._delta_row(item, place, asked) for item in items if item.id not in gone]
        else:
            last = {c.item: c for c in mailbox.changes[place.seen : place.until] if c.folder == place.folder}
            for identity, change in last.items():
                item = mailbox.items.get(identity)
                if item is not None and item.folder == place.folder:
                    rows.append(self._delta_row(item, place, asked))
                elif item is None or change.reason:  # else the list has not seen the move yet
                    reason = change.reason or "deleted"
                    rows.append({"@removed": {"reason": reason}, "id": identity})
        rows += [{"@removed": {"reason": "deleted"}, "id": f"ghost-{n}"} for n in range(self.ghosts)]
        rows = [{"@odata.type": "#microsoft.graph.contact", **row} for row in rows]
        return [row for row in rows for _ in range(2)] if self.repeats else rows

    def _delta_row(self, item: Item, place: _Round, asked: Asked) -> Json:
        shown = self.mailbox.shown(item, place.select, listed=True)
        return {**shown, "id": item.id if asked.immutable else item.moving_id}

    def _issue(self, place: _Round) -> str:
        text = hashlib.sha256(repr((len(self._rounds), place)).encode()).hexdigest()[:40]
        self._rounds[text] = place
        return text

    # ---- contacts ----------------------------------------------------------------------------------------

    def _create(self, asked: Asked, folder: str) -> Answer:
        return _answer(201, self._shown(asked, self.mailbox.create(folder, asked.json)), asked)

    def _contact(self, asked: Asked, item: Item) -> Answer:
        etag = asked.headers.get("if-match", "")
        match asked.method:
            case "GET":
                _allow(asked, "$select", "$expand")
                return _answer(200, self._shown(asked, item), asked)
            case "PATCH":
                return _answer(200, self._shown(asked, self.mailbox.update(item, asked.json, etag)), asked)
            case "DELETE":
                self.mailbox.delete(item, etag)
                return Answer(204, b"")
        raise Refused(405, "ErrorInvalidRequest", "The OData request is not supported.")

    def _shown(self, asked: Asked, item: Item, *, listed: bool = False) -> Json:
        select = tuple(filter(None, _get(asked, "$select").split(",")))
        shown = self.mailbox.shown(item, _known(select), listed=listed)
        shown["id"] = item.id if asked.immutable else item.moving_id
        expand = _get(asked, "$expand")
        if expand:
            found = _EXPAND.match(expand)
            if found is None:
                raise invalid("Invalid expand clause.", "BadRequest")
            wanted = _ID.findall(found["filter"])
            rows = [
                {"id": _respelled(name), "value": item.extended[name]}
                for name in wanted
                if name in item.extended
            ]
            shown |= {EXTENDED: rows} if rows else {}
        return shown

    def _photo(self, asked: Asked, item: Item) -> Answer:
        match asked.method:
            case "GET":
                if item.photo is None:
                    raise Refused(
                        404, "ErrorItemNotFound", "The specified object was not found in the store."
                    )
                return Answer(200, item.photo, "image/jpeg")
            case "PUT":
                if asked.headers.get("content-type") != "image/jpeg":
                    raise invalid("The media type is not supported.", "ErrorInvalidRequest")
                self.mailbox.set_photo(item, asked.body)
                return Answer(200, b"")
            case "DELETE":
                self.mailbox.set_photo(item, None)
                return Answer(204, b"")
        raise Refused(405, "ErrorInvalidRequest", "The OData request is not supported.")


def _respelled(name: str) -> str:
    """Graph writes numbers and identifiers in its own way, however they were asked for."""
    if " Name " in name:
        return name
    kind, _, rest = name.partition(" ")
    return f"{kind} " + re.sub(r"0x0*([0-9a-f])", r"0x\1", rest.lower()).replace(" id ", " Id ")


def _shown_folder(folder: Folder) -> Json:
    return {"id": folder.id, "displayName": folder.name, "parentFolderId": folder.parent}


def _known(select: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(select) - READABLE)
    if unknown:
        raise invalid(f"Could not find a property named '{unknown[0]}'.", "RequestBroker--ParseUri")
    return select


def _answer(status: int, content: Json, asked: Asked | None = None) -> Answer:
    headers = (("Preference-Applied", 'IdType="ImmutableId"'),) if asked and asked.immutable else ()
    return Answer(status, json.dumps(content).encode(), headers=headers)


def _error(error: Refused) -> Answer:
    inner = {"date": "2026-01-01T00:00:00", "request-id": "0", "client-request-id": "0"}
    content = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
    return Answer(error.status, json.dumps(content).encode(), headers=tuple(error.headers.items()))


def _matching(method: str, at: str) -> Callable[[Asked], bool]:
    return lambda asked: method in ("", asked.method) and at in asked.path


def _get(asked: Asked, name: str) -> str:
    return asked.query.get(name, [""])[0]


def _allow(asked: Asked, *names: str) -> None:
    unknown = sorted(set(asked.query) - set(names))
    if unknown:
        raise invalid(f"The query parameter '{unknown[0]}' is not supported.", "BadRequest")


@contextmanager
def graph() -> Iterator[Graph]:
    """With a login server at the same address; see `tests.simulators.entra`."""
    found = Graph()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_any(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, parse_qs(parts.query), data, headers)
            here = parts.path.startswith(VERSION)
            answer = found.handle(asked) if here else found.entra.handle(asked)
            if answer is None:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found.root = f"http://127.0.0.1:{server.server_address[1]}{VERSION}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield found
        server.shutdown()
