"""The queue writes what arq's own enqueue would, in batches, and never the same job twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis
from arq.constants import default_queue_name, job_key_prefix

from pipeline.jobs import FUNCTION, Queue, arq_pool, job_id


@pytest.fixture
async def pool(redis_url: str) -> AsyncIterator[ArqRedis]:
    opened = arq_pool(redis_url)
    yield opened
    await opened.aclose(close_connection_pool=True)


async def test_a_job_is_as_arq_writes_it(pool: ArqRedis) -> None:
    await Queue(pool).enqueue("course", 1)
    await pool.enqueue_job(FUNCTION, "course", _job_id=job_id("course", 2))
    ours, arqs = await pool.queued_jobs()
    assert (ours.function, ours.args, ours.kwargs, ours.job_try) == (FUNCTION, ["course"], {}, None)
    assert (ours.function, ours.args, ours.kwargs, ours.job_try) == (
        (arqs.function, arqs.args, arqs.kwargs, arqs.job_try)
    )
    assert abs((arqs.enqueue_time - ours.enqueue_time).total_seconds()) < 5
    lives = [await pool.pttl(job_key_prefix + job_id("course", n)) for n in (1, 2)]
    assert abs(lives[0] - lives[1]) < 5_000


async def test_many_at_once_are_all_waiting_in_their_order(pool: ArqRedis) -> None:
    queue = Queue(pool)
    assert all(await asyncio.gather(*(queue.enqueue(f"course-{n}", 1) for n in range(250))))
    assert await pool.zcard(default_queue_name) == 250
    assert await queue.is_waiting("course-249", 1)
    assert not await queue.is_waiting("course-249", 2)


async def test_a_known_job_stays_as_it_is(pool: ArqRedis) -> None:
    queue = Queue(pool)
    assert await queue.enqueue("course", 1)
    before = await pool.zscore(default_queue_name, job_id("course", 1))
    assert await asyncio.gather(queue.enqueue("course", 1), queue.enqueue("course", 2)) == [False, True]
    assert await pool.zscore(default_queue_name, job_id("course", 1)) == before


async def test_without_redis_nobody_waits_for_long() -> None:
    queue = Queue(arq_pool("redis://127.0.0.1:1/0"))
    async with asyncio.timeout(2):
        assert not any(await asyncio.gather(*(queue.enqueue(f"course-{n}", 1) for n in range(300))))
    await queue.close()
