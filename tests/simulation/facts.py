"""What a person sees of a contact: for each unit the values that stand there, as texts.

The oracle compares nothing else. It is read from the bytes of a card by a reader of its own, and from
a contact's plain fields; nothing of the engine takes part.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping

from contactsync.model.contact import Contact

Facts = Mapping[str, frozenset[str]]

#: Values that people set are unique words, so that each can be followed wherever it goes.
UNITS = (
    "given",
    "surname",
    "email",
    "label",
    "labelled",
    "phone",
    "title",
    "note",
    "group",
    "photo",
    "birthday",
    "nickname",
    "street",
    "town",
    "organization",
    "link",
    "x",
)


def picture(word: str, *, recompressed: bool = False) -> bytes:
    """A photo that shows a word; the same picture after a remote compressed it."""
    return b"\xff\xd8" + f"{'jpg' if recompressed else 'img'} {word}".encode()


def word_of(photo: bytes) -> str:
    """What a photo shows."""
    return photo[2:].decode().partition(" ")[2]


class Album:
    """Which picture a hash stands for."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}

    def add(self, word: str) -> bytes:
        for form in (False, True):
            self._words[hashlib.sha256(picture(word, recompressed=form)).hexdigest()] = word
        return picture(word)

    def hashes(self) -> list[str]:
        return list(self._words)

    def word(self, sha256: str) -> str:
        return self._words[sha256]


def of_contact(contact: Contact, groups: Iterable[str], album: Album) -> Facts:
    """Of a contact as the public interface shows it."""
    texts = {c.kind: c.value for c in contact.name.components}
    found = {
        "given": [texts.get("given", "")],
        "surname": [texts.get("surname", "")],
        "email": [e.address.lower() for e in contact.emails],
        "label": [e.label for e in contact.emails],
        "labelled": [f"{e.address.lower()} {e.label}" for e in contact.emails if e.label],
        "phone": [p.number.lstrip("+") for p in contact.phones],
        "title": [t.name for t in contact.titles],
        "note": [line for note in contact.notes for line in note.text.split("\n")],
        "group": groups,
        "photo": [album.word(m.sha256) for m in contact.media],
        "birthday": [
            f"{a.date.year:04}{a.date.month:02}{a.date.day:02}"
            for a in contact.anniversaries
            if a.date.year and a.date.month and a.date.day
        ],
        "nickname": [n.name for n in contact.nicknames],
        "street": [a.part("name") for a in contact.addresses],
        "town": [a.part("locality") for a in contact.addresses],
        "organization": [name for o in contact.organizations for name in (o.name, *o.units)],
        "link": [link.uri for link in contact.links],
        "x": [extra.value for extra in contact.extra if extra.name.upper() == "X-SIM"],
    }
    return _facts(found)


def of_card(payload: bytes) -> Facts:
    """Of the bytes of a card, vCard 3.0 as the simulated remotes keep it."""
    found: dict[str, list[str]] = {unit: [] for unit in UNITS}
    labels: dict[str, str] = {}
    emails: list[tuple[str, str]] = []
    for line in payload.replace(b"\r\n ", b"").decode().split("\r\n"):
        head, _, value = line.partition(":")
        name = head.partition(";")[0].upper()
        group, _, name = name.rpartition(".")
        if name == "N":
            parts = value.split(";")
            found["surname"].append(_plain(parts[0]))
            found["given"].append(_plain(parts[1]))
        elif name == "EMAIL":
            emails.append((group, _plain(value).lower()))
        elif name == "X-ABLABEL":
            labels[group] = _plain(value)
        elif name == "TEL":
            found["phone"].append(value.lstrip("+"))
        elif name == "TITLE":
            found["title"].append(_plain(value))
        elif name == "NOTE":
            found["note"] += _plain(value).split("\n")
        elif name == "CATEGORIES":
            found["group"] += [_plain(part) for part in value.split(",")]
        elif name == "PHOTO":
            found["photo"].append(word_of(base64.b64decode(value)))
        elif name == "BDAY":
            found["birthday"].append(value.replace("-", ""))
        elif name == "NICKNAME":
            found["nickname"] += [_plain(part) for part in value.split(",")]
        elif name == "ADR":
            parts = value.split(";")
            found["street"].append(_plain(parts[2]))
            found["town"].append(_plain(parts[3]))
        elif name == "ORG":
            found["organization"] += [_plain(part) for part in value.split(";")]
        elif name == "URL":
            found["link"].append(value)
        elif name == "X-SIM":
            found["x"].append(value)
    found["email"] = [address for _, address in emails]
    found["label"] = list(labels.values())
    found["labelled"] = [f"{address} {labels[group]}" for group, address in emails if group in labels]
    return _facts(found)


def _plain(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")


def _facts(found: Mapping[str, Iterable[str]]) -> Facts:
    return {unit: frozenset(text for text in found[unit] if text) for unit in UNITS}


def key(facts: Facts) -> str:
    """Who this is: the given name is a word of its own and never edited."""
    return next(iter(facts["given"]), "")


def values(facts: Facts) -> set[tuple[str, str]]:
    """Every value that somebody set; whose label a label is follows from other edits."""
    return {(unit, value) for unit, some in facts.items() for value in some if unit != "labelled"}


def shown(facts: Facts) -> str:
    """One line for a story."""
    return " ".join(f"{unit}={','.join(sorted(some))}" for unit, some in facts.items() if some)


def difference(before: Facts, after: Facts) -> str:
    lines = []
    for unit in before:
        lost, won = before[unit] - after[unit], after[unit] - before[unit]
        if lost or won:
            lines.append(f"{unit} -{','.join(sorted(lost))} +{','.join(sorted(won))}")
    return "; ".join(lines) or "nothing"
