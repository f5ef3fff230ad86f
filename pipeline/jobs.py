"""The arq queue: how a course gets to a worker. JSON, no kept results, a new job id for every enqueue.

A job is a hint like the doorbell: when it is lost, the sweep enqueues another one; when there are two, the
second finds the course claimed and ends quietly.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any

from arq.connections import ArqRedis
from arq.constants import default_queue_name, in_progress_key_prefix, job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms

from pipeline.batches import Batches
from pipeline.bus import UNAVAILABLE, connection_pool

logger = logging.getLogger(__name__)

ENQUEUE_TIMEOUT_S = 0.25
LOOK_TIMEOUT_S = 1.0
FUNCTION = "run_course"


def serialize(value: Any) -> bytes:
    """Return a job as JSON; arq's default is pickle."""
    return json.dumps(value).encode()


def arq_pool(url: str) -> ArqRedis:
    """Return arq's client for `url`; it connects when first used, so Redis may be down meanwhile."""
    return ArqRedis(connection_pool(url), job_serializer=serialize, job_deserializer=json.loads)


def job_id(course_id: str, enqueue_no: int) -> str:
    """Return the id of one enqueue: a known id would silently enqueue nothing."""
    return f"{course_id}:{enqueue_no}"


class Queue:
    """Enqueues courses, and tells whether a job is still waiting.

    Writes the same keys as arq's ``enqueue_job``, for all enqueued at the same moment in one round trip.
    That one takes two round trips and a WATCH each, to find out whether the id is known; here a known job is
    left as it is.
    """

    def __init__(self, pool: ArqRedis) -> None:
        self._pool = pool
        self._batches: Batches[str, bool] = Batches(
            self._enqueue, at_once=2, most=100, timeout_s=ENQUEUE_TIMEOUT_S
        )

    async def enqueue(self, course_id: str, enqueue_no: int) -> bool:
        """Enqueue within ENQUEUE_TIMEOUT_S; False when Redis is away: the sweep sees to it."""
        try:
            is_new = await self._batches.ask(job_id(course_id, enqueue_no))
        except UNAVAILABLE as error:
            logger.warning("not enqueued", extra={"course": course_id, "error": repr(error)})
            return False
        if not is_new:
            logger.error("job id was known already", extra={"course": course_id, "enqueue_no": enqueue_no})
        return is_new

    async def _enqueue(self, names: Sequence[str]) -> list[bool]:
        now_ms = timestamp_ms()
        async with self._pool.pipeline(transaction=True) as pipe:
            for name in names:
                course_id = name.partition(":")[0]
                job = serialize_job(FUNCTION, (course_id,), {}, None, now_ms, serializer=serialize)
                pipe.set(job_key_prefix + name, job, px=self._pool.expires_extra_ms, nx=True)
            pipe.zadd(default_queue_name, dict.fromkeys(names, now_ms), nx=True)
            *are_new, _ = await pipe.execute()
        return [bool(is_new) for is_new in are_new]

    async def is_waiting(self, course_id: str, enqueue_no: int) -> bool:
        """Return whether the job is queued and no worker has taken it.

        A job that a worker took but whose course nobody holds is dead: the worker was killed. arq itself
        would wait for the longest job timeout before it runs that job again.

        Raises:
            one of :data:`pipeline.bus.UNAVAILABLE`: Redis is away.
        """
        name = job_id(course_id, enqueue_no)
        async with asyncio.timeout(LOOK_TIMEOUT_S), self._pool.pipeline(transaction=False) as pipe:
            pipe.zscore(default_queue_name, name)
            pipe.exists(in_progress_key_prefix + name)
            queued, taken = await pipe.execute()
        return queued is not None and not taken

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose(close_connection_pool=True)
