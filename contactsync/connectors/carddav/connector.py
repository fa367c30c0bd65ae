"""The CardDAV connector: its parts put together under the contract of ``connectors.base``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from contactsync.connectors.base import (
    AccountSettings,
    Capabilities,
    Change,
    Codec,
    Collection,
    Connector,
    Fact,
    Outcome,
    Page,
    Step,
    Traffic,
)
from contactsync.connectors.carddav.reading import Reader
from contactsync.connectors.carddav.writing import Writer
from contactsync.connectors.davlogin import Transport
from contactsync.connectors.discovery import Login, find_login, list_collections
from contactsync.errors import AuthError, RemoteError

if TYPE_CHECKING:
    from contactsync.connectors.carddav.locating import Place

CAPABILITIES = Capabilities(parallel_writes=16, group_cards=True)


class _Server(NamedTuple):
    transport: Transport
    reader: Reader
    writer: Writer


class CardDavConnector:
    """One login at one CardDAV server."""

    capabilities = CAPABILITIES

    def __init__(self, settings: AccountSettings, make_codec: Callable[[], Codec]) -> None:
        self._settings = settings
        self._make_codec = make_codec
        self._login: Login | None = None
        self._opened: list[_Server] = []
        self.notes: list[str] = []
        self.found_as = settings.username
        if "@" not in settings.url or "://" in settings.url:
            self._open(settings.url, settings.username)

    def _open(self, url: str, user: str) -> None:
        self.found_as = user
        transport = Transport(replace(self._settings, url=url, username=user))
        self._opened.append(
            _Server(transport, Reader(transport), Writer(transport, CAPABILITIES.parallel_writes))
        )

    @property
    def _server(self) -> _Server:
        """A mail address leads to a server only once that was found."""
        if not self._opened:
            self.check()
        return self._opened[-1]

    @property
    def _transport(self) -> Transport:
        return self._server.transport

    @functools.cached_property
    def codec(self) -> Codec:
        """A round without news needs none, and is over before it could be loaded."""
        return self._make_codec()

    def check(self) -> str:
        """Asks the server each time; the line names login and server."""
        self.notes.clear()
        if "://" in self._settings.url:
            self._login = find_login(self._transport)
        else:
            self._locate()
        login = self._login
        assert login is not None
        return f"{login.name} ({login.principal or login.collection}) at {self._transport.origin}"

    def _locate(self) -> None:
        """Try the places that what the person typed may mean, until one has an account for this login."""
        from contactsync.connectors.carddav.locating import Search, nothing_found

        search = Search(self._settings.url, self._settings.insecure_http)
        failed: list[tuple[str, RemoteError]] = []
        for place in search.places():
            try:
                self._login = self._login_at(place)
            except AuthError:
                raise
            except RemoteError as error:
                failed.append((f"{place.url} ({place.why})", error))
            else:
                self.notes += [f"Found by the {place.why}: {place.url}", *search.notes]
                return
        raise nothing_found(search, failed)

    def _login_at(self, place: Place) -> Login:
        settings = self._settings
        self._open(place.url, settings.username)
        try:
            return find_login(self._transport)
        except AuthError:
            if not place.also_as or settings.username != settings.url:
                raise
        self._open(place.url, place.also_as)
        return find_login(self._transport)

    @property
    def found_at(self) -> str:
        """The URL as it was given, unless the server was found at another one."""
        login, transport = self._login, self._transport
        if login is None or ("://" in self._settings.url and self._settings.url.startswith(transport.origin)):
            return self._settings.url
        return transport.origin + (login.collection or login.principal or transport.start)

    def collections(self) -> Sequence[Collection]:
        if self._login is None:
            self.check()
        assert self._login is not None
        return list_collections(self._transport, self._login, self.notes)

    def about(self, collection: str) -> Iterator[Fact]:
        from contactsync.connectors.carddav.about import about

        return about(self._transport, collection)

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        return self._server.reader.changes(collection, cursor)

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        return self._server.reader.fetch(collection, hrefs)

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        return self._server.writer.write(collection, steps)

    def traffic(self) -> Traffic:
        return sum((server.transport.traffic() for server in self._opened), Traffic())

    def close(self) -> None:
        for server in self._opened:
            server.transport.close()


def factory(settings: AccountSettings) -> Connector:
    """What the entry point ``carddav`` names. vCard 3.0 is what every server takes."""
    return CardDavConnector(settings, _vcard)


def _vcard() -> Codec:
    from contactsync.vcard.codec import VCardCodec

    return VCardCodec(version="3.0")
