"""What a CardDAV client has to survive, and which test shows it at which server: a table for the docs."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from tests.connectors import test_carddav, test_cyrus, test_radicale, test_sabre, test_xandikos
from tests.connectors.dav_suite import DavSuite
from tests.e2e import test_groups, test_laws_end_to_end, test_servers, test_two_devices
from tests.each_server import NAMES

POINTS: dict[str, tuple[str, ...]] = {
    "a write that is answered without an etag, or with that of other bytes": (
        "test_a_card_makes_the_round_trip",
        "test_a_server_that_rewrites_costs_no_value_and_no_further_write",
    ),
    "cards that come back in another order, folding and case": (
        "test_real_cards_come_to_rest_after_the_first_round",
    ),
    "4.0 shown as 3.0 under the same etag": (
        "test_a_card_of_version_4_is_read_as_it_was_stored",
        "test_real_cards_come_to_rest_after_the_first_round",
    ),
    "a 412 that is no conflict": (
        "test_garbage_is_refused_as_this_one_card",
        "test_a_card_that_is_too_large_is_no_conflict",
    ),
    "a token that is not known, in whatever words": ("test_an_unknown_cursor_has_expired",),
    "lists in pages, rows twice, rows of cards long gone": (
        "test_a_cursor_brings_exactly_what_changed_since",
        "test_dead_cards_of_old_are_not_in_a_first_listing",
        "test_pages_of_507_are_followed",
    ),
    "no list of changes; a ctag that is not enough": (
        "test_a_book_without_sync_collection_is_listed_by_ctag",
        "test_it_is_listed_by_its_ctag",
        "test_without_a_ctag_everything_is_listed_each_time",
    ),
    "a report that lacks cards, fails as a whole, or is no XML": (
        "test_a_missing_card_comes_back_gone_beside_the_others",
        "test_cards_are_read_one_by_one_when_the_report_is_broken",
        "test_one_missing_card_fails_the_whole_report_and_no_card",
    ),
    "line ends by XML and by GET, names in another spelling": (
        "test_line_ends_are_the_same_by_every_way",
        "test_foreign_names_are_read_by_the_href_that_lists_them",
    ),
    "conditions that are not kept, 423 and 500 under parallel writes": (
        "test_creating_twice_makes_no_double",
        "test_many_parallel_writes_all_arrive",
        "test_not_now_is_tried_again",
    ),
    "one UID at two places": ("test_two_cards_with_one_uid_stay_two_where_the_server_allows_them",),
    "Digest, redirects, a home that is the principal": (
        "test_any_address_of_the_server_leads_to_the_books",
        "test_its_quirks_are_recognised",
        "test_digest_is_used_where_it_is_wanted",
    ),
}

_SUITES: dict[str, type[DavSuite]] = {
    "radicale": test_radicale.TestRadicale,
    "radicale31": test_radicale.TestRadicale31,
    "xandikos": test_xandikos.TestXandikos,
    "xandikos_tls": test_xandikos.TestXandikosBehindTls,
    "cyrus": test_cyrus.TestCyrus,
    "sabre18": test_sabre.TestSabre,
}
_SCENARIOS: tuple[ModuleType, ...] = (test_two_devices, test_groups, test_servers)
_PLANNED: tuple[ModuleType, ...] = (test_carddav, test_laws_end_to_end)


def servers_of(test: str) -> set[str]:
    """Fixture names of the servers that this test runs on; empty when it plans the answers itself."""
    found = {name for name, suite in _SUITES.items() if hasattr(suite, test)}
    for module in _SCENARIOS:
        if hasattr(module, test):
            found |= {getattr(one, "values", [one])[0] for one in module.SERVERS}
    assert found or any(hasattr(module, test) for module in _PLANNED), test
    return found


def rows() -> Iterator[tuple[str, str, list[bool]]]:
    """Point, test, and for each server, then for planned answers: does it run there?"""
    for point, tests in POINTS.items():
        for test in tests:
            found = servers_of(test)
            yield point, test, [*(name in found for name in NAMES), not found]
