"""The polling fallback: the status view, conditional (ETag) and as a long-poll.

The view is the course row's, byte for byte; only ``poll_after_ms`` depends on when it is asked for.
"""

from __future__ import annotations

import asyncio
import random

from starlette.requests import Request
from starlette.responses import Response

from pipeline.log import PAGE
from pipeline.requests import StatusRow
from server import limits
from server.context import Context, context
from server.feed import Feed, NoSuchCourse, Over, within
from server.frames import EntryFrame
from server.hub import Full
from server.responses import JSON, ApiError, no_course

MAX_WAIT_S = 25.0
POLL_SCHEDULE = ((30.0, 2_000), (60.0, 5_000))
POLL_LATE_MS = 10_000


def poll_after_ms(age_s: float) -> int:
    """Return how long a poller should wait, by the age of the course in seconds."""
    return next((wait_ms for until_s, wait_ms in POLL_SCHEDULE if age_s < until_s), POLL_LATE_MS)


async def course_status(request: Request) -> Response:
    """``GET /courses/{course_id}/status``, and ``GET /course-status/{course_id}`` for older clients."""
    course_id = limits.course_id(request)
    tools = context(request)
    if "after" in request.query_params or "wait_s" in request.query_params:
        return await _long_poll(request, tools, course_id)
    row = await _row(tools, course_id)
    wait_ms = poll_after_ms(row.age_s) if row.status == "processing" else None
    # Weak, and with the wait in it: the answer changes when the course does, or when the schedule does.
    etag = f'W/"{row.seq}-{wait_ms or 0}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if wait_ms is not None:
        headers["Retry-After"] = str(wait_ms // 1000)
    if {etag, "*"} & {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    return JSON(_view(row, wait_ms), headers=headers)


async def _row(tools: Context, course_id: str) -> StatusRow:
    row = await tools.statuses.get(course_id)
    if row is None:
        raise no_course(course_id)
    return row


def _view(row: StatusRow, wait_ms: int | None, more: str = "") -> str:
    """Return the row's view with what is asked for beside it."""
    wait = "" if wait_ms is None else f',"poll_after_ms":{wait_ms}'
    return f"{row.view[:-1]}{wait}{more}}}"


async def _long_poll(request: Request, tools: Context, course_id: str) -> Response:
    """Answer with the entries after ``after``, at once if there are any or the course is terminal."""
    after = limits.integer(request.query_params, "after", 0, 0, limits.MAX_SEQ)
    wait_s = limits.seconds(request.query_params, "wait_s", MAX_WAIT_S)
    strange = False
    if wait_s > 0:
        strange = await _wait(tools, course_id, after, wait_s)
    entries = await tools.log.entries(course_id, 0 if strange else after, PAGE)
    # Read after the entries and past the cache: the view is never behind them.
    row = await tools.statuses.fresh(course_id)
    if row is None:
        raise no_course(course_id)
    tools.hub.note(course_id, row.seq)
    if not entries and after > row.seq:
        strange = True
        entries = await tools.log.entries(course_id, 0, PAGE)
    last = entries[-1].seq if entries else after
    events = b",".join(entry.message for entry in entries).decode()
    more = "true" if last < row.seq else "false"
    tail = f',"events":[{events}],"more":{more}' + (',"reset":true' if strange else "")
    wait_ms = poll_after_ms(row.age_s) if row.status == "processing" else None
    headers = {"Cache-Control": "private, no-cache"}
    if wait_ms is not None:
        headers["Retry-After"] = str(wait_ms // 1000)
    return JSON(_view(row, wait_ms, tail), headers=headers)


async def _wait(tools: Context, course_id: str, after: int, wait_s: float) -> bool:
    """Wait until there is an entry after `after`, the course is terminal, or we are leaving.

    Returns whether `after` is beyond the log.
    """
    try:
        feed = await Feed.open(tools.log, tools.hub, course_id, after)
    except NoSuchCourse as error:
        raise no_course(course_id) from error
    except Over:
        return False
    except Full as error:
        retry_after_s = random.randint(5, 15)
        raise ApiError(
            503,
            "too_many_viewers",
            "Too many viewers are connected; poll without wait_s.",
            headers={"Retry-After": str(retry_after_s)},
        ) from error
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    try:
        while (left_s := until - loop.time()) > 0 and not feed.leaving:
            batch = await within(feed, left_s)
            if feed.over or any(isinstance(f, EntryFrame) or f.event == "reset" for f in batch):
                return any(f.event == "reset" for f in batch)
    finally:
        feed.close()
    return False
