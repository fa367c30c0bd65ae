"""From a host or a mail address to a server: records, known providers, and whom a login is not sent to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from contactsync.connectors.base import AccountSettings
from contactsync.connectors.carddav import CardDavConnector
from contactsync.connectors.carddav.connector import factory
from contactsync.connectors.carddav.dns_lookup import NAME_SERVER
from contactsync.connectors.carddav.locating import Search
from contactsync.connectors.davlogin import Transport
from contactsync.connectors.http import Answer, redirect_target
from contactsync.connectors.presets import PRESETS, other_type, preset_for
from contactsync.errors import AuthError, ConfigError, ProtocolError, RemoteError, TransientError
from tests.dns_server import NameServer, name_server
from tests.e2e.devices import Device, account_for, card
from tests.proxy import Proxy, Reply, Rule, Seen, proxy
from tests.servers import Server

PLAIN, SECURE = "_carddav._tcp.localhost", "_carddavs._tcp.localhost"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    with name_server() as server:
        monkeypatch.setenv(NAME_SERVER, server.address)
        yield server


def account(typed: str, server: Server | None = None, password: str = "") -> AccountSettings:
    secret = password or (server.password if server else "s3cret")
    user = server.user if server else "alice"
    return AccountSettings("home", "carddav", url=typed, username=user, password=lambda: secret)


@pytest.fixture
def at_localhost(radicale: Server, names: NameServer) -> Iterator[CardDavConnector]:
    with closing(factory(account("alice@localhost", radicale))) as made:
        assert isinstance(made, CardDavConnector)
        yield made


def port_of(server: Server) -> int:
    return urlsplit(server.base_url).port or 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_srv_record_leads_from_a_mail_address_to_the_books(
    at_localhost: CardDavConnector, names: NameServer, radicale: Server
) -> None:
    names.records[PLAIN, "SRV"] = [f"0 1 {port_of(radicale)} localhost."]
    assert "alice" in at_localhost.check()
    assert radicale.book in [book.href for book in at_localhost.collections()]
    assert at_localhost.found_at == f"http://localhost:{port_of(radicale)}/alice/"
    assert any(PLAIN in note for note in at_localhost.notes)
    assert (SECURE, "SRV") in names.asked[:1], "the encrypted service is asked for first"


def test_the_path_of_a_txt_record_is_taken(
    at_localhost: CardDavConnector, names: NameServer, radicale: Server
) -> None:
    names.records[PLAIN, "SRV"] = [f"0 1 {port_of(radicale)} localhost."]
    names.records[PLAIN, "TXT"] = ['"path=/alice/contacts/"']
    at_localhost.check()
    assert [book.href for book in at_localhost.collections()] != []
    assert any(note.endswith("/alice/contacts/") for note in at_localhost.notes)


def redirecting(front: Proxy, target: str) -> None:
    """Only ``.well-known`` knows where the books are."""

    def at(seen: Seen) -> Reply | None:
        return Reply(301, (("Location", target),)) if seen.path == "/.well-known/carddav" else Reply(404)

    front.rules.append(Rule(lambda seen: seen.path in ("/", "/.well-known/carddav"), before=at))


def test_from_a_mail_address_by_srv_and_well_known_to_a_round(
    radicale: Server, names: NameServer, tmp_path: Path
) -> None:
    """The whole way of RFC 6764 section 6, and the cards are there."""
    book = radicale.make_book("by-mail")
    with proxy(radicale.base_url) as front:
        redirecting(front, "/alice/")
        port = urlsplit(front.url).port
        names.records[PLAIN, "SRV"] = [f"0 1 {port} localhost."]
        typed = replace(account_for(radicale, book), url="alice@localhost")
        radicale.put(f"{book}ada.vcf", card("ada", "Ada"))
        with closing(Device(tmp_path / "phone", radicale, typed)) as phone:
            phone.sync()
            assert set(phone.everyone()) == {"ada"}
        assert "/.well-known/carddav" in [seen.path for seen in front.seen]
    radicale.delete_book(book)


def test_well_known_of_a_mail_domain_leads_nowhere_else_by_itself(
    radicale: Server, names: NameServer
) -> None:
    with proxy() as evil, proxy(radicale.base_url) as front:
        redirecting(front, f"{evil.url}/alice/")
        names.records[PLAIN, "SRV"] = [f"0 1 {urlsplit(front.url).port} localhost."]
        with closing(factory(account("alice@localhost", radicale))) as made:
            with pytest.raises(RemoteError) as raised:
                made.check()
            assert evil.url in str(raised.value), "with its address, for a person who trusts it"
        assert evil.seen == []


def test_the_next_record_is_tried_when_the_first_server_is_down(
    at_localhost: CardDavConnector, names: NameServer, radicale: Server
) -> None:
    down, up = free_port(), port_of(radicale)
    names.records[PLAIN, "SRV"] = [f"2 1 {up} localhost.", f"1 9 {down} localhost."]
    at_localhost.check()
    assert at_localhost.found_at == f"http://localhost:{up}/alice/"


def test_a_wrong_password_is_said_at_once_and_not_tried_elsewhere(
    names: NameServer, radicale: Server
) -> None:
    names.records[PLAIN, "SRV"] = [f"0 1 {port_of(radicale)} localhost."]
    with closing(factory(account("alice@localhost", radicale, "wrong"))) as made, pytest.raises(AuthError):
        made.check()


def search(typed: str, **more: bool) -> tuple[list[str], list[str]]:
    found = Search(typed, **more)
    return [place.url for place in found.places()], found.notes


def test_where_the_mail_address_is_no_user_name_the_part_before_the_at_is(
    radicale: Server, names: NameServer
) -> None:
    names.records[PLAIN, "SRV"] = [f"0 1 {port_of(radicale)} localhost."]
    typed = replace(account("alice@localhost", radicale), username="alice@localhost")
    with closing(factory(typed)) as made:
        assert isinstance(made, CardDavConnector)
        assert "alice" in made.check()
        assert made.found_as == "alice", "which is what the account remembers"
    wrong = replace(account("alice@localhost", password="wrong"), username="alice@localhost")
    with closing(factory(wrong)) as made, pytest.raises(AuthError, match="refuses the login of alice"):
        made.check()


def test_records_come_by_priority_and_weight_and_a_usual_port_is_not_named(names: NameServer) -> None:
    names.records["_carddavs._tcp.example.test", "SRV"] = [
        "2 0 443 c.example.test.",
        "1 5 8443 b.example.test.",
        "1 9 443 a.example.test.",
    ]
    assert search("x@example.test") == (
        [
            "https://a.example.test/",
            "https://b.example.test:8443/",
            "https://c.example.test/",
            "https://example.test/",
        ],
        [],
    )


def test_a_server_of_another_domain_is_named_and_not_asked(names: NameServer) -> None:
    names.records["_carddavs._tcp.example.test", "SRV"] = ["0 1 443 dav.evil.test."]
    urls, (note,) = search("x@example.test")
    assert urls == ["https://example.test/"]
    assert "dav.evil.test" in note and "--url https://dav.evil.test:443/" in note


def test_plain_http_is_taken_with_consent_only(names: NameServer) -> None:
    names.records["_carddav._tcp.example.test", "SRV"] = ["0 1 80 dav.example.test."]
    urls, (note,) = search("example.test")
    assert urls == ["https://example.test"] and "plain http" in note
    urls, notes = search("example.test", insecure_http=True)
    assert urls[0] == "http://dav.example.test/" and notes == []


def test_a_service_may_say_that_it_is_not_offered(names: NameServer) -> None:
    names.records["_carddavs._tcp.example.test", "SRV"] = ["0 0 0 ."]
    urls, (note,) = search("x@example.test")
    assert urls == ["https://example.test/"] and "not offered" in note


def test_a_host_with_a_port_or_a_path_is_asked_as_it_stands(names: NameServer) -> None:
    assert search("dav.example.test:8443") == (["https://dav.example.test:8443"], [])
    assert search("example.test/remote.php/dav") == (["https://example.test/remote.php/dav"], [])
    assert search("https://example.test/dav") == (["https://example.test/dav"], [])
    assert names.asked == []


def test_where_nothing_is_found_each_try_is_named(names: NameServer) -> None:
    with closing(factory(account("x@nowhere.invalid"))) as made, pytest.raises(TransientError) as raised:
        made.check()
    assert "https://nowhere.invalid/" in raised.value.message
    assert "no server named nowhere.invalid" in raised.value.message
    assert (SECURE.replace("localhost", "nowhere.invalid"), "SRV") in names.asked


def test_a_server_without_carddav_is_no_matter_of_the_network(radicale: Server, names: NameServer) -> None:
    names.records[PLAIN, "SRV"] = [f"0 1 {port_of(radicale)} localhost."]
    names.records[PLAIN, "TXT"] = ['"path=/nobody/is/here/"']
    made = factory(account("alice@localhost", radicale))
    with closing(made), pytest.raises(ProtocolError) as raised:
        made.check()
    assert "remote.php/dav" in raised.value.hint


# ---- known providers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "name"),
    [("me.com", "iCloud"), ("fastmail.fm", "Fastmail"), ("gmx.de", "GMX"), ("gmx.com", "GMX (.com)")],
)
def test_a_mail_domain_tells_its_provider(domain: str, name: str) -> None:
    preset = preset_for(domain)
    assert preset is not None and preset.name == name


def test_a_login_that_a_known_provider_refuses_comes_with_what_to_do_there() -> None:
    transport = Transport(replace(account("https://contacts.icloud.com/"), username="ada@icloud.com"))
    with closing(transport):
        error = transport._refused(Answer(401, {}, b"", "https://p12-contacts.icloud.com/1/"))
    assert error.message == "p12-contacts.icloud.com refuses the login of ada@icloud.com."
    assert error.hint.startswith("iCloud: Make an app password") and "account.apple.com" in error.hint


@pytest.mark.parametrize("domain", ["gmx.evil.test", "notgmx.de", "icloud.com.evil.test", "example.test"])
def test_a_domain_that_only_looks_alike_is_none_of_them(domain: str) -> None:
    assert preset_for(domain) is None and other_type(domain) is None


def test_known_providers_are_asked_over_https_and_below_their_own_domains() -> None:
    for preset in PRESETS:
        host = urlsplit(preset.url.format(local="x")).hostname or ""
        assert preset.url.startswith("https://"), preset.name
        assert any(host == domain or host.endswith("." + domain) for domain in preset.hosts), preset.name
        assert preset.source, preset.name


@pytest.mark.parametrize(("address", "kind"), [("x@gmail.com", "gmail"), ("x@outlook.de", "outlook")])
def test_providers_without_carddav_are_named_with_the_account_they_need(address: str, kind: str) -> None:
    with pytest.raises(ConfigError) as raised:
        list(Search(address).places())
    assert kind in raised.value.hint


# ---- where a login may go ------------------------------------------------------------------------


def redirect(from_url: str, to: str, *trusted: str) -> str | None:
    return redirect_target(Answer(301, {"Location": to}, b"", from_url), trusted)


def test_a_login_goes_to_other_hosts_of_a_known_provider_only() -> None:
    here, there = "https://contacts.icloud.com/", "https://p42-contacts.icloud.com/1/"
    assert redirect(here, there, "icloud.com") == there
    for target in ("https://icloud.com.evil.test/", "http://p42-contacts.icloud.com/", "https://evil.test/"):
        with pytest.raises(RemoteError, match="not sent to another server"):
            redirect(here, target, "icloud.com")
    with pytest.raises(RemoteError):
        redirect(here, there)


def test_a_home_on_another_host_of_the_provider_moves_the_account_there() -> None:
    with closing(Transport(account("https://contacts.icloud.com/"))) as transport:
        for refused in ("http://p42-contacts.icloud.com/1/", "https://p42.evil.test/1/"):
            assert not transport.move_to(refused)
        assert transport.move_to("https://p42-contacts.icloud.com:443/1/carddavhome/")
        assert transport.origin == "https://p42-contacts.icloud.com:443"
    with closing(Transport(account("https://dav.example.test/"))) as transport:
        assert not transport.move_to("https://other.example.test/")
