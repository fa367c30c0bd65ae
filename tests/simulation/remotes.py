"""The kinds of remote that the worlds have: real habits, as data.

Each is a `MemoryServer` with the habits of a kind of server, a codec that knows what such a remote can
hold, and the oracle's own word on what of a contact shows there.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from contactsync.connectors.base import (
    AccountSettings,
    Change,
    Connector,
    Create,
    Outcome,
    Step,
    Unknown,
    Update,
)
from contactsync.connectors.memory import Habits, MemoryConnector, MemoryServer
from contactsync.engine.report import CardError
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec
from tests.simulation.facts import Facts, key, of_card, picture, word_of
from tests.under_way import Request, UnderWay

MOST_EMAILS = 3
NOTE_LENGTH = 8


@dataclass(frozen=True)
class Kind:
    """``unseen`` are units that the remote does not keep as they are; ``most`` says how many values of a unit
    it can hold; ``parallel`` and ``batch`` are the requests under way at once, and the steps in each, where a
    world has several."""

    name: str
    habits: Callable[[], Habits]
    codec: Callable[[], VCardCodec] = VCardCodec
    unseen: frozenset[str] = frozenset()
    most: Mapping[str, int] = field(default_factory=dict)
    ids_change: bool = False
    has_labels: bool = False
    parallel: int = 8
    batch: int = 1

    def shows(self, facts: Facts) -> Facts:
        """What must be there of a contact; what is cut is compared by `agree`."""
        hidden = self.unseen | self.most.keys()
        return {unit: frozenset() if unit in hidden else some for unit, some in facts.items()}

    def agree(self, unit: str, hub: Facts, there: Facts) -> bool:
        """Is there as much of this unit as has room?"""
        room = min(self.most[unit], len(hub[unit]))
        return there[unit] <= hub[unit] and len(there[unit]) == room


class FewEmails(VCardCodec):
    """Outlook's contact has room for three addresses and no label beside them."""

    def read(self, payload: bytes) -> Contact:
        contact = super().read(payload)
        return replace(contact, emails=tuple(replace(e, label="") for e in contact.emails))

    def project(self, contact: Contact) -> Contact:
        return super().project(replace(contact, emails=_best(contact)))

    def write(self, contact: Contact, original: bytes | None) -> bytes:
        return super().write(replace(contact, emails=_best(contact)), original)


def _best(contact: Contact) -> tuple[object, ...]:
    ordered = sorted(contact.emails, key=lambda e: e.pref or 101)
    kept = ordered[:MOST_EMAILS]
    return tuple(replace(e, label="") for e in contact.emails if e in kept)


class ShortNotes(VCardCodec):
    """A remote that says beforehand how long a note may be."""

    def project(self, contact: Contact) -> Contact:
        return super().project(_shortened(contact))

    def write(self, contact: Contact, original: bytes | None) -> bytes:
        return super().write(_shortened(contact), original)


def _shortened(contact: Contact) -> Contact:
    return replace(
        contact, notes=tuple(replace(n, text=n.text[:NOTE_LENGTH].rstrip()) for n in contact.notes)
    )


# ---- what becomes of a card when it is stored ----------------------------------------------------

Store = Callable[[bytes], bytes]


def in_other_order(payload: bytes) -> bytes:
    """Radicale writes properties in its own order."""
    lines = [line for line in _unfolded(payload).split(b"\r\n") if line]
    return b"\r\n".join([*lines[:2], *sorted(lines[2:-1]), lines[-1], b""])


def converted(payload: bytes) -> bytes:
    """Folded case and format, and a display name derived from the structured one."""
    lines = []
    for line in _unfolded(payload).split(b"\r\n"):
        head, _, value = line.partition(b":")
        if head.rpartition(b".")[2].startswith(b"EMAIL"):
            value = value.lower()
        elif head.rpartition(b".")[2].startswith(b"TEL"):
            value = value if value.startswith(b"+") else b"+" + value
        elif head == b"N":
            surname, given = value.split(b";")[:2]
            lines = [b"FN:" + surname + b"\\, " + given if one.startswith(b"FN:") else one for one in lines]
        lines.append(head + b":" + value if head and b":" in line else line)
    return b"\r\n".join(lines)


def without_notes(payload: bytes) -> bytes:
    return re.sub(rb"(?m)^NOTE[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*", b"", payload)


def with_cut_notes(payload: bytes) -> bytes:
    whole = re.sub(rb"\r\n[ \t]", b"", payload)
    return re.sub(rb"(?m)^NOTE:([^\r\n]{0,8})[^\r\n]*", lambda m: b"NOTE:" + m.group(1).rstrip(b"\\ "), whole)


def recompressed(payload: bytes) -> bytes:
    lines = []
    for line in _unfolded(payload).split(b"\r\n"):
        head, _, value = line.partition(b":")
        if head.startswith(b"PHOTO"):
            shown = picture(word_of(base64.b64decode(value)), recompressed=True)
            line = head + b":" + base64.b64encode(shown)
        lines.append(line)
    return b"\r\n".join(lines)


def _unfolded(payload: bytes) -> bytes:
    return re.sub(rb"\r\n[ \t]", b"", payload)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("faithful", Habits),
        Kind("radicale", lambda: Habits(on_store=in_other_order, unique_uids=True)),
        Kind("sabre", lambda: Habits(incremental=False, etag_on_write=False)),
        Kind("cyrus", lambda: Habits(on_store=converted, etag_on_write=False)),
        Kind("forgetful", lambda: Habits(on_store=without_notes), unseen=frozenset({"note"})),
        Kind("cutting", lambda: Habits(on_store=with_cut_notes), unseen=frozenset({"note"})),
        Kind(
            "cutting-blind",
            lambda: Habits(on_store=with_cut_notes, etag_on_write=False),
            unseen=frozenset({"note"}),
        ),
        Kind("photo", lambda: Habits(on_store=recompressed)),
        Kind("photo-blind", lambda: Habits(on_store=recompressed, etag_on_write=False)),
        Kind(
            "google",
            lambda: Habits(
                names_href=False,
                settles_after=timedelta(minutes=3),
                carry_payload=True,
                show_stored=True,
                page_size=2,
            ),
            ids_change=True,
            parallel=1,
            batch=200,
        ),
        Kind(
            "graph",
            lambda: Habits(names_href=False, conditional=False, repeat_rows=True, carry_payload=True),
            codec=FewEmails,
            unseen=frozenset({"label", "labelled"}),
            most={"email": MOST_EMAILS},
            parallel=4,
            batch=20,
        ),
        Kind("short-notes", Habits, codec=ShortNotes, unseen=frozenset({"note"})),
        Kind("paged", lambda: Habits(page_size=1, repeat_rows=True, carry_payload=True)),
        Kind("forgets-place", lambda: Habits(whole_again=True)),
    )
}


class Remote:
    """One account: a server of a kind, and what its connectors were asked to do."""

    def __init__(self, name: str, kind: str, books: int, clock: Callable[[], datetime]) -> None:
        self.name = name
        self.kind = KINDS[kind]
        self.codec = self.kind.codec()
        self.server = MemoryServer(self.kind.habits(), clock)
        for number in range(1, books):
            self.server.make_book(f"book{number}")
        self.writes = 0
        self.gone: list[bytes] = []
        self.selected: tuple[str, ...] = ()
        self.in_doubt: set[str] = set()
        self.waits: dict[str, frozenset[str]] = {}
        self.fresh: set[str] = set()
        self.lately: dict[str, set[tuple[str, str]]] = {}
        self.met: set[str] = set()
        self.lost: set[str] = set()
        self.emptied: set[tuple[str, str]] = set()
        self.device = ""
        self.faults: Counter[str] = Counter()
        self.sending: UnderWay | None = None

    @property
    def books(self) -> list[str]:
        return sorted(self.server.books)

    def cards(self) -> list[tuple[str, bytes]]:
        """All cards of all books, in the order of their hrefs."""
        found = [(h, c.payload) for b in self.books for h, c in self.server.book(b).cards.items()]
        return sorted(found)

    def half_written(self) -> list[bytes]:
        """Cards of which nobody can say yet what they are."""
        return []

    def commits(self) -> int:
        return sum(len(self.server.book(book).log) for book in self.books)

    def connect(self, settings: AccountSettings) -> Connector:
        return RemoteConnector(self)

    @property
    def unread(self) -> set[str]:
        """Whose cards were not read back by every device that wrote them."""
        return {who for who, devices in self.waits.items() if devices}

    def was_sent(self, who: str, *, new: bool) -> None:
        """The device of this round wrote this person's card, and has not read it back."""
        self.waits[who] = self.waits.get(who, frozenset()) | {self.device}
        self.fresh |= {who} if new else set()

    def was_read(self, who: str) -> None:
        """The device of this round read this person's card; what another one wrote waits for that one."""
        waits = self.waits.get(who, frozenset())
        if self.device in waits:
            self.lately.setdefault(who, set())
        self.waits[who] = waits - {self.device}
        if not self.waits[who]:
            self.met |= self.fresh & {who}
            self.fresh.discard(who)

    def was_overwritten(self, before: Facts, after: Facts) -> None:
        """The device of this round took something away from what another one wrote and did not read back
        yet; to that one it may look as if the remote could not hold it (L12)."""
        if self.waits.get(key(before), frozenset()) - {self.device}:
            self.emptied |= {(key(before), unit) for unit in before if after[unit] < before[unit]}

    def was_taken_away(self, before: Facts, after: Facts) -> None:
        """Somebody else took something away from a card. To a device that did not read it back yet, it may
        look as if the remote could not hold it; so it may to one that read it a moment ago, and dies."""
        gone = {(key(before), unit) for unit in before if before[unit] - after[unit]}
        self.emptied |= gone if key(before) in self.unread else set()
        if key(before) in self.lately:
            self.lately[key(before)] |= gone

    def was_deleted(self, who: str) -> bool:
        """Somebody deleted a card; may the one that made it not know that it was ever there?"""
        self.lost |= self.met & {who}
        return who in self.in_doubt | self.fresh

    def begin(self, device: str) -> None:
        """A round of this device begins; what it read before is written down."""
        self.device = device
        self.lately, self.met, self.lost = {}, set(), set()

    def forget_reading(self) -> set[str]:
        """The device of this round died, and may not have written down what it read; which cards were deleted
        that it may not know of."""
        for who, gone in self.lately.items():
            self.waits[who] |= {self.device}
            self.emptied |= gone
        self.fresh |= self.met
        return self.lost

    def noted(self) -> tuple[dict[str, frozenset[str]], set[str], set[str]]:
        """Which devices did not read back whose cards, which were new then, and which may be there."""
        return dict(self.waits), set(self.fresh), set(self.in_doubt)

    def connect_under_way(
        self, settings: AccountSettings, draws: Random, between: Callable[[str], None]
    ) -> Connector:
        """The same with several writes under way at once, of which `died` decides what becomes."""
        self.sending = _Sending(self, self.connect(settings), draws, between)
        return self.sending

    def died(self) -> str:
        """The process of the device is gone; what was done of the steps under way, in words."""
        sent = sum(map(len, self.sending.open)) if self.sending is not None else 0
        return f"{self.sending.died()} of {sent} under way are done" if self.sending and sent else ""

    def move(self, href: str, new: str, payload: bytes) -> bool:
        """The card is found under another href from now on; False where that cannot be."""
        if self.server.get(new) is not None:
            return False
        self.server.delete(href)
        self.server.put(new, payload)
        return True

    def change_label(self, pick: float, new: str) -> str:
        """Give a label a new name, or delete it where that is empty; its former name, or nothing."""
        return ""

    def settle(self) -> None:
        """What somebody is in the midst of writing is finished."""

    def explains(self, error: CardError) -> bool:
        """Is it to be expected that this card cannot be read just now?"""
        return False

    def close(self) -> None:
        """Nothing to free."""


class RemoteConnector(MemoryConnector):
    def __init__(self, remote: Remote) -> None:
        super().__init__(remote.server, remote.codec)
        self._remote = remote

    def _do(self, collection: str, step: Step) -> Outcome:
        self._remote.writes += 1
        cards = self._remote.server.book(collection).cards
        before = cards.get(step.href) if isinstance(step, Update) else None
        outcome = super()._do(collection, step)
        if before is not None and isinstance(step, Update) and (after := cards.get(step.href)) is not None:
            self._remote.was_overwritten(of_card(before.payload), of_card(after.payload))
        if isinstance(step, Create | Update):
            self._remote.was_sent(key(of_card(step.payload)), new=isinstance(step, Create))
        if isinstance(outcome, Unknown) and isinstance(step, Create):
            self._remote.in_doubt.add(key(of_card(step.payload)))
        return outcome

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        for change in super().fetch(collection, hrefs):
            self._remote.was_read(key(of_card(change.payload or b"")))
            yield change


class _Sending(UnderWay):
    def __init__(
        self, remote: Remote, inner: Connector, draws: Random, between: Callable[[str], None]
    ) -> None:
        kind = remote.kind
        super().__init__(
            inner, draws, parallel=kind.parallel, batch=kind.batch, between=between, faults=remote.faults
        )
        self._remote = remote

    def _answered(self, request: Request) -> list[Outcome]:
        outcomes = super()._answered(request)
        doubted = {outcome.key for outcome in outcomes if isinstance(outcome, Unknown)}
        creates = [step for step in request if isinstance(step, Create) and step.key in doubted]
        self._remote.in_doubt.update(key(of_card(step.payload)) for step in creates)
        return outcomes
