"""``contact`` and ``group``: the contacts on this device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactsync.cli import cards
from contactsync.cli.output import change_lines, plural
from contactsync.cli.session import CardFormat, confirm, group, open_engine, session_of

if TYPE_CHECKING:
    from contactsync.api import Engine, Where
    from contactsync.model.contact import Contact
    from contactsync.store.values import JournalRow, StoredContact, StoredGroup

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
        accounts = engine.accounts_of()
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
        accounts = sorted(set(engine.accounts_of().get(stored.id, [])))
    if where:
        session.out.result(_where_json(stored, values))
        session.out.table(("FIELD", "VALUE", "THERE", "NOT THERE"), [_where_row(v) for v in values])
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
    from contactsync.model.fields import FIELD, flatten, unit_text

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
            yield FIELD[path[0]].title, unit_text(path, value).replace("\n", "\n" + " " * 19) + more


def _where_json(stored: StoredContact, values: Sequence[Where]) -> dict[str, Any]:
    listed = [
        {"field": v.path, "value": v.text, "accounts": list(v.accounts), "missing": list(v.missing)}
        for v in values
    ]
    return {"uid": stored.uid, "name": stored.contact.display, "values": listed}


def _where_row(value: Where) -> tuple[str, ...]:
    there = ", ".join(value.accounts) or "only here"
    return value.path, value.text, there, ", ".join(value.missing)


@contact.command("trash")
def show_trash(ctx: typer.Context) -> None:
    """Deleted contacts that can be brought back."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        found = engine.trash()
    listed = [
        {"uid": c.uid, "name": c.contact.display, "deleted_at": c.deleted_at.isoformat()}
        for c in found
        if c.deleted_at
    ]
    out.result({"contacts": listed})
    rows = [(row["uid"], row["name"], row["deleted_at"][:16].replace("T", " ")) for row in listed]
    out.table(("UID", "NAME", "DELETED"), rows)
    if not found:
        out.note("The trash is empty.")


@contact.command("history")
def show_history(ctx: typer.Context, name: One) -> None:
    """What changed in a contact, when, in which run, and where it came from."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        steps = [step_json(engine, row) for row in engine.history(name)]
    out.result({"history": steps})
    for step in steps:
        out.lines(*step_lines(step))


def step_json(engine: Engine, row: JournalRow) -> dict[str, Any]:
    """One step with the fields that it changed; groups by their names."""
    from contactsync.engine.hub import describe

    before, after = (engine.hub.with_names(c) if c is not None else None for c in (row.before, row.after))
    some = after or before
    book = engine.store.books.get(row.collection_id) if row.collection_id is not None else None
    return {
        "run": row.run_id,
        "at": row.at.isoformat(),
        "name": some.display if some is not None else "",
        "side": "device" if row.side == "local" else "remote",
        "account": book.account if book else None,
        "book": book.name if book else None,
        "action": row.action,
        "state": row.state,
        "note": row.note,
        "changes": [
            {"field": f, "old": old, "new": new} for f, (old, new) in describe(before, after).items()
        ],
    }


def step_lines(step: dict[str, Any]) -> Iterator[str]:
    """A step for people, with its fields."""
    source = f"{step['account']}/{step['book']}" if step["account"] else "here"
    way = "to" if step["side"] == "remote" else "from"
    state = "" if step["state"] == "done" else f" [{step['state']}]"
    note = f" ({step['note']})" if step["note"] else ""
    when = step["at"][:16].replace("T", " ")
    what = f"{step['action']} {step['name']}".rstrip()  # what is no change of a contact has its words as note
    yield f"{when}  run {step['run']}  {what}, {way} {source}{state}{note}"
    yield from change_lines(step["action"], ((c["field"], c["old"], c["new"]) for c in step["changes"]))


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
def restore_contacts(ctx: typer.Context, names: Some) -> None:
    """Bring contacts back from the trash, with the next round also in the accounts."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        found = engine.restore(names)
    out.result({"restored": _named(found)}, *(f"Restored {c.contact.display} ({c.uid})" for c in found))


@contact.command("purge")
def purge_contacts(
    ctx: typer.Context,
    names: Some,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget deleted contacts for good, with their history."""
    out = session_of(ctx).out
    if not yes:
        confirm(f"Forget {plural(len(names), 'contact')} for good?", "--yes")
    with open_engine(ctx) as engine:
        found = engine.purge(names)
    out.result({"purged": _named(found)}, *(f"Forgot {c.contact.display} ({c.uid})" for c in found))


@contact.command("merge")
def merge_contacts(
    ctx: typer.Context,
    survivor: Annotated[str, typer.Argument(metavar="ID", help="The contact that stays.")],
    other: Annotated[str, typer.Argument(metavar="ID", help="The contact that goes into it.")],
) -> None:
    """Make one contact of two, with all values and the history of both."""
    out = session_of(ctx).out
    with open_engine(ctx) as engine:
        merged = engine.merge(survivor, other)
    out.result(
        {"uid": merged.uid, "name": merged.contact.display},
        f"Merged into {merged.contact.display} ({merged.uid})",
    )


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
