"""Stops before harm (L25): mass deletion, a field emptied all over, someone else copying too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from contactsync.errors import SafetyStop
from contactsync.frozen import frozen

SMALL_BOOK = 3
MASS_FIELD = 20
LOOP = 20
SHARE = 0.2


@frozen
class Limits:
    """More than ``count`` *and* more than ``share`` trips; ``count`` alone where ``share`` is None."""

    count: int = 10
    share: float | None = SHARE
    enabled: bool = True

    def trips(self, would: int, of: int, *, all_counts: bool = True) -> bool:
        if not self.enabled or not would:
            return False
        if self.share is None:
            return would > self.count
        everything = all_counts and would >= of and would > SMALL_BOOK
        return everything or (would > self.count and would > self.share * of)


@dataclass(slots=True)
class Harm:
    """What a plan would do to one book: names of contacts deleted on each side, values removed per
    side and field, and how many creations equal contacts that the book already holds."""

    book: str
    of: int
    deleted: dict[str, list[str]] = field(default_factory=lambda: {"device": [], "remote": []})
    emptied: dict[str, Counter[str]] = field(
        default_factory=lambda: {"device": Counter(), "remote": Counter()}
    )
    copies: list[str] = field(default_factory=list)


def check(harm: Harm, limits: Limits) -> None:
    """Raises `SafetyStop` when the plan must not be carried out without a person's word."""
    for side, names in harm.deleted.items():
        check_deletions(harm.book, side, names, harm.of, limits)
    field_limits = Limits(MASS_FIELD, SHARE if limits.share is None else limits.share, limits.enabled)
    for side, fields in harm.emptied.items():
        for name, count in sorted(fields.items()):
            if field_limits.trips(count, harm.of, all_counts=False):
                raise _stop(harm.book, "mass-removal", side, f"remove the {name} of", count, harm.of, [])
    if limits.enabled and len(harm.copies) > LOOP:
        raise _stop(harm.book, "loop", "remote", "create again", len(harm.copies), harm.of, harm.copies)


def check_deletions(book: str, side: str, names: Sequence[str], of: int, limits: Limits) -> None:
    """Also asked before the reads that confirm absences are spent (L21)."""
    if limits.trips(len(names), of):
        raise _stop(book, "mass-delete", side, "delete", len(names), of, names)


def _stop(
    book: str, kind: str, side: str, verb: str, would: int, of: int, names: Iterable[str]
) -> SafetyStop:
    examples = tuple(sorted(names)[:3])
    few = f", among them {', '.join(examples)}" if examples else ""
    where = "on this device" if side == "device" else "at the remote"
    return SafetyStop(
        f"Book {book!r}: this round would {verb} {would} of {of} contacts {where}{few}. Nothing was written.",
        kind=kind,
        side=side,
        would=would,
        of=of,
        examples=examples,
        hint="If that is what you want: contactsync sync --allow-mass-delete",
    )
