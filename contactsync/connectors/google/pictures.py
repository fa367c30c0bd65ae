"""Photos: fetched once for each version, and made to fit before they are sent."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from typing import Any

from contactsync.connectors.google.person import photo_of
from contactsync.connectors.google.transport import Transport
from contactsync.errors import PayloadRejected, ProtocolError

#: Nobody documents the largest photo (assumed).
MOST_BYTES = 2**20
MOST_PIXELS = 720
#: A picture of more pixels than this is taken for an attempt to fill the memory.
_BOMB = 100_000_000
_SIZE = re.compile(r"=s\d+(-[a-z0-9-]+)?\Z|\?sz=\d+\Z")
_MAGIC = (b"\xff\xd8", b"\x89PNG")


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
    data = transport.picture(f"{version}=s{MOST_PIXELS}")
    if not data:
        raise ProtocolError("Google sent an empty photo.")
    return data


def fitting(encoded: str) -> bytes:
    """The picture as Google takes it: JPEG or PNG, and not too large. Raises `PayloadRejected`."""
    data = base64.b64decode(encoded)
    if data.startswith(_MAGIC) and len(data) <= MOST_BYTES:
        return data
    try:
        from PIL import Image
    except ImportError:
        hint = 'pip install "contactsync[google]" can make it fit.'
        raise PayloadRejected("The photo is too large for Google, or of another kind.", hint=hint) from None
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > _BOMB:
                raise ValueError("too many pixels")
            picture.thumbnail((MOST_PIXELS, MOST_PIXELS))
            made = io.BytesIO()
            picture.convert("RGB").save(made, "JPEG", quality=90)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PayloadRejected("The photo cannot be read, so it cannot be made to fit.") from error
    return made.getvalue()
