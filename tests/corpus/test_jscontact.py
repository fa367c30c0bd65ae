"""vCard -> JSContact -> vCard keeps every property; JSContact -> contact -> JSContact every object."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from contactsync.errors import CodecError
from contactsync.jscontact import from_card, to_card
from contactsync.model.contact import Contact, Email, Extra, OnlineService, Phone
from contactsync.vcard.codec import VCardCodec, portable_extra
from contactsync.vcard.values import unescape
from tests.corpus.cards import files
from tests.corpus.test_real_cards import readable
from tests.unit.test_vcard_codec import CONTACTS, SLOW, alike

V4 = VCardCodec("4.0")


def through(contact: Contact) -> Contact:
    """Out and in again, as text."""
    return from_card(json.loads(json.dumps(to_card(contact))))


def properties(contact: Contact) -> Counter[object]:
    """What is kept as it is, without the spelling of parameters."""
    return Counter(_property(portable_extra(extra)) for extra in contact.extra)


def _property(extra: Extra) -> tuple[object, ...]:
    words = [
        (key.upper() or "TYPE", word.lower().replace("^^", "^").replace("^'", '"').replace('"', "").strip())
        for key, value in extra.params
        for word in value.split(",")
    ]
    value = unescape(extra.value, "4.0") if extra.name.upper() == "JSPROP" else extra.value
    printable = "".join(char for char in value.replace("\r", "\\n") if char.isprintable())
    return extra.name.upper(), printable, tuple(sorted(words))


@pytest.mark.law("L8", "L9")
def test_every_real_card_comes_back_with_all_that_it_said() -> None:
    compared = 0
    for real, contact in readable():
        back = through(contact)
        assert [name for name in alike(back, contact) if name != "extra"] == [], real
        assert (back.uid, back.updated) == (contact.uid, contact.updated), real
        assert properties(back) == properties(contact), real
        compared += 1
    assert compared > 500


@pytest.mark.law("L8")
@given(CONTACTS)
@SLOW
def test_any_contact_that_a_card_can_hold_comes_back(contact: Contact) -> None:
    contact = V4.project(replace(contact, extra=()))
    assert alike(through(contact), contact) == []


CARD: dict[str, Any] = {
    "@type": "Card",
    "version": "1.0",
    "uid": "urn:uuid:1",
    "updated": "2024-03-01T10:00:00Z",
    "created": "2020-01-01T00:00:00Z",
    "language": "de",
    "name": {"components": [{"kind": "given", "value": "Ada"}], "isOrdered": True},
    "emails": {
        "EM_1": {"@type": "EmailAddress", "address": "ada@example.org", "pref": 1, "contexts": {"work": True}}
    },
    "phones": {
        "p": {"number": "tel:+1-555-0100", "features": {"mobile": True}, "x.example:deep": {"a": [1, "b;c"]}}
    },
    "organizations": {"o": {"name": "Acme", "sortAs": "acme"}},
    "titles": {"t": {"name": "Chief", "organizationId": "o"}},
    "onlineServices": {"s": {"uri": "xmpp:ada@example.org", "vCardName": "impp", "service": "xmpp"}},
    "speakToAs": {"pronouns": {"k": {"pronouns": "she/her"}}},
    "cryptoKeys": {"c": {"uri": "https://example.org/key"}},
    "relatedTo": {"urn:uuid:2": {"relation": {"friend": True}}},
    "members": {"urn:uuid:3": True},
    "keywords": {"Chess": True},
    "x.example:odd/key~": "kept",
    "vCardProps": [
        ["x-shoe", {"group": "item1", "type": ["a", "b"]}, "unknown", "43;44"],
        ["gender", {}, "text", "F"],
    ],
}


@pytest.mark.law("L9")
def test_a_card_from_elsewhere_comes_back_with_all_that_it_said() -> None:
    contact = from_card(CARD)
    assert contact.emails == (Email("ada@example.org", frozenset({"work"}), "", 1),)
    assert contact.phones == (Phone("tel:+1-555-0100", features=frozenset({"cell"})),)
    assert contact.online_services == (OnlineService("xmpp", "xmpp:ada@example.org"),)
    assert contact.groups == {"Chess"}
    back = to_card(contact)
    assert _untyped(back) == _untyped(CARD)
    assert "EM_1" in back["emails"], "ids stay"


@pytest.mark.law("L9")
def test_what_only_json_has_survives_a_vcard() -> None:
    """JSPROP (RFC 9555 section 3.2.1): on a vCard and back into its place."""
    card = V4.read(V4.write(from_card(CARD), None))
    again = to_card(replace(card, emails=card.emails))
    for key in ("created", "language", "speakToAs", "cryptoKeys", "x.example:odd/key~"):
        assert again[key] == CARD[key], key
    assert "x.example:deep" in json.dumps(again)


def _untyped(value: Any) -> Any:
    """Without @type, which a writer may leave out, and with vCardProps in any order."""
    if isinstance(value, dict):
        return {key: _untyped(part) for key, part in value.items() if key != "@type"}
    if isinstance(value, list):
        return sorted((_untyped(part) for part in value), key=str)
    return value


@pytest.mark.parametrize(
    "odd",
    [
        {"emails": "none"},
        {"emails": {"e": {"address": 5}}},
        {"emails": {"e": {"address": "a@x", "pref": "first"}}},
        {"phones": {"p": None}},
        {"name": {"components": [{"value": "without a kind"}]}},
        {"addresses": {"a": {"components": [{"kind": "name"}]}}},
        {"relatedTo": ["x"]},
        {"relatedTo": {"": {}}},
        {"anniversaries": {"d": {"kind": "birth", "date": "tomorrow"}}},
        {"media": {"m": {"kind": "photo", "uri": "data:image/png;base64,%%%"}}},
    ],
)
def test_an_object_that_cannot_be_understood_is_kept_and_goes_back(odd: dict[str, Any]) -> None:
    card = {"@type": "Card", "version": "1.0", "uid": "u", "notes": {"n": {"note": "fine"}}, **odd}
    contact = from_card(card)
    assert contact.notes[0].text == "fine"
    back = json.dumps(to_card(contact))
    text = json.dumps(odd)
    for word in re.findall(r'"([^"]+)"|(\d+)', text):
        assert (word[0] or word[1]) in back.replace("\\", ""), (word, back)


@pytest.mark.parametrize(
    "content",
    [None, [], "Card", {"@type": "Event", "version": "1.0"}, {}, {"version": "1.0", "vCardProps": {}}],
)
def test_what_is_no_card_is_named(content: Any) -> None:
    with pytest.raises(CodecError):
        from_card(content)


@pytest.mark.parametrize("prop", [["x"], "x", [1, 2, 3, 4], ["x-a", "params", "text", "v"]])
def test_a_property_that_is_none_is_named(prop: Any) -> None:
    with pytest.raises(CodecError, match="vCardProps"):
        from_card({"version": "1.0", "vCardProps": [prop]})


def test_no_property_can_break_out_of_its_line() -> None:
    evil = ["x-a\r\nFN", {"type": "a:b\r\nTEL:1", "x;y": 'q"\n'}, "unknown", "v\r\nEMAIL:evil@example.org"]
    contact = from_card({"version": "1.0", "vCardProps": [evil]})
    assert (contact.emails, contact.phones, contact.name.full) == ((), (), "")
    assert len(contact.extra) == 1


def test_vectors_of_others_are_read() -> None:
    """Each example of the vector files that converts a property to JSON: what our Card says is in theirs."""
    tried = 0
    for name, data in files().items():
        if "jscontact/" not in name:
            continue
        for block in data.decode().split("> test ")[1:]:
            lines, _, rest = block.partition("\n")[2].partition("> convert\n")
            if not rest or "BEGIN:" in lines or lines.lstrip().startswith(("{", '"')):
                continue
            card = f"BEGIN:VCARD\r\nVERSION:4.0\r\n{lines.strip()}\r\nEND:VCARD\r\n".encode()
            contact = V4.read(card)
            assert properties(through(contact)) == properties(contact), block
            tried += 1
    assert tried > 50 or not any("jscontact/" in name for name in files())
