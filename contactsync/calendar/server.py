"""A calendar on a CalDAV server as a target, through caldav's calendar objects.

They write; who sends is our own session, with its logins, its trust and its timeouts, and what an answer
means is said by its status, before caldav makes an error of its own of it. Listings are read by
`connectors.dav`: caldav's own reading loses a page over one odd status and hands out other hrefs than the
server has.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

from caldav.calendarobjectresource import Event
from caldav.collection import Calendar
from caldav.davclient import DAVClient
from caldav.elements import dav as names
from caldav.lib.error import DAVError
from caldav.response import DAVResponse

from contactsync.calendar.events import PREFIX
from contactsync.calendar.target import Held, Look, Write
from contactsync.connectors import base, dav
from contactsync.connectors.base import AccountSettings
from contactsync.connectors.davlogin import Transport
from contactsync.connectors.discovery import (
    CALDAV,
    Login,
    find_login,
    is_writable,
    list_collections,
    local_path,
)
from contactsync.connectors.http import classify, is_html, web_page
from contactsync.errors import (
    AlreadyExists,
    AuthError,
    BookGone,
    NotFound,
    PayloadRejected,
    PermissionDenied,
    PreconditionFailed,
    ProtocolError,
    RemoteError,
    TransientError,
)

SUFFIX = ".ics"
_LOOK = dav.propfind(dav.RESOURCETYPE, dav.CTAG, dav.SYNC_TOKEN, dav.PRIVILEGES, dav.COMPONENTS)
_ETAGS = dav.propfind(dav.ETAG)
_BATCH = 100
_TAKEN = frozenset({403, 405, 409})
#: That If-None-Match is honoured, and a second event of one UID refused, is what caldav would search for
#: first.
_FEATURES = {name: {"support": "full"} for name in ("save.if-none-match", "save.no-uid-conflict")}


class _Client(DAVClient):
    """caldav's client with our transport in the place of its own requests."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(url=transport.origin, features=_FEATURES, enable_rfc6764=False)
        self.session.close()
        self._transport = transport

    def request(
        self,
        url: Any,
        method: str = "GET",
        body: Any = "",
        headers: Mapping[str, str] | None = None,
        rate_limit_time_slept: float = 0,
    ) -> DAVResponse:
        """Raises our errors for every answer that is none. A write without a condition is never sent: caldav
        leaves a weak etag out."""
        sent = {name.title(): text for name, text in (headers or {}).items()}
        if method in ("PUT", "DELETE") and not sent.keys() & {"If-Match", "If-None-Match"}:
            raise PreconditionFailed("The server gives no version of this event that could be relied on.")
        if method in ("MKCALENDAR", "MKCOL", "PROPPATCH"):
            sent.setdefault("Content-Type", "application/xml; charset=utf-8")
        path = urlsplit(str(url)).path
        payload = body if isinstance(body, bytes) else str(body).encode()
        answer = self._transport.request(method, path, payload, sent)
        if answer.status == 200 and is_html(answer.headers, answer.body):
            raise web_page(answer.status, path)
        if not answer.ok:
            raise classify(answer.status, answer.headers, answer.body, path)
        text = answer.body.decode("utf-8", "replace")
        return DAVResponse(
            SimpleNamespace(
                headers=answer.headers, status_code=answer.status, content=answer.body, text=text, reason=""
            ),
            self,
        )


class _Plain:
    """To say whether it is asynchronous, a caldav object would load an HTTP library that is not there."""

    is_async_client = False


class _Event(_Plain, Event):
    pass


class _Calendar(_Plain, Calendar):
    pass


class ServerCalendar:
    """One calendar. ``href`` is its path, or its whole URL where that is on another host of the provider."""

    def __init__(self, settings: AccountSettings, href: str, name: str) -> None:
        self._name = name
        self._transport = Transport(settings)
        self._path = local_path(self._transport, href, "/", CALDAV).rstrip("/") + "/"
        self._client: _Client | None = None
        self._hrefs: dict[str, str] = {}

    def look(self) -> Look:
        """One request. Servers that know no tags are asked for all names instead."""
        try:
            rows = self._transport.multistatus("PROPFIND", self._path, _LOOK).items
        except NotFound:
            raise self._gone() from None
        item = next(
            (row for row in rows if dav.same_path(dav.resolve(row.href, self._path), self._path)), None
        )
        if item is None or item.gone:
            # Xandikos says it in the row of a 207
            raise self._gone()
        if not CALDAV.is_one(item):
            raise RemoteError(
                f"{self._path} on {self._transport.origin} is no calendar for events.",
                hint="contactsync calendar add shows which ones there are.",
            )
        tag = item.text(dav.CTAG) or item.text(dav.SYNC_TOKEN) or ""
        return Look(tag, is_writable(item))

    def uids(self) -> Collection[str]:
        """By their names; the content of other events is not asked for."""
        self._hrefs = {}
        for item in self._transport.multistatus("PROPFIND", self._path, _ETAGS, 1).items:
            href = dav.resolve(item.href, self._path)
            name = unquote(href.rpartition("/")[2])
            if name.startswith(PREFIX) and name.endswith(SUFFIX) and not item.gone:
                self._hrefs[name.removesuffix(SUFFIX)] = href
        return self._hrefs.keys()

    def read(self, uids: Sequence[str]) -> Mapping[str, Held]:
        found: dict[str, Held] = {}
        for start in range(0, len(uids), _BATCH):
            some = {dav.path_key(self._href(uid)): uid for uid in uids[start : start + _BATCH]}
            body = dav.calendar_multiget(map(self._href, some.values()))
            for item in self._transport.multistatus("REPORT", self._path, body, 1).items:
                uid = some.get(dav.path_key(dav.resolve(item.href, self._path)))
                payload, etag = item.props.get(dav.CALENDAR_DATA), item.text(dav.ETAG)
                if uid is not None and payload is not None and etag is not None:
                    found[uid] = Held(dav.card_bytes(payload.text.encode()), etag)
        return found

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, RemoteError | None]]:
        """One after the other; trouble that will meet the next one as well is raised."""
        for write in writes:
            try:
                self._write(write)
            except (PreconditionFailed, PayloadRejected) as error:
                if isinstance(error, NotFound) and write.payload is not None:
                    raise self._gone() from error
                yield write, _in_words(error, write)
            except PermissionDenied as error:
                if error.status in (403, 405):
                    raise self._read_only(error) from error
                raise
            except DAVError as error:
                raise ProtocolError(
                    f"{self._transport.origin} gave an answer that makes no sense."
                ) from error
            else:
                yield write, None

    def _write(self, write: Write) -> None:
        client = self._caldav()
        origin = self._transport.origin
        event: Any = _Event(
            client,
            url=origin + dav.request_path(self._href(write.uid)),
            parent=_Calendar(client, url=origin + dav.request_path(self._path)),
        )
        if write.held is not None:
            event.props[names.GetEtag.tag] = write.held.etag
        if write.payload is None:
            try:
                event.delete(if_match=write.held.etag if write.held is not None else True)
            except NotFound:
                return
        elif write.held is None:
            event.save(raw_data=write.payload, no_overwrite=True)
        else:
            event.save(raw_data=write.payload, precondition="etag")

    def requests(self) -> int:
        return self._transport.traffic().requests

    def close(self) -> None:
        self._transport.close()

    def _caldav(self) -> _Client:
        if self._client is None:
            self._client = _Client(self._transport)
        return self._client

    def _href(self, uid: str) -> str:
        """Where the event is, or where a new one goes: the name of ours is made of nothing but letters,
        digits and hyphens."""
        return self._hrefs.get(uid) or f"{self._path}{uid}{SUFFIX}"

    def _gone(self) -> BookGone:
        return BookGone(
            f"There is no calendar {self._path} on {self._transport.origin} (any more). Nothing was changed.",
            hint=f"Choose another one: contactsync calendar remove {self._name}, and add it again.",
            status=404,
            href=self._path,
        )

    def _read_only(self, error: RemoteError) -> PermissionDenied:
        return PermissionDenied(
            f"This login may not write to the calendar {self._path} on {self._transport.origin}.",
            hint="Ask whoever owns it, or choose another calendar. Nothing was lost; it is tried again.",
            status=error.status,
            href=self._path,
        )


def _in_words(error: RemoteError, write: Write) -> RemoteError:
    """`classify` may speak of a card."""
    if isinstance(error, PayloadRejected):
        error.message = error.message.replace("card", "event")
    elif isinstance(error, AlreadyExists):
        error.message = "The calendar has an event with this UID under another name."
        error.hint = "Delete that one in your calendar program."
    else:
        error.message = "The event changed in the calendar meanwhile."
    return error


# --- which calendars there are ---


def find_calendars(settings: AccountSettings) -> tuple[Login, list[base.Collection], str]:
    """Who we are, the calendars for events, and the origin that their hrefs belong to."""
    transport = Transport(settings)
    try:
        login = find_login(transport, CALDAV, anywhere=True)
        return login, list_collections(transport, login, [], CALDAV), transport.origin
    finally:
        transport.close()


def make_calendar(settings: AccountSettings, name: str) -> str:
    """The href of a new calendar for events, in the first home of this login."""
    transport = Transport(settings)
    try:
        login = find_login(transport, CALDAV, anywhere=True)
        if not login.homes:
            raise RemoteError(f"{transport.origin} names no place for new calendars.")
        home = transport.origin + dav.request_path(login.homes[0])
        try:
            return _made(_Client(transport), home, name, _path_of(name))
        except RemoteError as error:
            if error.status not in _TAKEN:
                raise
            # Something else is there, an address book say.
            return _made(_Client(transport), home, name, f"{_path_of(name)}-{secrets.token_hex(3)}")
    except (AuthError, TransientError):
        raise
    except RemoteError as error:
        raise RemoteError(
            f"The calendar {name!r} cannot be made: {error.message}",
            hint="Make it in your calendar program, and name it with --calendar.",
            status=error.status,
        ) from error
    finally:
        transport.close()


def _made(client: _Client, home: str, name: str, path: str) -> str:
    takes: Any = {"supported_calendar_component_set": [CALDAV.component]}
    made = _Calendar(client, parent=_Calendar(client, url=home), name=name, id=path, **takes)
    made.save()
    return urlsplit(str(made.url)).path


def _path_of(name: str) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")
    return kept or "birthdays"
