"""jCard (RFC 7095) as vCards."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contactsync.errors import CodecError
from contactsync.vcard.codec import VCardCodec
from contactsync.vcard.jcard import card_of, cards_of, looks_like_jcard

ADA = [
    "vcard",
    [
        ["version", {}, "text", "4.0"],
        ["uid", {}, "uri", "urn:uuid:1"],
        ["fn", {}, "text", "Ada, Countess; of\nLovelace"],
        ["n", {}, "text", ["Lovelace", ["Ada", "Augusta"], "", "Lady", ""]],
        ["bday", {}, "date-and-or-time", "1815-12-10"],
        ["anniversary", {}, "date", "--07-08"],
        ["tel", {"type": ["cell", "voice"], "pref": "1"}, "uri", "tel:+44-7700-900123"],
        ["email", {"type": "work", "group": "item1"}, "text", "ada@x.example"],
        [
            "adr",
            {"label": 'Say "hi"\nhere'},
            "text",
            ["", "", ["1 Road", "Flat 2"], "London", "", "SW1Y", "UK"],
        ],
        ["categories", {}, "text", "Friends", "Science, old"],
        ["x-odd", {}, "unknown", "a;b\\,c"],
        ["x-flag", {}, "boolean", True],
    ],
]


def lines(card: Any) -> list[str]:
    return card_of(card).decode().split("\r\n")


def test_every_kind_of_value_finds_its_spelling() -> None:
    assert lines(ADA) == [
        "BEGIN:VCARD",
        "VERSION:4.0",
        "UID:urn:uuid:1",
        r"FN:Ada\, Countess\; of\nLovelace",
        "N:Lovelace;Ada,Augusta;;Lady;",
        "BDAY:18151210",
        "ANNIVERSARY;VALUE=date:--0708",
        "TEL;TYPE=cell,voice;PREF=1;VALUE=uri:tel:+44-7700-900123",
        "item1.EMAIL;TYPE=work:ada@x.example",
        "ADR;LABEL=Say ^'hi^'^nhere:;;1 Road,Flat 2;London;;SW1Y;UK",
        r"CATEGORIES:Friends,Science\, old",
        r"X-ODD:a;b\,c",
        "X-FLAG;VALUE=boolean:TRUE",
        "END:VCARD",
        "",
    ]


def test_a_card_means_what_it_says() -> None:
    ada = VCardCodec().read(card_of(ADA))
    assert ada.name.full == "Ada, Countess; of\nLovelace"
    assert ada.groups == {"Friends", "Science, old"}
    assert ada.emails[0].contexts == {"work"}
    assert {(a.date.month, a.date.day) for a in ada.anniversaries} == {(12, 10), (7, 8)}


def test_one_card_and_a_list_of_them_are_told_from_other_json() -> None:
    assert looks_like_jcard(json.dumps(ADA).encode())
    assert looks_like_jcard(b"\xef\xbb\xbf [ \n" + json.dumps(ADA, indent=1).encode())
    assert not looks_like_jcard(b'[{"@type": "Card"}]')
    assert [problem for _, problem in cards_of(json.dumps([ADA, ADA]).encode())] == ["", ""]
    assert [problem for _, problem in cards_of(json.dumps(ADA).encode())] == [""]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (["vcalendar", []], "no jCard"),
        (["vcard", {}], "no list"),
        (["vcard", [["fn", {}, "text"]]], "parameters, type, value"),
        (["vcard", [["fn\r\nNOTE", {}, "text", "x"]]], "has the name"),
        (["vcard", [["fn", {"a:b": "c"}, "text", "x"]]], "parameter"),
    ],
)
def test_what_is_no_jcard_is_said(content: Any, said: str) -> None:
    with pytest.raises(CodecError, match=said):
        card_of(content)


def test_a_bad_card_does_not_stop_the_others() -> None:
    found = list(cards_of(json.dumps([ADA, ["vcard", 1], ADA]).encode()))
    assert [bool(problem) for _, problem in found] == [False, True, False]


def test_no_value_begins_a_line_of_its_own() -> None:
    evil = ["vcard", [["note", {"x": "a\r\nFN:b", "group": "a\nb"}, "uri", "http://x\r\nEND:VCARD"]]]
    assert len(lines(evil)) == 5
