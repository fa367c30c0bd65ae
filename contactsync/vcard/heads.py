"""What stands before the colon of a line, and all that follows from it without the value.

There are few different heads in many cards (``TEL;TYPE=cell``), so what is made of one is made once and kept
with it, as long as it is short.
"""

from __future__ import annotations

import functools
import re

from contactsync.model.contact import NO_WORDS
from contactsync.vcard.dialects import FEATURES, ROWS

Params = tuple[tuple[str, str], ...]

LONGEST = 200
"""Characters of a head that is kept; longer ones are made anew each time."""

_CARETS = {"^n": "\n", "^N": "\n", "^'": '"', "^^": "^"}
_CARET = re.compile(r"\^[nN'^]")
_CONTEXT = re.compile(r"[a-z0-9_/+.-]+\Z")
#: Words of TYPE that say nothing about where an entry belongs.
NO_CONTEXT = frozenset({"", "pref", "internet", "quoted-printable", "base64", "8bit", "7bit"})


class Head:
    """Group, name and raw parameters (quotes and carets as written; a bare one has the name "").

    ``words`` are the TYPE values and bare words in lower case, ``contexts`` those that a contact keeps as
    such, ``features`` those of a telephone. ``ref`` is the remote's own name for the entry (PROP-ID of
    RFC 9554, else the group), ``transfer`` is ``quoted-printable``, ``base64`` or "", and ``row`` what the
    name means, if it is an entry. ``mode`` is how the wire layer finds the end of such a line.
    """

    def __init__(self, group: str, name: str, params: Params, mode: str = "") -> None:
        self.group = group
        self.name = name
        self.params = params
        self.mode = mode
        self.upper = name.upper()
        self.row = ROWS.get(self.upper)
        self.words: list[str] = []
        self.pref: int | None = None
        self.contexts = self.features = NO_WORDS
        self.transfer = ""
        self.ref = group
        self._plain: dict[str, str] = {}
        if params:
            self._read(params)

    def _read(self, params: Params) -> None:
        for key, value in params:
            self._plain.setdefault(key.upper(), plain_param(value))
        self.words, self.pref = type_words(params)
        self.contexts = contexts_of(self.words)
        if self.row is not None and self.row.field == "phones":
            self.contexts, self.features = self.contexts - FEATURES, self.contexts & FEATURES
        self.transfer = transfer_of(params)
        self.ref = self.param("PROP-ID") or self.group

    def param(self, name: str) -> str:
        """The first parameter of that upper-case name, plain, or ""."""
        return self._plain.get(name, "")


@functools.lru_cache(maxsize=4096)
def _kept(group: str, name: str, params: Params, mode: str) -> Head:
    return Head(group, name, params, mode)


def head_of(group: str, name: str, params: Params, mode: str = "") -> Head:
    """The head of these parts, the same object as before where it is short."""
    length = len(group) + len(name) + sum([len(key) + len(value) for key, value in params])
    return (_kept if length <= LONGEST else Head)(group, name, params, mode)


def type_words(params: Params) -> tuple[list[str], int | None]:
    """TYPE values and bare words in lower case, and the preference."""
    words: list[str] = []
    pref: int | None = None
    for key, value in params:
        name = key.upper()
        if name == "TYPE" or not key:
            words += [word.strip('" ').lower() for word in value.split(",")]
        elif name == "PREF":
            text = plain_param(value)
            pref = int(text) if text.isdecimal() and len(text) < 5 and 1 <= int(text) <= 100 else pref
    if "pref" in words:
        pref = pref or 1
    return words, pref


def contexts_of(words: list[str]) -> frozenset[str]:
    """The words that a TYPE parameter can hold (RFC 6350 section 5.6), with ``private`` for ``home``."""
    named = ["private" if word == "home" else word for word in words]
    return frozenset([word for word in named if word not in NO_CONTEXT and _CONTEXT.match(word)])


def transfer_of(params: Params) -> str:
    """``quoted-printable``, ``base64`` or "": ENCODING, or the bare words of vCard 2.1."""
    for key, value in params:
        if not key or key.upper() == "ENCODING":
            word = value.strip('"').lower()
            if word in ("quoted-printable", "base64"):
                return word
            if word == "b" and key:
                return "base64"
    return ""


def plain_param(value: str) -> str:
    """A parameter value without its quotes and RFC 6868 carets."""
    if value[:1] == '"' and value[-1:] == '"' and len(value) > 1:
        value = value[1:-1]
    if "^" in value:
        value = _CARET.sub(lambda match: _CARETS[match[0]], value)
    return value
