"""The contract and a few habits of DAV servers, for every CardDAV server that the tests start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import ClassVar

import pytest

from contactsync.connectors.base import AccountSettings, Create, Refused, Stored, Unknown, Update
from contactsync.connectors.carddav.connector import CardDavConnector
from contactsync.errors import BookGone, PayloadRejected, ProtocolError, RemoteError, TransientError
from contactsync.testing.suite import ConnectorSuite, Rig
from contactsync.vcard.codec import VCardCodec
from tests.proxy import Proxy, Reply, Rule, proxy
from tests.servers import Server

_names = count(1)


def login(
    url: str, user: str = "", password: str | Callable[[], str] = "", ca_file: str = ""
) -> CardDavConnector:
    ask = password if callable(password) else lambda: password
    settings = AccountSettings("test", "carddav", url, user, ask, ca_file=ca_file)
    return CardDavConnector(settings, lambda: VCardCodec("3.0"))


class DavSuite(ConnectorSuite):
    """``server`` is set by the subclass's fixture. ``challenges`` are requests that a login costs: Digest
    has to be asked for, by each connection."""

    server: ClassVar[Server]
    challenges: ClassVar[int] = 0
    has_tokens: ClassVar[bool] = True
    has_well_known: ClassVar[bool] = True

    @pytest.fixture(autouse=True)
    def _closed(self) -> Iterator[None]:
        self.opened: list[CardDavConnector] = []
        self._fronts = ExitStack()
        with self._fronts:
            yield
        for one in self.opened:
            one.close()

    def login(self, url: str = "", password: str | None = None) -> CardDavConnector:
        server = self.server
        secret = server.password if password is None else password
        made = login(url or server.base_url, server.user, secret, server.ca_file)
        self.opened.append(made)
        return made

    def make(self, url: str = "") -> Rig:
        book = self.server.make_book(f"book-{next(_names)}")
        return Rig(self.login(url), book, self.server)

    def login_that_ends(self) -> tuple[Rig, Callable[[], object]] | None:
        front = self._fronts.enter_context(proxy(self.server.base_url))
        return self.make(front.url), lambda: front.fail(401, times=1_000_000)

    # ---- cost ------------------------------------------------------------------------------------

    def test_a_round_without_changes_is_one_request(self) -> None:
        rig = self.make()
        self.put_other(rig, "one")
        cursor = rig.list().cursor
        fresh = self.login()
        assert not [change for page in fresh.changes(rig.book, cursor) for change in page.changes]
        assert fresh.traffic().requests == 1 + 2 * self.challenges

    # ---- discovery -------------------------------------------------------------------------------

    @pytest.mark.parametrize("path", ["", "/", "/.well-known/carddav", "{principal}", "{book}"])
    def test_any_address_of_the_server_leads_to_the_books(self, path: str) -> None:
        server = self.server
        if "well-known" in path and not self.has_well_known:
            pytest.skip("this server leaves .well-known to the web server in front of it")
        made = self.login(server.base_url + path.format(principal=server.principal, book=server.book))
        assert server.principal in made.check()
        assert server.book in [c.href for c in made.collections()]

    def test_nothing_there_is_said_clearly(self) -> None:
        made = self.login(f"{self.server.base_url}{self.server.principal}nothing/here/")
        with pytest.raises(ProtocolError, match="no CardDAV server at"):
            made.check()

    def test_what_is_no_address_book_is_not_listed_as_one(self) -> None:
        with pytest.raises(ProtocolError, match="not an address book"):
            list(self.login().changes(self.server.principal, None))

    def test_a_book_that_vanished_is_no_deletion(self) -> None:
        rig = self.make()
        self.put_other(rig, "any")
        cursor = rig.list().cursor
        self.server.delete_book(rig.book)
        for at in (None, cursor):
            with pytest.raises(BookGone):
                rig.list(at)
        (outcome,) = rig.connector.write(rig.book, [Create(1, "new", "u", self.card("New", "new"))])
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, BookGone), outcome

    # ---- what it tells of itself -----------------------------------------------------------------

    def test_the_doctor_learns_what_it_can_and_writes_nothing(self) -> None:
        rig = self.make()
        self.put_other(rig, "one")
        before = self.server.etags(rig.book)
        assert isinstance(rig.connector, CardDavConnector)
        facts = [fact.text for fact in rig.connector.about(rig.book)]
        assert "Its clock agrees with this one." in facts
        assert ("It lists changes since the last round." in facts) is self.has_tokens
        assert self.server.etags(rig.book) == before

    def test_a_clock_that_is_wrong_is_told(self, front: Proxy) -> None:
        rig = self.make(front.url)

        def late(reply: Reply) -> Reply:
            rest = tuple((name, value) for name, value in reply.headers if name != "Date")
            return Reply(reply.status, (*rest, ("Date", "Thu, 01 Jan 2015 00:00:00 GMT")), reply.body)

        front.change(late, "PROPFIND")
        assert isinstance(rig.connector, CardDavConnector)
        (wrong,) = [fact for fact in rig.connector.about(rig.book) if not fact.ok]
        assert "behind this one" in wrong.text and "--conflicts device" in wrong.means

    # ---- odd names and bodies ----------------------------------------------------------------------

    @pytest.mark.parametrize(
        "name", ["with%20space", "%C3%BCn%C3%AF", "plus+plus", "at@x", "pct%25", "UPPER"]
    )
    def test_foreign_names_are_read_by_the_href_that_lists_them(self, name: str) -> None:
        rig = self.make()
        self.put_other(rig, name, "Odd")
        (href,) = rig.list().there
        single = rig.read(href)
        assert single.href == href
        assert not single.gone
        missing = f"{rig.book}missing.vcf"
        both = {c.href: c for c in rig.connector.fetch(rig.book, [href, missing])}
        assert both[href].payload == single.payload
        assert both[href].etag == single.etag
        updated = rig.write(Update(1, href, single.etag, self.card("Even", name)))[1]
        assert isinstance(updated, Stored)

    def test_line_ends_are_the_same_by_every_way(self) -> None:
        rig = self.make()
        href = f"{rig.book}lf.vcf"
        rig.other.put(href, self.card("Line", "lf").replace(b"\r\n", b"\n"))
        missing = f"{rig.book}missing.vcf"
        report = {c.href: c.payload for c in rig.connector.fetch(rig.book, [href, missing])}[href]
        assert report == rig.read(href).payload
        assert report is not None
        assert report.count(b"\n") == report.count(b"\r\n") > 3

    def test_garbage_is_refused_as_this_one_card(self) -> None:
        rig = self.make()
        outcome = rig.write(Create(1, "bad", "u", b"no card at all\r\n"))[1]
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, PayloadRejected)

    def test_many_parallel_writes_all_arrive(self) -> None:
        rig = self.make()
        steps = [Create(n, f"par-{n}", f"uid-par-{n}", self.card(f"P {n}", f"par-{n}")) for n in range(60)]
        outcomes = rig.write(*steps)
        assert all(isinstance(outcome, Stored) for outcome in outcomes.values())
        assert len(rig.other.etags(rig.book)) == 60  # type: ignore[attr-defined]

    # ---- with a proxy that breaks things ------------------------------------------------------------

    @pytest.fixture
    def front(self) -> Iterator[Proxy]:
        with proxy(self.server.base_url) as front:
            yield front

    def test_a_login_page_is_no_empty_book(self, front: Proxy) -> None:
        rig = self.make(front.url)
        self.put_other(rig, "any")
        cursor = rig.list().cursor
        front.login_page()
        for call in (
            rig.connector.check,
            lambda: rig.list(cursor),
            lambda: rig.list(None),
            lambda: rig.read(f"{rig.book}any.vcf"),
        ):
            with pytest.raises(ProtocolError, match="web page"):
                call()

    @pytest.mark.parametrize("damage", ["cut", "shorten"])
    @pytest.mark.parametrize("at", [0.0, 0.4, 0.95])
    def test_a_listing_that_breaks_off_raises(self, front: Proxy, damage: str, at: float) -> None:
        rig = self.make(front.url)
        self.put_other(rig, "any")
        cursor = rig.list().cursor
        self.put_other(rig, "new")
        getattr(front, damage)("REPORT", "PROPFIND", at=at)
        for known in (None, cursor):
            with pytest.raises(RemoteError):
                rig.list(known)

    @pytest.mark.parametrize("damage", ["shorten", "fail"])
    def test_cards_are_read_one_by_one_when_the_report_is_broken(self, front: Proxy, damage: str) -> None:
        rig = self.make(front.url)
        hrefs = [self.put_other(rig, f"c{n}", f"Card {n}") for n in range(4)]
        if damage == "fail":
            front.fail(404, "REPORT")
        else:
            front.shorten("REPORT", at=0.7)
        changes = [*rig.connector.fetch(rig.book, [*hrefs, f"{rig.book}missing.vcf"])]
        assert [c.gone for c in changes] == [False] * 4 + [True]
        assert all(c.payload and f"Card {n}".encode() in c.payload for n, c in enumerate(changes[:4]))

    def test_a_card_cut_inside_a_whole_report_is_read_directly(self, front: Proxy) -> None:
        rig = self.make(front.url)
        hrefs = [self.put_other(rig, f"c{n}", f"Card {n}") for n in range(3)]
        front.change(lambda r: Reply(r.status, r.headers, r.body.replace(b"END:VCARD", b"", 1)), "REPORT")
        changes = [*rig.connector.fetch(rig.book, hrefs)]
        assert all((c.payload or b"").rstrip().endswith(b"END:VCARD") for c in changes)
        assert front.counts["GET"] == 1

    def test_a_lost_reply_is_unknown_and_nothing_is_sent_twice(self, front: Proxy) -> None:
        rig = self.make(front.url)
        front.lose_reply("PUT")
        outcome = rig.write(Create(1, "lost", "uid-lost", self.card("Lost", "lost")))[1]
        assert isinstance(outcome, Unknown)
        assert front.counts["PUT"] == 1
        if not self.challenges:  # where there are, it was the challenge that got lost
            assert rig.other.get(f"{rig.book}lost.vcf")

    def test_a_card_that_the_server_names_anew_is_found_there(self, front: Proxy) -> None:
        rig = self.make(front.url)
        for location, wanted in (
            (f"{rig.book}other.vcf", f"{rig.book}other.vcf"),
            (f"{front.url}{rig.book}third.vcf", f"{rig.book}third.vcf"),
            ("https://elsewhere.invalid/x.vcf", f"{rig.book}name2.vcf"),
        ):
            name = f"name{len(front.rules)}"
            front.change(_located(location), "PUT", times=9)
            outcome = rig.write(Create(1, name, name, self.card(name, name)))[1]
            assert isinstance(outcome, Stored) and outcome.href == wanted
            front.rules[-1].times = 0

    def test_an_answer_of_the_gateway_is_unknown(self, front: Proxy) -> None:
        rig = self.make(front.url)
        front.fail(502, "PUT")
        outcome = rig.write(Create(1, "gate", "uid-gate", self.card("Gate", "gate")))[1]
        assert isinstance(outcome, Unknown)
        assert front.counts["PUT"] == 1

    @pytest.mark.parametrize("status", [423, 429, 503])
    def test_not_now_is_tried_again(self, front: Proxy, status: int) -> None:
        rig = self.make(front.url)
        front.fail(status, "PUT", retry_after="0", times=2)
        outcome = rig.write(Create(1, "later", "uid-later", self.card("Later", "later")))[1]
        assert isinstance(outcome, Stored)
        assert front.counts["PUT"] == 3 + 2 * self.challenges

    def test_never_is_refused_as_temporary(self, front: Proxy) -> None:
        rig = self.make(front.url)
        front.fail(429, "PUT", retry_after="0", times=100)
        outcome = rig.write(Create(1, "never", "uid-never", self.card("Never", "never")))[1]
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, TransientError)
        assert front.counts["PUT"] < 10

    def test_a_server_that_fails_on_one_card_takes_the_others(self, front: Proxy) -> None:
        """500 whenever it is sent, while all else works: that card is refused, and not in doubt."""
        rig = self.make(front.url)
        old = self.put_other(rig, "old")
        etag = rig.read(old).etag
        front.rules.append(
            Rule(lambda seen: seen.method == "PUT" and b"Cursed" in seen.body, before=lambda _: Reply(500))
        )
        cursed, fine = self.card("Cursed", "cursed"), self.card("Fine", "fine")
        outcomes = rig.write(
            Create(1, "cursed", "cursed", cursed),
            Create(2, "fine", "fine", fine),
            Update(3, old, etag, self.card("Cursed", "old")),
        )
        for key in (1, 3):
            outcome = outcomes[key]
            assert isinstance(outcome, Refused) and isinstance(outcome.error, PayloadRejected), outcome
            assert "fails on this card" in outcome.error.message
        assert isinstance(outcomes[2], Stored)

    def test_a_server_that_fails_on_everything_is_not_believed_to_refuse_a_card(self, front: Proxy) -> None:
        rig = self.make(front.url)
        front.fail(500, "PUT", "PROPFIND", times=100)
        outcome = rig.write(Create(1, "any", "any", self.card("Any", "any")))[1]
        assert isinstance(outcome, Unknown)

    def test_a_listing_survives_a_broken_connection(self, front: Proxy) -> None:
        rig = self.make(front.url)
        self.put_other(rig, "any")
        front.lose_request("PROPFIND")
        assert len(rig.list().there) == 1

    def test_a_listing_without_end_is_not_followed_for_ever(self, front: Proxy) -> None:
        if not self.has_tokens:
            pytest.skip("this server has no list of changes")
        rig = self.make(front.url)
        self.put_other(rig, "any")
        row = f"<response xmlns='DAV:'><href>{rig.book}</href><status>HTTP/1.1 507 More</status></response>"
        front.change(lambda r: Reply(r.status, r.headers, _with(r.body, row)), "REPORT")
        with pytest.raises(ProtocolError, match="come to an end"):
            rig.list()

    def test_a_book_without_sync_collection_is_listed_by_ctag(self, front: Proxy) -> None:
        """As with sabre/dav 1.8."""
        rig = self.make(front.url)
        kept = self.put_other(rig, "kept")
        front.fail(403, "REPORT", times=100)
        listing = rig.list()
        assert [*listing.there] == [kept]
        assert (listing.cursor or "").startswith("ctag:")
        before = front.counts.total()
        again = rig.list(listing.cursor)
        assert not again.there
        assert front.counts.total() == before + 1
        new = self.put_other(rig, "new")
        after = rig.list(again.cursor)
        assert set(after.there) == {kept, new}
        assert all(page.full for page in after.pages)


def _located(location: str) -> Callable[[Reply], Reply]:
    return lambda reply: Reply(reply.status, (*reply.headers, ("Location", location)), reply.body)


def _with(body: bytes, row: str) -> bytes:
    head, end, tail = body.rpartition(b"</")
    return head + row.encode() + end + tail
