"""The first stage of a round: what does the remote say changed? Nothing is decided here.

Each part of what was read is staged in a transaction of its own, so that a pull that dies goes on
where it was; the cursor moves later, together with the decisions (L31).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, islice

from contactsync.connectors.base import Change, Page
from contactsync.engine.aside import set_aside
from contactsync.engine.context import Round
from contactsync.engine.reading import BATCH, completed, read_cards
from contactsync.engine.selecting import returning
from contactsync.errors import RemoteError, SyncTokenExpired
from contactsync.store.links import LET_GO
from contactsync.store.values import Book, StagedChange, StoredLink
from contactsync.sync.brakes import check_deletions


@dataclass(frozen=True, slots=True)
class Pulled:
    """One book as it was read. ``settled`` are hrefs of links that we deleted and that a listing
    does not show any more: they can be let go of (L22). ``elsewhere`` are hrefs of cards that are in another
    book of the account now, read or not. ``vanished`` are hrefs that this very listing did not say to
    be gone and a direct read did not find: what became of these cards, the next listing says. ``first``: it
    was the book's first reading."""

    book: Book
    cursor: str | None
    began_at: datetime
    settled: tuple[str, ...] = ()
    elsewhere: frozenset[str] = frozenset()
    vanished: frozenset[str] = frozenset()
    first: bool = False


#: Takes in what it can of cards that were read, inside a transaction; what it gives back is staged.
Taking = Callable[[Sequence[Change]], Sequence[Change]]


def pull(round_: Round, book: Book, take: Taking | None = None) -> Pulled:
    """Stage the changes of one book. With ``take`` it is its first reading: what that takes in is not staged.
    Raises `SafetyStop` before confirming mass absences (L21)."""
    began_at = round_.now()
    pages, full = _listing(round_, book, take)
    changes = {change.href: change for page in pages for change in page.changes}
    known = _known(round_, book, changes, full) | round_.store.group_cards.etags(book.id)
    cursor = pages[-1].cursor if pages else book.cursor
    outside = {} if round_.rules_changed else round_.store.books.outside(book.id)
    news = {href: c for href, c in changes.items() if _is_news(c, known, outside)}
    news |= _gone_from_aside(round_, book, known, changes, full)
    news |= {href: Change(href, gone=True) for href in outside if _unlisted(href, changes, full)}
    gone_by_us = tuple(
        h for h, (_, state) in known.items() if state == "deleted" and _unlisted(h, changes, full)
    )
    absent = _absent(known, changes) if full else []
    explicit = [href for href, change in news.items() if change.gone and not change.elsewhere]
    if absent:
        names = _names(round_, book, [*absent, *explicit])
        # What is new may be what is absent, under other names. The brake counts again when it is read.
        new = sum(not change.gone for href, change in news.items() if href not in known)
        missing = names[min(new, len(names)) :]
        check_deletions(book.name, "device", missing, round_.store.links.count(book.id), round_.limits)
    old = _maybe_old(round_, book, news, began_at)
    news = {href: change for href, change in news.items() if href not in old}
    gone = {*absent, *(href for href, change in changes.items() if change.gone)}
    doubted = known.keys() - gone if round_.connector.capabilities.settles_after else frozenset()
    direct = [*absent, *old, *_unsettled(round_, book)]
    if not full:
        direct += [href for href in _untold(round_, book) if href not in changes]
    elsewhere, vanished = _stage(round_, book, news, direct, doubted, set(direct) - gone, take)
    return Pulled(book, cursor, began_at, gone_by_us, elsewhere, vanished, first=take is not None)


def _known(round_: Round, book: Book, listed: Iterable[str], full: bool) -> dict[str, tuple[str | None, str]]:
    """What the listing is compared with: in a list of changes, little of what there is."""
    if full or round_.connector.capabilities.settles_after:
        return round_.store.links.etags(book.id)
    return round_.store.links.etags_of(book.id, listed)


def _listing(round_: Round, book: Book, take: Taking | None) -> tuple[list[Page], bool]:
    """All pages since the cursor; everything when the cursor is not valid any more."""
    try:
        pages = _pages(round_, book, None if round_.rules_changed else book.cursor, take)
    except SyncTokenExpired:
        pages = _pages(round_, book, None, take)
    return pages, bool(pages) and all(page.full for page in pages) and pages[-1].last


def _pages(round_: Round, book: Book, cursor: str | None, take: Taking | None) -> list[Page]:
    pages, seen = [], 0
    for page in round_.connector.changes(book.href, cursor):
        pages.append(page if take is None else _taken(round_, page, take))
        seen += len(page.changes)
        round_.progress(f"listing {book.name}", seen, 0)
    return pages


def _taken(round_: Round, page: Page, take: Taking) -> Page:
    """The page without the bytes of those cards that were taken in."""
    whole = {c.href: c for c in page.changes if c.payload is not None and not c.partial}
    if not whole:
        return page
    with round_.store.transaction():
        left = {change.href for change in take(list(whole.values()))}
    round_.step("page-staged")
    came = whole.keys() - left
    return replace(page, changes=tuple(Change(c.href, c.etag) if c.href in came else c for c in page.changes))


def _is_news(
    change: Change,
    known: Mapping[str, tuple[str | None, str]],
    outside: Mapping[str, tuple[str | None, bytes]],
) -> bool:
    """L1: an etag only tells that a look may be worth it; the one we know tells that it is not."""
    link = known.get(change.href)
    if link is None:
        etag, _ = outside.get(change.href, (None, b""))
        return not change.gone and (etag is None or etag != change.etag)
    etag, state = link
    if change.gone:
        return state not in LET_GO
    return change.etag is None or change.etag != etag or state in LET_GO


def _maybe_old(
    round_: Round, book: Book, news: Mapping[str, Change], began_at: datetime
) -> dict[str, Change]:
    """What may be older than our own last write or deletion of the card: a direct read says the
    truth, because only listings lag (L22, L34)."""
    told = [href for href, change in news.items() if change.gone or change.payload is not None]
    settles = round_.connector.capabilities.settles_after
    found = {}
    for href, link in round_.store.links.at(book.id, told).items() if told else ():
        recent = link.written_at is not None and link.written_at + settles > began_at
        if link.state == "deleted" or recent:
            found[href] = news[href]
    return found


def _gone_from_aside(
    round_: Round,
    book: Book,
    known: Mapping[str, tuple[str | None, str]],
    changes: Mapping[str, Change],
    full: bool,
) -> dict[str, Change]:
    """Cards that were set aside, never linked, and are not there any more (L35)."""
    aside = {q.href for q in round_.store.keepsakes.quarantined(book.id) if q.contact_id is None}
    return {h: Change(h, gone=True) for h in sorted(aside - known.keys()) if _unlisted(h, changes, full)}


def _unlisted(href: str, changes: Mapping[str, Change], full: bool) -> bool:
    if href in changes:
        return changes[href].gone
    return full


def _absent(known: dict[str, tuple[str | None, str]], changes: dict[str, Change]) -> list[str]:
    return [h for h, (_, state) in known.items() if h not in changes and state not in (*LET_GO, "left")]


def _names(round_: Round, book: Book, hrefs: Iterable[str]) -> list[str]:
    return [link.base.local.display for link in round_.store.links.at(book.id, hrefs).values()]


def _unsettled(round_: Round, book: Book) -> list[str]:
    """Cards that we wrote and did not read back, and those whose write is in doubt (L12, L13)."""
    hrefs = [link.href for link in round_.store.links.in_state(book.id, "written", "recheck")]
    hrefs += [row.href for row in round_.store.journal.outbox(book.id, "sent") if row.link_id is not None]
    hrefs += [link.href for link in _returning(round_, book)]
    known = round_.store.group_cards.etags(book.id)
    return hrefs + [href for href, (etag, _) in known.items() if etag is None]


def _untold(round_: Round, book: Book) -> list[str]:
    """Cards that we wrote since the cursor. Where none of this is in the list of what changed since, somebody
    made it as it was before: to a remote that compares two states, nothing happened then.

    Where listings lag, it only comes later.
    """
    if round_.connector.capabilities.settles_after:
        return []
    return round_.store.links.written_since_listed(book.id)


def _returning(round_: Round, book: Book) -> list[StoredLink]:
    """Cards that were let go of, and whose contacts are in the filter of the book again (L26)."""
    selection = round_.places([book]).of(book).selection
    if selection.takes_all and not round_.rules_changed:
        return []
    return returning(round_.store, book, selection)


def _stage(
    round_: Round,
    book: Book,
    news: dict[str, Change],
    direct: list[str],
    doubted: Container[str],
    there: Container[str],
    take: Taking | None,
) -> tuple[frozenset[str], frozenset[str]]:
    """Stage ``news``, fetching what the listing did not carry, and ``direct`` by direct reads; the hrefs of
    those that turned out to be elsewhere, and of those that vanished since they were listed, or were
    ``there`` as far as the listing says.

    ``doubted`` are cards that listings which lag do not report gone: that a direct read does not find
    them may also mean that they have another id now, which a later listing says (L20). So it is with a card
    that this very listing named: what became of it since, the next one says.
    """
    store = round_.store
    staged = {change.href: change for change in store.books.staged(book.id)}
    skip = {q.href: q.etag for q in store.keepsakes.quarantined(book.id) if q.contact_id is None}
    ready: list[StagedChange] = []
    fetch: list[str] = []
    partial: list[str] = []
    for href, change in news.items():
        if change.gone or (change.payload is not None and not change.partial):
            ready.append(_staged(book, change))
        elif change.etag is not None and href in skip and skip[href] == change.etag:
            continue
        elif not (
            href in staged and staged[href].payload and change.etag and staged[href].etag == change.etag
        ):
            (partial if change.partial else fetch).append(href)
    stale = [href for href in staged if href not in news and href not in direct]
    if ready or stale:
        with store.transaction():
            store.books.unstage(book.id, stale)
            store.books.stage(book.id, ready)
    wanted = [*sorted(fetch), *(href for href in direct if href not in news)]
    incomplete = completed(round_, book, (news[href] for href in partial))
    of = len(partial) + len(wanted)
    direct_reads = read_cards(round_, book, wanted) if wanted else ()
    elsewhere = {href for href, change in news.items() if change.elsewhere}
    listed = {*fetch, *partial}
    unsure = {*listed, *(href for href in wanted if href in doubted)}
    vanished: set[str] = set()
    for done, changes in _in_batches(chain(incomplete, direct_reads)):
        elsewhere |= {change.href for change in changes if change.elsewhere}
        gone = (change.href for change in changes if change.gone)
        vanished |= {href for href in gone if href in listed or href in there}
        with store.transaction():
            if take is not None:
                before = [change for change in changes if change.href in staged]
                changes = [*before, *take([change for change in changes if change.href not in staged])]
            store.books.stage(
                book.id,
                [
                    _staged(book, change)
                    for change in changes
                    if change.error is None
                    and not (change.gone and change.href in unsure and not change.elsewhere)
                ],
            )
            for change in changes:
                if change.error is not None:
                    _set_aside(round_, book, news.get(change.href, change), change.error)
        round_.step("page-staged")
        round_.progress(f"reading {book.name}", done, of)
    return frozenset(elsewhere), frozenset(vanished)


def _set_aside(round_: Round, book: Book, change: Change, error: RemoteError) -> None:
    """A card that the server will not show: the others go on; it is asked for again when it changes."""
    known = round_.store.links.at(book.id, [change.href]).get(change.href)
    name = known.base.local.display if known else ""
    uid = known.base.remote.uid if known else ""
    set_aside(round_, book, str(error), name=name, uid=uid, href=change.href, etag=change.etag)


def _in_batches(changes: Iterable[Change]) -> Iterator[tuple[int, Sequence[Change]]]:
    source = iter(changes)
    done = 0
    while batch := list(islice(source, BATCH)):
        done += len(batch)
        yield done, batch


def _staged(book: Book, change: Change) -> StagedChange:
    return StagedChange(book.id, change.href, change.etag, change.payload, change.gone, change.modified_at)
