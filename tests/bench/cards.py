"""Cards as other programs write them, as many as wanted: card ``number`` is always the same.

Everybody has another name, so that nobody is held back as a possible double.
"""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Iterator

GIVEN = "Ada Jürgen Zoë Ольга Ελένη محمد נועם 秀英 花子 지영 अनीता มาลี Phương O'Neil".split()  # noqa: SIM905
PARTS = "ba ke li mo nu ra se ti vo zu dar fen gil hok jun".split()  # noqa: SIM905
NOTES = (
    "Met at the fair.\\nSpeaks German, French.",
    "Не звонить до 10 часов.",
    "二階です。",
    "Prefers e-mail; keys next door.",
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def uid(number: int) -> str:
    return f"bench-{number:06d}"


def surname(number: int) -> str:
    """Another one for each number."""
    word = "".join(PARTS[number // len(PARTS) ** digit % len(PARTS)] for digit in range(5))
    return word.capitalize()


def card(number: int, photo: int = 0, mark: str = "") -> bytes:
    """A card of version 3.0, with a ``photo`` of so many bytes; ``mark`` is a title that an edit gave it."""
    chance = random.Random(number)
    given, family = chance.choice(GIVEN), surname(number)
    lines = [
        *("BEGIN:VCARD", "VERSION:3.0", "PRODID:-//bench//cards//EN", f"UID:{uid(number)}"),
        *(f"N:{family};{given};;;", f"FN:{given} {family}"),
        f"EMAIL;TYPE=INTERNET,HOME:{family.lower()}.{number}@example.org",
        f"TEL;TYPE=CELL,VOICE:+49 {150 + number % 29} {number:07d}",
    ]
    if mark:
        lines.append(f"TITLE:{mark}")
    if chance.random() < 0.5:
        lines.append(f"TEL;TYPE=WORK,VOICE:+33 1 {number:08d}")
        lines.append(f"ORG:{surname(number // 20)} GmbH\\, {surname(number // 400)};Research")
    if chance.random() < 0.5:
        lines.append(f"ADR;TYPE=HOME:;;Mühlenweg {number % 300};Straßburg;;{number % 99999:05d};France")
    if chance.random() < 0.3:
        lines.append(f"item1.URL:https://example.org/{number}")
        lines.append("item1.X-ABLabel:_$!<HomePage>!$_")
    if chance.random() < 0.3:
        lines.append(f"BDAY:{1940 + number % 70}-{1 + number % 12:02}-{1 + number % 28:02}")
        lines.append(f"NOTE:{chance.choice(NOTES)}")
    if chance.random() < 0.2:
        lines.append(f"CATEGORIES:{chance.choice(('Family', 'Work', 'Chess'))}")
        lines.append(f"X-PHONETIC-LAST-NAME:{family}")
    if photo:
        data = JPEG + chance.randbytes(photo - len(JPEG))
        lines.append(f"PHOTO;ENCODING=b;TYPE=JPEG:{b64encode(data).decode()}")
    lines += [f"REV:2025-01-{1 + number % 28:02}T08:00:00Z", "END:VCARD"]
    return b"".join(_folded(line) for line in lines)


def cards(count: int, photo: int = 0) -> Iterator[tuple[str, bytes]]:
    """File name and card of each."""
    return ((f"{uid(number)}.vcf", card(number, photo)) for number in range(count))


def _folded(line: str) -> bytes:
    raw = line.encode()
    if len(raw) <= 75:
        return raw + b"\r\n"
    if line.isascii():
        return b"\r\n ".join([raw[:75], *(raw[at : at + 74] for at in range(75, len(raw), 74))]) + b"\r\n"
    end = 75
    while raw[end] & 0xC0 == 0x80:
        end -= 1
    return raw[:end] + b"\r\n" + _folded(" " + raw[end:].decode())
