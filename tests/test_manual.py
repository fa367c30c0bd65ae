"""The manual as it is handed out: HTML by Sphinx, the page of the commands, and the man page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest

from contactsync.cli.app import EXIT_CODES, program
from tests.command_lines import commands, complaint
from tests.test_docs import DOCS, MANUAL, ROOT

MAN = "contactsync.1"


# --- HTML ------------------------------------------------------------------------------------------


def built(source: Path, target: Path) -> str:
    """Build the pages in a folder as ``make docs`` does; what Sphinx complains about."""
    words = ["-b", "html", "-n", "-W", "--keep-going", "-q", "-d", str(target / ".doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, "-c", str(DOCS), str(source), str(target)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0 or done.stderr
    return done.stderr


class Page(HTMLParser):
    """The anchors of a page, and where it leads to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors, self.links = {""}, set[str]()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors |= {found.get("id") or ""}
        self.links |= {found.get(name) or "" for name in ("href", "src")}


def broken(folder: Path) -> list[str]:
    """The links within built pages that lead nowhere."""
    pages = {path.resolve(): Page(path) for path in folder.rglob("*.html")}
    assert len(pages) > 1
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            place, anchor = urldefrag(link)
            if re.match(r"[a-z]+:|//", place):
                continue
            target = (path.parent / unquote(place.partition("?")[0])).resolve() if place else path
            if not target.exists() or (target in pages and unquote(anchor) not in pages[target].anchors):
                wrong.append(f"{path.name}: {link}")
    return wrong


def test_the_manual_builds_without_a_warning_and_no_link_is_broken(tmp_path: Path) -> None:
    assert built(DOCS, tmp_path) == ""
    assert broken(tmp_path) == []
    first = (tmp_path / "index.html").read_text(encoding="utf-8")
    missing = [
        page
        for page in MANUAL
        if page.name != "index.md" and f'"{page.relative_to(DOCS).with_suffix(".html")}"' not in first
    ]
    assert missing == [], "not in the tree of pages"


def test_a_link_to_no_page_or_to_no_heading_of_one_is_a_warning(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.md").write_text("# One\n\n## Start\n\n- [Two](two.md)\n\n[far](three.md)\n")
    (source / "two.md").write_text("# Two\n\n[back](index.md#start)\n\n[nowhere](index.md#end)\n")
    said = built(source, tmp_path / "out")
    assert "three.md" in said and "end" in said and "start" not in said


# --- what the commands say of themselves -----------------------------------------------------------


@pytest.fixture(scope="module")
def generated() -> Iterator[Mapping[str, str]]:
    before = list(sys.path)
    sys.path.insert(0, str(DOCS))
    try:
        module: ModuleType = __import__("generate_commands")
        yield module.documents()
    finally:
        sys.path[:] = before


@pytest.mark.parametrize("name", ["commands.md", MAN])
def test_the_pages_of_the_commands_are_up_to_date(name: str, generated: Mapping[str, str]) -> None:
    hint = "run: python docs/generate_commands.py"
    assert (DOCS / name).read_text(encoding="utf-8") == generated[name], hint


def test_every_command_explains_itself() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    for section in text.split("## `")[1:]:
        _, usage, *rest = [part for part in section.split("\n\n") if part.strip()]
        assert rest and not rest[0].startswith("- "), usage


# --- the man page -----------------------------------------------------------------------------------

SECTIONS = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "COMMANDS",
    "EXIT STATUS",
    "ENVIRONMENT",
    "FILES",
    "EXAMPLES",
    "SEE ALSO",
]


def needs(tool: str) -> None:
    """Skips where there is none, or only the stand-in that small images have."""
    if shutil.which(tool) is None or not re.search(r"\d\.\d", shown(tool, "--version")):
        pytest.skip(f"{tool} is not installed")


def shown(*words: str, **more: Any) -> str:
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100", "MANPAGER": "cat", **more}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=env)
    assert done.stderr == ""
    return re.sub(".\b", "", done.stdout)


def test_the_man_page_has_every_section_command_option_and_exit_code() -> None:
    text = (DOCS / MAN).read_text(encoding="utf-8").replace("\\-", "-")
    assert re.findall(r'^\.SH "(.*)"$', text, re.MULTILINE) == SECTIONS
    parts = re.split(r'^\.SS "', text, flags=re.MULTILINE)
    for path, command in commands(program()):
        part = parts[0] if path == "contactsync" else next(p for p in parts if re.match(rf"{path} [\[{{]", p))
        options = {name for p in command.params for name in (*p.opts, *p.secondary_opts) if name[0] == "-"}
        assert [name for name in options if f"\\fB{name}\\fR" not in part] == [], path
    codes = text.partition('.SH "EXIT STATUS"')[2].partition(".SH")[0]
    assert set(re.findall(r"^\.TP\n(\d+)$", codes, re.MULTILINE)) == set(
        re.findall(r"(?:^|; |: |\n)(\d+) (?=\w)", EXIT_CODES)
    )


def test_the_man_page_is_clean_roff() -> None:
    needs("groff")
    assert "--allow-mass-delete" in shown("groff", "-man", "-Tutf8", "-ww", "-P-c", str(DOCS / MAN))


def test_an_installation_has_the_man_page(tmp_path: Path) -> None:
    """As pip installs it: `man` finds it beside the folder of programs, which is in PATH."""
    needs("man")
    build = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    wheel = tmp_path / done.stdout.split()[-1]
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "docs" in Path(name).parts]
    prefix = tmp_path / "prefix"
    words = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--ignore-installed"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *words, "--prefix", str(prefix), str(wheel)],
        check=True,
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    path = f"{prefix / 'bin'}{os.pathsep}{os.environ['PATH']}"
    assert shown("man", "-w", "contactsync", PATH=path).strip() == str(prefix / "share/man/man1" / MAN)
    assert "keep the contacts of a device" in " ".join(shown("man", "contactsync", PATH=path).split())


def test_the_examples_of_the_man_page_are_commands() -> None:
    text = (DOCS / MAN).read_text(encoding="utf-8").replace("\\-", "-")
    lines = re.findall(r"^contactsync .*$", text.partition('.SH "EXAMPLES"')[2], re.MULTILINE)
    assert len(lines) > 5
    assert [line for line in lines if complaint(line)] == []
