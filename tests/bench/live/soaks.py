"""The live layer under big loads: cuts everywhere, a storm, viewers that vanish, peers that never read."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import redis.asyncio as redis

from pipeline import bus
from tests.bench.live import machine
from tests.bench.live.load import Answers, Load, load_client
from tests.bench.live.viewers import LOST, Viewer
from tests.bench.live.world import World, serving, spread_out
from tests.bench.live.writing import Writer
from tests.processes import Web

BAD = ("lost", "duplicate", "out of order", "unlike the log")
SPARE_SOCKETS = 2
"""Those of whoever asks for the gauge."""


# --- cut at random points -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """How big: `viewers` on `courses`, logs of `entries` in about `seconds`, each viewer cut `cuts` times."""

    viewers: int = 2_000
    courses: int = 200
    entries: int = 55
    seconds: float = 40.0
    cuts: int = 5
    kills: int = 4
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class CutsOutcome:
    """What all viewers together received."""

    counts: Counter[str]
    viewers: int
    kills: int
    redis_cuts: int
    seconds: float

    @property
    def faultless(self) -> bool:
        """Whether what every viewer received equals the log."""
        return not any(self.counts[name] for name in BAD)


async def cuts(world: World, size: Cuts) -> CutsOutcome:
    """Viewers over all transports at two servers; connections reset, servers killed, Redis cut off."""
    rng = random.Random(size.seed)
    ids = await world.courses(size.courses)
    client = bus.connect(world.settings.redis_url or "")
    writer = Writer(world.pool, bus.Bus(client))
    await writer.read(ids)
    began = time.monotonic()
    async with serving(world.settings) as first, serving(world.settings) as second:
        webs = (first, second)
        viewers = [
            Viewer(
                ids[i % len(ids)],
                writer.logs[ids[i % len(ids)]],
                lambda: rng.choice(webs).port,
                cuts=rng.sample(range(1, size.entries), size.cuts),
                rng=random.Random(size.seed * 1_000_003 + i),
            )
            for i in range(size.viewers)
        ]
        faults = asyncio.create_task(_faults(world, webs, size))
        async with asyncio.timeout(size.seconds * 3 + 60), asyncio.TaskGroup() as group:
            for viewer in viewers:
                group.create_task(viewer.follow())
            for course_id in ids:
                group.create_task(_write(writer, course_id, size, random.Random(rng.random())))
        redis_cuts = await faults  # they may outlast the viewers
    await client.aclose()
    counts: Counter[str] = Counter()
    for viewer in viewers:
        counts.update(viewer.counts)
        counts["lost"] += len(writer.logs[viewer.course_id]) - viewer.cursor
    return CutsOutcome(
        counts=counts,
        viewers=size.viewers,
        kills=size.kills,
        redis_cuts=redis_cuts,
        seconds=time.monotonic() - began,
    )


async def _write(writer: Writer, course_id: str, size: Cuts, rng: random.Random) -> None:
    mean_s = size.seconds / size.entries
    for seq in range(2, size.entries + 1):
        await asyncio.sleep(rng.uniform(0, 2 * mean_s))
        await writer.append(course_id, status="complete" if seq == size.entries else "processing")


async def _faults(world: World, webs: Sequence[Web], size: Cuts) -> int:
    """Kill a server in turn, and cut its Redis connections in between; return how many of those."""
    redis_cuts = 0
    step_s = size.seconds / (size.kills + 1) / 2
    async with redis.Redis.from_url(world.settings.redis_url or "") as admin:
        for kill in range(size.kills):
            for kind in ("pubsub", "normal"):
                await asyncio.sleep(step_s / 2)
                await admin.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
                redis_cuts += 1
            await asyncio.sleep(step_s)
            web = webs[kill % len(webs)]
            await asyncio.to_thread(web.kill)
            web.restart()
    return redis_cuts


# --- a reconnect storm --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StormOutcome:
    """How a storm went; times in seconds, memory in bytes."""

    viewers: int
    caught_up_s: float
    median_s: float
    before_bytes: int
    peak_bytes: int
    after_bytes: int
    polls: Answers
    calm_polls: Answers


MISSED = 3
"""Entries that every log grows by while all are away."""


_POLLS: dict[str, Any] = {"connections": 2, "pause_s": 0.01}


async def storm(world: World, *, viewers: int, courses: int, poll_s: float = 15) -> StormOutcome:
    """Cut all viewers at once while their logs grow, and let all come back at once, polling going on."""
    ids = await world.courses(courses)
    writer = Writer(world.pool, None)
    await writer.read(ids)
    async with serving(world.settings) as web:
        machine.pin(web.pid, machine.SERVING_CORE)
        crowd = [
            Viewer(course_id, writer.logs[course_id], lambda: web.port)
            for course_id in spread_out(ids, viewers)
        ]
        await _in_waves(crowd, until=1)
        with load_client() as load:
            outcome = await _cut_and_come_back(web, load, crowd, writer, poll_s)
    for viewer in crowd:
        viewer.cut()
    assert not any(viewer.counts[name] for viewer in crowd for name in BAD)
    return outcome


async def _cut_and_come_back(
    web: Web, load: Load, crowd: Sequence[Viewer], writer: Writer, poll_s: float
) -> StormOutcome:
    request = f"GET /courses/{crowd[0].course_id}/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    calm = await asyncio.to_thread(load.requests, web.port, request, **_POLLS, seconds=2)
    before = machine.memory_bytes([web.pid])
    for viewer in crowd:
        viewer.cut()
    await asyncio.gather(*(_grow(writer, course_id) for course_id in writer.logs))
    machine.reset_peak(web.pid)
    load.begin_requests(web.port, request, **_POLLS, seconds=poll_s)
    began = time.perf_counter()
    took = await asyncio.gather(*(_back(viewer, began) for viewer in crowd))
    polls = await asyncio.to_thread(load.end_requests)
    return StormOutcome(
        viewers=len(crowd),
        caught_up_s=max(took),
        median_s=statistics.median(took),
        before_bytes=before,
        peak_bytes=machine.peak_bytes(web.pid),
        after_bytes=machine.memory_bytes([web.pid]),
        polls=polls,
        calm_polls=calm,
    )


async def _grow(writer: Writer, course_id: str) -> None:
    for _ in range(MISSED):
        await writer.append(course_id)


async def _in_waves(crowd: Sequence[Viewer], until: int, wave: int = 200) -> None:
    for start in range(0, len(crowd), wave):
        await asyncio.gather(*(viewer.watch(until) for viewer in crowd[start : start + wave]))


async def _back(viewer: Viewer, began: float) -> float:
    """Come back, again if refused, until everything is here; return after how many seconds."""
    async with asyncio.timeout(120):
        while viewer.cursor < 1 + MISSED:
            try:
                await viewer.watch(1 + MISSED)
            except LOST:
                viewer.cut()
                await asyncio.sleep(0.5)
    return time.perf_counter() - began


# --- viewers that vanish ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class VanishOutcome:
    """Memory (bytes) and sockets of the server before, with, and after the viewers, by round."""

    viewers: int
    before: list[tuple[int, int]]
    during: list[tuple[int, int]]
    after: list[tuple[int, int]]
    gone_s: list[float]


async def vanish(world: World, *, viewers: int, rounds: int = 3) -> VanishOutcome:
    """Let viewers vanish: their process is killed. Again and again, for what is kept for good shows then."""
    ids = await world.courses(viewers)
    found = VanishOutcome(viewers=viewers, before=[], during=[], after=[], gone_s=[])
    async with serving(world.settings) as web, asking(web) as http:
        assert await viewers_of(http) == 0
        for _ in range(rounds):
            found.before.append(size_of(web))
            with load_client() as load:
                paths = [f"/courses/{course_id}/events" for course_id in ids]
                await asyncio.to_thread(load.open, web.port, paths, ready='"seq":1,')
                await asyncio.sleep(1)
                found.during.append(size_of(web))
                began = time.monotonic()
                load.popen.kill()
            async with asyncio.timeout(30):
                while await viewers_of(http):
                    await asyncio.sleep(0.05)
            found.gone_s.append(time.monotonic() - began)
            await asyncio.sleep(1)
            found.after.append(size_of(web))
    return found


def size_of(web: Web) -> tuple[int, int]:
    """Return memory (bytes) and viewers' sockets of a server."""
    return machine.memory_bytes([web.pid]), machine.open_sockets(web.pid, web.port)


def asking(web: Web) -> httpx2.AsyncClient:
    """Return a client of a server."""
    return httpx2.AsyncClient(base_url=web.base_url, timeout=30)


async def viewers_of(http: httpx2.AsyncClient) -> int:
    """Return how many viewers a server says it has."""
    lines = (await http.get("/metrics")).text.splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith("coursecast_viewers "))
    return int(float(value))
