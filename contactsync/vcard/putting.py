"""A contact put into a card: what a card has once (name, kind, times), and the order of all edits."""

from __future__ import annotations

from contactsync.model.contact import Contact, Name
from contactsync.vcard import values
from contactsync.vcard.dialects import PHONETIC
from contactsync.vcard.heads import Params
from contactsync.vcard.lines import Line, line_of
from contactsync.vcard.naming import derived_mark, name_lists, name_parts, reading_of, sorted_params
from contactsync.vcard.projecting import CLEANERS, clean_groups, clean_moment, clean_name
from contactsync.vcard.reading import DERIVED, card_of, derivable
from contactsync.vcard.shapes import escape_item
from contactsync.vcard.writing import Editor


def put(contact: Contact, payload: bytes) -> bytes:
    """``contact`` written into the card; its UID stays, REV follows ``contact.updated``."""
    card = card_of(payload)
    editor = Editor(card)
    editor.spell.reserve(contact.extra)
    _put_name(editor, contact)
    _put_kind(editor, contact)
    for field in CLEANERS:
        editor.entries(field, getattr(contact, field))
    old = card.contact
    if contact.groups != old.groups:
        new = clean_groups(contact.groups)
        editor.categories(old.groups - new, sorted(new - old.groups))
    if contact.updated is not None and contact.updated != old.updated:
        moment = clean_moment(contact.updated)
        editor.single("REV", values.stamp(moment, card.version) if moment else "", card.end - 1)
    return editor.result()


def _put_kind(editor: Editor, contact: Contact) -> None:
    kind = values.tidy(contact.kind).lower()
    if kind != editor.card.contact.kind:
        spelled = "KIND" if editor.version == "4.0" else "X-ADDRESSBOOKSERVER-KIND"
        editor.single("KIND", values.escape(kind, editor.version), editor.card.end - 1, spelled)


def _put_name(editor: Editor, contact: Contact) -> None:
    card = editor.card
    old, new = card.contact.name, clean_name(contact.name)
    if contact == card.contact:
        return
    place = card.singles.get("FN", card.singles.get("VERSION", card.begin))
    if contact.name != old:
        _put_parts(editor, old, new, place)
        _put_readings(editor, old, new, place)
    _put_full(editor, contact, old.full, new, place)


def _put_parts(editor: Editor, old: Name, new: Name, place: int) -> None:
    """N and what to sort by: a parameter of N in 4.0 or where it is one now, else SORT-STRING."""
    index = editor.card.singles.get("N")
    line = editor.card.lines[index] if index is not None else line_of("", "N", (), "")
    params = line.params
    if old.sort_as != new.sort_as and (editor.version == "4.0" or line.param("SORT-AS")):
        params = sorted_params(line.params, new.sort_as)
        if "SORT-STRING" in editor.card.singles and not new.sort_as:
            editor.single("SORT-STRING", "", place)
    elif old.sort_as != new.sort_as:
        value = ",".join(escape_item(item, editor.version) for item in new.sort_as)
        editor.single("SORT-STRING", value, place if index is None else index)
    parts = name_parts(line, name_lists(old), name_lists(new), editor.version)
    if index is not None and (params != line.params or parts):
        value = ";".join(parts) if parts else values.transfer_decoded(line.value, line)
        editor.replace(index, editor.spell.emit(line.group, line.name, params, value, line))
    elif index is None and (params or parts):
        editor.insert(place, editor.spell.emit("", "N", params, ";".join(parts or [""] * 5)))


def _put_readings(editor: Editor, old: Name, new: Name, place: int) -> None:
    for name, kind in PHONETIC.items():
        before, after = ([c.phonetic for c in n.components if c.kind == kind] for n in (old, new))
        if before == after:
            continue
        value = reading_of(new, kind, editor.version)
        editor.single(name, value, editor.card.singles.get("N", place))


def _put_full(editor: Editor, contact: Contact, old: str, new: Name, place: int) -> None:
    """FN; where the contact has no display name, one is made up and marked (RFC 9554 section 4.4)."""
    card = editor.card
    index = card.singles.get("FN")
    line = card.lines[index] if index is not None else None
    if new.full:
        if new.full != old:
            params = tuple(p for p in (line.params if line else ()) if p[0].upper() not in DERIVED)
            _set_fn(editor, line, new.full, params, place)
        return
    choices = derivable(new.components, contact)
    shown = values.tidy(values.text_of(line, card.version)) if line else ""
    if line is None or (not old and (not shown or shown in choices)):
        return
    params = (*(p for p in line.params if p[0].upper() not in DERIVED), derived_mark(card.version))
    _set_fn(editor, line, choices[0], params, place)


def _set_fn(editor: Editor, line: Line | None, text: str, params: Params, place: int) -> None:
    group, name = (line.group, line.name) if line else ("", "FN")
    data = editor.spell.emit(group, name, params, values.escape(text, editor.version), line)
    if line is None:
        editor.insert(place, data)
    else:
        editor.replace(editor.card.singles["FN"], data)
