"""What somebody else's client does at a remote, at once and without conditions."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING

from contactsync.model.contact import Contact, Email
from tests.simulation import facts, people
from tests.simulation.oracle import NOTHING
from tests.simulation.remotes import Remote
from tests.simulation.world import Act, choose

if TYPE_CHECKING:
    from tests.simulation.stage import Stage


class AtRemote:
    """One method for each kind of act; each returns what it did, or nothing where it could not."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def checks_conditions(self, act: Act) -> bool:
        """Where this act is done, does a write find out that it was?"""
        return act.who != "x" or self._where(act).server.habits.conditional

    def _where(self, act: Act) -> Remote:
        return self._stage.remotes[choose(sorted(self._stage.remotes), act.where)]

    def play(self, act: Act) -> None:
        remote = self._where(act)
        if act.pick < 0.5:
            remote.settle()
        cards = remote.cards()
        deed = getattr(self, f"_{act.what.replace('-', '_')}")
        if act.what in ("create", "expire", "bring-back", "rename-group", "delete-label") or cards:
            told = deed(act, remote, cards)
            if told:
                self._stage.reached[f"client {act.what}"] += 1
                self._stage.reached[f"at {remote.kind.name}"] += 1
                if act.edit:
                    self._stage.reached[f"client edit {act.edit}"] += 1
                self._stage.say(f"x at {remote.name} ({remote.kind.name}) {told}")

    def _put(self, remote: Remote, href: str, contact: Contact, original: bytes | None) -> bytes:
        stamped = replace(contact, updated=self._stage.now if original is None or contact.updated else None)
        payload = remote.codec.write(stamped, original)
        remote.server.put(href, payload)
        return remote.server.get(href) or b""

    def _fresh_href(self, remote: Remote, where: float) -> str:
        book = choose(remote.books, where * 7 % 1)
        return f"{book}{self._stage.words.new('x')}.vcf"

    def _create(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        contact = people.newcomer(self._stage.words, self._stage.new_id("x"))
        after = facts.of_card(self._put(remote, self._fresh_href(remote, act.where), contact, None))
        self._stage.ledger.saw(NOTHING, after)
        return f"creates {facts.shown(after)}"

    def _edit(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        href, payload = choose(cards, act.pick)
        opened = remote.codec.read(payload)
        edited = people.edited(
            opened, act.edit, act.also, self._stage.words, remote.kind.most.get("email", 0)
        )
        if edited == opened:
            return ""
        before = facts.of_card(payload)
        written = facts.of_card(remote.codec.write(edited, payload))
        kept = facts.of_card(self._put(remote, href, edited, payload))
        self._stage.ledger.saw(before, written, kept=kept, place=remote.name)
        self._names_labels(remote, kept["group"] - before["group"])
        if remote.kind.has_labels:
            self._stage.ledger.late_members([kept])
        if "label" in remote.kind.unseen:
            self._stage.ledger.without_label(before, kept)
        remote.was_taken_away(before, kept)
        return f"edits {facts.key(before)}: {facts.difference(before, kept)}"

    def _delete(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        href, payload = choose(cards, act.pick)
        remote.server.delete(href)
        remote.gone.append(payload)
        who = facts.key(facts.of_card(payload))
        self._stage.ledger.forgot(facts.of_card(payload), remote.name, others=self._stage.everybody())
        if remote.was_deleted(who):
            self._stage.ledger.apart.add(who)  # it is made again (L33)
        if self._stage.let_go(who, remote.name):
            self._stage.ledger.untold(who)
        return f"deletes {who}"

    def _bring_back(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        """A card that this client deleted comes back, out of its own trash."""
        here = {_uid(payload) for _, payload in cards}
        gone = [payload for payload in remote.gone if _uid(payload) not in here]
        if not gone:
            return ""
        payload = choose(gone, act.pick)
        remote.server.put(self._fresh_href(remote, act.where), payload)
        after = facts.of_card(payload)
        lags = bool(remote.server.habits.lag or remote.server.habits.settles_after)
        if (lags or self._stage.busy) and self._stage.versions(facts.key(after))[1:]:
            self._stage.ledger.several.add(facts.key(after))  # a device may bring it back by an edit (L29)
        self._stage.ledger.brought_back(after, anew=self._stage.let_go(facts.key(after), remote.name))
        self._names_labels(remote, after["group"])
        return f"brings {facts.key(after)} back"

    def _new_href(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        href, payload = choose(cards, act.pick)
        new = f"{href.rpartition('/')[0]}/{self._stage.words.new('x')}.vcf"
        return self._move(remote, href, new, payload)

    def _carry(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        href, payload = choose(cards, act.pick)
        others = [book for book in remote.books if not href.startswith(book)]
        if not others:
            return ""
        return self._move(remote, href, f"{choose(others, act.also)}{href.rpartition('/')[2]}", payload)

    def _move(self, remote: Remote, href: str, new: str, payload: bytes) -> str:
        if not remote.move(href, new, payload):
            return ""
        who = facts.key(facts.of_card(payload))
        if self._stage.busy and who in self._stage.ledger.absorbed:
            self._stage.ledger.several.add(who)  # it looks like one that was put back (L22)
        return f"moves {who} from {href} to {new}"

    def _touch(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        href, payload = choose(cards, act.pick)
        remote.server.put(href, payload)
        return f"touches {facts.key(facts.of_card(payload))}"

    def _copy(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        if remote.server.habits.unique_uids:
            return ""
        _, payload = choose(cards, act.pick)
        remote.server.put(self._fresh_href(remote, act.where), payload)
        self._stage.ledger.several.add(facts.key(facts.of_card(payload)))
        return f"puts a copy of {facts.key(facts.of_card(payload))}"

    def _twin(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        """Somebody of the same name, who may be the same person."""
        like = remote.codec.read(choose(cards, act.pick)[1])
        twin = Contact(
            uid=self._stage.new_id("x"),
            name=like.name,
            emails=(Email(f"{self._stage.words.new('e').lower()}@x.org"),),
        )
        after = facts.of_card(self._put(remote, self._fresh_href(remote, act.where), twin, None))
        self._stage.ledger.several.add(facts.key(after))
        self._stage.ledger.saw(NOTHING, after)
        self._stage.ledger.made_anew(after)
        return f"creates another {facts.shown(after)}"

    def _take_over(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        (href, payload), (gone, other) = choose(cards, act.pick), choose(cards, act.also)
        one, two = remote.codec.read(payload), remote.codec.read(other)
        rooms = [("email", len(one.emails) + len(two.emails)), ("phone", len(one.phones) + len(two.phones))]
        crowded = any(count > remote.kind.most.get(unit, count) for unit, count in rooms)
        if href == gone or crowded or _uid(payload) == _uid(other):
            return ""
        kept = facts.of_card(self._put(remote, href, people.taken_over(one, two), payload))
        remote.server.delete(gone)
        before = facts.of_card(payload)
        self._stage.ledger.saw(before, kept)
        seen = facts.of_card(other)
        # a device that meets another account first may still bring the other one
        unsure = len(self._stage.devices) > 1 < len(self._stage.remotes)
        # whoever does not know that their write of it was there makes it again (L23, L33)
        unsure = unsure or facts.key(seen) in remote.in_doubt | remote.unread
        unsure = unsure or facts.key(seen) in self._stage.ledger.preferred
        if unsure or any(card != seen for card in self._stage.versions(facts.key(seen))):
            self._stage.ledger.several.add(facts.key(seen))
        self._stage.ledger.united(kept, seen, kept)
        self._stage.ledger.deleted.add(facts.key(seen))
        self._stage.ledger.absorbed.add(facts.key(seen))
        return f"takes {facts.key(facts.of_card(other))} over into {facts.key(before)}"

    def _expire(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        book = choose(remote.books, act.pick)
        remote.server.expire_cursors(book)
        return f"expires the cursors of {book}"

    def _rename_group(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        """A client that knows only categories renames one on all cards of a book."""
        if remote.kind.has_labels:
            name = self._stage.words.new("R")
            old = remote.change_label(act.pick, name)
            self._stage.ledger.groups.unite(old or name, name)
            self._names_labels(remote, {name} if old else set())
            for before in (facts.of_card(payload) for _, payload in cards):
                if old in before["group"]:
                    after = {**before, "group": before["group"] - {old} | {name}}
                    self._stage.ledger.renamed(before, after, old)
            return f"renames label {old} to {name}" if old else ""
        book = choose(remote.books, act.where * 7 % 1)
        here = [(h, p) for h, p in cards if h.startswith(book)]
        names = sorted({name for _, p in here for name in facts.of_card(p)["group"]})
        if not names:
            return ""
        old, new = choose(names, act.pick), self._stage.words.new("R")
        self._stage.ledger.groups.unite(old, new)
        for href, payload in here:
            contact = remote.codec.read(payload)
            if old in contact.groups:
                kept = self._put(
                    remote, href, replace(contact, groups=contact.groups - {old} | {new}), payload
                )
                self._stage.ledger.renamed(facts.of_card(payload), facts.of_card(kept), old)
                remote.was_taken_away(facts.of_card(payload), facts.of_card(kept))
        return f"renames group {old} to {new} in {book}"

    def _delete_label(self, act: Act, remote: Remote, cards: Sequence[tuple[str, bytes]]) -> str:
        """Who deletes it sees all its members."""
        old = remote.change_label(act.pick, "")
        self._stage.labels.discard((remote.name, old))
        members = [one for _, payload in cards if old in (one := facts.of_card(payload))["group"]]
        for before in members:
            after = {**before, "group": before["group"] - {old}}
            self._stage.ledger.saw(before, after)
            remote.was_taken_away(before, after)
        return f"deletes label {old} of {len(members)}" if old else ""

    def _names_labels(self, remote: Remote, names: Set[str]) -> None:
        """Groups that are something of their own at a remote because somebody made them so there."""
        if remote.kind.has_labels:
            self._stage.labels |= {(remote.name, name) for name in names}


def _uid(payload: bytes) -> bytes:
    return next((line for line in payload.split(b"\r\n") if line.startswith(b"UID")), b"")
