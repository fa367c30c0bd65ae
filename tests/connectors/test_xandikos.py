"""Xandikos: keeps cards byte for byte, says 423 to parallel writes and 412 to expired tokens."""

from __future__ import annotations

import pytest

from contactsync.testing.suite import Rig
from tests.connectors.dav_suite import DavSuite
from tests.servers import Server


class TestXandikos(DavSuite):
    unknown_cursor = "sync:0000000000000000000000000000000000000000"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, xandikos: Server) -> None:
        cls.server = xandikos

    def test_a_relative_href_with_a_colon_is_a_path(self) -> None:
        rig = self.make()
        rig.other.put(f"{rig.book}colon%3Ax.vcf", self.card("Colon", "colon"))
        (href,) = rig.list().there
        assert href == f"{rig.book}colon:x.vcf"
        assert b"Colon" in (rig.read(href).payload or b"")
        changes = {c.href: c for c in rig.connector.fetch(rig.book, [href, f"{rig.book}missing.vcf"])}
        assert b"Colon" in (changes[href].payload or b"")

    def test_a_control_character_spoils_the_report_but_no_card(self) -> None:
        rig = self.make()
        rig.other.put(f"{rig.book}ctrl.vcf", self.card("Bell\x07", "ctrl"))
        fine = self.put_other(rig, "fine")
        changes = {c.href: c for c in rig.connector.fetch(rig.book, [*rig.list().there])}
        assert b"Bell\x07" in (changes[f"{rig.book}ctrl.vcf"].payload or b"")
        assert b"Other" in (changes[fine].payload or b"")

    def test_cards_come_back_byte_for_byte(self) -> None:
        rig = self.make()
        card = self.card("Byte", "byte", "X-B;TYPE=b;TYPE=a:1", "NOTE:two\r\n  lines")
        assert _read_both_ways(rig, rig.create(card, "byte").href) == (card, card)


def _read_both_ways(rig: Rig, href: str) -> tuple[bytes | None, bytes | None]:
    pair = {c.href: c.payload for c in rig.connector.fetch(rig.book, [href, f"{rig.book}missing.vcf"])}
    return pair[href], rig.read(href).payload


@pytest.mark.servers
class TestXandikosBehindTls(DavSuite):
    unknown_cursor = TestXandikos.unknown_cursor

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, xandikos_tls: Server) -> None:
        cls.server = xandikos_tls
