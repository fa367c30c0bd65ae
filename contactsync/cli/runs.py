"""``run``, ``status`` and ``doctor``: what happened, undoing it, and how things are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactsync.cli.output import plural
from contactsync.cli.session import (
    DryRun,
    Session,
    TranscriptFile,
    busy,
    complete_accounts,
    group,
    is_a_person_there,
    open_engine,
    session_of,
)
from contactsync.cli.steps import change_lines, step_lines, steps_json, sum_text, title_of

if TYPE_CHECKING:
    from contactsync.engine.health import Finding
    from contactsync.store.values import StoredRun

RunId = Annotated[int, typer.Argument(metavar="ID", help="As run list shows it.")]

runs = group("run", "What happened, and undoing it.")


def register(app: typer.Typer) -> None:
    app.command("status")(status)
    app.add_typer(runs)
    app.command("doctor")(doctor)


@runs.command("list")
def list_runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many of the last ones.")] = 50,
) -> None:
    """The last rounds, imports and edits, newest first. Rounds that found nothing are not kept."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        found = engine.runs(limit)
        sums = engine.sums(found)
    listed = [{**_run_json(run), "did": [asdict(one) for one in sums.get(run.id, ())]} for run in found]
    out.result({"runs": listed})
    rows = [
        (
            *(run.id, f"{run.started_at:%Y-%m-%d %H:%M:%S}", run.kind, run.account),
            *(run.outcome or "unfinished", sum_text(sums.get(run.id, ()))),
        )
        for run in found
    ]
    out.table(("ID", "STARTED (UTC)", "KIND", "ACCOUNTS", "OUTCOME", "DID"), rows)
    if found:
        out.note(f"More of one: {session_of(ctx).command('run', 'show', str(found[0].id))}")
    if not found:
        out.note("Nothing has happened yet.")


def _run_json(run: StoredRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": run.kind,
        "accounts": run.account.split(),
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "outcome": run.outcome,
    }


@runs.command("show")
def show_run(ctx: typer.Context, run_id: RunId) -> None:
    """Each field that a run changed, and on which side."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        run, rows = engine.run(run_id)
        steps = steps_json(engine, rows)
    head = f"Run {run.id}: {run.kind} {run.account}".rstrip()
    out.result(
        {**_run_json(run), "report": dict(run.report), "steps": steps},
        f"{head}, {run.started_at:%Y-%m-%d %H:%M:%S} UTC, {run.outcome or 'unfinished'}",
    )
    for step in steps:
        out.diff(*step_lines(step))


@runs.command("undo")
def undo_run(
    ctx: typer.Context,
    run_id: RunId,
    dry_run: DryRun = False,
    sent: Annotated[
        list[int] | None,
        typer.Option(
            metavar="STEP",
            help="Take back this edit that the run sent, and nothing else; as often as you like.",
        ),
    ] = None,
) -> None:
    """Take back what a run changed on this device and nobody changed since.

    What is taken back is an ordinary edit: the next round carries it to the accounts, and it can be undone as
    well. Edits that the run sent were made before it; their former values are offered one by one.
    """
    session = session_of(ctx)
    with open_engine(ctx) as engine, engine.trying(dry_run):
        undone = [engine.take_sent(step, run=run_id) for step in sent] if sent else [engine.undo(run_id)]
        runs_made = [each.run for each in undone if each.run] if dry_run else []
        steps = steps_json(engine, (row for run in runs_made for row in engine.run(run)[1]))
        offers = steps_json(engine, (row for each in undone for row in each.sent))
    left = [left for each in undone for left in each.left]
    restored, groups = sum(each.restored for each in undone), sum(each.groups for each in undone)
    more = {"dry_run": True, "steps": steps} if dry_run else {}
    session.out.result(
        {
            "run": next((each.run for each in undone if each.run), None),
            "restored": restored,
            "groups": groups,
            "left": [str(one) for one in left],
            "sent": offers,
            **more,
        },
        _undone_line(run_id, restored, groups, dry_run=dry_run),
    )
    for step in steps if dry_run else ():
        session.out.diff(*step_lines(step))
    if restored or groups:
        carry = "would carry" if dry_run else "carries"
        session.out.note(f"The next round {carry} it to the accounts: {session.command('sync')}")
    for one in left:
        way = f": {session.command(*one.command)}" if one.command else ""
        session.out.note(f"Left as it is: {one}{way}")
    if offers:
        _offer(ctx, run_id, offers, dry_run=dry_run)
    raise typer.Exit(3 if left else 0)


def _undone_line(run_id: int, restored: int, groups: int, *, dry_run: bool) -> str:
    parts = [plural(restored, "contact")] if restored or not groups else []
    parts += [plural(groups, "group")] if groups else []
    one = restored + groups == 1
    verb = "would be" if dry_run else "is" if one else "are"
    return f"{' and '.join(parts)} {verb} as before run {run_id}."


def _offer(ctx: typer.Context, run_id: int, offers: list[dict[str, Any]], *, dry_run: bool) -> None:
    """Former values of what the run sent: asked for one by one where a person is there, else named."""
    session = session_of(ctx)
    out = session.out
    sent = plural(len(offers), "edit")
    ask = is_a_person_there() and not out.json and not dry_run
    if ask and not typer.confirm(f"Run {run_id} sent {sent}. Take some of them back, one by one?", err=True):
        return
    if not ask:
        out.note(f"Run {run_id} sent {sent}, made before it. To take one back:")
    for offer in offers:
        lines = [f"  {offer['name']} in {offer['account']}:"]
        changes = ((c["field"], c["old"], c["new"]) for c in offer["changes"])
        lines += [f"  {line}" for line in change_lines("update", changes)]
        if not ask:
            number = str(offer["step"])
            out.note(*lines, f"    {session.command('run', 'undo', str(run_id), '--sent', number)}")
            continue
        out.diff(*lines)
        if typer.confirm("  Take this back?", err=True):
            with open_engine(ctx) as engine:
                undone = engine.take_sent(offer["step"], run=run_id)
            for one in undone.left:
                out.note(f"  Left as it is: {one}")


def status(ctx: typer.Context) -> None:
    """One screen: is all well, the accounts, what waits for something, and when the next round is."""
    from contactsync.daemon import health

    session = session_of(ctx)
    with open_engine(ctx) as engine:
        found = engine.status()
    daemon = health.read(session.data_dir)
    found["watch"] = {"running": daemon is not None, "pid": daemon.get("pid") if daemon else None}
    waiting = [*_waiting(session, found)]
    in_trouble = [a for a in found["accounts"] if a["state"] not in ("ok", "new", "paused")]
    in_trouble += [c for c in found["calendars"] if c["state"] not in ("ok", "new")]
    found["well"] = not waiting and not in_trouble
    verdict = "All is well." if found["well"] else "Something needs a look:"
    session.out.result(found, f"{plural(found['contacts'], 'contact')} on this device. {verdict}")
    session.out.lines(*(f"{a['name']}: {a['message']}" for a in found["accounts"] if a["message"]), *waiting)
    session.out.lines(*(f"Calendar {c['name']}: {c['message']}" for c in found["calendars"] if c["message"]))
    session.out.lines(*_losses(session, found["losses"]))
    rows = [
        (
            a["name"],
            a["state"],
            a["pending"],
            _minute(a["last_run"]) or "never",
            (_minute(a["next_due"]) or "now") if daemon is not None else "-",
            ", ".join(a["books"]),
        )
        for a in found["accounts"]
    ]
    session.out.table(("ACCOUNT", "STATE", "TO SEND", "LAST RUN (UTC)", "NEXT (UTC)", "BOOKS"), rows)
    if not found["accounts"]:
        session.out.note("There is no account yet. Add one: contactsync account add carddav NAME --url ...")
    elif daemon is None:
        session.out.note(f"Nothing runs by itself now. To change that: {session.command('watch')}")
    else:
        session.out.note(f"contactsync watch runs (process {daemon.get('pid', 'unknown')}).")


def _minute(stamp: str | None) -> str:
    """An ISO time to the minute."""
    return (stamp or "")[:16].replace("T", " ")


def _waiting(session: Session, found: dict[str, Any]) -> Iterator[str]:
    """What waits for a person, or is worth knowing."""
    words = (
        ("conflicts", "conflict waits for you", ("conflict", "review")),
        ("in_doubt", "write has had no answer; the next round looks", ("sync",)),
        ("held", "contact is held back, as it may be a double", ("duplicates", "--review")),
        ("set_aside", "card is set aside", ("doctor",)),
    )
    for key, text, command in words:
        if found[key]:
            yield f"{found[key]} {text if found[key] == 1 else _several(text)}: {session.command(*command)}"


def _losses(session: Session, losses: list[dict[str, Any]]) -> Iterator[str]:
    """What accounts did not keep by themselves, and that it is still here (L12)."""
    for account in sorted({row["account"] for row in losses}):
        rows = [row for row in losses if row["account"] == account]
        few = [f"{' and '.join(map(title_of, row['fields']))} of {row['name']}" for row in rows[:3]]
        rest = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        show = session.command("contact", "show", rows[0]["uid"], "--where")
        yield f"{account} did not keep {', '.join(few)}{rest}; it stays here. For example: {show}"


def _several(text: str) -> str:
    for one, more in (
        ("conflict waits", "conflicts wait"),
        ("write has", "writes have"),
        ("contact is held back, as it may be a double", "contacts are held back, as they may be doubles"),
        ("card is", "cards are"),
    ):
        text = text.replace(one, more)
    return text


def doctor(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One account only.", autocompletion=complete_accounts),
    ] = None,
    transcript: TranscriptFile = None,
) -> None:
    """Look for what is wrong: configuration, permissions, database, and each account's server."""
    from contactsync.engine import health

    session = session_of(ctx)
    with open_engine(ctx, transcript=transcript) as engine:
        busy(engine, "Looking at everything")
        found = health.doctor(engine, name)
    well = all(finding.ok for finding in found)
    session.out.result({"ok": well, "findings": [_finding_json(finding) for finding in found]})
    for finding in found:
        session.out.lines(*_finding_lines(finding))
    raise typer.Exit(0 if well else 1)


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {"ok": finding.ok, "subject": finding.subject, "message": finding.message, "hint": finding.hint}


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"{'ok' if finding.ok else 'WRONG':<6} {finding.subject}: {finding.message}"
    if finding.hint:
        yield f"       {finding.hint}"
