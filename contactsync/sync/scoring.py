"""Judges one pair of profiles: points for what agrees, against what differs, and words for people (L27).

A point is about a bit of evidence for "the same person", as in the record linkage of Fellegi and Sunter
(A Theory for Record Linkage, 1969, doi:10.1080/01621459.1969.10501049). How much an agreement is worth
is fixed, since most books are too small to estimate it from; what is taken from the two books is how
rare a value is in them, and how often people there live at one address. What makes a pair *safe* is
no sum of points, so no number of weak hints can make it so.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rapidfuzz import fuzz

from contactsync.frozen import frozen
from contactsync.sync.likeness import Birthday, Profile

SMALL_BOOK = 64
"""In a smaller book a share says little: a value of two people among three is not yet a common one."""
OWN_EMAIL = 6.0
OWN_PHONE = 5.0
SHARED = 1.0
"""What an e-mail address, phone number or address is worth that others have too."""
OTHER = -0.5
"""Both have such values, and none in common."""
BIRTHDAY = 2.5
SIMILAR_BIRTHDAY = 1.0
OTHER_BIRTHDAY = -5.0
FIRM = 0.75
OWN_HOMES = 45
"""Addresses of one person alone that are taken as seen, for each that is shared, before any was seen."""
SAME_ADDRESS = 0.5
SIMILAR_ADDRESS = 0.3
WHOLE_ADDRESS = 2.5
"""An address has as many rare words, or several that are less rare; a mere town is not a whole one."""
ALIKE = 88
"""The ratio of `rapidfuzz` from which two names of about a dozen letters differ by one slip of the pen."""
SLIP = 0.7
"""How alike the letters of two texts are that one of them is the other with mistakes."""


class Names(enum.Enum):
    """How two names stand to each other: points when nobody else on either side has that name,
    points otherwise, and words for people."""

    SAME = (6.0, 3.5, "same name")
    ONE_WORD = (3.0, 1.5, "same name of one word")
    PART = (4.0, 2.0, "one name is a part of the other")
    LIKE = (2.0, 1.5, "similar names")
    DIFFERENT = (-2.0, -2.0, "different names")
    UNKNOWN = (0.0, 0.0, "")


class Evidence(NamedTuple):
    """Points with words for people. ``proof``: something that few but one person have; ``doubt``: they
    may well be two people, whatever else agrees."""

    points: float = 0.0
    words: str = ""
    proof: bool = False
    doubt: bool = False


NOTHING = Evidence()


@frozen
class Verdict:
    """``safe``: sure if no other pair is close; ``double``: a second copy of one person, likely."""

    points: float
    reasons: tuple[str, ...]
    safe: bool
    double: bool


SAME_CONTENT = Verdict(99.0, ("same content",), safe=True, double=True)


class Counts:
    """How often names, values and words occur in one book."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self.size = 0
        self.tokens: Counter[str] = Counter()
        self._bearers: dict[str, set[str]] = defaultdict(set)
        homes: dict[frozenset[str], set[str]] = defaultdict(set)
        for profile in profiles:
            self.size += 1
            self.tokens.update(profile.tokens)
            for value in profile.emails.union(profile.phones, *profile.addresses):
                self._bearers[value].add(profile.bearer)
            for address in profile.addresses:
                homes[frozenset(address)].add(profile.bearer)
        self.homes = len(homes)
        self.shared_homes = sum(len(bearers) > 1 for bearers in homes.values())

    def bearers(self, values: Iterable[str]) -> int:
        """How many have all these values; copies of one person count once."""
        first, *others = sorted((self._bearers.get(value, set()) for value in values), key=len)
        return len(first.intersection(*others))


class Rarity:
    """How much a value tells about who it is, given the books that meet.

    ``copies`` is how many of one person may be in a book: two where a book meets itself.
    """

    def __init__(self, here: Counts, there: Counts, copies: int = 1) -> None:
        self._here, self._there, self.copies = here, there, copies
        self._whole = math.log(max(here.size, there.size, SMALL_BOOK))
        self._told: dict[str, float] = {}
        homes, shared = here.homes + there.homes, here.shared_homes + there.shared_homes
        self.own_address = math.log2((OWN_HOMES + homes) / (1 + shared))

    def own(self, values: Iterable[str], bearers: int = 1) -> bool:
        """Whether no more than these have all of these values in either book."""
        return max(self._here.bearers(values), self._there.bearers(values)) <= bearers

    def alone(self, name: str) -> bool:
        return max(self._here.tokens[name], self._there.tokens[name]) <= self.copies

    def tells(self, token: str) -> float:
        """The share of what it takes to name one person of the book: 1 if one has it, 0 if all do."""
        found = self._told.get(token)
        if found is None:
            holders = max(self._here.tokens[token], self._there.tokens[token]) / self.copies
            found = self._told[token] = 1 - math.log(max(holders, 1)) / self._whole
        return found


def compare(mine: Profile, theirs: Profile, rarity: Rarity) -> Verdict:
    """Points for and against, and whether this is enough to be sure."""
    if mine.content and mine.content == theirs.content:
        return SAME_CONTENT
    names = compare_names(mine, theirs)
    name = _name(names, mine, theirs, rarity)
    # In one book two whose names differ and who have a number or a home together live together; an e-mail
    # address of two is worth a look.
    bearers = 1 if names is Names.DIFFERENT else rarity.copies
    email = _shared(mine.emails, theirs.emails, OWN_EMAIL, "e-mail address", rarity, rarity.copies)
    phone = _shared(mine.phones, theirs.phones, OWN_PHONE, "phone number", rarity, bearers)
    birthday = _compare_birthdays(mine.birthday, theirs.birthday)
    address = _compare_addresses(mine.addresses, theirs.addresses, rarity, bearers)
    firm = Evidence(FIRM, "same organization") if mine.organizations & theirs.organizations else NOTHING
    found = (name, email, phone, birthday, address, firm)
    whole_name = names in (Names.SAME, Names.ONE_WORD)
    contradicted = birthday.doubt or mine.generation != theirs.generation
    return Verdict(
        sum(evidence.points for evidence in found),
        tuple(evidence.words for evidence in found if evidence.words),
        safe=not contradicted and _proved(names, *found[1:]),
        double=whole_name and (email.points > 0 or phone.points > 0),
    )


def _proved(
    names: Names, email: Evidence, phone: Evidence, birthday: Evidence, address: Evidence, firm: Evidence
) -> bool:
    """A name is never enough, as namesakes have it. A birthday with it needs something else; an address
    with it is where father and son of one name live."""
    own_value = email.proof or phone.proof
    if names is Names.PART:
        return own_value and email.proof + phone.proof + birthday.proof >= 2
    if names is Names.SAME and birthday.proof:
        return own_value or address.proof or max(email.points, phone.points, address.points, firm.points) > 0
    return names in (Names.SAME, Names.ONE_WORD) and own_value


def _name(names: Names, mine: Profile, theirs: Profile, rarity: Rarity) -> Evidence:
    unique, common, words = names.value
    alone = all(map(rarity.alone, mine.name_keys | theirs.name_keys))
    points = unique if alone else common
    if names is Names.DIFFERENT:
        # Bob Miller may be Robert, and Ada Byron have married; the rarer a word in common, the more so.
        points += max(map(rarity.tells, mine.name_words & theirs.name_words), default=0.0)
    return Evidence(points, words)


def compare_names(mine: Profile, theirs: Profile) -> Names:
    if not mine.names or not theirs.names:
        return Names.UNKNOWN
    if mine.name_keys & theirs.name_keys:
        return Names.SAME if len(mine.names[0]) > 1 else Names.ONE_WORD
    spellings = list(itertools.product(mine.names, theirs.names))
    if any(_is_part(one, other) or _is_part(other, one) for one, other in spellings):
        return Names.PART
    if any(_alike(one, other) for one, other in spellings):
        return Names.LIKE
    return Names.DIFFERENT


def _is_part(short: tuple[str, ...], long: tuple[str, ...]) -> bool:
    """A middle name is missing. The first words must agree: Anna is not her mother Maria Anna."""
    return len(short) > 1 and short[0] == long[0] and set(short) < set(long)


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """A slip of the pen, an initial, or the words of one among those of the other."""
    rest, others = [*{*one}.difference(other)], [*{*other}.difference(one)]
    if not rest or not others:
        return True
    if fuzz.token_sort_ratio(" ".join(one), " ".join(other)) >= ALIKE:
        return True
    return (
        len(rest) == len(others) == 1 < len(one)
        and rest[0][0] == others[0][0]
        and 1 in map(len, rest + others)
    )


def _shared(
    mine: frozenset[str], theirs: frozenset[str], full: float, what: str, rarity: Rarity, bearers: int
) -> Evidence:
    """A value in common counts in full only when nobody else on either side has it."""
    both = mine & theirs
    if any(rarity.own([value], bearers) for value in both):
        return Evidence(full, f"same {what}", proof=any(rarity.own([value]) for value in both))
    if both:
        return Evidence(SHARED, f"{what} shared with others")
    return Evidence(OTHER) if mine and theirs else NOTHING


def _compare_birthdays(mine: Birthday | None, theirs: Birthday | None) -> Evidence:
    if mine is None or theirs is None:
        return NOTHING
    known = [(one, other) for one, other in zip(mine, theirs, strict=True) if one and other]
    agree = sum(one == other for one, other in known)
    if agree < len(known):
        if agree == 2:
            return Evidence(SIMILAR_BIRTHDAY, "similar birthdays", doubt=True)
        return Evidence(OTHER_BIRTHDAY, "different birthdays", doubt=True)
    if agree == 3:
        return Evidence(BIRTHDAY, "same birthday", proof=True)
    return Evidence(1.0, "same birthday, as far as known") if agree == 2 else NOTHING


Words = tuple[str, ...]


def _compare_addresses(
    mine: Sequence[Words], theirs: Sequence[Words], rarity: Rarity, bearers: int
) -> Evidence:
    """The two of their addresses that agree best. People move, and have several: that others differ
    says nothing against them."""
    if not (mine and theirs):
        return NOTHING
    agreements = ((_agreement(one, other, rarity), one, other) for one in mine for other in theirs)
    agree, one, other = max(agreements)
    same = agree >= SAME_ADDRESS
    if agree >= SIMILAR_ADDRESS and rarity.own({*one} & {*other}, bearers):
        words = "same address" if same else "similar addresses"
        return Evidence(rarity.own_address * agree, words, proof=same)
    return Evidence(SHARED, "address shared with others") if same else NOTHING


def _agreement(one: Words, other: Words, rarity: Rarity) -> float:
    """What the words in both tell, of what the address that says less tells; a slip of the pen agrees too."""
    both = {*one} & {*other}
    if not both:
        return 0.0
    rests = [[word for word in words if word not in both] for words in (one, other)]
    told, *untold = (sum(map(rarity.tells, words)) for words in (both, *rests))
    # Digits are left out: number 12 is next door to number 13.
    letters = ["".join(word[2:] for word in rest if word[2:].isalpha()) for rest in rests]
    like = fuzz.ratio(*letters) / 100 if all(letters) else 0.0
    slips = like * min(untold) if like >= SLIP else 0.0
    return (told + slips) / max(told + min(untold), WHOLE_ADDRESS)
