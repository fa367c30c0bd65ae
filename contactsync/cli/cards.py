"""Cards as a person gives and gets them one at a time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from contactsync.errors import CodecError, UsageError

if TYPE_CHECKING:
    from contactsync.api import Engine
    from contactsync.engine.report import CardError
    from contactsync.model.contact import Contact
    from contactsync.store.values import StoredContact


def text_of(engine: Engine, stored: StoredContact, form: str) -> str:
    """The contact as a card, with its photo and the names of its groups."""
    from contactsync.exchange.exporter import form_of

    return form_of(form).write(engine.export_form(stored.contact)).decode()


def bytes_of(file: str) -> bytes:
    """What a file or, for ``-``, standard input holds."""
    if file == "-":
        if sys.stdin.isatty():
            sys.stderr.write("Reading vCards from the terminal; end with Ctrl-D.\n")
        return sys.stdin.buffer.read()
    try:
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error


def read_cards(data: bytes, source: str) -> tuple[list[Contact], list[CardError]]:
    """All readable cards, and what is wrong with the others."""
    from contactsync.engine.report import CardError
    from contactsync.jscontact.files import looks_like_json
    from contactsync.vcard.glimpse import glimpse
    from contactsync.vcard.lines import split_cards

    if looks_like_json(data):
        return _read_json(data, source)
    found, errors = [], []
    for raw in split_cards(data):
        try:
            found.append(read_card(raw.data))
        except CodecError as error:
            reason = str(error)
            errors.append(CardError("", f"{source}, line {raw.line}", glimpse(raw.data), reason))
    if not found and not errors:
        raise UsageError(f"There is no vCard in {source}.", hint="One begins with the line BEGIN:VCARD")
    return found, errors


def _read_json(data: bytes, source: str) -> tuple[list[Contact], list[CardError]]:
    from contactsync.engine.report import CardError
    from contactsync.jscontact.files import loads

    found, errors = [], []
    try:
        for card in loads(data):
            if card.contact is None:
                errors.append(CardError("", f"{source}, line {card.line}", "(no name)", card.problem))
            else:
                found.append(card.contact)
    except CodecError as error:
        raise UsageError(f"{source}: {error.message}", hint="It takes vCards or JSContact.") from error
    if not found and not errors:
        raise UsageError(f"There is no Card in {source}.")
    return found, errors


def read_card(data: bytes) -> Contact:
    """The contact of one card. Raises `CodecError`."""
    from contactsync.vcard.codec import VCardCodec

    return VCardCodec("4.0").read(data)
