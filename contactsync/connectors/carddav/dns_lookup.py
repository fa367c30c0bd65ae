"""SRV and TXT records by dnspython, which is loaded only when an account is being added."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from contactsync.frozen import frozen

if TYPE_CHECKING:
    from dns.resolver import Resolver

NAME_SERVER = "CONTACTSYNC_NAME_SERVER"
_SECONDS = 5.0


@frozen
class Srv:
    """An SRV record (RFC 2782); ``host`` without the final dot, empty for "not offered"."""

    priority: int
    weight: int
    port: int
    host: str


class DnsLookup:
    """The name servers of this machine, or the one that the environment names (address:port).

    ``silent`` tells that none of them answered.
    """

    def __init__(self) -> None:
        self.silent = False

    def srv(self, name: str) -> Sequence[Srv]:
        return [
            Srv(row.priority, row.weight, row.port, row.target.to_text(omit_final_dot=True).strip("."))
            for row in self._ask(name, "SRV")
        ]

    def txt(self, name: str) -> Sequence[str]:
        return [b"".join(row.strings).decode("utf-8", "replace") for row in self._ask(name, "TXT")]

    def _ask(self, name: str, kind: str) -> list[Any]:
        from dns.exception import DNSException
        from dns.resolver import NXDOMAIN, NoAnswer

        try:
            return list(_resolver().resolve(name, kind, lifetime=_SECONDS, search=False))
        except (NXDOMAIN, NoAnswer):
            return []
        except DNSException:
            self.silent = True
            return []


def _resolver() -> Resolver:
    from dns.resolver import Resolver

    server = os.environ.get(NAME_SERVER, "")
    if not server:
        return Resolver()
    host, _, port = server.rpartition(":")
    resolver = Resolver(configure=False)
    resolver.nameservers, resolver.port = [host], int(port)
    return resolver
