"""sabre/dav 1.8 of 2014: Digest only, no sync-collection, and a multiget that fails as a whole."""

from __future__ import annotations

import pytest

from contactsync.connectors.carddav import CardDavConnector
from tests.connectors.dav_suite import DavSuite
from tests.servers import Server


@pytest.mark.servers
class TestSabre(DavSuite):
    challenges = 1
    has_tokens = False
    has_well_known = False

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, sabre18: Server) -> None:
        cls.server = sabre18

    def test_one_missing_card_fails_the_whole_report_and_no_card(self) -> None:
        rig = self.make()
        hrefs = [self.put_other(rig, f"c{n}", f"Card {n}") for n in range(3)]
        before = rig.connector.traffic().requests
        changes = [*rig.connector.fetch(rig.book, [hrefs[0], f"{rig.book}missing.vcf", *hrefs[1:]])]
        assert [change.gone for change in changes] == [False, True, False, False]
        assert all(change.payload for change in changes if not change.gone)
        assert rig.connector.traffic().requests <= before + 1 + 4 + 2

    def test_its_quirks_are_recognised(self) -> None:
        rig = self.make()
        assert isinstance(rig.connector, CardDavConnector)
        meanings = {fact.means for fact in rig.connector.about(rig.book)}
        assert "A round in which something changed lists the whole book." in meanings
        assert "Each round costs two more requests." in meanings

    def test_it_is_listed_by_its_ctag(self) -> None:
        rig = self.make()
        kept = self.put_other(rig, "kept")
        listing = rig.list()
        assert [*listing.there] == [kept] and (listing.cursor or "").startswith("ctag:")
        assert not rig.list(listing.cursor).there
        rig.other.delete(kept)
        again = rig.list(listing.cursor)
        assert not again.there and all(page.full for page in again.pages)

    def test_cards_come_back_byte_for_byte(self) -> None:
        rig = self.make()
        card = self.card("Byte", "byte", "X-B;TYPE=b;TYPE=a:1", "NOTE:two\r\n  lines")
        assert rig.read(rig.create(card, "byte").href).payload == card
