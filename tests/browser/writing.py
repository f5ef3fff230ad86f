"""A server whose courses the test writes, event by event: what breaks, breaks in the middle."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pipeline import course as machine
from pipeline import events as ev
from pipeline.bus import Bus, Draft, connect
from pipeline.course import State
from pipeline.database import Pool, open_pool
from pipeline.log import Claim, Log
from pipeline.outline import Brief
from pipeline.requests import Requests
from pipeline.settings import Settings
from tests.integration.test_log import _with_ids
from tests.processes import Web, run_web
from tests.unit.test_course import result_of

T = TypeVar("T")
TIMEOUT_S = 20
BRIEF = Brief(query="Learn DCF valuation", hours=2.0)


class Desk:
    """A server, and a loop in a thread of its own to write courses from: the test's has Playwright."""

    def __init__(self, web: Web, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        assert settings.redis_url
        self.web = web
        self._loop = loop
        self._redis = connect(settings.redis_url)
        self.bus = Bus(self._redis)
        self._settings = settings
        self.pool: Pool = self.run(self._open)

    async def _open(self) -> Pool:
        assert self._settings.database_url
        return await open_pool(self._settings.database_url, max_size=4)

    def run(self, what: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in the desk's loop; return its result."""
        return asyncio.run_coroutine_threadsafe(what(), self._loop).result(TIMEOUT_S)

    def close(self) -> None:
        self.run(self.pool.close)
        self.run(self._redis.aclose)

    def course(self, *, parts: int = 3) -> Course:
        """Ask for a course and take it: nobody else writes it."""

        async def create() -> Course:
            created = await Requests(self.pool).create(BRIEF, caller="local", max_active=1_000)
            claimed = await Log(self.pool).claim(created.course_id)
            assert claimed is not None
            return Course(self, created.course_id, claimed.claim, claimed.state, parts)

        return self.run(create)


class Course:
    """A course in the making."""

    def __init__(self, desk: Desk, course_id: str, claim: Claim, state: State, parts: int) -> None:
        self._desk = desk
        self.id = course_id
        self._claim = claim
        self._state = state
        self._parts = parts

    @property
    def seq(self) -> int:
        return self._state.seq

    def step(self, *, publish: bool = True) -> None:
        """Append the result of the next task."""
        (task, *_) = machine.pending(self._state)
        event = result_of(task, self._state, self._parts)
        if isinstance(event, ev.OutlineReviewed):
            event = event.model_copy(update={"parts": tuple(_with_ids(part) for part in event.parts)})

        async def append() -> None:
            written = await Log(self._desk.pool).append(self._claim, self._state, event, task=task)
            self._state = written.state
            if publish:
                await self._desk.bus.publish(written.entries)

        self._desk.run(append)

    def to(self, seq: int) -> None:
        """Append until the log has at least `seq` entries."""
        while self.seq < seq:
            self.step()

    def finish(self) -> None:
        """Append until the course is complete."""
        while self._state.status == "processing":
            self.step()

    def draft(self, task: str, n: int, value: Any, *, fence: int | None = None) -> None:
        """Publish a draft, as a run with this fence does (default: the one that counts)."""
        fence = self._claim.fence if fence is None else fence
        members = {"course_id": self.id, "task": task, "fence": fence, "n": n, "value": value}
        draft = Draft(self.id, task, fence, n, json.dumps(members).encode())
        self._desk.run(lambda: self._desk.bus.publish([draft]))

    def take_again(self) -> None:
        """Go on with a course that was stopped and retried."""

        async def claim() -> None:
            claimed = await Log(self._desk.pool).claim(self.id)
            assert claimed is not None
            self._claim, self._state = claimed.claim, claimed.state

        self._desk.run(claim)


@contextmanager
def desk(settings: Settings) -> Iterator[Desk]:
    """Run a server without a worker, and a loop to write courses from."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with run_web(settings) as web:
            found = Desk(web, settings, loop)
            try:
                yield found
            finally:
                found.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
