"""What stands between a browser and the server: it refuses some requests, holds answers back, and counts."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

STREAM = re.compile(r"/events|/ws\b|[?&]wait_s=[1-9]")
HEAD_END = b"\r\n\r\n"


@dataclass
class Proxy:
    """A proxy on a port of its own. One request for each connection, so that it need not understand HTTP."""

    upstream_port: int
    port: int = 0
    refuses: str | None = None
    """Requests whose first line matches get 502."""
    buffers: str | None = None
    """Answers to requests whose first line matches are kept back until they are complete."""
    cut: bool = False
    """Whether connections are refused, as if the host were gone."""
    heads: list[str] = field(default_factory=list)
    """The heads of all requests, in order."""
    streams: set[str] = field(default_factory=set)
    """Streams that are open now: first lines with a number."""
    most_streams: int = 0
    _number: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, pattern: str) -> list[str]:
        """Return the heads of the requests whose first line matches."""
        return [head for head in self.heads if re.search(pattern, head.split("\r\n", 1)[0])]

    def wait_for(self, pattern: str, timeout_s: float = 30) -> None:
        """Wait until a stream whose first line matches is open."""
        deadline = time.monotonic() + timeout_s
        while not any(re.search(pattern, name) for name in list(self.streams)):
            assert time.monotonic() < deadline, f"no stream to {pattern}"
            time.sleep(0.01)  # it is another thread's doing

    def wait_for_none(self, timeout_s: float = 10) -> None:
        """Wait until no stream is open."""
        deadline = time.monotonic() + timeout_s
        while self.streams:
            assert time.monotonic() < deadline, self.streams
            time.sleep(0.01)

    def forget(self) -> None:
        """Start counting anew."""
        self.heads.clear()
        self.most_streams = len(self.streams)

    def drop(self, pattern: str = "") -> None:
        """Close what is open now and matches, as a proxy with a time limit does."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._drop, pattern)

    def _drop(self, pattern: str) -> None:
        for task in self._tasks:
            if re.search(pattern, task.get_name()):
                task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin with a connection. What ends it is no part of its task, which may be cancelled unrun."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._pass(task, reader, writer)

    async def _pass(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.cut:
            return
        head = (await reader.readuntil(HEAD_END)).decode("latin-1")
        line, _, rest = head.partition("\r\n")
        self.heads.append(head)
        if self.refuses and re.search(self.refuses, line):
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        if "upgrade: websocket" not in rest.lower():
            rest = re.sub(r"(?i)connection: [^\r]*\r\n", "", rest)
            head = f"{line}\r\nConnection: close\r\n{rest}"
        self._number += 1
        name = f"{line} #{self._number}"
        task.set_name(name)
        if STREAM.search(line):
            self.streams.add(name)
            self.most_streams = max(self.most_streams, len(self.streams))
        try:
            await self._relay(head, line, reader, writer)
        finally:
            self.streams.discard(name)

    async def _relay(
        self, head: str, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        to_server.write(head.encode("latin-1"))
        holding = bool(self.buffers and re.search(self.buffers, line))
        ways = [
            asyncio.create_task(_copy(reader, to_server)),
            asyncio.create_task(_copy(from_server, writer, holding=holding)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            to_server.transport.abort()
        with contextlib.suppress(OSError):
            await writer.drain()
            writer.close()
            await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, holding: bool = False) -> None:
    held = b""
    while data := await reader.read(65_536):
        if holding:
            held += data
            continue
        writer.write(data)
        await writer.drain()
    writer.write(held)


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """Run a proxy to a local port, in a thread of its own."""
    proxy = Proxy(port)
    started = threading.Event()

    async def run() -> None:
        server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        proxy._loop = asyncio.get_running_loop()
        started.set()
        await proxy._stop.wait()
        for listening in server.sockets:  # close() alone leaks the sockets of those being accepted
            proxy._loop.remove_reader(listening.fileno())
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in proxy._tasks:
                task.cancel()
            await asyncio.wait(others)  # one that was just being accepted is now among the tasks
        server.close()
        await asyncio.sleep(0)  # what was aborted closes its socket in the next turn of the loop

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert started.wait(10)
    try:
        yield proxy
    finally:
        assert proxy._loop is not None
        proxy._loop.call_soon_threadsafe(proxy._stop.set)
        thread.join(10)
