"""Two texts side by side, or one below the other on a narrow terminal, with their differences marked.

Loads rich: to be imported where something is drawn.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest

from rich.console import Console
from rich.text import Text

from contactsync.cli.output import clean

#: The least columns of a terminal for two texts beside one another.
BESIDE = 60
BAR = " | "
DIFFERENT = "bold yellow underline"
# After words from right to left it keeps a terminal that turns lines round from exchanging the columns.
LEFT_TO_RIGHT = "\u200e"
_LABEL = 9
_WRAPPER = Console(width=80)  # rich wants one to wrap with; nothing is printed on it


def labelled(label: str, text: str, columns: int) -> Iterator[Text]:
    """A text with its label before it, wrapped."""
    for i, line in enumerate(_wrapped(Text(clean(text, lines=True)), columns - _LABEL - 2)):
        yield Text.assemble((f"{label if i == 0 else '':<{_LABEL}}", "dim"), line)


def sides(titles: tuple[str, str], texts: tuple[str, str], columns: int) -> Iterator[Text]:
    """Both texts under their titles."""
    marked = _marked(*(clean(text, lines=True) for text in texts))
    heads = [Text(clean(title), style="bold") for title in titles]
    if columns < BESIDE:
        for head, text in zip(heads, marked, strict=True):
            yield head
            yield from (Text("  ") + line for line in _wrapped(text, columns - 3))
        return
    half = (columns - len(BAR) - 1) // 2
    cells = ([head, *_wrapped(text, half)] for head, text in zip(heads, marked, strict=True))
    for left, right in zip_longest(*cells, fillvalue=Text()):
        yield _beside(left, right, half)


def _beside(left: Text, right: Text, half: int) -> Text:
    padding = " " * (half - left.cell_len)
    mark = LEFT_TO_RIGHT if _turns(left.plain + right.plain) else ""
    return Text.assemble(mark, left, padding, mark, BAR, mark, right)


def _turns(text: str) -> bool:
    return any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)


def _wrapped(text: Text, columns: int) -> list[Text]:
    lines = list(text.wrap(_WRAPPER, columns)) or [Text()]
    for line in lines:
        line.rstrip()
    return lines


def _marked(one: str, other: str) -> tuple[Text, Text]:
    """Both texts with what the other one does not have marked, word by word."""
    left, right = _words(one), _words(other)
    marked = Text(), Text()
    for what, a, b, c, d in SequenceMatcher(None, left, right).get_opcodes():
        style = "" if what == "equal" else DIFFERENT
        marked[0].append("".join(left[a:b]), style)
        marked[1].append("".join(right[c:d]), style)
    return marked


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|\s|[^\w\s]", text)
