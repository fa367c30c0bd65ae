"""The servers by the name of their fixture, and lists of them to give to a test."""

from __future__ import annotations

from typing import Any

import pytest

NAMES = {
    "radicale": "Radicale 3.9",
    "radicale31": "Radicale 3.1",
    "xandikos": "Xandikos",
    "xandikos_tls": "Xandikos, TLS",
    "cyrus": "Cyrus 3.6",
    "sabre18": "sabre/dav 1.8",
}


def each_server(*everyday: str) -> list[Any]:
    """Parameters: all servers, of which only these are for `make test`."""
    return [name if name in everyday else pytest.param(name, marks=pytest.mark.servers) for name in NAMES]
