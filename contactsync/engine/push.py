"""The third stage: drain the outbox. Journal first, then the remote, then what it answered (L31).

The answer to a write is never the last word: what was written is read back, and what is read is
the new shadow (L11).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace

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
from contactsync.engine.context import Round
from contactsync.engine.groupnames import GroupNames, keep_groups
from contactsync.engine.reading import read_cards
from contactsync.errors import CodecError, PreconditionFailed, Recovery, RemoteError
from contactsync.model.contact import Contact
from contactsync.model.fields import path_text
from contactsync.store.journal import IN_DOUBT
from contactsync.store.links import NewLink
from contactsync.store.values import Book, OutboxRow, StoredLink
from contactsync.sync.diff import differs
from contactsync.sync.echo import Settled, holding_back, losses, put_off, settle
from contactsync.sync.types import Base, Clash

WINDOW = 8


@dataclass(slots=True)
class Pushed:
    """``again``: a refused condition or an unknown outcome asks for another look (L32).

    ``hrefs`` and ``aside`` are what the store knew before: the links of the book, and the contacts
    that it had refused; looking once spares a query for each answer. ``shown`` is what answers showed of
    the cards that they made, by href.
    """

    again: bool = False
    stop: RemoteError | None = None
    hrefs: Container[str] = ()
    aside: Container[int | None] = ()
    shown: dict[str, Change] = field(default_factory=dict)


def push(round_: Round, book: Book) -> Pushed:
    """Send what is queued for one book and read back what it became."""
    rows = {row.id: row for row in round_.store.journal.outbox(book.id, "queued")}
    result = Pushed()
    if rows:
        if any(row.action == "create" for row in rows.values()):
            result.hrefs = round_.store.links.etags(book.id)
        result.aside = {q.contact_id for q in round_.store.keepsakes.quarantined(book.id)}
        outcomes = round_.connector.write(book.href, _steps(round_, book, rows, result))
        for done, outcome in enumerate(outcomes, 1):
            round_.step("answered")
            _record(round_, book, rows[outcome.key], outcome, result)
            round_.step("recorded")
            round_.progress(f"writing {book.name}", done, len(rows))
            if result.stop is not None:
                break
    if result.stop is None:
        read_back(round_, book, result.shown)
    return result


def _steps(round_: Round, book: Book, rows: dict[int, OutboxRow], result: Pushed) -> Iterator[Step]:
    """Hand out the steps; each is marked as sent, and committed, before the connector has it."""
    waiting = list(rows.values())
    size = max(WINDOW, round_.connector.capabilities.batch_size)
    for start in range(0, len(waiting), size):
        window = waiting[start : start + size]
        if round_.stopping():
            return
        round_.step("before-sent")
        with round_.store.transaction(durable=True):
            round_.store.journal.mark([row.id for row in window], "sent", sent_at=round_.now())
        round_.step("sent")
        for row in window:
            if _is_as_decided(round_, book, row):
                yield _step(row)
            else:
                changed = PreconditionFailed("The card changed since it was read.", href=row.href)
                _record(round_, book, row, Refused(row.id, changed), result)


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


def _record(round_: Round, book: Book, row: OutboxRow, outcome: Outcome, result: Pushed) -> None:
    """One small transaction for what one answer says."""
    with round_.store.transaction():
        match outcome:
            case Stored():
                _stored(round_, book, row, outcome, result)
            case Removed():
                _removed(round_, book, row)
            case Unknown(_, error):
                round_.store.journal.mark([row.id], "sent", sent_at=round_.now(), note=IN_DOUBT)
                result.again = True
                round_.report.in_doubt += 1
                round_.report.fail(error)
            case Refused(_, error):
                _refused(round_, book, row, error, result)


def _stored(round_: Round, book: Book, row: OutboxRow, outcome: Stored, known: Pushed) -> None:
    """L11: what was written is the base; that it was read back is still to come."""
    store = round_.store
    link = store.links.get(row.link_id) if row.link_id is not None else None
    remote = holding_back(row.target, row.before, link.base.remote) if link else row.target
    earlier = link.base.local if link else Contact()
    local = put_off(row.sent_local, earlier, outcome.unwritten)
    base = Base(local, put_off(remote, row.before, outcome.unwritten))
    counts = round_.book_report(book).pushed
    if row.link_id is None:
        if outcome.href in known.hrefs:
            for old in store.links.at(book.id, [outcome.href]).values():
                store.links.remove(old.id)
        place = (row.contact_id, book.id, outcome.href, outcome.etag)
        store.links.add(NewLink(*place, base, row.payload, "written", round_.now()))
        counts.created += 1
    else:
        store.links.rebase(
            row.link_id,
            base,
            href=outcome.href,
            etag=outcome.etag,
            original=row.payload,
            state="written",
            reason="",
            written_at=round_.now(),
        )
        counts.updated += 1
    if outcome.payload is not None and outcome.etag is not None:
        known.shown[outcome.href] = Change(outcome.href, outcome.etag, outcome.payload)
    if row.contact_id in known.aside:
        store.keepsakes.release(book.id, [""], contact_id=row.contact_id)
    store.journal.mark([row.id], "done")


def _removed(round_: Round, book: Book, row: OutboxRow) -> None:
    """L22: the link stays until a listing without the card was seen."""
    if row.link_id is not None:
        round_.store.links.update(row.link_id, state="deleted", deleted_at=round_.now())
    round_.book_report(book).pushed.deleted += 1
    round_.store.journal.mark([row.id], "done")


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


def read_back(round_: Round, book: Book, shown: Mapping[str, Change]) -> None:
    """Read what the remote made of our writes, where no answer has ``shown`` it; unproven ones are settled
    by L12."""
    store = round_.store
    links = {link.href: link for link in store.links.in_state(book.id, "written")}
    if not links:
        return
    changes = [shown[href] for href in links if href in shown]
    changes += read_cards(round_, book, [href for href in links if href not in shown])
    round_.step("read-back")
    with store.transaction():
        names = round_.group_names(book)
        if round_.connector.capabilities.labels:
            names.labels = store.group_cards.hrefs(book.id)
        for change in changes:
            link = links.get(change.href)
            if link is not None and not change.gone and change.payload is not None:
                _settle(round_, names, link, change)
        keep_groups(store, round_.run_id, round_.now(), names, book.id)


def _settle(round_: Round, names: GroupNames, link: StoredLink, change: Change) -> None:
    payload = change.payload or b""
    proven = link.etag is not None and change.etag == link.etag
    if proven and payload == link.original:
        round_.store.links.update(link.id, state="ok")
        return
    try:
        view = round_.connector.codec.read(payload)
    except CodecError:
        return  # the next pull reads it again and sets it aside
    seen = names.to_ids(view)
    before, sent = round_.store.journal.last_update(link.id) or (Contact(), link.base.remote)
    if proven:
        shadow, lost = seen, losses(sent, seen)
    else:
        holds = round_.store.links.fields_shown(link.collection_id)
        settled = settle(before, sent, seen, holds=holds, confirmed=True)
        shadow, lost = settled.remote, settled.lost
        _note_rewriting(round_, link, settled)
    quiet = (proven or not differs(shadow, seen)) and not names.unknown(view)
    shadow = holding_back(shadow, sent, link.base.remote)
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
