"""The OpenAPI 3.1 document of everything the server answers, and the route that serves it.

Schemas come from the types of :mod:`server.wire`, routes are described by hand beside each other here. Tests
compare them with the server's route table and with what it answers.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import metadata
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from server.openapi import courses, rest, watching
from server.openapi.pieces import RESPONSES
from server.openapi.schemas import schemas
from server.responses import JSON

DESCRIPTION = """\
Ask for a course and watch it being written from real books.

`POST /courses` answers 202 at once. Everything that then happens to the course is in its log, as events
numbered 1, 2, 3 … without gaps. Server-Sent Events, WebSocket, long-polling and the status route are readers
of that log, so they cannot disagree; the number (`seq`) is the cursor of each of them.

A server that listens on loopback answers 403 to whatever does not come to one of its own names.

Times are UTC, ISO-8601 with microseconds. Every error is `{"error": {"code", "message", "field"?}}`. Ignore
members of an answer that you do not know: a newer server may send more.
"""
TAGS = {
    "courses": "Ask for courses, stop them, fetch them, delete them.",
    "watching": "Follow a course: a stream, a socket, polling.",
    "library": "The books that courses are written from.",
    "operations": "For those who run the server.",
    "pages": "What a browser opens.",
}


async def openapi_json(_request: Request) -> Response:
    """``GET /openapi.json``."""
    return JSON(_encoded(), headers={"Cache-Control": "no-cache"})


@cache
def _encoded() -> bytes:
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()


def document() -> dict[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Coursecast",
            "version": metadata.version("coursecast"),
            "summary": "A real-time course generation server.",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": {
            **courses.paths(),
            **watching.paths(),
            **rest.library(),
            **rest.operations(),
            **rest.pages(),
        },
        "components": {"schemas": schemas(), "responses": RESPONSES},
    }
