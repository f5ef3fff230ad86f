"""Ending tasks for certain."""

import asyncio

from pipeline.ending import end


async def test_a_task_that_swallows_its_cancellation_is_asked_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("on its way out")

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(failing())]
    await asyncio.sleep(0)  # let them begin
    async with asyncio.timeout(10):
        await end(tasks)
    assert swallowed == 3
    assert all(task.done() for task in tasks)


async def test_nothing_to_end_is_no_wait() -> None:
    await end([])
