"""Turns of the event loop, given out one by one.

When hundreds of answers come at once, each is little work, but the loop runs all that is ready before it
looks at its timers again. Whoever takes a turn before a piece of work is resumed alone in one turn of the
loop, so that what waits beside it (leases, cancels, other answers' first words) waits for one piece of work
and not for all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Resumes who waits in the order of coming, one in each turn of the loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._granting = False

    async def take(self) -> None:
        """Wait for a turn: the next one where nobody else waits."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if not self._granting:
            self._granting = True
            loop.call_soon(self._grant)
        await turn

    def _grant(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else who waited was cancelled
                turn.set_result(None)
                break
        self._granting = bool(self._waiting)
        if self._granting:
            asyncio.get_running_loop().call_soon(self._grant)
