"""Processes of our own: started on a leash, stopped with patience, started again when they die.

Each one leads a session of its own, so Ctrl-C in a terminal reaches only whoever started it, and dies with
its starter even on ``kill -9`` (see :mod:`pipeline.backing.leash`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

Say = Callable[[str], None]
"""Tells the person at the terminal one sentence."""

BACKOFF_FIRST_S = 1.0
BACKOFF_MOST_S = 30.0
BACKOFF_RESET_S = 60.0  # whoever ran this long is healthy: its next death counts as the first
HURRIED_GRACE_S = 1.0
KILL_TIMEOUT_S = 10.0
MOST_FILES = 1_048_576  # some containers allow 10^9, and programs size tables by it


class BackingError(Exception):
    """Something we need cannot be started; the message is one sentence for the operator."""


class NeedsOperator(BackingError):
    """A program ended with one of its final codes: starting it again would not help."""


def raise_fd_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what is in force now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        for limit in (wanted, 10_240):  # macOS refuses more than its own OPEN_MAX, 10,240
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
                break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Process:
    """One running process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(
        cls,
        command: Sequence[str | Path],
        *,
        death_signal: signal.Signals,
        user: tuple[int, int] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: IO[bytes] | None = None,
    ) -> Process:
        """Start `command`; call from the main thread, whose end is the end of the process too.

        Args:
            command: absolute path of the program and its arguments.
            death_signal: what it gets when we are gone, however that came about.
            user: uid and gid to run it as; only root may ask, on Linux.
            env: its whole environment; None: ours.
            cwd: its working folder; None: ours.
            log: takes its output; None: ours.
        """
        owner = "-" if user is None else f"{user[0]}:{user[1]}"
        leash = Path(__file__).with_name("leash.py")
        prefix = [sys.executable, "-I", "-S", str(leash), str(os.getpid()), str(int(death_signal)), owner]
        process = await asyncio.create_subprocess_exec(
            *prefix,
            *(str(part) for part in command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        return cls(process)

    @property
    def returncode(self) -> int | None:
        """Its exit code, the negative signal number that ended it, or None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end; return the exit code (negative: ended by that signal)."""
        return await self._process.wait()

    async def stop(self, first: signal.Signals, *, grace_s: float) -> None:
        """End it: ask with `first`; after `grace_s`, or when cancelled meanwhile, kill its whole group.

        In a task that was cancelled twice already the grace is a second: somebody is in a hurry.
        """
        if self.returncode is not None:
            return
        task = asyncio.current_task()
        if task is not None and task.cancelling() > 1:
            grace_s = min(grace_s, HURRIED_GRACE_S)
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(first)
        try:
            async with asyncio.timeout(grace_s):
                await self.wait()
        except TimeoutError:
            pass
        finally:
            if self.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):  # the kernel may hold one that waits for a broken disk
            async with asyncio.timeout(KILL_TIMEOUT_S):
                await self.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What can be kept running."""

    name: str
    launch: Callable[[], Awaitable[Process]]
    """Starts it and returns once it can be used; raises :class:`BackingError` when that fails."""
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0
    """How long after that signal it may take to end."""
    final_codes: frozenset[int] = frozenset()
    """Exit codes after which starting it again would not help."""


@dataclass(slots=True)
class Backoff:
    """How long to wait before a dead program is started again: 1 s, doubling to 30 s."""

    _next_s: float = field(default=BACKOFF_FIRST_S)

    def after(self, ran_s: float) -> float:
        """Return the pause in seconds after a run of `ran_s` seconds."""
        if ran_s >= BACKOFF_RESET_S:
            self._next_s = BACKOFF_FIRST_S
        pause = self._next_s
        self._next_s = min(pause * 2, BACKOFF_MOST_S)
        return pause


@contextlib.asynccontextmanager
async def kept(program: Program, *, say: Say) -> AsyncIterator[asyncio.Task[None]]:
    """Keep `program` running inside the block, and stop it at its end. Cancelling that hastens it.

    Yields:
        A task that ends only by an exception: :class:`NeedsOperator` when restarts are of no use.

    Raises:
        BackingError: the very first launch failed; later ones are tried again.
    """
    keeper = _Keeper(program, say, await program.launch())
    task = asyncio.create_task(keeper.run(), name=f"keep {program.name}")
    try:
        yield task
    finally:
        task.cancel()
        try:
            await asyncio.wait([task])
        finally:  # also when the wait is cancelled
            await keeper.process.stop(program.stop_signal, grace_s=program.grace_s)


class _Keeper:
    """Waits for a program's end and launches it again."""

    def __init__(self, program: Program, say: Say, process: Process) -> None:
        self._program = program
        self._say = say
        self.process = process

    async def run(self) -> None:
        name = self._program.name
        backoff = Backoff()
        started = time.monotonic()
        while True:
            code = await self.process.wait()
            if code in self._program.final_codes:
                raise NeedsOperator(f"{name} cannot run as it is configured; see its message above.")
            pause_s = backoff.after(time.monotonic() - started)
            self._say(f"{name} {_ending(code)}; starting it again in {pause_s:g} s.")
            await asyncio.sleep(pause_s)
            started = time.monotonic()
            try:
                self.process = await self._program.launch()
            except (BackingError, OSError) as error:
                self._say(str(error))  # the old process is still the one that ended: next round at once


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
