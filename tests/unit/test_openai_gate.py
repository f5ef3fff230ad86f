"""The gate before an endpoint: who is let through when."""

import asyncio
from typing import Any

import pytest

from pipeline.authors.openai.failures import BUSY, Limited
from pipeline.authors.openai.gate import Gate
from pipeline.authors.openai.turns import Turns


async def turned_away(gate: Gate, wait_s: float | None) -> None:
    with pytest.raises(Limited):
        async with gate.call():
            raise Limited(BUSY, retry_after_s=wait_s)


async def test_no_more_at_once_than_allowed_and_first_come_first_through() -> None:
    gate = Gate(2)
    inside: list[int] = []
    order: list[int] = []
    release = asyncio.Event()

    async def call(number: int) -> None:
        async with gate.call():
            order.append(number)
            inside.append(number)
            assert len(inside) <= 2
            await release.wait()
            inside.remove(number)

    async with asyncio.TaskGroup() as calls:
        for number in range(6):
            calls.create_task(call(number))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == [0, 1]
        release.set()
    assert order == list(range(6))


async def test_who_gives_up_waiting_leaves_no_place_taken() -> None:
    gate = Gate(1)
    async with gate.call():
        waiting = [asyncio.create_task(_through(gate)) for _ in range(3)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.wait_for(_through(gate), 1)


async def test_who_is_cancelled_in_the_turn_in_which_it_was_let_through_leaves_no_place_taken() -> None:
    gate = Gate(1)
    holding = gate.call()
    await holding.__aenter__()
    waiting = asyncio.create_task(_through(gate))
    await asyncio.sleep(0)
    await holding.__aexit__(None, None, None)  # lets the other through ...
    waiting.cancel()  # ... which never gets to know
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.wait_for(_through(gate), 1)


async def test_after_too_many_nobody_goes_through_until_the_wait_is_over_and_then_a_few_a_second() -> None:
    gate = Gate(100)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await turned_away(gate, 0.3)
    times: list[float] = []

    async def call() -> None:
        async with gate.call():
            times.append(loop.time() - began)

    calls = [asyncio.create_task(call()) for _ in range(50)]
    await asyncio.wait(calls, timeout=1.2)
    assert min(times) >= 0.29
    assert 1 <= len(times) <= 6
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_failure_of_another_kind_closes_nothing() -> None:
    gate = Gate(10)
    with pytest.raises(ValueError, match="other"):
        async with gate.call():
            raise ValueError("other")
    await asyncio.wait_for(asyncio.gather(*(_through(gate) for _ in range(50))), 0.5)


async def _through(gate: Gate) -> None:
    async with gate.call():
        pass


async def test_turns_are_given_one_by_one_in_order_also_when_one_gives_up() -> None:
    turns = Turns()
    order: list[Any] = []

    async def work(number: int) -> None:
        await turns.take()
        order.append(number)

    async def beside() -> None:
        for _ in range(8):
            order.append("beside")
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(work(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(beside(), *tasks, return_exceptions=True)
    assert [step for step in order if step != "beside"] == [0, 2, 3]
    between = "".join("." if step == "beside" else str(step) for step in order)
    assert "02" not in between
    assert "23" not in between
