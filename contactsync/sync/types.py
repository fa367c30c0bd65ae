"""The values that the planner takes and gives."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.fields import Path

Side = Literal["local", "remote"]


class Policy(enum.Enum):
    """Who provisionally wins when both sides changed one unit differently (L16, L18)."""

    NEWEST = "newest"
    DEVICE = "device"
    REMOTE = "remote"
    ASK = "ask"


class Mode(enum.Enum):
    """Which way edits cross (L26)."""

    TWO_WAY = "two-way"
    PULL = "pull"
    PUSH = "push"
    MIRROR_PULL = "mirror-pull"
    MIRROR_PUSH = "mirror-push"

    @property
    def inwards(self) -> bool:
        return self not in (Mode.PUSH, Mode.MIRROR_PUSH)

    @property
    def outwards(self) -> bool:
        return self not in (Mode.PULL, Mode.MIRROR_PULL)

    @property
    def source(self) -> Side | None:
        """The side for which conflicts are decided; None where edits go both ways."""
        if self is Mode.TWO_WAY:
            return None
        return "remote" if self.inwards else "local"


class Seen(enum.Enum):
    """What was seen of a card that did not come up as changed."""

    UNCHANGED = "unchanged"
    GONE = "gone"


@frozen
class Base:
    """The two shadows of a link: the hub's contact and the remote's view when they last agreed."""

    local: Contact
    remote: Contact


NO_BASE = Base(Contact(), Contact())


@frozen
class Live:
    """A card that is there: its view, and the remote's own time of its last change (L18)."""

    contact: Contact
    at: datetime | None = None


@frozen
class Hub:
    """The contact in the hub. ``times`` maps the text of a path to the time of the unit's origin."""

    contact: Contact
    deleted: bool = False
    times: Mapping[str, datetime] = field(default_factory=dict)


@frozen
class Clash:
    """Both sides changed one unit differently. ``winner`` None: a person is asked (L18). ``local_at`` and
    ``remote_at`` are when each side did so, as far as that is known."""

    path: Path
    base: Any
    local: Any
    remote: Any
    winner: Side | None
    local_at: datetime | None = field(default=None, compare=False)
    remote_at: datetime | None = field(default=None, compare=False)


@frozen
class SaveLocal:
    """The hub's contact becomes this one; ``taken`` are the units that came from the remote."""

    contact: Contact
    taken: tuple[Path, ...] = ()


@frozen
class DropLocal:
    """The contact goes to the trash: the remote deleted it."""


@frozen
class CreateRemote:
    contact: Contact


@frozen
class UpdateRemote:
    """The card becomes ``target`` (made on the remote's present view).

    ``base`` is what the two shadows will be once the write is confirmed: the contact that is sent,
    and the target (L11); until then they are ``interim``, from which the write is planned again.
    """

    target: Contact
    base: Base
    interim: Base


@frozen
class DeleteRemote:
    """Delete the card, on the condition that it is still as it was read."""


@frozen
class Rebase:
    """Nothing to send: the two sides agree as far as this remote can hold; move the shadows."""

    base: Base


@frozen
class Unlink:
    """Let go of the card. ``left``: remember (href, uid) and neither pair nor pull it again (L26).
    ``away``: it is in a book that is not read; remember it until it is back (L21). ``outside``: the filter of
    the book does not take the contact any more; left as well, and taken up when it does (L26)."""

    left: bool = False
    away: bool = False
    outside: bool = False


@frozen
class NoteConflict:
    clash: Clash


Action = SaveLocal | DropLocal | CreateRemote | UpdateRemote | DeleteRemote | Rebase | Unlink | NoteConflict
