"""The composition root of the server: tools, routes, middleware, lifespan."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from pipeline import bus, database
from pipeline.ending import end
from pipeline.jobs import Queue, arq_pool
from pipeline.library.catalogue import load_catalogue
from pipeline.library.embed import make_embedder
from pipeline.library.search import Library
from pipeline.log import Log
from pipeline.requests import Requests
from pipeline.settings import Settings
from server import books, courses, health
from server.access import Gate
from server.context import Context
from server.front import Endpoint, Front, answering
from server.hub import Hub
from server.multiplex import many_courses_socket
from server.openapi import openapi_json
from server.own_books import OwnBooksRoutes
from server.pages import Pages, reference_folder, static_folder
from server.responses import ApiError, on_api_error
from server.sse import CourseEvents, course_events
from server.status import course_status, status_endpoint
from server.statuses import Statuses
from server.websocket import CourseSocket, course_socket

logger = logging.getLogger(__name__)

POOL_SIZE = 20


def routes() -> Sequence[BaseRoute]:
    """Return the route table: everything the server answers."""
    pages = Pages(static_folder(), reference_folder())
    own_books = OwnBooksRoutes()
    return [
        Route("/", pages.index),
        Route("/c/{course_id}", pages.index),
        Route("/static/{name}", pages.file),
        Route("/docs", pages.docs),
        Route("/openapi.json", openapi_json),
        Route("/courses", courses.collection, methods=["GET", "POST"]),
        Route("/courses/{course_id}.md", courses.course_as_markdown),
        Route("/courses/{course_id}", courses.one_course, methods=["GET", "DELETE"]),
        Route("/courses/{course_id}/status", course_status),
        Route("/courses/{course_id}/events", CourseEvents()),
        Route("/courses/{course_id}/cancel", courses.cancel_course, methods=["POST"]),
        Route("/courses/{course_id}/retry", courses.retry_course, methods=["POST"]),
        WebSocketRoute("/courses/{course_id}/ws", CourseSocket()),
        WebSocketRoute("/ws", many_courses_socket),
        Route("/course-status/{course_id}", course_status),
        Route("/course", courses.finished_course_by_query),
        Route("/books", own_books.collection, methods=["GET", "POST"]),
        Route("/books/search", books.search_books),
        Route("/books/{book_id}", own_books.one_book, methods=["GET", "DELETE"]),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route("/metrics", health.metrics),
    ]


HOT: Mapping[str, Endpoint] = {
    "GET /courses/{course_id}/events": course_events,
    "WS /courses/{course_id}/ws": course_socket,
    "GET /courses/{course_id}/status": status_endpoint,
    "GET /course-status/{course_id}": status_endpoint,
    "POST /courses": answering(courses.create_course),
}
"""Routes of the table that are answered before Starlette: those that many wait at, and all come by."""


def create_app(settings: Settings, database_url: str, redis_url: str) -> Front:
    """Return the ASGI application; its lifespan opens and closes what it needs.

    Args:
        settings: the configuration.
        database_url: Postgres.
        redis_url: Redis; it may be down, also at the start.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with open_context(settings, database_url, redis_url) as tools:
            hub = asyncio.create_task(tools.hub.run(), name="hub")
            hub.add_done_callback(_on_hub_end)
            _app.state.hub = tools.hub
            try:
                yield {"context": tools}
            finally:
                await end([hub])

    unavailable = dict.fromkeys(database.UNAVAILABLE, _on_unavailable)
    starlette = Starlette(
        routes=routes(),
        lifespan=lifespan,
        exception_handlers={
            ApiError: on_api_error,
            HTTPException: _on_http_exception,
            **unavailable,
            Exception: _on_bug,
        },
    )
    return Front(starlette, Gate(host=settings.host, allowed=settings.allowed_origins), HOT)


async def prepare(settings: Settings, database_url: str) -> None:
    """Bring schema and library up to date.

    Raises:
        SchemaError: the database cannot be used as it is; the message is for the operator.
        DatabaseUnreachable: it does not answer.
    """
    pool = await database.wait_until_ready(database_url, max_size=2)
    embedder = make_embedder(settings)
    try:
        await database.migrate(pool)
        await load_catalogue(pool, embedder)
    finally:
        await embedder.close()
        await pool.close()


def _on_hub_end(hub: asyncio.Task[None]) -> None:
    """End the process if the hub ended by itself: no stream hears anything then; a restart is the cure."""
    if not hub.cancelled() and (error := hub.exception()) is not None:
        logger.critical("hub died", exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)


@contextlib.asynccontextmanager
async def open_context(settings: Settings, database_url: str, redis_url: str) -> AsyncIterator[Context]:
    """Open the server's tools, and close them afterwards; :func:`prepare` was run before."""
    pool = await database.open_pool(database_url, max_size=POOL_SIZE)
    client = bus.connect(redis_url)
    queue = Queue(arq_pool(redis_url))
    embedder = make_embedder(settings)
    try:
        log, requests = Log(pool), Requests(pool)
        hub = Hub(log, redis_url, max_viewers=settings.max_viewers)
        yield Context(
            settings=settings,
            pool=pool,
            redis=client,
            log=log,
            requests=requests,
            bus=bus.Bus(client),
            queue=queue,
            hub=hub,
            statuses=Statuses(hub, requests),
            embedder=embedder,
            library=Library(pool, embedder),
        )
    finally:
        await embedder.close()
        with contextlib.suppress(*bus.UNAVAILABLE):
            await queue.close()
            await client.aclose()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pool.close(), 2)


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    """Answer what Starlette refuses (404, 405) in our one shape."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "error")
    message = {404: "There is nothing here.", 405: "This method is not allowed here."}
    text = message.get(error.status_code, error.detail)
    return ApiError(error.status_code, code, text, headers=error.headers).response()


async def _on_unavailable(_request: Request, error: Exception) -> Response:
    logger.warning("database unavailable", extra={"error": repr(error)})
    message = "The database does not answer just now; try again."
    return ApiError(503, "database_unavailable", message, headers={"Retry-After": "2"}).response()


async def _on_bug(_request: Request, _error: Exception) -> Response:
    return ApiError(500, "internal", "Something went wrong on our side.").response()
