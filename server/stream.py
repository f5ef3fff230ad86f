"""One viewer's connection, on plain ASGI: parked in ``receive()``, until its peer goes.

While a viewer has all there is, its connection is one coroutine that waits for the peer to go; what is new
is *pushed*: the hub runs uvicorn's ``send`` by hand, which puts the bytes into the transport and returns at
once. Whatever has to wait, a read of the log or a peer that is slow to read, is *pumped* by a task that
exists until it is done. So an idle viewer costs no second task, and a delivery wakes none.

Races this closes:

* A push meets a full send buffer: the ``send`` that was begun is handed to a pump as it is, before anything
  else may be sent, so the order stays; what is told meanwhile waits in the viewer's buffer.
* Something is told between a pump's last look and its end: that look and the parking have no await between
  them, so on one event loop there is no in between.
* The peer goes while a pump reads the log: the viewer is freed at once, the read comes to nothing.
"""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import Coroutine, Generator, Iterable, Sequence
from typing import Any, Protocol

from starlette.types import Message, Receive, Send

from server.feed import Feed
from server.frames import Frame

logger = logging.getLogger(__name__)

PEER_GONE: tuple[type[BaseException], ...] = (OSError,)
"""What ``send`` raises after a disconnect, where it does (ASGI, since 2.4)."""
_DISCONNECT = frozenset({"http.disconnect", "websocket.disconnect"})


class Wire(Protocol):
    """How frames go over one transport; keeps nothing."""

    def one(self, frame: Frame) -> Message:
        """Return the ASGI message of a frame: the same object for every viewer."""

    def many(self, frames: Sequence[Frame]) -> Iterable[Message]:
        """Return the ASGI messages of several."""

    def farewell(self, feed: Feed) -> Iterable[Message]:
        """Return what ends the connection."""

    def answer(self, message: Message) -> Message | None:
        """Return what to answer to what the peer sent, if anything."""


class Stream:
    """Serves one viewer over one connection.

    Args:
        feed: what to send; closed at the end.
        send: the server's own; what wraps it is paid for at every delivery.
        wire: how frames are sent.
    """

    __slots__ = ("_feed", "_pump", "_send", "_wire")

    def __init__(self, feed: Feed, send: Send, wire: Wire) -> None:
        self._feed = feed
        self._send = send
        self._wire = wire
        self._pump: asyncio.Task[None] | None = None

    async def serve(self, receive: Receive) -> None:
        """Serve until the peer is gone, also because everything was sent and the connection closed.

        Closes the race of a disconnect with whatever else is going on: the viewer is freed here, at once, and
        a pump that still runs finds the feed gone.
        """
        self._start(None)
        try:
            while (message := await receive())["type"] not in _DISCONNECT:
                if (answer := self._wire.answer(message)) is not None:
                    await self._send(answer)
        except PEER_GONE:
            pass
        except asyncio.CancelledError:  # uvicorn's patience is over
            if self._pump is not None:
                self._pump.cancel()
            raise
        finally:
            self._feed.close()
            if self._pump is not None:
                await asyncio.wait([self._pump])

    # -- what the hub calls ------------------------------------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Send a frame within this call, or begin to: only while parked, when nothing else is being sent.

        Closes the race of a push and a peer that stopped reading: a send that has to wait is taken over by a
        pump, and the viewer is parked no more by the time this returns. Raises nothing.
        """
        sending: Any = self._send(self._wire.one(frame))
        self._feed.pushed()
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except PEER_GONE:
            self._feed.viewer.parked = None  # receive() will say so too
        except Exception:
            self._die()  # and never the hub, which has others to tell
        else:
            self._start(_resumed(sending, waits_for))

    def rouse(self) -> None:
        """Look what there is to do: the viewer lags, its course ended, this process leaves."""
        self._start(None)

    # -- the pump ----------------------------------------------------------------------------------------

    def _start(self, begun: Generator[Any, Any, None] | None) -> None:
        """Leave the parking place; from here on only the pump sends."""
        self._feed.viewer.parked = None
        self._pump = asyncio.get_running_loop().create_task(self._run(begun))

    async def _run(self, begun: Generator[Any, Any, None] | None) -> None:
        try:
            if begun is not None:
                await self._through(begun)
            await self._catch_up()
        except PEER_GONE:
            pass  # receive() says so too
        except Exception:
            self._die()
        finally:
            self._pump = None

    def _die(self) -> None:
        """End the connection because of what was just raised; the peer comes back with its cursor."""
        viewer = self._feed.viewer
        logger.exception("stream died", extra={"course": viewer.course_id})
        viewer.parked = None
        if viewer.abort is not None:
            viewer.abort()

    async def _catch_up(self) -> None:
        """Send all there is, then park; or end the connection when there will be no more."""
        feed = self._feed
        while batch := await feed.ready():
            messages = self._wire.many(batch)
            del batch  # a page of the log: not to be kept while a peer is slow
            for message in messages:
                await self._through(self._send(message))
        if not feed.finished:
            feed.viewer.parked = self
        elif not feed.gone:
            for message in self._wire.farewell(feed):
                await self._through(self._send(message))

    async def _through(self, sending: Any) -> None:
        """Wait for a send; the hub ends the connection of a peer that lets it wait too long."""
        self._feed.blocked(asyncio.get_running_loop().time())
        await sending
        self._feed.blocked(None)


@types.coroutine
def _resumed(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that was run by hand up to its first wait, on `waits_for`, within a task.

    A task cannot be made of it: that would run it on at once, before what it waits for is there. So the task
    is given the wait first, and what comes of it, a cancel too, is handed down.
    """
    while True:
        try:
            yield waits_for
        except BaseException as error:
            raised: BaseException | None = error
        else:
            raised = None
        try:
            waits_for = coroutine.send(None) if raised is None else coroutine.throw(raised)
        except StopIteration:
            return
