"""Batches: alone at once, together when busy, each with its own outcome, nobody forgotten."""

import asyncio
from collections.abc import Sequence

import pytest

from pipeline.batches import Batches


class Recorder:
    """Doubles numbers, batch by batch; a negative one is its own failure, a batch with a zero fails whole."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def run(self, batch: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(batch))
        await self.open.wait()
        if 0 in batch:
            raise OSError("away")
        return [ValueError(str(n)) if n < 0 else 2 * n for n in batch]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


async def test_what_is_asked_for_alone_is_done_alone(recorder: Recorder) -> None:
    batches = Batches(recorder.run, at_once=1, most=10, timeout_s=5)
    for n in range(1, 50):
        async with asyncio.timeout(1):
            assert await batches.ask(n) == 2 * n
    assert recorder.batches == [[n] for n in range(1, 50)]


async def test_who_comes_at_the_same_moment_or_while_one_is_under_way_goes_together(
    recorder: Recorder,
) -> None:
    batches = Batches(recorder.run, at_once=1, most=10, timeout_s=5)
    recorder.open.clear()
    first = [asyncio.create_task(batches.ask(n)) for n in range(1, 4)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [asyncio.create_task(batches.ask(n)) for n in range(4, 20)]
    await asyncio.sleep(0)
    recorder.open.set()
    assert await asyncio.gather(*first, *later) == [2 * n for n in range(1, 20)]
    assert recorder.batches == [[1, 2, 3], list(range(4, 14)), list(range(14, 20))]


async def test_each_has_its_own_outcome(recorder: Recorder) -> None:
    batches = Batches(recorder.run, at_once=1, most=10, timeout_s=5)
    found = await asyncio.gather(*(batches.ask(n) for n in (1, -2, 3)), return_exceptions=True)
    assert (found[0], found[2]) == (2, 6)
    assert isinstance(found[1], ValueError)
    found = await asyncio.gather(*(batches.ask(n) for n in (1, 0)), return_exceptions=True)
    assert [type(outcome) for outcome in found] == [OSError, OSError]
    assert await batches.ask(1) == 2


async def test_one_who_gave_up_before_its_turn_is_not_done(recorder: Recorder) -> None:
    batches = Batches(recorder.run, at_once=1, most=10, timeout_s=5)
    recorder.open.clear()
    asked = [asyncio.create_task(batches.ask(1))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked += [asyncio.create_task(batches.ask(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    for task in asked[:2]:
        task.cancel()
    await asyncio.sleep(0)
    recorder.open.set()
    assert await asked[2] == 6
    assert recorder.batches == [[1], [3]]


async def test_nobody_waits_longer_than_was_said(recorder: Recorder) -> None:
    batches = Batches(recorder.run, at_once=1, most=1, timeout_s=0.05)
    recorder.open.clear()
    found = await asyncio.gather(batches.ask(1), batches.ask(2), return_exceptions=True)
    assert [type(outcome) for outcome in found] == [TimeoutError, TimeoutError]
    recorder.open.set()
    assert await batches.ask(3) == 6
    assert recorder.batches == [[1], [3]]
