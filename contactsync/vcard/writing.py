"""A changed contact put into the card that is there: only lines of what differs are touched (L7-L9)."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any

from contactsync.vcard import values
from contactsync.vcard.choosing import reads
from contactsync.vcard.heads import Params
from contactsync.vcard.layout import style_of, tail_of
from contactsync.vcard.lines import Line, from_utf8
from contactsync.vcard.pairing import pair
from contactsync.vcard.parameters import edit_params
from contactsync.vcard.projecting import clean_entries
from contactsync.vcard.reading import Card, Slot
from contactsync.vcard.shapes import SHAPES, Draft, escape_item
from contactsync.vcard.spelling import Speller, marks


class Editor:
    """Edits of one card: lines replaced, taken out or put in; all others go back as they came."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.version = card.version
        groups = {line.group.lower() for line in card.lines if line.group}
        self.spell = Speller(card.version, style_of(card.lines), groups)
        self._replaced: dict[int, bytes] = {}
        self._after: dict[int, list[bytes]] = {}
        self._left: dict[int, int] = dict(card.shared)

    def result(self) -> bytes:
        if not self._replaced and not self._after:
            return self.card.payload
        out: list[bytes] = []
        for index, line in enumerate(self.card.lines):
            out.append(self._replaced.get(index, line.source))
            out += self._after.get(index, ())
        return from_utf8(b"".join(out), self.card.wide, self.card.payload)

    # -- lines -------------------------------------------------------------------------------------

    def replace(self, index: int, data: bytes) -> None:
        self._replaced[index] = data

    def insert(self, index: int, data: bytes) -> None:
        self._after.setdefault(index, []).append(data)

    # -- entries -----------------------------------------------------------------------------------

    def entries(self, field: str, new: tuple[Any, ...]) -> None:
        """Bring one list of the contact to ``new``."""
        slots = self.card.slots(field)
        if new == tuple(slot.entry for slot in slots):
            return
        partners = pair([slot.entry for slot in slots], new)
        wanted = {partner: entry for partner, entry in zip(partners, new, strict=True) if partner is not None}
        added = self._places(field, slots, partners, new)
        lists: dict[int, list[Slot]] = {}
        for place, slot in enumerate(slots):
            if slot.element >= 0:
                lists.setdefault(slot.line, []).append(slot)
            elif place not in wanted:
                self._remove(slot)
            elif wanted[place] != slot.entry:
                again = self._change(field, slot, clean_entries(field, [wanted[place]]))
                added += [(slot.line, entry) for entry in again]
        after = {(slots[place].line, slots[place].element): entry for place, entry in wanted.items()}
        for index, members in lists.items():
            added += [(index, entry) for entry in self._change_list(index, members, after)]
        behind: int | None
        for behind, group in groupby(added, key=itemgetter(0)):
            self._add(field, clean_entries(field, map(itemgetter(1), group)), behind)

    def _places(
        self, field: str, slots: list[Slot], partners: list[int | None], new: tuple[Any, ...]
    ) -> list[tuple[int | None, Any]]:
        """The entries without a partner, each with the line that it goes behind: that of the neighbour
        before it, else one before the neighbour after it (L5); None where it has no neighbour."""
        places: list[tuple[int | None, Any]] = []
        for at, entry in enumerate(new):
            if partners[at] is not None:
                continue
            before = next((p for p in reversed(partners[:at]) if p is not None), None)
            after = next((p for p in partners[at:] if p is not None), None)
            if before is not None:
                places.append((self._last_line(slots[before].line), entry))
            else:
                places.append((None if after is None else slots[after].line - 1, entry))
        return places

    def _last_line(self, line: int) -> int:
        """The last line of an entry, helper lines included."""
        return max([line, *self.card.helpers.get(line, {}).values()])

    def _remove(self, slot: Slot) -> None:
        """Take out a line, and its helper lines unless another line of the group needs them."""
        self.replace(slot.line, b"")
        for helper in self.card.helpers.get(slot.line, {}).values():
            self._release(helper)

    def _release(self, helper: int) -> None:
        self._left[helper] -= 1
        if not self._left[helper]:
            self.replace(helper, b"")

    def _change(self, field: str, slot: Slot, entries: list[Any]) -> list[Any]:
        """Edit the line of an entry; what that line cannot say comes back to be added anew."""
        if not entries or entries[0] == slot.entry:
            if not entries:
                self._remove(slot)
            return []
        entry = entries[0]
        line = self.card.lines[slot.line]
        if field == "extra":
            self.replace(slot.line, self.spell.extra(entry, line.group))
            return []
        writer = SHAPES[field][1]
        old, new = (writer(state, slot.row, self.version, line) for state in (slot.entry, entry))
        params = edit_params(line.params, old, new, self.version)
        if reads(field, slot.row, line.name, params, new, self.version) != entry:
            self._remove(slot)
            return [entry]
        self._apply(slot, line, params, old, new)
        return []

    def _apply(self, slot: Slot, line: Line, params: Params, old: Draft, new: Draft) -> None:
        helpers = self.card.helpers.get(slot.line, {})
        names = {*old.helpers, *new.helpers}
        changed = {name for name in names if old.helpers.get(name) != new.helpers.get(name)}
        if "LABEL" in helpers and params != line.params:
            changed.add("LABEL")
        shared = any(self._left[helpers[name]] > 1 for name in changed if name in helpers)
        missing = [name for name in changed if name in new.helpers and name not in helpers]
        group = line.group
        alone = self.card.members.get(group.lower(), 0) == 1
        if shared or (missing and not alone):
            group, missing = self.spell.fresh_group(), list(new.helpers)
            for at in helpers.values():
                self._release(at)
        else:
            for name in changed - set(missing):
                self._change_helper(helpers[name], name, old, new)
        if params != line.params or old.value != new.value or group != line.group:
            self.replace(slot.line, self._edited(line, group, params, old, new))
        for name in missing:
            self.insert(slot.line, self.spell.helper(group, name, new))

    def _change_helper(self, at: int, name: str, old: Draft, new: Draft) -> None:
        if name not in new.helpers:
            self.replace(at, b"")
            return
        line = self.card.lines[at]
        params = edit_params(line.params, old, new, self.version) if name == "LABEL" else line.params
        self.replace(at, self.spell.emit(line.group, line.name, params, new.helpers[name], line))

    def _edited(self, line: Line, group: str, params: Params, old: Draft, new: Draft) -> bytes:
        """Where only parameters change, the value goes back as it is encoded now."""
        if old.value != new.value:
            return self.spell.emit(group, line.name, params, new.value, line)
        return self.spell.raw(group, line.name, params, line.value, line.charset) + tail_of(line.source)

    def _add(self, field: str, entries: list[Any], place: int | None) -> None:
        """New lines behind that ``place``, or at the end."""
        for data in self.spell.lines(field, entries):
            self.insert(self.card.end - 1 if place is None else place, data)

    def _change_list(self, index: int, members: list[Slot], after: dict[tuple[int, int], Any]) -> list[Any]:
        """Edit the elements of one NICKNAME line; marks hold for the line as a whole."""
        line = self.card.lines[index]
        raw: list[str | None] = list(values.split_raw(values.transfer_decoded(line.value, line), ","))
        again: list[Any] = []
        for slot in members:
            entry = after.get((slot.line, slot.element))
            if entry == slot.entry:
                continue
            cleaned = clean_entries("nicknames", [entry] if entry is not None else [])
            keep = bool(cleaned) and marks(cleaned[0]) == marks(slot.entry)
            raw[slot.element] = escape_item(cleaned[0].name, self.version) if keep else None
            again += [] if keep else cleaned
        self._put_list(index, line, raw)
        return again

    def _put_list(self, index: int, line: Line, raw: list[str | None]) -> None:
        value = ",".join(item for item in raw if item is not None)
        if value == values.transfer_decoded(line.value, line):
            return
        data = self.spell.emit(line.group, line.name, line.params, value, line) if value else b""
        self.replace(index, data)

    # -- what a contact has once ---------------------------------------------------------------------

    def single(self, name: str, value: str, after: int, spelled: str = "") -> None:
        """Set, add or (with an empty value) take out a line of which a card has one."""
        index = self.card.singles.get(name)
        if index is None:
            if value:
                self.insert(after, self.spell.emit("", spelled or name, (), value))
        elif value:
            line = self.card.lines[index]
            self.replace(index, self.spell.emit(line.group, line.name, line.params, value, line))
        else:
            self.replace(index, b"")

    def categories(self, removed: frozenset[str], added: list[str]) -> None:
        """A removed name leaves its lines; a new one goes to the last line."""
        if not removed and not added:
            return
        kept: list[tuple[int, list[str | None]]] = []
        for index, names in self.card.categories:
            line = self.card.lines[index]
            raw = values.split_raw(values.transfer_decoded(line.value, line), ",")
            pairs = zip(names, raw, strict=True)
            kept.append((index, [None if name in removed else part for name, part in pairs]))
        fresh: list[str | None] = [escape_item(name, self.version) for name in added]
        if not kept and fresh:
            value = ",".join(filter(None, fresh))
            self.insert(self.card.end - 1, self.spell.emit("", "CATEGORIES", (), value))
        for place, (index, parts) in enumerate(kept):
            rest = [part for part in parts if part is None or part.strip()]
            last = place == len(kept) - 1
            self._put_list(index, self.card.lines[index], [*rest, *fresh] if last and fresh else parts)
