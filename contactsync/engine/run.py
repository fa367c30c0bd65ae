"""One round of one account: pull all its books, decide, commit, push; again where a condition was
refused, at most three times (L32)."""

from __future__ import annotations

import enum
import time
from collections.abc import Iterator, Sequence
from typing import Any

from contactsync.connectors.base import Collection
from contactsync.engine.apply import apply
from contactsync.engine.arriving import Arrivals
from contactsync.engine.backup import back_up
from contactsync.engine.context import Round
from contactsync.engine.decide import decide
from contactsync.engine.groupcards import groups_wait, push_groups
from contactsync.engine.idle import BOOKS_EVERY
from contactsync.engine.pull import Pulled, pull
from contactsync.engine.push import Pushed, push
from contactsync.errors import BookGone, CodecError, ContactSyncError, RemoteError, SafetyStop
from contactsync.store.values import Book

ATTEMPTS = 3


class _After(enum.Enum):
    """What one attempt leaves: another look is needed, it is done, or there was nothing to do."""

    AGAIN = enum.auto()
    DONE = enum.auto()
    QUIET = enum.auto()


def run_account(round_: Round) -> None:
    """One round; everything that goes wrong ends up in the report, nothing is raised but bugs and
    errors of the store."""
    after = _After.DONE
    row = next((a for a in round_.store.books.accounts() if a.name == round_.account.name), None)
    round_.rules_changed = row is not None and row.rules not in ("", round_.account.rules)
    if not round_.dry_run:
        with round_.store.transaction():
            round_.store.journal.date_doubts(round_.account_id, round_.now())
    try:
        books = refresh_books(round_)
        for attempt in range(ATTEMPTS):
            after = _attempt(round_, books, attempt)
            round_.rules_changed = False
            if after is not _After.AGAIN:
                break
            books = round_.store.books.of_account(round_.account.name)
    except (RemoteError, CodecError) as error:
        round_.report.fail(error)
    _conclude(round_, device_is_quiet=after is _After.QUIET)


def _attempt(round_: Round, books: Sequence[Book], attempt: int) -> _After:
    """Pull, decide, push once."""
    newest_here = round_.store.journal.newest_here()
    pulled = [part for book in books if (part := _pull(round_, book)) is not None]
    pulled = _after_moves(round_, pulled)
    if not pulled:
        return _After.DONE
    _back_up(round_, pulled)
    if _nothing_to_do(round_, pulled):
        return _After.QUIET
    with round_.store.trial() if round_.dry_run else round_.store.transaction():
        again = apply(round_, decide(round_, pulled))
        if round_.store.journal.newest_here() > newest_here:
            round_.store.books.wake_others(round_.account.name)
    if round_.dry_run:
        return _After.DONE
    round_.step("committed")
    for part in pulled:
        before = _counters(round_)
        results = [*_push(round_, part.book)]
        _count(round_, part.book, before)
        again = again or any(result.again for result in results)
        if any(result.stop is not None for result in results):
            return _After.DONE
    if again and attempt + 1 < ATTEMPTS:
        round_.report.state, round_.report.message, round_.report.in_doubt = "ok", "", 0
    return _After.AGAIN if again else _After.DONE


def _after_moves(round_: Round, pulled: list[Pulled]) -> list[Pulled]:
    """A card that is gone from one book may have come into another one that was read before (L24): the others
    are read again, until nothing more is gone. Else who was edited here would be made a second time. So is
    the book itself if a card vanished from it while it was read, which may have been the same one."""
    known: dict[int, set[str]] = {}
    while len(pulled) > 1 or any(part.vanished for part in pulled):
        gone = {part.book.id: _missing(round_, part) - known.get(part.book.id, set()) for part in pulled}
        fresh = {book for book, hrefs in gone.items() if hrefs}
        if not fresh:
            break
        known = {book: known.get(book, set()) | hrefs for book, hrefs in gone.items()}
        moved_on = {part.book.id for part in pulled if part.vanished and _lost(round_, part)}
        stays = fresh - moved_on if len(fresh) == 1 else set()
        again = [part if part.first or part.book.id in stays else _pull(round_, part.book) for part in pulled]
        pulled = [part for part in again if part is not None]
    return pulled


def _missing(round_: Round, part: Pulled) -> set[str]:
    """Of a create in doubt, nobody knows whether its card was there: it may be gone as well (L33)."""
    doubts = {row.href for row in round_.store.journal.outbox(part.book.id, "sent") if row.action == "create"}
    lost = _lost(round_, part)
    return lost | doubts | part.vanished if lost else doubts


def _lost(round_: Round, part: Pulled) -> set[str]:
    return round_.store.links.missing(part.book.id) - part.elsewhere


def _push(round_: Round, book: Book) -> Iterator[Pushed]:
    """Group cards name the cards of their members, which come first; labels are named by them."""
    stages = [push, push_groups]
    if round_.connector.capabilities.labels:
        stages.reverse()
    for stage in stages:
        result = stage(round_, book)
        yield result
        if result.stop is not None:
            return


def _pull(round_: Round, book: Book) -> Pulled | None:
    """One book; None when it cannot be used this time, which never harms the other books (L21)."""
    before = _counters(round_)
    report = round_.book_report(book)
    try:
        arrivals = Arrivals.of(round_, book)
        return pull(round_, book, arrivals.take if arrivals else None)
    except SafetyStop as stop:
        report.guard = stop
    except BookGone:
        _book_is_gone(round_, book)
    finally:
        _count(round_, book, before)
    return None


def _back_up(round_: Round, pulled: Sequence[Pulled]) -> None:
    """Of books whose cards were read to be compared, or for new rules: some of these are kept nowhere else
    (L26). What came in as it was is kept as it was read; the copy of it waits for a write."""
    for part in pulled:
        if not part.first and (part.book.cursor_at is None or round_.rules_changed):
            back_up(round_, part.book)


def _nothing_to_do(round_: Round, pulled: Sequence[Pulled]) -> bool:
    """The quiet round: nothing was pulled, and nothing waits on the device (P4, L36)."""
    if round_.rules_changed:
        return False
    for part in pulled:
        moved = part.cursor != part.book.cursor or part.first or part.settled
        if moved or round_.store.books.staged(part.book.id):
            return False
    return _device_is_quiet(round_, [part.book for part in pulled])


def _device_is_quiet(round_: Round, books: Sequence[Book]) -> bool:
    """No contact, link, group or step of these books waits for a round."""
    store = round_.store
    for book in books:
        if store.journal.outbox(book.id) or store.links.in_state(book.id, "written", "recheck", "deleted"):
            return False
        if groups_wait(round_, book) or store.links.written_since_listed(book.id):
            return False
    ids = [book.id for book in books]
    places = round_.places(books)
    if store.links.out_of_step(ids) or places.waiting(store, round_.account_id):
        return False
    return next(places.renamed(store), None) is None and next(places.moving(store), None) is None


def refresh_books(round_: Round, *, force: bool = False) -> list[Book]:
    """The selected books; the list is read anew daily, and when there is none yet."""
    store, name = round_.store, round_.account.name
    books = store.books.of_account(name)
    row = next((a for a in store.books.accounts() if a.name == name), None)
    fresh = (
        row is not None and row.books_read_at is not None and round_.now() - row.books_read_at < BOOKS_EVERY
    )
    if fresh and not force and books:
        return [book for book in books if book.gone_at is None or _still_gone(round_, book)]
    collections = round_.connector.collections()
    with store.transaction():
        _merge_books(round_, collections)
        store.books.note_account(name, books_read_at=round_.now())
    return [
        book for book in store.books.of_account(name) if book.gone_at is None or _still_gone(round_, book)
    ]


def _still_gone(round_: Round, book: Book) -> bool:
    """A book that vanished is named in every round until the person lets go of it; never pulled."""
    _say_gone(round_, book)
    return False


def _merge_books(round_: Round, collections: Sequence[Collection]) -> None:
    store = round_.store
    known = {book.href: book for book in store.books.of_account(round_.account.name, selected_only=False)}
    for c in collections:
        values = {
            "name": c.name,
            "writable": c.writable,
            "shared": c.shared,
            "is_default": c.default,
            "selected": round_.account.selects(c.name, c.href),
            "gone_at": None,
        }
        if c.href in known:
            store.books.update(known[c.href].id, **values)
        else:
            store.books.add(round_.account_id, c.href, **values)
    listed = {c.href for c in collections}
    for book in known.values():
        if book.href not in listed and book.gone_at is None:
            store.books.update(book.id, gone_at=round_.now())


def _book_is_gone(round_: Round, book: Book) -> None:
    """L21: a vanished book is an error, never a deletion; the list is read again next time."""
    with round_.store.transaction():
        round_.store.books.update(book.id, gone_at=round_.now())
        round_.store.books.note_account(round_.account.name, books_read_at=None)
    _say_gone(round_, book)


def _say_gone(round_: Round, book: Book) -> None:
    count = round_.store.links.count(book.id)
    round_.book_report(book).error = (
        f"The address book {book.name!r} is not there any more. "
        f"Its {count} contacts stay on this device. "
        f"If that is meant: contactsync account books {round_.account.name}"
    )


def _counters(round_: Round) -> tuple[int, int, int, float]:
    traffic = round_.connector.traffic()
    return (traffic.requests, traffic.bytes_sent, traffic.bytes_received, time.perf_counter())


def _count(round_: Round, book: Book, before: tuple[int, int, int, float]) -> None:
    now = _counters(round_)
    report = round_.book_report(book)
    report.requests += now[0] - before[0]
    report.bytes_sent += now[1] - before[1]
    report.bytes_received += now[2] - before[2]
    report.seconds += now[3] - before[3]


def _conclude(round_: Round, *, device_is_quiet: bool) -> None:
    """State of the account for `status`; a quiet round changes nothing but its time (L36)."""
    report = round_.report
    if report.guard is not None:
        report.fail(report.guard)
    elif report.state == "ok" and any(book.error for book in report.books):
        report.state = "failed"
        report.message = next(book.error for book in report.books if book.error)
    if round_.dry_run:
        return
    try:
        with round_.store.transaction():
            round_.store.books.note_account(
                round_.account.name,
                state=report.state,
                message=report.message,
                ran_at=round_.now(),
                **_went_well(round_),
                quiet_run=round_.run_id if _is_quiet(round_, device_is_quiet) else None,
            )
    except ContactSyncError as error:
        report.fail(error)


def _went_well(round_: Round) -> dict[str, Any]:
    """What only a round without trouble notes: the rules that all contacts were looked at by, and that
    continuous sync need not be patient any more."""
    if round_.report.state != "ok":
        return {}
    return {"rules": round_.account.rules, "failures": 0}


def _is_quiet(round_: Round, device_is_quiet: bool) -> bool:
    """May the next round ask the remote only, until something is edited here?"""
    books = round_.store.books.of_account(round_.account.name)
    if round_.report.state != "ok" or any(book.gone_at is not None for book in books):
        return False
    return device_is_quiet or _device_is_quiet(round_, books)
