"""When the worker collects garbage: not in the middle of hundreds of runs.

A full collection looks at every object there is, a quarter of a second with five hundred courses in the
making, and nothing else happens meanwhile. Nearly all of what a run leaves is freed at once, by counting
references, and the young generations are still collected as ever; so full collections wait until no course
is being written, though not for ever.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

LOOK_EVERY_S = 30.0
AT_LEAST_EVERY_S = 900.0
_NEVER = 1_000_000
"""Collections of the middle generation before a full one."""


async def collect_when_idle(is_idle: Callable[[], bool]) -> None:
    """Run full collections when `is_idle` says so, else every AT_LEAST_EVERY_S, until cancelled."""
    youngest, middle, _ = gc.get_threshold()
    gc.collect()
    gc.freeze()  # what is there now, mostly modules, stays
    gc.set_threshold(youngest, middle, _NEVER)
    loop = asyncio.get_running_loop()
    collected_at = loop.time()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if is_idle() or loop.time() - collected_at > AT_LEAST_EVERY_S:
            gc.collect()
            collected_at = loop.time()
