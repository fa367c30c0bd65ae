"""Microsoft's clouds: whoever is logged in at one of these hosts has the mailbox behind that Graph (facts:
accounts, clouds)."""

from __future__ import annotations

from urllib.parse import urlsplit

from contactsync.connectors.http import is_loopback, require_private
from contactsync.errors import ConfigError, RemoteError
from contactsync.frozen import frozen

LOGIN = "https://login.microsoftonline.com"
VERSION = "/v1.0"
ANYONE = "common"
GRAPHS = {
    "login.microsoftonline.com": "https://graph.microsoft.com",
    "login.microsoftonline.us": "https://graph.microsoft.us",
    "login.partner.microsoftonline.cn": "https://microsoftgraph.chinacloudapi.cn",
}
ROOT = GRAPHS["login.microsoftonline.com"] + VERSION


@frozen
class Authority:
    """Where one logs in. ``url`` is what the library is told; ``instead_of`` and ``at`` say which beginning
    of its URLs stands for a server on this machine, as the library itself takes no plain http."""

    url: str
    graph: str
    instead_of: str = ""
    at: str = ""

    @property
    def scope(self) -> str:
        """https://learn.microsoft.com/graph/permissions-reference#contactsreadwrite"""
        return f"{self.graph}/Contacts.ReadWrite"


def root_of(text: str) -> str:
    """The root of the Graph that belongs to an authority. Raises `ConfigError`."""
    return authority_of(text).graph + VERSION


def authority_of(text: str) -> Authority:
    """From a URL, or from what follows the usual host: ``common``, ``consumers``, ``organizations`` or a
    tenant. Raises `ConfigError`."""
    url = text.rstrip("/") if "://" in text else f"{LOGIN}/{text.strip('/') or ANYONE}"
    parts = urlsplit(url)
    path = parts.path.strip("/") or ANYONE
    if not parts.hostname or "/" in path or parts.scheme not in ("http", "https"):
        raise ConfigError([f"{text}: an authority looks like {LOGIN}/{ANYONE}"])
    try:
        require_private(url, insecure_http=False)
    except RemoteError as error:
        raise ConfigError([f"{text}: {error.message}"]) from None
    usual = GRAPHS["login.microsoftonline.com"]
    if is_loopback(parts.hostname):
        return Authority(f"{LOGIN}/{path}", usual, LOGIN, f"{parts.scheme}://{parts.netloc}")
    return Authority(f"{parts.scheme}://{parts.netloc}/{path}", GRAPHS.get(parts.netloc, usual))
