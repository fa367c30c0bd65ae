"""What of a contact is compared when two meet (L27): its profile, in forms that spelling does not hide.

Names are plain lower-case words of any script, without titles; phone numbers carry their country where
that is known. An address is a bag of words, since each remote cuts it into other parts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from anyascii import anyascii

from contactsync.frozen import frozen
from contactsync.model.contact import Address, Anniversary, Contact, Name
from contactsync.model.fields import FIELDS, email_class, fold, phone_class

_TITLES = frozenset({"dr", "prof", "mr", "mrs", "ms", "herr", "frau", "phd"})
_GENERATIONS = {"jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr", "ii": "ii", "iii": "iii", "iv": "iv"}
_NOT_IN_NAMES = frozenset({"title", "credential", "generation"})
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
# What the providers of remotes fill in differently, or what other laws treat at a first meeting (L28, L39).
_NOT_CONTENT = frozenset({"kind", "name", "phones", "groups", "extra"})
_CONTENT = tuple(row for row in FIELDS if row.path not in _NOT_CONTENT)

Birthday = tuple[int | None, int | None, int | None]
Content = tuple[object, ...]


@frozen
class Profile:
    """One contact as it is compared.

    ``names`` are the words of the name, in one or two spellings, and ``name_keys`` the same without an
    order. ``tokens`` are all by which somebody can be found; the letter before a colon says of what
    kind they are.
    """

    names: tuple[tuple[str, ...], ...]
    name_keys: frozenset[str]
    generation: str
    emails: frozenset[str]
    phones: frozenset[str]
    birthday: Birthday | None
    organizations: frozenset[str]
    addresses: tuple[tuple[str, ...], ...]
    content: Content

    name_words: frozenset[str]
    tokens: frozenset[str]

    @property
    def bearer(self) -> str:
        """Who has its values, as far as a name tells: two copies of one person are one bearer."""
        return f"{min(self.name_keys, default='')} {self.generation}"


def profile(contact: Contact, region: str) -> Profile:
    words, generation = _name_words(contact)
    spellings = {_words(form) for form in (words, words.casefold().translate(_SPELLED_OUT))} - {()}
    numbers = phone_keys(contact, region)
    name_keys = frozenset("n:" + " ".join(sorted(spelling)) for spelling in spellings)
    name_words = frozenset("w:" + word for spelling in spellings for word in spelling)
    emails = frozenset("e:" + email_class(email) for email in contact.emails if email.address.strip())
    # A handful of digits is an extension or a service number, the same for many people.
    phones = frozenset("p:" + key for key in numbers if sum(map(str.isdigit, key)) >= 6)
    birthday = _birthday(contact.anniversaries)
    born = {"b:{}-{}-{}".format(*birthday)} if birthday and all(birthday) else frozenset[str]()
    addresses = tuple(filter(None, map(address_words, contact.addresses)))
    return Profile(
        names=tuple(sorted(spellings)),
        name_keys=name_keys,
        generation=generation,
        emails=emails,
        phones=phones,
        birthday=birthday,
        organizations=frozenset(" ".join(_words(entry.name)) for entry in contact.organizations) - {""},
        addresses=addresses,
        content=_content(contact, numbers),
        name_words=name_words,
        tokens=frozenset().union(name_keys, name_words, emails, phones, born, *addresses),
    )


def content(contact: Contact, region: str) -> Content:
    """All that a contact says, by class; empty when it says nothing."""
    return _content(contact, phone_keys(contact, region))


def _content(contact: Contact, phones: frozenset[str]) -> Content:
    name = fold(" ".join(c.value for c in contact.name.components) or contact.name.full)
    others = tuple(
        (row.path, frozenset(map(row.value_class, entries)))
        for row in _CONTENT
        if (entries := getattr(contact, row.path))
    )
    return (name, phones, *others) if name or phones or others else ()


def phone_keys(contact: Contact, region: str) -> frozenset[str]:
    return frozenset(phone_key(phone_class(phone), region) for phone in contact.phones)


@functools.lru_cache(maxsize=65536)
def phone_key(number: str, region: str) -> str:
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


def address_words(address: Address) -> tuple[str, ...]:
    """Without the country, which one remote writes as a word, another as a code, and a third not at all."""
    parts = [c.value for c in address.components if c.kind != "country"] or [address.full]
    return tuple(dict.fromkeys(f"a:{word}" for part in parts for word in _words(part)))


def _birthday(dates: Iterable[Anniversary]) -> Birthday | None:
    for entry in dates:
        if entry.kind == "birth" and (entry.date.month or entry.date.day or entry.date.year):
            # 0 and 1604 stand for "no year" at several producers.
            year = None if entry.date.year in (0, 1604) else entry.date.year
            return year, entry.date.month, entry.date.day
    return None
