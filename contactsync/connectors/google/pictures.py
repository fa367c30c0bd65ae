"""Photos: fetched once for each version."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from contactsync.connectors.google.person import photo_of
from contactsync.connectors.google.transport import Transport
from contactsync.connectors.pictures import JPEG, PNG, Limits
from contactsync.errors import ProtocolError

#: Nobody documents the largest photo (assumed).
LIMITS = Limits("Google", (JPEG, PNG), 2**20, 720)
_SIZE = re.compile(r"=s\d+(-[a-z0-9-]+)?\Z|\?sz=\d+\Z")


def version_of(photo: Mapping[str, Any]) -> str:
    """The address of a photo without the size; it changes with the photo."""
    return _SIZE.sub("", str(photo.get("url", "")))


def with_picture(transport: Transport, person: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The person with the bytes of its photo: those in ``known`` while they are of the same version."""
    photo = photo_of(person)
    if photo is None or "data" in photo:
        return person
    have = photo_of(known)
    if have is not None and "data" in have and version_of(have) == version_of(photo):
        data = have["data"]
    else:
        data = base64.b64encode(_fetched(transport, version_of(photo))).decode()
    return {**person, "photos": [{**photo, "data": data}]}


def _fetched(transport: Transport, version: str) -> bytes:
    data = transport.picture(f"{version}=s{LIMITS.most_pixels}")
    if not data:
        raise ProtocolError("Google sent an empty photo.")
    return data
