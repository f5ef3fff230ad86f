"""Does for many at once what each asks for alone: one statement, one commit, one round trip."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Batches(Generic[A, R]):
    """Gathers what is asked for while a batch is under way into the next one.

    Nobody waits for company: what is asked for alone is done at the next turn of the event loop, alone. No
    more waits here than callers wait for an answer; one that gives up takes its item with it, unless its
    batch is under way.

    Args:
        run: does a batch; returns what came of each item, in their order. What it raises came of them all.
        at_once: most batches under way.
        most: most items of a batch.
        timeout_s: longest that one who asks waits, both for its turn and for what comes of it.
    """

    def __init__(
        self,
        run: Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]],
        *,
        at_once: int,
        most: int,
        timeout_s: float,
    ) -> None:
        self._run = run
        self._timeout_s = timeout_s
        self._at_once = at_once
        self._most = most
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._working = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, item: A) -> R:
        """Return what came of `item`, or raise it.

        Raises:
            TimeoutError: nothing came of it in time; whether it was done is unknown.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, answer))
        if self._working < self._at_once:
            self._working += 1
            task = loop.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        async with asyncio.timeout(self._timeout_s):
            return await answer

    async def _work(self) -> None:
        """Do batches until nobody waits; no await is between that look and the note that it ended."""
        try:
            while batch := self._take():
                await self._do(batch)
        finally:
            self._working -= 1

    async def _do(self, batch: Sequence[tuple[A, asyncio.Future[R]]]) -> None:
        answers = [answer for _, answer in batch]
        outcomes: Sequence[R | Exception]
        try:
            outcomes = await self._run([item for item, _ in batch])
        except Exception as error:
            outcomes = [error] * len(batch)
        except BaseException:
            for answer in answers:
                answer.cancel()
            raise
        for answer, outcome in zip(answers, outcomes, strict=True):
            if answer.done():
                continue  # its caller gave up
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    def _take(self) -> list[tuple[A, asyncio.Future[R]]]:
        batch: list[tuple[A, asyncio.Future[R]]] = []
        while self._waiting and len(batch) < self._most:
            item, answer = self._waiting.popleft()
            if not answer.done():
                batch.append((item, answer))
        return batch
