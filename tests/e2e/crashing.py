"""A process that makes rounds and dies at a named boundary; started with ``python -m tests.e2e.crashing``.

It reads one order a line from its standard input and answers each with one line. The round happens in
a child of its own, so that the imports are paid for once: the child kills itself, as a crash would.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from contactsync.api import Engine, Hooks
from contactsync.config import AccountConfig, Config
from tests.e2e.devices import Device

BOUNDARIES = (
    "page-staged",
    "decided",
    "committed",
    "before-sent",
    "sent",
    "answered",
    "recorded",
    "read-back",
)
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Death:
    """How a round ended: by the kill, or whole; and how often each boundary was reached."""

    killed: bool
    reached: Counter[str]


@dataclass(frozen=True, slots=True)
class Crasher:
    """The process that lends its children to tests."""

    orders: IO[str]
    answers: IO[str]

    def round(self, device: Device, step: str = "", count: int = 1, later: float = 0.0) -> Death:
        """One round of this device in a process that dies at the ``count``-th ``step``, or so many seconds
        later; without a step it lives."""
        device.close()
        account = asdict(device.account)
        password = "" if device.hooks.password is None else device.hooks.password(device.account)
        order: dict[str, object] = {"folder": str(device.folder), "account": account, "password": password}
        order |= {"step": step, "count": count, "later": later}
        print(json.dumps(order), file=self.orders, flush=True)
        answer = json.loads(self.answers.readline())
        device.engine = device.open()
        assert answer["status"] in (0, -signal.SIGKILL), answer
        return Death(answer["status"] != 0, Counter(answer["reached"]))


@contextmanager
def crasher() -> Iterator[Crasher]:
    command = [sys.executable, "-m", "tests.e2e.crashing"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        yield Crasher(process.stdin, process.stdout)
        process.stdin.close()


def settled(device: Device) -> None:
    """Rounds until nothing is in doubt any more, with time for the remote's lists to catch up."""
    deadline = time.monotonic() + 60
    while device.sync().pushed or device.engine.status()["in_doubt"]:
        assert time.monotonic() < deadline, "it does not come to rest"
        time.sleep(0.3)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _die_or_end(order, writing)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as steps:
            reached = Counter(steps.read().split())
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), "reached": reached}), flush=True)


def _die_or_end(order: dict[str, object], writing: int) -> None:
    status = 1
    try:
        later = float(str(order["later"]))
        _round(order, _killing(str(order["step"]), int(str(order["count"])), later, writing))
        status = 0
    finally:
        os._exit(status)


def _killing(step: str, count: int, later: float, writing: int) -> Callable[[str], None]:
    left = count

    def killing(name: str) -> None:
        nonlocal left
        os.write(writing, f"{name}\n".encode())
        left -= name == step
        if name == step and left == 0:
            if later:
                threading.Thread(target=_die, args=(later,), daemon=True).start()
            else:
                _die(0)

    return killing


def _die(later: float) -> None:
    time.sleep(later)
    os.kill(os.getpid(), signal.SIGKILL)


def _round(order: dict[str, object], step: Callable[[str], None]) -> None:
    folder = Path(str(order["folder"]))
    settings = order["account"]
    assert isinstance(settings, dict)
    account = AccountConfig(**{**settings, "books": tuple(settings["books"]), "book": ()})
    hooks = Hooks(password=lambda _: str(order["password"]), step=step)
    with Engine(Config(folder / "config.toml", accounts=(account,)), folder, hooks=hooks) as engine:
        report = engine.sync()
        assert report.ok, report.to_json()


if __name__ == "__main__":
    main()
