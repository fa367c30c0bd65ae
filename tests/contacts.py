"""Any contact: what property-based tests of codecs draw from."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import Any

from hypothesis import strategies as st

from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Email,
    Extra,
    Link,
    Name,
    NameComponent,
    Nickname,
    Note,
    OnlineService,
    Organization,
    PartialDate,
    Phone,
    Relation,
    Title,
)

FIELDS = [name for name in Contact.__dataclass_fields__ if name not in ("uid", "updated")]


def unordered(value: Any) -> Any:
    return Counter(value) if isinstance(value, tuple) else value


def alike(one: Contact, two: Contact) -> list[str]:
    """The fields that differ, whatever the order of entries."""
    return [name for name in FIELDS if unordered(getattr(one, name)) != unordered(getattr(two, name))]


TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\,;:"\n=^ ä'), max_size=12)
WORDS = st.frozensets(st.sampled_from(["private", "work", "other", "Home", "a b"]), max_size=2)
FEATURES = st.frozensets(st.sampled_from(["voice", "cell", "fax", "mobile"]), max_size=2)
PREF = st.sampled_from([None, 1, 2, 100, 0])
DATES = st.builds(
    PartialDate,
    st.none() | st.integers(0, 9999),
    st.none() | st.integers(0, 13),
    st.none() | st.integers(0, 32),
    TEXT,
)
PARTS = st.builds(AddressComponent, st.sampled_from(["name", "locality", "country", "room", "odd"]), TEXT)
NAME_PARTS = st.builds(
    NameComponent,
    st.sampled_from(["given", "given2", "surname", "surname2", "title", "credential", "generation", "odd"]),
    TEXT,
    TEXT,
)
EXTRA_NAMES = st.sampled_from(["X-FOO", "x-bar.baz", "GEO", "UID", "X-ABLabel", ""])


def tuples(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=2).map(tuple)


CONTACTS = st.builds(
    Contact,
    uid=TEXT,
    kind=st.sampled_from(["", "individual", "Org", "group"]),
    name=st.builds(Name, st.lists(NAME_PARTS, max_size=5).map(tuple), TEXT, tuples(TEXT)),
    nicknames=tuples(st.builds(Nickname, TEXT, WORDS, PREF)),
    emails=tuples(st.builds(Email, TEXT, WORDS, TEXT, PREF)),
    phones=tuples(st.builds(Phone, TEXT, WORDS, FEATURES, TEXT, PREF)),
    addresses=tuples(
        st.builds(Address, tuples(PARTS), TEXT, st.sampled_from(["", "de", "USA"]), WORDS, TEXT)
    ),
    organizations=tuples(st.builds(Organization, TEXT, tuples(TEXT), WORDS, TEXT)),
    titles=tuples(st.builds(Title, TEXT, st.sampled_from(["title", "role"]))),
    online_services=tuples(
        st.builds(
            OnlineService,
            st.sampled_from(["", "Skype", "aim", "mastodon", "a b"]),
            st.sampled_from(["", "xmpp:a@b", "https://x.example/;,?"]) | TEXT,
            TEXT,
            st.sampled_from(["impp", "socialprofile"]),
            WORDS,
            TEXT,
            PREF,
        )
    ),
    links=tuples(st.builds(Link, TEXT, WORDS, st.sampled_from(["", "HomePage", "Blog"]), PREF)),
    anniversaries=tuples(
        st.builds(Anniversary, st.sampled_from(["birth", "wedding", "death", "other"]), DATES, TEXT)
    ),
    related_to=tuples(
        st.builds(
            Relation,
            TEXT | st.just("urn:uuid:1"),
            st.frozensets(st.sampled_from(["spouse", "friend", "parent", "manager"]), max_size=2),
            st.sampled_from(["", "Mother", "Spouse", "x"]),
        )
    ),
    notes=tuples(st.builds(Note, TEXT)),
    groups=st.frozensets(TEXT, max_size=3),
    extra=tuples(st.builds(Extra, EXTRA_NAMES, TEXT, tuples(st.tuples(st.sampled_from(["", "X-P"]), TEXT)))),
    updated=st.none() | st.datetimes(timezones=st.just(UTC)),
)
