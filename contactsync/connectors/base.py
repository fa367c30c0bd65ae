"""The contract between the engine and a kind of remote.

A connector talks (requests, paging, login), a codec translates (pure). The engine never asks what
kind of remote it has: what a remote cannot do is a capability, and the engine adapts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from contactsync.errors import RemoteError
from contactsync.frozen import frozen

if TYPE_CHECKING:  # a round without news has nothing to do with contacts
    from contactsync.model.contact import Contact
    from contactsync.model.group import GroupCard

#: The number of this contract. It rises when a connector that was written for the one before would break;
#: what can be left out may come without.
CONTRACT = 1

Payload = bytes


@frozen
class Capabilities:
    """What a remote can do; each flag is acted on by the engine or printed by the docs.

    incremental              `changes` with a cursor lists only what changed
    changes_carry_payload    listings bring the cards themselves
    names_href               we choose the href of a new card, so a create is idempotent (L33)
    carries_uid              a card keeps our uid
    conditional_update/_delete  writes honour the etag they were decided on (L32)
    etag_on_write            the answer to a write names the new etag
    payload_on_write         the answer to a write shows what was stored
    fields                   contact fields that this remote can hold; empty means all
    parallel_writes          highest number of writes under way at once in one book
    batch_size               steps that go into one request
    settles_after            how long a listing may be older than a confirmed write
    group_cards              a group may be a card of its own; the codec is a `GroupCodec`
    written_apart            contact fields that go in requests of their own, after all the rest: of a write
                             in doubt they may be missing though the rest is there
    labels                   groups are records without members, read and written as group cards are;
                             a card names those that it is in by their hrefs
    """

    incremental: bool = True
    changes_carry_payload: bool = False
    names_href: bool = True
    carries_uid: bool = True
    conditional_update: bool = True
    conditional_delete: bool = True
    etag_on_write: bool = True
    payload_on_write: bool = False
    fields: frozenset[str] = frozenset()
    parallel_writes: int = 1
    batch_size: int = 1
    settles_after: timedelta = timedelta(0)
    group_cards: bool = False
    labels: bool = False
    written_apart: frozenset[str] = frozenset()


@frozen
class Collection:
    """One address book as the remote shows it. ``default`` is what the server names as such."""

    href: str
    name: str
    writable: bool = True
    default: bool = False
    shared: bool = False
    description: str = ""
    color: str = ""


@frozen
class Change:
    """What a remote says of one card: there with this etag, or ``gone``.

    ``payload`` is None where the listing does not carry it, and ``partial`` where a `Completing`
    connector still has to fetch a part of it; ``modified_at`` is the remote's own time
    (getlastmodified), aware UTC. ``error``: this card is there and cannot be read, which must not stop
    the others (L35). ``elsewhere``: it is gone from this book, and is still there in another one of the
    account, which is no deletion (L21).
    """

    href: str
    etag: str | None = None
    payload: Payload | None = None
    gone: bool = False
    modified_at: datetime | None = None
    error: RemoteError | None = None
    partial: bool = False
    elsewhere: bool = False


@frozen
class Page:
    """One page of changes; ``cursor`` is where to go on after it (None: nowhere).

    ``full`` says that the pages of this listing name every card of the book; ``last`` that this is
    its end. Only a full listing whose last page arrived proves an absence (L20).
    """

    changes: tuple[Change, ...]
    cursor: str | None
    full: bool
    last: bool


@frozen
class Create:
    """A new card. ``key`` is the engine's name of the step, ``href_hint`` a fresh random name
    ``[A-Za-z0-9_-]+`` of our choosing, kept in the journal so that a repeat uses the same one."""

    key: int
    href_hint: str
    uid: str
    payload: Payload


@frozen
class Update:
    key: int
    href: str
    etag: str | None
    payload: Payload


@frozen
class Delete:
    key: int
    href: str
    etag: str | None


Step = Create | Update | Delete


@frozen
class Stored:
    """Confirmed. ``etag`` None: the remote did not say; ``payload`` only if the answer shows it.
    ``unwritten`` are contact fields (of `Capabilities.written_apart`) that may not have come along."""

    key: int
    href: str
    etag: str | None
    payload: Payload | None = None
    unwritten: frozenset[str] = frozenset()


@frozen
class Removed:
    """Confirmed: the card is gone (also when it was gone already)."""

    key: int
    href: str


@frozen
class Refused:
    """The remote did not do it; ``error.recovery`` says what follows (REPLAN, SKIP_CARD, ...)."""

    key: int
    error: RemoteError


@frozen
class Unknown:
    """Sent, and no answer: it may or may not have happened (in doubt, L33)."""

    key: int
    error: RemoteError


Outcome = Stored | Removed | Refused | Unknown


class Codec(Protocol):
    """Pure translation between a remote's payload and a contact (laws L8, L9)."""

    def read(self, payload: Payload) -> Contact:
        """The card's meaning. ``groups`` are names. Raises `CodecError` for an unreadable card."""

    def write(self, contact: Contact, original: Payload | None) -> Payload:
        """The card for ``contact``: made new, or from ``original`` by changing only what differs.

        ``write(read(p), p) == p`` byte for byte. An original's UID stays. A `Media` that differs
        from the original's must carry its ``data``. Raises `CodecError`.
        """

    def project(self, contact: Contact) -> Contact:
        """What this remote can show of ``contact``: ``read(write(contact, None))``, without I/O
        and without needing media data. ``project(project(c)) == project(c)``."""

    def glimpse(self, payload: Payload) -> str:
        """A name for a payload that cannot be read, so that it can be found; "" if there is none.

        Never raises, and what it returns is never written back.
        """


@runtime_checkable
class GroupCodec(Protocol):
    """What the codec of a remote with group cards can do besides (L39)."""

    def read_group(self, payload: Payload) -> GroupCard | None:
        """What a group card says; None for any other card. Raises `CodecError`."""

    def write_group(self, group: GroupCard, uid: str, original: Payload | None) -> Payload:
        """The card of a group: made new with this ``uid``, or ``original`` with what differs changed."""


@frozen
class Traffic:
    """Counters since the connector was made; bytes are of bodies and headers as sent and received."""

    requests: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.requests + other.requests,
            self.bytes_sent + other.bytes_sent,
            self.bytes_received + other.bytes_received,
        )


class Connector(Protocol):
    """One login at one remote. All methods raise `RemoteError` and its children only."""

    capabilities: Capabilities

    @property
    def codec(self) -> Codec:
        """The translation that goes with this remote; made when it is first needed."""

    def check(self) -> str:
        """Who am I: a line for people, e.g. the principal. Raises `AuthError`."""

    def collections(self) -> Sequence[Collection]:
        """All address books of this login."""

    def changes(self, collection: str, cursor: str | None) -> Iterator[Page]:
        """What changed since ``cursor``; everything when it is None.

        Raises `SyncTokenExpired` (never in the middle of believed pages), `BookGone`.
        """

    def fetch(self, collection: str, hrefs: Sequence[str]) -> Iterator[Change]:
        """The cards of these hrefs, by direct reads; missing ones come back ``gone``.

        An href comes back in the spelling it was asked for.
        """

    def write(self, collection: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        """Do the steps, up to ``parallel_writes`` at a time; one outcome a step, as soon as known.

        ``steps`` is consumed lazily in the caller's thread: a step is asked for only when it is
        among the next ``parallel_writes`` to be sent, so that the caller can journal it right before
        (L31). A failure of one step is an outcome; what stops the whole account (login) is a `Refused`
        for each step that was asked for, and then the end.
        """

    def traffic(self) -> Traffic:
        """What was asked and moved so far."""

    def close(self) -> None:
        """Free connections; nothing can be called after it."""


class Completing(Protocol):
    """What a connector can do besides, of which the listings and reads leave out what has to be asked for
    one by one: photos."""

    def complete(self, changes: Iterable[tuple[Change, Payload | None]]) -> Iterator[Change]:
        """The ``partial`` changes, whole. Beside each is the payload that was stored of the card last,
        so that nothing is fetched twice."""


@frozen
class Exchange:
    """One request and its answer, as they were; ``status`` 0: there was none, for this ``trouble``.
    ``seconds`` went by until all of it had arrived."""

    method: str
    url: str
    sent_headers: Mapping[str, str | bytes]
    sent: bytes
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    trouble: str = ""
    seconds: float = 0.0


@frozen
class AccountSettings:
    """What a connector is made from; secrets come by ``password`` when asked for, never stored.
    ``renew`` keeps the secret anew where logging in changes it, as with OAuth; ``witness`` sees every
    exchange with the remote.

    ``insecure_http`` allows plain http beyond loopback. Files are paths; ``proxy`` a URL.
    ``settles_after``, ``sweep_after`` and ``requests_per_minute`` replace what the connector takes by itself;
    ``sweep_after`` is how long it may overlook what its lists of changes do not tell. ``give_up_after`` is
    how long a connector by others may take for an answer. ``options`` are settings of its own as they stand
    in the account's table: plain values, unchecked; a factory raises `ConfigError` for what it cannot use.
    """

    name: str
    connector: str
    url: str = ""
    username: str = ""
    password: Callable[[], str] = field(default=lambda: "", repr=False)
    ca_file: str = ""
    client_cert: str = ""
    proxy: str = ""
    insecure_http: bool = False
    settles_after: timedelta | None = None
    sweep_after: timedelta | None = None
    requests_per_minute: int | None = None
    give_up_after: timedelta | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    renew: Callable[[str], None] = field(default=lambda secret: None, repr=False)
    witness: Callable[[Exchange], None] | None = field(default=None, repr=False)


@frozen
class Fact:
    """One thing about a remote, as a sentence; ``means`` is what follows for the person. Not ``ok``:
    something should be done about it."""

    text: str
    means: str = ""
    ok: bool = True


@runtime_checkable
class Describing(Protocol):
    """A connector that can tell what its remote is, can, and does wrong."""

    def about(self, collection: str) -> Iterator[Fact]:
        """Facts for people, by reading requests only."""


@frozen
class Place:
    """Where the cards of a book are on this machine: in the files right in ``folder`` whose names end in
    ``suffix`` and do not begin with a dot."""

    folder: Path
    suffix: str

    def holds(self, name: str) -> bool:
        """Is a file of this name a card?"""
        return name.endswith(self.suffix) and not name.startswith(".")


@runtime_checkable
class Local(Protocol):
    """A connector whose remote is on this machine: continuous sync notices there what other programs do."""

    def places(self, collections: Sequence[str]) -> Sequence[Place]:
        """Where these books are, and where others would come up; nothing is looked at. With none, where all
        of it is."""


@runtime_checkable
class Locating(Protocol):
    """A connector that finds its server from less than a URL. After `Connector.check`, ``found_at`` and
    ``found_as`` are what the account should remember as its URL and user name, and ``notes`` tell a person
    how it was found and what was left out."""

    @property
    def found_at(self) -> str: ...

    @property
    def found_as(self) -> str: ...

    @property
    def notes(self) -> Sequence[str]: ...


class Factory(Protocol):
    """What an entry point of the group ``contactsync.connectors`` names. Its module says by a number of its
    own, ``CONTRACT = 1``, which contract it was written for; those of contactsync itself need not."""

    def __call__(self, settings: AccountSettings) -> Connector: ...
