"""Servers for all tests: each is started once, at its first use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import servers
from tests.servers import Server


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
