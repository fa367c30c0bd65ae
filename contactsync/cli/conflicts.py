"""``conflict``: what was changed on both sides, who won, and taking the other value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from contactsync.cli.output import plural
from contactsync.cli.session import Session, complete_accounts, group, open_engine, session_of
from contactsync.cli.steps import step_lines, steps_json, title_of
from contactsync.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from rich.text import Text

    from contactsync.api import Engine
    from contactsync.cli.reviewing import Review
    from contactsync.engine.resolving import Answered
    from contactsync.store.values import StoredConflict

ConflictId = Annotated[int, typer.Argument(metavar="ID", help="As conflict list shows it.")]
Take = Annotated[
    Literal["device", "remote", "both", "newest"],
    typer.Option(help="Whose value; both joins notes, newest is what was set later."),
]

conflict = group("conflict", "Edits of one field on both sides, and the values that lost.")


def register(app: typer.Typer) -> None:
    app.add_typer(conflict)


# --- look ---


@conflict.command("list")
def list_conflicts(
    ctx: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that wait for you.")] = False,
) -> None:
    """Conflicts that wait for you, and those that were decided, with the losing value."""
    session = session_of(ctx)
    with open_engine(ctx) as engine:
        found = engine.conflicts(only_open=only_open)
    session.out.result({"conflicts": [to_json(c) for c in found]})
    rows = [
        (
            *(c.id, c.name, c.account, title_of(c.path)),
            *(_text(c, c.local), _text(c, c.remote), _outcome(c)),
        )
        for c in found
    ]
    headings = ("ID", "NAME", "ACCOUNT", "FIELD", "DEVICE", "REMOTE", "STATE")
    session.out.table(headings, rows, short=("NAME", "FIELD", "DEVICE", "REMOTE"))
    if not found:
        session.out.note("There are no conflicts.")
    elif waiting := sum(c.status == "open" for c in found):
        wait = plural(waiting, "conflict waits for you", "conflicts wait for you")
        session.out.note(f"{wait}: {session.command('conflict', 'review')}")


@conflict.command("show")
def show_conflict(ctx: typer.Context, conflict_id: ConflictId) -> None:
    """One conflict: the value both sides had before, what each made of it, and what the contact has now."""
    session = session_of(ctx)
    with open_engine(ctx) as engine:
        found = engine.conflict(conflict_id)
        present = engine.present(found)
    now, sides = _text(found, present), (_text(found, found.local), _text(found, found.remote))
    session.out.result(
        {**to_json(found), "now": present},
        f"{found.name} ({found.uid})",
        _line("field", f"{title_of(found.path)}, account {found.account or '(removed)'}"),
        _line("before", _text(found, found.base)),
        _line("device", _dated(sides[0], found.local_at)),
        _line("remote", _dated(sides[1], found.remote_at)),
        *([_line("now", now)] if now not in sides else []),
        _line("state", f"{_outcome(found)}, run {found.run_id}, {_minute(found.at)}"),
    )
    if found.status == "resolved":
        session.out.note(_settled(found))
    for side, text in zip(("device", "remote"), sides, strict=True):
        if found.status == "open" or text != now:
            take = session.command("conflict", "resolve", str(found.id), "--take", side)
            session.out.note(f"Take the value of the {side}: {take}")


def _settled(found: StoredConflict) -> str:
    if found.winner == "agreed":
        return "It is settled: both sides came to the same value."
    return f"It is settled: somebody answered {found.winner}."


def _line(label: str, text: str) -> str:
    return f"  {label:<8} " + text.replace("\n", "\n" + " " * 11)


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _dated(text: str, at: datetime | None) -> str:
    return text if at is None else f"{text}\n(set {_minute(at)})"


# --- answer ---


@conflict.command("resolve")
def resolve_conflicts(
    ctx: typer.Context,
    conflict_ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID", help="As conflict list shows them.")
    ] = None,
    *,
    take: Take,
    every: Annotated[bool, typer.Option("--all", help="All that wait for you.")] = False,
    account: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="With --all: only of this account.", autocompletion=complete_accounts
        ),
    ] = "",
    field: Annotated[
        str, typer.Option(metavar="FIELD", help="With --all: only in this field, for example notes.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change here, and write nothing.")
    ] = False,
) -> None:
    """Take one side's value. It is an ordinary edit: the next round carries it to all accounts.

    Several are settled as one run, which run undo takes back; those that cannot be settled like that stay
    as they are, and the exit code is 3.
    """
    ids = list(dict.fromkeys(conflict_ids or ()))
    if bool(ids) == every:
        raise UsageError("Name conflicts, or say --all.", hint="contactsync conflict list --open shows them.")
    if (account or field) and not every:
        raise UsageError("--account and --field choose among all conflicts.", hint="Use them with --all.")
    session = session_of(ctx)
    with open_engine(ctx) as engine:
        if every:
            found = _open_ones(engine, account, field)
        else:
            found = [engine.conflict(conflict_id) for conflict_id in ids]
        with engine.trying(dry_run):
            answered = engine.resolve(ids[0], take) if len(ids) == 1 else engine.resolve_all(found, take)
            steps = _steps(engine, answered) if dry_run else []
    tried = {"dry_run": True, "steps": steps} if dry_run else {}
    if len(ids) == 1:
        _show_answer(session, found[0], take, bool(answered.changed), tried)
    else:
        _show_answers(session, found, take, answered, tried)
    if answered.failed:
        raise typer.Exit(3)


def _open_ones(engine: Engine, account: str, field: str) -> list[StoredConflict]:
    """Those that wait, of this account and in this field where one is named."""
    from contactsync.model.fields import FIELD

    if account:
        engine.config.account(account)
    if field and field.split("/")[0] not in (*FIELD, "contact"):
        raise UsageError(f"There is no field {field!r}.", hint=f"Fields: {', '.join(FIELD)}, contact.")
    return [
        c
        for c in engine.conflicts(only_open=True)
        if account in ("", c.account) and (not field or f"{c.path}/".startswith(f"{field}/"))
    ]


def _steps(engine: Engine, answered: Answered) -> list[dict[str, Any]]:
    """What the answers change in contacts; that a conflict is settled is no change of a contact."""
    rows = engine.run(answered.run)[1] if answered.run is not None else []
    return steps_json(engine, (row for row in rows if row.before is not None or row.after is not None))


def _show_answer(
    session: Session, found: StoredConflict, take: str, changed: bool, tried: dict[str, Any]
) -> None:
    document = {"id": str(found.id), "uid": found.uid, "take": take, "changed": changed, **tried}
    if not changed:
        done = "This device has that value already."
    else:
        done = "Nothing was written." if tried else "Taken; the next round carries it."
    session.out.result(document)
    _show_steps(session, tried)
    session.out.lines(f"{found.name}: {done}")


def _show_answers(
    session: Session, found: Sequence[StoredConflict], take: str, answered: Answered, tried: dict[str, Any]
) -> None:
    out = session.out
    failed = {c.id for c, _ in answered.failed}
    resolved = [c for c in found if c.id not in failed]
    out.result(
        {
            "run": None if tried else answered.run,
            "take": take,
            "resolved": [str(c.id) for c in resolved],
            "changed": [str(conflict_id) for conflict_id in answered.changed],
            "failed": [
                {"id": str(c.id), "name": c.name, "field": c.path, "reason": reason}
                for c, reason in answered.failed
            ],
            **tried,
        }
    )
    _show_steps(session, tried)
    count = plural(len(resolved), "conflict")
    if not found:
        out.note("No conflict waits there.")
    elif tried:
        out.lines(f"{count} would be settled; nothing was written.")
    else:
        out.lines(f"{count} settled" + ("; the next round carries it." if resolved else "."))
    if not out.json:
        out.warn(*(f"Left as it is: {c.id}, {c.name}: {reason}" for c, reason in answered.failed))


def _show_steps(session: Session, tried: dict[str, Any]) -> None:
    for step in tried.get("steps", ()):
        session.out.diff(*step_lines(step))


# --- review ---


@conflict.command("review")
def review_conflicts(
    ctx: typer.Context,
    every: Annotated[
        bool, typer.Option("--all", help="Then also those that a policy decided and nobody looked at.")
    ] = False,
) -> None:
    """Go through the conflicts that wait for you, and answer each with one key.

    Each answer is written at once, as a run of its own: quitting loses nothing. The exit code is 4 as long as
    conflicts wait.
    """
    from contactsync.cli.reviewing import need_a_person, review

    session = session_of(ctx)
    take = f"{session.command('conflict', 'resolve', '--all', '--take')} device|remote|both|newest"
    by_rule = f"Answer all by one rule: {take}"
    if session.out.json:
        raise UsageError("A review is for people, and has no JSON.", hint=by_rule)
    need_a_person(by_rule)
    with open_engine(ctx) as engine:
        found = engine.conflicts()
        wanted = [c for c in found if c.status == "open"]
        wanted += [c for c in found if every and c.status == "decided"]
        tally = review(wanted, _review(engine))
        waiting = engine.conflicts(only_open=True)
    if not wanted:
        session.out.note("There is nothing to review.")
    else:
        session.out.lines(tally.in_words("conflict"))
    raise typer.Exit(4 if waiting else 0)


def _review(engine: Engine) -> Review[StoredConflict]:
    """How conflicts are reviewed."""
    from contactsync.cli.reviewing import Choice, Review
    from contactsync.engine.resolving import holds_both

    def look(found: StoredConflict) -> StoredConflict | None:
        try:
            now = engine.conflict(found.id)
        except UsageError:  # its contact was forgotten for good
            return None
        return now if now.status != "resolved" else None

    def take(side: str) -> Callable[[StoredConflict], int]:
        def answer(found: StoredConflict) -> int:
            run = engine.resolve(found.id, side, shown=found).run
            assert run is not None
            return run

        return answer

    return Review(
        look=look,
        name=lambda found: f"{found.name}, {title_of(found.path)}",
        draw=lambda found, columns: _drawn(engine, found, columns),
        choices=(
            Choice("d", "device", "take the value of this device", take("device")),
            Choice("r", "remote", "take the value of the remote", take("remote")),
            Choice("b", "both", "keep both, one after the other: texts only", take("both"), holds_both),
            Choice(
                "n",
                "newest",
                "take what was set later; the device where that is not known",
                take("newest"),
            ),
        ),
        undo=lambda run: [str(left) for left in engine.undo(run).left],
    )


def _drawn(engine: Engine, found: StoredConflict, columns: int) -> Iterator[Text]:
    """One conflict on a terminal of so many columns."""
    from contactsync.cli.sides import labelled, sides

    def text(value: object) -> str:
        return _in_full(engine, found, value)

    present, both = text(engine.present(found)), (text(found.local), text(found.remote))
    yield from labelled("name", found.name, columns)
    yield from labelled("account", found.account or "(removed)", columns)
    yield from labelled("field", title_of(found.path), columns)
    yield from labelled("before", text(found.base), columns)
    if present not in both:
        yield from labelled("now", present, columns)
    if found.status != "open":
        yield from labelled("state", _outcome(found), columns)
    yield from sides(("DEVICE", "REMOTE"), both, columns)


# --- values ---


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
        "device_at": found.local_at.isoformat() if found.local_at is not None else None,
        "remote_at": found.remote_at.isoformat() if found.remote_at is not None else None,
    }


def _outcome(found: StoredConflict) -> str:
    if found.status == "open":
        return "open"
    return f"{found.status}: {found.winner}" if found.winner else found.status


def _in_full(engine: Engine, found: StoredConflict, value: object) -> str:
    """A side's value with nothing left out: of a whole contact all its fields."""
    from contactsync.engine.hub import describe
    from contactsync.model.contact import Contact
    from contactsync.model.jsonform import from_json

    if found.path != "contact" or not isinstance(value, dict):
        return _text(found, value)
    fields = describe(None, engine.hub.with_names(from_json(Contact, value)))
    return "\n".join(f"{path}: {text}" for path, (_, text) in fields.items())


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
