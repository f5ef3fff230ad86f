"""A hub on a real log and Redis, courses whose events the test appends, and viewers that collect them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import redis.asyncio as redis

from pipeline import course as machine
from pipeline.bus import Bus, connect
from pipeline.course import State
from pipeline.database import Pool, migrate, open_pool
from pipeline.log import Claim, Entry, Log
from pipeline.requests import Requests
from server.feed import Feed
from server.frames import Frame
from server.hub import Hub
from tests.integration.test_log import claim_of, create
from tests.unit.test_course import result_of

TIMEOUT_S = 10
PARTS = 120
VIEWERS = 50


@dataclass
class House:
    """A log, a bus and a hub, and one course in the making."""

    log: Log
    requests: Requests
    bus: Bus
    hub: Hub
    client: redis.Redis
    pool: Pool

    async def course(self) -> "Course":
        course_id = await create(self.requests)
        claim, state = await claim_of(self.log, course_id)
        return Course(self, course_id, claim, state)


class Course:
    """A course whose events the test appends, publishing them or not."""

    def __init__(self, house: House, course_id: str, claim: Claim, state: State) -> None:
        self.house, self.course_id, self.claim, self.state = house, course_id, claim, state

    async def step(self, *, publish: bool = True) -> tuple[Entry, ...]:
        (task, *_) = machine.pending(self.state)
        event = result_of(task, self.state, PARTS)
        written = await self.house.log.append(self.claim, self.state, event, task=task)
        self.state = written.state
        if publish:
            await self.house.bus.publish(written.entries)
        return written.entries

    async def to_part(self, count: int, *, publish: bool = True) -> None:
        while len(self.state.sections) < count:
            await self.step(publish=publish)

    async def cancel(self) -> None:
        await self.house.bus.publish(await self.house.requests.cancel(self.course_id))

    async def open(self, cursor: int | str = 0) -> "Reader":
        return Reader(await Feed.open(self.house.log, self.house.hub, self.course_id, cursor))

    async def logged(self) -> list[bytes]:
        entries: list[Entry] = []
        while page := await self.house.log.entries(self.course_id, len(entries)):
            entries += page
        return [entry.message for entry in entries]


class Reader:
    """A viewer of the test: collects what its feed gives."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.frames: list[Frame] = []

    async def until(self, seq: int) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not any(frame.seq == seq for frame in self.frames):
                self.frames += await self.feed.next()

    async def until_end(self) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not self.feed.over:
                self.frames += await self.feed.next()

    @property
    def messages(self) -> list[bytes]:
        return [frame.data for frame in self.frames if frame.event == "update"]

    @property
    def events(self) -> list[str]:
        return [frame.event for frame in self.frames]


@pytest.fixture
async def house(database_url: str, redis_url: str) -> AsyncIterator[House]:
    """A house with room for VIEWERS."""
    pool = await open_pool(database_url)
    await migrate(pool)
    client = connect(redis_url)
    log = Log(pool)
    hub = Hub(log, redis_url, max_viewers=VIEWERS)
    running = asyncio.create_task(hub.run())
    yield House(log, Requests(pool), Bus(client), hub, client, pool)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await client.aclose()
    await pool.close()
