"""From a URL to the address books behind it (RFC 6352 section 7.1, RFC 5397, RFC 6764)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from contactsync.connectors import dav
from contactsync.connectors.base import Collection
from contactsync.connectors.carddav.transport import Transport
from contactsync.errors import AuthError, NotFound, ProtocolError, RemoteError, TransientError

_WELL_KNOWN = "/.well-known/carddav"
_WHO = dav.propfind(dav.PRINCIPAL, dav.RESOURCETYPE, dav.HOME_SET, dav.DISPLAYNAME)
_BOOKS = dav.propfind(
    dav.RESOURCETYPE, dav.DISPLAYNAME, dav.PRIVILEGES, dav.OWNER, dav.DESCRIPTION, dav.COLOR
)
_WRITE = frozenset({dav.DAV + "all", dav.DAV + "write"})
_WRITE_PARTS = frozenset({dav.DAV + "write-content", dav.DAV + "bind"})


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are on this server; ``book`` is set when the account's URL names one book."""

    principal: str
    name: str
    homes: tuple[str, ...]
    book: str = ""


def is_book(item: dav.Item) -> bool:
    return dav.CARD + "addressbook" in item.tags(dav.RESOURCETYPE)


def find_login(transport: Transport) -> Login:
    """The URL may be the server, a principal, a home set or a book; else ``.well-known`` knows."""
    try:
        return _login_at(transport, transport.start)
    except RemoteError as error:
        if error.status is None or isinstance(error, AuthError | TransientError):
            raise
        if transport.start != "/":
            raise _not_carddav(transport, error) from error
        return _well_known(transport, error)


def _well_known(transport: Transport, first: RemoteError) -> Login:
    """RFC 6764 section 5; what the root said is the better message when this fails as well."""
    try:
        return _login_at(transport, _WELL_KNOWN)
    except RemoteError as error:
        if isinstance(error, AuthError | TransientError) or error.status is None:
            raise
        raise _not_carddav(transport, first) from error


def _not_carddav(transport: Transport, error: RemoteError) -> RemoteError:
    if isinstance(error, ProtocolError):
        return error
    where = transport.origin + transport.start
    return ProtocolError(
        f"There is no CardDAV server at {where} (status {error.status}).",
        hint="Check the URL; the server's manual names its CardDAV address.",
        status=error.status,
    )


def _login_at(transport: Transport, path: str) -> Login:
    start, item = _who(transport, path)
    book = start if is_book(item) else ""
    principals = _paths(transport, item, dav.PRINCIPAL, start)
    if not principals:
        return _without_principal(start, item, book)
    principal = principals[0]
    if not dav.same_path(principal, start):
        start, item = _who(transport, principal)
    homes = _paths(transport, item, dav.HOME_SET, start)
    if not homes and not book:
        raise _no_books(transport.origin)
    return Login(principal, item.text(dav.DISPLAYNAME) or _last_part(principal), homes, book)


def _without_principal(start: str, item: dav.Item, book: str) -> Login:
    """Some servers name no principal beside a book; anything else is plain WebDAV."""
    if dav.DAV + "unauthenticated" in item.tags(dav.PRINCIPAL):
        raise AuthError(
            "The server does not know who we are.", hint="Set user name and password.", status=401
        )
    if not book:
        raise _no_books(start)
    return Login("", item.text(dav.DISPLAYNAME) or _last_part(start), (), book)


def _no_books(where: str) -> ProtocolError:
    return ProtocolError(
        f"{where} speaks WebDAV but has no address books for this login.",
        hint="Check the URL; does the server have CardDAV?",
        status=207,
    )


def _who(transport: Transport, path: str) -> tuple[str, dav.Item]:
    start, answer = transport.discover(path, _WHO)
    item = next((item for item in answer.items if dav.same_path(dav.resolve(item.href, start), start)), None)
    if item is None and len(answer.items) == 1:
        item = answer.items[0]
    if item is None or item.gone:
        # Xandikos says it in the row of a 207
        raise NotFound(f"There is nothing at {transport.origin}{start}.", status=404, href=start)
    return start, item


def _paths(transport: Transport, item: dav.Item, name: str, base: str) -> tuple[str, ...]:
    return tuple(local_path(transport, href, base) for href in item.hrefs(name))


def local_path(transport: Transport, href: str, base: str) -> str:
    """The path of an href; one on another host is followed where the login may go there, and else named
    to the person."""
    host = dav.foreign_host(href, transport.origin)
    if host is None or transport.move_to(href):
        return dav.resolve(href, base)
    raise RemoteError(
        f"The address books are on another server, {host}, and the login is not sent there by itself.",
        hint=f"If you trust it, set the account's url to {href}",
    )


def list_books(transport: Transport, login: Login, notes: list[str]) -> list[Collection]:
    """The books of all home sets, and the one that the URL names; ``notes`` gets what is none."""
    found: dict[bytes, Collection] = {}
    for home in login.homes:
        for path, item in _rows(transport, home, depth=1):
            if is_book(item):
                found.setdefault(dav.path_key(path), _collection(path, item, login))
            elif not dav.same_path(path, home) and (name := item.text(dav.DISPLAYNAME)):
                notes.append(f"{name} ({path}) is not an address book.")
    if login.book and dav.path_key(login.book) not in found:
        for path, item in _rows(transport, login.book, depth=0):
            if is_book(item):
                found[dav.path_key(path)] = _collection(path, item, login)
    return list(found.values())


def _rows(transport: Transport, path: str, depth: int) -> Iterator[tuple[str, dav.Item]]:
    for item in transport.multistatus("PROPFIND", path, _BOOKS, depth).items:
        if not item.gone:
            yield dav.resolve(item.href, path), item


def _collection(path: str, item: dav.Item, login: Login) -> Collection:
    owners = item.hrefs(dav.OWNER)
    others = bool(login.principal and owners) and not dav.same_path(
        dav.resolve(owners[0], path), login.principal
    )
    return Collection(
        href=path if path.endswith("/") else path + "/",
        name=item.text(dav.DISPLAYNAME) or _last_part(path),
        writable=_writable(item),
        shared=dav.CS + "shared" in item.tags(dav.RESOURCETYPE) or others,
        description=item.text(dav.DESCRIPTION) or "",
        color=item.text(dav.COLOR) or "",
    )


def _writable(item: dav.Item) -> bool:
    """By RFC 3744 section 3; a server that does not tell is believed to allow it."""
    if dav.PRIVILEGES not in item.props:
        return True
    tags = item.tags(dav.PRIVILEGES)
    return bool(tags & _WRITE) or tags >= _WRITE_PARTS


def _last_part(path: str) -> str:
    return unquote(path.rstrip("/").rpartition("/")[2]) or path
