"""A record of what was asked and answered, fit to be shown to strangers with a bug report.

Logins are left out. Of cards and events the names of properties, their types and the shape of their values
stay, and every letter and digit of a value is replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from contactsync.connectors.base import Exchange

HEAD = """\
What contactsync asked a server, and what it answered.
Masked: logins, cookies, the values of contacts, display names, query strings.
Not masked: host and paths (your login and the UIDs of cards may be in them), etags, sync tokens.
Look through it before you give it to anybody.
"""
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "authentication-info"})
_CARD = re.compile(r"BEGIN:(VCARD|VCALENDAR)\b.*?(?:END:\1\b|\Z)", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(
    r"(<(?:\w+:)?(?:displayname|addressbook-description|calendar-description)\b[^>]*>)([^<]*)", re.IGNORECASE
)
_OPEN = frozenset(
    {
        "BEGIN",
        "END",
        "VERSION",
        "KIND",
        "X-ADDRESSBOOKSERVER-KIND",
        "PRODID",
        "REV",
        "DTSTAMP",
        "RRULE",
        "TRANSP",
        "TRIGGER",
    }
)
# What the answers of providers say of themselves, by key; everything else in them is somebody's.
_OPEN_KEYS = frozenset(
    [
        "@odata.context",
        "@odata.deltaLink",
        "@odata.etag",
        "@odata.nextLink",
        "@odata.type",
        "@type",
        "Content-Type",
        "If-Match",
        "Prefer",
        "Preference-Applied",
        "Retry-After",
        "changeKey",
        "client-request-id",
        "code",
        "contactGroupId",
        "contactGroupResourceName",
        "createdDateTime",
        "date",
        "default",
        "deleted",
        "domain",
        "etag",
        "groupType",
        "httpStatusCode",
        "id",
        "lastModifiedDateTime",
        "message",
        "metadata",
        "method",
        "nextPageToken",
        "nextSyncToken",
        "objectType",
        "parentFolderId",
        "personFields",
        "primary",
        "readMask",
        "reason",
        "request-id",
        "requestedResourceName",
        "resourceName",
        "resourceNames",
        "resourceNamesToAdd",
        "resourceNamesToRemove",
        "sourcePrimary",
        "sources",
        "status",
        "totalItems",
        "totalPeople",
        "updateGroupFields",
        "updateMask",
        "updateTime",
    ]
)
_LONG_KEYS = frozenset({"photoBytes", "url"})
_PLAIN = frozenset({"TYPE", "VALUE", "ENCODING", "CHARSET", "PREF"})


class Transcript:
    """A file for the owner only, complete after each answer, whatever becomes of the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(self._file, 0o600)
        self._lock = threading.Lock()
        os.write(self._file, HEAD.encode())

    def __enter__(self) -> Transcript:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def __call__(self, exchange: Exchange) -> None:
        parts = urlsplit(exchange.url)
        query = "?***" if parts.query else ""
        lines = [
            f"\n> {exchange.method} {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{query}",
            *_headers("> ", exchange.sent_headers),
            masked(exchange.sent),
            f"< {exchange.status or 'no answer: ' + exchange.trouble}",
            *_headers("< ", exchange.headers),
            masked(exchange.body),
        ]
        text = "\n".join(line for line in lines if line) + "\n"
        with self._lock:
            os.write(self._file, text.encode(errors="replace"))


def _headers(mark: str, headers: Mapping[str, str | bytes]) -> Iterable[str]:
    for name, value in headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        yield f"{mark}{name}: {'***' if name.lower() in _SECRET else text}"


def masked(body: bytes) -> str:
    """A body with the values of cards, events and display names replaced letter by letter."""
    text = body.decode("utf-8", "replace")
    if text[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            return json.dumps(_masked_json(json.loads(text)), ensure_ascii=False)
    text = _NAME.sub(lambda found: found[1] + _veiled(found[2]), text)
    return _CARD.sub(lambda found: "\n".join(_lines(found[0])), text)


def _masked_json(content: Any, key: str = "") -> Any:
    """Numbers too are values of a contact: a birthday."""
    if isinstance(content, dict):
        return {name: _masked_json(part, name) for name, part in content.items()}
    if isinstance(content, list):
        return [_masked_json(part, key) for part in content]
    if key in _OPEN_KEYS or isinstance(content, bool) or content is None:
        return content
    if key in _LONG_KEYS:
        path, query, _ = str(content).partition("?")
        return f"{path}{query}***" if path.startswith("/") else "***"
    return _veiled(content) if isinstance(content, str) else 0


def _lines(card: str) -> Iterable[str]:
    opened = False
    for line in card.splitlines():
        if line[:1] in (" ", "\t"):
            yield line if opened else _veiled(line)
            continue
        head, colon, value = line.partition(":")
        name, *params = head.split(";")
        opened = name.rpartition(".")[2].upper() in _OPEN
        shown = ";".join([name, *(_param(param) for param in params)])
        yield f"{shown}{colon}{value if opened else _veiled(value)}"


def _param(param: str) -> str:
    name, sign, value = param.partition("=")
    return param if not sign or name.upper() in _PLAIN else f"{name}={_veiled(value)}"


def _veiled(text: str) -> str:
    return "".join("x" if c.isalpha() else "0" if c.isdigit() else c for c in text)
