"""The HTTP client under the endpoint: many connections, and no answer larger than any that could be meant.

The connection pool of httpx2 looks at all its connections whenever a call begins or ends, which at two
thousand of them costs more than the call. So there are several pools of a moderate size, and a call goes to
the first that has room: few calls share few connections, many do not slow each other down.
"""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import AsyncIterator, Callable

import httpx2

from pipeline.authors.openai.reply import TOO_MUCH
from pipeline.errors import AuthorInvalidOutput

MOST_BYTES = 16 * 1024 * 1024  # of one response; a course's answers are some ten kilobytes
CALLS_PER_POOL = 8
KEEPALIVE_S = 4.0  # below the 5 s after which many servers close an idle connection under our feet


def http_client(base_url: str, max_calls: int, timeout: httpx2.Timeout) -> httpx2.AsyncClient:
    """Return a client for calls to `base_url`, at most `max_calls` at once; close it in the end."""
    pools = -(-max_calls // CALLS_PER_POOL)
    tls = httpx2.create_ssl_context()  # one for all pools: it takes a while to load
    proxy = _proxy(base_url)
    transport = Pools([_transport(tls, proxy) for _ in range(pools)])
    return httpx2.AsyncClient(transport=transport, timeout=timeout, follow_redirects=True)


class Pools(httpx2.AsyncBaseTransport):
    """Several transports that take calls as one."""

    def __init__(self, transports: list[httpx2.AsyncHTTPTransport]) -> None:
        self._transports = transports
        self._under_way = [0] * len(transports)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request by the first pool that has room, else by the emptiest."""
        busy = self._under_way
        roomy = (index for index, calls in enumerate(busy) if calls < CALLS_PER_POOL)
        index = next(roomy, busy.index(min(busy)))

        def ended() -> None:
            busy[index] -= 1

        busy[index] += 1
        try:
            response = await self._transports[index].handle_async_request(request)
        except BaseException:
            ended()
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Body(response.stream, ended)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports:
            await transport.aclose()


class _Body(httpx2.AsyncByteStream):
    """A response's body: bounded, and telling its pool when it is over."""

    def __init__(self, body: httpx2.AsyncByteStream, ended: Callable[[], None]) -> None:
        self._body = body
        self._ended: Callable[[], None] | None = ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        async for chunk in self._body:
            left -= len(chunk)
            if left < 0:
                raise AuthorInvalidOutput(TOO_MUCH)
            yield chunk

    async def aclose(self) -> None:
        if self._ended:
            self._ended()
            self._ended = None
        await self._body.aclose()


def _transport(tls: ssl.SSLContext, proxy: str | None) -> httpx2.AsyncHTTPTransport:
    limits = httpx2.Limits(
        max_connections=None,  # the endpoint gives out the slots, so a call never waits for a connection
        max_keepalive_connections=CALLS_PER_POOL,
        keepalive_expiry=KEEPALIVE_S,
    )
    return httpx2.AsyncHTTPTransport(verify=tls, limits=limits, proxy=proxy)


def _proxy(base_url: str) -> str | None:
    """Return the proxy that the environment names for an address."""
    url = httpx2.URL(base_url)
    proxies = {} if urllib.request.proxy_bypass(url.host) else urllib.request.getproxies()
    return proxies.get(url.scheme) or proxies.get("all")
