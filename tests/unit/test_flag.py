"""The flag that stands for an event, and the inbox that stands for a queue."""

import asyncio

from server.flag import Flag
from server.protocols import Inbox


async def test_all_who_wait_are_woken_even_if_it_is_cleared_at_once() -> None:
    flag = Flag()
    waiting = [asyncio.create_task(flag.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    flag.set()
    flag.clear()
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert not flag.is_set()


async def test_one_who_gives_up_leaves_nothing_and_the_others_are_woken() -> None:
    flag = Flag()
    gone, stays = asyncio.create_task(flag.wait()), asyncio.create_task(flag.wait())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    flag.set()
    await asyncio.wait_for(stays, 5)
    assert flag._waiting is None
    await asyncio.wait_for(flag.wait(), 5)


async def test_an_inbox_gives_what_came_in_order_and_waits_for_more() -> None:
    inbox = Inbox()
    for number in range(3):
        inbox.put_nowait(number)
    assert [await inbox.get() for _ in range(3)] == [0, 1, 2]
    assert inbox.empty()
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait("late")
    assert await asyncio.wait_for(reading, 5) == "late"
