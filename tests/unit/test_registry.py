"""Connectors by name."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from contactsync.connectors import registry
from contactsync.connectors.base import AccountSettings
from contactsync.connectors.carddav import CardDavConnector
from contactsync.connectors.memory import MemoryConnector
from contactsync.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def settings(connector: str, url: str = "") -> AccountSettings:
    return AccountSettings("home", connector, url)


def test_ours_are_made_by_name() -> None:
    dav = registry.create(settings("carddav", "https://dav.example/"))
    assert isinstance(dav, CardDavConnector)
    dav.close()
    assert isinstance(registry.create(settings("memory")), MemoryConnector)


def test_the_url_names_the_memory_server() -> None:
    one, same, other = (registry.create(settings("memory", name)) for name in ("a", "a", "b"))
    assert isinstance(one, MemoryConnector)
    assert isinstance(same, MemoryConnector)
    assert isinstance(other, MemoryConnector)
    assert one.server is same.server is not other.server


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match="no connector 'cardav'") as caught:
        registry.create(settings("cardav"))
    assert "carddav, gmail, memory" in str(caught.value)
    assert "home" in str(caught.value)


def test_ours_are_found_without_installed_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    assert isinstance(registry.create(settings("memory")), MemoryConnector)


def test_ours_are_the_entry_points_of_this_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"][registry.GROUP] == registry.BUILT_IN
    assert project["name"] == registry.OUR_DISTRIBUTION


def test_ours_have_no_options() -> None:
    with pytest.raises(ConfigError, match="'memory' has no options"):
        registry.create(AccountSettings("home", "memory", options={"depth": 3}))


@pytest.mark.parametrize("target", ["no_such_package:factory", "contactsync.errors:no_such_name"])
def test_a_broken_one_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [EntryPoint("broken", target, group)])
    with pytest.raises(ConfigError, match=r"'broken' cannot be loaded: .*no_such"):
        registry.create(settings("broken"))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://dav.example/", "url must look like"),
        ("", "url must look like"),
        ("https://a:b@dav.example/", "password"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_mistake_in_the_configuration(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        registry.create(settings("carddav", url))
