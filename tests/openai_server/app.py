"""The routes of the test model."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.openai_server.behaviour import Behaviour, Fault
from tests.openai_server.journal import Call, Journal
from tests.openai_server.replies import DONE, Cut, Reply, as_base64, embedding


class Model:
    """The server's state and its routes.

    Args:
        behaviour: how it answers at first, and after each reset.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self._first = behaviour
        self._now = behaviour.model_copy(deep=True)
        self._journal = Journal()
        self._lately: deque[float] = deque()
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", _Endpoint(self._chat)),
                Route("/v1/embeddings", self._embeddings, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/control", self._control, methods=["GET", "POST"]),
                Route("/calls", self._calls),
                Route("/calls/{id:int}", self._call),
            ]
        )

    # -- for the tests --------------------------------------------------------------------------------

    async def _control(self, request: Request) -> Response:
        if request.method == "POST":
            wanted: dict[str, Any] = await request.json()
            if wanted.pop("reset", False):
                self._now = self._first.model_copy(deep=True)
                self._journal.reset()
            try:
                self._now = Behaviour.model_validate(self._now.model_dump() | wanted)
            except ValueError as error:
                return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(self._now.model_dump())

    async def _calls(self, request: Request) -> Response:
        after = int(request.query_params.get("after", 0))
        wait_s = float(request.query_params.get("wait_s", 0))
        version, calls = await self._journal.after(after, wait_s)
        return JSONResponse({"version": version, "calls": [call.model_dump() for call in calls]})

    async def _call(self, request: Request) -> Response:
        found = self._journal.request(request.path_params["id"])
        return JSONResponse(found or {}, status_code=200 if found else 404)

    # -- as OpenAI has them ---------------------------------------------------------------------------

    async def _models(self, _request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "test-model", "object": "model"}]})

    async def _embeddings(self, request: Request) -> Response:
        payload = await request.json()
        course_id, task = _whose(request)
        call = self._journal.open("embeddings", payload, course_id=course_id, task=task or "embed")
        if fault := self._now.refusal(payload, _key(request)) or self._now.fault_for(call.task):
            self._journal.update(call, fault=fault.kind)
            self._journal.finish(call, "failed")
            return _failure(fault)
        texts = [payload["input"]] if isinstance(payload["input"], str) else payload["input"]
        dimensions = 1536 if self._now.ignore_dimensions else payload.get("dimensions", 1536)
        vectors = [embedding(str(text), dimensions) for text in texts]
        encoded = payload.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": as_base64(vector) if encoded else vector}
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(len(str(text).split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        self._journal.finish(call, "completed")
        return JSONResponse({"object": "list", "data": data, "model": payload["model"], "usage": usage})

    async def _chat(self, request: Request, send: Send) -> None:
        payload: dict[str, Any] = await request.json()
        course_id, task = _whose(request)
        wanted = payload.get("response_format") or {}
        name = (wanted.get("json_schema") or {}).get("name", "")
        call = self._journal.open(
            "chat",
            payload,
            course_id=course_id,
            task=task or name,
            schema_name=name,
            response_format=wanted.get("type", "text"),
            stream=bool(payload.get("stream")),
        )
        answering = asyncio.create_task(self._answer(call, payload, request, send))
        gone = asyncio.create_task(_disconnected(request.receive))
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
            # The server also calls a finished response disconnected: only one that runs was dropped.
            self._journal.finish(call, "failed" if answering.done() else "dropped")
            if answering.done():
                answering.result()
        finally:
            for unfinished in (answering, gone):
                unfinished.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)

    async def _answer(self, call: Call, payload: dict[str, Any], request: Request, send: Send) -> None:
        now = self._now.model_copy()
        fault = now.refusal(payload, _key(request)) or self._too_many(now) or self._now.fault_for(call.task)
        if fault:
            self._journal.update(call, fault=fault.kind)
        if fault and fault.kind == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(now.delay_s)
        if fault and fault.kind in ("status", "html"):
            await _failure(fault)(request.scope, request.receive, send)
        else:
            reply = Reply(call, payload, now, fault)
            if payload.get("stream") and not now.ignore_stream:
                await self._stream(reply, send)
            else:
                await self._write_whole(reply, send)
        self._journal.finish(call, "failed" if fault else "completed")

    def _too_many(self, now: Behaviour) -> Fault | None:
        """Return what a call beyond the limit gets; count the others."""
        if now.limit_per_s is None:
            return None
        at = time.monotonic()
        while self._lately and self._lately[0] < at - 1:
            self._lately.popleft()
        if len(self._lately) >= now.limit_per_s:
            return Fault(status=429, retry_after=1, message="too many requests")
        self._lately.append(at)
        return None

    async def _write_whole(self, reply: Reply, send: Send) -> None:
        body = json.dumps(reply.whole()).encode()
        self._journal.update(reply.call, first_chunk=time.time())
        await _begin(send, reply.call, "application/json", length=len(body))
        if reply.fault and reply.fault.kind in ("cut_stream", "stall"):
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            await reply.stall_or_cut()
        await send({"type": "http.response.body", "body": body})

    async def _stream(self, reply: Reply, send: Send) -> None:
        await _begin(send, reply.call, "text/event-stream")
        self._journal.update(reply.call, first_chunk=time.time())
        async for chunk in reply.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": DONE})


class _Endpoint:
    """A plain ASGI endpoint, so that the handler can watch for the client going away."""

    def __init__(self, handler: Callable[[Request, Send], Awaitable[None]]) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._handler(Request(scope, receive), send)


def _whose(request: Request) -> tuple[str, str]:
    """Return the course and the task that a request is for."""
    course_id, _, task = request.headers.get("x-coursecast-task", "").partition("/")
    return course_id, task


def _key(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _begin(send: Send, call: Call, media_type: str, *, length: int | None = None) -> None:
    headers = [(b"content-type", media_type.encode()), (b"x-request-id", f"req-{call.id}".encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})


def _failure(fault: Fault) -> Response:
    if fault.kind == "html":
        return Response("<html><body>It works!</body></html>", media_type="text/html")
    headers = {"x-request-id": "req-failed"}
    if fault.retry_after is not None:
        headers["retry-after"] = str(fault.retry_after)
    error = {"message": fault.message, "type": "test", "code": fault.code}
    return JSONResponse({"error": error}, status_code=fault.status, headers=headers)


__all__ = ["Cut", "Model"]
