"""One bad card is set aside, named in the report, and stops no other (L35)."""

from __future__ import annotations

from contactsync.engine.context import Round
from contactsync.engine.report import CardError
from contactsync.store.values import Book


def set_aside(
    round_: Round,
    book: Book,
    reason: str,
    *,
    name: str,
    uid: str = "",
    href: str = "",
    reported_href: str = "",
    etag: str | None = None,
    contact_id: int | None = None,
    hash: str = "",
    payload: bytes = b"",
) -> None:
    """Keep it with what there is of it, until it changes.

    A card of the remote has an ``href`` and the ``etag`` that was tried; a contact that the book
    refuses has a ``contact_id`` and the ``hash`` of its document, and ``reported_href`` is where it
    was to go.
    """
    round_.store.keepsakes.set_aside(
        payload=payload,
        name=name,
        reason=reason,
        at=round_.now(),
        collection_id=book.id,
        href=href,
        contact_id=contact_id,
        etag=etag,
        source="",
        hash=hash,
    )
    error = CardError(uid, href or reported_href, name, reason)
    errors = round_.book_report(book).errors
    if error not in errors:  # a round may look three times (L32), and people need to hear it once
        errors.append(error)
