"""The wire layer: every byte comes back, every card stands alone, nothing takes more than linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactsync.errors import CodecError
from contactsync.vcard.layout import Style, fold, render, style_of
from contactsync.vcard.lines import MAX_NESTING, param_value, parse_lines, plain_param, split_cards
from contactsync.vcard.spelling import Speller


def lines_of(text: bytes) -> list[tuple[str, str, str]]:
    return [(line.group, line.name, line.value) for line in parse_lines(text)]


ATOMS = (
    b"BEGIN:VCARD|END:VCARD|AGENT:|TEL;TYPE=a:1|N;ENCODING=QUOTED-PRINTABLE:a=|=C3|P;BASE64:QUJD|QUJD"
    b'| |\t x|\r\n|\n|\r|A;B="c:d":e|\xff|\xc3\xa9'
).split(b"|")
PIECES = st.lists(st.sampled_from(ATOMS), max_size=25)


@given(PIECES)
@settings(max_examples=200, deadline=None)
def test_lines_joined_are_the_card(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert b"".join(line.source for line in parse_lines(data)) == data


@given(st.text(), st.integers(20, 80))
@settings(max_examples=150, deadline=None)
def test_folding_keeps_characters_whole_and_unfolds(text: str, width: int) -> None:
    value = "".join(char for char in text if char >= " " and not "\ud800" <= char <= "\udfff") * 5
    data = render("", "NOTE", (), value, Style(width=width))
    assert all(len(part) <= width for part in data.rstrip(b"\r\n").split(b"\r\n"))
    for part in data.split(b"\r\n"):
        part.decode()
    assert parse_lines(data)[0].value == value


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n")))
@settings(max_examples=150, deadline=None)
def test_parameter_values_survive(text: str) -> None:
    raw = param_value(text)
    assert "\n" not in raw
    line = parse_lines(f"ADR;LABEL={raw}:x".encode())[0]
    assert line.param("LABEL") == text.strip() or plain_param(raw) == text


def test_a_line_whose_head_is_longer_than_the_width_is_not_broken_before_its_value() -> None:
    params = (("X-P", "p" * 80), ("ENCODING", "QUOTED-PRINTABLE"))
    for value in ("", "a", "ab"):
        data = Speller("3.0", Style(), set()).raw("", "X-LONG", params, value)
        (line,) = parse_lines(data)
        assert (line.group, line.name, line.params, line.value) == ("", "X-LONG", params, value)


def test_a_fold_inside_a_character_is_taken_apart_on_bytes() -> None:
    assert lines_of(b"FN:\xc3\r\n \xa9t\xc3\xa9\r\n") == [("", "FN", "été")]


def test_soft_breaks_have_no_indent_and_end_before_the_end_of_the_card() -> None:
    card = b"FN;ENCODING=QUOTED-PRINTABLE:M=C3=\r\n=BC\r\nNOTE;QUOTED-PRINTABLE:=\r\nEND:VCARD\r\n"
    assert lines_of(card) == [("", "FN", "M=C3=BC"), ("", "NOTE", ""), ("", "END", "VCARD")]


def test_an_equals_sign_at_the_end_of_a_plain_line_is_data() -> None:
    assert lines_of(b"NOTE:1+1=\r\nTEL:2\r\n") == [("", "NOTE", "1+1="), ("", "TEL", "2")]


def test_base64_goes_on_without_indent_until_something_else_comes() -> None:
    card = b"PHOTO;ENCODING=BASE64:QUJD\r\nQUJD\r\n\r\nTEL:1\r\n"
    assert lines_of(card) == [("", "PHOTO", "QUJDQUJD"), ("", "TEL", "1")]


def test_a_bare_cr_is_data_where_lines_end_in_lf_and_a_line_end_where_they_do_not() -> None:
    assert lines_of(b"NOTE:a\rb\r\n") == [("", "NOTE", "a\rb")]
    assert lines_of(b"NOTE:a\rTEL:b\r") == [("", "NOTE", "a"), ("", "TEL", "b")]
    assert lines_of(b"NOTE:a\r b\r\tc\rTEL:b\r") == [("", "NOTE", "abc"), ("", "TEL", "b")]


@pytest.mark.parametrize(
    ("line", "params", "value"),
    [
        (b"TEL;CELL;PREF:+1", (("", "CELL"), ("", "PREF")), "+1"),
        (b"TEL; TYPE=home:+1", (("TYPE", "home"),), "+1"),
        (b'ADR;LABEL="a:b;c":x:y', (("LABEL", '"a:b;c"'),), "x:y"),
        (b'X;T=\\"Hi\\":geo:1,2', (("T", '\\"Hi\\"'),), "geo:1,2"),
        (b'X;SIZE=5":a:b', (("SIZE", '5"'),), "a:b"),
        (b"TEL;TYPE=:+1", (("TYPE", ""),), "+1"),
        (b"X;:v", (), "v"),
    ],
)
def test_parameters(line: bytes, params: tuple[tuple[str, str], ...], value: str) -> None:
    parsed = parse_lines(line)[0]
    assert (parsed.params, parsed.value) == (params, value)


def test_odd_names_and_groups() -> None:
    card = b"X-messaging/xmpp-All:a\nX-GOOGLE TALK:b\nitem1.sub.TEL:c\n_:d\ngarbage\n"
    names = [(group, name) for group, name, _ in lines_of(card)]
    assert names == [
        ("", "X-messaging/xmpp-All"),
        ("", "X-GOOGLE TALK"),
        ("item1.sub", "TEL"),
        ("", "_"),
        ("", ""),
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"FN:Caf\xc3\xa9", "Café"),
        (b"FN:Caf\xe9", "Café"),
        (b"FN;CHARSET=ISO-8859-1:Caf\xc3\xa9", "Café"),
        (b"FN;CHARSET=KOI8-R:\xf7\xc5\xd2\xc1", "Вера"),
        (b"FN;CHARSET=X-FOO:Caf\xe9", "Café"),
        (b"FN;CHARSET=ISO-2022-JP:\x1b$B;3\x1b(B", "山"),
    ],
)
def test_charsets_declared_wrong_missing_unknown(raw: bytes, text: str) -> None:
    assert parse_lines(raw)[0].value == text


def test_a_bad_card_does_not_harm_its_neighbours() -> None:
    data = b"BEGIN:VCARD\nFN:a\nEND:VCARD\nBEGIN:VCARD\nFN:b\nBEGIN:VCARD\nFN:c\nEND:VCARD \njunk\n"
    cards = list(split_cards(data))
    assert [card.problems for card in cards] == [(), ("missing END",), (), ("missing BEGIN", "missing END")]
    assert [card.line for card in cards] == [1, 4, 6, 9]
    assert b"".join(card.data for card in cards) == data


def test_text_before_a_card_is_reported_and_a_bom_is_not() -> None:
    assert [card.problems for card in split_cards(b"junk: x\nBEGIN:VCARD\nEND:VCARD\n")] == [
        ("text before BEGIN",)
    ]
    assert [card.problems for card in split_cards(b"\xef\xbb\xbfBEGIN:VCARD\nEND:VCARD\n")] == [()]


def test_a_card_in_an_agent_belongs_to_its_card() -> None:
    data = b"BEGIN:VCARD\nAGENT:\nBEGIN:VCARD\nFN:in, side\nEND:VCARD\nFN:x\nEND:VCARD\n"
    assert len(list(split_cards(data))) == 1
    agent = parse_lines(data)[1]
    assert agent.value == "BEGIN:VCARD\\nFN:in\\, side\\nEND:VCARD"


def test_a_card_may_begin_on_the_agent_line_itself() -> None:
    data = b"BEGIN:VCARD\nAGENT:BEGIN:VCARD\nFN:in, side\nEND:VCARD\nFN:x\nEND:VCARD\n"
    (card,) = split_cards(data + b"\n")
    lines = parse_lines(card.data)
    assert card.problems == () and b"".join(line.source for line in lines) == data
    assert [(line.name, line.value) for line in lines][1:3] == [
        ("AGENT", "BEGIN:VCARD\\nFN:in\\, side\\nEND:VCARD"),
        ("FN", "x"),
    ]


def test_a_folded_card_on_an_agent_line_is_the_text_of_that_line() -> None:
    data = b"BEGIN:VCARD\nAGENT:BEGIN:VCARD\n FN:inside\n END:VCARD\nFN:x\nEND:VCARD\n"
    (card,) = split_cards(data)
    assert card.problems == () and card.data == data
    assert [line.name for line in parse_lines(data)] == ["BEGIN", "AGENT", "FN", "END"]


def test_nesting_has_a_cap_with_a_name() -> None:
    depth = MAX_NESTING + 1
    data = b"BEGIN:VCARD\n" + b"AGENT:\nBEGIN:VCARD\n" * depth + b"END:VCARD\n" * (depth + 1)
    with pytest.raises(CodecError, match="nested"):
        parse_lines(data)


def test_utf_16_cards_are_found() -> None:
    data = "\ufeffBEGIN:VCARD\r\nFN:Ж\r\nEND:VCARD\r\n".encode("utf-16-be")
    assert parse_lines(next(split_cards(data)).data)[1].value == "Ж"


def test_the_style_of_a_card_is_seen() -> None:
    assert style_of(parse_lines(b"NOTE:a\nTEL:1\n")) == Style(b"\n", 75, b" ")
    folded = b"NOTE:" + b"a" * 45 + b"\r\n\tb\r\n"
    assert style_of(parse_lines(folded)) == Style(b"\r\n", 50, b"\t")
    assert style_of(parse_lines(b"NOTE:" + b"a" * 100 + b"\r\n")).width == 0
    assert fold(b"x" * 100, Style(width=0)) == b"x" * 100


@pytest.mark.parametrize(
    "body",
    [
        b"TEL" + b";TYPE=a" * 100_000,
        b"TEL" + b';X="a' * 100_001 + b":1",
        b"NOTE:" + b"\\" * 1_000_001,
        b"PHOTO;ENCODING=b:" + b"QUJD" * 500_000,
        b" \n" * 100_000,
    ],
    ids=["parameters", "quotes", "backslashes", "photo", "blanks"],
)
def test_hostile_lines_take_linear_time(body: bytes) -> None:
    started = time.perf_counter()
    parse_lines(b"BEGIN:VCARD\n" + body + b"\nEND:VCARD\n")
    assert time.perf_counter() - started < 2
