"""Every block of every page is run or read by what it is for, or says above it why not.

``console``, Python, and blocks with the name of a file are played with their page (`tests.playing`). In
``sh`` and in blocks without a kind each line is a command, which must be taken as it stands. ``text`` shows
what something looks like. What is generated comes from files with tests of their own. All else needs a line
above it: *Not run by the tests: ...*
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contactsync import config
from tests.cases.merging import load
from tests.command_lines import complaint
from tests.playing import BLOCK, is_excused, is_played, played
from tests.test_docs import PAGES, ROOT, page_name

# What a shell is told beside our commands: to set up, and to go to places.
SHELL = {
    "cd",
    "export",
    "mkdir",
    "pip",
    "printf",
    "pytest",
    "python3",
    "kill",
    "systemctl",
    "journalctl",
    "loginctl",
}


def command_wrong(line: str) -> str:
    """What is wrong with one line of a shell."""
    words = shlex.split(line, comments=True)
    match words:
        case ["contactsync", *_]:
            return complaint(line)
        case ["make", target, *_]:
            known = re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            return "" if known else f"no target {target}"
        case ["python", "-m", module, *_]:
            return "" if importlib.util.find_spec(module) else f"no module {module}"
        case [first, *_]:
            return "" if Path(first).name in SHELL else f"nobody knows what {first} is"
    return ""


def shell_wrong(body: str) -> str:
    lines = re.sub(r"\\\n", " ", body).splitlines()
    return "; ".join(f"{line}: {wrong}" for line in lines if (wrong := command_wrong(line)))


def toml_wrong(body: str) -> str:
    """A configuration, as every block of TOML without the name of a file is."""
    try:
        config.parse(body, Path("config.toml"))
    except config.ConfigError as error:
        return str(error)
    return ""


def json_wrong(body: str) -> str:
    try:
        json.loads(body)
    except ValueError as error:
        return str(error)
    return ""


def text_wrong(body: str) -> str:
    return "a command in a text" if re.search(r"^\$? ?contactsync ", body, re.MULTILINE) else ""


def case_wrong(body: str) -> str:
    """A case of the merge; `tests.cases` plays the one of its page."""
    load("page", body)
    return ""


READERS: dict[str, Callable[[str], str]] = {
    "": shell_wrong,
    "sh": shell_wrong,
    "toml": toml_wrong,
    "toml case.toml": case_wrong,
    "json": json_wrong,
    "text": text_wrong,
}


def problems(text: str) -> Iterator[str]:
    """What of the blocks of a page nobody would notice if it were wrong, or is wrong."""
    plays = is_played(text)
    for block in BLOCK.finditer(text):
        kind = f"{block['kind']} {block['name'] or ''}".strip()
        is_run = plays and (block["kind"] in ("console", "python") or block["name"])
        if is_run or is_excused(block):
            continue
        wrong = READERS[kind](block["body"]) if kind in READERS else "nobody runs it"
        if wrong:
            yield f"```{kind}: {wrong}"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_block_of_a_page_is_run_or_read(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert list(problems(text)) == []
    assert text.count("```") - text.count("````") == 2 * len(BLOCK.findall(text)), "a block of another form"


@pytest.mark.parametrize(
    "page", [p for p in PAGES if is_played(p.read_text(encoding="utf-8"))], ids=page_name
)
def test_a_page_says_what_the_program_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == played(text), "run: python -m tests.test_docs"


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("```\ncontactsync synch\n```", "No such command"),
        ("```sh\ncontactsync sync \\\n  --fast\n```", "No such option"),
        ("```\nmake everything\n```", "no target"),
        ("```\nconjure\n```", "nobody knows"),
        ("```toml\n[settings]\nmax_delete = 2\n```", "max_delete"),
        ("```json\n{,}\n```", "Expecting"),
        ("```text\n$ contactsync sync\n```", "a command in a text"),
        ("```xml\n<a/>\n```", "nobody runs it"),
        ("```toml columns.toml\na = 1\n```", "nobody runs it"),
    ],
)
def test_a_block_that_is_wrong_or_that_nobody_runs_is_noticed(block: str, told: str) -> None:
    (said,) = problems(f"Text.\n\n{block}\n")
    assert told in said
    assert list(problems(f"*Not run by the tests: it is wrong.*\n\n{block}\n")) == []
    assert list(problems(f"<!-- generated: x -->\n\n{block}\n\n<!-- end -->\n")) == []
    assert list(problems(f"<!-- generated: x -->\n\nx\n\n<!-- end -->\n\n{block}\n")) != []


def test_what_a_played_page_says_is_what_its_commands_say() -> None:
    page = "```console\n$ contactsync group list\nWrong.\n$ echo x | tr x y\n```\n"
    assert played(page) == page.replace("Wrong.", "There are no groups.").replace("tr x y\n", "tr x y\ny\n")
    with pytest.raises(AssertionError):
        played("```python\nassert 1 == 2\n```\n")
