"""``--profile``: where the time goes, fit for a public bug report."""

from __future__ import annotations

import re
import stat

import pytest

from contactsync.cli.profiling import kind_of, shape
from contactsync.connectors.base import Exchange
from tests.cli.conftest import Cli, Home, card

MARKED = ("Zebra", "zebra@secret.example", "uid-zebra", "Quagga")


def profile_of(cli: Cli, *words: str) -> str:
    path = cli.folder / "profile.txt"
    cli.ok("--profile", str(path), *words)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return path.read_text()


def requests_in(text: str) -> list[str]:
    return re.findall(r"^ *\d+ +1  (\S+ \S+(?: [a-z-]+)?) +\d{3} +\d+ +\d+ +\d+$", text, re.MULTILINE)


def test_each_request_has_a_line_and_nothing_personal_is_in_it(cli: Cli, home: Home) -> None:
    name, mail, uid, there = MARKED
    cli.ok("contact", "put", stdin=card(uid, name, f"EMAIL:{mail}"))
    home.server.put(f"{home.book}{there}.vcf", card("uid-2", there))
    text = profile_of(cli, "sync")
    asked = requests_in(text)
    assert [line.split()[0] for line in asked].count("PUT") == 1
    assert "REPORT /*/*/ sync-collection" in asked and "REPORT /*/*/ addressbook-multiget" in asked
    assert "PUT /*/*/*.vcf" in asked
    assert f"{len(asked)} requests, " in text
    for secret in (*MARKED, home.server.user, home.server.password, home.book, "127.0.0.1"):
        assert secret not in text


def test_a_round_without_news_stays_light(cli: Cli, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        cli.ok("sync")
    path = cli.folder / "other.txt"
    monkeypatch.setenv("CONTACTSYNC_PROFILE", str(path))
    cli.ok("sync")
    text = path.read_text()
    assert requests_in(text) == ["REPORT /*/*/ sync-collection"]
    stages = set(re.findall(r"^ +\d+  (\w[\w ]+?)  ", text.partition("stage")[2], re.MULTILINE))
    assert stages <= {"look for news", "connect", "before and after"}


def test_a_file_that_cannot_be_written_is_said(cli: Cli) -> None:
    result = cli("--profile", str(cli.folder / "no" / "such"), "status")
    assert result.code == 2 and "cannot be written" in result.err


@pytest.mark.parametrize(
    ("modules", "kind"),
    [
        ("contactsync.cli.sync contactsync.engine.run contactsync.engine.pull requests", "pull/all else"),
        ("contactsync.engine.push contactsync.connectors.http ssl", "push/network"),
        ("contactsync.engine.decide contactsync.store.links contactsync.store.database", "decide/database"),
        ("contactsync.engine.decide contactsync.sync.plan contactsync.vcard.reading", "decide/cards"),
        ("contactsync.engine.push contactsync.engine.backup contactsync.vcard.writing", "back up/cards"),
        ("contactsync.exchange.sources contactsync.engine.connect", "files/all else"),
        ("contactsync.cli.sync importlib._bootstrap", "before and after/loading code"),
        ("contactsync.api importlib._bootstrap contactsync.engine.push", "before and after/loading code"),
    ],
)
def test_the_stack_says_stage_and_work(modules: str, kind: str) -> None:
    assert "/".join(kind_of(modules.split())) == kind


@pytest.mark.parametrize(
    ("method", "path", "shown"),
    [
        (
            "PUT",
            "/remote.php/dav/addressbooks/users/ada/x-1.vcf?a=b",
            "PUT /remote.php/dav/addressbooks/*/*/*.vcf",
        ),
        ("GET", "/v1/people/me/connections?pageToken=abc", "GET /v1/people/me/connections"),
        ("POST", "/v1/people:batchUpdateContacts", "POST /v1/people:batchUpdateContacts"),
        ("PATCH", "/v1/people/c77:updateContactPhoto", "PATCH /v1/people/*:updateContactPhoto"),
        (
            "GET",
            "/v1.0/me/contactFolders/AAkA/contacts/delta",
            "GET /v1.0/me/contactFolders/*/contacts/delta",
        ),
    ],
)
def test_of_a_path_its_shape_stays(method: str, path: str, shown: str) -> None:
    assert shape(Exchange(method, f"https://ada@h.example{path}", {}, b"")) == shown
