"""Servers for all tests: each is started once, at its first use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import debian_servers, servers
from tests.servers import Server

# How long an example takes says something about the machine, and nothing about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def radicale() -> Iterator[Server]:
    with servers.radicale() as server:
        yield server


@pytest.fixture(scope="session")
def radicale31() -> Iterator[Server]:
    with servers.radicale31() as server:
        yield server


@pytest.fixture(scope="session")
def xandikos() -> Iterator[Server]:
    with servers.xandikos() as server:
        yield server


@pytest.fixture(scope="session")
def xandikos_tls() -> Iterator[Server]:
    with servers.xandikos_tls() as server:
        yield server


@pytest.fixture(scope="session")
def cyrus() -> Iterator[Server]:
    _need("cyrus")
    with debian_servers.cyrus() as server:
        yield server


@pytest.fixture(scope="session")
def sabre18() -> Iterator[Server]:
    _need("sabre18")
    with debian_servers.sabre18() as server:
        yield server


def _need(name: str) -> None:
    if why := debian_servers.missing(name):
        pytest.skip(why)
