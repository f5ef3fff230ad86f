"""Drafts: text as the model writes it, published at most ten times a second per course, never logged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pipeline.authors import DraftSink
from pipeline.bus import Bus, Draft
from pipeline.course import Task, compact
from pipeline.ending import end
from pipeline.log import Claim

TICK_S = 0.1


class Drafts:
    """Coalesces the partial results of one run: only the newest of each task is kept, so memory is bounded.

    The first draft after a pause goes out at once; the ticks begin after it.
    """

    def __init__(self, bus: Bus, claim: Claim) -> None:
        self._bus = bus
        self._claim = claim
        self._newest: dict[Task, Mapping[str, Any]] = {}
        self._n = 0
        self._ticker: asyncio.Task[None] | None = None

    def sink(self, task: Task) -> DraftSink:
        """Return where an author puts the partial results of `task`."""

        def take(value: Mapping[str, Any]) -> None:
            self._newest[task] = value
            if self._ticker is None or self._ticker.done():
                self._ticker = asyncio.create_task(self._tick(), name=f"drafts {self._claim.course_id}")

        return take

    def drop(self, task: Task) -> None:
        """Forget the draft of a task: it is being tried again, or its result is about to be in the log."""
        self._newest.pop(task, None)

    async def close(self) -> None:
        """Publish nothing more."""
        self._newest.clear()
        if self._ticker is not None:
            await end([self._ticker])

    async def _tick(self) -> None:
        while self._newest:
            batch, self._newest = self._newest, {}
            await self._bus.publish([self._pack(task, value) for task, value in batch.items()])
            await asyncio.sleep(TICK_S)  # the rate limit itself

    def _pack(self, task: Task, value: Mapping[str, Any]) -> Draft:
        self._n += 1
        course_id, fence = self._claim.course_id, self._claim.fence
        body = compact(
            {"course_id": course_id, "task": str(task), "fence": fence, "n": self._n, "value": value}
        )
        return Draft(course_id, str(task), fence, self._n, body.encode())
