"""Groups that are cards of their own: what their cards say goes in, what the hub says goes out (L39).

In, after the contacts of a round were decided, in the same transaction. Out, after the contacts were
written, when every member's card has its UID. Each write is conditional, and memberships are sets, so
that a write whose outcome is unknown is simply decided again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from contactsync.connectors.base import (
    Create,
    Delete,
    GroupCodec,
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
from contactsync.engine.cards import BookState
from contactsync.engine.context import Round
from contactsync.engine.push import Pushed
from contactsync.engine.reading import read_cards
from contactsync.engine.report import CardError, PlannedChange
from contactsync.engine.steps import set_group
from contactsync.errors import CodecError, Recovery, RemoteError
from contactsync.model.fields import squeeze
from contactsync.model.group import GroupCard
from contactsync.store.groupcards import StoredGroupCard, dumps
from contactsync.store.links import ALIVE
from contactsync.store.values import Book, StoredGroup
from contactsync.sync.groups import agreed, merge_group
from contactsync.sync.plan import Rules
from contactsync.sync.types import Base


@dataclass(frozen=True, slots=True)
class _Hub:
    """What the hub says of a book's groups. ``cards`` maps the UID of a card to its contact and the
    state of the link, ``members`` a group to its contacts."""

    groups: dict[str, StoredGroup]
    cards: dict[str, tuple[int, str]]
    members: dict[str, set[int]]

    def says(self, row: StoredGroupCard) -> GroupCard:
        """The group as its card should be by the hub alone. A card that was let go of keeps its place
        (L26), and what the remote does not keep is not missed (L12)."""
        inside = self.members[row.group_id]
        uids = {uid for uid, (contact, state) in self.cards.items() if contact in inside and state != "left"}
        left = {uid for uid, (_, state) in self.cards.items() if state == "left"}
        uids |= row.base.members & left
        uids -= row.lost - row.shown.members
        return GroupCard(self.groups[row.group_id].name, frozenset(uids))

    def has(self, name: str, but: str = "") -> bool:
        """Is a live group called so, but for the one with this id?"""
        live = (group for group in self.groups.values() if group.id != but and not group.deleted_at)
        return squeeze(name) in {squeeze(group.name) for group in live}

    def is_deleted(self, row: StoredGroupCard) -> bool:
        return self.groups[row.group_id].deleted_at is not None


def _hub(round_: Round, book: Book) -> _Hub:
    store = round_.store
    groups = {group.id: group for group in store.groups.all()}
    # a label says nothing of its members, so none of their cards is asked about
    cards = {} if round_.connector.capabilities.labels else store.group_cards.cards_of(book.id)
    return _Hub(groups, cards, store.group_cards.members(groups))


# --- in ---


def memberships_lost(round_: Round, state: BookState) -> int:
    """How many memberships edits of group cards would end, for the brake (L25); of groups that are
    deleted or renamed nothing counts (L39)."""
    rows = round_.store.group_cards.of_book(state.book.id)
    if not state.group_cards or not rows or not state.rules.mode.inwards:
        return 0
    hub = _hub(round_, state.book)
    lost = 0
    for href, card in state.group_cards.items():
        row = next((row for row in rows if row.is_of(href, card.view.uid)), None)
        group = _codec(round_).read_group(card.payload)
        if row is not None and group is not None and not hub.is_deleted(row):
            lost += len((row.base.members - group.members) & hub.says(row).members)
    return lost


def take_in(round_: Round, state: BookState) -> bool:
    """Everything that the group cards of one book say; call inside the deciding transaction. True when
    contacts are in other groups by it: that is an edit to be decided for all books."""
    rows = round_.store.group_cards.of_book(state.book.id)
    if not rows and not state.group_cards:
        return False
    return _TakeIn(round_, state, {row.group_id: row for row in rows}).run()


class _TakeIn:
    def __init__(self, round_: Round, state: BookState, rows: dict[str, StoredGroupCard]) -> None:
        self._round = round_
        self._store = round_.store
        self._state = state
        self._rows = rows
        self._at = round_.now()
        self._hub = _Hub({}, {}, {})
        self._changed = False

    def run(self) -> bool:
        later = [href for href in sorted(self._state.group_cards) if not self._note_seen(href)]
        self._hub = _hub(self._round, self._state.book)
        for row in list(self._rows.values()):
            if row.original and row.href in self._state.gone:
                self._gone(row)
            elif not self._hub.is_deleted(row):
                self._merge(row)
            elif row.shown != row.base and self._state.rules.mode.inwards:
                self._revive(row)
        for href in later:
            self._note_another(href)
        if self._round.dry_run:
            self._plan_outwards()
        return self._changed

    def _note_seen(self, href: str) -> bool:
        """False where another card has had the name."""
        card = self._state.group_cards[href]
        group = _codec(self._round).read_group(card.payload)
        if group is None:
            return True
        row = next((row for row in self._rows.values() if row.is_of(href, card.view.uid)), None)
        if row is None:
            group_id = self._state.names.id_of(group.name)
            there = self._rows.get(group_id)
            if there is not None and there.original and there.href not in self._state.gone:
                return False
            self._note_new(href, group, group_id)
            return True
        lost = row.lost if row.shown == group else frozenset()
        self._put(
            replace(row, href=href, etag=card.etag, shown=group, original=card.payload, lost=lost, refused="")
        )
        return True

    def _note_new(self, href: str, group: GroupCard, group_id: str) -> None:
        card = self._state.group_cards[href]
        row = StoredGroupCard(group_id, self._state.book.id, href, card.view.uid, card.etag)
        self._live(group_id, group.name)
        self._put(replace(row, base=GroupCard(group.name), shown=group, original=card.payload))

    def _note_another(self, href: str) -> None:
        """A group of its own, if the one that had the name before is called otherwise by now."""
        group = _codec(self._round).read_group(self._state.group_cards[href].payload)
        assert group is not None, "it has a name"
        if self._hub.has(group.name):
            self._second(href, group)
            return
        group_id = self._state.names.another(group.name)
        self._note_new(href, group, group_id)
        self._hub.groups[group_id] = StoredGroup(group_id, group.name, None)
        self._hub.members[group_id] = set()
        self._merge(self._rows[group_id])

    def _live(self, group_id: str, name: str) -> None:
        """Somebody made a group, or one by the name of one that was deleted here."""
        group = self._store.groups.get(group_id)
        if group is None or group.deleted_at is not None:
            self._journal_group(group_id, group.name if group else name)
            self._state.names.revive(group_id)

    def _second(self, href: str, group: GroupCard) -> None:
        card = self._state.group_cards[href]
        reason = "A second group of this name is in the address book; rename one of them."
        set_aside(
            self._round,
            self._state.book,
            reason,
            name=group.name,
            uid=card.view.uid,
            href=href,
            etag=card.etag,
            payload=card.payload,
        )

    def _merge(self, row: StoredGroupCard) -> None:
        if not row.original:
            return
        cards = self._hub.cards
        local = self._hub.says(row)
        rules = self._state.rules
        merged = merge_group(row.base, local, row.shown, policy=rules.policy, mode=rules.mode)
        taken = {
            uid for uid in merged.local.members - local.members if uid in cards and cards[uid][1] != "left"
        }
        gone = local.members - merged.local.members
        self._change_members(row.group_id, {cards[u][0] for u in taken}, {cards[u][0] for u in gone})
        name = self._rename(row, merged.local.name, merged.lost)
        here = GroupCard(name, (local.members | taken) - gone)
        self._put(replace(row, base=agreed(row.base, here, row.shown)))

    def _rename(self, row: StoredGroupCard, name: str, lost: str) -> str:
        """The name that the hub has now. One that another group has stays where it was given."""
        old = self._hub.groups[row.group_id].name
        if squeeze(name) == squeeze(old) or self._hub.has(name, but=row.group_id):
            return old
        self._set_group(row.group_id, name, f"{old} -> {name}; {lost!r} gave way" if lost else "")
        self._plan(row.group_id, name, "device", "update", (("name", old, name),))
        return name

    def _set_group(self, group_id: str, name: str, note: str = "", *, live: bool = True) -> None:
        self._journal_group(group_id, name, note, live=live)
        self._hub.groups[group_id] = StoredGroup(group_id, name, None if live else self._at)

    def _journal_group(self, group_id: str, name: str, note: str = "", *, live: bool = True) -> None:
        run, book = self._round.run_id, self._state.book.id
        set_group(self._store, run, self._at, group_id, name, live=live, collection_id=book, note=note)

    def _change_members(self, group_id: str, add: set[int], remove: set[int]) -> None:
        members = self._hub.members[group_id]
        members |= add
        members -= remove
        for stored in self._store.contacts.many(add | remove).values():
            groups = stored.contact.groups
            groups = groups | {group_id} if stored.id in add else groups - {group_id}
            if stored.deleted or groups == stored.contact.groups:
                continue
            after = replace(stored.contact, groups=groups)
            self._store.contacts.save(stored.id, after, self._at, times=stored.times)
            self._store.journal.note(
                self._round.run_id,
                "update",
                self._at,
                contact_id=stored.id,
                before=stored.contact,
                after=after,
                collection_id=self._state.book.id,
                note=f"from {self._round.account.name}",
            )
            self._changed = True
            self._round.book_report(self._state.book).pulled.updated += 1
            name = self._state.names.name_of(group_id)
            change = ("groups", "", name) if stored.id in add else ("groups", name, "")
            self._plan(stored.uid, stored.contact.display, "device", "update", (change,))

    def _gone(self, row: StoredGroupCard) -> None:
        """Deleted there: here as well, unless it was edited here since (L23) or has a card in another
        book of the account (L37)."""
        elsewhere = [
            other
            for book_id in self._state.account_books - {self._state.book.id}
            for other in self._store.group_cards.of_book(book_id)
            if other.group_id == row.group_id and other.original
        ]
        group, joined = self._hub.groups[row.group_id], row.group_id in self._state.joined
        if group.deleted_at is not None or elsewhere:
            self._remove(row)
        elif self._state.rules.mode.inwards and self._hub.says(row) == row.base and not joined:
            self._change_members(row.group_id, set(), set(self._hub.members[row.group_id]))
            self._set_group(row.group_id, group.name, live=False)
            self._plan(row.group_id, group.name, "device", "delete", ())
            self._remove(row)
        elif self._state.rules.mode.outwards:
            self._put(_fresh(self._round, row.group_id, self._state.book))
            if self._state.names.labels is not None:
                self._give_again(row.group_id)
        else:
            self._remove(row)

    def _revive(self, row: StoredGroupCard) -> None:
        """L23: an edit there that the deletion here had not seen."""
        name = row.shown.name
        self._set_group(row.group_id, name)
        self._state.names.revive(row.group_id)
        cards = self._hub.cards
        members = {cards[uid][0] for uid in row.shown.members if uid in cards}
        if self._state.names.labels is not None:
            members = self._labelled(row.href)
        self._change_members(row.group_id, members, set())
        self._put(replace(row, base=agreed(GroupCard(name), row.shown, row.shown)))

    def _give_again(self, group_id: str) -> None:
        """The members of a label that will be made anew get it anew: in the shadows nobody has it."""
        for link in self._store.links.in_state(self._state.book.id, *ALIVE):
            base = link.base
            if group_id in base.local.groups | base.remote.groups:
                local, remote = (replace(c, groups=c.groups - {group_id}) for c in (base.local, base.remote))
                self._store.links.rebase(link.id, Base(local, remote))

    def _labelled(self, href: str) -> set[int]:
        """Contacts of which the card names this label."""
        read = self._round.connector.codec.read
        links = self._store.links.in_state(self._state.book.id, *ALIVE)
        return {link.contact_id for link in links if link.original and href in read(link.original).groups}

    def _put(self, row: StoredGroupCard) -> None:
        if self._rows.get(row.group_id) != row:
            self._rows[row.group_id] = row
            self._store.group_cards.put(row)

    def _remove(self, row: StoredGroupCard) -> None:
        del self._rows[row.group_id]
        self._store.group_cards.remove(row.group_id, self._state.book.id)

    def _plan_outwards(self) -> None:
        for row, target in _outgoing(self._round, self._state.book, self._state.rules):
            after = target or GroupCard()
            changes = [("name", row.shown.name, after.name)] if row.shown.name != after.name else []
            old, new = len(row.shown.members), len(after.members)
            changes += [("members", str(old), str(new))] if row.shown.members != after.members else []
            action = "delete" if target is None else "update" if row.original else "create"
            self._plan(row.group_id, after.name or row.shown.name, "remote", action, tuple(changes))

    def _plan(
        self, uid: str, name: str, side: str, action: str, changes: tuple[tuple[str, str, str], ...]
    ) -> None:
        if self._round.dry_run:
            self._round.report.plan.append(
                PlannedChange(self._state.book.name, uid, name, side, action, changes)
            )


def _fresh(round_: Round, group_id: str, book: Book) -> StoredGroupCard:
    """A row for a card that is to be created; its name is kept, so that a repetition uses it (L33)."""
    return StoredGroupCard(group_id, book.id, round_.new_id(), round_.new_id())


# --- out ---


def groups_wait(round_: Round, book: Book) -> bool:
    """Is there a group card to be written?"""
    return any(True for _ in _outgoing(round_, book, round_.rules(book)))


def push_groups(round_: Round, book: Book) -> Pushed:
    """Write the group cards of one book, and read them back."""
    result = Pushed()
    outgoing = dict(enumerate(_outgoing(round_, book, round_.rules(book))))
    if not outgoing:
        return result
    store = round_.store
    with store.transaction(durable=True):
        for row, target in outgoing.values():
            if target is None and not row.original:
                store.group_cards.remove(row.group_id, book.id)
            elif not row.original:
                store.group_cards.put(row)
    round_.step("groups-journaled")
    steps = [step for key, pair in outgoing.items() if (step := _step(round_, key, *pair)) is not None]
    hub = _hub(round_, book)
    stored: dict[str, tuple[StoredGroupCard, GroupCard]] = {}
    for outcome in write(round_, book, steps):
        round_.step("group-answered")
        row, target = outgoing[outcome.key]
        with store.transaction():
            written = _record(round_, book, hub, row, target, outcome, result)
        if written is not None and target is not None:
            stored[written.href] = (written, target)
        if result.stop is not None:
            break
    if stored and result.stop is None:
        _read_back(round_, book, stored)
    return result


def _outgoing(round_: Round, book: Book, rules: Rules) -> Iterator[tuple[StoredGroupCard, GroupCard | None]]:
    """The rows of which the card should say something else, with what (None: be gone)."""
    store = round_.store
    rows = store.group_cards.of_book(book.id)
    if not (rows or round_.connector.capabilities.labels) or not rules.mode.outwards:
        return
    hub = _hub(round_, book)
    for row in rows:
        if hub.is_deleted(row):
            yield row, None
            continue
        merged = merge_group(row.base, hub.says(row), row.shown, policy=rules.policy, mode=rules.mode)
        same = row.shown.members == merged.remote.members
        same = same and squeeze(row.shown.name) == squeeze(merged.remote.name)
        if not (row.original and same) and dumps(merged.remote) != row.refused:
            yield row, merged.remote
    known = {row.group_id for row in rows} | store.groups.base_names(book.id).keys()
    home = round_.home_of(store.books.of_account(round_.account.name))
    here = {contact for contact, state in hub.cards.values() if state != "left"}
    for group in hub.groups.values():
        if group.deleted_at or group.id in known:
            continue
        if (home is not None and home.id == book.id) or hub.members[group.id] & here:
            row = _fresh(round_, group.id, book)
            yield row, hub.says(row)


def _step(round_: Round, key: int, row: StoredGroupCard, target: GroupCard | None) -> Step | None:
    if target is None:
        return Delete(key, row.href, row.etag) if row.original else None
    payload = _codec(round_).write_group(target, row.uid, row.original or None)
    if not row.original:
        return Create(key, row.href, row.uid, payload)
    return Update(key, row.href, row.etag, payload)


def _record(
    round_: Round,
    book: Book,
    hub: _Hub,
    row: StoredGroupCard,
    target: GroupCard | None,
    outcome: Outcome,
    result: Pushed,
) -> StoredGroupCard | None:
    """What one answer says; the row as it is now where a card was stored."""
    counts = round_.book_report(book).pushed
    match outcome:
        case Stored(_, href, etag, _):
            assert target is not None, "a deletion stores nothing"
            base = agreed(row.base, hub.says(row), target)
            original = _codec(round_).write_group(target, row.uid, row.original or None)
            now = replace(
                row,
                href=href,
                etag=etag,
                base=base,
                shown=target,
                original=original,
                refused="",
                lost=row.lost,
            )
            round_.store.group_cards.put(now)
            counts.created += not row.original
            counts.updated += bool(row.original)
            return now
        case Removed():
            round_.store.group_cards.remove(row.group_id, book.id)
            counts.deleted += 1
        case Refused(_, error):
            _refused(round_, book, row, target, error, result)
        case Unknown(_, error):
            _look_again(round_, row, result)
            round_.report.fail(error)
    return None


def _refused(
    round_: Round,
    book: Book,
    row: StoredGroupCard,
    target: GroupCard | None,
    error: RemoteError,
    result: Pushed,
) -> None:
    if error.recovery is Recovery.REPLAN:
        _look_again(round_, row, result)
    elif error.recovery is Recovery.SKIP_CARD and target is not None:
        round_.store.group_cards.put(replace(row, refused=dumps(target)))
        name = target.name or row.shown.name
        round_.book_report(book).errors.append(CardError(row.uid, row.href, name, str(error)))
    else:
        result.stop = error
        round_.report.fail(error)


def _look_again(round_: Round, row: StoredGroupCard, result: Pushed) -> None:
    """Without an etag, the next pull reads the card directly."""
    if row.original:
        round_.store.group_cards.put(replace(row, etag=None))
    result.again = True


def _read_back(round_: Round, book: Book, stored: Mapping[str, tuple[StoredGroupCard, GroupCard]]) -> None:
    """L11, L12: what the cards became is what they show; a member that is missing was not kept."""
    changes = list(read_cards(round_, book, list(stored)))
    with round_.store.transaction():
        for change in changes:
            if change.gone or change.payload is None or change.href not in stored:
                continue
            row, target = stored[change.href]
            try:
                seen = _codec(round_).read_group(change.payload)
            except CodecError:
                continue
            if seen is None:
                continue
            lost = row.lost | (target.members - seen.members)
            base = replace(row.base, members=row.base.members - lost)
            now = replace(row, etag=change.etag, shown=seen, original=change.payload, lost=lost, base=base)
            round_.store.group_cards.put(now)


def _codec(round_: Round) -> GroupCodec:
    codec = round_.connector.codec
    assert isinstance(codec, GroupCodec), "a remote with group cards has a codec for them"
    return codec
