"""Many courses at once through one server and one worker: all complete, every log whole."""

from __future__ import annotations

import asyncio
import time

import httpx2
import psutil

from tests.bench.pipeline_speed import QUERIES
from tests.bench.report import Table, percentile
from tests.journeys import assert_well_formed
from tests.running import RunningHouse

CONNECTIONS = 50
HOURS = (0.5, 1.75, 2.0, 6.5, 12.0)


async def measure(house: RunningHouse, *, courses: int) -> Table:
    """Post `courses` courses as fast as the server takes them, then follow each to its end."""
    limits = httpx2.Limits(max_connections=CONNECTIONS)
    async with httpx2.AsyncClient(base_url=house.base_url, timeout=60, limits=limits) as http:
        began = time.perf_counter()
        ids = await asyncio.gather(*(_post(http, i) for i in range(courses)))
        posted_s = time.perf_counter() - began
        logs = await asyncio.gather(*(_whole_log(http, course_id) for course_id in ids))
        done_s = time.perf_counter() - began
    outcomes = [str(log[-1]["type"]) for log in logs]
    lengths = [len(log) for log in logs]
    table = Table(
        "Many courses at once",
        f"{courses} courses of {', '.join(f'{h:g}' for h in HOURS)} hours by the `library` author, posted "
        f"over {CONNECTIONS} connections to one server, run by one worker. Every log is read back whole and "
        "checked: numbers without gap, each result once, percent never falling.",
        ("what", "figure"),
    )
    table.add("courses complete", f"{outcomes.count('course_stored')} of {courses}")
    table.add("requests accepted per second", f"{courses / posted_s:.0f}")
    table.add("courses written per second, all told", f"{courses / done_s:.1f}")
    table.add("events in a log, median and longest", f"{percentile(lengths, 50):.0f}, {max(lengths)}")
    table.add("resident memory of the server afterwards", _memory(house.web.pid))
    table.add("resident memory of the worker afterwards", _memory(house.worker.pid))
    return table


async def _post(http: httpx2.AsyncClient, i: int) -> str:
    body = {"query": QUERIES[i % len(QUERIES)], "hours": HOURS[i % len(HOURS)]}
    response = await http.post("/courses", json=body)
    assert response.status_code == 202, response.text
    return str(response.json()["course_id"])


async def _whole_log(http: httpx2.AsyncClient, course_id: str) -> list[dict[str, object]]:
    log: list[dict[str, object]] = []
    while True:
        view = (await http.get(f"/courses/{course_id}/status?after={len(log)}&wait_s=25")).json()
        log += view["events"]
        if view["status"] != "processing" and not view["more"]:
            assert_well_formed(log)
            return log


def _memory(pid: int) -> str:
    return f"{psutil.Process(pid).memory_info().rss / 2**20:.0f} MB"
