"""Address books of invented people, of which it is known who is who.

There is one *population*: people with all that could be known about them, among them families that share
a landline and an address (couples, parents, twins, sons with the name of their father) and namesakes who
share nothing else. A *view* is what one book says about somebody: some of the values, the name as
somebody would write it, numbers in one of the usual formats. Two views of a person are drawn independently
of each other, so neither is the original. Everything follows from the seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from anyascii import anyascii

from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Name,
    NameComponent,
    Nickname,
    Organization,
    PartialDate,
    Phone,
)
from tests.matching.words import LOCALES, Locale

FAMILIES = 0.12
"""So many of the people are relatives of one before them."""
NAMESAKES = 0.02
KNOWN = {
    "email": 0.65,
    "mobile": 0.65,
    "landline": 0.5,
    "work": 0.4,
    "address": 0.4,
    "born": 0.3,
    "firm": 0.4,
}
"""How likely a book knows a value that there is."""


@dataclass(frozen=True)
class Person:
    """All that is true of somebody; numbers are (area, rest) without any code before them."""

    given: str
    surname: str
    woman: bool
    born: PartialDate
    emails: tuple[str, ...]
    mobile: tuple[str, str]
    work: tuple[str, str]
    landline: tuple[str, str]
    street: str
    town: str
    postcode: str
    firm: str
    middle: str = ""
    generation: str = ""


@dataclass(frozen=True)
class Books:
    """Two books with ids, and the pairs of ids that stand for one person."""

    left: list[tuple[str, Contact]]
    right: list[tuple[str, Contact]]
    truth: frozenset[tuple[str, str]]


# --- who there is ---


def population(locale: Locale, size: int, dice: random.Random) -> list[Person]:
    people: list[Person] = []
    taken: set[str] = set()
    for _ in range(size):
        fate = dice.random()
        if people and fate < FAMILIES:
            person = _relative(dice.choice(people), locale, dice)
        elif people and fate < FAMILIES + NAMESAKES:
            other = dice.choice(people)
            same = {"given": other.given, "surname": other.surname, "woman": other.woman}
            person = _stranger(locale, dice, **same)
        else:
            person = _stranger(locale, dice)
        own = tuple(mail for mail in _emails(person, dice) if mail not in taken)
        taken.update(own)
        people.append(replace(person, emails=person.emails + own))
    return people


def _stranger(locale: Locale, dice: random.Random, **known: object) -> Person:
    woman = dice.random() < 0.5
    given = _given(locale, woman, dice)
    surname = _surname(locale, woman, dice)
    person = Person(
        given=given,
        surname=surname,
        woman=woman,
        born=PartialDate(dice.randint(1930, 2005), dice.randint(1, 12), dice.randint(1, 28)),
        emails=(),
        mobile=_number(locale.mobile, locale, dice),
        work=_number(locale.landline, locale, dice),
        landline=_number(locale.landline, locale, dice),
        street=locale.street.format(name=dice.choice(locale.streets), number=dice.randint(1, 120)),
        town=dice.choice(locale.towns),
        postcode="".join(str(dice.randint(0, 9)) if c == "#" else c for c in locale.postcode),
        firm=dice.choice(locale.firms),
        middle=_given(locale, woman, dice) if dice.random() < 0.2 else "",
    )
    return replace(person, **known)  # type: ignore[arg-type]


def _relative(other: Person, locale: Locale, dice: random.Random) -> Person:
    """Who lives with them has their landline and address, maybe their e-mail address; a few are twins,
    and some sons have the name of their father."""
    home = {
        "landline": other.landline,
        "street": other.street,
        "town": other.town,
        "postcode": other.postcode,
    }
    if other.emails and dice.random() < 0.1:  # they read each other's mail
        home["emails"] = other.emails[:1]
    kind = dice.random()
    if kind < 0.1:
        twin = {"born": other.born, "surname": other.surname, "woman": other.woman}
        twin["given"] = _given(locale, other.woman, dice, besides=other.given)
        return _stranger(locale, dice, **home, **twin)
    if kind < 0.16 and not other.woman:
        same = {"given": other.given, "surname": other.surname, "woman": False, "generation": "Jr."}
        return _stranger(locale, dice, **home, **same)
    woman = dice.random() < 0.5
    ends = locale.her_ends if woman else {hers: his for his, hers in locale.her_ends.items()}
    surname = other.surname if woman == other.woman else _with_end(other.surname, ends)
    given = _given(locale, woman, dice, besides=other.given)
    return _stranger(locale, dice, **home, given=given, surname=surname, woman=woman)


def _given(locale: Locale, woman: bool, dice: random.Random, besides: str = "") -> str:
    """Some names are more common than others by far."""
    names = [name for name in (locale.women if woman else locale.men) if name != besides]
    return names[min(int(dice.expovariate(4 / len(names))), len(names) - 1)]


def _surname(locale: Locale, woman: bool, dice: random.Random) -> str:
    surname = dice.choice(locale.stems) + dice.choice(locale.ends)
    return _with_end(surname, locale.her_ends) if woman else surname


def _with_end(surname: str, ends: Mapping[str, str]) -> str:
    found = (surname.removesuffix(old) + new for old, new in ends.items() if surname.endswith(old))
    return next(found, surname)


def _number(areas: Sequence[str], locale: Locale, dice: random.Random) -> tuple[str, str]:
    return dice.choice(areas), "".join(dice.choices("0123456789", k=locale.digits))


def _emails(person: Person, dice: random.Random) -> tuple[str, ...]:
    given, surname = (_plain(part).lower() for part in (person.given, person.surname))
    local = dice.choice([f"{given}.{surname}", f"{given[0]}{surname}", f"{surname}{dice.randint(1, 99)}"])
    mail = f"{local}{dice.choice(['', dice.randint(1, 999)])}@{dice.choice(['mail', 'post', 'web'])}.example"
    firm = _plain(person.firm.split()[0]).lower()
    work = f"{given}.{surname}{dice.choice(['', dice.randint(2, 9)])}@{firm}.example"
    return (mail, work) if dice.random() < 0.4 else (mail,)


def _plain(text: str) -> str:
    return "".join(letter for letter in anyascii(text) if letter.isalnum())


# --- what a book says about somebody ---


def view(
    person: Person,
    locale: Locale,
    dice: random.Random,
    uid: str = "",
    known: Mapping[str, float] = KNOWN,
    *,
    slips: bool = True,
) -> Contact:
    """One book's card; it always has something by which to reach them. Without ``slips`` the name is written
    out in full and rightly, and nothing is out of date; labels and formats differ all the same."""
    emails = [mail for mail in person.emails if dice.random() < known["email"]]
    numbers = [
        Phone(dice.choice(_FORMATS)(number, locale), contexts, features, label=dice.choice(("", "", label)))
        for kind, number, contexts, features, label in (
            ("mobile", person.mobile, frozenset[str](), frozenset({"cell"}), "mine"),
            ("landline", person.landline, frozenset({"private"}), frozenset[str](), "at home"),
            ("work", person.work, frozenset({"work"}), frozenset[str](), "office"),
        )
        if dice.random() < known[kind]
    ]
    if not emails and not numbers:
        numbers = [Phone(_packed(person.mobile, locale), features=frozenset({"cell"}))]
    if slips and dice.random() < 0.1:
        emails.append(f"old{dice.randint(1, 10**6)}@gone.example")
    knows = {kind: dice.random() < known[kind] for kind in ("address", "born", "firm")}
    name, nicknames = _written(person, locale, dice, slips=slips)
    return Contact(
        uid=uid,
        name=name,
        nicknames=nicknames,
        emails=tuple(Email(dice.choice([mail, mail, mail.title()])) for mail in emails),
        phones=tuple(numbers),
        addresses=(_address(person, dice),) if knows["address"] else (),
        organizations=(Organization(person.firm),) if knows["firm"] else (),
        anniversaries=(Anniversary("birth", _date(person.born, dice)),) if knows["born"] else (),
    )


def _written(
    person: Person, locale: Locale, dice: random.Random, *, slips: bool
) -> tuple[Name, tuple[Nickname, ...]]:
    """The name as somebody would write it: most write it out, some do not, some cannot."""
    given, surname, nick = person.given, person.surname, locale.nicknames.get(person.given, "")
    fate = dice.random() if slips else 1.0
    if fate < 0.08 and nick:
        given = nick
    elif fate < 0.13:
        given = given[0] + "."
    elif fate < 0.17:
        given = _slip(given, dice)
    elif fate < 0.21:
        surname = _slip(surname, dice)
    elif fate < 0.25:
        given, surname = _latin(given), _latin(surname)
    elif fate < 0.27:
        return Name(full=given), ()
    middle = person.middle if not slips or dice.random() < 0.5 else ""
    generation = person.generation if not slips or dice.random() < 0.7 else ""
    nicknames = (Nickname(nick),) if nick and nick != given and dice.random() < 0.1 else ()
    parts = [("given", given), ("given2", middle), ("surname", surname), ("generation", generation)]
    words = [value for _, value in parts if value]
    full = " ".join(words)
    style = dice.random()
    if style < 0.1:
        return Name(full=f"{surname}, {' '.join(w for w in words if w != surname)}"), nicknames
    if style < 0.15:
        return Name(full=full.upper()), nicknames
    if style < 0.35:
        return Name(full=full), nicknames
    return Name(tuple(NameComponent(kind, value) for kind, value in parts if value), full=full), nicknames


def _slip(word: str, dice: random.Random) -> str:
    """One letter left out, doubled, or changed places with the next."""
    at = dice.randrange(len(word) - 1)
    changed = (word[at + 1] + word[at], word[at], word[at] * 2 + word[at + 1])
    return word[:at] + dice.choice(changed) + word[at + 2 :]


_LATIN = {
    "ю": "yu",
    "я": "ya",
    "ж": "zh",
    "х": "kh",
    "ц": "ts",
    "ч": "ch",
    "ш": "sh",
    "щ": "shch",
    "ь": "",
    "й": "y",
}


def _latin(word: str) -> str:
    """On a keyboard without these letters."""
    return anyascii("".join(_LATIN.get(letter, letter) for letter in word))


def _address(person: Person, dice: random.Random) -> Address:
    parts = [("name", person.street), ("locality", person.town), ("postcode", person.postcode)]
    if dice.random() < 0.15:
        del parts[dice.randrange(len(parts))]
    if dice.random() < 0.3:
        return Address(full="\n".join(value for _, value in parts))
    return Address(tuple(AddressComponent(kind, value) for kind, value in parts))


def _date(born: PartialDate, dice: random.Random) -> PartialDate:
    fate = dice.random()
    if fate < 0.15:
        return replace(born, year=None)
    # day and month in the order of another country
    swapped = fate < 0.17 and born.day is not None and born.day <= 12
    return replace(born, month=born.day, day=born.month) if swapped else born


Format = Callable[[tuple[str, str], Locale], str]


def _international(number: tuple[str, str], locale: Locale) -> str:
    return f"+{locale.country} {number[0]} {number[1]}"


def _packed(number: tuple[str, str], locale: Locale) -> str:
    return f"+{locale.country}{number[0]}{number[1]}"


def _double_zero(number: tuple[str, str], locale: Locale) -> str:
    return f"00{locale.country} {number[0]}-{number[1][:3]}-{number[1][3:]}"


def _national(number: tuple[str, str], locale: Locale) -> str:
    return f"{locale.trunk}{number[0]} {number[1]}"


def _bracketed(number: tuple[str, str], locale: Locale) -> str:
    return f"({locale.trunk}{number[0]}) {number[1][:3]}-{number[1][3:]}"


_FORMATS: tuple[Format, ...] = (_international, _packed, _double_zero, _national, _bracketed)


# --- books ---


def two_books(locale: Locale, size: int, seed: int, common: float = 0.75) -> Books:
    """Two books of ``size`` cards, of which this share is about people who are in both."""
    dice = random.Random(f"{locale.region} {size} {seed}")
    both = int(size * common)
    people = population(locale, 2 * size - both, dice)
    dice.shuffle(people)
    mine, theirs = people[:size], [*people[:both], *people[size:]]
    left = [(f"l{place}", view(person, locale, dice)) for place, person in enumerate(mine)]
    right = [(f"r{place}", view(person, locale, dice)) for place, person in enumerate(theirs)]
    truth = frozenset((f"l{place}", f"r{place}") for place in range(both))
    dice.shuffle(left)
    dice.shuffle(right)
    return Books(left, right, truth)


def one_book(locale: Locale, size: int, seed: int, twice: float = 0.1) -> Books:
    """A book of ``size`` cards, in which this share is about somebody who is there already.

    It is the ``left`` one; the lesser id of a true pair comes first.
    """
    dice = random.Random(f"{locale.region} {size} {seed} one")
    copies = int(size * twice)
    people = population(locale, size - copies, dice)
    again = dice.sample(range(len(people)), copies)
    cards = [(f"a{place}", view(person, locale, dice)) for place, person in enumerate(people)]
    cards += [(f"b{place}", view(people[place], locale, dice)) for place in again]
    dice.shuffle(cards)
    return Books(cards, [], frozenset((f"a{place}", f"b{place}") for place in again))


def of_all(make: Callable[[Locale, int, int], Books], size: int, seed: int) -> Books:
    """Books in which people of all locales stand together, as many of each."""
    books = [(locale.region, make(locale, size // len(LOCALES), seed)) for locale in LOCALES]
    return Books(
        [(f"{region}-{name}", card) for region, book in books for name, card in book.left],
        [(f"{region}-{name}", card) for region, book in books for name, card in book.right],
        frozenset((f"{region}-{one}", f"{region}-{other}") for region, b in books for one, other in b.truth),
    )
