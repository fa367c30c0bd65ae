"""The demo from its start to its end, and that its check can fail."""

from __future__ import annotations

import importlib.util
import io
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from contactsync.config import load
from contactsync.engine import demo
from contactsync.engine.demo import run_demo
from contactsync.engine.demo_check import Ledger, disagreements
from contactsync.errors import UsageError
from contactsync.model.contact import Contact, Email, Name, Note

ADA = Contact(uid="ada", name=Name(full="Ada"), emails=(Email("ada@x.example"),))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo makes its folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.law("P1", "P3", "L16", "L23")
def test_the_demo_ends_in_agreement_and_leaves_nothing_behind(place: Path) -> None:
    out = io.StringIO()
    assert run_demo(out) == 0, out.getvalue()
    text = out.getvalue()
    assert "agree on all 23 contacts" in text
    assert "contactsync conflict resolve" in text
    assert "X-FAVOURITE-COLOUR" in text
    assert list(place.iterdir()) == []


def test_kept_folders_are_named_with_commands_that_fit(place: Path) -> None:
    out = io.StringIO()
    assert run_demo(out, keep=True) == 0
    (folder,) = place.iterdir()
    text = out.getvalue()
    for name in ("Phone", "Laptop"):
        assert load(folder / name / "config.toml").account("home").username == "demo"
        assert (folder / name / "contacts.db").exists()
    assert f"--data-dir {folder / 'Phone'} contact list" in text
    assert f"-C {folder / 'server' / 'config'}" in text


@pytest.mark.law("P3")
def test_the_check_sees_devices_that_do_not_agree(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ROUNDS", 1)
    out = io.StringIO()
    assert run_demo(out) == 1
    assert "something still moves" in out.getvalue()
    assert "differs between Phone and Laptop" in out.getvalue()


def test_a_terminal_that_knows_few_letters_is_no_obstacle(place: Path) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert run_demo(out) == 0
    out.seek(0)
    assert "?sa Lindqvist" in out.read()


def test_without_its_server_the_demo_says_how_to_get_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="not installed") as caught:
        run_demo(io.StringIO())
    assert "contactsync[demo]" in caught.value.hint
    assert list(place.iterdir()) == []


@pytest.mark.law("P1")
def test_a_value_that_is_nowhere_any_more_is_found() -> None:
    ledger = Ledger()
    ledger.add(ADA)
    assert ledger.lost([ADA], []) == []
    assert ledger.lost([replace(ADA, emails=())], []) == ["ada@x.example"]
    ledger.edit(ADA, replace(ADA, emails=()))
    assert ledger.lost([replace(ADA, emails=())], []) == []


@pytest.mark.law("P3")
def test_replicas_are_compared_both_ways() -> None:
    other = replace(ADA, notes=(Note("more"),))
    assert disagreements("A", {"1": ADA}, "B", {"1": ADA}) == []
    assert disagreements("A", {"1": ADA}, "B", {"1": other}) == ["Ada differs between A and B: notes/note"]
    assert disagreements("A", {"1": ADA}, "B", {}) == ["Ada is missing: B"]
    assert disagreements("A", {}, "B", {"1": ADA}) == ["Ada is missing: A"]
