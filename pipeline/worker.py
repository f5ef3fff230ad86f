"""The worker: ``python -m pipeline.worker``. Composition root of the pipeline.

One process runs, side by side: an arq worker that takes courses from the queue, the lease keeper, and the
sweep. arq gives up after three seconds without Redis; it is started again from within, while the runs go
on. SIGTERM gives all courses back and ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvloop
from arq.constants import default_queue_name
from arq.worker import Worker, func

from pipeline import database
from pipeline.authors.choose import make_author
from pipeline.backing import raise_fd_limit, urls_or_exit
from pipeline.bus import UNAVAILABLE, Bus, connect
from pipeline.database import DatabaseUnreachable, SchemaError
from pipeline.ending import end
from pipeline.garbage import collect_when_idle
from pipeline.jobs import FUNCTION, Queue, arq_pool, serialize
from pipeline.library.catalogue import load_catalogue
from pipeline.library.embed import make_embedder
from pipeline.library.search import Library
from pipeline.log import Log
from pipeline.logs import configure
from pipeline.phases import Workshop
from pipeline.runner import Runner
from pipeline.settings import Settings, SettingsError
from pipeline.sweep import Sweep

logger = logging.getLogger(__name__)

MAX_RUNS = 1_000
POLL_DELAY_S = 0.02
"""Between looks at the queue. arq's default of 0.5 s would be most of the time to the first event."""
ARQ_BACKOFF_S = (0.2, 5.0)


async def run_course(ctx: dict[str, Any], course_id: str) -> None:
    """The arq job: wait for the course's run here, without owning it or caring how it ends."""
    runner: Runner = ctx["runner"]
    joined = runner.is_running(course_id)
    with contextlib.suppress(*UNAVAILABLE):
        # arq leaves a job in its queue while it runs, and asks Redis three questions about each of these at
        # every poll: with hundreds of runs that is all a worker would do. Who brings the course to a worker
        # should this one die is the sweep, whatever is in the queue.
        await ctx["redis"].zrem(default_queue_name, ctx["job_id"])
    await asyncio.wait({runner.start(course_id)})
    if joined:
        # It may have been a run that a cancel had ended already, and a retry sent us: the claim decides.
        await asyncio.wait({runner.start(course_id)})


async def take_jobs(redis_url: str, runner: Runner, *, course_timeout_s: float) -> None:
    """Run arq workers one after another until cancelled: each lives until Redis goes away."""
    wait_s, longest_s = ARQ_BACKOFF_S
    loop = asyncio.get_running_loop()
    while True:
        worker = Worker(
            functions=[func(run_course, name=FUNCTION)],
            redis_pool=arq_pool(redis_url),
            ctx={"runner": runner},
            handle_signals=False,
            max_jobs=MAX_RUNS,
            job_timeout=course_timeout_s + 60,
            keep_result=0,
            max_tries=2,
            poll_delay=POLL_DELAY_S,
            job_serializer=serialize,
            job_deserializer=json.loads,
            log_results=False,
        )
        began = loop.time()
        try:
            await worker.async_run()
        except UNAVAILABLE as error:
            logger.warning("queue lost, the runs go on", extra={"error": repr(error)})
        finally:
            await _dispose(worker)
        if loop.time() - began > longest_s:
            wait_s = ARQ_BACKOFF_S[0]
        await asyncio.sleep(wait_s)
        wait_s = min(longest_s, wait_s * 2)


async def _dispose(worker: Worker) -> None:
    """Drop a worker whose Redis may be away; its own ``close`` would insist on talking to it."""
    await end(worker.tasks.values())
    with contextlib.suppress(*UNAVAILABLE):
        await worker.pool.aclose(close_connection_pool=True)


@contextlib.asynccontextmanager
async def workshop(settings: Settings, pool: database.Pool) -> AsyncIterator[Workshop]:
    """Bring schema and library up to date and yield what courses are written with."""
    await database.migrate(pool)
    embedder = make_embedder(settings)
    author = make_author(settings)
    try:
        await load_catalogue(pool, embedder)
        yield Workshop(author=author, embedder=embedder, library=Library(pool, embedder))
    finally:
        await author.close()
        await embedder.close()


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Be a worker until `stop` is set.

    Raises:
        SchemaError: the database cannot be used as it is; the message is for the operator.
        DatabaseUnreachable: it does not answer.
    """
    database_url, redis_url = urls_or_exit(settings)
    pool = await database.wait_until_ready(database_url, max_size=20)
    client = connect(redis_url)
    queue = Queue(arq_pool(redis_url))
    try:
        async with workshop(settings, pool) as shop:
            bus = Bus(client)
            runner = Runner(
                Log(pool),
                bus,
                shop,
                timeout_s=settings.course_timeout_s,
                capacity=MAX_RUNS,
                max_tokens=settings.max_tokens_per_course,
            )
            duties = [
                asyncio.create_task(runner.keep_leases(), name="leases"),
                asyncio.create_task(collect_when_idle(lambda: runner.is_idle), name="garbage"),
                asyncio.create_task(Sweep(pool, queue, bus, runner).run(), name="sweep"),
                asyncio.create_task(
                    take_jobs(redis_url, runner, course_timeout_s=settings.course_timeout_s), name="queue"
                ),
            ]
            stopped = asyncio.create_task(stop.wait(), name="stop")
            logger.info("worker ready", extra={"author": shop.author.name, "embedder": shop.embedder.model})
            try:
                # A duty never ends by itself: if one does, it is a bug, and a fresh process is the cure.
                done, _ = await asyncio.wait({stopped, *duties}, return_when=asyncio.FIRST_COMPLETED)
                for duty in done - {stopped}:
                    duty.result()
            finally:
                # The duties first, so that nothing new begins; then the runs give their courses back.
                await end([stopped, *duties])
                await runner.stop()
    finally:
        with contextlib.suppress(*UNAVAILABLE):
            await queue.close()
            await client.aclose()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(pool.close(), 5)


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(settings, stop)


def main() -> int:
    """Run the worker; return its exit code: 2 when only the operator can help, 1 when a restart may."""
    try:
        settings = Settings.from_environment()
        configure(settings.log_level)
        urls_or_exit(settings)
        raise_fd_limit()
        uvloop.run(_main(settings))
    except (SettingsError, SchemaError) as error:
        print(f"coursecast worker: {error}", file=sys.stderr)
        return 2
    except DatabaseUnreachable as error:
        print(f"coursecast worker: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
