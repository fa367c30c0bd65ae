"""Multistatus answers, hrefs and request bodies, on paper."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from contactsync.connectors import dav
from contactsync.errors import ProtocolError


def answer(rows: str, root: str = "D:multistatus", tail: str = "") -> bytes:
    names = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
    return f'<?xml version="1.0"?><{root} {names}>{rows}{tail}</{root}>'.encode()


def row(href: str, etag: str = '"1"', status: str = "HTTP/1.1 200 OK") -> str:
    prop = f"<D:prop><D:getetag>{etag}</D:getetag></D:prop><D:status>{status}</D:status>"
    return f"<D:response><D:href>{href}</D:href><D:propstat>{prop}</D:propstat></D:response>"


def only(body: bytes) -> dav.Item:
    (item,) = dav.read_multistatus(body).items
    return item


def test_a_row_has_its_properties_by_status() -> None:
    missing = (
        "<D:propstat><D:prop><D:getlastmodified/></D:prop><D:status>HTTP/1.1 404</D:status></D:propstat>"
    )
    item = only(answer(row("/b/a.vcf").replace("</D:response>", missing + "</D:response>")))
    assert item.text(dav.ETAG) == '"1"'
    assert item.refused == {dav.MODIFIED: 404}
    assert not item.gone


@pytest.mark.parametrize(
    "status", ["HTTP/1.1 404 Not Found", "HTTP/1.1 404", "HTTP/1.0 410 Gone", "HTTP/2 404 "]
)
def test_a_row_can_say_gone(status: str) -> None:
    assert only(answer(f"<D:response><D:href>/a</D:href><D:status>{status}</D:status></D:response>")).gone


def test_one_row_may_name_several_hrefs() -> None:
    body = answer(
        "<D:response><D:href>/a</D:href><D:href>/b</D:href><D:status>HTTP/1.1 404 N</D:status></D:response>"
    )
    assert [(item.href, item.gone) for item in dav.read_multistatus(body).items] == [
        ("/a", True),
        ("/b", True),
    ]


def test_an_odd_row_costs_no_other() -> None:
    body = answer(row("/a") + row("/b", status="HTTP/1.1 403 Forbidden") + row("/c"))
    assert [item.text(dav.ETAG) for item in dav.read_multistatus(body).items] == ['"1"', None, '"1"']


def test_hrefs_keep_the_spelling_of_the_server() -> None:
    assert only(answer(row("/a/%c3%bc%2Fb%3fc.vcf"))).href == "/a/%c3%bc%2Fb%3fc.vcf"


def test_the_sync_token_comes_along() -> None:
    token = dav.read_multistatus(answer("", tail="<D:sync-token> data:,1 </D:sync-token>")).sync_token
    assert token == "data:,1"
    assert dav.read_multistatus(answer("", tail="<D:sync-token/>")).sync_token is None


def test_structured_properties_show_their_elements_and_hrefs() -> None:
    prop = "<D:resourcetype><D:collection/><C:addressbook/><!-- x --></D:resourcetype>"
    prop += "<C:addressbook-home-set><D:href>/one/</D:href><D:href> /two/ </D:href></C:addressbook-home-set>"
    body = answer(
        f"<D:response><D:href>/</D:href><D:propstat><D:prop>{prop}</D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
    item = only(body)
    assert item.tags(dav.RESOURCETYPE) == {dav.DAV + "collection", dav.CARD + "addressbook"}
    assert item.hrefs(dav.HOME_SET) == ("/one/", "/two/")
    assert item.text(dav.DISPLAYNAME) is None
    assert item.tags(dav.PRIVILEGES) == frozenset()
    assert item.hrefs(dav.PRINCIPAL) == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Login</body></html>",
        answer(row("/a"))[:-5],
        answer(row("/a"))[:40],
        answer(row("/a"), root="D:error"),
        answer(row("/a", status="no status")),
        answer(row("/a", etag="\x07")),
        answer(row("/a")) + b"<more/>",
        b"<?xml version='1.0' encoding='no-such'?><a/>",
    ],
    ids=["nothing", "html", "cut", "cut-early", "root", "status", "control", "two-roots", "encoding"],
)
def test_what_is_no_whole_multistatus_raises(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        dav.read_multistatus(body)


def test_a_document_type_is_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    with pytest.raises(ProtocolError):
        dav.read_multistatus(answer(row("/a", etag="&b;")).replace(b"?>", b"?>" + bomb.encode(), 1))
    with pytest.raises(ProtocolError, match="document type"):
        dav.read_multistatus(
            answer(row("/a")).replace(b"?>", b'?><!DOCTYPE D:multistatus SYSTEM "file:///etc/passwd">', 1)
        )


def test_a_text_over_ten_megabytes_is_refused() -> None:
    """Such a card is read by a GET instead."""
    with pytest.raises(ProtocolError):
        dav.read_multistatus(answer(row("/a", etag="x" * 11_000_000)))


def test_preconditions_come_with_their_hrefs() -> None:
    body = answer("<C:no-uid-conflict><D:href>/a.vcf</D:href></C:no-uid-conflict>", root="D:error")
    assert dav.read_preconditions(body) == {"no-uid-conflict": ("/a.vcf",)}
    assert dav.read_preconditions(b"Precondition failed.") == {}
    assert dav.read_preconditions(answer("")) == {}


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("/b/c.vcf", "/b/c.vcf"),
        ("c.vcf", "/a/book/c.vcf"),
        ("./c.vcf", "/a/book/c.vcf"),
        ("colon:x.vcf", "/a/book/colon:x.vcf"),
        ("http://other.example:8080/b/c.vcf", "/b/c.vcf"),
        ("HTTPS://dav.example/b/q?m.vcf", "/b/q?m.vcf"),
        ("https://dav.example", "/"),
        ("//a/book/c.vcf", "/a/book/c.vcf"),
    ],
)
def test_an_href_means_a_path(href: str, path: str) -> None:
    assert dav.resolve(href, "/a/book/") == path


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/a/%C3%BC.vcf", "/a/%c3%bc.vcf", True),
        ("/a/plus+plus.vcf", "/a/plus%2Bplus.vcf", True),
        ("/a/at@x.vcf", "/a/at%40x.vcf", True),
        ("/a/ü.vcf", "/a/%C3%BC.vcf", True),
        ("/a/book", "/a/book/", True),
        ("/a/b%2Fc.vcf", "/a/b/c.vcf", False),
        ("/a/B.vcf", "/a/b.vcf", False),
        ("/a/%C3%A9.vcf", "/a/e%CC%81.vcf", False),
    ],
)
def test_paths_are_compared_decoded(one: str, other: str, same: bool) -> None:
    assert dav.same_path(one, other) is same


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a/%c3%bc.vcf", "/a/%c3%bc.vcf"),
        ("/a/q?m.vcf", "/a/q%3Fm.vcf"),
        ("/a/hash#.vcf", "/a/hash%23.vcf"),
        ("/a/100%.vcf", "/a/100%25.vcf"),
        ("/a/ü b.vcf", "/a/%C3%BC%20b.vcf"),
        ("/a/(1)*'~;@+:.vcf", "/a/(1)*'~;@+:.vcf"),
    ],
)
def test_only_what_cannot_stand_in_a_request_is_escaped(path: str, sent: str) -> None:
    assert dav.request_path(path) == sent


def test_hosts_of_hrefs() -> None:
    origin = "https://dav.example:8443"
    assert dav.foreign_host("/a/", origin) is None
    assert dav.foreign_host("http://dav.example/a/", origin) is None
    assert dav.foreign_host("https://evil.example/a/", origin) == "evil.example"


def test_bodies_are_xml_with_everything_escaped() -> None:
    report = etree.fromstring(dav.sync_collection("a<b>&", dav.ETAG))
    assert report.findtext("{DAV:}sync-token") == "a<b>&"
    assert report.findtext("{DAV:}sync-level") == "1"
    assert report.find("{DAV:}limit") is None
    hrefs = [e.text for e in etree.fromstring(dav.multiget(["/a/1&2.vcf", "/a/ü.vcf"])).iter("{DAV:}href")]
    assert hrefs == ["/a/1&2.vcf", "/a/%C3%BC.vcf"]
    props = etree.fromstring(dav.propfind(dav.CTAG, dav.COLOR, dav.DESCRIPTION))[0]
    assert [e.tag for e in props] == [dav.CTAG, dav.COLOR, dav.DESCRIPTION]


def test_dates() -> None:
    expected = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert dav.http_date("Mon, 23 Nov 2026 10:00:00 GMT") == expected
    assert dav.http_date("Mon, 23 Nov 2026 12:00:00 +0200") == expected
    assert dav.http_date("") is None
    assert dav.http_date("soon") is None


def test_cards_get_one_kind_of_line_end() -> None:
    assert dav.card_bytes(b"A\nB\r\nC\r\n\n") == b"A\r\nB\r\nC\r\n\r\n"
    assert dav.is_whole_card(b"BEGIN:VCARD\r\nend:vcard\r\n\r\n")
    assert not dav.is_whole_card(b"BEGIN:VCARD\r\nFN:A")
