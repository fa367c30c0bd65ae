"""Cyrus IMAP 3.6: strict about what a card is, writes cards anew, and pages its lists."""

from __future__ import annotations

import pytest

from contactsync.connectors.base import Create, Refused, Stored
from contactsync.connectors.carddav import CardDavConnector
from contactsync.errors import PayloadRejected
from contactsync.model.contact import Contact, Name
from contactsync.vcard.codec import VCardCodec
from tests.connectors.dav_suite import DavSuite
from tests.servers import Server


@pytest.mark.servers
class TestCyrus(DavSuite):
    unknown_cursor = "sync:data:,1-999999999"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, cyrus: Server) -> None:
        cls.server = cyrus

    def test_a_card_of_version_4_is_read_as_it_was_stored(self) -> None:
        """Cyrus makes 3.0 of it for who does not ask, and loses a photo that is in it (RFC 6352 section
        5.1.1: a server may convert)."""
        rig = self.make()
        card = (
            b"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:four\r\nFN:Four\r\nKIND:individual\r\n"
            b"PHOTO:data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA\r\nEND:VCARD\r\n"
        )
        href = f"{rig.book}four.vcf"
        rig.other.put(href, card)
        other = self.put_other(rig, "three")
        both = {c.href: c.payload or b"" for c in rig.connector.fetch(rig.book, [href, other])}
        for payload in (both[href], rig.read(href).payload or b""):
            assert b"VERSION:4.0" in payload and b"base64,iVBORw0KGgoAAAA" in payload
        assert b"VERSION:3.0" in both[other] and b"VERSION:3.0" in (rig.read(other).payload or b"")

    def test_the_versions_that_it_takes_are_told(self) -> None:
        rig = self.make()
        assert isinstance(rig.connector, CardDavConnector)
        facts = [fact.text for fact in rig.connector.about(rig.book)]
        assert "It takes vCard 3.0 and 4.0." in facts

    def test_a_card_must_have_a_name_with_parts(self) -> None:
        """VALID-ADDRESS-DATA is refused for a 3.0 card without N; ours have one, if need be an empty one."""
        rig = self.make()
        nameless = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:n\r\nFN:N\r\nEND:VCARD\r\n"
        outcome = rig.write(Create(1, "n", "n", nameless))[1]
        assert isinstance(outcome, Refused) and isinstance(outcome.error, PayloadRejected)
        written = VCardCodec("3.0").write(Contact(uid="m", name=Name(full="M")), None)
        assert isinstance(rig.write(Create(2, "m", "m", written))[2], Stored)
