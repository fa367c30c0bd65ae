"""The direction of dependencies, held by a walk over the imports of every module.

`ALLOWED` says which of our own parts a part may import besides itself, `ONLY_IN` where a third-party
package may be imported. Imports inside functions and under TYPE_CHECKING count too: lazy loading saves
time, it does not turn an arrow round. A new part needs a row here before it can be imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PACKAGE = "contactsync"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "frozen": set(),
    "log": set(),
    "config": {"calendar.texts", "errors"},
    "credentials": {"errors", "config"},
    "model": {"errors"},
    "vcard": {"model", "errors"},
    "jscontact": {"model", "vcard", "errors"},
    "csvfiles": {"model", "vcard", "errors"},
    "sync": {"model", "errors"},
    "store": {"model", "sync.types", "errors"},
    "connectors": {"model", "vcard", "errors", "log", "credentials"},
    "exchange": {
        "csvfiles",
        "model",
        "vcard",
        "jscontact",
        "store",
        "sync",
        "connectors.base",
        "engine.hub",
        "engine.report",
        "errors",
    },
    "engine": {"model", "vcard", "sync", "store", "connectors", "errors", "log", "config", "credentials"},
    # What an event is knows contacts only; what a calendar is knows its server or file; `run` joins them.
    "calendar": {"model", "sync.brakes", "errors"},
    "calendar.texts": set(),
    "calendar.state": {"config", "errors"},
    "calendar.icsfile": {"connectors.vdir.files", "errors"},
    "calendar.server": {"connectors", "errors"},
    "calendar.places": {"config", "connectors.base", "errors"},
    "calendar.run": {"config", "engine.report", "sync.brakes", "model", "errors"},
    # It shows the whole, so it stands above all of it; the parts of the engine do not know it.
    "engine.demo": {"api", "exchange", "connectors", "store", "vcard", "model", "config", "errors"},
    "testing": {"model", "vcard", "connectors", "errors"},
    # What other programs embed: it puts the parts below it together, and knows no vCards.
    "api": {
        "engine",
        "exchange",
        "calendar",
        "store",
        "sync",
        "connectors",
        "model",
        "config",
        "credentials",
        "log",
        "errors",
    },
    "daemon": {"api", "config", "connectors.base", "engine.lock", "engine.report", "store.files", "errors"},
    "cli": {
        "api",
        "daemon",
        "engine",
        "exchange",
        "calendar",
        "store",
        "sync",
        "connectors",
        "vcard",
        "jscontact",
        "model",
        "config",
        "credentials",
        "log",
        "errors",
    },
    "__main__": {"cli"},
}

# What a value is made of is not a part of anything.
EVERYWHERE = ("__version__", "frozen")

# What the connectors share; everything else in connectors/ is one kind of remote and stands alone.
SHARED_BY_CONNECTORS = {
    "base",
    "registry",
    "guard",
    "contract",
    "waiting",
    "http",
    "tls",
    "oauth",
    "dav",
    "davlogin",
    "discovery",
    "presets",
    "pacing",
    "portions",
    "outcomes",
    "pictures",
}

ONLY_IN: dict[str, tuple[str, ...]] = {
    "requests": ("connectors.http", "connectors.davlogin"),
    "urllib3": ("connectors.http",),
    "truststore": ("connectors.tls",),
    "caldav": ("connectors.davlogin", "calendar.server"),
    "lxml": ("connectors",),
    "sqlmodel": ("store.tables",),
    "sqlalchemy": ("store.tables", "store.migrations"),
    "alembic": ("store.migrations",),
    "typer": ("cli",),
    "click": ("cli",),
    "rich": ("cli",),
    "keyring": ("credentials",),
    "tomlkit": ("config",),
    "vobject": ("vcard.interop", "vcard.glimpse", "calendar.ics"),
    "phonenumbers": ("model", "vcard", "sync"),
    "rapidfuzz": ("sync",),
    "anyascii": ("model", "sync"),
    "msal": ("connectors.outlook",),
    "watchfiles": ("daemon.places",),
}


def modules() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name without the package's own ("" is the root)."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def inside(name: str, places: Iterable[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def own_part(imported: str) -> str | None:
    """``contactsync.sync.types.Base`` -> ``sync.types.Base``; None for other people's packages."""
    head, _, rest = imported.partition(".")
    return rest if head == PACKAGE else None


def kind_of_remote(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] != "connectors" or len(parts) < 2 or parts[1] in SHARED_BY_CONNECTORS:
        return None
    return parts[1]


def wrong_own(module: str, target: str) -> bool:
    """Whether ``module`` may not import ``target`` (both without the package's name)."""
    part = module.split(".")[0]
    if target.split(".")[0] == part:
        ours, theirs = kind_of_remote(module), kind_of_remote(target)
        return theirs is not None and ours != theirs
    allowed = ALLOWED.get(module, ALLOWED.get(part, set()))
    return not inside(target, {*EVERYWHERE, *allowed})


def wrong_foreign(module: str, imported: str) -> bool:
    places = ONLY_IN.get(imported.split(".")[0])
    return places is not None and not inside(module, places)


def violations(trees: Mapping[str, ast.Module]) -> list[str]:
    found = []
    for module, tree in trees.items():
        for line, imported in imports(tree):
            target = own_part(imported)
            wrong = wrong_foreign(module, imported) if target is None else wrong_own(module, target)
            if wrong:
                found.append(f"{PACKAGE}.{module}:{line} must not import {imported}")
    return found


def module_of(target: str, known: Iterable[str]) -> str | None:
    """The module that an import reaches: ``sync.types.Base`` -> ``sync.types``."""
    while target and target not in known:
        target = target.rpartition(".")[0]
    return target or None


def cycle(trees: Mapping[str, ast.Module]) -> list[str]:
    """The modules of one import cycle, or nothing."""
    arrows = {
        module: {
            reached
            for _, imported in imports(tree)
            if (target := own_part(imported)) and (reached := module_of(target, trees)) not in (None, module)
        }
        for module, tree in trees.items()
    }
    done: set[str] = set()
    for start in arrows:
        if found := _walk(start, arrows, [], done):
            return found
    return []


def _walk(module: str, arrows: Mapping[str, set[str]], path: list[str], done: set[str]) -> list[str]:
    if module in path:
        return [*path[path.index(module) :], module]
    if module in done:
        return []
    for reached in sorted(arrows[module]):
        if found := _walk(reached, arrows, [*path, module], done):
            return found
    done.add(module)
    return []


def parsed(**sources: str) -> dict[str, ast.Module]:
    return {name.replace("__", "."): ast.parse(source) for name, source in sources.items()}


def test_imports_point_downwards_and_libraries_stay_at_home() -> None:
    assert violations(modules()) == []


def test_there_is_no_import_cycle() -> None:
    assert cycle(modules()) == []


def test_every_part_of_the_package_has_a_row() -> None:
    assert {name.split(".")[0] for name in modules() if name} <= set(ALLOWED)


def test_an_arrow_upwards_is_found_also_inside_a_function() -> None:
    lazy = "def f():\n    from contactsync.store.store import Store"
    assert violations(parsed(sync__plan=lazy)) == [
        "contactsync.sync.plan:2 must not import contactsync.store.store.Store"
    ]
    assert violations(parsed(model__contact="import contactsync.vcard.codec"))
    assert violations(parsed(unheard_of="from contactsync import errors"))


def test_the_store_knows_the_types_of_sync_and_no_more() -> None:
    assert not violations(parsed(store__store="from contactsync.sync.types import Base"))
    assert violations(parsed(store__store="from contactsync.sync.plan import plan"))


def test_only_migrations_know_the_declared_tables() -> None:
    """They load SQLModel and SQLAlchemy, which no ordinary run may do."""
    known = {
        module
        for module, tree in modules().items()
        for _, imported in imports(tree)
        if inside(imported, [f"{PACKAGE}.store.tables"])
    }
    assert known and all(inside(module, ["store.migrations"]) for module in known)


def test_one_kind_of_remote_does_not_know_another() -> None:
    shared = "from contactsync.connectors import http\nfrom contactsync.connectors.carddav import groupcards"
    assert not violations(parsed(connectors__carddav__connector=shared))
    other = "from contactsync.connectors.memory import MemoryConnector"
    assert violations(parsed(connectors__carddav__connector=other))
    assert violations(parsed(connectors__base=other))


def test_a_library_away_from_home_is_found() -> None:
    assert violations(parsed(engine__run="import requests"))
    assert violations(parsed(vcard__codec="def f():\n    import vobject.base"))
    assert violations(parsed(engine__report="from rich.table import Table"))
    assert not violations(parsed(connectors__http="from urllib3.util import Retry"))


def test_a_cycle_is_found() -> None:
    trees = parsed(
        sync__plan="from contactsync.sync import merge",
        sync__merge="from contactsync.sync.diff import diff",
        sync__diff="from contactsync.sync.plan import plan",
    )
    assert cycle(trees) == ["sync.plan", "sync.merge", "sync.diff", "sync.plan"]
