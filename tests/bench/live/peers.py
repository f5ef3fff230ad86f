"""The peers that are Python: ``python -m tests.bench.live.peers NAME PORT``, as one would first write it.

All run on uvicorn as our server does (uvloop, httptools), read Redis with redis-py and have no middleware of
ours. A viewer is told ``: ready`` when what is published from then on will reach it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import redis.asyncio as redis
import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "bench:"
VIEW = {
    "course_id": "7c0e6f0c-8b5c-4a5f-9a55-0d9a3c9a1c9e",
    "status": "processing",
    "phase": "initializing",
    "seq": 1,
    "progress": {"parts_count": 0, "parts_done": 0, "sections_count": 0, "percent": 2},
    "query": "Learn DCF valuation",
    "hours": 2.0,
    "poll_after_ms": 2000,
}


def _redis() -> redis.Redis:
    client: redis.Redis = redis.Redis.from_url(os.environ["REDIS_URL"])
    return client


async def _everything(tell: Callable[[str, bytes], Any]) -> None:
    """Read all channels over one subscription."""
    async with _redis() as client, client.pubsub() as pubsub:
        await pubsub.psubscribe(f"{PREFIX}*")
        async for message in pubsub.listen():
            if message["type"] == "pmessage":
                done = tell(message["channel"].decode().removeprefix(PREFIX), message["data"])
                if done is not None:
                    await done


# --- EventSourceResponse ------------------------------------------------------------------------------


def event_source_own() -> ASGIApp:
    """sse-starlette's response, with a Redis subscription for each client."""

    async def events(channel: str) -> AsyncIterator[ServerSentEvent]:
        async with _redis() as client, client.pubsub() as pubsub:
            await pubsub.subscribe(PREFIX + channel)
            async for message in pubsub.listen():
                if message["type"] == "subscribe":
                    yield ServerSentEvent(comment="ready")
                else:
                    yield ServerSentEvent(data=message["data"].decode(), event="update", sep="\n")

    async def endpoint(request: Request) -> Response:
        return EventSourceResponse(events(request.path_params["channel"]), sep="\n")

    return Starlette(routes=[Route("/sub/{channel}", endpoint)])


def event_source_shared() -> ASGIApp:
    """sse-starlette's response, with one Redis subscription for all and a queue for each client."""
    queues: dict[str, set[asyncio.Queue[bytes]]] = {}

    def tell(channel: str, data: bytes) -> None:
        for queue in queues.get(channel, ()):
            queue.put_nowait(data)

    async def events(channel: str) -> AsyncIterator[ServerSentEvent]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queues.setdefault(channel, set()).add(queue)
        try:
            yield ServerSentEvent(comment="ready")
            while True:
                data = await queue.get()
                yield ServerSentEvent(data=data.decode(), event="update", sep="\n")
        finally:
            queues[channel].discard(queue)

    async def endpoint(request: Request) -> Response:
        return EventSourceResponse(events(request.path_params["channel"]), sep="\n")

    return Starlette(routes=[Route("/sub/{channel}", endpoint)], lifespan=_listening(tell))


def _listening(tell: Callable[[str, bytes], Any]) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(_everything(tell))
        yield
        task.cancel()

    return lifespan


# --- plain ASGI ---------------------------------------------------------------------------------------


class BareSend:
    """A loop over the ``send`` of every viewer: what ASGI itself costs, and nothing else."""

    def __init__(self) -> None:
        self._sends: dict[str, set[Send]] = {}
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b": ready\n\n", "more_body": True})
        sends = self._sends.setdefault(scope["path"].rpartition("/")[2], set())
        sends.add(send)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            sends.discard(send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._task = asyncio.create_task(_everything(self._tell))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._task.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _tell(self, channel: str, data: bytes) -> None:
        frame = b"event: update\ndata: %s\n\n" % data
        for send in list(self._sends.get(channel, ())):
            await send({"type": "http.response.body", "body": frame, "more_body": True})


# --- bare routes --------------------------------------------------------------------------------------


def bare_status() -> ASGIApp:
    """A route that answers JSON."""

    async def endpoint(_request: Request) -> Response:
        return JSONResponse(VIEW)

    return Starlette(routes=[Route("/status/{id}", endpoint)])


def bare_insert() -> ASGIApp:
    """A route that reads JSON, inserts one row with asyncpg and answers JSON."""
    pools: list[Any] = []

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=20, max_size=20) as pool:
            await pool.execute(
                "CREATE TABLE IF NOT EXISTS bench (id uuid PRIMARY KEY, query text, hours float8)"
            )
            pools.append(pool)
            yield

    async def endpoint(request: Request) -> Response:
        asked = await request.json()
        id_ = uuid.uuid4()
        insert = "INSERT INTO bench (id, query, hours) VALUES ($1, $2, $3)"
        await pools[0].execute(insert, id_, asked["query"], asked["hours"])
        return JSONResponse({"course_id": str(id_), "status": "processing"}, 202)

    return Starlette(routes=[Route("/courses", endpoint, methods=["POST"])], lifespan=lifespan)


PEERS: dict[str, Callable[[], ASGIApp]] = {
    "event-source-own": event_source_own,
    "event-source-shared": event_source_shared,
    "bare-send": BareSend,
    "bare-status": bare_status,
    "bare-insert": bare_insert,
}

if __name__ == "__main__":
    uvicorn.run(
        PEERS[sys.argv[1]](),
        port=int(sys.argv[2]),
        log_level="warning",
        access_log=False,
        backlog=2_048,
        timeout_graceful_shutdown=1,
    )
