"""The mistakes that are planted to test the simulation itself (section 10 of docs/laws.md).

Each is a small patch of the source. Where the code has no place for a mistake in the words of the table,
``instead`` says what was planted in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Patch:
    """``old`` stands exactly once in ``file``, a path below the package's parent."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: found {text.count(self.old)} times: {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True)
class Mistake:
    """``row`` are words of the row of the table, found in no other; ``breaks`` is what should show it."""

    name: str
    row: str
    breaks: str
    patches: tuple[Patch, ...]
    instead: str = ""


def _mistake(
    name: str, row: str, breaks: str, file: str, old: str, new: str, *more: Patch, instead: str = ""
) -> Mistake:
    return Mistake(name, row, breaks, (Patch(f"contactsync/{file}", old, new), *more), instead)


MISTAKES = (
    _mistake(
        "one base for both sides",
        "one base for both sides",
        "P1 P2",
        "store/links.py",
        '"base_remote": jsonform.dumps(base.remote, remote=True),',
        '"base_remote": jsonform.dumps(base.local, remote=True),',
    ),
    _mistake(
        "our projection instead of what was read",
        "our projection instead of what was read",
        "P1 P2",
        "sync/plan.py",
        "    elif merged.base != base:\n        actions.append(Rebase(merged.base))",
        "    elif merged.base != base:\n"
        "        actions.append(Rebase(replace(merged.base, remote=project(merged.local))))",
    ),
    _mistake(
        "raw values are compared",
        "raw values are compared",
        "P4",
        "sync/diff.py",
        "for path, edit in edits if not same_unit(path, edit.old, edit.new)}",
        "for path, edit in edits if edit.old != edit.new}",
    ),
    _mistake(
        "a new etag is taken for an edit",
        "a new etag is taken for an edit",
        "L1",
        "sync/merge.py",
        "    theirs = diff(far_shadow, far)\n",
        "    old = far_shadow.values\n"
        "    theirs = {path: Edit(old.get(path), value) for path, value in far.values.items()}\n",
        instead="all that a card shows that came up is an edit",
    ),
    _mistake(
        "the complete projection is sent",
        "the complete projection is sent",
        "L7",
        "engine/apply.py",
        "        payload = self._written(outcome, contact_id, spoke, action.target, original)\n",
        "        payload = self._written(outcome, contact_id, spoke, action.target, None)\n",
        Patch(
            "contactsync/engine/apply.py",
            "payload = self._written(outcome, contact_id, spoke, target, original) or payload",
            "payload = self._written(outcome, contact_id, spoke, target, None) or payload",
        ),
    ),
    _mistake(
        "a push happens whenever the view differs",
        "a push happens whenever the view differs",
        "L12",
        "sync/merge.py",
        "_go_out(crossing, diff(shown_before, shown), theirs, shown, far, new_local, held)",
        "_go_out(crossing, diff(far, shown), theirs, shown, far, new_local, held)",
    ),
    _mistake(
        "after a write, the hub's shadow is the present contact",
        "the hub's shadow is the present contact",
        "P3",
        "engine/push.py",
        "        local = put_off(row.sent_local, earlier, outcome.unwritten)\n",
        "        present = store.contacts.get(row.contact_id)\n"
        "        now = present.contact if present else row.sent_local\n"
        "        local = put_off(now, earlier, outcome.unwritten)\n",
    ),
    _mistake(
        "after a write, the remote's shadow is what was sent",
        "the remote's shadow is what was sent, or",
        "P1 P2",
        "engine/push.py",
        "shadow, lost = seen, losses(sent, seen)",
        "shadow, lost = sent, losses(sent, seen)",
    ),
    _mistake(
        "after a write, the hub's shadow is what was read back",
        "the hub's is what was read back",
        "P4",
        "engine/push.py",
        "Base(link.base.local, replace(shadow, uid=seen.uid, updated=seen.updated)),",
        "Base(replace(seen, uid=link.base.local.uid), replace(shadow, uid=seen.uid, updated=seen.updated)),",
    ),
    _mistake(
        "the hub's shadow moves before the remote confirmed",
        "moves before the remote confirmed",
        "P3",
        "engine/apply.py",
        "        if spoke.card is not None or link_id is None:\n"
        "            link_id = self._rebase(contact_id, spoke, link_id, action.interim)",
        "        if True:\n"
        "            early = replace(action.interim, local=action.base.local)\n"
        "            link_id = self._rebase(contact_id, spoke, link_id, early)",
    ),
    _mistake(
        "the cursor is saved first",
        "the cursor is saved first",
        "L31",
        "engine/pull.py",
        "    cursor = pages[-1].cursor if pages else book.cursor\n",
        "    cursor = pages[-1].cursor if pages else book.cursor\n"
        "    with round_.store.transaction():\n"
        "        round_.store.books.update(book.id, cursor=cursor)\n",
    ),
    _mistake(
        "the cursor is taken after our own writes",
        "taken after our own writes",
        "L31",
        "engine/run.py",
        "        again = again or any(result.again for result in results)\n",
        "        again = again or any(result.again for result in results)\n"
        "        for page in round_.connector.changes(part.book.href, part.cursor):\n"
        "            with round_.store.transaction():\n"
        "                round_.store.books.update(part.book.id, cursor=page.cursor)\n",
    ),
    _mistake(
        "pairs of (sent, seen) are not remembered",
        "are not remembered",
        "P4",
        "engine/push.py",
        "Base(link.base.local, replace(shadow, uid=seen.uid, updated=seen.updated)),",
        "Base(\n"
        "            replace(before, uid=link.base.local.uid) if differs(sent, seen) else link.base.local,\n"
        "            replace(shadow, uid=seen.uid, updated=seen.updated),\n"
        "        ),",
        instead="where a remote shows otherwise than was sent, the hub's shadow goes back",
    ),
    _mistake(
        "absent from a listing means deleted",
        "a listing is trusted",
        "P2",
        "engine/pull.py",
        "    direct = [*absent, *old, *_unsettled(round_, book)]\n",
        "    news |= {href: Change(href, gone=True) for href in absent}\n"
        "    direct = [*old, *_unsettled(round_, book)]\n",
    ),
    _mistake(
        "an old listing means edited",
        "a listing is trusted",
        "L34",
        "engine/pull.py",
        "recent = link.written_at is not None and link.written_at + settles > began_at",
        "recent = False",
    ),
    _mistake(
        "a create in doubt is repeated",
        "a create in doubt is repeated",
        "L33",
        "engine/push.py",
        "                self._result.again = True\n                self._round.report.in_doubt += 1\n",
        "                self._result.again = True\n"
        '                self._store.journal.mark([row.id], "queued")\n'
        "                self._round.report.in_doubt += 1\n",
    ),
    _mistake(
        "the marker of a create in doubt is ignored",
        "its marker is ignored",
        "L33",
        "engine/recover.py",
        "        for card in book.strangers():\n",
        "        for card in ():\n",
    ),
    _mistake(
        "the repetition of a create comes too early",
        "the repetition comes too early",
        "L33",
        "engine/recover.py",
        "row.sent_at is not None and state.pulled.began_at >= row.sent_at + capabilities.settles_after:",
        "row.sent_at is not None and state.pulled.began_at >= row.sent_at:",
    ),
    _mistake(
        "an entry displaced by our own write counts as deleted",
        "an entry displaced by our own write counts as deleted",
        "L10",
        "engine/push.py",
        "        remote = holding_back(row.target, row.before, link.base.remote) if link else row.target\n",
        "        remote = row.before if link else row.target\n",
        instead="the remote's shadow stays as it was before the write",
    ),
    _mistake(
        "a displaced entry counts as deleted after a crash",
        "also after a crash",
        "L13",
        "engine/recover.py",
        "    if not settled.landed:\n",
        "    if settled.landed or not settled.landed:\n",
        instead="a write in doubt is planned again from the old shadow, whatever is seen",
    ),
    _mistake(
        "there is no brake",
        "there is no brake",
        "L25",
        "sync/brakes.py",
        "        if not self.enabled or not would:\n",
        "        if self.enabled or not would:\n",
    ),
    _mistake(
        "there is no loop brake",
        "there is no brake",
        "L25",
        "sync/brakes.py",
        "    if limits.enabled and len(harm.copies) > LOOP:\n",
        "    if not limits.enabled and len(harm.copies) > LOOP:\n",
    ),
    _mistake(
        "the brake holds the device's contacts only",
        "there is no brake",
        "L25",
        "engine/decide.py",
        "            if not spoke.absorbed and not (outcome.stored and outcome.stored.merged_into):\n",
        "            if spoke.absorbed:\n",
    ),
    _mistake(
        "nothing is matched by content at a first meeting",
        "nothing is matched at a first meeting",
        "L27",
        "engine/meet.py",
        "        sure = {pair.card: pair.contact for pair in found.sure}\n",
        "        sure: dict[str, str] = {}\n",
    ),
    _mistake(
        "nothing is matched by UID at a first meeting",
        "nothing is matched at a first meeting",
        "L27",
        "engine/meet.py",
        "        if contact is None:\n            return False\n        own",
        "        if contact is None or not contact.deleted:\n            return False\n        own",
    ),
    _mistake(
        "a deletion here wins over an edit there",
        "deletions win",
        "L23",
        "sync/plan.py",
        "    if not _real(edits, rules):\n        return _delete_there(hub, rules)\n",
        "    if edits is not None:\n        return _delete_there(hub, rules)\n",
    ),
    _mistake(
        "a deletion there wins over an edit here",
        "deletions win",
        "L23",
        "sync/plan.py",
        "    edited = _real(differs(base.local, hub.contact), rules)\n",
        "    edited = False\n",
    ),
    _mistake(
        "a tombstone has no content",
        "a tombstone has no content",
        "L22",
        "store/contacts.py",
        '        """Into the trash: a tombstone with its whole content (L22)."""\n',
        "        stored = self.get(contact_id)\n"
        "        if stored is not None:\n"
        "            hollow = Contact(uid=stored.uid, name=stored.contact.name)\n"
        "            self.save(contact_id, hollow, at, times={})\n",
    ),
    _mistake(
        "a tombstone is collected early",
        "it is collected early",
        "L22",
        "engine/upkeep.py",
        "aging.tombstones(now - trash)",
        "aging.tombstones(now)",
    ),
    _mistake(
        "If-Match is not sent",
        "is not sent",
        "L32",
        "engine/push.py",
        "        return Update(row.id, row.href, row.etag, row.payload)\n"
        "    return Delete(row.id, row.href, row.etag)\n",
        "        return Update(row.id, row.href, None, row.payload)\n"
        "    return Delete(row.id, row.href, None)\n",
        Patch(
            "contactsync/connectors/memory.py",
            "if self.habits.conditional and (card.etag != step.etag or self._refuses()):",
            "if self.habits.conditional and step.etag is not None"
            " and (card.etag != step.etag or self._refuses()):",
        ),
        instead="and the simulated server, as real ones do, takes a write without it",
    ),
    _mistake(
        "no look before a write where there are no conditions",
        "is not sent",
        "L32",
        "engine/push.py",
        "    if checks.get(row.action, True):\n",
        "    if row.action in checks or True:\n",
    ),
    _mistake(
        "the link is dropped right after our own delete",
        "the link is dropped right after our own delete",
        "L22",
        "engine/push.py",
        '        round_.store.links.update(row.link_id, state="deleted", deleted_at=round_.now())\n',
        "        round_.store.links.remove(row.link_id)\n",
    ),
    _mistake(
        "new contacts are created in every book of an account",
        "are created in every book",
        "L37",
        "engine/decide.py",
        "        spoke = Spoke(home, None, None, actions=[CreateRemote(stored.contact)])\n"
        "        return Outcome(stored, Hub(stored.contact, False, stored.times), [spoke])\n",
        "        create: Action = CreateRemote(stored.contact)\n"
        "        spokes = [Spoke(s, None, None, actions=[create]) for s in self._states.values()]\n"
        "        return Outcome(stored, Hub(stored.contact, False, stored.times), spokes)\n",
    ),
    _mistake(
        "a pair that is not sure is treated as new",
        "a pair that is not sure is treated as new",
        "L27",
        "engine/meet.py",
        'held = f"may be the same as {known[uid].display}" if uid else ""',
        'held = ""',
    ),
    _mistake(
        "another unit's write moves the shadow of an open question",
        "moves the shadow of a unit under",
        "L18",
        "sync/echo.py",
        "    if not held:\n",
        "    if held or not held:\n",
    ),
    _mistake(
        "an echo that only lost something is taken for an edit",
        "only lost something is taken for an edit",
        "L12",
        "sync/echo.py",
        "        kept = path in lost or any(",
        "        kept = any(",
    ),
    _mistake(
        "a merge leaves no alias",
        "a merge leaves no alias",
        "L40",
        "engine/merging.py",
        "    store.contacts.add_alias(gone.uid, survivor.id)\n",
        "",
    ),
    _mistake(
        "an undo writes the former state over what came since",
        "over what came since",
        "P7",
        "engine/undo.py",
        "        hub=Hub(now),\n",
        "        hub=Hub(after),\n",
    ),
    _mistake(
        "an undo deletes what a remote brought",
        "it deletes what a remote brought",
        "P7",
        "engine/undo.py",
        "        elif change.came_in:\n",
        "        elif change.came_in and not after:\n",
    ),
    _mistake(
        "the undo of a merge keeps the alias",
        "the undo of a merge keeps the alias",
        "P7",
        "engine/merging.py",
        '    store.contacts.part(twin.id, merged["uid"])\n',
        "    store.contacts.part(twin.id, twin.uid)\n",
    ),
    _mistake(
        "the last book wins",
        "the last book wins",
        "P6",
        "engine/decide.py",
        "                continue\n            spoke.actions = self._plan(outcome, spoke)\n",
        "                continue\n"
        "            if (stored := outcome.stored) is not None:\n"
        "                outcome.hub = Hub(stored.contact, stored.deleted, stored.times)\n"
        "            spoke.actions = self._plan(outcome, spoke)\n",
    ),
    _mistake(
        "new entries are appended as they arrive",
        "new entries are appended",
        "L5",
        "sync/diff.py",
        "    before = source[: source.index(key)] if key in source else ()\n",
        "    before = source[:0]\n",
    ),
    _mistake(
        "the remote's shadow of a photo is what was sent",
        "the remote's shadow of a photo is what was sent",
        "L11",
        "engine/push.py",
        "shadow, lost = seen, losses(sent, seen)",
        "shadow, lost = replace(seen, media=sent.media), losses(sent, seen)",
    ),
    _mistake(
        "an answer is recorded for the step that was sent first",
        "an answer is recorded for the step that was sent first",
        "P1 P2",
        "engine/push.py",
        "self._sent.pop(outcome.key)",
        "self._sent.pop(next(iter(self._sent)))",
    ),
    _mistake(
        "a step that was marked and never handed out is taken for done",
        "is taken for done",
        "L33",
        "engine/recover.py",
        "    if not settled.landed:\n        found.dropped.append(row.id)\n        return\n",
        "",
        instead="an update that nobody answered is believed, whatever the card shows",
    ),
    _mistake(
        "cards are taken in the order in which they were asked for",
        "cards are taken in the order",
        "P2",
        "engine/push.py",
        "        for change in changes:\n            card = written.get(change.href)\n",
        "        for change in (replace(c, href=h) for c, h in zip(changes, written, strict=False)):\n"
        "            card = written.get(change.href)\n",
    ),
)


def rows(laws: str) -> list[str]:
    """The planted mistakes that the laws name, one text for each row of their table."""
    table = laws.partition("| planted mistake |")[2].partition("\n\n")[0]
    return [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]


def of_row(row: str, mistakes: Iterable[Mistake] = MISTAKES) -> list[Mistake]:
    return [mistake for mistake in mistakes if mistake.row in row.replace("`", "")]
