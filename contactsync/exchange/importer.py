"""Import: every card once, whatever was edited or deleted in between (L30).

Cards come in batches; each batch is one transaction with its journal rows and its part of the import
memory, so that an import that was interrupted goes on where it was when it is started again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, BinaryIO, Literal

from contactsync.engine.hub import describe
from contactsync.engine.report import CardError, PlannedChange
from contactsync.errors import CodecError
from contactsync.exchange.device import Device
from contactsync.exchange.sources import OpenAccount, Raw, Scope, open_sources
from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.store.keepsakes import Remembered
from contactsync.store.values import StoredContact
from contactsync.sync import match as matching
from contactsync.sync.diff import differs
from contactsync.sync.merge import Merged, merge
from contactsync.sync.types import NO_BASE, Base, Hub, Live, Policy
from contactsync.vcard.codec import VCardCodec
from contactsync.vcard.glimpse import glimpse

Match = Literal["auto", "review", "never"]

#: What is in memory and in one transaction at once: so many cards, or bytes of cards.
BATCH_SIZE, BATCH_BYTES = 200, 2**23
GROUP_CARD = "This card is a group, not a person; groups as cards are not imported yet."


@dataclass(slots=True)
class ImportReport:
    """What an import did. ``errors`` are the cards that were set aside, ``reviews`` those that are held, each
    with the reason; ``plan`` is filled by a dry run; ``run`` is None when nothing changed."""

    new: int = 0
    merged: int = 0
    equal: int = 0
    held: int = 0
    set_aside: int = 0
    errors: list[CardError] = field(default_factory=list)
    reviews: list[CardError] = field(default_factory=list)
    plan: list[PlannedChange] = field(default_factory=list)
    run: int | None = None

    def exit_code(self) -> int:
        return 3 if self.set_aside else 0

    def to_json(self) -> dict[str, Any]:
        counts = ("new", "merged", "equal", "held", "set_aside")
        found: dict[str, Any] = {"run": self.run, **{name: getattr(self, name) for name in counts}}
        found["errors"] = [error.to_json() for error in self.errors]
        if self.reviews:
            found["reviews"] = [review.to_json() for review in self.reviews]
        return {**found, "plan": [line.to_json() for line in self.plan]} if self.plan else found


def import_sources(
    engine: Device,
    sources: Sequence[str],
    *,
    match: Match = "auto",
    dry_run: bool = False,
    stdin: BinaryIO | None = None,
    open_account: OpenAccount | None = None,
    columns: Mapping[str, str] = MappingProxyType({}),
    progress: Callable[[str, int], None] = lambda what, done: None,
) -> ImportReport:
    """Import files, folders, ``-`` (``stdin``) and accounts (``open_account`` makes their connector).

    ``match`` decides on cards that look like a contact with another UID: ``auto`` merges sure ones and
    holds the others, ``review`` holds all, ``never`` does not look. ``progress`` takes (source, cards
    so far), ``columns`` names columns of tables in English. Raises `UsageError` for a source that cannot be
    read, and what a connector raises.
    """
    importer = _Importer(engine, match, dry_run, progress)
    scopes = open_sources(sources, stdin, open_account, columns)
    if not dry_run:
        importer.run(scopes)
        return importer.report
    # Remotes are asked before the transaction that is taken back is open (L31).
    local = [replace(s, cards=iter(list(s.cards))) if s.remote else s for s in scopes]
    with engine.store.trial():
        importer.run(local)
    importer.report.run = None
    return importer.report


@dataclass(slots=True)
class _Card:
    """A card that was read. ``key`` names it in the memory of its source; ``view`` has group names;
    ``content`` is a hash of all that it says."""

    raw: Raw
    key: str
    view: Contact
    content: str


@dataclass(slots=True)
class _Memory:
    """What is known of one source name: key -> (hash, contact), and hash -> key.

    ``used`` are the keys that came up in this run, ``bad`` the hashes of cards that were set aside.
    """

    known: dict[str, tuple[str, int]]
    keys: dict[str, str]
    used: set[str] = field(default_factory=set)
    bad: list[str] = field(default_factory=list)


class _Importer:
    def __init__(
        self, engine: Device, match: Match, dry_run: bool, progress: Callable[[str, int], None]
    ) -> None:
        self.report = ImportReport()
        self._engine = engine
        self._store = engine.store
        self._match = match
        self._dry_run = dry_run
        self._progress = progress
        self._codec = VCardCodec()
        self._at = engine.hooks.now()
        self._names = engine.hub.group_names()
        self._kept_names = 0
        self._memories: dict[str, _Memory] = {}
        self._aside = {(held.source, held.hash) for held in self._store.keepsakes.quarantined()}
        self._crowd: matching.Crowd | None = None
        self._taken: set[int] = set()
        self._fresh: dict[str, int] = {}
        self._people: Mapping[str, StoredContact] = {}
        self._touched: set[str] = set()

    def run(self, scopes: Iterable[Scope]) -> None:
        try:
            for scope in scopes:
                self._scope(scope)
        except BaseException:
            self._end("failed")
            raise
        self._end("ok")

    def _scope(self, scope: Scope) -> None:
        self._crowd, self._taken, self._fresh = None, set(), {}
        self._memories.clear()
        done = 0
        for batch in _batches(scope.cards):
            with self._store.transaction():
                self._batch(batch)
            done += len(batch)
            self._progress(scope.name, done)
        self._forget_repaired()

    def _end(self, outcome: str) -> None:
        if self.report.run is not None:
            counts = {k: v for k, v in self.report.to_json().items() if k != "plan"}
            with self._store.transaction():
                self._store.journal.end_run(self.report.run, self._engine.hooks.now(), outcome, counts)

    def _forget_repaired(self) -> None:
        """Cards that were set aside and are not in the source any more, or can be read now."""
        for source, memory in self._memories.items():
            gone = {h for s, h in self._aside if s == source} - set(memory.bad)
            if gone:
                with self._store.transaction():
                    self._store.keepsakes.release_from(source, memory.bad)

    # --- one batch ---

    def _batch(self, batch: Sequence[Raw]) -> None:
        cards = [card for raw in batch if (card := self._read(raw)) is not None]
        self._people = self._store.contacts.by_uids(card.view.uid for card in cards)
        self._touched.clear()
        strangers = [card for card in cards if not self._known_person(card)]
        if strangers:
            self._meet(strangers)
        self._keep_groups()

    def _read(self, raw: Raw) -> _Card | None:
        """The card, or None when it is known as it is or cannot be used."""
        memory = self._memory(raw.source)
        if not raw.problem and raw.hash in memory.keys:
            memory.used.add(memory.keys[raw.hash])
            self.report.equal += 1
            return None
        try:
            view = _person(raw, self._codec)
        except CodecError as error:
            self._set_aside(raw, str(error))
            return None
        return _Card(raw, self._key(memory, raw, view), view, jsonform.content_hash(view))

    def _memory(self, source: str) -> _Memory:
        if source not in self._memories:
            known = self._store.keepsakes.known(source)
            keys = {card_hash: key for key, (card_hash, _) in known.items()}
            self._memories[source] = _Memory(known, keys)
            self._taken.update(contact_id for _, contact_id in known.values())
        return self._memories[source]

    def _key(self, memory: _Memory, raw: Raw, view: Contact) -> str:
        """The UID, numbered where the source repeats it, or the place of the card."""
        if not view.uid:
            return raw.key
        numbered = (f"{view.uid} #{count}" for count in itertools.count(2))
        key = next(key for key in itertools.chain((view.uid,), numbered) if key not in memory.used)
        memory.used.add(key)
        return key

    def _set_aside(self, raw: Raw, reason: str) -> None:
        """L35: with its bytes, once, while the rest goes on."""
        name = glimpse(raw.payload) or "(no name)" if raw.payload else raw.place
        self.report.set_aside += 1
        self.report.errors.append(CardError("", raw.place, name, reason))
        self._memory(raw.source).bad.append(raw.hash)
        if (raw.source, raw.hash) not in self._aside:
            where = {"source": raw.source, "hash": raw.hash}
            self._store.keepsakes.set_aside(
                payload=raw.payload, name=name, reason=reason, at=self._at, **where
            )

    def _known_person(self, card: _Card) -> bool:
        """A card that was imported before in another form, or has the UID of a contact."""
        remembered = self._recall(card)
        if remembered is not None:
            self._again(card, remembered)
            return True
        stored = self._by_uid(card.view.uid)
        if stored is None or matching.same_person_contradicted(card.view, stored.contact):
            return False
        self._unite(card, stored)
        return True

    def _recall(self, card: _Card) -> Remembered | None:
        """What this card said last time. A place is a weak name: another person may stand there now."""
        if card.key not in self._memory(card.raw.source).known:
            return None
        found = self._store.keepsakes.recall(card.raw.source, card.key)
        if found is None or card.view.uid:
            return found
        return None if matching.same_person_contradicted(card.view, found.base) else found

    def _by_uid(self, uid: str) -> StoredContact | None:
        """The contact as it is now: as asked for the whole batch, or anew where that changed it."""
        if not uid:
            return None
        return self._store.contacts.by_uid(uid) if uid in self._touched else self._people.get(uid)

    # --- what a card becomes ---

    def _again(self, card: _Card, remembered: Remembered) -> None:
        """L30: merge the edit that was made in the source since; L23: it brings a deleted one back."""
        stored = self._store.contacts.get(remembered.contact_id)
        edits = differs(remembered.base, card.view)
        if stored is None or not edits:
            self.report.equal += 1
            self._remember(card, remembered.contact_id)
            return
        before, now = self._without_common_groups(remembered.base, card.view)
        self._merge(card, stored, Base(before, before), now)

    def _without_common_groups(self, base: Contact, view: Contact) -> tuple[Contact, Contact]:
        """With ids of the groups that the source added or removed; names that it kept say nothing, as
        the group may have another name here by now (L39)."""
        common = base.groups & view.groups
        gone = frozenset(name for name in base.groups - common if self._names.knows(name))
        return (
            self._names.to_ids(replace(base, groups=gone)),
            self._names.to_ids(replace(view, groups=view.groups - common)),
        )

    def _unite(self, card: _Card, stored: StoredContact) -> None:
        """L28: a first meeting keeps what both say."""
        self._merge(card, stored, NO_BASE, self._names.to_ids(card.view))

    def _merge(self, card: _Card, stored: StoredContact, base: Base, view: Contact) -> None:
        hub = Hub(stored.contact, times=stored.times)
        merged = merge(base, hub, Live(view, view.updated), project=lambda c: c, policy=Policy.NEWEST)
        contact = replace(merged.local, uid=stored.uid)
        if contact != stored.contact or stored.deleted:
            self._engine.hub.change(self._run(), self._at, stored, contact, note=f"import {card.raw.place}")
            self.report.merged += 1
            self._plan(stored.contact if not stored.deleted else None, contact, "update")
        else:
            self.report.equal += 1
        self._note_clashes(stored, merged)
        self._settle(card, stored.uid, stored.id)

    def _note_clashes(self, stored: StoredContact, merged: Merged) -> None:
        for clash in merged.clashes:
            self._store.journal.note_clash(stored.id, None, clash, self._run(), self._at)

    def _meet(self, cards: Sequence[_Card]) -> None:
        """Cards with a UID that nobody has: the same content, a sure pair, or a new contact."""
        pairs = self._pairs(cards)
        for place, card in enumerate(cards):
            twin = self._twin(card)
            if twin is not None:
                self._unite(card, twin)
                continue
            pair = pairs.get(str(place))
            other = self._store.contacts.by_uid(pair.contact) if pair else None
            if pair and other and self._is_sure(card, pair, other):
                self._fresh[card.content] = other.id
                self._unite(card, other)
            else:
                self._add(card, other)

    def _is_sure(self, card: _Card, pair: matching.Pair, other: StoredContact) -> bool:
        """Also in a review there is nothing to look at when the card says nothing else (L27)."""
        if not pair.sure or other.id in self._taken:
            return False
        return self._match == "auto" or not differs(other.contact, self._names.to_ids(card.view))

    def _twin(self, card: _Card) -> StoredContact | None:
        """A contact that a card before this one in the same source became: same UID, or same content."""
        stored = self._by_uid(card.view.uid)
        if stored is not None and not matching.same_person_contradicted(card.view, stored.contact):
            return stored
        if self._match == "never":
            return None
        contact_id = self._fresh.get(card.content)
        return self._store.contacts.get(contact_id) if contact_id is not None else None

    def _pairs(self, cards: Sequence[_Card]) -> dict[str, matching.Pair]:
        """The best contact for each card by its content, by the card's place in ``cards``."""
        if self._match == "never":
            return {}
        if self._crowd is None:
            # Those that did not come from this source: two cards of one source are two people (L29), also
            # where the first came in by an import that was interrupted.
            others = self._store.contacts.live_besides(self._taken)
            self._crowd = matching.Crowd((c.uid, c.contact) for c in others)
        found = matching.match([(str(i), card.view) for i, card in enumerate(cards)], self._crowd)
        pairs: dict[str, matching.Pair] = {}
        for pair in (*found.sure, *found.unsure):
            pairs.setdefault(pair.card, pair)
        return pairs

    def _add(self, card: _Card, like: StoredContact | None) -> None:
        held = f"may be the same as {like.contact.display}" if like else ""
        uid = card.view.uid
        if not uid or self._by_uid(uid) is not None:
            uid = self._engine.hooks.new_id()
        contact = self._names.to_ids(replace(card.view, uid=uid, updated=None))
        contact_id = self._engine.hub.add(
            self._run(),
            self._at,
            contact,
            held=held,
            held_for=like.uid if like else "",
            note=f"import {card.raw.place}",
        )
        self._fresh[card.content] = contact_id
        if held:
            self.report.held += 1
            self.report.reviews.append(CardError(uid, card.raw.place, contact.display, held))
        else:
            self.report.new += 1
        self._plan(None, contact, "create")
        self._settle(card, uid, contact_id)

    def _settle(self, card: _Card, uid: str, contact_id: int) -> None:
        self._touched.update((uid, card.view.uid))
        self._taken.add(contact_id)
        self._remember(card, contact_id)

    def _remember(self, card: _Card, contact_id: int) -> None:
        memory = self._memory(card.raw.source)
        key = card.key
        if not card.view.uid and key in memory.known and memory.known[key][1] != contact_id:
            # Somebody else's place: their card may have moved down and must stay known.
            key = f"{key} {card.raw.hash}"
        memory.keys[card.raw.hash] = key
        memory.known[key] = (card.raw.hash, contact_id)
        self._store.keepsakes.remember(card.raw.source, key, card.raw.hash, contact_id, card.view)

    # --- records ---

    def _run(self) -> int:
        """The run of this import, begun when there is something to note."""
        if self.report.run is None:
            self.report.run = self._store.journal.start_run("import", self._at)
        return self.report.run

    def _keep_groups(self) -> None:
        if len(self._names.new) > self._kept_names:
            self._engine.hub.keep_groups(self._run(), self._at, self._names)
            self._kept_names = len(self._names.new)

    def _plan(self, before: Contact | None, after: Contact, action: str) -> None:
        if not self._dry_run:
            return
        old = self._names.to_names(before) if before is not None else None
        units = describe(old, self._names.to_names(after)).items()
        changes = tuple((path, one, other) for path, (one, other) in units)
        self.report.plan.append(PlannedChange("", after.uid, after.display, "device", action, changes))


def _person(raw: Raw, codec: VCardCodec) -> Contact:
    """The meaning of a card. Raises `CodecError` for one that is no contact."""
    if raw.problem:
        raise CodecError(raw.problem)
    view = codec.read(raw.payload)
    if view.kind == "group":
        raise CodecError(GROUP_CARD)
    if view == Contact():
        raise CodecError("The card says nothing.")
    return view


def _batches(cards: Iterable[Raw]) -> Iterator[list[Raw]]:
    batch: list[Raw] = []
    size = 0
    for card in cards:
        batch.append(card)
        size += len(card.payload)
        if len(batch) >= BATCH_SIZE or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
