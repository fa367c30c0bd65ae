"""Runs, the journal with its outbox, and conflict records (L16, L31)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.model.fields import path_text
from contactsync.store import tables
from contactsync.store.contacts import chunks
from contactsync.store.database import Database, one_of, table
from contactsync.store.links import pack
from contactsync.store.values import JournalRow, OutboxRow, StepSum, StoredConflict, StoredRun
from contactsync.sync.types import Clash

RUN = table(tables.Run)
JOURNAL = table(tables.Journal)
CONFLICT = table(tables.Conflict)
CONTACT = table(tables.Contact)
COLLECTION = table(tables.Collection)
ACCOUNT = table(tables.Account)

#: Noted on a write when it is known that its answer will not come.
IN_DOUBT = "in doubt"

_OUTBOX = (
    sa.select(JOURNAL)
    .where(
        JOURNAL.c.collection_id == sa.bindparam("book"),
        JOURNAL.c.side == "remote",
        JOURNAL.c.state.in_(one_of("states")),
    )
    .order_by(JOURNAL.c.id)
)
_OF_RUN = [
    sa.select(rows.c.id).where(rows.c.run_id == sa.bindparam("run")).limit(1) for rows in (JOURNAL, CONFLICT)
]
_SUMS = (
    sa.select(
        JOURNAL.c.run_id, JOURNAL.c.side, JOURNAL.c.action, sa.func.count(), sa.func.max(CONTACT.c.display)
    )
    .outerjoin(CONTACT, CONTACT.c.id == JOURNAL.c.contact_id)
    .where(JOURNAL.c.run_id.in_(one_of("runs")), JOURNAL.c.state != "dropped")
    .group_by(JOURNAL.c.run_id, JOURNAL.c.side, JOURNAL.c.action)
    .order_by(sa.func.min(JOURNAL.c.id))
)
_NEWEST = sa.select(sa.func.max(RUN.c.id))
_CHANGED = (
    sa.select(JOURNAL.c.id, CONTACT.c.uid)
    .outerjoin(CONTACT, CONTACT.c.id == JOURNAL.c.contact_id)
    .where(JOURNAL.c.side == "local", JOURNAL.c.id > sa.bindparam("step"))
    .order_by(JOURNAL.c.id)
)
_OPEN = sa.select(sa.func.count()).select_from(CONFLICT).where(CONFLICT.c.status == "open")
_WHO = CONTACT.alias("who")
_CONFLICTS = (
    sa.select(CONFLICT, CONTACT.c.uid, CONTACT.c.display, ACCOUNT.c.name.label("account"))
    .join(_WHO, _WHO.c.id == CONFLICT.c.contact_id)
    # of a contact that was merged away, the one that lives on (L40)
    .join(CONTACT, CONTACT.c.id == sa.func.coalesce(_WHO.c.merged_into, _WHO.c.id))
    .outerjoin(COLLECTION, COLLECTION.c.id == CONFLICT.c.collection_id)
    .outerjoin(ACCOUNT, ACCOUNT.c.id == COLLECTION.c.account_id)
    .order_by(CONFLICT.c.id)
)


@dataclass(frozen=True, slots=True)
class Queued:
    """A remote step to put into the outbox."""

    action: str
    contact_id: int
    collection_id: int
    link_id: int | None
    href: str
    etag: str | None
    payload: bytes
    before: Contact
    target: Contact
    sent_local: Contact


class Journal:
    """Named queries over runs, steps and conflicts."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def start_run(self, kind: str, at: datetime, account: str = "") -> int:
        return self._db.insert(RUN, kind=kind, account=account, started_at=at, outcome="", report="{}")

    def end_run(self, run_id: int, at: datetime, outcome: str, report: Mapping[str, Any]) -> None:
        values = {"ended_at": at, "outcome": outcome, "report": json.dumps(report)}
        self._db.execute(sa.update(RUN).where(RUN.c.id == run_id).values(**values))

    def drop_run(self, run_id: int) -> bool:
        """A round that did nothing leaves no trace but its time (L36); False when it did something."""
        if any(self._db.row(statement, {"run": run_id}) is not None for statement in _OF_RUN):
            return False
        self._db.execute(sa.delete(RUN).where(RUN.c.id == run_id))
        return True

    def runs(self, limit: int = 50) -> list[StoredRun]:
        return [_run(row) for row in self._db.rows(sa.select(RUN).order_by(RUN.c.id.desc()).limit(limit))]

    def newest_run(self) -> int:
        """The number of the last run; 0 before the first."""
        row = self._db.row(_NEWEST)
        return row[0] or 0 if row else 0

    def changed_since(self, step: int) -> tuple[int, list[str]]:
        """(number of the newest step on the device, UIDs of the contacts of all steps after ``step``)."""
        rows = self._db.rows(_CHANGED, {"step": step})
        newest = rows[-1][0] if rows else step
        return newest, list(dict.fromkeys(uid for _, uid in rows if uid is not None))

    def run(self, run_id: int) -> StoredRun | None:
        row = self._db.row(sa.select(RUN).where(RUN.c.id == run_id))
        return _run(row) if row else None

    def note(
        self,
        run_id: int,
        action: str,
        at: datetime,
        *,
        contact_id: int | None,
        before: Contact | None,
        after: Contact | None,
        collection_id: int | None = None,
        note: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> int:
        """A step in the hub, done in this very transaction."""
        row = _local(run_id, action, at, contact_id, before, after, collection_id, note)
        said = json.dumps(detail, ensure_ascii=False) if detail else ""
        return self._db.insert(JOURNAL, **row, detail=said)

    def note_created(
        self, run_id: int, at: datetime, contacts: Iterable[tuple[int, Contact, int]], *, note: str
    ) -> None:
        """Many contacts that came in: (id, contact, id of the book that it is from)."""
        rows = (_local(run_id, "create", at, key, None, one, book, note) for key, one, book in contacts)
        self._db.put(JOURNAL, ({**row, "detail": ""} for row in rows))

    def queue(self, run_id: int, step: Queued, at: datetime) -> int:
        """Put a remote step into the outbox."""
        return self._db.insert(
            JOURNAL,
            run_id=run_id,
            contact_id=step.contact_id,
            collection_id=step.collection_id,
            link_id=step.link_id,
            side="remote",
            action=step.action,
            before=jsonform.dumps(step.before, remote=True),
            after=jsonform.dumps(step.target, remote=True),
            sent_local=jsonform.dumps(step.sent_local),
            href=step.href,
            etag=step.etag,
            payload=pack(step.payload),
            state="queued",
            note="",
            detail="",
            at=at,
        )

    def outbox(self, collection_id: int, *states: str) -> list[OutboxRow]:
        params = {"book": collection_id, "states": states or ("queued", "sent")}
        return [_outbox(row) for row in self._db.rows(_OUTBOX, params)]

    def outbox_ids(self, collection_id: int, state: str) -> list[int]:
        """The steps of `outbox` in one state, in their order, without what they say."""
        where = sa.and_(
            JOURNAL.c.collection_id == collection_id, JOURNAL.c.side == "remote", JOURNAL.c.state == state
        )
        return [row[0] for row in self._db.rows(sa.select(JOURNAL.c.id).where(where).order_by(JOURNAL.c.id))]

    def steps(self, ids: Sequence[int]) -> list[OutboxRow]:
        """Some steps of the outbox, in their order."""
        rows = self._db.rows(sa.select(JOURNAL).where(JOURNAL.c.id.in_(ids)).order_by(JOURNAL.c.id))
        return [_outbox(row) for row in rows]

    def tried_names(self, collection_id: int) -> set[tuple[int, str]]:
        """(contact, name) of creates in a book that were refused or given up."""
        where = sa.and_(
            JOURNAL.c.collection_id == collection_id,
            JOURNAL.c.side == "remote",
            JOURNAL.c.action == "create",
            JOURNAL.c.state.in_(("dropped", "refused")),
        )
        return {
            (row.contact_id, row.href)
            for row in self._db.rows(sa.select(JOURNAL.c.contact_id, JOURNAL.c.href).where(where))
        }

    def last_update(self, link_id: int) -> tuple[Contact, Contact] | None:
        """What the remote showed before our last confirmed update of a card, and what was sent."""
        written = sa.and_(
            JOURNAL.c.side == "remote",
            JOURNAL.c.state == "done",
            JOURNAL.c.action == "update",
            JOURNAL.c.link_id == link_id,
        )
        statement = sa.select(JOURNAL.c.before, JOURNAL.c.after).where(written)
        row = self._db.row(statement.order_by(JOURNAL.c.id.desc()).limit(1))
        return (jsonform.loads(row[0]), jsonform.loads(row[1])) if row is not None else None

    def in_doubt(self) -> int:
        row = self._db.row(sa.select(sa.func.count()).select_from(JOURNAL).where(JOURNAL.c.state == "sent"))
        return int(row[0]) if row else 0

    def mark(
        self, ids: Sequence[int], state: str, *, sent_at: datetime | None = None, note: str = ""
    ) -> None:
        values: dict[str, Any] = {"state": state, "note": note}
        if sent_at is not None:
            values["sent_at"] = sent_at
        if state not in ("queued", "sent"):
            values["payload"] = None
        for some in chunks(ids):
            self._db.execute(sa.update(JOURNAL).where(JOURNAL.c.id.in_(some)).values(**values))

    def date_doubts(self, account_id: int, at: datetime) -> None:
        """Writes whose process died may have gone on until now: that is the time that counts (L33)."""
        books = sa.select(COLLECTION.c.id).where(COLLECTION.c.account_id == account_id)
        undated = sa.and_(
            JOURNAL.c.collection_id.in_(books),
            JOURNAL.c.side == "remote",
            JOURNAL.c.state == "sent",
            JOURNAL.c.note == "",
        )
        if self._db.row(sa.select(JOURNAL.c.id).where(undated).limit(1)) is not None:
            self._db.execute(sa.update(JOURNAL).where(undated).values(sent_at=at, note=IN_DOUBT))

    def drop_queued(self, collection_id: int) -> None:
        """Steps that were never sent are planned again from the bases; they leave no trace."""
        condition = sa.and_(JOURNAL.c.collection_id == collection_id, JOURNAL.c.state == "queued")
        self._db.execute(sa.delete(JOURNAL).where(condition))

    def of_run(self, run_id: int) -> list[JournalRow]:
        return self._rows(JOURNAL.c.run_id == run_id)

    def of_contact(self, contact_id: int) -> list[JournalRow]:
        """The history of a contact, and of those that were made part of it (L40)."""
        twins = sa.select(CONTACT.c.id).where(CONTACT.c.merged_into == contact_id)
        return self._rows(sa.or_(JOURNAL.c.contact_id == contact_id, JOURNAL.c.contact_id.in_(twins)))

    def sums(self, run_ids: Sequence[int]) -> dict[int, list[StepSum]]:
        """What runs did, by side and action; the name of the contact where it was one only."""
        found: dict[int, list[StepSum]] = {}
        for some in chunks(run_ids):
            for run, side, action, count, name in self._db.rows(_SUMS, {"runs": list(some)}):
                one = name if count == 1 and name is not None else ""
                found.setdefault(run, []).append(StepSum(side, action, count, one))
        return found

    def step(self, step_id: int) -> JournalRow | None:
        found = self._rows(JOURNAL.c.id == step_id)
        return found[0] if found else None

    def forget_contact(self, contact_id: int) -> None:
        """L41: its history goes; open conflicts with it."""
        for rows in (JOURNAL, CONFLICT):
            self._db.execute(sa.delete(rows).where(rows.c.contact_id == contact_id))

    def prune(self, before: datetime) -> None:
        """Drop finished steps older than the retention, and runs left without any.

        Conflicts stay, and so do the runs that they name: L16 has no time limit.
        """
        finished = sa.and_(JOURNAL.c.at < before, JOURNAL.c.state.not_in(("queued", "sent")))
        self._db.execute(sa.delete(JOURNAL).where(finished))
        idle = [~sa.exists().where(rows.c.run_id == RUN.c.id) for rows in (JOURNAL, CONFLICT)]
        self._db.execute(sa.delete(RUN).where(RUN.c.started_at < before, *idle))

    def _open_conflict(self, key: tuple[int, int | None, str]) -> Any | None:
        """The open question about one unit (contact, book, path), if there is one."""
        contact_id, collection_id, path = key
        where = sa.and_(
            CONFLICT.c.contact_id == contact_id,
            CONFLICT.c.collection_id == collection_id,
            CONFLICT.c.path == path,
            CONFLICT.c.status == "open",
        )
        return self._db.row(sa.select(CONFLICT).where(where))

    def note_conflict(self, values: Mapping[str, Any], *, key: tuple[int, int | None, str]) -> int:
        """A new record, or, while one is open for this contact, book and unit, that one (L18)."""
        row = self._open_conflict(key)
        if row is None:
            contact_id, collection_id, path = key
            return self._db.insert(
                CONFLICT, contact_id=contact_id, collection_id=collection_id, path=path, **values
            )
        changed = {
            name: value
            for name, value in values.items()
            if name not in ("at", "local_at", "remote_at", "run_id") and getattr(row, name) != value
        }
        if changed:
            self._db.execute(sa.update(CONFLICT).where(CONFLICT.c.id == row.id).values(**values))
        return int(row.id)

    def note_clash(
        self, contact_id: int, collection_id: int | None, clash: Clash, run_id: int, at: datetime
    ) -> bool:
        """Record that two edits met (L16), with the sides named as people know them; False when this
        very question is open already (L18)."""
        sides = {"base": clash.base, "local": clash.local, "remote": clash.remote}
        values = {
            **{
                side: json.dumps(jsonform.to_json(value), ensure_ascii=False) for side, value in sides.items()
            },
            "winner": {"local": "device", "remote": "remote", None: ""}[clash.winner],
            "status": "open" if clash.winner is None else "decided",
            "run_id": run_id,
            "at": at,
            "local_at": clash.local_at,
            "remote_at": clash.remote_at,
        }
        key = (contact_id, collection_id, path_text(clash.path))
        known = self._open_conflict(key) is not None
        self.note_conflict(values, key=key)
        return not known

    def close_conflict(self, conflict_id: int, *, winner: str) -> None:
        self.set_conflict(conflict_id, "resolved", winner)

    def set_conflict(self, conflict_id: int, status: str, winner: str) -> None:
        values = {"status": status, "winner": winner}
        self._db.execute(sa.update(CONFLICT).where(CONFLICT.c.id == conflict_id).values(**values))

    def open_conflicts(self) -> int:
        row = self._db.row(_OPEN)
        return int(row[0]) if row else 0

    def conflicts(
        self, *, conflict_id: int | None = None, contact_id: int | None = None, only_open: bool = False
    ) -> list[StoredConflict]:
        statement = _CONFLICTS
        if conflict_id is not None:
            statement = statement.where(CONFLICT.c.id == conflict_id)
        if contact_id is not None:
            statement = statement.where(CONFLICT.c.contact_id == contact_id)
        if only_open:
            statement = statement.where(CONFLICT.c.status == "open")
        return [_conflict(row) for row in self._db.rows(statement)]

    def _rows(self, condition: Any) -> list[JournalRow]:
        return [
            _journal(row) for row in self._db.rows(sa.select(JOURNAL).where(condition).order_by(JOURNAL.c.id))
        ]


def _document(text: str) -> Contact | None:
    return jsonform.loads(text) if text else None


def _local(
    run_id: int,
    action: str,
    at: datetime,
    contact_id: int | None,
    before: Contact | None,
    after: Contact | None,
    collection_id: int | None,
    note: str,
) -> dict[str, Any]:
    """The row of a step in the hub."""
    return {
        "run_id": run_id,
        "contact_id": contact_id,
        "collection_id": collection_id,
        "side": "local",
        "action": action,
        "before": jsonform.dumps(before) if before is not None else "",
        "after": jsonform.dumps(after) if after is not None else "",
        "href": "",
        "sent_local": "",
        "state": "done",
        "note": note,
        "at": at,
    }


def _run(row: Any) -> StoredRun:
    return StoredRun(
        row.id, row.kind, row.account, row.started_at, row.ended_at, row.outcome, json.loads(row.report)
    )


def _outbox(row: Any) -> OutboxRow:
    return OutboxRow(
        id=row.id,
        run_id=row.run_id,
        contact_id=row.contact_id,
        collection_id=row.collection_id,
        link_id=row.link_id,
        action=row.action,
        href=row.href,
        etag=row.etag,
        payload=zlib.decompress(row.payload) if row.payload else b"",
        before=jsonform.loads(row.before),
        target=jsonform.loads(row.after),
        sent_local=jsonform.loads(row.sent_local),
        state=row.state,
        sent_at=row.sent_at,
    )


def _journal(row: Any) -> JournalRow:
    return JournalRow(
        id=row.id,
        run_id=row.run_id,
        contact_id=row.contact_id,
        collection_id=row.collection_id,
        side=row.side,
        action=row.action,
        before=_document(row.before),
        after=_document(row.after),
        state=row.state,
        note=row.note,
        at=row.at,
        detail=json.loads(row.detail) if row.detail else {},
    )


def _conflict(row: Any) -> StoredConflict:
    base, local, remote = (json.loads(text) if text else None for text in (row.base, row.local, row.remote))
    return StoredConflict(
        id=row.id,
        contact_id=row.contact_id,
        uid=row.uid,
        name=row.display,
        collection_id=row.collection_id,
        account=row.account or "",
        path=row.path,
        base=base,
        local=local,
        remote=remote,
        winner=row.winner,
        status=row.status,
        run_id=row.run_id,
        at=row.at,
        local_at=row.local_at,
        remote_at=row.remote_at,
    )
