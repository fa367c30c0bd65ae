"""What a service manager is told: ready, still alive, stopping (sd_notify(3)).

The protocol is one datagram of ``KEY=value`` lines to the socket in ``NOTIFY_SOCKET``; systemd promises to
keep it and invites programs to speak it themselves. Without that variable nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress


class Notifier:
    """Speaks to the service manager. ``watchdog`` is the longest silence that it allows, in seconds; 0 where
    it does not mind."""

    def __init__(
        self, address: str = "", watchdog: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._every = watchdog / 3
        self._clock = clock
        self._last = clock()

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Notifier:
        """As systemd asks for it: ``NOTIFY_SOCKET``; ``WATCHDOG_USEC`` where ``WATCHDOG_PID`` means us."""
        usec = env.get("WATCHDOG_USEC", "")
        ours = env.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return cls(env.get("NOTIFY_SOCKET", ""), int(usec) / 1e6 if ours and usec.isdigit() else 0.0)

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Work goes on; sent no more often than the watchdog needs."""
        if self._every and self._clock() - self._last >= self._every:
            self._last = self._clock()
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        # A manager that does not listen is no reason to stop working.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(text.encode(), self._address)
