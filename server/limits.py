"""What a request may be: sizes, shapes, ranges. Every refusal names the field."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from pipeline.outline import MAX_HOURS, MIN_HOURS, Brief, Preferences
from server.responses import ApiError, invalid, no_course

MAX_BODY_BYTES = 256 * 1024
QUERY_CHARACTERS = (2, 2_000)
DEFAULT_HOURS = 2.0
MAX_KEY_CHARACTERS = 255
MAX_SEQ = 2**63 - 1
BODY_TIMEOUT_S = 20.0


async def read_brief(request: Request) -> Brief:
    """Return what a ``POST /courses`` asks for.

    Raises:
        ApiError: 400 naming the field, or 413.
    """
    body = await _read_json(request)
    if not isinstance(body, dict):
        raise invalid("body", "The body must be a JSON object.")
    for key in body:
        if key not in ("query", "hours", "preferences"):
            raise invalid(_shown(key), f"There is no field {_shown(key)!r}.")
    return Brief(
        query=_query(body.get("query")),
        hours=_hours(body.get("hours", DEFAULT_HOURS)),
        preferences=_preferences(body.get("preferences")),
    )


async def _read_json(request: Request) -> Any:
    """Return the body as JSON, whatever its content type says."""
    too_large = ApiError(413, "body_too_large", f"The body may have {MAX_BODY_BYTES} bytes.", field="body")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > MAX_BODY_BYTES:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise too_large
                chunks.append(chunk)
    except TimeoutError as late:
        message = f"The body did not arrive within {BODY_TIMEOUT_S:g} seconds."
        raise ApiError(
            400, "invalid_request", message, field="body", headers={"Connection": "close"}
        ) from late
    except ClientDisconnect as gone:
        raise ApiError(400, "invalid_request", "The body did not arrive whole.", field="body") from gone
    try:
        return json.loads(b"".join(chunks))
    except (ValueError, RecursionError) as error:
        raise invalid("body", "The body is not valid JSON.") from error


def _query(value: Any) -> str:
    if value is None:
        raise invalid("query", "query is missing: say what you would like to learn.")
    if not isinstance(value, str):
        raise invalid("query", "query must be text.")
    text = value.strip()
    low, high = QUERY_CHARACTERS
    if not low <= len(text) <= high:
        raise invalid("query", f"query must have {low} to {high:,} characters.")
    _check_text("query", text)
    return text


def _hours(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid("hours", "hours must be a number.")
    # Not written as `low <= value`: NaN has to fail, and huge integers must not overflow in math.
    if not (MIN_HOURS <= value <= MAX_HOURS):
        raise invalid("hours", f"hours must be from {MIN_HOURS:g} to {MAX_HOURS:g}.")
    hours = float(value)
    assert math.isfinite(hours)
    return hours


def _preferences(value: Any) -> Preferences:
    if value is None:
        return Preferences()
    if not isinstance(value, dict):
        raise invalid("preferences", "preferences must be an object.")
    try:
        preferences = Preferences.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["preferences", *(_shown(part) for part in first["loc"])])
        reason = "There is no such preference" if first["type"] == "extra_forbidden" else first["msg"]
        raise invalid(field, f"{reason}.") from error
    for name in ("presentation_style", "additional_notes"):
        _check_text(f"preferences.{name}", getattr(preferences, name) or "")
    return preferences


def _check_text(field: str, text: str) -> None:
    if "\x00" in text:
        raise invalid(field, f"{field} must not contain NUL characters.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise invalid(field, f"{field} contains a lone surrogate, which is no character.") from error


def _shown(name: Any) -> str:
    """Return a name from outside so that it can stand in an answer."""
    return str(name)[:80].encode("utf-8", "replace").decode()


def idempotency_key(request: Request) -> str | None:
    """Return the ``Idempotency-Key``, or None."""
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        raise invalid("Idempotency-Key", f"Idempotency-Key must have 1 to {MAX_KEY_CHARACTERS} characters.")
    return key


def course_id(connection: HTTPConnection) -> str:
    """Return the course id of the path; an id that cannot exist is an unknown one (404)."""
    return known_form(connection.path_params["course_id"])


def known_form(text: str) -> str:
    """Return a course id in its one form, or raise 404."""
    try:
        return str(UUID(text))
    except ValueError as error:
        raise no_course(text) from error


def integer(values: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Return an integer of the query string, or its default where it is missing."""
    text = values.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and low <= int(text) <= high):
        bounds = f"from {low} to {high}" if high < MAX_SEQ else f"of at least {low}"
        raise invalid(name, f"{name} must be an integer {bounds}.")
    return int(text)


def seconds(values: Mapping[str, str], name: str, high: float) -> float:
    """Return a number of seconds of the query string, 0 where it is missing."""
    text = values.get(name)
    if text is None:
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= high:
        raise invalid(name, f"{name} must be a number of seconds from 0 to {high:g}.")
    return value


def required(values: Mapping[str, str], name: str) -> str:
    """Return a text of the query string that must be there."""
    text = values.get(name, "").strip()
    if not text:
        raise invalid(name, f"{name} is missing.")
    _check_text(name, text)
    return text
