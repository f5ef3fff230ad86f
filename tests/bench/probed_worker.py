"""``python -m tests.bench.probed_worker``: a worker that watches its own event loop.

It writes what it saw to the file that PROBE_FILE names when it is stopped, as JSON. A turn of the loop that
came late was either blocked by us or not given a processor by the machine: the CPU time that this process
used meanwhile tells the two apart.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import json
import os
import pstats
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import uvloop

from pipeline.backing import raise_fd_limit
from pipeline.logs import configure
from pipeline.settings import Settings
from pipeline.worker import work

EVERY_S = 0.01


@dataclass
class Seen:
    """What the probe saw since the first course: seconds and bytes."""

    turns: int = 0
    late_over_100_ms: int = 0
    """Turns that came more than 100 ms late by the clock."""
    blocked_over_100_ms: int = 0
    """Of these, those during which this process computed for more than 100 ms."""
    longest_late_s: float = 0.0
    longest_blocked_s: float = 0.0
    """The longest delay by CPU time of this process, no more than by the clock."""
    largest_rss: int = 0
    longest_collection_s: float = 0.0
    """The longest garbage collection."""


def watch_collections(seen: Seen) -> None:
    """Time the garbage collections."""
    began = 0.0

    def note(phase: str, _info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.process_time()
        else:
            seen.longest_collection_s = max(seen.longest_collection_s, time.process_time() - began)

    gc.callbacks.append(note)


async def watch(seen: Seen) -> None:
    """Look at the clocks every EVERY_S, until cancelled."""
    process = psutil.Process()
    wall, cpu = time.monotonic(), time.process_time()
    while True:
        await asyncio.sleep(EVERY_S)
        now, used = time.monotonic(), time.process_time()
        late_s = now - wall - EVERY_S
        blocked_s = min(late_s, used - cpu)
        seen.turns += 1
        seen.late_over_100_ms += late_s > 0.1
        seen.blocked_over_100_ms += blocked_s > 0.1
        seen.longest_late_s = max(seen.longest_late_s, late_s)
        seen.longest_blocked_s = max(seen.longest_blocked_s, blocked_s)
        if seen.turns % 20 == 0:
            seen.largest_rss = max(seen.largest_rss, process.memory_info().rss)
        wall, cpu = now, used


async def _main(settings: Settings, seen: Seen) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    probe: list[asyncio.Task[None]] = []

    def begin() -> None:  # the library is loaded before; that is not what is measured
        watch_collections(seen)
        probe.append(asyncio.create_task(watch(seen)))

    loop.add_signal_handler(signal.SIGUSR1, begin)
    await work(settings, stop)
    for task in probe:
        task.cancel()


def main() -> None:
    """Be a worker, then tell."""
    settings = Settings.from_environment()
    configure(settings.log_level)
    raise_fd_limit()
    seen = Seen()
    profile = cProfile.Profile(time.process_time) if os.environ.get("PROBE_PROFILE") else None
    if profile:
        profile.enable()
    uvloop.run(_main(settings, seen))
    if profile:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)
    Path(os.environ["PROBE_FILE"]).write_text(json.dumps(asdict(seen)))


if __name__ == "__main__":
    main()
