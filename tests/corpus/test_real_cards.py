"""Real cards in, edited, and out again, judged by a reader that shares no code with the codec (L8, L9)."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pytest

from contactsync.errors import CodecError
from contactsync.model.contact import Contact
from contactsync.vcard.codec import VCardCodec
from contactsync.vcard.dialects import TABLE
from contactsync.vcard.lines import parse_lines, split_cards, to_utf8
from tests import plain_reader
from tests.corpus.cards import Real, cards, files
from tests.corpus.edits import EDITS, added, edited, grouped, renamed
from tests.plain_reader import Property
from tests.unit.test_vcard_codec import alike

CODEC = VCardCodec()
HELPERS = {"X-ABLABEL", "X-ABADR"}
NAMES = {
    "name": {"N", "FN"},
    "groups": {"CATEGORIES"},
    **{field: {row.name for row in TABLE if row.field == field} for field in EDITS},
}


def readable() -> Iterator[tuple[Real, Contact]]:
    for real in cards():
        try:
            yield real, CODEC.read(real.raw.data)
        except CodecError:
            continue


def test_every_card_is_read_or_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    refused = {}
    for real in cards():
        try:
            CODEC.read(real.raw.data)
        except CodecError as error:
            refused[str(real)] = error.message
    with capsys.disabled():
        print(f"\n{len(cards())} cards of {len(files())} files, {len(refused)} not read:")
        for name, reason in refused.items():
            print(f"  {name}: {reason}")
    assert all(len(reason) > 20 for reason in refused.values())
    assert len(refused) < len(cards()) / 100


def test_the_lines_of_a_file_are_the_file() -> None:
    """Cards cover it but for what stands between them, and the lines of a card are the card."""
    for name, data in files().items():
        narrow, _ = to_utf8(data)
        for raw in split_cards(data):
            assert narrow[raw.offset : raw.offset + len(raw.data)] == raw.data, name
            assert b"".join(line.source for line in parse_lines(raw.data)) == raw.data, name


@pytest.mark.law("L9")
def test_unedited_cards_go_back_byte_for_byte() -> None:
    for real, contact in readable():
        assert CODEC.write(contact, real.raw.data) == real.raw.data, real


@pytest.mark.law("L7", "L8")
@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_a_new_card_for_a_real_contact_says_what_its_projection_says(version: str) -> None:
    codec = VCardCodec(version)
    for real, contact in readable():
        made = codec.write(contact, None)
        assert alike(codec.read(made), codec.project(contact)) == [], real
        assert codec.write(codec.read(made), made) == made, real


# ---- one edit ------------------------------------------------------------------------------------


@pytest.mark.law("L8", "L9")
@pytest.mark.parametrize("field", EDITS)
def test_an_edit_changes_the_lines_of_its_entry_only(field: str) -> None:
    found = [
        why
        for real, contact in readable()
        if getattr(contact, field)
        for why in judge(real, contact, edited(contact, field), field, replaced=True)
    ]
    assert not found, "\n".join([*found[:20], f"{len(found)} in all"])


@pytest.mark.law("L8", "L9")
@pytest.mark.parametrize("field", EDITS)
def test_an_addition_adds_its_lines_only(field: str) -> None:
    found = [
        why
        for real, contact in readable()
        for why in judge(real, contact, added(contact, field), field, replaced=False)
    ]
    assert not found, "\n".join([*found[:20], f"{len(found)} in all"])


@pytest.mark.law("L8", "L9", "L19")
@pytest.mark.parametrize(("field", "change"), [("name", renamed), ("groups", grouped)])
def test_a_name_and_a_group_change_their_lines_only(field: str, change: Callable[[Contact], Contact]) -> None:
    found = [
        why
        for real, contact in readable()
        for why in judge(real, contact, change(contact), field, replaced=True)
    ]
    assert not found, "\n".join([*found[:20], f"{len(found)} in all"])


def judge(real: Real, before: Contact, after: Contact, field: str, *, replaced: bool) -> Iterator[str]:
    """What is wrong with the card after one change, in words."""
    if getattr(CODEC.project(after), field) == getattr(CODEC.project(before), field):
        return
    payload = CODEC.write(after, real.raw.data)
    old, new = plain_reader.read(real.raw.data), plain_reader.read(payload)
    lost = list((Counter(old) - Counter(new)).elements())
    made = list((Counter(new) - Counter(old)).elements())
    groups = {one.group.upper() for one in (*lost, *made) if _of(one, field) and one.group}
    others = [
        one
        for one in (*lost, *made)
        if not (_of(one, field) or (one.name in HELPERS and one.group.upper() in groups))
    ]
    if others:
        yield f"{real}: {field}: touches {_named(others)}"
    limit = {"name": 3, "groups": 1}.get(field) or EDITS[field].lines
    taken = [one for one in lost if one.name not in HELPERS | {"BEGIN"} and "/" not in one.path]
    if len(taken) > limit * replaced:
        yield f"{real}: {field}: takes {_named(lost)} for {_named(made)}"
    if not any(_shows(one, field) for one in made):
        yield f"{real}: {field}: not to be seen in {_named(made)}"
    if CODEC.write(CODEC.read(payload), payload) != payload:
        yield f"{real}: {field}: written again it is another card"


def _named(properties: Iterable[Property]) -> str:
    return ", ".join(f"{one.name}:{one.plain[:40]!r}" for one in properties)


def _of(one: Property, field: str) -> bool:
    return field == "extra" or (one.name in NAMES[field] and "/" not in one.path)


def _shows(one: Property, field: str) -> bool:
    shown = {"name": "Nova", "groups": "NovaGroup"}.get(field) or EDITS[field].shown
    if isinstance(shown, bytes):
        return one.data == shown
    if one.data:
        return one.data == base64.b64decode(shown)
    return shown in re.sub(r"[ \-]", "", one.plain) or shown in one.text
