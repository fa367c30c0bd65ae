"""Runs, the journal with its outbox, and conflict records (L16, L31)."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from contactsync.frozen import frozen
from contactsync.model import jsonform
from contactsync.model.contact import Contact
from contactsync.model.fields import path_text
from contactsync.store.contacts import chunks
from contactsync.store.database import Database, assigned
from contactsync.store.times import moment
from contactsync.store.values import JournalRow, OutboxRow, StepSum, StoredConflict, StoredRun
from contactsync.sync.types import Clash

#: Noted on a write when it is known that its answer will not come.
IN_DOUBT = "in doubt"

_RUNS = "SELECT id, kind, account, started_at, ended_at, outcome, report FROM run"
_STEPS = """
    SELECT id, run_id, contact_id, collection_id, side, action, before, after, state, note, at, detail
    FROM journal
"""
_REMOTE_STEPS = """
    SELECT id, run_id, contact_id, collection_id, link_id, action, href, etag, payload, before, after,
        sent_local, state, sent_at
    FROM journal
    WHERE {which} ORDER BY id
"""
_WAITING = "collection_id = :book AND side = 'remote' AND state IN :states"
_OUTBOX = _REMOTE_STEPS.format(which=_WAITING)
_OUTBOX_IDS = f"SELECT id FROM journal WHERE {_WAITING} ORDER BY id"
_THESE_STEPS = _REMOTE_STEPS.format(which="id IN :ids")
_OF_RUN = [f"SELECT id FROM {table} WHERE run_id = :run LIMIT 1" for table in ("journal", "conflict")]
_SUMS = """
    SELECT journal.run_id, journal.side, journal.action, count(*), max(contact.display)
    FROM journal LEFT JOIN contact ON contact.id = journal.contact_id
    WHERE journal.run_id IN :runs AND journal.state != 'dropped'
    GROUP BY journal.run_id, journal.side, journal.action
    ORDER BY min(journal.id)
"""
_CHANGED = """
    SELECT journal.id, contact.uid
    FROM journal LEFT JOIN contact ON contact.id = journal.contact_id
    WHERE journal.side = 'local' AND journal.id > :step
    ORDER BY journal.id
"""
_TRIED = """
    SELECT contact_id, href FROM journal
    WHERE collection_id = :book AND side = 'remote' AND action = 'create' AND state IN ('dropped', 'refused')
"""
_LAST_UPDATE = """
    SELECT before, after FROM journal
    WHERE side = 'remote' AND state = 'done' AND action = 'update' AND link_id = :link
    ORDER BY id DESC LIMIT 1
"""
_UNDATED = """
    collection_id IN (SELECT id FROM collection WHERE account_id = :account)
    AND side = 'remote' AND state = 'sent' AND note = ''
"""
_OF_CONTACT = """
    contact_id = :contact OR contact_id IN (SELECT id FROM contact WHERE merged_into = :contact)
"""
_GROUP_STEPS = """
    SELECT detail FROM journal
    WHERE contact_id IS NULL AND action IN ('rename-group', 'delete-group', 'revive-group')
    ORDER BY id DESC
"""
_PRUNE_STEPS = "DELETE FROM journal WHERE at < :before AND state NOT IN ('queued', 'sent')"
_PRUNE_RUNS = """
    DELETE FROM run
    WHERE started_at < :before
    AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.run_id = run.id)
    AND NOT EXISTS (SELECT 1 FROM conflict WHERE conflict.run_id = run.id)
"""
_SAME_CONFLICT = """
    SELECT id, base, local, remote, winner, status FROM conflict
    WHERE contact_id = :contact AND collection_id IS :book AND path = :path AND status = 'open'
"""
# Of a contact that was merged away, the one that lives on (L40).
_CONFLICTS = """
    SELECT conflict.*, contact.uid, contact.display, account.name AS account
    FROM conflict
    JOIN contact AS who ON who.id = conflict.contact_id
    JOIN contact ON contact.id = coalesce(who.merged_into, who.id)
    LEFT JOIN collection ON collection.id = conflict.collection_id
    LEFT JOIN account ON account.id = collection.account_id
"""


@frozen
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
        return self._db.insert("run", kind=kind, account=account, started_at=at, outcome="", report="{}")

    def end_run(self, run_id: int, at: datetime, outcome: str, report: Mapping[str, Any]) -> None:
        self._db.update("run", run_id, ended_at=at, outcome=outcome, report=json.dumps(report))

    def drop_run(self, run_id: int) -> bool:
        """A round that did nothing leaves no trace but its time (L36); False when it did something."""
        if any(self._db.row(statement, {"run": run_id}) is not None for statement in _OF_RUN):
            return False
        self._db.execute("DELETE FROM run WHERE id = :run", {"run": run_id})
        return True

    def runs(self, limit: int = 50) -> list[StoredRun]:
        rows = self._db.rows(f"{_RUNS} ORDER BY id DESC LIMIT :limit", {"limit": limit})
        return [_run(row) for row in rows]

    def newest_run(self) -> int:
        """The number of the last run; 0 before the first."""
        row = self._db.row("SELECT max(id) FROM run")
        return row[0] or 0 if row else 0

    def changed_since(self, step: int) -> tuple[int, list[str]]:
        """(number of the newest step on the device, UIDs of the contacts of all steps after ``step``)."""
        rows = self._db.rows(_CHANGED, {"step": step})
        newest = rows[-1][0] if rows else step
        return newest, list(dict.fromkeys(uid for _, uid in rows if uid is not None))

    def newest_here(self) -> int:
        """The number of the newest step on the device, 0 where there is none."""
        row = self._db.row("SELECT id FROM journal WHERE side = 'local' ORDER BY id DESC LIMIT 1", {})
        return int(row[0]) if row else 0

    def run(self, run_id: int) -> StoredRun | None:
        row = self._db.row(f"{_RUNS} WHERE id = :run", {"run": run_id})
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
        return self._db.insert("journal", **row, detail=said)

    def note_created(
        self, run_id: int, at: datetime, contacts: Iterable[tuple[int, Contact, int]], *, note: str
    ) -> None:
        """Many contacts that came in: (id, contact, id of the book that it is from)."""
        rows = (_local(run_id, "create", at, key, None, one, book, note) for key, one, book in contacts)
        self._db.put("journal", ({**row, "detail": ""} for row in rows))

    def queue(self, run_id: int, step: Queued, at: datetime) -> int:
        """Put a remote step into the outbox."""
        return self._db.insert(
            "journal",
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
            payload=zlib.compress(step.payload, 0),  # it is gone once it was sent: packing does not pay
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
        return [row[0] for row in self._db.rows(_OUTBOX_IDS, {"book": collection_id, "states": [state]})]

    def steps(self, ids: Sequence[int]) -> list[OutboxRow]:
        """Some steps of the outbox, in their order."""
        return [_outbox(row) for row in self._db.rows(_THESE_STEPS, {"ids": list(ids)})]

    def tried_names(self, collection_id: int) -> set[tuple[int, str]]:
        """(contact, name) of creates in a book that were refused or given up."""
        return {(contact, href) for contact, href in self._db.rows(_TRIED, {"book": collection_id})}

    def last_update(self, link_id: int) -> tuple[Contact, Contact] | None:
        """What the remote showed before our last confirmed update of a card, and what was sent."""
        row = self._db.row(_LAST_UPDATE, {"link": link_id})
        return (jsonform.loads(row[0]), jsonform.loads(row[1])) if row is not None else None

    def in_doubt(self) -> int:
        row = self._db.row("SELECT count(*) FROM journal WHERE state = 'sent'")
        return int(row[0]) if row else 0

    def mark(
        self, ids: Sequence[int], state: str, *, sent_at: datetime | None = None, note: str = ""
    ) -> None:
        values: dict[str, Any] = {"state": state, "note": note}
        if sent_at is not None:
            values["sent_at"] = sent_at
        if state not in ("queued", "sent"):
            values["payload"] = None
        statement = f"UPDATE journal SET {assigned(values)} WHERE id IN :ids"
        for some in chunks(ids):
            self._db.execute(statement, {**values, "ids": some})

    def date_doubts(self, account_id: int, at: datetime) -> None:
        """Writes whose process died may have gone on until now: that is the time that counts (L33)."""
        params = {"account": account_id, "at": at, "doubt": IN_DOUBT}
        if self._db.row(f"SELECT id FROM journal WHERE {_UNDATED} LIMIT 1", params) is not None:
            self._db.execute(f"UPDATE journal SET sent_at = :at, note = :doubt WHERE {_UNDATED}", params)

    def drop_queued(self, collection_id: int) -> None:
        """Steps that were never sent are planned again from the bases; they leave no trace."""
        queued = "DELETE FROM journal WHERE collection_id = :book AND state = 'queued'"
        self._db.execute(queued, {"book": collection_id})

    def of_run(self, run_id: int) -> list[JournalRow]:
        return self._rows("run_id = :run", run=run_id)

    def of_contact(self, contact_id: int) -> list[JournalRow]:
        """The history of a contact, and of those that were made part of it (L40)."""
        return self._rows(_OF_CONTACT, contact=contact_id)

    def sums(self, run_ids: Sequence[int]) -> dict[int, list[StepSum]]:
        """What runs did, by side and action; the name of the contact where it was one only."""
        found: dict[int, list[StepSum]] = {}
        for some in chunks(run_ids):
            for run, side, action, count, name in self._db.rows(_SUMS, {"runs": some}):
                one = name if count == 1 and name is not None else ""
                found.setdefault(run, []).append(StepSum(side, action, count, one))
        return found

    def step(self, step_id: int) -> JournalRow | None:
        found = self._rows("id = :step", step=step_id)
        return found[0] if found else None

    def forget_contact(self, contact_id: int) -> None:
        """L41: its history goes; open conflicts with it."""
        for table in ("journal", "conflict"):
            self._db.execute(f"DELETE FROM {table} WHERE contact_id = :contact", {"contact": contact_id})

    def prune(self, before: datetime) -> None:
        """Drop finished steps older than the retention, and runs left without any.

        Conflicts stay, and so do the runs that they name: L16 has no time limit.
        """
        self._db.execute(_PRUNE_STEPS, {"before": before})
        self._db.execute(_PRUNE_RUNS, {"before": before})

    def _open_conflict(self, key: tuple[int, int | None, str]) -> sqlite3.Row | None:
        """The open question about one unit (contact, book, path), if there is one."""
        contact_id, collection_id, path = key
        return self._db.row(_SAME_CONFLICT, {"contact": contact_id, "book": collection_id, "path": path})

    def note_conflict(self, values: Mapping[str, Any], *, key: tuple[int, int | None, str]) -> int:
        """A new record, or, while one is open for this contact, book and unit, that one (L18)."""
        row = self._open_conflict(key)
        if row is None:
            contact_id, collection_id, path = key
            return self._db.insert(
                "conflict",
                contact_id=contact_id,
                collection_id=collection_id,
                path=path,
                **{"base": "", "local": "", "remote": "", "winner": "", **values},
            )
        changed = {
            name: value
            for name, value in values.items()
            if name not in ("at", "local_at", "remote_at", "run_id") and row[name] != value
        }
        if changed:
            self._db.update("conflict", row["id"], **values)
        return int(row["id"])

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
        self._db.update("conflict", conflict_id, status=status, winner=winner)

    def open_conflicts(self) -> int:
        row = self._db.row("SELECT count(*) FROM conflict WHERE status = 'open'")
        return int(row[0]) if row else 0

    def conflicts(
        self, *, conflict_id: int | None = None, contact_id: int | None = None, only_open: bool = False
    ) -> list[StoredConflict]:
        where = ["1 = 1"]
        if conflict_id is not None:
            where.append("conflict.id = :conflict")
        if contact_id is not None:
            where.append("conflict.contact_id = :contact")
        if only_open:
            where.append("conflict.status = 'open'")
        statement = f"{_CONFLICTS} WHERE {' AND '.join(where)} ORDER BY conflict.id"
        params = {"conflict": conflict_id, "contact": contact_id}
        return [_conflict(row) for row in self._db.rows(statement, params)]

    def former_names(self, base: Mapping[str, str]) -> dict[str, list[str]]:
        """What these groups were called after that name of theirs, newest first, as far as it is known."""
        found: dict[str, list[str]] = {group_id: [] for group_id in base}
        for (detail,) in self._db.rows(_GROUP_STEPS):
            group_id, before, _ = json.loads(detail)["group"]
            names = found.get(group_id)
            if names is not None and before is not None and base[group_id] not in names:
                names.append(before)
        return found

    def _rows(self, where: str, **params: Any) -> list[JournalRow]:
        return [_journal(row) for row in self._db.rows(f"{_STEPS} WHERE {where} ORDER BY id", params)]


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


def _run(row: sqlite3.Row) -> StoredRun:
    return StoredRun(
        id=row["id"],
        kind=row["kind"],
        account=row["account"],
        started_at=moment(row["started_at"]),
        ended_at=moment(row["ended_at"]),
        outcome=row["outcome"],
        report=json.loads(row["report"]),
    )


def _outbox(row: sqlite3.Row) -> OutboxRow:
    return OutboxRow(
        id=row["id"],
        run_id=row["run_id"],
        contact_id=row["contact_id"],
        collection_id=row["collection_id"],
        link_id=row["link_id"],
        action=row["action"],
        href=row["href"],
        etag=row["etag"],
        payload=zlib.decompress(row["payload"]) if row["payload"] else b"",
        before=jsonform.loads(row["before"]),
        target=jsonform.loads(row["after"]),
        sent_local=jsonform.loads(row["sent_local"]),
        state=row["state"],
        sent_at=moment(row["sent_at"]),
    )


def _journal(row: sqlite3.Row) -> JournalRow:
    return JournalRow(
        id=row["id"],
        run_id=row["run_id"],
        contact_id=row["contact_id"],
        collection_id=row["collection_id"],
        side=row["side"],
        action=row["action"],
        before=_document(row["before"]),
        after=_document(row["after"]),
        state=row["state"],
        note=row["note"],
        at=moment(row["at"]),
        detail=json.loads(row["detail"]) if row["detail"] else {},
    )


def _conflict(row: sqlite3.Row) -> StoredConflict:
    base, local, remote = (
        json.loads(row[side]) if row[side] else None for side in ("base", "local", "remote")
    )
    return StoredConflict(
        id=row["id"],
        contact_id=row["contact_id"],
        uid=row["uid"],
        name=row["display"],
        collection_id=row["collection_id"],
        account=row["account"] or "",
        path=row["path"],
        base=base,
        local=local,
        remote=remote,
        winner=row["winner"],
        status=row["status"],
        run_id=row["run_id"],
        at=moment(row["at"]),
        local_at=moment(row["local_at"]),
        remote_at=moment(row["remote_at"]),
    )
