"""The codec of the connector: a payload is one contact of Graph as JSON, in the form of `canonical`."""

from __future__ import annotations

import json
from typing import Any

from contactsync.connectors.base import Payload
from contactsync.connectors.outlook.person import read_person, write_person
from contactsync.errors import CodecError
from contactsync.model import jsonform
from contactsync.model.contact import Contact


def dumps(content: dict[str, Any]) -> Payload:
    """One way to write a contact: what comes in another order is the same."""
    return jsonform.encode(content).encode()


def loads(payload: Payload) -> dict[str, Any]:
    """Raises `CodecError`."""
    try:
        content = json.loads(payload)
    except ValueError as error:
        raise CodecError("This is not a contact of Outlook: it is not JSON.") from error
    if not isinstance(content, dict):
        raise CodecError("This is not a contact of Outlook.")
    return content


class OutlookCodec:
    """Between the JSON of a contact and a contact; ``groups`` are the names of categories."""

    def read(self, payload: Payload) -> Contact:
        return read_person(loads(payload))

    def write(self, contact: Contact, original: Payload | None) -> Payload:
        before = loads(original) if original else {}
        after = write_person(contact, before)
        return original if original and after == before else dumps(after)

    def project(self, contact: Contact) -> Contact:
        return read_person(write_person(contact, {}, with_photo=False))

    def glimpse(self, payload: Payload) -> str:
        try:
            return read_person(loads(payload)).name.full
        except (CodecError, AttributeError, TypeError, ValueError):
            return ""
