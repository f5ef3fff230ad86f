"""An OpenAI-compatible endpoint: one call out of many, and what the endpoint turns out to support.

Servers differ in whether they hold a model to a JSON schema, know only ``json_object``, or neither; in
whether they stream; in whether they count tokens in a stream. :class:`Abilities` says what is asked of this
one. A request that is refused is sent again asking for less, and what worked is remembered for later calls.

Nothing is retried here for any other reason: whether a failed task is tried again is the runner's decision.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import httpx2
from openai import AsyncOpenAI, AsyncStream, RequestOptions

from pipeline.authors.openai.connection import http_client
from pipeline.authors.openai.failures import NO_SUCH_SERVICE, Unsupported, translated
from pipeline.authors.openai.prompts import Message, with_schema
from pipeline.authors.openai.reply import Answer, OnText, Reply
from pipeline.errors import AuthorMisconfigured, CourseError

logger = logging.getLogger(__name__)

COMPLETIONS = "/chat/completions"
OPENAI_URL = "https://api.openai.com/v1"
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


TIMEOUTS = Timeouts()


class Format(IntEnum):
    """How an answer's form is asked for, the best last."""

    TEXT = 0
    JSON_OBJECT = 1
    JSON_SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What is asked of an endpoint."""

    format: Format = Format.JSON_SCHEMA
    schema_in_prompt: bool = False
    """Show the schema in words, too: this endpoint took a schema and did not hold the model to it."""
    streams: bool = True
    counts_streamed: bool = True
    """Ask for token counts at the end of a stream."""

    def without(self, blamed: str) -> Abilities | None:
        """Return what to ask for after a refusal that names the field `blamed`; None: nothing is left."""
        if blamed == "stream_options" and self.streams and self.counts_streamed:
            return replace(self, counts_streamed=False)
        if blamed == "stream" and self.streams:
            return replace(self, streams=False)
        if self.format > Format.TEXT:
            return replace(self, format=Format(self.format - 1))
        if self.streams and self.counts_streamed:
            return replace(self, counts_streamed=False)
        return replace(self, streams=False) if self.streams else None

    def common(self, other: Abilities) -> Abilities:
        """Return what both have."""
        return Abilities(
            format=min(self.format, other.format),
            schema_in_prompt=self.schema_in_prompt or other.schema_in_prompt,
            streams=self.streams and other.streams,
            counts_streamed=self.counts_streamed and other.counts_streamed,
        )


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


class Endpoint:
    """A model at an address.

    Args:
        base_url: address up to ``/v1``; None: OpenAI's.
        key: API key; None for servers that need none.
        model: the model's name.
        max_calls: calls at once; more wait for their turn.
        timeouts: of one call.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        key: str | None,
        model: str,
        max_calls: int,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        self.model = model
        self._key = key or NO_KEY
        self._total_s = timeouts.total_s
        self._slots = asyncio.Semaphore(max_calls)
        self._abilities = Abilities()
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

    @property
    def abilities(self) -> Abilities:
        """What the endpoint has turned out to support."""
        return self._abilities

    def disappointed(self) -> None:
        """Note that an answer was not of the form asked for: from now on the schema is shown in words too."""
        self._abilities = replace(self._abilities, schema_in_prompt=True)

    async def complete(self, request: Request, on_text: OnText | None = None) -> Answer:
        """Return the model's answer to `request`.

        Args:
            request: what to ask.
            on_text: called with the reply so far as it is streamed; must be cheap.

        Raises:
            AuthorUnavailable, AuthorRefused, AuthorMisconfigured, AuthorInvalidOutput: see ``failures``.
        """
        abilities = self._abilities
        while True:
            try:
                answer = await self._call(request, abilities, on_text)
            except Unsupported as refusal:
                weaker = abilities.without(refusal.blamed)
                if weaker is None:
                    raise
                abilities = weaker
            else:
                self._abilities = self._abilities.common(abilities)
                return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _call(self, request: Request, abilities: Abilities, on_text: OnText | None) -> Answer:
        reply = Reply(on_text)
        async with self._slots:
            started = time.monotonic()
            try:
                with translated(self._key):
                    async with asyncio.timeout(self._total_s):
                        if abilities.streams:
                            await self._stream(request, abilities, reply)
                        else:
                            await self._fetch(request, abilities, reply)
                answer = reply.answer()
            except CourseError as error:
                self._log(request, reply, started, error)
                raise
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

    async def _stream(self, request: Request, abilities: Abilities, reply: Reply) -> None:
        body = {**self._body(request, abilities), "stream": True}
        if abilities.counts_streamed:
            body["stream_options"] = {"include_usage": True}
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
                async for chunk in stream:
                    reply.take(chunk)
            else:  # a server that does not stream may answer in one piece all the same
                _take_whole(reply, await stream.response.aread())

    async def _fetch(self, request: Request, abilities: Abilities, reply: Reply) -> None:
        body = self._body(request, abilities)
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
        return body


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
