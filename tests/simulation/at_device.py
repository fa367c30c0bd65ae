"""What people do on a device, through the public interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from contactsync.api import Engine
from contactsync.exchange.importer import import_sources
from contactsync.store.values import StoredContact
from contactsync.vcard.codec import VCardCodec
from tests.simulation import facts, people, taking_back
from tests.simulation.facts import Facts
from tests.simulation.oracle import NOTHING, Violation
from tests.simulation.taking_back import Picture
from tests.simulation.world import Act, choose

if TYPE_CHECKING:
    from tests.simulation.stage import Stage


class AtDevice:
    """One method for each kind of act; each returns what it did, or nothing where it could not."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def play(self, act: Act) -> None:
        engine = self._stage.devices[act.who]
        live = sorted(engine.contacts(), key=lambda s: s.uid)
        deed = getattr(self, f"_{act.what.replace('-', '_')}")
        if act.what in ("create", "import", "restore", "rename-group", "delete-group", "undo") or live:
            told = self._stage.watched(act, lambda: deed(act, engine, live))
            if told:
                self._stage.reached[f"device {act.what}"] += 1
                if act.edit:
                    self._stage.reached[f"device edit {act.edit}"] += 1
                self._stage.say(f"{act.who} {told}")

    def _create(self, act: Act, engine: Engine, live: Sequence[StoredContact]) -> str:
        contact = people.newcomer(self._stage.words, self._stage.new_id(act.who))
        engine.put([contact])
        after = self._stage.facts(act.who, contact)
        self._stage.ledger.saw(NOTHING, after)
        return f"creates {facts.shown(after)}"

    def _edit(self, act: Act, engine: Engine, live: Sequence[StoredContact]) -> str:
        stored = choose(live, act.pick)
        opened = engine.export_form(stored.contact)
        edited = people.edited(opened, act.edit, act.also, self._stage.words)
        if edited == opened:
            return ""
        before = self._stage.facts(act.who, stored.contact)
        engine.put([edited])
        after = self._stage.facts(act.who, engine.contact(stored.uid).contact)
        self._stage.ledger.saw(before, after, place=act.who)
        if all("label" in remote.kind.unseen for remote in self._stage.remotes.values()):
            self._stage.ledger.without_label(before, after)
            self._stage.ledger.labelled_unseen(after)
        if act.edit == "prefer-email":
            self._stage.ledger.preferred.add(facts.key(after))
        return f"edits {facts.key(before)}: {facts.difference(before, after)}"

    def _delete(self, act: Act, engine: Engine, live: Sequence[StoredContact]) -> str:
        stored = choose(live, act.pick)
        before = self._stage.facts(act.who, stored.contact)
        engine.delete([stored.uid])
        self._stage.ledger.forgot(before, device=act.who)
        return f"deletes {facts.key(before)}"

    def _restore(self, act: Act, engine: Engine, live: Sequence[StoredContact]) -> str:
        trash = sorted((s for s in engine.trash() if s.merged_into is None), key=lambda s: s.uid)
        if not trash:
            return ""
        stored = choose(trash, act.pick)
        engine.restore([stored.uid])
        after = self._stage.facts(act.who, engine.contact(stored.uid).contact)
        self._stage.ledger.brought_back(after)
        if any(
            facts.key(facts.of_card(payload)) == facts.key(after) for payload in self._stage.half_written()
        ):
            self._stage.ledger.several.add(facts.key(after))  # it is made again before that can be read (L29)
        return f"restores {facts.key(after)}"

    def _rename_group(self, act: Act, engine: Engine, _live: Sequence[StoredContact]) -> str:
        groups = sorted(engine.groups(), key=lambda g: g.name)
        if not groups:
            return ""
        group, new = choose(groups, act.pick), self._stage.words.new("R")
        engine.rename_group(group.name, new)
        self._stage.ledger.groups.unite(group.name, new)
        self._stage.ledger.renamed_here(group.name, new)
        return f"renames group {group.name} to {new}"

    def _delete_group(self, act: Act, engine: Engine, live: Sequence[StoredContact]) -> str:
        groups = sorted(engine.groups(), key=lambda g: g.name)
        if not groups:
            return ""
        group = choose(groups, act.pick)
        members = [self._stage.facts(act.who, s.contact) for s in live if group.id in s.contact.groups]
        engine.delete_group(group.name)
        for before in members:
            self._ungrouped(act.who, before, group.name)
        return f"deletes group {group.name} of {len(members)}"

    def _ungrouped(self, device: str, before: Facts, name: str) -> None:
        """A group went from a device, and a member with it."""
        who = facts.key(before)
        cards, others = self._stage.cards_of(who), self._stage.on_devices(who)
        self._stage.ledger.ungrouped(before, name, device, cards, others)
        late = [remote for remote in self._stage.remotes.values() if remote.kind.has_labels]
        self._stage.ledger.late_members([facts.of_card(p) for r in late for _, p in r.cards()], name)

    def _merge(self, act: Act, engine: Engine, live: Sequence[StoredContact]) -> str:
        first, second = choose(live, act.pick), choose(live, act.also)
        if first.uid == second.uid:
            return ""
        both = self._stage.facts(act.who, first.contact), self._stage.facts(act.who, second.contact)
        merged = engine.merge(first.uid, second.uid)
        if any(len(remote.books) > 1 for remote in self._stage.remotes.values()):
            self._stage.ledger.several.add(facts.key(both[0]))  # one card in each book where one was (L40)
        if len(self._stage.devices) > 1 < len(self._stage.remotes):
            # another device may know one of them from an account that this one did not meet yet
            self._stage.ledger.several.update(map(facts.key, both))
        for who in map(facts.key, both):
            if any(self._stage.let_go(who, place, but=act.who) for place in self._stage.remotes):
                self._stage.ledger.several.add(who)  # or from a file, and brings them there on its own
        self._stage.ledger.united(*both, self._stage.facts(act.who, merged.contact))
        return f"merges {facts.key(both[1])} into {facts.key(both[0])}"

    def _import(self, act: Act, engine: Engine, live: Sequence[StoredContact]) -> str:
        file = self._stage.folder / "people.vcf"
        again = file.exists()
        if not again:
            some = [people.newcomer(self._stage.words, self._stage.new_id("file")) for _ in range(2)]
            file.write_bytes(b"".join(VCardCodec().write(contact, None) for contact in some))
        known = self._memory(engine)
        before = {s.uid: self._stage.facts(act.who, s.contact) for s in live}
        import_sources(engine, [str(file)])
        after = {s.uid: self._stage.facts(act.who, s.contact) for s in engine.contacts()}
        if known and before != after:
            raise Violation("L30", f"importing the same file again changed {act.who}")
        for uid, now in after.items():
            if uid not in before and len(self._stage.versions(facts.key(now))) > 1:
                self._stage.ledger.apart.add(facts.key(now))
            if uid not in before and facts.key(now) in self._stage.ledger.merged:
                self._stage.ledger.several.add(facts.key(now))  # nobody told this device of that merge
            if before.get(uid) != now:
                self._stage.ledger.imported(before.get(uid, NOTHING), now, device=act.who)
        return "imports the file again" if known else "imports a file of 2"

    def _memory(self, engine: Engine) -> bool:
        return any(run.kind == "import" for run in engine.runs(1000))

    def _undo(self, act: Act, engine: Engine, live: Sequence[StoredContact]) -> str:
        runs = self._stage.runs[act.who]
        if not runs:
            return ""
        known = runs.pop(int(act.pick * act.pick * len(runs)))
        a_round = engine.kind_of(known.run) == "sync"
        before = taking_back.picture(self._stage, act.who)
        engine.undo(known.run)
        after = taking_back.picture(self._stage, act.who)
        taking_back.check_undone_later(known, before, after)
        for uid in before.contacts.keys() | after.contacts.keys():
            was, made = known.before.contacts.get(uid, NOTHING), known.after.contacts.get(uid, NOTHING)
            seen = facts.values(was) - facts.values(made) if a_round else set()
            self._tell_of(act.who, before.contacts.get(uid), after.contacts.get(uid), seen)
            for name in sorted(_ended(before, after, uid)):
                self._ungrouped(act.who, before.contacts[uid], name)
        return f"takes back run {known.run}: {after - before or 'nothing is left of it'}"

    def _tell_of(
        self, who: str, before: Facts | None, after: Facts | None, seen: set[tuple[str, str]]
    ) -> None:
        """What the oracle has to know of one contact that an undo changed."""
        ledger = self._stage.ledger
        if before is None and after is not None:
            ledger.brought_back(after)
            ledger.several.add(facts.key(after))
        elif after is None and before is not None:
            ledger.forgot(before, device=who)
        elif before is not None and after is not None and before != after:
            ledger.took_back(before, after, seen, place=who)


def _ended(before: Picture, after: Picture, uid: str) -> set[str]:
    """The groups of a contact that an undo deleted: it left them with the group, as by `delete-group`."""
    if uid not in before.contacts or uid not in after.contacts:
        return set()
    gone = {name for group_id, name in before.groups.items() if group_id not in after.groups}
    return gone & before.contacts[uid]["group"]
