"""What servers do that a client must survive: one row each, with what we do and the test that shows it.

Nothing in the connector asks which server it talks to: each of these is recognised from its answers.
``seen_on`` says where it was found, so that the next reader can look.
"""

from __future__ import annotations

from contactsync.frozen import frozen


@frozen
class Quirk:
    """``key`` is what `Transport.saw` notes when an answer shows it, empty where none can; ``means`` is for
    the person who asks the doctor."""

    seen_on: str
    does: str
    we: str
    test: str
    key: str = ""
    means: str = ""


QUIRKS = (
    Quirk(
        "sabre/dav 1.8",
        "has no list of changes (sync-collection)",
        "compare a mark of the whole book, then list the etags",
        "test_it_is_listed_by_its_ctag",
        "no-tokens",
        "A round in which something changed lists the whole book.",
    ),
    Quirk(
        "servers without ctag",
        "have no mark of the whole book either",
        "list the etags in every round",
        "test_without_a_ctag_everything_is_listed_each_time",
        "no-ctag",
        "Every round lists the whole book.",
    ),
    Quirk(
        "sabre/dav 1.8",
        "takes no Basic login, only Digest",
        "log in as it wants; a first request is wasted",
        "test_digest_is_used_where_it_is_wanted",
        "digest",
        "Each round costs two more requests.",
    ),
    Quirk(
        "sabre/dav 1.8",
        "fails a whole report (404) when one card of it is missing",
        "read those cards one by one",
        "test_one_missing_card_fails_the_whole_report_and_no_card",
        "report-fails",
        "Cards are read one by one now and then, which is slower.",
    ),
    Quirk(
        "sabre/dav 1.8",
        "takes some UTF-8 for Latin-1 (under PHP 8), and stores other letters than it was sent",
        "keep ours here, and do not take its spelling for an edit",
        "test_real_cards_reach_a_second_device_and_rest",
    ),
    Quirk(
        "Cyrus 3.6",
        "shows cards of version 4.0 as 3.0, without their photo, under the same etag",
        "notice it by the length, and read the card as it is stored",
        "test_a_card_of_version_4_is_read_as_it_was_stored",
        "converts",
        "Such cards cost a request each when they are read.",
    ),
    Quirk(
        "Cyrus 3.6",
        "refuses 3.0 cards without N, and all that is not text/vcard",
        "write an N, if need be an empty one, and the type",
        "test_a_card_must_have_a_name_with_parts",
    ),
    Quirk(
        "Cyrus 3.6",
        "cuts a long list of changes into pages (status 507)",
        "follow them to the end",
        "test_pages_of_507_are_followed",
        "pages",
    ),
    Quirk(
        "Cyrus 3.6",
        "says 403 where the address book is not there any more",
        "look for the book before its cards are given up",
        "test_a_book_that_vanished_is_no_deletion",
    ),
    Quirk(
        "Radicale, Cyrus",
        "write cards anew: other order, folding and case, parameters joined",
        "compare meanings, read every write back, and never write because of spelling",
        "test_real_cards_come_to_rest_after_the_first_round",
    ),
    Quirk(
        "Radicale",
        "lists cards that were deleted long ago in a first list of changes",
        "ignore them in a full listing",
        "test_dead_cards_of_old_are_not_in_a_first_listing",
        "dead-rows",
    ),
    Quirk(
        "Radicale 3.9",
        "says 412, as if somebody had changed it, to a card over 10 MB",
        "look at the card to tell the two apart",
        "test_a_card_that_is_too_large_is_no_conflict",
        "vague-412",
        "Cards that it refuses without a reason may be too large for it.",
    ),
    Quirk(
        "Radicale",
        "allows a UID only once in a book (409)",
        "a refusal that names the other card",
        "test_a_uid_is_there_once",
    ),
    Quirk(
        "Radicale",
        "speaks HTTP/1.0: no kept connection, no chunks",
        "send whole bodies with their length",
        "test_many_parallel_writes_all_arrive",
    ),
    Quirk(
        "Xandikos",
        "says 412 to a token that it does not know, and to a card that it finds invalid",
        "believe the body of the answer more than its status",
        "test_an_unknown_cursor_has_expired",
    ),
    Quirk(
        "Xandikos",
        "cuts a listing at DAV:limit and hands out the newest token all the same",
        "never send a limit",
        "test_bodies_are_xml_with_everything_escaped",
    ),
    Quirk(
        "Xandikos",
        "says 423 or 500 to parallel writes",
        "try again, with fewer at once",
        "test_many_parallel_writes_all_arrive",
        "locked",
        "Writing takes longer than it could.",
    ),
    Quirk(
        "Xandikos",
        "lists a name with a colon as a relative link",
        "read it as a path",
        "test_a_relative_href_with_a_colon_is_a_path",
    ),
    Quirk(
        "Xandikos",
        "spoils a whole report by one control character in a card",
        "read those cards one by one",
        "test_a_control_character_spoils_the_report_but_no_card",
        "report-fails",
    ),
    Quirk(
        "Xandikos",
        "answers 500 for a card that it cannot read, however often it is asked",
        "set that card aside; the others go on",
        "test_a_card_that_the_server_will_not_show_does_not_stop_the_others",
    ),
    Quirk(
        "Xandikos",
        "answers 500 to a card that it cannot take, as if the trouble were its own",
        "try again, look that nothing was done, and set this card aside; the others go on",
        "test_a_server_that_fails_on_one_card_takes_the_others",
        "fails-on-a-card",
        "Such a card stays on this device until it is edited; `contactsync status` counts it.",
    ),
    Quirk(
        "all but Radicale",
        "take a second card of one UID",
        "keep both, and show the second as a duplicate",
        "test_two_cards_with_one_uid_stay_two_where_the_server_allows_them",
    ),
    Quirk(
        "any",
        "list a name in another spelling than it was written: percent signs, case of hex, plus",
        "compare decoded paths, and ask in the server's spelling",
        "test_foreign_names_are_read_by_the_href_that_lists_them",
    ),
    Quirk(
        "servers behind a proxy",
        "name themselves with another scheme or port",
        "only the path counts",
        "test_a_server_that_knows_itself_by_another_scheme",
    ),
    Quirk(
        "any",
        "give no etag after a write, or that of other bytes",
        "read it back; what is read is the base",
        "test_a_server_that_rewrites_costs_no_value_and_no_further_write",
        "no-etag",
    ),
    Quirk(
        "Google's CardDAV, by other clients' word",
        "name a card anew when it is stored",
        "go on under the name that the answer gives",
        "test_a_card_that_the_server_names_anew_is_found_there",
    ),
    Quirk(
        "any",
        "break off in the middle of an answer, or answer with half of one",
        "an error or a direct read; never a deletion",
        "test_a_listing_that_breaks_off_raises",
    ),
    Quirk(
        "captive portals",
        "answer everything with a web page and 200",
        "an error, never an empty book, and no confirmation of a write",
        "test_a_web_page_in_answer_to_a_write_confirms_nothing",
    ),
    Quirk(
        "any",
        "lose the answer to a write",
        "do not send it twice; look at the card in the next pull",
        "test_a_lost_reply_is_unknown_and_nothing_is_sent_twice",
    ),
    Quirk(
        "any",
        "redirect to another host, or in circles",
        "follow within the server and its provider only, and not for ever",
        "test_a_redirect_to_another_host_is_not_followed",
    ),
    Quirk(
        "any",
        "send entities or a document type in XML",
        "refuse the answer",
        "test_a_document_type_is_refused",
    ),
)


def recognised(keys: frozenset[str]) -> list[Quirk]:
    """The rows of these keys, the first of each."""
    first = {quirk.key: quirk for quirk in reversed(QUIRKS) if quirk.key in keys}
    return [quirk for quirk in QUIRKS if quirk in first.values()]
