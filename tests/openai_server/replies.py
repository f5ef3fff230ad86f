"""What the test model writes: whole, or piece by piece."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import random
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from tests.openai_server.behaviour import Behaviour, Fault
from tests.openai_server.instances import Quirks, instance, vocabulary
from tests.openai_server.journal import Call

DONE = b"data: [DONE]\n\n"
_DRIP_S = 0.02


class Cut(Exception):
    """Ends a response in the middle: uvicorn closes the connection."""


class Reply:
    """What one chat call is answered.

    Args:
        call: its entry in the journal.
        payload: the request.
        now: how the server behaves.
        fault: what is wrong with this answer.
    """

    def __init__(self, call: Call, payload: dict[str, Any], now: Behaviour, fault: Fault | None) -> None:
        self.call = call
        self.fault = fault
        self._kind = fault.kind if fault else None
        self._now = now
        self._base = {"id": f"chatcmpl-{call.id}", "created": int(call.started), "model": payload["model"]}
        self._with_usage = bool((payload.get("stream_options") or {}).get("include_usage"))
        self._prompt = "\n".join(str(message.get("content")) for message in payload["messages"])
        self._text = self._written(payload)
        self._finish = self._kind if self._kind in ("length", "content_filter") else "stop"

    def _written(self, payload: dict[str, Any]) -> str:
        match self._kind:
            case "refusal" | "no_content" | "empty_choices":
                return ""
            case "invalid_json":
                return '{"parts": [{"title": "An unfinished'
            case "wrong_shape":
                return '{"answer": 42}'
        schema = self._schema(payload)
        if schema is None:
            return "I would begin with the basics and go on from there."
        asked = "\n".join(str(m.get("content")) for m in payload["messages"] if m.get("role") == "user")
        quirks = Quirks(
            repeat_choices=self._now.repeat_choices,
            unknown_choices=self._kind == "unknown_source",
            surplus_items=self._now.surplus_items,
            long_strings=self._now.long_strings,
            odd_numbers=self._now.odd_numbers,
        )
        made = instance(schema, seed=self._prompt, words=vocabulary(asked), quirks=quirks)
        text = json.dumps(made, ensure_ascii=False)
        if self._now.extra_text:
            text = f"Here is the {{draft}} you asked for:\n```json\n{text}\n```\nTell me if it suits you."
        return text[: len(text) // 2] if self._kind in ("length", "content_filter") else text

    def _schema(self, payload: dict[str, Any]) -> Mapping[str, Any] | None:
        """Return the schema of the answer: from ``response_format``, else the last one in the prompt."""
        wanted = payload.get("response_format") or {}
        if wanted.get("type") == "json_schema" and not self._now.ignore_schema:
            schema: Mapping[str, Any] = wanted["json_schema"]["schema"]
            return schema
        return next(iter([*_schemas_in(self._prompt)][::-1]), None)

    def _usage(self) -> dict[str, int]:
        prompt, answer = len(self._prompt) // 4, len(self._text) // 4
        self.call.prompt_tokens, self.call.completion_tokens = prompt, answer
        return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}

    def whole(self) -> dict[str, Any]:
        """Return the answer in one piece."""
        content = "x" * (self._now.huge_mb * 1_000_000) if self._kind == "huge" else self._text or None
        refusal = "I cannot help with that." if self._kind == "refusal" else None
        message = {"role": "assistant", "content": content, "refusal": refusal}
        choices = [{"index": 0, "message": message, "finish_reason": self._finish}]
        answer = {**self._base, "object": "chat.completion", "choices": choices}
        if self._kind == "empty_choices":
            answer["choices"] = []
        return answer if self._now.no_usage else {**answer, "usage": self._usage()}

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the answer as server-sent events, all but the last, ``[DONE]``."""
        if self._kind == "empty_choices":
            yield self._event([])
            return
        yield self._delta({"role": "assistant", "content": ""})
        size = max(1, self._now.chunk_chars)
        pieces = [self._text[start : start + size] for start in range(0, len(self._text), size)]
        for index, piece in enumerate(pieces):
            if index:
                await asyncio.sleep(self._now.chunk_delay_s)
            if index == len(pieces) // 2:
                async for event in self._broken_middle():
                    yield event
            yield self._delta({"content": piece})
        if self._kind == "refusal":
            yield self._delta({"refusal": "I cannot help with that."})
        yield self._delta({}, self._finish)
        if self._with_usage and not self._now.no_usage:
            yield self._event([], usage=self._usage())

    async def _broken_middle(self) -> AsyncIterator[bytes]:
        match self._kind:
            case "cut_stream" | "stall":
                await self.stall_or_cut()
            case "garbled_stream":
                yield b"data: {not json\n\n"
            case "stream_error":
                assert self.fault
                error = {"message": self.fault.message, "code": self.fault.code}
                yield _sse({"error": error})
            case "drip":
                while True:
                    yield self._delta({"content": " "})
                    await asyncio.sleep(_DRIP_S)
            case "huge":
                for _ in range(self._now.huge_mb):
                    yield self._delta({"content": "x" * 1_000_000})

    async def stall_or_cut(self) -> None:
        """Say nothing for ever, or close the connection."""
        if self._kind == "stall":
            await asyncio.Event().wait()
        raise Cut

    def _delta(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return self._event([{"index": 0, "delta": delta, "finish_reason": finish}])

    def _event(self, choices: list[Any], **more: Any) -> bytes:
        return _sse({**self._base, "object": "chat.completion.chunk", "choices": choices, **more})


def _sse(data: Any) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _schemas_in(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON schemas of objects that stand in a text, in order."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except ValueError:
            end = at + 1
        else:
            if found.get("type") == "object" and isinstance(found.get("properties"), dict):
                yield found
        at = text.find("{", end)


def embedding(text: str, dimensions: int) -> list[float]:
    """Return a unit vector: the sum of one random vector per word, so texts that share words are close."""
    total = [0.0] * dimensions
    for word in text.lower().split() or [""]:
        rng = random.Random(hashlib.sha256(word.encode()).digest())
        total = [value + rng.gauss(0, 1) for value in total]
    length = math.hypot(*total)
    return [value / length for value in total]


def as_base64(vector: list[float]) -> str:
    """Return a vector as little-endian float32, as ``encoding_format: base64`` asks."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
