"""Holds the pages to the code: links, commands, keys, errors, tables, and the worked cases.

``python -m tests.test_docs`` writes the generated parts of the pages anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contactsync.model.contact import Contact, Email, Name, Note, Phone, Title
from contactsync.model.fields import FIELDS, Field, Kind, path_text
from contactsync.sync.plan import Rules, plan
from contactsync.sync.types import (
    NO_BASE,
    Base,
    CreateRemote,
    DeleteRemote,
    DropLocal,
    Hub,
    Live,
    NoteConflict,
    Policy,
    SaveLocal,
    Seen,
    UpdateRemote,
)

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
DECIDES = DOCS / "how-it-decides.md"


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- the worked cases of how-it-decides.md -------------------------------------------------------

CASE = re.compile(
    r"^### (?P<title>.+)\n(?:(?!###).*\n)*?<!-- case(?P<options>[^>]*)-->\n(?P<table>(?:\|.*\n)+)",
    re.MULTILINE,
)
DELETED = "deleted"
FEATURES = {"cell", "voice", "text", "video", "fax", "pager"}


class Case(NamedTuple):
    """One table: a row's name -> a field -> what stands there."""

    title: str
    options: Mapping[str, str]
    rows: Mapping[str, Mapping[str, str]]

    def side(self, row: str, where: str) -> Mapping[str, str]:
        """The row of one side, or the one that speaks of both."""
        return self.rows.get(f"{row} {where}") or self.rows[row]


def cases() -> list[Case]:
    return [_case(found) for found in CASE.finditer(DECIDES.read_text(encoding="utf-8"))]


def _case(found: re.Match[str]) -> Case:
    words = found["options"].lstrip(": ").split()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found["table"].splitlines()]
    head, rows = lines[0][1:], lines[2:]
    options = dict(word.split("=", 1) for word in words)
    return Case(found["title"], options, {row[0]: dict(zip(head, row[1:], strict=True)) for row in rows})


def _contact(cells: Mapping[str, str]) -> Contact:
    made: dict[str, Any] = {}
    for field, cell in cells.items():
        if cell and field == "name":
            made["name"] = Name(full=cell)
        elif cell:
            made[field] = tuple(_entry(field, text.strip()) for text in cell.split(";"))
    return Contact(uid="ada", **made)


def _entry(field: str, text: str) -> object:
    value, _, braces = text.partition("{")
    words = [word.strip() for word in braces.rstrip("}").split(",") if word.strip()]
    value = value.strip()
    if field == "titles":
        return Title(value)
    if field == "notes":
        return Note(value.replace(" / ", "\n"))
    label = "".join(word.removeprefix("label=") for word in words if word.startswith("label="))
    plain = frozenset(word for word in words if "=" not in word)
    if field == "emails":
        return Email(value, contexts=plain, label=label)
    return Phone(value, contexts=plain - FEATURES, features=plain & FEATURES, label=label)


def _projection(options: Mapping[str, str]) -> Callable[[Contact], Contact]:
    held = options.get("remote-holds", "").split(",")

    def project(contact: Contact) -> Contact:
        if "remote-holds" in options:
            return Contact(uid=contact.uid, **{name: getattr(contact, name) for name in held})
        if "remote-shows" in options:
            return replace(contact, phones=contact.phones[:1])
        return contact

    return project


def _at(options: Mapping[str, str], key: str) -> datetime | None:
    if key not in options:
        return None
    hour, minute = map(int, options[key].split(":"))
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


class Result(NamedTuple):
    """Both sides after a round (None: no contact, no card), and the record in words."""

    device: Contact | None
    remote: Contact | None
    record: str


def _run(case: Case) -> Result:
    local, far = _contact(case.side("base", "on the device")), _contact(case.side("base", "at the remote"))
    base = NO_BASE if local == far == Contact() else Base(local, far)
    here_deleted = DELETED in case.rows["device"].values()
    there_gone = DELETED in case.rows["remote"].values()
    device = local if here_deleted else _contact(case.rows["device"])
    when = _at(case.options, "device-at")
    times = {path_text(("titles", "title:countess")): when} if when else {}
    hub = Hub(device, deleted=here_deleted, times=times)
    card = None if there_gone else _contact(case.rows["remote"])
    seen = Live(card, _at(case.options, "remote-at")) if card is not None else Seen.GONE
    rules = Rules(policy=Policy(case.options.get("policy", "newest")))
    return _carried_out(plan(base, hub, seen, project=_projection(case.options), rules=rules), hub, card)


def _carried_out(actions: list[Any], hub: Hub, card: Contact | None) -> Result:
    device = None if hub.deleted else hub.contact
    records = []
    for action in actions:
        match action:
            case SaveLocal(contact, _):
                device = contact
            case DropLocal():
                device = None
            case UpdateRemote(target, _, _):
                card = target
            case CreateRemote(contact):
                card = contact
            case DeleteRemote():
                card = None
            case NoteConflict(clash):
                verdict = {"local": "device wins", "remote": "remote wins", None: "open"}[clash.winner]
                records.append(f"{path_text(clash.path)}: {verdict}")
    return Result(device, card, ", ".join(records) or "none")


def _wanted(case: Case, where: str) -> Contact | None:
    cells = case.side("outcome", where)
    return None if DELETED in cells.values() else _contact(cells)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.title)
def test_each_worked_case_ends_as_the_page_says(case: Case) -> None:
    result = _run(case)
    assert result.device == _wanted(case, "on the device")
    assert result.remote == _wanted(case, "at the remote")
    assert result.record == next(cell for cell in case.rows["record"].values() if cell)


def test_every_table_of_the_page_is_found() -> None:
    assert len(cases()) == DECIDES.read_text(encoding="utf-8").count("<!-- case") >= 12


# --- generated parts -----------------------------------------------------------------------------

SAME = {
    "kind": "text without case",
    "name": "all its parts, its display name and its sorting, to the letter",
    "nicknames": "text without case",
    "emails": "address without case",
    "phones": "digits, leading plus and extension; spaces and punctuation do not count",
    "addresses": "all parts without case and punctuation; the delivery label if there are no parts",
    "organizations": "name and units without case",
    "titles": "kind (title or role) and text without case",
    "online_services": "service and user name without case",
    "links": "host without case, no slash at the end",
    "anniversaries": "kind and calendar date; the years 0 and 1604 mean no year",
    "related_to": "text without case",
    "notes": "text without blanks at line ends; merged by lines",
    "media": "the bytes, or the address",
    "groups": "the group itself, whatever its name",
    "extra": "name, parameters and value to the letter",
}


def field_table() -> str:
    lines = ["| field | kind | the same when equal in | attributes |", "|---|---|---|---|"]
    for row in FIELDS:
        attributes = ", ".join(f"`{name}`" for name in (*row.sets, *row.scalars))
        lines.append(f"| `{row.path}` | {_kind(row)} | {SAME[row.path]} | {attributes} |")
    return "\n".join(lines)


def _kind(row: Field) -> str:
    return {Kind.SCALAR: "one value", Kind.KEYED: "list", Kind.SET: "set"}[row.kind]


GENERATED: dict[tuple[str, str], Callable[[], str]] = {("docs/how-it-decides.md", "fields"): field_table}


def with_generated(text: str, name: str, content: str) -> str:
    """The page with the part between its markers replaced."""
    begin, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
    head, found, rest = text.partition(begin)
    assert found, f"no marker {name}"
    return head + begin + "\n" + content + "\n\n" + end + rest.partition(end)[2]


@pytest.mark.parametrize(("page", "name"), GENERATED)
def test_generated_parts_are_current(page: str, name: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert text == with_generated(text, name, GENERATED[page, name]()), "run: python -m tests.test_docs"


def write_generated() -> None:
    for (page, name), content in GENERATED.items():
        path = ROOT / page
        path.write_text(with_generated(path.read_text(encoding="utf-8"), name, content()), encoding="utf-8")


if __name__ == "__main__":
    write_generated()
