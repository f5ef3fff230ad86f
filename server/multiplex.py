"""``WS /ws``: many courses on one socket. Each subscription is a feed of its own, with a cursor of its own.

The client sends ``{"type":"subscribe","course_id","after":0}`` (again: move the cursor), ``unsubscribe`` and
``ping``. ``end`` ends a subscription, never the socket; what goes wrong with one course is an ``error`` with
its id and leaves the others alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from pipeline import database
from pipeline.ending import end
from server import frames, limits
from server.closing import Close
from server.context import Context, context
from server.feed import Feed, NoSuchCourse, Over
from server.hub import Full
from server.protocols import Abort, abort_of
from server.responses import ApiError, invalid
from server.websocket import RESTART_REASON

logger = logging.getLogger(__name__)

MAX_SUBSCRIPTIONS = 100
NOT_UNDERSTOOD = "type must be subscribe, unsubscribe or ping."


async def many_courses_socket(socket: WebSocket) -> None:
    """Serve one socket with any number of courses, up to MAX_SUBSCRIPTIONS."""
    await socket.accept()
    try:
        many = ManyCourses(socket, context(socket), abort_of(socket))
    except Full:
        await socket.close(Close.TOO_MANY, "too many viewers; wait")
        return
    await many.serve()


class ManyCourses:
    """One socket and its subscriptions."""

    def __init__(self, socket: WebSocket, tools: Context, abort: Abort | None) -> None:
        self._socket = socket
        self._tools = tools
        self._abort = abort
        self._pulse = tools.hub.pulse(abort)
        self._pumps: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    async def serve(self) -> None:
        """Serve until the peer or this process goes."""
        listening = asyncio.create_task(self._listen())
        listening.add_done_callback(lambda _: self._pulse.wake())
        try:
            while not listening.done():
                if self._pulse.leaving:
                    await self._socket.close(Close.RESTARTING, RESTART_REASON)
                    break
                if self._pulse.ping_due:
                    self._pulse.ping_due = False
                    await self._send(frames.ping().text)
                    continue  # look again: no await may be between a look and the wait
                await self._pulse.woken()
        except WebSocketDisconnect:
            pass
        finally:
            self._tools.hub.end_pulse(self._pulse)
            await end([listening, *self._pumps.values()])

    async def _send(self, text: str) -> None:
        """Send one message; one at a time, so that a peer that does not read is noticed."""
        async with self._turn:
            self._pulse.blocked_at = asyncio.get_running_loop().time()
            await self._socket.send_text(text)
            self._pulse.blocked_at = None

    async def _tell(self, event: str, **members: Any) -> None:
        await self._send(json.dumps({"event": event, **members}, separators=(",", ":")))

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                asked = json.loads(message.get("text") or "")
            except (ValueError, RecursionError):
                asked = None
            await self._do(asked if isinstance(asked, dict) else {})

    async def _do(self, asked: dict[str, Any]) -> None:
        course_id = str(asked.get("course_id"))[:64].encode("utf-8", "replace").decode()
        match asked.get("type"):
            case "ping":
                await self._tell("pong")
            case "subscribe" | "unsubscribe" as wish:
                try:
                    course_id = limits.known_form(course_id)
                    # Looked at first: a subscription is not lost to a bad cursor.
                    after = _cursor(asked.get("after", 0)) if wish == "subscribe" else None
                    await self._leave(course_id)
                    if after is not None:
                        self._follow(course_id, after)
                except ApiError as error:
                    await self._tell("error", course_id=course_id, error=error.message)
            case _:
                await self._tell("error", course_id=None, error=NOT_UNDERSTOOD)

    async def _leave(self, course_id: str) -> None:
        pump = self._pumps.pop(course_id, None)
        if pump is not None:
            await end([pump])

    def _follow(self, course_id: str, after: int) -> None:
        if len(self._pumps) >= MAX_SUBSCRIPTIONS:
            raise invalid("course_id", f"A socket may have {MAX_SUBSCRIPTIONS} subscriptions.")
        pump = asyncio.create_task(self._pump(course_id, after))
        self._pumps[course_id] = pump
        pump.add_done_callback(lambda done: self._ended(course_id, done))

    def _ended(self, course_id: str, pump: asyncio.Task[None]) -> None:
        if self._pumps.get(course_id) is pump:
            del self._pumps[course_id]
        error = None if pump.cancelled() else pump.exception()
        if error is not None and not isinstance(error, WebSocketDisconnect):
            logger.error("subscription died", extra={"course": course_id, "error": repr(error)})
            self._pulse.leaving = True  # the client comes back with its cursors
            self._pulse.wake()

    async def _pump(self, course_id: str, after: int) -> None:
        """Pass on the frames of one course."""
        try:
            feed = await Feed.open(self._tools.log, self._tools.hub, course_id, after, self._abort)
        except NoSuchCourse:
            await self._tell("error", course_id=course_id, error="There is no such course.")
        except Full as error:
            await self._tell("error", course_id=course_id, error=f"{error}.")
        except database.UNAVAILABLE:
            await self._tell("error", course_id=course_id, error="The database does not answer; try again.")
        except Over as over:
            await self._tell("subscribed", course_id=course_id, seq=over.seq)
            await self._send(frames.end(course_id, over.seq, over.status).text)
        else:
            try:
                await self._tell("subscribed", course_id=course_id, seq=feed.seq)
                while batch := await feed.next():
                    for frame in batch:
                        if frame.event != "ping":  # the socket has a heartbeat of its own
                            await self._send(frame.text)
                if feed.deleted:
                    await self._tell("error", course_id=course_id, error="There is no such course.")
            finally:
                feed.close()


def _cursor(after: Any) -> int:
    if isinstance(after, bool) or not isinstance(after, int) or not 0 <= after <= limits.MAX_SEQ:
        raise invalid("after", "after must be an integer of at least 0.")
    return after
