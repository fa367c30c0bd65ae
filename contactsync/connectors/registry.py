"""Connectors by name: those of this distribution and of any other, by the same entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import cast

from contactsync.connectors.base import AccountSettings, Connector, Factory
from contactsync.errors import ConfigError

GROUP = "contactsync.connectors"

#: Ours, for a source tree that is not installed; an entry point of the same name goes first.
BUILT_IN = {
    "carddav": "contactsync.connectors.carddav:factory",
    "gmail": "contactsync.connectors.google:factory",
    "memory": "contactsync.connectors.memory:factory",
    "vdir": "contactsync.connectors.vdir:factory",
}


def available() -> dict[str, EntryPoint]:
    """All connectors that can be named; nothing of them is imported."""
    found = {name: EntryPoint(name, target, GROUP) for name, target in BUILT_IN.items()}
    found.update({point.name: point for point in entry_points(group=GROUP)})
    return dict(sorted(found.items()))


def create(settings: AccountSettings) -> Connector:
    """The connector of an account; `ConfigError` when there is none of that name, or it is broken."""
    return _load(settings)(settings)


def _load(settings: AccountSettings) -> Factory:
    points = available()
    point = points.get(settings.connector)
    if point is None:
        raise ConfigError(
            [f"account {settings.name}: there is no connector {settings.connector!r}"],
            hint=f"There are: {', '.join(points)}.",
        )
    try:
        return cast(Factory, point.load())
    except Exception as error:
        # A foreign distribution may fail in any way; the person needs to know which one it is.
        raise ConfigError(
            [f"account {settings.name}: the connector {point.name!r} cannot be loaded: {error}"],
            hint=f"It is {point.value}; is everything installed that it needs?",
        ) from error
