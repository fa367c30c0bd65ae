"""What a contact is: frozen values with the names of JSContact (RFC 9553).

Empty means absent: no field tells "empty" from "not there". Contexts are ``private`` and ``work``
and features ``voice fax cell pager text video main-number textphone`` (RFC 9553 sections 1.5.1,
2.3.3); other words that a remote uses are kept as they are, in lower case. ``ref`` is the remote's
own name for one entry (PROP-ID, item group, source id): a help for alignment (L4), never content.
"""

from __future__ import annotations

import hashlib
from dataclasses import field
from datetime import datetime

from contactsync.model.value import value

NO_WORDS: frozenset[str] = frozenset()


@value(frozen=True, slots=True)
class NameComponent:
    """RFC 9553 section 2.2.1.2; kinds: title given given2 surname surname2 credential generation."""

    kind: str
    value: str
    phonetic: str = ""


@value(frozen=True, slots=True)
class Name:
    """A structured name, one unit (L19). ``full`` is the display name as the person wrote it."""

    components: tuple[NameComponent, ...] = ()
    full: str = ""
    sort_as: tuple[str, ...] = ()

    def part(self, kind: str) -> str:
        """All values of one kind, joined by a blank."""
        return " ".join(c.value for c in self.components if c.kind == kind)


@value(frozen=True, slots=True)
class PartialDate:
    """A calendar date of which parts may be missing; ``text`` where it is no date at all."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    text: str = ""


@value(frozen=True, slots=True)
class Nickname:
    name: str
    contexts: frozenset[str] = NO_WORDS
    pref: int | None = None
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class Email:
    address: str
    contexts: frozenset[str] = NO_WORDS
    label: str = ""
    pref: int | None = None
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class Phone:
    number: str
    contexts: frozenset[str] = NO_WORDS
    features: frozenset[str] = NO_WORDS
    label: str = ""
    pref: int | None = None
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class AddressComponent:
    """RFC 9553 section 2.5.1.2; kinds: postOfficeBox apartment name locality region postcode country ...

    The seven places of a vCard ADR are ``postOfficeBox extended name locality region postcode country``
    (``name`` is the street line, ``extended`` the second one).
    """

    kind: str
    value: str


@value(frozen=True, slots=True)
class Address:
    """One unit besides its label (L19 table); ``full`` is the delivery label as text."""

    components: tuple[AddressComponent, ...] = ()
    full: str = ""
    country_code: str = ""
    contexts: frozenset[str] = NO_WORDS
    label: str = ""
    pref: int | None = None
    ref: str = field(default="", compare=False)

    def part(self, kind: str) -> str:
        return ", ".join(c.value for c in self.components if c.kind == kind)


@value(frozen=True, slots=True)
class Organization:
    name: str
    units: tuple[str, ...] = ()
    contexts: frozenset[str] = NO_WORDS
    label: str = ""
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class Title:
    """``kind`` is ``title`` or ``role``."""

    name: str
    kind: str = "title"
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class OnlineService:
    """IMPP, SOCIALPROFILE and the X- families: ``service`` in lower case, ``uri`` or ``user``."""

    service: str = ""
    uri: str = ""
    user: str = ""
    kind: str = "impp"
    contexts: frozenset[str] = NO_WORDS
    label: str = ""
    pref: int | None = None
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class Link:
    uri: str
    contexts: frozenset[str] = NO_WORDS
    label: str = ""
    pref: int | None = None
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class Anniversary:
    """``kind`` is ``birth``, ``wedding``, ``death`` or ``other`` (then ``label`` says which)."""

    kind: str
    date: PartialDate
    label: str = ""
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class Note:
    text: str
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class Media:
    """A photo, logo or sound: bytes named by their SHA-256, or a URI.

    ``data`` holds the bytes while they travel between a codec and the store; documents, comparison
    and hashes know only ``sha256``, so a contact costs no photo in memory. Given ``data`` alone, ``sha256``
    is made from it.
    """

    kind: str = "photo"
    media_type: str = ""
    uri: str = ""
    sha256: str = ""
    data: bytes | None = field(default=None, compare=False, repr=False)
    ref: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.data is not None and not self.sha256:
            object.__setattr__(self, "sha256", hashlib.sha256(self.data).hexdigest())


@value(frozen=True, slots=True)
class Relation:
    """A related person: a URI (``urn:uuid:...``) or a name, and words such as ``spouse``."""

    target: str
    relation: frozenset[str] = NO_WORDS
    label: str = ""
    ref: str = field(default="", compare=False)


@value(frozen=True, slots=True)
class Extra:
    """A property without a home in this model, kept as it is (L19 table, last row).

    ``name`` is as spelled; ``params`` are (name, value) in order, a bare parameter has an empty
    name; ``value`` is the raw value after unfolding; ``group`` is the vCard group, no content.
    """

    name: str
    value: str
    params: tuple[tuple[str, str], ...] = ()
    group: str = field(default="", compare=False)


@value(frozen=True, slots=True, kw_only=True)
class Contact:
    """One person or organisation.

    ``groups`` holds group ids in the hub and group *names* in a codec's view (L39): the engine
    translates. ``updated`` is the time that the card itself claims (REV); a hint, never content.
    """

    uid: str = field(default="", compare=False)
    kind: str = ""
    name: Name = Name()
    nicknames: tuple[Nickname, ...] = ()
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    addresses: tuple[Address, ...] = ()
    organizations: tuple[Organization, ...] = ()
    titles: tuple[Title, ...] = ()
    online_services: tuple[OnlineService, ...] = ()
    links: tuple[Link, ...] = ()
    anniversaries: tuple[Anniversary, ...] = ()
    related_to: tuple[Relation, ...] = ()
    notes: tuple[Note, ...] = ()
    media: tuple[Media, ...] = ()
    groups: frozenset[str] = NO_WORDS
    extra: tuple[Extra, ...] = ()
    updated: datetime | None = field(default=None, compare=False)

    @property
    def display(self) -> str:
        """A name for people: never empty, never used to decide anything."""
        parts = " ".join(c.value for c in self.name.components if c.value)
        organization = self.organizations[0].name if self.organizations else ""
        email = self.emails[0].address if self.emails else ""
        phone = self.phones[0].number if self.phones else ""
        return self.name.full or parts or organization or email or phone or "(no name)"
