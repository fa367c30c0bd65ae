"""The goals of matching (L27) on smaller generated books; `make bench-matching` has the large ones.

No clock here: how much work it is shows in how many pairs are compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import cache

import pytest

from contactsync.sync.match import Crowd, Matches, candidates, copies, doubles, match
from contactsync.sync.scoring import Rarity
from tests.matching.books import Books, of_all, one_book, population, two_books, view
from tests.matching.measure import Ids, Quality, at_review, automatic, ids, quality
from tests.matching.words import DE, LOCALES, Locale

pytestmark = pytest.mark.law("L27")


@cache
def met(locale: Locale, seed: int) -> tuple[Books, Matches]:
    books = two_books(locale, 400, seed)
    return books, match(books.left, books.right, region=locale.region)


def over_all(chosen: Callable[[Matches], list[Ids]]) -> Quality:
    """Of all five locales together, each with its own region: of one alone the books would be too small."""
    pairs: set[Ids] = set()
    truth: set[Ids] = set()
    for locale in LOCALES:
        books, found = met(locale, 1)
        pairs |= of_locale(locale, chosen(found))
        truth |= of_locale(locale, books.truth)
    return quality(pairs, frozenset(truth))


def of_locale(locale: Locale, pairs: Iterable[Ids]) -> set[Ids]:
    return {(f"{locale.region} {one}", f"{locale.region} {other}") for one, other in pairs}


def test_a_pair_that_is_sure_is_hardly_ever_wrong() -> None:
    sure = over_all(automatic)
    assert sure.precision >= 0.995
    # As many have the same whole name and a value of their own; they need nobody's look.
    assert sure.recall >= 0.45


def test_hardly_anybody_is_missed_at_the_review() -> None:
    review = over_all(at_review)
    assert review.recall >= 0.93
    assert review.precision >= 0.97


@pytest.mark.parametrize("locale", LOCALES, ids=lambda locale: locale.region)
def test_the_books_are_not_easy(locale: Locale) -> None:
    """No single kind of value finds what all of them together do."""
    books, _ = met(locale, 1)
    left = Crowd(books.left, locale.region).profiles
    right = Crowd(books.right, locale.region).profiles
    pairs = [(left[one], right[other]) for one, other in books.truth]
    for found in (
        [one.name_keys & other.name_keys for one, other in pairs],
        [one.emails & other.emails for one, other in pairs],
        [one.phones & other.phones for one, other in pairs],
    ):
        assert sum(map(bool, found)) < 0.75 * len(pairs)


def test_a_wrong_region_costs_recall_and_makes_no_pair_wrong() -> None:
    books, found = met(DE, 1)
    elsewhere = match(books.left, books.right, region="FR")
    assert quality(automatic(elsewhere), books.truth).precision >= 0.995
    assert len(elsewhere.sure) < len(found.sure)
    assert quality(at_review(elsewhere), books.truth).recall >= 0.85


def test_the_same_seed_makes_the_same_books_and_the_same_pairs() -> None:
    books, found = met(DE, 1)
    again = two_books(DE, 400, 1)
    assert again == books
    random.Random(3).shuffle(again.left)
    random.Random(4).shuffle(again.right)
    assert match(again.left, again.right, region="DE") == found
    assert two_books(DE, 400, 2) != books


def test_doubles_of_one_book_are_found_and_each_pair_once() -> None:
    sure: set[Ids] = set()
    proposed: set[Ids] = set()
    truth: set[Ids] = set()
    for locale in LOCALES:
        book = one_book(locale, 400, 1, twice=0.2)
        found = doubles(book.left, region=locale.region)
        assert len({frozenset(ids(pair)) for pair in found}) == len(found)
        sure |= of_locale(locale, (ids(pair) for pair in found if pair.sure))
        proposed |= of_locale(locale, map(ids, found))
        truth |= of_locale(locale, book.truth)
    assert quality(sure, frozenset(truth)).precision >= 0.995
    # Here relatives who share a number are beside each other, and are not proposed.
    assert quality(proposed, frozenset(truth)).recall >= 0.88
    assert quality(proposed, frozenset(truth)).precision >= 0.8


def test_what_another_program_copies_is_seen_whatever_it_does_to_labels_and_numbers() -> None:
    dice = random.Random(5)
    people = population(DE, 60, dice)
    there = [(f"t{place}", view(person, DE, dice)) for place, person in enumerate(people)]
    others = [(f"o{place}", view(person, DE, dice)) for place, person in enumerate(population(DE, 60, dice))]
    again = [(f"{name}-{copy}", contact) for name, contact in there for copy in range(3)]
    assert copies(again, there, region="DE") == {name for name, _ in again}
    assert copies(others, there, region="DE") == set()


@pytest.mark.parametrize("size", [500, 2000])
def test_the_pairs_that_are_compared_do_not_grow_faster_than_the_book(size: int) -> None:
    books = of_all(two_books, size, 1)
    here, there = Crowd(books.left, "DE"), Crowd(books.right, "DE")
    pairs = list(candidates(here, there, Rarity(here.counts, there.counts)))
    assert len(pairs) < 4 * size
    assert len(set(pairs) & books.truth) >= 0.9 * len(books.truth)
