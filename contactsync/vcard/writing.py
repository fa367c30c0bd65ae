"""A changed contact put into the card that is there: only lines of what differs are touched (L7-L9)."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any

from contactsync.model.contact import Extra
from contactsync.vcard import values
from contactsync.vcard.dialects import Row, rows_for_new
from contactsync.vcard.layout import render, soft_wrap, style_of, tail_of
from contactsync.vcard.lines import Line, Params, from_utf8, param_value, plain_param
from contactsync.vcard.pairing import pair
from contactsync.vcard.projecting import clean_entries
from contactsync.vcard.reading import Card, Slot
from contactsync.vcard.shapes import SHAPES, Draft, Side, escape_item, label_of

_HELPER_NAMES = {"X-ABLABEL": "X-ABLabel", "X-ABADR": "X-ABADR", "LABEL": "LABEL"}


class Editor:
    """Edits of one card: lines replaced, taken out or put in; all others go back as they came."""

    def __init__(self, card: Card, fresh: bool) -> None:
        self.card = card
        self.fresh = fresh
        self.version = card.version
        self.style = style_of(card.lines)
        self._replaced: dict[int, bytes] = {}
        self._after: dict[int, list[bytes]] = {}
        self._groups = {line.group.lower() for line in card.lines if line.group}
        self._moved_groups: dict[str, str] = {}
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

    def emit(self, group: str, name: str, params: Params, value: str, line: Line | None = None) -> bytes:
        """A line for an escaped value; vCard 2.1 gets quoted-printable where it needs it."""
        model = line or Line(b"", group, name, params, value)
        quoted = Line(b"", group, name, params, value).transfer == "quoted-printable"
        if quoted or (("\n" in value or not value.isascii()) and self.version == "2.1"):
            return self._emit_quoted(group, name, params, value)
        charset = model.charset
        if not value.isascii() and any(key.upper() == "CHARSET" for key, _ in params):
            params, charset = _with_param(params, "CHARSET", "UTF-8"), "utf-8"
        return self._raw(group, name, params, value, charset) + tail_of(model.source)

    def _emit_quoted(self, group: str, name: str, params: Params, value: str) -> bytes:
        if Line(b"", group, name, params, value).transfer != "quoted-printable":
            params = (*params, ("ENCODING", "QUOTED-PRINTABLE"))
        if not value.isascii():
            params = _with_param(params, "CHARSET", "UTF-8")
        return self._raw(group, name, params, values.quoted_printable(value), "utf-8")

    def _raw(self, group: str, name: str, params: Params, raw: str, charset: str) -> bytes:
        """A line for a value that is encoded already, laid out as its encoding wants it."""
        transfer = Line(b"", group, name, params, raw).transfer
        if transfer == "quoted-printable":
            head = render(group, name, params, "", self.style._replace(width=0, end=b"")).decode()
            return soft_wrap(head.removesuffix(":"), raw, self.style)
        if transfer == "base64":
            style = self.style if self.style.width else self.style._replace(width=75)
            data = render(group, name, params, raw, style, charset)
            return data + style.end if self.version == "2.1" else data
        style = self.style if self.version != "2.1" else self.style._replace(width=0)
        return render(group, name, params, raw, style, charset)

    def replace(self, index: int, data: bytes) -> None:
        self._replaced[index] = data

    def insert(self, index: int, data: bytes) -> None:
        self._after.setdefault(index, []).append(data)

    def fresh_group(self) -> str:
        number = 1
        while f"item{number}" in self._groups:
            number += 1
        self._groups.add(f"item{number}")
        return f"item{number}"

    def reserve(self, extras: tuple[Extra, ...]) -> None:
        """Groups of lines that may still come are not given to others."""
        self._groups |= {extra.group.lower() for extra in extras if extra.group}

    # -- entries -----------------------------------------------------------------------------------

    def entries(self, field: str, new: tuple[Any, ...]) -> None:
        """Bring one list of the contact to ``new``."""
        slots = self.card.slots.get(field, [])
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
        for place, group in groupby(added, key=itemgetter(0)):
            self._add_all(field, clean_entries(field, map(itemgetter(1), group)), place)

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
            self.replace(slot.line, self._extra_line(entry, line.group))
            return []
        writer = SHAPES[field][1]
        old, new = (writer(state, slot.row, self.version, line) for state in (slot.entry, entry))
        params = edit_params(line.params, old, new, self.version)
        if self._reads(field, slot.row, line.name, params, new) != entry:
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
            group, missing = self.fresh_group(), list(new.helpers)
            for at in helpers.values():
                self._release(at)
        else:
            for name in changed - set(missing):
                self._change_helper(helpers[name], name, old, new)
        if params != line.params or old.value != new.value or group != line.group:
            self.replace(slot.line, self._edited(line, group, params, old, new))
        for name in missing:
            self.insert(slot.line, self._helper(group, name, new))

    def _change_helper(self, at: int, name: str, old: Draft, new: Draft) -> None:
        if name not in new.helpers:
            self.replace(at, b"")
            return
        line = self.card.lines[at]
        params = edit_params(line.params, old, new, self.version) if name == "LABEL" else line.params
        self.replace(at, self.emit(line.group, line.name, params, new.helpers[name], line))

    def _edited(self, line: Line, group: str, params: Params, old: Draft, new: Draft) -> bytes:
        """Where only parameters change, the value goes back as it is encoded now."""
        if old.value != new.value:
            return self.emit(group, line.name, params, new.value, line)
        return self._raw(group, line.name, params, line.value, line.charset) + tail_of(line.source)

    def _reads(self, field: str, row: Row, name: str, params: Params, draft: Draft) -> Any:
        """What a reader sees in a draft."""
        line = Line(b"", "", name, params, draft.value)
        if line.transfer == "quoted-printable":
            line = line._replace(value=values.quoted_printable(draft.value))
        texts = {key: values.unescape(text, self.version) for key, text in draft.helpers.items()}
        label, country = label_of(texts.get("X-ABLABEL", "")), texts.get("X-ABADR", "")
        try:
            entries = SHAPES[field][0](line, row, self.version, Side(label, country, texts.get("LABEL", "")))
        except ValueError:
            return None
        return entries[0] if entries else None

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
            keep = bool(cleaned) and _marks(cleaned[0]) == _marks(slot.entry)
            raw[slot.element] = escape_item(cleaned[0].name, self.version) if keep else None
            again += [] if keep else cleaned
        self._put_list(index, line, raw)
        return again

    def _put_list(self, index: int, line: Line, raw: list[str | None]) -> None:
        value = ",".join(item for item in raw if item is not None)
        if value == values.transfer_decoded(line.value, line):
            return
        self.replace(index, self.emit(line.group, line.name, line.params, value, line) if value else b"")

    def _add_all(self, field: str, entries: list[Any], place: int | None) -> None:
        at = 0
        while at < len(entries):
            run = 1
            while field == "nicknames" and at + run < len(entries):
                if _marks(entries[at + run]) != _marks(entries[at]):
                    break
                run += 1
            self._add(field, entries[at : at + run], place)
            at += run

    def _add(self, field: str, entries: list[Any], place: int | None) -> None:
        """A new line behind that ``place``; several entries only for a list property."""
        entry = entries[0]
        place = self.card.end - 1 if place is None else place
        if field == "extra":
            self.insert(place, self._extra_line(entry, self._extra_group(entry)))
            return
        row, draft = self._best(field, entry)
        value = draft.value
        if field == "nicknames":
            value = ",".join(escape_item(item.name, self.version) for item in entries)
        group = self.fresh_group() if draft.helpers else ""
        params = edit_params((), Draft(""), draft, self.version)
        self.insert(place, self.emit(group, row.name, params, value))
        for name in draft.helpers:
            self.insert(place, self._helper(group, name, draft))

    def _best(self, field: str, entry: Any) -> tuple[Row, Draft]:
        """The first way to write an entry that reads back as it is."""
        rows = rows_for_new(field, "4.0" if self.version == "4.0" else "3.0")
        kinds = [row for row in rows if not row.kind or row.kind == getattr(entry, "kind", row.kind)]
        for row in kinds or rows:
            draft = SHAPES[field][1](entry, row, self.version, None)
            if len(kinds) == 1:
                break
            params = edit_params((), Draft(""), draft, self.version)
            if self._reads(field, row, row.name, params, draft) == entry:
                break
        return row, draft

    def _helper(self, group: str, name: str, draft: Draft) -> bytes:
        params: Params = ()
        if name == "LABEL":
            params = edit_params((), Draft(""), Draft("", draft.words), self.version)
        return self.emit(group, _HELPER_NAMES[name], params, draft.helpers[name])

    def _extra_line(self, entry: Extra, group: str) -> bytes:
        return self._raw(group, entry.name, entry.params, entry.value, "utf-8")

    def _extra_group(self, entry: Extra) -> str:
        """The group of a new raw line, another one where the card uses that name already."""
        group = entry.group.lower()
        if not group:
            return ""
        if group not in self._moved_groups:
            taken = any(line.group.lower() == group for line in self.card.lines)
            legal = group.replace("-", "").replace(".", "").isalnum() and group.isascii()
            self._moved_groups[group] = self.fresh_group() if taken or not legal else entry.group
        return self._moved_groups[group]

    # -- what a contact has once ---------------------------------------------------------------------

    def single(self, name: str, value: str, after: int, spelled: str = "") -> None:
        """Set, add or (with an empty value) take out a line of which a card has one."""
        index = self.card.singles.get(name)
        if index is None:
            if value:
                self.insert(after, self.emit("", spelled or name, (), value))
        elif value:
            line = self.card.lines[index]
            self.replace(index, self.emit(line.group, line.name, line.params, value, line))
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
            self.insert(self.card.end - 1, self.emit("", "CATEGORIES", (), value))
        for place, (index, parts) in enumerate(kept):
            rest = [part for part in parts if part is None or part.strip()]
            last = place == len(kept) - 1
            self._put_list(index, self.card.lines[index], [*rest, *fresh] if last and fresh else parts)


def _marks(entry: Any) -> tuple[Any, ...]:
    return (entry.contexts, entry.pref)


def _with_param(params: Params, name: str, value: str) -> Params:
    if any(key.upper() == name for key, _ in params):
        return tuple((key, value if key.upper() == name else text) for key, text in params)
    return (*params, (name, value))


def edit_params(params: Params, old: Draft, new: Draft, version: str) -> Params:
    """The parameters of a line with what differs between two drafts; all others stay as spelled."""
    drop = {word.lower() for word in old.words if word not in new.words}
    add = [word for word in new.words if word not in old.words]
    gone = {name for name in {*old.params, *new.params} if old.params.get(name) != new.params.get(name)}
    if old.pref != new.pref:
        drop.add("pref")
        gone.add("PREF")
        add += ["pref"] if new.pref == 1 and version != "4.0" else []
    kept: list[tuple[str, str]] = []
    for key, value in params:
        if key.upper() not in gone:
            kept += _without_words(key, value, drop)
    if add:
        kept = _with_words(kept, add, version)
    fresh = {name: text for name, text in new.params.items() if name in gone}
    if old.pref != new.pref and new.pref is not None and (version == "4.0" or new.pref != 1):
        fresh["PREF"] = str(new.pref)
    return (*kept, *((name, param_value(text)) for name, text in fresh.items()))


def _without_words(key: str, value: str, drop: set[str]) -> list[tuple[str, str]]:
    if not key:
        return [] if value.lower() in drop else [(key, value)]
    if key.upper() != "TYPE" or not drop:
        return [(key, value)]
    words = plain_param(value).split(",")
    rest = [word for word in words if word.strip().lower() not in drop]
    if len(rest) == len(words):
        return [(key, value)]
    joined = ",".join(rest)
    return [(key, f'"{joined}"' if value.startswith('"') else joined)] if rest else []


def _with_words(params: list[tuple[str, str]], add: list[str], version: str) -> list[tuple[str, str]]:
    """New TYPE words in the spelling of the line: bare in 2.1, upper case where the others are."""
    types = [(key, value) for key, value in params if key.upper() == "TYPE"]
    if version == "2.1" and not types:
        return [*params, *(("", word.upper()) for word in add)]
    upper = bool(types) and types[-1][1].isupper()
    words = ",".join(word.upper() if upper else word for word in add)
    at = params.index(types[-1]) + 1 if types else len(params)
    return [*params[:at], (types[-1][0] if types else "TYPE", words), *params[at:]]
