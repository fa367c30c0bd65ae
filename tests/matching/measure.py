"""How good a set of pairs is, where it is known who is who."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contactsync.sync.match import Matches, Pair

Ids = tuple[str, str]


@dataclass(frozen=True)
class Quality:
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def quality(pairs: Iterable[Ids], truth: frozenset[Ids]) -> Quality:
    found = frozenset(pairs)
    right = len(found & truth)
    return Quality(right / len(found) if found else 1.0, right / len(truth) if truth else 1.0)


def automatic(matches: Matches) -> list[Ids]:
    return [ids(pair) for pair in matches.sure]


def at_review(matches: Matches) -> list[Ids]:
    """One-to-one, as if a person took the best of what is held for each: the sure ones come first."""
    cards, contacts, found = set[str](), set[str](), []
    for pair in (*matches.sure, *matches.unsure):
        if pair.card not in cards and pair.contact not in contacts:
            cards.add(pair.card)
            contacts.add(pair.contact)
            found.append(ids(pair))
    return found


def ids(pair: Pair) -> Ids:
    return pair.card, pair.contact
