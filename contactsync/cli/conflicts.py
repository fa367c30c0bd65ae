"""``conflict``: what was changed on both sides, who won, and taking the other value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from contactsync.cli.session import group, open_engine, session_of

if TYPE_CHECKING:
    from contactsync.store.values import StoredConflict

ConflictId = Annotated[int, typer.Argument(metavar="ID", help="As conflict list shows it.")]
Take = Annotated[
    Literal["device", "remote", "both", "newest"],
    typer.Option(help="Whose value; both joins notes, newest is what the policy newest would say."),
]

conflict = group("conflict", "Edits of one field on both sides, and the values that lost.")


def register(app: typer.Typer) -> None:
    app.add_typer(conflict)


@conflict.command("list")
def list_conflicts(
    ctx: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that wait for you.")] = False,
) -> None:
    """Conflicts that wait for you, and those that were decided, with the losing value."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        found = engine.conflicts(only_open=only_open)
    out.result({"conflicts": [to_json(c) for c in found]})
    rows = [
        (c.id, c.name, c.account, c.path, _text(c, c.local), _text(c, c.remote), _outcome(c)) for c in found
    ]
    out.table(("ID", "NAME", "ACCOUNT", "FIELD", "DEVICE", "REMOTE", "STATE"), rows)
    if not found:
        out.note("There are no conflicts.")


@conflict.command("show")
def show_conflict(ctx: typer.Context, conflict_id: ConflictId) -> None:
    """One conflict: the value both sides had before, and what each made of it."""
    session = session_of(ctx)
    with open_engine(ctx) as engine:
        found = engine.conflict(conflict_id)
    session.out.result(
        to_json(found),
        f"{found.name} ({found.uid})",
        f"  field    {found.path}, account {found.account or '(removed)'}",
        f"  before   {_text(found, found.base)}",
        f"  device   {_text(found, found.local)}",
        f"  remote   {_text(found, found.remote)}",
        f"  state    {_outcome(found)}, run {found.run_id}, {found.at:%Y-%m-%d %H:%M} UTC",
    )
    if found.status != "resolved":
        take = session.command("conflict", "resolve", str(found.id), "--take")
        session.out.note(f"Take one: {take} device|remote")


@conflict.command("resolve")
def resolve_conflict(ctx: typer.Context, conflict_id: ConflictId, take: Take) -> None:
    """Take one side's value. It is an ordinary edit: the next round carries it to all accounts."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        found = engine.conflict(conflict_id)
        changed = bool(engine.resolve(conflict_id, take).changed)
    done = "Taken; the next round carries it." if changed else "This device has that value already."
    out.result(
        {"id": str(conflict_id), "uid": found.uid, "take": take, "changed": changed}, f"{found.name}: {done}"
    )


def to_json(found: StoredConflict) -> dict[str, Any]:
    """One conflict in the shape that scripts rely on."""
    return {
        "id": str(found.id),
        "uid": found.uid,
        "name": found.name,
        "account": found.account,
        "field": found.path,
        "base": found.base,
        "device": found.local,
        "remote": found.remote,
        "winner": found.winner if found.winner in ("device", "remote") else None,
        "state": found.status,
        "run": found.run_id,
        "at": found.at.isoformat(),
    }


def _outcome(found: StoredConflict) -> str:
    if found.status == "open":
        return "open"
    return f"{found.status}: {found.winner}" if found.winner else found.status


def _text(found: StoredConflict, value: object) -> str:
    """A side's value as a person would write it."""
    from contactsync.model.contact import Contact
    from contactsync.model.fields import FIELD, parse_path, unit_text
    from contactsync.model.jsonform import from_json

    if value is None:
        return "(deleted)" if found.path == "contact" else "(none)"
    if not isinstance(value, dict):
        return "yes" if value is True else str(value)
    if found.path == "contact":
        name: str = from_json(Contact, value).display
        return name
    path = parse_path(found.path)
    # The value stands in a contact, so that its own reader knows its type.
    row = FIELD[path[0]]
    content = getattr(from_json(Contact, {row.path: value if row.path == "name" else [value]}), row.path)
    return unit_text(path, content if row.path == "name" else content[0])
