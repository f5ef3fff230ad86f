"""Who is calling, and from which page. One caller for now, through one seam: :func:`caller`."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from server.responses import ApiError

LOCAL = "local"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def caller(_request: HTTPConnection) -> str:
    """Return who is calling; rows carry it. Keys will be told apart here and nowhere else."""
    return LOCAL


def is_loopback(host: str) -> bool:
    """Return whether an address to bind is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class OriginGate:
    """Refuses unsafe requests and WebSockets that come from the pages of other sites (403).

    A browser sends ``Origin`` with every such request and a page cannot change it; curl and SDKs send
    none and are let through. Ours is an origin whose authority is the request's ``Host``: the scheme is
    not compared, because a proxy in front may have ended TLS.

    Args:
        app: what is behind the gate.
        allowed: further origins, as ``scheme://host[:port]``.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or refuse it."""
        if scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in SAFE_METHODS):
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and not self._is_allowed(origin, headers.get("host", "")):
                await self._refuse(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_allowed(self, origin: str, host: str) -> bool:
        _, slashes, authority = origin.partition("://")
        return origin in self._allowed or (bool(slashes and authority) and authority == host)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before accept: uvicorn answers 403
            return
        refusal = ApiError(
            403,
            "origin_not_allowed",
            "This page's origin is not in COURSECAST_ALLOWED_ORIGINS.",
            field="Origin",
        )
        await refusal.response()(scope, receive, send)
