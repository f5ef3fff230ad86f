"""What the descriptions of routes are put together from: OpenAPI 3.1 objects, as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def ref(name: str) -> Json:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_of(name: str) -> Json:
    """Return a JSON content of a schema."""
    return {"application/json": {"schema": ref(name)}}


def header(description: str, kind: str = "string") -> Json:
    """Return an answer's header."""
    return {"description": description, "schema": {"type": kind}}


def answer(description: str, content: Json | None = None, headers: Mapping[str, Json] | None = None) -> Json:
    """Return an answer."""
    found: Json = {"description": description}
    if headers:
        found["headers"] = dict(headers)
    if content:
        found["content"] = content
    return found


def error(description: str, *, schema: str = "Error", headers: Mapping[str, Json] | None = None) -> Json:
    """Return an answer that is an error."""
    return answer(description, json_of(schema), headers)


RETRY_AFTER = {"Retry-After": header("Seconds to wait before asking again.", "integer")}
ETAG = {"ETag": header("Changes with the answer.")}
REVALIDATE = {"Cache-Control": header("`private, no-cache`: keep it, but ask each time.")}

_SHARED: Mapping[str, tuple[str, Json]] = {
    "BadRequest": ("400", error("Not a valid request; `field` names what is wrong.")),
    "Forbidden": ("403", error("The page of another site asks, and its origin is not allowed.")),
    "NoSuchCourse": ("404", error("There is no such course.")),
    "NoSuchBook": ("404", error("There is no such book.")),
    "TooLarge": ("413", error("The body has more than 256 KiB.")),
    "Unavailable": ("503", error("Not just now: the database or a service is away.", headers=RETRY_AFTER)),
}
RESPONSES: Json = {name: response for name, (_, response) in _SHARED.items()}
"""Errors that several routes share, for the components."""


def shared(*names: str) -> Json:
    """Return references to errors of `RESPONSES`, by status."""
    return {_SHARED[name][0]: {"$ref": f"#/components/responses/{name}"} for name in names}


def parameter(where: str, name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    """Return a parameter; `where` is ``path``, ``query`` or ``header``."""
    required = required or where == "path"
    return {"name": name, "in": where, "required": required, "description": description, "schema": schema}


TEXT: Json = {"type": "string"}
UUID: Json = {"type": "string", "format": "uuid"}
COURSE = parameter("path", "course_id", "A course.", UUID)
AFTER = parameter(
    "query", "after", "Number of the last event you have.", {"type": "integer", "minimum": 0, "default": 0}
)


def operation(
    operation_id: str,
    tag: str,
    summary: str,
    responses: Mapping[str, Json],
    *,
    description: str = "",
    parameters: tuple[Json, ...] = (),
    **more: Any,
) -> Json:
    """Return what one method of a path does."""
    found: Json = {"operationId": operation_id, "tags": [tag], "summary": summary}
    if description:
        found["description"] = description
    if parameters:
        found["parameters"] = list(parameters)
    return found | more | {"responses": dict(responses)}
