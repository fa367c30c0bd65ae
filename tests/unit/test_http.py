"""What HTTP answers and broken connections mean, and where a login may go."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contactsync import errors
from contactsync.connectors import http
from contactsync.connectors.http import (
    REPEATABLE,
    Answer,
    Session,
    Unreachable,
    backoff,
    classify,
    is_loopback,
    redirect_target,
    require_private,
    retry_after,
    retry_policy,
)
from contactsync.errors import ProtocolError, RemoteError, TransientError
from tests.proxy import Proxy, Reply, Rule, Seen, proxy

XML = {"Content-Type": "application/xml"}


def precondition(name: str, inside: str = "", ns: str = "D") -> bytes:
    names = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
    return f"<D:error {names}><{ns}:{name}>{inside}</{ns}:{name}></D:error>".encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b"Bad Request", errors.PayloadRejected),
        (401, b"", errors.AuthError),
        (403, b"", errors.PermissionDenied),
        (403, precondition("need-privileges"), errors.PermissionDenied),
        (403, precondition("valid-sync-token"), errors.SyncTokenExpired),
        (412, precondition("valid-sync-token"), errors.SyncTokenExpired),
        (409, precondition("valid-sync-token"), errors.SyncTokenExpired),
        (403, precondition("valid-address-data", ns="C"), errors.PayloadRejected),
        (412, precondition("valid-address-data", ns="C"), errors.PayloadRejected),
        (403, precondition("supported-address-data", ns="C"), errors.PayloadRejected),
        (403, precondition("max-resource-size", ns="C"), errors.PayloadRejected),
        (409, precondition("no-uid-conflict", ns="C"), errors.AlreadyExists),
        (403, precondition("no-uid-conflict", ns="C"), errors.AlreadyExists),
        (507, precondition("quota-not-exceeded"), errors.PermissionDenied),
        (403, precondition("supported-report"), errors.ProtocolError),
        (403, precondition("something-new"), errors.PermissionDenied),
        (403, b"<html>no</html>", errors.PermissionDenied),
        (404, b"", errors.NotFound),
        (405, b"", errors.PermissionDenied),
        (409, b"", errors.PreconditionFailed),
        (410, b"", errors.NotFound),
        (412, b"Precondition failed.", errors.PreconditionFailed),
        (413, b"", errors.PayloadRejected),
        (415, b"", errors.PayloadRejected),
        (422, b"", errors.PayloadRejected),
        (423, b"", errors.TransientError),
        (429, b"", errors.TransientError),
        (500, b"", errors.TransientError),
        (501, b"", errors.ProtocolError),
        (502, b"", errors.TransientError),
        (503, b"", errors.TransientError),
        (504, b"", errors.TransientError),
        (200, b"<!DOCTYPE html><html></html>", errors.ProtocolError),
        (301, b"", errors.ProtocolError),
        (418, b"", errors.ProtocolError),
    ],
)
def test_classify(status: int, body: bytes, kind: type[RemoteError]) -> None:
    error = classify(status, {}, body, "/b/a.vcf")
    assert type(error) is kind
    assert error.status == status
    assert error.href == "/b/a.vcf"


def test_a_uid_conflict_names_the_other_card() -> None:
    body = precondition("no-uid-conflict", "<D:href>/b/other.vcf</D:href>", ns="C")
    assert classify(409, XML, body, "/b/a.vcf").href == "/b/other.vcf"


def test_a_login_page_is_called_one() -> None:
    error = classify(200, {"content-type": "text/html"}, b"", "/b/")
    assert "web page" in str(error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("Mon, 23 Nov 2026 10:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0),
        ("", None),
        ("x", None),
    ],
)
def test_retry_after(header: str, seconds: int | None) -> None:
    now = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after({"Retry-After": header}, now) == expected


def test_retry_after_comes_with_the_error() -> None:
    error = classify(429, {"retry-after": "5"}, b"", "/")
    assert isinstance(error, TransientError)
    assert error.retry_after == timedelta(seconds=5)


def test_backoff_grows_and_is_bounded() -> None:
    waits = [backoff(attempt, None, chance=lambda: 0.5) for attempt in range(10)]
    assert waits == sorted(waits)
    assert waits[0] < 0.2
    assert waits[-1] == 10
    assert backoff(0, timedelta(hours=6)) == 10
    assert backoff(5, timedelta(0)) == 0


def test_only_what_changes_nothing_is_repeated_by_itself() -> None:
    assert not REPEATABLE & {"PUT", "POST", "DELETE", "PROPPATCH", "MKCOL", "MOVE"}
    policy = retry_policy()
    assert policy.is_retry("REPORT", 502)
    assert not policy.is_retry("PUT", 502)
    assert not policy.is_retry("PROPFIND", 500)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("dav.example", False),
        ("10.0.0.1", False),
        (None, False),
    ],
)
def test_loopback(host: str | None, is_local: bool) -> None:
    assert is_loopback(host) is is_local


def test_plain_http_is_for_loopback_only() -> None:
    require_private("https://dav.example/", insecure_http=False)
    require_private("http://127.0.0.1:5232/", insecure_http=False)
    require_private("http://dav.example/", insecure_http=True)
    with pytest.raises(RemoteError, match="insecure_http"):
        require_private("http://dav.example/", insecure_http=False)


def redirect(url: str, location: str, status: int = 301) -> Answer:
    return Answer(status, {"Location": location}, b"", url)


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("https://dav.example/.well-known/carddav", "/dav/", "https://dav.example/dav/"),
        ("https://dav.example/a", "https://dav.example/b", "https://dav.example/b"),
        ("http://dav.example/a", "https://dav.example/a", "https://dav.example/a"),
    ],
)
def test_a_redirect_within_the_server_is_followed(url: str, location: str, target: str) -> None:
    assert redirect_target(redirect(url, location)) == target


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://dav.example/a", "https://evil.example/a"),
        ("https://dav.example/a", "http://dav.example/a"),
        ("https://dav.example/a", "https://dav.example:8443/a"),
        ("https://dav.example/a", "//evil.example/a"),
        ("https://dav.example/a", "https://alice:secret@evil.example/a"),
    ],
)
def test_no_other_redirect_is_followed(url: str, location: str) -> None:
    with pytest.raises(RemoteError, match="redirects to") as caught:
        redirect_target(redirect(url, location))
    assert "secret" not in str(caught.value)


def test_what_is_no_redirect() -> None:
    assert redirect_target(Answer(200, {"Location": "/x"}, b"", "https://dav.example/")) is None
    assert redirect_target(Answer(301, {}, b"", "https://dav.example/")) is None


# ---- over real sockets ---------------------------------------------------------------------------


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


def test_nobody_listens(session: Session) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port} does not accept"):
            session.ask("PUT", f"http://127.0.0.1:{port}/")


def test_each_host_is_reached_as_the_environment_says(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "near.example")
    for _ in range(2):
        for host, proxied in (("near.example", False), ("far.example", True)):
            found = session.merge_environment_settings(f"http://{host}/a", {}, True, True, None)
            assert ("http" in found["proxies"]) == proxied


def test_no_such_host(session: Session) -> None:
    with pytest.raises(Unreachable, match=r"no server named no-such-host\.invalid"):
        session.ask("PUT", "http://no-such-host.invalid/")


def test_no_answer_in_time(session: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(TransientError, match="did not answer in time") as caught:
            session.ask("PUT", url, timeout=0.2)
    assert not isinstance(caught.value, Unreachable)


def slow(front: Proxy) -> threading.Event:
    """A server that answers nothing before the event."""
    listed = threading.Event()

    def wait(_: Seen) -> Reply:
        listed.wait(30)
        return Reply(207)

    front.rules.append(Rule(lambda _: True, before=wait))
    return listed


def test_who_did_not_answer_in_time_is_not_asked_again_at_once(session: Session) -> None:
    with proxy() as front:
        listed = slow(front)
        with pytest.raises(TransientError, match="did not answer in time"):
            session.ask("REPORT", front.url, timeout=0.2)
        listed.set()
        assert front.counts["REPORT"] == 1


def test_a_report_may_take_longer_than_other_requests(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert http.REPORT_TIMEOUT > http.TIMEOUT
    monkeypatch.setattr(http, "TIMEOUT", (5.0, 0.2))
    with proxy() as front, ThreadPoolExecutor(1) as pool:
        listed = slow(front)
        report = pool.submit(session.ask, "REPORT", front.url)
        with pytest.raises(TransientError, match="did not answer in time"):
            session.ask("PROPFIND", front.url)
        listed.set()
        assert report.result().status == 207


@contextmanager
def pouring(head: bytes, piece: bytes, pause: float = 0.0) -> Iterator[str]:
    """A server whose answer has no end; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with suppress(OSError):
                client, _ = door.accept()
                with client:
                    client.recv(65536)
                    client.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
                    while True:
                        client.sendall(piece)
                        time.sleep(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}/"
    thread.join(5)


def test_an_answer_that_drips_is_given_up() -> None:
    slow = pytest.raises(TransientError, match="too slow")
    with Session(longest=0.2) as session, pouring(b"", b"x", 0.02) as url, slow:
        session.ask("PUT", url)


def test_an_answer_without_end_is_given_up() -> None:
    large = pytest.raises(ProtocolError, match="more than 1 MB")
    with Session(largest=2**20) as session, pouring(b"", b"x" * 2**16) as url, large:
        session.ask("PUT", url)


def test_an_answer_that_grows_when_it_is_unpacked_is_given_up() -> None:
    packed = gzip.compress(b"x" * 2**24)
    assert len(packed) < 2**16
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(packed)
    large = pytest.raises(ProtocolError, match="more than 1 MB")
    with Session(largest=2**20) as session, pouring(head, packed) as url, large:
        session.ask("PUT", url)


def test_a_proxy_that_is_not_there(session: Session) -> None:
    with pytest.raises(Unreachable, match="proxy"):
        session.ask("GET", "http://dav.example/", proxies={"http": "http://127.0.0.1:9"})


def test_an_impossible_address(session: Session) -> None:
    with pytest.raises(RemoteError, match="cannot be used"):
        session.ask("GET", "http://:80/")


def test_https_where_plain_http_is_spoken(session: Session) -> None:
    with proxy() as front, pytest.raises(RemoteError, match="TLS"):
        session.ask("PUT", front.url.replace("http:", "https:"))


def test_a_certificate_that_nobody_vouches_for(session: Session, tmp_path: Path) -> None:
    with tls_server(tmp_path) as (url, certificate):
        with pytest.raises(RemoteError, match="certificate") as caught:
            session.ask("PUT", url)
        assert "ca_file" in str(caught.value)
        assert not isinstance(caught.value, TransientError)
        assert session.ask("PUT", url, verify=str(certificate)).status == 200


def test_a_broken_connection_is_tried_again_for_a_listing_only(session: Session) -> None:
    with proxy() as front:
        front.lose_request(times=1)
        front.answer(Reply(207))
        assert session.ask("PROPFIND", front.url).status == 207
        front.forget()
        front.lose_request(times=1)
        front.answer(Reply(201))
        with pytest.raises(TransientError, match="broke off"):
            session.ask("PUT", front.url)
        assert front.counts == {"PUT": 1}


def test_an_answer_cut_short_is_an_error(session: Session) -> None:
    with proxy() as front:
        front.answer(Reply(200, body=b"x" * 1000, cut=500))
        with pytest.raises(TransientError):
            session.ask("PUT", front.url)


def test_redirects_are_never_followed_by_the_session(session: Session) -> None:
    with proxy() as front:
        front.answer(Reply(302, (("Location", "/elsewhere"),)))
        assert session.ask("PROPFIND", front.url).status == 302
        assert front.counts.total() == 1


def test_netrc_is_left_alone(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login mallory password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with proxy() as front:
        front.answer(Reply(200))
        session.ask("GET", front.url)
        assert "Authorization" not in front.seen[0].headers


def test_traffic_is_counted(session: Session) -> None:
    with proxy() as front:
        front.answer(Reply(200, body=b"x" * 1000))
        session.ask("PUT", front.url, data=b"y" * 2000)
        session.ask("GET", front.url)
    traffic = session.traffic()
    assert traffic.requests == 2
    assert 2100 < traffic.bytes_sent < 2600
    assert 2050 < traffic.bytes_received < 2300


def test_compressed_answers_count_as_they_came(session: Session) -> None:
    with proxy() as front:
        front.answer(Reply(200, (("Content-Encoding", "gzip"),), gzip.compress(b"x" * 100_000)))
        assert len(session.ask("GET", front.url).body) == 100_000
    assert session.traffic().bytes_received < 1000


@contextmanager
def tls_server(folder: Path) -> Iterator[tuple[str, Path]]:
    """Says 200 over TLS, with a certificate for localhost that it signed itself."""
    certificate = folder / "server.pem"
    certificate.write_bytes(self_signed())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            try:
                plain, _address = listener.accept()
                with context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}/", certificate
    finally:
        listener.close()
        thread.join(5)


def self_signed() -> bytes:
    """Key and certificate for localhost."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return bytes(private + made.public_bytes(pem))
