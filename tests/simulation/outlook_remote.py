"""An Outlook mailbox behind its real connector: two folders, and a person at its own program, whose acts are
told in vCards, as everywhere in the worlds."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import requests

from contactsync.connectors.base import AccountSettings, Connector
from contactsync.connectors.memory import Habits
from contactsync.connectors.outlook.connector import OutlookConnector
from contactsync.connectors.outlook.person import UID
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec
from tests.simulation.in_process import Counting, InProcess, uid_of, values_of
from tests.simulation.remotes import MOST_EMAILS, Kind, Remote
from tests.simulators.asked import Answer, Asked
from tests.simulators.graph import Graph
from tests.simulators.mailbox import EXTENDED, Item, Json

HOST = "http://graph.localhost"
ROOT = f"{HOST}/v1.0"
LAG = timedelta(minutes=3)
SWEEP = timedelta(minutes=5)
_PHONE = "String 0x3A1F"
_TOKEN = {
    "secret": "access-1",
    "target": "https://graph.microsoft.com/Contacts.ReadWrite",
    "expires_on": "4102444800",
}
_LOGIN = json.dumps({"client_id": "c", "authority": "common", "cache": {"AccessToken": {"one": _TOKEN}}})


class OneOfEach(VCardCodec):
    """The person's program: three addresses without a label, and one field for the other kinds, into which
    what is new is typed over what was there."""

    def read(self, payload: bytes) -> Contact:
        return _held(super().read(payload))

    def write(self, contact: Contact, original: bytes | None) -> bytes:
        return super().write(_held(contact), original)


def _held(contact: Contact) -> Contact:
    return replace(
        contact,
        emails=tuple(replace(e, label="", pref=None) for e in contact.emails[:MOST_EMAILS]),
        phones=contact.phones[-1:],
        nicknames=contact.nicknames[-1:],
        addresses=contact.addresses[-1:],
        links=contact.links[-1:],
        extra=(),
    )


OUTLOOK = Kind(
    "outlook-api",
    lambda: Habits(settles_after=LAG),
    codec=OneOfEach,
    # there is one organization, with one unit, of as many as the device has
    unseen=frozenset({"label", "labelled", "organization", "x"}),
    most={"email": MOST_EMAILS, "phone": 1, "title": 1, "nickname": 1, "street": 1, "town": 1, "link": 1},
)


class _OutlookServer:
    """The mailbox as its owner sees it: cards by folder and id."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.habits = OUTLOOK.habits()
        self.graph = Graph(ROOT)
        self.mailbox = self.graph.mailbox
        self.mailbox.lag = LAG.total_seconds()
        self.mailbox.honours_etags = False
        self.graph.page_cap, self.graph.repeats = 2, True
        self.folders = [self.mailbox.default, self.mailbox.make_folder("Friends").id]
        self.books = {f"{folder}/": self for folder in self.folders}
        self._clock = clock
        self._made: dict[str, str] = {}
        self._trash: dict[str, Item] = {}

    def receive(self, request: requests.PreparedRequest, data: bytes) -> tuple[int, str, bytes] | None:
        parts = urlsplit(request.url or "")
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        asked = Asked(str(request.method), parts.path, parse_qs(parts.query), data, headers)
        self._now()
        self._plan(asked)
        answer: Answer | None = self.graph.handle(asked)
        self.graph.faults.clear()
        assert not self.graph.troubles, self.graph.troubles
        return (answer.status, answer.kind, answer.body) if answer else None

    def _now(self) -> None:
        self.graph.now = self._clock().timestamp()

    def _plan(self, asked: Asked) -> None:
        """What goes wrong with this request, in Graph's ways: a condition that fails, a list that breaks off,
        too many requests, an answer that is lost, alone or with its whole batch."""
        habits, graph = self.habits, self.graph
        if habits.refuse and asked.writes:
            habits.refuse -= 1
            graph.fail(412, "ErrorIrresolvableConflict", method="PATCH", inside=True)
            graph.fail(412, "ErrorIrresolvableConflict", method="DELETE", inside=True)
        elif habits.break_off and asked.path.endswith("delta"):
            habits.break_off -= 1
            graph.drop_request()
        elif habits.break_off and asked.writes:
            habits.break_off -= 1
            graph.fail(429, "ApplicationThrottled", inside=asked.path.endswith("$batch"), times=9)
        elif habits.lose_replies and asked.writes:
            habits.lose_replies -= 1
            if habits.lose_replies % 2:
                graph.fail(503, "ErrorInternalServerError", method="POST", inside=True, done=True)
            else:
                graph.lose_reply()

    def cards(self) -> list[tuple[str, bytes]]:
        return sorted((f"{one.folder}/{one.id}", self._card(one)) for one in self.mailbox.items.values())

    def get(self, href: str) -> bytes | None:
        found = self._at(href)
        return self._card(found) if found is not None else None

    def _at(self, href: str) -> Item | None:
        return self.mailbox.items.get(self._made.get(href, href.partition("/")[2]))

    def put(self, href: str, payload: bytes) -> None:
        self._now()
        found = self._at(href)
        if found is None:
            found = self._new(href.partition("/")[0], uid_of(payload))
            self._made[href] = found.id
        photo = next(iter(values_of(payload, "PHOTO")), "")
        data = base64.b64decode(photo) if photo else None
        new_text, new_photo = self._card(found) != self._card(_typed(found, payload)), data != found.photo
        if new_text or not new_photo:
            self.mailbox.update(found, _body(payload))
        if new_photo:
            self.mailbox.set_photo(found, data)  # which no list of changes tells

    def _new(self, folder: str, uid: str) -> Item:
        """One that was deleted comes back out of the trash; a copy of one that is there has its marks."""
        for one in self._trash.values():
            if uid in (one.id, one.extended.get(UID)) and one.id not in self.mailbox.items:
                self.mailbox.items[one.id] = one
                self.mailbox.move(one, folder)
                return one
        made = self.mailbox.create(folder, {"givenName": "new"})
        for one in self.mailbox.items.values():
            if uid and uid in (one.id, one.extended.get(UID)):
                made.extended[UID] = uid
        return made

    def delete(self, href: str) -> None:
        self._now()
        item = self._at(href)
        assert item is not None, href
        self._trash[item.id] = item
        self.mailbox.delete(item)

    def move(self, href: str, folder: str) -> None:
        self._now()
        item = self._at(href)
        assert item is not None, href
        self.mailbox.move(item, folder)

    def expire_cursors(self, book: str) -> None:
        self.graph.forget_tokens()

    @staticmethod
    def _card(one: Item) -> bytes:
        """What the program shows of a contact."""
        values = {name: value for name, value in one.values.items() if value}
        given, surname = values.get("givenName", ""), values.get("surname", "")
        lines = [f"UID:{one.extended.get(UID) or one.id}", f"N:{surname};{given};;;", f"FN:{given} {surname}"]
        lines += [f"EMAIL:{item['address']}" for item in values.get("emailAddresses", [])]
        lines += [f"TEL:{one.extended[_PHONE]}"] if one.extended.get(_PHONE) else []
        for name, label in (("jobTitle", "TITLE"), ("nickName", "NICKNAME"), ("businessHomePage", "URL")):
            lines += [f"{label}:{values[name]}"] if name in values else []
        company = [values[name] for name in ("companyName", "department") if name in values]
        lines += ["ORG:" + ";".join(company)] if company else []
        if note := values.get("personalNotes"):
            lines.append("NOTE:" + note.replace("\n", "\\n"))
        if groups := values.get("categories"):
            lines.append(f"CATEGORIES:{','.join(groups)}")
        lines += [f"PHOTO;ENCODING=b;TYPE=JPEG:{base64.b64encode(one.photo).decode()}"] if one.photo else []
        lines += [f"BDAY:{values['birthday'][:10]}"] if "birthday" in values else []
        if address := values.get("otherAddress"):
            lines.append(f"ADR:;;{address.get('street', '')};{address.get('city', '')};;;")
        return "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD", ""]).encode()


def _typed(item: Item, payload: bytes) -> Item:
    """The contact with what was typed in, apart from its picture."""
    body = _body(payload)
    extended = {row["id"]: row["value"] for row in body.pop(EXTENDED)}
    return replace(item, values={**item.values, **body}, extended={**item.extended, **extended})


def _body(payload: bytes) -> Json:
    """A contact as somebody typed it in."""
    contact = OneOfEach().read(payload)
    given, surname = contact.name.part("given"), contact.name.part("surname")
    company = contact.organizations[0] if contact.organizations else None
    born = next((a.date for a in contact.anniversaries if a.kind == "birth"), None)
    address = contact.addresses[0] if contact.addresses else None
    return {
        "givenName": given,
        "surname": surname,
        "displayName": f"{given} {surname}",
        "emailAddresses": [{"address": e.address, "name": e.address} for e in contact.emails],
        "jobTitle": contact.titles[0].name if contact.titles else "",
        "nickName": contact.nicknames[0].name if contact.nicknames else "",
        "businessHomePage": contact.links[0].uri if contact.links else "",
        "companyName": company.name if company else "",
        "department": company.units[0] if company and company.units else "",
        "personalNotes": contact.notes[0].text if contact.notes else "",
        "categories": sorted(contact.groups),
        "birthday": f"{born.year:04}-{born.month:02}-{born.day:02}T11:59:00Z" if born else None,
        "otherAddress": {"street": address.part("name"), "city": address.part("locality")} if address else {},
        EXTENDED: [{"id": _PHONE, "value": contact.phones[0].number if contact.phones else None}],
    }


class OutlookRemote(Remote):
    """An Outlook account; the connector is the real one."""

    def __init__(self, name: str, clock: Callable[[], datetime]) -> None:
        super().__init__(name, "faithful", 1, clock)
        self.kind = OUTLOOK
        self.codec = OUTLOOK.codec()
        self.outlook = _OutlookServer(clock)
        self.server = self.outlook  # type: ignore[assignment]
        self._clock = clock

    @property
    def books(self) -> list[str]:
        return sorted(self.outlook.books)

    def cards(self) -> list[tuple[str, bytes]]:
        return self.outlook.cards()

    def commits(self) -> int:
        return self.outlook.mailbox.versions + len(self.outlook.mailbox.changes)

    def connect(self, settings: AccountSettings) -> Connector:
        made = AccountSettings(
            settings.name, "outlook", ROOT, password=lambda: _LOGIN, settles_after=LAG, sweep_after=SWEEP
        )
        connector = OutlookConnector(made, lambda seconds: None, self._clock)
        connector.transport.session.mount(HOST, InProcess(self.outlook.receive))
        return Counting(connector, self)  # type: ignore[return-value]

    def move(self, href: str, new: str, payload: bytes) -> bool:
        """To another folder; no id changes in the same one."""
        here, there = (one.partition("/")[0] for one in (href, new))
        if here == there:
            return False
        self.outlook.move(href, there)
        return True
