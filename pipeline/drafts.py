"""Drafts: text as the model writes it, published at most ten times a second per course, never logged."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.authors import DraftSink
from pipeline.bus import Bus, Draft
from pipeline.course import Task, compact
from pipeline.ending import end
from pipeline.log import Claim

TICKS_PER_S = 10
TICK_S = 1 / TICKS_PER_S


class Drafts:
    """Coalesces the partial results of one run: only the newest of each task is kept, so memory is bounded.

    The first draft after a pause goes out at once; the ticks begin after it. The first draft of a task does
    not wait for the next tick either, as long as the last second had fewer than TICKS_PER_S.
    """

    def __init__(self, bus: Bus, claim: Claim) -> None:
        self._bus = bus
        self._claim = claim
        self._newest: dict[Task, Mapping[str, Any]] = {}
        self._n = 0
        self._stopped = False
        self._ticker: asyncio.Task[None] | None = None
        self._shown: set[Task] = set()
        self._first = asyncio.Event()
        self._ticks: deque[float] = deque([-1.0] * TICKS_PER_S, maxlen=TICKS_PER_S)

    def sink(self, task: Task) -> DraftSink:
        """Return where an author puts the partial results of `task`."""

        def take(value: Mapping[str, Any]) -> None:
            if self._stopped:
                return
            self._newest[task] = value
            if task not in self._shown:
                self._shown.add(task)
                self._first.set()
            if self._ticker is None or self._ticker.done():
                self._ticker = asyncio.create_task(self._tick(), name=f"drafts {self._claim.course_id}")

        return take

    def stop(self) -> None:
        """Publish nothing more from here on: the run is over, whatever still ends."""
        self._stopped = True
        self._newest.clear()

    def drop(self, task: Task) -> None:
        """Forget the draft of a task: it is being tried again, or its result is about to be in the log."""
        self._newest.pop(task, None)
        self._shown.discard(task)

    async def close(self) -> None:
        """Publish nothing more, and wait until that is so."""
        self.stop()
        if self._ticker is not None:
            await end([self._ticker])

    async def _tick(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._newest:
            batch, self._newest = self._newest, {}
            self._first.clear()
            self._ticks.append(clock())
            await self._bus.publish([self._pack(task, value) for task, value in batch.items()])
            await self._until_next(clock)

    async def _until_next(self, clock: Callable[[], float]) -> None:
        """Wait a tick, or until a task has its first draft; no more than TICKS_PER_S in any second."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                await self._first.wait()
        await asyncio.sleep(max(0.0, self._ticks[0] + 1.0 - clock()))

    def _pack(self, task: Task, value: Mapping[str, Any]) -> Draft:
        self._n += 1
        course_id, fence = self._claim.course_id, self._claim.fence
        body = compact(
            {"course_id": course_id, "task": str(task), "fence": fence, "n": self._n, "value": value}
        )
        return Draft(course_id, str(task), fence, self._n, body.encode())
