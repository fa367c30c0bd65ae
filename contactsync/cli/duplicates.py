"""``duplicates``: contacts that may be the same person, and what is to become of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactsync.cli.output import plural
from contactsync.cli.session import DryRun, Session, busy, open_engine, session_of
from contactsync.cli.steps import step_lines, steps_json
from contactsync.errors import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from contactsync.api import Engine
    from contactsync.cli.reviewing import Review
    from contactsync.engine.duplicates import Candidate
    from contactsync.sync.explain import Explanation


def register(app: typer.Typer) -> None:
    app.command("duplicates")(duplicates)


def duplicates(
    ctx: typer.Context,
    review: Annotated[
        bool, typer.Option("--review", help="Go through them and answer each with one key.")
    ] = False,
    merge_sure: Annotated[
        bool, typer.Option("--merge-sure", help="Merge all pairs that are sure, as one run.")
    ] = False,
    not_same: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="ID ID", help="Remember that these two are not the same."),
    ] = None,
    release: Annotated[
        str, typer.Option(metavar="ID", help="One that is held back is a person of its own.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Pairs of contacts that may be the same person, those that wait for you first.

    A contact that may be the same as another one is held back: it is here, and no other account gets it
    before you have decided. To merge two: contactsync contact merge. All of it can be undone: run undo.
    """
    session = session_of(ctx)
    if sum(map(bool, (review, merge_sure, not_same, release))) > 1:
        raise UsageError("Only one of --review, --merge-sure, --not-same and --release at a time.")
    with open_engine(ctx) as engine:
        if review:
            _review_all(session, engine)
        elif merge_sure or not_same or release:
            with engine.trying(dry_run):
                run = _decide(engine, not_same, release)
                steps = steps_json(engine, engine.run(run)[1]) if run else []
            _say_decided(session, run, steps, dry_run=dry_run)
        else:
            busy(engine, "Comparing contacts")
            _list(session, engine, engine.duplicates())


def _decide(engine: Engine, not_same: tuple[str, str] | None, release: str) -> int | None:
    if not_same:
        return engine.not_the_same(*not_same)
    if release:
        return engine.release(release)
    busy(engine, "Comparing contacts")
    pairs = [(c.one.uid, c.other.uid) for c in engine.duplicates() if c.sure and c.other is not None]
    return engine.merge_all(pairs)


def _say_decided(
    session: Session, run: int | None, steps: Sequence[dict[str, Any]], *, dry_run: bool
) -> None:
    merged = sum(step["action"] == "delete" for step in steps)
    more = {"dry_run": True, "steps": steps} if dry_run else {}
    words = f"{'Would merge' if dry_run else 'Merged'} {plural(merged, 'pair')}." if merged else "Noted."
    document = {"run": None if dry_run else run, "merged": merged, **more}
    session.out.result(document, words if run else "There is no pair that is sure.")
    for step in steps if dry_run else ():
        session.out.diff(*step_lines(step))
    if run and not dry_run:
        session.out.note(f"To take it back: {session.command('run', 'undo', str(run))}")


# --- list ---


def _list(session: Session, engine: Engine, found: Sequence[Candidate]) -> None:
    from contactsync.sync.explain import Explanation, explain

    told = [
        explain(c.one.contact, c.other.contact, engine.region) if c.other is not None else Explanation()
        for c in found
    ]
    session.out.result({"pairs": [_to_json(c, e) for c, e in zip(found, told, strict=True)]})
    session.out.table(("LIKELY", "CONTACT", "AND", "WHY"), [_row(c) for c in found])
    if not found:
        session.out.note("No two contacts look like the same person.")
        return
    session.out.note(f"To decide one by one: {session.command('duplicates', '--review')}")
    sure = sum(c.sure for c in found)
    if sure:
        merge = session.command("duplicates", "--merge-sure")
        session.out.note(f"To merge {plural(sure, 'pair')} that {'is' if sure == 1 else 'are'} sure: {merge}")


def _to_json(candidate: Candidate, told: Explanation) -> dict[str, Any]:
    one, other = candidate.one, candidate.other
    return {
        "uid": one.uid,
        "name": one.contact.display,
        "other_uid": other.uid if other is not None else None,
        "other_name": other.contact.display if other is not None else None,
        "score": candidate.score,
        "sure": candidate.sure,
        "held": candidate.held,
        "reasons": list(candidate.reasons),
        "agree": [{"field": field, "value": value} for field, value in told.agree],
        "differ": [{"field": field, "one": mine, "other": theirs} for field, mine, theirs in told.differ],
        "only": [{"field": field, "one": mine, "other": theirs} for field, mine, theirs in told.only],
    }


def _row(candidate: Candidate) -> tuple[str, ...]:
    likely = "sure" if candidate.sure else f"{candidate.score:.0%}" if candidate.other is not None else ""
    names = [
        f"{s.contact.display} ({s.uid[:8]})" if s is not None else "(gone)"
        for s in (candidate.one, candidate.other)
    ]
    return likely + (" held" if candidate.held else ""), *names, ", ".join(candidate.reasons)


# --- review ---


def _review_all(session: Session, engine: Engine) -> None:
    from contactsync.cli.reviewing import need_a_person, review

    if session.out.json:
        raise UsageError("A review is for people, and has no JSON.", hint="Leave --review out for JSON.")
    merge = session.command("duplicates", "--merge-sure")
    need_a_person(f"Merge all that are sure: {merge}")
    found = engine.duplicates()
    if not found:
        session.out.note("There is nothing to review.")
        return
    tally = review(found, _review(engine))
    session.out.lines(tally.in_words("pair"))


def _review(engine: Engine) -> Review[Candidate]:
    """How pairs are reviewed."""
    from contactsync.cli.reviewing import Choice, Review

    accounts = engine.accounts_of()

    def merge(candidate: Candidate) -> int:
        assert candidate.other is not None
        return _run(engine.merge_all([(candidate.one.uid, candidate.other.uid)]))

    def merge_other_way(candidate: Candidate) -> int:
        assert candidate.other is not None
        return _run(engine.merge_all([(candidate.other.uid, candidate.one.uid)]))

    def two_people(candidate: Candidate) -> int:
        if candidate.other is None:
            return engine.release(candidate.one.uid)
        return engine.not_the_same(candidate.one.uid, candidate.other.uid)

    def is_pair(candidate: Candidate) -> bool:
        return candidate.other is not None

    return Review(
        look=engine.still_a_candidate,
        name=lambda c: " and ".join(s.contact.display for s in (c.one, c.other) if s is not None),
        draw=lambda c, columns: _drawn(engine.region, accounts, c, columns),
        choices=(
            Choice("m", "merge", "the same person: merge, and keep the first", merge, is_pair),
            Choice("o", "other way", "the same person: merge, and keep the second", merge_other_way, is_pair),
            Choice("n", "not the same", "two people: remember it, and hold nobody back", two_people),
        ),
        undo=lambda run: [str(left) for left in engine.undo(run).left],
    )


def _run(run: int | None) -> int:
    if run is None:
        raise UsageError("One of the two is gone.")
    return run


def _drawn(
    region: str, accounts: Mapping[int, Sequence[str]], candidate: Candidate, columns: int
) -> Iterator[Text]:
    """One pair on a terminal of so many columns: what agrees, and side by side what does not."""
    from contactsync.cli.sides import labelled, sides
    from contactsync.sync.explain import explain

    one, other = candidate.one, candidate.other
    why = ", ".join(candidate.reasons)
    if other is None:
        yield from labelled("name", one.contact.display, columns)
        yield from labelled("held", f"{why}, who is gone", columns)
        return
    told = explain(one.contact, other.contact, region)
    yield from labelled("likely", f"{'sure' if candidate.sure else f'{candidate.score:.0%}'}: {why}", columns)
    for field, value in told.agree:
        yield from labelled("both", f"{field}: {value}", columns)
    rows = [*told.differ, *told.only]
    texts = ("\n".join(f"{row[0]}: {row[side] or '-'}" for row in rows) or "-" for side in (1, 2))
    titles = (_title(accounts.get(s.id, []), s.contact.display, s.held) for s in (one, other))
    yield from sides(tuple(titles), tuple(texts), columns)  # type: ignore[arg-type]


def _title(accounts: Sequence[str], name: str, held: str) -> str:
    where = ", ".join(sorted(set(accounts))) or "only here"
    return f"{name} ({where}{', held' if held else ''})"
