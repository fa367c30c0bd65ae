"""Pairs cards with contacts that meet for the first time (L27), and says why.

A missed pair costs a click, a wrong pair costs a person: a pair is *sure* only when the content is the
same, or when the whole name and what is theirs alone agree (`scoring`), the pair is the best for both,
and no other is close. Relatives share landlines and addresses, namesakes share names, twins share
birthdays: none of these is enough by itself. What is likely but not sure is held for a person. Pure,
and independent of the order of its input.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.sync.likeness import Content, content, profile
from contactsync.sync.scoring import SAME_CONTENT, Counts, Names, Rarity, Verdict, compare, compare_names

REVIEW = 3.0
"""Points from which a pair is worth a person's look; the score is then 0.5 or more."""
MARGIN = 2.0
"""How many points a sure pair is ahead of every other pair of its card and its contact."""
ENOUGH = 1.0
"""What the tokens of a pair must tell together for it to be looked at: as much as names one person."""
CROWD = 100
"""A token that more people than this have names nobody, and proposes no pairs."""

UNIQUE_UID = 20

_id = operator.itemgetter(0)


@frozen
class Pair:
    """A card and a contact by their ids; ``score`` is from 0 to 1, ``reasons`` are for people."""

    card: str
    contact: str
    score: float
    reasons: tuple[str, ...]
    sure: bool


@frozen
class Matches:
    """``sure`` is one-to-one; in ``unsure`` a card or contact may come several times, best first."""

    sure: tuple[Pair, ...] = ()
    unsure: tuple[Pair, ...] = ()


class Crowd:
    """One side of a match, prepared once where several calls look at it."""

    def __init__(self, people: Iterable[tuple[str, Contact]], region: str = "") -> None:
        self.profiles = {name: profile(contact, region) for name, contact in sorted(people, key=_id)}
        self.counts = Counts(self.profiles.values())
        self.contents: dict[Content, list[str]] = defaultdict(list)
        self.holders: dict[str, list[str]] = defaultdict(list)
        for name, one in self.profiles.items():
            if one.content:
                self.contents[one.content].append(name)
            for token in one.tokens:
                self.holders[token].append(name)


def match(
    cards: Sequence[tuple[str, Contact]],
    contacts: Sequence[tuple[str, Contact]] | Crowd,
    *,
    region: str = "",
) -> Matches:
    """Pair unlinked cards with unlinked contacts; the texts are ids, unique on their side.

    ``region`` is the country whose phone numbers are written without a country code.
    """
    if not cards or contacts == []:
        return Matches()  # a first download meets nobody, and need not be looked at for it
    here = Crowd(cards, region)
    there = contacts if isinstance(contacts, Crowd) else Crowd(contacts, region)
    judged = _judged(here, there)
    sure = dict(_same_contents(here, there))
    sure.update(_best_for_both(judged, dict(sure)))
    unsure = _left_for_a_person(judged, sure)
    return Matches(
        tuple(_pair(ids, verdict, sure=True) for ids, verdict in sorted(sure.items(), key=_id)),
        tuple(sorted((_pair(ids, verdict) for ids, verdict in unsure), key=_best_first)),
    )


def doubles(
    people: Sequence[tuple[str, Contact]], *, region: str = "", apart: Container[frozenset[str]] = ()
) -> tuple[Pair, ...]:
    """Pairs within one book that are worth a person's look, best first, each once.

    ``apart`` are pairs of ids of which a person said that they are not the same. The lesser id of a pair
    is its ``card``. Pairs of the same content are all sure: to merge them loses nothing.
    """
    book = Crowd(people, region)
    judged = {ids: v for ids, v in _judged(book, book).items() if frozenset(ids) not in apart}
    both = {ids: verdict for pair, verdict in judged.items() for ids in (pair, pair[::-1])}
    best = dict(_best_for_both(both, {}))
    pairs = (_pair(ids, v, sure=v is SAME_CONTENT or ids in best) for ids, v in judged.items())
    return tuple(sorted(pairs, key=_best_first))


def copies(
    cards: Sequence[tuple[str, Contact]], contacts: Sequence[tuple[str, Contact]], *, region: str = ""
) -> set[str]:
    """Ids of cards that are above the safe threshold the same as some contact.

    Not one-to-one: three copies of one person are three, which is how a loop looks (L25).
    """
    if not contacts:  # a first upload: nothing is worth its profile
        return set()
    here, there = Crowd(cards, region), Crowd(contacts, region)
    same = {name for name, one in here.profiles.items() if one.content in there.contents}
    return same | {card for (card, _), verdict in _judged(here, there).items() if verdict.safe}


def score(card: Contact, contact: Contact, region: str = "") -> Pair:
    """Judge one pair as if these two were alone in the world; its ids are empty."""
    here, there = Crowd([("", card)], region), Crowd([("", contact)], region)
    verdict = compare(here.profiles[""], there.profiles[""], Rarity(here.counts, there.counts))
    return _pair(("", ""), verdict, sure=verdict.safe)


def same_content(card: Contact, contact: Contact, region: str = "") -> bool:
    """Whether both say the same by class; labels, preference, order and extras do not count.

    Two contacts that say nothing are not the same.
    """
    said = content(card, region)
    return bool(said) and said == content(contact, region)


def same_person_contradicted(card: Contact, contact: Contact, region: str = "") -> bool:
    """Whether two with one UID are different people (L27): some exports number their UIDs 1, 2, 3.

    So it is when the names differ and neither an e-mail address nor a phone number is shared. Where
    there is neither to compare, a UID that is long enough to be unique in the world stands.
    """
    mine, theirs = profile(card, region), profile(contact, region)
    comparable = (mine.emails and theirs.emails) or (mine.phones and theirs.phones)
    shared = mine.emails & theirs.emails or mine.phones & theirs.phones
    numbered = len(card.uid) < UNIQUE_UID
    return (bool(comparable) or numbered) and not shared and compare_names(mine, theirs) is Names.DIFFERENT


# --- choosing among pairs ---

Ids = tuple[str, str]


def _same_contents(here: Crowd, there: Crowd) -> Iterator[tuple[Ids, Verdict]]:
    """Equal contents pair in the order of their ids: which of several equal ones does not matter."""
    for said, cards in here.contents.items():
        for ids in zip(cards, there.contents.get(said, ()), strict=False):
            yield ids, SAME_CONTENT


def _judged(here: Crowd, there: Crowd) -> dict[Ids, Verdict]:
    """Every pair that is worth a look, judged."""
    rarity = Rarity(here.counts, there.counts, copies=2 if here is there else 1)
    judged = {}
    for card, contact in candidates(here, there, rarity):
        verdict = compare(here.profiles[card], there.profiles[contact], rarity)
        if verdict.points >= REVIEW:
            judged[card, contact] = verdict
    return judged


def candidates(here: Crowd, there: Crowd, rarity: Rarity) -> Iterator[Ids]:
    """Pairs that share what names one person, or several things that do together: all others have no
    chance, and a look at each of them would take minutes. A book that meets itself has each pair once."""
    for card, mine in here.profiles.items():
        told: dict[str, float] = defaultdict(float)
        for token in sorted(mine.tokens):
            holders = there.holders.get(token, ())
            if 0 < len(holders) <= CROWD:
                tells = rarity.tells(token)
                for contact in holders:
                    told[contact] += tells
        for contact, sum_ in told.items():
            if sum_ >= ENOUGH and (here is not there or card < contact):
                yield card, contact


def _best_for_both(
    judged: Mapping[Ids, Verdict], taken: Mapping[Ids, Verdict]
) -> Iterator[tuple[Ids, Verdict]]:
    """Safe pairs that are ahead of all others of their card and contact, also of those taken."""
    cards, contacts = _sides(taken)
    best: dict[tuple[int, str], list[float]] = defaultdict(list)
    for ids, verdict in judged.items():
        for side in enumerate(ids):
            best[side].append(verdict.points)
    for (card, contact), verdict in judged.items():
        if not verdict.safe or card in cards or contact in contacts:
            continue
        rivals = sorted(best[0, card], reverse=True)[1:2] + sorted(best[1, contact], reverse=True)[1:2]
        if all(verdict.points - rival >= MARGIN for rival in rivals):
            yield (card, contact), verdict


def _left_for_a_person(
    judged: Mapping[Ids, Verdict], sure: Mapping[Ids, Verdict]
) -> Iterator[tuple[Ids, Verdict]]:
    """Likely pairs of what is left, and second cards or contacts of a person who is paired already."""
    cards, contacts = _sides(sure)
    free = {ids: v for ids, v in judged.items() if ids[0] not in cards and ids[1] not in contacts}
    top: dict[tuple[int, str], float] = defaultdict(float)
    for ids, verdict in free.items():
        for side in enumerate(ids):
            top[side] = max(top[side], verdict.points)
    for ids, verdict in judged.items():
        near_top = any(verdict.points > top[side] - MARGIN for side in enumerate(ids))
        one_is_taken = (ids[0] in cards) != (ids[1] in contacts)
        if (ids in free and near_top) or (one_is_taken and verdict.double):
            yield ids, verdict


def _sides(pairs: Iterable[Ids]) -> tuple[set[str], set[str]]:
    ids = list(pairs)
    return {card for card, _ in ids}, {contact for _, contact in ids}


def _pair(ids: Ids, verdict: Verdict, *, sure: bool = False) -> Pair:
    # REVIEW points are a half, twice as many three quarters, and so on.
    share = 1 - 0.5 ** (max(verdict.points, 0.0) / REVIEW)
    return Pair(*ids, round(share, 3), verdict.reasons, sure)


def _best_first(pair: Pair) -> tuple[float, str, str]:
    return -pair.score, pair.card, pair.contact
