"""Logins and discovery against a server that is nothing but planned answers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from contactsync.connectors.carddav import CardDavConnector
from contactsync.errors import (
    AuthError,
    ConfigError,
    ProtocolError,
    RemoteError,
    SyncTokenExpired,
    TransientError,
)
from tests.connectors.dav_suite import login
from tests.proxy import Proxy, Reply, Rule, Seen, proxy

NAMES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/"'
BOOK = "<resourcetype><collection/><C:addressbook/></resourcetype>"
PRINCIPAL = "<current-user-principal><href>/p/</href></current-user-principal>"
HOME = "<C:addressbook-home-set><href>/home/</href></C:addressbook-home-set>"
READ = "<current-user-privilege-set><privilege><read/></privilege></current-user-privilege-set>"
PARTS = READ.replace(
    "<read/>", "<read/></privilege><privilege><write-content/></privilege><privilege><bind/>"
)


def listing(*rows: tuple[str, str]) -> Reply:
    text = "".join(
        f"<response><href>{href}</href><propstat><prop>{props}</prop>"
        "<status>HTTP/1.1 200 OK</status></propstat></response>"
        for href, props in rows
    )
    return Reply(
        207, (("Content-Type", "application/xml"),), f"<multistatus {NAMES}>{text}</multistatus>".encode()
    )


@pytest.fixture
def front() -> Iterator[Proxy]:
    with proxy() as front:
        yield front


@pytest.fixture
def connector(front: Proxy) -> Iterator[CardDavConnector]:
    with closing(login(front.url, "alice", "s3cret")) as made:
        yield made


def at(front: Proxy, path: str, reply: Reply) -> None:
    front.rules.append(Rule(lambda seen: seen.path == path, before=lambda _: reply))


# ---- logins --------------------------------------------------------------------------------------


def challenge(kind: str) -> Reply:
    return Reply(401, (("WWW-Authenticate", kind),))


def guarded(front: Proxy, kind: str, passes: Callable[[str], bool]) -> None:
    """Every path needs a login, and leads to a book then."""

    def check(seen: Seen) -> Reply:
        if not passes(seen.headers.get("Authorization", "")):
            return challenge(kind)
        return listing((seen.path, PRINCIPAL + HOME))

    front.rules.append(Rule(lambda _: True, before=check))


def test_basic_is_sent_at_once_on_loopback(front: Proxy, connector: CardDavConnector) -> None:
    guarded(front, 'Basic realm="x"', lambda header: header.startswith("Basic "))
    connector.check()
    sent = [seen.headers["Authorization"] for seen in front.seen]
    assert {base64.b64decode(header.removeprefix("Basic ")) for header in sent} == {b"alice:s3cret"}


def test_digest_is_used_where_it_is_wanted(front: Proxy, connector: CardDavConnector) -> None:
    digest = 'Digest realm="x", nonce="n", qop="auth", algorithm=MD5'
    guarded(front, digest, lambda header: 'username="alice"' in header and header.startswith("Digest "))
    assert connector.check()
    front.forget()
    guarded(front, digest, lambda header: header.startswith("Digest "))
    connector.collections()
    assert front.counts == {"PROPFIND": 1}


def test_a_wrong_digest_password_ends_soon(front: Proxy, connector: CardDavConnector) -> None:
    guarded(front, 'Digest realm="x", nonce="n", qop="auth"', lambda _: False)
    with pytest.raises(AuthError):
        connector.check()
    assert front.counts.total() <= 3


def test_a_password_alone_is_a_token(front: Proxy) -> None:
    guarded(front, "Bearer", lambda header: header == "Bearer t0ken")
    with closing(login(front.url, "", "t0ken")) as connector:
        assert connector.check()


def test_no_login_at_all_is_possible(front: Proxy) -> None:
    guarded(front, "Basic", lambda header: not header)
    with closing(login(front.url)) as connector:
        assert connector.check()


def test_beyond_loopback_nothing_is_sent_in_plain_text() -> None:
    with pytest.raises(RemoteError, match="plain http"):
        login("http://dav.example/", "alice", "s3cret")


def test_a_url_may_lack_its_scheme() -> None:
    with closing(login("dav.example/path", "alice", "s3cret")) as connector:
        assert connector._transport.origin == "https://dav.example"


def test_the_password_is_asked_for_at_the_first_request_only(front: Proxy) -> None:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        return "s3cret"

    guarded(front, "Basic", lambda header: bool(header))
    with closing(login(front.url, "alice", password=ask)) as connector:
        assert not asked
        connector.check()
        connector.check()
        assert asked == [1]


# ---- discovery -----------------------------------------------------------------------------------


def test_well_known_is_asked_where_the_root_does_not_know(front: Proxy, connector: CardDavConnector) -> None:
    at(front, "/", Reply(405))
    at(front, "/.well-known/carddav", Reply(301, (("Location", "/dav/"),)))
    at(front, "/dav/", listing(("/dav/", PRINCIPAL)))
    at(front, "/p/", listing(("/p/", HOME + "<displayname>Alice</displayname>")))
    assert connector.check().startswith("Alice (/p/) at http://127.0.0.1")


def test_a_redirect_to_another_host_is_not_followed(front: Proxy, connector: CardDavConnector) -> None:
    at(front, "/", Reply(301, (("Location", "https://dav.example/"),)))
    with pytest.raises(RemoteError, match=r"redirects to https://dav\.example/"):
        connector.check()


def test_redirects_in_a_circle_come_to_an_end(front: Proxy, connector: CardDavConnector) -> None:
    at(front, "/", Reply(301, (("Location", "/"),)))
    with pytest.raises(ProtocolError, match="circles"):
        connector.check()


def test_a_home_on_another_host_is_named_and_not_asked(front: Proxy, connector: CardDavConnector) -> None:
    home = HOME.replace("/home/", "https://p01.dav.example/home/")
    at(front, "/", listing(("/", PRINCIPAL)))
    at(front, "/p/", listing(("/p/", home)))
    with pytest.raises(RemoteError, match=r"p01\.dav\.example"):
        connector.collections()


def test_a_server_that_knows_itself_by_another_scheme(front: Proxy, connector: CardDavConnector) -> None:
    """Behind a proxy that ends TLS."""
    mine = "https://127.0.0.1:443"
    at(front, "/", listing((mine + "/", PRINCIPAL.replace("/p/", mine + "/p/"))))
    at(front, "/p/", listing((mine + "/p/", HOME)))
    at(front, "/home/", listing((mine + "/home/b/", BOOK)))
    assert [book.href for book in connector.collections()] == ["/home/b/"]


def test_books_are_told_from_other_things_and_by_rights(front: Proxy, connector: CardDavConnector) -> None:
    color = '<a:addressbook-color xmlns:a="http://inf-it.com/ns/ab/">#ff0000</a:addressbook-color>'
    more = "<displayname>Büro</displayname><C:addressbook-description>All</C:addressbook-description>" + color
    shared = BOOK.replace("<collection/>", "<collection/><CS:shared/>")
    owner = "<owner><href>/someone/</href></owner>"
    at(front, "/", listing(("/", PRINCIPAL + HOME)))
    at(front, "/p/", listing(("/p/", HOME)))
    rows = [("/home/", "<resourcetype><collection/></resourcetype>"), ("/home/a/", BOOK + more)]
    rows += [("/home/b", BOOK + READ), ("/home/c/", shared + PARTS), ("/home/d/", BOOK + owner)]
    at(front, "/home/", listing(*rows))
    a, b, c, d = connector.collections()
    assert (a.href, a.name, a.writable, a.shared) == ("/home/a/", "Büro", True, False)
    assert (a.description, a.color) == ("All", "#ff0000")
    assert (b.href, b.name, b.writable) == ("/home/b/", "b", False)
    assert (c.writable, c.shared) == (True, True)
    assert d.shared


def test_a_book_that_the_url_names_is_listed_though_not_at_home(front: Proxy) -> None:
    at(front, "/other/book/", listing(("/other/book/", BOOK + PRINCIPAL)))
    at(front, "/p/", listing(("/p/", HOME)))
    at(front, "/home/", listing(("/home/a/", BOOK)))
    with closing(login(front.url + "/other/book/", "alice", "s3cret")) as connector:
        assert [book.href for book in connector.collections()] == ["/home/a/", "/other/book/"]


def test_a_book_without_any_principal_is_enough(front: Proxy) -> None:
    at(front, "/b/", listing(("/b/", BOOK)))
    with closing(login(front.url + "/b/")) as connector:
        assert connector.check().startswith("b (/b/)")
        assert [book.href for book in connector.collections()] == ["/b/"]


@pytest.mark.parametrize("props", ["", "<resourcetype><collection/></resourcetype>", PRINCIPAL])
def test_webdav_without_address_books_is_said_to_be_that(
    front: Proxy, connector: CardDavConnector, props: str
) -> None:
    front.answer(listing(("/", props)))
    with pytest.raises(ProtocolError, match="no address books"):
        connector.check()


def test_a_server_that_does_not_know_us_wants_a_login(front: Proxy) -> None:
    front.answer(listing(("/", "<current-user-principal><unauthenticated/></current-user-principal>")))
    with closing(login(front.url)) as connector, pytest.raises(AuthError):
        connector.check()


@pytest.mark.parametrize(
    ("status", "kind"), [(404, ProtocolError), (403, ProtocolError), (503, TransientError)]
)
def test_no_dav_at_all(
    front: Proxy, connector: CardDavConnector, status: int, kind: type[RemoteError]
) -> None:
    front.answer(Reply(status))
    with pytest.raises(kind):
        connector.check()


def test_a_password_in_the_url_is_refused() -> None:
    with pytest.raises(ConfigError, match="must not hold") as caught:
        login("https://alice:s3cret@dav.example/")
    assert "s3cret" not in str(caught.value)


# ---- listings that only some servers give -----------------------------------------------------------


def page(token: str, *rows: str) -> Reply:
    text = "".join(rows)
    return Reply(
        207, (), f"<multistatus {NAMES}>{text}<sync-token>{token}</sync-token></multistatus>".encode()
    )


def etag_row(href: str) -> str:
    return (
        f'<response><href>{href}</href><propstat><prop><getetag>"1"</getetag></prop>'
        "<status>HTTP/1.1 200 OK</status></propstat></response>"
    )


def test_pages_of_507_are_followed(front: Proxy, connector: CardDavConnector) -> None:
    """As Cyrus pages; the last page alone ends the listing."""
    more = "<response><href>/b/</href><status>HTTP/1.1 507 Insufficient Storage</status></response>"
    gone = "<response><href>/b/c.vcf</href><status>HTTP/1.1 404 Not Found</status></response>"
    front.answer(page("t1", etag_row("/b/a.vcf"), more), "REPORT", times=1)
    front.answer(page("t2", etag_row("/b/b.vcf"), gone, etag_row("/b/sub/")), "REPORT")
    pages = list(connector.changes("/b/", "sync:t0"))
    assert [(p.cursor, p.full, p.last) for p in pages] == [
        ("sync:t1", False, False),
        ("sync:t2", False, True),
    ]
    assert [(c.href, c.gone) for p in pages for c in p.changes] == [
        ("/b/a.vcf", False),
        ("/b/b.vcf", False),
        ("/b/c.vcf", True),
    ]
    assert [b"<D:sync-token>t1<" in seen.body for seen in front.seen] == [False, True]


def test_a_cursor_of_an_unknown_kind_has_expired(connector: CardDavConnector) -> None:
    with pytest.raises(SyncTokenExpired):
        list(connector.changes("/b/", "other:1"))


def test_without_a_ctag_everything_is_listed_each_time(front: Proxy, connector: CardDavConnector) -> None:
    front.answer(Reply(501), "REPORT")
    front.rules.append(Rule(lambda s: s.headers.get("Depth") == "0", before=lambda _: listing(("/b/", BOOK))))
    front.answer(listing(("/b/", BOOK), ("/b/a.vcf", '<getetag>"1"</getetag>')), "PROPFIND")
    for cursor in (None, "ctag:", "ctag:"):
        (only,) = connector.changes("/b/", cursor)
        assert (only.cursor, only.full, only.last) == ("ctag:", True, True)
        assert [c.href for c in only.changes] == ["/b/a.vcf"]


def test_a_listing_of_something_else_is_no_empty_book(front: Proxy, connector: CardDavConnector) -> None:
    front.answer(listing(("/elsewhere/", BOOK)), "PROPFIND")
    for cursor in (None, "ctag:1"):
        with pytest.raises(ProtocolError, match="something else"):
            list(connector.changes("/b/", cursor))


def test_a_token_is_lost_where_the_report_went_away(front: Proxy, connector: CardDavConnector) -> None:
    error = f"<error {NAMES}><supported-report/></error>".encode()
    front.answer(Reply(403, (), error), "REPORT")
    with pytest.raises(SyncTokenExpired):
        list(connector.changes("/b/", "sync:t"))


@pytest.mark.law("L35")
def test_a_card_that_the_server_will_not_show_does_not_stop_the_others(
    front: Proxy, connector: CardDavConnector
) -> None:
    found = {}
    front.fail(501, "REPORT")
    for status in (500, 403, 404):
        front.fail(status, "GET")
        (found[status],) = connector.fetch("/book/", ["/book/a.vcf"])
    for status in (500, 403):
        error = found[status].error
        assert error is not None and error.status == status
    assert found[404].gone and found[404].error is None
    front.fail(503, "GET", times=9)
    with pytest.raises(TransientError):
        list(connector.fetch("/book/", ["/book/a.vcf"]))
