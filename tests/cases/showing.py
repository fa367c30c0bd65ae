"""Shows the cases on docs/how-it-decides.md: those with a number as tables, the others by their titles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contactsync.model.contact import Contact
from contactsync.model.fields import FIELDS, Field, Kind
from tests.cases.merging import DELETED, GROUPS, Case, load_all

FILES = "../tests/cases/merge"
VERDICTS = {"device": "device wins", "remote": "remote wins", "nobody": "open"}


def section() -> str:
    cases = load_all()
    return "\n\n".join(part for group in GROUPS for part in _group(group, cases))


def _group(group: str, cases: list[Case]) -> Iterator[str]:
    own = [case for case in cases if case.told["group"] == group]
    full = sorted((case for case in own if "number" in case.told), key=lambda case: case.told["number"])
    yield f"### {group}"
    for case in full:
        yield f"#### {case.told['number']}. {case.title}"
        yield " ".join([case.told["why"], *_circumstances(case)])
        yield _table(case)
    if len(full) < len(own):
        yield "Other cases:" if full else "Cases:"
        yield "\n".join(_link(case) for case in own if case not in full)


def _link(case: Case) -> str:
    return f"- [{case.title}]({FILES}/{case.name}.toml)"


def _circumstances(case: Case) -> Iterator[str]:
    told = case.told
    where = {"device": "on the device", "remote": "at the remote"}
    times = [f"{where[side]} at {time:%H:%M}" for side, time in told.get("times", {}).items()]
    if "policy" in told:
        yield f"Policy `{told['policy']}`" + (f"; edited {', '.join(times)}." if times else ".")
    if fields := told.get("remote_can", {}).get("hold_fields"):
        yield f"The remote can hold {', '.join(f'`{name}`' for name in fields)}."


def _table(case: Case) -> str:
    rows: list[tuple[str, Contact | None]] = [
        *_both("base", case.base.local, case.base.remote),
        ("device", case.device),
        ("remote", case.remote),
        *_both("outcome", case.expected_device, case.expected_remote),
    ]
    contacts = [contact for _, contact in rows if contact]
    fields = [row for row in FIELDS if any(_cell(row, contact) for contact in contacts)]
    record = ", ".join(f"{c['unit']}: {VERDICTS[c['winner']]}" for c in case.conflicts) or "none"
    rest = [""] * (len(fields) - 1)
    cells = [[name, *_cells(fields, contact)] for name, contact in rows]
    head = ["", *(row.path for row in fields)]
    lines = [_line(head), "|" + "---|" * len(head), *map(_line, cells), _line(["record", record, *rest])]
    return "\n".join(lines)


def _both(name: str, device: Contact | None, remote: Contact | None) -> list[tuple[str, Contact | None]]:
    if device == remote:
        return [(name, device)]
    return [(f"{name} on the device", device), (f"{name} at the remote", remote)]


def _line(cells: list[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def _cells(fields: list[Field], contact: Contact | None) -> list[str]:
    if contact is None:
        return [DELETED, *[""] * (len(fields) - 1)]
    return [_cell(row, contact) for row in fields]


def _cell(row: Field, contact: Contact) -> str:
    content: Any = getattr(contact, row.path)
    if row.kind is Kind.SCALAR:
        return row.text(content)
    if row.kind is Kind.SET:
        return "; ".join(sorted(content))
    return "; ".join(_entry(row, entry) for entry in content)


def _entry(row: Field, entry: Any) -> str:
    words = [word for name in row.sets for word in sorted(getattr(entry, name))]
    words += [f"{name}={value}" for name in row.scalars if (value := getattr(entry, name))]
    text = row.text(entry).replace("\n", " / ")
    return f"{text} {{{', '.join(words)}}}" if words else text
