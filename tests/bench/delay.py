"""A proxy that delays and counts: ``python -m tests.bench.delay --to PORT --delay MS``.

It runs in a process of its own, which prints its port. Half of the delay goes by before the server has the
request, half before the client has the answer. To clients it speaks HTTP/1.1 and keeps the connection, as a
reverse proxy does before a Radicale, which speaks 1.0; opening a connection costs nothing here.
``tests/proxy.py`` breaks answers and remembers bodies, within the process of a test; this one must not
be in the way of what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

CONTROL = b"/-/"
_PER_HOP = (b"connection", b"keep-alive", b"proxy-connection")
_LARGEST = 2**20
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Head:
    """The lines before a body."""

    def __init__(self, raw: bytes) -> None:
        self.first, *lines = raw[:-4].split(b"\r\n")
        self.fields = [(name.lower(), value.strip()) for name, _, value in (x.partition(b":") for x in lines)]

    def get(self, name: bytes) -> bytes:
        return next((value.lower() for key, value in self.fields if key == name), b"")

    def raw(self, *more: bytes) -> bytes:
        kept = [name + b": " + value for name, value in self.fields if name not in _PER_HOP]
        return b"\r\n".join([self.first, *kept, *more]) + b"\r\n\r\n"


class _Proxy:
    def __init__(self, port: int, delay: float) -> None:
        self._port = port
        self._half = delay / 2000
        self._flying = 0
        self._forget()

    def _forget(self) -> None:
        self._counts = {"requests": 0, "up": 0, "down": 0, "in_flight": 0}
        self._kept: list[dict[str, Any]] | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, request after request."""
        server: Stream | None = None
        try:
            while True:
                head = _Head(await reader.readuntil(b"\r\n\r\n"))
                body = await reader.readexactly(int(head.get(b"content-length") or 0))
                if head.first.split(b" ")[1].startswith(CONTROL):
                    self._control(head.first.split(b" ")[1], writer)
                else:
                    server = await self._forward(head, body, writer, server)
                await writer.drain()
                if head.get(b"connection") == b"close":
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            for end in (writer, server[1] if server else None):
                if end is not None:
                    end.close()

    def _control(self, path: bytes, writer: asyncio.StreamWriter) -> None:
        """``/-/counts`` answers and counts from zero, ``/-/keep`` also keeps the requests from now on."""
        answer = json.dumps({**self._counts, "kept": self._kept or []}).encode()
        self._forget()
        if path.endswith(b"keep"):
            self._kept = []
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)

    async def _forward(
        self, head: _Head, body: bytes, writer: asyncio.StreamWriter, server: Stream | None
    ) -> Stream | None:
        """Carry one request; the connection to the server if it can be used again."""
        counts = self._counts
        self._flying += 1
        counts["requests"] += 1
        counts["up"] += len(head.raw()) + len(body)
        counts["in_flight"] = max(counts["in_flight"], self._flying)
        if self._kept is not None:
            self._kept.append({"head": head.raw().decode("latin-1"), "body": b64encode(body).decode()})
        try:
            await asyncio.sleep(self._half)
            answer, server = await self._ask(head, body, server)
            await asyncio.sleep(self._half)
            return await self._send(head, answer, writer, server)
        finally:
            self._flying -= 1

    async def _ask(self, head: _Head, body: bytes, server: Stream | None) -> tuple[_Head, Stream]:
        """A server may have closed a connection that was kept: then once more."""
        for kept in (server, None):
            reader, writer = kept or await asyncio.open_connection("127.0.0.1", self._port, limit=_LARGEST)
            try:
                writer.write(head.raw() + body)
                return _Head(await reader.readuntil(b"\r\n\r\n")), (reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                if kept is None:
                    raise
        raise AssertionError

    async def _send(
        self, asked: _Head, answer: _Head, writer: asyncio.StreamWriter, server: Stream
    ) -> Stream | None:
        old, status = answer.first.startswith(b"HTTP/1.0"), answer.first.split(b" ")[1]
        answer.first = b"HTTP/1.1" + answer.first[8:]
        stays = answer.get(b"connection") == b"keep-alive" if old else answer.get(b"connection") != b"close"
        length = answer.get(b"content-length")
        endless = not length and answer.get(b"transfer-encoding") != b"chunked"
        if asked.first.startswith(b"HEAD ") or status in (b"204", b"304"):
            parts, endless = _pieces(server[0], 0), False
        elif length:
            parts = _pieces(server[0], int(length))
        elif endless:
            parts = _pieces(server[0], sys.maxsize)
        else:
            parts = _chunks(server[0])
        self._write(writer, answer.raw(*([b"transfer-encoding: chunked"] if endless else [])))
        async for part in parts:
            self._write(writer, b"%x\r\n%b\r\n" % (len(part), part) if endless else part)
            await writer.drain()
        if endless:
            self._write(writer, b"0\r\n\r\n")
        if stays and not endless:
            return server
        server[1].close()
        return None

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        self._counts["down"] += len(data)


async def _pieces(reader: asyncio.StreamReader, left: int) -> AsyncIterator[bytes]:
    while left and (data := await reader.read(min(left, 2**16))):
        left -= len(data)
        yield data


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        line = await reader.readline()
        size = int(line.split(b";")[0], 16)
        yield line + await reader.readexactly(size + 2)
        if not size:
            return


@dataclass
class Delay:
    """A running proxy."""

    port: int

    def counts(self, what: str = "counts") -> dict[str, Any]:
        """What was seen since this was asked last."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", f"/-/{what}")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return found


@contextmanager
def delayed(port: int, milliseconds: float) -> Iterator[Delay]:
    """A proxy in front of this port of this machine."""
    words = ["-m", "tests.bench.delay", "--to", str(port), "--delay", str(milliseconds)]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Delay(int(process.stdout.readline()))
        finally:
            process.terminate()


async def _run(port: int, delay: float) -> None:
    server = await asyncio.start_server(_Proxy(port, delay).serve, "127.0.0.1", 0, limit=_LARGEST)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(options.to, options.delay))


if __name__ == "__main__":
    main()
