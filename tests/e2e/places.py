"""A device and its remote, whatever kind that is: what the remote holds is read without our codecs.

People here are such that every kind of remote can hold all of one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig
from contactsync.connectors.base import Codec, Exchange
from contactsync.connectors.google.codec import GoogleCodec
from contactsync.connectors.google.connector import GoogleConnector
from contactsync.connectors.outlook.codec import OutlookCodec
from contactsync.connectors.outlook.connector import OutlookConnector
from contactsync.connectors.outlook.person import UID
from contactsync.model.contact import Anniversary, Contact, Email, Note, PartialDate, Phone, Title
from contactsync.vcard.codec import VCardCodec
from tests.connectors import test_google, test_outlook
from tests.e2e import devices
from tests.e2e.devices import AnyServer, Device, account_for, payloads
from tests.plain_reader import read
from tests.simulators.google import Google, google
from tests.simulators.graph import Graph, graph

DAY = 86400.0
HOME = frozenset({"private"})


def person(number: int, **more: Any) -> Contact:
    """Somebody of whom every remote can hold all; the first two play chess."""
    content = {
        "emails": (Email(f"person{number:03d}@example.org"),),
        "phones": (Phone(f"+49 30 555 {number:04d}", HOME),),
        "notes": (Note(f"met in {2000 + number}"),),
        "anniversaries": (Anniversary("birth", PartialDate(1980 + number, 5, 1 + number)),),
        "groups": frozenset({"Chess"} if number < 2 else ()),
    }
    return devices.person(number, **{**content, **more})


class Facts(NamedTuple):
    """What a person sees of a contact."""

    uid: str
    given: str
    surname: str
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    titles: tuple[str, ...]
    notes: tuple[str, ...]
    birthday: str
    groups: tuple[str, ...]


def facts(uid: str, given: str, surname: str, birthday: str, *lists: Sequence[str]) -> Facts:
    emails, phones, titles, notes, groups = (tuple(sorted(filter(None, found))) for found in lists)
    return Facts(uid, given, surname, emails, phones, titles, notes, birthday, groups)


def facts_of(contact: Contact) -> Facts:
    """With the names of groups."""
    births = [a.date for a in contact.anniversaries if a.kind == "birth"]
    return facts(
        contact.uid,
        contact.name.part("given"),
        contact.name.part("surname"),
        f"{births[0].year:04}{births[0].month:02}{births[0].day:02}" if births else "",
        [e.address for e in contact.emails],
        [p.number for p in contact.phones],
        [t.name for t in contact.titles],
        [n.text for n in contact.notes],
        sorted(contact.groups),
    )


class Remote(Protocol):
    """One kind of remote, its simulator or server, and the hand of somebody else there."""

    codec: Codec

    def open(self, folder: Path, **account: Any) -> Device: ...

    def facts(self) -> list[Facts]:
        """What it holds, read without our codecs; with repeats."""

    def state(self) -> object:
        """All that it holds, with versions: the same before and after, nothing was written."""

    def writes(self) -> int:
        """How many requests so far wanted to change something."""

    def retitle(self, uid: str, title: str) -> None:
        """Somebody else gives a contact another title."""

    def make_group(self, name: str) -> None:
        """Somebody else makes a group without members."""

    def wait(self) -> None:
        """Until what was written has settled."""


@dataclass
class CardDav:
    """A book of a CardDAV server, or of one in memory."""

    server: AnyServer
    book: str
    codec: Codec = field(default_factory=VCardCodec)
    seen: list[Exchange] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)

    def open(self, folder: Path, **account: Any) -> Device:
        config = account_for(self.server, self.book, **account)
        return Device(folder, self.server, config, Hooks(witness=self.seen.append))

    def facts(self) -> list[Facts]:
        return [_of_card(payload) for payload in payloads(self.server, self.book).values()]

    def state(self) -> object:
        return self.server.etags(self.book), payloads(self.server, self.book)

    def writes(self) -> int:
        """For a server in memory its versions are enough."""
        return sum(asked.method in ("PUT", "DELETE", "POST", "PROPPATCH") for asked in self.seen)

    def retitle(self, uid: str, title: str) -> None:
        self.edit(uid, lambda contact: replace(contact, titles=(Title(title),)))

    def make_group(self, name: str) -> None:
        card = devices.card(f"group-{name}", name, "X-ADDRESSBOOKSERVER-KIND:group")
        self.server.put(f"{self.book}group.vcf", card)

    def edit(self, uid: str, change: Callable[[Contact], Contact]) -> None:
        """Somebody else edits a card."""
        path = self._path_of(uid)
        payload = self.server.get(path)
        assert payload is not None
        self.server.put(path, self.codec.write(change(self.codec.read(payload)), payload))

    def _path_of(self, uid: str) -> str:
        if uid not in self.paths:
            self.paths[uid] = devices.path_of(self.server, self.book, uid)
        return self.paths[uid]

    def people(self) -> dict[str, Contact]:
        return {contact.uid: contact for _, contact in devices.read_all(self.server, self.book)}

    def wait(self) -> None:
        """Nothing lags there."""


def _of_card(payload: bytes) -> Facts:
    values: dict[str, list[str]] = {}
    for line in read(payload):
        values.setdefault(line.name, []).append(line.plain)
    surname, given, *_ = values["N"][0].split(";")
    groups = [name for line in values.get("CATEGORIES", ()) for name in line.split(",")]
    birthday = values.get("BDAY", [""])[0].replace("-", "")
    texts = [values.get(name, []) for name in ("EMAIL", "TEL", "TITLE", "NOTE")]
    return facts(values["UID"][0], given, surname, birthday, *texts, groups)


@dataclass
class AtGoogle:
    server: Google
    codec: Codec = field(default_factory=GoogleCodec)

    def open(self, folder: Path, **account: Any) -> Device:
        server = self.server
        hooks = Hooks(
            now=lambda: datetime.fromtimestamp(server.now, UTC),
            password=lambda _: test_google.secret(server),
            connect=lambda settings: GoogleConnector(settings, server.pass_time),
        )
        config = AccountConfig("gmail", "gmail", url=server.root, **account)
        return Device(folder, server, config, hooks)  # type: ignore[arg-type]

    def facts(self) -> list[Facts]:
        account = self.server.account
        labels = {g.resource_name: g.name for g in account.groups.values() if not g.is_system}
        found = []
        for one in account.alive():
            name, birthday = one.fields["names"][0], one.fields.get("birthdays", [{}])[0].get("date")
            found.append(
                facts(
                    _marked(one),
                    name.get("givenName", ""),
                    name.get("familyName", ""),
                    "{year:04}{month:02}{day:02}".format(**birthday) if birthday else "",
                    [item["value"] for item in one.fields.get("emailAddresses", [])],
                    [item["value"] for item in one.fields.get("phoneNumbers", [])],
                    [item.get("title", "") for item in one.fields.get("organizations", [])],
                    [item["value"] for item in one.fields.get("biographies", [])],
                    [labels[group] for group in one.groups & labels.keys()],
                )
            )
        return found

    def state(self) -> object:
        account = self.server.account
        return repr(account.contacts), repr(account.groups)

    def writes(self) -> int:
        return sum(asked.method != "GET" and asked.path.startswith("/v1/") for asked in self.server.requests)

    def retitle(self, uid: str, title: str) -> None:
        (found,) = [one for one in self.server.account.alive() if _marked(one) == uid]
        self.server.account.edit(found.resource_name, organizations=[{"title": title}])

    def make_group(self, name: str) -> None:
        self.server.account.create_group(name)

    def wait(self) -> None:
        self.server.pass_time(400)


def _marked(one: Any) -> str:
    marks = one.fields.get("clientData", [])
    return next((str(item["value"]) for item in marks if item["key"] == "contactsync-uid"), "")


@dataclass
class AtOutlook:
    server: Graph
    codec: Codec = field(default_factory=OutlookCodec)

    def open(self, folder: Path, **account: Any) -> Device:
        server, kept = self.server, test_outlook.secret(self.server)

        def now() -> datetime:
            return datetime.fromtimestamp(server.now, UTC)

        hooks = Hooks(
            now=now,
            password=lambda _: kept,
            connect=lambda settings: OutlookConnector(settings, server.pass_time, now),
        )
        config = AccountConfig("outlook", "outlook", url=server.root, **account)
        return Device(folder, server, config, hooks)  # type: ignore[arg-type]

    def facts(self) -> list[Facts]:
        return [
            facts(
                one.extended.get(UID, ""),
                one.values.get("givenName") or "",
                one.values.get("surname") or "",
                (one.values.get("birthday") or "")[:10].replace("-", ""),
                [item["address"] for item in one.values.get("emailAddresses", [])],
                one.values.get("homePhones", []),
                [one.values.get("jobTitle") or ""],
                [one.values.get("personalNotes") or ""],
                one.values.get("categories", []),
            )
            for one in self.server.mailbox.items.values()
        ]

    def state(self) -> object:
        return repr(self.server.mailbox.items)

    def writes(self) -> int:
        asked = [*self.server.requests, *self.server.inner]
        return sum(one.method != "GET" and not one.path.endswith("/$batch") for one in asked)

    def retitle(self, uid: str, title: str) -> None:
        (found,) = [one for one in self.server.mailbox.items.values() if one.extended.get(UID) == uid]
        self.server.mailbox.update(found, {"jobTitle": title})

    def make_group(self, name: str) -> None:
        """There are none but on contacts."""
        raise NotImplementedError

    def wait(self) -> None:
        """A day: then what no list of changes tells is looked for."""
        self.server.pass_time(DAY)


@contextmanager
def google_remote() -> Iterator[Remote]:
    with google() as server:
        yield AtGoogle(server)
        assert not [asked for asked in server.requests if asked.overlapped], "changes overlapped"


@contextmanager
def outlook_remote() -> Iterator[Remote]:
    with graph() as server:
        yield AtOutlook(server)
        assert not server.troubles


@dataclass
class Place:
    """A device, its remote, and the other devices there."""

    phone: Device
    remote: Remote
    others: tuple[Device, ...] = ()

    @property
    def engine(self) -> Engine:
        return self.phone.engine

    @property
    def devices(self) -> tuple[Device, ...]:
        return (self.phone, *self.others)

    def round(self) -> None:
        """One of each device; open questions are no trouble."""
        for device in self.devices:
            self.remote.wait()
            device.sync()

    def agree(self) -> None:
        """P3 and P4: after two rounds each replica holds what the hub holds, nobody twice and nobody less;
        further rounds send nothing and change no row."""
        for _ in range(2):
            self.round()
        wanted = {c.uid: facts_of(self.remote.codec.project(c)) for c in self.phone.everyone().values()}
        wanted = {uid: found._replace(uid=uid) for uid, found in wanted.items()}
        assert sorted(self.remote.facts()) == sorted(wanted.values())
        self.rest(rounds=1)
        for other in self.others:
            assert other.everyone() == self.phone.everyone()

    def rest(self, rounds: int = 2) -> None:
        """Further rounds only look."""
        rows, state = [device.dump() for device in self.devices], self.remote.state()
        writes = self.remote.writes()
        for _ in range(rounds):
            self.round()
        assert self.remote.writes() == writes
        assert self.remote.state() == state
        assert [device.dump() for device in self.devices] == rows

    def retitled_there(self, uid: str, title: str) -> None:
        """Another device gives a title, where there is one; else somebody at the remote."""
        if not self.others:
            self.remote.wait()
            self.remote.retitle(uid, title)
            return
        for other in self.others:
            other.edit(uid, lambda contact: replace(contact, titles=(Title(title),)))
            other.sync()

    def names(self) -> list[str]:
        """The given names at the remote."""
        return sorted(found.given for found in self.remote.facts())
