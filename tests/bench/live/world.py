"""What all live measurements stand on: a Postgres, a Redis, and courses that nobody writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline import database
from pipeline.database import Pool
from pipeline.outline import Brief
from pipeline.requests import Requests
from pipeline.settings import Settings
from tests.bench.live.targets import redis_server
from tests.processes import Web, run_web

AT_ONCE = 20
NO_LIMIT = 10_000_000


@dataclass(frozen=True, kw_only=True)
class World:
    """Where servers are pointed at, and a pool to prepare courses with."""

    settings: Settings
    pool: Pool
    redis_port: int
    redis_pid: int
    folder: Path

    async def courses(self, count: int) -> list[str]:
        """Create courses, each with its first event, that stay as they are: there is no worker."""
        requests = Requests(self.pool)
        ids: list[str] = []

        async def some(n: int) -> None:
            for _ in range(n):
                created = await requests.create(BRIEF, caller="local", max_active=NO_LIMIT)
                ids.append(created.course_id)

        share, rest = divmod(count, AT_ONCE)
        await asyncio.gather(*(some(share + (i < rest)) for i in range(AT_ONCE)))
        return ids

    async def end_all(self) -> None:
        """Make all courses old ones: only those in the making count for limits and reconciling."""
        await self.pool.execute("UPDATE courses SET status = 'complete' WHERE status = 'processing'")
        await self.pool.execute("VACUUM ANALYZE courses")


BRIEF = Brief(query="Learn DCF valuation", hours=2.0)


@asynccontextmanager
async def world(settings: Settings, redis_binary: Path) -> AsyncIterator[World]:
    """Give servers a Redis of their own over TCP, which the peers share, and a schema.

    Args:
        settings: with the URL of an empty database.
        redis_binary: the Redis to run.
    """
    assert settings.database_url
    folder = settings.home
    with redis_server(redis_binary, folder) as (port, pid):
        changed = {
            "redis_url": f"redis://127.0.0.1:{port}/0",
            "max_active_courses": NO_LIMIT,
            "max_viewers": 20_000,
            "log_level": "ERROR",
        }
        pool = await database.wait_until_ready(settings.database_url, max_size=AT_ONCE)
        try:
            await database.migrate(pool)
            yield World(
                settings=settings.model_copy(update=changed),
                pool=pool,
                redis_port=port,
                redis_pid=pid,
                folder=folder,
            )
        finally:
            await pool.close()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Web]:
    """Run a server; the event loop goes on while it starts and stops."""
    running = run_web(settings)
    web = await asyncio.to_thread(running.__enter__)
    try:
        yield web
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


def spread_out(names: Sequence[str], viewers: int) -> list[str]:
    """Return the channel of each of `viewers`, dealt out evenly among `names`."""
    return [names[i % len(names)] for i in range(viewers)]
