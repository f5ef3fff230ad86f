"""An OpenAI-compatible endpoint: one call out of many, and what the endpoint turns out to support.

A request that the server does not support is sent again asking for less (see ``abilities``). Nothing is
retried here for any other reason: whether a failed task is tried again is the runner's decision.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream, RequestOptions

from pipeline.authors.openai.abilities import PROBE_AFTER_S, Abilities, Format, Known
from pipeline.authors.openai.connection import http_client
from pipeline.authors.openai.failures import NO_SUCH_SERVICE, Unsupported, translated
from pipeline.authors.openai.gate import Gate
from pipeline.authors.openai.prompts import Message, with_schema
from pipeline.authors.openai.reply import Answer, OnText, Reply, estimated
from pipeline.authors.openai.sse import events
from pipeline.authors.openai.turns import Turns
from pipeline.errors import AuthorMisconfigured, CourseError
from pipeline.ledger import Ledger

logger = logging.getLogger(__name__)

COMPLETIONS = "/chat/completions"
DONE = b"[DONE]"
OPENAI_URL = "https://api.openai.com/v1"
CHUNKS_PER_TURN = 8  # some 1 ms of work
NO_KEY = "none"  # local servers need no key, and the library needs some
TASK_HEADER = "X-Coursecast-Task"
"""``{course_id}/{task}``, sent along so that the other side's log can be read beside ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long one call may take, in seconds."""

    connect_s: float = 5.0
    read_s: float = 120.0
    """Between two pieces of an answer, the first included; without streaming, of the whole answer."""
    total_s: float = 300.0
    """From the first byte sent to the last received, however steadily they come."""

    @classmethod
    def within(cls, total_s: float) -> Timeouts:
        """Return the timeouts of calls that may take `total_s` seconds."""
        return cls(connect_s=min(5.0, total_s), read_s=0.4 * total_s, total_s=total_s)


TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing to ask."""

    course_id: str
    task: str
    """``parts``, ``sections:2``, ``review``."""
    name: str
    """Of the schema."""
    schema: Mapping[str, Any]
    messages: Sequence[Message]
    ledger: Ledger


class Endpoint:
    """A model at an address.

    Args:
        base_url: address up to ``/v1``; None: OpenAI's.
        key: API key; None for servers that need none.
        model: the model's name.
        max_calls: calls at once; more wait for their turn.
        timeouts: of one call.
        probe_after_s: how long an endpoint is believed to support less than everything.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        key: str | None,
        model: str,
        max_calls: int,
        timeouts: Timeouts = TIMEOUTS,
        probe_after_s: float = PROBE_AFTER_S,
    ) -> None:
        self.model = model
        self._key = key or NO_KEY
        self._total_s = timeouts.total_s
        self._gate = Gate(max_calls)
        self._turns = Turns()
        self._known = Known(probe_after_s=probe_after_s)
        self._client = AsyncOpenAI(
            api_key=self._key,
            base_url=base_url or OPENAI_URL,
            max_retries=0,
            http_client=http_client(
                base_url or OPENAI_URL,
                max_calls,
                httpx2.Timeout(timeouts.read_s, connect=timeouts.connect_s),
            ),
            default_headers={"Accept-Encoding": "identity"},  # so that bytes counted are bytes held
        )

    def disappointed(self) -> None:
        """Note that an answer was not of the form asked for: from now on the schema is shown in words too."""
        self._known.disappointed()

    async def complete(self, request: Request, on_text: OnText | None = None) -> Answer:
        """Return the model's answer to `request`.

        Args:
            request: what to ask.
            on_text: called with the reply so far as it is streamed; must be cheap.

        Raises:
            AuthorUnavailable, AuthorRefused, AuthorMisconfigured, AuthorInvalidOutput: see ``failures``.
            BudgetExceeded: the course may not spend what the call would take.
        """
        abilities, probing = self._known.to_ask()
        while True:
            try:
                answer = await self._call(request, abilities, on_text)
            except Unsupported as refusal:
                weaker = abilities.without(refusal.blamed)
                if weaker is None:
                    raise
                abilities = weaker
            else:
                self._known.worked(abilities, probed=probing)
                return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _call(self, request: Request, abilities: Abilities, on_text: OnText | None) -> Answer:
        reply = Reply(on_text)
        body = self._body(request, abilities)
        prompt_tokens = estimated(sum(len(message["content"]) for message in body["messages"]))
        with request.ledger.call(prompt_tokens):
            async with self._gate.call():
                await self._turns.take()
                started = time.monotonic()
                try:
                    with translated(self._key):
                        async with asyncio.timeout(self._total_s):
                            await (self._stream if abilities.streams else self._fetch)(request, body, reply)
                    answer = reply.answer()
                except CourseError as error:
                    self._log(request, reply, started, error)
                    raise
                finally:
                    if usage := reply.usage_or_estimate(prompt_tokens):
                        request.ledger.spend(prompt=usage.prompt_tokens, completion=usage.completion_tokens)
        self._log(request, reply, started)
        return answer

    def _log(self, request: Request, reply: Reply, started: float, error: CourseError | None = None) -> None:
        facts: dict[str, Any] = {
            "course": request.course_id,
            "task": request.task,
            "model": self.model,
            "request_id": reply.request_id or getattr(error and error.__cause__, "request_id", None),
            "seconds": round(time.monotonic() - started, 3),
        }
        if error:
            logger.warning("model call failed", extra={**facts, "error": repr(error.__cause__ or error)})
        else:
            usage = reply.usage
            tokens = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
            logger.info("model answered", extra={**facts, **tokens})

    async def _stream(self, request: Request, body: Mapping[str, Any], reply: Reply) -> None:
        # Plain dicts: the library's typed chunks cost four times the rest of the work on a chunk.
        stream = await self._client.post(
            COMPLETIONS,
            body=body,
            options=_options(request),
            cast_to=object,
            stream=True,
            stream_cls=AsyncStream[object],
        )
        async with stream:
            reply.request_id = stream.response.headers.get("x-request-id", "")
            if "text/event-stream" in stream.response.headers.get("content-type", ""):
                taken = 0
                async for data in events(stream.response.aiter_bytes()):
                    if taken % CHUNKS_PER_TURN == 0:
                        await self._turns.take()
                    taken += 1
                    if data != DONE:  # the body is read to its end all the same, to keep the connection
                        reply.take(_chunk(data, stream.response.request))
            else:  # a server that does not stream may answer in one piece all the same
                _take_whole(reply, await stream.response.aread())

    async def _fetch(self, request: Request, body: Mapping[str, Any], reply: Reply) -> None:
        response = await self._client.post(
            COMPLETIONS, body=body, options=_options(request), cast_to=httpx2.Response
        )
        reply.request_id = response.headers.get("x-request-id", "")
        _take_whole(reply, response.content)

    def _body(self, request: Request, abilities: Abilities) -> dict[str, Any]:
        """Return the request's fields; only those that every server knows."""
        messages = list(request.messages)
        if abilities.schema_in_prompt or abilities.format is not Format.JSON_SCHEMA:
            messages = with_schema(messages, request.schema)
        body: dict[str, Any] = {"model": self.model, "messages": messages}
        if abilities.format is Format.JSON_SCHEMA:
            schema = {"name": request.name, "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif abilities.format is Format.JSON_OBJECT:
            body["response_format"] = {"type": "json_object"}
        if abilities.streams:
            body["stream"] = True
            if abilities.counts_streamed:
                body["stream_options"] = {"include_usage": True}
        return body


def _chunk(data: bytes, request: httpx2.Request) -> object:
    """Return an event of the stream as JSON.

    Raises:
        ValueError: it is none.
        openai.APIError: it is an error; the answer will not be finished.
    """
    chunk = json.loads(data)
    if isinstance(chunk, dict) and (error := chunk.get("error")):
        message = error.get("message") if isinstance(error, dict) else error
        raise openai.APIError(str(message), request, body=error)
    return chunk


def _options(request: Request) -> RequestOptions:
    return {"headers": {TASK_HEADER: f"{request.course_id}/{request.task}"}}


def _take_whole(reply: Reply, body: bytes) -> None:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise AuthorMisconfigured(NO_SUCH_SERVICE) from error
    if not isinstance(message, dict) or "choices" not in message:
        raise AuthorMisconfigured(NO_SUCH_SERVICE)
    reply.take(message)
