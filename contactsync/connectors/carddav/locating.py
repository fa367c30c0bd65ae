"""From what a person typed, a URL, a host or a mail address, to the places where its CardDAV may be.

RFC 6764 section 6. `caldav.discovery` does the same, but follows what it finds to any host and by plain
http; here a name server may not send a password to where the person did not point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from contactsync.connectors.carddav.dns_lookup import DnsLookup, Srv
from contactsync.connectors.http import is_loopback
from contactsync.connectors.presets import PATHS, is_below, other_type, preset_for
from contactsync.errors import ConfigError, ProtocolError, RemoteError, TransientError
from contactsync.frozen import frozen


@frozen
class Place:
    """A URL to try, and why. ``also_as`` is the user name to try after the whole mail address was refused
    as one (RFC 6764 section 6)."""

    url: str
    why: str
    also_as: str = ""


@dataclass(slots=True)
class Search:
    """The places for one input, in the order in which they are to be tried; ``notes`` say what was not
    taken, and why."""

    typed: str
    insecure_http: bool = False
    lookup: DnsLookup = field(default_factory=DnsLookup)
    notes: list[str] = field(default_factory=list)

    @property
    def is_url(self) -> bool:
        return "://" in self.typed

    def places(self) -> Iterator[Place]:
        """Raises `ConfigError` for providers that have no CardDAV."""
        if self.is_url:
            yield Place(self.typed, "the URL")
            return
        local, at, domain = self.typed.rpartition("@")
        if not at:
            host, _, rest = domain.partition("/")
            if ":" not in host and not rest:
                yield from self._by_records(host)
            yield Place(f"https://{domain}", "the server itself")
            return
        other = other_type(domain)
        if other is not None:
            raise ConfigError(
                [f"{other[0]} has no CardDAV that keeps all of a contact."],
                hint=f"It needs an account of type {other[1]}.",
            )
        preset = preset_for(domain)
        if preset is not None:
            yield Place(preset.url.format(local=local), f"known address of {preset.name}")
            return
        yield from self._by_records(domain, local)
        yield Place(f"https://{domain}/", "the server of the mail domain", local)

    def _by_records(self, domain: str, local: str = "") -> Iterator[Place]:
        """SRV and TXT (RFC 6764 sections 3 and 4). By priority, then the heaviest: one login takes one
        server, so that there is no load to be shared out."""
        lookup = self.lookup
        for service, scheme in (("_carddavs._tcp", "https"), ("_carddav._tcp", "http")):
            name = f"{service}.{domain}"
            for record in sorted(lookup.srv(name), key=lambda r: (r.priority, -r.weight, r.host, r.port)):
                if self._is_acceptable(record, scheme, domain, name):
                    default = 443 if scheme == "https" else 80
                    port = "" if record.port == default else f":{record.port}"
                    url = f"{scheme}://{record.host}{port}{_path(lookup.txt(name))}"
                    yield Place(url, f"record {name}", local)
        if lookup.silent:
            self.notes.append("No name server answered.")

    def _is_acceptable(self, record: Srv, scheme: str, domain: str, name: str) -> bool:
        if not record.host:
            self.notes.append(f"{name}: not offered there.")
        elif not is_below(record.host, domain):
            self.notes.append(
                f"{name} names {record.host}, which is not of {domain}. "
                f"If you trust it: --url {scheme}://{record.host}:{record.port}/"
            )
        elif scheme == "http" and not (self.insecure_http or is_loopback(record.host)):
            self.notes.append(f"{name} offers plain http only, where everyone on the way can read along.")
        else:
            return True
        return False


def nothing_found(search: Search, failed: Sequence[tuple[str, RemoteError]]) -> RemoteError:
    """What was tried, line by line; temporary when only the network was at fault."""
    tried = [f"{place}: {error.message}" for place, error in failed]
    lines = "\n".join(f"  {line}" for line in [*tried, *search.notes])
    message = f"No CardDAV server was found for {search.typed}. Tried:\n{lines}\n"
    if failed and all(isinstance(error, TransientError) for _, error in failed):
        return TransientError(message, hint="Check the network and the name, and try again.")
    usual = ", ".join(f"{path} ({name})" for name, path in PATHS[:3])
    return ProtocolError(message, hint=f"Give the whole URL with --url. Usual paths: {usual}.")


def _path(texts: Sequence[str]) -> str:
    """``path=/dav`` of a TXT record (RFC 6764 section 4)."""
    found = next((text[5:] for text in texts if text.lower().startswith("path=")), "")
    return found if found.startswith("/") else "/"
