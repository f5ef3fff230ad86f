"""``WS /courses/{course_id}/ws?after=SEQ`` (RFC 6455): the same objects as SSE, ``"event"`` beside them.

A refusal is told by accepting first and closing with a code: a close before that is a bare 403 to a browser,
whose script cannot tell why.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from starlette.websockets import WebSocket, WebSocketDisconnect

from pipeline import database
from server import limits
from server.closing import Close
from server.context import context
from server.feed import Feed, NoSuchCourse, Over
from server.hub import Full
from server.protocols import abort_of
from server.responses import ApiError

NO_COURSE = "there is no such course"
RESTART_REASON = "restarting; come back with your cursor"


async def course_socket(socket: WebSocket) -> None:
    """Serve one viewer of one course."""
    await socket.accept()
    tools = context(socket)
    try:
        course_id = limits.known_form(socket.path_params["course_id"])
        after = limits.integer(socket.query_params, "after", 0, 0, limits.MAX_SEQ)
        feed = await Feed.open(tools.log, tools.hub, course_id, after, abort_of(socket))
    except ApiError as error:
        if error.status == 404:
            await socket.close(Close.NOT_FOUND, NO_COURSE)
        else:
            await socket.close(Close.BAD_CURSOR, error.message)
        return
    except NoSuchCourse:
        await socket.close(Close.NOT_FOUND, NO_COURSE)
        return
    except Over:
        await socket.close(Close.ENDED, "you have everything")
        return
    except Full:
        await socket.close(Close.TOO_MANY, "too many viewers; wait")
        return
    except database.UNAVAILABLE:
        await socket.close(Close.INTERNAL, "the database does not answer; come back")
        return
    try:
        await _stream(socket, feed)
    finally:
        feed.close()


async def _stream(socket: WebSocket, feed: Feed) -> None:
    loop = asyncio.get_running_loop()
    listening = loop.create_task(_listen(socket))
    listening.add_done_callback(lambda _: feed.peer_gone())
    try:
        while not (feed.over or feed.gone):
            batch = await feed.next()
            if not batch:
                break
            for frame in batch:
                feed.blocked(loop.time())
                await socket.send_text(frame.text)
                feed.blocked(None)
        if feed.over:
            await socket.close(Close.ENDED)
        elif feed.leaving:
            await socket.close(Close.RESTARTING, RESTART_REASON)
    except WebSocketDisconnect:
        pass
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
            await listening


async def _listen(socket: WebSocket) -> None:
    """Answer pings of the application; return when the peer is gone."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        try:
            asked = json.loads(message.get("text") or "null")
        except (ValueError, RecursionError):
            asked = None
        if isinstance(asked, dict) and asked.get("type") == "ping":
            await socket.send_text('{"event":"pong"}')
        else:
            await socket.send_text(
                '{"event":"error","error":"only {\\"type\\":\\"ping\\"} is understood here"}'
            )
