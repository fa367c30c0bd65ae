"""The words by which Google and a contact say what an entry is for: ``type`` there, contexts and label here.

The vocabularies are those of https://developers.google.com/people/api/rest/v1/people; any other text is a
label of the person's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import NamedTuple

from contactsync.vcard.dialects import FINER_RELATIONS, PLAIN_RELATIONS
from contactsync.vcard.shapes import clean_words

_CONTEXT = {"home": "private", "work": "work", "other": "other"}
_TYPE = {context: word for word, context in _CONTEXT.items()}
_RELATIONS = {
    "spouse",
    "child",
    "mother",
    "father",
    "parent",
    "brother",
    "sister",
    "friend",
    "relative",
    "domesticPartner",
    "manager",
    "assistant",
    "referredBy",
    "partner",
}


class Words(NamedTuple):
    """What an entry is for."""

    contexts: frozenset[str] = frozenset()
    label: str = ""
    features: frozenset[str] = frozenset()


def read_type(word: str) -> Words:
    """Of an e-mail address, an address, a link and so on."""
    if word in _CONTEXT:
        return Words(frozenset({_CONTEXT[word]}))
    return Words(label=word)


def write_type(contexts: Set[str], label: str, known: Iterable[str] = ()) -> str:
    """One word; a label says more than a context. ``known`` is the vocabulary beside home, work, other."""
    if label:
        return _spelled(label, (*_CONTEXT, *known))
    words = clean_words(frozenset(contexts))
    for context, word in (("work", "work"), ("private", "home")):
        if context in words:
            return word
    return next((_TYPE.get(context, context) for context in sorted(words)), "")


def _spelled(label: str, known: Iterable[str]) -> str:
    """A label that is a word of the vocabulary, as that has it."""
    return next((word for word in known if word.casefold() == label.casefold()), label)


# ---- phones ----------------------------------------------------------------------------------------------

_PHONES = {
    "home": ({"private"}, set()),
    "work": ({"work"}, set()),
    "mobile": (set(), {"cell"}),
    "homeFax": ({"private"}, {"fax"}),
    "workFax": ({"work"}, {"fax"}),
    "otherFax": (set(), {"fax"}),
    "pager": (set(), {"pager"}),
    "workMobile": ({"work"}, {"cell"}),
    "workPager": ({"work"}, {"pager"}),
    "main": (set(), {"main-number"}),
    "other": ({"other"}, set()),
}
_BY_FEATURE = {
    "fax": {"private": "homeFax", "work": "workFax", "": "otherFax"},
    "pager": {"work": "workPager", "": "pager"},
    "cell": {"work": "workMobile", "": "mobile"},
    "main-number": {"": "main"},
}


def read_phone_type(word: str) -> Words:
    if word not in _PHONES:
        return Words(label=word)
    contexts, features = _PHONES[word]
    return Words(frozenset(contexts), "", frozenset(features))


def write_phone_type(contexts: Set[str], features: Set[str], label: str) -> str:
    """Google knows one word for a number: a kind of line goes before a place."""
    if label:
        return _spelled(label, (*_PHONES, "googleVoice"))
    places = clean_words(frozenset(contexts))
    for feature, words in _BY_FEATURE.items():
        if feature in features:
            return next((words[c] for c in ("work", "private") if c in places and c in words), words[""])
    return write_type(contexts, "")


# ---- related people --------------------------------------------------------------------------------------


def read_relation(word: str) -> tuple[frozenset[str], str]:
    """The relation of RFC 9553 section 2.1.8, and a label where that is coarser than Google's word."""
    name = word.capitalize()
    if name in PLAIN_RELATIONS:
        return frozenset({PLAIN_RELATIONS[name]}), ""
    if name in FINER_RELATIONS:
        return frozenset({FINER_RELATIONS[name]}), name
    return frozenset(), word


def write_relation(relation: Set[str], label: str) -> str:
    if label:
        return _spelled(label, _RELATIONS)
    return next((_spelled(word, _RELATIONS) for word in sorted(clean_words(frozenset(relation)))), "")
