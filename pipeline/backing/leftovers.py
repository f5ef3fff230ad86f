"""What a killed predecessor left running on our data, and how long it may still take.

A service dies with whoever started it, but not at once: Postgres writes a checkpoint first, and the sessions
of a killed Postgres end a moment after it. Meanwhile the lock of the home is free already, so every launch
comes here first. Processes are told by a mark in their command line, never by a pid from a file: after a
crash or a reboot that pid may belong to anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import psutil

from pipeline.backing.process import BackingError, Say

SAY_AFTER_S = 1.0
ASK_TIMEOUT_S = 15.0
KILL_TIMEOUT_S = 5.0
POLL_S = 0.05


def mark_of(home: Path) -> str:
    """Return the word that every service on `home` carries in its command line, whatever its path is now."""
    status = home.stat()
    return f"coursecast-{status.st_dev:x}-{status.st_ino:x}"


async def clear_leftovers(program: str, mark: str, *, say: Say) -> None:
    """End every process of `program` that carries `mark`, asking, then killing; return when all are gone.

    Raises:
        BackingError: one of them cannot be ended.
    """
    left = find_leftovers(program, mark)
    if not left:
        return
    _signal_all(left, signal.SIGINT)  # "fast" to Postgres, plain shutdown to Redis
    if await _gone(program, mark, SAY_AFTER_S):
        return
    say(f"Waiting for {program} of an earlier run to end …")
    if await _gone(program, mark, ASK_TIMEOUT_S):
        return
    _signal_all(find_leftovers(program, mark), signal.SIGKILL)
    if not await _gone(program, mark, KILL_TIMEOUT_S):
        pids = ", ".join(str(process.pid) for process in find_leftovers(program, mark))
        raise BackingError(f"{program} of an earlier run cannot be ended: process {pids}.")


def find_leftovers(program: str, mark: str) -> list[psutil.Process]:
    """Return the processes of `program` that carry `mark`, whoever started them."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() == program and any(mark in part for part in process.cmdline()):
                found.append(process)
    return found


def _signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


async def _gone(program: str, mark: str, timeout_s: float) -> bool:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while find_leftovers(program, mark):
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(POLL_S)  # they are not our children: nothing to await
    return True
