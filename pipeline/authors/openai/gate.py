"""How many calls an endpoint is sent: one gate for all courses of the process.

While the endpoint answers, the gate holds calls to a largest number at once and no more. When it says "too
many" (429, or 503 with ``Retry-After``), the gate closes for all of them, opens when the wait is over, and
lets calls through one by one: few a second at first, twice as many each second, so that a thousand courses
find the endpoint's pace instead of running into its limit together. Above half of the pace at which it last
said "too many" the pace grows slowly. Whoever waits is let through in the order of coming; a call that was
turned away comes again at the end of the queue.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.authors.openai.failures import Limited

logger = logging.getLogger(__name__)

FIRST_PACE = 2.0
"""Calls a second after the first time."""
SLOW_GROWTH = 0.1
"""Of the threshold, a second."""
FIRST_WAIT_S = 1.0
"""Where the endpoint does not say how long; doubled each time that it says "too many" again at once."""
LONGEST_WAIT_S = 120.0
"""However long it says: one call a while is what finds out that an account was topped up."""


class Gate:
    """Lets calls through: ``async with gate.call(): …``.

    Args:
        most: calls at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closings = 0
        self._in_a_row = 0
        self._pace = math.inf
        self._threshold = math.inf
        self._opens_at = 0.0
        self._grown_at = 0.0

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it while the call is under way."""
        await self._enter()
        began = self._closings
        try:
            yield
        except Limited as limited:
            self._close(began, limited.retry_after_s)
            raise
        else:
            self._in_a_row = 0
        finally:
            self._under_way -= 1
            self._admit()

    async def _enter(self) -> None:
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # let through and cancelled in the same turn
                self._under_way -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        """Let through whoever may go now; set the timer for who comes next."""
        now = asyncio.get_running_loop().time()
        while self._waiting and self._under_way < self._most and self._opens_at <= now:
            place = self._waiting.popleft()
            if place.done():  # given up
                continue
            place.set_result(None)
            self._under_way += 1
            if self._pace < math.inf:
                self._grow(now)
                self._opens_at = max(now, self._opens_at) + 1 / self._pace
        if self._waiting and self._opens_at > now and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._opens_at, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._admit()

    def _grow(self, now: float) -> None:
        """Raise the pace for the time that it was kept up."""
        elapsed_s = min(1.0, max(0.0, now - self._grown_at))
        self._grown_at = now
        if self._pace < self._threshold:
            self._pace = min(self._pace * 2**elapsed_s, self._threshold)
        else:
            self._pace += SLOW_GROWTH * self._threshold * elapsed_s
        if self._pace >= self._most:  # from here on it is the number at once that limits
            self._pace = self._threshold = math.inf

    def _close(self, began: int, retry_after_s: float | None) -> None:
        """Close for a while; calls that began before the latest closing only tell how long."""
        now = asyncio.get_running_loop().time()
        if began == self._closings:
            self._closings += 1
            self._threshold = self._pace / 2
            self._pace = FIRST_PACE if self._pace == math.inf else max(self._pace / 4, 1 / LONGEST_WAIT_S)
            own_wait_s = FIRST_WAIT_S * 2 ** min(self._in_a_row, 10)
            self._in_a_row += 1
        else:
            own_wait_s = 0.0
        wait_s = min(LONGEST_WAIT_S, own_wait_s if retry_after_s is None else retry_after_s)
        opens_at = now + wait_s
        if opens_at > self._opens_at:
            self._opens_at = self._grown_at = opens_at
        logger.debug("endpoint closed", extra={"wait_s": round(wait_s, 2), "pace": round(self._pace, 2)})
