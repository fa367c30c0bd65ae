"""docs/commands.md is what the commands say of themselves."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_manual_is_up_to_date() -> None:
    made = runpy.run_path(str(DOCS / "generate_commands.py"))["document"]()
    hint = "run: python docs/generate_commands.py"
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == made, hint


def test_every_command_explains_itself() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    for section in text.split("## `")[1:]:
        _, usage, *rest = [part for part in section.split("\n\n") if part.strip()]
        assert rest and not rest[0].startswith("- "), usage
