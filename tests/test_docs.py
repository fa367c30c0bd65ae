"""Holds the pages to the code: links, commands, keys, errors, and tables.

``python -m tests.test_docs`` writes the generated parts of the pages anew.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import shlex
import tomllib
from collections.abc import Callable
from dataclasses import fields as fields_of
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from contactsync import api, config, errors
from contactsync.cli import accounts
from contactsync.cli import app as cli
from contactsync.connectors.base import Capabilities
from contactsync.connectors.carddav.connector import CAPABILITIES as CARDDAV
from contactsync.connectors.carddav.quirks import QUIRKS
from contactsync.connectors.contract import Rule
from contactsync.connectors.google.connector import CAPABILITIES as GOOGLE
from contactsync.connectors.google.items import SHAPES, Shape
from contactsync.connectors.outlook.connector import CAPABILITIES as OUTLOOK
from contactsync.connectors.outlook.slots import SLOTS, Slot
from contactsync.connectors.presets import ELSEWHERE, PATHS, PRESETS
from contactsync.connectors.vdir.connector import CAPABILITIES as VDIR
from contactsync.model.fields import FIELD, FIELDS, Field, Kind
from contactsync.vcard.dialects import CUSTOM_FIELD
from tests import api_page, surviving
from tests.cases.showing import section
from tests.command_lines import commands, connectors_of_examples
from tests.each_server import NAMES
from tests.field_table import REMOTES
from tests.field_table import rows as field_rows
from tests.playing import is_played, played
from tests.property_table import rows as property_rows

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
READMES = [
    ROOT / "README.md",
    *(p for f in ("contactsync", "fixtures", "tests") for p in (ROOT / f).rglob("README.md")),
]
MANUAL = [page for page in DOCS.rglob("*.md") if DOCS / "_build" not in page.parents]
PAGES = sorted([*MANUAL, ROOT / "CHANGELOG.md", *READMES])


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- generated parts -----------------------------------------------------------------------------

SAME = {
    "kind": "text without case",
    "name": "all its parts, its sorting, and a display name that is more than its parts; to the letter",
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


MEANINGS = {
    "incremental": "a listing names only what changed",
    "changes_carry_payload": "a listing brings the cards themselves",
    "names_href": "we choose the name of a new card, so a repeated create is safe",
    "carries_uid": "a card keeps our UID",
    "conditional_update": "an update is refused if the card changed meanwhile",
    "conditional_delete": "the same for a deletion",
    "etag_on_write": "the answer to a write names the new version",
    "payload_on_write": "the answer to a write shows what was stored",
    "fields": "fields that it can hold",
    "parallel_writes": "writes under way at once, at most",
    "batch_size": "steps in one request",
    "settles_after": "how long a listing may be behind a write",
    "group_cards": "a group may be a card of its own",
    "labels": "groups are labels: records without members, named on the cards",
    "written_apart": "fields that are written by requests of their own, after all the rest",
}


NOTHING = {"fields": "all", "written_apart": "none"}


def capability_table(remote: str, capabilities: Capabilities) -> str:
    names = [f.name for f in fields_of(Capabilities)]
    values = {name: _shown(getattr(capabilities, name), NOTHING.get(name, "")) for name in names}
    rows = [f"| `{name}` | {MEANINGS[name]} | {value} |" for name, value in values.items()]
    return "\n".join([f"| capability | meaning | {remote} |", "|---|---|---|", *rows])


def _shown(value: object, nothing: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or nothing
    return f"{value.total_seconds():g} seconds" if isinstance(value, timedelta) else str(value)


KEPT_AT_GOOGLE = (
    ("`occupations`, `externalIds`, `locations`, `miscKeywords`, `skills`", "stay at Google as they are"),
    ("`clientData`", "our uid and the mark of a create; other programs' stay"),
    ("file as", "Google's API does not show it"),
)
KEPT_HERE = (
    ("`name`", "what to sort by; a display name that is more than its parts"),
    (
        "`emails`, `phones`, `addresses`, ...",
        "preference, a second context, `voice` `text` `video`; one word says what each is for",
    ),
    ("`organizations`", "units after the first"),
    ("`notes`", "all but the first"),
    ("`anniversaries`", "days of which the month or the day is not known"),
    ("`online_services`", "profiles in social networks"),
    ("`related_to`", "links to other cards"),
    ("`media`", "logos, sounds, photos that are only an address"),
    ("`kind`, `extra`", "all that is not named above"),
)


def google_table() -> str:
    rows = [("`names`", "`name`"), ("`organizations`", "`organizations`, `titles` (title, role)")]
    rows += [(f"`{shape.name}`", f"`{shape.field}`{_google_note(shape)}") for shape in SHAPES]
    rows += [("`photos`", "`media` (photo)"), ("`memberships`", "`groups`"), *KEPT_AT_GOOGLE]
    first = [f"| {there} | {here} |" for there, here in rows]
    second = [f"| {field} | {what} |" for field, what in KEPT_HERE]
    return "\n".join(
        ["| at Google | here |", "|---|---|", *first, "", "| stays here | of it |", "|---|---|", *second]
    )


def _google_note(shape: Shape) -> str:
    names = {"genders": "GENDER", "locales": "LANG", "interests": "INTEREST", "calendarUrls": "CALURI, FBURL"}
    names["userDefined"] = CUSTOM_FIELD
    if shape.field == "extra":
        return f" ({names[shape.name]})"
    return " (one)" if shape.single else ""


OTHERS_AT_OUTLOOK = (
    ("`givenName`, `middleName`, `surname`, `title`, `generation`", "`name`", "one each"),
    ("`displayName`", "`name`", "1"),
    ("`yomiGivenName`, `yomiSurname`", "`name` (how it sounds)", "one each"),
    ("`companyName`, `department`", "`organizations` (name, first unit)", "1"),
    ("`businessAddress`, `homeAddress`, `otherAddress`", "`addresses` (work, private, other)", "one each"),
    (
        "`String {…2004…} Id 0x804A`, `String 0x3A5E`, `String 0x3A64`",
        "`addresses`: their post office boxes",
        "one each",
    ),
    ("photo", "`media` (photo)", "1"),
    ("`categories`", "`groups`", "any"),
    ("`fileAs`, `initials`, `officeLocation`, `yomiCompanyName`", "stay at Outlook as they are", ""),
    ("all else, and extended properties of other programs", "stay at Outlook as they are", ""),
)
HOME_OF_OUTLOOK = (
    ("`emails`", "their kinds, labels and preference"),
    ("`phones`", "labels; a kind that is not above: a fax of no place, a second place"),
    ("`addresses`", "a second one of the same kind; floors and the like go into the street"),
    ("`organizations`, `titles`, `nicknames`, `links`, `notes`", "more than there is room for"),
    ("`anniversaries`", "days of which the month or the day is not known; other kinds"),
    ("`online_services`", "profiles in social networks"),
    ("`media`", "logos, sounds, photos that are only an address"),
    ("`kind`, `extra`", "all that is not named above"),
)


def outlook_table() -> str:
    rows = [*map(_slot_row, SLOTS), *OTHERS_AT_OUTLOOK]
    first = [f"| {there} | {here} | {room} |" for there, here, room in rows]
    second = [f"| {field} | {what} |" for field, what in HOME_OF_OUTLOOK]
    head = ["| at Outlook | here | room for |", "|---|---|---|"]
    return "\n".join([*head, *first, "", "| stays here | of it |", "|---|---|", *second])


def _slot_row(slot: Slot) -> tuple[str, str, str]:
    samples: tuple[Any, ...] = ({"address": "a@x.example"}, "1", "1900-01-01T00:00:00Z")
    entry = next(found for sample in samples if (found := slot.read(sample)) is not None)
    words = [
        *getattr(entry, "contexts", ()),
        *getattr(entry, "features", ()),
        *getattr(entry, "relation", ()),
    ]
    words += [getattr(entry, "kind", "") or ""] if slot.field in ("titles", "anniversaries") else []
    words += ["GENDER"] if slot.field == "extra" else []
    kinds = ", ".join(sorted(filter(None, words)))
    return f"`{slot.name}`", f"`{slot.field}`" + (f" ({kinds})" if kinds else ""), _room(slot.size)


def _room(size: int) -> str:
    return str(size) if size < 100 else "any"


def provider_table() -> str:
    rows = []
    for preset in PRESETS:
        domains = ", ".join(f"`{domain}`" for domain in preset.domains) or "any"
        notes = " ".join(text for text in (preset.advice, preset.known) if text)
        rows.append(f"| {preset.name} | {domains} | `{preset.url}` | {notes} | {preset.source} |")
    head = "| provider | mail domains | address | what you do, and what is known | address by |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def elsewhere_table() -> str:
    rows = [
        f"| {name} | {', '.join(f'`{d}`' for d in domains)} | {kind} |" for domains, name, kind in ELSEWHERE
    ]
    return "\n".join(["| provider | mail domains | type of account |", "|---|---|---|", *rows])


def quirk_table() -> str:
    rows = [f"| {q.seen_on} | {q.does} | {q.we} | `{q.test}` |" for q in QUIRKS]
    return "\n".join(["| seen on | what it does | what we do | test |", "|---|---|---|---|", *rows])


def surviving_table() -> str:
    names = [*NAMES.values(), "planned answers"]
    rows, last = [], ""
    for point, test, where in surviving.rows():
        marks = " | ".join("yes" if here else "" for here in where)
        rows.append(f"| {'' if point == last else point} | `{test}` | {marks} |")
        last = point
    head = f"| what | test | {' | '.join(names)} |"
    return "\n".join([head, "|---|---|" + "---|" * len(names), *rows])


def property_table() -> str:
    rows = [f"| {' | '.join(cells)} |" for cells in property_rows()]
    head = "| property | written by | model | new in 4.0 | new in 3.0 | new in 2.1 | JSContact | CardDAV |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows])


EXAMPLE = DOCS / "examples" / "contactsync-sqlite"
EXAMPLE_MODULE = EXAMPLE / "contactsync_sqlite.py"


def quoted(file: str) -> str:
    """A file of the example, whole."""
    return f"```toml\n{(EXAMPLE / file).read_text(encoding='utf-8').strip()}\n```"


def part(file: str, *names: str) -> str:
    """These classes and functions of a file of the example; without names, what stands before the first."""
    text = (EXAMPLE / file).read_text(encoding="utf-8")
    lines = text.splitlines()
    nodes = [n for n in ast.parse(text).body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    found = ["\n".join(lines[n.lineno - 1 : n.end_lineno]) for n in nodes if n.name in names]
    head = "\n".join(lines[: nodes[0].lineno - 1])
    return "```python\n" + "\n\n\n".join(found or [head.strip()]) + "\n```"


def example_capabilities() -> str:
    spec = importlib.util.spec_from_file_location("contactsync_sqlite", EXAMPLE_MODULE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return capability_table("the example", module.CAPABILITIES)


def rule_table() -> str:
    rows = [f"| {rule.title} | {rule.value} |" for rule in Rule]
    return "\n".join(["| rule | |", "|---|---|", *rows])


def remote_table() -> str:
    lines, last = [], ""
    for name, what, cells in field_rows():
        lines.append(f"| {'' if name == last else f'`{name}`'} | {what} | {' | '.join(cells)} |")
        last = name
    head = f"| field | of it | {' | '.join(REMOTES)} |"
    return "\n".join([head, "|---|---|" + "---|" * len(REMOTES), *lines])


def path_table() -> str:
    rows = [f"| {name} | `{path}` |" for name, path in PATHS]
    return "\n".join(["| server | usual path |", "|---|---|", *rows])


GENERATED: dict[tuple[str, str], Callable[[], str]] = {
    ("docs/how-it-decides.md", "fields"): field_table,
    ("docs/how-it-decides.md", "cases"): section,
    ("docs/connectors/carddav.md", "capabilities"): partial(capability_table, "CardDAV", CARDDAV),
    ("docs/connectors/gmail.md", "capabilities"): partial(capability_table, "Gmail", GOOGLE),
    ("docs/connectors/gmail.md", "fields"): google_table,
    ("contactsync/connectors/google/README.md", "capabilities"): partial(capability_table, "Gmail", GOOGLE),
    ("docs/connectors/outlook.md", "capabilities"): partial(capability_table, "Outlook", OUTLOOK),
    ("docs/connectors/outlook.md", "fields"): outlook_table,
    ("contactsync/connectors/outlook/README.md", "capabilities"): partial(
        capability_table, "Outlook", OUTLOOK
    ),
    ("docs/connectors/vdir.md", "capabilities"): partial(capability_table, "folder", VDIR),
    ("docs/connectors/carddav.md", "quirks"): quirk_table,
    ("docs/connectors/carddav.md", "surviving"): surviving_table,
    ("docs/api.md", "api"): api_page.page,
    ("docs/fields.md", "fields"): remote_table,
    ("docs/properties.md", "properties"): property_table,
    ("docs/providers.md", "providers"): provider_table,
    ("docs/providers.md", "elsewhere"): elsewhere_table,
    ("docs/providers.md", "paths"): path_table,
    ("docs/write-a-connector.md", "project"): partial(quoted, "pyproject.toml"),
    ("docs/write-a-connector.md", "head"): partial(part, EXAMPLE_MODULE.name),
    ("docs/write-a-connector.md", "codec"): partial(part, EXAMPLE_MODULE.name, "JsonCodec", "_texts"),
    ("docs/write-a-connector.md", "connector"): partial(
        part, EXAMPLE_MODULE.name, "SqliteConnector", "_etag"
    ),
    ("docs/write-a-connector.md", "capabilities"): example_capabilities,
    ("docs/write-a-connector.md", "factory"): partial(part, EXAMPLE_MODULE.name, "factory"),
    ("docs/write-a-connector.md", "tests"): partial(
        part, f"test_{EXAMPLE_MODULE.name}", "OtherProgram", "TestSqlite"
    ),
    ("docs/write-a-connector.md", "rules"): rule_table,
}


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


def test_each_field_is_in_the_table_of_remotes() -> None:
    assert [name for name in FIELD if f"| `{name}` |" not in remote_table()] == []


# --- links, names and tables ----------------------------------------------------------------------

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?<![\w/-])contactsync (?=[a-z-])[^`\n|]*")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Where links into a page can lead, by the rules of code hosts."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    missing = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
            missing.append(link)
    assert missing == []


def test_every_page_is_in_the_index() -> None:
    linked = {
        (DOCS / link).resolve() for link in LINK.findall((DOCS / "index.md").read_text(encoding="utf-8"))
    }
    assert set(MANUAL) - linked == {DOCS / "index.md"}


def test_each_test_that_a_page_names_exists() -> None:
    known = {
        node.name
        for folder in ("tests", "contactsync/testing")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?<!tests\.)\b(test_\w+)\b(?!\.py|/)", text))
        assert named <= known, page
        for name, target in re.findall(r"\[(test_\w+)\]\(([^)]+)\)", text):
            assert f"def {name}(" in (page.parent / target).read_text(encoding="utf-8")


def _unknown_words(line: str) -> list[str]:
    """What of a command that is named there is no command or option for; arguments may be missing."""
    command: Any = cli.program()
    chain = [command]
    for word in shlex.split(line)[1:]:
        subcommands = getattr(chain[-1], "commands", {})
        if word.startswith("--"):
            known = {name for c in chain for p in c.params for name in (*p.opts, *p.secondary_opts)}
            if word not in {*known, "--help"}:
                return [word]
        elif subcommands:
            word = accounts.ANY if word in connectors_of_examples() else word
            if word not in subcommands:
                return [word]
            chain.append(subcommands[word])
        elif not chain[-1].params:
            return [word]
    return []


def test_commands_that_pages_name_exist() -> None:
    """Those in the text; the blocks are for `tests.test_examples`."""
    wrong, named = [], 0
    for page in PAGES:
        for code in re.findall(r"`([^`\n]+)`", FENCE.sub("", page.read_text(encoding="utf-8"))):
            for line in COMMAND.findall(code):
                named += 1
                wrong += [(page_name(page), line, bad) for bad in _unknown_words(line)]
    assert named > 30 and wrong == []


def test_a_command_that_is_not_there_is_noticed() -> None:
    assert _unknown_words("contactsync account adds") == ["adds"]
    assert _unknown_words("contactsync sync --allow-mass") == ["--allow-mass"]


def _first_cells(page: Path, heading: str) -> set[str]:
    """The names in the first column of the table below a heading."""
    section = page.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("`[settings]`", set(config.SETTINGS)),
        ("`[account.NAME]`", set(config.ACCOUNT)),
        ('`[account.NAME.book."BOOK"]`', set(config.BOOK)),
        ("`[calendar.NAME]`", set(config.CALENDAR)),
        ("`password`", set(config.PASSWORD)),
    ],
)
def test_each_key_of_the_configuration_is_documented(heading: str, known: set[str]) -> None:
    assert _first_cells(DOCS / "configuration.md", heading) == known


def test_the_defaults_of_the_settings_are_those_of_the_code() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for field in fields_of(config.Settings):
        assert re.search(rf"^\| `{field.name}` \|[^|]*\| {field.default} \|", text, re.MULTILINE), field.name


def test_each_error_and_exit_code_is_documented() -> None:
    classes = {
        n for n, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.ContactSyncError)
    }
    assert _first_cells(DOCS / "errors.md", "Error classes") == classes
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    named = {int(code) for code in re.findall(r"(?:^|; |: |\n)(\d+) (?=\w)", cli.EXIT_CODES)}
    assert rows == named == {0, 1, 2, 3, 4, 5, 6, 7, 8, 130}


def test_each_kind_of_error_in_json_is_documented() -> None:
    text = (DOCS / "errors.md").read_text(encoding="utf-8").partition("\n## ")[0]
    kinds = {kind for _, _, kind in cli.KINDS} | {"interrupted", "internal"}
    assert set(re.findall(r"`([a-z-]+)`", text)) - {"kind"} >= kinds


#: Texts in capitals that a module with an eye on the environment has for something else.
NO_VARIABLES = {"AF_UNIX", "POST", "TIME"}


def test_each_variable_of_the_environment_is_documented() -> None:
    read = set()
    for path in (ROOT / "contactsync").rglob("*.py"):
        if re.search(r"\benviron\b", text := path.read_text(encoding="utf-8")):
            texts = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
            read |= {t for t in texts if isinstance(t, str) and re.fullmatch(r"[A-Z][A-Z_]{3,}", t)}
    assert len(read) > 12 and read - NO_VARIABLES <= _first_cells(DOCS / "configuration.md", "Environment")


def test_each_connector_is_documented() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `connector` \|.*$", text, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = project["entry-points"]["contactsync.connectors"]
    assert [name for name in ours if f"`{name}`" not in row] == []
    pages = "".join(page.read_text(encoding="utf-8") for page in MANUAL if page.name != "commands.md")
    adding = command_of("contactsync account add").commands.keys() - {accounts.ANY}
    assert [name for name in adding if f"contactsync account add {name} " not in pages] == []


def command_of(path: str) -> Any:
    return dict(commands(cli.program()))[path]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("configuration.md", {*config.MODES, *config.CONFLICTS}),
        ("fields.md", set(config.SELECTABLE)),
        ("connectors/carddav.md", {f.name for f in fields_of(Capabilities)}),
        ("api.md", {*api_page.public(api), *(n for n in vars(api.Engine) if not n.startswith("_"))}),
    ],
)
def test_each_word_of_a_kind_is_on_its_page(page: str, words: set[str]) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert [word for word in sorted(words) if not re.search(rf"[`.]{word}`", text)] == []


def test_each_command_and_option_is_in_the_manual() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    for path, command in commands(cli.program()):
        part = text.partition(f"## `{path}`\n")[2].partition("\n## ")[0]
        options = {name for p in command.params for name in (*p.opts, *p.secondary_opts) if name[0] == "-"}
        place = text if path == "contactsync" else part
        assert part and [name for name in options if name not in place] == [], path


STEP = re.compile(r"^\| \d+ \| `([^`]+)` \| ([^|]+) \|", re.MULTILINE)


def test_the_way_of_a_number_names_functions_that_exist() -> None:
    steps = STEP.findall((DOCS / "where-a-number-goes.md").read_text(encoding="utf-8"))
    assert len(steps) > 40
    for file, names in steps:
        text = (ROOT / "contactsync" / file).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert f"def {name}(" in text, f"{file}: {name}"


def write_generated() -> None:
    for (page, name), content in GENERATED.items():
        path = ROOT / page
        path.write_text(with_generated(path.read_text(encoding="utf-8"), name, content()), encoding="utf-8")
    for page in PAGES:
        if is_played(text := page.read_text(encoding="utf-8")):
            page.write_text(played(text), encoding="utf-8")


if __name__ == "__main__":
    write_generated()
