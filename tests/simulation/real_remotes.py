"""Remotes behind their real connectors: Google's simulator through Google's client library, a real CardDAV
server, and by modules of their own Outlook and a folder. What people see and do there is told in vCards, as
everywhere in the worlds.
"""

from __future__ import annotations

import atexit
import base64
import functools
import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import requests

from contactsync.connectors.base import (
    AccountSettings,
    Connector,
)
from contactsync.connectors.carddav import factory as carddav
from contactsync.connectors.google.connector import BOOK, GoogleConnector
from contactsync.connectors.memory import Habits
from contactsync.vcard.codec import VCardCodec
from tests import servers
from tests.simulation.facts import picture, word_of
from tests.simulation.folder_remote import FOLDER, FolderRemote
from tests.simulation.in_process import Counting, InProcess, uid_of, values_of
from tests.simulation.outlook_remote import OUTLOOK, OutlookRemote
from tests.simulation.remotes import Kind, Remote
from tests.simulation.world import choose
from tests.simulators.google import Answer, Asked, Google
from tests.simulators.google_account import Contact as Person
from tests.simulators.google_account import Json

ROOT = "http://google.localhost"
LAG = timedelta(minutes=3)
GOOGLE = Kind("google-api", lambda: Habits(settles_after=LAG), ids_change=True, has_labels=True)
RADICALE = Kind("radicale-server", Habits)


def remote_of(name: str, kind: str, books: int, clock: Callable[[], datetime]) -> Remote:
    """The account of a world: a real one for the kinds of this module, else one in memory."""
    if kind == GOOGLE.name:
        return GoogleRemote(name, clock)
    if kind == OUTLOOK.name:
        return OutlookRemote(name, clock)
    if kind == FOLDER.name:
        return FolderRemote(name, books, clock)
    return RadicaleRemote(name) if kind == RADICALE.name else Remote(name, kind, books, clock)


# ---- Google ----------------------------------------------------------------------------------------------


class _GoogleServer:
    """The account as a person at the web page sees it: cards by the id of the contact."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.habits = GOOGLE.habits()
        self.google = Google(ROOT)
        self.google.account.lag = LAG.total_seconds()
        self.google.account.recompress = lambda data: picture(word_of(data), recompressed=True)
        self.google.page_cap = 2
        self.books = {BOOK: self}
        self._clock = clock
        self._made: dict[str, str] = {}

    def receive(self, request: requests.PreparedRequest, data: bytes) -> tuple[int, str, bytes] | None:
        parts = urlsplit(request.url or "")
        method, query = str(request.method), parse_qs(parts.query)
        content = json.loads(data) if data and method != "GET" and data[:1] in b"{[" else None
        if request.headers.get("X-HTTP-Method-Override") == "GET":
            method, query = "GET", parse_qs(data.decode())
        bearer = str(request.headers.get("Authorization", "")).removeprefix("Bearer ")
        answer = self._answer(Asked(method, parts.path, query, content, bearer))
        return (answer.status, answer.kind, answer.body) if answer else None

    def _answer(self, asked: Asked) -> Answer | None:
        self.google.now = self._clock().timestamp()
        self._plan(asked)
        answer = self.google.handle(asked)
        self.google.faults.clear()
        return answer

    def _plan(self, asked: Asked) -> None:
        """What goes wrong with this request, in Google's ways: a condition that is refused, a read of an old
        state, a list that breaks off, too many requests, an answer that is lost."""
        habits, google = self.habits, self.google
        if habits.refuse and asked.path.endswith("pdateContact"):
            habits.refuse -= 1
            google.fail(400, "FAILED_PRECONDITION", "Request person.etag is different.")
        elif habits.refuse and asked.path.endswith("batchGet"):
            habits.refuse -= 1
            google.account.stale_gets = 1
        elif habits.break_off and asked.path.endswith("connections"):
            habits.break_off -= 1
            google.drop_request()
        elif habits.break_off and asked.method != "GET":
            habits.break_off -= 1
            google.exhaust(times=9)
        elif habits.lose_replies and asked.method != "GET":
            habits.lose_replies -= 1
            google.lose_reply()

    def cards(self) -> list[tuple[str, bytes]]:
        return sorted((one.id, self._card(one)) for one in self.google.account.alive())

    def get(self, href: str) -> bytes | None:
        found = self.google.account.contacts.get(self._made.get(href, href))
        return self._card(found) if found is not None and not found.deleted else None

    def put(self, href: str, payload: bytes) -> None:
        self.google.now = self._clock().timestamp()
        account, lists = self.google.account, _lists(payload)
        found = account.contacts.get(href)
        if found is None:
            found = self._of_uid(uid_of(payload))
            if found is not None and found.deleted:
                account.restore(found.id)
            else:
                mark = found.fields.get("clientData", []) if found is not None else []
                made = {name: items for name, items in lists.items() if items}
                found = account.create({**made, "clientData": mark})
        self._made[href] = found.id
        groups = {"contactGroups/myContacts", *map(self._label, values_of(payload, "CATEGORIES"))}
        photo = next(iter(values_of(payload, "PHOTO")), "")
        account.edit(found.resource_name, **lists)
        found.groups = groups
        data = base64.b64decode(photo) if photo else None
        if data != found.photo:
            account.set_photo(found.resource_name, data)

    def delete(self, href: str) -> None:
        self.google.now = self._clock().timestamp()
        self.google.account.delete(self.google.account.contacts[href].resource_name)

    def expire_cursors(self, book: str) -> None:
        self.google.expire_tokens()

    def _of_uid(self, uid: str) -> Person | None:
        people = sorted(self.google.account.contacts.values(), key=lambda one: one.deleted)
        return next((one for one in people if uid in (one.id, _mark(one))), None)

    def _label(self, name: str) -> str:
        account = self.google.account
        found = (g for g in account.groups.values() if g.name == name)
        return (next(found, None) or account.create_group(name)).resource_name

    def _card(self, one: Person) -> bytes:
        """What the page shows of a contact."""
        name = next(iter(one.fields.get("names", [])), {})
        lines = [
            f"UID:{_mark(one) or one.id}",
            f"N:{name.get('familyName', '')};{name.get('givenName', '')};;;",
        ]
        lines.append(f"FN:{name.get('givenName', '')} {name.get('familyName', '')}")
        for number, item in enumerate(one.fields.get("emailAddresses", [])):
            lines.append(f"item{number}.EMAIL:{item['value']}")
            if item.get("type"):
                lines.append(f"item{number}.X-ABLABEL:{item['type']}")
        lines += [f"TEL:{item['value']}" for item in one.fields.get("phoneNumbers", [])]
        for item in one.fields.get("organizations", []):
            lines += [f"TITLE:{item['title']}"] if item.get("title") else []
            if item.get("name"):
                lines.append("ORG:" + ";".join(item[k] for k in ("name", "department") if item.get(k)))
        lines += ["NOTE:" + item["value"].replace("\n", "\\n") for item in one.fields.get("biographies", [])]
        labels = [g.name for g in self.google.account.groups.values() if not g.is_system]
        labels = [n for n in labels if self._label(n) in one.groups]
        lines += [f"CATEGORIES:{','.join(labels)}"] if labels else []
        lines += [f"PHOTO;ENCODING=b;TYPE=JPEG:{base64.b64encode(one.photo).decode()}"] if one.photo else []
        for item in one.fields.get("birthdays", []):
            date = item["date"]
            lines.append(f"BDAY:{date['year']:04}-{date['month']:02}-{date['day']:02}")
        lines += [f"NICKNAME:{item['value']}" for item in one.fields.get("nicknames", [])]
        for item in one.fields.get("addresses", []):
            lines.append(f"ADR:;;{item.get('streetAddress', '')};{item.get('city', '')};;;")
        lines += [f"URL:{item['value']}" for item in one.fields.get("urls", [])]
        return "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD", ""]).encode()


def _mark(one: Person) -> str:
    marks = one.fields.get("clientData", [])
    return next((str(item["value"]) for item in marks if item["key"] == "contactsync-uid"), "")


def _lists(payload: bytes) -> dict[str, list[Json]]:
    """The lists of a person as somebody typed them into the page."""
    contact = VCardCodec().read(payload)
    unit = contact.organizations[0].units[:1] if contact.organizations else ()
    job: Json = {"name": contact.organizations[0].name} if contact.organizations else {}
    job |= {"department": unit[0]} if unit else {}
    job |= {"title": contact.titles[0].name} if contact.titles else {}
    parts = {"givenName": contact.name.part("given"), "familyName": contact.name.part("surname")}
    return {
        "names": [parts],
        "emailAddresses": [
            {"value": e.address, **({"type": e.label} if e.label else {})} for e in contact.emails
        ],
        "phoneNumbers": [{"value": p.number} for p in contact.phones],
        "organizations": [*([job] if job else []), *({"title": t.name} for t in contact.titles[1:])],
        "biographies": [{"value": n.text} for n in contact.notes[:1]],
        "birthdays": [
            {"date": {"year": a.date.year, "month": a.date.month, "day": a.date.day}}
            for a in contact.anniversaries
            if a.kind == "birth"
        ],
        "nicknames": [{"value": n.name} for n in contact.nicknames],
        "addresses": [
            {"streetAddress": a.part("name"), "city": a.part("locality")} for a in contact.addresses
        ],
        "urls": [{"value": link.uri} for link in contact.links],
    }


class GoogleRemote(Remote):
    """A Google account; the connector is the real one."""

    def __init__(self, name: str, clock: Callable[[], datetime]) -> None:
        super().__init__(name, "faithful", 1, clock)
        self.kind = GOOGLE
        self.google = _GoogleServer(clock)
        self.server = self.google  # type: ignore[assignment]

    @property
    def books(self) -> list[str]:
        return [BOOK]

    def cards(self) -> list[tuple[str, bytes]]:
        return self.google.cards()

    def commits(self) -> int:
        return len(self.google.google.account.changes)

    def connect(self, settings: AccountSettings) -> Connector:
        login = {"refresh_token": "refresh-1", "token_uri": f"{ROOT}/token", "token": "access-1"}
        login |= {"client_id": "client-1", "client_secret": "secret-1", "expiry": "2099-01-01T00:00:00Z"}
        made = AccountSettings(
            settings.name, "gmail", ROOT, password=lambda: json.dumps(login), settles_after=LAG
        )
        connector = GoogleConnector(made, lambda seconds: None)
        connector.transport.session.mount(ROOT, InProcess(self.google.receive))
        return Counting(connector, self)  # type: ignore[return-value]

    def move(self, href: str, new: str, payload: bytes) -> bool:
        account = self.google.google.account
        account.link_profile(account.contacts[href].resource_name)
        return True

    def change_label(self, pick: float, new: str) -> str:
        account = self.google.google.account
        labels = sorted((g for g in account.groups.values() if not g.is_system), key=lambda g: g.name)
        if not labels:
            return ""
        label = choose(labels, pick)
        old = label.name
        if new:
            account.update_group(label.resource_name, {"name": new}, {"name"})
        else:
            account.delete_group(label.resource_name)
        return old


# ---- a real CardDAV server -------------------------------------------------------------------------------


class _RadicaleServer:
    """One book of a server that runs; the faults of a world do not reach it."""

    def __init__(self, server: servers.Server) -> None:
        self.habits = Habits(unique_uids=True)
        self.server = server
        self.book_href = server.make_book(f"world{uuid4().hex[:8]}")
        self.books = {self.book_href: self}
        self.commits = 0

    def get(self, href: str) -> bytes | None:
        return self.server.get(href)

    def put(self, href: str, payload: bytes) -> None:
        self.commits += 1
        self.server.put(href, payload)

    def delete(self, href: str) -> None:
        self.commits += 1
        self.server.delete(href)

    def expire_cursors(self, book: str) -> None:
        """Radicale keeps its tokens."""


@functools.cache
def _radicale() -> servers.Server:
    """One for all worlds of this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(servers.radicale())


class RadicaleRemote(Remote):
    """A book at a real Radicale."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "radicale", 1, datetime.now)
        self.kind = RADICALE
        self._real = _RadicaleServer(_radicale())
        self.selected = (self._real.book_href,)
        self.server = self._real  # type: ignore[assignment]

    @property
    def books(self) -> list[str]:
        return [self._real.book_href]

    def cards(self) -> list[tuple[str, bytes]]:
        hrefs = sorted(self._real.server.etags(self._real.book_href))
        return [(href, payload) for href in hrefs if (payload := self._real.get(href))]

    def commits(self) -> int:
        return self._real.commits

    def connect(self, settings: AccountSettings) -> Connector:
        server = self._real.server
        url = server.base_url + self._real.book_href
        made = AccountSettings(settings.name, "carddav", url, server.user, lambda: server.password)
        return Counting(carddav(made), self)  # type: ignore[return-value]

    def close(self) -> None:
        self._real.server.delete_book(self._real.book_href)
