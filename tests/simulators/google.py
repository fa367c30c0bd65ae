"""The People API and Google's login over real HTTP, as strict as the real ones: an unknown parameter or
key, a missing mask, or a token of other parameters is refused.

``google()`` starts one on a free port. Faults are planned by `Google.fail` and its kin, the clock stands
still unless `Google.pass_time` moves it, and ``requests`` is the log in the order of arrival.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from tests.simulators.google_account import (
    GROUP_MASK,
    READ_MASK,
    Account,
    Contact,
    Group,
    Json,
    Refused,
    invalid,
    not_found,
)

SCOPE = "https://www.googleapis.com/auth/contacts"
_COMMON = frozenset(
    {"alt", "key", "prettyPrint", "quotaUser", "fields", "callback", "access_token", "oauth_token"}
)
_PAGE = {"connections": (100, 1000), "groups": (30, 1000)}


class Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = "application/json; charset=UTF-8"
    location: str = ""


@dataclass
class Asked:
    """A request as it came in; ``overlapped`` when another change of the account was under way, and
    ``answered`` the bytes of its answer without the head."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    bearer: str = ""
    overlapped: bool = False
    answered: int = 0


@dataclass
class Fault:
    """What happens to matching requests, ``times`` of them: an answer in place of ours (``done``: though all
    was done), none though all was done (``lose``), or none and nothing was done (``drop``); ``before`` is
    what somebody else does right before."""

    matches: Callable[[Asked], bool]
    answer: Answer | None = None
    done: bool = False
    before: Callable[[], object] | None = None
    lose: bool = False
    drop: bool = False
    times: int = 1
    skip: int = 0


@dataclass
class _Token:
    """What a cursor stands for: changes seen, parameters, and when its full listing was."""

    seen: int
    params: str
    born: float
    offset: int = 0
    full: bool = True


@dataclass
class Google:
    """One account with its login. ``root`` is the endpoint for the client libraries. The person agrees at
    once, unless they ``declines`` with an error; a login ``lasts`` where the app is not in testing mode."""

    root: str = ""
    now: float = 1_700_000_000.0
    account: Account = field(init=False)
    requests: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    access_tokens: set[str] = field(default_factory=lambda: {"access-1"})
    refresh_tokens: set[str] = field(default_factory=lambda: {"refresh-1"})
    client: tuple[str, str] = ("client-1", "secret-1")
    scopes: str = SCOPE
    declines: str = ""
    lasts: bool = False
    page_cap: int = 1000
    expired_status: str = "FAILED_PRECONDITION"

    def __post_init__(self) -> None:
        self.account = Account(lambda: self.now)
        self._tokens: dict[str, _Token] = {}
        self._codes: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()
        self._changing = 0

    # ---- what a test plans -------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def expire_tokens(self) -> None:
        """From now on every place in the list that was given so far is too old."""
        for token in self._tokens.values():
            token.born = float("-inf")

    def fail(
        self, status: int, name: str, message: str, reason: str = "", *, at: str = "", **more: Any
    ) -> None:
        """An error answer to requests whose path has ``at`` in it."""
        answer = _error(Refused(status, name, message, reason))
        self.faults.append(Fault(lambda asked: at in asked.path, answer, **more))

    def answer_with(self, status: int, body: bytes, *, kind: str = "application/json", at: str = "") -> None:
        self.faults.append(Fault(lambda asked: at in asked.path, Answer(status, body, kind)))

    def refuse_after_doing(self, status: int, *, at: str) -> None:
        """The answer is a refusal, and all was done nevertheless."""
        answer = _error(Refused(status, "INVALID_ARGUMENT", "Request contains an invalid argument."))
        self.faults.append(Fault(lambda asked: at in asked.path, answer, done=True))

    def before(self, at: str, action: Callable[[], object]) -> None:
        """Somebody else is a moment faster."""
        self.faults.append(Fault(lambda asked: at in asked.path, before=action))

    def exhaust(self, *, times: int = 1, at: str = "") -> None:
        message = "Quota exceeded for quota metric 'Critical read requests (Contact and Profile Reads)'"
        self.fail(429, "RESOURCE_EXHAUSTED", message, "RATE_LIMIT_EXCEEDED", at=at, times=times)

    def lose_reply(self, at: str = "", *, changes_only: bool = False, **more: int) -> None:
        self.faults.append(Fault(_matching(at, changes_only), lose=True, **more))

    def drop_request(self, at: str = "", *, changes_only: bool = False, **more: int) -> None:
        self.faults.append(Fault(_matching(at, changes_only), drop=True, **more))

    @property
    def sent(self) -> int:
        """Bytes of all answers to the requests of the log."""
        return sum(asked.answered for asked in self.requests)

    def count(self, at: str) -> int:
        return sum(at in asked.path for asked in self.requests)

    # ---- requests ----------------------------------------------------------------------------------------

    def handle(self, asked: Asked) -> Answer | None:
        """None is a connection that ends without an answer."""
        changes = asked.method != "GET" and asked.path.startswith("/v1/")
        with self._lock:
            asked.overlapped = changes and self._changing > 0
            self._changing += changes
            self.requests.append(asked)
            fault = next((f for f in self.faults if f.matches(asked) and _is_due(f)), None)
        try:
            if fault is not None and fault.before is not None:
                fault.before()
            if fault is not None and (fault.drop or fault.answer is not None) and not fault.done:
                return fault.answer
            with self._lock, self.account.one_moment():
                answer = self._answer(asked)
            if fault is not None and fault.done:
                return fault.answer
            return None if fault is not None and fault.lose else answer
        finally:
            with self._lock:
                self._changing -= changes

    def _answer(self, asked: Asked) -> Answer:
        try:
            if asked.path == "/o/oauth2/v2/auth":
                return self._authorize(asked)
            if asked.path == "/token":
                return self._token(asked)
            if asked.path.startswith("/photo/"):
                return self._photo(asked)
            if asked.bearer not in self.access_tokens:
                raise Refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
            return Answer(200, json.dumps(self._api(asked)).encode())
        except Refused as error:
            return _error(error)

    def _api(self, asked: Asked) -> Json:
        path = unquote(asked.path).removeprefix("/v1/")
        name, _, verb = path.partition(":")
        match asked.method, name, verb:
            case "GET", "people/me/connections", "":
                return self._connections(asked)
            case "GET", "people", "batchGet":
                return self._batch_get(asked)
            case "GET", _, "" if name.startswith("people/"):
                _allow(asked, "personFields", "sources")
                return self._person(self.account.read(name), _mask(asked, "personFields"))
            case "POST", "people", "createContact":
                _allow(asked, "personFields", "sources")
                one = self.account.create(asked.body)
                return self._person(one, _mask(asked, "personFields", READ_MASK))
            case "POST", "people", "batchCreateContacts":
                return self._batch_create(asked)
            case "POST", "people", "batchUpdateContacts":
                return self._batch_update(asked)
            case "POST", "people", "batchDeleteContacts":
                _keys(asked.body, "resourceNames")
                names = asked.body.get("resourceNames", [])
                _at_most(len(names), 500)
                for one_name in names:
                    self.account.contact(one_name)
                for one_name in names:
                    self.account.delete(one_name)
                return {}
            case "PATCH", _, "updateContact":
                _allow(asked, "updatePersonFields", "personFields", "sources")
                fields = ",".join(asked.query.get("updatePersonFields", [])).split(",")
                one = self.account.update(name, asked.body, set(filter(None, fields)))
                return self._person(one, _mask(asked, "personFields", READ_MASK))
            case "DELETE", _, "deleteContact":
                _allow(asked)
                self.account.delete(name)
                return {}
            case "PATCH", _, "updateContactPhoto":
                return self._update_photo(asked, name)
            case "DELETE", _, "deleteContactPhoto":
                _allow(asked, "personFields", "sources")
                return self._with_person(
                    self.account.set_photo(name, None), _mask(asked, "personFields", frozenset())
                )
        return self._groups(asked, name, verb)

    # ---- reading -----------------------------------------------------------------------------------------

    def _person(self, one: Contact, mask: frozenset[str]) -> Json:
        return self.account.person(one, mask, self.root)

    def _connections(self, asked: Asked) -> Json:
        """Pages; a sync token on the last one only, and only for the very same parameters (section 4)."""
        _allow(
            asked,
            "personFields",
            "pageSize",
            "pageToken",
            "requestSyncToken",
            "syncToken",
            "sortOrder",
            "sources",
        )
        mask = _mask(asked, "personFields")
        size = min(_size(asked, *_PAGE["connections"]), self.page_cap)
        params = _digest(asked, "pageToken", "syncToken", "requestSyncToken")
        page, sync = _one(asked, "pageToken"), _one(asked, "syncToken")
        if page:
            token = self._known(page, params)
        elif sync:
            token = self._known(sync, params)
            if self.now - token.born > self.account.token_life:
                message = "Sync token is expired. Clear local cache and retry call without the sync token."
                raise Refused(400, self.expired_status, message, "EXPIRED_SYNC_TOKEN")
            token = _Token(token.seen, params, token.born, 0, full=False)
        else:
            token = _Token(self.account.settled(), params, self.now)
        found = self._in_listing(token)
        if _one(asked, "sortOrder") == "LAST_MODIFIED_DESCENDING":
            if sync or _one(asked, "requestSyncToken") == "true":
                raise invalid("This sort order is not supported with sync tokens.")
            found.sort(key=lambda one: -self.account.changed_at(one))
        shown = found[token.offset : token.offset + size]
        answer: Json = {"connections": [self._listed(one, token, mask) for one in shown]} if shown else {}
        if shown:
            answer |= {"totalItems": len(found), "totalPeople": len(found)}
        if token.offset + size < len(found):
            later = _Token(token.seen, params, token.born, token.offset + size, token.full)
            return {**answer, "nextPageToken": self._issue(later)}
        if _one(asked, "requestSyncToken") == "true":
            answer["nextSyncToken"] = self._issue(_Token(self.account.settled(), params, token.born))
        return answer

    def _in_listing(self, token: _Token) -> list[Contact]:
        listed = self.account.listed()
        if token.full:
            return [one for one in listed.values() if not one.deleted]
        changed = {change.contact_id for change in self.account.changes[token.seen : self.account.settled()]}
        return [listed[identity] for identity in listed if identity in changed]

    def _listed(self, one: Contact, token: _Token, mask: frozenset[str]) -> Json:
        """``previousResourceNames`` are told in a list with a sync token only, and not all addresses and
        phones in any."""
        person = self._person(one, mask)
        for name in ("emailAddresses", "phoneNumbers"):
            if name in person:
                person[name] = person[name][:100]
        if not token.full and one.previous and "metadata" in person:
            person["metadata"]["previousResourceNames"] = list(one.previous)
        return person

    def _issue(self, token: _Token) -> str:
        text = base64.urlsafe_b64encode(
            hashlib.sha256(repr((len(self._tokens), token)).encode()).digest()[:18]
        )
        self._tokens[text.decode()] = token
        return text.decode()

    def _known(self, text: str, params: str) -> _Token:
        token = self._tokens.get(text)
        if token is None or token.params != params:
            raise invalid()
        return token

    def _batch_get(self, asked: Asked) -> Json:
        _allow(asked, "resourceNames", "personFields", "sources")
        names, mask = asked.query.get("resourceNames", []), _mask(asked, "personFields")
        _at_most(len(names), 200)
        answers = []
        for name in names:
            try:
                person = self._person(self.account.read(name), mask)
                answers.append({"requestedResourceName": name, "httpStatusCode": 200, "person": person})
            except Refused as error:
                status = {"code": 5, "message": error.message}
                answers.append(
                    {"requestedResourceName": name, "httpStatusCode": error.code, "status": status}
                )
        return {"responses": answers}

    # ---- writing -----------------------------------------------------------------------------------------

    def _batch_create(self, asked: Asked) -> Json:
        _keys(asked.body, "contacts", "readMask", "sources")
        wanted = asked.body.get("contacts", [])
        _at_most(len(wanted), 200)
        trial = Account(lambda: self.now)
        trial.groups = dict(self.account.groups)
        for one in wanted:
            trial.create(one["contactPerson"])
        made = [self.account.create(one["contactPerson"]) for one in wanted]
        mask = _names(asked.body.get("readMask", ""))
        if not mask:
            return {}
        return {"createdPeople": [self._response(one, mask) for one in made]}

    def _batch_update(self, asked: Asked) -> Json:
        _keys(asked.body, "contacts", "updateMask", "readMask", "sources")
        wanted = asked.body.get("contacts", {})
        _at_most(len(wanted), 200)
        update = _names(asked.body.get("updateMask", ""))
        undo = (dict(self.account.contacts), list(self.account.changes))
        self.account.contacts = copy.deepcopy(self.account.contacts)
        try:
            done = {name: self.account.update(name, person, update) for name, person in wanted.items()}
        except Refused:
            self.account.contacts, self.account.changes = undo
            raise
        mask = _names(asked.body.get("readMask", ""))
        return (
            {"updateResult": {name: self._response(one, mask) for name, one in done.items()}} if mask else {}
        )

    def _response(self, one: Contact, mask: frozenset[str]) -> Json:
        named = {"requestedResourceName": one.resource_name, "httpStatusCode": 200}
        return {**named, "person": self._person(one, mask)}

    def _update_photo(self, asked: Asked, name: str) -> Json:
        _keys(asked.body, "photoBytes", "personFields", "sources")
        try:
            data = base64.b64decode(asked.body["photoBytes"].replace("-", "+").replace("_", "/"))
        except (KeyError, ValueError) as error:
            raise invalid("photoBytes") from error
        mask = _names(asked.body.get("personFields", ""))
        return self._with_person(self.account.set_photo(name, data), mask)

    def _with_person(self, one: Contact, mask: frozenset[str]) -> Json:
        return {"person": self._person(one, mask)} if mask else {}

    def _photo(self, asked: Asked) -> Answer:
        identity = asked.path.removeprefix("/photo/").partition("-")[0]
        one = self.account.contacts.get(identity)
        if one is None:
            raise not_found()
        return Answer(200, one.photo or b"\x89PNG monogram", "image/png")

    # ---- labels ------------------------------------------------------------------------------------------

    def _groups(self, asked: Asked, name: str, verb: str) -> Json:
        account = self.account
        match asked.method, name, verb:
            case "GET", "contactGroups", "":
                return self._group_list(asked)
            case "POST", "contactGroups", "":
                _keys(asked.body, "contactGroup", "readGroupFields")
                wanted = asked.body.get("contactGroup", {})
                return self._group(account.create_group(wanted.get("name", ""), wanted.get("clientData")))
            case "GET", _, "":
                _allow(asked, "maxMembers", "groupFields")
                return self._group(account.group(name), members=int(_one(asked, "maxMembers") or 0))
            case "PUT", _, "":
                _keys(asked.body, "contactGroup", "updateGroupFields", "readGroupFields")
                mask = set(filter(None, asked.body.get("updateGroupFields", "name").split(",")))
                return self._group(account.update_group(name, asked.body.get("contactGroup", {}), mask))
            case "DELETE", _, "":
                _allow(asked, "deleteContacts")
                account.delete_group(name, with_contacts=_one(asked, "deleteContacts") == "true")
                return {}
            case "POST", _, "modify" if name.endswith("/members"):
                _keys(asked.body, "resourceNamesToAdd", "resourceNamesToRemove")
                add, remove = (asked.body.get(f"resourceNamesTo{verb}", []) for verb in ("Add", "Remove"))
                return account.modify_members(name.removesuffix("/members"), add, remove)
        raise not_found()

    def _group_list(self, asked: Asked) -> Json:
        _allow(asked, "groupFields", "pageSize", "pageToken", "syncToken")
        size, groups = _size(asked, *_PAGE["groups"]), list(self.account.groups.values())
        start = int(_one(asked, "pageToken") or 0)
        shown = [self._group(group) for group in groups[start : start + size]]
        answer: Json = {"contactGroups": shown, "totalItems": len(groups)}
        if start + size < len(groups):
            answer["nextPageToken"] = str(start + size)
        return {**answer, "nextSyncToken": f"groups-{len(self.account.changes)}"}

    def _group(self, group: Group, members: int = 0) -> Json:
        """System groups have neither etag nor metadata; an empty one has no memberCount."""
        names = self.account.members(group)
        kind = "SYSTEM_CONTACT_GROUP" if group.is_system else "USER_CONTACT_GROUP"
        shown: Json = {"resourceName": group.resource_name, "groupType": kind}
        shown |= {"name": group.name, "formattedName": group.name}
        if names:
            shown["memberCount"] = len(names)
        if not group.is_system:
            shown |= {"etag": group.etag, "metadata": {"updateTime": "2024-01-01T00:00:00Z"}}
        if group.client_data:
            shown["clientData"] = group.client_data
        return {**shown, "memberResourceNames": names[:members]} if members and names else shown

    # ---- login -------------------------------------------------------------------------------------------

    def _authorize(self, asked: Asked) -> Answer:
        """PKCE is wanted."""
        challenge, redirect = _one(asked, "code_challenge"), _one(asked, "redirect_uri")
        if _one(asked, "client_id") != self.client[0] or _one(asked, "code_challenge_method") != "S256":
            return Answer(400, b"Error 400: invalid_request", "text/html")
        if self.declines:
            query = urlencode({"state": _one(asked, "state"), "error": self.declines})
            return Answer(302, b"", "text/html", f"{redirect}?{query}")
        code = f"code-{len(self._codes) + 1}"
        self._codes[code] = (challenge, redirect)
        query = urlencode({"state": _one(asked, "state"), "code": code, "scope": self.scopes})
        return Answer(302, b"", "text/html", f"{redirect}?{query}")

    def _token(self, asked: Asked) -> Answer:
        form = {key: values[0] for key, values in asked.body.items()}
        if (form.get("client_id"), form.get("client_secret")) != self.client:
            return Answer(401, b'{"error": "invalid_client"}')
        access = f"access-{len(self.access_tokens) + 1}"
        found: Json = {
            "access_token": access,
            "expires_in": 3599,
            "scope": self.scopes,
            "token_type": "Bearer",
        }
        if form.get("grant_type") == "authorization_code":
            challenge, redirect = self._codes.pop(form.get("code", ""), ("", ""))
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            verified = base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge
            if not (challenge and verified and redirect == form.get("redirect_uri")):
                return Answer(400, b'{"error": "invalid_grant"}')
            refresh = f"refresh-{len(self.refresh_tokens) + 1}"
            self.refresh_tokens.add(refresh)
            found["refresh_token"] = refresh
            if not self.lasts:
                found["refresh_token_expires_in"] = 604799
        elif form.get("refresh_token") not in self.refresh_tokens:
            return Answer(
                400, b'{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}'
            )
        self.access_tokens.add(access)
        return Answer(200, json.dumps(found).encode())


def _matching(at: str, changes_only: bool) -> Callable[[Asked], bool]:
    return lambda asked: at in asked.path and (asked.method != "GET" or not changes_only)


def _is_due(fault: Fault) -> bool:
    if fault.skip > 0:
        fault.skip -= 1
        return False
    fault.times -= 1
    return fault.times >= 0


def _error(error: Refused) -> Answer:
    content: Json = {"code": error.code, "message": error.message, "status": error.status}
    if error.reason:
        info = "type.googleapis.com/google.rpc.ErrorInfo"
        content["details"] = [{"@type": info, "reason": error.reason, "domain": "people.googleapis.com"}]
    return Answer(error.code, json.dumps({"error": content}).encode())


def _allow(asked: Asked, *names: str) -> None:
    unknown = set(asked.query) - set(names) - _COMMON
    if unknown:
        raise invalid(f"Invalid JSON payload received. Unknown name {sorted(unknown)[0]!r}")


def _keys(body: Any, *names: str) -> None:
    if not isinstance(body, dict) or set(body) - set(names):
        raise invalid("Invalid JSON payload received.")


def _one(asked: Asked, name: str) -> str:
    return asked.query.get(name, [""])[0]


def _names(text: str) -> frozenset[str]:
    names = frozenset(filter(None, text.split(",")))
    if names - READ_MASK - GROUP_MASK:
        raise invalid(f"Invalid personFields mask path: {sorted(names - READ_MASK)[0]!r}")
    return names


def _mask(asked: Asked, name: str, otherwise: frozenset[str] | None = None) -> frozenset[str]:
    names = _names(",".join(asked.query.get(name, [])))
    if not names and otherwise is None:
        raise invalid("personFields mask is required.")
    return names or (otherwise or frozenset())


def _size(asked: Asked, usual: int, most: int) -> int:
    size = int(_one(asked, "pageSize") or usual)
    if not 1 <= size <= most:
        raise invalid(f"Page size must be less than or equal to {most}.")
    return size


def _at_most(count: int, most: int) -> None:
    if count > most:
        raise invalid(f"Too many items: {count} of at most {most}.")


def _digest(asked: Asked, *without: str) -> str:
    kept = {key: sorted(values) for key, values in asked.query.items() if key not in without}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


@contextmanager
def google() -> Iterator[Google]:
    found = Google()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_any(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            form = "x-www-form-urlencoded" in self.headers.get("Content-Type", "")
            try:
                body = parse_qs(data.decode()) if form else json.loads(data) if data else None
            except ValueError:
                body = None
            method, query = self.command, parse_qs(parts.query)
            if self.headers.get("X-HTTP-Method-Override") == "GET":
                # what the client library makes of a request that is too long for a URL
                method, query, body = "GET", parse_qs(data.decode()), None
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            asked = Asked(method, parts.path, query, body, bearer)
            answer = found.handle(asked)
            if answer is None:
                self.close_connection = True
                return
            asked.answered = len(answer.body)
            self.send_response_only(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            if answer.status == 401:
                self.send_header("WWW-Authenticate", 'Bearer realm="https://accounts.google.com/"')
            if answer.location:
                self.send_header("Location", answer.location)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found.root = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield found
        server.shutdown()
