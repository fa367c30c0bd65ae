"""The connector for Outlook: its parts put together under the contract of ``connectors.base``."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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

if TYPE_CHECKING:
    from contactsync.connectors.outlook.reading import Reader
    from contactsync.connectors.outlook.transport import Transport
    from contactsync.connectors.outlook.writing import Writer

#: "The last seconds" is what is reported of the delay of its lists; a create in doubt is to be looked up
#: for half a minute (facts: delta rounds, identity).
SETTLES_AFTER = timedelta(seconds=30)

CAPABILITIES = Capabilities(
    changes_carry_payload=True,
    names_href=False,
    payload_on_write=True,
    batch_size=20,
    settles_after=SETTLES_AFTER,
    written_apart=frozenset({"media"}),
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class OutlookConnector:
    """One login at Microsoft Graph."""

    def __init__(
        self,
        settings: AccountSettings,
        pause: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._settings = settings
        self._pause = pause
        self._now = now
        wanted = settings.settles_after
        self.capabilities = CAPABILITIES if wanted is None else replace(CAPABILITIES, settles_after=wanted)

    @functools.cached_property
    def transport(self) -> Transport:
        from contactsync.connectors.outlook.transport import Transport

        return Transport(self._settings, self._pause)

    @functools.cached_property
    def _reader(self) -> Reader:
        from contactsync.connectors.outlook.reading import SWEEP_AFTER, Reader

        after = self._settings.sweep_after
        return Reader(self.transport, self._now, SWEEP_AFTER if after is None else after)

    @functools.cached_property
    def _writer(self) -> Writer:
        from contactsync.connectors.outlook.writing import Writer

        return Writer(self.transport, self._reader)

    @functools.cached_property
    def codec(self) -> Codec:
        from contactsync.connectors.outlook.codec import OutlookCodec

        return OutlookCodec()

    def check(self) -> str:
        self._reader.folders()
        return f"{self.transport.tokens.who or 'a Microsoft account'} at {self.transport.root}"

    def collections(self) -> Sequence[Collection]:
        return self._reader.folders()

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        return self._reader.changes(collection, cursor)

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        return self._reader.fetch(collection, hrefs)

    def complete(self, changes: Iterable[tuple[Change, Payload | None]]) -> Iterator[Change]:
        return self._reader.complete(changes)

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        return self._writer.write(collection, steps)

    def traffic(self) -> Traffic:
        return self.transport.traffic()

    def close(self) -> None:
        self.transport.close()


def factory(settings: AccountSettings) -> Connector:
    """What the entry point ``outlook`` names."""
    from contactsync.connectors.outlook.login import require_library

    require_library(settings.name)
    return OutlookConnector(settings)
