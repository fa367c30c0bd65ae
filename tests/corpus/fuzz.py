"""Real cards with damage: ``python -m tests.corpus.fuzz --minutes 60``.

What is found is written into a folder, one file each; a finding that is understood becomes a card in
``fixtures/vcards/found`` and with it a part of the tests of real cards.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from contactsync.errors import CodecError
from contactsync.jscontact import from_card, to_card
from contactsync.vcard.codec import VCardCodec, convert
from contactsync.vcard.lines import parse_lines, split_cards
from tests.corpus.cards import files
from tests.corpus.edits import EDITS, added, edited

CODEC = VCardCodec()
SNIPPETS = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\n\n",
        b" ",
        b"\t",
        b"=",
        b"=\r\n",
        b"=3D",
        b";",
        b":",
        b",",
        b"\\",
        b'"',
        b"^",
        b".",
    ),
    *(
        b"BEGIN:VCARD\r\n",
        b"END:VCARD\r\n",
        b"AGENT:\r\n",
        b"AGENT:BEGIN:VCARD\r\n",
        b"item1.",
        b"X-ABLabel:",
    ),
    *(b";TYPE=", b";ENCODING=QUOTED-PRINTABLE", b";ENCODING=b", b";BASE64", b";CHARSET=UTF-7", b";VALUE=uri"),
    *(
        b"\xc3",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x00",
        b"\x1b$B",
        b"VERSION:2.1\r\n",
        b"VERSION:4.0\r\n",
        b"data:;base64,",
    ),
)
SECONDS_PER_MEGABYTE = 20.0
"""Far above what any card takes; what needs more is not linear."""


def damaged(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """The card with a few cuts, insertions, changed bytes, and pieces of others."""
    found = bytearray(data[:20_000])
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(5):
            case 0:
                found[at:at] = chance.choice(SNIPPETS)
            case 1:
                del found[at : at + chance.randint(1, 40)]
            case 2 if found:
                found[at % len(found)] = chance.randrange(256)
            case 3:
                other = chance.choice(others)
                start = chance.randrange(len(other))
                found[at:at] = other[start : start + chance.randint(1, 120)]
            case _:
                found[at:at] = found[at : at + chance.randint(1, 60)] * chance.randint(1, 3)
    return bytes(found)


def whole(data: bytes) -> None:
    """No byte is lost between a file and its lines."""
    for raw in split_cards(data):
        assert b"".join(line.source for line in parse_lines(raw.data)) == raw.data


def unedited(data: bytes) -> None:
    for raw in split_cards(data):
        contact = CODEC.read(raw.data)
        assert CODEC.write(contact, raw.data) == raw.data


def edits(data: bytes) -> None:
    """One edit and one addition; the card that comes of it can be read, and is at rest."""
    for raw in split_cards(data):
        contact = CODEC.read(raw.data)
        for field in EDITS:
            changes = [added(contact, field)]
            changes += [edited(contact, field)] if getattr(contact, field) else []
            for changed in changes:
                payload = CODEC.write(changed, raw.data)
                assert CODEC.write(CODEC.read(payload), payload) == payload, field


def conversions(data: bytes) -> None:
    for raw in split_cards(data):
        for version in ("3.0", "4.0"):
            made = convert(raw.data, version)
            assert CODEC.write(CODEC.read(made), made) == made, version
        from_card(to_card(CODEC.read(raw.data)))


CHECKS: tuple[Callable[[bytes], None], ...] = (whole, unedited, edits, conversions)


def trouble(data: bytes) -> str:
    """What is wrong with how a file is treated; empty when it is read, or refused with a reason."""
    start = time.process_time()
    for check in CHECKS:
        try:
            check(data)
        except CodecError:
            continue
        except Exception as error:
            return f"{check.__name__}: {type(error).__name__}: {str(error)[:200]}"
    spent = time.process_time() - start
    if spent > 2 + SECONDS_PER_MEGABYTE * len(data) / 1e6:
        return f"{spent:.1f} seconds for {len(data)} bytes"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--into", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    chance, others = random.Random(options.seed), list(files().values())
    others = [data for data in others if data]
    kinds: Counter[str] = Counter()
    tried, ends = 0, time.monotonic() + 60 * options.minutes
    while time.monotonic() < ends:
        data = damaged(chance, chance.choice(others), others)
        tried += 1
        if why := trouble(data):
            kinds[why[:60]] += 1
            options.into.mkdir(parents=True, exist_ok=True)
            name = hashlib.sha256(data).hexdigest()[:12]
            (options.into / f"{name}.vcf").write_bytes(data)
            print(f"{name}: {why}", flush=True)
    print(f"{tried} damaged files, {sum(kinds.values())} findings of {len(kinds)} kinds")


if __name__ == "__main__":
    main()
