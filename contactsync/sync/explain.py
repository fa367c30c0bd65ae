"""Explains one pair to the person who decides: which values agree, which differ, which only one has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from contactsync.frozen import frozen
from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, phone_class
from contactsync.sync.likeness import address_words, phone_key, profile

# What people tell each other apart by. The name is compared by itself; groups belong to an account, and
# photos and unknown properties are no texts that somebody could compare.
LISTS = (
    "nicknames",
    "emails",
    "phones",
    "addresses",
    "organizations",
    "titles",
    "anniversaries",
    "online_services",
    "links",
    "related_to",
    "notes",
)


@frozen
class Explanation:
    """Rows for people, the name first; each begins with the title of its field.

    ``agree``: the value, as the first of the two has it. ``differ``: the values of the first, and those of
    the second. ``only``: what one of them has and the other has nothing against, which is "" then.
    """

    agree: tuple[tuple[str, str], ...] = ()
    differ: tuple[tuple[str, str, str], ...] = ()
    only: tuple[tuple[str, str, str], ...] = ()


def explain(one: Contact, other: Contact, region: str = "") -> Explanation:
    """Compare as matching does: names whatever their order, numbers with their country, dates by kind.

    Of several values of a field those in common agree; the others differ only where each has some.
    """
    agree: list[tuple[str, str]] = []
    differ: list[tuple[str, str, str]] = []
    only: list[tuple[str, str, str]] = []
    mine, theirs = _rows(one, region), _rows(other, region)
    if profile(one, region).name_keys & profile(other, region).name_keys:
        theirs["name"] = mine["name"]
    for title in sorted({*mine, *theirs}, key=_place):
        here, there = mine.get(title, {}), theirs.get(title, {})
        agree += [(title, text) for key, text in here.items() if key in there]
        rests = (_others(here, there), _others(there, here))
        if any(rests):
            (differ if all(rests) else only).append((title, *rests))
    return Explanation(tuple(agree), tuple(differ), tuple(only))


def _rows(contact: Contact, region: str) -> dict[str, dict[str, str]]:
    """By title the values as texts, each by what makes it the same as another (L2)."""
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    if name := FIELD["name"].text(contact.name):
        rows["name"][name] = name
    for path in LISTS:
        for entry in getattr(contact, path):
            title = FIELD[path].title
            if path == "anniversaries":  # a birthday and a wedding are not two values of one thing
                title = f"{title} ({entry.label or entry.kind})"
            rows[title][_key(path, entry, region)] = FIELD[path].text(entry)
    return rows


def _key(path: str, entry: Any, region: str) -> str:
    if path == "phones":
        return phone_key(phone_class(entry), region)
    if path == "addresses":
        return " ".join(sorted(address_words(entry)))
    return FIELD[path].value_class(entry)


def _others(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    return ", ".join(text for key, text in here.items() if key not in there)


def _place(title: str) -> tuple[int, str]:
    titles = [FIELD[path].title for path in ("name", *LISTS)]
    return titles.index(title.partition(" (")[0]), title
