"""Carries out a decision in one transaction: the hub, links, conflicts, the outbox, the cursors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from contactsync.engine.aside import set_aside
from contactsync.engine.cards import BadCard, BookState, Card
from contactsync.engine.context import Round
from contactsync.engine.decide import Decision, Outcome, Spoke
from contactsync.engine.groupcards import take_in
from contactsync.engine.groupnames import keep_groups
from contactsync.engine.merging import become_one, become_two, end_hold, twin_inside
from contactsync.engine.recover import Recovered
from contactsync.engine.report import PlannedChange
from contactsync.engine.steps import set_group
from contactsync.errors import CodecError
from contactsync.model.contact import Contact
from contactsync.model.fields import path_text, unit_text
from contactsync.store.contacts import NewContact, chunks
from contactsync.store.journal import Queued
from contactsync.store.links import ALIVE, OUTSIDE, NewLink
from contactsync.store.values import StoredConflict, StoredContact, StoredLink
from contactsync.sync.diff import differs
from contactsync.sync.echo import holding_back
from contactsync.sync.types import (
    Base,
    Clash,
    CreateRemote,
    DeleteRemote,
    DropLocal,
    NoteConflict,
    Rebase,
    SaveLocal,
    Unlink,
    UpdateRemote,
)


def apply(round_: Round, decision: Decision) -> bool:
    """Write the whole decision; call inside the transaction that it was made in (L31). True when a group
    card or a merge changed contacts, or a label is not known yet, so that there is more to decide."""
    return _Applier(round_, decision).run()


def take_strangers(round_: Round, state: BookState, outcomes: Sequence[Outcome]) -> None:
    """Make contacts of cards of which nothing else is to be decided; the rest of their book is to come.
    Call inside a transaction."""
    keep_groups(round_.store, round_.run_id, round_.now(), state.names, state.book.id)
    _Applier(round_, Decision([state], list(outcomes), Recovered())).outcomes(outcomes)


def _is_leaving(outcome: Outcome) -> bool:
    """The edit that leads out of the filter is carried first, and then the link is released (L26)."""
    return outcome.leaves and any(isinstance(a, UpdateRemote) for s in outcome.spokes for a in s.actions)


SAFE_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class _Applier:
    def __init__(self, round_: Round, decision: Decision) -> None:
        self._round = round_
        self._store = round_.store
        self._decision = decision
        self._at = round_.now()
        self._again = False
        self._source = f"from {round_.account.name}"
        self._links: list[NewLink] = []
        self._aside = {
            state.book.id: {kept.href for kept in round_.store.keepsakes.quarantined(state.book.id)}
            for state in decision.states
        }
        self._open: dict[tuple[int, int | None], list[StoredConflict]] = {}
        for question in round_.store.journal.conflicts(only_open=True):
            self._open.setdefault((question.contact_id, question.collection_id), []).append(question)

    def run(self) -> bool:
        for state in self._decision.states:
            self._store.journal.drop_queued(state.book.id)
            self._groups(state)
        self._settle_doubts()
        for some in chunks(self._decision.outcomes):
            self.outcomes(some)
        self._round.step("decided")
        changed = [take_in(self._round, state) for state in self._decision.states]
        for state in self._decision.states:
            self._finish_book(state)
        for book_id, stop in self._decision.stopped.items():
            book = self._store.books.get(book_id)
            if book is not None:
                self._round.book_report(book).guard = stop
        unsure = any(state.unsure for state in self._decision.states)
        waits = any(outcome.survivor or _is_leaving(outcome) for outcome in self._decision.outcomes)
        return unsure or any(changed) or waits or self._again

    def _groups(self, state: BookState) -> None:
        for group_id, name in state.renames.items():
            self._set_group(group_id, name, state.book.id)
            self._store.groups.link(group_id, state.book.id, name)
        keep_groups(self._store, self._round.run_id, self._at, state.names, state.book.id)

    def _set_group(self, group_id: str, name: str, book_id: int) -> None:
        run = self._round.run_id
        set_group(self._store, run, self._at, group_id, name, collection_id=book_id)

    def _settle_doubts(self) -> None:
        recovered = self._decision.recovered
        if recovered.done:
            self._store.journal.mark(recovered.done, "done", note="found done after an unknown answer")
        if recovered.dropped:
            self._store.journal.mark(
                recovered.dropped, "dropped", note="planned again after an unknown answer"
            )
        for contact_id, collection_id, path, sent, seen in recovered.rewritten:
            self._conflict(contact_id, collection_id, Clash(path, None, sent, seen, "remote"))

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Who is new comes first, all at once; so do the links of new cards in the end."""
        fresh = [one for one in outcomes if one.stored is None and any(s.actions for s in one.spokes)]
        ids = dict(zip(map(id, fresh), self._new_contacts(fresh), strict=True))
        for outcome in outcomes:
            if outcome.stored is not None:
                ids[id(outcome)] = self._hub(outcome, outcome.stored)
            for spoke in outcome.spokes if id(outcome) in ids else ():
                self._spoke(outcome, ids[id(outcome)], spoke)
        self._store.links.add_all(self._links)
        self._links.clear()

    def _hub(self, outcome: Outcome, stored: StoredContact) -> int:
        """The hub's side of one contact that is known; its id."""
        hub = outcome.hub
        report = self._report(outcome)
        if outcome.dropped and hub.deleted:
            self._store.contacts.bury(stored.id, self._at)
            self._note(outcome, stored.id, "delete", stored.contact, None, self._merged(outcome))
            report.pulled.deleted += 1
        elif outcome.saved and (hub.contact != stored.contact or stored.deleted):
            parted = become_two(self._store, stored, outcome.parted) if outcome.parted else None
            self._store.contacts.save(stored.id, hub.contact, self._at, times=hub.times)
            action = "revive" if stored.deleted else "update"
            self._note(outcome, stored.id, action, stored.contact, hub.contact, parted)
            self._revive_groups(outcome)
            report.pulled.updated += 1
        return stored.id

    def _merged(self, outcome: Outcome) -> dict[str, Any] | None:
        """L40: it was made part of another contact at the remote."""
        if outcome.stored is None or outcome.survivor is None:
            return None
        end_hold(self._store, self._round.run_id, self._at, outcome.survivor, outcome.stored)
        return {"merged": become_one(self._store, outcome.stored, outcome.survivor, self._round.new_id())}

    def _new_contacts(self, outcomes: Sequence[Outcome]) -> list[int]:
        """Insert them; their ids."""
        news = [NewContact(one.hub.contact, one.held, one.held_for) for one in outcomes]
        ids = self._store.contacts.add_all(news, self._at)
        created = [
            (contact_id, one.hub.contact, one.spokes[0].state.book.id)
            for contact_id, one in zip(ids, outcomes, strict=True)
        ]
        self._store.journal.note_created(self._round.run_id, self._at, created, note=self._source)
        for outcome in outcomes:
            book = outcome.spokes[0].state.book
            self._plan_line(book.name, outcome, "device", "create", None, outcome.hub.contact)
            self._revive_groups(outcome)
            report = self._report(outcome)
            report.pulled.created += 1
            report.duplicates_for_review += bool(outcome.held)
        return ids

    def _revive_groups(self, outcome: Outcome) -> None:
        """A membership that was added to a deleted group brings the group back (L23, L39); so does whoever
        comes back with it."""
        names = outcome.spokes[0].state.names
        stored = outcome.stored
        before = stored.contact.groups if stored and not stored.deleted else frozenset()
        for group_id in sorted((outcome.hub.contact.groups - before) & names.dead):
            self._set_group(group_id, names.name_of(group_id), outcome.spokes[0].state.book.id)
            for state in self._decision.states:
                state.names.revive(group_id)

    def _report(self, outcome: Outcome) -> Any:
        return self._round.book_report(outcome.spokes[0].state.book)

    def _note(
        self,
        outcome: Outcome,
        contact_id: int,
        action: str,
        before: Contact | None,
        after: Contact | None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        book = outcome.spokes[0].state.book
        if self._round.dry_run:
            self._plan_line(book.name, outcome, "device", action, before, after)
            return
        self._store.journal.note(
            self._round.run_id,
            action,
            self._at,
            contact_id=contact_id,
            before=before,
            after=after,
            collection_id=book.id,
            note=self._source,
            detail=detail,
        )

    def _spoke(self, outcome: Outcome, contact_id: int, spoke: Spoke) -> None:
        if spoke.moved and spoke.link and spoke.card:
            self._make_room(spoke.state, spoke.card, spoke.link)
            self._store.links.move(spoke.link.id, spoke.state.book.id, spoke.card.href, spoke.card.etag)
        link_id = spoke.link.id if spoke.link else None
        base: Base | None = spoke.base
        released = False
        for action in spoke.actions:
            match action:
                case Unlink(outside=True):
                    released = True
                case SaveLocal() | DropLocal():
                    pass
                case NoteConflict(clash):
                    new = self._conflict(contact_id, spoke.state.book.id, clash)
                    self._round.book_report(spoke.state.book).conflicts += new
                case Rebase():
                    base = action.base
                case UpdateRemote():
                    self._update(outcome, contact_id, spoke, link_id, action)
                    base = None
                case CreateRemote(contact):
                    self._create(outcome, contact_id, spoke, contact)
                case DeleteRemote():
                    self._delete(outcome, contact_id, spoke, link_id)
                    base = None
                case Unlink():
                    self._unlink(link_id, action)
                    base = None
        self._close_questions(contact_id, spoke)
        if base is not None and (link_id is not None or spoke.card is not None):
            if released:
                self._release(outcome, contact_id, spoke, link_id, base)
            else:
                self._agreed(outcome, contact_id, spoke, link_id, base)

    def _release(
        self, outcome: Outcome, contact_id: int, spoke: Spoke, link_id: int | None, base: Base
    ) -> None:
        """L26: the filter does not take the contact any more. Both shadows stay, for when it does again."""
        link_id = self._rebase(contact_id, spoke, link_id, base)
        self._store.links.update(link_id, state="left", reason=OUTSIDE)
        self._round.book_report(spoke.state.book).released += 1
        contact = outcome.hub.contact
        self._plan_line(spoke.state.book.name, outcome, "remote", "release", contact, contact)

    def _close_questions(self, contact_id: int, spoke: Spoke) -> None:
        """Where both sides came to the same value by themselves, nobody has to be asked any more."""
        clashes = [action.clash for action in spoke.actions if isinstance(action, NoteConflict)]
        still = {path_text(clash.path) for clash in clashes if clash.winner is None}
        for question in self._open.get((contact_id, spoke.state.book.id), ()):
            if question.path not in still:
                self._store.journal.close_conflict(question.id, winner="agreed")

    def _agreed(
        self, outcome: Outcome, contact_id: int, spoke: Spoke, link_id: int | None, base: Base
    ) -> None:
        """Both sides mean the same: the shadows move. Only a group's new name may still have to go
        out (L39)."""
        pending = spoke.state.names.pending()
        renamed = not outcome.hub.deleted and any(g in pending for g in outcome.hub.contact.groups)
        if link_id is None and spoke.card is not None and not renamed:
            self._links.append(self._new_link(contact_id, spoke.state, spoke.card, base))
            return
        link_id = self._rebase(contact_id, spoke, link_id, base)
        if renamed:
            self._update(outcome, contact_id, spoke, link_id, UpdateRemote(spoke.view, base, base))

    def _rebase(self, contact_id: int, spoke: Spoke, link_id: int | None, base: Base) -> int:
        """Move both shadows; with a card in hand, its bytes and etag too."""
        if spoke.card is None:
            assert link_id is not None
            if spoke.link is None or spoke.link.base != base:
                self._store.links.rebase(link_id, base, state="ok", reason="")
            return link_id
        card = spoke.card
        if link_id is None:
            return self._store.links.add(self._new_link(contact_id, spoke.state, card, base))
        self._not_aside(spoke.state, card)
        self._store.links.rebase(
            link_id, base, etag=card.etag, original=card.payload, state="ok", reason="", href=card.href
        )
        return link_id

    def _new_link(self, contact_id: int, state: BookState, card: Card, base: Base) -> NewLink:
        """The link of a card that had none, or one of which nothing is left."""
        self._not_aside(state, card)
        self._make_room(state, card)
        return NewLink(contact_id, state.book.id, card.href, card.etag, base, card.payload)

    def _make_room(self, state: BookState, card: Card, link: StoredLink | None = None) -> None:
        """The name of a card that is there for another reason now belongs to no card that was deleted."""
        old = state.links.get(card.href)
        if old is not None and (link is None or old.id != link.id):
            self._store.links.remove(old.id)

    def _not_aside(self, state: BookState, card: Card) -> None:
        if card.href in self._aside[state.book.id]:
            self._store.keepsakes.release(state.book.id, [card.href])

    def _update(
        self, outcome: Outcome, contact_id: int, spoke: Spoke, link_id: int | None, action: UpdateRemote
    ) -> None:
        before = spoke.view
        original = spoke.card.payload if spoke.card else spoke.link.original if spoke.link else b""
        payload = self._written(outcome, contact_id, spoke, action.target, original)
        if payload is None:
            return
        if payload == original:
            shadow = holding_back(before, action.target, action.base.remote)
            self._rebase(contact_id, spoke, link_id, replace(action.base, remote=shadow))
            return
        target = self._with_rev(action.target, before, outcome)
        if target.updated != action.target.updated:  # REV moves only where something else does
            payload = self._written(outcome, contact_id, spoke, target, original) or payload
        if spoke.card is not None or link_id is None:
            link_id = self._rebase(contact_id, spoke, link_id, action.interim)
        place = spoke.card or spoke.link
        assert place is not None, "only a card that is there can be updated"
        self._queue(
            spoke.state,
            Queued(
                "update",
                contact_id,
                spoke.state.book.id,
                link_id,
                place.href,
                place.etag,
                payload,
                before,
                target,
                spoke.state.without_ended(action.base).local,
            ),
        )
        self._plan_line(spoke.state.book.name, outcome, "remote", "update", before, target)

    def _with_rev(self, target: Contact, before: Contact, outcome: Outcome) -> Contact:
        """A card that carries REV gets the time of the edit, so that the newest can be told (L18)."""
        if before.updated is None:
            return target
        newest = max(outcome.hub.times.values(), default=self._at)
        return replace(target, updated=max(newest, before.updated).replace(microsecond=0))

    def _written(
        self, outcome: Outcome, contact_id: int, spoke: Spoke, target: Contact, original: bytes | None
    ) -> bytes | None:
        """The payload, or None and a refusal on record: one contact never stops the others (L35)."""
        full = self._store.contacts.with_media(spoke.state.names.to_names(target))
        try:
            return self._round.connector.codec.write(full, original)
        except CodecError as error:
            self._set_aside(spoke.state, outcome, contact_id, error.message)
            return None

    def _create(self, outcome: Outcome, contact_id: int, spoke: Spoke, contact: Contact) -> None:
        stamp = max(outcome.hub.times.values(), default=self._at).replace(microsecond=0)
        texts = replace(contact, groups=contact.groups - spoke.state.names.carded, updated=stamp)
        payload = self._written(outcome, contact_id, spoke, texts, None)
        if payload is None:
            return
        href = self._decision.recovered.names.get(contact_id) or self._new_name(
            spoke.state, contact_id, contact.uid
        )
        project = spoke.state.project(self._round.connector.codec)
        target = replace(project(contact), uid=contact.uid, updated=stamp)
        self._queue(
            spoke.state,
            Queued(
                "create",
                contact_id,
                spoke.state.book.id,
                None,
                href,
                None,
                payload,
                Contact(),
                target,
                spoke.state.without_ended(Base(contact, target)).local,
            ),
        )
        self._plan_line(spoke.state.book.name, outcome, "remote", "create", None, contact)

    def _new_name(self, state: BookState, contact_id: int, uid: str) -> str:
        """The uid where it is a safe name, so that two devices that create one contact meet at one
        href (L33); a random one where that name was tried before, or is none."""
        if state.tried is None:
            state.tried = self._store.journal.tried_names(state.book.id)
        if SAFE_NAME.fullmatch(uid) and (contact_id, uid) not in state.tried:
            return uid
        return self._round.new_id()

    def _delete(self, outcome: Outcome, contact_id: int, spoke: Spoke, link_id: int | None) -> None:
        if spoke.card is not None:
            whose = self._whose(outcome, contact_id, spoke)
            link_id = self._rebase(whose, spoke, link_id, replace(spoke.base, remote=spoke.card.view))
        place = spoke.card or spoke.link
        assert place is not None, "only a card that is there can be deleted"
        shadow = spoke.base.remote
        self._queue(
            spoke.state,
            Queued(
                "delete",
                contact_id,
                spoke.state.book.id,
                link_id,
                place.href,
                place.etag,
                b"",
                shadow,
                Contact(),
                Contact(),
            ),
        )
        self._plan_line(spoke.state.book.name, outcome, "remote", "delete", shadow, None)

    def _whose(self, outcome: Outcome, contact_id: int, spoke: Spoke) -> int:
        """A card that was met only after its contact was merged into another one is the twin's, so that it is
        deleted also where this deletion fails or the process dies before it (L40)."""
        if outcome.stored is None or spoke.card is None or not spoke.absorbed:
            return contact_id
        found = twin_inside(self._store, outcome.stored, spoke.card.view.uid)
        return found[0].id if found else contact_id

    def _unlink(self, link_id: int | None, action: Unlink) -> None:
        if link_id is None:
            return
        if action.left or action.away:
            self._store.links.update(link_id, state="left" if action.left else "away")
        else:
            self._store.links.remove(link_id)

    def _keep_outside(self, state: BookState) -> None:
        """What the filter leaves out is remembered; a card that was let go of and is gone is forgotten, so
        that who comes back into the filter is made anew."""
        known = self._store.books.outside(state.book.id)
        left = {href: (card.etag, card.payload) for href, card in state.outside.items()}
        came = known.keys() & (state.cards.keys() | state.gone) - left.keys()
        self._store.books.let_in(state.book.id, known if self._round.rules_changed else came)
        fresh = {h: card for h, card in left.items() if self._round.rules_changed or known.get(h) != card}
        self._store.books.leave_outside(state.book.id, fresh)
        self._round.book_report(state.book).outside = len((known.keys() - came) | left.keys())
        for href in state.gone:
            link = state.links.get(href)
            if link is not None and link.state == "left" and link.reason == OUTSIDE:
                self._store.links.remove(link.id)
                self._again = True

    def _queue(self, state: BookState, step: Queued) -> None:
        if not self._round.dry_run:
            self._store.journal.queue(self._round.run_id, step, self._at)
        else:  # nobody looks for it there: what a trial wrote down is gone when it ends
            pushed = self._round.book_report(state.book).pushed
            match step.action:
                case "create":
                    pushed.created += 1
                case "update":
                    pushed.updated += 1
                case _:
                    pushed.deleted += 1
        if state.names.labels is not None:
            return
        named = step.target.groups - state.names.standing
        for group_id in sorted(named - state.names.base.keys() - state.names.dead):
            self._store.groups.link(group_id, state.book.id, state.names.name_of(group_id))

    def _conflict(self, contact_id: int, collection_id: int, clash: Clash) -> bool:
        return self._store.journal.note_clash(contact_id, collection_id, clash, self._round.run_id, self._at)

    def _set_aside(self, state: BookState, outcome: Outcome, contact_id: int, reason: str) -> None:
        contact = outcome.hub.contact
        digest = outcome.stored.hash if outcome.stored else ""
        set_aside(
            self._round,
            state.book,
            reason,
            name=contact.display,
            uid=contact.uid,
            contact_id=contact_id,
            hash=digest,
        )

    def _finish_book(self, state: BookState) -> None:
        for bad in state.bad:
            self._bad_card(state, bad)
        self._store.keepsakes.release(state.book.id, state.gone)
        for href in state.pulled.settled:
            link = state.links.get(href) or self._store.links.at(state.book.id, [href]).get(href)
            if link is not None and link.state == "deleted" and href not in state.cards:
                self._store.links.remove(link.id)
        self._keep_outside(state)
        self._finish_renames(state)
        for link in self._store.links.at(state.book.id, state.unsure).values():
            if link.state in ALIVE:
                self._store.links.update(link.id, state="recheck")
        self._store.books.clear_staged(state.book.id)
        self._store.books.update(state.book.id, cursor=state.pulled.cursor, cursor_at=state.pulled.began_at)

    def _finish_renames(self, state: BookState) -> None:
        """Once no card waits for a group's new name, not even one that is to be deleted and may live on, both
        sides agree on it; once none waits at all, no card has a name of a group that was deleted."""
        pending, buried = state.names.pending(), state.names.buried()
        waiting = self._store.journal.outbox(state.book.id) if pending or buried else []
        for group_id, name in pending.items():
            if not any(group_id in row.target.groups | row.before.groups for row in waiting):
                self._store.groups.link(group_id, state.book.id, name)
        for group_id, name in buried.items() if not waiting else ():
            self._store.groups.link(group_id, state.book.id, name)

    def _bad_card(self, state: BookState, bad: BadCard) -> None:
        payload = bad.change.payload or b""
        set_aside(
            self._round,
            state.book,
            bad.reason,
            name=self._round.connector.codec.glimpse(payload),
            href=bad.change.href,
            etag=bad.change.etag,
            payload=payload,
        )

    def _plan_line(
        self,
        book: str,
        outcome: Outcome,
        side: str,
        action: str,
        before: Contact | None,
        after: Contact | None,
    ) -> None:
        if not self._round.dry_run:
            return
        names = outcome.spokes[0].state.names
        old = (names.as_called_there if side == "remote" else names.to_names)(before or Contact())
        new = names.to_names(after or Contact())
        edits = differs(old, new)
        changes = tuple((path_text(p), unit_text(p, e.old), unit_text(p, e.new)) for p, e in edits.items())
        contact = outcome.hub.contact
        self._round.report.plan.append(
            PlannedChange(book, contact.uid, contact.display, side, action, changes)
        )
