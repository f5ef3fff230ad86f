"""Liveness, readiness, Prometheus."""

from __future__ import annotations

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from pipeline import bus, database
from pipeline.database import ACQUIRE_TIMEOUT_S, queries
from pipeline.library.catalogue import is_loaded
from server.context import Context, context
from server.responses import JSON, NOSNIFF

REDIS_TIMEOUT_S = 0.5
POSTGRES_TIMEOUT_S = 2.0


async def healthz(_request: Request) -> Response:
    """``GET /healthz``: this process answers."""
    return JSON({"status": "ok"})


async def readyz(request: Request) -> Response:
    """``GET /readyz``: 200 when Postgres answers, the schema is there and the catalogue is loaded.

    Redis away is no reason to take a server out: it serves everything from the log.
    """
    tools = context(request)
    missing: list[str] = []
    try:
        async with asyncio.timeout(POSTGRES_TIMEOUT_S):
            if not await is_loaded(tools.pool, tools.embedder):
                missing.append("catalogue")
    except database.UNAVAILABLE:
        missing.append("postgres")
    degraded = [] if await _redis_answers(tools) else ["redis"]
    if missing:
        return JSON({"status": "unavailable", "missing": missing, "degraded": degraded}, 503)
    return JSON({"status": "ready", "degraded": degraded} if degraded else {"status": "ready"})


async def _redis_answers(tools: Context) -> bool:
    try:
        async with asyncio.timeout(REDIS_TIMEOUT_S):
            await tools.redis.ping()
    except bus.UNAVAILABLE:
        return False
    return True


async def metrics(request: Request) -> Response:
    """``GET /metrics``: gauges read when asked for; nothing is counted on the hot path but frames."""
    tools = context(request)
    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(f"coursecast_{name}", text, registry=registry).set(value)

    gauge("viewers", "Streams this process serves.", tools.hub.viewers)
    gauge("frames_delivered", "Frames handed to viewers since the start.", tools.hub.delivered)
    gauge("redis_subscribed", "Whether the subscription connection stands.", tools.hub.connected)
    gauge("database_connections", "Connections of this process to Postgres.", tools.pool.get_size())
    courses = Gauge("coursecast_courses", "Courses by status.", ["status"], registry=registry)
    async with tools.pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
        totals = await queries("courses").totals(conn)
    for status in ("processing", "complete", "error"):
        courses.labels(status).set(totals[status])
    gauge("model_calls", "Model calls of all courses.", totals["model_calls"])
    tokens = Gauge("coursecast_tokens", "Tokens of all courses by kind.", ["kind"], registry=registry)
    for kind in ("prompt", "completion"):
        tokens.labels(kind).set(totals[f"{kind}_tokens"])
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST, headers=NOSNIFF)
