"""From a URL to the address books or calendars behind it (RFC 6352 section 7.1, RFC 4791 section 6.2,
RFC 5397, RFC 6764)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from contactsync.connectors import dav
from contactsync.connectors.base import Collection
from contactsync.connectors.davlogin import Transport
from contactsync.errors import AuthError, NotFound, ProtocolError, RemoteError, TransientError
from contactsync.frozen import frozen

_WRITE = frozenset({dav.DAV + "all", dav.DAV + "write"})
_WRITE_PARTS = frozenset({dav.DAV + "write-content", dav.DAV + "bind"})


@frozen
class Service:
    """What is looked for: ``home_set`` names the property of a principal, ``type`` the resource type of one
    ``thing``. One that takes other components than ``component`` only, a task list say, is none."""

    name: str
    thing: str
    well_known: str
    home_set: str
    type: str
    description: str
    color: str
    component: str = ""

    def is_one(self, item: dav.Item) -> bool:
        if self.type not in item.tags(dav.RESOURCETYPE):
            return False
        takes = item.attributes(dav.COMPONENTS, "name")
        return not (self.component and takes) or self.component in takes

    @property
    def who(self) -> bytes:
        return dav.propfind(dav.PRINCIPAL, dav.RESOURCETYPE, self.home_set, dav.DISPLAYNAME)

    @property
    def listing(self) -> bytes:
        more = (dav.COMPONENTS,) if self.component else ()
        names = (dav.RESOURCETYPE, dav.DISPLAYNAME, dav.PRIVILEGES, dav.OWNER)
        return dav.propfind(*names, self.description, self.color, *more)


CARDDAV = Service(
    "CardDAV",
    "address book",
    "/.well-known/carddav",
    dav.HOME_SET,
    dav.CARD + "addressbook",
    dav.DESCRIPTION,
    dav.COLOR,
)
CALDAV = Service(
    "CalDAV",
    "calendar",
    "/.well-known/caldav",
    dav.CALENDAR_HOME_SET,
    dav.CAL + "calendar",
    dav.CALENDAR_DESCRIPTION,
    dav.CALENDAR_COLOR,
    "VEVENT",
)


@frozen
class Login:
    """Who we are on this server; ``collection`` is set when the URL names one book or calendar."""

    principal: str
    name: str
    homes: tuple[str, ...]
    collection: str = ""


def find_login(transport: Transport, service: Service = CARDDAV, *, anywhere: bool = False) -> Login:
    """The URL may be the server, a principal, a home set or a collection; else ``.well-known`` knows, which
    is asked of a URL with a path if it is to be ``anywhere`` on that server."""
    try:
        return _login_at(transport, transport.start, service)
    except RemoteError as error:
        if error.status is None or isinstance(error, AuthError | TransientError):
            raise
        if transport.start != "/" and not anywhere:
            raise _not_there(transport, error, service) from error
        return _well_known(transport, error, service)


def _well_known(transport: Transport, first: RemoteError, service: Service) -> Login:
    """RFC 6764 section 5; what the root said is the better message when this fails as well."""
    try:
        return _login_at(transport, service.well_known, service)
    except RemoteError as error:
        if isinstance(error, AuthError | TransientError) or error.status is None:
            raise
        raise _not_there(transport, first, service) from error


def _not_there(transport: Transport, error: RemoteError, service: Service) -> RemoteError:
    if isinstance(error, ProtocolError):
        return error
    where = transport.origin + transport.start
    return ProtocolError(
        f"There is no {service.name} server at {where} (status {error.status}).",
        hint=f"Check the URL; the server's manual names its {service.name} address.",
        status=error.status,
    )


def _login_at(transport: Transport, path: str, service: Service) -> Login:
    start, item = _who(transport, path, service)
    one = start if service.is_one(item) else ""
    principals = _paths(transport, item, dav.PRINCIPAL, start, service)
    if not principals:
        return _without_principal(start, item, one, service)
    principal = principals[0]
    if not dav.same_path(principal, start):
        start, item = _who(transport, principal, service)
    homes = _paths(transport, item, service.home_set, start, service)
    if not homes and not one:
        raise _nothing_here(transport.origin, service)
    return Login(principal, item.text(dav.DISPLAYNAME) or _last_part(principal), homes, one)


def _without_principal(start: str, item: dav.Item, one: str, service: Service) -> Login:
    """Some servers name no principal beside a collection; anything else is plain WebDAV."""
    if dav.DAV + "unauthenticated" in item.tags(dav.PRINCIPAL):
        raise AuthError(
            "The server does not know who we are.", hint="Set user name and password.", status=401
        )
    if not one:
        raise _nothing_here(start, service)
    return Login("", item.text(dav.DISPLAYNAME) or _last_part(start), (), one)


def _nothing_here(where: str, service: Service) -> ProtocolError:
    return ProtocolError(
        f"{where} speaks WebDAV but has no {service.thing}s for this login.",
        hint=f"Check the URL; does the server have {service.name}?",
        status=207,
    )


def _who(transport: Transport, path: str, service: Service) -> tuple[str, dav.Item]:
    start, answer = transport.discover(path, service.who)
    item = next((item for item in answer.items if dav.same_path(dav.resolve(item.href, start), start)), None)
    if item is None and len(answer.items) == 1:
        item = answer.items[0]
    if item is None or item.gone:
        # Xandikos says it in the row of a 207
        raise NotFound(f"There is nothing at {transport.origin}{start}.", status=404, href=start)
    return start, item


def _paths(transport: Transport, item: dav.Item, name: str, base: str, service: Service) -> tuple[str, ...]:
    return tuple(local_path(transport, href, base, service) for href in item.hrefs(name))


def local_path(transport: Transport, href: str, base: str, service: Service) -> str:
    """The path of an href; one on another host is followed where the login may go there, and else named
    to the person."""
    host = dav.foreign_host(href, transport.origin)
    if host is None or transport.move_to(href):
        return dav.resolve(href, base)
    raise RemoteError(
        f"The {service.thing}s are on another server, {host}, and the login is not sent there by itself.",
        hint=f"If you trust it, set the account's url to {href}",
    )


def list_collections(
    transport: Transport, login: Login, notes: list[str], service: Service = CARDDAV
) -> list[Collection]:
    """Those of all home sets, and the one that the URL names; ``notes`` gets what is none."""
    found: dict[bytes, Collection] = {}
    for home in login.homes:
        for path, item in _rows(transport, home, 1, service):
            if service.is_one(item):
                found.setdefault(dav.path_key(path), _collection(path, item, login, service))
            elif not dav.same_path(path, home) and (name := item.text(dav.DISPLAYNAME)):
                article = "an" if service.thing[0] in "aeiou" else "a"
                notes.append(f"{name} ({path}) is not {article} {service.thing}.")
    if login.collection and dav.path_key(login.collection) not in found:
        for path, item in _rows(transport, login.collection, 0, service):
            if service.is_one(item):
                found[dav.path_key(path)] = _collection(path, item, login, service)
    return list(found.values())


def _rows(transport: Transport, path: str, depth: int, service: Service) -> Iterator[tuple[str, dav.Item]]:
    for item in transport.multistatus("PROPFIND", path, service.listing, depth).items:
        if not item.gone:
            yield dav.resolve(item.href, path), item


def _collection(path: str, item: dav.Item, login: Login, service: Service) -> Collection:
    owners = item.hrefs(dav.OWNER)
    others = bool(login.principal and owners) and not dav.same_path(
        dav.resolve(owners[0], path), login.principal
    )
    return Collection(
        href=path if path.endswith("/") else path + "/",
        name=item.text(dav.DISPLAYNAME) or _last_part(path),
        writable=is_writable(item),
        shared=dav.CS + "shared" in item.tags(dav.RESOURCETYPE) or others,
        description=item.text(service.description) or "",
        color=item.text(service.color) or "",
    )


def is_writable(item: dav.Item) -> bool:
    """By RFC 3744 section 3; a server that does not tell is believed to allow it."""
    if dav.PRIVILEGES not in item.props:
        return True
    tags = item.tags(dav.PRIVILEGES)
    return bool(tags & _WRITE) or tags >= _WRITE_PARTS


def _last_part(path: str) -> str:
    return unquote(path.rstrip("/").rpartition("/")[2]) or path
