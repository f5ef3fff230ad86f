"""Throughput of POST /courses and of status polling, against bare routes, in turns."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.bench.live.load import Answers, Load
from tests.bench.live.targets import Target, ours, python_peer
from tests.bench.live.world import World

CONNECTIONS = 32
TURNS = 4
TURN_S = 1.2
BODY = '{"query":"Learn DCF valuation","hours":2.0}'


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Answers per second, ours and the bare route's, and our p99 in seconds."""

    ours_per_s: float
    bare_per_s: float
    ours_p99_s: float

    @property
    def ratio(self) -> float:
        """Ours ÷ bare."""
        return self.ours_per_s / self.bare_per_s


async def post(load: Load, world: World) -> Pair:
    """POST /courses against a bare route that inserts one row; both commit durably to the same Postgres."""
    request = (
        f"POST /courses HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
    )
    bare = python_peer("bare-insert", world.redis_port, world.settings.database_url or "")
    return await _in_turns(load, world, bare, request, request, "202")


async def status(load: Load, world: World) -> Pair:
    """GET …/status of a course that nobody watches, unconditional, against a bare route that answers JSON."""
    (course_id,) = await world.courses(1)
    bare = python_peer("bare-status", world.redis_port)
    return await _in_turns(
        load,
        world,
        bare,
        f"GET /courses/{course_id}/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        f"GET /status/{course_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "200",
    )


async def _in_turns(
    load: Load,
    world: World,
    bare: AbstractContextManager[Target],
    our_request: str,
    bare_request: str,
    wanted: str,
) -> Pair:
    found: dict[str, list[Answers]] = {"ours": [], "bare": []}
    with ours(world.settings, world.redis_port) as our_target, bare as bare_target:
        for turn in range(TURNS + 1):
            for name, target, request in (
                ("ours", our_target, our_request),
                ("bare", bare_target, bare_request),
            ):
                answers = await asyncio.to_thread(
                    load.requests, target.ports[0], request, connections=CONNECTIONS, seconds=TURN_S
                )
                assert set(answers.statuses) == {wanted}, f"{name} answered {answers.statuses}"
                if turn:  # the first warms
                    found[name].append(answers)
            if wanted == "202":
                await world.end_all()  # a limit on courses in the making counts those in the making
    return Pair(
        ours_per_s=statistics.median(a.per_s for a in found["ours"]),
        bare_per_s=statistics.median(a.per_s for a in found["bare"]),
        ours_p99_s=statistics.median(a.p99_s for a in found["ours"]),
    )
