"""Two servers and two workers on a Postgres and a Redis of the operator's own, both over TCP."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import redis.asyncio as redis

from pipeline.settings import Settings
from tests.journeys import log_until_over, start
from tests.own_servers import OwnRedis
from tests.processes import run_web, run_worker

COURSES = 24


async def test_servers_and_workers_share_the_load(
    own_postgres_url: str, own_redis: OwnRedis, tmp_path: Path
) -> None:
    settings = Settings(database_url=own_postgres_url, redis_url=own_redis.url, home=tmp_path)
    with ExitStack() as stack:
        webs = [stack.enter_context(run_web(settings)) for _ in range(2)]
        for _ in range(2):
            stack.enter_context(run_worker(settings))
        async with (
            httpx2.AsyncClient(base_url=webs[0].base_url, timeout=30) as here,
            httpx2.AsyncClient(base_url=webs[1].base_url, timeout=30) as there,
        ):
            ids = [await start(here if i % 2 else there) for i in range(COURSES)]
            # Asked of one server, written by any worker, watched at the other.
            across = asyncio.gather(*(log_until_over((there, here)[i % 2], c) for i, c in enumerate(ids)))
            most = await most_subscriptions(own_redis, across)
            again = await asyncio.gather(
                *(log_until_over((here, there)[i % 2], c) for i, c in enumerate(ids))
            )
            assert await across == again
            assert {log[-1]["type"] for log in again} == {"course_stored"}
            assert 1 <= most <= 2, "one subscription connection per server, whatever the number of viewers"
        assert not list(tmp_path.glob("postgres*")), "nothing embedded was started"


async def most_subscriptions(own_redis: OwnRedis, until: asyncio.Future[Any]) -> int:
    """Return how many subscription connections there were at most until `until` was done."""
    most = 0
    async with redis.Redis.from_url(own_redis.url) as client:
        while not until.done():
            most = max(most, len(await client.client_list(_type="pubsub")))
    return most
