"""The course channel in Redis: the doorbell.

What is published here may be lost; whoever misses it reads the log. A frame is one header line and the
message itself, so that a receiver learns what it needs without parsing JSON, and passes the bytes on::

    u 7 processing\\n{"seq":7,…}            an entry of the log: seq, status as of it
    d sections:2 3 14\\n{"course_id":…}      a draft: task, fence, n

Deliberate oddities: one channel per course, but one connection per process (see :class:`Subscriber`);
redis-py's ``listen()`` is not used because it ends at a disconnect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from pipeline.log import Entry

logger = logging.getLogger(__name__)

SOCKET_TIMEOUT_S = 1.0
PUBLISH_TIMEOUT_S = 0.25
POLL_S = 1.0
PING_EVERY_S = 5.0
RECONNECT_S = (0.05, 1.0)
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
    """Rings the doorbell. A failed publish is logged and forgotten: viewers have the log."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    async def publish(self, items: Iterable[Entry | Draft]) -> None:
        """Publish in order, waiting at most PUBLISH_TIMEOUT_S in all."""
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                for item in items:
                    await self._client.publish(channel(item.course_id), pack(item))
        except UNAVAILABLE as error:
            logger.warning("publish failed", extra={"error": repr(error)})


class Subscriber:
    """The one subscription connection of this process: knows channels, not viewers.

    Owned by one task (:meth:`run`), which alone touches the connection. ``follow`` and ``leave`` only note
    a wish and ring; the task batches the wishes into one command each way.

    Args:
        client: a client of its own, so that its pool holds just this connection.
        on_item: called with each entry or draft, in the order received; must not block.
        on_confirmed: called with the course ids whose subscription Redis has confirmed, after each
            (re)subscription: what was published before that may have been missed.
        on_lost: called when the connection is gone, before it is made again.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        on_item: Callable[[Entry | Draft], None],
        on_confirmed: Callable[[list[str]], None],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._on_item = on_item
        self._on_confirmed = on_confirmed
        self._on_lost = on_lost
        self._wanted: set[bytes] = set()
        self._asked: set[bytes] = set()
        self._bell = asyncio.Event()
        self.connected = False

    def follow(self, course_id: str) -> None:
        """Want a course's channel; ``on_confirmed`` tells when Redis has it."""
        self._wanted.add(channel(course_id))
        self._asked.discard(channel(course_id))  # left and wanted again before the task looked: ask again
        self._bell.set()

    def leave(self, course_id: str) -> None:
        """Want a course's channel no more."""
        self._wanted.discard(channel(course_id))
        self._bell.set()

    async def run(self) -> None:
        """Keep the subscription alive until cancelled, through any number of lost connections."""
        shortest_s, longest_s = RECONNECT_S
        wait_s = shortest_s
        while True:
            try:
                await self._session()
            except* UNAVAILABLE as lost:
                if self.connected:
                    logger.warning("subscription lost", extra={"error": repr(lost.exceptions[0])})
                    wait_s = shortest_s
            self.connected = False
            self._on_lost()
            await asyncio.sleep(wait_s)  # a backoff: there is no event for "Redis is back"
            wait_s = min(longest_s, wait_s * 2)

    async def _session(self) -> None:
        """Live with one connection until it is lost; raises why, as a group."""
        pubsub = self._client.pubsub()
        self._asked = set()
        try:
            await pubsub.connect()  # type: ignore[no-untyped-call]
            self.connected = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(pubsub))
                group.create_task(self._write(pubsub))
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _write(self, pubsub: Any) -> None:
        """Turn wishes into commands, and ping: a dead network gives no error by itself."""
        loop = asyncio.get_running_loop()
        ping_at = loop.time() + PING_EVERY_S
        while True:
            add, drop = self._wanted - self._asked, self._asked - self._wanted
            self._asked = set(self._wanted)
            if add:
                await pubsub.subscribe(*add)
            if drop:
                await pubsub.unsubscribe(*drop)
            if loop.time() >= ping_at:
                await pubsub.ping()
                ping_at = loop.time() + PING_EVERY_S
            try:
                async with asyncio.timeout(PING_EVERY_S):
                    await self._bell.wait()
            except TimeoutError:
                continue
            self._bell.clear()

    async def _read(self, pubsub: Any) -> None:
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        while True:
            message = await pubsub.get_message(timeout=POLL_S)
            if message is None:
                if self._asked and loop.time() - heard_at > 2 * PING_EVERY_S + POLL_S:
                    raise TimeoutError("no answer to a ping")
                continue
            heard_at = loop.time()
            name = message["channel"]
            if message["type"] == "message" and name in self._wanted:
                self._deliver(name, message["data"])
            elif message["type"] == "subscribe":
                self._on_confirmed([name.removeprefix(_PREFIX).decode()])

    def _deliver(self, name: bytes, frame: bytes) -> None:
        try:
            item = unpack(name.removeprefix(_PREFIX).decode(), frame)
        except ValueError as error:
            logger.warning("strange frame", extra={"error": str(error)})
            return
        self._on_item(item)
