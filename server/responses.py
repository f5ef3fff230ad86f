"""JSON out, errors out: one shape for every error, the same few headers on every answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

NOSNIFF = {"X-Content-Type-Options": "nosniff"}
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class ApiError(Exception):
    """An answer that is an error: ``{"error": {"code", "message", "field"?}}``.

    Args:
        status: HTTP status.
        code: a word for programs.
        message: a sentence for people.
        field: the part of the request that is wrong.
        headers: further headers.
        extra: further members beside ``error``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def body(self) -> dict[str, Any]:
        """Return the error as JSON."""
        error = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        return {"error": error, **self.extra}

    def response(self) -> Response:
        """Return the error as a response."""
        return JSON(self.body(), self.status, headers=self.headers)


def invalid(field: str, message: str) -> ApiError:
    """Return a 400 that names the field."""
    return ApiError(400, "invalid_request", message, field=field)


def no_course(course_id: str) -> ApiError:
    """Return a 404 for a course."""
    return ApiError(404, "course_not_found", f"There is no course {course_id[:64]!r}.", field="course_id")


class JSON(Response):
    """A JSON answer without spaces; takes text or bytes that are JSON already as they are."""

    media_type = "application/json"

    def __init__(
        self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, headers={**NOSNIFF, **(headers or {})})

    def render(self, content: Any) -> bytes:
        """Return the body."""
        if isinstance(content, bytes):
            return content
        if isinstance(content, str):
            return content.encode()
        return _ENCODER.encode(content).encode()


async def on_api_error(_request: Request, error: Exception) -> Response:
    """Answer an :class:`ApiError`."""
    assert isinstance(error, ApiError)
    return error.response()
