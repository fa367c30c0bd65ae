"""How Sphinx makes the manual: ``make docs`` for HTML. The pages are plain Markdown, readable as they are."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from contactsync import __version__

project = "contactsync"
author = "the authors of contactsync"
release = version = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
# Anchors as code hosts make them, for all headings that pages link to.
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"contactsync {release}"
html_copy_source = False
html_show_copyright = False
nitpicky = True

DOCS = Path(__file__).resolve().parent
_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<body>(?:(?!^## ).*\n?)*)", re.MULTILINE)
_PAGE = re.compile(r"^- \[[^\]]+\]\((?!\.\./)([\w/.-]+)\.md\)", re.MULTILINE)


_LINK = re.compile(r"(?<=\]\()(?P<path>\.\./[^)#]+\.md)(?=\))")


def _read(app: Sphinx, page: str, source: list[str]) -> None:
    """A page as Sphinx shall see it."""
    source[0] = _LINK.sub(partial(_as_file, page), source[0])
    if page == "index":
        source[0] = _SECTION.sub(_with_tree, source[0])


def _as_file(page: str, link: re.Match[str]) -> str:
    """What is outside of the manual is a file to look into, as the tests are, and no page of it."""
    target = (DOCS / page).parent / link["path"]
    return link["path"] if DOCS in target.resolve().parents else f"path:{link['path']}"


def _with_tree(section: re.Match[str]) -> str:
    """The lists of the first page are the order of the manual: they are kept once, as plain links."""
    pages = _PAGE.findall(section["body"])
    lines = ["```{toctree}", ":hidden:", f":caption: {section['title']}", "", *pages, "```", ""]
    return "\n".join([section[0], *lines]) if pages else section[0]


def setup(app: Sphinx) -> None:
    for kind in ("csv", "vcard"):
        app.add_lexer(kind, TextLexer)
    app.connect("source-read", _read)
