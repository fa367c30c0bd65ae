"""Contacts written to Google: up to 200 at a time, each on the condition that it is still as it was read.

An update is read, merged and written as whole lists (facts: writing): only lists that differ are in the
mask, and every item in them that is not ours goes back as it came. The requests of one batch follow each
other; none is sent before the one before it was answered.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from contactsync.connectors.base import (
    Create,
    Delete,
    Outcome,
    Removed,
    Step,
    Stored,
    Update,
)
from contactsync.connectors.google.codec import is_label, loads
from contactsync.connectors.google.labels import Labels
from contactsync.connectors.google.person import (
    ADDED,
    ADDED_TO_NAMES,
    LABEL,
    SYSTEM_LABELS,
    client_data,
    items_of,
    labels_of,
    photo_of,
    source_of,
)
from contactsync.connectors.google.pictures import LIMITS
from contactsync.connectors.google.reading import FIELDS, SOURCE, Reader
from contactsync.connectors.google.transport import Json, Transport
from contactsync.connectors.outcomes import Outcomes, before_anything_is_sent
from contactsync.connectors.pictures import fitting
from contactsync.errors import (
    NotFound,
    PayloadRejected,
    PreconditionFailed,
    RemoteError,
    TransientError,
)
from contactsync.frozen import frozen

OP_KEY = "contactsync-op"
BATCH = 200
#: What is longer goes by itself, so that Google's refusal meets one contact only (facts: limits).
_MOST_CHARACTERS = 1024
_NOT_WRITTEN = frozenset({"photos", "memberships", "metadata", "clientData"})
_WRITABLE = frozenset(FIELDS.split(",")) - _NOT_WRITTEN
_MINE = f"{LABEL}myContacts"
#: What is refused as a whole batch, and may be right for most of it.
_REFUSED = (PayloadRejected, PreconditionFailed)


@frozen
class _New:
    """A contact to be made: what is sent, with our two marks (L33), and its picture."""

    step: Create
    body: Json
    picture: bytes | None


@dataclass(slots=True)
class _Edit:
    """A change on its way: the contact as it is at Google now, and what of it is to become different."""

    step: Update | Delete
    there: Json
    wanted: Json
    mask: tuple[str, ...] = ()
    give: frozenset[str] = frozenset()
    take: frozenset[str] = frozenset()
    picture: bytes | None = None
    no_picture: bool = False
    wrote: bool = False

    @property
    def name(self) -> str:
        return str(self.there["resourceName"])

    def changed(self, person: Json) -> None:
        """The lists of the mask were written; ``person`` is what they made."""
        self.there, self.mask, self.wrote = person, (), True

    def body(self) -> Json:
        """The person with the lists of the mask; an empty one is cleared by its absence."""
        lists = {name: sendable(self.wanted, name) for name in self.mask}
        source = {key: source_of(self.there)[key] for key in ("type", "id", "etag")}
        whole = {"resourceName": self.name, "etag": self.there["etag"], "metadata": {"sources": [source]}}
        return {**whole, **{name: items for name, items in lists.items() if items}}


class Writer:
    """The writing half of the connector, over one transport."""

    def __init__(self, transport: Transport, reader: Reader, labels: Labels) -> None:
        self._transport = transport
        self._reader = reader
        self._labels = labels

    def write(self, steps: Iterable[Step]) -> Iterator[Outcome]:
        source = iter(steps)
        while part := list(islice(source, BATCH)):
            batch = Outcomes()
            with batch.answering(*part):
                self._do(batch, part)
            if batch.stop is not None:
                batch.fail(part, batch.stop)
            yield from (batch.known[step.key] for step in part)
            if batch.stop is not None:
                return

    def _do(self, batch: Outcomes, steps: Sequence[Step]) -> None:
        for step in steps:
            if _is_about_label(step) and batch.stop is None:
                with batch.answering(step):
                    batch.known[step.key] = self._labels.do(step)
        self._create(batch, [step for step in batch.open(steps) if isinstance(step, Create)])
        self._update(batch, [step for step in batch.open(steps) if isinstance(step, Update)])
        self._delete(batch, [step for step in batch.open(steps) if isinstance(step, Delete)])

    def _call(self, request: Any) -> Json:
        return self._transport.call(request)

    @property
    def _people(self) -> Any:
        return self._transport.service.people()

    # ---- creating ----------------------------------------------------------------------------------------

    def _create(self, batch: Outcomes, steps: Sequence[Create]) -> None:
        new = []
        for step in steps:
            with batch.answering(step):
                new.append(self._new(step))
        together = [one for one in new if not _is_long(one.body)]
        if len(together) > 1 and batch.stop is None:
            with batch.answering(*(one.step for one in together)):
                self._create_together(batch, together)
        for one in new:
            if batch.open([one.step]):
                with batch.answering(one.step):
                    request = self._people.createContact(personFields=FIELDS, sources=SOURCE, body=one.body)
                    self._created(batch, [(one, self._call(request))])

    @before_anything_is_sent
    def _new(self, step: Create) -> _New:
        person = loads(step.payload)
        photo = photo_of(person)
        picture = fitting(photo["data"], LIMITS) if photo is not None else None
        body = {
            name: items for name in sorted(_WRITABLE & person.keys()) if (items := sendable(person, name))
        }
        marks = [*sendable(person, "clientData"), {"key": OP_KEY, "value": step.href_hint}]
        groups = [_MINE, *sorted(self._labels.hrefs_of(labels_of(person)))]
        memberships = [{"contactGroupMembership": {"contactGroupResourceName": href}} for href in groups]
        return _New(step, {**body, "clientData": marks, "memberships": memberships}, picture)

    def _create_together(self, batch: Outcomes, new: Sequence[_New]) -> None:
        """All or nothing (assumed, as https://google.aip.dev/233 asks for). After a refusal it is looked
        whether any is there, and the rest goes one by one, so that each has its own answer."""
        body = {
            "contacts": [{"contactPerson": one.body} for one in new],
            "readMask": FIELDS,
            "sources": [SOURCE],
        }
        try:
            answer = self._call(self._people.batchCreateContacts(body=body))
            people = [row["person"] for row in answer.get("createdPeople", ()) if "person" in row]
            made = {client_data(person, OP_KEY): person for person in people}
            unsaid = [one.step for one in new if one.step.href_hint not in made]
            batch.fail(unsaid, TransientError("Google did not say what became of this contact."))
        except PayloadRejected:
            made = {client_data(person, OP_KEY): person for person in self._newest()}
        self._created(batch, [(one, made[key]) for one in new if (key := one.step.href_hint) in made])

    def _newest(self) -> list[Json]:
        """The contacts that were changed last."""
        request = self._people.connections().list(
            resourceName="people/me",
            personFields=FIELDS,
            sources=SOURCE,
            pageSize=BATCH,
            sortOrder="LAST_MODIFIED_DESCENDING",
        )
        return list(self._call(request).get("connections", ()))

    def _created(self, batch: Outcomes, made: Sequence[tuple[_New, Json]]) -> None:
        """The contacts are there, whatever becomes of their pictures."""
        for one, person in made:
            done = Stored(one.step.key, str(source_of(person)["id"]), etag_of(person))
            batch.known[done.key] = done
            if one.picture is None:
                continue
            try:
                if batch.stop is not None:
                    raise batch.stop
                after = self._send_picture(str(person["resourceName"]), one.picture)
            except RemoteError as error:
                batch.without_picture(done, error)
            else:
                batch.known[done.key] = replace(done, etag=etag_of(after))

    # ---- changing ----------------------------------------------------------------------------------------

    @before_anything_is_sent
    def _look(self, steps: Sequence[Update | Delete]) -> dict[str, Json | RemoteError]:
        return self._reader.people([step.href for step in steps])

    def _update(self, batch: Outcomes, steps: Sequence[Update]) -> None:
        there = self._look(steps)
        edits = []
        for step in steps:
            with batch.answering(step):
                edits.append(self._edit(step, there.get(step.href)))
        self._label(batch, [edit for edit in edits if edit.give or edit.take])
        by_mask: dict[tuple[str, ...], list[_Edit]] = {}
        for edit in self._open(batch, edits):
            by_mask.setdefault(edit.mask, []).append(edit)
        for mask, part in by_mask.items():
            if mask:
                self._change(batch, mask, part)
        for edit in self._open(batch, edits):
            if batch.stop is None:
                with batch.answering(edit.step):
                    self._finish(batch, edit)

    @staticmethod
    def _open(batch: Outcomes, edits: Iterable[_Edit]) -> list[_Edit]:
        return [edit for edit in edits if batch.open([edit.step])]

    @before_anything_is_sent
    def _edit(self, step: Update, there: Json | RemoteError | None) -> _Edit:
        """What an update means now. Raises where the contact is not as it was decided on (L32)."""
        person, wanted = _as_decided(step, there), loads(step.payload)
        has, gets = (self._labels.hrefs_of(labels_of(one)) for one in (person, wanted))
        photo = photo_of(wanted)
        return _Edit(
            step,
            person,
            wanted,
            mask=tuple(n for n in sorted(_WRITABLE) if sendable(wanted, n) != sendable(person, n)),
            give=gets - has,
            take=has - gets,
            picture=fitting(photo["data"], LIMITS) if photo is not None and "url" not in photo else None,
            no_picture=photo is None and photo_of(person) is not None,
        )

    def _label(self, batch: Outcomes, edits: Sequence[_Edit]) -> None:
        """Labels first, each with all its contacts in one request; what that made of the etags is read."""
        for href in sorted({href for edit in edits for href in edit.give | edit.take}):
            part = [edit for edit in self._open(batch, edits) if href in edit.give | edit.take]
            if part:
                add = [edit.name for edit in part if href in edit.give]
                remove = [edit.name for edit in part if href in edit.take]
                with batch.answering(*(edit.step for edit in part)):
                    self._labels.give(href, add, remove)
        left = self._open(batch, edits)
        there = self._reader.people([edit.step.href for edit in left])
        for edit in left:
            with batch.answering(edit.step):
                edit.there = _unchanged(edit, there.get(edit.step.href))
                edit.wrote = True

    def _change(self, batch: Outcomes, mask: tuple[str, ...], edits: Sequence[_Edit]) -> None:
        """Contacts of which the same lists change go together. After a refusal each goes alone: the
        condition of those that went through fails then, and they are read (L13)."""
        together = [edit for edit in edits if not _is_long(edit.body())]
        if len(together) > 1 and batch.stop is None:
            with batch.answering(*(edit.step for edit in together)), suppress(*_REFUSED):
                self._change_together(batch, mask, together)
        for edit in self._open(batch, edits):
            if edit.mask and batch.stop is None:
                with batch.answering(edit.step):
                    edit.changed(self._change_one(edit))

    def _change_together(self, batch: Outcomes, mask: tuple[str, ...], edits: Sequence[_Edit]) -> None:
        body = {
            "contacts": {edit.name: edit.body() for edit in edits},
            "updateMask": ",".join(mask),
            "readMask": FIELDS,
            "sources": [SOURCE],
        }
        answers = self._call(self._people.batchUpdateContacts(body=body)).get("updateResult", {})
        for edit in edits:
            person = answers.get(edit.name, {}).get("person")
            if person is None:
                batch.fail([edit.step], TransientError("Google did not say what became of this contact."))
            else:
                edit.changed(person)

    def _change_one(self, edit: _Edit) -> Json:
        return self._call(
            self._people.updateContact(
                resourceName=edit.name,
                updatePersonFields=",".join(edit.mask),
                personFields=FIELDS,
                sources=SOURCE,
                body=edit.body(),
            )
        )

    def _finish(self, batch: Outcomes, edit: _Edit) -> None:
        """The picture comes last: it has no condition, and what is before it has."""
        step = edit.step
        done = Stored(step.key, step.href, etag_of(edit.there))
        try:
            self._finish_picture(edit)
        except RemoteError as error:
            if not edit.wrote:
                raise
            batch.without_picture(done, error)
        else:
            batch.known[step.key] = replace(done, etag=etag_of(edit.there))

    def _finish_picture(self, edit: _Edit) -> None:
        if edit.picture is not None:
            edit.changed(self._send_picture(edit.name, edit.picture))
        elif edit.no_picture:
            request = self._people.deleteContactPhoto(
                resourceName=edit.name, personFields=FIELDS, sources=SOURCE
            )
            edit.changed(self._call(request).get("person", {}))

    def _send_picture(self, name: str, picture: bytes) -> Json:
        encoded = base64.b64encode(picture).decode()
        body = {"photoBytes": encoded, "personFields": FIELDS, "sources": [SOURCE]}
        answer = self._call(self._people.updateContactPhoto(resourceName=name, body=body))
        person: Json = answer.get("person", {})
        return person

    # ---- deleting ----------------------------------------------------------------------------------------

    def _delete(self, batch: Outcomes, steps: Sequence[Delete]) -> None:
        """Google knows no condition for it, and what a look shows may be old for a moment. So each contact
        is marked first, which has a condition."""
        there = self._look(steps)
        edits = []
        for step in steps:
            with batch.answering(step):
                try:
                    person = _as_decided(step, there.get(step.href))
                except NotFound:
                    batch.known[step.key] = Removed(step.key, step.href)
                else:
                    marks = [*sendable(person, "clientData"), {"key": OP_KEY, "value": "delete"}]
                    edits.append(_Edit(step, person, {"clientData": marks}, ("clientData",)))
        self._change(batch, ("clientData",), edits)
        names = {edit.step.key: edit.name for edit in edits}
        ready = batch.open(steps)
        if len(ready) > 1:
            body = {"resourceNames": [names[step.key] for step in ready]}
            with batch.answering(*ready), suppress(*_REFUSED):
                self._call(self._people.batchDeleteContacts(body=body))
                batch.known |= {step.key: Removed(step.key, step.href) for step in ready}
        for step in ready:
            if batch.open([step]):
                with batch.answering(step):
                    with suppress(NotFound):
                        self._call(self._people.deleteContact(resourceName=names[step.key]))
                    batch.known[step.key] = Removed(step.key, step.href)


def sendable(person: Mapping[str, Any], name: str) -> list[Json]:
    """The items of a list without what the server adds to them."""
    added = ADDED
    if name == "names":
        added = ADDED | ADDED_TO_NAMES
    items = [
        {key: value for key, value in item.items() if key not in added} for item in items_of(person, name)
    ]
    if name == "names":
        items = [_without_whole(item) for item in items]
    return [item for item in items if item]


def _without_whole(item: Json) -> Json:
    """The server makes the whole name of the parts; it is written only where there are none."""
    parts = {key: value for key, value in item.items() if key != "unstructuredName"}
    return parts or item


def _as_decided(step: Update | Delete, there: Json | RemoteError | None) -> Json:
    if isinstance(there, RemoteError):
        raise there
    if there is None:
        raise NotFound("That contact is not at Google.", href=step.href)
    if step.etag is None or source_of(there).get("etag") != step.etag:
        raise PreconditionFailed("The contact changed at Google since it was read.", href=step.href)
    return there


def _unchanged(edit: _Edit, there: Json | RemoteError | None) -> Json:
    """The contact after its labels were changed, and nothing else."""
    if isinstance(there, RemoteError):
        raise there
    if there is None or any(sendable(there, n) != sendable(edit.there, n) for n in _WRITABLE):
        raise PreconditionFailed("The contact changed at Google since it was read.", href=edit.step.href)
    return there


def _is_about_label(step: Step) -> bool:
    if isinstance(step, Create):
        return is_label(loads(step.payload))
    return step.href.startswith(LABEL) and step.href not in SYSTEM_LABELS


def _is_long(body: Json) -> bool:
    texts = (v for items in body.values() if isinstance(items, list) for item in items for v in item.values())
    return any(isinstance(text, str) and len(text) > _MOST_CHARACTERS for text in texts)


def etag_of(person: Mapping[str, Any]) -> str | None:
    return str(source_of(person).get("etag", "")) or None
