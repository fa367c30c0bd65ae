"""The round in which nothing happened: one request for each book, and next to no work.

It does less than a full round, never anything else: at the first sign of news it gives up, and the
full round begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contactsync.config import AccountConfig
from contactsync.connectors.base import Connector
from contactsync.engine.report import AccountReport, BookReport, RunReport
from contactsync.errors import ContactSyncError
from contactsync.store.peek import QuietAccount, note_quiet, quiet_account

BOOKS_EVERY = timedelta(days=1)


def idle_round(
    database: Path, accounts: Sequence[AccountConfig], connect: Callable[[AccountConfig], Connector]
) -> RunReport | None:
    """The report of a round over these accounts if none has any news, else None.

    Call it under the lock of the rounds. ``database`` is the SQLite file of the device.
    """
    now = datetime.now(UTC)
    quiet = [(a, quiet_account(database, a.name, now - BOOKS_EVERY, a.rules)) for a in accounts]
    report = RunReport()
    if any(found is None for _, found in quiet):
        return None
    for account, found in quiet:
        part = _ask(account, found, connect) if found is not None else None
        if found is None or part is None:
            return None
        report.accounts.append(part)
        report.open_conflicts = found.open_conflicts
    for account in accounts:
        note_quiet(database, account.name, now)
    return report


def _ask(
    account: AccountConfig, quiet: QuietAccount, connect: Callable[[AccountConfig], Connector]
) -> AccountReport | None:
    """One request for each book; None at the first news or trouble, which a full round deals with."""
    report = AccountReport(account.name, account.connector)
    try:
        connector = connect(account)
    except ContactSyncError:
        return None
    try:
        for href, name, cursor in quiet.books:
            book = _ask_book(connector, href, name, cursor)
            if book is None:
                return None
            report.books.append(book)
    except ContactSyncError:
        return None
    finally:
        connector.close()
    return report


def _ask_book(connector: Connector, href: str, name: str, cursor: str) -> BookReport | None:
    began, before = time.perf_counter(), connector.traffic()
    for page in connector.changes(href, cursor):
        if page.changes or (page.last and page.cursor != cursor):
            return None
    after = connector.traffic()
    return BookReport(
        name,
        href,
        requests=after.requests - before.requests,
        bytes_sent=after.bytes_sent - before.bytes_sent,
        bytes_received=after.bytes_received - before.bytes_received,
        seconds=time.perf_counter() - began,
    )
