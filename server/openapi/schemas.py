"""The schema of everything on the wire, from the types in :mod:`server.wire` and :mod:`server.messages`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from server.messages import FRAMES, MANY_FRAMES, MESSAGES, SHAPES
from server.openapi.pieces import Json, ref
from server.wire import ANSWERS, SOMETIMES

REQUESTS = frozenset({"CourseRequest", "Preferences"})
"""What callers post: unknown members are refused, and what has a default may be left out."""


def schemas() -> Json:
    """Return the schemas, by name."""
    found = _generated()
    for name, schema in found.items():
        if name not in REQUESTS and "properties" in schema:
            _as_answer(schema)
    for message in MESSAGES:
        found[message.__name__] = _on_top_of(found, "Message", found[message.__name__])
    made = {
        "Update": _update(),
        "SocketMessage": _socket_message(FRAMES),
        "ManySocketMessage": _socket_message(MANY_FRAMES),
    }
    return dict(sorted((found | made).items()))


class _Untitled(GenerateJsonSchema):
    """Without the titles, which only repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False, always."""
        return False


def _generated() -> Json:
    _, generated = models_json_schema(
        [(shape, "serialization") for shape in (*ANSWERS, *SHAPES)],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    # Docstrings write code as reStructuredText does, descriptions as Markdown.
    found: Json = json.loads(json.dumps(generated["$defs"]).replace("``", "`"))
    for schema in found.values():
        schema.pop("title", None)
    return found


def _as_answer(schema: Json) -> None:
    """Say of an answer what is true of it: more members may come, and none is missing but a marked one."""
    schema.pop("additionalProperties", None)
    members = schema["properties"]
    schema["required"] = [name for name in members if not members[name].pop(SOMETIMES, False)]
    for member in members.values():
        member.pop("default", None)


def _on_top_of(found: Json, base: str, schema: Json) -> Json:
    """Return a schema as what it adds to another."""
    below = found[base]["properties"]
    own = {name: member for name, member in schema["properties"].items() if below.get(name) != member}
    return {
        "description": schema["description"],
        "allOf": [ref(base)],
        "type": "object",
        "properties": own,
        "required": [name for name in schema["required"] if name in own],
    }


def _update() -> Json:
    mapping = {str(m.model_fields["type"].default): ref(m.__name__)["$ref"] for m in MESSAGES}
    return {
        "description": "An entry of the log: the status view as of its `seq`, and by `type` what happened.",
        "oneOf": [{"$ref": target} for target in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }


def _socket_message(frames: Mapping[str, type[Any]]) -> Json:
    def frame(event: str, schema: Json) -> Json:
        return {**schema, "properties": {"event": {"const": event}}, "required": ["event"]}

    shapes = {"update": ref("Update")} | {name: ref(s.__name__) for name, s in frames.items()}
    return {
        "description": "What a WebSocket sends: the same objects as SSE, with `event` beside them.",
        "oneOf": [
            *(frame(event, {"allOf": [schema]}) for event, schema in shapes.items()),
            frame("pong", {"type": "object"}),
        ],
    }
