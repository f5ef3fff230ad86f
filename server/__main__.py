"""The web process: ``python -m server``.

Binds its own socket, so that a peer that vanished without a word is noticed (``TCP_USER_TIMEOUT``), and
starts the drain when the signal arrives, before uvicorn's own shutdown: streams are told to come back, and
uvicorn finds them gone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from types import FrameType

import uvicorn
import uvloop

from pipeline.backing import raise_fd_limit, urls_or_exit
from pipeline.database import UNAVAILABLE, DatabaseUnreachable, SchemaError
from pipeline.garbage import freeze
from pipeline.logs import configure
from pipeline.settings import Settings, SettingsError
from server.app import create_app, prepare
from server.protocols import AbortableHttp, AbortableWebSocket

logger = logging.getLogger(__name__)

BACKLOG = 2_048
TCP_USER_TIMEOUT_MS = 30_000
WEBSOCKET_MAX_BYTES = 64 * 1024
GRACEFUL_S = 8
YOUNGEST = 10_000
"""Objects between two looks of the garbage collector; 700 would be one for every dozen connections."""
NOT_NOW: tuple[type[BaseException], ...] = (*UNAVAILABLE, DatabaseUnreachable)
KEEP_ALIVE_S = 75
"""Longer than proxies keep idle connections, or they would send into ones that we are closing."""


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket whose connections give up on a silent peer after 30 s.

    Raises:
        OSError: the address is taken, or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


class DrainingServer(uvicorn.Server):
    """A uvicorn that tells our streams to go before it waits for them."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what is there from now on for good is no concern of the garbage collector."""
        await super().startup(sockets)
        freeze(youngest=YOUNGEST, middle=20, oldest=50)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the drain; called in a signal handler."""
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(self._drain)
        super().handle_exit(sig, frame)

    def _drain(self) -> None:
        hub = getattr(self.config.app.starlette.state, "hub", None)  # type: ignore[union-attr]
        if hub is not None:
            logger.info("draining", extra={"viewers": hub.viewers})
            hub.drain()


def main() -> int:
    """Run the server; return its exit code: 2 when only the operator can help, 1 when a restart may."""
    try:
        settings = Settings.from_environment()
        configure(settings.log_level)
        database_url, redis_url = urls_or_exit(settings)
        raise_fd_limit()
        # Before uvicorn runs, which shows whatever its lifespan raises as a traceback, and before we listen,
        # so that nobody waits for an answer meanwhile.
        uvloop.run(prepare(settings, database_url))
    except (SettingsError, SchemaError) as error:
        print(f"coursecast web: {error}", file=sys.stderr)
        return 2
    except NOT_NOW as error:
        print(f"coursecast web: {error or 'Postgres does not answer in time'}", file=sys.stderr)
        return 1
    try:
        listener = bind(settings.host, settings.port)
    except OSError as error:
        print(f"coursecast web: cannot listen on {settings.host}:{settings.port}: {error}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        create_app(settings, database_url, redis_url),
        interface="asgi3",
        proxy_headers=False,  # nothing asks where a request came from
        log_config=None,
        access_log=False,
        http=AbortableHttp,
        ws=AbortableWebSocket,
        ws_max_size=WEBSOCKET_MAX_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        timeout_graceful_shutdown=GRACEFUL_S,
        server_header=False,
        lifespan="on",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    host, port = listener.getsockname()[:2]
    server = DrainingServer(config)
    logger.info("listening", extra={"host": host, "port": port})
    server.run(sockets=[listener])
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
