"""Distributions by others, each with a connector, put where Python finds them as installed ones."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from textwrap import dedent

import pytest

from contactsync.connectors import registry
from tests.cli.conftest import cli

__all__ = ["cli", "install"]

Install = Callable[..., str]
_numbers = count(1)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``install(source, connector="odd", name="contactsync-odd", version="1.0")`` makes a distribution of one
    module; the module's name. Its entry point names ``factory`` in it, or another ``target``."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    made: list[str] = []

    def install_(
        source: str,
        connector: str = "odd",
        name: str = "contactsync-odd",
        version: str = "1.0",
        target: str = "factory",
    ) -> str:
        module = f"odd_connector_{next(_numbers)}"
        (site / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        points = f"[{registry.GROUP}]\n{connector} = {module}:{target}\n"
        (info / "entry_points.txt").write_text(points)
        importlib.invalidate_caches()
        made.append(module)
        return module

    yield install_
    for module in made:
        sys.modules.pop(module, None)
