"""A person at a real terminal: the command line on a pty of so many columns."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType

from tests.cli.conftest import Cli

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


class Terminal:
    """One command under way. ``screen`` is all that it has drawn so far."""

    def __init__(self, cli: Cli, *words: str, columns: int = 80, **env: str) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, columns))
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        places = ("--config", str(cli.config), "--data-dir", str(cli.data))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "contactsync", *places, *words],
            cwd=ROOT,
            env={**inherited, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **env},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._raw = b""
        self._seen = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    @property
    def screen(self) -> str:
        """What was drawn, with its colours."""
        return self._raw.decode(errors="replace").replace("\r\n", "\n")

    @property
    def plain(self) -> str:
        """What was drawn, without colours."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.screen)

    def until(self, text: str) -> str:
        """Wait for words, however they are wrapped; what was drawn since the last wait."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            new = self.plain[self._seen :]
            if text in " ".join(new.split()):
                self._seen = len(self.plain)
                return new
            assert time.monotonic() < deadline and self._read(1.0), f"no {text!r} in:\n{self.plain}"

    def press(self, key: str) -> str:
        """One key at the next question; what the screen showed until then."""
        shown = self.until("?=help")
        self.type(key)
        return shown

    def type(self, key: str) -> None:
        """One key, as soon as the program reads single keys: it drops what is typed before."""
        while termios.tcgetattr(self._master)[3] & termios.ICANON:
            assert self._read(0.01), f"it has ended:\n{self.plain}"
        os.write(self._master, key.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read(PATIENCE_SECONDS):
            pass
        return self._process.wait(PATIENCE_SECONDS)

    def _read(self, seconds: float) -> bool:
        """Take what is there, waiting so long for it; False once nobody writes any more."""
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            new = os.read(self._master, 65536)
        except OSError:  # so Linux says that the other end is closed
            return False
        self._raw += new
        return bool(new)
