"""What the store gives out: model values with the keys that name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, NamedTuple

from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.sync.types import Base


@frozen
class StoredContact:
    """A contact of the hub.

    ``held`` says why it is created nowhere else (L27), empty: it is not; ``held_for`` is the UID of whom it
    may be the same as; ``merged_into`` is the survivor of a merge that this tombstone lost (L40).
    """

    id: int
    contact: Contact
    hash: str
    updated_at: datetime
    deleted_at: datetime | None = None
    held: str = ""
    held_for: str = ""
    merged_into: int | None = None
    times: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        return self.contact.uid

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None


class AccountState(NamedTuple):
    """How an account fared when it was last synced; what it is stands in the configuration."""

    name: str
    connector: str
    state: str
    message: str
    ran_at: datetime | None
    books_read_at: datetime | None
    next_due: datetime | None
    failures: int
    rules: str


@frozen
class Book:
    """An address book as the store knows it."""

    id: int
    account: str
    href: str
    name: str
    writable: bool
    shared: bool
    default: bool
    selected: bool
    cursor: str | None
    cursor_at: datetime | None
    backed_up_at: datetime | None
    gone_at: datetime | None


@frozen
class StoredLink:
    """A link with its shadows; ``original`` are the card's bytes as read, ``lost`` the paths of values that
    the remote did not keep by itself (L12)."""

    id: int
    contact_id: int
    collection_id: int
    href: str
    etag: str | None
    card_uid: str
    base: Base
    base_hash: str
    original: bytes
    state: str
    reason: str
    lost: str
    written_at: datetime | None
    deleted_at: datetime | None


@frozen
class StagedChange:
    """One card as a pull brought it."""

    collection_id: int
    href: str
    etag: str | None
    payload: bytes | None
    gone: bool
    modified_at: datetime | None


@frozen
class OutboxRow:
    """A remote step that is decided and not yet confirmed."""

    id: int
    run_id: int
    contact_id: int
    collection_id: int
    link_id: int | None
    action: str
    href: str
    etag: str | None
    payload: bytes
    before: Contact
    target: Contact
    sent_local: Contact
    state: str
    sent_at: datetime | None


@frozen
class JournalRow:
    """One step for people: what was done to whom, before and after (contacts, or None); ``detail`` is what
    it did besides (`contactsync.engine.steps`)."""

    id: int
    run_id: int
    contact_id: int | None
    collection_id: int | None
    side: str
    action: str
    before: Contact | None
    after: Contact | None
    state: str
    note: str
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@frozen
class StepSum:
    """How often a run did something on one side; ``name`` of the contact, where it was one only."""

    side: str
    action: str
    count: int
    name: str


@frozen
class StoredConflict:
    """Two values of one unit (L16); ``local_at`` and ``remote_at`` are when each was set, if known."""

    id: int
    contact_id: int
    uid: str
    name: str
    collection_id: int | None
    account: str
    path: str
    base: object
    local: object
    remote: object
    winner: str
    status: str
    run_id: int | None
    at: datetime
    local_at: datetime | None = None
    remote_at: datetime | None = None


@frozen
class StoredGroup:
    id: str
    name: str
    deleted_at: datetime | None
    members: int = 0


@frozen
class StoredRun:
    id: int
    kind: str
    account: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    report: Mapping[str, object]


@frozen
class Quarantined:
    id: int
    collection_id: int | None
    source: str
    href: str
    contact_id: int | None
    etag: str | None
    hash: str
    payload: bytes
    name: str
    reason: str
    at: datetime
