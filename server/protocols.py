"""uvicorn's protocols, with one thing more: a request can abort its own connection.

A peer that stopped reading leaves its send buffer full, and a plain close would wait for that buffer to be
read. ``scope["state"]["abort"]`` drops connection and buffer at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from starlette.requests import HTTPConnection
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

Abort = Callable[[], None]
_KEY = "abort"


class AbortableHttp(HttpToolsProtocol):
    """HTTP/1.1."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["state"][_KEY] = self.transport.abort


class AbortableWebSocket(WebSocketsSansIOProtocol):
    """WebSocket."""

    async def run_asgi(self) -> None:
        """Run the application for one socket."""
        self.scope["state"][_KEY] = self.transport.abort
        await super().run_asgi()


def abort_of(connection: HTTPConnection) -> Abort | None:
    """Return what drops the connection; None under another server."""
    return cast("Abort | None", connection.scope["state"].get(_KEY))
