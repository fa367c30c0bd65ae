"""Radicale 3.9 and the 3.1 of Debian 12: both write cards anew, and one UID may be there once."""

from __future__ import annotations

import pytest

from contactsync.connectors.base import Create, Refused, Update
from contactsync.errors import AlreadyExists, AuthError, PayloadRejected
from contactsync.testing.suite import Rig
from tests.connectors.dav_suite import DavSuite
from tests.servers import Server
from tests.servers import radicale as start_radicale


class _Radicale(DavSuite):
    def locked_out(self) -> Rig | None:
        rig = self.make()
        return Rig(self.login(password="wrong"), rig.book, rig.other)

    def test_a_wrong_password_is_said_before_anything_else(self) -> None:
        with pytest.raises(AuthError, match="refuses the login"):
            self.login(password="wrong").collections()

    def test_a_uid_is_there_once(self) -> None:
        rig = self.make()
        self.put_other(rig, "first")
        outcome = rig.write(Create(1, "second", "uid-first", self.card("Second", "first")))[1]
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, AlreadyExists)

    def test_dead_cards_of_old_are_not_in_a_first_listing(self) -> None:
        rig = self.make()
        rig.other.delete(self.put_other(rig, "dead"))
        assert not rig.list().there
        assert not rig.list().gone


class TestRadicale(_Radicale):
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, radicale: Server) -> None:
        cls.server = radicale

    def test_a_card_that_is_too_large_is_no_conflict(self) -> None:
        rig = self.make()
        large = self.card("Large", "large", "NOTE:" + "x" * 1_200_000)
        created = rig.write(Create(1, "large", "uid-large", large))[1]
        assert isinstance(created, Refused)
        assert isinstance(created.error, PayloadRejected)
        href = self.put_other(rig, "large")
        updated = rig.write(Update(2, href, rig.read(href).etag, large))[2]
        assert isinstance(updated, Refused)
        assert isinstance(updated.error, PayloadRejected)

    def test_user_and_password_may_have_any_letters(self) -> None:
        with start_radicale("zoë", "pässwörd:€") as server:
            type(self).server, mine = server, type(self).server
            try:
                assert "zoë" in self.login().check()
            finally:
                type(self).server = mine


class TestRadicale31(_Radicale):
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, radicale31: Server) -> None:
        cls.server = radicale31
