"""A card in the person's own editor, where no keystroke is ever lost."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from contactsync.cli.cards import read_card
from contactsync.cli.output import Output
from contactsync.cli.session import is_a_person_there
from contactsync.errors import CodecError, ContactSyncError, UsageError

if TYPE_CHECKING:
    from contactsync.model.contact import Contact


def edit_card(out: Output, shown: bytes) -> Contact | None:
    """What the person makes of the card; None when the file comes back as it was.

    A text that is no card can be edited again; the file is kept when the person gives up.
    """
    command = _editor()
    path = _write(shown)
    try:
        edited = _edit_until_readable(out, command, path)
    except ContactSyncError as error:
        if path.read_bytes() == shown:
            path.unlink()
        else:
            error.hint = f"Your text is in {path}"
        raise
    changed = path.read_bytes() != shown
    path.unlink()
    return edited if changed else None


def _write(shown: bytes) -> Path:
    """A file that nobody else can read."""
    handle, name = tempfile.mkstemp(prefix="contactsync-", suffix=".vcf")
    with os.fdopen(handle, "wb") as file:
        file.write(shown)
    return Path(name)


def _editor() -> list[str]:
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
    if not words:
        raise UsageError("There is no editor.", hint="Set EDITOR, for example: export EDITOR=nano")
    return words


def _edit_until_readable(out: Output, command: list[str], path: Path) -> Contact:
    while True:
        _run(command, path)
        try:
            return read_card(path.read_bytes())
        except CodecError as error:
            out.warn(f"This is not a card that can be read: {error}")
            if not is_a_person_there() or not typer.confirm("Edit it again?", default=True, err=True):
                raise CodecError("The contact was not changed.") from error


def _run(command: list[str], path: Path) -> None:
    try:
        done = subprocess.run([*command, str(path)], check=False)
    except OSError as error:
        raise UsageError(f"The editor {command[0]} cannot be started: {error.strerror}.") from error
    if done.returncode != 0:
        code = done.returncode
        raise ContactSyncError(f"The editor ended with exit code {code}, so the contact was not changed.")
