"""Routes that follow a course: a stream, a socket, polling."""

from __future__ import annotations

from server.closing import Close
from server.openapi.pieces import (
    AFTER,
    COURSE,
    ETAG,
    REVALIDATE,
    TEXT,
    Json,
    answer,
    header,
    json_of,
    operation,
    parameter,
    ref,
    shared,
)

_STATUS = """\
The polling fallback. While the course is processing, `poll_after_ms` and `Retry-After` say when to ask again.

With `after` or `wait_s` it is a long-poll: the answer also has `events` and `more`, and comes at once if
there are any or the course is over.
"""
_STREAM = """\
Server-Sent Events (WHATWG HTML §9.2): the log after the cursor, then live. All `data` are JSON objects.

- `update`: an entry of the log (`Update`); only these have an `id`, their `seq`.
- `draft`: text as it is written (`Draft`).
- `reset`: the cursor is none of this log, which follows from 1 (`Reset`).
- `ping`: every 15 s (`Ping`).
- `end`: the course is over and you have everything (`End`); the stream closes.

A stream that closes without `end` is to be opened again with `Last-Event-ID`, as `EventSource` does itself.
A refusal that is only for now is therefore 200 with `retry:` and a close.
"""
_SOCKET = """\
A WebSocket (RFC 6455) on one course: the same objects as SSE, with `event` beside them, as text messages.

Refusals come as a close code after the socket was accepted; only an origin that is not allowed gets 403. Stop
at 1000, 4400, 4401 and 4404, wait at 4429, come back with your cursor after any other, 1006 included.
"""
_MANY_SOCKET = """\
Any number of courses, up to 100, on one WebSocket. Send `subscribe` with a cursor (again: move the cursor),
`unsubscribe`, `ping`. A subscription is confirmed by `subscribed` and ends with `end`; the socket stays open,
and an `error` names the course it is about. Close codes as for one course.
"""
_WAIT: Json = {"type": "number", "minimum": 0, "maximum": 25, "default": 0}

_UPGRADE: Json = {
    "101": answer("From here on the connection is a WebSocket."),
    "403": answer("The page's origin is not allowed."),
}


def paths() -> Json:
    """Return the paths."""
    return {
        "/courses/{course_id}/events": {"parameters": [COURSE], "get": _stream()},
        "/courses/{course_id}/ws": {"parameters": [COURSE], "get": _socket()},
        "/ws": {"get": _many_socket()},
        "/courses/{course_id}/status": {
            "parameters": [COURSE],
            "get": _status("getStatus", "How far a course is"),
        },
        "/course-status/{course_id}": {
            "parameters": [COURSE],
            "get": _status("getStatusAsBefore", "The same, for older clients"),
        },
    }


def _status(operation_id: str, summary: str) -> Json:
    wait = header("Seconds until it is worth asking again; absent once it is over.", "integer")
    headers = {**ETAG, "Retry-After": wait, **REVALIDATE}
    return operation(
        operation_id,
        "watching",
        summary,
        {
            "200": answer("The course as of now.", json_of("PolledStatus"), headers),
            "304": answer("As your `If-None-Match` has it.", headers=ETAG),
            **shared("BadRequest", "NoSuchCourse", "Unavailable"),
        },
        description=_STATUS,
        parameters=(
            AFTER,
            parameter("query", "wait_s", "Seconds to wait for an event.", _WAIT),
            parameter("header", "If-None-Match", "The `ETag` you have; not for a long-poll.", TEXT),
        ),
    )


def _stream() -> Json:
    events = {name: ref(name.capitalize()) for name in ("update", "draft", "reset", "ping", "end")}
    content = {"text/event-stream": {"schema": TEXT, "x-events": events}}
    return operation(
        "streamCourse",
        "watching",
        "Stream everything that happens to a course",
        {
            "200": answer("The stream.", content, {"Cache-Control": header("`no-store, no-transform`.")}),
            "204": answer("You have everything and the course is over: do not come back."),
            **shared("BadRequest", "NoSuchCourse", "Unavailable"),
        },
        description=_STREAM,
        parameters=(
            parameter(
                "header", "Last-Event-ID", "Number of the last event you have; wins over `after`.", TEXT
            ),
            AFTER,
        ),
    )


def _socket() -> Json:
    return operation(
        "watchCourse",
        "watching",
        "Follow a course on a WebSocket",
        _UPGRADE,
        description=_SOCKET,
        parameters=(AFTER,),
        **{"x-websocket": _described("SocketMessage", "SocketPing")},
    )


def _many_socket() -> Json:
    return operation(
        "watchCourses",
        "watching",
        "Follow many courses on one WebSocket",
        _UPGRADE,
        description=_MANY_SOCKET,
        parameters=(),
        **{"x-websocket": _described("ManySocketMessage", "SocketRequest")},
    )


def _described(sends: str, receives: str) -> Json:
    codes = {str(int(code)): code.name.lower() for code in Close}
    return {"sends": ref(sends), "receives": ref(receives), "close_codes": codes}
