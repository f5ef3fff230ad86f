"""Server-Sent Events (WHATWG HTML §9.2): one small coroutine per connection on plain ASGI.

sse-starlette frames the events; its ``EventSourceResponse`` is not used: it takes four tasks and 42 KB a
viewer. Besides sending, a stream must wait on ``receive()``: only that reports a disconnect, without it
dropped viewers stay alive.

Browsers never come back from a 503, and stop for good at 204: a refusal that is only for now is therefore
200 with ``retry:`` and a close.
"""

from __future__ import annotations

import asyncio
import logging
import random

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from pipeline import database
from server import limits
from server.context import Context, context
from server.feed import Feed, NoSuchCourse, Over
from server.frames import retry_line
from server.hub import Full
from server.protocols import abort_of
from server.responses import NOSNIFF, ApiError, invalid, no_course

logger = logging.getLogger(__name__)

RETRY_MS = (1_000, 3_000)
"""Between these a browser waits before it reconnects: a thousand dropped at once come back spread out."""
FULL_RETRY_MS = (10_000, 20_000)
NOT_NOW: tuple[type[BaseException], ...] = (*database.UNAVAILABLE, Full)
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
    *((k.lower().encode(), v.encode()) for k, v in NOSNIFF.items()),
]


class CourseEvents:
    """``GET /courses/{course_id}/events``, as an ASGI application of its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one viewer of one course."""
        request = Request(scope, receive)
        if request.method not in ("GET", "HEAD"):
            raise ApiError(405, "method_not_allowed", "Only GET here.", headers={"Allow": "GET, HEAD"})
        course_id = limits.course_id(request)
        tools = context(request)
        try:
            feed = await Feed.open(tools.log, tools.hub, course_id, cursor(request), abort_of(request))
        except NoSuchCourse as error:
            raise no_course(course_id) from error
        except Over:
            await send({"type": "http.response.start", "status": 204, "headers": HEADERS[1:]})
            await send({"type": "http.response.body"})
            return
        except NOT_NOW as error:
            await _start(send, FULL_RETRY_MS if isinstance(error, Full) else RETRY_MS)
            await send({"type": "http.response.body"})
            return
        try:
            await _start(send, RETRY_MS)
            if request.method == "GET":
                await _stream(tools, feed, receive, send)
            await send({"type": "http.response.body"})
        finally:
            feed.close()


def cursor(request: Request) -> int | str:
    """Return where the viewer is: ``Last-Event-ID`` wins over ``?after=``; a strange header is kept as it is.

    Raises:
        ApiError: 400 for a query that is no integer ≥ 0.
    """
    header = request.headers.get("last-event-id")
    if header is not None:
        is_seq = header.isascii() and header.isdigit() and len(header) <= 18
        return int(header) if is_seq else header[:64]
    text = request.query_params.get("after")
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise invalid("after", "after must be an integer of at least 0.")
    return int(text) if len(text) <= 18 else text[:64]


async def _start(send: Send, retry_ms: tuple[int, int]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    line = retry_line(random.randint(*retry_ms))
    await send({"type": "http.response.body", "body": line, "more_body": True})


async def _stream(tools: Context, feed: Feed, receive: Receive, send: Send) -> None:
    """Send frames until the end, the peer's leaving, or ours."""
    loop = asyncio.get_running_loop()
    listening = loop.create_task(_until_gone(receive))
    listening.add_done_callback(lambda _: feed.peer_gone())
    try:
        while not (feed.over or feed.gone):
            batch = await feed.next()
            if not batch:
                break
            body = batch[0].sse if len(batch) == 1 else b"".join([frame.sse for frame in batch])
            feed.blocked(loop.time())
            await send({"type": "http.response.body", "body": body, "more_body": True})
            feed.blocked(None)
        if feed.leaving and not (feed.over or feed.gone):
            again = retry_line(random.randint(*RETRY_MS))
            await send({"type": "http.response.body", "body": again, "more_body": True})
    finally:
        listening.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
