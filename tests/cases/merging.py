"""Reads the cases of ``merge/*.toml`` and plays them through the planner. README.md describes their form."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from contactsync.model.contact import Contact
from contactsync.model.fields import FIELD, flatten, path_text, unit_text
from contactsync.model.jsonform import from_json
from contactsync.sync.diff import aligned
from contactsync.sync.plan import WHOLE, Rules, plan
from contactsync.sync.types import (
    NO_BASE,
    Action,
    Base,
    Clash,
    CreateRemote,
    DeleteRemote,
    DropLocal,
    Hub,
    Live,
    Mode,
    NoteConflict,
    Policy,
    Rebase,
    SaveLocal,
    Seen,
    Unlink,
    UpdateRemote,
)

FOLDER = Path(__file__).resolve().parent / "merge"
DELETED = "deleted"
NOBODY = Contact(uid="ada")
DAY = date(2026, 3, 1)

ABOUT = ("title", "why", "group", "number", "laws", "rules", "pain")
SETTING = ("policy", "mode", "dead_groups", "times", "remote_can")
STATES = ("base", "base_at_remote", "device", "remote", "expected")
TOLD = frozenset({*ABOUT, *SETTING, *STATES})
GROUPS = (
    "Edits that cross",
    "What is no edit",
    "The same thing on both sides",
    "Notes",
    "Groups",
    "Photos and unknown properties",
    "A remote that shows less",
    "Deletions",
    "First meetings",
    "One-way books",
)
PLAIN = {
    "nicknames": "name",
    "emails": "address",
    "phones": "number",
    "organizations": "name",
    "titles": "name",
    "links": "uri",
    "related_to": "target",
    "notes": "text",
    "media": "sha256",
}
"""What a bare text in a list stands for."""


@dataclass(frozen=True, slots=True)
class Case:
    """One file. A side that is None is deleted; ``told`` is the file as it stands."""

    name: str
    told: Mapping[str, Any]
    base: Base
    device: Contact | None
    remote: Contact | None
    expected_device: Contact | None
    expected_remote: Contact | None

    @property
    def title(self) -> str:
        return str(self.told["title"])

    @property
    def conflicts(self) -> list[dict[str, str]]:
        return list(self.told["expected"].get("conflicts", []))

    def project(self, contact: Contact) -> Contact:
        """What the remote of this case can show of a contact."""
        return _shown(self.told.get("remote_can", {}), contact)

    def at(self, side: str) -> datetime | None:
        time = self.told.get("times", {}).get(side)
        return datetime.combine(DAY, time, UTC) if time else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Both sides after a round (None: deleted), the sides that were written, and the shadows; no
    shadows where contact and card have let go of each other. ``interim`` are the shadows as long as
    an update of the card is not confirmed."""

    device: Contact | None
    remote: Contact | None
    written: frozenset[str]
    conflicts: list[dict[str, str]]
    base: Base | None
    interim: Base | None


def load_all() -> list[Case]:
    return [load(path.stem, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))]


def load(name: str, text: str) -> Case:
    told = tomllib.loads(text)
    assert told.keys() <= TOLD, f"{name}: unknown {sorted(told.keys() - TOLD)}"
    local = _with(NOBODY, told.get("base", {}))
    far = _with(_shown(told.get("remote_can", {}), local), told.get("base_at_remote", {}))
    expected = told["expected"]
    both = expected.get("both", {})
    assert ("written" in expected) != bool(expected.keys() & {"both", "device", "remote"}), name
    device, remote = _side(local, told.get("device", {})), _side(far, told.get("remote", {}))
    quiet = expected.get("written") == "nothing"
    return Case(
        name,
        told,
        Base(local, far) if local != NOBODY or far != NOBODY else NO_BASE,
        device,
        remote,
        device if quiet else _expected(local, device, both, expected.get("device")),
        remote if quiet else _expected(far, remote, both, expected.get("remote")),
    )


def _expected(
    shadow: Contact, now: Contact | None, both: Mapping[str, Any], own: str | Mapping[str, Any] | None
) -> Contact | None:
    """A side that nothing is said of stays as it is."""
    if isinstance(own, str):
        return _side(shadow, own)
    return _with(shadow, {**both, **(own or {})}) if both or own is not None else now


def _side(shadow: Contact, told: str | Mapping[str, Any]) -> Contact | None:
    if isinstance(told, str):
        assert told == DELETED, told
        return None
    return _with(shadow, told)


def _with(contact: Contact, told: Mapping[str, Any]) -> Contact:
    """The contact with the fields that a table names, read as the documents of the store are."""
    read = from_json(Contact, {field: _spelled_out(field, value) for field, value in told.items()})
    return replace(contact, **{field: getattr(read, field) for field in told})


def _spelled_out(field: str, value: Any) -> Any:
    if field == "name" and isinstance(value, str):
        return {"full": value}
    if field in PLAIN:
        return [{PLAIN[field]: entry} if isinstance(entry, str) else entry for entry in value]
    return value


def _shown(limits: Mapping[str, Any], contact: Contact) -> Contact:
    """A remote with room for some fields only, for the best k entries (L10), for the first
    characters of a note, or for some words about phones only."""
    shown = {
        name: getattr(contact, name) for name in limits.get("hold_fields", FIELD) if getattr(contact, name)
    }
    for name, count in limits.get("hold_entries", {}).items():
        best = sorted(shown.get(name, ()), key=lambda entry: entry.pref or 100)[:count]
        shown[name] = tuple(entry for entry in shown.get(name, ()) if entry in best)
    if length := limits.get("hold_characters"):
        shown["notes"] = tuple(replace(note, text=note.text[:length]) for note in contact.notes)
    if "hold_features" in limits:
        known = frozenset(limits["hold_features"])
        shown["phones"] = tuple(replace(p, features=p.features & known) for p in contact.phones)
    if not limits.get("hold_labels", True):
        shown["emails"] = tuple(replace(email, label="") for email in shown.get("emails", ()))
    return Contact(uid=contact.uid, **shown)


def play(case: Case) -> Outcome:
    """The first round."""
    hub = Hub(case.device or case.base.local, case.device is None, _times(case))
    return _round(case, case.base, hub, case.remote)


def play_again(case: Case, first: Outcome) -> Outcome:
    """One more round, in which nobody has edited anything."""
    if first.base is None:
        return replace(first, written=frozenset(), conflicts=[])
    return _round(case, first.base, _after(case, first), first.remote)


def play_after_a_crash(case: Case, first: Outcome) -> Outcome:
    """One more round, in which the update of the card never left."""
    assert first.interim
    return _round(case, first.interim, _after(case, first), case.remote)


def _after(case: Case, first: Outcome) -> Hub:
    return Hub(first.device or case.base.local, first.device is None, _times(case))


def _times(case: Case) -> dict[str, datetime]:
    when = case.at("device")
    if when is None:
        return {}
    shadow = flatten(case.base.local)
    units = aligned(case.device or case.base.local, shadow)
    return {path_text(path): when for path in (*shadow.values, *units.values)}


def _round(case: Case, base: Base, hub: Hub, card: Contact | None) -> Outcome:
    told = case.told
    rules = Rules(
        policy=Policy(told.get("policy", "newest")),
        mode=Mode(told.get("mode", "two-way")),
        dead_groups=frozenset(told.get("dead_groups", ())),
    )
    seen = Live(card, case.at("remote")) if card is not None else Seen.GONE
    actions = plan(base, hub, seen, project=case.project, rules=rules)
    return _carried_out(actions, None if hub.deleted else hub.contact, card, base, case.project)


def _carried_out(
    actions: list[Action],
    device: Contact | None,
    card: Contact | None,
    base: Base | None,
    project: Callable[[Contact], Contact],
) -> Outcome:
    written, interim = set(), None
    for action in actions:
        match action:
            case SaveLocal(contact, _):
                device = contact
                written.add("device")
            case DropLocal():
                device = None
                written.add("device")
            case UpdateRemote(target, shadows, meanwhile):
                card, base, interim = target, shadows, meanwhile
                written.add("remote")
            case CreateRemote(contact):
                card = project(contact)
                base = Base(contact, card)
                written.add("remote")
            case DeleteRemote():
                card = None
                written.add("remote")
            case Rebase(shadows):
                base = shadows
            case Unlink():
                base = None
    conflicts = [_record(action.clash) for action in actions if isinstance(action, NoteConflict)]
    return Outcome(device, card, frozenset(written), conflicts, base, interim)


def _record(clash: Clash) -> dict[str, str]:
    winner = {"local": "device", "remote": "remote", None: "nobody"}[clash.winner]
    record = {"unit": path_text(clash.path), "winner": winner}
    if clash.path != WHOLE:
        values = {"base": clash.base, "device": clash.local, "remote": clash.remote}
        record |= {side: text for side, value in values.items() if (text := unit_text(clash.path, value))}
    return record
