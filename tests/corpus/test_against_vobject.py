"""The usual library as a second opinion, on the cards that it neither damages nor refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
import vobject

from contactsync.errors import CodecError
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec
from tests import plain_reader
from tests.corpus.cards import Real, cards

CODEC = VCardCodec()


def cleanly(real: Real) -> vobject.base.Component | None:
    """What vobject makes of a card, if it writes the same again and nothing raises. It takes backslashes
    for escapes in 2.1 as well, where they are none."""
    if b"VERSION:2.1" in real.raw.data and b"\\" in real.raw.data:
        return None
    try:
        text = real.raw.data.decode()
        component = vobject.readOne(text, allowQP=True)
        again = component.serialize(validate=False).encode()
    except Exception:
        return None
    before, after = (Counter((p.name, p.plain) for p in plain_reader.read(d)) for d in (real.raw.data, again))
    return component if before == after and not list(component.components()) else None


def pairs() -> Iterator[tuple[Real, Contact, vobject.base.Component]]:
    for real in cards():
        component = cleanly(real)
        if component is not None:
            try:
                yield real, CODEC.read(real.raw.data), component
            except CodecError:
                raise AssertionError(f"{real}: vobject reads what we refuse") from None


@pytest.mark.law("L9")
def test_what_it_finds_on_cards_that_it_handles_cleanly_is_found() -> None:
    compared = 0
    for real, ours, theirs in pairs():
        for name, mine in {
            "fn": [ours.name.full],
            "email": [e.address for e in ours.emails],
            "tel": [p.number for p in ours.phones],
            "title": [t.name for t in ours.titles if t.kind == "title"],
            "role": [t.name for t in ours.titles if t.kind == "role"],
            "note": [n.text for n in ours.notes],
            "url": [link.uri for link in ours.links],
        }.items():
            values = [line.value.strip() for line in theirs.contents.get(name, []) if line.value.strip()]
            missing = Counter(map(_plain, values)) - Counter(map(_plain, mine))
            assert not missing, (real, name)
            compared += len(values)
        if "n" in theirs.contents and ours.name.components:
            name = theirs.n.value
            assert _plain(ours.name.part("surname")) == _plain(name.family), real
            assert _plain(ours.name.part("given")) == _plain(name.given), real
    assert compared > 300, "hardly a card is left to compare"


def _plain(value: object) -> str:
    """Without the differences that nobody means: blanks, control characters, a scheme before an address."""
    text = " ".join(value) if isinstance(value, list) else str(value)
    text = text.removeprefix("mailto:").removeprefix("tel:")
    return " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
