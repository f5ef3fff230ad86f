"""When garbage is collected: in the worker not in the middle of hundreds of runs, in the server seldom.

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


def freeze(*, youngest: int, middle: int, oldest: int) -> None:
    """Collect once, never look again at what is there now, mostly modules, and look at the rest less often.

    Args:
        youngest: new objects, less those that were freed, before the youngest generation is collected.
        middle: collections of the youngest before one of the middle generation.
        oldest: collections of the middle generation before a full one.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(youngest, middle, oldest)


async def collect_when_idle(is_idle: Callable[[], bool]) -> None:
    """Run full collections when `is_idle` says so, else every AT_LEAST_EVERY_S, until cancelled."""
    youngest, middle, _ = gc.get_threshold()
    freeze(youngest=youngest, middle=middle, oldest=_NEVER)
    loop = asyncio.get_running_loop()
    collected_at = loop.time()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if is_idle() or loop.time() - collected_at > AT_LEAST_EVERY_S:
            gc.collect()
            collected_at = loop.time()
