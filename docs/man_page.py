"""The man page in roff, from the commands and from tables of the manual; `generate_commands` writes it.

It is committed, so that an installation needs no Sphinx; a test holds it to the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from contactsync import __version__

DOCS = Path(__file__).parent
NAME = "contactsync"
ABOUT = "keep the contacts of a device and of any number of address books the same"
DESCRIPTION = """\
A device has its own database of contacts, and any number of accounts: CardDAV servers, Gmail, Outlook,
folders of vCards. Each round compares the device and each account with what they were when they last
agreed, field by field, and carries over what changed on either side. If both changed the same field, one
value wins and the other is kept in a record, from where it can be taken back.

Nothing is deleted in masses without your word, a round may be stopped at any moment, and every run can be
undone.

What is wanted of Google and Microsoft before the first login, and all rules in full, is in the manual
that comes with the source.
"""
EXAMPLES = (
    ("Add a CardDAV server; the password is asked for:",
     "contactsync account add carddav home --url https://dav.example.org --username ada"),
    ("See what the first round would do, and do it:", "contactsync plan home", "contactsync sync home"),
    ("Keep everything the same from now on, as a service of systemd:", "contactsync service install"),
    ("Take in a file, and take that back:", "contactsync import people.vcf", "contactsync run undo 17"),
    ("Go through what both sides changed, one key each:", "contactsync conflict review"),
    ("All contacts as one file of vCards:", "contactsync export --to all.vcf"),
)  # fmt: skip


Records = Callable[[Any, typer.Context], Iterable[tuple[str, str]]]


def document(root: Any, records: Records) -> str:
    """The whole page; ``records`` gives the names and the explanation of each parameter of a command."""
    context = typer.Context(root, info_name=NAME)
    return "\n".join(
        [
            f'.TH CONTACTSYNC 1 "" "contactsync {__version__}" "Contacts"',
            ".nh",
            *section("NAME", [rf"{NAME} \- {ABOUT}"]),
            *section("SYNOPSIS", [r"\fBcontactsync\fR [\fIoptions\fR] \fIcommand\fR [\fIarguments\fR]"]),
            *section("DESCRIPTION", paragraphs(DESCRIPTION)),
            *section("OPTIONS", options(records(root, context))),
            *section("COMMANDS", commands(root, context, records)),
            *section("EXIT STATUS", exit_status()),
            *section("ENVIRONMENT", rows("Environment")),
            *section("FILES", files()),
            *section("EXAMPLES", examples()),
            *section("SEE ALSO", [".BR khard (1),", ".BR systemd.service (5),", ".BR journalctl (1)"]),
            "",
        ]
    )


def section(title: str, lines: Iterable[str]) -> list[str]:
    return [f'.SH "{title}"', *lines]


def options(records: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield "They stand before the command."
    yield from parameters(records)
    yield from entry("`-h`, `--help`", "Say what there is; also of each command.")
    yield from entry(
        "`--install-completion`, `--show-completion`",
        "Teach your shell to complete commands and options, or print what it would be taught.",
    )


def commands(parent: Any, above: typer.Context, records: Records) -> Iterator[str]:
    """Each command, and after it those below it."""
    for name, command in getattr(parent, "commands", {}).items():
        context = typer.Context(command, info_name=name, parent=above)
        pieces = " ".join(command.collect_usage_pieces(context)).replace("COMMAND [ARGS]...", "COMMAND")
        yield f'.SS "{plain(context.command_path)} {plain(pieces)}"'
        yield from paragraphs("\n\n".join(filter(None, (command.help, command.epilog))))
        yield from parameters(records(command, context))
        yield from commands(command, context, records)


def parameters(records: Iterable[tuple[str, str]]) -> Iterator[str]:
    for names, text in records:
        yield from entry(re.sub(r"--?[a-z][a-z-]*", r"`\g<0>`", names), text)


def rows(heading: str) -> Iterator[str]:
    """A table of two columns of the page about the configuration."""
    for name, meaning in table("configuration.md", heading):
        yield from entry(name, f"{meaning}.")


def exit_status() -> Iterator[str]:
    for code, meaning, to_do in table("errors.md", "Exit codes"):
        more = "" if to_do == "nothing" else f" {to_do[:1].upper()}{to_do[1:]}."
        yield from entry(code, f"{meaning}.{more}")


def files() -> Iterator[str]:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    where = text.split("\n## Files\n", 1)[1].partition("\n\n|")[0]
    yield from paragraphs(where)
    yield from rows("Files")


def examples() -> Iterator[str]:
    for sentence, *lines in EXAMPLES:
        yield ".PP"
        yield inline(sentence)
        yield from (".PP", ".RS 4", ".nf", *map(plain, lines), ".fi", ".RE")


def table(page: str, heading: str) -> Iterator[list[str]]:
    """The rows of the first table below a heading of a page."""
    section = (DOCS / page).read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1]
    block = section.partition("\n|")[2].partition("\n\n")[0]
    for line in block.splitlines()[2:]:
        yield [cell.strip().rstrip(".") for cell in line.strip().strip("|").split(" | ")]


def entry(names: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield inline(names)
    yield inline(" ".join(text.split())) or "\\&"


def paragraphs(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).strip().split("\n\n"):
        yield ".PP"
        yield inline(" ".join(paragraph.split()))


def inline(text: str) -> str:
    """A line of Markdown as roff."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", text)
    return "".join(
        rf"\fB{plain(part.strip('`*'))}\fR" if n % 2 else plain(part) for n, part in enumerate(parts)
    )


def plain(text: str) -> str:
    for letter, roff in (("\\", r"\e"), ("-", r"\-"), ('"', r"\(dq"), ("~", r"\(ti")):
        text = text.replace(letter, roff)
    return re.sub(r"^(?=['.])", r"\\&", text)
