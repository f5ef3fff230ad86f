"""Whether what the server says is what its OpenAPI document says."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from server.openapi import document

BASES = frozenset({"Message"})
"""Only ever a part of others, which add members."""


@cache
def strict() -> dict[str, Any]:
    """The document with answers closed: a member that is not described is an error here."""
    found = copy.deepcopy(document())
    for name, schema in found["components"]["schemas"].items():
        if "properties" in schema and name not in BASES:
            schema["unevaluatedProperties"] = False
    return found


def mistakes(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with `value`; empty where it conforms."""
    whole = {**schema, "components": strict()["components"]}
    errors = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value)
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in errors]


def mistakes_as(name: str, value: Any) -> list[str]:
    """What is wrong with `value` as the named schema."""
    return mistakes({"$ref": f"#/components/schemas/{name}"}, value)


def answer_of(method: str, path: str, status: int) -> dict[str, Any]:
    """What the document says about an answer; a KeyError where it says nothing."""
    found = strict()["paths"][path][method]["responses"][str(status)]
    if "$ref" in found:
        found = strict()["components"]["responses"][found["$ref"].rsplit("/", 1)[1]]
    return dict(found)
