"""Drafts are published at most ten times a second; the first of each task does not wait for its turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from pipeline.bus import Draft
from pipeline.course import Task
from pipeline.drafts import Drafts
from pipeline.log import Claim

PARTS, FIRST, SECOND = Task("parts"), Task("sections", 0), Task("sections", 1)


class Recorder:
    """Stands where the bus does, and notes when what was rung for."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, str, Any]] = []

    async def publish(self, items: Iterable[Draft]) -> None:
        now = asyncio.get_running_loop().time()
        self.seen += [(now, draft.task, json.loads(draft.body)["value"]) for draft in items]


def drafts_to(bus: Recorder) -> Drafts:
    return Drafts(bus, Claim("c", 1))  # type: ignore[arg-type]


async def test_the_first_draft_of_a_task_goes_out_at_once_also_right_after_a_tick() -> None:
    bus = Recorder()
    drafts = drafts_to(bus)
    loop = asyncio.get_running_loop()
    for task in (FIRST, SECOND):
        asked_at = loop.time()
        drafts.sink(task)({"n": 1})
        await asyncio.sleep(0.02)
        at, seen, _ = bus.seen[-1]
        assert seen == str(task)
        assert at - asked_at < 0.02
    await drafts.close()


async def test_no_more_than_ten_ticks_a_second_and_the_newest_counts() -> None:
    bus = Recorder()
    drafts = drafts_to(bus)
    sinks = [drafts.sink(Task("sections", index)) for index in range(30)]
    for number in range(60):
        sinks[number % 30]({"n": number})
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    await drafts.close()
    ticks = sorted({at for at, _, _ in bus.seen})
    assert all(later - earlier >= 0.99 for earlier, later in zip(ticks, ticks[10:], strict=False))
    assert [value for _, task, value in bus.seen if task == "sections:29"][-1] == {"n": 59}


async def test_a_dropped_draft_is_not_published_and_its_task_may_begin_again() -> None:
    bus = Recorder()
    drafts = drafts_to(bus)
    drafts.sink(PARTS)({"n": 1})
    drafts.drop(PARTS)
    await asyncio.sleep(0.02)
    assert bus.seen == []
    drafts.sink(PARTS)({"n": 2})
    await asyncio.sleep(0.15)
    assert [value for _, _, value in bus.seen] == [{"n": 2}]
    await drafts.close()


async def test_after_the_stop_nothing_is_published_whoever_still_writes() -> None:
    bus = Recorder()
    drafts = drafts_to(bus)
    sink = drafts.sink(FIRST)
    sink({"n": 1})
    drafts.stop()
    sink({"n": 2})
    drafts.sink(SECOND)({"n": 3})
    await asyncio.sleep(0.15)
    assert bus.seen == []
    await drafts.close()
