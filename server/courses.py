"""HTTP handlers of courses: create, look, list, cancel, retry, delete. What they do is in the pipeline."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from pipeline.finished import timestamp
from pipeline.intake import KeyReused, TooManyCourses
from pipeline.log import Entry
from pipeline.outline import Brief
from pipeline.requests import Conflict, NoSuchCourse, Unfinished
from server import access, limits, markdown
from server.context import Context, context
from server.responses import JSON, NOSNIFF, ApiError, invalid, no_course
from server.wire import FinishedCourse

logger = logging.getLogger(__name__)

LIST_LIMIT = 20


async def collection(request: Request) -> Response:
    """``/courses``: one route for both methods, so that a 405 names both."""
    return await (create_course if request.method == "POST" else list_courses)(request)


async def create_course(request: Request) -> Response:
    """``POST /courses``: durable before it is answered; 202 also while Redis is away."""
    tools = context(request)
    key = limits.idempotency_key(request)
    brief = await limits.read_brief(request)
    try:
        created = await tools.requests.create(
            brief,
            caller=access.caller(request),
            max_active=tools.settings.max_active_courses,
            idempotency_key=key,
        )
    except TooManyCourses as error:
        raise _too_many(error) from error
    except KeyReused as error:
        raise ApiError(422, "idempotency_key_reused", f"{error}.", field="Idempotency-Key") from error
    if created.is_new:
        await tools.queue.enqueue(created.course_id, 1)
    return _accepted(created.course_id, brief)


def _too_many(error: TooManyCourses) -> ApiError:
    return ApiError(429, "too_many_active_courses", f"{error}.", headers={"Retry-After": "10"})


def _accepted(course_id: str, brief: Brief) -> Response:
    path = f"/courses/{course_id}"
    body = {
        "course_id": course_id,
        "status": "processing",
        "message": f"Course generation started. Poll {path}/status for progress.",
        "query": brief.query,
        "hours": brief.hours,
        "status_url": f"{path}/status",
        "events_url": f"{path}/events",
        "websocket_url": f"{path}/ws",
    }
    return JSON(body, 202, headers={"Location": path})


async def cancel_course(request: Request) -> Response:
    """``POST /courses/{course_id}/cancel``: 200 with the status view, also when it was cancelled before."""
    course_id = limits.course_id(request)
    tools = context(request)
    try:
        entries = await tools.requests.cancel(course_id)
    except NoSuchCourse as error:
        raise no_course(course_id) from error
    except Conflict as error:
        raise ApiError(409, "not_cancellable", f"It cannot be cancelled: {error}.") from error
    return await _view(tools, course_id, 200, entries)


async def retry_course(request: Request) -> Response:
    """``POST /courses/{course_id}/retry``: 202 with the status view; the course goes on where it stopped."""
    course_id = limits.course_id(request)
    tools = context(request)
    try:
        resumed = await tools.requests.retry(course_id, max_active=tools.settings.max_active_courses)
    except NoSuchCourse as error:
        raise no_course(course_id) from error
    except Conflict as error:
        raise ApiError(409, "not_retryable", f"{str(error).capitalize()}.") from error
    except TooManyCourses as error:
        raise _too_many(error) from error
    if resumed.enqueue_no is not None:
        await tools.queue.enqueue(course_id, resumed.enqueue_no)
    return await _view(tools, course_id, 202, resumed.entries)


async def _view(tools: Context, course_id: str, status: int, entries: tuple[Entry, ...]) -> Response:
    """Answer with the status view, after nobody is behind it."""
    await _ring(tools, entries)
    seen = await tools.statuses.fresh(course_id)
    if seen is None:
        raise no_course(course_id)
    return JSON(seen.row.view, status)


async def _ring(tools: Context, entries: tuple[Entry, ...]) -> None:
    """Tell viewers, here and elsewhere, of the entries just appended."""
    tools.hub.tell(entries)
    await tools.bus.publish(entries)


async def one_course(request: Request) -> Response:
    """``/courses/{course_id}``: one route for both methods, so that a 405 names both."""
    return await (delete_course if request.method == "DELETE" else finished_course)(request)


async def delete_course(request: Request) -> Response:
    """``DELETE /courses/{course_id}``: 204; one that is being written is cancelled."""
    course_id = limits.course_id(request)
    tools = context(request)
    try:
        entries = await tools.requests.delete(course_id, caller=access.caller(request))
    except NoSuchCourse as error:
        raise no_course(course_id) from error
    tools.hub.forget(course_id)
    await _ring(tools, entries)
    return Response(status_code=204, headers=NOSNIFF)


async def finished_course(request: Request) -> Response:
    """``GET /courses/{course_id}``."""
    return _json(await _finished(request, limits.course_id(request)))


async def course_as_markdown(request: Request) -> Response:
    """``GET /courses/{course_id}.md``: the finished course as a document to read or keep."""
    course = await _finished(request, limits.course_id(request))
    document = await asyncio.to_thread(markdown.document, FinishedCourse.model_validate(course))
    name = markdown.file_name(course["course"]["title"])
    return Response(
        document,
        media_type="text/markdown",
        headers={
            **NOSNIFF,
            "Cache-Control": "private, no-cache",
            "Content-Disposition": f"inline; filename=\"course.md\"; filename*=UTF-8''{quote(name, safe='')}",
        },
    )


async def finished_course_by_query(request: Request) -> Response:
    """``GET /course?courseId=``."""
    course_id = limits.known_form(limits.required(request.query_params, "courseId"))
    return _json(await _finished(request, course_id))


async def _finished(request: Request, course_id: str) -> dict[str, Any]:
    try:
        return await context(request).requests.finished(course_id)
    except NoSuchCourse as error:
        raise no_course(course_id) from error
    except Unfinished as error:
        raise _not_finished(error.view) from error


def _json(course: dict[str, Any]) -> Response:
    return JSON(course, headers={"Cache-Control": "private, no-cache"})


def _not_finished(view: dict[str, Any]) -> ApiError:
    if view["status"] == "processing":
        code, message = "processing", "The course is still being written."
    else:
        code, message = view["error_code"], view["error"]
    return ApiError(409, code, message, extra={"error_code": code, "status": view["status"]})


async def list_courses(request: Request) -> Response:
    """``GET /courses``: the caller's courses, newest first. Only on loopback until there are keys."""
    tools = context(request)
    if not access.is_loopback(tools.settings.host):
        raise ApiError(
            403, "listing_not_allowed", "Courses are listed only while the server listens on loopback."
        )
    limit = limits.integer(request.query_params, "limit", LIST_LIMIT, 1, 100)
    before = _decode_cursor(request.query_params.get("cursor"))
    rows = await tools.requests.newest(access.caller(request), limit + 1, before)
    courses = [
        {**json.loads(row.view), "title": row.title, "created_at": timestamp(row.created_at)}
        for row in rows[:limit]
    ]
    last = rows[limit - 1] if len(rows) > limit else None
    next_cursor = _encode_cursor(last.created_at, last.course_id) if last else None
    return JSON(
        {"courses": courses, "next_cursor": next_cursor}, headers={"Cache-Control": "private, no-cache"}
    )


def _encode_cursor(at: datetime, course_id: str) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{course_id}".encode()).decode().rstrip("=")


def _decode_cursor(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    try:
        at, course_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("|")
        return datetime.fromisoformat(at).astimezone(UTC), limits.known_form(course_id)
    except (ValueError, OverflowError, ApiError) as error:
        raise invalid("cursor", "cursor is none that this server gave.") from error
