"""Every error that crosses a module border, grouped by what the engine does next.

An error says what happened, to which contact or book, and what to do. ``recovery`` is a class
attribute, and `contactsync.engine.run` has one ``match`` on it.
"""

from __future__ import annotations

import enum
from datetime import timedelta


class Recovery(enum.Enum):
    """What the engine does after an error of this class."""

    STOP = "stop"
    STOP_ACCOUNT = "stop-account"
    SKIP_CARD = "skip-card"
    RETRY = "retry"
    REPLAN = "replan"
    RESYNC = "resync"


class ContactSyncError(Exception):
    """Base of all errors raised on purpose; shown to the person without a traceback.

    ``hint`` is one sentence that says what to do next.
    """

    recovery = Recovery.STOP

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        stop = "" if not self.hint or self.message.endswith((".", "!", "?", ":")) else "."
        return f"{self.message}{stop} {self.hint}".strip()


class UsageError(ContactSyncError):
    """The command cannot be carried out as it was given (exit 2)."""


class ConfigError(ContactSyncError):
    """The configuration is broken; ``problems`` lists all of them with file and key (exit 2)."""

    def __init__(self, problems: list[str], *, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class StoreError(ContactSyncError):
    """The device database cannot be used: locked, damaged, full disk, made by a newer version."""


class LockedError(StoreError):
    """Another run holds the lock (exit 8)."""


class SafetyStop(ContactSyncError):
    """A brake (L25): the plan would do harm, so nothing of that book was written (exit 7)."""

    recovery = Recovery.STOP_ACCOUNT

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        side: str,
        would: int,
        of: int,
        examples: tuple[str, ...] = (),
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.side = side
        self.would = would
        self.of = of
        self.examples = examples


class Stopped(BaseException):
    """A round was asked to end and is left here; the next one goes on. No `Exception`: nothing that handles
    failures may keep it."""


class CodecError(ContactSyncError):
    """One card cannot be read or written; it is set aside with its bytes (L35)."""

    recovery = Recovery.SKIP_CARD


class RemoteError(ContactSyncError):
    """Something at a remote. ``status`` is the HTTP status, ``href`` the card or book."""

    recovery = Recovery.STOP_ACCOUNT

    def __init__(self, message: str, *, hint: str = "", status: int | None = None, href: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.href = href


class TransientError(RemoteError):
    """Network trouble, 429, 5xx: the same thing may work later (exit 5)."""

    recovery = Recovery.RETRY

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int | None = None,
        href: str = "",
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, hint=hint, status=status, href=href)
        self.retry_after = retry_after


class AuthError(RemoteError):
    """The login was refused or has expired (exit 6)."""


class PermissionDenied(RemoteError):
    """This login may not do that: one card, or a book that is read-only."""

    recovery = Recovery.SKIP_CARD


class PreconditionFailed(RemoteError):
    """The card changed since it was read; read again, decide again (L32)."""

    recovery = Recovery.REPLAN


class NotFound(PreconditionFailed):
    """The card is not there (any more)."""


class AlreadyExists(PreconditionFailed):
    """A card of that name, or with that UID, is there already; ``href`` names it where known."""


class SyncTokenExpired(RemoteError):
    """The cursor is not valid any more: list everything, believe no deletion from it (L21)."""

    recovery = Recovery.RESYNC


class PayloadRejected(RemoteError):
    """The server refuses this one card: invalid, too large, of an unknown type."""

    recovery = Recovery.SKIP_CARD


class ProtocolError(RemoteError):
    """The answer makes no sense for this protocol: a login page, HTML, cut XML."""


class BookGone(RemoteError):
    """The address book is not there any more; that is never a deletion of its contacts (L21)."""


class ContractBroken(RemoteError):
    """A connector of another distribution did what none may do; nothing of its answer was believed.

    ``connector`` names it with its distribution, ``rule`` is a sentence of `contactsync.connectors.contract`.
    """

    def __init__(self, connector: str, rule: str, what: str, *, hint: str = "") -> None:
        super().__init__(f"The connector {connector} broke its contract. {what} The rule: {rule}", hint=hint)
        self.connector = connector
        self.rule = rule
