"""What a person should know of a server: what it is, what it can, and what it does wrong. Only reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from contactsync.connectors import dav
from contactsync.connectors.base import Fact
from contactsync.connectors.carddav.quirks import recognised
from contactsync.connectors.davlogin import Transport
from contactsync.connectors.http import Answer

CLOCK = timedelta(minutes=5)
_BOOK = dav.propfind(dav.RESOURCETYPE, dav.CTAG, dav.REPORTS, dav.VERSIONS, dav.LARGEST)
_XML = {"Content-Type": "application/xml; charset=utf-8", "Depth": "0"}


def about(transport: Transport, book: str, now: datetime | None = None) -> Iterator[Fact]:
    """From one look at a book, and from all answers so far."""
    answer = transport.request("PROPFIND", book, _BOOK, _XML)
    yield Fact(f"It is {answer.headers.get('Server') or 'a server that does not say its name'}.")
    yield from _clock(answer, now or datetime.now(UTC))
    if answer.status == 207:
        item = next(iter(dav.read_multistatus(answer.body).items), dav.Item(book))
        yield from _listing(transport, item)
        yield from _cards(item)
    for quirk in recognised(frozenset(transport.seen)):
        yield Fact(f"It {quirk.does}: we {quirk.we}.", quirk.means)


def _clock(answer: Answer, now: datetime) -> Iterator[Fact]:
    there = dav.http_date(answer.headers.get("Date", ""))
    if there is None:
        yield Fact("It does not tell the time.")
        return
    ahead = there - now
    if abs(ahead) <= CLOCK:
        yield Fact("Its clock agrees with this one.")
        return
    minutes = round(abs(ahead).total_seconds() / 60)
    yield Fact(
        f"Its clock is {minutes} minutes {'ahead of' if ahead > timedelta(0) else 'behind'} this one.",
        "Where both sides changed one field, the wrong edit may count as the newest; the other one is in "
        "conflict list. Set the clock that is wrong, or --conflicts device.",
        ok=False,
    )


def _listing(transport: Transport, item: dav.Item) -> Iterator[Fact]:
    if dav.DAV + "sync-collection" in item.tags(dav.REPORTS):
        yield Fact("It lists changes since the last round.")
    elif item.text(dav.CTAG):
        transport.saw("no-tokens")
    else:
        transport.saw("no-ctag")


def _cards(item: dav.Item) -> Iterator[Fact]:
    versions = sorted(item.attributes(dav.VERSIONS, "version"))
    if versions:
        yield Fact(f"It takes vCard {' and '.join(versions)}.")
    largest = item.text(dav.LARGEST) or ""
    if largest.isdecimal():
        yield Fact(f"It takes cards of up to {int(largest) // 1000:,} kB.")
