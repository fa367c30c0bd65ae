"""The CardDAV connector: its parts put together under the contract of ``connectors.base``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

from contactsync.connectors.base import (
    AccountSettings,
    Capabilities,
    Change,
    Codec,
    Collection,
    Connector,
    Outcome,
    Page,
    Step,
    Traffic,
)
from contactsync.connectors.carddav.discovery import Login, find_login, list_books
from contactsync.connectors.carddav.reading import Reader
from contactsync.connectors.carddav.transport import Transport
from contactsync.connectors.carddav.writing import Writer

CAPABILITIES = Capabilities(parallel_writes=8, group_cards=True)


class CardDavConnector:
    """One login at one CardDAV server."""

    capabilities = CAPABILITIES

    def __init__(self, settings: AccountSettings, make_codec: Callable[[], Codec]) -> None:
        self._make_codec = make_codec
        self._transport = Transport(settings)
        self._reader = Reader(self._transport)
        self._writer = Writer(self._transport, CAPABILITIES.parallel_writes)
        self._login: Login | None = None

    @functools.cached_property
    def codec(self) -> Codec:
        """A round without news needs none, and is over before it could be loaded."""
        return self._make_codec()

    def check(self) -> str:
        """Asks the server each time; the line names login and server."""
        self._login = find_login(self._transport)
        login = self._login
        return f"{login.name} ({login.principal or login.book}) at {self._transport.origin}"

    def collections(self) -> Sequence[Collection]:
        if self._login is None:
            self._login = find_login(self._transport)
        return list_books(self._transport, self._login)

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        return self._reader.changes(collection, cursor)

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        return self._reader.fetch(collection, hrefs)

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        return self._writer.write(collection, steps)

    def traffic(self) -> Traffic:
        return self._transport.traffic()

    def close(self) -> None:
        self._transport.close()


def factory(settings: AccountSettings) -> Connector:
    """What the entry point ``carddav`` names. vCard 3.0 is what every server takes."""
    return CardDavConnector(settings, _vcard)


def _vcard() -> Codec:
    from contactsync.vcard.codec import VCardCodec

    return VCardCodec(version="3.0")
