"""The one subscription connection of a process: knows channels, not viewers.

Deliberate oddity: a protocol of its own on hiredis instead of redis-py's ``PubSub``, which takes a task, a
timeout and a dict for each message: half of what a delivery costs. Connecting is still described by a
redis-py URL, so whatever ``REDIS_URL`` may say (TLS, a password, a unix socket) holds here too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from pipeline.bus import SOCKET_TIMEOUT_S, UNAVAILABLE, Draft, channel, connection_pool, unpack
from pipeline.log import Entry

logger = logging.getLogger(__name__)

PING_EVERY_S = 5.0
SILENCE_S = 2 * PING_EVERY_S + 1.0
RECONNECT_S = (0.05, 1.0)
TURN = 100
"""Messages told before the event loop goes on: three milliseconds, where each has one viewer."""

OnItem = Callable[[Entry | Draft], None]
OnConfirmed = Callable[[list[str]], None]


class Subscriber:
    """Keeps one subscription connection, whatever the number of channels.

    Owned by one task (:meth:`run`), which alone writes to the connection. ``follow`` and ``leave`` only note
    a wish and ring; the task batches the wishes into one command each way.

    Args:
        url: where Redis is.
        on_item: called with each entry or draft, in the order received; must not block.
        on_confirmed: called with the course ids whose subscription Redis has confirmed, after each
            (re)subscription: what was published before that may have been missed.
        on_lost: called when the connection is gone, before it is made again.
    """

    def __init__(
        self,
        url: str,
        *,
        on_item: OnItem,
        on_confirmed: OnConfirmed,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self._on_item = on_item
        self._on_confirmed = on_confirmed
        self._on_lost = on_lost
        self._wanted: dict[bytes, str] = {}
        self._add: set[bytes] = set()
        self._drop: set[bytes] = set()
        self._bell = asyncio.Event()
        self._was_reached = self._was_missed = False
        self.connected = False

    def follow(self, course_id: str) -> None:
        """Want a course's channel; ``on_confirmed`` tells when Redis has it.

        Always asks, also for what was left a moment ago and may still be subscribed: whoever follows waits
        for a confirmation of its own.
        """
        name = channel(course_id)
        self._wanted[name] = course_id
        self._drop.discard(name)
        self._add.add(name)
        self._bell.set()

    def leave(self, course_id: str) -> None:
        """Want a course's channel no more; what is still on its way is not passed on."""
        name = channel(course_id)
        self._wanted.pop(name, None)
        self._add.discard(name)
        self._drop.add(name)
        self._bell.set()

    async def run(self) -> None:
        """Keep the subscription alive until cancelled, through any number of lost connections."""
        shortest_s, longest_s = RECONNECT_S
        wait_s = shortest_s
        while True:
            try:
                await self._session()
            except UNAVAILABLE as lost:
                self._say(lost)
            if self.connected:
                wait_s = shortest_s
            self.connected = False
            self._on_lost()
            await asyncio.sleep(wait_s)  # a backoff: there is no event for "Redis is back"
            wait_s = min(longest_s, wait_s * 2)

    def _say(self, lost: BaseException) -> None:
        """Log a lost connection, and once that there never was one: the operator may have a wrong URL."""
        if self.connected:
            logger.warning("subscription lost", extra={"error": repr(lost)})
        elif not (self._was_reached or self._was_missed):
            logger.warning("redis not reached; viewers are served from the log", extra={"error": repr(lost)})
            self._was_missed = True

    async def _session(self) -> None:
        """Live with one connection until it is lost; raises why."""
        line = _Line(self._wanted, self._on_item, self._on_confirmed, self._bell)
        try:
            async with asyncio.timeout(SOCKET_TIMEOUT_S):
                await line.open(self._url)
            self.connected = self._was_reached = True
            self._add, self._drop = set(self._wanted), set()
            await self._live(line)
        finally:
            line.abort()

    async def _live(self, line: _Line) -> None:
        """Turn wishes into commands, and ping: a dead network gives no error by itself."""
        clock = asyncio.get_running_loop().time
        ping_at = clock() + PING_EVERY_S
        while line.lost is None:
            self._bell.clear()
            for command, names in ((b"SUBSCRIBE", self._add), (b"UNSUBSCRIBE", self._drop)):
                if names:
                    line.send(command, *names)
                    names.clear()
            if clock() >= ping_at:
                line.send(b"PING")
                ping_at = clock() + PING_EVERY_S
            # Looked at every turn: where viewers come and go all the time, the bell is never silent.
            if clock() - line.heard_at > SILENCE_S:
                raise TimeoutError("no answer to a ping")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_EVERY_S):
                    await self._bell.wait()
        raise line.lost


class _Line(asyncio.Protocol):
    """One connection: what comes in is told at once, in order, from the event loop's read callback."""

    def __init__(
        self, wanted: dict[bytes, str], on_item: OnItem, on_confirmed: OnConfirmed, bell: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._wanted = wanted
        self._on_item = on_item
        self._on_confirmed = on_confirmed
        self._bell = bell
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._is_behind = False
        self._answered: asyncio.Future[None] = loop.create_future()
        self.heard_at = self._clock()
        self.lost: Exception | None = None
        """Why there is no more to come."""

    async def open(self, url: str) -> None:
        """Connect, say who we are, and wait for an answer."""
        loop = asyncio.get_running_loop()
        # Made to be described, never connected: redis-py has read the URL and knows what it means.
        where = connection_pool(url).make_connection()  # type: ignore[no-untyped-call]
        if isinstance(where, UnixDomainSocketConnection):
            await loop.create_unix_connection(lambda: self, where.path)
        else:
            assert isinstance(where, Connection)
            tls = where.ssl_context.get() if isinstance(where, SSLConnection) else None
            await loop.create_connection(lambda: self, where.host, where.port, ssl=tls)
        if where.password:
            who = [where.username, where.password] if where.username else [where.password]
            self.send(b"AUTH", *(word.encode() for word in who))
        self.send(b"PING")
        await self._answered

    def send(self, *words: bytes) -> None:
        """Send a command, if the connection still stands; :attr:`lost` says so a moment later if not."""
        assert self._transport is not None
        if self._transport.is_closing():
            return  # uvloop raises where asyncio only forgets what is written
        self._transport.write(hiredis.pack_command(words))  # type: ignore[arg-type]  # its stub knows one word

    def abort(self) -> None:
        """End the connection, with all that was not sent."""
        self._answered.cancel()
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not say so themselves

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._lose(exc or ConnectionResetError("Redis closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self.heard_at = self._clock()
        self._reader.feed(data)
        if not self._is_behind:
            self._tell()

    def _tell(self) -> None:
        """Tell what has come, at most TURN of it before others on the event loop have theirs.

        Meanwhile nothing is read, so what is too much for us waits in Redis, which ends the connection of one
        that stays behind: then the log is read instead.
        """
        confirmed: list[str] = []
        was_behind, self._is_behind = self._is_behind, True
        try:
            for _ in range(TURN):
                if (reply := self._reader.gets()) is False:
                    self._is_behind = False
                    break
                self._take(reply, confirmed)
            if confirmed:
                self._on_confirmed(confirmed)
        except hiredis.HiredisError as error:
            self._lose(RedisConnectionError(f"not understood: {error}"))
        except Exception as error:  # a fault of ours ends run() with it, as it would in a task
            self._lose(error)
        if self.lost is not None or self._transport is None or self._transport.is_closing():
            return
        if self._is_behind:
            asyncio.get_running_loop().call_soon(self._tell)
        if self._is_behind != was_behind:
            (self._transport.pause_reading if self._is_behind else self._transport.resume_reading)()

    def _take(self, reply: Any, confirmed: list[str]) -> None:
        match reply:
            case [b"message", name, frame]:
                course_id = self._wanted.get(name)
                if course_id is not None:
                    self._deliver(course_id, frame)
            case [b"subscribe", name, _]:
                if (course_id := self._wanted.get(name)) is not None:
                    confirmed.append(course_id)
            case Exception():  # wrong password, still loading: hiredis returns an error reply
                self._lose(RedisConnectionError(str(reply)))
            case b"PONG" if not self._answered.done():
                self._answered.set_result(None)

    def _deliver(self, course_id: str, frame: bytes) -> None:
        try:
            item = unpack(course_id, frame)
        except ValueError as error:
            logger.warning("strange frame", extra={"error": str(error)})
            return
        self._on_item(item)

    def _lose(self, error: Exception) -> None:
        """Note the end; the first reason counts."""
        if self.lost is None:
            self.lost = error
        if not self._answered.done():
            self._answered.set_exception(self.lost)
        self._bell.set()
