"""Pairs cards with contacts that meet for the first time (L27), and says why.

A missed pair costs a click, a wrong pair costs a person: a pair is *sure* only when the content is the
same, or when the whole name and an e-mail address or phone number of theirs alone agree, the pair is
the best for both, and no other is close. Relatives share landlines and addresses, namesakes share
names, twins share birthdays: none of these is enough by itself. What is likely but not sure is held
for a person. Pure, and independent of the order of its input.
"""

from __future__ import annotations

import enum
import functools
import itertools
import operator
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from anyascii import anyascii
from rapidfuzz import fuzz

from contactsync.model.contact import Anniversary, Contact, Name
from contactsync.model.fields import FIELDS, email_class, fold, phone_class

REVIEW = 3.0
"""Points from which a pair is worth a person's look; the score is then 0.5 or more."""
MARGIN = 2.0
"""How many points a sure pair is ahead of every other pair of its card and its contact."""
CROWD = 400
"""A value shared by more pairs than this names nobody and proposes no pairs."""

_id = operator.itemgetter(0)
_TITLES = frozenset({"dr", "prof", "mr", "mrs", "ms", "herr", "frau", "phd"})
_GENERATIONS = {"jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr", "ii": "ii", "iii": "iii", "iv": "iv"}
_NOT_IN_NAMES = frozenset({"title", "credential", "generation"})
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
# What the providers of remotes fill in differently, or what other laws treat at a first meeting (L28, L39).
_NOT_CONTENT = frozenset({"kind", "name", "phones", "groups", "extra"})

UNIQUE_UID = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """A card and a contact by their ids; ``score`` is from 0 to 1, ``reasons`` are for people."""

    card: str
    contact: str
    score: float
    reasons: tuple[str, ...]
    sure: bool


@dataclass(frozen=True, slots=True)
class Matches:
    """``sure`` is one-to-one; in ``unsure`` a card or contact may come several times, best first."""

    sure: tuple[Pair, ...] = ()
    unsure: tuple[Pair, ...] = ()


class Crowd:
    """One side of a match, prepared once where several calls look at it."""

    def __init__(self, people: Iterable[tuple[str, Contact]], region: str = "") -> None:
        self.profiles = {name: _profile(contact, region) for name, contact in sorted(people, key=_id)}
        self.counts = _counts(self.profiles.values())
        self.blocks = _blocks(self.profiles)
        self.contents: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for name, profile in self.profiles.items():
            self.contents[profile.content].append(name)


def match(
    cards: Sequence[tuple[str, Contact]],
    contacts: Sequence[tuple[str, Contact]] | Crowd,
    *,
    region: str = "",
) -> Matches:
    """Pair unlinked cards with unlinked contacts; the texts are ids, unique on their side.

    ``region`` is the country whose phone numbers are written without a country code.
    """
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


def score(card: Contact, contact: Contact, region: str = "") -> Pair:
    """Judge one pair as if these two were alone in the world; its ids are empty."""
    mine, theirs = _profile(card, region), _profile(contact, region)
    if mine.content and mine.content == theirs.content:
        return _pair(("", ""), SAME_CONTENT, sure=True)
    verdict = _compare(mine, theirs, lambda key: True)
    return _pair(("", ""), verdict, sure=verdict.safe)


def same_content(card: Contact, contact: Contact, region: str = "") -> bool:
    """Whether both say the same by class; labels, preference, order and extras do not count.

    Two contacts that say nothing are not the same.
    """
    content = _content(card, region)
    return bool(content) and content == _content(contact, region)


def same_person_contradicted(card: Contact, contact: Contact, region: str = "") -> bool:
    """Whether two with one UID are different people (L27): some exports number their UIDs 1, 2, 3.

    So it is when the names differ and neither an e-mail address nor a phone number is shared. Where
    there is neither to compare, a UID that is long enough to be unique in the world stands.
    """
    mine, theirs = _profile(card, region), _profile(contact, region)
    comparable = (mine.emails and theirs.emails) or (mine.phones and theirs.phones)
    shared = mine.emails & theirs.emails or mine.phones & theirs.phones
    numbered = len(card.uid) < UNIQUE_UID
    return (bool(comparable) or numbered) and not shared and _compare_names(mine, theirs) is _Names.DIFFERENT


# --- profiles ---


@dataclass(frozen=True, slots=True)
class _Profile:
    """What of a contact is compared. ``names`` are the words of the name, in one or two spellings."""

    names: tuple[tuple[str, ...], ...]
    generation: str
    emails: frozenset[str]
    phones: frozenset[str]
    birthday: tuple[int | None, int | None, int | None] | None
    organizations: frozenset[str]
    content: tuple[object, ...]

    @property
    def name_keys(self) -> set[str]:
        return {"n:" + " ".join(sorted(words)) for words in self.names}

    @property
    def value_keys(self) -> frozenset[str]:
        return self.emails | self.phones


def _profile(contact: Contact, region: str) -> _Profile:
    words, generation = _name_words(contact)
    spellings = {tuple(_words(form)) for form in (words, words.casefold().translate(_SPELLED_OUT))}
    phones = (_phone_key(phone_class(phone), region) for phone in contact.phones)
    return _Profile(
        names=tuple(sorted(spelling for spelling in spellings if spelling)),
        generation=generation,
        emails=frozenset("e:" + email_class(email) for email in contact.emails if email.address.strip()),
        # A handful of digits is an extension or a service number, the same for many people.
        phones=frozenset("p:" + key for key in phones if sum(map(str.isdigit, key)) >= 6),
        birthday=_birthday(contact.anniversaries),
        organizations=frozenset(" ".join(_words(entry.name)) for entry in contact.organizations) - {""},
        content=_content(contact, region),
    )


def _name_words(contact: Contact) -> tuple[str, str]:
    """The name without titles, and the generation (jr, sr, ...); an organisation's own name for one."""
    parts = [c.value for c in contact.name.components if c.kind not in _NOT_IN_NAMES]
    text = max(" ".join(parts), contact.name.full if len(_words(" ".join(parts))) < 2 else "", key=len)
    if not _words(text) and contact.organizations:
        text = contact.organizations[0].name
    words = text.split()
    plain = [word for word in words if not _title_or_generation(word)]
    return " ".join(plain or words), _generation(contact.name, words)


def _title_or_generation(word: str) -> bool:
    plain = word.strip(".,").casefold()
    return plain in _TITLES or plain in _GENERATIONS


def _generation(name: Name, words: Iterable[str]) -> str:
    for word in (*name.part("generation").split(), *words):
        if found := _GENERATIONS.get(word.strip(".,").casefold()):
            return found
    return ""


@functools.lru_cache(maxsize=65536)
def _words(text: str) -> tuple[str, ...]:
    """Words in plain lower-case letters, whatever script they are written in."""
    plain = anyascii(text).casefold().replace("'", "")
    return tuple(re.findall(r"[a-z0-9]+", plain))


@functools.lru_cache(maxsize=65536)
def _phone_key(number: str, region: str) -> str:
    """The number with its country where that is known, else its digits with a leading plus kept."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region.upper() or None)
    except phonenumbers.NumberParseException:
        return number
    if not phonenumbers.is_possible_number(parsed):
        return number
    key = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return f"{key}x{parsed.extension}" if parsed.extension else key


def _birthday(dates: Iterable[Anniversary]) -> tuple[int | None, int | None, int | None] | None:
    for entry in dates:
        if entry.kind == "birth" and (entry.date.month or entry.date.day or entry.date.year):
            # 0 and 1604 stand for "no year" at several producers.
            year = None if entry.date.year in (0, 1604) else entry.date.year
            return year, entry.date.month, entry.date.day
    return None


def _content(contact: Contact, region: str) -> tuple[object, ...]:
    """All that a contact says, by class; empty when it says nothing."""
    name = fold(" ".join(c.value for c in contact.name.components) or contact.name.full)
    phones = frozenset(_phone_key(phone_class(phone), region) for phone in contact.phones)
    others = tuple(
        frozenset(row.value_class(entry) for entry in getattr(contact, row.path))
        for row in FIELDS
        if row.path not in _NOT_CONTENT
    )
    return (name, phones, *others) if name or phones or any(others) else ()


# --- judging one pair ---


class _Names(enum.Enum):
    """How two names stand to each other: points when nobody else on either side has that name,
    points otherwise, and words for people."""

    SAME = (6.0, 3.5, "same name")
    ONE_WORD = (3.0, 1.5, "same name of one word")
    PART = (4.0, 2.0, "one name is a part of the other")
    LIKE = (2.0, 1.5, "similar names")
    DIFFERENT = (-2.0, -2.0, "different names")
    UNKNOWN = (0.0, 0.0, "")


@dataclass(frozen=True, slots=True)
class _Verdict:
    """``safe``: sure if no other pair is close; ``double``: a second copy of one person, likely."""

    points: float
    reasons: tuple[str, ...]
    safe: bool
    double: bool


SAME_CONTENT = _Verdict(99.0, ("same content",), safe=True, double=True)

Rare = Callable[[str], bool]


def _compare(mine: _Profile, theirs: _Profile, rare: Rare) -> _Verdict:
    """Points for and against; ``rare`` says that at most one contact of each side has a value."""
    names = _compare_names(mine, theirs)
    unique, common, words = names.value
    alone = all(rare(key) for key in mine.name_keys | theirs.name_keys)
    email = _shared(mine.emails, theirs.emails, rare, 6.0, "e-mail address")
    phone = _shared(mine.phones, theirs.phones, rare, 5.0, "phone number")
    birthday = _compare_birthdays(mine.birthday, theirs.birthday)
    firm = (0.75, "same organization") if mine.organizations & theirs.organizations else (0.0, "")
    parts = ((unique if alone else common, words), email, phone, birthday, firm)
    proofs = sum((email[0] >= 6.0, phone[0] >= 5.0, birthday[0] >= 2.5))
    own_value = email[0] >= 6.0 or phone[0] >= 5.0
    whole_name = names in (_Names.SAME, _Names.ONE_WORD)
    return _Verdict(
        sum(points for points, _ in parts),
        tuple(word for _, word in parts if word),
        safe=(whole_name or (names is _Names.PART and proofs >= 2))
        and own_value
        and birthday[0] >= 0
        and mine.generation == theirs.generation,
        double=whole_name and (email[0] > 0 or phone[0] > 0),
    )


def _compare_names(mine: _Profile, theirs: _Profile) -> _Names:
    if not mine.names or not theirs.names:
        return _Names.UNKNOWN
    if mine.name_keys & theirs.name_keys:
        return _Names.SAME if len(mine.names[0]) > 1 else _Names.ONE_WORD
    spellings = list(itertools.product(mine.names, theirs.names))
    if any(_is_part(one, other) or _is_part(other, one) for one, other in spellings):
        return _Names.PART
    if any(_alike(one, other) for one, other in spellings):
        return _Names.LIKE
    return _Names.DIFFERENT


def _is_part(short: tuple[str, ...], long: tuple[str, ...]) -> bool:
    """A middle name is missing. The first words must agree: Anna is not her mother Maria Anna."""
    return len(short) > 1 and short[0] == long[0] and set(short) < set(long)


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """A slip of the pen, an initial, or the words of one among those of the other."""
    if set(one) <= set(other) or set(other) <= set(one):
        return True
    if fuzz.token_sort_ratio(" ".join(one), " ".join(other)) >= 88:
        return True
    rest, others = sorted(set(one) - set(other)), sorted(set(other) - set(one))
    return (
        len(rest) == len(others) == 1 < len(one)
        and rest[0][0] == others[0][0]
        and 1 in map(len, rest + others)
    )


def _shared(
    mine: frozenset[str], theirs: frozenset[str], rare: Rare, full: float, what: str
) -> tuple[float, str]:
    """A value in common counts in full only when nobody else on either side has it."""
    both = mine & theirs
    if any(map(rare, both)):
        return full, f"same {what}"
    if both:
        return 1.0, f"{what} shared with others"
    return (-0.5, "") if mine and theirs else (0.0, "")


def _compare_birthdays(
    mine: tuple[int | None, ...] | None, theirs: tuple[int | None, ...] | None
) -> tuple[float, str]:
    known = [(one, other) for one, other in zip(mine or (), theirs or (), strict=False) if one and other]
    if any(one != other for one, other in known):
        return -5.0, "different birthdays"
    if len(known) == 3:
        return 2.5, "same birthday"
    return (1.0, "same birthday, as far as known") if len(known) == 2 else (0.0, "")


# --- choosing among pairs ---

Ids = tuple[str, str]


def _same_contents(here: Crowd, there: Crowd) -> Iterator[tuple[Ids, _Verdict]]:
    """Equal contents pair in the order of their ids: which of several equal ones does not matter."""
    used: Counter[tuple[object, ...]] = Counter()
    for name, profile in here.profiles.items():
        equal = there.contents.get(profile.content, []) if profile.content else []
        if used[profile.content] < len(equal):
            yield (name, equal[used[profile.content]]), SAME_CONTENT
            used[profile.content] += 1


def _judged(here: Crowd, there: Crowd) -> dict[Ids, _Verdict]:
    """Every pair that is worth a look, judged."""

    def rare(key: str) -> bool:
        return here.counts[key] <= 1 and there.counts[key] <= 1

    judged = {}
    for card, contact in sorted(_candidates(here, there)):
        mine, theirs = here.profiles[card], there.profiles[contact]
        same = mine.content == theirs.content and bool(mine.content)
        verdict = SAME_CONTENT if same else _compare(mine, theirs, rare)
        if verdict.points >= REVIEW:
            judged[card, contact] = verdict
    return judged


def _counts(profiles: Iterable[_Profile]) -> Counter[str]:
    """How many contacts of a side have a value."""
    return Counter(key for profile in profiles for key in profile.value_keys | profile.name_keys)


def _candidates(here: Crowd, there: Crowd) -> set[Ids]:
    """Pairs that share an address, a number, a name, or two words of a name: all others have no
    chance, and a look at each of them would take minutes."""
    found: set[Ids] = set()
    for key, cards in here.blocks.items():
        contacts = there.blocks.get(key, ())
        if 0 < len(cards) * len(contacts) <= CROWD:
            found.update(itertools.product(cards, contacts))
    return found


def _blocks(side: Mapping[str, _Profile]) -> dict[str, list[str]]:
    blocks: dict[str, list[str]] = defaultdict(list)
    for name, profile in side.items():
        for key in {*profile.value_keys, *profile.name_keys, *_two_words(profile.names)}:
            blocks[key].append(name)
    return blocks


def _two_words(names: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for words in names:
        # The first and last few words: longer names are those of offices and departments.
        for one, other in itertools.combinations(sorted({*words[:3], *words[-3:]}), 2):
            yield f"w:{one} {other}"


def _best_for_both(
    judged: Mapping[Ids, _Verdict], taken: Mapping[Ids, _Verdict]
) -> Iterator[tuple[Ids, _Verdict]]:
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
    judged: Mapping[Ids, _Verdict], sure: Mapping[Ids, _Verdict]
) -> Iterator[tuple[Ids, _Verdict]]:
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


def _pair(ids: Ids, verdict: _Verdict, *, sure: bool = False) -> Pair:
    # REVIEW points are a half, twice as many three quarters, and so on.
    share = 1 - 0.5 ** (max(verdict.points, 0.0) / REVIEW)
    return Pair(*ids, round(share, 3), verdict.reasons, sure)


def _best_first(pair: Pair) -> tuple[float, str, str]:
    return -pair.score, pair.card, pair.contact
