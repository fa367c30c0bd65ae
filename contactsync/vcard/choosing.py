"""In which of the ways that there are a new entry is written: the first that reads back as it is."""

from __future__ import annotations

import functools
from typing import Any

from contactsync.model.contact import OnlineService, Relation
from contactsync.vcard import values
from contactsync.vcard.dialects import Row, rows_for_new
from contactsync.vcard.heads import Params
from contactsync.vcard.lines import line_of
from contactsync.vcard.parameters import params_of
from contactsync.vcard.shapes import SHAPES, Draft, Side, label_of


def row_for_new(field: str, entry: Any, version: str) -> Row:
    """The first way to write a clean entry in which it reads back as it is. Which one that is depends on what
    it says besides its texts: these read back in every row, or in none (backslashes in 2.1)."""
    if field == "online_services":
        rest = (entry.kind, entry.contexts, entry.label, entry.pref)
        return _service_row(version, entry.service, entry.uri and "x", entry.user and "x", *rest)
    if field == "related_to":
        return _relation_row(version, entry.relation, entry.label)
    return _rows(field, version, getattr(entry, "kind", ""), "")[0]


@functools.lru_cache(maxsize=1024)
def _service_row(version: str, *said: Any) -> Row:
    return first_row("online_services", OnlineService(*said), version)


@functools.lru_cache(maxsize=1024)
def _relation_row(version: str, *said: Any) -> Row:
    return first_row("related_to", Relation("x", *said), version)


def first_row(field: str, entry: Any, version: str) -> Row:
    """Found by trying; the last one takes what no other does."""
    *rows, last = _rows(field, version, getattr(entry, "kind", ""), getattr(entry, "service", ""))
    for row in rows:
        draft = SHAPES[field][1](entry, row, version, None)
        if reads(field, row, row.name, params_of(draft, version), draft, version) == entry:
            return row
    return last


@functools.lru_cache(maxsize=256)
def _rows(field: str, version: str, kind: str, service: str) -> tuple[Row, ...]:
    """Those of the entry's kind; a row that is for another service would not read back."""
    rows = [
        row
        for row in rows_for_new(field, "4.0" if version == "4.0" else "3.0")
        if row.service in ("", service)
    ]
    return tuple([row for row in rows if not row.kind or not kind or row.kind == kind]) or tuple(rows)


def reads(field: str, row: Row, name: str, params: Params, draft: Draft, version: str) -> Any:
    """What a reader sees in a draft."""
    line = line_of("", name, params, draft.value)
    if line.head.transfer == "quoted-printable":
        line = line._replace(value=values.quoted_printable(draft.value))
    side = Side()
    if draft.helpers:
        texts = {key: values.unescape(text, version) for key, text in draft.helpers.items()}
        label = label_of(texts.get("X-ABLABEL", ""))
        side = Side(label, texts.get("X-ABADR", ""), texts.get("LABEL", ""))
    try:
        entries = SHAPES[field][0](line, row, version, side)
    except ValueError:
        return None
    return entries[0] if entries else None
