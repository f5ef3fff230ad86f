"""How soon a course begins after it was accepted, and how long a whole one takes.

The peer is arq as it comes: a no-op job on a worker with the default poll delay of 0.5 s, on the same Redis
in the same run.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx2
from arq.connections import ArqRedis
from arq.worker import Worker, func

from pipeline.bus import connection_pool
from tests.bench.report import Table, percentile, spread
from tests.running import RunningHouse

QUERIES = (
    "Learn DCF valuation",
    "statistics for A/B tests",
    "how the Roman republic fell",
    "learn Rust ownership",
    "write better essays",
    "why do we sleep",
)
PEER_QUEUE = "bench.peer"


async def measure(house: RunningHouse, *, courses: int) -> Table:
    """Run `courses` courses one after another, and as many no-op jobs on the peer.

    Args:
        house: a running server and worker.
        courses: how many.
    """
    first, whole, answered = [], [], []
    async with httpx2.AsyncClient(base_url=house.base_url, timeout=30) as http:
        await _course(http, QUERIES[0])  # warm
        for i in range(courses):
            seen = await _course(http, QUERIES[i % len(QUERIES)])
            answered.append(seen["answered"])
            first.append(seen["first"])
            whole.append(seen["whole"])
    assert house.settings.redis_url
    peer = await _peer(house.settings.redis_url, jobs=max(20, courses // 4))
    table = Table(
        "The pipeline",
        f"{courses} two-hour courses by the `library` author, one after another, over HTTP; times from the "
        "log's own `at` (database clock). The peer is arq with its default poll delay.",
        ("what", "median", "p95", "max", "target", "met"),
    )
    ratio = percentile(first, 95) / percentile(peer, 95)
    table.add(
        "`POST /courses` answered (client clock)",
        *spread(answered),
        "well under 1 s",
        _met(max(answered) < 1),
    )
    table.add(
        "accepted → first worker event", *spread(first), "p95 ≤ 60 ms", _met(percentile(first, 95) <= 0.06)
    )
    table.add("peer: enqueued → started, arq's default polling", *spread(peer), "–", "–")
    table.add("ratio of the p95s, ours ÷ peer", f"{ratio:.3f}", "", "", "–", "–")
    table.add("a whole course", *spread(whole), "median ≤ 300 ms", _met(statistics.median(whole) <= 0.3))
    return table


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


async def _course(http: httpx2.AsyncClient, query: str) -> dict[str, float]:
    """Run one course; return seconds until the answer, the first worker event, and the last event."""
    began = time.perf_counter()
    accepted = (await http.post("/courses", json={"query": query, "hours": 2})).json()
    answered = time.perf_counter() - began
    times: list[datetime] = []
    after = 0
    while True:
        view = (await http.get(f"{accepted['status_url']}?after={after}&wait_s=20")).json()
        times += [datetime.fromisoformat(event["at"]) for event in view["events"]]
        after = len(times)
        if view["status"] != "processing" and not view["more"]:
            break
    assert view["status"] == "complete", json.dumps(view)
    return {
        "answered": answered,
        "first": (times[1] - times[0]).total_seconds(),
        "whole": (times[-1] - times[0]).total_seconds(),
    }


async def _peer(redis_url: str, *, jobs: int) -> list[float]:
    """Return seconds from enqueue to start of no-op jobs on an arq worker as it comes."""
    started: asyncio.Queue[float] = asyncio.Queue()

    async def note(_ctx: dict[str, Any]) -> None:
        started.put_nowait(time.perf_counter())

    waits = []
    async with _arq(redis_url) as client:
        worker = Worker(
            [func(note, name="note")],
            redis_pool=client,
            queue_name=PEER_QUEUE,
            handle_signals=False,
            keep_result=0,
        )
        running = asyncio.create_task(worker.async_run())
        for i in range(jobs):
            # At no fixed distance from the worker's polls, as requests come.
            await asyncio.sleep(0.1 + 0.37 * (i * 0.618 % 1))
            began = time.perf_counter()
            await client.enqueue_job("note", _queue_name=PEER_QUEUE)
            waits.append(await asyncio.wait_for(started.get(), 10) - began)
        running.cancel()
        await asyncio.gather(running, *worker.tasks.values(), return_exceptions=True)
    return waits


@asynccontextmanager
async def _arq(redis_url: str) -> Any:
    client = ArqRedis(connection_pool(redis_url))
    try:
        yield client
    finally:
        await client.aclose(close_connection_pool=True)
