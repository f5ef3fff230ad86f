"""The load client: ``python -m tests.bench.live.client``, a process of its own, one epoll loop.

It must not be the bottleneck, so it counts and parses as little as it can: a message is an occurrence of
``"seq":``, which every message has once on every transport, and only some have their ``at`` read. It is
told what to do by lines of JSON on its standard input and answers each with one line.

Deliberate oddity: what is cut in two between two reads is not counted; messages are much smaller than a
socket's buffer, so this is rare, and a run that lost more than a thousandth is refused by who asked.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections import deque
from datetime import datetime
from typing import Any

from tests.bench.report import percentile

CHUNK = 1 << 18
MARK = b'"seq":'
AT = b'"at":"'
AT_LENGTH = len("2026-01-02T03:04:05.678901Z")
SAMPLE_EVERY = 4
RESET = struct.pack("ii", 1, 0)


class Connection:
    """One viewer: `seen` holds what came until `ready` was in it, then nothing is kept."""

    __slots__ = ("ready", "seen", "sock")

    def __init__(self, sock: socket.socket, ready: bytes) -> None:
        self.sock = sock
        self.ready = ready
        self.seen: bytes | None = b""


class Client:
    """All connections of this process."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._not_ready = 0
        self._closed = 0
        self._events = 0
        self._reads = 0
        self._lags_s: list[float] = []

    def run(self) -> None:
        """Do what is asked until the input ends."""
        self._poll.register(sys.stdin.fileno(), select.EPOLLIN)
        asked = sys.stdin.fileno()
        while True:
            for fd, _ in self._poll.poll():
                if fd != asked:
                    self._take(fd)
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                command = json.loads(line)
                answer = getattr(self, f"do_{command.pop('do')}")(**command)
                print(json.dumps(answer), flush=True)

    # -- what can be asked -----------------------------------------------------------------------------

    def do_open(
        self,
        port: int,
        paths: list[str],
        kind: str,
        ready: str,
        at_once: int,
        receive_buffer: int | None = None,
    ) -> dict[str, Any]:
        """Open a viewer for each path, at most `at_once` in the making; answer when all are ready."""
        began = time.perf_counter()
        waiting = deque(paths)
        deadline = began + 120
        closed = self._closed
        while waiting or self._not_ready:
            while waiting and self._not_ready < at_once:
                self._open(port, waiting.popleft(), kind, ready.encode(), receive_buffer)
            for fd, _ in self._poll.poll(0.5):
                if fd != sys.stdin.fileno():
                    self._take(fd)
            if time.perf_counter() > deadline:
                break
        seconds = time.perf_counter() - began
        return {"opened": len(paths) - self._not_ready - self._closed + closed, "seconds": seconds}

    def do_mark(self) -> dict[str, Any]:
        """Begin to count from nothing."""
        self._events = self._closed = 0
        self._lags_s = []
        return {}

    def do_count(self) -> dict[str, Any]:
        """Tell what came since the mark."""
        return {"events": self._events, "closed": self._closed, "open": len(self._connections)}

    def do_lags(self) -> dict[str, Any]:
        """Tell how long messages took from their ``at``."""
        lags = self._lags_s or [0.0]
        return {"p50": percentile(lags, 50), "p99": percentile(lags, 99), "samples": len(self._lags_s)}

    def do_close(self, reset: bool = False) -> dict[str, Any]:
        """Close all viewers, without a word if `reset`."""
        for connection in list(self._connections.values()):
            if reset:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.sock.close()
        self._connections.clear()
        self._not_ready = 0
        return {}

    def do_requests(
        self, port: int, request: str, connections: int, seconds: float, pause_s: float = 0
    ) -> dict[str, Any]:
        """Send a request over and over, one at a time on each connection; tell how many were answered.

        With `pause_s`, wait as long after each answer: to look on rather than to load.
        """
        poll = select.epoll()
        socks: dict[int, socket.socket] = {}
        sent_at: dict[int, float] = {}
        answers: dict[int, bytes] = {}
        raw = request.encode()
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            socks[sock.fileno()] = sock
            poll.register(sock.fileno(), select.EPOLLIN)
        began = now = time.perf_counter()
        for fd, sock in socks.items():
            sock.sendall(raw)
            sent_at[fd], answers[fd] = now, b""
        took, statuses = [], dict[str, int]()
        while socks and now < began + seconds:
            for fd, _ in poll.poll(0.2):
                data = socks[fd].recv(CHUNK)
                if not data:
                    statuses["closed"] = statuses.get("closed", 0) + 1
                    socks.pop(fd).close()
                    continue
                answers[fd] += data
                if not _whole(answers[fd]):
                    continue
                now = time.perf_counter()
                status = answers[fd][9:12].decode()
                statuses[status] = statuses.get(status, 0) + 1
                took.append(now - sent_at[fd])
                if pause_s:
                    time.sleep(pause_s)
                    now = time.perf_counter()
                sent_at[fd], answers[fd] = now, b""
                socks[fd].sendall(raw)
            now = time.perf_counter()
        elapsed = now - began
        for sock in socks.values():
            sock.close()
        took = took or [float("inf")]
        return {
            "seconds": elapsed,
            "statuses": statuses,
            "p50": percentile(took, 50),
            "p99": percentile(took, 99),
            "max": max(took),
        }

    # -- one connection --------------------------------------------------------------------------------

    def _open(self, port: int, path: str, kind: str, ready: bytes, receive_buffer: int | None) -> None:
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        sock.send(_request(path, kind))
        fd = sock.fileno()
        self._connections[fd] = Connection(sock, ready)
        if receive_buffer is None:  # else it never reads
            self._not_ready += 1
            self._poll.register(fd, select.EPOLLIN)

    def _take(self, fd: int) -> None:
        connection = self._connections.get(fd)
        if connection is None:
            return  # closed since the loop was told of it
        try:
            data = connection.sock.recv(CHUNK)
        except BlockingIOError:
            return  # another's number, used again since
        except ConnectionError:
            data = b""
        if not data:
            self._gone(fd, connection)
            return
        if connection.seen is not None:
            connection.seen += data
            if connection.ready in connection.seen:
                connection.seen = None
                self._not_ready -= 1
            return
        count = data.count(MARK)
        if count:
            self._events += count
            self._reads += 1
            if self._reads % SAMPLE_EVERY == 0:
                self._sample(data)

    def _sample(self, data: bytes) -> None:
        start = data.rfind(AT) + len(AT)
        text = data[start : start + AT_LENGTH]
        if start >= len(AT) and len(text) == AT_LENGTH:
            self._lags_s.append(time.time() - datetime.fromisoformat(text.decode()).timestamp())

    def _gone(self, fd: int, connection: Connection) -> None:
        self._closed += 1
        if connection.seen is not None:
            self._not_ready -= 1
        connection.sock.close()
        del self._connections[fd]


def _whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    lower = head.lower()
    start = lower.find(b"content-length:")
    if start < 0:
        return True
    length = int(lower[start + 15 :].split(b"\r\n", 1)[0])
    return len(body) >= length


def _request(path: str, kind: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    if kind == "ws":
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="  # the one of RFC 6455 §1.3
        lines += ["Upgrade: websocket", "Connection: Upgrade", key, "Sec-WebSocket-Version: 13"]
    else:
        lines += ["Accept: text/event-stream"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


if __name__ == "__main__":
    Client().run()
