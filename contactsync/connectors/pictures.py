"""Pictures made to fit what a remote takes."""

from __future__ import annotations

import base64
import io

from contactsync.errors import PayloadRejected
from contactsync.frozen import frozen

#: A picture of more pixels than this is taken for an attempt to fill the memory.
_BOMB = 100_000_000
JPEG, PNG = b"\xff\xd8", b"\x89PNG"


@frozen
class Limits:
    """What ``remote`` takes: ``kinds`` are the first bytes of a file, ``most_pixels`` a side of one that we
    make."""

    remote: str
    kinds: tuple[bytes, ...]
    most_bytes: int
    most_pixels: int


def fitting(encoded: str, limits: Limits) -> bytes:
    """The picture behind this base64 as the remote takes it. Raises `PayloadRejected`."""
    data = base64.b64decode(encoded)
    if data.startswith(limits.kinds) and len(data) <= limits.most_bytes:
        return data
    try:
        from PIL import Image
    except ImportError:
        hint = 'pip install "contactsync[photos]" can make it fit.'
        reason = f"The photo is too large for {limits.remote}, or of another kind."
        raise PayloadRejected(reason, hint=hint) from None
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > _BOMB:
                raise ValueError("too many pixels")
            picture.thumbnail((limits.most_pixels, limits.most_pixels))
            made = io.BytesIO()
            picture.convert("RGB").save(made, "JPEG", quality=90)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PayloadRejected("The photo cannot be read, so it cannot be made to fit.") from error
    return made.getvalue()
