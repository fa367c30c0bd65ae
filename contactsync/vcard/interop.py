"""To and from vobject components, for programs that embed us.

vobject is imported when it is asked for: reading and writing cards does without it.
"""

from __future__ import annotations

from typing import Any

from contactsync.errors import CodecError
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec


def from_vobject(component: Any) -> Contact:
    """A contact from a vobject vCard. Raises `CodecError` where vobject cannot write it out."""
    try:
        text: str = component.serialize(validate=False)
    except Exception as error:
        raise CodecError("vobject cannot serialize this card.") from error
    return VCardCodec().read(text.encode())


def to_vobject(contact: Contact, version: str = "3.0") -> Any:
    """A vobject vCard for ``contact``. Raises `CodecError` where vobject cannot read it."""
    import vobject

    text = VCardCodec(version).write(contact, None).decode()
    try:
        return vobject.readOne(text)
    except Exception as error:
        raise CodecError("vobject cannot read this card.") from error
