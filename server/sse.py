"""Server-Sent Events (WHATWG HTML §9.2): one small coroutine per connection on plain ASGI.

sse-starlette frames the events; its ``EventSourceResponse`` is not used: it takes four tasks and 42 KB a
viewer. Besides sending, a stream must wait on ``receive()``: only that reports a disconnect, without it
dropped viewers stay alive (see :mod:`server.stream`).

Browsers never come back from a 503, and stop for good at 204: a refusal that is only for now is therefore
200 with ``retry:`` and a close.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from pipeline import database
from server import limits
from server.access import Headers
from server.context import context
from server.feed import Feed, NoSuchCourse, Over
from server.frames import Frame, retry_line
from server.hub import Full
from server.protocols import abort_of, forget
from server.responses import NOSNIFF, ApiError, invalid, no_course
from server.stream import Stream

logger = logging.getLogger(__name__)

RETRY_MS = (1_000, 3_000)
"""Between these a browser waits before it reconnects: a thousand dropped at once come back spread out."""
FULL_RETRY_MS = (10_000, 20_000)
NOT_NOW: tuple[type[BaseException], ...] = (*database.UNAVAILABLE, Full)
HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
    *((k.lower().encode(), v.encode()) for k, v in NOSNIFF.items()),
]
_BLANK: Message = {"type": "http.response.body", "body": b"\n", "more_body": True}
_LAST: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class CourseEvents:
    """``GET /courses/{course_id}/events``, as an ASGI application of its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one viewer of one course."""
        if scope["method"] not in ("GET", "HEAD"):
            raise ApiError(405, "method_not_allowed", "Only GET here.", headers={"Allow": "GET, HEAD"})
        await course_events(scope, receive, send, [])


async def course_events(scope: Scope, receive: Receive, send: Send, further: Headers) -> None:
    """Serve one viewer of one course.

    The feed is open before the answer begins, so whoever has read its head misses nothing that is published
    from then on; and it is closed whatever happens in between. Nothing of the request outlives its beginning:
    what a browser sends takes more memory than its viewer.

    Args:
        scope: ASGI.
        receive: ASGI.
        send: the server's own, best not wrapped.
        further: headers for the answer.
    """
    feed = await _open(scope, receive, send, further)
    if feed is None:
        return
    try:
        await _begin(send, RETRY_MS, further)
        if scope["method"] == "HEAD":
            await send(_LAST)  # without a body, whatever was sent
            return
        forget(scope)
        del scope, further
        await Stream(feed, send, SSE).serve(receive)
    finally:
        feed.close()


async def _open(scope: Scope, receive: Receive, send: Send, further: Headers) -> Feed | None:
    """Return the viewer's feed; None if it was told that there is nothing for it, or not now."""
    request = Request(scope, receive)
    course_id = limits.course_id(request)
    tools = context(request)
    try:
        return await Feed.open(tools.log, tools.hub, course_id, cursor(request), abort_of(request))
    except NoSuchCourse as error:
        raise no_course(course_id) from error
    except Over:
        await send({"type": "http.response.start", "status": 204, "headers": [*HEADERS[1:], *further]})
    except NOT_NOW as error:
        await _begin(send, FULL_RETRY_MS if isinstance(error, Full) else RETRY_MS, further)
        await send(_BLANK)
    await send(_LAST)
    return None


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


async def _begin(send: Send, retry_ms: tuple[int, int], further: Headers) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *further]})
    await send(_body(retry_line(random.randint(*retry_ms))))


def _body(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


class _Sse:
    """How frames go over SSE."""

    def one(self, frame: Frame) -> Message:
        return frame.sse_message

    def many(self, frames: Sequence[Frame]) -> Iterable[Message]:
        return (_body(b"".join([frame.sse for frame in frames])),)

    def farewell(self, feed: Feed) -> Iterable[Message]:
        """Close; one who has not got everything is told when to come back."""
        if feed.over:
            return (_LAST,)
        return (_body(retry_line(random.randint(*RETRY_MS))), _BLANK, _LAST)

    def answer(self, message: Message) -> Message | None:
        return None


SSE = _Sse()
