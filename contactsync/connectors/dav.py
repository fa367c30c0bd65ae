"""WebDAV, CardDAV and CalDAV on paper: request bodies out, multistatus answers in; no I/O (RFC 4918, 6352,
4791, 6578).

caldav's own parser is not used here: it loses a whole page over one odd status, keeps one href of
several, and hands out percent-decoded hrefs, so that ``%2F`` and ``%3F`` name another card.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit
from xml.sax.saxutils import escape

from contactsync.errors import ProtocolError
from contactsync.frozen import frozen

if TYPE_CHECKING:
    from lxml.etree import _Element

DAV = "{DAV:}"
CARD = "{urn:ietf:params:xml:ns:carddav}"
CAL = "{urn:ietf:params:xml:ns:caldav}"
CS = "{http://calendarserver.org/ns/}"
ICAL = "{http://apple.com/ns/ical/}"
INF = "{http://inf-it.com/ns/ab/}"

ETAG = DAV + "getetag"
LENGTH = DAV + "getcontentlength"
VERSIONS = "{urn:ietf:params:xml:ns:carddav}supported-address-data"
LARGEST = "{urn:ietf:params:xml:ns:carddav}max-resource-size"
MODIFIED = DAV + "getlastmodified"
RESOURCETYPE = DAV + "resourcetype"
DISPLAYNAME = DAV + "displayname"
PRINCIPAL = DAV + "current-user-principal"
PRIVILEGES = DAV + "current-user-privilege-set"
REPORTS = DAV + "supported-report-set"
OWNER = DAV + "owner"
HOME_SET = CARD + "addressbook-home-set"
CALENDAR_HOME_SET = CAL + "calendar-home-set"
CALENDAR_DATA = CAL + "calendar-data"
CALENDAR_DESCRIPTION = CAL + "calendar-description"
COMPONENTS = CAL + "supported-calendar-component-set"
SYNC_TOKEN = DAV + "sync-token"
ADDRESS_DATA = CARD + "address-data"
DESCRIPTION = CARD + "addressbook-description"
CTAG = CS + "getctag"
COLOR = INF + "addressbook-color"
CALENDAR_COLOR = ICAL + "calendar-color"

_RESPONSE, _TOKEN = DAV + "response", DAV + "sync-token"
_PREFIXES = {DAV: "D", CARD: "C", CAL: "CAL", CS: "CS", ICAL: "I", INF: "INF"}
_XMLNS = " ".join(f'xmlns:{prefix}="{ns[1:-1]}"' for ns, prefix in _PREFIXES.items())
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_ABSOLUTE = re.compile(r"(?i)https?://")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@frozen
class Value:
    """One property: its own text, the names of all elements in it, the hrefs and the attributes (name,
    value) in it."""

    text: str = ""
    tags: frozenset[str] = frozenset()
    hrefs: tuple[str, ...] = ()
    attributes: frozenset[tuple[str, str]] = frozenset()


@frozen
class Item:
    """One href of a multistatus. ``refused`` has the status of each property that is not there."""

    href: str
    status: int = 200
    props: dict[str, Value] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """The stripped text of a property; None when it is missing or empty."""
        value = self.props.get(name)
        return (value.text.strip() or None) if value else None

    def tags(self, name: str) -> frozenset[str]:
        value = self.props.get(name)
        return value.tags if value else frozenset()

    def hrefs(self, name: str) -> tuple[str, ...]:
        value = self.props.get(name)
        return value.hrefs if value else ()

    def attributes(self, name: str, attribute: str) -> set[str]:
        """The values of one attribute of all elements in a property."""
        value = self.props.get(name)
        return {text for key, text in value.attributes if key == attribute} if value else set()

    @property
    def gone(self) -> bool:
        return self.status in (404, 410)

    @property
    def modified(self) -> datetime | None:
        return http_date(self.text(MODIFIED) or "")


@frozen
class Multistatus:
    """A whole answer (RFC 4918 section 13); ``sync_token`` as in RFC 6578 section 6.4."""

    items: tuple[Item, ...]
    sync_token: str | None = None


def propfind(*names: str) -> bytes:
    """Body of a PROPFIND (RFC 4918 section 9.1)."""
    return _document("D:propfind", _props(names))


def sync_collection(token: str, *names: str) -> bytes:
    """Body of a sync-collection report (RFC 6578 section 3.2).

    Without ``DAV:limit``: Xandikos cuts the listing at the limit, hands out the newest token all the
    same, and the rest would be lost. With ``sync-level``: Xandikos answers 400 when it is missing.
    """
    wanted = f"<D:sync-token>{escape(token)}</D:sync-token><D:sync-level>1</D:sync-level>"
    return _document("D:sync-collection", wanted + _props(names))


def multiget(hrefs: Iterable[str]) -> bytes:
    """Body of an addressbook-multiget report (RFC 6352 section 8.7)."""
    return _document("C:addressbook-multiget", _props((ETAG, MODIFIED, LENGTH, ADDRESS_DATA)) + _hrefs(hrefs))


def calendar_multiget(hrefs: Iterable[str]) -> bytes:
    """Body of a calendar-multiget report (RFC 4791 section 7.9)."""
    return _document("CAL:calendar-multiget", _props((ETAG, CALENDAR_DATA)) + _hrefs(hrefs))


def _hrefs(hrefs: Iterable[str]) -> str:
    return "".join(f"<D:href>{escape(request_path(href))}</D:href>" for href in hrefs)


def _document(root: str, content: str) -> bytes:
    return f"{_HEAD}<{root} {_XMLNS}>{content}</{root}>".encode()


def _props(names: Iterable[str]) -> str:
    return "<D:prop>" + "".join(f"<{_prefixed(name)}/>" for name in names) + "</D:prop>"


def _prefixed(name: str) -> str:
    ns, _, local = name.rpartition("}")
    return f"{_PREFIXES[ns + '}']}:{local}"


def read_multistatus(body: bytes) -> Multistatus:
    """The values of a multistatus; raises `ProtocolError` for anything that is not a whole one.

    XML from a stranger: no entities, no network, no huge trees, and no DTD at all.
    """
    from lxml import etree

    items: list[Item] = []
    token = None
    parts = etree.iterparse(
        BytesIO(body),
        tag=(_RESPONSE, _TOKEN),
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        for _, element in parts:
            parent = element.getparent()
            if parent is None or parent.getparent() is not None:
                continue
            if element.tag == _RESPONSE:
                items.extend(_response(element))
            else:
                token = (element.text or "").strip() or None
            element.clear()  # the listing of a large book is a large tree
            if element.getprevious() is not None:
                del parent[0]
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ProtocolError(f"The server's answer is not whole XML ({error}).") from error
    root = _without_dtd(parts.root)
    if root.tag != DAV + "multistatus":
        raise ProtocolError(f"The server answered with <{_local(root.tag)}> where a listing was expected.")
    return Multistatus(tuple(items), token)


def read_preconditions(body: bytes) -> dict[str, tuple[str, ...]]:
    """Precondition names of a ``DAV:error`` body with the hrefs in them (RFC 4918 section 16)."""
    try:
        root = _parse(body)
    except ProtocolError:
        return {}
    if root.tag != DAV + "error":
        return {}
    return {_local(child.tag): _value(child).hrefs for child in root if isinstance(child.tag, str)}


def _parse(body: bytes) -> _Element:
    """A small answer, with the same caution."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        return _without_dtd(etree.fromstring(body, parser))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ProtocolError(f"The server's answer is not whole XML ({error}).") from error


def _without_dtd(root: _Element) -> _Element:
    if root.getroottree().docinfo.internalDTD is not None:
        raise ProtocolError("The server's answer has a document type, which WebDAV has no use for.")
    return root


def _response(element: _Element) -> Iterator[Item]:
    """One item for each href: RFC 4918 section 14.24 allows several beside one status."""
    hrefs: list[str] = []
    props: dict[str, Value] = {}
    refused: dict[str, int] = {}
    status = 200
    for child in element:
        if child.tag == DAV + "href":
            hrefs.append((child.text or "").strip())
        elif child.tag == DAV + "status":
            status = _status(child.text)
        elif child.tag == DAV + "propstat":
            _propstat(child, props, refused)
    return (Item(href, status, props, refused) for href in hrefs if href)


def _propstat(element: _Element, props: dict[str, Value], refused: dict[str, int]) -> None:
    status = 200
    found: list[_Element] = []
    for child in element:
        if child.tag == DAV + "status":
            status = _status(child.text)
        elif child.tag == DAV + "prop":
            found.extend(prop for prop in child if isinstance(prop.tag, str))
    for prop in found:
        if 200 <= status < 300:
            props[str(prop.tag)] = _value(prop)
        else:
            refused[str(prop.tag)] = status


_NOTHING = Value()


def _value(element: _Element) -> Value:
    text = element.text or ""
    if len(element) == 0:
        return Value(text) if text else _NOTHING
    tags: set[str] = set()
    hrefs: list[str] = []
    attributes: set[tuple[str, str]] = set()
    for child in element.iterdescendants():
        if not isinstance(child.tag, str):
            continue
        tags.add(child.tag)
        attributes.update((str(key), str(text)) for key, text in child.attrib.items())
        if child.tag == DAV + "href" and child.text:
            hrefs.append(child.text.strip())
    return Value(text, frozenset(tags), tuple(hrefs), frozenset(attributes))


def _status(line: str | None) -> int:
    """``HTTP/1.1 404 Not Found``; the reason may be missing."""
    parts = (line or "").split()
    if len(parts) > 1 and parts[1].isdecimal():
        return int(parts[1])
    raise ProtocolError(f"The server's listing has a status that cannot be read: {line!r}.")


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def http_date(text: str) -> datetime | None:
    """An HTTP date (RFC 9110 section 5.6.7) as aware UTC; None when it is none."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def resolve(href: str, base: str) -> str:
    """The path that ``href`` means in an answer about the path ``base``, in the server's spelling.

    Not by `urllib.parse.urljoin`: Xandikos lists ``colon:x.vcf`` as a relative href, which would read
    as a scheme, and Cyrus lists ``q?m.vcf`` unescaped, which would read as a query. A server behind
    a proxy may name itself with another scheme or port; only the path counts.
    """
    if _ABSOLUTE.match(href):
        slash = href.find("/", href.index("//") + 2)
        return href[slash:] if slash >= 0 else "/"
    if href.startswith("/"):
        return "/" + href.lstrip("/")
    return base[: base.rindex("/") + 1] + href.removeprefix("./")


def foreign_host(href: str, origin: str) -> str | None:
    """The host of an absolute href when it is not the host of ``origin``."""
    if not _ABSOLUTE.match(href):
        return None
    host = urlsplit(href).hostname
    return host if host != urlsplit(origin).hostname else None


def same_path(one: str, other: str) -> bool:
    return path_key(one) == path_key(other)


def path_key(path: str) -> bytes:
    """What two spellings of one path have in common: percent-decoded, without a final slash.

    Decoded segment by segment, so that an encoded slash stays apart from a real one.
    """
    segments = [unquote_to_bytes(segment).replace(b"/", b"%2F") for segment in path.split("/")]
    return b"/".join(segments).rstrip(b"/")


def request_path(path: str) -> str:
    """The server's spelling made fit for a request line: only what cannot stand there is escaped."""
    return quote(_STRAY_PERCENT.sub("%25", path), safe="/%:@!$&'()*+,;=~-._")


def card_bytes(data: bytes) -> bytes:
    """A card with CRLF line ends, however it was read.

    XML turns each CRLF into LF, GET does not, and RFC 6350 section 3.2 wants CRLF. With one spelling
    for both ways a card never seems changed because it was read another way; a card that Xandikos
    keeps with bare LF comes out as CRLF, which means the same (L1).
    """
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def is_whole_card(data: bytes) -> bool:
    """Does the text run to its END? An answer cut in the middle of a card does not."""
    return data.rstrip()[-9:].upper() == b"END:VCARD"
