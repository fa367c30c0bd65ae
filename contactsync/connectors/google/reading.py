"""What changed at Google, and single contacts by direct reads (facts: listing and sync tokens).

A card's href is the id of the contact source, which stays when the resource name changes; its etag is the
one of that source, as a person's own etag depends on the fields that were asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from contactsync.connectors.base import Change, Page, Payload
from contactsync.connectors.google.codec import dumps, loads
from contactsync.connectors.google.person import LABEL, items_of, photo_of, source_of
from contactsync.connectors.google.pictures import with_picture
from contactsync.connectors.google.transport import Json, Transport
from contactsync.connectors.pacing import several
from contactsync.connectors.portions import ahead
from contactsync.errors import NotFound, PermissionDenied, ProtocolError, RemoteError, SyncTokenExpired

#: A sync token is for exactly these parameters: another list of fields needs another version.
VERSION = "google1:"
FIELDS = ",".join(
    (
        "addresses",
        "biographies",
        "birthdays",
        "calendarUrls",
        "clientData",
        "emailAddresses",
        "events",
        "externalIds",
        "genders",
        "imClients",
        "interests",
        "locales",
        "locations",
        "memberships",
        "metadata",
        "miscKeywords",
        "names",
        "nicknames",
        "occupations",
        "organizations",
        "phoneNumbers",
        "photos",
        "relations",
        "sipAddresses",
        "urls",
        "userDefined",
    )
)
SOURCE = "READ_SOURCE_TYPE_CONTACT"
_PAGE = 1000
_BATCH = 200
#: Photos are fetched from another server than contacts; how many at a time it bears, nobody documents.
_PHOTOS = 3
#: A list shows no more e-mail addresses or phones of one contact; a direct read shows all.
_MOST_LISTED = 100
_LABEL_FIELDS = "contactGroups(resourceName,groupType,name,etag),nextPageToken"


@dataclass(slots=True)
class _Place:
    """Where we are in Google's list, and what its answers do not tell again: the labels that there were,
    by href, and the resource names that do not follow from the id."""

    token: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        content = [self.token, self.labels, self.names]
        return VERSION + json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def of(cls, cursor: str) -> _Place:
        try:
            return cls(*json.loads(cursor.removeprefix(VERSION)))
        except (ValueError, TypeError):
            raise SyncTokenExpired("The saved place in Google's list is of an unknown kind.") from None


class Reader:
    """The reading half of the connector, over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._names: dict[str, str] = {}
        self._labels: dict[str, Json] | None = None

    # ---- the list ----------------------------------------------------------------------------------------

    def changes(self, cursor: str | None) -> Iterator[Page]:
        """The labels come last: a contact that is listed cannot be in one that is not known by then."""
        if cursor is not None and not cursor.startswith(VERSION):
            raise SyncTokenExpired("The saved place in Google's list is of an unknown kind.")
        place = _Place.of(cursor) if cursor else _Place()
        self._names = place.names
        full, news = cursor is None, False
        answers = ahead(self._pages(place)) if full else self._pages(place)
        for answer in answers:
            changes = tuple(self._row(person) for person in answer.get("connections", ()))
            news = news or bool(changes)
            if changes:
                yield Page(changes, None, full, last=False)
            place.token = str(answer.get("nextSyncToken", ""))
        labels = self.labels()
        rows = [label_row(label) for label in labels.values()]
        changed = tuple(row for row in rows if full or place.labels.get(row.href) != row.etag)
        gone = tuple(Change(href, gone=True) for href in place.labels if href not in labels)
        place.labels = {row.href: row.etag or "" for row in rows}
        # the token that was good is as good as the new one, while it brought nothing
        quiet = cursor if not (news or changed or gone) else None
        yield Page(changed + (() if full else gone), quiet or place.text(), full, last=True)

    def _pages(self, place: _Place) -> Iterator[Json]:
        people = self._transport.service.people().connections()
        token = {"syncToken": place.token} if place.token else {}
        request = people.list(
            resourceName="people/me",
            personFields=FIELDS,
            sources=SOURCE,
            pageSize=_PAGE,
            requestSyncToken=True,
            **token,
        )
        while True:
            answer = self._listed(request, incremental=bool(token))
            yield answer
            if not answer.get("nextPageToken"):
                break
            request = people.list_next(request, answer)
        if not answer.get("nextSyncToken"):
            raise ProtocolError("Google's list of contacts ends without a sync token; it may be cut.")

    def _listed(self, request: Any, *, incremental: bool) -> Json:
        """A token that Google does not know, or has for other parameters, is a bad argument."""
        try:
            return self._transport.call(request)
        except RemoteError as error:
            if incremental and error.status == 400 and not isinstance(error, SyncTokenExpired):
                raise SyncTokenExpired(
                    "Google does not know our place in its list any more.", status=400
                ) from error
            raise

    def _row(self, person: Json) -> Change:
        href = str(source_of(person).get("id", ""))
        if not href:
            raise ProtocolError("Google lists a contact without its id.")
        metadata = person.get("metadata", {})
        if metadata.get("deleted"):
            return Change(href, gone=True)
        self._note_name(href, str(person.get("resourceName", "")))
        change = change_of(person)
        if any(len(items_of(person, name)) >= _MOST_LISTED for name in ("emailAddresses", "phoneNumbers")):
            return replace(change, payload=None, partial=False)
        return change

    def _note_name(self, href: str, name: str) -> None:
        """A contact that is linked to a profile has another name, which may change again."""
        if name and name != _usual_name(href):
            self._names[href] = name
        else:
            self._names.pop(href, None)

    def name_of(self, href: str) -> str:
        """The resource name of a contact; empty for what cannot be one."""
        return self._names.get(href) or _usual_name(href)

    # ---- single contacts ---------------------------------------------------------------------------------

    def fetch(self, hrefs: Sequence[str]) -> Iterator[Change]:
        """In the order asked for; photos are left out."""
        labels = self.labels() if any(href.startswith(LABEL) for href in hrefs) else {}
        for start in range(0, len(hrefs), _BATCH):
            part = hrefs[start : start + _BATCH]
            people = self.people([href for href in part if not href.startswith(LABEL)])
            for href in part:
                if href in labels:
                    yield label_row(labels[href])
                    continue
                found = people.get(href)
                if isinstance(found, RemoteError):
                    yield Change(href, error=found)
                else:
                    yield Change(href, gone=True) if found is None else change_of(found)

    def people(self, hrefs: Sequence[str]) -> dict[str, Json | RemoteError]:
        """The persons that are there, in one request for each 200."""
        names = {name: href for href in hrefs if (name := self.name_of(href))}
        found: dict[str, Json | RemoteError] = {}
        asked = list(names)
        for start in range(0, len(asked), _BATCH):
            part = asked[start : start + _BATCH]
            service = self._transport.service.people()
            answer = self._transport.call(
                service.getBatchGet(resourceNames=part, personFields=FIELDS, sources=SOURCE)
            )
            for row in answer.get("responses", ()):
                href = names.get(str(row.get("requestedResourceName", "")))
                if href is not None and (person := _answered(row, href)) is not None:
                    found[href] = person
        return found

    def labels(self) -> dict[str, Json]:
        """The person's own labels by href; those of the system are none."""
        groups = self._transport.service.contactGroups()
        request = groups.list(pageSize=_PAGE, groupFields="groupType,name", fields=_LABEL_FIELDS)
        found: dict[str, Json] = {}
        while request is not None:
            answer = self._transport.call(request)
            for group in answer.get("contactGroups", ()):
                if group.get("groupType") == "USER_CONTACT_GROUP":
                    found[str(group["resourceName"])] = group
            request = groups.list_next(request, answer) if answer.get("nextPageToken") else None
        self._labels = found
        return found

    def known_labels(self) -> dict[str, Json]:
        """As they were listed last; what has changed since shows when one of them is used."""
        return self.labels() if self._labels is None else self._labels

    def complete(self, changes: Iterable[tuple[Change, Payload | None]]) -> Iterator[Change]:
        """Contacts with their photos, a few at a time. A photo that is not to be had is named as the
        contact's error; the others go on."""
        return several(changes, lambda one: self._whole(*one), _PHOTOS)

    def _whole(self, change: Change, known: Payload | None) -> Change:
        person = loads(change.payload or b"{}")
        try:
            whole = with_picture(self._transport, person, loads(known) if known else {})
        except (NotFound, PermissionDenied, ProtocolError) as error:
            reason = ProtocolError(f"The photo of this contact cannot be fetched: {error.message}")
            return Change(change.href, change.etag, error=reason)
        return Change(change.href, change.etag, dumps(whole), modified_at=change.modified_at)


def _usual_name(href: str) -> str:
    """The resource name is the id as a decimal number (facts: identity; seen in four samples)."""
    try:
        return f"people/c{int(href, 16)}"
    except ValueError:
        return ""


def _answered(row: Mapping[str, Any], href: str) -> Json | RemoteError | None:
    """The person of one row of a batchGet; None where there is none of this id."""
    status = int(row.get("httpStatusCode", 200))
    person = row.get("person")
    if status == 404 or row.get("status", {}).get("code") == 5:
        return None
    if not isinstance(person, dict):
        return RemoteError(f"Google does not show this contact ({status}).", status=status, href=href)
    return dict(person) if source_of(person).get("id") == href else None


def change_of(person: Json) -> Change:
    """A person that is there."""
    source = source_of(person)
    kept = {key: value for key, value in person.items() if key != "etag"}
    photo = photo_of(kept)
    if photo is None:
        kept.pop("photos", None)
    return Change(
        str(source.get("id", "")),
        str(source.get("etag", "")) or None,
        dumps(kept),
        modified_at=_moment(str(source.get("updateTime", ""))),
        partial=photo is not None and "data" not in photo,
    )


def _moment(text: str) -> datetime | None:
    """When the contact was changed; Google may tell it some minutes early (facts: normalisation)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def label_row(label: Mapping[str, Any]) -> Change:
    """A label says only its name, so that is its etag: Google's may move with its members."""
    href, name = str(label["resourceName"]), str(label.get("name", ""))
    payload = dumps({"resourceName": href, "groupType": "USER_CONTACT_GROUP", "name": name})
    return Change(href, label_etag(name), payload)


def label_etag(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
