"""Ending tasks for certain.

One ``cancel()`` is not enough: a cancellation that arrives in the instant in which a network operation
completes can be swallowed by the libraries below (seen with arq's poll over redis-py, about once in six
stops under load; ``asyncio.wait_for`` before Python 3.12 does it too), and the task goes on as if nothing
had been.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

INSIST_S = 0.2


async def end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel `tasks` and wait until all are done, asking again every INSIST_S; their outcomes are dropped."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=INSIST_S)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not report it as never retrieved
