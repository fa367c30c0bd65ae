"""Contacts written to Outlook: up to 20 at a time, each on the condition that it is still as it was read.

That Graph honours a condition is not documented (facts: concurrency guard), so every contact is looked at
right before, and what the answer shows besides our change must be what was there. Pictures go one by one,
after all the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from contactsync.connectors.base import Create, Delete, Outcome, Removed, Step, Stored, Unknown, Update
from contactsync.connectors.outcomes import Outcomes, before_anything_is_sent
from contactsync.connectors.outlook.codec import dumps, loads
from contactsync.connectors.outlook.person import (
    ADDRESS_PARTS,
    ADDRESSES,
    DISPLAY,
    EXTENDED,
    HAS_PICTURE,
    NAME_PARTS,
    OPERATION,
    PHOTO,
    UID,
    WRITABLE,
    Person,
    extended_of,
    has_picture,
)
from contactsync.connectors.outlook.reading import Found, Reader, found_in
from contactsync.connectors.outlook.slots import LISTS
from contactsync.connectors.outlook.transport import BATCH, Json, Reply, Request, Transport, path_of
from contactsync.connectors.pictures import JPEG, Limits, fitting
from contactsync.errors import NotFound, PreconditionFailed, RemoteError

EMAILS = "emailAddresses"
_MARKS = frozenset({UID, OPERATION})
_READ_ONLY = frozenset({HAS_PICTURE, *_MARKS})
_ROWS = "singleValueExtendedProperties"
#: https://learn.microsoft.com/graph/api/profilephoto-update
LIMITS = Limits("Outlook", (JPEG,), most_bytes=4_000_000, most_pixels=1024)


@dataclass(slots=True)
class _Write:
    """A step on its way: the request for it, the contact as it was (empty for a new one) and as it will be,
    and what becomes of its picture. ``after`` is what the answer showed."""

    step: Create | Update
    request: Request
    before: Person
    wanted: Person
    after: Person
    picture: bytes | None = None
    no_picture: bool = False

    @property
    def has_more(self) -> bool:
        return self.no_picture or self.picture is not None

    @property
    def is_told(self) -> bool:
        """Does the answer say all? It shows no extended property, and only those that mark our own contacts
        are certain to be what was sent."""
        if isinstance(self.step, Update):
            return _ROWS not in (self.request.body or {})
        return extended_of(self.wanted).keys() <= _MARKS

    def stored(self, found: Found) -> Stored:
        """What a good answer means. Where something that we did not send is not as it was, somebody was
        there in between, and the contact is read again."""
        self.after = found.person
        sent = self.request.body or {}
        kept = WRITABLE - sent.keys() - {DISPLAY}
        if self.before and any(self.after.get(name) != self.before.get(name) for name in kept):
            return Stored(self.step.key, found.href, None)
        if not self.is_told:
            return Stored(self.step.key, found.href, found.etag)
        photo = {PHOTO: self.wanted[PHOTO]} if PHOTO in self.wanted else {}
        return Stored(self.step.key, found.href, found.etag, dumps({**found.person, **photo}))


class Writer:
    """The writing half of the connector, over one transport."""

    def __init__(self, transport: Transport, reader: Reader) -> None:
        self._transport = transport
        self._reader = reader

    def write(self, folder: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        source = iter(steps)
        while part := list(islice(source, BATCH)):
            outcomes = Outcomes()
            with outcomes.answering(*part):
                self._do(folder, outcomes, part)
            if outcomes.stop is not None:
                outcomes.fail(part, outcomes.stop)
            yield from (outcomes.known[step.key] for step in part)
            if outcomes.stop is not None:
                return

    def _do(self, folder: str, outcomes: Outcomes, steps: Sequence[Step]) -> None:
        there = self._look([step.href for step in steps if not isinstance(step, Create)])
        writes: dict[int, _Write] = {}
        requests: list[tuple[Step, Request]] = []
        for step in steps:
            with outcomes.answering(step):
                if isinstance(step, Delete):
                    requests += self._deletion(folder, outcomes, step, there.get(step.href))
                    continue
                write = (
                    self._new(folder, step)
                    if isinstance(step, Create)
                    else self._edit(step, _as_decided(folder, step, there.get(step.href)))
                )
                writes[step.key] = write
                if write.request.body:
                    requests.append((step, write.request))
                else:
                    outcomes.known[step.key] = Stored(step.key, getattr(step, "href", ""), write.request.etag)
        self._send(outcomes, requests, writes)
        self._find_made(folder, outcomes, [step for step in steps if isinstance(step, Create)])
        self._pictures(outcomes, [write for write in writes.values() if write.has_more])

    def _send(
        self, outcomes: Outcomes, requests: Sequence[tuple[Step, Request]], writes: Mapping[int, _Write]
    ) -> None:
        with outcomes.answering(*(step for step, _ in requests)):
            replies = self._transport.batch([request for _, request in requests])
            for (step, _), reply in zip(requests, replies, strict=True):
                with outcomes.answering(step):
                    outcomes.known[step.key] = _answered(step, writes.get(step.key), reply)

    @staticmethod
    def _deletion(
        folder: str, outcomes: Outcomes, step: Delete, there: Found | RemoteError | None
    ) -> list[tuple[Step, Request]]:
        try:
            found = _as_decided(folder, step, there)
        except NotFound:
            outcomes.known[step.key] = Removed(step.key, step.href)
            return []
        return [(step, Request("DELETE", path_of("contacts", step.href), etag=found.etag))]

    @before_anything_is_sent
    def _look(self, hrefs: Sequence[str]) -> dict[str, Found | RemoteError]:
        return self._reader.people(hrefs) if hrefs else {}

    # ---- what is sent ------------------------------------------------------------------------------------

    @before_anything_is_sent
    def _new(self, folder: str, step: Create) -> _Write:
        wanted = loads(step.payload)
        marks = {**extended_of(wanted), OPERATION: step.href_hint}
        body = {name: _sendable(name, wanted) for name in sorted(WRITABLE & wanted.keys())}
        body[_ROWS] = _rows({name: value for name, value in marks.items() if name != HAS_PICTURE})
        path = path_of("contactFolders", folder, "contacts")
        wanted = {**wanted, EXTENDED: marks}
        return _Write(step, Request("POST", path, body), {}, wanted, {}, picture=_new_picture(wanted))

    @before_anything_is_sent
    def _edit(self, step: Update, there: Found) -> _Write:
        """Only what differs is named; a name part brings the display name along, which the server makes anew
        otherwise."""
        before, wanted = there.person, loads(step.payload)
        names = {name for name in WRITABLE if wanted.get(name) != before.get(name)}
        if names & NAME_PARTS:
            names.add(DISPLAY)
        body = {name: _sendable(name, wanted) for name in sorted(names)}
        had, has = extended_of(before), extended_of(wanted)
        changed = {n: has.get(n) for n in had.keys() | has.keys() if had.get(n) != has.get(n)}
        if rows := _rows({name: value for name, value in changed.items() if name not in _READ_ONLY}):
            body[_ROWS] = rows
        return _Write(
            step,
            Request("PATCH", path_of("contacts", step.href), body, step.etag or ""),
            before,
            wanted,
            before,
            picture=_new_picture(wanted),
            no_picture=has_picture(wanted) and PHOTO not in wanted,
        )

    # ---- what comes back ---------------------------------------------------------------------------------

    def _find_made(self, folder: str, outcomes: Outcomes, steps: Sequence[Create]) -> None:
        """Contacts of which we do not know whether they were made are looked for by their mark (L33)."""
        doubtful = {s.href_hint: s for s in steps if isinstance(outcomes.known.get(s.key), Unknown)}
        if not doubtful or outcomes.stop is not None:
            return
        with outcomes.answering():
            for operation, href in self._reader.made_by(folder, list(doubtful)).items():
                key = doubtful[operation].key
                outcomes.known[key] = Stored(key, href, None)

    def _pictures(self, outcomes: Outcomes, writes: Iterable[_Write]) -> None:
        """Their contacts are written by now. Without its picture a new one is there nevertheless, and another
        round sends it. No answer names the version that a picture makes, so all are looked at once more."""
        done: dict[str, _Write] = {}
        for write in writes:
            known = outcomes.known.get(write.step.key)
            if outcomes.stop is not None or not isinstance(known, Stored):
                continue
            try:
                self._send_picture(known.href, write.picture)
            except RemoteError as error:
                if write.request.body:
                    outcomes.without_picture(known, error)
                else:
                    del outcomes.known[known.key]
                    outcomes.fail([write.step], error)
            else:
                outcomes.known[known.key] = Stored(known.key, known.href, None)
                done[known.href] = write
        with outcomes.answering():
            for href, found in self._look(list(done)).items():
                after = done[href].after
                if isinstance(found, Found) and all(found.person.get(n) == after.get(n) for n in WRITABLE):
                    key = done[href].step.key
                    outcomes.known[key] = Stored(key, href, found.etag)

    def _send_picture(self, href: str, picture: bytes | None) -> None:
        path = path_of("contacts", href, "photo", "$value")
        if picture is None:
            reply = self._transport.send("DELETE", path)
        else:
            reply = self._transport.send("PUT", path, picture, {"Content-Type": "image/jpeg"})
        if not reply.ok:
            raise reply.error(href)


def _as_decided(folder: str, step: Update | Delete, there: Found | RemoteError | None) -> Found:
    """Raises where the contact is not as it was decided on (L32)."""
    if isinstance(there, RemoteError):
        raise there
    if there is None:
        raise NotFound("That contact is not in Outlook.", href=step.href)
    if there.folder != folder or step.etag is None or there.etag != step.etag:
        raise PreconditionFailed("The contact changed in Outlook since it was read.", href=step.href)
    return there


def _answered(step: Step, write: _Write | None, reply: Reply) -> Outcome:
    href = "" if isinstance(step, Create) else step.href
    if not reply.ok and not (write is None and reply.status == 404):
        raise reply.error(href)
    if write is None:
        return Removed(step.key, href)
    return write.stored(found_in(reply.json(), extended_of(write.before or write.wanted)))


def _rows(extended: Mapping[str, Any]) -> list[Json]:
    """An empty value clears a property (assumed)."""
    return [{"id": name, "value": value} for name, value in sorted(extended.items())]


def _sendable(name: str, wanted: Person) -> Any:
    """One property as it is sent: whole addresses, and what is gone in the way that clears it."""
    value = wanted.get(name)
    if name in ADDRESSES:
        return {part: (value or {}).get(part, "") for part in ADDRESS_PARTS}
    if name == EMAILS:
        shown = wanted.get(DISPLAY)
        return [{"name": shown, **one} if shown else one for one in value or []]
    if name in LISTS:
        return value or []
    return value or None


def _new_picture(wanted: Person) -> bytes | None:
    photo = wanted.get(PHOTO)
    return fitting(photo["data"], LIMITS) if photo and not photo.get("stored") else None
