"""How many cards a request asks for, and requests that are under way ahead of their reader."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from contactsync.connectors.base import Change
from contactsync.connectors.portions import BYTES, FIRST, MOST, SECONDS, UNDER_WAY, Portion, ahead, read_ahead
from contactsync.errors import TransientError

HREFS = [f"/{n}.vcf" for n in range(1000)]


def test_quick_small_answers_let_it_grow_to_its_limit() -> None:
    portion = Portion()
    sizes = []
    for _ in range(5):
        sizes.append(portion.size)
        portion.learn(portion.size, 400 * portion.size, 0.1)
    assert sizes == [FIRST, 2 * FIRST, 4 * FIRST, MOST, MOST]


@pytest.mark.parametrize(("size", "seconds"), [(10 * BYTES, 0.1), (1, 10 * SECONDS)])
def test_a_large_or_a_slow_answer_makes_it_smaller_by_as_much(size: int, seconds: float) -> None:
    portion = Portion(100)
    portion.learn(100, size, seconds)
    assert portion.size == 10
    portion.learn(1, 100 * BYTES, seconds)
    assert portion.size == 1


def test_each_card_comes_once_and_in_its_order() -> None:
    assert [change.href for change in read_ahead(HREFS, _read)] == HREFS
    assert list(read_ahead([], _read)) == []


def test_the_first_request_is_under_way_before_any_card_is_asked_for() -> None:
    begun = threading.Event()

    def read(hrefs: Sequence[str]) -> list[Change]:
        begun.set()
        return _read(hrefs)

    source = read_ahead(HREFS[:1], read)
    assert begun.wait(timeout=30)
    assert len(list(source)) == 1


def test_the_next_requests_are_under_way_before_the_first_answer_is_used() -> None:
    begun = threading.Barrier(UNDER_WAY)

    def read(hrefs: Sequence[str]) -> list[Change]:
        if hrefs[0] in (HREFS[0], HREFS[FIRST]):
            begun.wait(timeout=30)  # the first ends only once the second was begun
        return _read(hrefs)

    assert next(read_ahead(HREFS, read)).href == HREFS[0]


def test_two_requests_are_under_way_while_an_answer_is_used() -> None:
    begun = threading.Barrier(UNDER_WAY + 1)

    def read(hrefs: Sequence[str]) -> list[Change]:
        if hrefs[0] in (HREFS[FIRST], HREFS[2 * FIRST]):
            begun.wait(timeout=30)
        return _read(hrefs)

    source = read_ahead(HREFS, read)
    assert next(source).href == HREFS[0]
    begun.wait(timeout=30)  # breaks where the third waits until all of the first were taken
    source.close()


def test_what_fails_is_raised_where_its_cards_would_have_come() -> None:
    def read(hrefs: Sequence[str]) -> list[Change]:
        if HREFS[FIRST] in hrefs:
            raise TransientError("not now")
        return _read(hrefs)

    came = []
    with pytest.raises(TransientError, match="not now"):
        for change in read_ahead(HREFS, read):
            came.append(change.href)
    assert came == HREFS[:FIRST]


def test_a_reader_that_stops_leaves_no_request_to_come() -> None:
    asked: list[str] = []

    def read(hrefs: Sequence[str]) -> list[Change]:
        asked.extend(hrefs)
        return _read(hrefs)

    source = read_ahead(HREFS, read)
    next(source)
    source.close()
    assert len(asked) <= (UNDER_WAY + 2) * FIRST, "the third asks for twice as many"


def test_a_page_is_asked_for_while_the_one_before_it_is_used() -> None:
    asked = threading.Event()

    def pages() -> Iterator[int]:
        yield 1
        asked.set()
        yield 2

    source = ahead(pages())
    assert next(source) == 1
    assert asked.wait(timeout=30)
    assert list(source) == [2]


def test_a_page_that_fails_is_raised_in_its_place_and_one_page_at_most_is_asked_for_in_vain() -> None:
    asked: list[int] = []

    def pages() -> Iterator[int]:
        for page in range(3):
            asked.append(page)
            yield page
        raise TransientError("not now")

    came = []
    with pytest.raises(TransientError, match="not now"):
        for page in ahead(pages()):
            came.append(page)
    assert came == [0, 1, 2]
    asked.clear()
    source = ahead(pages())
    next(source)
    source.close()
    assert len(asked) <= 2


def _read(hrefs: Sequence[str]) -> list[Change]:
    return [Change(href, "1", b"card") for href in hrefs]
