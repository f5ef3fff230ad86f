"""Who is calling, by which name, from which page. One caller for now, through one seam: :func:`caller`."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from functools import lru_cache

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.responses import NOSNIFF, ApiError

Headers = list[tuple[bytes, bytes]]

LOCAL = "local"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_EXPOSED = (b"access-control-expose-headers", b"ETag, Location, Retry-After")
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (b"access-control-allow-headers", b"Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"),
    (b"access-control-max-age", b"600"),
]
_PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""What proxies put on a request that they pass on for somebody else."""
_STRANGE_NAME = ApiError(
    403,
    "host_not_allowed",
    "This server is not known by this name; put https://<name> into COURSECAST_ALLOWED_ORIGINS.",
    field="Host",
)
_STRANGE_ORIGIN = ApiError(
    403,
    "origin_not_allowed",
    "This page's origin is not in COURSECAST_ALLOWED_ORIGINS.",
    field="Origin",
)


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


def is_from_here(request: HTTPConnection) -> bool:
    """Return whether a request to a server on loopback was made on this machine, as its headers tell.

    They tell where it was not: it asks for another name than a loopback one, or a proxy says that it only
    passes it on. A proxy that says nothing and calls us ``127.0.0.1`` cannot be told from a neighbour.
    """
    names = [_name(host) for host in request.headers.getlist("host")]
    passed_on = any(header in request.headers for header in _PASSED_ON)
    return bool(names) and all(_is_local(name) for name in names) and not passed_on


class Gate:
    """What every request passes: it comes to a name of ours, from a page that may; CORS adds to the answer.

    *By a name of ours*: while the server listens on loopback, a page of another site could give its own name
    our address (DNS rebinding) and would be of our origin then. So only loopback names, ``HOST`` and the
    hosts of allowed origins are answered. A server that others can reach is known by names that only its
    operator knows: there is no such check.

    *From a page that may*: a browser sends ``Origin`` with every unsafe request and WebSocket, and a page
    cannot change it; curl and SDKs send none and are let through. Ours is an origin whose authority is the
    request's ``Host``: the scheme is not compared, because a proxy in front may have ended TLS.

    *CORS* (WHATWG Fetch §3.3): without credentials, for allowed origins only.

    Args:
        host: the address that the server listens on.
        allowed: further origins, as ``scheme://host[:port]``.
    """

    def __init__(self, *, host: str, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)
        self._checks_names = is_loopback(host)
        self._names = {host.lower(), *(_name(origin.partition("://")[2]) for origin in allowed)}
        self._is_ours = lru_cache(maxsize=256)(self._is_name_of_ours)

    def judge(self, scope: Scope) -> ApiError | Headers:
        """Return why a request is refused, or what is to be added to the headers of its answer."""
        host = origin = ""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == b"origin":
                origin = value.decode("latin-1")
        if self._checks_names and host and not self._is_ours(host):
            return _STRANGE_NAME
        if not origin:
            return []
        if (_is_unsafe(scope) or is_preflight(scope)) and not self._may_act(origin, host):
            return _STRANGE_ORIGIN
        if origin not in self._allowed:
            return []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin"), _EXPOSED]

    def _may_act(self, origin: str, host: str) -> bool:
        _, slashes, authority = origin.partition("://")
        return origin in self._allowed or (bool(slashes and authority) and authority == host)

    def _is_name_of_ours(self, host: str) -> bool:
        name = _name(host)
        return name in self._names or _is_local(name)


class Gatekeeper:
    """An ASGI application behind a :class:`Gate`."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        verdict = self._gate.judge(scope)
        if isinstance(verdict, ApiError):
            await _refuse(scope, receive, send, verdict)
        elif is_preflight(scope):
            # The browser compares this with its request by itself.
            further = [*verdict, *_PREFLIGHT] if verdict else []
            await Response(status_code=204, headers=NOSNIFF)(scope, receive, _with_headers(send, further))
        elif verdict and scope["type"] == "http":
            await self._app(scope, receive, _with_headers(send, verdict))
        else:
            await self._app(scope, receive, send)


def is_preflight(scope: Scope) -> bool:
    """Return whether a browser asks what a page of another site may."""
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return False
    names = {name for name, _ in scope["headers"]}
    return {b"origin", b"access-control-request-method"} <= names


def _name(authority: str) -> str:
    """Return the host of ``host[:port]``, without the brackets of IPv6."""
    name = authority.lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].removesuffix(".")


def _is_local(name: str) -> bool:
    return name.endswith(".localhost") or is_loopback(name)


def _is_unsafe(scope: Scope) -> bool:
    return scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS


def _with_headers(send: Send, headers: Headers) -> Send:
    """Return `send` with further headers at the start of the answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: ApiError) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before accept: uvicorn answers 403
        return
    await refusal.response()(scope, receive, send)
