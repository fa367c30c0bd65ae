"""The third stage: drain the outbox. Journal first, then the remote, then what it answered (L31).

The answer to a write is never the last word: what was written is read back, and what is read is
the new shadow (L11). That happens while the rest is under way, so that no more of the outbox is in memory
than what is being sent or was sent just now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from contactsync.connectors.base import (
    Change,
    Create,
    Delete,
    Outcome,
    Refused,
    Removed,
    Step,
    Stored,
    Unknown,
    Update,
)
from contactsync.engine.aside import set_aside
from contactsync.engine.backup import write
from contactsync.engine.context import Round
from contactsync.engine.groupnames import GroupNames, keep_groups
from contactsync.engine.reading import BATCH, completed
from contactsync.errors import CodecError, PreconditionFailed, Recovery, RemoteError
from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, path_text
from contactsync.store.contacts import chunks
from contactsync.store.journal import IN_DOUBT
from contactsync.store.links import NewLink
from contactsync.store.values import Book, OutboxRow, StoredLink
from contactsync.sync.diff import differs
from contactsync.sync.echo import Settled, holding_back, losses, put_off, settle
from contactsync.sync.types import Base, Clash

#: So many steps are marked as sent at once: each time the disk is waited for.
WINDOW = 32
#: Cards are read back once they are a `BATCH`, or one of the connector, or have so many bytes.
READ_BACK_BYTES = 2**22


@dataclass(slots=True)
class Pushed:
    """``again``: a refused condition or an unknown outcome asks for another look (L32)."""

    again: bool = False
    stop: RemoteError | None = None


@dataclass(frozen=True, slots=True)
class _Written:
    """A card that was stored by this step, with this etag, and what the answer showed of it, if it did."""

    row: OutboxRow
    etag: str | None
    shown: Change | None


def push(round_: Round, book: Book) -> Pushed:
    """Send what is queued for one book and read back what it became."""
    queued = round_.store.journal.outbox_ids(book.id, "queued")
    return _Push(round_, book).run(queued) if queued else Pushed()


class _Push:
    """``_ahead`` are rows that are marked as sent and not handed out, ``_sent`` those without an answer,
    ``_answers`` are not recorded yet, and ``_written``, by href, not read back, though ``_asked`` for, which
    is ``_coming``. ``_aside`` are the contacts that the book had refused: looking once spares a query for
    each answer."""

    def __init__(self, round_: Round, book: Book) -> None:
        self._round = round_
        self._book = book
        self._store = round_.store
        self._result = Pushed()
        self._aside: Container[int | None] = {
            q.contact_id for q in self._store.keepsakes.quarantined(book.id)
        }
        self._ahead: deque[OutboxRow] = deque()
        self._sent: dict[int, OutboxRow] = {}
        self._all_out = False
        self._answers: list[tuple[OutboxRow, Outcome]] = []
        self._written: dict[str, _Written] = {}
        self._asked: dict[str, _Written] = {}
        self._coming: Iterator[Change] = iter(())
        self._reads = True

    def run(self, queued: Sequence[int]) -> Pushed:
        outcomes = write(self._round, self._book, self._steps(queued))
        try:
            for done, outcome in enumerate(outcomes, 1):
                self._round.step("answered")
                self._answers.append((self._sent.pop(outcome.key), outcome))
                self._round.progress(f"writing {self._book.name}", done, len(queued))
                if self._all_out:
                    self._record()
                self._read_back_early()
        except RemoteError:
            self._end()
            raise
        self._end()
        if self._result.stop is None:
            with suppress(RemoteError):  # what did not come is asked for once more
                self._read_back()
            self._ask()
            self._read_back()
        return self._result

    def _steps(self, queued: Sequence[int]) -> Iterator[Step]:
        """Hand out the steps; each is marked as sent, and committed, before the connector has it. When it
        asks for the next one, the answers that came are recorded; once there is none, each at once."""
        for row in self._marked(queued):
            if _is_as_decided(self._round, self._book, row):
                self._sent[row.id] = row
                yield _step(row)
            else:
                changed = PreconditionFailed("The card changed since it was read.", href=row.href)
                self._answers.append((row, Refused(row.id, changed)))
        self._record()
        self._all_out = True

    def _marked(self, queued: Sequence[int]) -> Iterator[OutboxRow]:
        size = max(WINDOW, self._round.connector.capabilities.batch_size)
        for window in chunks(queued, size):
            if not self._goes_on():
                return
            self._round.step("before-sent")
            with self._store.transaction(durable=True):
                self._store.journal.mark(window, "sent", sent_at=self._round.now())
            self._round.step("sent")
            self._ahead.extend(self._store.journal.steps(window))
            while self._ahead:
                if not self._goes_on():
                    return
                yield self._ahead.popleft()

    def _goes_on(self) -> bool:
        self._record()
        return self._result.stop is None and not self._round.stopping()

    def _end(self) -> None:
        """What the connector did not take was not sent, and is not in doubt."""
        self._record()
        if self._ahead:
            with self._store.transaction():
                self._store.journal.mark([row.id for row in self._ahead], "queued")

    def _record(self) -> None:
        """One transaction for what all these answers say."""
        answers, self._answers = self._answers, []
        if not answers:
            return
        with self._store.transaction():
            self._make_room(answers)
            new = [link for row, outcome in answers if (link := self._answered(row, outcome)) is not None]
            self._store.links.add_all(new)
            done = [row.id for row, outcome in answers if isinstance(outcome, Stored | Removed)]
            self._store.journal.mark(done, "done")
        for _ in answers:
            self._round.step("recorded")

    def _make_room(self, answers: Iterable[tuple[OutboxRow, Outcome]]) -> None:
        """A link of a card that was where a new one is now."""
        created = [o.href for row, o in answers if isinstance(o, Stored) and row.link_id is None]
        for link in self._store.links.at(self._book.id, created).values():
            self._store.links.remove(link.id)

    def _answered(self, row: OutboxRow, outcome: Outcome) -> NewLink | None:
        """Record one answer; the link of a card that was created."""
        match outcome:
            case Stored():
                return self._stored(row, outcome)
            case Removed():
                _removed(self._round, self._book, row)
            case Unknown(_, error):
                self._store.journal.mark([row.id], "sent", sent_at=self._round.now(), note=IN_DOUBT)
                self._result.again = True
                self._round.report.in_doubt += 1
                self._round.report.fail(error)
            case Refused(_, error):
                _refused(self._round, self._book, row, error, self._result)
        return None

    def _stored(self, row: OutboxRow, outcome: Stored) -> NewLink | None:
        """L11: what was written is the base; that it was read back is still to come."""
        store = self._store
        link = store.links.get(row.link_id) if row.link_id is not None else None
        remote = holding_back(row.target, row.before, link.base.remote) if link else row.target
        earlier = link.base.local if link else Contact()
        local = put_off(row.sent_local, earlier, outcome.unwritten)
        base = Base(local, put_off(remote, row.before, outcome.unwritten))
        shown = None
        if outcome.payload is not None and outcome.etag is not None:
            shown = Change(outcome.href, outcome.etag, outcome.payload)
        self._written[outcome.href] = _Written(row, outcome.etag, shown)
        if row.contact_id in self._aside:
            store.keepsakes.release(self._book.id, [""], contact_id=row.contact_id)
        counts = self._round.book_report(self._book).pushed
        at = self._round.now()
        if row.link_id is None:
            counts.created += 1
            place = (row.contact_id, self._book.id, outcome.href, outcome.etag)
            return NewLink(*place, base, row.payload, "written", at)
        counts.updated += 1
        store.links.rebase(
            row.link_id,
            base,
            href=outcome.href,
            etag=outcome.etag,
            original=row.payload,
            state="written",
            reason="",
            written_at=at,
        )
        return None

    def _read_back_early(self) -> None:
        """As soon as it is worth a request, and as long as reading works: in the end it is told if not. It
        comes while the next ones are written."""
        new = [card for href, card in self._written.items() if href not in self._asked]
        enough = max(BATCH, self._round.connector.capabilities.batch_size)
        if self._reads and (
            len(new) >= enough or sum(len(card.row.payload) for card in new) >= READ_BACK_BYTES
        ):
            try:
                self._read_back()
                self._ask(enough)
            except RemoteError:
                self._reads = False

    def _ask(self, most: int | None = None) -> None:
        """What did the remote make of our writes, so many of them at most, where no answer has shown it?"""
        asked = dict(islice(self._written.items(), most))
        hrefs = [href for href, card in asked.items() if card.shown is None]
        self._coming = self._round.connector.fetch(self._book.href, hrefs) if hrefs else iter(())
        self._asked = asked

    def _read_back(self) -> None:
        written, self._asked = self._asked, {}
        store = self._store
        if not written:
            return
        changes = [card.shown for card in written.values() if card.shown is not None]
        changes += completed(self._round, self._book, self._coming)
        self._round.step("read-back")
        as_sent: list[str] = []
        other: dict[str, Change] = {}
        for change in changes:
            card = written.get(change.href)
            if card is None or change.gone or change.payload is None:
                continue
            if change.etag is not None and (change.etag, change.payload) == (card.etag, card.row.payload):
                as_sent.append(change.href)
            else:
                other[change.href] = change
        with store.transaction():
            store.links.settled(self._book.id, as_sent)
            if other:
                rows = {href: written[href].row for href in other}
                _settle_all(self._round, self._book, other, rows)
        for href in written:
            del self._written[href]


def _is_as_decided(round_: Round, book: Book, row: OutboxRow) -> bool:
    """L32: where the remote checks no condition, we look right before the write."""
    capabilities = round_.connector.capabilities
    checks = {"update": capabilities.conditional_update, "delete": capabilities.conditional_delete}
    if checks.get(row.action, True):
        return True
    change = next(iter(round_.connector.fetch(book.href, [row.href])), None)
    if change is None or change.gone:
        return row.action == "delete"
    return change.etag == row.etag


def _step(row: OutboxRow) -> Step:
    if row.action == "create":
        return Create(row.id, row.href, row.target.uid, row.payload)
    if row.action == "update":
        return Update(row.id, row.href, row.etag, row.payload)
    return Delete(row.id, row.href, row.etag)


def _removed(round_: Round, book: Book, row: OutboxRow) -> None:
    """L22: the link stays until a listing without the card was seen."""
    if row.link_id is not None:
        round_.store.links.update(row.link_id, state="deleted", deleted_at=round_.now())
    round_.book_report(book).pushed.deleted += 1


def _refused(round_: Round, book: Book, row: OutboxRow, error: RemoteError, result: Pushed) -> None:
    store = round_.store
    match error.recovery:
        case Recovery.REPLAN:
            store.journal.mark([row.id], "dropped", note=error.message)
            if row.link_id is not None:
                store.links.update(row.link_id, state="recheck")
            result.again = True
        case Recovery.SKIP_CARD:
            store.journal.mark([row.id], "refused", note=error.message)
            _set_aside(round_, book, row, error)
        case _:
            store.journal.mark([row.id], "queued")
            result.stop = error
            round_.report.fail(error)


def _set_aside(round_: Round, book: Book, row: OutboxRow, error: RemoteError) -> None:
    """L35: tried again when either side changes it."""
    store = round_.store
    stored = store.contacts.get(row.contact_id)
    name = stored.contact.display if stored else row.target.display
    if row.link_id is not None:
        store.links.update(row.link_id, state="refused", reason=error.message)
    set_aside(
        round_,
        book,
        str(error),
        name=name,
        uid=stored.uid if stored else "",
        reported_href=row.href,
        contact_id=row.contact_id,
        hash=stored.hash if stored else "",
        payload=row.payload,
    )


def _settle_all(
    round_: Round, book: Book, changes: Mapping[str, Change], rows: Mapping[str, OutboxRow]
) -> None:
    """Of cards that are not as they were sent; unproven ones are settled by L12."""
    store = round_.store
    names = round_.group_names(book)
    if round_.connector.capabilities.labels:
        names.labels = store.group_cards.hrefs(book.id)
    links = store.links.at(book.id, changes)
    proven = all(_is_proven(link, changes[href]) for href, link in links.items())
    holds = set() if proven else store.links.fields_shown(book.id)
    for href, link in links.items():
        if link.state == "written":
            _settle(round_, names, link, changes[href], rows[href], holds)
    keep_groups(store, round_.run_id, round_.now(), names, book.id)


def _is_proven(link: StoredLink, change: Change) -> bool:
    return link.etag is not None and change.etag == link.etag


def _settle(
    round_: Round, names: GroupNames, link: StoredLink, change: Change, row: OutboxRow, holds: set[str]
) -> None:
    """``holds`` are the fields that the book was seen to hold, and will have those of this card."""
    payload = change.payload or b""
    proven = _is_proven(link, change)
    try:
        view = round_.connector.codec.read(payload)
    except CodecError:
        return  # the next pull reads it again and sets it aside
    seen = names.to_ids(view)
    before, sent = row.before, link.base.remote if row.link_id is None else row.target
    if proven:
        shadow, lost = seen, losses(sent, seen)
    else:
        settled = settle(before, sent, seen, holds=holds, confirmed=True)
        shadow, lost = settled.remote, settled.lost
        _note_rewriting(round_, link, settled)
    quiet = (proven or not differs(shadow, seen)) and not names.unknown(view)
    shadow = holding_back(shadow, sent, link.base.remote)
    holds.update(name for name in FIELD if getattr(shadow, name))
    round_.store.links.rebase(
        link.id,
        Base(link.base.local, replace(shadow, uid=seen.uid, updated=seen.updated)),
        etag=change.etag,
        original=payload,
        state="ok" if quiet else "recheck",
        lost="\n".join(path_text(path) for path in lost),
    )


def _note_rewriting(round_: Round, link: StoredLink, settled: Settled) -> None:
    """L12: without proof, a really different value is taken as the remote's, and both are on record."""
    for path, sent, seen in settled.rewritten:
        clash = Clash(path, None, sent, seen, "remote")
        round_.store.journal.note_clash(
            link.contact_id, link.collection_id, clash, round_.run_id, round_.now()
        )
