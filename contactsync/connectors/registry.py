"""Connectors by name: ours, and by entry points those of any other distribution.

A name of ours is always ours: a login that a person gave to it never goes to somebody else's code. Where two
other distributions offer one name, none of them is used, for the same reason.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from contactsync.connectors.base import CONTRACT, AccountSettings, Connector, Factory
from contactsync.errors import ConfigError

GROUP = "contactsync.connectors"
OUR_DISTRIBUTION = "contactsync"

#: Ours, also in a source tree that is not installed.
BUILT_IN = {
    "carddav": "contactsync.connectors.carddav:factory",
    "gmail": "contactsync.connectors.google:factory",
    "memory": "contactsync.connectors.memory:factory",
    "outlook": "contactsync.connectors.outlook:factory",
    "vdir": "contactsync.connectors.vdir:factory",
}


def by_others() -> dict[str, list[EntryPoint]]:
    """What other distributions offer, also under names of ours; nothing of them is imported."""
    points = [point for point in entry_points(group=GROUP) if not _is_ours(point)]
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(points, key=lambda point: (point.name, package_of(point))):
        found.setdefault(point.name, []).append(point)
    return found


def package_of(point: EntryPoint) -> str:
    """The distribution of an entry point and its version, like ``contactsync-jsonl 1.0``."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


def _is_ours(point: EntryPoint) -> bool:
    if BUILT_IN.get(point.name) == point.value:
        return True  # and its metadata need not be read
    name = point.dist.name if point.dist else ""
    return re.sub(r"[-_.]+", "-", name).lower() == OUR_DISTRIBUTION


def origin_of(name: str) -> str:
    """Whose the connector of that name is: "" for ours and for one that is not there."""
    if name in BUILT_IN:
        return ""
    return " and ".join(package_of(point) for point in by_others().get(name, []))


def refused() -> list[tuple[str, str]]:
    """(name, why) of everything that other distributions offer in vain."""
    found = []
    for name, points in by_others().items():
        packages = " and ".join(map(package_of, points))
        if name in BUILT_IN:
            found.append((name, f"{packages} offers a connector {name!r}, which stays that of contactsync."))
        elif len(points) > 1:
            found.append((name, f"{packages} offer a connector {name!r}, and none of them is used."))
    return found


def create(settings: AccountSettings) -> Connector:
    """The connector of an account, one by others held to its contract; `ConfigError` when there is none of
    that name, or it cannot be used. Raises what the factory may raise."""
    ours = BUILT_IN.get(settings.connector)
    if ours is None:
        return _by_others(settings)
    if settings.options:
        raise _wrong(settings, f"the connector {settings.connector!r} has no options")
    point = EntryPoint(settings.connector, ours, GROUP)
    return _loaded(settings, point, "Is everything installed that it needs?")(settings)


def _by_others(settings: AccountSettings) -> Connector:
    from contactsync.connectors.guard import Origin, guard

    point = _only_one(settings)
    dist = point.dist
    origin = Origin(point.name, dist.name, dist.version) if dist else Origin(point.name)

    def make() -> object:
        hint = f"It is {point.value} of {package_of(point)}; is everything installed that it needs?"
        factory = _loaded(settings, point, hint)
        _check_contract(settings, point)
        return factory(settings)

    return guard(make, origin, settings.give_up_after)


def _only_one(settings: AccountSettings) -> EntryPoint:
    others = by_others()
    points = others.get(settings.connector, [])
    if len(points) == 1:
        return points[0]
    if points:
        packages = " and ".join(map(package_of, points))
        raise _wrong(
            settings,
            f"{packages} offer a connector {settings.connector!r}, so none of them is used",
            "Uninstall those that are not meant.",
        )
    names = ", ".join(sorted({*BUILT_IN, *others}))
    hint = f"There are: {names}. Is the distribution installed that it comes with?"
    raise _wrong(settings, f"there is no connector {settings.connector!r}", hint)


def _loaded(settings: AccountSettings, point: EntryPoint, hint: str) -> Factory:
    try:
        found = point.load()
    except (Exception, SystemExit) as error:
        from contactsync.connectors.contract import described

        # A distribution may fail in any way; the person needs to know which one it is.
        what = f"the connector {point.name!r} cannot be loaded: {described(error)}"
        raise _wrong(settings, what, hint) from error
    if not callable(found):
        raise _wrong(settings, f"the connector {point.name!r} cannot be loaded: it is no function", hint)
    return cast(Factory, found)


def _check_contract(settings: AccountSettings, point: EntryPoint) -> None:
    """Before it gets to see anything of the account."""
    theirs = getattr(sys.modules.get(point.module), "CONTRACT", None)
    if theirs == CONTRACT:
        return
    package = package_of(point)
    if not isinstance(theirs, int):
        what = f"{package} does not say for which contract its connector {point.name!r} was written"
        hint = f"Its author has to: CONTRACT = {CONTRACT} in {point.module}."
    else:
        what = f"the connector {point.name!r} of {package} was written for contract {theirs}, and this "
        what += f"contactsync has contract {CONTRACT}"
        hint = f"Update {point.dist.name if point.dist else 'it'}." if theirs < CONTRACT else ""
        hint = hint or "Update contactsync."
    raise _wrong(settings, what, hint)


def _wrong(settings: AccountSettings, what: str, hint: str = "") -> ConfigError:
    return ConfigError([f"account {settings.name}: {what}"], hint=hint)
