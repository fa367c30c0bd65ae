"""``--transcript``: fit for a public bug report, and complete whatever becomes of the run."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from contactsync.config import load
from contactsync.connectors.base import Exchange
from contactsync.connectors.transcript import Transcript, masked
from tests.cli.conftest import Cli, Home, card, login

MARKED = ("Zebra", "zebra@secret.example", "+49 30 987654", "Quagga")


def test_nothing_personal_is_in_it(cli: Cli, home: Home) -> None:
    name, mail, phone, there = MARKED
    cli.ok("contact", "put", stdin=card("uid-1", name, f"EMAIL:{mail}", f"TEL;TYPE=home:{phone}"))
    home.server.put(f"{home.book}there.vcf", card("uid-2", there, f"NOTE:call {name}\\, {phone}"))
    path = cli.folder / "talk.txt"
    cli.ok("sync", "--transcript", str(path))
    text = path.read_text()
    for secret in (*MARKED, home.server.password, "Basic "):
        assert secret not in text
    assert "> PUT " in text and "> REPORT " in text and "< 201" in text and "< 207" in text
    assert "Authorization: ***" in text and "TEL;TYPE=home:+00 00 000000" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_of_an_event_is_in_it(cli: Cli, home: Home) -> None:
    cli.ok("contact", "put", stdin=card("uid-1", "Zebra", "BDAY:1985-04-12"))
    cli.ok("calendar", "add", "days", "--account", "home", "--create", "--calendar", "Quagga")
    path = cli.folder / "talk.txt"
    cli.ok("sync", "--transcript", str(path))
    home.server.request("DELETE", load(cli.config).calendar("days").href).raise_for_status()
    text = path.read_text()
    assert "BEGIN:VEVENT" in text and "SUMMARY:🎂 xxxxx" in text and "DTSTART;VALUE=DATE:00000000" in text
    assert "Zebra" not in text and "19850412" not in text


def test_the_doctor_writes_one_too(cli: Cli, home: Home) -> None:
    path = cli.folder / "talk.txt"
    cli("doctor", "home", "--transcript", str(path))
    assert "PROPFIND" in path.read_text()
    result = cli("doctor", "home", "--transcript", str(cli.folder / "no" / "such" / "folder"))
    assert result.code == 2 and "cannot be written" in result.err


def test_a_wrong_password_is_not_in_it_either(cli: Cli, home: Home) -> None:
    cli.file("password-home", b"hunter2hunter2")
    path = cli.folder / "talk.txt"
    assert cli("sync", "--transcript", str(path)).code != 0
    text = path.read_text()
    assert "< 401" in text and "hunter2" not in text
    assert login(cli, home.server)  # the helper still knows the right one


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("FN:Ada Lovelace", "FN:xxx xxxxxxxx"),
        ("item1.X-ABLabel:Hut 7", "item1.X-ABLabel:xxx 0"),
        ("TEL;TYPE=home;X-ID=ada:+1", "TEL;TYPE=home;X-ID=xxx:+0"),
        ("VERSION:3.0", "VERSION:3.0"),
        ("NOTE:one\n  two", "NOTE:xxx\n  xxx"),
        ("REV:20260101T000000Z\n 12", "REV:20260101T000000Z\n 12"),
    ],
)
def test_the_shape_of_a_card_stays(line: str, shown: str) -> None:
    text = masked(f"<x>BEGIN:VCARD\n{line}\nEND:VCARD</x>".encode())
    assert text == f"<x>BEGIN:VCARD\n{shown}\nEND:VCARD</x>"


def test_names_of_people_and_queries_are_masked(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with Transcript(path) as write:
        sent = {"Authorization": "Bearer abc", "Depth": "0"}
        body = b"<D:displayname>Ada L</D:displayname>"
        write(
            Exchange("GET", "https://u:p@h.example/a?token=abc", sent, b"", 207, {"Set-Cookie": "s=1"}, body)
        )
        write(Exchange("GET", "https://h.example/b", {}, b"", trouble="It broke off."))
        text = path.read_text()
    assert "abc" not in text and "u:p" not in text and "s=1" not in text and "Ada" not in text
    assert "<D:displayname>xxx x</D:displayname>" in text and "no answer: It broke off." in text


def test_a_batch_of_graph_shows_its_paths_and_no_value() -> None:
    body = {"givenName": "Ada", "emailAddresses": [{"address": "ada@x.example"}]}
    one = {"id": "1", "method": "PATCH", "url": "/me/contacts/AAA?$filter=ada", "body": body}
    shown = json.loads(masked(json.dumps({"requests": [one]}).encode()))["requests"][0]
    assert (shown["method"], shown["url"], shown["id"]) == ("PATCH", "/me/contacts/AAA?***", "1")
    assert shown["body"] == {"givenName": "xxx", "emailAddresses": [{"address": "xxx@x.xxxxxxx"}]}
