"""The codec of the connector: a payload is one person of the People API as JSON, or one label."""

from __future__ import annotations

import json
from typing import Any

from contactsync.connectors.base import Payload
from contactsync.connectors.google.person import read_person, write_person
from contactsync.errors import CodecError
from contactsync.model import jsonform
from contactsync.model.contact import Contact, Name
from contactsync.model.group import GroupCard

_GROUP = "groupType"


def dumps(content: dict[str, Any]) -> Payload:
    """One way to write a person: what comes in another order is the same."""
    return jsonform.encode(content).encode()


def loads(payload: Payload) -> dict[str, Any]:
    """Raises `CodecError`."""
    try:
        content = json.loads(payload)
    except ValueError as error:
        raise CodecError("This is not a contact of Google: it is not JSON.") from error
    if not isinstance(content, dict):
        raise CodecError("This is not a contact of Google.")
    return content


def is_label(content: dict[str, Any]) -> bool:
    return _GROUP in content


class GoogleCodec:
    """Between a person's JSON and a contact; ``groups`` are hrefs of labels, or names of new ones."""

    def read(self, payload: Payload) -> Contact:
        content = loads(payload)
        if is_label(content):
            name = Name(full=str(content.get("name", "")))
            return Contact(uid=str(content.get("resourceName", "")), kind="group", name=name)
        return read_person(content)

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

    def read_group(self, payload: Payload) -> GroupCard | None:
        content = loads(payload)
        return GroupCard(str(content.get("name", ""))) if is_label(content) else None

    def write_group(self, group: GroupCard, uid: str, original: Payload | None) -> Payload:
        before = loads(original) if original else {_GROUP: "USER_CONTACT_GROUP"}
        return dumps({**before, "name": group.name})
