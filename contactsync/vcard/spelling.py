"""New lines: how an entry that is not on a card yet is spelled, in its version and the habits of the card."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from contactsync.model.contact import Extra
from contactsync.vcard import values
from contactsync.vcard.dialects import Row, rows_for_new
from contactsync.vcard.heads import Params, plain_param, transfer_of
from contactsync.vcard.layout import Style, fold, render, soft_wrap, tail_of
from contactsync.vcard.lines import Line, line_of, param_value, safe_param
from contactsync.vcard.shapes import SHAPES, Draft, Side, escape_item, label_of

_HELPER_NAMES = {"X-ABLABEL": "X-ABLabel", "X-ABADR": "X-ABADR", "LABEL": "LABEL"}


class Speller:
    """Spells lines for one card. ``groups`` are the names of groups that are taken, in lower case."""

    def __init__(self, version: str, style: Style, groups: set[str]) -> None:
        self.version = version
        self.style = style
        self._groups = groups
        self._there = frozenset(groups)
        self._moved: dict[str, str] = {}
        self._numbers = itertools.count(1)

    # -- lines -------------------------------------------------------------------------------------

    def emit(self, group: str, name: str, params: Params, value: str, line: Line | None = None) -> bytes:
        """A line for an escaped value; vCard 2.1 gets quoted-printable where it needs it. Charset and the
        blank lines behind it are those of the ``line`` that it replaces."""
        if not params and line is None and self.version != "2.1":
            return self._laid_out(group, name, value)
        quoted = transfer_of(params) == "quoted-printable"
        if quoted or (("\n" in value or not value.isascii()) and self.version == "2.1"):
            return self._emit_quoted(group, name, params, value)
        charset = line.charset if line else "utf-8"
        if not value.isascii() and any(key.upper() == "CHARSET" for key, _ in params):
            params, charset = _with_param(params, "CHARSET", "UTF-8"), "utf-8"
        data = self.raw(group, name, params, value, charset)
        return data + tail_of(line.source) if line else data

    def _emit_quoted(self, group: str, name: str, params: Params, value: str) -> bytes:
        if transfer_of(params) != "quoted-printable":
            params = (*params, ("ENCODING", "QUOTED-PRINTABLE"))
        if not value.isascii():
            params = _with_param(params, "CHARSET", "UTF-8")
        return self.raw(group, name, params, values.quoted_printable(value), "utf-8")

    def raw(self, group: str, name: str, params: Params, raw: str, charset: str = "utf-8") -> bytes:
        """A line for a value that is encoded already, laid out as its encoding wants it."""
        transfer = transfer_of(params)
        if transfer == "quoted-printable":
            head = render(group, name, params, "", self.style._replace(width=0, end=b"")).decode()
            return soft_wrap(head.removesuffix(":"), raw, self.style)
        if transfer == "base64":
            style = self.style if self.style.width else self.style._replace(width=75)
            data = render(group, name, params, raw, style, charset)
            return data + style.end if self.version == "2.1" else data
        style = self.style if self.version != "2.1" else self.style._replace(width=0)
        return render(group, name, params, raw, style, charset)

    def fresh_group(self) -> str:
        name = next(f"item{number}" for number in self._numbers if f"item{number}" not in self._groups)
        self._groups.add(name)
        return name

    def reserve(self, extras: Iterable[Extra]) -> None:
        """Groups of lines that may still come are not given to others."""
        self._groups |= {extra.group.lower() for extra in extras if extra.group}

    # -- entries -----------------------------------------------------------------------------------

    def lines(self, field: str, entries: Iterable[Any]) -> Iterator[bytes]:
        """The lines of clean entries; names with the same marks share one NICKNAME line."""
        if field == "extra":
            for entry in entries:
                yield self.extra(entry, self._extra_group(entry))
        elif field == "nicknames":
            for _, alike in itertools.groupby(entries, key=marks):
                first, *rest = alike
                names = [escape_item(entry.name, self.version) for entry in (first, *rest)]
                yield from self._entry(field, first, ",".join(names))
        else:
            for entry in entries:
                yield from self._entry(field, entry)

    def _entry(self, field: str, entry: Any, value: str | None = None) -> Iterator[bytes]:
        row, draft = self._best(field, entry)
        group = self.fresh_group() if draft.helpers else ""
        value = draft.value if value is None else value
        if self.version == "2.1" or draft.params:
            yield self.emit(group, row.name, params_of(draft, self.version), value)
        else:
            yield self._laid_out(group, _head(row.name, draft.words, draft.pref, self.version), value)
        for name in draft.helpers:
            yield self.helper(group, name, draft)

    def _laid_out(self, group: str, head: str, value: str) -> bytes:
        data = f"{group}.{head}:{value}" if group else f"{head}:{value}"
        return fold(data.encode("utf-8", "replace"), self.style) + self.style.end

    def _best(self, field: str, entry: Any) -> tuple[Row, Draft]:
        """The first way to write an entry that reads back as it is."""
        kind, service = getattr(entry, "kind", ""), getattr(entry, "service", "")
        rows = _rows(field, "4.0" if self.version == "4.0" else "3.0", kind, service)
        write = SHAPES[field][1]
        for row in rows:
            draft = write(entry, row, self.version, None)
            if row is rows[-1]:
                break
            if self.reads(field, row, row.name, params_of(draft, self.version), draft) == entry:
                break
        return row, draft

    def reads(self, field: str, row: Row, name: str, params: Params, draft: Draft) -> Any:
        """What a reader sees in a draft."""
        line = line_of("", name, params, draft.value)
        if line.head.transfer == "quoted-printable":
            line = line._replace(value=values.quoted_printable(draft.value))
        side = Side()
        if draft.helpers:
            texts = {key: values.unescape(text, self.version) for key, text in draft.helpers.items()}
            label = label_of(texts.get("X-ABLABEL", ""))
            side = Side(label, texts.get("X-ABADR", ""), texts.get("LABEL", ""))
        try:
            entries = SHAPES[field][0](line, row, self.version, side)
        except ValueError:
            return None
        return entries[0] if entries else None

    def helper(self, group: str, name: str, draft: Draft) -> bytes:
        params: Params = ()
        if name == "LABEL":
            params = params_of(Draft("", draft.words), self.version)
        return self.emit(group, _HELPER_NAMES[name], params, draft.helpers[name])

    def extra(self, entry: Extra, group: str) -> bytes:
        return self.raw(group, entry.name, entry.params, entry.value)

    def _extra_group(self, entry: Extra) -> str:
        """The group of a new raw line, another one where the card uses that name already."""
        group = entry.group.lower()
        if not group:
            return ""
        if group not in self._moved:
            legal = group.replace("-", "").replace(".", "").isalnum() and group.isascii()
            self._moved[group] = self.fresh_group() if group in self._there or not legal else entry.group
        return self._moved[group]


@functools.lru_cache(maxsize=256)
def _rows(field: str, version: str, kind: str, service: str) -> tuple[Row, ...]:
    """Those of the entry's kind; a row that is for another service would not read back."""
    rows = [row for row in rows_for_new(field, version) if row.service in ("", service)]
    return tuple(row for row in rows if not row.kind or not kind or row.kind == kind) or tuple(rows)


@functools.lru_cache(maxsize=1024)
def _head(name: str, words: tuple[str, ...], pref: int | None, version: str) -> str:
    """There are few different ones in many cards."""
    params = params_of(Draft("", words, pref), version)
    return ";".join(
        [name, *(f"{key}={safe_param(text)}" if key else safe_param(text) for key, text in params)]
    )


def marks(entry: Any) -> tuple[Any, ...]:
    return (entry.contexts, entry.pref)


def _with_param(params: Params, name: str, value: str) -> Params:
    if any(key.upper() == name for key, _ in params):
        return tuple((key, value if key.upper() == name else text) for key, text in params)
    return (*params, (name, value))


def params_of(draft: Draft, version: str) -> Params:
    """The parameters of a new line."""
    words = [*draft.words, "pref"] if draft.pref == 1 and version != "4.0" else list(draft.words)
    found = _with_words([], words, version) if words else []
    found += [(name, param_value(text)) for name, text in draft.params.items()]
    if draft.pref is not None and (version == "4.0" or draft.pref != 1):
        found.append(("PREF", str(draft.pref)))
    return tuple(found)


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
