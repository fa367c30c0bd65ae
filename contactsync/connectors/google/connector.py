"""The connector for Gmail: its parts put together under the contract of ``connectors.base``."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING

from contactsync.connectors.base import (
    AccountSettings,
    Capabilities,
    Change,
    Codec,
    Collection,
    Connector,
    Outcome,
    Page,
    Payload,
    Step,
    Traffic,
)
from contactsync.errors import BookGone, ConfigError

if TYPE_CHECKING:
    from contactsync.connectors.google.labels import Labels
    from contactsync.connectors.google.reading import Reader
    from contactsync.connectors.google.transport import Transport
    from contactsync.connectors.google.writing import Writer

BOOK = "people/me"

#: "Several minutes" is what Google says of the delay of its lists; 5 to 15 seconds are usual.
SETTLES_AFTER = timedelta(minutes=5)

CAPABILITIES = Capabilities(
    changes_carry_payload=True,
    names_href=False,
    batch_size=200,
    settles_after=SETTLES_AFTER,
    labels=True,
    written_apart=frozenset({"media"}),
)


class GoogleConnector:
    """One login at Google."""

    def __init__(self, settings: AccountSettings, pause: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._pause = pause
        wanted = settings.settles_after
        self.capabilities = CAPABILITIES if wanted is None else replace(CAPABILITIES, settles_after=wanted)

    @functools.cached_property
    def transport(self) -> Transport:
        from contactsync.connectors.google.transport import Transport

        return Transport(self._settings, self._pause)

    @functools.cached_property
    def _reader(self) -> Reader:
        from contactsync.connectors.google.reading import Reader

        return Reader(self.transport)

    @functools.cached_property
    def _labels(self) -> Labels:
        from contactsync.connectors.google.labels import Labels

        return Labels(self.transport, self._reader)

    @functools.cached_property
    def _writer(self) -> Writer:
        from contactsync.connectors.google.writing import Writer

        return Writer(self.transport, self._reader, self._labels)

    @functools.cached_property
    def codec(self) -> Codec:
        from contactsync.connectors.google.codec import GoogleCodec

        return GoogleCodec()

    def check(self) -> str:
        """Google does not tell who it is without another permission, so the line names the server only."""
        self._reader.labels()
        return f"a Google account at {self.transport.root}"

    def collections(self) -> Sequence[Collection]:
        self._reader.labels()
        return [Collection(BOOK, "Contacts", default=True)]

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        _require_book(collection)
        return self._reader.changes(cursor)

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        _require_book(collection)
        return self._reader.fetch(hrefs)

    def complete(self, changes: Iterable[tuple[Change, Payload | None]]) -> Iterator[Change]:
        return self._reader.complete(changes)

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        _require_book(collection)
        return self._writer.write(steps)

    def traffic(self) -> Traffic:
        return self.transport.traffic()

    def close(self) -> None:
        self.transport.close()


def _require_book(collection: str) -> None:
    if collection != BOOK:
        raise BookGone(f"A Google account has no address book {collection}.", href=collection)


def factory(settings: AccountSettings) -> Connector:
    """What the entry point ``gmail`` names."""
    if find_spec("googleapiclient") is None:
        raise ConfigError(
            [f"account {settings.name}: what speaks with Google is not installed"],
            hint='Run: pip install "contactsync[google]"',
        )
    return GoogleConnector(settings)
