"""The polling fallback: the status view, conditional (ETag) and as a long-poll.

The view is the course row's, byte for byte; only ``poll_after_ms`` depends on when it is asked for. There is
one answer and two ways out: past Starlette (:func:`status_endpoint`), as nearly all ask, and through it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pipeline import database
from pipeline.log import Entry
from server import limits
from server.access import Headers
from server.context import Context, context
from server.feed import Feed, NoSuchCourse, Over, within
from server.frames import EntryFrame
from server.hub import Full
from server.responses import NOSNIFF, ApiError, no_course
from server.statuses import Seen

MAX_WAIT_S = 25.0
AGAIN_S = 0.5
"""Between looks at a database that does not answer, while a long-poll has time."""
POLL_SCHEDULE = ((30.0, 2_000), (60.0, 5_000))
POLL_LATE_MS = 10_000

_REVALIDATE = (b"cache-control", b"private, no-cache")
_JSON: Headers = [
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in NOSNIFF.items()),
    _REVALIDATE,
]
Answer = tuple[int, Headers, bytes]


def poll_after_ms(age_s: float) -> int:
    """Return how long a poller should wait, by the age of the course in seconds."""
    return next((wait_ms for until_s, wait_ms in POLL_SCHEDULE if age_s < until_s), POLL_LATE_MS)


async def status_endpoint(scope: Scope, receive: Receive, send: Send, further: Headers) -> None:
    """``GET /courses/{course_id}/status``, past Starlette."""
    status, headers, body = await _answer(Request(scope, receive))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *further]})
    await send({"type": "http.response.body", "body": body})


async def course_status(request: Request) -> Response:
    """``GET /courses/{course_id}/status``, and ``GET /course-status/{course_id}`` for older clients."""
    status, headers, body = await _answer(request)
    response = Response(body, status)
    response.raw_headers = headers
    return response


async def _answer(request: Request) -> Answer:
    course_id = limits.course_id(request)
    tools = context(request)
    if request.scope["query_string"]:
        values = request.query_params
        if "after" in values or "wait_s" in values:
            after = limits.integer(values, "after", 0, 0, limits.MAX_SEQ)
            return await _long_poll(tools, course_id, after, limits.seconds(values, "wait_s", MAX_WAIT_S))
    seen = await tools.statuses.get(course_id)
    if seen is None:
        raise no_course(course_id)
    wait_ms = _wait_ms(seen)
    # Weak, and with the wait in it: the answer changes when the course does, or when the schedule does.
    etag = b'W/"%d-%d"' % (seen.row.seq, wait_ms or 0)
    headers: Headers = [(b"etag", etag)]
    if wait_ms is not None:
        headers.append((b"retry-after", b"%d" % (wait_ms // 1000)))
    for name, value in request.scope["headers"]:
        if name == b"if-none-match" and {etag, b"*"} & {tag.strip() for tag in value.split(b",")}:
            return 304, [_REVALIDATE, *headers], b""
    body = _view(seen, wait_ms)
    return 200, [*_JSON, *headers, (b"content-length", b"%d" % len(body))], body


def _wait_ms(seen: Seen) -> int | None:
    return poll_after_ms(seen.age_s) if seen.row.status == "processing" else None


def _view(seen: Seen, wait_ms: int | None, more: str = "") -> bytes:
    """Return the row's view with what is asked for beside it."""
    wait = "" if wait_ms is None else f',"poll_after_ms":{wait_ms}'
    return f"{seen.row.view[:-1]}{wait}{more}}}".encode()


async def _long_poll(tools: Context, course_id: str, after: int, wait_s: float) -> Answer:
    """Answer with the entries after `after`, at once if there are any or the course is terminal.

    A database that is slow or away costs the wait that was asked for, not an error: it is asked again until
    then, and where the view is known without it, the answer is that nothing came.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        try:
            return await _look(tools, course_id, after, until - loop.time())
        except database.UNAVAILABLE:
            if loop.time() + AGAIN_S >= until:
                seen = tools.statuses.kept(course_id)
                if seen is None:
                    raise
                return _found(seen, after, (), strange=False)
        await asyncio.sleep(AGAIN_S * random.uniform(0.5, 1.0))


async def _look(tools: Context, course_id: str, after: int, wait_s: float) -> Answer:
    if wait_s > 0:
        entries, strange = await _wait(tools, course_id, after, wait_s)
    else:
        entries, strange = await tools.log.entries(course_id, after), False
    # Asked for after the entries, so the view is never behind them.
    seen = await tools.statuses.at_least(course_id, entries[-1].seq if entries else 0)
    if seen is None:
        raise no_course(course_id)
    if not entries and after > seen.row.seq:
        # A kept view may be two seconds old; that a cursor is beyond the log only the database can say.
        seen = await tools.statuses.fresh(course_id) or seen
    if not entries and after > seen.row.seq:
        entries, strange = await tools.log.entries(course_id, 0), True
        seen = await tools.statuses.at_least(course_id, entries[-1].seq if entries else 0) or seen
    return _found(seen, after, entries, strange=strange)


def _found(seen: Seen, after: int, entries: Sequence[Entry], *, strange: bool) -> Answer:
    last = entries[-1].seq if entries else after
    events = b",".join([entry.message for entry in entries]).decode()
    more = "true" if last < seen.row.seq else "false"
    tail = f',"events":[{events}],"more":{more}' + (',"reset":true' if strange else "")
    wait_ms = _wait_ms(seen)
    body = _view(seen, wait_ms, tail)
    headers = [*_JSON, (b"content-length", b"%d" % len(body))]
    if wait_ms is not None:
        headers.append((b"retry-after", b"%d" % (wait_ms // 1000)))
    return 200, headers, body


async def _wait(tools: Context, course_id: str, after: int, wait_s: float) -> tuple[list[Entry], bool]:
    """Wait until there is an entry after `after`, the course is terminal, or we are leaving.

    Returns a page of what there is, and whether `after` is beyond the log and these are from 1.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    try:
        feed = await Feed.open(tools.log, tools.hub, course_id, after)
    except NoSuchCourse as error:
        raise no_course(course_id) from error
    except Over:
        return [], False
    except Full as error:
        retry_after = {"Retry-After": str(random.randint(5, 15))}
        message = "Too many viewers are connected; poll without wait_s."
        raise ApiError(503, "too_many_viewers", message, headers=retry_after) from error
    strange = False
    try:
        while not feed.finished:
            batch = await within(feed, until - loop.time())
            strange = strange or any(frame.event == "reset" for frame in batch)
            entries = [frame.entry for frame in batch if isinstance(frame, EntryFrame)]
            if entries or until <= loop.time():
                return entries, strange
    finally:
        feed.close()
    return [], strange
