"""``WS /courses/{course_id}/ws?after=SEQ`` (RFC 6455): the same objects as SSE, ``"event"`` beside them.

A refusal is told by accepting first and closing with a code: a close before that is a bare 403 to a browser,
whose script cannot tell why. Plain ASGI, as for SSE: Starlette's ``WebSocket`` and its layers would take as
much memory as all the rest of a viewer (see :mod:`server.stream`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from pipeline import database
from server import limits
from server.access import Headers
from server.closing import Close
from server.context import context
from server.feed import Feed, NoSuchCourse, Over
from server.frames import Frame
from server.hub import Full
from server.protocols import abort_of, forget
from server.responses import ApiError
from server.stream import PEER_GONE, Stream

NO_COURSE = "there is no such course"
RESTART_REASON = "restarting; come back with your cursor"
_PONG: Message = {"type": "websocket.send", "text": '{"event":"pong"}'}
_NOT_UNDERSTOOD: Message = {
    "type": "websocket.send",
    "text": '{"event":"error","error":"only {\\"type\\":\\"ping\\"} is understood here"}',
}


class CourseSocket:
    """``WS /courses/{course_id}/ws``, as an ASGI application of its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one viewer of one course."""
        await course_socket(scope, receive, send, [])


async def course_socket(scope: Scope, receive: Receive, send: Send, _further: Headers) -> None:
    """Serve one viewer of one course; nothing of the request outlives its beginning.

    A peer that leaves between accept and the first frame ends this like any other: what is sent to it raises,
    or the stream finds the disconnect.
    """
    await receive()  # the peer's wish to connect
    try:
        await send({"type": "websocket.accept"})
        opened = await _open(scope)
        forget(scope)
        del scope
        if not isinstance(opened, Feed):
            await send(opened)
            return
    except PEER_GONE:
        return
    try:
        await Stream(opened, send, SOCKET).serve(receive)
    finally:
        opened.close()


async def _open(scope: Scope) -> Feed | Message:
    """Return the viewer's feed, or how to close because there is none."""
    socket = HTTPConnection(scope)
    tools = context(socket)
    try:
        course_id = limits.known_form(socket.path_params["course_id"])
        after = limits.integer(socket.query_params, "after", 0, 0, limits.MAX_SEQ)
        return await Feed.open(tools.log, tools.hub, course_id, after, abort_of(socket))
    except ApiError as error:
        if error.status == 404:
            return _close(Close.NOT_FOUND, NO_COURSE)
        return _close(Close.BAD_CURSOR, error.message)
    except NoSuchCourse:
        return _close(Close.NOT_FOUND, NO_COURSE)
    except Over:
        return _close(Close.ENDED, "you have everything")
    except Full:
        return _close(Close.TOO_MANY, "too many viewers; wait")
    except database.UNAVAILABLE:
        return _close(Close.INTERNAL, "the database does not answer; come back")


def _close(code: Close, reason: str = "") -> Message:
    return {"type": "websocket.close", "code": int(code), "reason": reason}


class _Socket:
    """How frames go over a WebSocket: one message each."""

    def one(self, frame: Frame) -> Message:
        return frame.text_message

    def many(self, frames: Sequence[Frame]) -> Iterable[Message]:
        return [frame.text_message for frame in frames]

    def farewell(self, feed: Feed) -> Iterable[Message]:
        return (_close(Close.ENDED) if feed.over else _close(Close.RESTARTING, RESTART_REASON),)

    def answer(self, message: Message) -> Message | None:
        """Answer pings of the application."""
        try:
            asked = json.loads(message.get("text") or "null")
        except (ValueError, RecursionError):
            asked = None
        if isinstance(asked, dict) and asked.get("type") == "ping":
            return _PONG
        return _NOT_UNDERSTOOD


SOCKET = _Socket()
