"""The course channel in Redis: the doorbell.

What is published here may be lost; whoever misses it reads the log. A frame is one header line and the
message itself, so that a receiver learns what it needs without parsing JSON, and passes the bytes on::

    u 7 processing\\n{"seq":7,…}            an entry of the log: seq, status as of it
    d sections:2 3 14\\n{"course_id":…}      a draft: task, fence, n

Here is the side that publishes, and the words both sides share; :mod:`pipeline.subscription` listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from pipeline.log import Entry

logger = logging.getLogger(__name__)

SOCKET_TIMEOUT_S = 1.0
PUBLISH_WAIT_S = 0.25
MAX_WAITING_BYTES = 8 * 2**20
_PREFIX = b"coursecast:"

UNAVAILABLE: tuple[type[BaseException], ...] = (RedisError, OSError, TimeoutError)
"""What a Redis that is away raises."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A partial result as the author writes it: published, never logged.

    ``body`` is the whole draft as viewers get it, UTF-8 JSON
    ``{course_id, task, fence, n, value}``; ``n`` counts up within one fence.
    """

    course_id: str
    task: str
    fence: int
    n: int
    body: bytes


def connect(url: str, *, max_connections: int = 20) -> redis.Redis:
    """Return a client with timeouts on every socket operation; it connects when first used."""
    return redis.Redis.from_pool(connection_pool(url, max_connections=max_connections))


def connection_pool(url: str, *, max_connections: int = 20) -> redis.ConnectionPool:
    """Return a pool for a client of ours, or for arq's, whose own has no socket timeout.

    A blocking one: the plain pool raises at once when all its connections are in use, which would look as
    if Redis were away.
    """
    return redis.BlockingConnectionPool.from_url(
        url,
        timeout=SOCKET_TIMEOUT_S,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        max_connections=max_connections,
        retry=Retry(NoBackoff(), 0),
    )


def channel(course_id: str) -> bytes:
    """Return the name of a course's channel."""
    return _PREFIX + course_id.encode()


def pack(item: Entry | Draft) -> bytes:
    """Return the frame of an entry or a draft."""
    if isinstance(item, Entry):
        return b"u %d %s\n%s" % (item.seq, item.status.encode(), item.message)
    return b"d %s %d %d\n%s" % (item.task.encode(), item.fence, item.n, item.body)


def unpack(course_id: str, frame: bytes) -> Entry | Draft:
    """Return what a frame holds.

    Raises:
        ValueError: it is no frame of ours.
    """
    header, newline, body = frame.partition(b"\n")
    match header.split(b" ") if newline else ():
        case [b"u", seq, status]:
            return Entry(course_id, int(seq), status.decode(), body)
        case [b"d", task, fence, n]:
            return Draft(course_id, task.decode(), int(fence), int(n), body)
    raise ValueError(f"no frame of ours on {course_id}: {frame[:40]!r}")


class Bus:
    """Rings the doorbell. A failed publish is logged and forgotten: viewers have the log.

    One pipeline is on its way at a time, and what is published meanwhile goes with the next: a burst costs
    round trips by its length in time, not in messages, and the order of publishing is the order in Redis.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._waiting = _Batch()
        self._sender: asyncio.Task[None] | None = None

    async def publish(self, items: Iterable[Entry | Draft]) -> None:
        """Publish in order; return when Redis has them, or PUBLISH_WAIT_S later.

        Who waits no longer does not take the messages back: those on their way with others arrive all the
        same. More than MAX_WAITING_BYTES do not wait for a Redis that hangs.
        """
        batch = self._waiting
        for item in items:
            if batch.bytes > MAX_WAITING_BYTES:
                logger.warning("publish failed", extra={"error": "too much waits", "course": item.course_id})
                break
            batch.add(item)
        if not batch.commands:
            return
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send(), name="publisher")
        # The limit is on waiting, not on sending: to cancel that would take everybody's messages along.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PUBLISH_WAIT_S):
                await batch.done.wait()

    async def _send(self) -> None:
        """Send batch after batch until nothing waits."""
        while self._waiting.commands:
            batch, self._waiting = self._waiting, _Batch()
            try:
                async with asyncio.timeout(SOCKET_TIMEOUT_S):
                    async with self._client.pipeline(transaction=False) as pipe:
                        for where, frame in batch.commands:
                            pipe.publish(where, frame)
                        await pipe.execute()
            except Exception as error:  # whatever it is: viewers have the log, and the run goes on
                lost = {"error": repr(error), "messages": len(batch.commands)}
                logger.warning("publish failed", extra=lost)
            finally:
                batch.done.set()


class _Batch:
    """What goes out in one pipeline."""

    def __init__(self) -> None:
        self.commands: list[tuple[bytes, bytes]] = []
        self.bytes = 0
        self.done = asyncio.Event()

    def add(self, item: Entry | Draft) -> None:
        frame = pack(item)
        self.commands.append((channel(item.course_id), frame))
        self.bytes += len(frame)
