"""Courses by a language model: wall time against the critical path of the calls, and many courses at once.

The model is the OpenAI-compatible server of the tests, a process of its own. Its journal says when each call
began and ended, so the critical path is what the model took, not what we believe it took.
"""

from __future__ import annotations

import asyncio
import json
import signal
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import psutil
from pydantic import SecretStr

from pipeline.settings import AuthorName, Settings
from tests.bench.report import Table, ms, percentile, spread
from tests.openai_server import OpenAIServer
from tests.openai_server.journal import Call
from tests.processes import Process, environment, run_web, run_worker

CALL_S = 1.0
LONG_HOURS = 6.0
RATIO_COURSES = 5
CHUNK_S = 0.05
SOAK_CALL_S = 20.0
SOAK_COURSES = 500
SOAK_HOURS = 2.0
SOAK_MODEL_CALLS = 2_000
IDEAL_CALLS_IN_A_ROW = 3  # parts, sections, review
CHUNK_CHARS = 24
QUERIES = ("Learn DCF valuation", "statistics for A/B tests", "learn Rust ownership", "why do we sleep")


async def measure(settings: Settings, *, is_soak: bool) -> list[Table]:
    """Measure with a model of its own; `settings` name a database and a Redis that nothing else uses."""
    async with await OpenAIServer.start() as model:
        if is_soak:
            load = await run_load(with_model(settings, model, max_calls=SOAK_MODEL_CALLS), model)
            return [soak_table(load)]
        settings = with_model(settings, model, max_calls=256)
        with run_web(settings) as web, run_worker(settings):
            async with httpx2.AsyncClient(base_url=web.base_url, timeout=60) as http:
                await _course(http, QUERIES[0], 0.5)  # warm: the worker is up, the library loaded
                ratios = await wall_ratios(http, model)
                drafts = await first_drafts(http, model)
    return [speed_table(ratios, drafts)]


def speed_table(ratios: Sequence[float], drafts: Sequence[float]) -> Table:
    """Return what single courses took."""
    table = Table(
        "Courses by a model",
        f"{len(ratios)} courses of {LONG_HOURS:g} hours at {CALL_S:g} s a call, one after another. The "
        "critical path of a course is its parts call, its longest sections call and its review, as the "
        "model's own journal has them; wall time is from the first event to the last, by the database's "
        "clock. A first draft is timed from the first piece of an answer leaving the model to the draft's "
        f"arrival at a viewer, over SSE; pieces of {CHUNK_CHARS} characters come every {CHUNK_S:g} s, "
        "the first of them without any text.",
        ("what", "median", "p95", "max", "target", "met"),
    )
    worst = max(ratios)
    table.add(
        "wall time ÷ critical path",
        *(f"{value:.3f}" for value in (statistics.median(ratios), percentile(ratios, 95), worst)),
        "≤ 1.05",
        _met(worst <= 1.05),
    )
    table.add("first piece → first draft at a viewer", *spread(drafts), "≤ 150 ms", _met(max(drafts) <= 0.15))
    return table


def soak_table(load: Load) -> Table:
    """Return what many courses at once took."""
    ideal_s = IDEAL_CALLS_IN_A_ROW * SOAK_CALL_S
    courses = load.outcomes.total()
    table = Table(
        "Many courses by a model at once",
        f"{courses} courses of {SOAK_HOURS:g} hours posted at once, written by one worker with "
        f"`COURSECAST_MAX_MODEL_CALLS={SOAK_MODEL_CALLS}`; the model begins to answer {SOAK_CALL_S:g} s "
        f"after each call and streams pieces of {CHUNK_CHARS} characters as fast as it can, so hundreds of "
        f"answers come at once. Ideal is {IDEAL_CALLS_IN_A_ROW} calls in a row. The loop was blocked where "
        "it came late and this process computed meanwhile; late without that is the machine's doing.",
        ("what", "figure", "target", "met"),
    )
    ratio = load.wall_s / ideal_s
    seen = load.seen
    table.add(
        "courses complete",
        f"{load.outcomes['complete']} of {courses}",
        "all",
        _met(load.outcomes["complete"] == courses),
    )
    table.add("wall time ÷ ideal", f"{ratio:.3f}", "≤ 1.3", _met(ratio <= 1.3))
    table.add("most calls under way at once", f"{load.most_at_once}", "–", "–")
    table.add(
        "event loop blocked, longest",
        ms(seen["longest_blocked_s"]),
        "≤ 100 ms",
        _met(seen["longest_blocked_s"] <= 0.1),
    )
    table.add("event loop late by the clock, longest", ms(seen["longest_late_s"]), "–", "–")
    table.add("garbage collection, longest", ms(seen["longest_collection_s"]), "–", "–")
    table.add("CPU of the worker a call", ms(load.cpu_s / load.calls), "–", "–")
    table.add("calls, pieces an answer on average", f"{load.calls}, {load.pieces / load.calls:.0f}", "–", "–")
    table.add("CPU of the worker a streamed piece, all told", ms(load.cpu_s / load.pieces), "–", "–")
    table.add("largest resident memory of the worker", f"{seen['largest_rss'] / 2**20:.0f} MB", "–", "–")
    return table


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


# --- one course after another ------------------------------------------------------------------------------


async def wall_ratios(http: httpx2.AsyncClient, model: OpenAIServer) -> list[float]:
    """Return wall time ÷ critical path of RATIO_COURSES long courses."""
    await model.configure(delay_s=CALL_S, chunk_chars=CHUNK_CHARS)
    ratios = []
    for number in range(RATIO_COURSES):
        view = await _course(http, QUERIES[number % len(QUERIES)], LONG_HOURS)
        times = [datetime.fromisoformat(event["at"]) for event in view["events"]]
        path_s = critical_path_s(await model.calls(course_id=view["course_id"]))
        ratios.append((times[-1] - times[0]).total_seconds() / path_s)
    return ratios


def critical_path_s(calls: Sequence[Call]) -> float:
    """Return the longest chain of calls that had to wait for one another."""
    longest: dict[str, float] = {}
    for call in calls:
        assert call.finished is not None
        kind = call.task.partition(":")[0]
        longest[kind] = max(longest.get(kind, 0.0), call.finished - call.started)
    assert longest.keys() == {"parts", "sections", "review"}
    return sum(longest.values())


async def first_drafts(http: httpx2.AsyncClient, model: OpenAIServer) -> list[float]:
    """Return, for each task of some courses, seconds from its answer's first piece to its first draft."""
    await model.configure(delay_s=0.3, chunk_delay_s=CHUNK_S)
    waits = []
    for number in range(RATIO_COURSES):
        body = {"query": QUERIES[number % len(QUERIES)], "hours": 3}
        accepted = (await http.post("/courses", json=body)).json()
        seen: dict[str, float] = {}
        async with http.stream("GET", accepted["events_url"]) as stream:
            event = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event == "draft":
                    seen.setdefault(json.loads(line.removeprefix("data: "))["task"], time.time())
                elif event == "end":
                    break
        calls = {call.task: call for call in await model.calls(course_id=accepted["course_id"])}
        waits += [at - (calls[task].first_chunk or 0) for task, at in seen.items()]
    return waits


# --- many at once ------------------------------------------------------------------------------------------


def with_model(settings: Settings, model: OpenAIServer, *, max_calls: int) -> Settings:
    """Return settings whose author is the test model."""
    return settings.model_copy(
        update={
            "author_choice": AuthorName.OPENAI,
            "openai_api_key": SecretStr("bench-key"),
            "openai_base_url": model.base_url,
            "max_model_calls": max_calls,
        }
    )


@dataclass(frozen=True, kw_only=True)
class Load:
    """What many courses at once took."""

    wall_s: float
    outcomes: Counter[str]
    calls: int
    pieces: int
    """Pieces that all answers came in."""
    most_at_once: int
    cpu_s: float
    """Of the worker."""
    seen: dict[str, Any]
    """What the probe in the worker saw."""


async def run_load(settings: Settings, model: OpenAIServer, *, courses: int = SOAK_COURSES) -> Load:
    """Post `courses` courses at once to a server, have one worker write them, wait until all are over."""
    with tempfile.TemporaryDirectory(prefix="coursecast-probe-") as folder, run_web(settings) as web:
        probe = Path(folder) / "probe.json"
        worker = Process("tests.bench.probed_worker", {**environment(settings), "PROBE_FILE": str(probe)})
        try:
            async with httpx2.AsyncClient(base_url=web.base_url, timeout=60) as http:
                await _course(http, QUERIES[0], 0.5)  # warm: the worker is up, the library loaded
                await model.reset()
                await model.configure(delay_s=SOAK_CALL_S, chunk_chars=CHUNK_CHARS)
                worker.send(signal.SIGUSR1)
                before_s = _cpu_s(worker.pid)
                bodies = [{"query": QUERIES[i % len(QUERIES)], "hours": SOAK_HOURS} for i in range(courses)]
                for start in range(0, courses, 50):
                    posted = await asyncio.gather(
                        *(http.post("/courses", json=body) for body in bodies[start : start + 50])
                    )
                    assert all(response.status_code == 202 for response in posted)
                assert settings.database_url
                outcomes, wall_s = await _all_over(settings.database_url)
                cpu_s = _cpu_s(worker.pid) - before_s
            calls = await model.calls()
        finally:
            worker.stop(timeout_s=60)
        seen = json.loads(await asyncio.to_thread(probe.read_text))
    outcomes["complete"] -= 1  # the warm one
    pieces = sum(-(-4 * call.completion_tokens // CHUNK_CHARS) for call in calls)
    return Load(
        wall_s=wall_s,
        outcomes=outcomes,
        calls=len(calls),
        pieces=pieces,
        most_at_once=_most_at_once(calls),
        cpu_s=cpu_s,
        seen=seen,
    )


def _most_at_once(calls: Sequence[Call]) -> int:
    changes = [(call.started, 1) for call in calls] + [(call.finished or 0.0, -1) for call in calls]
    most = under_way = 0
    for _, change in sorted(changes):
        under_way += change
        most = max(most, under_way)
    return most


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def _all_over(database_url: str) -> tuple[Counter[str], float]:
    """Wait until no course is processing; return the outcomes, and first request to last event in seconds."""
    conn = await asyncpg.connect(database_url)
    try:
        while True:
            rows = await conn.fetch("SELECT status, count(*) AS n FROM courses GROUP BY status")
            outcomes = Counter({row["status"]: row["n"] for row in rows})
            if not outcomes["processing"]:
                break
            await asyncio.sleep(1)
        wall = await conn.fetchval(
            "SELECT extract(epoch FROM max(modified_at) - min(created_at))::float8 FROM courses"
            " WHERE created_at > (SELECT min(created_at) FROM courses)"
        )
        return outcomes, float(wall)
    finally:
        await conn.close()


async def _course(http: httpx2.AsyncClient, query: str, hours: float) -> dict[str, Any]:
    """Run one course to its end; return its last status view."""
    accepted = (await http.post("/courses", json={"query": query, "hours": hours})).json()
    while True:
        view: dict[str, Any] = (await http.get(f"{accepted['status_url']}?after=0&wait_s=20")).json()
        if view["status"] != "processing":
            assert view["status"] == "complete", json.dumps(view)
            return view
        await asyncio.sleep(0.05)
