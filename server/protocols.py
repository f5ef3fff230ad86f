"""uvicorn's protocols, with two things more for a request: it can abort its connection, and be forgotten.

A peer that stopped reading leaves its send buffer full, and a plain close would wait for that buffer to be
read. ``scope["state"]["abort"]`` drops connection and buffer at once.

A viewer stays for an hour, and its request with it: headers, scope, and what waits for nothing. Half of an
idle viewer's memory is that, so ``scope["state"]["forget"]`` drops it, and where uvicorn keeps an Event, a
Queue or a deque for a connection, here is one without a deque, which takes 760 bytes also when empty.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, cast

from starlette.requests import HTTPConnection
from starlette.types import Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from server.flag import Flag

Abort = Callable[[], None]

HEAD_TIMEOUT_S = 30.0
MAX_HEAD_BYTES = 64 * 1024
READ_BYTES = 256 * 1024
"""What the transport may bring in one read."""
_KEY = "abort"
_FORGET = "forget"


class Flow(FlowControl):
    """Whether a connection may be written to and read from: uvicorn's, with a flag for its event."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.read_paused = False
        self.write_paused = False
        self._is_writable_event = Flag(is_set=True)  # type: ignore[assignment]


class Pipeline(list[Any]):
    """Requests that wait for the one before them; hardly anybody sends such."""

    __slots__ = ()

    def appendleft(self, waiting: Any) -> None:
        """Put at the end of the line, as uvicorn has it."""
        self.insert(0, waiting)


class Inbox:
    """What a peer sent, for the one who reads it: an :class:`asyncio.Queue` of three deques less.

    uvicorn stops reading from the peer while something is in it.
    """

    __slots__ = ("_flag", "_messages")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._flag = Flag()

    def put_nowait(self, message: Any) -> None:
        """Take a message."""
        self._messages.append(message)
        self._flag.set()

    def empty(self) -> bool:
        """Return whether all was read."""
        return not self._messages

    async def get(self) -> Any:
        """Return the next message, when there is one."""
        while not self._messages:
            self._flag.clear()
            await self._flag.wait()
        return self._messages.pop(0)


class AbortableHttp(HttpToolsProtocol):
    """HTTP/1.1, with a limit on the size of headers and on the time they take; httptools has neither."""

    _head_bytes = 0
    _head_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection: its first request has to come soon."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        self.pipeline = Pipeline()  # type: ignore[assignment]
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
        forget_this = functools.partial(self._forget, cast(Scope, self.scope))
        self.scope["state"].update({_KEY: self.transport.abort, _FORGET: forget_this})

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        self._head_came()
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.message_event = Flag()  # type: ignore[assignment]  # nobody has waited for it yet

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_deadline = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _head_came(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _forget(self, scope: Scope) -> None:
        """Drop the request that is being answered, but for its method: uvicorn looks at it when it sends.

        Its own scope, because the connection's is that of the newest request: there may be one in line.
        """
        method = scope["method"]
        scope.clear()
        scope["method"] = method
        if self.scope is scope:
            self.headers = []


class AbortableWebSocket(WebSocketsSansIOProtocol):
    """WebSocket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = Inbox()  # type: ignore[assignment]
        self.writable = Flag(is_set=True)  # type: ignore[assignment]

    async def run_asgi(self) -> None:
        """Run the application for one socket."""
        self.scope["state"].update({_KEY: self.transport.abort, _FORGET: self._forget})
        await super().run_asgi()

    def _forget(self) -> None:
        """Drop the request and the handshake's response; to be called once that was sent."""
        self.scope.clear()  # type: ignore[attr-defined]
        del self.request, self.response


def abort_of(connection: HTTPConnection) -> Abort | None:
    """Return what drops the connection; None under another server."""
    return cast("Abort | None", connection.scope["state"].get(_KEY))


def forget(scope: Scope) -> None:
    """Drop what is kept of the request, its scope included; for one that is answered for a long time."""
    forgetting = scope["state"].get(_FORGET)
    if forgetting is not None:
        forgetting()
