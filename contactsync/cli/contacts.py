"""``contact`` and ``group``: the contacts on this device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactsync.cli import cards
from contactsync.cli.output import plural
from contactsync.cli.session import CardFormat, DryRun, confirm, group, open_engine, session_of
from contactsync.cli.steps import step_lines, steps_json, title_of

if TYPE_CHECKING:
    from contactsync.engine.where import Where
    from contactsync.model.contact import Contact
    from contactsync.store.values import StoredContact, StoredGroup

One = Annotated[
    str, typer.Argument(metavar="ID", help="The UID, an unambiguous beginning of it, or the exact name.")
]
Some = Annotated[list[str], typer.Argument(metavar="ID", help="UIDs, beginnings of them, or exact names.")]

contact = group("contact", "The contacts on this device.")
groups = group("group", "Groups, which other programs call labels or categories.")


def register(app: typer.Typer) -> None:
    app.add_typer(contact)
    app.add_typer(groups)


# --- look ---


@contact.command("list")
def list_contacts(
    ctx: typer.Context,
    query: Annotated[str, typer.Option(help="Words that must all occur.")] = "",
    group_name: Annotated[str, typer.Option("--group", help="Only the members of this group.")] = "",
) -> None:
    """Contacts in the order of their names."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        found = engine.contacts(query, group_name)
        accounts = engine.accounts_of([c.id for c in found] if query or group_name else None)
    listed = [
        {
            "uid": c.uid,
            "name": c.contact.display,
            "accounts": sorted(set(accounts.get(c.id, []))),
            "held": bool(c.held),
        }
        for c in found
    ]
    out.result({"contacts": listed})
    rows = [_row(stored, short, accounts) for stored, short in zip(found, _shortest(found), strict=True)]
    out.table(("ID", "NAME", "E-MAIL", "PHONE", "ACCOUNTS"), rows)
    if not found:
        out.note("No contact fits." if query or group_name else "There are no contacts yet.")


def _row(stored: StoredContact, short: str, accounts: dict[int, list[str]]) -> tuple[str, ...]:
    person = stored.contact
    return (
        short,
        person.display,
        person.emails[0].address if person.emails else "",
        person.phones[0].number if person.phones else "",
        ", ".join(sorted(set(accounts.get(stored.id, [])))) + (" (held)" if stored.held else ""),
    )


def _shortest(found: Sequence[StoredContact], least: int = 8) -> list[str]:
    """For each UID the beginning that no other one here shares."""
    uids = sorted(c.uid for c in found)
    needed = {}
    for before, uid, after in zip(["", *uids], uids, [*uids[1:], ""], strict=False):
        needed[uid] = uid[: max(least, _common(before, uid) + 1, _common(uid, after) + 1)]
    return [needed[c.uid] for c in found]


def _common(one: str, other: str) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


@contact.command("show")
def show_contact(
    ctx: typer.Context,
    name: One,
    card: Annotated[CardFormat | None, typer.Option("--format", help="Print the card instead.")] = None,
    where: Annotated[
        bool, typer.Option("--where", help="Which account has which value, and what stays here.")
    ] = False,
) -> None:
    """One contact with all that is known of it."""
    session = session_of(ctx)
    with open_engine(ctx) as engine:
        stored = engine.contact(name)
        if where:
            values = engine.where(name)
        named = engine.hub.with_names(stored.contact)
        text = cards.text_of(engine, stored, card) if card else ""
        accounts = engine.accounts_of([stored.id]).get(stored.id, [])
    if where:
        session.out.result(_where_json(stored, values))
        session.out.table(("FIELD", "VALUE", "THERE", "NOT THERE, AND WHY"), [_where_row(v) for v in values])
        if stored.held:
            decide = session.command("duplicates", "--review")
            session.out.note(f"Held back, as it {stored.held}. To decide: {decide}")
    elif card:
        session.out.result({"uid": stored.uid, "format": card, "card": text}, text.rstrip("\r\n"))
    else:
        session.out.result(_to_json(stored, named, accounts), *_lines(stored, named, accounts))


def _to_json(stored: StoredContact, named: Contact, accounts: list[str]) -> dict[str, Any]:
    from contactsync.model.jsonform import to_json

    more = {"accounts": accounts, "held": stored.held, "updated_at": stored.updated_at.isoformat()}
    return {"uid": stored.uid, **to_json(named), **more}


def _lines(stored: StoredContact, named: Contact, accounts: list[str]) -> Iterator[str]:
    yield named.display
    yield from (f"  {title:<16} {text}" for title, text in _values(named))
    yield f"  {'accounts':<16} {', '.join(accounts) or '(this device only)'}"
    if stored.held:
        yield f"  {'held':<16} {stored.held}"
    yield f"  {'changed':<16} {stored.updated_at:%Y-%m-%d %H:%M} UTC"
    yield f"  {'UID':<16} {stored.uid}"


def _values(named: Contact) -> Iterator[tuple[str, str]]:
    """Each value with its title, attributes in brackets, long texts indented."""
    from contactsync.model.fields import flatten, path_title, unit_text

    attributes: dict[tuple[str, ...], list[str]] = {}
    units = flatten(named).values
    for path, value in units.items():
        if len(path) > 2:
            word = f"preferred {value}" if path[2] == "pref" else unit_text(path, value)
            attributes.setdefault(path[:2], []).append(word)
    for path, value in units.items():
        if len(path) <= 2:
            words = attributes.get(path, [])
            more = f" ({', '.join(sorted(words))})" if words else ""
            yield path_title(path), unit_text(path, value).replace("\n", "\n" + " " * 19) + more


def _where_json(stored: StoredContact, values: Sequence[Where]) -> dict[str, Any]:
    listed = [
        {
            "field": v.path,
            "value": v.text,
            "accounts": list(v.accounts),
            "missing": list(v.missing),
            **({"why": dict(v.why)} if v.why else {}),
        }
        for v in values
    ]
    return {"uid": stored.uid, "name": stored.contact.display, "held": stored.held, "values": listed}


def _where_row(value: Where) -> tuple[str, ...]:
    there = ", ".join(value.accounts) or "only here"
    missing = "; ".join(f"{account}: {reason}" for account, reason in value.why.items())
    return title_of(value.path), value.text, there, missing


@contact.command("trash")
def show_trash(ctx: typer.Context) -> None:
    """Deleted contacts that can be brought back."""
    session = session_of(ctx)
    with open_engine(ctx) as engine:
        found = engine.trash()
        into = {c.id: engine.store.contacts.get(c.merged_into) for c in found if c.merged_into is not None}
    listed = []
    for stored in found:
        assert stored.deleted_at is not None, "only what was deleted is in the trash"
        survivor = into.get(stored.id)
        more = {"merged_into": survivor.uid} if survivor is not None else {}
        row = {"uid": stored.uid, "name": stored.contact.display}
        listed.append({**row, "deleted_at": stored.deleted_at.isoformat(), **more})
    session.out.result({"contacts": listed})
    rows = [
        (row["uid"], row["name"], row["deleted_at"][:16].replace("T", " "), _part_of(into.get(stored.id)))
        for row, stored in zip(listed, found, strict=True)
    ]
    session.out.table(("UID", "NAME", "DELETED", ""), rows)
    if found:
        session.out.note(f"To bring one back: {session.command('contact', 'restore', found[0].uid)}")
    else:
        session.out.note("The trash is empty.")


def _part_of(survivor: StoredContact | None) -> str:
    return f"merged into {survivor.contact.display}" if survivor is not None else ""


@contact.command("history")
def show_history(ctx: typer.Context, name: One) -> None:
    """What changed in a contact, when, in which run, and where it came from."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        steps = steps_json(engine, engine.history(name))
        uid = engine.known(name).uid
        kinds = {run: engine.kind_of(run) for run in {step["run"] for step in steps}}
    out.result({"history": [{**step, "kind": kinds[step["run"]]} for step in steps]})
    for step in steps:
        whose = f"{step['name']} ({step['uid']}), merged since, " if step["uid"] not in ("", uid) else ""
        out.diff(*step_lines(step, kind=kinds[step["run"]], whose=whose))
    if steps:
        last = str(steps[-1]["run"])
        out.note(f"To take a run back: {session_of(ctx).command('run', 'undo', last)}")


# --- change ---


@contact.command("put")
def put_contacts(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="vCards or JSContact; - is standard input.")
    ] = "-",
) -> None:
    """Create contacts, or replace those with the same UID. Prints the UIDs."""
    out = session_of(ctx).out
    found, errors = cards.read_cards(cards.bytes_of(file), "standard input" if file == "-" else file)
    with open_engine(ctx) as engine:
        uids = engine.put(found)
    out.result({"uids": uids, "errors": [error.to_json() for error in errors]}, *uids)
    if errors:
        if not out.json:
            out.warn(*(f"{error.remote_ref}: {error.name}: {error.reason}" for error in errors))
        raise typer.Exit(3)


@contact.command("edit")
def edit_contact(ctx: typer.Context, name: One) -> None:
    """Open a contact as vCard in $VISUAL or $EDITOR. What is not a vCard can be edited again."""
    from contactsync.cli.editing import edit_card

    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        stored = engine.contact(name)
        shown = cards.text_of(engine, stored, "vcard4").encode()
    edited = edit_card(out, shown)
    changed = False
    if edited is not None:
        with open_engine(ctx) as engine:
            changed = engine.edit(stored, cards.read_card(shown), edited)
    done = "is changed; the next round carries it." if changed else "was not changed."
    out.result({"uid": stored.uid, "changed": changed}, f"{stored.contact.display} {done}")


@contact.command("delete")
def delete_contacts(
    ctx: typer.Context,
    names: Some,
    here_only: Annotated[
        bool, typer.Option("--here-only", help="Leave the cards in the accounts where they are.")
    ] = False,
) -> None:
    """Move contacts to the trash; the next round deletes them in the accounts."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        found = engine.delete(names, here_only=here_only)
    out.result({"deleted": _named(found)}, *(f"Deleted {c.contact.display} ({c.uid})" for c in found))


@contact.command("restore")
def restore_contacts(ctx: typer.Context, names: Some, dry_run: DryRun = False) -> None:
    """Bring contacts back from the trash, with the next round also in the accounts. One that was merged
    into another parts from it."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine, engine.trying(dry_run):
        found = engine.restore(names)
        steps = steps_json(engine, engine.newest()) if dry_run else []
    more = {"dry_run": True, "steps": steps} if dry_run else {}
    done = "Would restore" if dry_run else "Restored"
    out.result({"restored": _named(found), **more}, *(f"{done} {c.contact.display} ({c.uid})" for c in found))
    for step in steps:
        out.diff(*step_lines(step))


@contact.command("purge")
def purge_contacts(
    ctx: typer.Context,
    names: Some,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Forget deleted contacts for good, with their history. This cannot be undone."""
    out = session_of(ctx).out
    if not yes and not dry_run:
        confirm(f"Forget {plural(len(names), 'contact')} for good?", "--yes")
    with open_engine(ctx) as engine, engine.trying(dry_run):
        found = engine.purge(names)
    done = "Would forget" if dry_run else "Forgot"
    more = {"dry_run": True} if dry_run else {}
    out.result({"purged": _named(found), **more}, *(f"{done} {c.contact.display} ({c.uid})" for c in found))


@contact.command("merge")
def merge_contacts(
    ctx: typer.Context,
    survivor: Annotated[str, typer.Argument(metavar="ID", help="The contact that stays.")],
    other: Annotated[str, typer.Argument(metavar="ID", help="The contact that goes into it.")],
    dry_run: DryRun = False,
) -> None:
    """Make one contact of two, with all values and the history of both."""
    session = session_of(ctx)
    with open_engine(ctx) as engine, engine.trying(dry_run):
        merged = engine.merge(survivor, other)
        rows = engine.newest()
        steps = steps_json(engine, rows) if dry_run else []
    more = {"dry_run": True, "steps": steps} if dry_run else {}
    done = "Would merge" if dry_run else "Merged"
    session.out.result(
        {"uid": merged.uid, "name": merged.contact.display, "run": rows[0].run_id, **more},
        f"{done} into {merged.contact.display} ({merged.uid})",
    )
    for step in steps:
        session.out.diff(*step_lines(step))
    if not dry_run:
        session.out.note(f"To take it back: {session.command('run', 'undo', str(rows[0].run_id))}")


def _named(found: Sequence[StoredContact]) -> list[dict[str, str]]:
    return [{"uid": c.uid, "name": c.contact.display} for c in found]


# --- groups ---


@groups.command("list")
def list_groups(ctx: typer.Context) -> None:
    """All groups with the number of their members."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        found = sorted(engine.groups(), key=lambda g: g.name.casefold())
    out.result({"groups": [{"name": g.name, "members": g.members} for g in found]})
    out.table(("GROUP", "MEMBERS"), [(g.name, g.members) for g in found])
    if not found:
        out.note("There are no groups.")


@groups.command("rename")
def rename_group(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Its name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name it gets.")],
) -> None:
    """Give a group another name; its members stay in it."""
    with open_engine(ctx) as engine:
        found = engine.rename_group(old, new)
    session_of(ctx).out.result({"name": found.name, "was": old}, f"{old} is now called {found.name}.")


@groups.command("delete")
def delete_group(
    ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="GROUP", help="Its name.")]
) -> None:
    """Remove a group; its members stay."""
    with open_engine(ctx) as engine:
        found: StoredGroup = engine.delete_group(name)
    members = plural(found.members, "member stays", "members stay")
    session_of(ctx).out.result(
        {"name": found.name, "members": found.members}, f"{found.name} is deleted; its {members}."
    )
