"""How a connection comes about: certificates, proxies, and a server that wants to be left alone."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from contactsync.connectors.base import AccountSettings
from contactsync.connectors.carddav import CardDavConnector
from contactsync.connectors.carddav.connector import factory
from contactsync.errors import ConfigError, RemoteError, TransientError
from tests.forward_proxy import forward_proxy
from tests.proxy import Proxy, proxy
from tests.servers import Server


@dataclass
class Tls:
    """An authority of our own, and a server's certificate by it."""

    folder: Path
    authority: trustme.CA
    context: ssl.SSLContext

    @property
    def ca_file(self) -> str:
        path = self.folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(path))
        return str(path)

    def certificate_of(self, person: str, by: trustme.CA | None = None) -> str:
        path = self.folder / "client.pem"
        (by or self.authority).issue_cert(person).private_key_and_cert_chain_pem.write_to_path(str(path))
        return str(path)


def tls(folder: Path, name: str = "localhost", days: tuple[int, int] = (-1, 30)) -> Tls:
    """``days`` from now, in which the certificate is valid."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    start, end = (datetime.now(UTC).replace(tzinfo=None) + timedelta(days=day) for day in days)
    authority.issue_cert(name, not_before=start, not_after=end).configure_cert(context)
    return Tls(folder, authority, context)


def wants_certificate(folder: Path) -> Tls:
    made = tls(folder)
    made.context.verify_mode = ssl.CERT_REQUIRED
    made.authority.configure_trust(made.context)
    # 1.3 tells it only after the first request, and may end the connection before that is read
    made.context.maximum_version = ssl.TLSVersion.TLSv1_2
    return made


def only_old(folder: Path) -> Tls:
    made = tls(folder)
    with pytest.warns(DeprecationWarning):
        made.context.minimum_version = ssl.TLSVersion.TLSv1
        made.context.maximum_version = ssl.TLSVersion.TLSv1_1
    made.context.set_ciphers("ALL:@SECLEVEL=0")
    return made


@pytest.fixture(autouse=True)
def _no_certificates_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def account(url: str, **settings: str) -> Iterator[CardDavConnector]:
    made = AccountSettings("home", "carddav", url, "alice", lambda: "s3cret", **settings)
    with closing(factory(made)) as connector:
        assert isinstance(connector, CardDavConnector)
        yield connector


WRONG: dict[str, tuple[Callable[[Path], Tls], str, str]] = {
    "its day is over": (lambda f: tls(f, days=(-30, -1)), "expired", "date of this device"),
    "its day is to come": (lambda f: tls(f, days=(1, 30)), "not yet valid", "date of this device"),
    "it is another host's": (lambda f: tls(f, "elsewhere.example"), "not valid for 'localhost'", "the name"),
    "it asks for ours": (wants_certificate, "wants a certificate from you", "client_cert"),
    "it is too old": (only_old, "old TLS", "1.2"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_certificate_that_is_wrong_is_said_in_its_own_words(tmp_path: Path, what: str) -> None:
    make, words, advice = WRONG[what]
    server = make(tmp_path)
    with (
        proxy(tls=server.context) as front,
        account(front.url, ca_file=server.ca_file) as connector,
        pytest.raises(RemoteError, match=words) as caught,
    ):
        connector.check()
    assert advice in caught.value.hint and "localhost" in caught.value.message
    assert not isinstance(caught.value, TransientError), "the same tomorrow"
    assert front.seen == [], "nothing was sent, no login either"


def test_an_authority_that_the_system_does_not_know_is_named_with_the_setting_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the list of the library says that carries our requests."""
    server = tls(tmp_path)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", server.ca_file)
    with (
        proxy(tls=server.context) as front,
        account(front.url) as connector,
        pytest.raises(RemoteError, match="certificate") as caught,
    ):
        connector.check()
    assert "ca_file" in caught.value.hint
    assert front.seen == []


@pytest.mark.parametrize("how", ["ca_file", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_is_trusted_by_setting_or_by_the_system(
    radicale: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """``SSL_CERT_FILE`` is where the system's own list is for OpenSSL."""
    server = tls(tmp_path)
    settings = {"ca_file": server.ca_file} if how == "ca_file" else {}
    if not settings:
        monkeypatch.setenv(how, server.ca_file)
    with proxy(radicale.base_url, tls=server.context) as front, account(front.url, **settings) as connector:
        assert "alice" in connector.check()


def test_a_certificate_of_ours_is_shown_where_it_is_wanted(radicale: Server, tmp_path: Path) -> None:
    server = wants_certificate(tmp_path)
    ours = server.certificate_of("alice@example.org")
    with proxy(radicale.base_url, tls=server.context) as front:
        with account(front.url, ca_file=server.ca_file, client_cert=ours) as connector:
            assert "alice" in connector.check()
        strange = server.certificate_of("alice@example.org", by=trustme.CA())
        with (
            account(front.url, ca_file=server.ca_file, client_cert=strange) as connector,
            pytest.raises(RemoteError, match="does not accept the certificate in client_cert"),
        ):
            connector.check()


def test_our_certificate_is_shown_to_servers_of_the_systems_authorities_as_well(
    radicale: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = wants_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    ours = server.certificate_of("alice@example.org")
    with (
        proxy(radicale.base_url, tls=server.context) as front,
        account(front.url, client_cert=ours) as connector,
    ):
        assert "alice" in connector.check()
    with (
        proxy(radicale.base_url, tls=server.context) as front,
        account(front.url) as connector,
        pytest.raises(RemoteError, match="wants a certificate"),
    ):
        connector.check()


@pytest.mark.parametrize("key", ["ca_file", "client_cert"])
@pytest.mark.parametrize(("content", "words"), [("nonsense", "does not hold"), (None, "No such file")])
def test_a_file_that_is_no_certificate_is_named(
    tmp_path: Path, key: str, content: str | None, words: str
) -> None:
    path = tmp_path / "odd.pem"
    if content is not None:
        path.write_text(content)
    with (
        proxy() as front,
        account(front.url, **{key: str(path)}) as connector,
        pytest.raises(ConfigError, match=words) as caught,
    ):
        connector.check()
    assert str(path) in str(caught.value) and key in str(caught.value)
    assert front.seen == []


@pytest.mark.parametrize("secure", [False, True])
def test_a_proxy_is_gone_through(radicale: Server, tmp_path: Path, secure: bool) -> None:
    server = tls(tmp_path)
    with (
        proxy(radicale.base_url, tls=server.context if secure else None) as front,
        forward_proxy() as office,
        account(front.url, proxy=office.url, ca_file=server.ca_file) as connector,
    ):
        assert radicale.book in [book.href for book in connector.collections()]
        assert office.asked, "it went another way"
        host = front.url.partition("://")[2]
        assert all(host in target for target in office.asked)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("90", "in 90 seconds"),
        ("600", "in 10 minutes"),
        ("86400", "in 24 hours"),
        ("soon", "later"),
        ("", "later"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_wants_to_be_left_alone_is_and_the_person_learns_for_how_long(
    front: Proxy, status: int, wanted: str, words: str
) -> None:
    front.fail(status, times=100, retry_after=wanted)
    with account(front.url) as connector, pytest.raises(TransientError) as caught:
        connector.check()
    assert f"Try again {words}." in caught.value.hint
    assert front.counts.total() == 1


@pytest.fixture
def front() -> Iterator[Proxy]:
    with proxy() as found:
        yield found
