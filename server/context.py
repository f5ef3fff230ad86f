"""What handlers work with, made once by the composition root and carried in the ASGI state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import redis.asyncio as redis
from starlette.requests import HTTPConnection

from pipeline.bus import Bus
from pipeline.database import Pool
from pipeline.jobs import Queue
from pipeline.library import Embedder
from pipeline.library.search import Library
from pipeline.log import Log
from pipeline.requests import Requests
from pipeline.settings import Settings
from server.hub import Hub
from server.statuses import Statuses


@dataclass(frozen=True, kw_only=True)
class Context:
    """The server's tools. All of them may be used concurrently."""

    settings: Settings
    pool: Pool
    redis: redis.Redis
    log: Log
    requests: Requests
    bus: Bus
    queue: Queue
    hub: Hub
    statuses: Statuses
    embedder: Embedder
    library: Library


def context(connection: HTTPConnection) -> Context:
    """Return the server's tools."""
    return cast(Context, connection.scope["state"]["context"])
