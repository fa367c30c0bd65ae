# No postponed annotations here: SQLModel reads them when the classes are made.
"""The tables, and nothing else. Documents are canonical JSON text and are replaced, never edited.

Whoever changes a table raises `contactsync.store.schema.REVISION`, drafts the step to it and writes the
schema anew (`contactsync.store.migrations`). Nothing of this is loaded in an ordinary run.
Small columns stand before documents and bytes: SQLite walks through a row from its beginning, and what
does not fit into a page is a chain of further pages.
"""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, MetaData, Text, UniqueConstraint, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, UTCDateTime

# Constraints with names, so that a later revision can drop or change one on any database.
METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class Row(SQLModel, registry=registry(metadata=METADATA)):
    """Our own registry: a program that uses contactsync as a library may have a table "contact" too."""


class Account(Row, table=True):
    """State of an account; what it is stands in the configuration.

    ``quiet_run`` is the newest run when a round found that nothing waits here: as long as it is the
    newest, nothing was edited on the device (every edit is a run). ``rules`` are the modes, policies and
    filters that the last round kept to. ``next_due`` and ``failures`` (rounds in a row) are the schedule of
    continuous sync.
    """

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(sa_type=Text, unique=True)
    connector: str = Field(sa_type=Text)
    books_read_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    ran_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    quiet_run: int | None = Field(default=None)
    next_due: datetime | None = Field(default=None, sa_type=UTCDateTime)
    failures: int = Field(default=0)
    state: str = Field(default="new", sa_type=Text)
    message: str = Field(default="", sa_type=Text)
    rules: str = Field(default="", sa_type=Text)


class Collection(Row, table=True):
    """One address book of an account; ``cursor`` moves only where its changes are recorded (L31)."""

    __table_args__ = (UniqueConstraint("account_id", "href"),)

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id", ondelete="CASCADE")
    href: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    writable: bool = True
    shared: bool = False
    is_default: bool = False
    selected: bool = True
    cursor: str | None = Field(default=None, sa_type=Text)
    cursor_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    backed_up_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    gone_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Contact(Row, table=True):
    """``deleted_at`` set is a tombstone: the document stays until nothing needs it (L22).

    ``held_for`` is the UID of whom a held contact may be the same as (L27); ``merged_into`` is the contact
    that lives on, never one that was merged away itself (L40).
    """

    __table_args__ = (
        # Lists of live contacts in order, who is homeless, whom a search finds: without a look at documents.
        Index("ix_contact_live", "deleted_at", "sort_key", "uid", "held", "search"),
        # In the order of `ix_link_step`: who is out of step is found by going through both once.
        Index("ix_contact_step", "deleted_at", "hash"),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = Field(sa_type=Text, unique=True)
    hash: str = Field(sa_type=Text)
    held: str = Field(default="", sa_type=Text)
    held_for: str = Field(default="", sa_type=Text)
    merged_into: int | None = Field(default=None, foreign_key="contact.id", ondelete="SET NULL", index=True)
    created_at: datetime = Field(sa_type=UTCDateTime)
    updated_at: datetime = Field(sa_type=UTCDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    display: str = Field(sa_type=Text)
    sort_key: str = Field(sa_type=Text)
    search: str = Field(sa_type=Text)
    doc: str = Field(sa_type=Text)
    times: str = Field(default="{}", sa_type=Text)


class Link(Row, table=True):
    """A contact and its card in one book, with both shadows and the card's bytes as read.

    ``state``: ok, written (and not read back), recheck (to be read again), refused (waits for a
    change, L35), left (L26), deleted (L22: kept until a listing without the card was seen), away (in a
    book of the account that is not read, L21).
    """

    __table_args__ = (
        UniqueConstraint("collection_id", "href"),
        # What a round asks of every link of a book, answered by the index alone.
        Index("ix_link_step", "collection_id", "state", "base_hash", "contact_id"),
        Index("ix_link_written", "collection_id", "written_at"),
        Index("ix_link_lost", "lost", sqlite_where=text("lost != ''")),
    )

    id: int | None = Field(default=None, primary_key=True)
    contact_id: int = Field(foreign_key="contact.id", index=True)
    collection_id: int = Field(foreign_key="collection.id", ondelete="CASCADE")
    href: str = Field(sa_type=Text)
    etag: str | None = Field(default=None, sa_type=Text)
    state: str = Field(default="ok", sa_type=Text)
    card_uid: str = Field(default="", sa_type=Text)
    base_hash: str = Field(default="", sa_type=Text)
    written_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    reason: str = Field(default="", sa_type=Text)
    lost: str = Field(default="", sa_type=Text)
    base_local: str = Field(sa_type=Text)
    base_remote: str = Field(sa_type=Text)
    original: bytes = Field(sa_type=LargeBinary)


class Group(Row, table=True):
    """A label, category or list as an entity of its own (L39)."""

    __tablename__ = "contact_group"

    id: str = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_type=Text)
    updated_at: datetime = Field(sa_type=UTCDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class GroupLink(Row, table=True):
    """What a book calls a group; ``base_name`` is the name both sides last agreed on."""

    __tablename__ = "group_link"

    group_id: str = Field(sa_type=Text, foreign_key="contact_group.id", primary_key=True, ondelete="CASCADE")
    collection_id: int = Field(foreign_key="collection.id", primary_key=True, ondelete="CASCADE", index=True)
    base_name: str = Field(sa_type=Text)
    href: str = Field(default="", sa_type=Text)
    etag: str | None = Field(default=None, sa_type=Text)


class GroupCard(Row, table=True):
    """A group that is a card of its own in a book (L39). ``base`` and ``shown`` are JSON objects with name
    and members (UIDs of cards): what both sides agreed on, and what the card says. ``lost`` are members
    that the remote did not keep, ``refused`` the target that it did not take. ``href`` is chosen before
    the card is there; until then there is no ``original``."""

    __tablename__ = "group_card"

    group_id: str = Field(sa_type=Text, foreign_key="contact_group.id", primary_key=True, ondelete="CASCADE")
    collection_id: int = Field(foreign_key="collection.id", primary_key=True, ondelete="CASCADE", index=True)
    href: str = Field(sa_type=Text)
    etag: str | None = Field(default=None, sa_type=Text)
    uid: str = Field(sa_type=Text)
    base: str = Field(sa_type=Text)
    shown: str = Field(sa_type=Text)
    lost: str = Field(default="[]", sa_type=Text)
    refused: str = Field(default="", sa_type=Text)
    original: bytes = Field(default=b"", sa_type=LargeBinary)


class Alias(Row, table=True):
    """The uid of a contact that was merged into another one (L40)."""

    uid: str = Field(sa_type=Text, primary_key=True)
    contact_id: int = Field(foreign_key="contact.id", ondelete="CASCADE", index=True)


class Apart(Row, table=True):
    """Two contacts of which a person said that they are not the same (L27); the smaller id first."""

    contact_id: int = Field(foreign_key="contact.id", primary_key=True, ondelete="CASCADE")
    other_id: int = Field(foreign_key="contact.id", primary_key=True, ondelete="CASCADE", index=True)


class Imported(Row, table=True):
    """Import memory (L30): what a card of a source became, and what it said then."""

    source: str = Field(sa_type=Text, primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    hash: str = Field(sa_type=Text)
    contact_id: int = Field(foreign_key="contact.id", ondelete="CASCADE", index=True)
    doc: str = Field(sa_type=Text)


class Staged(Row, table=True):
    """What a pull brought and no decision has used yet."""

    __table_args__ = (UniqueConstraint("collection_id", "href"),)

    id: int | None = Field(default=None, primary_key=True)
    collection_id: int = Field(foreign_key="collection.id", ondelete="CASCADE")
    href: str = Field(sa_type=Text)
    etag: str | None = Field(default=None, sa_type=Text)
    payload: bytes | None = Field(default=None, sa_type=LargeBinary)
    gone: bool = False
    modified_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Outside(Row, table=True):
    """A card that the filter of its book leaves out (L26), as it was read last: fetched again when its etag
    moves, and looked at when somebody comes into the filter who may be the same person."""

    collection_id: int = Field(foreign_key="collection.id", primary_key=True, ondelete="CASCADE")
    href: str = Field(sa_type=Text, primary_key=True)
    etag: str | None = Field(default=None, sa_type=Text)
    payload: bytes = Field(sa_type=LargeBinary)


class Run(Row, table=True):
    """One sync round, import, edit or undo. An id is never used again: `Account.quiet_run` trusts it."""

    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(sa_type=Text)
    account: str = Field(default="", sa_type=Text)
    started_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    outcome: str = Field(default="", sa_type=Text)
    report: str = Field(default="{}", sa_type=Text)


class Journal(Row, table=True):
    """Every step, local and remote. The outbox is side=remote with state queued or sent (L31). An id is never
    used again: programs that embed us ask for what came after one.

    ``detail`` is a JSON object with what a step did beside the content of a contact, so that it can be
    undone: see `contactsync.engine.steps`.
    """

    # The outbox of a book is a handful of rows among a year of history.
    __table_args__ = (
        Index("ix_journal_outbox", "collection_id", "state"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id", index=True)
    contact_id: int | None = Field(default=None, foreign_key="contact.id", index=True)
    collection_id: int | None = Field(default=None, foreign_key="collection.id", ondelete="SET NULL")
    link_id: int | None = Field(default=None, foreign_key="link.id", ondelete="SET NULL", index=True)
    side: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    state: str = Field(default="done", sa_type=Text)
    at: datetime = Field(sa_type=UTCDateTime, index=True)
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    href: str = Field(default="", sa_type=Text)
    etag: str | None = Field(default=None, sa_type=Text)
    note: str = Field(default="", sa_type=Text)
    detail: str = Field(default="", sa_type=Text)
    before: str = Field(default="", sa_type=Text)
    after: str = Field(default="", sa_type=Text)
    sent_local: str = Field(default="", sa_type=Text)
    payload: bytes | None = Field(default=None, sa_type=LargeBinary)


class Conflict(Row, table=True):
    """Two values of one unit (L16), and when each side set its own, as far as that is known. ``status``:
    open, decided (by a policy), resolved (by a person)."""

    id: int | None = Field(default=None, primary_key=True)
    contact_id: int = Field(foreign_key="contact.id", ondelete="CASCADE", index=True)
    collection_id: int | None = Field(default=None, foreign_key="collection.id", ondelete="SET NULL")
    path: str = Field(sa_type=Text)
    base: str = Field(default="", sa_type=Text)
    local: str = Field(default="", sa_type=Text)
    remote: str = Field(default="", sa_type=Text)
    winner: str = Field(default="", sa_type=Text)
    status: str = Field(sa_type=Text, index=True)
    run_id: int | None = Field(default=None, foreign_key="run.id", ondelete="SET NULL", index=True)
    at: datetime = Field(sa_type=UTCDateTime)
    local_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    remote_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Quarantine(Row, table=True):
    """A card that cannot be read, or a contact that a book refuses (L35), with its bytes."""

    __table_args__ = (UniqueConstraint("collection_id", "href", "contact_id"),)

    id: int | None = Field(default=None, primary_key=True)
    collection_id: int | None = Field(default=None, foreign_key="collection.id", ondelete="CASCADE")
    source: str = Field(default="", sa_type=Text)
    href: str = Field(default="", sa_type=Text)
    contact_id: int | None = Field(default=None, foreign_key="contact.id", ondelete="CASCADE", index=True)
    etag: str | None = Field(default=None, sa_type=Text)
    hash: str = Field(default="", sa_type=Text)
    payload: bytes = Field(sa_type=LargeBinary)
    name: str = Field(default="", sa_type=Text)
    reason: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=UTCDateTime)


class Blob(Row, table=True):
    """Photo bytes, once; documents refer by hash."""

    sha256: str = Field(sa_type=Text, primary_key=True)
    media_type: str = Field(default="", sa_type=Text)
    data: bytes = Field(sa_type=LargeBinary)
