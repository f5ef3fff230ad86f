"""Viewers that check everything they receive, over SSE, WebSocket and long-poll, and are cut at any point.

Written on bare streams so that a cut can fall anywhere: what was read but not yet looked at is thrown away,
as by a browser tab that goes.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence

from tests.bench.live.client import RESET

SILENCE_S = 40.0
BACKOFF_S = (0.05, 0.3)
TRANSPORTS = ("sse", "ws", "poll")
WAIT_S = 5
LOST = (ConnectionError, asyncio.IncompleteReadError, TimeoutError, EOFError)
STOP_CODES = {1000}


class CutNow(Exception):
    """This viewer's connection is to be cut here."""


class Viewer:
    """One viewer of one course.

    Args:
        course_id: the course.
        log: its log, growing while it is watched: what is received must equal it.
        port: returns where to connect next.
        cuts: seqs after which its connection is cut.
        rng: chooses transports and kinds of cuts.
        transports: which it uses.
    """

    def __init__(
        self,
        course_id: str,
        log: Sequence[bytes],
        port: Callable[[], int],
        *,
        cuts: Sequence[int] = (),
        rng: random.Random | None = None,
        transports: Sequence[str] = TRANSPORTS,
    ) -> None:
        self.course_id = course_id
        self.cursor = 0
        self.counts: Counter[str] = Counter()
        self.done = False
        self._log = log
        self._port = port
        self._cuts = sorted(cuts)
        self._rng = rng or random.Random()
        self._transports = transports
        self._writer: asyncio.StreamWriter | None = None

    async def follow(self) -> None:
        """Watch until the course is over, connecting again after every cut."""
        ways = {"sse": self._over_sse, "ws": self._over_socket, "poll": self._over_poll}
        while not self.done:
            transport = self._rng.choice(self._transports)
            try:
                await ways[transport]()
            except CutNow:
                self._cut()
            except LOST:
                self.counts["lost connections"] += 1
            finally:
                self._close()
            self.counts[f"connections over {transport}"] += 1
            if not self.done:
                await asyncio.sleep(self._rng.uniform(*BACKOFF_S))

    async def watch(self, until: int) -> None:
        """Connect over SSE if it is not, and return when all up to seq `until` is here; stays connected."""
        if self._writer is None:
            await self._open_sse()
        await self._read_sse(until)

    def cut(self) -> None:
        """Reset the connection, from outside, if there is one."""
        if self._writer is not None:
            self._reset()
            self._close()

    # -- what is received ------------------------------------------------------------------------------

    def _take(self, seq: int, same: bool) -> None:
        if seq <= self.cursor:
            self.counts["duplicate"] += 1
            return
        if seq != self.cursor + 1:
            self.counts["out of order"] += 1
        if not same:
            self.counts["unlike the log"] += 1
        self.cursor = seq
        self.counts["deliveries"] += 1
        if self._cuts and seq >= self._cuts[0]:
            self._cuts.pop(0)
            raise CutNow

    def _take_bytes(self, body: bytes) -> None:
        seq = int(body[7 : body.index(b",")])
        # The writer may learn of its own commit later than a viewer does.
        same = len(self._log) < seq or self._log[seq - 1] == body
        self._take(seq, same)

    # -- SSE -------------------------------------------------------------------------------------------

    async def _over_sse(self) -> None:
        if await self._open_sse():
            await self._read_sse(None)

    async def _open_sse(self) -> bool:
        """Return whether there is anything to read."""
        await self._connect()
        after = [f"Last-Event-ID: {self.cursor}"] if self.cursor else []
        status, _ = await self._ask(f"/courses/{self.course_id}/events", *after)
        if status == 204:
            self.done = True
        elif status != 200:
            self._unexpected(f"SSE {status}")
        return status == 200

    async def _read_sse(self, until: int | None) -> None:
        rest = b""
        while until is None or self.cursor < until:
            async with asyncio.timeout(SILENCE_S):
                size = int(await self._reader.readline() or b"0", 16)
                if not size:
                    raise EOFError
                rest += await self._reader.readexactly(size)
                await self._reader.readline()
            *whole, rest = rest.split(b"\n\n")
            for event in whole:
                if self._on_sse(event):
                    return

    def _on_sse(self, event: bytes) -> bool:
        fields = dict(line.split(b": ", 1) for line in event.split(b"\n"))
        match fields.get(b"event"):
            case b"update":
                self._take_bytes(fields[b"data"])
            case b"end":
                self.done = True
            case b"reset":
                self._unexpected("reset")
        return self.done

    # -- WebSocket -------------------------------------------------------------------------------------

    async def _over_socket(self) -> None:
        await self._connect()
        status, _ = await self._ask(
            f"/courses/{self.course_id}/ws?after={self.cursor}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        )
        if status != 101:
            self._unexpected(f"WebSocket {status}")
            return
        while True:
            async with asyncio.timeout(SILENCE_S):
                opcode, payload = await self._frame()
            if opcode == 8:
                self.done = int.from_bytes(payload[:2], "big") in STOP_CODES
                return
            prefix = b'{"event":"update",'
            if opcode == 1 and payload.startswith(prefix):
                self._take_bytes(b"{" + payload[len(prefix) :])

    async def _frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of a frame (RFC 6455 §5.2); a server's is never masked."""
        first, length = await self._reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self._reader.readexactly(8))
        return first & 15, await self._reader.readexactly(length)

    # -- long-poll -------------------------------------------------------------------------------------

    async def _over_poll(self) -> None:
        await self._connect()
        while not self.done:
            path = f"/courses/{self.course_id}/status?after={self.cursor}&wait_s={WAIT_S}"
            async with asyncio.timeout(SILENCE_S):
                status, headers = await self._ask(path)
                body = await self._reader.readexactly(int(headers.get("content-length", "0")))
            if status != 200:
                self._unexpected(f"long-poll {status}")
                return
            view = json.loads(body)
            for event in view["events"]:
                seq = event["seq"]
                self._take(seq, len(self._log) < seq or json.loads(self._log[seq - 1]) == event)
            self.done = view["status"] != "processing" and not view["more"]

    # -- the connection --------------------------------------------------------------------------------

    async def _connect(self) -> None:
        async with asyncio.timeout(SILENCE_S):
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port())

    async def _ask(self, path: str, *headers: str) -> tuple[int, dict[str, str]]:
        assert self._writer is not None
        self._writer.write(
            "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()
        )
        async with asyncio.timeout(SILENCE_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        pairs = (line.partition(": ") for line in lines if line)
        return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}

    def _cut(self) -> None:
        """Cut from our side: a reset, or an orderly close to come back over another transport."""
        self.counts["cuts"] += 1
        if self._rng.random() < 0.5:
            self._reset()

    def _reset(self) -> None:
        assert self._writer is not None
        peer: socket.socket = self._writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    def _unexpected(self, what: str) -> None:
        self.counts[f"unexpected: {what}"] += 1
