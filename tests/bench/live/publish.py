"""Publishers: each hands messages to one kind of server, as its own producers would."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from datetime import UTC, datetime
from typing import Protocol

from pipeline.bus import channel, pack
from pipeline.log import Entry

TICK_S = 0.001
_SECTION = (
    '{"section_id":"3b1f0a52-44c2-4c0e-9d07-7e3a5b1c2d4f","part_index":0,"order_index":0,'
    '"title":"What a cash flow is worth today","content_summary":"Discounting, step by step, and why.",'
    '"learning_objectives":["Discount a series of cash flows."],"prerequisites":[],"estimated_minutes":30,'
    '"sources":[]}'
)


def message(course_id: str, seq: int, *, status: str = "processing", padding: int = 0) -> bytes:
    """Return a message like those of a course in the making, about 700 bytes and `padding`."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    head, tail = around_time(course_id, seq, status=status, padding=padding)
    return f"{head}{at}{tail}".encode()


def around_time(course_id: str, seq: int, *, status: str = "processing", padding: int = 0) -> tuple[str, str]:
    """Return what stands before and after a message's time."""
    phase = "complete" if status == "complete" else "generating_sections"
    kind = "course_stored" if status == "complete" else "part_sections_generated"
    progress = '{"parts_count":3,"parts_done":1,"sections_count":4,"percent":55}'
    return (
        f'{{"seq":{seq},"type":"{kind}","at":"',
        f'","course_id":"{course_id}","status":"{status}","phase":"{phase}","progress":{progress},'
        f'"query":"Learn DCF valuation","hours":2.0,"part_index":0,"sections":[{_SECTION}],'
        f'"why":"{"x" * padding}"}}',
    )


class Publisher(Protocol):
    """Hands on messages; what it is told goes out at :meth:`flush`."""

    def publish(self, name: str, seq: int) -> None:
        """Take the next message of a channel."""

    def flush(self) -> None:
        """Send what was taken; never waits for answers."""

    def close(self) -> None:
        """Close the connections."""


class RedisPublisher:
    """Publishes as a worker does: to Redis, in the bus's frames, or bare below a prefix for the peers."""

    def __init__(self, port: int, *, prefix: bytes | None = None) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._prefix = prefix
        self._out = bytearray()

    def publish(self, name: str, seq: int) -> None:
        body = message(name, seq)
        if self._prefix is None:
            where, what = channel(name), pack(Entry(name, seq, "processing", body))
        else:
            where, what = self._prefix + name.encode(), body
        self._out += b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (
            len(where),
            where,
            len(what),
            what,
        )

    def flush(self) -> None:
        if self._out:
            self._sock.sendall(self._out)
            self._out.clear()
        with contextlib.suppress(BlockingIOError):
            while self._sock.recv(65_536, socket.MSG_DONTWAIT):
                pass

    def close(self) -> None:
        self._sock.close()


class NchanPublisher:
    """Posts to an nginx that is not the one whose CPU is counted."""

    def __init__(self, port: int, connections: int = 8) -> None:
        self._socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        for sock in self._socks:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._next = 0

    def publish(self, name: str, seq: int) -> None:
        body = message(name, seq)
        head = b"POST /pub/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (name.encode(), len(body))
        self._next = (self._next + 1) % len(self._socks)
        self._socks[self._next].sendall(head + body)

    def flush(self) -> None:
        for sock in self._socks:
            with contextlib.suppress(BlockingIOError):
                while sock.recv(65_536, socket.MSG_DONTWAIT):
                    pass

    def close(self) -> None:
        for sock in self._socks:
            sock.close()


class SendLoopPublisher:
    """Hands whole frames to the send loop in C."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.sendall(b"POST / HTTP/1.1\r\n\r\n")
        time.sleep(0.2)  # so that its first bytes are read as what they are

    def publish(self, name: str, seq: int) -> None:
        frame = b"id: %d\nevent: update\ndata: %s\n\n" % (seq, message(name, seq))
        self._sock.sendall(struct.pack("!I", len(frame)) + frame)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._sock.close()


def paced(publisher: Publisher, plan: list[tuple[str, int]], per_s: float) -> None:
    """Publish `plan` evenly at `per_s` messages a second, in ticks of a millisecond."""
    began = time.perf_counter()
    done = 0
    while done < len(plan):
        due = min(len(plan), int((time.perf_counter() - began) * per_s) + 1)
        for name, seq in plan[done:due]:
            publisher.publish(name, seq)
        done = due
        publisher.flush()
        time.sleep(TICK_S)
