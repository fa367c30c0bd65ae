"""What changed in Outlook, and single contacts by direct reads (facts: delta rounds, observed value rules).

A card's href is the immutable id of the contact, its etag the one of Graph. A list of changes tells neither
the extended properties nor the pictures. At a first listing another list has the former; later, whatever
changed is read directly, and once a day all etags are looked through, as such a change moves nothing else.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contactsync.connectors.base import Change, Collection, Page, Payload
from contactsync.connectors.outlook.codec import dumps, loads
from contactsync.connectors.outlook.person import (
    EXTENDED,
    EXTENDED_IDS,
    FIELDS,
    HAS_PICTURE,
    OPERATION,
    PHOTO,
    Person,
    canonical,
    has_picture,
)
from contactsync.connectors.outlook.slots import is_ambiguous, read_day
from contactsync.connectors.outlook.transport import Json, Reply, Request, Transport, path_of
from contactsync.connectors.pacing import several
from contactsync.connectors.portions import ahead
from contactsync.errors import (
    AuthError,
    BookGone,
    NotFound,
    PermissionDenied,
    ProtocolError,
    Recovery,
    RemoteError,
    SyncTokenExpired,
)
from contactsync.frozen import frozen

#: A place in a list is for exactly these fields: others need another version.
VERSION = "outlook1:"
SWEEP_AFTER = timedelta(days=1)
DEFAULT_FOLDER = "contacts"
_PAGE = 1000
#: Microsoft bears four requests at a time (facts: errors and throttling).
_READERS = 3
_EXTENDED = "singleValueExtendedProperties"
_SHOWN = ",".join(("id", "lastModifiedDateTime", "parentFolderId", *FIELDS))
_WITH_EXTENDED = f"{_EXTENDED}($filter={' or '.join(f'id eq {name!r}' for name in EXTENDED_IDS)})"
_NUMBER = re.compile(r"0[xX]([0-9a-fA-F]+)")
_FOLDER = "id,displayName,parentFolderId"


@frozen
class Found:
    """A contact that is there: which folder it is in, its version, and all that is known but its picture."""

    folder: str
    etag: str
    person: Person
    modified_at: datetime | None

    @property
    def href(self) -> str:
        return str(self.person["id"])

    def change(self) -> Change:
        partial = has_picture(self.person) or is_ambiguous(self.person.get("birthday"))
        return Change(self.href, self.etag, dumps(self.person), modified_at=self.modified_at, partial=partial)


@frozen
class _Place:
    """Where we are in a list of changes, and when all etags were looked through."""

    link: str
    swept: datetime

    def text(self) -> str:
        content = [self.link, self.swept.isoformat(timespec="seconds")]
        return VERSION + json.dumps(content, separators=(",", ":"))

    @classmethod
    def of(cls, cursor: str) -> _Place:
        try:
            if not cursor.startswith(VERSION):
                raise ValueError(cursor)
            link, swept = json.loads(cursor.removeprefix(VERSION))
            return cls(str(link), datetime.fromisoformat(swept))
        except (ValueError, TypeError):
            raise SyncTokenExpired("The saved place in Outlook's list is of an unknown kind.") from None


class Reader:
    """The reading half of the connector, over one transport."""

    def __init__(
        self, transport: Transport, now: Callable[[], datetime], sweep_after: timedelta = SWEEP_AFTER
    ) -> None:
        self._transport = transport
        self._now = now
        self._sweep_after = sweep_after

    # ---- folders -----------------------------------------------------------------------------------------

    def folders(self) -> list[Collection]:
        """All folders of contacts; the default one is in no list."""
        default = self._default_folder()
        found = [Collection(str(default["id"]), str(default["displayName"]), default=True)]
        todo = [(found[0].href, ""), ("", "")]
        while todo:
            parent, above = todo.pop()
            where = ("contactFolders", parent, "childFolders") if parent else ("contactFolders",)
            for row in self._rows(path_of(*where, top="100", select=_FOLDER)):
                name = f"{above}{row['displayName']}"
                found.append(Collection(str(row["id"]), name))
                todo.append((str(row["id"]), f"{name}/"))
        return found

    def _default_folder(self) -> Json:
        """By its alias, which is not documented; else by a contact that is in it."""
        try:
            return self._transport.get(path_of("contactFolders", DEFAULT_FOLDER, select=_FOLDER))
        except RemoteError as error:
            if error.status not in (400, 404):
                raise
            path = path_of("contacts", top="1", select="id,parentFolderId")
            rows = list(self._transport.get(path).get("value") or ())
            if not rows:
                raise
            return {"id": rows[0]["parentFolderId"], "displayName": "Contacts"}

    def _rows(self, path: str) -> Iterator[Json]:
        while path:
            answer = self._transport.get(path)
            yield from answer.get("value") or ()
            path = str(answer.get("@odata.nextLink") or "")

    # ---- the list ----------------------------------------------------------------------------------------

    def changes(self, folder: str, cursor: str | None) -> Iterator[Page]:
        if cursor is None:
            yield from self._everything(folder)
            return
        place = _Place.of(cursor)
        left: dict[str, None] = {}
        told: set[str] = set()
        link = place.link
        for rows, done in self._delta(place.link, folder):
            link = done
            changes = tuple(self._row(row, left) for row in rows)
            told |= {change.href for change in changes}
            if changes:
                yield Page(changes, None, full=False, last=False)
        if left:
            yield Page(tuple(self._looked_for(folder, list(left))), None, full=False, last=False)
        swept = place.swept
        if self._now() - swept >= self._sweep_after:
            swept = self._now()
            # of what the list of changes has told, another list may be behind
            rest = tuple(change for change in self._etags(folder) if change.href not in told)
            yield Page(rest, None, full=False, last=False)
        quiet = not told and swept == place.swept
        yield Page((), cursor if quiet else _Place(link, swept).text(), full=False, last=True)

    def _everything(self, folder: str) -> Iterator[Page]:
        """The list of changes from its beginning, with the extended properties out of another list. What
        changed in between is read directly, and so is a note that a list may have damaged."""
        swept = self._now()
        first = path_of("contactFolders", folder, "contacts", "delta", select=_SHOWN)
        extended = self._extended(folder)
        link = ""
        for rows, done in ahead(self._delta(first, folder)):
            link = done
            changes = []
            for row in rows:
                href, etag = str(row["id"]), str(row.get("@odata.etag", ""))
                if "@removed" in row:
                    changes.append(Change(href, gone=True))
                    continue
                known, values = extended.get(href, ("", {}))
                found = found_in(row, values)
                whole = known == etag and not _may_be_cut(found.person)
                changes.append(found.change() if whole else Change(href, etag))
            if changes:
                yield Page(tuple(changes), None, full=True, last=False)
        yield Page((), _Place(link, swept).text(), full=True, last=True)

    def _delta(self, path: str, folder: str) -> Iterator[tuple[list[Json], str]]:
        """Pages of rows, the last with the link for the next round; links are followed as they are."""
        first = path.startswith("/")
        while True:
            try:
                answer = self._transport.get(path, page_size=_PAGE)
            except RemoteError as error:
                if first and error.status == 404:
                    raise BookGone("This folder is not in the mailbox any more.", href=folder) from error
                if not first and error.status in (400, 404, 410):
                    words = "Outlook does not know our place in its list any more."
                    raise SyncTokenExpired(words, status=error.status) from error
                raise
            rows = [row for row in answer.get("value") or () if isinstance(row, dict) and row.get("id")]
            done = str(answer.get("@odata.deltaLink") or "")
            path, first = str(answer.get("@odata.nextLink") or ""), False
            yield rows, done
            if done:
                return
            if not path:
                raise ProtocolError("Outlook's list of contacts ends without a link; it may be cut.")

    def _row(self, row: Json, left: dict[str, None]) -> Change:
        """A row of a list of changes; ``left`` collects those that went to another folder (L21). The last
        word on a contact counts, as a list may have several."""
        href = str(row["id"])
        left.pop(href, None)
        removed = row.get("@removed")
        if removed is None:
            return Change(href, str(row.get("@odata.etag", "")) or None)
        if isinstance(removed, dict) and removed.get("reason") == "changed":
            left[href] = None
        return Change(href, gone=True)

    def _looked_for(self, folder: str, hrefs: Sequence[str]) -> Iterator[Change]:
        """Where contacts are now that left this folder: a row for each, without its content."""
        for change in self.fetch(folder, hrefs):
            yield change if change.gone or change.error else Change(change.href, change.etag)

    def _extended(self, folder: str) -> dict[str, tuple[str, dict[str, str]]]:
        """Etag and extended properties of all contacts of a folder, by href."""
        path = path_of(
            "contactFolders", folder, "contacts", top=str(_PAGE), select="id", expand=_WITH_EXTENDED
        )
        return {
            str(row["id"]): (str(row.get("@odata.etag", "")), marks_of(row))
            for row in self._known_folder(path, folder)
        }

    def _etags(self, folder: str) -> Iterator[Change]:
        path = path_of("contactFolders", folder, "contacts", top=str(_PAGE), select="id")
        for row in self._known_folder(path, folder):
            yield Change(str(row["id"]), str(row.get("@odata.etag", "")) or None)

    def _known_folder(self, path: str, folder: str) -> Iterator[Json]:
        try:
            yield from self._rows(path)
        except NotFound as error:
            raise BookGone("This folder is not in the mailbox any more.", href=folder) from error

    # ---- single contacts ---------------------------------------------------------------------------------

    def fetch(self, folder: str, hrefs: Sequence[str]) -> Iterator[Change]:
        """In the order asked for; pictures are left out."""
        found = self.people(hrefs)
        for href in hrefs:
            one = found.get(href)
            if isinstance(one, RemoteError):
                yield Change(href, error=one)
            elif one is None:
                yield Change(href, gone=True)
            elif one.folder != folder:
                yield Change(href, gone=True, elsewhere=True)
            else:
                yield one.change()

    def people(self, hrefs: Sequence[str]) -> dict[str, Found | RemoteError]:
        """The contacts that are there, in whatever folder. Raises `RemoteError` for what concerns all."""
        wanted = list(dict.fromkeys(hrefs))
        requests = [
            Request("GET", path_of("contacts", href, select=_SHOWN, expand=_WITH_EXTENDED)) for href in wanted
        ]
        found: dict[str, Found | RemoteError] = {}
        for href, reply in zip(wanted, self._transport.batch(requests), strict=True):
            one = _answered(reply, href)
            if one is not None:
                found[href] = one
        return found

    def made_by(self, folder: str, operations: Sequence[str]) -> dict[str, str]:
        """Hrefs of the contacts that our creates made, by the name of the operation. The server looks at
        the whole folder for it, so this is for creates of which nothing else is known (L33)."""
        requests = [
            Request(
                "GET",
                path_of(
                    "contactFolders",
                    folder,
                    "contacts",
                    select="id",
                    filter=f"{_EXTENDED}/Any(ep: ep/id eq '{OPERATION}' and ep/value eq '{operation}')",
                ),
            )
            for operation in operations
        ]
        found = {}
        for operation, reply in zip(operations, self._transport.batch(requests), strict=True):
            rows = reply.json().get("value") if reply.ok else None
            if rows:
                found[operation] = str(rows[0]["id"])
        return found

    # ---- what is asked for one by one --------------------------------------------------------------------

    def complete(self, changes: Iterable[tuple[Change, Payload | None]]) -> Iterator[Change]:
        """Contacts with their pictures, a few at a time. A picture that is not to be had is named as the
        contact's error; the others go on."""
        return several(changes, lambda one: self._whole(*one), _READERS)

    def _whole(self, change: Change, known: Payload | None) -> Change:
        person = with_known_birthday(loads(change.payload or b"{}"), loads(known) if known else {})
        if has_picture(person):
            try:
                picture = self._picture(change.href)
            except (PermissionDenied, ProtocolError) as error:
                reason = ProtocolError(f"The photo of this contact cannot be fetched: {error.message}")
                return Change(change.href, change.etag, error=reason)
            person = with_picture(person, picture)
        return replace(change, payload=dumps(person), partial=False)

    def _picture(self, href: str) -> bytes:
        """Empty where there is none."""
        reply = self._transport.send("GET", path_of("contacts", href, "photo", "$value"))
        if reply.ok:
            return reply.body
        error = reply.error(href)
        if isinstance(error, NotFound):
            return b""
        raise error


def with_picture(person: Person, picture: bytes) -> Person:
    """``stored`` says that the picture is the one of the mailbox."""
    if picture:
        return {**person, PHOTO: {"data": base64.b64encode(picture).decode(), "stored": True}}
    extended = {name: value for name, value in person[EXTENDED].items() if name != HAS_PICTURE}
    bare = {name: value for name, value in person.items() if name != EXTENDED}
    return {**bare, EXTENDED: extended} if extended else bare


def with_known_birthday(person: Person, known: Mapping[str, Any]) -> Person:
    """A birthday at an hour that may be the midnight of another zone is the one that is known, if that is
    the day before or after."""
    moment = person.get("birthday")
    day, before = read_day(moment), read_day(known.get("birthday"))
    if not is_ambiguous(moment) or day is None or before is None:
        return person
    shown = str(moment)[:10]
    if str(known["birthday"])[:10] == shown or day == before:
        return {**person, "birthday": known["birthday"]}
    return person


def marks_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The extended properties of an answer that was asked for them, by the ids that we know them by: Graph
    may spell an id in another way than it was asked for."""
    rows = row.get(_EXTENDED)
    found = [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []
    return {
        _KNOWN_IDS.get(_plain_id(name), name): str(one.get("value") or "")
        for one in found
        if (name := str(one.get("id", "")))
    }


def _plain_id(name: str) -> str:
    return _NUMBER.sub(lambda number: f"0x{int(number[1], 16):x}", name).lower()


_KNOWN_IDS = {_plain_id(name): name for name in EXTENDED_IDS}


def found_in(row: Mapping[str, Any], extended: Mapping[str, str]) -> Found:
    """A contact as an answer shows it."""
    return Found(
        str(row.get("parentFolderId", "")),
        str(row.get("@odata.etag", "")),
        canonical(row, extended),
        _moment(str(row.get("lastModifiedDateTime", ""))),
    )


def _answered(reply: Reply, href: str) -> Found | RemoteError | None:
    if reply.ok:
        row = reply.json()
        return found_in(row, marks_of(row))
    error = reply.error(href)
    if isinstance(error, NotFound):
        return None
    if isinstance(error, AuthError) or error.recovery in (Recovery.RETRY, Recovery.STOP_ACCOUNT):
        raise error
    return error


def _may_be_cut(person: Person) -> bool:
    """A list shows a note that begins with a line end without any, and the beginning only. So what has one
    is whole."""
    return "\n" not in str(person.get("personalNotes", "\n"))


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
