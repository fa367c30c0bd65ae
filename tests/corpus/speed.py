"""How fast the codec is, beside vobject in the same run: ``python -m tests.corpus.speed``.

On 1,000 generated cards, and on the 20 real cards with the most lines that vobject can read and write at
all. A ratio is how many times its time vobject needs, by CPU seconds, the best of three.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace

import vobject

from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Link,
    Note,
    OnlineService,
    Organization,
    PartialDate,
    Phone,
)
from contactsync.vcard.codec import VCardCodec
from contactsync.vcard.lines import parse_lines
from contactsync.vcard.reading import Card
from tests.corpus.cards import cards
from tests.e2e.devices import person

CODEC = VCardCodec()
HEAVIEST = 20


def generated(number: int) -> bytes:
    contact = person(number)
    streets = AddressComponent("name", f"Mühlenweg {number}"), AddressComponent("locality", "Straßburg")
    more = Contact(
        uid=contact.uid,
        phones=(*contact.phones, Phone(f"+33 1 55 {number:04}", frozenset({"work"}), label="Büro")),
        addresses=(
            Address((*streets, AddressComponent("postcode", f"{number:05}")), contexts=frozenset({"work"})),
        ),
        organizations=(Organization("Acme, Inc.", ("R&D",)),),
        links=(Link(f"https://example.org/{number}"),),
        online_services=(OnlineService("twitter", f"https://social.example/{number}", "", "socialprofile"),),
        anniversaries=(
            Anniversary("birth", PartialDate(1950 + number % 60, 1 + number % 12, 1 + number % 28)),
        ),
        notes=(Note(f"Number {number}; met at the conference, speaks German and French.\nPrefers e-mail."),),
    )
    return CODEC.write(replace(more, name=contact.name, emails=contact.emails, titles=contact.titles), None)


def heaviest() -> list[bytes]:
    found: list[bytes] = []
    for real in sorted(cards(), key=lambda real: -len(parse_lines(real.raw.data))):
        try:
            vobject.readOne(real.raw.data.decode()).serialize()
        except Exception:
            continue
        found.append(real.raw.data)
        if len(found) == HEAVIEST:
            break
    return found


def seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        gc.collect()
        gc.disable()
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
        gc.enable()
    return best


def compare(name: str, data: Sequence[bytes], times: int) -> None:
    texts = [card.decode() for card in data] * times
    repeated = list(data) * times
    theirs = [vobject.readOne(text) for text in texts]
    ours = [CODEC.read(card) for card in repeated]
    parse = seconds(lambda: [vobject.readOne(text) for text in texts])
    serialize = seconds(lambda: [component.serialize() for component in theirs])
    lines = seconds(lambda: [parse_lines(card) for card in repeated])
    # The codec keeps those that it read last, which here would be all.
    read = seconds(lambda: [Card(card).contact for card in repeated])
    write = seconds(lambda: [CODEC.write(contact, None) for contact in ours])
    count = sum(len(parse_lines(card)) for card in repeated)
    print(f"{name}: {len(repeated)} cards, {count} lines")
    known = f"{parse / count * 1e6:.1f} to parse, {serialize / count * 1e6:.1f} to serialize"
    print(f"  vobject: {known} (us a line)")
    for what, spent in (("bytes to lines", lines), ("bytes to contact", read), ("contact to bytes", write)):
        row = f"{spent / count * 1e6:6.2f} us a line, {parse / spent:5.1f} times its parse"
        print(f"  {what:17}{row}, {serialize / spent:5.1f} times its serialize")


def photo(megabytes: int) -> None:
    text = b64encode(os.urandom(megabytes * 2**20)).decode()
    folded = "\r\n ".join(text[at : at + 74] for at in range(0, len(text), 74))
    head = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nN:x;;;;\r\nPHOTO;ENCODING=b;TYPE=JPEG:"
    data = f"{head}{folded}\r\nEND:VCARD\r\n".encode()
    contact = CODEC.read(data)
    read, write = seconds(lambda: Card(data).contact), seconds(lambda: CODEC.write(contact, None))
    print(f"a photo of {megabytes} MB: read in {read:.3f} s, written in {write:.3f} s")


def main() -> None:
    logging.disable(logging.CRITICAL)
    compare("generated", [generated(number) for number in range(1000)], 1)
    compare("heaviest real cards", heaviest(), 10)
    for megabytes in (1, 2, 4, 8):
        photo(megabytes)


if __name__ == "__main__":
    main()
