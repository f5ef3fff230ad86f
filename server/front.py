"""Hot routes, answered before Starlette: the same handlers, errors, CORS and origins, without its layers.

Starlette's route table, its middleware and their wrapped ``send`` are paid for by every delivery to a viewer
and kept in memory as long as it stays. Which routes are hot is a table in :mod:`server.app`; whatever is
not in it, asks in an unusual way, or is refused, goes the common way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.access import Gate, Gatekeeper, Headers
from server.responses import ApiError

Endpoint: TypeAlias = Callable[[Scope, Receive, Send, Headers], Awaitable[None]]
"""An ASGI application that is also given headers to put on its answer."""
Answer: TypeAlias = Callable[[Request], Awaitable[Response]]


def answering(answer: Answer) -> Endpoint:
    """Return the endpoint of a handler that returns a response."""

    async def endpoint(scope: Scope, receive: Receive, send: Send, further: Headers) -> None:
        response = await answer(Request(scope, receive))
        response.raw_headers.extend(further)
        await response(scope, receive, send)

    return endpoint


class Front:
    """The outermost ASGI application.

    Args:
        starlette: what knows every route; its exception handlers are used here too.
        gate: which requests are let in, and what is added to answers for other sites' pages.
        hot: endpoints by method and path, ``GET /courses/{course_id}/events`` or ``WS /ws``; an id is one
            segment.
    """

    def __init__(self, starlette: Starlette, gate: Gate, hot: Mapping[str, Endpoint]) -> None:
        self.starlette = starlette
        self._gate = gate
        self._common = Gatekeeper(starlette, gate)
        self._hot = hot

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer, or have it answered."""
        endpoint = self._endpoint(scope)
        if endpoint is None:
            return self._common(scope, receive, send)
        verdict = self._gate.judge(scope)
        if isinstance(verdict, ApiError):
            return self._common(scope, receive, send)  # which refuses it
        if scope["type"] == "websocket":
            return endpoint(scope, receive, send, [])
        return self._answer(endpoint, scope, receive, send, verdict)

    def _endpoint(self, scope: Scope) -> Endpoint | None:
        """Return the hot endpoint for a request, with the course's id put where Starlette puts it."""
        kind = scope["type"]
        if kind == "lifespan":
            return None
        parts = scope["path"].split("/", 4)
        path_params: dict[str, str] = {}
        if len(parts) >= 3 and parts[2]:
            path_params["course_id"] = parts[2]
            parts[2] = "{course_id}"
        endpoint = self._hot.get(f"{'WS' if kind == 'websocket' else scope['method']} {'/'.join(parts)}")
        if endpoint is not None:
            scope["path_params"] = path_params
        return endpoint

    async def _answer(
        self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send, further: Headers
    ) -> None:
        try:
            await endpoint(scope, receive, send, further)
        except Exception as error:
            handler = _handler(self.starlette.exception_handlers, error)
            if handler is None:
                raise
            response = await handler(Request(scope), error)
            response.raw_headers.extend(further)
            await response(scope, receive, send)
            if handler is self.starlette.exception_handlers.get(Exception):
                raise  # a fault of ours: it was answered, and has to be logged


def _handler(handlers: Mapping[Any, Callable[..., Any]], error: Exception) -> Callable[..., Any] | None:
    """Return who answers an error: the handler of its closest class, as in Starlette."""
    return next((handlers[kind] for kind in type(error).__mro__ if kind in handlers), None)
