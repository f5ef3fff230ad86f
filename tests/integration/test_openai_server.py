"""The test model itself: what the other tests rely on when they count its calls."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from jsonschema import Draft202012Validator

from tests.openai_server import OpenAIServer

SCHEMAS: list[dict[str, Any]] = [
    {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 4}},
        "required": ["n"],
    },
    {
        "type": "object",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "title": {"type": "string", "minLength": 10, "maxLength": 30},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["title", "next"],
                "additionalProperties": False,
            }
        },
        "properties": {"first": {"$ref": "#/$defs/node"}},
        "required": ["first"],
    },
    {
        "type": "object",
        "properties": {
            "chosen": {
                "type": "array",
                "items": {"type": "string", "enum": ["a", "b", "c", "d"]},
                "minItems": 4,
                "maxItems": 4,
                "uniqueItems": True,
            },
            "kind": {"const": "x"},
            "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "maybe": {"type": ["string", "null"]},
            "even": {"type": "integer", "multipleOf": 2, "minimum": 3, "maximum": 5},
            "on": {"type": "boolean"},
        },
        "required": ["chosen", "kind", "share", "maybe", "even", "on"],
    },
]


def client_of(server: OpenAIServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0)


async def ask(client: openai.AsyncOpenAI, schema: dict[str, Any], said: str = "Hello") -> Any:
    completion = await client.chat.completions.create(
        model="test-model",
        messages=[{"role": "user", "content": said}],
        response_format={"type": "json_schema", "json_schema": {"name": "any", "schema": schema}},
    )
    return json.loads(completion.choices[0].message.content or "")


@pytest.mark.parametrize("schema", SCHEMAS, ids=["bounds", "references", "kinds"])
async def test_an_answer_is_valid_under_any_schema_and_follows_from_the_request(
    openai_server: OpenAIServer, schema: dict[str, Any]
) -> None:
    async with client_of(openai_server) as client:
        for number in range(10):
            answer = await ask(client, schema, f"Question {number}")
            Draft202012Validator(schema).validate(answer)
            assert answer == await ask(client, schema, f"Question {number}")


async def test_a_failure_is_for_one_call_and_the_journal_tells(openai_server: OpenAIServer) -> None:
    await openai_server.configure(fail_next=[{"status": 429, "retry_after": 1}])
    async with client_of(openai_server) as client:
        with pytest.raises(openai.RateLimitError):
            await ask(client, SCHEMAS[0])
        await ask(client, SCHEMAS[0])
    calls = await openai_server.calls()
    assert [(call.status, call.fault) for call in calls] == [("failed", "status"), ("completed", "")]
    assert [call.schema_name for call in calls] == ["any", "any"]


async def test_a_failure_can_be_for_one_task_only(openai_server: OpenAIServer) -> None:
    await openai_server.configure(fail_next=[{"status": 500, "task": "review"}])
    async with client_of(openai_server) as client:
        await ask(client, SCHEMAS[0])
    assert [call.status for call in await openai_server.calls()] == ["completed"]


async def test_texts_that_share_words_have_close_vectors(openai_server: OpenAIServer) -> None:
    async with client_of(openai_server) as client:
        texts = ["net present value", "present value tables", "knitting"]
        response = await client.embeddings.create(model="test-embedding", input=texts, dimensions=64)
    one, near, far = (item.embedding for item in response.data)
    assert sum(x * x for x in one) == pytest.approx(1.0, abs=1e-5)

    def cosine(other: list[float]) -> float:
        return sum(x * y for x, y in zip(one, other, strict=True))

    assert cosine(near) > cosine(far) + 0.2


async def test_a_wrong_control_is_refused(openai_server: OpenAIServer) -> None:
    with pytest.raises(AssertionError, match="no_such_field"):
        await openai_server.configure(no_such_field=1)
