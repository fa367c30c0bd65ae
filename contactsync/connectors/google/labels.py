"""Labels: made, renamed and deleted, and given to contacts and taken away.

A label's name is there once, so that making one again finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from contactsync.connectors.base import Create, Delete, Outcome, Removed, Step, Stored, Update
from contactsync.connectors.google.codec import loads
from contactsync.connectors.google.person import LABEL
from contactsync.connectors.google.reading import Reader, label_etag
from contactsync.connectors.google.transport import Json, Transport
from contactsync.errors import AlreadyExists, NotFound, PayloadRejected, PreconditionFailed
from contactsync.model.fields import fold

_MOST_MEMBERS = 1000


class Labels:
    """The labels of one account."""

    def __init__(self, transport: Transport, reader: Reader) -> None:
        self._transport = transport
        self._reader = reader
        self._reserved: set[str] = set()

    def do(self, step: Step) -> Outcome:
        """Carry out a step about a label. Raises `RemoteError`."""
        match step:
            case Create(key, _, _, payload):
                name = str(loads(payload)["name"])
                return Stored(key, self._made(name), label_etag(name))
            case Update(key, href, etag, payload):
                return self._rename(key, self._as_decided(href, etag), str(loads(payload)["name"]))
            case Delete(key, href, etag):
                try:
                    self._as_decided(href, etag)
                    self._call(self._service.delete(resourceName=href, deleteContacts=False))
                except NotFound:
                    pass
                return Removed(key, href)

    def named(self, name: str) -> str:
        """The href of the label of this name, which is made where there is none; empty for a name that
        Google keeps for itself."""
        found = _find(self._reader.known_labels(), name)
        if found is None and fold(name) not in self._reserved:
            with suppress(PayloadRejected):
                found = self._made(name)
        return found or ""

    def _made(self, name: str) -> str:
        """The href of a label that is expected not to be there. Raises `PayloadRejected`."""
        try:
            made = self._call(self._service.create(body={"contactGroup": {"name": name}}))
        except AlreadyExists:
            found = _find(self._reader.labels(), name)
            if found is None:
                self._reserved.add(fold(name))
                hint = "Give the group another name, to have it there as well."
                raise PayloadRejected(f"Google keeps the name {name!r} for itself.", hint=hint) from None
            return found
        href = str(made["resourceName"])
        self._reader.known_labels()[href] = made
        return href

    def hrefs_of(self, groups: Iterable[str]) -> frozenset[str]:
        """Labels as a payload names them, hrefs or names of new ones, as hrefs that are there."""
        wanted = [name if name.startswith(LABEL) else self.named(name) for name in sorted(groups)]
        return frozenset(wanted) & self._reader.known_labels().keys() if wanted else frozenset()

    def give(self, href: str, add: Iterable[str], remove: Iterable[str]) -> None:
        """Give a label to the contacts of these resource names, and take it from others."""
        changes = [("resourceNamesToAdd", name) for name in add]
        changes += [("resourceNamesToRemove", name) for name in remove]
        for start in range(0, len(changes), _MOST_MEMBERS):
            body: dict[str, list[str]] = {}
            for key, name in changes[start : start + _MOST_MEMBERS]:
                body.setdefault(key, []).append(name)
            self._call(self._service.members().modify(resourceName=href, body=body))

    def _as_decided(self, href: str, etag: str | None) -> Json:
        group = self._reader.labels().get(href)
        if group is None:
            raise NotFound("That label is not at Google.", href=href)
        if etag is None or label_etag(str(group.get("name", ""))) != etag:
            raise PreconditionFailed("The label changed at Google since it was read.", href=href)
        return group

    def _rename(self, key: int, group: Json, name: str) -> Outcome:
        href = str(group["resourceName"])
        body = {"contactGroup": {"name": name, "etag": group.get("etag", "")}, "updateGroupFields": "name"}
        try:
            self._call(self._service.update(resourceName=href, body=body))
        except AlreadyExists:
            raise PayloadRejected(f"There is another label {name!r} at Google.", href=href) from None
        return Stored(key, href, label_etag(name))

    @property
    def _service(self) -> Any:
        return self._transport.service.contactGroups()

    def _call(self, request: object) -> Json:
        return self._transport.call(request)


def _find(groups: Mapping[str, Json], name: str) -> str | None:
    same = (href for href, group in groups.items() if fold(str(group.get("name", ""))) == fold(name))
    return next(same, None)
