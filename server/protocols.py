"""uvicorn's protocols, with one thing more: a request can abort its own connection.

A peer that stopped reading leaves its send buffer full, and a plain close would wait for that buffer to be
read. ``scope["state"]["abort"]`` drops connection and buffer at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.requests import HTTPConnection
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

Abort = Callable[[], None]

HEAD_TIMEOUT_S = 30.0
MAX_HEAD_BYTES = 64 * 1024
READ_BYTES = 256 * 1024
"""What the transport may bring in one read."""
_KEY = "abort"


class AbortableHttp(HttpToolsProtocol):
    """HTTP/1.1, with a limit on the size of headers and on the time they take; httptools has neither."""

    _head_bytes = 0
    _head_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection: its first request has to come soon."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of an endless head end the connection."""
        if self._head_deadline is not None:
            self._head_bytes += len(data)
            # One read may bring a head with the beginning of its body, so a read more is let be.
            if self._head_bytes > MAX_HEAD_BYTES + READ_BYTES:
                self.transport.abort()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._head_deadline is None:
            self._await_head()
        super().on_message_begin()
        self.scope["state"][_KEY] = self.transport.abort

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        self._head_came()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_deadline = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _head_came(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None


class AbortableWebSocket(WebSocketsSansIOProtocol):
    """WebSocket."""

    async def run_asgi(self) -> None:
        """Run the application for one socket."""
        self.scope["state"][_KEY] = self.transport.abort
        await super().run_asgi()


def abort_of(connection: HTTPConnection) -> Abort | None:
    """Return what drops the connection; None under another server."""
    return cast("Abort | None", connection.scope["state"].get(_KEY))
