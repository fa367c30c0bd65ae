"""New lines: how an entry that is not on a card yet is spelled, in its version and the habits of the card."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from typing import Any

from contactsync.model.contact import Extra, Nickname
from contactsync.vcard import values
from contactsync.vcard.choosing import row_for_new
from contactsync.vcard.dialects import Row
from contactsync.vcard.heads import Params, transfer_of
from contactsync.vcard.layout import Style, fold, render, soft_wrap, spelled_head, tail_of
from contactsync.vcard.lines import Line
from contactsync.vcard.parameters import params_of, with_param
from contactsync.vcard.shapes import SHAPES, Draft, escape_item

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
            params, charset = with_param(params, "CHARSET", "UTF-8"), "utf-8"
        data = self.raw(group, name, params, value, charset)
        return data + tail_of(line.source) if line else data

    def _emit_quoted(self, group: str, name: str, params: Params, value: str) -> bytes:
        if transfer_of(params) != "quoted-printable":
            params = (*params, ("ENCODING", "QUOTED-PRINTABLE"))
        if not value.isascii():
            params = with_param(params, "CHARSET", "UTF-8")
        return self.raw(group, name, params, values.quoted_printable(value), "utf-8")

    def raw(self, group: str, name: str, params: Params, raw: str, charset: str = "utf-8") -> bytes:
        """A line for a value that is encoded already, laid out as its encoding wants it."""
        transfer = transfer_of(params)
        if transfer == "quoted-printable":
            return soft_wrap(spelled_head(group, name, params), raw, self.style)
        if transfer == "base64":
            style = self.style if self.style.width else self.style._replace(width=75)
            data = render(group, name, params, raw, style, charset)
            return data + style.end if self.version == "2.1" else data
        style = self.style if self.version != "2.1" else self.style._replace(width=0)
        return render(group, name, params, raw, style, charset)

    def fresh_group(self) -> str:
        while True:
            name = f"item{next(self._numbers)}"
            if name not in self._groups:
                self._groups.add(name)
                return name

    def reserve(self, extras: Iterable[Extra]) -> None:
        """Groups of lines that may still come are not given to others."""
        self._groups |= {extra.group.lower() for extra in extras if extra.group}

    # -- entries -----------------------------------------------------------------------------------

    def lines(self, field: str, entries: Iterable[Any]) -> list[bytes]:
        """The lines of clean entries; names with the same marks share one NICKNAME line."""
        if field == "extra":
            return [self.extra(entry, self._extra_group(entry)) for entry in entries]
        if field == "nicknames":
            groups = [list(alike) for _, alike in itertools.groupby(entries, key=marks)]
            return [line for alike in groups for line in self._nicknames(alike)]
        write = SHAPES[field][1]
        found: list[bytes] = []
        for entry in entries:
            row = row_for_new(field, entry, self.version)
            found += self._spelled(row, write(entry, row, self.version, None))
        return found

    def _nicknames(self, alike: list[Nickname]) -> list[bytes]:
        row = row_for_new("nicknames", alike[0], self.version)
        draft = SHAPES["nicknames"][1](alike[0], row, self.version, None)
        names = ",".join([escape_item(entry.name, self.version) for entry in alike])
        return self._spelled(row, draft._replace(value=names))

    def _spelled(self, row: Row, draft: Draft) -> list[bytes]:
        value, words, pref, params, helpers = draft
        group = self.fresh_group() if helpers else ""
        if self.version == "2.1" or row.field == "media":
            line = self.emit(group, row.name, params_of(draft, self.version), value)
        else:
            head = _head(row.name, words, pref, tuple(params.items()) if params else (), self.version)
            line = self._laid_out(group, head, value)
        return [line, *[self.helper(group, name, draft) for name in helpers]] if helpers else [line]

    def _laid_out(self, group: str, head: str, value: str) -> bytes:
        text = f"{group}.{head}:{value}" if group else f"{head}:{value}"
        data = text.encode("utf-8", "replace")
        if len(data) > self.style.width:
            data = fold(data, self.style)
        return data + self.style.end

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


@functools.lru_cache(maxsize=1024)
def _head(name: str, words: tuple[str, ...], pref: int | None, params: Params, version: str) -> str:
    """There are few different ones in many cards."""
    return spelled_head("", name, params_of(Draft("", words, pref, dict(params)), version))


def marks(entry: Any) -> tuple[Any, ...]:
    return (entry.contexts, entry.pref)
