"""What other programs do to the cards on this machine, noticed as it happens (watchfiles).

Nothing is concluded from it: that something happened is a reason for a round, which looks itself. What is
not noticed, as on network drives, whose other users the system does not see, waits for the interval.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contactsync.connectors.base import Place
from contactsync.frozen import frozen

if TYPE_CHECKING:
    from watchfiles.main import FileChange

#: News that follow each other are told together; but the first of them waits no more looks than this.
SETTLING_LOOKS = 3
#: Where the system tells of nothing at all, watchfiles looks through the folders this often.
POLL_MS = 2000

log = logging.getLogger(__name__)


@frozen
class News:
    """What happened at the places of an account: with these files, and whether a folder is there again."""

    files: frozenset[Path] = frozenset()
    is_back: bool = False


@dataclass(slots=True)
class _Watched:
    """The places of one account. ``stream`` tells what happens in those folders of ``standing`` that are
    there; ``blind``: it cannot be had. ``settling`` are news that wait, for ``looks`` so far."""

    places: Sequence[Place]
    standing: tuple[object, ...] | None = None
    stream: Iterator[set[FileChange]] | None = None
    blind: bool = False
    settling: News | None = None
    looks: int = 0


class Lookout:
    """Watches the places of accounts, without a thread: it is asked from time to time.

    ``tell`` hears once, with the name of the account, why that cannot be done.
    """

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._told: set[tuple[str, str]] = set()
        self._watched: dict[str, _Watched] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._watched

    def keep(self, name: str, places: Sequence[Place] | None) -> None:
        """From now on these are the places of an account; None: it has none on this machine."""
        known = self._watched.get(name)
        if places is None:
            self._watched.pop(name, None)
        elif known is None or known.blind or known.places != places:
            self._watched[name] = _Watched(places)

    def look(self) -> dict[str, News]:
        """What happened, by account, as soon as it pauses.

        Of a folder that is watched for the first time nobody knows what happened before: that is news too.
        """
        return {name: news for name, one in self._watched.items() if (news := self._look_at(name, one))}

    def _look_at(self, name: str, one: _Watched) -> News | None:
        before, standing = one.standing, tuple(identity(place.folder) for place in one.places)
        if before is None:
            self._open(name, one, standing)
            return News() if one.stream else None
        files = self._files(name, one)
        if files or standing != before:
            is_back = any(now not in (None, then) for then, now in zip(before, standing, strict=True))
            if standing != before:
                self._open(name, one, standing)
            so_far = one.settling or News()
            one.settling = News(so_far.files | files, so_far.is_back or is_back)
            if one.looks < SETTLING_LOOKS:
                one.looks += 1
                return None
        news, one.settling, one.looks = one.settling, None, 0
        return news

    def _open(self, name: str, one: _Watched, standing: tuple[object, ...]) -> None:
        one.standing, one.stream = standing, None
        there = [place.folder for place, found in zip(one.places, standing, strict=True) if found]
        if not there:
            return
        try:
            from watchfiles import watch
        except ImportError:
            self._give_up(name, one, 'at once with: pip install "contactsync[folders]"')
            return
        # One look takes what there is: it waits for nothing.
        one.stream = watch(
            *there,
            watch_filter=None,
            debounce=1,
            step=1,
            rust_timeout=1,
            yield_on_timeout=True,
            raise_interrupt=False,
            poll_delay_ms=POLL_MS,
            recursive=False,
        )
        self._files(name, one)

    def _files(self, name: str, one: _Watched) -> frozenset[Path]:
        """The cards with which something happened since the last look."""
        if one.stream is None:
            return frozenset()
        try:
            changes = next(one.stream, None)
        except FileNotFoundError:
            one.standing, one.stream = None, None  # went away since it was looked at
            return frozenset()
        except (OSError, RuntimeError) as error:
            self._give_up(name, one, f"the system does not tell of them ({error})")
            return frozenset()
        if changes is None:  # a signal to end
            one.stream = None
        paths = (Path(path) for _, path in changes or ())
        return frozenset(path for path in paths if any(place.holds(path.name) for place in one.places))

    def _give_up(self, name: str, one: _Watched, why: str) -> None:
        """Until the places are named anew."""
        one.stream, one.blind = None, True
        log.info("%s: its folder is not watched: %s", name, why)
        if (name, why) not in self._told:
            self._told.add((name, why))
            self._tell(name, f"{name}: changes in its folder are noticed at the interval only; {why}.")


def identity(path: Path) -> object:
    """Which file or folder stands there; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
