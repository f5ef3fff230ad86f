"""The sweep: every two seconds, in every worker, courses that nobody works on are handed on.

Due is a course whose lease ran out, or that was enqueued more than GRACE_S ago and never claimed. It is
enqueued again under a new job id, unless its last job still waits its turn. While Redis is away, the sweep
runs due courses in its own worker: the claim sees to it that only one does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from pipeline import database
from pipeline.bus import UNAVAILABLE, Bus
from pipeline.database import ACQUIRE_TIMEOUT_S, Pool, fetch_all, queries
from pipeline.jobs import Queue
from pipeline.requests import NoSuchCourse, Requests
from pipeline.runner import Runner

logger = logging.getLogger(__name__)

SWEEP_S = 2.0
GRACE_S = 5.0
MAX_CLAIMS = 5
"""Claims without a new event after which a course has failed for good: something in it kills workers."""
BATCH = 200
FORGET_EVERY_S = 600.0


class Sweep:
    """One worker's sweep."""

    def __init__(self, pool: Pool, queue: Queue, bus: Bus, runner: Runner) -> None:
        self._pool = pool
        self._requests = Requests(pool)
        self._queue = queue
        self._bus = bus
        self._runner = runner
        self._sql = queries("courses")
        self._forget_at = 0.0
        self._redis_away = False

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.once()
            except database.UNAVAILABLE as error:
                logger.warning("not swept", extra={"error": repr(error)})
            await asyncio.sleep(SWEEP_S)

    async def once(self) -> None:
        """Hand on what is due now."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            due = await fetch_all(self._sql.due(conn, grace_s=GRACE_S, most=BATCH))
            if time.monotonic() >= self._forget_at:
                await self._sql.forget_idempotency_keys(conn)
                self._forget_at = time.monotonic() + FORGET_EVERY_S
        self._redis_away = False
        for row in due:
            try:
                await self._hand_on(str(row["course_id"]), row["enqueue_no"], row["claims"])
            except NoSuchCourse:
                continue  # deleted since we looked
            except database.UNAVAILABLE:
                raise
            except Exception:  # a log that this version cannot read must not take the worker down with it
                logger.exception("cannot hand on", extra={"course": str(row["course_id"])})

    async def _hand_on(self, course_id: str, enqueue_no: int, claims: int) -> None:
        if claims >= MAX_CLAIMS:
            logger.error("course crashes its runs", extra={"course": course_id, "claims": claims})
            await self._bus.publish(await self._requests.crashed(course_id, claims=MAX_CLAIMS))
            return
        if self._redis_away:
            self._run_here(course_id)
            return
        try:
            if await self._queue.is_waiting(course_id, enqueue_no):
                return
        except UNAVAILABLE:
            self._redis_away = True  # one that hangs would cost a second for every course
            self._run_here(course_id)
            return
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as conn:
            # Of two workers that sweep at once, one gets a number.
            number = await self._sql.next_enqueue(conn, course_id=UUID(course_id), seen=enqueue_no)
        if number is None:
            return
        logger.info("handed on", extra={"course": course_id, "enqueue_no": number})
        if not await self._queue.enqueue(course_id, number):
            self._run_here(course_id)

    def _run_here(self, course_id: str) -> None:
        if self._runner.has_room:
            self._runner.start(course_id)
