"""Servers at their worst, and odd things on good ones: nothing is lost, and it is said what happened."""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.connectors.carddav import CardDavConnector
from contactsync.model.contact import Media, Note
from tests.connectors.dav_suite import login
from tests.e2e.conftest import OpenDevice
from tests.e2e.devices import Device, account_for, calm, person
from tests.proxy import Reply, Rule, Seen, proxy
from tests.servers import Server

NAMES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
XML = (("Content-Type", "application/xml"),)


@pytest.fixture(params=["radicale", "xandikos"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("name", ["50%25%20off", "%F0%9F%90%99%20friends", "a%26b%3Bc"])
def test_a_book_may_have_any_name(radicale: Server, open_device: OpenDevice, name: str) -> None:
    """Xandikos cannot make such books."""
    book = radicale.make_book(name)
    phone, laptop = (open_device(device, radicale, book) for device in ("phone", "laptop"))
    phone.engine.put([person(1)])
    calm(phone, laptop)
    assert set(laptop.everyone()) == {person(1).uid}
    radicale.delete_book(book)


@pytest.mark.law("L35")
def test_a_large_card_arrives_or_is_set_aside_and_the_others_go_on(
    server: Server, open_device: OpenDevice
) -> None:
    """A card of 4 MB; of 1.4 for Radicale, which takes minutes over more, and 1 in these tests."""
    book = server.make_book("large")
    phone, laptop = (open_device(device, server, book) for device in ("phone", "laptop"))
    data = bytes(range(256)) * (4_000 if server.name == "radicale" else 12_000)
    photo = Media(media_type="image/jpeg", sha256=hashlib.sha256(data).hexdigest(), data=data)
    phone.engine.put([replace(person(1), media=(photo,)), person(2)])
    report = phone.report().books[0]
    laptop.report()
    if server.name == "radicale":
        (error,) = report.errors
        assert error.name == person(1).display and "large" in error.reason
        assert set(laptop.everyone()) == {person(2).uid}
    else:
        assert not report.errors
        (there,) = laptop.contact(person(1).uid).media
        (here,) = phone.contact(person(1).uid).media
        assert there.sha256 == here.sha256
    assert phone.contact(person(1).uid).media, "it is still here"
    server.delete_book(book)


@pytest.mark.law("L20", "L21")
def test_a_server_that_closes_in_the_middle_of_every_answer_harms_nobody(
    server: Server, tmp_path: Path
) -> None:
    book = server.make_book("closing")
    with proxy(server.base_url) as front:
        account = replace(account_for(server, book), url=front.url + server.principal)
        with closing(Device(tmp_path / "phone", server, account)) as phone:
            phone.engine.put([person(number) for number in range(3)])
            calm(phone)
            before, there = phone.everyone(), server.etags(book)
            phone.edit(person(1).uid, lambda c: replace(c, notes=(Note("while it is down"),)))
            front.cut(at=0.5)
            report = phone.report()
            assert report.state == "temporary" and "broke off" in report.message
            assert phone.everyone().keys() == before.keys()
            assert server.etags(book).keys() == there.keys()
            front.forget()
            calm(phone)
    server.delete_book(book)


def test_twenty_thousand_cards_come_in_one_listing_and_portions(tmp_path: Path) -> None:
    number = 20_000

    def rows(seen: Seen) -> Reply:
        wanted = re.findall(rb"<D:href>(/b/\d+\.vcf)</D:href>", seen.body)
        if seen.method == "PROPFIND":
            props = "<resourcetype><collection/><C:addressbook/></resourcetype><supported-report-set>"
            props += "<report><sync-collection/></report></supported-report-set>"
            return Reply(207, XML, _multistatus(_row("/b/", props)))
        if wanted:
            cards = (href.decode() for href in wanted)
            return Reply(207, XML, _multistatus(*(_row(h, _etag(h) + _data(h)) for h in cards)))
        listing = (_row(f"/b/{n}.vcf", _etag(f"/b/{n}.vcf")) for n in range(number))
        return Reply(207, XML, _multistatus(*listing, "<sync-token>t1</sync-token>"))

    with proxy() as front, closing(login(front.url + "/b/", "u", "p")) as connector:
        front.rules.append(Rule(lambda seen: True, before=rows))
        (page,) = connector.changes("/b/", None)
        assert len(page.changes) == number and page.full and page.last
        _read_all(connector, [change.href for change in page.changes[:1_000]])
        assert front.counts["PROPFIND"] == 1 and front.counts["REPORT"] <= 1 + 10


def _read_all(connector: CardDavConnector, hrefs: list[str]) -> None:
    assert [c.href for c in connector.fetch("/b/", hrefs) if c.payload] == hrefs


def _multistatus(*rows: str) -> bytes:
    return f"<multistatus {NAMES}>{''.join(rows)}</multistatus>".encode()


def _row(href: str, props: str) -> str:
    status = "<status>HTTP/1.1 200 OK</status>"
    return f"<response><href>{href}</href><propstat><prop>{props}</prop>{status}</propstat></response>"


def _etag(href: str) -> str:
    return f"<getetag>{base64.b16encode(href.encode()).decode()}</getetag>"


def _data(href: str) -> str:
    card = f"BEGIN:VCARD\nVERSION:3.0\nUID:{href}\nFN:{href}\nN:;;;;\nEND:VCARD\n"
    return f"<C:address-data>{card}</C:address-data>"
